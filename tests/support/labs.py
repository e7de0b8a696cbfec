"""Labs on real devnets, for the tests of the client."""

import inspect
import os
import pty
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from blockchaintracer.core.errors import ChainUnavailable
from blockchaintracer.core.manifest import RunPredicate, parse_manifest
from blockchaintracer.lab.devnet.chain_state import call
from blockchaintracer.lab.groups import create_group, deploy
from blockchaintracer.lab.lab import Lab, node_name
from blockchaintracer.lab.lab_folder import Home
from tests.support.json_forms import check_forms

GONE = ("http://127.0.0.1:9", "http://127.0.0.1:1")
ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    """Below the ports that the system gives to outgoing calls, so that none of these takes it meanwhile."""
    while True:
        port = 12000 + secrets.randbelow(18000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class ReadyDevnet:
    """A devnet with a registry and a lab with a group, put back to that state for each who uses it.

    A node and its deployments take seconds; going back takes none. The chain is the same for all, the folder is not:
    store, outbox and settings are a copy of the ready ones, so nothing that one lab has kept is seen by the next.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="blockchaintracer-tests-"))
        self._home = Home(self._folder / "home")
        lab = Lab(self._home)
        deploy(lab, open_group_creation=True)
        create_group(lab, "The lab")
        _know_gone_nodes(lab)
        self._devnet, self._node = lab.devnet, lab.devnet.start()
        self._base_fee = self._ask("eth_getBlockByNumber", "latest", False)["baseFeePerGas"]
        self._snapshot = self._ask("evm_snapshot")
        self.in_use = False

    def _ask(self, method: str, *parameters: Any) -> Any:
        return call(self._node.port, method, *parameters)

    def put_back(self) -> bool:
        """Take back everything that was done on the chain. Return False if the node is not what it was."""
        try:
            if self._devnet.status() != self._node or self._ask("evm_revert", self._snapshot) is not True:
                return False
            self._snapshot = self._ask("evm_snapshot")
            self._ask("evm_setIntervalMining", 0)
            self._ask("evm_setAutomine", True)
            # the clock goes on from the time of the snapshot otherwise
            self._ask("evm_setTime", int(time.time()))
            self._ask("anvil_setNextBlockBaseFeePerGas", self._base_fee)
            # states of blocks before may be pruned: the final block, two back, is to have one
            self._ask("anvil_mine", "0x3")
        except (OSError, ValueError, ChainUnavailable):
            return False
        return True

    def lab(self, folder: Path) -> Lab:
        """The lab, in a folder of its own, as a new process would open it."""
        home = folder / "home"
        shutil.copytree(self._home.path, home, ignore=shutil.ignore_patterns("devnet"))
        (home / "devnet").symlink_to(self._home.devnet, target_is_directory=True)
        return Lab(Home(home))

    def end(self) -> None:
        self._devnet.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


_ready: ReadyDevnet | None = None


@contextmanager
def shared_lab(folder: Path) -> Iterator[Lab]:
    """A lab with a registry and a group, on the devnet that the tests of this process share.

    For tests that neither stop nor restart the node; they use `running_lab`.
    """
    global _ready  # noqa: PLW0603, one for each process of tests
    if _ready and _ready.in_use:
        with running_lab(folder) as lab:
            yield lab
        return
    if _ready and not _ready.put_back():
        end_shared_devnet()
    _ready = _ready or ReadyDevnet()
    _ready.in_use = True
    try:
        yield _ready.lab(folder)
    finally:
        _end_processes_of(folder)
        _ready.in_use = False


def _end_processes_of(folder: Path) -> None:
    """End what a lab below the folder left running: with the next lab's key it would send into the next lab's chain."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            home = process.environ().get("BLOCKCHAINTRACER_HOME", "")
            if process.pid != os.getpid() and Path(home).is_relative_to(folder):
                process.kill()
                process.wait()


def end_shared_devnet() -> None:
    """Stop the devnet that `shared_lab` started, if it did."""
    global _ready  # noqa: PLW0603
    if _ready:
        _ready.end()
    _ready = None


@contextmanager
def running_lab(folder: Path) -> Iterator[Lab]:
    """A lab with a devnet, a registry and a group of its own; the node ends with the block."""
    lab = Lab(Home(folder / "home"))
    try:
        deploy(lab, open_group_creation=True)
        create_group(lab, "The lab")
        _know_gone_nodes(lab)
        yield lab
    finally:
        lab.devnet.stop()


def second_lab(first: Lab, folder: Path, name: str = "Another lab") -> Lab:
    """A lab with a key and a group of its own on the first one's chain and registry."""
    lab = Lab(Home(folder), rpc=first.devnet.start().url, registry_address=first.registry.address)
    first.devnet.fund(lab.signer.address, 10**20)
    create_group(lab, name)
    _know_gone_nodes(lab)
    return lab


def _know_gone_nodes(lab: Lab) -> None:
    """Let a lab know nodes of its chain that are gone: what is written with one waits for that chain."""
    with lab.changed_settings() as settings:
        settings["nodes"] = {**settings.get("nodes", {}), **{node_name(url): lab.chain_id for url in GONE}}


def again(lab: Lab) -> Lab:
    """The same lab as a new process would open it."""
    return Lab(lab.home, rpc=lab.rpc)


def verb(*arguments: str, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs a verb in a process of its own."""
    environment = os.environ | {"BLOCKCHAINTRACER_HOME": str(home)} | more
    done = subprocess.run(
        [sys.executable, "-m", "blockchaintracer", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    if "--json" in arguments:
        check_forms(done.stdout)
    return done


def terminal(columns: int, *arguments: str, home: Path) -> str:
    """What a verb prints on a terminal that is so wide, in black and white, without progress."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"BLOCKCHAINTRACER_HOME": str(home), "COLUMNS": str(columns), "NO_COLOR": "1"}
    environment["TERM"] = "xterm"
    command = [sys.executable, "-m", "blockchaintracer", *arguments]
    running = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, env=environment)
    os.close(theirs)
    told = b""
    # the end of a terminal is an error to read
    with suppress(OSError):
        while part := os.read(ours, 1 << 16):
            told += part
    os.close(ours)
    running.wait()
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", told.decode()).replace("\r\n", "\n")


def typed(*arguments: str, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs a verb as `verb` does, in this process: without the second that a new one takes to start."""
    from click.testing import CliRunner

    from blockchaintracer.cli import main

    given = [os.fspath(argument) for argument in arguments]
    # from click 8.2 on the two are apart without being asked
    apart = {"mix_stderr": False} if "mix_stderr" in inspect.signature(CliRunner).parameters else {}
    runner = CliRunner(env={"BLOCKCHAINTRACER_HOME": str(home)} | more, **apart)
    done = runner.invoke(main, given, prog_name="blockchaintracer")
    if "--json" in given:
        check_forms(done.stdout)
    return subprocess.CompletedProcess(given, done.exit_code, done.stdout, done.stderr)


def run_predicate(lab: Lab, run: str) -> RunPredicate:
    """What the manifest of a recorded run says."""
    found = lab.registry.find_record(run)
    assert found
    predicate = parse_manifest(lab.store.get_bytes(found.key.manifest)).predicate
    assert isinstance(predicate, RunPredicate)
    return predicate


def clone(folder: Path, example: str) -> Path:
    """A repository of its own with what is committed here, and the example as it stands here, committed.

    What else is changed or untracked here is not in it: a build folder is no part of an example's code.
    """
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    place = Path("examples", example)
    shutil.copytree(ROOT / place, folder / place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    git = ("git", "-c", "user.name=A", "-c", "user.email=a@lab.example")
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    if subprocess.run(["git", "diff", "--cached", "--quiet"], cwd=folder, check=False).returncode:
        subprocess.run([*git, "commit", "-qm", "the example as it stands"], cwd=folder, check=True)
    return folder


def secret_file(folder: Path, name: str = "patients.csv", size: int = 0) -> Path:
    """A file with content that no other has."""
    path = folder / name
    path.write_bytes(os.urandom(32 + size))
    return path


def holding(folder: Path, content: bytes) -> list[Path]:
    """The files below a folder that some bytes are in."""
    return [path for path in folder.rglob("*") if path.is_file() and content in path.read_bytes()]
