"""Writes a proof bundle (docs/formats.md) from a node's answers. What it writes, somebody else verifies.

Sources: EIP-1186 (`eth_getProof`), EIP-2718 (typed receipts), the Ethereum yellow paper, appendix D (tries).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from blockchaintracer.core.chain import Chain, Registry
from blockchaintracer.core.chain.abi import interface
from blockchaintracer.core.errors import ChainUnavailable, InputError, NodeError
from blockchaintracer.core.formats import BUNDLE
from blockchaintracer.core.record import RecordKey, from_hex, to_hex
from blockchaintracer.core.storage_layout import batch_slot, record_slot
from blockchaintracer.lab.chain.questions import receipts_of_block

Progress = Callable[[int], None]
"""Called with the number of records that are done."""

_AT_ONCE = 100
"""storage slots asked for in one call"""

_HEADER = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom", "difficulty"),
    *("number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce", "baseFeePerGas"),
    *("withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash"),
    *("blockAccessListHash", "slotNumber"),
)
"""the fields of a header in order; those after ``nonce`` came with later forks and may be missing"""
_NUMBERS = {
    *("difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas", "blobGasUsed", "excessBlobGas"),
    "slotNumber",
}
_DEPOSIT = 0x7E
"""OP Stack: receipts of deposits have two fields more"""


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
) -> bytes:
    """A bundle that proves these records as of one block.

    Args:
        records: at least one; each once.
        block: number of the block whose state is proven; the newest if not said. Nodes that are no archives forget
            the state of a block within hours.
        deployment: the settings of which the factory made the registry: owner, rule and salt.

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
    return rfc8785.dumps(bundle)


class _Export:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._chain = registry.chain
        self._headers: dict[str, str] = {}
        self._nodes: set[str] = set()
        self._receipts: dict[str, _Receipts] = {}

    def bundle(self, requests: Sequence[ProofRequest], block: int | None, progress: Progress | None) -> dict[str, Any]:
        state = self._header(
            _ask(self._chain, "eth_getBlockByNumber", hex(block) if block is not None else "latest", False)
        )
        ids = [self._registry.domain.record_id(each.key) for each in requests]
        slots = [record_slot(record_id) for record_id in ids]
        slots += [batch_slot(it.key.group, it.key.author, it.batch.root) for it in requests if it.batch]
        for start in range(0, len(slots), _AT_ONCE):
            keys = [to_hex(slot) for slot in slots[start : start + _AT_ONCE]]
            proof = _ask(self._chain, "eth_getProof", self._registry.address, keys, {"blockHash": state})
            self._add(proof["accountProof"])
            for stored in proof["storageProof"]:
                self._add(stored["proof"])
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
        receipt = _ask(self._chain, "eth_getTransactionReceipt", transaction)
        kinds = {from_hex(first) for first, entry in interface().topics.items() if entry["name"] in names}
        for index, log in enumerate(receipt["logs"] if receipt else ()):
            topics = [bytes.fromhex(it[2:]) for it in log["topics"]]
            if log["address"].lower() == self._registry.address.lower() and topics[0] in kinds and topic in topics[1:]:
                block = receipt["blockHash"]
                number = int(receipt["transactionIndex"], 16)
                if block not in self._receipts:
                    header = _ask(self._chain, "eth_getBlockByHash", block, False)
                    self._header(header)
                    self._receipts[block] = _Receipts(self._chain, header)
                self._nodes.update(self._receipts[block].proof(number))
                return {"block": block, "transaction": number, "log": index}
        raise InputError(
            f"expected an event {' or '.join(names)} of {to_hex(topic)} in transaction {transaction}, got none",
            hint="After a reorganisation it is in another one: look again with `blockchaintracer status`.",
        )

    def _add(self, nodes: Iterable[str]) -> None:
        self._nodes.update(nodes)

    def _header(self, block: Any) -> str:
        """Adds a block's header; its hash."""
        import rlp
        from eth_utils.crypto import keccak

        if block is None:
            raise ChainUnavailable(f"{self._chain.address} doesn't have the block", hint="Ask another node.")
        fields = [
            _integer(block[name]) if name in _NUMBERS else _bytes(block[name]) for name in _HEADER if name in block
        ]
        data = rlp.encode(fields)
        if keccak(data) != _bytes(block["hash"]):
            raise InputError(
                f"expected a header whose Keccak-256 is {block['hash']}, got another: blocks of {self._chain.name}"
                " have a form that is not known here"
            )
        self._headers[block["hash"]] = to_hex(data)
        return str(block["hash"])


class _Receipts:
    """The trie of a block's receipts, built from what the node says and held against the header by whoever verifies."""

    def __init__(self, chain: Chain, block: dict[str, Any]) -> None:
        import rlp
        from trie import HexaryTrie

        self._trie = HexaryTrie({})
        for index, receipt in enumerate(receipts_of_block(chain, block)):
            self._trie[rlp.encode(index)] = _encode_receipt(receipt)

    def proof(self, index: int) -> list[str]:
        import rlp

        return [to_hex(rlp.encode(node)) for node in self._trie.get_proof(rlp.encode(index))]


def _encode_receipt(receipt: Any) -> bytes:
    import rlp

    kind = _integer(receipt.get("type", "0x0"))
    logs = [
        [_bytes(log["address"]), [_bytes(topic) for topic in log["topics"]], _bytes(log["data"])]
        for log in receipt["logs"]
    ]
    outcome = _integer(receipt["status"]) if receipt.get("status") is not None else _bytes(receipt["root"])
    fields = [outcome, _integer(receipt["cumulativeGasUsed"]), _bytes(receipt["logsBloom"]), logs]
    if kind == _DEPOSIT:
        fields += [_integer(receipt[name]) for name in ("depositNonce", "depositReceiptVersion") if receipt.get(name)]
    return (bytes([kind]) if kind else b"") + bytes(rlp.encode(fields))


def _ask(chain: Chain, method: str, *parameters: Any) -> Any:
    """Return a node's answer as JSON: a hash needs each of its fields."""
    try:
        return chain.ask(method, *parameters)
    except NodeError as error:
        raise ChainUnavailable(
            f"{chain.address} refuses {method}: {error.reason}",
            hint="A node that is no archive forgets old state: prove as of a newer block, or ask another node.",
        ) from None


def _integer(text: str) -> int:
    return int(text, 16)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
