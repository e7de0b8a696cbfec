"""The claims of one record could name hundreds of services of a stranger, each of which was asked for minutes; and one
claim too many made all that a lab keeps of an account unreadable."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.identity.holders import ask
from blockchaintracer.extras.identity.identity_claims import holder_of
from blockchaintracer.extras.identity.other_side import Asking
from blockchaintracer.lab.kept_identities import MAX_RECORDS, IdentityEvidence, IdentityRecord, file_name, keep
from blockchaintracer.lab.lab_folder import Home
from tests.fast.test_identity_claims import DOMAIN, key_of, manifest_of, statement

pytestmark = pytest.mark.fast


def test_all_claims_have_one_time() -> None:
    assert 0 < Asking().until - time.monotonic() <= 120
    named, page = ask(statement(scheme="domain", identifier="slow.example"), Asking(until=time.monotonic()))
    assert page is None
    assert str(named).count("not asked: the 120 seconds for all claims are over") == 3


def test_a_file_that_would_be_too_long_is_not_written(tmp_path: Path) -> None:
    entries = []
    for number in range(MAX_RECORDS + 1):
        manifest = manifest_of(statement(nonce=f"0x{number:064x}"), "0x" + "11" * 65)
        entries.append(IdentityRecord(key_of(manifest), manifest))
    name = holder_of(DOMAIN, statement())
    keep(Home(tmp_path), DOMAIN, name, *entries[1:])
    keep(Home(tmp_path), DOMAIN, name, entries[1])
    with pytest.raises(InputError, match=f"or {MAX_RECORDS} records"):
        keep(Home(tmp_path), DOMAIN, name, entries[0])
    assert len(IdentityEvidence.parse((tmp_path / file_name(name)).read_bytes(), "it").entries) == MAX_RECORDS
