"""Somebody with a group of their own recorded an equal statement and retracted it: the honest claim was shown as
revoked. A forged claim that was looked at was kept and published as the lab's. A thief's claim, recorded for a group of
the thief, counted wherever no record of the honest group was shown."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import Manifest, parse_manifest
from blockchaintracer.core.manifest.predicates import RecordPredicate
from blockchaintracer.core.record import Kind, Link, Relation, Role
from blockchaintracer.core.verify.locate import key_identifier
from blockchaintracer.extras.identity.confirm import chosen, claim_entry
from blockchaintracer.extras.identity.holders import CHECKED, known_names, of_names
from blockchaintracer.extras.identity.identity_claims import claim, holder_of
from blockchaintracer.lab.attest import retract
from blockchaintracer.lab.groups import create_group, invite, join
from blockchaintracer.lab.kept_identities import IdentityEvidence, IdentityRecord
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.commit import commit
from blockchaintracer.lab.recording.content import commit_document
from blockchaintracer.lab.rotation import report_key
from tests.support.labs import second_lab

pytestmark = pytest.mark.node
ORCID, OTHER = "0000-0002-1825-0097", "0000-0002-1694-233X"


def entry_of(lab: Lab, record: str) -> IdentityRecord:
    return claim_entry(lab, record)


def said(entry: IdentityRecord) -> Any:
    return entry.manifest.predicate.statement  # type: ignore[union-attr]


def changed(entry: IdentityRecord, **fields: Any) -> Manifest:
    predicate = entry.manifest.predicate
    return Manifest.of(entry.manifest.kind, type(predicate).from_plain(predicate.to_json() | fields))  # type: ignore[arg-type]


def states(lab: Lab, entry: IdentityRecord, **more: Any) -> list[str]:
    name = holder_of(lab.domain, said(entry))
    handed = IdentityEvidence(lab.domain, name, (entry,))
    return [it.state for it in of_names(lab, [name], handed=[handed], **more)]


def test_a_stranger_revokes_no_claim(lab: Lab, tmp_path: Path) -> None:
    entry = entry_of(lab, claim(lab, "orcid", ORCID, for_group=False).id)
    stranger = second_lab(lab, tmp_path / "stranger")
    again = commit(stranger, changed(entry, name="as if it was mine"), ())
    retract(stranger, again.id, "to spoil the other's")
    assert states(lab, entry) == ["never confirmed"]


def test_a_forged_claim_that_is_looked_at_is_not_kept(lab: Lab, tmp_path: Path) -> None:
    entry = entry_of(lab, claim(lab, "orcid", ORCID, for_group=False).id)
    stranger = second_lab(lab, tmp_path / "stranger")
    forged = commit(stranger, changed(entry, name="replayed"), ())
    publish(stranger, forged.id, tmp_path / "published")
    before = known_names(lab)
    with pytest.raises(InputError, match="replayed"):
        chosen(lab, [forged.id], [str(tmp_path / "published")])
    assert known_names(lab) == before


def test_a_thief_s_claim_counts_nowhere(lab: Lab, tmp_path: Path) -> None:
    member = second_lab(lab, tmp_path / "member")
    join(member, invite(lab, lab.group(), member.signer.address, Role.RECORDER))
    since = lab.chain.head().timestamp + 1
    lab.chain.ask("anvil_mine", "0x1", "0x3c")
    create_group(member, "of the thief")
    theirs = entry_of(member, claim(member, "orcid", OTHER, for_group=False).id)
    statement = report_key(lab, member.signer.address, _iso(since), "stolen")
    assert states(lab, theirs) == ["refused"]
    # whoever has not the statement's manifest can't tell since when, and is told so
    name = holder_of(lab.domain, said(theirs))
    handed = [IdentityEvidence(lab.domain, name, (theirs,))]
    (holder,) = of_names(member, [name], handed=handed)
    assert statement.id in holder.unknown
    # somebody else's group says nothing of a key that is no member's
    stranger = second_lab(lab, tmp_path / "stranger")
    honest = entry_of(lab, claim(lab, "orcid", ORCID, for_group=False).id)
    _state(stranger, lab.signer.address, since)
    assert states(stranger, honest) == ["never confirmed"]


def test_what_a_stolen_key_saw_counts_not(lab: Lab, tmp_path: Path) -> None:
    member = second_lab(lab, tmp_path / "member")
    join(member, invite(lab, lab.group(), member.signer.address, Role.RECORDER))
    other = second_lab(lab, tmp_path / "other")
    entry = entry_of(other, claim(other, "orcid", ORCID, for_group=False).id)
    since = lab.chain.head().timestamp + 1
    lab.chain.ask("anvil_mine", "0x1", "0x3c")
    member.group_number = lab.group()
    told = {"method": "orcid", "address": "it", "fetchedAt": since}
    link = Link(lab.domain.record_id(entry.key), Relation.CONFIRMS)
    document = commit_document(
        member, Kind.DOCUMENT, "ab" * 32, [link], name="a check", subject_type="file", values={CHECKED: told}
    )
    check = entry_of_document(member, document.id)
    name = holder_of(lab.domain, said(entry))
    handed = [IdentityEvidence(lab.domain, name, (entry, check))]
    assert [it.state for it in of_names(lab, [name], handed=handed)] == ["seen"]
    report_key(lab, member.signer.address, _iso(since), "stolen")
    assert [it.state for it in of_names(lab, [name], handed=handed)] == ["never confirmed"]


def test_a_recorder_revokes_nothing_of_the_group(lab: Lab, tmp_path: Path) -> None:
    """Who cannot say who a group is made such a claim and took it back: then what the domain says of the group did not
    count for the honest claim."""
    member = second_lab(lab, tmp_path / "member")
    join(member, invite(lab, lab.group(), member.signer.address, Role.RECORDER))
    honest = entry_of(lab, claim(lab, "domain", "lab.example", for_group=True).id)
    member.group_number = lab.group()
    statement = type(said(honest)).from_plain(said(honest).to_json() | {"account": member.signer.address.lower()})
    signature = f"0x{member.signer.sign_typed_data(statement.typed_data()).hex()}"
    made = commit(member, changed(honest, statement=statement.to_json(), signature=signature), ())
    theirs = entry_of(member, made.id)
    retract(member, made.id, "to spoil the other's")
    assert states(lab, theirs) == ["refused"]
    # a maintainer who left, and had taken a claim back before, is told as it was
    retract(lab, lab.domain.record_id(honest.key), "it moved")
    assert states(lab, honest) == ["revoked"]


def entry_of_document(lab: Lab, record: str) -> IdentityRecord:
    found = lab.registry.find_record(record)
    assert found
    return IdentityRecord(found.key, parse_manifest(lab.store.get_bytes(found.key.manifest)))


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _state(lab: Lab, account: str, since: int) -> None:
    """State for a group that an account was never of, as `report_key` refuses to, that its key is lost."""
    record = RecordPredicate(
        name="Statement",
        subject_type="identifier",
        identifier=key_identifier(account),
        values={"account": account, "since": since},
    )
    commit(lab, Manifest.of(int(Kind.DOCUMENT), record), ())
