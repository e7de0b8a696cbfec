"""Verify records from Python. Needs a node to ask, and no home folder, key or database.

>>> from blockchaintracer import Trust, verify
>>> trust = Trust(registry="0x" + "11" * 20, network="base-sepolia", groups=(1,))
>>> trust.chain_id
84532
>>> report = verify("ab" * 32, trust)  # doctest: +SKIP
>>> report.verified, report.proves  # doctest: +SKIP
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from blockchaintracer.core.batch_proof import Proof, is_proof
from blockchaintracer.core.chain import Chain, Registry
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.networks import network_by_name
from blockchaintracer.core.record import Domain, RecordKey, checksummed
from blockchaintracer.core.verify import Check, Outcome, Report, Verifier
from blockchaintracer.core.verify.bundle import verify_bundle
from blockchaintracer.core.verify.copies import Copies, FolderCopies

__all__ = ["Trust", "open_registry", "record_id", "verify", "verify_bundle"]


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What a verification rests on: a chain, a registry and groups. The verifier chooses them, never the author.

    Args:
        registry: address of the registry, 0x-hex.
        network: name of a built-in network; None if `chain_id` names the chain.
        chain_id: EIP-155 chain id. The node must be on this chain.
        rpc: address of a node, or several separated by commas; None for the network's own.
        groups: numbers of the groups whose records count; empty if all count.

    Raises:
        InputError: if the address or the network is wrong, or no chain is named, or two different ones.
    """

    registry: str
    network: str | None = None
    chain_id: int = 0
    rpc: str | None = field(default=None, repr=False)
    groups: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "registry", checksummed(self.registry, "a registry's address"))
        if self.network is not None:
            network = network_by_name(self.network)
            if self.chain_id not in (0, network.chain_id):
                raise InputError(f"expected chain {network.chain_id} for {network.name}, got chain {self.chain_id}")
            object.__setattr__(self, "chain_id", network.chain_id)
            object.__setattr__(self, "rpc", self.rpc or network.rpc)
        if not self.chain_id:
            raise InputError("expected a chain to trust, got none", hint="Give `network` or `chain_id`.")


def open_registry(trust: Trust) -> Registry:
    """Connect to the node and return the registry.

    Raises:
        InputError: if no node is named, it is on another chain, or no registry is at the address.
        ChainUnavailable: if the node does not answer.
    """
    if trust.rpc is None:
        raise InputError(f"expected the address of a node of chain {trust.chain_id}, got none", hint="Give `rpc`.")
    chain = Chain.connect(trust.rpc)
    if chain.chain_id != trust.chain_id:
        raise InputError(f"expected a node of chain {trust.chain_id}, got one of chain {chain.chain_id}")
    return Registry(chain, trust.registry).require()


def record_id(key: RecordKey | Mapping[str, Any], trust: Trust) -> str:
    """Compute the id of a record from its key. Asks no node.

    Args:
        key: the key, or its JSON as it is published beside a manifest.
        trust: the chain and the registry, which are part of the id.
    """
    key = key if isinstance(key, RecordKey) else RecordKey.from_json(dict(key))
    return Domain(trust.chain_id, trust.registry).record_id(key)


def verify(
    target: str | os.PathLike[str],
    trust: Trust,
    *,
    copies: Copies | str | os.PathLike[str] | None = None,
    record: str | None = None,
) -> Report:
    """Verify a record, a transaction, a recorded digest, the proof file of a batched record, or a file or folder.

    Args:
        target: a record id, transaction hash or digest (64 hex digits), or a path (`Path`, or text that is not an id).
        trust: what the verification rests on.
        copies: where manifests and files are found: a published folder, or any `Copies`. Without it the checks that
            need them are unknown.
        record: id of the record that a file or folder should be.

    Returns:
        All checks, the records, what follows and what does not. `verified` is false if a check failed.

    Raises:
        InputError: if the target is neither, or the choices in `trust` do not fit together.
        ChainUnavailable: if the node does not answer.
    """
    if copies is None or isinstance(copies, str | os.PathLike):
        copies = FolderCopies([copies] if copies else [])
    verifier = Verifier(open_registry(trust), copies)
    text = os.fspath(target)
    digits = text.lower().removeprefix("0x")
    if isinstance(target, str) and len(digits) == 64 and not set(digits) - set("0123456789abcdef"):
        if record is not None:
            raise InputError(f"expected a file or folder beside `record`, got {text!r}")
        report = verifier.hash(text, trust.groups)
    elif not (path := Path(text)).exists():
        raise InputError(f"expected an id, a hash, or an existing file or folder, got {text!r}")
    elif record is None and is_proof(path):
        proof = Proof.read_file(path)
        if (proof.chain_id, proof.registry) != (trust.chain_id, trust.registry):
            raise InputError(f"the proof is for the registry {proof.registry} on chain {proof.chain_id}")
        report = verifier.batched(proof.key, proof.root, proof.path)
    else:
        report = verifier.path(path, record, trust.groups)
    return _by_trusted_groups(report, trust.groups)


def _by_trusted_groups(report: Report, groups: tuple[int, ...]) -> Report:
    """Add a failed check for each record of a group that does not count, and take away what follows from it."""
    others = [view for view in report.records if groups and view.group not in groups]
    counting = ", ".join(map(str, groups))
    checks = [
        Check("group", Outcome.FAIL, f"it is of group {view.group}, and only {counting} count", record=view.id)
        for view in others
    ]
    return replace(report, checks=(*report.checks, *checks), proves=() if others else report.proves)
