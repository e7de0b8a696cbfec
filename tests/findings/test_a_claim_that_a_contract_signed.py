"""A claim that the code of an account signed can be kept since it is checked on the chain. Every bundle that had it was
"not verified": without a chain nobody can ask that code."""

from __future__ import annotations

from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from blockchaintracer.core.manifest import Manifest
from blockchaintracer.core.manifest.predicates import IdentityClaimPredicate, IdentityStatement
from blockchaintracer.core.record import Domain, Kind, RecordKey, SubjectType
from blockchaintracer.lab.kept_identities import IdentityRecord, holder_name, keep, of_a_bundle
from blockchaintracer.lab.lab_folder import Home

pytestmark = pytest.mark.fast

DOMAIN = Domain(1, "0x" + "11" * 20)
OWNER, WALLET = Account.from_key("0x" + "01" * 32), Account.from_key("0x" + "02" * 32)


def claim(identifier: str, signer: object) -> IdentityRecord:
    statement = IdentityStatement(
        chain_id="1",
        registry=DOMAIN.registry,
        account=WALLET.address.lower(),
        scheme="domain",
        identifier=identifier,
        signed_at="1",
        nonce="0x" + "00" * 32,
    )
    signature = signer.sign_message(encode_typed_data(full_message=statement.typed_data())).signature  # type: ignore[attr-defined]
    predicate = IdentityClaimPredicate(
        name=f"domain {identifier}", subject_type="statement", statement=statement, signature=f"0x{signature.hex()}"
    )
    made = Manifest.of(Kind.IDENTITY_CLAIM, predicate)
    subject = statement.digest()
    key = RecordKey(1, WALLET.address, SubjectType.STATEMENT, subject, Kind.IDENTITY_CLAIM, made.digest())
    return IdentityRecord(key, made)


def test_a_bundle_does_without_it(tmp_path: Path) -> None:
    home, name = Home(tmp_path / "home"), holder_name(DOMAIN, account=WALLET.address)
    by_key, by_code = claim("key.example", WALLET), claim("code.example", OWNER)
    keep(home, DOMAIN, name, by_key, by_code)
    [kept] = of_a_bundle(home, DOMAIN, [by_key.key])
    assert [it["key"]["subject"] for it in kept["records"]] == [by_key.key.subject]
