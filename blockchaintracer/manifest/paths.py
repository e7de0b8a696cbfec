"""Paths inside a manifest: relative, unambiguous, and the same file on every system."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from blockchaintracer.errors import InputError
from blockchaintracer.manifest.base import refuse

MAX_PATH = 1024
_FORBIDDEN = {"Cc", "Cs", "Zl", "Zp"}
_DRIVE = re.compile(r"[A-Za-z]:")


def normal_path(path: str) -> str:
    """The path itself if it can stand in a manifest, in Unicode's NFC.

    Raises:
        ValueError: saying what was expected: a path of at most `MAX_PATH` characters, relative, with ``/`` between its
            parts, without empty, ``.`` or ``..`` parts, control characters, backslashes or drive letters.
    """
    path = unicodedata.normalize("NFC", path)
    if not 0 < len(path) <= MAX_PATH:
        raise ValueError(f"a path of 1 to {MAX_PATH} characters")
    if "\\" in path or _DRIVE.match(path):
        raise ValueError("a path with '/' between its parts and no drive letter")
    if any(unicodedata.category(character) in _FORBIDDEN for character in path):
        raise ValueError("a path without control characters")
    if any(part in {"", ".", ".."} for part in path.split("/")):
        raise ValueError("a relative path without empty, '.' or '..' parts")
    return path


def check_path(path: str, field: str = "path") -> str:
    """As `normal_path`, with an `InputError` that names the field."""
    try:
        return normal_path(path)
    except ValueError as error:
        refuse(field, str(error), path)


def check_paths(paths: Iterable[str], field: str = "path") -> None:
    """Refuses paths that could not all be written to one folder on every system.

    Raises:
        InputError: if a path breaks the rules of `normal_path`, comes twice, differs from another (or from a folder of
            another) in case alone, or is a file to one and a folder to another.
    """
    spellings: dict[str, str] = {}
    folders: set[str] = set()
    files: set[str] = set()
    for given in paths:
        path = check_path(given, field)
        if path in files:
            raise InputError(f"{field}: expected each path once, got {path!r} twice", field=field)
        files.add(path)
        parts = path.split("/")
        prefixes = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
        folders.update(prefixes[:-1])
        for prefix in prefixes:
            other = spellings.setdefault(_caseless(prefix), prefix)
            if other != prefix:
                raise InputError(
                    f"{field}: expected paths that differ by more than case, got {other!r} and {prefix!r}",
                    hint="Rename one of them: on some systems they are the same file.",
                    field=field,
                )
    for path in sorted(files & folders):
        raise InputError(f"{field}: expected a file or a folder, got {path!r} as both", field=field)


def _caseless(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())
