"""Which programs of this machine are started: those that its user installed, and none that lies in a working folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def find_program(name: str) -> str | None:
    """Find a program on PATH by its name. Returns its absolute path, or None; also None for a name with a folder in it.

    Relative entries and entries inside the working tree are skipped: a stranger may have chosen what lies there.
    """
    if os.path.dirname(name):
        return None
    tree = working_tree()
    places = []
    for entry in os.environ.get("PATH", os.defpath).split(os.pathsep):
        place = Path(entry)
        if not place.is_absolute():
            continue
        place = place.resolve()
        if tree is None or not place.is_relative_to(tree):
            places.append(entry)
    return shutil.which(name, path=os.pathsep.join(places)) if places else None


def working_tree() -> Path | None:
    """Give the folder whose content a stranger may have written: the repository around the current folder, or else the
    current folder. None for the user's own home folder and what holds it."""
    here = Path.cwd().resolve()
    home = Path.home().resolve()
    outside = [folder for folder in (here, *here.parents) if not home.is_relative_to(folder)]
    return next((folder for folder in outside if (folder / ".git").exists()), outside[0] if outside else None)
