"""Writes a proof bundle (docs/formats.md) from a node's answers. What it writes, somebody else verifies.

Sources: EIP-1186 (`eth_getProof`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from blockchaintracer.core.chain import Chain, Registry
from blockchaintracer.core.chain.abi import interface
from blockchaintracer.core.errors import ChainUnavailable, InputError, NodeError
from blockchaintracer.core.formats import BUNDLE
from blockchaintracer.core.record import RecordKey, from_hex, to_hex
from blockchaintracer.core.storage_layout import batch_slot, record_slot
from blockchaintracer.lab.chain.receipts import BlockReceipts, header_of, inclusion_of

Progress = Callable[[int], None]
"""Called with the number of records that are done."""

_AT_ONCE = 100
"""storage slots asked for in one call"""


@dataclass(frozen=True, slots=True)
class BatchPath:
    """How a record hangs under a batch's root."""

    root: str
    path: tuple[str, ...]
    transaction: str


@dataclass(frozen=True, slots=True)
class ProofRequest:
    """A record to be proven."""

    key: RecordKey
    manifest: bytes | None
    transaction: str | None
    batch: BatchPath | None = None


def export_bundle(
    registry: Registry,
    records: Sequence[ProofRequest],
    block: int | None = None,
    progress: Progress | None = None,
    deployment: tuple[str, bool, str] | None = None,
    evidence: dict[str, list[Any]] | None = None,
) -> bytes:
    """A bundle that proves these records as of one block.

    Args:
        records: at least one; each once.
        block: number of the block whose state is proven; the newest if not said. Nodes that are no archives forget
            the state of a block within hours.
        deployment: the settings of which the factory made the registry: owner, rule and salt.
        evidence: the lists `witnesses`, `identities` and `renewals`, as they stand in the bundle.

    Raises:
        InputError: if a record or batch is not where `records` says, or this chain's blocks are of another form.
        ChainUnavailable: if the node doesn't answer, or has forgotten the block's state.
    """
    import rfc8785

    if not records:
        raise InputError("expected at least one record to prove, got none")
    bundle = _Export(registry).bundle(records, block, progress)
    if deployment:
        bundle["deployment"] = dict(zip(("owner", "openGroupCreation", "salt"), deployment, strict=True))
    return rfc8785.dumps(bundle | (evidence or {}))


class _Export:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._chain = registry.chain
        self._headers: dict[str, str] = {}
        self._nodes: set[str] = set()
        self._known: dict[str, BlockReceipts] = {}

    def bundle(self, requests: Sequence[ProofRequest], block: int | None, progress: Progress | None) -> dict[str, Any]:
        state = self._state(block)
        ids = [self._registry.domain.record_id(each.key) for each in requests]
        slots = [record_slot(record_id) for record_id in ids]
        slots += [batch_slot(it.key.group, it.key.author, it.batch.root) for it in requests if it.batch]
        for start in range(0, len(slots), _AT_ONCE):
            keys = [to_hex(slot) for slot in slots[start : start + _AT_ONCE]]
            proof = _ask(self._chain, "eth_getProof", self._registry.address, keys, {"blockHash": state})
            self._nodes.update(proof["accountProof"])
            for stored in proof["storageProof"]:
                self._nodes.update(stored["proof"])
        records = []
        for done, (record_id, each) in enumerate(zip(ids, requests, strict=True), 1):
            records.append(self._record(record_id, each, state))
            if progress:
                progress(done)
        return {
            **BUNDLE.header(),
            "chainId": str(self._chain.chain_id),
            "registry": self._registry.address.lower(),
            "blocks": self._headers,
            "nodes": sorted(self._nodes),
            "records": records,
        }

    def _record(self, record_id: str, request: ProofRequest, state: str) -> dict[str, Any]:
        recorded = batched = None
        if request.transaction:
            recorded = self._log(request.transaction, ("Recorded",), from_hex(record_id))
        if request.batch:
            anchored = self._log(
                request.batch.transaction, ("Anchored", "LeavesAnchored"), from_hex(request.batch.root)
            )
            batched = {"root": request.batch.root, "path": list(request.batch.path), "anchored": anchored}
        return {
            "id": record_id,
            "key": request.key.as_json(),
            "manifest": json.loads(request.manifest) if request.manifest is not None else None,
            "recorded": recorded,
            "batched": batched,
            "state": state,
        }

    def _log(self, transaction: str, names: tuple[str, ...], topic: bytes) -> dict[str, Any]:
        """Where the registry's event with this topic is, with its receipt among the nodes."""
        inclusion = inclusion_of(self._registry, transaction, self._known)
        kinds = {first for first, entry in interface().topics.items() if entry["name"] in names}
        for log in inclusion.receipt().logs:
            is_kind = log.address == self._registry.address and log.topics and log.topics[0] in kinds
            if is_kind and to_hex(topic) in log.topics[1:]:
                self._headers[log.block_hash] = inclusion.header
                self._nodes.update(inclusion.nodes)
                return {"block": log.block_hash, "transaction": inclusion.index, "log": log.position.log}
        raise InputError(
            f"expected an event {' or '.join(names)} of {to_hex(topic)} in transaction {transaction}, got none",
            hint="After a reorganisation it is in another one: look again with `blockchaintracer status`.",
        )

    def _state(self, block: int | None) -> str:
        """Add the header of the block whose state is proven; return its hash."""
        answer = _ask(self._chain, "eth_getBlockByNumber", hex(block) if block is not None else "latest", False)
        if answer is None:
            raise ChainUnavailable(f"{self._chain.address} doesn't have the block", hint="Ask another node.")
        self._headers[answer["hash"]] = header_of(self._chain, answer)
        return str(answer["hash"])


def _ask(chain: Chain, method: str, *parameters: Any) -> Any:
    """Return a node's answer as JSON: a hash needs each of its fields."""
    try:
        return chain.ask(method, *parameters)
    except NodeError as error:
        raise ChainUnavailable(
            f"{chain.address} refuses {method}: {error.reason}",
            hint="A node that is no archive forgets old state: prove as of a newer block, or ask another node.",
        ) from None
