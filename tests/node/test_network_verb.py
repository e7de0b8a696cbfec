"""Which chain a command uses that names none."""

import json
from pathlib import Path

from blockchaintracer.core.networks import DEVNET
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from tests.support.labs import typed

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
