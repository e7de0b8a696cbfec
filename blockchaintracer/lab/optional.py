"""Packages that reports and exports need and the client doesn't."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from blockchaintracer.core.errors import InputError


def require(module: str, extra: str) -> Any:
    """A module of an extra.

    Raises:
        InputError: naming the extra, if it isn't installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(
            f"expected the package that has {module!r}, got none: {error}",
            hint=f"Install it: pip install 'blockchaintracer[{extra}]'",
        ) from None
