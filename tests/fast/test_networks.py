"""Networks by name, checked against Ape's own table of chains; their registries; URLs without secrets."""

import json
from pathlib import Path

import pytest
import yaml
from evmchains.chains import PUBLIC_CHAIN_META

from blockchaintracer.core.errors import InputError, StoreError
from blockchaintracer.core.networks import DEVNET, NETWORKS, Network, network_by_chain_id, network_by_name, redact_url
from blockchaintracer.lab.deployments import (
    KnownRegistry,
    _read,
    forget_registries,
    note_for_others,
    registries,
    remember_registry,
)
from blockchaintracer.lab.formats import DEPLOYMENTS
from blockchaintracer.lab.lab_folder import Home

ROOT = Path(__file__).parents[2]
PUBLIC = [network for network in NETWORKS if network is not DEVNET]
EARLY = KnownRegistry("0x" + "aa" * 20, "0x" + "bb" * 20, "0x" + "cc" * 32, 7, "1")
LATE = KnownRegistry("0x" + "dd" * 20, "0x" + "bb" * 20, "0x" + "ee" * 32, 9, "1")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "repo" / "deployments").mkdir(parents=True)
    (tmp_path / "repo" / "below").mkdir()
    (tmp_path / "repo" / "ape-config.yaml").touch()
    monkeypatch.chdir(tmp_path / "repo" / "below")
    return tmp_path / "repo"


@pytest.mark.parametrize("network", PUBLIC, ids=lambda network: network.name)
def test_a_public_network_is_what_the_table_of_chains_says(network: Network):
    ecosystem, name = network.ape.split(":")
    chain = PUBLIC_CHAIN_META[ecosystem][name]
    assert chain["chainId"] == network.chain_id
    assert network.public_rpc in [address.rstrip("/") for address in chain["rpc"]]
    assert network.explorer in [explorer["url"] for explorer in chain["explorers"]]


def test_ape_takes_the_same_addresses():
    config = yaml.safe_load((ROOT / "ape-config.yaml").read_text())
    configured = {
        f"{ecosystem}:{name}": entry["uri"]
        for ecosystem, names in config["node"].items()
        for name, entry in names.items()
    }
    assert configured.pop(DEVNET.ape) == "http://127.0.0.1:8645"
    assert configured == {network.ape: network.public_rpc for network in PUBLIC}
    assert {entry["chain_id"] for entry in config["networks"]["custom"]} == {DEVNET.chain_id}


def test_each_network_is_found_by_each_of_its_names_and_its_number():
    for network in NETWORKS:
        for name in (network.name, network.name.upper(), network.ape, f"{network.ape}:node"):
            assert network_by_name(name) is network
        assert network_by_chain_id(network.chain_id) is network
        assert network.finality
        assert network.time_source
    assert network_by_chain_id(31337) is None
    assert network_by_chain_id(1337) is None
    # a fork is another chain
    for name in ("ethereum:mainnet-fork", "nowhere", ""):
        with pytest.raises(InputError, match="optimism-sepolia"):
            network_by_name(name)


def test_the_rpc_address_of_the_environment_goes_first(monkeypatch):
    network = network_by_name("base-sepolia")
    assert network.rpc == "https://sepolia.base.org"
    monkeypatch.setenv("BLOCKCHAINTRACER_RPC_BASE_SEPOLIA", "https://other.example.org")
    assert network.rpc == "https://other.example.org"
    assert DEVNET.rpc is None


def test_a_public_network_has_an_explorer_and_the_devnet_none():
    assert network_by_name("sepolia").explorer == "https://sepolia.etherscan.io"
    assert DEVNET.explorer is None


def test_registries_of_a_public_network_are_noted_in_the_repository_too(project, tmp_path):
    home = Home(tmp_path / "home")
    assert registries(1, home) == []
    again = KnownRegistry(EARLY.address.upper().replace("X", "x"), EARLY.owner, EARLY.transaction, 8, "2")
    for known in (LATE, EARLY, again):
        remember_registry(1, home, known)
        assert note_for_others(1, known) == project / "deployments" / "ethereum.json"
    assert registries(1, home) == [again, LATE]
    assert registries(10, home) == []
    for folder in (project, home.path):
        document = json.loads((folder / "deployments" / "ethereum.json").read_text())
        assert (document["type"], document["chainId"]) == (str(DEPLOYMENTS), "1")
        assert [entry["block"] for entry in document["registries"]] == [8, 9]
    assert [file.name for file in (project / "deployments").iterdir()] == ["ethereum.json"]


def test_a_list_that_came_with_a_repository_is_not_believed(project, tmp_path):
    """A clone chose the registry: whatever its owner had recorded there was "verified"."""
    assert note_for_others(1, EARLY)
    assert registries(1, Home(tmp_path / "home")) == []


def test_registries_of_the_devnet_and_of_unknown_chains_are_kept_with_the_lab(project, tmp_path):
    home = Home(tmp_path / "home")
    for chain_id, name in ((DEVNET.chain_id, "devnet.json"), (4242, "4242.json")):
        assert remember_registry(chain_id, home, EARLY) == home.path / "deployments" / name
        assert registries(chain_id, home) == [EARLY]
        assert registries(chain_id, Home(tmp_path / "another")) == []
        assert note_for_others(chain_id, EARLY) is None
    forget_registries(DEVNET.chain_id, home)
    forget_registries(DEVNET.chain_id, home)
    assert registries(DEVNET.chain_id, home) == []
    assert registries(4242, home) == [EARLY]
    assert not list((project / "deployments").iterdir())


def test_without_a_repository_registries_are_kept_with_the_lab(tmp_path, monkeypatch):
    (tmp_path / "deployments").mkdir()
    monkeypatch.chdir(tmp_path)
    home = Home(tmp_path / "home")
    assert remember_registry(1, home, EARLY) == home.path / "deployments" / "ethereum.json"
    assert note_for_others(1, EARLY) is None
    assert registries(1, home) == [EARLY]


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", '{"chainId": "1", "registries": []}'),
        json.dumps(DEPLOYMENTS.header() | {"chainId": "10", "registries": []}),
        json.dumps(DEPLOYMENTS.header() | {"chainId": 1, "registries": []}),
        json.dumps(DEPLOYMENTS.header() | {"chainId": "1", "registries": [{"address": "0x"}]}),
    ],
)
def test_a_list_of_registries_that_cannot_be_read_is_told_and_left_alone(project, tmp_path, content):
    file = project / "deployments" / "ethereum.json"
    file.write_text(content)
    home = Home(project)
    for use in (
        lambda: registries(1, home),
        lambda: remember_registry(1, home, EARLY),
        lambda: note_for_others(1, EARLY),
    ):
        with pytest.raises(StoreError, match=r"ethereum\.json"):
            use()
    assert file.read_text() == content


def test_the_lists_in_this_repository_can_be_read():
    for network in PUBLIC:
        assert (ROOT / "deployments" / f"{network.name}.json").is_file()
        _read(ROOT / "deployments" / f"{network.name}.json", network.chain_id)


KEY = "AbC-dEf_0123456789xyz"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://sepolia.base.org", "https://sepolia.base.org"),
        ("http://127.0.0.1:8645", "http://127.0.0.1:8645"),
        ("http://[::1]:8645/", "http://[::1]:8645/"),
        ("https://ethereum-sepolia-rpc.publicnode.com", "https://ethereum-sepolia-rpc.publicnode.com"),
        (f"https://eth-mainnet.example.com/v2/{KEY}", "https://eth-mainnet.example.com/v2/…"),
        (f"https://eth.example.com/{KEY}/rpc", "https://eth.example.com/…/rpc"),
        (f"https://user:{KEY}@eth.example.com:8545/rpc", "https://eth.example.com:8545/rpc"),
        (f"https://eth.example.com/rpc?apikey={KEY}#{KEY}", "https://eth.example.com/rpc"),
        ("https://0123456789abcdef0123456789abcdef.eth.example.com/", "https://….eth.example.com/"),
        (f"wss://eth.example.com/ws/{KEY}", "wss://eth.example.com/ws/…"),
        ("sqlite:///mlflow.db", "sqlite:///mlflow.db"),
        ("postgresql://me:word@db.example.org/mlflow", "postgresql://db.example.org/mlflow"),
        ("file:///srv/mlruns", "file:///srv/mlruns"),
        ("mlruns", "mlruns"),
        (f"http://[{KEY}", "…"),
        (f"http://h:{KEY}/", "…"),
    ],
)
def test_a_url_is_shown_without_what_may_be_a_key(url, shown):
    assert redact_url(url) == shown
    assert KEY not in redact_url(url)
