"""A claim's statement: what is signed, what it is bound to, and what other sides may call it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import Manifest, parse_manifest
from blockchaintracer.core.manifest.predicates import IdentityClaimPredicate, IdentityStatement
from blockchaintracer.core.record import Domain, Kind, RecordKey
from blockchaintracer.core.verify.content_checks import check_subject
from blockchaintracer.core.verify.copies import FolderCopies
from blockchaintracer.core.verify.outcomes import Outcome
from blockchaintracer.extras import identity
from blockchaintracer.extras.identity.identity_claims import check_claim, names
from blockchaintracer.extras.identity.identity_page import judge_page, page

MEMBER = Account.from_key(b"\1" * 32)
REGISTRY = "0x" + "12" * 20
DOMAIN = Domain(1, REGISTRY)


def statement(**fields: Any) -> IdentityStatement:
    given = {"chainId": "1", "registry": REGISTRY, "account": MEMBER.address.lower(), "scheme": "orcid"}
    given |= {"identifier": "0000-0002-1825-0097", "signedAt": "1700000000", "nonce": "0x" + "ab" * 32}
    return IdentityStatement.from_plain({name: value for name, value in (given | fields).items() if value is not None})


def signed(said: IdentityStatement, by: Any = MEMBER) -> Manifest:
    signature = Account.sign_message(encode_typed_data(full_message=said.typed_data()), by.key).signature
    return manifest_of(said, f"0x{signature.hex()}")


def manifest_of(said: IdentityStatement, signature: str) -> Manifest:
    claim = IdentityClaimPredicate(name="it", subject_type="statement", statement=said, signature=signature)
    return Manifest.of(Kind.IDENTITY_CLAIM, claim)


def key_of(manifest: Manifest, **changed: Any) -> RecordKey:
    fields = {"group": 1, "author": MEMBER.address, "subject_type": 5, "subject": manifest.subject_digest}
    fields |= {"kind": Kind.IDENTITY_CLAIM, "manifest": manifest.digest()}
    return RecordKey(**(fields | changed))


def word(value: int | str | bytes) -> bytes:
    if isinstance(value, str):
        value = int(value, 16)
    return value.to_bytes(32, "big") if isinstance(value, int) else keccak(value)


@pytest.mark.parametrize("group", [None, 7])
def test_the_digest_is_that_of_eip_712_computed_by_hand(group: int | None) -> None:
    said = statement(group=group)
    kind = b"IdentityClaim(address account,uint32 group,string scheme,string identifier,uint40 signedAt,bytes32 nonce)"
    fields = [word(kind), word(said.account), word(group or 0), word(b"orcid"), word(said.identifier.encode())]
    struct = keccak(b"".join([*fields, word(1700000000), b"\xab" * 32]))
    domain = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    parts = [word(domain), word(b"BlockchainTracer LabRegistry"), word(b"1"), word(1), word(REGISTRY)]
    assert said.digest() == keccak(b"\x19\x01" + keccak(b"".join(parts)) + struct).hex()


def test_a_claim_survives_its_bytes_and_holds() -> None:
    manifest = parse_manifest(signed(statement()).to_bytes())
    assert manifest.predicate_type == "urn:blockchaintracer:predicate:identity-claim:v1"
    assert check_claim(manifest, key_of(manifest), DOMAIN).statement == statement()


@pytest.mark.parametrize(("group", "whose"), [(None, f"account {MEMBER.address.lower()}"), (7, "group 7")])
def test_the_subject_of_a_claim_is_computed_again(group: int | None, whose: str) -> None:
    manifest = signed(statement(group=group, scheme="domain", identifier="ex\u0430mple.org"))
    [check] = check_subject(FolderCopies(), key_of(manifest), manifest)
    assert check.verdict is Outcome.PASS
    told = f"the EIP-712 digest of its author's statement: {whose} is domain 'ex\\u0430mple.org'"
    assert check.detail == f"it is {told}"
    [check] = check_subject(FolderCopies(), key_of(manifest, subject="22" * 32), manifest)
    assert (check.verdict, check.detail) == (Outcome.FAIL, f"it is not {told}")


def test_another_digest_as_subject_is_refused() -> None:
    data = signed(statement()).to_json()
    data["subject"][0]["digest"]["sha256"] = hashlib.sha256(b"").hexdigest()
    with pytest.raises(InputError, match="EIP-712 digest of the statement"):
        Manifest.from_plain(data)


def test_names_hold_chain_and_registry() -> None:
    own, group = statement(), statement(group=7)
    where = f"eip155:1:{REGISTRY}"
    account = MEMBER.address.lower()
    assert names(own) == {f"{where}/claim/0x{own.digest()}": "claim", f"{where}/account/{account}": "account"}
    assert names(group) == {f"{where}/claim/0x{group.digest()}": "claim", f"{where}/group/7": "group"}


def test_the_published_schema_is_that_of_the_pages_that_are_written_and_read() -> None:
    root = Path(__file__).parents[2] / "docs"
    shipped = Path(identity.__file__).with_name("identity-page.schema.json").read_text()
    assert shipped == (root / "identity-page.schema.json").read_text()
    schema = json.loads(shipped)
    for scheme, identifier in (("domain", "example.org"), ("github", "octocat"), ("ens", "name.eth")):
        said = statement(scheme=scheme, identifier=identifier)
        made = page(said, *names(said))
        jsonschema.validate(made, schema)
        assert judge_page(json.dumps(made).encode(), said).by == "claim"
    wrong = made | {"names": ["0x" + "ab" * 32]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema)
    documented = next(line for line in (root / "identity.md").read_text().splitlines() if line.startswith('{"type"'))
    jsonschema.validate(json.loads(documented), schema)
