"""Which programs of this machine are started: those that its user installed, and none that lies in a working folder."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


def find_program(name: str) -> str | None:
    """Find a program on PATH. Returns its absolute path, or None.

    Relative entries and entries inside the working tree are skipped: a stranger may have chosen what lies there.
    The folder of the running Python is never skipped, since its user started that.
    """
    own = Path(sys.prefix, "bin").resolve()
    tree = working_tree()
    places = []
    for entry in os.environ.get("PATH", os.defpath).split(os.pathsep):
        place = Path(entry)
        if not place.is_absolute():
            continue
        place = place.resolve()
        if tree is None or place == own or not place.is_relative_to(tree):
            places.append(entry)
    return shutil.which(name, path=os.pathsep.join(places)) if places else None


def working_tree() -> Path | None:
    """Give the folder whose content a stranger may have written: the repository around the current folder, or else the
    current folder. None for the user's own home folder and what holds it."""
    here = Path.cwd().resolve()
    tree = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
    return None if Path.home().resolve().is_relative_to(tree) else tree
