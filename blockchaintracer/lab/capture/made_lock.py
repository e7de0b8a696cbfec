"""A lock file made from what an interpreter has installed, for a run whose author gave none.

It is a requirements file: `pylock.toml` has no place for a package of which only the version is known, and names
addresses that an installed package does not tell.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import urlsplit
from urllib.request import url2pathname

from blockchaintracer.core.errors import BlockchainTracerError, InputError
from blockchaintracer.lab.capture.environment import CERTIFICATES, find_uv
from blockchaintracer.lab.capture.git import GitState, capture_git
from blockchaintracer.lab.capture.local_packages import folder_line
from blockchaintracer.lab.capture.locks import COMPLETE, git_line, requirement_lines
from blockchaintracer.lab.capture.secret_masking import mask, public_remote
from blockchaintracer.lab.keys import without_secrets

MADE_LOCK = "requirements.lock"
_LIMIT_S = 120
_MOST_TRIES = 2
_NOT_CACHED = re.compile(r"Because (\S+) was not found in the cache")
_OUTSIDE = "a folder outside of the recorded code"


@dataclass(frozen=True)
class MadeLock:
    """A lock file, and what its maker must know of it.

    Args:
        sources: packages that come from no index: the line that installs each, or what it is that has none.
        notes: what keeps others from installing the same, a sentence each.
    """

    data: bytes
    sources: dict[str, str]
    notes: list[str]


class _Untold(Exception):
    """A package can't be installed from what is known of it, which is this."""


def make_lock(
    environment: Mapping[str, Any],
    root: Path,
    python: str,
    hashes: Literal["none", "cached", "index"] = "cached",
    states: Mapping[Path, GitState | None] = MappingProxyType({}),
) -> MadeLock:
    """Make a lock file of the packages that `capture_environment` found.

    A folder inside of `root`, the recorded code, is named from there.

    Args:
        python: the interpreter that has the packages.
        hashes: where their hashes are from: the cache of uv, without the network; or the package index.
        states: the code of folders outside of `root` that packages are installed from, as far as it was captured.

    Raises:
        InputError: if the hashes are to be looked up and can't be.
    """
    pins, lines, sources, notes = {}, [], {}, []
    for name, version in (environment.get("packages") or {}).items():
        origin = (environment.get("direct") or {}).get(name)
        try:
            source = _source(name, origin, root, states) if origin else None
        except _Untold as untold:
            sources[name] = str(untold)
            notes.append(f"{name} is installed from {untold}: others can't install it")
        else:
            if source:
                lines.append(source)
                sources[name] = source
            else:
                pins[name] = f"{name}=={version}"
    known = _hashes([*pins.values()], python, hashes == "index") if hashes != "none" else {}
    lacking = [pin for pin in pins.values() if pin not in known]
    if elsewhere := [pin for pin in lacking if "+" in pin]:
        notes.append(f"{', '.join(elsewhere[:5])}: an installed package does not tell its index, which may be another")
    if lacking:
        notes.append(f"{len(lacking)} of {len(pins)} packages have no hash in it (--look-up-hashes asks the index)")
    version = (environment.get("python") or {}).get("version")
    title = f"{COMPLETE} from the packages that Python {version} had"
    lines = [" \\\n    ".join((pin, *known.get(pin, ()))) for pin in pins.values()] + lines
    return MadeLock("\n".join((title, *lines, "")).encode(), sources, notes)


def states_of(direct: Mapping[str, Mapping[str, Any]], root: Path) -> dict[Path, GitState | None]:
    """Capture the code of the folders outside of `root` that packages are installed from, by `direct_url.json`."""
    places = [urlsplit(str(origin["url"])) for origin in direct.values() if isinstance(origin.get("dir_info"), dict)]
    folders = {Path(os.path.realpath(url2pathname(it.path))) for it in places if it.scheme == "file"}
    inside = Path(os.path.realpath(root))
    return {folder: _state(folder) for folder in folders if folder.is_dir() and not folder.is_relative_to(inside)}


def _state(folder: Path) -> GitState | None:
    try:
        return capture_git(folder)
    except BlockchainTracerError:
        return None


def _source(name: str, origin: Mapping[str, Any], root: Path, states: Mapping[Path, GitState | None]) -> str | None:
    """The line that installs a package that is of no index; None if it may be one of an index."""
    parts = urlsplit(url := str(origin["url"]))
    kinds = {kind: value for kind, value in origin.items() if isinstance(value, dict)}
    if vcs := kinds.get("vcs_info"):
        return _of_git(name, url, str(vcs.get("commit_id")), str(origin.get("subdirectory") or ""))
    if parts.scheme != "file":
        digest = (kinds.get("archive_info", {}).get("hashes") or {}).get("sha256")
        address = public_remote(url)
        if parts.scheme == "https" and digest and address == url.partition("#")[0]:
            return f"{name} @ {address}#sha256={digest}"
        raise _Untold("an address of which the hash is not known, or which can't be shown")
    if "dir_info" not in kinds:
        return None
    folder, inside = Path(os.path.realpath(url2pathname(parts.path))), Path(os.path.realpath(root))
    if folder.is_relative_to(inside):
        return folder_line(os.path.relpath(folder, inside), bool(kinds["dir_info"].get("editable")))
    if not (folder.is_dir() or kinds["dir_info"].get("editable")):
        # where it was built, by conda or a distribution
        return None
    state = states[folder] if folder in states else _state(folder)
    if state is None or not (state.commit and state.remote):
        raise _Untold(_OUTSIDE)
    beneath = os.path.relpath(folder, os.path.realpath(state.root))
    line = _of_git(name, state.remote, state.commit, "" if beneath == "." else beneath)
    if state.dirty:
        raise _Untold(f"{_OUTSIDE}, changed since {line}")
    return line


def _of_git(name: str, url: str, commit: str, folder: str) -> str:
    if line := git_line(name, url, commit, folder):
        return line
    raise _Untold("a repository that can't be shown, or without a commit")


def _hashes(pins: Sequence[str], python: str, look_up: bool) -> dict[str, list[str]]:
    """The hashes of pinned packages, from the cache of uv or from the index, as a requirements file has them."""
    uv, left = find_uv(), [*pins]
    if look_up and not uv:
        raise InputError("expected uv to look up hashes", hint="Install it: pip install uv")
    for _ in range(_MOST_TRIES if uv and left else 0):
        with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as empty:
            command = [str(uv), "pip", "compile", "--quiet", "--no-deps", "--generate-hashes", "--no-header"]
            more = ["--no-annotate", "--no-build", "--python", python, *([] if look_up else ["--offline"]), "-"]
            try:
                done = subprocess.run(  # noqa: S603 -- uv
                    [*command, *more],
                    cwd=empty,
                    env=CERTIFICATES | without_secrets(os.environ),
                    input="\n".join(left),
                    capture_output=True,
                    text=True,
                    errors="replace",
                    check=False,
                    timeout=_LIMIT_S,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                problem = str(error)
                break
        if not done.returncode:
            words = (line.split() for line in requirement_lines(done.stdout))
            return {pin: [word for word in rest if word.startswith("--hash=")] for pin, *rest in words}
        problem = mask(done.stderr.strip()[-500:])
        absent = set(_NOT_CACHED.findall(done.stderr))
        left = [pin for pin in left if pin.partition("==")[0] not in absent]
        if not absent:
            break
    if look_up and pins:
        raise InputError(f"the hashes of the packages can't be looked up: {problem}")
    return {}
