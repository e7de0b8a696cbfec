"""Finds the four published files of GW150914 and lets none pass whose SHA-256 is not the published one.

Without arguments, ``python fetch.py`` downloads what the cache folder lacks and prints where the files are; with
``--data FOLDER`` it checks files that are already there and downloads nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

VARIABLE = "BLOCKCHAINTRACER_GW_DATA"

EVENTS = "BBH_events_v3.json"
TEMPLATE = "GW150914_4_template.hdf5"
STRAIN = {"H1": "H-H1_LOSC_4_V2-1126259446-32.hdf5", "L1": "L-L1_LOSC_4_V2-1126259446-32.hdf5"}

SHA256 = {
    STRAIN["H1"]: "fa170ebc577652bfeb5c4b9d2a2d713eef8a4b2996b198b749692446fa7a163c",
    STRAIN["L1"]: "3fccf5c091b3542ff348e36da217afa3220ced2137a53a2838f5a3d41d622e72",
    TEMPLATE: "e2c5d95b689e072b7bcd9650b7caf07669bf9ec7d54f93cf5c382b8f847517e3",
    EVENTS: "cf54dc8aff45e40fceaffe8bb4eaf90840650a27ef7d75733ea1f4ee513870d1",
}

_GWOSC = "https://gwosc.org/s/events"
_TUTORIAL = "https://raw.githubusercontent.com/gwosc-tutorial/LOSC_Event_tutorial/master"
# Where a file comes from is a matter of convenience: its digest decides whether it is the file.
ADDRESSES = {
    name: (f"{_GWOSC}/{'' if name == EVENTS else 'GW150914/'}{name}", f"{_TUTORIAL}/{name}") for name in SHA256
}

ATTEMPTS = 3
TIMEOUT = 30.0
_BLOCK = 1 << 16


class RunError(Exception):
    """The run can't go on; ``exit_code`` is 1 not verified, 2 wrong use, 3 network unavailable."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def gather(folder: Path | None) -> dict[str, Path]:
    """The four files by name, each checked against its SHA-256.

    Args:
        folder: where they lie. Without it: ``$BLOCKCHAINTRACER_GW_DATA``, else the cache folder, into which
            missing files are downloaded from GWOSC. Nothing is ever downloaded into a folder that was named.

    Raises:
        RunError: a file is missing from the folder named, has a wrong digest, or can't be downloaded.
    """
    given = folder or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if given is None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "blockchaintracer" / "gw150914"
        for name in SHA256:
            if not (cache / name).is_file():
                download(name, cache)
    root = (given or cache).expanduser().resolve()
    files = {name: root / name for name in SHA256}
    for path in files.values():
        check(path)
    return files


def check(path: Path) -> None:
    """Compares a file with the published digest of its name."""
    if not path.is_file():
        raise RunError(
            f"expected {path.name} in {path.parent}, found no such file.\n"
            f"Put the four files of README.md there, or leave out --data and ${VARIABLE} to download them.",
            2,
        )
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256[path.name]:
        raise RunError(
            f"{path} is not the published file: expected SHA-256 {SHA256[path.name]}, got {found}.\n"
            "Delete it and fetch it again; if it stays so, the source was changed.",
            1,
        )


def download(name: str, folder: Path) -> Path:
    """Downloads one file; it takes its name in the folder only after its digest was found right.

    Raises:
        RunError: no address gave the file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{os.getpid()}.{name}"
    failures = []
    try:
        for address in ADDRESSES[name]:
            try:
                found = _with_retries(address, partial)
            except (OSError, HTTPException) as error:
                failures.append(f"{address}: {error}")
                continue
            if found != SHA256[name]:
                failures.append(f"{address}: expected SHA-256 {SHA256[name]}, got {found}")
                continue
            partial.replace(folder / name)
            return folder / name
    finally:
        partial.unlink(missing_ok=True)
    raise RunError(
        f"{name} could not be downloaded:\n  " + "\n  ".join(failures) + "\n"
        f"Name a folder that holds the four files of README.md, by --data or ${VARIABLE}, or try again online.",
        3,
    )


def _with_retries(address: str, target: Path) -> str:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _transfer(address, target)
        except (OSError, HTTPException) as error:
            final = isinstance(error, urllib.error.HTTPError) and error.code < 500
            if final or attempt == ATTEMPTS:
                raise
            time.sleep(2**attempt / 4)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _transfer(address: str, target: Path) -> str:
    hasher = hashlib.sha256()
    with urllib.request.urlopen(address, timeout=TIMEOUT) as response, target.open("wb") as file:
        length = int(response.headers.get("Content-Length") or 0)
        done = 0
        while block := response.read(_BLOCK):
            file.write(block)
            hasher.update(block)
            done += len(block)
            _progress(address, done, length)
    if length and done != length:
        raise OSError(f"expected {length} bytes, got {done}")
    return hasher.hexdigest()


def _progress(address: str, done: int, length: int) -> None:
    if sys.stderr.isatty():
        share = f"{100 * done // length:3d} %" if length else f"{done:,} bytes"
        print(f"\r{address}  {share}", end="\n" if done == length else "", file=sys.stderr, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help=f"folder with the four files (default: ${VARIABLE}, else a cache)")
    try:
        for path in gather(parser.parse_args().data).values():
            print(f"{SHA256[path.name]}  {path}")
    except RunError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
