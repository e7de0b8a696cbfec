"""Imports extras when they are used."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def extra(name: str, file: str = "") -> ModuleType:
    """Import an extra, or a file of it. The command line imports extras here, and only when they are used."""
    return import_module(f"blockchaintracer.extras.{name}{file and '.' + file}")
