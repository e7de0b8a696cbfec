"""Notes the files that a Python process opens, the addresses that it asks and the programs that it starts.

`blockchaintracer.lab.capture.reads` copies this file to a folder as ``sitecustomize.py`` and puts the folder first in
PYTHONPATH: each Python process of a run imports it before its program. It takes itself back out of what the program
sees, and gives way to the environment's own ``sitecustomize``. It needs the standard library alone, of Python 3.8; an
older one reads it and does nothing.

Each process writes records into mapped files of its own, which outlive any end of the process: a letter, a text and a
zero byte. ``c`` a working folder, from which the paths after it count; ``e`` a folder of the environment; ``r`` a path
that was read and ``w`` one that was written first; ``h`` a host, ``u`` an address; ``p`` a program that was started,
with its arguments; ``x`` the interpreter.
"""

# mypy: ignore-errors

import os
import sys

_OURS = "blockchaintracer."
_CHUNK = 1 << 16
_MOST_CHUNKS = 256
_MOST_KNOWN = 100_000
_NAME = b"PYTHONPATH"
_SEPARATOR = os.fsencode(os.pathsep)
_MADE = os.O_WRONLY | os.O_TRUNC | os.O_EXCL
"""Of a file that is opened for writing alone, emptied, or new."""


class OpenedLog:
    """The records of this process, in files in `folder`."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.known = set()
        self.write = self.begin
        self.chunks = 0

    def note(self, kind: bytes, text: str) -> None:
        """Write a record."""
        data = kind + text.encode("utf-8", "surrogateescape") + b"\0"
        try:
            self.write(data)
        except ValueError:
            self.begin(data)

    def begin(self, data: bytes) -> None:
        """Write a record where the mapped file is full, there is none yet, or the working folder may be another."""
        if self.chunks >= _MOST_CHUNKS:
            return
        if len(self.known) > _MOST_KNOWN:
            self.known.clear()
        try:
            here = os.fsencode(os.getcwd())
        except OSError:
            here = b""
        data = b"c" + here + b"\0" + data
        size = max(_CHUNK << min(self.chunks, 2), len(data))
        path = os.path.join(self.folder, f"{os.getpid()}-{self.chunks:03}-{os.urandom(8).hex()}")
        self.known.add(path)
        try:
            import mmap

            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                # written, not only lengthened: a full disk is told here, and not by a signal
                os.write(descriptor, bytes(size))
                file = mmap.mmap(descriptor, size)
            finally:
                os.close(descriptor)
            self.chunks += 1
            file.write(data)
            self.write = file.write
        except (ImportError, OSError, ValueError):
            self.chunks = _MOST_CHUNKS

    def move(self, *_: object) -> None:
        """Forget what is known: the working folder changes."""
        self.write = self.begin
        self.known.clear()

    def fork(self) -> None:
        """Begin anew, in a process that was forked."""
        self.move()
        self.chunks = 0


def observe(log: OpenedLog) -> None:
    """Note from now on what this process does."""
    known = log.known
    others = _others(log)

    def hook(event: str, args: tuple) -> None:
        try:
            if event == "open":
                path = args[0]
                if path in known or path.__class__ is int:
                    return
                known.add(path)
                kind = "w" if args[2] & _MADE else "r"
                # a program waits for this at each file: `note` would take half as long again
                try:
                    log.write(f"{kind}{path if path.__class__ is str else os.fsdecode(path)}\0".encode())
                except ValueError:
                    log.note(kind.encode(), os.fsdecode(path))
            elif event in others:
                others[event](*args)
        # of another library's event by this name
        except (AttributeError, TypeError, ValueError):
            pass

    def read(path: object) -> None:
        hook("open", (path, None, 0))

    others["sqlite3.connect"] = read
    others["import"] = lambda name, path, *_: path and read(path)
    for place in _environment():
        log.note(b"e", place)
    log.note(b"x", sys.executable)
    os.register_at_fork(after_in_child=log.fork)
    sys.addaudithook(hook)


def _others(log: OpenedLog) -> dict:
    """What is done of other events than that a file is opened."""
    names = set()

    def asked(host: object, is_name: bool = True) -> None:
        host = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        # of a host that was asked for by its name, the number is connected to later
        if isinstance(host, str) and host not in names and (is_name or not names) and not _by_us():
            names.add(host)
            log.note(b"h", host)

    def connected(_: object, address: object) -> None:
        if isinstance(address, tuple) and address:
            asked(address[0], False)

    def sent(connection: object, data: object) -> None:
        if isinstance(data, bytes) and data.startswith(b"GET ") and not _by_us():
            target = data.split(b" ", 2)[1].split(b"?")[0].decode("ascii", "replace")
            host = getattr(connection, "_tunnel_host", None) or connection.host
            port = "" if connection.port == connection.default_port else f":{connection.port}"
            scheme = "https" if connection.default_port == 443 else "http"
            log.note(b"u", target if "://" in target else f"{scheme}://{host}{port}{target}")

    def started(program: object, arguments: object = (), *_: object) -> None:
        first, *rest = map(os.fsdecode, arguments or (program,))
        if not _by_us():
            log.note(b"p", "\x1f".join((os.fsdecode(program or first), *rest)))

    return {
        "os.chdir": log.move,
        "socket.connect": connected,
        "socket.sendto": connected,
        "socket.getaddrinfo": lambda host, *_: asked(host),
        "socket.gethostbyname": asked,
        "http.client.send": sent,
        "subprocess.Popen": started,
        "os.exec": started,
        "os.posix_spawn": started,
        "os.system": lambda text: started("sh", ("sh", "-c", text)),
    }


def _by_us() -> bool:
    frame = sys._getframe()
    while frame:
        if str(frame.f_globals.get("__name__")).startswith(_OURS):
            return True
        frame = frame.f_back
    return False


def _environment() -> list:
    """Folders of the interpreter and of what is installed for it."""
    places = [os.path.dirname(os.__file__)]
    for prefix in {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}:
        if any(os.path.exists(os.path.join(prefix, name)) for name in ("pyvenv.cfg", "conda-meta")):
            places.append(prefix)
        places += [os.path.join(prefix, name) for name in ("lib", "lib64", "bin", "include")]
    return places + [place for place in sys.path if place.endswith(("site-packages", "dist-packages", ".zip"))]


def hand_on(folder: str) -> None:
    """Hide a folder of PYTHONPATH and sys.path from the program, and give it to every program that it starts."""
    import _posixsubprocess

    ours, seen = os.fsencode(folder), os.environ._data
    first, more, theirs = seen.get(_NAME, b"").partition(_SEPARATOR)
    if first != ours:
        return
    # from Python's view alone: what is started without an environment of its own gets that of the process
    del seen[_NAME]
    if more:
        seen[_NAME] = theirs
    before = seen.get(_NAME)
    sys.path[:] = [place for place in sys.path if place != folder]
    sys.path_importer_cache.pop(folder, None)

    def carried(variables: dict) -> dict:
        given = variables.get(_NAME)
        return {**variables, _NAME: ours if given is None else ours + _SEPARATOR + given}

    def fork_exec(*args: object) -> int:
        given = list(args)
        if given[5] is not None:
            given[5] = _lines(carried(dict(line.split(b"=", 1) for line in given[5])))
        elif seen.get(_NAME) != before:
            given[5] = _lines(carried(seen))
        return original(*given)

    def with_ours(function: object) -> object:
        def start(path: object, argv: object, env: object, **more: object) -> object:
            if hasattr(env, "items"):
                env = carried({os.fsencode(name): os.fsencode(value) for name, value in env.items()})
            return function(path, argv, env, **more)

        return start

    original, _posixsubprocess.fork_exec = _posixsubprocess.fork_exec, fork_exec
    if "subprocess" in sys.modules:
        sys.modules["subprocess"]._fork_exec = fork_exec
    for name in {"execve", "posix_spawn", "posix_spawnp"} & {*dir(os)}:
        setattr(os, name, with_ours(getattr(os, name)))


def _lines(variables: dict) -> list:
    return [name + b"=" + value for name, value in variables.items()]


if __name__ == "sitecustomize":
    _folder = os.path.dirname(os.path.abspath(__file__))
    if hasattr(sys, "addaudithook"):
        observe(OpenedLog(os.path.join(_folder, "seen")))
        hand_on(_folder)
    sys.modules.pop("sitecustomize", None)
    # the environment's own; without one the program finds none either
    import sitecustomize  # noqa: F401
