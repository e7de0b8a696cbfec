"""The homes that this user trusts: a folder found from the working folder may have come with somebody's repository."""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
from contextlib import suppress
from pathlib import Path

from blockchaintracer.lab.files import write_whole
from blockchaintracer.lab.programs import find_program

_ID = "id"


def trust(home: Path) -> None:
    """List a home: its path, and an id inside it that only this folder has.

    Raises:
        OSError: if the folder or the user's list can't be written.
    """
    place = home / _ID
    with suppress(FileExistsError), os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(16))
    listed = _listed(home)
    listed.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(listed, place.read_bytes())


def why_not_trusted(home: Path) -> str | None:
    """Say why a home that was found is not to be used, or None if it is this user's own."""
    try:
        known = _listed(home).read_bytes() == (home / _ID).read_bytes()
    except OSError:
        known = False
    if not known and home.stat().st_uid != os.getuid():
        return "belongs to another user"
    if not known:
        return "is not in the list of homes that you trust"
    return "is tracked by git, so that others write it" if _may_be_tracked(home) else None


def _listed(home: Path) -> Path:
    import platformdirs

    name = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()
    return Path(platformdirs.user_data_dir("blockchaintracer"), "homes", name)


def _may_be_tracked(home: Path) -> bool:
    """Also true where git is needed to tell and gives no answer."""
    if not any((folder / ".git").exists() for folder in home.resolve().parents):
        return False
    git = find_program("git")
    if git is None:
        return True
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    # a setting of the repository must start nothing
    command = [
        git,
        "-c",
        "core.fsmonitor=false",
        "-c",
        "safe.bareRepository=explicit",
        "ls-files",
        "-z",
        "--",
        home.name,
    ]
    done = subprocess.run(command, cwd=home.parent, env=environment, capture_output=True, check=False)  # noqa: S603
    return done.returncode != 0 or bool(done.stdout)
