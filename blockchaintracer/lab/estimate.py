"""What recording costs now on the networks that are configured, and what a new storage slot costs there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from typing import Any

from blockchaintracer.core.chain import Chain
from blockchaintracer.core.chain.abi import interface
from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable, ContractRevert
from blockchaintracer.core.networks import DEVNET, NETWORKS, Network
from blockchaintracer.core.record import RecordKey, keccak, to_hex
from blockchaintracer.lab.chain.questions import estimate_gas

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


SLOT_GAS, REPRICED_SLOT_GAS = 20_000, 97_920
"""Gas of filling an empty slot by the rules until Osaka (EIP-2200), and by those announced for Glamsterdam
(EIP-8037)."""
DEAR = 2 * SLOT_GAS
"""From here on a slot is called dear."""
_UNCHANGED = 100
_FORK_ID = re.compile("0x(?!0{8})[0-9a-f]{8}")
_END_OF_TIME = 2**40
_SLOTS = 8
"""filled at once: a node's estimate may be some percent off"""


@dataclass(frozen=True)
class SlotPrice:
    """What a new slot costs on a chain.

    Args:
        gas: of filling an empty slot, by the node's estimate to about 1,000; None if it gives none.
        fork_id, fork_since: of the rules in force (EIP-2124, Unix seconds), as the node's ``eth_config`` (EIP-7910)
            tells; None if the node does not have it. They name no prices.
        next_fork: when other rules start, Unix seconds; None if none are scheduled or the node does not tell.
    """

    gas: int | None = None
    fork_id: str | None = None
    fork_since: int | None = None
    next_fork: int | None = None

    @property
    def is_dear(self) -> bool:
        """Whether a new slot costs at least twice what it costs today."""
        return self.gas is not None and self.gas >= DEAR


def slot_price(chain: Chain) -> SlotPrice:
    """Ask a node what a new slot costs."""
    current, following = (_config(chain).get(name) for name in ("current", "next"))
    current, following = (fork if isinstance(fork, Mapping) else {} for fork in (current, following))
    fork_id = current.get("forkId")
    return SlotPrice(
        gas=_estimated(chain),
        fork_id=fork_id if isinstance(fork_id, str) and _FORK_ID.fullmatch(fork_id) else None,
        fork_since=_time(current.get("activationTime")),
        next_fork=_time(following.get("activationTime")),
    )


def _config(chain: Chain) -> dict[str, Any]:
    try:
        answer = chain.ask("eth_config")
    except ChainUnavailable:
        return {}
    return dict(answer) if isinstance(answer, Mapping) else {}


def _estimated(chain: Chain) -> int | None:
    """Compare two creations of the same size, of which one fills slots that the other leaves empty."""
    try:
        filled, empty = (estimate_gas(chain, {"data": _creation(value)}) for value in (1, 0))
    except (ChainUnavailable, ContractRevert):
        return None
    # what is stored in both costs 100 gas if nothing changes
    gas = (filled - empty) // _SLOTS + _UNCHANGED
    return gas if gas > _UNCHANGED else None


def _creation(value: int) -> str:
    """Code that stores a value in slots and returns no code."""
    # PUSH1 value, PUSH1 slot, SSTORE; PUSH1 0, PUSH1 0, RETURN
    return "0x" + "".join(f"60{value:02x}60{slot:02x}55" for slot in range(_SLOTS)) + "60006000f3"


def _time(value: Any) -> int | None:
    return value if isinstance(value, int) and 0 < value < _END_OF_TIME else None


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
    data = keccak(b"getL1FeeUpperBound(uint256)")[:4] + size.to_bytes(32)
    return int.from_bytes(chain.call(_L1_FEE_ORACLE, to_hex(data)), "big")
