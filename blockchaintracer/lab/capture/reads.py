"""What a program reads while it runs, as its Python processes tell (`observer`); and what of it no record holds."""

from __future__ import annotations

import os
import py_compile
import re
import shutil
import socket
import stat
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from blockchaintracer.core.digest import is_plain_path
from blockchaintracer.core.fetch import is_this_machine
from blockchaintracer.core.manifest import Reads
from blockchaintracer.lab.capture import interpreter, observer
from blockchaintracer.lab.capture.git import GitState, recorded_names
from blockchaintracer.lab.capture.secret_masking import mask
from blockchaintracer.lab.capture.unseen import OF_PLATFORM, is_observed, text_of, told_of
from blockchaintracer.lab.capture.used_packages import COMPILED, real_path
from blockchaintracer.lab.lab_folder import FOLDER
from blockchaintracer.lab.plain_text import named

MOST_NAMES = 200
"""Undeclared files or folders, addresses and programs that a manifest names, each; the files are counted, too."""
MOST_CODE = 2000
"""Files of code that a manifest names; none is named if more were loaded."""
_SHOWN, _LARGEST = 5, 1 << 20
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
_OF_TERMINAL = "COLUMNS DISPLAY HOME LINES LOGNAME OLDPWD PATH PWD SHELL SHLVL TERM TMPDIR _"
_VARIABLES = {*_OF_TERMINAL.split(), *interpreter.VARIABLES}
"""Variables that are recorded, that every reproduction sets anew, or that a terminal has."""
_HIDDEN = {"BASH_ENV", "PYTHONDEVMODE", "PYTHONHOME", "PYTHONOPTIMIZE", "PYTHONUTF8"}
"""Variables that change what a program does that does not name them."""
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
        programs: what they started: program and arguments.
        since_ns: time of the start, in nanoseconds.
        interpreters: paths of the Pythons.
    """

    processes: int
    read: frozenset[str]
    written: frozenset[str]
    environment: tuple[str, ...]
    hosts: frozenset[str]
    urls: frozenset[str]
    programs: frozenset[tuple[str, ...]]
    since_ns: int
    interpreters: frozenset[str] = frozenset()


class Observation:
    """Sees what a program reads that is started with `variables`; what it saw is in `folder` until `seen` reads it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._log = self._folder / "seen"
        self._log.mkdir(parents=True)
        # compiled here, so that the program need not wait for it
        py_compile.compile(str(shutil.copyfile(observer.__file__, self._folder / "sitecustomize.py")))
        self._since = self._log.stat().st_ctime_ns

    def variables(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return the environment variables of the program, which make its Python processes tell."""
        before = environment.get("PYTHONPATH")
        value = str(self._folder) if before is None else f"{self._folder}{os.pathsep}{before}"
        return {**environment, "PYTHONPATH": value}

    def seen(self) -> Seen:
        """Read what was noted."""
        found: dict[str, dict[str, None]] = {kind: {} for kind in "rwehupx"}
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
        sets = {kind: frozenset(texts) for kind, texts in found.items()}
        return Seen(
            processes=len(processes),
            read=sets["r"],
            written=sets["w"],
            environment=tuple(found["e"]),
            hosts=sets["h"],
            urls=sets["u"],
            programs=frozenset(tuple(text.split("\x1f")) for text in found["p"]),
            since_ns=self._since,
            interpreters=sets["x"],
        )


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
        if self.reads.variables:
            yield f"set here and not recorded: {_some(self.reads.variables)}; give settings as arguments"
        if self.reads.unknown:
            yield f"what {_some(self.reads.unknown)} read was not seen; --sandbox lets it read what is recorded alone"


def undeclared(
    seen: Seen,
    folder: Path,
    git: GitState | None,
    declared: Iterable[Path],
    private: Collection[Path] = (),
    command: Sequence[str] = (),
    *,
    shut_in: bool = False,
    packages: Iterable[str] = (),
) -> Undeclared:
    """Compare what a run read with what its record holds: its code, inputs, environment, and what it wrote itself.

    Args:
        folder: the working folder of the run.
        declared: the inputs and outputs of the record.
        private: folders of the lab, of which nothing is told.
        command: what was run; `shut_in` if it could read nothing but what is recorded.
        packages: that it loaded.
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
    commands = {*seen.programs, *([tuple(command)] if command else ())}
    told = told_of(sorted(commands), Path(os.path.realpath(folder)), Path(root), held)
    if any(os.path.basename(one[0]) == "make" for one in commands):
        # which make itself sets for what it starts, and which changes nothing but another make
        told.texts.append("MAKEFLAGS")
    if not seen.processes and command and is_observed(command):
        told.unknown.add(os.path.basename(command[0]))
    if shut_in:
        told.unknown, told.paths = set(), set()
    for opened in sorted(seen.read | told.paths):
        if opened.startswith(skipped) or f"/{FOLDER}/" in opened or not opened.startswith("/"):
            continue
        match = COMPILED.fullmatch(opened)
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
            # a folder that the text names may have been read whole
            is_read = stat.S_ISREG(state.st_mode) or real in told.paths
            if f"{real}/".startswith(skipped) or is_cache or not is_read:
                continue
            if relative in held:
                code |= {relative} if relative.endswith(_CODE) else set()
            elif not (
                # made by the run: by a process that was seen, or by another one; anyone sets the other time of a file
                real in written
                or state.st_ctime_ns > seen.since_ns
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
        programs=_lines({os.path.basename(one[0]) for one in commands if not is_observed(one)} - OF_PLATFORM),
        unknown=_lines(told.unknown),
        variables=() if shut_in else _lines(set_variables(Path(root), code, told.texts, seen.read, skipped)),
        tools=told.tools,
        packages=tuple(sorted(packages)),
        code=tuple(sorted(code)) if len(code) <= MOST_CODE and all(map(is_plain_path, code)) else None,
    )
    return Undeclared(reads, tuple(sorted(places.values())), tuple(addresses))


def loaded_files() -> tuple[frozenset[str], list[str]]:
    """Return the files of the modules of this process, and where its modules are looked for."""
    files = (getattr(module, "__file__", None) for module in [*sys.modules.values()])
    return frozenset(file for file in files if isinstance(file, str)), sys.path


def reads_of_this(root: Path, packages: Iterable[str]) -> Reads:
    """Return what is known of a program that records itself, in the repository at `root`: nobody watched it."""
    base = f"{os.path.realpath(root)}/"
    code = [file for file in map(real_path, loaded_files()[0]) if file.startswith(base)]
    given = False
    with suppress(OSError):
        mode = os.fstat(0).st_mode
        # of a file it is known how far it was read
        given = os.lseek(0, 0, os.SEEK_CUR) > 0 if stat.S_ISREG(mode) else stat.S_ISFIFO(mode)
        if given and stat.S_ISFIFO(mode):
            given = any(re.search(r"\bstdin\b|\binput\(|\bfileinput\b", _text(Path(file))) for file in code)
    return Reads(
        processes=0,
        files=("standard input",) if given else (),
        file_count=int(given),
        variables=_lines(set_variables(root, [os.path.relpath(file, base) for file in code])),
        packages=tuple(sorted(packages)),
    )


def set_variables(
    root: Path,
    code: Iterable[str],
    texts: Iterable[str] = (),
    read: Collection[str] = (),
    environment: tuple[str, ...] = (),
) -> set[str]:
    """Name the variables that are set, that nothing records, and that the code names or Python itself heeds.

    Args:
        code: files of the repository, and `texts` of others.
        read: files that were opened, but for those of `environment`: whether some are of PYTHONPATH.
    """
    words: set[str] = set()
    for text in (*texts, *(_text(root / name) for name in code)):
        words |= {*re.findall(r"\w+", text)}
    ours = (name for name in os.environ if name in _HIDDEN or (name in words and name not in _VARIABLES))
    found = {name for name in ours if not name.startswith("BLOCKCHAINTRACER_")}
    places = [f"{os.path.realpath(place)}/" for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    own = (os.path.realpath(path) for path in (read if places else ()) if not path.startswith(environment))
    return found - {"PYTHONPATH"} | ({"PYTHONPATH"} if any(path.startswith(tuple(places)) for path in own) else set())


def _text(path: Path) -> str:
    return text_of(path, _LARGEST) if path.suffix == ".py" else ""


def _lines(names: Collection[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_line(name) for name in sorted(names)[:MOST_NAMES]))


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
                is_made = path in written or (seen and told.st_ctime_ns > seen.since_ns)
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
    return host == socket.gethostname() or bool(_TELEMETRY.fullmatch(host.lower())) or is_this_machine(host)


def _line(text: str) -> str:
    text = _UNSHOWN.sub("?", text).strip()
    return text if len(text) <= 256 else f"{text[:255]}…"


def _some(names: Collection[str]) -> str:
    return named([_line(name) for name in names], _SHOWN)
