"""What a verification rests on. The verifier chooses it; nothing that is verified can."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import TRUSTED_BLOCKS, read_limited
from blockchaintracer.core.networks import network_by_name
from blockchaintracer.core.plain_json import read_strictly
from blockchaintracer.core.record import checksummed, normal_id, unsigned

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
    """Read the blocks that are trusted from a file (docs/formats.md)."""
    content = read_limited(path, _MAX_CHECKPOINTS, "trusted blocks")
    return read_strictly(content, TRUSTED_BLOCKS, str(path), _from_json, checkpoints_json)


def checkpoints_json(blocks: tuple[Checkpoint, ...]) -> dict[str, Any]:
    """Return the JSON of a file that `read_checkpoints` reads."""
    values = ({"chainId": str(block.chain_id), "number": str(block.number), "hash": block.hash} for block in blocks)
    return TRUSTED_BLOCKS.header() | {"blocks": list(values)}


def _from_json(data: dict[str, Any]) -> tuple[Checkpoint, ...]:
    if not data["blocks"]:
        raise InputError("it names no block")
    return tuple(
        Checkpoint(unsigned(int(it["chainId"]), 256), unsigned(int(it["number"]), 64), normal_id(it["hash"], "hash"))
        for it in data["blocks"]
    )
