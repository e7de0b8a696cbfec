"""Labs on real devnets, for the tests of the client."""

import os
import pty
import re
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from blockchaintracer.lab.groups import create_group, deploy
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    """Below the ports that the system gives to outgoing calls, so that none of these takes it meanwhile."""
    while True:
        port = 12000 + secrets.randbelow(18000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def running_lab(folder: Path) -> Iterator[Lab]:
    """A lab with a devnet, a registry and a group of its own; the node ends with the block."""
    lab = Lab(Home(folder / "home"))
    try:
        deploy(lab, open_group_creation=True)
        create_group(lab, "The lab")
        yield lab
    finally:
        lab.devnet.stop()


def second_lab(first: Lab, folder: Path, name: str = "Another lab") -> Lab:
    """A lab with a key and a group of its own on the first one's chain and registry."""
    lab = Lab(Home(folder), rpc=first.devnet.ensure().url, registry_address=first.registry.address)
    first.devnet.fund(lab.signer.address, 10**20)
    create_group(lab, name)
    return lab


def again(lab: Lab) -> Lab:
    """The same lab as a new process would open it."""
    return Lab(lab.home, rpc=lab.rpc)


def verb(*arguments: str, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs a verb in a process of its own."""
    environment = os.environ | {"BLOCKCHAINTRACER_HOME": str(home)} | more
    return subprocess.run(
        [sys.executable, "-m", "blockchaintracer", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
    )


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
    done = CliRunner(mix_stderr=False, env={"BLOCKCHAINTRACER_HOME": str(home)} | more).invoke(main, given)
    return subprocess.CompletedProcess(given, done.exit_code, done.stdout, done.stderr)


def secret_file(folder: Path, name: str = "patients.csv", size: int = 0) -> Path:
    """A file with content that no other has."""
    path = folder / name
    path.write_bytes(os.urandom(32 + size))
    return path


def holding(folder: Path, content: bytes) -> list[Path]:
    """The files below a folder that some bytes are in."""
    return [path for path in folder.rglob("*") if path.is_file() and content in path.read_bytes()]
