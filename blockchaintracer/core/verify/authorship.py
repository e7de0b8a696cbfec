"""Whether the author consented to a record: by sending it, or by a signature that another account relayed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from blockchaintracer.core.chain import Registry
from blockchaintracer.core.chain.abi import interface
from blockchaintracer.core.chain.connection import SentTransaction
from blockchaintracer.core.chain.registry import key_of_abi
from blockchaintracer.core.record import checksummed, from_hex, keccak, record_message, to_hex
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.core.verify.commitments import Commitment
from blockchaintracer.core.verify.inclusion import LEGACY, MAX_TRANSACTION, SIGNED_TYPES, read_transaction, signed_by
from blockchaintracer.core.verify.outcomes import Check, Outcome

_NAME = "author"
_DELEGATED = bytes.fromhex("ef0100")
"""What the code of an account begins with that runs another's code (EIP-7702)."""
_FOR_IT_TO_SAY = "who its code lets act is for that code to say"
_BY_WORD = "by the node's word"
_KEPT = "recovered from its signature: the transaction was kept"


def check_author(registry: Registry, record: RecordView) -> Check:
    """Recover who sent or signed a record from the transaction that stored it, and compare with the author."""
    sent = sent_by(registry, record.transaction, record.id)
    return sent if isinstance(sent, Check) else _judged(_author(registry, record, *sent), sent[2])


def _author(registry: Registry, record: RecordView, transaction: SentTransaction, sender: str, how: str) -> Check:
    author = checksummed(record.key.author)
    values: dict[str, Any] = {"author": author, "sender": sender, "how": "sent"}
    if transaction.to != registry.address:
        return _within_a_call(registry, record, {**values, "through": transaction.to, "how": "call of a contract"})
    if (called := interface().called(transaction.data)) is None:
        return Check(_NAME, Outcome.FAIL, f"transaction {record.transaction} calls nothing that records", values)
    function, arguments = called
    keys = arguments.get("keys") or [arguments.get("key") or arguments.get("evidence")]
    if record.id not in [registry.domain.record_id(key_of_abi(key)) for key in keys if key is not None]:
        return Check(_NAME, Outcome.FAIL, f"transaction {record.transaction} asks for another record", values)
    if sender == author:
        return Check(_NAME, Outcome.PASS, f"{author} sent it, {how}", values)
    values["how"] = "relayed"
    if function != "recordBySig":
        return Check(_NAME, Outcome.FAIL, f"{sender} sent it, not its author {author}, and without a signature", values)
    return _by_signature(registry, record, arguments, values)


def check_anchorer(
    registry: Registry, author: str, batch: Commitment, what: str = "the batch's root", about: str | None = None
) -> Check:
    """Recover who sent the transaction that anchored a batch, or `what` else names an author, and compare. `about` is
    the record that it may be kept with."""
    sent = sent_by(registry, batch.transaction, about or batch.transaction)
    return sent if isinstance(sent, Check) else _judged(_anchorer(registry, author, batch, what, *sent), sent[2])


def _judged(check: Check, how: str) -> Check:
    """Return the check itself. Of a transaction that somebody kept only the author's own signature decides."""
    if how != _KEPT or (check.verdict is Outcome.PASS and check.values["how"] in ("sent", "relayed")):
        return check
    detail = f"who sent it is unknown: of the transaction that was kept, {check.detail}"
    return replace(check, verdict=Outcome.UNKNOWN, detail=detail, values={"forgotten": True})


def _anchorer(
    registry: Registry, author: str, batch: Commitment, what: str, transaction: SentTransaction, sender: str, how: str
) -> Check:
    author = checksummed(author)
    values = {"author": author, "sender": sender, "how": "sent"}
    if sender == author and transaction.to == registry.address:
        return Check(_NAME, Outcome.PASS, f"{author} sent {what}, {how}", values)
    if transaction.to == registry.address:
        return Check(_NAME, Outcome.FAIL, f"{sender} sent {what}, not its author {author}", values)
    if account := _account_with_code(registry, author, batch.position.block):
        detail = f"the author {author} {account}, which sent {what} in a transaction of {sender}: {_FOR_IT_TO_SAY}"
        return Check(_NAME, Outcome.PASS, detail, {**values, "how": "call of a contract"})
    # only an account with code can have done this, and it may have had that for a moment (EIP-7702)
    detail = f"{sender} sent {what} through {transaction.to}: the node doesn't tell what code {author} had then"
    return Check(_NAME, Outcome.UNKNOWN, detail, values)


def sent_by(registry: Registry, identifier: str, about: str) -> tuple[SentTransaction, str, str] | Check:
    """Return a transaction, who sent it and how that is known, or the check that cannot be made without it."""
    chain = registry.chain
    transaction = chain.remembered(lambda: chain.transaction(identifier)) if identifier else None
    if transaction is None and identifier and (kept := registry.kept_inclusion(identifier, about)) and kept.raw:
        transaction = kept.sent()
        return transaction, transaction.sender, _KEPT
    if transaction is None:
        gap = registry.history.gap
        why = f"the node doesn't give transaction {identifier}" if identifier else registry.history.reason
        detail = f"who sent it is unknown: {why}; that its author agreed, the registry checked"
        return Check(_NAME, Outcome.UNKNOWN, detail, {"forgotten": True} if gap or not identifier else {})
    sender, how = sender_of(registry, identifier, transaction)
    if sender is None:
        detail = f"what the node tells of transaction {identifier} is not signed by {transaction.sender}"
        return Check(_NAME, Outcome.FAIL, detail)
    return transaction, sender, how


def _by_signature(registry: Registry, record: RecordView, arguments: dict[str, Any], values: dict[str, Any]) -> Check:
    author, sender = values["author"], values["sender"]
    message = {"record": record_message(record.key), "deadline": arguments["deadline"]}
    signer = signed_by(registry.domain.typed_digest("RecordAuthorization", message), arguments["signature"])
    if signer == author:
        return Check(_NAME, Outcome.PASS, f"{author} signed it, and {sender} relayed the signature", values)
    account = _account_with_code(registry, author, record.block)
    if account:
        detail = f"the author {author} is a contract wallet (ERC-1271) that accepted a signature relayed by {sender}:"
        detail += " it proves what the wallet's code accepted then, and who that lets sign is for the wallet to say"
        return Check(_NAME, Outcome.PASS, detail, {**values, "how": "contract wallet"})
    if account is None:
        return Check(_NAME, Outcome.UNKNOWN, f"the node can't say whether {author} was a contract wallet then", values)
    signed = f"that of {signer}" if signer else "none"
    return Check(_NAME, Outcome.FAIL, f"expected a signature of {author}, relayed by {sender}, got {signed}", values)


def _within_a_call(registry: Registry, record: RecordView, values: dict[str, Any]) -> Check:
    """Check a record that another contract stored, whose call is not part of the transaction."""
    author, sender, through = values["author"], values["sender"], values["through"]
    if account := _account_with_code(registry, author, record.block):
        detail = f"the author {author} {account}, which recorded in a transaction that {sender} sent to {through}"
        return Check(_NAME, Outcome.PASS, f"{detail}: {_FOR_IT_TO_SAY}", values)
    detail = f"{sender} sent it through the contract {through}: the signature of {author} that the registry asked for"
    return Check(_NAME, Outcome.UNKNOWN, f"{detail} is not in the transaction's own data", values)


def sender_of(registry: Registry, identifier: str, transaction: SentTransaction) -> tuple[str | None, str]:
    """Return who sent a transaction, None if its signature disagrees, and how that is known."""
    raw = registry.chain.raw_transaction(identifier)
    if not raw:
        return transaction.sender, _BY_WORD
    stated = from_hex(transaction.to or "0x"), transaction.data
    if to_hex(keccak(raw)) != identifier or any(part not in raw for part in stated):
        return None, ""
    if (raw[0] < LEGACY and raw[0] not in SIGNED_TYPES) or len(raw) > MAX_TRANSACTION:
        # rollups have types of their own that no account signs
        return transaction.sender, _BY_WORD
    try:
        signed = read_transaction(raw)
    except ValueError:
        return None, ""
    return (signed[0], "recovered from its signature") if signed == (transaction.sender, *stated) else (None, "")


def _account_with_code(registry: Registry, address: str, block: int) -> str | None:
    """Say what an account with code was in a block (0 if that is not known): "" if it had none, None if the node does
    not tell and there is none now."""
    code = registry.chain.remembered(lambda: registry.chain.code(address, block)) if block else None
    if code is None and not (code := registry.chain.code(address)):
        return None
    delegate = f"ran the code of 0x{code[3:].hex()} by EIP-7702"
    return delegate if code.startswith(_DELEGATED) else "is a contract" if code else ""
