"""What a program reads while it runs, as its Python processes tell (`observer`); and what of it no record holds."""

from __future__ import annotations

import os
import py_compile
import re
import shutil
import socket
import stat
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from blockchaintracer.core.digest import is_plain_path
from blockchaintracer.core.manifest import Reads
from blockchaintracer.lab.capture import observer
from blockchaintracer.lab.capture.git import GitState, recorded_names
from blockchaintracer.lab.capture.secret_masking import mask
from blockchaintracer.lab.lab_folder import FOLDER

MOST_NAMES = 200
"""Undeclared files or folders, addresses and programs that a manifest names, each; the files are counted, too."""
MOST_CODE = 2000
"""Files of code that a manifest names; none is named if more were loaded."""
_SHOWN = 5
_FEW = 5
_SYSTEM = (
    *("/proc/", "/sys/", "/dev/", "/run/", "/etc/", "/bin/", "/sbin/", "/lib/", "/lib64/"),
    *(f"/usr/{name}/" for name in ("bin", "sbin", "lib", "lib32", "lib64", "libexec", "include", "local/lib")),
    *(f"/usr/share/{name}/" for name in ("ca-certificates", "fonts", "locale", "mime", "misc", "zoneinfo")),
)
"""Folders of the operating system."""
_CACHES = (
    *("fontconfig", "matplotlib", "mesa_shader_cache", "numba", "nvidia", "pyopencl", "torch/kernels"),
    "torch_extensions",
)
"""Folders of the user's cache with what libraries made of their own code and the machine. Others hold fetched data."""
_OWN_FILES = re.compile(r".*/(fontlist-v[0-9.]+|mlflow/telemetry)\.json")
"""Matplotlib's cache and MLflow's number of the user, which lie in one of several folders."""
_TELEMETRY = re.compile(r"(.*\.)?(mlflow-telemetry\.io|analytics\.dvc\.org|posthog\.com|segment\.io|sentry\.io)")
"""Hosts that libraries tell of their use. What they answer is nothing to compute with."""
_OF_PLATFORM = {"file", "gcc", "getconf", "ld", "ldconfig", "lsb_release", "lscpu", "nvidia-smi", "objdump", "uname"}
"""Programs that libraries ask about the machine."""
_COMPILED = re.compile(r"(.*/|)__pycache__/([^/]+?)\.[^/.]+(?:\.opt-\d)?\.pyc")
_CODE = (".py", ".pyc", ".so", ".pyd")
_UNSHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class Seen:
    """What the Python processes of a program did.

    Args:
        processes: how many there were; 0 if the program ran none that could be seen.
        read: absolute paths that were opened for reading before the same process wrote them.
        written: absolute paths that a process wrote before it read them.
        environment: folders of interpreters and of what is installed for them.
        hosts: names or numbers that were asked.
        urls: addresses that were fetched, without their query.
        programs: started programs that can't be seen.
        since_ns: time of the start, in nanoseconds.
    """

    processes: int
    read: frozenset[str]
    written: frozenset[str]
    environment: tuple[str, ...]
    hosts: frozenset[str]
    urls: frozenset[str]
    programs: frozenset[str]
    since_ns: int


class Observation:
    """Sees what a program reads that is started with `variables`; what it saw is in `folder` until `seen` reads it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._log = self._folder / "seen"
        self._log.mkdir(parents=True)
        # compiled here, so that the program need not wait for it
        py_compile.compile(str(shutil.copyfile(observer.__file__, self._folder / "sitecustomize.py")))
        self._since = self._log.stat().st_mtime_ns

    def variables(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return the environment variables of the program, which make its Python processes tell."""
        before = environment.get("PYTHONPATH")
        value = str(self._folder) if before is None else f"{self._folder}{os.pathsep}{before}"
        return {**environment, "PYTHONPATH": value}

    def seen(self) -> Seen:
        """Read what was noted."""
        found: dict[str, dict[str, None]] = {kind: {} for kind in "rwehup"}
        processes = set()
        for file in sorted(self._log.iterdir()):
            processes.add(file.name.partition("-")[0])
            here, first = "", dict[str, str]()
            for record in file.read_bytes().rstrip(b"\0").split(b"\0"):
                kind, text = chr(record[0]) if record else "", os.fsdecode(record[1:])
                if kind == "c":
                    here = text
                elif kind in ("r", "w"):
                    first.setdefault(os.path.normpath(os.path.join(here, text)), kind)
                elif kind in found:
                    found[kind][text] = None
            for path, kind in first.items():
                found[kind][path] = None
        read, written, environment, hosts, urls, programs = found.values()
        sets = (frozenset(read), frozenset(written))
        more = (frozenset(hosts), frozenset(urls), frozenset(programs))
        return Seen(len(processes), *sets, tuple(environment), *more, self._since)


@dataclass(frozen=True)
class Undeclared:
    """What a run read that its record does not hold: in the manifest's words, and as its author knows the places."""

    reads: Reads
    places: tuple[str, ...]
    addresses: tuple[str, ...]

    def sentences(self) -> Iterator[str]:
        """Say what was read and not recorded, and what to do."""
        if self.places:
            yield f"read but not recorded: {_some(self.places)}; add data with --dataset, and commit code"
        if self.addresses:
            yield f"asked but not recorded: {_some(self.addresses)}; fetch it before the run and add it with --dataset"


def undeclared(
    seen: Seen, folder: Path, git: GitState | None, declared: Iterable[Path], private: Collection[Path] = ()
) -> Undeclared:
    """Compare what a run read with what its record holds: its code, inputs, environment, and what it wrote itself.

    Args:
        folder: the working folder of the run.
        declared: the inputs and outputs of the record.
        private: folders of the lab, of which nothing is told.
    """
    root = os.path.realpath(git.root if git else folder)
    held = recorded_names(git) if git else frozenset()
    known = {os.path.realpath(path) for path in declared}
    skipped = tuple(f"{place.rstrip('/')}/" for place in (*seen.environment, *map(os.path.realpath, seen.environment)))
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    caches = [os.path.join(place, name) for place in (cache, os.path.realpath(cache)) for name in _CACHES]
    skipped += (*_SYSTEM, *(f"{os.path.realpath(path)}/" for path in private), *(f"{path}/" for path in caches))
    inside = tuple(f"{path}/" for path in known)
    written = {os.path.realpath(path) for path in seen.written}
    folders: dict[str, str] = {}
    code: set[str] = set()
    places: dict[str, str] = {}
    for opened in sorted(seen.read):
        if opened.startswith(skipped) or f"/{FOLDER}/" in opened or not opened.startswith("/"):
            continue
        match = _COMPILED.fullmatch(opened)
        path = f"{match[1]}{match[2]}.py" if match else opened
        above, name = os.path.split(path)
        if above not in folders:
            folders[above] = os.path.realpath(above)
        real = os.path.join(folders[above], name)
        real = os.path.realpath(real) if os.path.islink(real) else real
        with suppress(OSError, ValueError):
            state = os.stat(real)
            relative = os.path.relpath(real, root) if real.startswith(f"{root}/") else None
            is_cache = relative is None and _OWN_FILES.fullmatch(real)
            if real.startswith(skipped) or is_cache or not stat.S_ISREG(state.st_mode):
                continue
            if relative in held:
                code |= {relative} if relative.endswith(_CODE) else set()
            elif not (
                # made by the run: by a process that was seen, or by another one
                real in written
                or max(state.st_ctime_ns, state.st_mtime_ns) > seen.since_ns
                or real in known
                or real.startswith(inside)
                or (relative or "").startswith(".git/")
            ):
                places[real] = path if path.startswith(f"{root}/") else real
    names, addresses = _names(places, root), _addresses(seen)
    reads = Reads(
        processes=seen.processes,
        files=tuple(names[:MOST_NAMES]),
        file_count=len(places),
        addresses=tuple(_line(mask(one)) for one in addresses[:MOST_NAMES]),
        programs=tuple(_line(one) for one in sorted(seen.programs - _OF_PLATFORM)[:MOST_NAMES]),
        code=tuple(sorted(code)) if len(code) <= MOST_CODE and all(map(is_plain_path, code)) else None,
    )
    return Undeclared(reads, tuple(sorted(places.values())), tuple(addresses))


def leftovers(git: GitState, seen: Seen | None) -> tuple[str, ...]:
    """Return new files that a run wrote over and was not seen to read, and those that its output is sent to."""
    read = {os.path.realpath(path) for path in seen.read} if seen else set()
    written = {os.path.realpath(path) for path in seen.written} if seen else set()
    sinks = {(state.st_dev, state.st_ino) for state in map(os.fstat, _open(1, 2))}
    found = []
    for at, state in (("", git), *git.nested):
        for name in state.untracked:
            path = os.path.realpath(state.root / name)
            with suppress(OSError):
                told = os.stat(path)
                is_made = path in written or (seen and max(told.st_ctime_ns, told.st_mtime_ns) > seen.since_ns)
                if path not in read and (is_made or (told.st_dev, told.st_ino) in sinks):
                    found.append(os.path.join(at, name))
    return tuple(name for name in found if is_plain_path(name))


def _open(*descriptors: int) -> Iterator[int]:
    for descriptor in descriptors:
        with suppress(OSError):
            os.fstat(descriptor)
            yield descriptor


def _names(places: Mapping[str, str], root: str) -> list[str]:
    """Name files for a manifest: from the root of the repository, or by the name alone; many of a folder together."""
    many = Counter(os.path.dirname(place) for place in places.values())
    named: dict[str, None] = {}
    for place in sorted(places.values()):
        folder = os.path.dirname(place)
        is_inside = place.startswith(f"{root}/")
        if many[folder] > _FEW:
            where = os.path.relpath(folder, root) if is_inside else f"…/{_folder_name(folder)}"
            named[_line(mask(f"{where}/ ({many[folder]} files)"))] = None
        else:
            named[_line(mask(os.path.relpath(place, root) if is_inside else f"…/{os.path.basename(place)}"))] = None
    return sorted(named)


def _folder_name(folder: str) -> str:
    return "" if folder == os.path.realpath(os.path.expanduser("~")) else os.path.basename(folder)


def _addresses(seen: Seen) -> list[str]:
    """Addresses that were fetched, and hosts of which no address is known; none of this machine."""
    fetched = {url: urlsplit(url).hostname or "" for url in seen.urls}
    known = {"", *fetched.values()}
    hosts = [host for host in seen.hosts if host not in known and not _is_left_out(host)]
    return sorted([url for url, host in fetched.items() if not _is_left_out(host)] + hosts)


def _is_left_out(host: str) -> bool:
    if host == socket.gethostname() or _TELEMETRY.fullmatch(host.lower()):
        return True
    try:
        address = ip_address(host.partition("%")[0])
        return address.is_loopback or address.is_unspecified
    except ValueError:
        return host.lower() == "localhost"


def _line(text: str) -> str:
    text = _UNSHOWN.sub("?", text).strip()
    return text if len(text) <= 256 else f"{text[:255]}…"


def _some(names: Collection[str]) -> str:
    shown = [_line(name) for name in names][:_SHOWN]
    return ", ".join(shown) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
