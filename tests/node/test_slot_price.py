"""`estimate` says what a new slot costs on the chain that it met, and never guesses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from blockchaintracer.cli.verb_estimate import command
from blockchaintracer.core.chain import Chain
from blockchaintracer.core.networks import NETWORKS, network_by_name
from blockchaintracer.lab.estimate import REPRICED_SLOT_GAS, SLOT_GAS, SlotPrice, estimate, slot_price
from tests.support.artifacts import ROOT
from tests.support.node import anvil
from tests.support.proxy import Proxy

MEASURED = json.loads((ROOT / "benchmarks" / "gas.json").read_text())
SLOTS = 8
NO_METHOD = {"code": -32601, "message": "the method does not exist"}


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with anvil("--hardfork", "osaka") as node:
        behind = Proxy(f"http://127.0.0.1:{node.provider.endpoint_uri.rpartition(':')[2]}")  # type: ignore[union-attr]
        yield behind
        behind.close()


def answering(proxy: Proxy, **answers: Any) -> None:
    """From now on these methods have these results, or errors (dicts with a code), or a function of the node's own."""

    def fault(request: dict[str, Any], ask: Any) -> Any:
        if request["method"] not in answers:
            return ask()
        answer = answers[request["method"]]
        answer = answer(request, ask) if callable(answer) else answer
        key = "error" if isinstance(answer, dict) and "code" in answer else "result"
        return {"jsonrpc": "2.0", "id": request["id"], key: answer}

    proxy.fault = fault


def dear(request: dict[str, Any], ask: Any) -> str:
    """The estimate of a node that charges the announced price for each of the slots that are filled."""
    filled = "6001" + "6000" + "55" in request["params"][0]["data"]
    gas = int(ask()["result"], 16) + filled * SLOTS * (REPRICED_SLOT_GAS - SLOT_GAS)
    # geth's estimates are up to 1.5 % too high
    return hex(gas * 1015 // 1000)


def test_a_node_of_today_charges_what_was_measured(proxy: Proxy) -> None:
    answering(proxy)
    met = slot_price(Chain.connect(proxy.url))
    assert met == SlotPrice(gas=SLOT_GAS)
    assert not met.is_dear


def test_what_eth_config_tells_of_the_fork_is_shown(proxy: Proxy) -> None:
    fork = {"activationTime": 1_764_798_551, "forkId": "0x5167e2a6"}
    answering(proxy, eth_config={"current": fork, "next": {**fork, "activationTime": 1_900_000_000}, "last": None})
    met = slot_price(Chain.connect(proxy.url))
    assert met == SlotPrice(SLOT_GAS, "0x5167e2a6", 1_764_798_551, 1_900_000_000)
    answering(proxy, eth_config={"current": fork, "next": None, "last": None})
    assert slot_price(Chain.connect(proxy.url)) == SlotPrice(SLOT_GAS, "0x5167e2a6", 1_764_798_551, None)


@pytest.mark.parametrize(
    "nonsense",
    [
        NO_METHOD,
        None,
        [],
        "0x",
        {"current": None},
        {"current": [], "next": 1},
        {"current": {"forkId": "\x1b[31m", "activationTime": "1"}},
        {"current": {"forkId": 7, "activationTime": -1}, "next": {"activationTime": 10**30}},
    ],
)
def test_nonsense_for_a_config_tells_nothing(proxy: Proxy, nonsense: Any) -> None:
    answering(proxy, eth_config=nonsense)
    assert slot_price(Chain.connect(proxy.url)) == SlotPrice(SLOT_GAS)


@pytest.mark.parametrize("estimate_", [NO_METHOD, "0x5208", "0x0"])
def test_without_an_estimate_the_price_is_unknown(proxy: Proxy, estimate_: Any) -> None:
    answering(proxy, eth_estimateGas=estimate_)
    assert slot_price(Chain.connect(proxy.url)) == SlotPrice()


def test_a_dear_slot_is_noticed_priced_and_advised_upon(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(proxy, eth_estimateGas=dear)
    network = network_by_name("sepolia")
    monkeypatch.setenv(network.rpc_env, proxy.url)
    costs, [met] = estimate([network])
    assert met.slot.gas is not None
    assert abs(met.slot.gas - REPRICED_SLOT_GAS) < 3_000
    assert met.gas_rules == "measured"
    assert met.advice
    assert "batch" in met.advice
    gas = {cost.operation: cost.gas for cost in costs}
    repriced = MEASURED["repriced"]
    assert abs(gas["record"] - repriced["record"]["ours"]) < 3_000
    assert abs(gas["root of any number"] - repriced["anchor_root"]["ours"]) < 3_000
    assert gas["batch of 100"] > 50 * gas["root of any number"]


def test_the_verb_says_which_price_it_met(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(network_by_name("sepolia").rpc_env, proxy.url)
    answering(proxy)
    told = CliRunner().invoke(command, ["--network", "sepolia"]).stdout
    assert "a new slot costs about 20,000 gas" in " ".join(told.split())
    answering(proxy, eth_estimateGas=dear)
    told = CliRunner().invoke(command, ["--network", "sepolia"]).stdout
    assert "A slot is dear here" in " ".join(told.split())
    answering(proxy, eth_estimateGas=NO_METHOD)
    [met] = json.loads(CliRunner().invoke(command, ["--network", "sepolia", "--json"]).stdout)["prices"]
    assert (met["gasRules"], met["slot"]["gas"], met["advice"]) == ("unknown", None, None)


def test_a_node_of_any_chain_is_asked(proxy: Proxy) -> None:
    answering(proxy)
    done = CliRunner().invoke(command, ["--rpc", proxy.url, "--json"])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert {cost["network"] for cost in answer["costs"]} == {answer["prices"][0]["network"]}
    assert all(cost["wei"] for cost in answer["costs"])


def test_networks_that_were_not_reached_are_told_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for network in NETWORKS:
        monkeypatch.setenv(network.rpc_env, "http://127.0.0.1:9")
    done = CliRunner().invoke(command, ["--home", str(tmp_path / "home")])
    assert (done.exit_code, done.output.count("\n")) == (3, 2)
    assert "Nothing is estimated. Ethereum: no price: the network was not reached: " in done.output
    assert done.output.startswith("Not reached: Ethereum, ")
    # one that was asked for by name says why
    done = CliRunner().invoke(command, ["--network", "sepolia", "--home", str(tmp_path / "home")])
    assert "no price: the network was not reached" in " ".join(done.output.split())
