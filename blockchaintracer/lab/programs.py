"""Which programs of this machine are started: those that its user installed, and none that lies in a working folder."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path


def find_program(name: str) -> str | None:
    """Find a program on PATH by its name. Returns its absolute path, or None; also None for a name with a folder in it.

    Relative entries and entries inside the working tree are skipped: a stranger may have chosen what lies there.
    """
    if os.path.dirname(name):
        return None
    places = _places(os.environ.get("PATH", os.defpath), working_tree())
    return shutil.which(name, path=places) if places else None


@cache
def _places(path: str, tree: Path | None) -> str:
    """Return the entries of PATH that are absolute and outside a working tree."""
    entries = [entry for entry in path.split(os.pathsep) if Path(entry).is_absolute()]
    return os.pathsep.join(it for it in entries if tree is None or not Path(it).resolve().is_relative_to(tree))


def working_tree() -> Path | None:
    """Give the folder whose content a stranger may have written: the repository around the current folder, or else the
    current folder. None for the user's own home folder and what holds it."""
    here = Path.cwd().resolve()
    home = Path.home().resolve()
    outside = [folder for folder in (here, *here.parents) if not home.is_relative_to(folder)]
    return next((folder for folder in outside if (folder / ".git").exists()), outside[0] if outside else None)
