"""Asking the other side of claims, and recording what it said: the word of the group that asked, with its date."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import InputError, StoreError
from blockchaintracer.core.manifest import MAX_BYTES, parse_manifest
from blockchaintracer.core.manifest.predicates import IdentityClaimPredicate, IdentityStatement
from blockchaintracer.core.plain_json import rfc3339
from blockchaintracer.core.record import Kind, Link, Relation
from blockchaintracer.extras.identity import ror
from blockchaintracer.extras.identity.holders import CHECKED, CONFIRMED, Holder, ask, known_names, names_in, of_names
from blockchaintracer.extras.identity.identifiers import parse_identifier
from blockchaintracer.extras.identity.identity_claims import check_on_chain, holder_of, title
from blockchaintracer.extras.identity.other_side import Asking, Named
from blockchaintracer.lab.attest import Written, retract
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.kept_identities import IdentityEvidence, IdentityRecord, file_name, keep, kept_files
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lookup import required_record
from blockchaintracer.lab.recording.commit import require_recorder
from blockchaintracer.lab.recording.content import commit_document
from blockchaintracer.lab.rotation import report_key
from blockchaintracer.lab.store.stored_copies import StoredCopies


@dataclass(frozen=True)
class CheckedClaim:
    """What the other side of a claim said, and the record of it.

    Args:
        institution: what ROR says of the domain, if it was asked.
    """

    holder: Holder
    recorded: Recorded | None = None
    institution: Named | None = None


def check(
    lab: Lab,
    claims: Sequence[str],
    asking: Asking,
    *,
    sources: Sequence[str] = (),
    institution: str | None = None,
    record_it: bool = False,
) -> list[CheckedClaim]:
    """Ask the other sides of claims.

    Args:
        claims: ids of their records, or identifiers (``orcid:…``); all that are known here if empty.
        institution: a ROR id, which is asked whether it has the domain.
        record_it: record what names a claim as a document of the group, and keep it.

    Raises:
        InputError: if a claim is not known, or there is none.
    """
    if record_it:
        require_recorder(lab)
    done = []
    for holder, entry in chosen(lab, claims, sources, asking):
        recorded, told = None, None
        if institution and holder.scheme == "domain":
            data = ror.fetch(institution, asking)
            told = ror.names(data, institution, holder.identifier) if data else Named(False, "ROR has no such record")
        if record_it and holder.state == CONFIRMED:
            recorded = _record(lab, entry, asking, told)
        done.append(CheckedClaim(holder, recorded, told))
    return done


def chosen(
    lab: Lab, claims: Sequence[str], sources: Sequence[str], asking: Asking | None = None
) -> list[tuple[Holder, IdentityRecord]]:
    """Return claims by the ids of their records or by identifiers, all that are known here if none is named."""
    wanted = [parse_identifier(text) if ":" in text and "/" not in text else lab.parse_id(text) for text in claims]
    names = known_names(lab)
    for record in (it for it in wanted if isinstance(it, str)):
        entry = claim_entry(lab, record, sources)
        # what is kept is published, too: a forged claim would spoil what the lab publishes
        name = name_of(lab, check_on_chain(lab, entry.manifest, entry.key)[0])
        keep(lab.home, lab.domain, name, entry)
        names.append(name)
    for source in sources:
        names += _published_names(lab, source)
    names = list(dict.fromkeys(names))
    entries = _entries(lab, names, sources)

    def is_wanted(holder: Holder) -> bool:
        named = not wanted or holder.record in wanted or (holder.scheme, holder.identifier) in wanted
        return named and holder.record in entries

    found = of_names(lab, names, sources=sources, asking=asking, wanted=is_wanted)
    told = [(holder, entries[holder.record]) for holder in found if holder.record in entries]
    if not told:
        raise InputError(
            f"expected a claim that is known here, got {', '.join(claims) or 'none'}",
            hint="Name the id of its record, or where it is published: --from FOLDER|URL.",
        )
    return told


def _published_names(lab: Lab, source: str) -> Iterator[str]:
    """Name the holders in a folder that was published. At an address no names are listed."""
    if Path(source).is_dir():
        yield from names_in(Path(source), lab.domain)


def _entries(lab: Lab, names: Sequence[str], sources: Sequence[str]) -> dict[str, IdentityRecord]:
    return {
        lab.domain.record_id(entry.key): entry
        for name in names
        for where, data in kept_files(lab.home, sources, name)
        for entry in IdentityEvidence.parse(data, f"{where or lab.home.path}/{file_name(name)}").entries
    }


def claim_entry(lab: Lab, record_id: str, sources: Sequence[str] = ()) -> IdentityRecord:
    """Return the claim of a record of the registry.

    Raises:
        InputError: if it is no claim.
        StoreError: if its manifest is neither in the store nor in a source.
    """
    record = required_record(lab, record_id)
    data, why = StoredCopies(lab.store, sources).read_bytes(record.key.manifest, MAX_BYTES)
    if data is None:
        raise StoreError(f"expected the manifest of {record_id}, got none: {why}", hint="Name where it is: --from.")
    entry = IdentityRecord(record.key, parse_manifest(data))
    statement_of(entry)
    return entry


def statement_of(entry: IdentityRecord) -> IdentityStatement:
    """Return the statement of a claim. Raises InputError if the record is of another kind."""
    if not isinstance(entry.manifest.predicate, IdentityClaimPredicate):
        raise InputError("expected the record of an identity claim, got another kind", hint="`identity list`.")
    return entry.manifest.predicate.statement


def name_of(lab: Lab, said: IdentityStatement) -> str:
    """Return the name of the account or group that a statement is about."""
    return holder_of(lab.domain, said)


def keep_claim(lab: Lab, recorded: Recorded) -> IdentityRecord:
    """Keep a claim that was just recorded, or waits, in the lab's folder."""
    for entry in lab.outbox.entries_about(recorded.id):
        if entry.write.fields.get("key") is not None and entry.write.record_id == recorded.id:
            made = IdentityRecord(entry.write.key, parse_manifest(lab.store.get_bytes(recorded.manifest)))
            keep(lab.home, lab.domain, name_of(lab, statement_of(made)), made)
            return made
    raise InputError(f"expected the record {recorded.id} in the outbox, got none")


def _record(lab: Lab, entry: IdentityRecord, asking: Asking, institution: Named | None) -> Recorded:
    """Record what names a claim now: the page is asked for once more, so that what is kept is what is judged."""
    said = statement_of(entry)
    claim = lab.domain.record_id(entry.key)
    named, page = ask(said, asking)
    if page is None:
        raise InputError(f"{title(said)}: the other side changed its word meanwhile: {named}")
    method, address, data = page
    fetched = int(time.time())
    told: dict[str, Any] = {"method": method, "address": address, "fetchedAt": fetched}
    if institution and institution.says:
        told["institution"] = institution.reason
    recorded = commit_document(
        lab,
        Kind.DOCUMENT,
        lab.store.put_bytes(data),
        [Link(claim, Relation.CONFIRMS)],
        name=f"Identity check of {title(said)}",
        description=f"{address} named the claim when it was fetched, {rfc3339(datetime.fromtimestamp(fetched, UTC))}.",
        subject_type="file",
        values={CHECKED: told},
    )
    for waiting in lab.outbox.entries_about(recorded.id):
        if waiting.write.record_id == recorded.id:
            document = IdentityRecord(waiting.write.key, parse_manifest(lab.store.get_bytes(recorded.manifest)), data)
            keep(lab.home, lab.domain, name_of(lab, said), entry, document)
            break
    return recorded


def revoke(
    lab: Lab, record_id: str, reason: str, lost_since: str | None, sources: Sequence[str] = ()
) -> tuple[Written, Recorded | None]:
    """Retract a claim, once and for good, and state since when its key is lost if that is known.

    Args:
        lost_since: ISO 8601. Another maintainer of the group, or its owner, states it: who has the key could, too.

    Raises:
        InputError: before anything is written, if it is no claim, or the signer may not state that a key is lost.
    """
    entry = claim_entry(lab, record_id, sources)
    # what can be refused comes first
    stated = report_key(lab, entry.key.author, lost_since, reason) if lost_since else None
    return retract(lab, record_id, reason), stated
