"""Whether a lock file names every package by digest."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.capture.environment import parse_toml

_HASH = re.compile(r"--hash=sha(?:256|384|512):[0-9a-f]{64,}")


def unhashed(name: str, data: bytes) -> tuple[int, list[str]] | None:
    """Count the packages that a lock file names, and list those without a digest; None if it can't be read.

    Args:
        name: of the file: ``pylock.toml``, ``uv.lock``, or anything else for a requirements file.
        data: its content.
    """
    try:
        if name == "uv.lock":
            return _packages(parse_toml(data, name).get("package", []), _of_uv)
        if name.endswith(".toml"):
            return _packages(parse_toml(data, name).get("packages", []), _of_pylock)
        text = data.decode()
    except (InputError, ValueError, AttributeError, TypeError, KeyError):
        return None
    lines = [line.strip() for line in re.sub(r"\\\r?\n", " ", text).splitlines()]
    packages = [line for line in lines if line and not line.startswith(("#", "--"))]
    return len(packages), [re.split(r"[\s=<>~!@;\[]", line)[0] for line in packages if not _HASH.search(line)]


def _packages(packages: list[dict[str, Any]], is_hashed: Callable[[dict[str, Any]], bool]) -> tuple[int, list[str]]:
    foreign = [package for package in packages if not _is_own(package)]
    return len(foreign), [str(package["name"]) for package in foreign if not is_hashed(package)]


def _is_own(package: dict[str, Any]) -> bool:
    """The project itself, whose content is the commit."""
    source = package.get("source", package.get("directory", {}))
    return any(name in source for name in ("editable", "virtual", "directory", "path"))


def _of_uv(package: dict[str, Any]) -> bool:
    files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
    return bool(files) and all(str(file.get("hash", "")).startswith("sha256:") for file in files)


def _of_pylock(package: dict[str, Any]) -> bool:
    files = [*package.get("wheels", []), *(package[name] for name in ("sdist", "archive") if name in package)]
    return bool(files) and all(file.get("hashes") for file in files)
