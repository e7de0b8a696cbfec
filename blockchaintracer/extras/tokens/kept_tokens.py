"""Tokens of CI jobs as Documents that support a record: add one, verify it, witness its issuer's key, delete it.

The manifest holds no token and nothing personal: it commits to the token by its SHA-256, and the token lies in the
store as any content does. So it can be published later, and deleted.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from blockchaintracer.core.digest import digest_bytes
from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified, StoreError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.manifest import MAX_BYTES as MAX_MANIFEST
from blockchaintracer.core.manifest import Artifact, Predicate, RecordPredicate
from blockchaintracer.core.networks import when
from blockchaintracer.core.plain_json import fields_json, rfc3339
from blockchaintracer.core.record import GlobalId, Kind, Link, Relation
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.core.verify.outcomes import Check, Conclusion, Outcome
from blockchaintracer.extras.search import Index, Row
from blockchaintracer.extras.search.query import query
from blockchaintracer.extras.search.update import up_to_date
from blockchaintracer.extras.tokens.issuers import Issuer, fetch_key, read_key_file
from blockchaintracer.extras.tokens.token_checks import claim_checks, facts_of, shown_claims
from blockchaintracer.extras.tokens.token_request import request_token
from blockchaintracer.extras.tokens.token_signature import MAX_BYTES, Token, read_token, require_signature
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lookup import read_manifest, required_record
from blockchaintracer.lab.publish import require_apart
from blockchaintracer.lab.published_secrets import TOKEN_VALUE
from blockchaintracer.lab.recording.content import commit_document

KEY_FILE = "issuer-key.json"
Sources = Sequence[str | os.PathLike[str]]
_MOST_DOCUMENTS = 1000
_NEEDED = frozenset({"signature", "issuer's key", "token"})
"""Checks without which nothing of a token is shown: unknown, they leave it undecided."""


@dataclass(frozen=True)
class TokenReport:
    """What a token shows of a record.

    Args:
        record: that it speaks of.
        document: that commits to it.
        says: in one sentence, if its signature holds.
        expires_at: seconds since 1970; 0 if it could not be read.
        own: whether a group's own record is meant: the document is of the record's group.
    """

    record: str
    document: str
    provider: str
    issuer: str
    conclusion: Conclusion
    checks: tuple[Check, ...]
    says: str
    expires_at: int = 0
    own: bool = True

    def as_json(self) -> dict[str, Any]:
        """Return it for `--json`."""
        start = {"outcome": self.conclusion.value, "verified": self.conclusion.verified}
        checks = [fields_json(it, "name", "verdict", "detail") for it in self.checks]
        return start | fields_json(self, "record", "document", "provider", "issuer", "says", checks=checks)


@dataclass(frozen=True)
class TokenDocument:
    """The record that commits to a token, and what it says of it without a proof."""

    document: RecordView
    predicate: RecordPredicate
    provider: str
    issuer: str

    @property
    def key_digest(self) -> str:
        """SHA-256 of the issuer's key that was kept with the token."""
        found = [it.sha256 for it in self.predicate.attachments if it.path == KEY_FILE]
        if not found:
            raise NotVerified(f"document {self.document.id} has no {KEY_FILE} attached")
        return found[0]

    @property
    def record(self) -> str:
        """Id of the record that the token supports."""
        links = [it.parent for it in self.document.key.parents if it.relation in (Relation.SUPPORTS, Relation.CONFIRMS)]
        if len(links) != 1:
            raise NotVerified(f"document {self.document.id} supports {len(links)} records, a token supports one")
        return links[0]


def _kept(document: RecordView, predicate: Predicate) -> TokenDocument | None:
    """Return the document of a token; None if it is another."""
    values = predicate.values.get(TOKEN_VALUE) if isinstance(predicate, RecordPredicate) else None
    if not isinstance(predicate, RecordPredicate) or not isinstance(values, dict):
        return None
    return TokenDocument(document, predicate, str(values.get("provider"))[:40], str(values.get("issuer"))[:200])


# -- adding


def add_token(
    lab: Lab,
    record_id: str,
    issuers: Collection[Issuer],
    agree: Callable[[Mapping[str, str]], None],
    *,
    variables: Mapping[str, str] = os.environ,
    allow_local: bool = False,
) -> tuple[Recorded, TokenReport]:
    """Ask the CI provider for a token of this job and record it as a Document that supports the record.

    Args:
        agree: is shown all claims, and raises if they are not to be kept.
        variables: of the environment.

    Raises:
        NotVerified: if the token does not fit the record. Nothing was recorded.
    """
    record = required_record(lab, record_id)
    name = str(GlobalId(lab.chain_id, lab.domain.registry, record.id))
    token = read_token(request_token(name, variables, allow_local=allow_local))
    issuer = _issuer(token.text("iss"), issuers)
    if issuer is None:
        raise NotVerified(f"the token is of {token.text('iss')[:200]!r}, which is none that you chose", hint=_CHOOSE)
    key = fetch_key(issuer, token.kid, allow_local=allow_local)
    if key is None:
        raise NotVerified(f"{issuer.url} does not show the key that signed this token")
    require_signature(token, read_key_file(key)[1])
    facts = facts_of(read_manifest(lab.store, record).predicate)
    checks = [*claim_checks(token, issuer, name, facts, recorded_at=None, same_group=True)]
    if failed := [f"{it.name}: {it.detail}" for it in checks if it.verdict is Outcome.FAIL]:
        hint = "Nothing was recorded. Add the token in the job that records."
        raise NotVerified(f"the token does not fit record {record.id}: {'; '.join(failed)}", hint=hint)
    agree(shown_claims(token))
    for data in (token.data, key):
        lab.store.put_bytes(data)
    ends = rfc3339(datetime.fromtimestamp(token.moment("exp"), UTC))
    made = commit_document(
        lab,
        Kind.DOCUMENT,
        hashlib.sha256(token.data).hexdigest(),
        [Link(record.id, Relation.SUPPORTS)],
        name="CI token",
        subject_type="file",
        values={TOKEN_VALUE: {"provider": issuer.provider, "issuer": issuer.url, "expiresAt": ends}},
        attachments=(Artifact.of(KEY_FILE, digest_bytes(key)),),
    )
    about = (record.id, made.id, issuer.provider, issuer.url, Conclusion.VERIFIED, tuple(checks))
    return made, TokenReport(*about, _says(token, issuer), token.moment("exp"))


_CHOOSE = "Name the server that you trust: --github-issuer URL or --gitlab-issuer URL."


def _issuer(url: str, issuers: Collection[Issuer]) -> Issuer | None:
    return next((it for it in issuers if it.url == url), None)


def _says(token: Token, issuer: Issuer) -> str:
    workflow = token.text(issuer.claim("workflow_ref")) or token.text("workflow")
    place = token.text(issuer.claim("repository"))
    job = f"run {token.text(issuer.claim('run_id'))}"
    issued = when(token.moment("iat"))
    asked = "for this record" if issuer.names_record else "at this commit"
    return (
        f"a job of {issuer.host}/{place} ({job}, workflow {workflow or 'unknown'}) asked for a token {asked}, {issued}"
    )


# -- verifying


def tokens_of(lab: Lab, record_id: str, *, sources: Sequence[str] = ()) -> list[str]:
    """Return the ids of the documents with a token that support a record, or the id itself if it is such a document."""
    record = required_record(lab, record_id)
    if _kept(record, _manifest(lab, record, sources)):
        return [record.id]
    with up_to_date(lab, sources=sources) as index:
        found = [row.id for row in _documents_about(lab, index, record.id, record.group)]
    return _with_token(lab, record.id, found, sources)


def known_tokens(lab: Lab, record_id: str, group: int) -> list[str]:
    """Return the same of a group's record as far as outbox and index know, without asking the chain what is new."""
    found = list[str]()
    for entry in lab.outbox.entries_naming(lab.chain_id, record_id[2:]):
        if (key := entry.write.fields.get("key")) is not None and key.kind == Kind.DOCUMENT and entry.write.record_id:
            found.append(entry.write.record_id)
    if lab.home.index.is_file():
        with suppress(InputError, ChainUnavailable, StoreError), up_to_date(lab, offline=True) as index:
            # anybody can record documents about a record: those whose manifest is not here are not asked about
            found += [row.id for row in _documents_about(lab, index, record_id, group) if row.name]
    return _with_token(lab, record_id, dict.fromkeys(found), ())


def _documents_about(lab: Lab, index: Index, record_id: str, group: int) -> Iterable[Row]:
    about: dict[str, Any] = {"kind": Kind.DOCUMENT, "descendants_of": record_id, "limit": _MOST_DOCUMENTS}
    # the group's own first: anybody can record more documents about a record than are looked at
    found = [query(index, registry=lab.registry, group=it, descending=False, **about) for it in (group, None)]
    return {row.id: row for rows in found for row in rows}.values()


def _with_token(lab: Lab, record_id: str, found: Iterable[str], sources: Sequence[str]) -> list[str]:
    documents = []
    for each in found:
        with suppress(StoreError, NotVerified, InputError, ChainUnavailable):
            document = required_record(lab, each)
            kept = _kept(document, _manifest(lab, document, sources))
            if kept and kept.record == record_id:
                documents.append(document.id)
    return documents


def _manifest(lab: Lab, record: RecordView, sources: Sources) -> Predicate:
    lab.store.fetch(record.key.manifest, sources, MAX_MANIFEST)
    return read_manifest(lab.store, record).predicate


def check_token(
    lab: Lab,
    document_id: str,
    issuers: Collection[Issuer],
    *,
    sources: Sources = (),
    ask: bool = False,
    witness_groups: Collection[int] = (),
    allow_local: bool = False,
) -> TokenReport:
    """Verify a token against the record that it supports.

    Args:
        issuers: that the verifier trusts.
        ask: whether to fetch the issuer's key now. Else no connection is opened to it.
        witness_groups: groups whose record of the issuer's key counts; never those of the record and the document.

    Raises:
        InputError: if the document holds no token.
    """
    document = required_record(lab, document_id)
    kept = _kept(document, _manifest(lab, document, sources))
    if kept is None:
        raise InputError(f"expected a document with a CI token, got {document.id}", hint="`ci-token add` makes one.")
    record = required_record(lab, kept.record)
    checks, says, ends, own = list[Check](), "", 0, document.group == record.group
    # who made the record or its token is no witness of the issuer's key
    others = {*witness_groups} - {document.group, record.group}
    try:
        token = _token(lab, document, sources)
        if (issuer := _issuer(token.text("iss"), issuers)) is None:
            raise NotVerified(f"{token.text('iss')[:200]!r} is no issuer that you chose. {_CHOOSE}", name="issuer")
        key_of, key = _issuers_key(lab, kept, sources)
        if key_of != issuer.url or kept.issuer != issuer.url:
            raise NotVerified(f"the token is of {issuer.url}, the key that was kept of {key_of[:200]!r}", name="issuer")
        require_signature(token, key)
        checks.append(Check("signature", Outcome.PASS, f"by the key {token.kid[:80]} of {issuer.url}"))
        checks.append(_key_check(lab, kept, token, issuer, ask, others, allow_local))
        says, ends = _says(token, issuer), token.moment("exp")
        stored = lab.registry.status(document.id)
        facts = facts_of(_manifest(lab, record, sources))
        name = str(GlobalId(lab.chain_id, lab.domain.registry, record.id))
        at = stored.recorded_at or None
        checks += claim_checks(token, issuer, name, facts, recorded_at=at, same_group=own)
        if stored.retracted_at:
            checks.append(Check("document", Outcome.FAIL, f"retracted {when(stored.retracted_at)}"))
    except NotVerified as error:
        checks.append(Check(str(error.values.get("name", "signature")), Outcome.FAIL, error.message))
    except (StoreError, ChainUnavailable) as error:
        checks.append(Check("token", Outcome.UNKNOWN, error.message))
    about = (record.id, document.id, kept.provider, kept.issuer, _concluded(checks), tuple(checks))
    return TokenReport(*about, says, ends, own)


def _concluded(checks: Collection[Check]) -> Conclusion:
    if any(check.verdict is Outcome.FAIL for check in checks):
        return Conclusion.NOT_VERIFIED
    unknown = {check.name for check in checks if check.verdict is Outcome.UNKNOWN} & _NEEDED
    if "token" in unknown:
        return Conclusion.UNAVAILABLE
    return Conclusion.CONSISTENT if unknown else Conclusion.VERIFIED


def _token(lab: Lab, document: RecordView, sources: Sources) -> Token:
    try:
        lab.store.fetch(document.key.subject, sources, MAX_BYTES)
    except StoreError as error:
        hint = "It is published after it expired, and its owner may delete it."
        raise StoreError(f"the token {document.key.subject} is not here: {error.message} {hint}") from None
    return read_token(lab.store.get_bytes(document.key.subject, MAX_BYTES))


def _issuers_key(lab: Lab, kept: TokenDocument, sources: Sources) -> tuple[str, dict[str, str]]:
    lab.store.fetch(kept.key_digest, sources, 8 << 10)
    try:
        return read_key_file(lab.store.get_bytes(kept.key_digest, 8 << 10))
    except InputError as error:
        raise NotVerified(error.message) from None


def _key_check(
    lab: Lab,
    kept: TokenDocument,
    token: Token,
    issuer: Issuer,
    ask: bool,
    witness_groups: Collection[int],
    allow_local: bool,
) -> Check:
    """Say whose word it is that the kept key is the issuer's."""
    name, digest, told = "issuer's key", kept.key_digest, f"group {kept.document.group} kept it"
    if ask:
        try:
            key = fetch_key(issuer, token.kid, allow_local=allow_local)
        except ChainUnavailable as error:
            told += f"; {error.message}"
        else:
            if key is not None and hashlib.sha256(key).hexdigest() != digest:
                return Check(name, Outcome.FAIL, f"{issuer.url} shows another key with this id")
            if key is not None:
                return Check(name, Outcome.PASS, f"{issuer.url} shows it now")
            told += f"; {issuer.url} shows it no more"
    for witness in lab.registry.find_subject(digest) if witness_groups else ():
        # a group can record these bytes for another reason, too
        confirms = any(it.relation == Relation.CONFIRMS for it in witness.key.parents)
        is_witness = confirms and witness.key.kind == Kind.DOCUMENT and witness.group in witness_groups
        stored = lab.registry.status(witness.id) if is_witness else None
        if stored and stored.exists and not stored.retracted_at:
            return Check(name, Outcome.PASS, f"group {witness.group} recorded it {when(stored.recorded_at)}")
    told += ". That it is the issuer's is the word of that group: --check-identity asks, or --witness-group names"
    return Check(name, Outcome.UNKNOWN, f"{told} a group that recorded it")


# -- witnessing and deleting


def witness_key(
    lab: Lab, document_id: str, issuers: Collection[Issuer], *, sources: Sources = (), allow_local: bool = False
) -> Recorded:
    """Fetch the key of a token's issuer now and record it in your group's name: when the issuer shows it no more, those
    who trust your group can still verify the token.

    Raises:
        NotVerified: if the issuer shows another key, or none. Nothing was recorded.
    """
    document = required_record(lab, document_id)
    kept = _kept(document, _manifest(lab, document, sources))
    issuer = _issuer(kept.issuer, issuers) if kept else None
    if kept is None or issuer is None:
        raise InputError(f"expected a token of an issuer that you chose, got document {document.id}", hint=_CHOOSE)
    key_of, kept_key = _issuers_key(lab, kept, sources)
    key = fetch_key(issuer, kept_key["kid"], allow_local=allow_local)
    if key is None or key_of != issuer.url or hashlib.sha256(key).hexdigest() != kept.key_digest:
        shown = "no key" if key is None else "another key"
        raise NotVerified(f"{issuer.url} shows {shown} with the id of the one that was kept. Nothing was recorded.")
    lab.store.put_bytes(key)
    seen = rfc3339(datetime.now(UTC))
    return commit_document(
        lab,
        Kind.DOCUMENT,
        kept.key_digest,
        [Link(document.id, Relation.CONFIRMS)],
        name="key of a token issuer",
        subject_type="file",
        values={"issuerKey": {"issuer": issuer.url, "seenAt": seen}},
    )


def delete_token(lab: Lab, document_id: str, folders: Sequence[Path] = ()) -> list[str]:
    """Delete a token from the lab's store and from published folders. Its digest stays on the chain. Returns the places
    that it was deleted from."""
    document = required_record(lab, document_id)
    kept = _kept(document, _manifest(lab, document, ()))
    if kept is None:
        raise InputError(f"expected a document with a CI token, got {document.id}")
    for folder in folders:
        require_apart(lab.home, folder)
    places = [lab.store.path_of(document.key.subject)]
    places += [lab.store.published(folder).path_of(document.key.subject) for folder in folders]
    there = [place for place in places if place.is_file()]
    for place in there:
        _require_token(place)
    for place in there:
        try:
            place.unlink()
        except OSError as error:
            raise StoreError(f"can't delete {place}: {error.strerror}", hint="Delete it yourself.") from None
    return [str(place) for place in there]


def _require_token(place: Path) -> None:
    """Refuse to delete what is no token: a stranger's document can name the digest of anything."""
    try:
        read_token(read_limited(place, MAX_BYTES, "a token"))
    except (InputError, NotVerified):
        raise InputError(
            f"expected a token in {place}, got something else: nothing was deleted",
            hint="The document is no token's, whatever it says. If the file is damaged, delete it yourself.",
        ) from None


def wait_until_expired(ends: int, say: Callable[[str], None]) -> None:
    """Wait until a token has expired, so that a job can publish it."""
    if (left := ends - time.time()) > 0:
        say(f"waiting {left:.0f} s until the token has expired")
        time.sleep(left + 1)
