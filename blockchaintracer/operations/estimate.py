"""What recording costs, on the networks that are configured, now."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources

from blockchaintracer.chain import Chain, load_artifact
from blockchaintracer.errors import BlockchainTracerError
from blockchaintracer.model import RecordKey
from blockchaintracer.networks import DEVNET, NETWORKS, Network

_L1_FEE_ORACLE = "0x420000000000000000000000000000000000000F"
"""GasPriceOracle of OP-stack chains: what publishing a transaction on Ethereum adds."""
_BATCH = 100
_ROOT_LIMIT_GAS = 50_500
"""what anchoring a Merkle root may cost by design; this version of the contract has no roots yet"""
_ENVELOPE_BYTES = 120
"""an EIP-1559 transaction around its calldata: fields, signature and RLP"""


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
    """Operation, gas, bytes of its transaction, and whether the gas was measured (`make gas`)."""
    gas = json.loads((resources.files("blockchaintracer") / "artifacts" / "gas.json").read_bytes())
    return [
        ("record", gas["record"], _transaction_bytes(1), True),
        (f"batch of {_BATCH}", gas[f"batch_{_BATCH}"] * _BATCH, _transaction_bytes(_BATCH), True),
        ("root of any number", _ROOT_LIMIT_GAS, _ENVELOPE_BYTES + 4 + 4 * 32, False),
    ]


def _transaction_bytes(count: int) -> int:
    """Size of a signed transaction that records `count` keys without parents."""
    from web3 import Web3

    key = RecordKey(
        group=1, kind=1, subject_type=1, author="0x" + "11" * 20, subject="11" * 32, manifest="11" * 32
    ).as_abi()
    contract = Web3().eth.contract(abi=load_artifact()["abi"])
    call = contract.functions.recordMany([key] * count) if count > 1 else contract.functions.record(key)
    return _ENVELOPE_BYTES + (len(call._encode_transaction_data()) - 2) // 2


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
