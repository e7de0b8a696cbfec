"""Seals: committing to a record or a verdict now, and showing it later.

Key, manifest and salt are on the disk, in the lab's folder, before the commitment is sent: without the salt, what was
sealed can never be shown. The salt is nowhere else until it is revealed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blockchaintracer.core.chain import Registry
from blockchaintracer.core.chain.reverts import in_words
from blockchaintracer.core.errors import ChainUnavailable, InputError, StoreError
from blockchaintracer.core.formats import UnknownVersion
from blockchaintracer.core.plain_json import fields_json, parse_json
from blockchaintracer.core.record import (
    Domain,
    Kind,
    Link,
    RecordKey,
    Relation,
    Role,
    Verdict,
    checksummed,
    from_hex,
    is_one_of,
    label,
    record_commitment,
    to_hex,
    verdict_commitment,
)
from blockchaintracer.core.verify import Check, Outcome
from blockchaintracer.core.verify.commitments import SealSeen, seals_of, unrevealed
from blockchaintracer.core.verify.seal_checks import check_commitment
from blockchaintracer.lab.batches import manifest_name, materialize
from blockchaintracer.lab.drafts import Draft, Recorded, Submission
from blockchaintracer.lab.files import fields_from, write_json
from blockchaintracer.lab.formats import SEAL
from blockchaintracer.lab.kept_proofs import find_proof
from blockchaintracer.lab.lab import Lab, require_role
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.lookup import required_record
from blockchaintracer.lab.outbox import Entry, EntryState, Op, Transaction
from blockchaintracer.lab.recording.commit import described, progress_of, send

_SALT_BYTES = 32
_NEED_EVIDENCE = (Verdict.REPRODUCED, Verdict.NOT_REPRODUCED)


@dataclass(frozen=True)
class KeptSeal:
    """What the lab's folder keeps of a seal.

    Args:
        commitment: what the chain shows of it, 64 hex digits.
        record_id: of the sealed record, or of the record that the sealed verdict is about.
        key: of the sealed record, or of the verdict's evidence; None without.
        verdict: a `Verdict`; None for a record.
    """

    chain_id: int
    registry: str
    group: int
    author: str
    commitment: str
    record_id: str
    key: RecordKey | None
    verdict: int | None
    salt: str = field(repr=False)

    @property
    def what(self) -> str:
        """``record``, or the verdict."""
        return "record" if self.verdict is None else label(self.verdict, Verdict)

    def write(self) -> Transaction:
        """Return the transaction that makes it."""
        fields = {"group": self.group, "author": self.author, "commitment": self.commitment}
        return Transaction(Op.SEAL, self.registry, **fields)

    @classmethod
    def read(cls, path: Path) -> KeptSeal:
        """Read a seal's file."""
        try:
            data = parse_json(path.read_bytes(), path.name)
            SEAL.check_header(data, str(path))
            fields = {name: data[name] for name in data.keys() - SEAL.header().keys()}
            key = RecordKey.from_json(data["key"]) if data["key"] else None
            return fields_from(cls, fields, chain_id=int(data["chainId"]), key=key)
        except UnknownVersion:
            raise
        except (OSError, InputError, ValueError, KeyError, TypeError) as error:
            # what the file holds is not shown: it may be a salt
            raise StoreError(
                f"expected a seal in {path}, got: {type(error).__name__}", hint="Take it from a copy of the folder."
            ) from None


@dataclass(frozen=True, kw_only=True)
class Sealed(Recorded):
    """A record that was sealed. State, transaction, block and time are the seal's.

    The id tells nobody what was sealed, but whoever guesses all of it can check the guess by the id. The commitment
    does not allow that: only the commitment is for others to see.
    """

    commitment: str


@dataclass(frozen=True, kw_only=True)
class SealedVerdict(Submission):
    """A verdict that was sealed. State, transaction, block and time are the seal's."""

    commitment: str
    record_id: str
    verdict: str
    evidence: str | None
    group: int
    author: str


@dataclass(frozen=True, kw_only=True)
class Revealed:
    """What was sealed and is shown now.

    Args:
        sealed_at, revealed_at: Unix seconds by the chain.
        seals, unrevealed: how many the group and author made, and how many of them nobody has been shown.
    """

    commitment: str
    what: str
    record_id: str
    evidence: str | None
    group: int
    author: str
    sealed_at: int
    revealed_at: int
    transaction: str
    block: int
    seals: int
    unrevealed: int


# -- sealing


def sealing(lab: Lab) -> AbstractContextManager[None]:
    """Inside, what would be recorded is sealed instead."""
    return lab.committing(_seal_record, lambda record: any(seal.record_id == record for seal in _own(lab)))


@contextmanager
def holding_evidence(lab: Lab, record_id: str) -> Iterator[list[Draft]]:
    """Inside, a run that reproduces `record_id` is kept for a verdict's seal and given; whatever else would be recorded
    is sealed by itself."""
    held: list[Draft] = []

    def hold(lab: Lab, made: Draft) -> Recorded:
        if made.key.kind != Kind.RUN or Link(record_id, Relation.REPRODUCES) not in made.key.parents:
            return _seal_record(lab, made)
        lab.store.put_bytes(made.manifest.to_bytes())
        held.append(made)
        about = described(lab, made.id, made.key, made.name)
        return Recorded(**about, **progress_of(None, "held"), existing=False)

    with lab.committing(hold):
        yield held


def _seal_record(lab: Lab, made: Draft) -> Recorded:
    try:
        if lab.registry.status(made.id).exists:
            # nothing is left to seal
            return send(lab, made)
    except ChainUnavailable:
        pass
    kept = next((seal for seal in _own(lab) if seal.verdict is None and seal.record_id == made.id), None)
    if kept is None:
        _require(lab, made.key.group, Role.RECORDER)
        lab.store.put_bytes(made.manifest.to_bytes())
        kept = _keep(lab, made.key.group, made.id, made.key, None)
    entry, existing = _send(lab, kept)
    about = described(lab, made.id, made.key, made.name)
    return Sealed(**about, **progress_of(entry), existing=existing, commitment=kept.commitment)


def seal_verdict(lab: Lab, record_id: str, verdict: Verdict, evidence: Draft | str | None = None) -> SealedVerdict:
    """Seal the group's verdict on another group's record: a blind verdict.

    Args:
        evidence: a run from `holding_evidence`, which is stored when the verdict is revealed; or the id of a run of the
            group that is recorded, or sealed here. Needed for Reproduced and NotReproduced.

    Raises:
        InputError: if the evidence is missing or can't be.
        ContractRevert: before anything is kept, for what the reveal would be refused for.
    """
    group = lab.group(Role.REVIEWER)
    record = required_record(lab, record_id)
    if record.key.group == group:
        raise in_words("OwnRecord", {"group": group, "recordId": from_hex(record.id)})
    if evidence is None and verdict in _NEED_EVIDENCE:
        raise in_words("EvidenceRequired", {"verdict": int(verdict)})
    key = evidence.key if isinstance(evidence, Draft) else _evidence(lab, evidence) if evidence else None
    evidence_id = lab.domain.record_id(key) if key else None
    is_run = key and key.kind == Kind.RUN and Link(record.id, Relation.REPRODUCES) in key.parents
    if key and (key.group != group or (verdict in _NEED_EVIDENCE and not is_run)):
        raise InputError(
            f"the evidence {evidence_id} is no run of group {group} that names {record.id} as reproduced",
            hint=f"Make one: `blockchaintracer seal verdict {record.id} {label(verdict)} --metric NAME=VALUE`.",
        )
    _require(lab, group, Role.REVIEWER)
    sealed = (record.id, int(verdict), key)
    kept = next((seal for seal in _own(lab) if (seal.record_id, seal.verdict, seal.key) == sealed), None)
    kept = kept or _keep(lab, group, record.id, key, verdict)
    entry, _ = _send(lab, kept)
    return SealedVerdict(
        commitment=kept.commitment,
        record_id=record.id,
        verdict=label(verdict),
        evidence=evidence_id,
        group=group,
        author=kept.author,
        registry=kept.registry,
        chain_id=kept.chain_id,
        **progress_of(entry),
    )


def send_seal(lab: Lab, text: str) -> Entry:
    """Send a seal that is kept here and was not sent: the process died, or the registry refused it then."""
    kept = _required(lab, text)
    _require_author(lab, kept)
    return _send(lab, kept)[0]


def _evidence(lab: Lab, record_id: str) -> RecordKey:
    record_id = lab.parse_id(record_id, "record id of the evidence")
    sealed = next((seal for seal in _own(lab) if seal.verdict is None and seal.record_id == record_id), None)
    return sealed.key if sealed and sealed.key else required_record(lab, record_id).key


def _require(lab: Lab, group: int, role: Role) -> None:
    with suppress(ChainUnavailable):
        require_role(lab, group, role)


def _keep(lab: Lab, group: int, record_id: str, key: RecordKey | None, verdict: Verdict | None) -> KeptSeal:
    """Make a seal with a new salt, and bring it to the disk."""
    salt, author = to_hex(secrets.token_bytes(_SALT_BYTES)), lab.signer.address
    if verdict is None:
        commitment = record_commitment(record_id, salt)
    else:
        evidence = lab.domain.record_id(key) if key else None
        commitment = verdict_commitment(group, author, record_id, int(verdict), evidence, salt)
    number = None if verdict is None else int(verdict)
    kept = KeptSeal(lab.chain_id, lab.domain.registry, group, author, commitment, record_id, key, number, salt)
    path = lab.home.seals / f"{commitment}.json"
    content = SEAL.header() | fields_json(kept) | {"chainId": str(kept.chain_id)}
    write_json(path, content, problem=f"the seal can't be kept in {path}", hint="Nothing was sent.")
    return kept


def _send(lab: Lab, kept: KeptSeal) -> tuple[Entry, bool]:
    """Bring a seal that is on the disk to the chain; say whether it was there already."""
    write = kept.write()
    try:
        existing = write.is_done(lab.chain)
        [entry] = lab.write(write)
    except ChainUnavailable as away:
        existing = False
        entry = lab.enter(write)
        lab.say(f"{away.message}\nThe seal is kept and waits: `blockchaintracer outbox flush` sends it.")
    return entry, existing


# -- the folder


def _all(folder: Path) -> list[KeptSeal]:
    return [KeptSeal.read(path) for path in sorted(folder.glob("*.json"))]


def kept_seals(lab: Lab) -> list[KeptSeal]:
    """The seals in this registry that the lab's folder has."""
    here = (lab.chain_id, lab.domain.registry)
    return [seal for seal in _all(lab.home.seals) if (seal.chain_id, seal.registry) == here]


def _own(lab: Lab) -> list[KeptSeal]:
    return [seal for seal in kept_seals(lab) if seal.author == lab.signer.address]


def sealed_keys(home: Home) -> Iterator[tuple[str, RecordKey]]:
    """List id and key of every record that a seal of the lab's folder is of, or brings as evidence, on any chain."""
    for seal in _all(home.seals):
        if seal.key:
            yield Domain(seal.chain_id, seal.registry).record_id(seal.key), seal.key


def kept_seal(lab: Lab, text: str) -> KeptSeal | None:
    """Return the registry's seal in the lab's folder by its commitment or the id of what was sealed; None without."""
    digest = lab.parse_id(text, "commitment or record id")
    seals = [seal for seal in kept_seals(lab) if digest in (seal.commitment, seal.record_id)]
    if len(seals) > 1:
        several = ", ".join(seal.commitment for seal in seals)
        raise InputError(f"{len(seals)} seals of {digest} are kept here: {several}", hint="Name one by its commitment.")
    return seals[0] if seals else None


def _required(lab: Lab, text: str) -> KeptSeal:
    if kept := kept_seal(lab, text):
        return kept
    raise InputError(
        f"no seal of {lab.parse_id(text)} is kept here for {lab.domain.registry} on chain {lab.chain_id}",
        hint="`blockchaintracer seal list` shows what is. A seal is revealed from the folder (--home) that it was"
        " made in: its salt is nowhere else.",
    )


# -- revealing


def reveal(lab: Lab, text: str) -> Revealed:
    """Show what was sealed: store the record, or give the verdict and store its evidence first.

    Parents that are sealed or batched in this lab are stored before it. What was revealed before is answered as it is.

    Args:
        text: the commitment, or the id of the record that was sealed or that the verdict is about.

    Raises:
        InputError: if no such seal is kept here, it is another account's, or it was never sent.
        ContractRevert: if the registry refuses it.
    """
    kept = _required(lab, text)
    _require_author(lab, kept)
    lab.send()
    seen = _seen(lab.registry, kept)
    if seen is None:
        raise InputError(
            f"the seal {kept.commitment} is kept here but not on the chain, so there is nothing to reveal yet",
            hint=f"`blockchaintracer seal send {kept.commitment}` sends it.",
        )
    if seen.revealed_as is None:
        if kept.key:
            _store_parents(lab, kept.key)
        lab.write(_reveal_of(lab.registry, kept))
        seen = _seen(lab.registry, kept)
    if seen is None or seen.revealed_block is None or seen.transaction is None:
        raise ChainUnavailable(
            f"{lab.chain.address} shows no reveal of {kept.commitment}", hint="The node is behind: try again."
        )
    block = lab.chain.block(seen.revealed_block)
    all_seals = seals_of(lab.registry, kept.group, kept.author)
    return Revealed(
        commitment=kept.commitment,
        what=kept.what,
        record_id=kept.record_id,
        evidence=lab.domain.record_id(kept.key) if kept.key and kept.verdict is not None else None,
        group=kept.group,
        author=kept.author,
        sealed_at=lab.registry.sealed_at(kept.group, kept.author, kept.commitment),
        revealed_at=block.timestamp if block else 0,
        transaction=seen.transaction,
        block=seen.revealed_block,
        seals=len(all_seals),
        unrevealed=unrevealed(all_seals),
    )


def _reveal_of(registry: Registry, kept: KeptSeal) -> Transaction:
    about: dict[str, Any] = {"record_id": kept.record_id, "salt": kept.salt}
    if kept.verdict is None:
        return Transaction(Op.REVEAL, kept.registry, **about, key=kept.key)
    about |= {"group": kept.group, "version": registry.verdict(kept.group, kept.record_id).version}
    return Transaction(Op.REVEAL_VERDICT, kept.registry, **about, verdict=kept.verdict, evidence=kept.key)


def _store_parents(lab: Lab, key: RecordKey) -> None:
    for link in key.parents:
        if lab.registry.status(link.parent).exists:
            continue
        if any(seal.verdict is None and seal.record_id == link.parent for seal in _own(lab)):
            reveal(lab, link.parent)
        elif find_proof(lab, link.parent):
            materialize(lab, link.parent)


def _seen(registry: Registry, kept: KeptSeal) -> SealSeen | None:
    seals = seals_of(registry, kept.group, kept.author)
    return next((seal for seal in seals if seal.commitment == kept.commitment), None)


def _require_author(lab: Lab, kept: KeptSeal) -> None:
    if lab.signer.address != kept.author:
        raise InputError(
            f"the seal {kept.commitment} is {kept.author}'s, and {lab.signer.address} would sign",
            hint="Choose the key that sealed it with --key: only its author reveals it.",
        )


# -- listing


def listed(lab: Lab) -> dict[str, Any]:
    """List the seals that are kept here for the registry, and how many there are by the registry's events.

    Returns:
        ``seals``: commitment, what, record, group, author, state (``not sent``, ``waits``, ``sealed``, ``revealed``),
        sealedAt and revealedAt of each; ``authors``: for each group and author how many were sealed, how many of them
        are unrevealed, and how many of these are not kept here; ``chainError`` if the chain is unavailable.
    """
    kept = kept_seals(lab)
    commitments = {seal.commitment for seal in kept}
    authors: list[dict[str, Any]] = []
    seen: dict[str, SealSeen] = {}
    error = None
    try:
        for group, author in sorted({(seal.group, seal.author) for seal in kept}):
            seals = seals_of(lab.registry, group, author)
            seen |= {seal.commitment: seal for seal in seals}
            elsewhere = sum(seal.commitment not in commitments and seal.revealed_as is None for seal in seals)
            authors.append({**_counted(lab.registry, group, author, seals), "keptElsewhere": elsewhere})
        rows = [_row(lab, seal, seen.get(seal.commitment), _by_state(lab.registry, seal)) for seal in kept]
    except ChainUnavailable as away:
        error = away.message
        rows = [_row(lab, seal, seen.get(seal.commitment), None) for seal in kept]
    for count in authors if error is None else ():
        # what the node has forgotten and the state has
        own = [row for row in rows if (row["group"], row["author"]) == (count["group"], count["author"])]
        lost = [row for row in own if row["sealedAt"] and row["commitment"] not in seen]
        count["seals"] += len(lost)
        count["unrevealed"] += sum(row["state"] == "sealed" for row in lost)
    return {"seals": sorted(rows, key=lambda row: row["sealedAt"] or 2**40), "authors": authors, "chainError": error}


def sealed_by(registry: Registry, group: int, author: str) -> dict[str, Any]:
    """Count how many seals a group's author made, and how many of them are not shown, by the registry's events."""
    return _counted(registry, group, author, seals_of(registry, group, author))


def _counted(registry: Registry, group: int, author: str, seals: list[SealSeen]) -> dict[str, Any]:
    counts = {"seals": len(seals), "unrevealed": unrevealed(seals), "complete": registry.history.gap is None}
    return {"group": group, "author": checksummed(author), **counts}


def _by_state(registry: Registry, kept: KeptSeal) -> tuple[int, int]:
    """Return when a seal was made and when it was shown, by the state, which no node forgets; 0 for never."""
    sealed = registry.sealed_at(kept.group, kept.author, kept.commitment)
    if kept.verdict is None:
        record = registry.status(kept.record_id)
        shown = (record.sealed_at, record.recorded_at)
    else:
        verdict = registry.verdict(kept.group, kept.record_id)
        shown = (verdict.sealed_at, verdict.attested_at)
    return sealed, shown[1] if sealed and shown[0] == sealed else 0


def _row(lab: Lab, kept: KeptSeal, seen: SealSeen | None, by_state: tuple[int, int] | None) -> dict[str, Any]:
    sealed_at, revealed_at = by_state or (0, 0)
    if seen is not None and seen.revealed_block is not None and not revealed_at:
        # a verdict that was changed since
        block = lab.chain.block(seen.revealed_block)
        revealed_at = block.timestamp if block else 0
    if sealed_at:
        state = "revealed" if revealed_at else "sealed"
    else:
        states = {entry.write.identity: entry.state for entry in lab.outbox.entries(kept.chain_id, Op.SEAL)}
        entered = states.get(kept.write().identity)
        is_away = by_state is None
        sent = "sealed" if is_away and entered in (EntryState.INCLUDED, EntryState.FINAL) else "waits"
        state = "not sent" if entered in (None, EntryState.FAILED) else sent
    key = kept.key
    name = manifest_name(lab.store, key) if key and lab.store.has(key.manifest) else None
    return {
        **fields_json(kept, "commitment", "what", "record_id", "group", "author"),
        "kind": label(key.kind, Kind) if key else None,
        # a file has none in its manifest
        "name": name or (lab.hashes.name_of(key.subject) if key else None),
        "state": state,
        "sealedAt": sealed_at or None,
        "revealedAt": revealed_at or None,
    }


def own_seals(lab: Lab, digest: str) -> list[KeptSeal]:
    """Return the kept seals with this commitment, or that hide this record or a record of this content."""
    return [
        seal
        for seal in kept_seals(lab)
        if is_one_of(digest, seal.commitment, *([seal.record_id] if seal.verdict is None else []))
        or (seal.key and is_one_of(digest, seal.key.subject, lab.domain.record_id(seal.key)))
    ]


def check_own(lab: Lab, digest: str, *, with_seal: bool) -> list[Check]:
    """Check what each kept seal hides against its commitment; `with_seal` also what the registry says of the seal."""
    checks: list[Check] = []
    for seal in own_seals(lab, digest):
        checks.append(_hides(lab, seal))
        if with_seal:
            on_chain = check_commitment(lab.registry, seal.commitment, known=[(seal.group, seal.author)])
            hint = f"it is not on the chain: `blockchaintracer seal send {seal.commitment}`"
            checks += on_chain or [Check("seal", Outcome.FAIL, hint)]
    return checks


def seal_state(lab: Lab, digest: str) -> dict[str, Any]:
    """Return what is known of a commitment, or of the id of a record that is sealed here; empty if nothing is.

    Returns:
        ``status`` (``sealed``, or ``revealed`` if every seal is), ``sealedBy`` (the values of each seal's check),
        ``commitment`` and ``hides`` (a sentence, if this folder knows). Or ``why``, if the node may have forgotten.
    """
    own = own_seals(lab, digest)
    commitment = own[0].commitment if own else digest
    known = [(seal.group, seal.author) for seal in own]
    checks = check_commitment(lab.registry, commitment, known=known)
    rows = [check.values | {"problem": None if check.verdict is Outcome.PASS else check.detail} for check in checks]
    rows = [row for row, check in zip(rows, checks, strict=True) if check.name == "seal"]
    if not rows:
        return {"why": gap} if (gap := lab.registry.history.gap) else {}
    status = "revealed" if all(row.get("revealedAs") for row in rows) else "sealed"
    hides = _hides(lab, own[0]).detail if own else None
    return {"status": status, "commitment": commitment, "sealedBy": rows, "hides": hides}


def _hides(lab: Lab, seal: KeptSeal) -> Check:
    key, record_id = seal.key, seal.record_id
    name = manifest_name(lab.store, key) if key and lab.store.has(key.manifest) else None
    named = f" {name!r}" if name else ""
    if seal.verdict is None:
        computed, what = record_commitment(record_id, seal.salt), f"record {record_id}{named}"
    else:
        evidence = lab.domain.record_id(key) if key else None
        author = checksummed(seal.author)
        computed = verdict_commitment(seal.group, author, record_id, seal.verdict, evidence, seal.salt)
        what = f"the verdict {seal.what} on record {record_id}"
    if computed != seal.commitment:
        return Check(
            "kept here", Outcome.FAIL, f"what is kept here has the commitment {computed}, not {seal.commitment}"
        )
    detail = f"{seal.commitment} hides {what}: computed from the salt kept in this lab's folder, and sent to nobody"
    return Check("kept here", Outcome.PASS, detail, {"commitment": seal.commitment, "record": record_id})
