"""Which chain a command uses that names none."""

import json
import warnings
from pathlib import Path

import pytest

from blockchaintracer import MLTracer, RecordingWarning, open_lab
from blockchaintracer.core.networks import DEVNET
from blockchaintracer.extras.frameworks.filesystem import RecordFileSystem
from blockchaintracer.extras.mlflow.recorder import Target
from blockchaintracer.lab.chosen_network import RPC_VARIABLE
from blockchaintracer.lab.groups import create_group, deploy
from blockchaintracer.lab.keys import PASSPHRASE_FILE
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from tests.node.test_deploy import PASSPHRASE, lab_on
from tests.support.labs import typed
from tests.support.node import anvil

GONE = "http://127.0.0.1:9"


def used(home: Path, **more: str) -> str:
    listed = json.loads(typed("network", "list", "--json", home=home, **more).stdout)
    return str(next(one["name"] for one in listed["networks"] if one["inUse"]))


def test_the_network_in_use_is_remembered_and_shown(lab: Lab, tmp_path: Path) -> None:
    home = lab.home.path
    (tmp_path / "data.csv").write_text("1")
    assert used(home) == "devnet"
    added = typed("network", "add", "ours", "--chain-id", "7777", "--rpc", GONE, "--json", home=home)
    assert json.loads(added.stdout)["variable"] == "BLOCKCHAINTRACER_RPC_OURS"
    assert typed("network", "use", "ours", home=home).returncode == 0
    assert used(home) == "ours"
    unknown = typed("network", "use", "nowhere", home=home)
    assert (unknown.returncode, ", ours; or any other" in unknown.stderr) == (2, True)
    away = typed("record", "--dataset", str(tmp_path / "data.csv"), home=home)
    assert (away.returncode, "on ours, chain 7777 (the one in use" in away.stderr) == (3, True)
    # the variable and the command count more, and the command's is kept once something is written
    assert used(home, BLOCKCHAINTRACER_NETWORK="devnet") == "devnet"
    done = typed("record", "--dataset", str(tmp_path / "data.csv"), "--network", "devnet", home=home)
    assert done.returncode == 0, done.stderr
    assert used(home) == "devnet"


def test_a_node_of_another_chain_is_refused(lab: Lab, tmp_path: Path) -> None:
    home = lab.home.path
    (tmp_path / "data.csv").write_text("1")
    node = lab.devnet.status()
    assert node
    assert typed("network", "add", "wrong", "--chain-id", "7777", "--rpc", node.url, home=home).returncode == 0
    done = typed("record", "--dataset", str(tmp_path / "data.csv"), "--network", "wrong", home=home)
    assert (done.returncode, f"got one of chain {DEVNET.chain_id}" in done.stderr) == (2, True)
    assert typed("status", "--network", "wrong", "--chain-id", "5", home=home).returncode == 2


def test_what_is_no_network_of_ones_own_is_refused(tmp_path: Path) -> None:
    for name, rpc, why in (
        ("Big", GONE, "small letters"),
        ("sepolia", GONE, "built-in"),
        ("key", "https://rpc.example/v3/" + "0123456789abcdef" * 2, "BLOCKCHAINTRACER_RPC_KEY"),
        ("user", "https://me:word@rpc.example", "without a key"),
        ("file", "file:///etc/passwd", "http(s) address"),
    ):
        done = typed("network", "add", name, "--chain-id", "7777", "--rpc", rpc, home=tmp_path / "home")
        assert (done.returncode, why in done.stderr) == (2, True), done.stderr
        assert "word" not in done.stderr.replace("password", "")
    assert typed("network", "use", "nowhere", home=tmp_path / "home").returncode == 2


def test_a_command_that_reads_starts_no_node(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (tmp_path / "data.csv").write_text("1")
    (home / "devnet").mkdir(parents=True)
    for words in (("query",), ("lineage", "11" * 32), ("verify", str(tmp_path / "data.csv")), ("group", "list")):
        done = typed(*words, home=home)
        assert (done.returncode, "not running" in done.stderr + done.stdout) == (3, True), (words, done)
    assert Lab(Home(home)).devnet.status() is None


def test_python_goes_where_the_command_line_goes(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that was chosen counts for all that opens a lab: what a program records must not land on the devnet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(RPC_VARIABLE, raising=False)
    (tmp_path / "data.csv").write_text("1")
    home, secret = tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("secret") / "passphrase"
    secret.write_text(PASSPHRASE)
    secret.chmod(0o600)
    monkeypatch.setenv(PASSPHRASE_FILE, str(secret))
    with anvil(chain_id=7778) as chain, anvil(chain_id=7779) as named:
        ours = lab_on(chain, home)
        deploy(ours, open_group_creation=True)
        create_group(ours, "Ours")
        assert typed("network", "add", "ours", "--chain-id", "7778", "--rpc", chain.url, home=home).returncode == 0
        assert typed("network", "use", "ours", home=home).returncode == 0
        with MLTracer(home).start_run("training") as run:
            run.log_input("data.csv")
        assert (run.recorded.chain_id, run.recorded.state) == (7778, "included"), run.problem
        told: list[str] = []
        again = open_lab(home, say=told.append).record("data.csv")
        assert (again.chain_id, again.existing, told) == (
            7778,
            True,
            ["on ours, chain 7778 (the one in use; `network use` changes it)"],
        )
        target = Target(home)
        assert target.lab().chain.chain_id == target.prepared_lab().chain_id == 7778
        assert RecordFileSystem(home).info(again.id)["size"] == 1
        # what is named counts more: a node, then the variables
        assert open_lab(home, rpc=named.url).chain_id == 7779
        monkeypatch.setenv(RPC_VARIABLE, named.url)
        assert open_lab(home).chain_id == Target(home).lab().chain_id == 7779
        monkeypatch.delenv(RPC_VARIABLE)
        monkeypatch.setenv("BLOCKCHAINTRACER_NETWORK", "devnet")
        assert open_lab(home).is_embedded
        assert Target(home).offline_lab().chain_id == DEVNET.chain_id
    assert not Lab(Home(home)).devnet.status()


def test_a_tracer_in_an_empty_folder_makes_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `record` does; and it says so, for nobody asked for a chain that only this machine has."""
    monkeypatch.chdir(tmp_path)
    tracer = MLTracer(tmp_path / "new")
    try:
        with warnings.catch_warnings():
            # a program that takes warnings for errors loses nothing half-way
            warnings.simplefilter("error", RecordingWarning)
            with tracer.start_run("first") as run:
                run.log_metric("accuracy", 0.5)
            # another test's devnet may have the usual port
            told = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("Port ")]
            assert [line.split()[0] for line in told] == ["made", "deployed", "created", "run"], told
            assert told[1].endswith("on this lab's devnet, a private test chain")
            assert run.recorded.state in ("included", "final")
            with tracer.start_run("second") as second:
                second.log_metric("accuracy", 0.75)
        assert second.recorded.group == run.recorded.group
        assert len(capsys.readouterr().err.splitlines()) == 1
    finally:
        open_lab(tmp_path / "new").stop_devnet()
