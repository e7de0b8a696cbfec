"""Paths inside a manifest: the rules of `blockchaintracer.core.digest`, told by field."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

from blockchaintracer.core.digest import check_path
from blockchaintracer.core.errors import InputError

LISTING = "SHA256SUMS"
"""Last part of an output's path where the output is a folder: the artifact is its listing."""

_SAFE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in "%:\\")
_LOOKS_ESCAPED = re.compile("%[0-9A-F]{2}")
_DRIVE = re.compile(r"[A-Za-z]:")


def is_listing(path: str) -> bool:
    """Return whether an artifact with this path is the listing of a folder that a run wrote. An own file of the run
    called so has no folder before its name."""
    return path.endswith(f"/{LISTING}")


def normal_path(path: str) -> str:
    """Return a path as a manifest holds it: relative, with ``/`` between its parts, in Unicode's NFC.

    Raises:
        ValueError: saying what was expected, for an absolute or empty path, empty, ``.`` or ``..`` parts, control
            characters, backslashes or drive letters.
    """
    if _DRIVE.match(path):
        raise ValueError("a path without a drive letter")
    try:
        return check_path(unicodedata.normalize("NFC", path))
    except InputError as error:
        raise ValueError(error.message.removeprefix("expected ").rpartition(", got ")[0]) from None


def escaped_path(path: str) -> str:
    """Return a path that a manifest can hold. Of one that it can't, or that looks escaped, the odd bytes and ``%`` are
    written ``%XX``: `urllib.parse.unquote` gives it back."""
    try:
        if not _LOOKS_ESCAPED.search(path):
            return normal_path(path)
    except (UnicodeEncodeError, ValueError):
        pass
    return quote(unicodedata.normalize("NFC", path), safe=_SAFE, errors="surrogateescape")
