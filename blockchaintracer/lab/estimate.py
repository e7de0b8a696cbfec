"""What recording costs, on the networks that are configured, now."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources

from blockchaintracer.core.chain import Chain
from blockchaintracer.core.chain.abi import interface
from blockchaintracer.core.errors import BlockchainTracerError
from blockchaintracer.core.networks import DEVNET, NETWORKS, Network
from blockchaintracer.core.record import RecordKey, to_hex
from blockchaintracer.lab.slot_price import REPRICED_SLOT_GAS, SLOT_GAS, SlotPrice, slot_price

_L1_FEE_ORACLE = "0x420000000000000000000000000000000000000F"
"""GasPriceOracle of OP-stack chains: what publishing a transaction on Ethereum adds."""
_BATCH, _LEAVES, _DEPTH = 100, 1024, 20
"""records of a stored batch, ids anchored as leaves, and length of a Merkle path (a million records), as measured"""
_ADVICE = (
    "A slot is dear here: put what can wait into one batch (`blockchaintracer batch`). Its root takes one slot, "
    "however many records it has, and a record is stored only when somebody needs it"
)
_ENVELOPE_BYTES = 120
"""an EIP-1559 transaction around its calldata: fields, signature and RLP"""


@dataclass(frozen=True)
class Cost:
    """What one operation costs on one network.

    Args:
        wei: with the price of the moment, data fees of a rollup included; None if the network didn't answer.
    """

    network: str
    operation: str
    gas: int
    wei: int | None
    note: str | None = None


@dataclass(frozen=True)
class Met:
    """What a new slot costs on a network, and what follows.

    Args:
        gas_rules: ``measured`` if the costs are for the price of a slot that the node estimates, else ``unknown``: then
            they are for the rules of `make gas`.
    """

    network: str
    gas_rules: str
    slot: SlotPrice
    advice: str | None


def gas_figures(slot_gas: int = SLOT_GAS) -> list[tuple[str, int, int]]:
    """Operation, gas of its transaction as `make gas` measured it but for the price of a new slot, and bytes of its
    transaction."""
    measured = json.loads((resources.files("blockchaintracer.core") / "artifacts" / "gas.json").read_bytes())
    dear = measured["repriced"]
    gas = {
        name: today + (dear.get(name, today) - today) * (slot_gas - SLOT_GAS) // (REPRICED_SLOT_GAS - SLOT_GAS)
        for name, today in measured["figures"].items()
    }
    code = interface()
    word = b"\x11" * 32
    key = RecordKey(
        group=1, author="0x" + "11" * 20, kind=1, subject_type=1, subject="11" * 32, manifest="11" * 32
    ).as_abi()
    calls = [
        ("record", gas["record"], code.call("record", key)),
        (f"batch of {_BATCH}", gas[f"batch_{_BATCH}"] * _BATCH, code.call("recordMany", [key] * _BATCH)),
        ("seal", gas["seal"], code.call("seal", 1, word)),
        ("root of any number", gas["anchor_root"], code.call("anchor", 1, word, 1, word)),
        (f"{_LEAVES:,} leaves", gas[f"leaves_{_LEAVES}"] * _LEAVES, code.call("anchorLeaves", 1, [word] * _LEAVES)),
        ("materialize", gas[f"materialize_{_DEPTH}"], code.call("materialize", key, word, [word] * _DEPTH)),
    ]
    return [(name, gas_, _ENVELOPE_BYTES + len(call) // 2 - 1) for name, gas_, call in calls]


def estimate(networks: list[Network] | None = None, gas_price_wei: int | None = None) -> tuple[list[Cost], list[Met]]:
    """Estimate a record, a batch of a hundred, a seal, a root, leaves and storing from a batch, for each network, and
    say which price of a new slot was met there."""
    chosen = networks or [network for network in NETWORKS if network is not DEVNET]
    with ThreadPoolExecutor(max_workers=len(chosen)) as pool:
        answers = list(pool.map(lambda network: _of(network, gas_price_wei), chosen))
    return [cost for costs, _ in answers for cost in costs], [met for _, met in answers]


def _of(network: Network, gas_price_wei: int | None) -> tuple[list[Cost], Met]:
    chain, note, price = None, None, gas_price_wei
    if price is None:
        try:
            if network.rpc is None:
                raise BlockchainTracerError("no RPC address is configured")
            chain = Chain.connect(network.rpc)
            price = int(chain.ask("eth_gasPrice"), 16)
        except BlockchainTracerError as error:
            note = f"no price: the network was not reached: {error.message} (set ${network.rpc_env}, or --gas-price)"
    elif network.kind == "op-stack":
        note = "without the data fee on Ethereum, which only the network itself tells"
    slot = slot_price(chain) if chain else SlotPrice()
    rows = []
    for operation, gas, size in gas_figures(slot.gas or SLOT_GAS):
        wei = None if price is None else gas * price
        if wei is not None and chain is not None and network.kind == "op-stack":
            wei += data_fee(chain, size)
        rows.append(Cost(network.title, operation, gas, wei, note))
    advice = _ADVICE if slot.is_dear else None
    return rows, Met(network.title, "unknown" if slot.gas is None else "measured", slot, advice)


def data_fee(chain: Chain, size: int) -> int:
    """What an OP-stack chain adds at most for publishing a transaction of `size` bytes on Ethereum, in wei."""
    from eth_abi.abi import encode
    from eth_utils.crypto import keccak

    data = keccak(text="getL1FeeUpperBound(uint256)")[:4] + encode(["uint256"], [size])
    return int.from_bytes(chain.call(_L1_FEE_ORACLE, to_hex(data)), "big")
