"""What an outbox holds of each operation: its name, its fields and what makes it the same transaction again."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest

from blockchaintracer.core.chain.abi import interface
from blockchaintracer.core.record import Link, RecordKey, from_hex
from blockchaintracer.lab.outbox.transactions import Op, Transaction, from_payload

ADDRESS = "0x1111111111111111111111111111111111111111"
DIGEST = "ab" * 32
ID = "0x" + DIGEST
KEY = RecordKey(1, ADDRESS, 1, DIGEST, 1, DIGEST, (Link("0x" + "cd" * 32, 1),)).as_json()
INVITATION = {
    "group": 1,
    "inviter": ADDRESS,
    "account": ADDRESS,
    "roles": 7,
    "until": 9,
    "inviterVersion": 1,
    "version": 0,
    "deadline": 5,
}
OF_RECORD = {"record_id": ID, "key": KEY}
VERDICT = {"record_id": ID, "group": 1, "version": 2, "verdict": 2, "evidence": KEY}
SIGNED = {"deadline": 5, "signature": "0x" + "ab" * 65}
BATCH = {"group": 1, "author": ADDRESS, "root": ID, "count": 3, "manifest": DIGEST}
BOUNTY = {"sponsor": ADDRESS, "record": ID, "groups": [2], "token": ADDRESS, "share": 10**18}
BOUNTY |= {"entry_until": 5, "verdict_until": 9}
KEPT: dict[str, dict[str, Any]] = {
    "fund-proxy": {},
    "deploy-proxy": {},
    "deploy-factory": {},
    "deploy-lens": {},
    "deploy": {"owner": ADDRESS, "open_group_creation": True, "salt": ID, "factory": None},
    "create-group": {"owner": ADDRESS, "manifest": DIGEST, "roles": 7},
    "join-group": {"invitation": INVITATION, "signature": "0x" + "ab" * 65},
    "remove-member": {"group": 1, "account": ADDRESS, "version": 2},
    "transfer-group": {"group": 1, "to": ADDRESS, "seen": 7},
    "accept-group": {"group": 1, "owner": ADDRESS, "seen": 7},
    "describe-group": {"group": 1, "manifest": DIGEST, "seen": 7},
    "transfer-registry": {"to": ADDRESS, "seen": 7},
    "accept-registry": {"owner": ADDRESS, "seen": 7},
    "announce-successor": {"chain_id": 5, "successor": ADDRESS, "seen": 7},
    "record": OF_RECORD,
    "record-by-signature": {**OF_RECORD, **SIGNED},
    "retract": {**OF_RECORD, "reason": DIGEST},
    "attest": VERDICT,
    "attest-by-signature": {**VERDICT, **SIGNED, "attester": ADDRESS},
    "withdraw": {"record_id": ID, "group": 1, "version": 2},
    "attest-foreign": {**VERDICT, "chain_id": 5, "foreign_registry": ADDRESS, "reference": None},
    "seal": {"group": 1, "author": ADDRESS, "commitment": ID},
    "reveal": {**OF_RECORD, "salt": ID},
    "reveal-verdict": {**VERDICT, "salt": ID},
    "anchor": BATCH,
    "anchor-leaves": {**BATCH, "ids": [ID, "0x" + "cd" * 32]},
    "materialize": {**OF_RECORD, "root": ID, "proof": [ID]},
    "cancel": OF_RECORD,
    "end-batch": {"group": 1, "author": ADDRESS, "root": ID},
    "deploy-bounty": {},
    "approve-bounty": {"token": ADDRESS, "owner": ADDRESS, "amount": 10**30},
    "bounty": {"id": ID, "function": "fund", "bounty": BOUNTY, "more": [], "wei": 10**18},
}
IDENTITIES = "3e0fe666c1da7e8bac38215422a604a95022b668e69cd29a7790fd3e3c760285"
"""SHA-256 over the identities of all of these, as outboxes have held them from the first version on."""


def test_an_outbox_of_an_earlier_version_is_read_as_it_was_written() -> None:
    assert set(KEPT) == set(Op)
    identities = ""
    for op, fields in KEPT.items():
        payload = {"registry": ADDRESS, **fields}
        write = from_payload(op, json.loads(json.dumps(payload)))
        assert write.payload() == payload
        identities += write.identity
    assert sha256(identities.encode()).hexdigest() == IDENTITIES


def test_an_operation_has_its_own_fields_alone() -> None:
    with pytest.raises(TypeError, match="group to"):
        Transaction(Op.TRANSFER_GROUP, ADDRESS, group=1)


def test_a_transaction_shows_no_salt() -> None:
    assert DIGEST not in repr(from_payload("reveal", {"registry": ADDRESS, **KEPT["reveal"]}))


def test_a_signed_call_for_many_records_vouches_for_these_and_no_other():
    """A write that was planted beside it has not been signed."""
    keys = [RecordKey(1, ADDRESS, 1, f"{number:064x}", 1, DIGEST, (Link(ID, 1),) * (number % 2)) for number in range(4)]
    writes = [Transaction(Op.RECORD, ADDRESS, record_id=ID, key=key) for key in keys]
    many = from_hex(interface().call("recordMany", [key.as_abi() for key in keys[:3]]))
    assert [write.is_among(many) for write in writes] == [True, True, True, False]
    assert not writes[0].is_among(from_hex(interface().call("record", keys[0].as_abi())))
    retraction = Transaction(Op.RETRACT, ADDRESS, record_id=ID, key=keys[0], reason=DIGEST)
    assert not retraction.is_among(many)
    assert sum(write.size for write in writes[:3]) + 68 == len(many)
