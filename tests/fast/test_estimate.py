"""What `estimate` says an operation costs is what `make gas` measured, at the price of the network."""

import json

import pytest
from click.testing import CliRunner

from blockchaintracer.cli.verb_estimate import command
from blockchaintracer.core.networks import network_by_name
from blockchaintracer.lab.estimate import estimate, gas_figures
from tests.support.artifacts import ROOT

MEASURED = json.loads((ROOT / "benchmarks" / "gas.json").read_text())
GWEI = 10**9


def ours(name: str) -> int:
    return MEASURED["figures"][name]["ours"]


def test_every_operation_has_its_measured_gas():
    assert {operation: gas for operation, gas, _ in gas_figures()} == {
        "record": ours("record"),
        "batch of 100": 100 * ours("batch_100"),
        "seal": ours("seal"),
        "root of any number": ours("anchor_root"),
        "1,024 leaves": 1024 * ours("leaves_1024"),
        "materialize": ours("materialize_20"),
    }


def test_the_size_is_that_of_the_calldata_and_its_envelope():
    envelope, selector, word = 120, 4, 32
    sizes = {operation: size - envelope - selector for operation, _, size in gas_figures()}
    assert {operation: size / word for operation, size in sizes.items()} == {
        "record": 1 + 8,  # where the key is; six fields, where its parents are and how many
        "batch of 100": 2 + 100 * 9,
        "seal": 2,
        "root of any number": 4,
        "1,024 leaves": 3 + 1024,
        "materialize": 3 + 8 + 1 + 20,
    }


def test_a_price_is_applied_to_every_operation_of_every_network():
    networks = [network_by_name("sepolia"), network_by_name("base")]
    costs, prices = estimate(networks, gas_price_wei=2 * GWEI)
    assert [(met.network, met.gas_rules, met.advice) for met in prices] == [
        (network.title, "unknown", None) for network in networks
    ]
    assert [cost.network for cost in costs] == [network.title for network in networks for _ in gas_figures()]
    assert all(cost.wei == cost.gas * 2 * GWEI for cost in costs)
    assert {cost.network for cost in costs if cost.note} == {networks[1].title}


@pytest.mark.parametrize("arguments", [[], ["--json"]], ids=["table", "json"])
def test_the_verb_names_every_operation(arguments):
    done = CliRunner().invoke(command, ["--network", "sepolia", "--gas-price", "1.5", *arguments])
    assert done.exit_code == 0, done.output
    for operation, gas, _ in gas_figures():
        assert operation in done.output
        assert (str(gas) if arguments else f"{gas:,}") in done.output


def test_with_a_given_price_there_is_one_table():
    done = CliRunner().invoke(command, ["--gas-price", "2"])
    assert [line.split("  ")[0] for line in done.output.splitlines()[:7]] == [
        "operation",
        *(operation for operation, _, _ in gas_figures()),
    ]
    assert done.output.count("seal") == 1
    assert "On every network: a new slot costs an unknown amount" in done.output


def test_a_sentence_of_several_networks_is_said_once():
    done = CliRunner().invoke(command, ["--gas-price", "1.5"])
    assert done.output.count("without the data fee on Ethereum") == 1
    assert "Base, Base Sepolia, OP Mainnet, OP Sepolia: without the data fee" in done.output
    assert done.output.count("a new slot costs") == 1
