"""Start, find and stop the devnet of one lab. `chain_state` keeps what its chain holds."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.networks import DEVNET
from blockchaintracer.lab.deployments import forget_registries
from blockchaintracer.lab.devnet import rpc
from blockchaintracer.lab.devnet.chain_state import ChainState
from blockchaintracer.lab.devnet.install import find_anvil, install_anvil
from blockchaintracer.lab.files import locked, private, write_whole
from blockchaintracer.lab.lab_folder import Home

if TYPE_CHECKING:
    import psutil

DEFAULT_PORT = 8645
_PORTS_TRIED = 50
_START_SECONDS = 120.0
_STOP_SECONDS = 5.0
_LEAVING_SECONDS = 2.0
_ANOTHER_PORT = "Choose another: `blockchaintracer node start --port NUMBER`."
_MARKER = "0x" + b"blockchaintracer/new".hex()
"""A random balance of this address makes the first block of every new chain differ from all others."""

_OPTIONS = (
    "--quiet",
    # Ethereum's fork of today; only both together make anvil apply the limit on one transaction's gas (EIP-7825), so
    # that a batch which fits here fits there
    *("--hardfork", "osaka", "--enable-tx-gas-limit"),
    # a block is final two blocks later, not sixty-four
    *("--slots-in-an-epoch", "1"),
    # no accounts whose keys are in every tutorial
    *("--accounts", "0"),
    # states of old blocks (not blocks, transactions or logs) are dropped, else anvil fills the disk with them
    *("--prune-history", "64"),
    # no page in a browser may call the node
    "--no-cors",
)

_INHERITED = ("PATH", "HOME", "TMPDIR", "LANG", "PYTHONPATH", "LD_LIBRARY_PATH", "SYSTEMROOT")
"""What the node, which outlives its caller, sees of the environment: no keys, no passphrases."""

_children: list[subprocess.Popen[bytes]] = []
"""Processes that this one has started: asked after, so that none stays a zombie."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """A running devnet.

    Args:
        genesis: hash of the chain's first block (64 hex digits with 0x), another one after every reset.
    """

    url: str
    port: int
    pid: int
    chain_id: int
    state_file: Path
    genesis: str


class Devnet:
    """The embedded chain of one lab. One node a home; every call may come from any process, several at once.

    Args:
        home: the lab's working folder; the node's files are in its ``devnet``.
        notify: is told what the user should know: a port that had to change, a state that was damaged, an installation.
    """

    def __init__(self, home: Home, notify: Callable[[str], None] = _log.warning) -> None:
        self._home = home
        self._folder = home.devnet
        self._notify = notify
        self._state = ChainState(self._folder)
        self._file = self._folder / "node.json"

    @property
    def log_file(self) -> Path:
        """What the node had to say, at most a megabyte."""
        return self._folder / "node.log"

    def start(self, port: int | None = None) -> NodeInfo:
        """Return the running node, started if there is none. It lives on when the calling process ends.

        Args:
            port: TCP port; without it the one used before, else 8645, else the next one that no other devnet uses.
        """
        with self._exclusive():
            if info := self.status():
                if port not in (None, info.port):
                    raise InputError(
                        f"expected no devnet of this lab on another port, got one on port {info.port}",
                        hint="Stop it first: `blockchaintracer node stop`.",
                    )
                self._start_keeper(info.pid, info.port, wait=0)
                return info
            return self._launch(port)

    def stop(self) -> bool:
        """Save the chain and end the node, also one that hangs. Return False if none ran."""
        with self._exclusive():
            return self._stop()

    def reset(self) -> None:
        """End the node and delete its chain. The next start begins a new one, on the same port."""
        with self._exclusive():
            self._stop()
            self._state.delete()
            self._note(**self._notes() | {"genesis": None})

    def fund(self, address: str, wei: int) -> None:
        """Set the balance of an address, in wei, and save it."""
        self._ask("anvil_setBalance", address, hex(wei))
        self.persist()

    def persist(self) -> None:
        """Save the chain as of now."""
        port = self._needed().port
        try:
            self._state.save(port)
        except (OSError, ValueError) as error:
            raise ChainUnavailable(f"the devnet's chain can't be saved to {self._state.current}: {error}") from error

    def finalize(self) -> int:
        """Mine until the current head is final; return the number of the finalised block."""
        head = int(self._ask("eth_blockNumber"), 16)
        self._ask("anvil_mine", "0x2")
        final = int(self._ask("eth_getBlockByNumber", "finalized", False)["number"], 16)
        if final < head:
            raise ChainUnavailable(f"expected block {head} to be final on the devnet, got {final}")
        return final

    # --- finding the node ---

    def status(self) -> NodeInfo | None:
        """Return the running node, or None."""
        notes = self._notes()
        process = self._process(notes)
        if process is None or not notes.get("genesis"):
            return None
        port = notes["port"]
        try:
            chain_id = int(rpc.call(port, "eth_chainId"), 16)
        except (OSError, ValueError) as error:
            if _ends(process, _STOP_SECONDS / 10):
                return None
            raise ChainUnavailable(
                f"expected an answer of the devnet on port {port} (process {process.pid}), got: {error}",
                hint="End it with `blockchaintracer node stop`; the next command starts it again.",
            ) from error
        return NodeInfo(rpc_url(port), port, process.pid, chain_id, self._state.current, notes["genesis"])

    def runs_at(self, url: str) -> bool:
        """Whether the node of this lab runs at an address, or did and nothing is there now. The node is not asked."""
        notes = self._notes()
        port = notes.get("port") or 0
        return url == rpc_url(port) and (self._process(notes) is not None or _is_free(port))

    def _process(self, notes: dict[str, Any]) -> psutil.Process | None:
        """The node's process, if the one of that number is still it and not another program that got its number."""
        import psutil

        _reap()
        if not notes.get("pid"):
            return None
        try:
            process = psutil.Process(notes["pid"])
            arguments = process.cmdline()
            same_time = abs(_started(process.pid) - notes["started"]) < 10
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return None
        alive = same_time and process.status() != psutil.STATUS_ZOMBIE
        return process if alive and {str(notes["port"]), str(DEVNET.chain_id)} <= set(arguments) else None

    def _stop(self) -> bool:
        import psutil

        notes = self._notes()
        process = self._process(notes)
        if process:
            try:
                rpc.call(notes["port"], "eth_chainId")
                self._state.save(notes["port"])
            except (OSError, ValueError) as error:
                self._notify(f"The devnet is ended without saving its last seconds: {error}")
            with suppress(psutil.NoSuchProcess):
                process.terminate()
                if not _ends(process, _STOP_SECONDS):
                    process.kill()
                    _ends(process, _STOP_SECONDS)
        self._note(**notes | {"pid": None})
        return process is not None

    def _needed(self) -> NodeInfo:
        if info := self.status():
            return info
        raise ChainUnavailable("the devnet does not run", hint="Start it: `blockchaintracer node start`.")

    def _ask(self, method: str, *params: Any) -> Any:
        port = self._needed().port
        try:
            return rpc.call(port, method, *params)
        except (OSError, ValueError) as error:
            raise ChainUnavailable(f"expected an answer of the devnet on port {port}, got: {error}") from error

    def _notes(self) -> dict[str, Any]:
        try:
            notes = json.loads(self._file.read_bytes())
        except (OSError, ValueError):
            return {}
        return notes if isinstance(notes, dict) else {}

    def _note(self, **notes: Any) -> None:
        write_whole(self._file, json.dumps(notes).encode())

    def _exclusive(self) -> AbstractContextManager[None]:
        return locked(self._folder / "node.lock")

    # --- starting it ---

    def _launch(self, chosen_port: int | None) -> NodeInfo:
        notes = self._notes()
        if orphan := self._process(notes):
            # its start was cut short
            orphan.kill()
            _ends(orphan, _STOP_SECONDS)
        saved = self._state.load(self._notify)
        if saved is None and notes.get("genesis"):
            self._notify(f"The devnet's saved chain is gone from {self._state.current}; a new chain begins.")
        elif notes.get("pid"):
            self._notify("The devnet had ended without being stopped; it goes on from the chain as last saved.")
        anvil = find_anvil() or install_anvil(self._notify)
        if saved is None:
            forget_registries(DEVNET.chain_id, self._home)
        loaded = self._folder / "loading.json"
        try:
            command = [str(anvil), "--host", rpc.HOST, "--chain-id", str(DEVNET.chain_id), *_OPTIONS]
            if saved is not None:
                write_whole(loaded, saved)
                command += ["--load-state", str(loaded)]
            child, port = self._spawn(command, chosen_port, notes.get("port") or DEFAULT_PORT)
            try:
                genesis = _first_block(port, new=saved is None)
                self._note(**self._notes() | {"genesis": genesis})
                self._state.save(port)
            except BaseException as error:
                child.kill()
                if isinstance(error, OSError | ValueError):
                    raise ChainUnavailable(
                        f"the devnet does not start on port {port}: {error}{self._tail()}"
                    ) from error
                raise
        finally:
            loaded.unlink(missing_ok=True)
        self._start_keeper(child.pid, port, wait=_STOP_SECONDS)
        return NodeInfo(rpc_url(port), port, child.pid, DEVNET.chain_id, self._state.current, genesis)

    def _spawn(self, command: list[str], chosen_port: int | None, first: int) -> tuple[subprocess.Popen[bytes], int]:
        """Starts anvil on a free port and waits until it listens there; notes both."""
        while True:
            port = self._free_port(chosen_port, first)
            child = self._detached([*command, "--port", str(port)])
            self._note(pid=child.pid, started=_started(child.pid), port=port)
            deadline = time.monotonic() + _START_SECONDS
            while child.poll() is None and time.monotonic() < deadline:
                # that something answers on the port is not enough: two labs may be starting at once
                if _listens(child.pid, port):
                    return child, port
                time.sleep(0.005)
            if child.poll() is None:
                child.kill()
                raise ChainUnavailable(f"expected anvil to listen within {_START_SECONDS:.0f} s{self._tail()}")
            if _tenant(port) is None or chosen_port is not None:
                raise ChainUnavailable(
                    f"expected {command[0]} to run, it ended with code {child.returncode}{self._tail()}",
                    hint="It needs anvil 1.7 or newer; `blockchaintracer node log` shows what it said.",
                )

    def _free_port(self, chosen_port: int | None, first: int) -> int:
        for port in [chosen_port] if chosen_port else range(first, first + _PORTS_TRIED):
            tenant = _tenant(port)
            if tenant is None:
                if port not in (chosen_port, first):
                    self._notify(f"Port {first} serves the devnet of another lab; this one is on port {port}.")
                return port
            if chosen_port or (port == first and tenant != _DEVNET_OF_ANOTHER_LAB):
                raise ChainUnavailable(f"expected port {port} free, got {tenant} on it", hint=_ANOTHER_PORT, port=port)
        raise ChainUnavailable(f"expected a free port from {first} on, got {_PORTS_TRIED} taken", hint=_ANOTHER_PORT)

    def _start_keeper(self, pid: int, port: int, wait: float) -> None:
        """Starts the process that saves the chain, unless one is at it; `wait` seconds for one that is about to end."""
        with open(self._folder / "keeper.lock", "ab", opener=private) as lock:
            deadline = time.monotonic() + wait
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        return
                    time.sleep(0.01)
            # the lock goes over to the keeper with the open file: there is no moment at which a second one could start
            module = [sys.executable, "-P", "-m", "blockchaintracer.lab.devnet.keeper"]
            self._detached([*module, str(self._folder), str(pid), str(port)], pass_fds=(lock.fileno(),))

    def _detached(self, command: list[str], pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        with open(self.log_file, "ab", opener=private) as log:
            child = subprocess.Popen(  # noqa: S603
                command,
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        _children.append(child)
        return child

    def _tail(self) -> str:
        lines = self.log_file.read_text(errors="replace").strip().splitlines()[-5:]
        return "".join(f"\n  {line}" for line in lines)


_DEVNET_OF_ANOTHER_LAB = "the devnet of another lab"


def rpc_url(port: int) -> str:
    """JSON-RPC address of a devnet."""
    return f"http://{rpc.HOST}:{port}"


def _tenant(port: int) -> str | None:
    """What uses a port of this machine, in words; None if it's free."""
    deadline = time.monotonic() + _LEAVING_SECONDS
    while not _is_free(port):
        try:
            chain_id = int(rpc.call(port, "eth_chainId", timeout=2), 16)
        except ConnectionError:
            # taken, yet nobody takes the call: most often a node that was killed and is not gone altogether
            if time.monotonic() < deadline:
                time.sleep(0.01)
                continue
            return "another program"
        except (OSError, ValueError, TypeError):
            return "another program"
        if chain_id == DEVNET.chain_id:
            return _DEVNET_OF_ANOTHER_LAB
        return f"a node of chain {chain_id} (the devnet is chain {DEVNET.chain_id})"
    return None


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((rpc.HOST, port))
        except (OSError, OverflowError) as error:
            if getattr(error, "errno", None) == errno.EADDRINUSE:
                return False
            raise InputError(f"expected a port to listen on, got {port}: {error}", hint=_ANOTHER_PORT) from error
    return True


def _started(pid: int) -> float:
    """When a process started, in seconds since the machine did: a step of the clock changes both of psutil's times."""
    import psutil

    # asked first: of an older psutil, what a process tells is by the last answer to this
    booted = psutil.boot_time()
    return psutil.Process(pid).create_time() - booted


def _ends(process: psutil.Process, seconds: float) -> bool:
    """Whether a process ends in time. Not psutil's wait: for it a dead child of another process is alive until it is
    reaped, which in a container without an init is never."""
    import psutil

    deadline = time.monotonic() + seconds
    while True:
        _reap()
        try:
            # the first thread can be dead while another still holds the port
            if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD) and process.num_threads() <= 1:
                return True
        except psutil.NoSuchProcess:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.01)


def _reap() -> None:
    _children[:] = [child for child in _children if child.poll() is None]


def _listens(pid: int, port: int) -> bool:
    import psutil

    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    return any(connection.status == psutil.CONN_LISTEN and connection.laddr.port == port for connection in connections)


def _first_block(port: int, new: bool) -> str:
    """Makes the chain usable and gives the hash of its first block."""
    if new:
        rpc.call(port, "anvil_setBalance", _MARKER, hex(secrets.randbits(127)))
    # a loaded chain knows the accounts at its head alone; after two blocks at the finalised one too
    rpc.call(port, "anvil_mine", "0x2", timeout=_START_SECONDS)
    return str(rpc.call(port, "eth_getBlockByNumber", "0x1", False)["hash"])
