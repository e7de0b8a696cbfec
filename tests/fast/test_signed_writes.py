"""A file of signed writes that a stranger changed in one place is refused, or is another file of the same form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import Domain, Link, RecordKey
from blockchaintracer.lab.outbox import Op, Transaction
from blockchaintracer.lab.relay import SignedWrites
from tests.support.mutations import changes

SIGNER = to_checksum_address("0x" + "1a" * 20)
DOMAIN = Domain(5, to_checksum_address("0x" + "2b" * 20))
ID = "0x" + "ef" * 32
KEY = RecordKey(
    group=1, kind=3, subject_type=4, author=SIGNER, subject="ab" * 32, manifest="cd" * 32, parents=(Link(ID, 8),)
)
SIGNED = {"deadline": 1_800_000_000, "signature": "0x" + "12" * 65}


def request() -> dict[str, Any]:
    verdict = {"record_id": ID, "group": 1, "version": 0, "verdict": 2, "evidence": KEY, "attester": SIGNER}
    writes = (
        Transaction(Op.RECORD_BY_SIGNATURE, DOMAIN.registry, record_id=DOMAIN.record_id(KEY), key=KEY, **SIGNED),
        Transaction(Op.ATTEST_BY_SIGNATURE, DOMAIN.registry, **verdict, **SIGNED),
        Transaction(Op.ATTEST_BY_SIGNATURE, DOMAIN.registry, **verdict | {"evidence": None, "verdict": 1}, **SIGNED),
    )
    return SignedWrites(DOMAIN, SIGNER, SIGNED["deadline"], writes).as_json()


def read(folder: Path, data: Any) -> dict[str, Any]:
    file = folder / "request.json"
    file.write_text(json.dumps(data))
    return SignedWrites.read_file(file).as_json()


def test_what_was_written_is_read(tmp_path) -> None:
    assert read(tmp_path, request()) == request()


def test_every_change_of_one_field(tmp_path) -> None:
    taken = 0
    for where, changed in changes(request()):
        try:
            again = read(tmp_path, changed)
        except InputError:
            continue
        taken += 1
        assert again == changed, where
    # another digit of a digest or a signature is for the registry to refuse
    assert taken > 20


def test_a_file_that_is_not_there(tmp_path) -> None:
    with pytest.raises(InputError, match="expected signed writes in"):
        SignedWrites.read_file(tmp_path / "none.json")
