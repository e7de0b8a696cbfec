"""Proves what a node says of a block: that its receipts are those of its header, and the header the one of its hash.

Sources: EIP-2718 (typed receipts), the Ethereum yellow paper, appendix D (tries).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from blockchaintracer.core.chain import Chain, Registry
from blockchaintracer.core.errors import ChainUnavailable, InputError, NodeError
from blockchaintracer.core.record import keccak, to_hex
from blockchaintracer.core.verify.chain_shapes import HEADER
from blockchaintracer.core.verify.inclusion import Inclusion

_DEPOSIT = 0x7E
"""OP Stack: receipts of deposits have two fields more"""


def header_of(chain: Chain, block: dict[str, Any]) -> str:
    """Return the header (0x-hex) of a block that a node gives. It has the block's hash.

    Raises:
        ChainUnavailable: if its Keccak-256 is another: the node errs, or the chain's blocks have another form.
    """
    import rlp

    try:
        fields = [
            (_bytes if shape == "bytes" or isinstance(shape, int) else _integer)(block[name])
            for name, shape in HEADER
            if name in block
        ]
        data = bytes(rlp.encode(fields))
    except (ValueError, TypeError):
        data = b""
    if keccak(data) != _bytes(block["hash"]):
        raise ChainUnavailable(
            f"{chain.address} gives a header of block {block['hash']} that has another hash: it errs, or blocks of"
            f" {chain.name} have a form that is not known here",
            hint="Ask another node.",
        )
    return to_hex(data)


class BlockReceipts:
    """The receipts of a block that a node gives, as it gives them. They are those of the block's header.

    Args:
        block: as the node gives it, without the content of its transactions.

    Raises:
        ChainUnavailable: if the node does not give all of them, or others, or as `header_of`.
    """

    def __init__(self, chain: Chain, block: dict[str, Any]) -> None:
        import rlp
        from trie import HexaryTrie

        self.header = header_of(chain, block)
        self.all = _receipts_of(chain, block)
        self._trie = HexaryTrie({})
        try:
            for index, receipt in enumerate(self.all):
                self._trie[rlp.encode(index)] = _encoded(receipt)
            is_whole = self._trie.root_hash == _bytes(block["receiptsRoot"])
        except (ValueError, TypeError, LookupError):
            is_whole = False
        if not is_whole:
            raise ChainUnavailable(
                f"{chain.address} gives receipts of block {block['hash']} that are not those of its header",
                hint="Ask another node.",
            )

    def inclusion(self, transaction: str, index: int) -> Inclusion:
        """Return the proof of the receipt of a transaction, by its place in the block."""
        import rlp

        nodes = [to_hex(rlp.encode(node)) for node in self._trie.get_proof(rlp.encode(index))]
        return Inclusion(transaction, self.header, index, tuple(nodes))


def prove_inclusion(
    chain: Chain, transaction: str, known: dict[str, BlockReceipts] | None = None, raw: bytes | None = None
) -> Inclusion:
    """Prove that a block holds the receipt of a transaction.

    Args:
        known: the blocks that were read before; this one is added.
        raw: the transaction as it was signed; asked for if not given.

    Raises:
        ChainUnavailable: if the node does not give the receipts of the block, or not its own.
        InputError: if the transaction was refused.
    """
    known = {} if known is None else known
    receipt = chain.ask("eth_getTransactionReceipt", transaction)
    if receipt is None:
        raise ChainUnavailable(f"{chain.address} does not give the receipt of {transaction}", hint="Ask another node.")
    if (name := receipt["blockHash"]) not in known:
        block = chain.ask("eth_getBlockByHash", name, False)
        if block is None:
            raise ChainUnavailable(f"{chain.address} doesn't have the block", hint="Ask another node.")
        known[name] = BlockReceipts(chain, block)
    inclusion = known[name].inclusion(transaction.lower(), int(receipt["transactionIndex"], 16))
    try:
        inclusion.receipt()
    except ValueError as error:
        raise InputError(f"the receipt of {transaction} proves nothing: {error}") from None
    if data := raw or chain.raw_transaction(transaction):
        # a rollup has transactions that no account signed
        with suppress(ValueError):
            signed = replace(inclusion, raw=to_hex(data))
            return signed if signed.sent() else inclusion
    return inclusion


def inclusion_of(registry: Registry, transaction: str, known: dict[str, BlockReceipts] | None = None) -> Inclusion:
    """Prove it as `prove_inclusion`. Where the node has forgotten the receipt, return the proof that was kept."""
    try:
        return prove_inclusion(registry.chain, transaction, known)
    except ChainUnavailable:
        if (kept := registry.kept_inclusion(transaction, transaction)) is None:
            raise
        return kept


def _receipts_of(chain: Chain, block: dict[str, Any]) -> list[dict[str, Any]]:
    """All receipts of a block in order: one by one if the node can't give them at once."""
    transactions = block.get("transactions") or []
    try:
        receipts = chain.ask("eth_getBlockReceipts", block["hash"])
    except NodeError:
        receipts = None
    if receipts is None:
        receipts = chain.node.ask_many([("eth_getTransactionReceipt", (it,)) for it in transactions])
    if len(receipts) != len(transactions) or None in receipts:
        raise ChainUnavailable(f"{chain.address} does not give all receipts of block {block['hash']}")
    return list(receipts)


def _encoded(receipt: Any) -> bytes:
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


def _integer(text: str) -> int:
    return int(text, 16)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
