"""Records and verdicts of a member without coin: signed into a file by the member, sent and paid for by another key."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import ContractRevert, InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.plain_json import as_json, read_strictly
from blockchaintracer.core.record import (
    Domain,
    RecordKey,
    Verdict,
    checksummed,
    from_hex,
    normal_id,
    record_message,
    to_hex,
    unsigned,
)
from blockchaintracer.lab.chain.questions import estimate_gas
from blockchaintracer.lab.formats import SIGNED_WRITES
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Entry, EntryState, Op, Transaction
from blockchaintracer.lab.outbox.transactions import MOST_GAS

EXISTS = "exists already"
_SIGNED = {Op.RECORD: Op.RECORD_BY_SIGNATURE, Op.ATTEST: Op.ATTEST_BY_SIGNATURE}
_MAX_BYTES = 1 << 20
_MAX_WRITES = 256
_FIELDS = {
    Op.RECORD_BY_SIGNATURE: ("key",),
    Op.ATTEST_BY_SIGNATURE: ("recordId", "group", "version", "verdict", "evidence"),
}


@dataclass(frozen=True)
class SignedWrites:
    """What one account signed for one registry, to be sent by anybody until the deadline (Unix seconds)."""

    domain: Domain
    signer: str
    deadline: int
    writes: tuple[Transaction, ...]

    def as_json(self) -> dict[str, Any]:
        """Return JSON-ready values; `read_file` takes them back."""
        names = {signed: op for op, signed in _SIGNED.items()}
        writes = [(write, as_json(write.fields) | {"recordId": write.record_id}) for write in self.writes]
        return {
            **SIGNED_WRITES.header(),
            "chainId": str(self.domain.chain_id),
            "registry": self.domain.registry,
            "signer": self.signer,
            "deadline": self.deadline,
            "writes": [
                {"operation": names[write.op], **{name: fields[name] for name in (*_FIELDS[write.op], "signature")}}
                for write, fields in writes
            ],
        }

    @classmethod
    def read_file(cls, path: Path) -> SignedWrites:
        """Read a request of any origin. The registry checks each signature before anything is paid.

        Raises:
            InputError: if it isn't a request of this version.
        """
        content = read_limited(path, _MAX_BYTES, "signed writes")
        return read_strictly(content, SIGNED_WRITES, str(path), cls._from_json, cls.as_json)

    @classmethod
    def _from_json(cls, data: dict[str, Any]) -> SignedWrites:
        if not 0 < len(data["writes"]) <= _MAX_WRITES:
            raise InputError(f"{len(data['writes'])} writes, at most {_MAX_WRITES}")
        domain = Domain(int(data["chainId"]), checksummed(data["registry"], "a registry's address"))
        signer, deadline = checksummed(data["signer"], "the signer's address"), unsigned(data["deadline"], 40)
        # the registry takes times that no calendar has
        datetime.fromtimestamp(deadline, UTC)
        writes = tuple(_parsed(write, domain, signer, deadline) for write in data["writes"])
        return cls(domain, signer, deadline, writes)


def _parsed(data: dict[str, Any], domain: Domain, signer: str, deadline: int) -> Transaction:
    op = _SIGNED[Op(data["operation"])]
    fields = {name: data[name] for name in _FIELDS[op] if name != "recordId"}
    if op is Op.RECORD_BY_SIGNATURE:
        fields["key"] = key = RecordKey.from_json(data["key"])
        fields["record_id"] = domain.record_id(key)
        if checksummed(key.author) != signer:
            raise ValueError(f"a record of {key.author}, signed by {signer}")
    else:
        evidence = RecordKey.from_json(data["evidence"]) if data["evidence"] else None
        fields |= {"record_id": normal_id(data["recordId"]), "evidence": evidence}
        fields |= {"verdict": int(Verdict(data["verdict"])), "attester": signer}
    signature = from_hex(data["signature"])
    write = Transaction(op, domain.registry, **fields, deadline=deadline, signature=to_hex(signature))
    # what can't be encoded is refused here, before anything of it is shown or sent
    domain.typed_digest(*_message(write, domain, signer, deadline))
    return write


def sign_waiting(lab: Lab, valid_s: int) -> tuple[SignedWrites, list[Entry]]:
    """Sign the records and verdicts of the signer that wait for this registry, in order. Nothing is sent.

    Returns:
        the request, and what waits besides: only the account itself can do that.
    """
    lab.outbox.store_captured(lab.store.put_bytes)
    signer, domain, deadline = lab.signer, lab.domain, int(time.time()) + valid_s
    waiting = [
        entry
        for entry in lab.outbox.entries_in(domain)
        if entry.state is EntryState.STORED and checksummed(entry.sender) == signer.address
    ]
    writes = []
    for write in (entry.write for entry in waiting if entry.write.op in _SIGNED):
        signature = signer.sign_typed_data(domain.typed_data(*_message(write, domain, signer.address, deadline)))
        more = {"attester": signer.address} if write.op is Op.ATTEST else {}
        fields = {**write.fields, **more, "deadline": deadline, "signature": to_hex(signature)}
        writes.append(Transaction(_SIGNED[write.op], domain.registry, **fields))
    if not writes:
        raise InputError(
            f"no record or verdict of {signer.address} waits here",
            hint="`record --wait stored` makes one; `outbox list --waiting` shows what waits.",
        )
    others = [entry for entry in waiting if entry.write.op not in _SIGNED]
    return SignedWrites(domain, signer.address, deadline, tuple(writes)), others


def _message(write: Transaction, domain: Domain, signer: str, deadline: int) -> tuple[str, dict[str, Any]]:
    """The EIP-712 type and message by which the signer has somebody else send a record or a verdict."""
    if "key" in write.fields:
        return "RecordAuthorization", {"record": record_message(write.key), "deadline": deadline}
    evidence = domain.record_id(write["evidence"]) if write["evidence"] else "00" * 32
    ids = {"recordId": from_hex(write["record_id"]), "evidence": from_hex(evidence)}
    rest = {name: write[name] for name in ("group", "verdict", "version")}
    return "AttestationAuthorization", {**ids, **rest, "attester": signer, "deadline": deadline}


def require_payable(lab: Lab, request: SignedWrites) -> None:
    """Check that a request is for the lab's chain, registry and group, and still good."""
    if request.domain != lab.domain:
        raise InputError(
            f"expected writes for the registry {lab.domain.registry} on chain {lab.chain_id}, got some for "
            f"{request.domain.registry} on chain {request.domain.chain_id}",
            hint="Pay for your own registry only; choose it with --registry and --network or --rpc.",
        )
    now, group = lab.chain.head().timestamp, lab.group()
    if request.deadline < now:
        raise InputError(
            f"the signatures were good until {request.deadline}, and it is {now}", hint="Ask for new ones."
        )
    if others := {group_of(write) for write in request.writes} - {group}:
        raise InputError(
            f"expected writes for group {group}, got some for {sorted(others)}",
            hint="Choose the group that you pay for with --group NUMBER.",
        )


def group_of(write: Transaction) -> int:
    """Return the group that a signed write is for."""
    return write.key.group if "key" in write.fields else int(write["group"])


def gas_of(lab: Lab, write: Transaction) -> tuple[int | None, str]:
    """Estimate the gas of a signed write: 0 if its effect is there already, None with the reason if it is refused."""
    try:
        if write.is_done(lab.chain):
            return 0, EXISTS
        write.check(lab.chain, lab.signer.address)
    except (ContractRevert, InputError) as error:
        return None, error.message
    to, data = write.call(lab.chain)
    call = {"from": lab.signer.address, "to": to, "data": data}
    gas = estimate_gas(lab.chain, call)
    return (gas, "") if gas * 5 // 4 <= MOST_GAS else (None, f"it would take {gas:,} gas: its contract burns it")


def relay(lab: Lab, request: SignedWrites) -> Iterator[tuple[Transaction, Entry | None, str]]:
    """Send a request's writes in order, each through the outbox; yield each with its entry, and its state or why it was
    refused. After an interruption repeat it: what is there is not paid for again."""
    require_payable(lab, request)
    for write in request.writes:
        try:
            if write.is_done(lab.chain):
                yield write, None, EXISTS
            else:
                [entry] = lab.write(write)
                yield write, entry, str(entry.state)
        except (ContractRevert, InputError) as error:
            yield write, None, error.message
