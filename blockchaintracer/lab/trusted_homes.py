"""The homes that this user trusts: a folder found from the working folder may have come with somebody's repository."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.lab.files import write_whole
from blockchaintracer.lab.git_command import repository_of, run_git

_ID = "id"
_ID_BYTES = 32


def trust(home: Path) -> None:
    """List a home: its path, and a random id inside it.

    Raises:
        OSError: if the folder or the user's list can't be written.
    """
    inside = _id_in(home)
    if inside is None:
        inside = secrets.token_hex(_ID_BYTES // 2).encode()
        write_whole(home / _ID, inside)
    listed = _listed(home)
    listed.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(listed, inside)


def is_listed(home: Path) -> bool:
    """Tell if the home at this path has the id that the user's list has for it."""
    try:
        return _listed(home).read_bytes() == _id_in(home)
    except OSError:
        return False


def why_not_trusted(home: Path) -> str | None:
    """Say why a home that was found is not to be used, or None if it is this user's own."""
    if not is_listed(home):
        theirs = home.stat().st_uid != os.getuid()
        return "belongs to another user" if theirs else "is not in the list of homes that you trust"
    if any(_may_be_tracked(place) for place in {home, home.resolve()}):
        return "is tracked by git, so that others write it"
    return None


def _id_in(home: Path) -> bytes | None:
    """The id, or None if there is none: a stranger may have put a link, a pipe or something long in its place."""
    try:
        content = read_limited(home / _ID, _ID_BYTES, "an id", os.O_NOFOLLOW)
    except InputError:
        return None
    return content if len(content) == _ID_BYTES else None


def _listed(home: Path) -> Path:
    import platformdirs

    name = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()
    return Path(platformdirs.user_data_dir("blockchaintracer"), "homes", name)


def _may_be_tracked(home: Path) -> bool:
    """Also true where git is needed to tell and gives no answer."""
    try:
        if repository_of(home.parent) is None:
            return False
        done = run_git(home.parent, "ls-files", "-z", "--", home.name)
    except InputError:
        return True
    return done.returncode != 0 or bool(done.stdout)
