"""Folders that a lock file installs, such as the project itself: what they are comes from the recorded commit alone."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

_NAMED = r"(?:[A-Za-z0-9._-]+ ?(?:\[[^\]]*\])? ?@ ?)?"
_LOCAL = re.compile(rf"(-e ?|--editable[ =])?{_NAMED}((?:file:|/|\.)[^\s;\[]*)(?:\[[^\]]*\])?(?: ?;.*)?")


@dataclass(frozen=True)
class LocalPackage:
    """A folder that is installed, and whether its files are used where they lie."""

    path: str
    editable: bool

    def within(self, root: Path) -> Path | None:
        """Return the folder, counted from `root`; None if it is named absolutely, or leads out of it."""
        folder = (root / self.path).resolve()
        return None if self.path.startswith("/") or not folder.is_relative_to(root.resolve()) else folder


def local_package(line: str) -> LocalPackage | None:
    """Read a line of a requirements file; None if it installs no folder or file of the machine."""
    match = _LOCAL.fullmatch(line)
    if not match:
        return None
    path = match[2]
    return LocalPackage(url2pathname(urlsplit(path).path) if path.startswith("file:") else path, bool(match[1]))


def installs_folders(text: str) -> bool:
    """Return whether a requirements file installs folders."""
    return any(local_package(line.strip()) for line in text.splitlines())


def portable_lock(text: str, folder: Path, root: Path) -> str:
    """Return a requirements file in which folders of the repository at `root` are named from there, not from `folder`,
    where it was used, nor from the root of this machine."""

    def portable(line: str) -> str:
        local = local_package(line.strip())
        place = os.path.relpath(os.path.realpath(folder / local.path), os.path.realpath(root)) if local else ".."
        if not local or place.startswith(".."):
            return line
        return f"{folder_line(place, local.editable)}\n"

    return "".join(map(portable, text.splitlines(keepends=True)))


def folder_line(place: str, editable: bool) -> str:
    """Return the line of a requirements file that installs a folder, named from the root of the repository."""
    path = "." if place == "." else f"./{place}"
    return f"{'-e ' if editable else ''}{path if quote(path) == path else f'file:{quote(path)}'}"
