"""What a verification rests on. The verifier chooses it; nothing that is verified can."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest.base import parse_json
from blockchaintracer.core.networks import network_by_name
from blockchaintracer.core.record import checksummed, normal_id

_MAX_CHECKPOINTS = 16 << 20


class Checkpoint(NamedTuple):
    """A block that the verifier trusts: chain, number and hash (0x-hex)."""

    chain_id: int
    number: int
    hash: str


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What a verification rests on: a chain, a registry and groups. The verifier chooses them, never the author.

    Args:
        registry: address of the registry, 0x-hex. A bundle of a registry of the factory is verified without it.
        network: name of a built-in network; None if `chain_id` names the chain.
        chain_id: EIP-155 chain id. The node must be on this chain.
        rpc: address of a node, or several separated by commas; None for the network's own.
        groups: numbers of the groups whose records count; empty if all count.
        blocks: hashes of blocks that stand, for a bundle.
        checkpoints: blocks that stand, with chain and number, for a bundle: `read_checkpoints` reads them from a file.

    Raises:
        InputError: if the address or the network is wrong, or no chain is named, or two different ones.
    """

    registry: str | None = None
    network: str | None = None
    chain_id: int = 0
    rpc: str | None = field(default=None, repr=False)
    groups: tuple[int, ...] = ()
    blocks: tuple[str, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()

    def __post_init__(self) -> None:
        if self.registry is not None:
            object.__setattr__(self, "registry", checksummed(self.registry, "a registry's address"))
        object.__setattr__(self, "blocks", tuple(normal_id(block, "hash of a block") for block in self.blocks))
        if self.network is not None:
            network = network_by_name(self.network)
            if self.chain_id not in (0, network.chain_id):
                raise InputError(f"expected chain {network.chain_id} for {network.name}, got chain {self.chain_id}")
            object.__setattr__(self, "chain_id", network.chain_id)
            object.__setattr__(self, "rpc", self.rpc or network.rpc)
        if not (self.chain_id or self.blocks or self.checkpoints):
            raise InputError("expected a chain to trust, got none", hint="Give `network` or `chain_id`.")
        if self.rpc and not self.chain_id:
            raise InputError("expected the chain of the node, got none", hint="Give `network` or `chain_id`.")


def read_checkpoints(path: Path) -> tuple[Checkpoint, ...]:
    """Read blocks that are trusted from a file: ``[{"chainId": 1, "number": 2, "hash": "0x…"}]``."""
    try:
        with path.open("rb") as file:
            entries = parse_json(file.read(_MAX_CHECKPOINTS), "a list of checkpoints")
    except OSError as error:
        raise InputError(f"expected checkpoints in {path}: {error.strerror}") from None
    if not isinstance(entries, list) or not entries:
        raise InputError(f'{path}: expected [{{"chainId", "number", "hash"}}], got something else')
    return tuple(_checkpoint(entry, f"{path}, entry {index}") for index, entry in enumerate(entries))


def _checkpoint(entry: Any, place: str) -> Checkpoint:
    if not isinstance(entry, dict) or set(entry) != {"chainId", "number", "hash"}:
        raise InputError(f"{place}: expected chainId, number and hash, and nothing else")
    chain_id, number, block_hash = entry["chainId"], entry["number"], entry["hash"]
    chain_id = int(chain_id) if isinstance(chain_id, str) and chain_id.isascii() and chain_id.isdigit() else chain_id
    for name, value in (("chainId", chain_id), ("number", number)):
        if type(value) is not int or value < 0:
            raise InputError(f"{place}: expected {name} as a whole number")
    if not isinstance(block_hash, str):
        raise InputError(f"{place}: expected hash as 0x and 64 hex digits")
    return Checkpoint(chain_id, number, normal_id(block_hash, "hash of a block"))
