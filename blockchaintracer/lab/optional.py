"""Packages that only an extra needs (``pip install 'blockchaintracer[EXTRA]'``), imported when they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from blockchaintracer.core.errors import InputError


def require(module: str, extra: str) -> Any:
    """Import a module of an optional package."""
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(
            f"this needs {module.partition('.')[0]}, which is not installed ({error})",
            hint=f"Install it: pip install 'blockchaintracer[{extra}]'",
        ) from None
