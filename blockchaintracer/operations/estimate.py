"""What recording costs, on the networks that are configured, now."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources

from blockchaintracer.chain import Chain
from blockchaintracer.errors import BlockchainTracerError
from blockchaintracer.networks import DEVNET, NETWORKS, Network

_L1_FEE_ORACLE = "0x420000000000000000000000000000000000000F"
"""GasPriceOracle of OP-stack chains: what publishing a transaction on Ethereum adds."""


@dataclass(frozen=True)
class Cost:
    """What one operation costs on one network.

    Args:
        operation: ``record``, ``batch of 100`` (all of it) or ``root``.
        gas: units of execution.
        wei: with the price of the moment, data fees of a rollup included; None if the network didn't answer.
        measured: whether `gas` was measured on the shipped contract; a root's is the limit of its design.
    """

    network: str
    operation: str
    gas: int
    wei: int | None
    measured: bool
    note: str | None = None


def gas_figures() -> list[tuple[str, int, int, bool]]:
    """Operation, gas, bytes of its transaction, and whether the gas was measured (benchmarks/gas.json)."""
    data = json.loads((resources.files("blockchaintracer") / "artifacts" / "gas.json").read_bytes())
    return [(row["operation"], row["gas"], row["bytes"], row["measured"]) for row in data]


def estimate(networks: list[Network] | None = None, gas_price_wei: int | None = None) -> list[Cost]:
    """The cost of one record, a batch of a hundred and a root, network by network.

    Args:
        networks: which; all public ones if not said.
        gas_price_wei: a price to reckon with instead of asking each network.
    """
    chosen = networks or [network for network in NETWORKS if network is not DEVNET]
    with ThreadPoolExecutor(max_workers=len(chosen)) as pool:
        return [cost for costs in pool.map(lambda network: _of(network, gas_price_wei), chosen) for cost in costs]


def _of(network: Network, gas_price_wei: int | None) -> list[Cost]:
    chain, note, price = None, None, gas_price_wei
    if price is None:
        try:
            if network.rpc is None:
                raise BlockchainTracerError("no RPC address is configured")
            chain = Chain.connect(network.rpc)
            price = chain.ask(lambda: chain.web3.eth.gas_price)
        except BlockchainTracerError:
            note = f"no price: the network was not reached (set ${network.rpc_env}, or --gas-price)"
    elif network.kind == "op-stack":
        note = "without the data fee on Ethereum, which only the network itself tells"
    rows = []
    for operation, gas, size, measured in gas_figures():
        wei = None if price is None else gas * price
        if wei is not None and chain is not None and network.kind == "op-stack":
            wei += _data_fee(chain, size)
        rows.append(Cost(network.title, operation, gas, wei, measured, note))
    return rows


def _data_fee(chain: Chain, size: int) -> int:
    from eth_abi.abi import encode
    from eth_utils.crypto import keccak

    data = keccak(text="getL1FeeUpperBound(uint256)")[:4] + encode(["uint256"], [size])
    answer = chain.ask(lambda: chain.web3.eth.call({"to": _L1_FEE_ORACLE, "data": data}))
    return int.from_bytes(bytes(answer), "big")
