"""Finds the files of an event, which LIGO's events file names: strain of both detectors, and a template.

Without arguments, ``python fetch.py`` downloads what the cache folder lacks of GW150914 and prints where the files are.
None passes whose SHA-256 is not the published one. With ``--data FOLDER`` files are read that are already there, and
nothing is downloaded; with ``--event NAME`` those of another event, whose digests nobody published.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

VARIABLE = "BLOCKCHAINTRACER_GW_DATA"

GW150914 = "GW150914"
DETECTORS = ("H1", "L1")
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


@dataclass(frozen=True)
class Event:
    """What the events file says of an event: GPS time, the band in Hz in which the signal is seen, samples in a second,
    and the names of its files: of the strain by detector, and of the template."""

    name: str
    time: float
    band: tuple[float, float]
    rate: int
    strain: dict[str, str]
    template: str


@dataclass(frozen=True)
class Files:
    """An event and where its files lie, by name."""

    event: Event
    paths: dict[str, Path]


def gather(folder: Path | None, name: str = GW150914) -> Files:
    """The files of an event; those of GW150914 are checked against their published SHA-256.

    Args:
        folder: where they lie. Without it: ``$BLOCKCHAINTRACER_GW_DATA``, else the cache folder, into which missing
            files of GW150914 are downloaded from GWOSC. Nothing is ever downloaded into a folder that was named.
        name: of the event, as the events file has it.

    Raises:
        RunError: a file is missing from the folder named, has a wrong digest, or can't be downloaded; or the events
            file does not name the event.
    """
    given = folder or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if given is None and name != GW150914:
        raise RunError(f"expected --data FOLDER (or ${VARIABLE}) with the files of {name}: only {GW150914}'s come", 2)
    if given is None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "blockchaintracer" / "gw150914"
        for file in SHA256:
            if not (cache / file).is_file():
                download(file, cache)
    root = (given or cache).expanduser().resolve()
    # the published files need no events file to be named: it may be the one that is missing
    for file in SHA256 if name == GW150914 else (EVENTS,):
        check(root / file, published=name == GW150914)
    event = read_event(root / EVENTS, name)
    paths = {file: root / file for file in (*event.strain.values(), event.template, EVENTS)}
    for path in paths.values():
        check(path, published=name == GW150914)
    return Files(event, paths)


def read_event(file: Path, name: str) -> Event:
    """Reads what an events file says of an event.

    Raises:
        RunError: it does not name the event, or not as it should.
    """
    try:
        events = json.loads(file.read_text())
        entry = events[name]
        names = {role: str(entry[f"fn_{role}"]) for role in (*DETECTORS, "template")}
        low, high = map(float, entry["fband"])
        event = Event(
            name,
            float(entry["tevent"]),
            (low, high),
            int(entry["fs"]),
            {detector: names[detector] for detector in DETECTORS},
            names["template"],
        )
    except KeyError as missing:
        known = ", ".join(sorted(events)) if isinstance(events, dict) and name not in events else f"no {missing}"
        raise RunError(f"expected {name} with its files, time, rate and band in {file}, it has {known}", 2) from None
    except (ValueError, TypeError) as error:
        raise RunError(f"expected events with files, time, rate and band in {file}: {error}", 2) from None
    if wrong := [text for text in names.values() if text != Path(text).name or text in ("", ".", "..")]:
        raise RunError(f"expected names of files in {file}, got {wrong[0]!r}", 2)
    return event


def check(path: Path, *, published: bool = True) -> None:
    """Compares a file with the published digest of its name; without one it only has to be there."""
    if not path.is_file():
        raise RunError(
            f"expected {path.name} in {path.parent}, found no such file.\n"
            f"Put the four files of README.md there, or leave out --data and ${VARIABLE} to download them.",
            2,
        )
    if not published:
        return
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
    parser.add_argument("--event", default=GW150914, metavar="NAME", help="as the events file has it (%(default)s)")
    given = parser.parse_args()
    try:
        for path in gather(given.data, given.event).paths.values():
            print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path}")
    except RunError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
