"""Seals: committing to a record or a verdict now, and showing it later.

The key, the manifest and a salt are kept in the lab's folder, on the disk, before the commitment is sent: without the
salt nobody could ever show what was sealed. The salt is nowhere else until it is revealed.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blockchaintracer.core.chain.reverts import in_words
from blockchaintracer.core.chain.seal_events import SealSeen, seals_of, unrevealed
from blockchaintracer.core.errors import ChainUnavailable, InputError, StoreError
from blockchaintracer.core.record import (
    Domain,
    Kind,
    Link,
    RecordKey,
    Relation,
    Role,
    Verdict,
    checksummed,
    label,
    normal_digest,
    record_commitment,
    verdict_commitment,
)
from blockchaintracer.lab.batches import manifest_of, materialize
from blockchaintracer.lab.drafts import Draft, Recorded
from blockchaintracer.lab.files import write_whole
from blockchaintracer.lab.kept_proofs import find_proof
from blockchaintracer.lab.lab import Lab, role_problem
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
        salt: 32 random bytes, 64 hex digits.
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

    def write(self) -> Transaction:
        """The write that makes it."""
        fields = {"group": self.group, "author": self.author, "commitment": self.commitment}
        return Transaction(Op.SEAL, self.registry, **fields)

    def as_json(self) -> dict[str, Any]:
        """Its file's content; `read` takes it back."""
        return {**self.__dict__, "key": self.key.as_json() if self.key else None}

    @classmethod
    def read(cls, path: Path) -> KeptSeal:
        """A seal's file.

        Raises:
            StoreError: if it's damaged.
        """
        try:
            data = json.loads(path.read_bytes())
            return cls(**{**data, "key": RecordKey.from_json(data["key"]) if data["key"] else None})
        except (OSError, ValueError, KeyError, TypeError) as error:
            # what the file holds is not shown: it may be a salt
            raise StoreError(
                f"expected a seal in {path}, got: {type(error).__name__}", hint="Take it from a copy of the folder."
            ) from None


@dataclass(frozen=True)
class Sealed(Recorded):
    """A record that was sealed. EntryState, transaction, block and time are the seal's.

    The id tells nobody what was sealed, but lets whoever guesses all of it check the guess: as the commitment does
    not, only the commitment is for others to see.

    Args:
        commitment: 64 hex digits; `reveal` takes it or the id.
    """

    commitment: str


@dataclass(frozen=True)
class SealedVerdict:
    """A verdict that was sealed. EntryState, transaction, block and time are the seal's.

    Args:
        evidence: id of the run that is revealed with it, or was recorded before; None without.
    """

    commitment: str
    record_id: str
    verdict: str
    evidence: str | None
    group: int
    author: str
    registry: str
    chain_id: int
    state: str
    transaction: str | None
    block: int | None
    time: int | None


@dataclass(frozen=True)
class Revealed:
    """What was sealed, and now is shown.

    Args:
        what: ``record``, or the verdict.
        record_id: of the record, or of the record that the verdict is about.
        evidence: of the verdict; None without.
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
    return lab.committing(_seal_record)


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
        nowhere: dict[str, Any] = {"state": "held", "transaction": None, "block": None, "time": None}
        return Recorded(**described(lab, made), **nowhere, existing=False)

    with lab.committing(hold):
        yield held


def _seal_record(lab: Lab, made: Draft) -> Recorded:
    try:
        if lab.registry.status(made.id).exists:
            # nothing is left to seal
            return send(lab, made)
    except ChainUnavailable:
        pass
    kept = next((one for one in _kept(lab) if one.verdict is None and one.record_id == made.id), None)
    if kept is None:
        _require(lab, made.key.group, Role.RECORDER)
        salt = secrets.token_hex(_SALT_BYTES)
        kept = _new(lab, made.key.group, made.id, made.key, None, record_commitment(made.id, salt), salt)
        lab.store.put_bytes(made.manifest.to_bytes())
        _keep(lab, kept)
    entry, existing = _send(lab, kept)
    return Sealed(**described(lab, made), **progress_of(entry), existing=existing, commitment=kept.commitment)


def seal_verdict(lab: Lab, record_id: str, verdict: Verdict, evidence: Draft | str | None = None) -> SealedVerdict:
    """Seals the group's verdict on another group's record: a blind verdict.

    Args:
        record_id: the record.
        verdict: what the group says of it.
        evidence: a run from `holding_evidence`, which is stored when the verdict is revealed; or the id of a run of the
            group that is recorded, or sealed here. Needed for Reproduced and NotReproduced.

    Raises:
        InputError: if the evidence is missing or can't be.
        ContractRevert: before anything is kept, for what the reveal would be refused for.
    """
    group, attester = lab.group(Role.REVIEWER), lab.signer.address
    record = required_record(lab, record_id)
    if record.key.group == group:
        raise in_words("OwnRecord", {"group": group, "recordId": bytes.fromhex(record.id)})
    if evidence is None and verdict in _NEED_EVIDENCE:
        raise in_words("EvidenceRequired", {"verdict": int(verdict)})
    key = evidence.key if isinstance(evidence, Draft) else _evidence(lab, evidence) if evidence else None
    if key and (key.group != group or _lacks_link(key, record.id, verdict)):
        raise InputError(
            f"the evidence {lab.domain.record_id(key)} is no run of group {group} that names {record.id} as reproduced",
            hint=f"Make one: `blockchaintracer seal verdict {record.id} {label(verdict)} --metric NAME=VALUE`.",
        )
    _require(lab, group, Role.REVIEWER)
    evidence_id = lab.domain.record_id(key) if key else None
    kept = next((one for one in _kept(lab) if _is_verdict(one, record.id, verdict, key)), None)
    if kept is None:
        salt = secrets.token_hex(_SALT_BYTES)
        commitment = verdict_commitment(record.id, group, int(verdict), evidence_id, attester, salt)
        kept = _new(lab, group, record.id, key, int(verdict), commitment, salt)
        _keep(lab, kept)
    entry, _ = _send(lab, kept)
    return SealedVerdict(
        commitment=kept.commitment,
        record_id=record.id,
        verdict=label(verdict),
        evidence=evidence_id,
        group=group,
        author=attester,
        registry=kept.registry,
        chain_id=kept.chain_id,
        **progress_of(entry),
    )


def send_seal(lab: Lab, text: str) -> Entry:
    """Sends a seal that is kept here and was not sent: the process died, or the registry refused it then."""
    kept = _find(lab, text)
    _require_author(lab, kept)
    return _send(lab, kept)[0]


def _is_verdict(kept: KeptSeal, record_id: str, verdict: Verdict, key: RecordKey | None) -> bool:
    return (kept.record_id, kept.verdict, kept.key) == (record_id, int(verdict), key)


def _lacks_link(key: RecordKey, record_id: str, verdict: Verdict) -> bool:
    is_run = key.kind == Kind.RUN and Link(record_id, Relation.REPRODUCES) in key.parents
    return verdict in _NEED_EVIDENCE and not is_run


def _evidence(lab: Lab, record_id: str) -> RecordKey:
    wanted = normal_digest(record_id, "evidence's id")
    sealed = next((one for one in _kept(lab) if one.verdict is None and one.record_id == wanted), None)
    return sealed.key if sealed and sealed.key else required_record(lab, wanted).key


def _require(lab: Lab, group: int, role: Role) -> None:
    try:
        problem = role_problem(lab, group, role)
    except ChainUnavailable:
        return
    if problem:
        raise problem


def _new(
    lab: Lab, group: int, record_id: str, key: RecordKey | None, verdict: int | None, commitment: str, salt: str
) -> KeptSeal:
    registry, author = lab.domain.registry, lab.signer.address
    return KeptSeal(lab.chain_id, registry, group, author, commitment, record_id, key, verdict, salt)


def _send(lab: Lab, kept: KeptSeal) -> tuple[Entry, bool]:
    """Brings a seal that is on the disk to the chain, and says whether it was there already."""
    write = kept.write()
    try:
        existing = write.is_done(lab.chain)
        [entry] = lab.write(write)
    except ChainUnavailable as away:
        existing = False
        entry = lab.outbox.add_transaction(lab.chain_id, write, lab.signer.address)
        lab.say(f"{away.message}\nThe seal is kept and waits: `blockchaintracer outbox flush` sends it.")
    return entry, existing


# -- the folder


def _keep(lab: Lab, kept: KeptSeal) -> None:
    path = lab.home.seals / f"{kept.commitment}.json"
    try:
        write_whole(path, (json.dumps(kept.as_json(), indent=2) + "\n").encode())
    except OSError as error:
        raise StoreError(f"the seal can't be kept in {path}: {error.strerror}", hint="Nothing was sent.") from None


def _kept(lab: Lab) -> list[KeptSeal]:
    """The seals of the signer in this registry that the lab's folder has."""
    whose = (lab.chain_id, lab.domain.registry, lab.signer.address)
    return [one for one in _all(lab) if (one.chain_id, one.registry, one.author) == whose]


def _all(lab: Lab) -> list[KeptSeal]:
    return [KeptSeal.read(path) for path in sorted(lab.home.seals.glob("*.json"))]


def sealed_keys(lab: Lab) -> Iterator[tuple[str, RecordKey]]:
    """Id and key of every record that a seal of the lab's folder is of, or brings as evidence, on whatever chain."""
    for kept in _all(lab):
        if kept.key:
            yield Domain(kept.chain_id, kept.registry).record_id(kept.key), kept.key


def kept_seal(lab: Lab, text: str) -> KeptSeal | None:
    """A seal of the registry that the lab's folder has, by its commitment or the id of what was sealed; None without.

    Raises:
        InputError: if several are of this id.
    """
    wanted, here = normal_digest(text, "commitment or record id"), (lab.chain_id, lab.domain.registry)
    is_kept = any(
        wanted in (one.commitment, one.record_id) for one in _all(lab) if (one.chain_id, one.registry) == here
    )
    return _find(lab, wanted) if is_kept else None


def _find(lab: Lab, text: str) -> KeptSeal:
    wanted = normal_digest(text, "commitment or record id")
    here = (lab.chain_id, lab.domain.registry)
    found = [
        one for one in _all(lab) if (one.chain_id, one.registry) == here and wanted in (one.commitment, one.record_id)
    ]
    if not found:
        raise InputError(
            f"no seal of {wanted} is kept here for {here[1]} on chain {here[0]}",
            hint="`blockchaintracer seal list` shows what is. A seal is revealed from the folder (--home) that it was"
            " made in: its salt is nowhere else.",
        )
    if len(found) > 1:
        several = ", ".join(one.commitment for one in found)
        raise InputError(f"{len(found)} seals of {wanted} are kept here: {several}", hint="Name one by its commitment.")
    return found[0]


# -- revealing


def reveal(lab: Lab, text: str) -> Revealed:
    """Shows what was sealed: stores the record, or gives the verdict and stores its evidence first.

    Parents that are sealed or batched in this lab are stored before it. What was revealed before is answered as it is.

    Args:
        text: the commitment, or the id of the record that was sealed or that the verdict is about.

    Raises:
        InputError: if no such seal is kept here, it is another account's, or it was never sent.
        ContractRevert: if the registry refuses it.
    """
    kept = _find(lab, text)
    _require_author(lab, kept)
    lab.flush()
    seen = _seen(lab, kept)
    if seen is None:
        raise InputError(
            f"the seal {kept.commitment} is kept here but not on the chain, so there is nothing to reveal yet",
            hint=f"`blockchaintracer seal send {kept.commitment}` sends it.",
        )
    if seen.revealed_as is None:
        if kept.key:
            _store_parents(lab, kept.key)
        lab.write(_reveal_of(lab, kept))
        seen = _seen(lab, kept)
    if seen is None or seen.revealed_block is None or seen.transaction is None:
        raise ChainUnavailable(
            f"{lab.chain.address} shows no reveal of {kept.commitment}", hint="The node is behind: try again."
        )
    block = lab.chain.block(seen.revealed_block)
    all_seals = seals_of(lab.registry, kept.group, kept.author)
    return Revealed(
        commitment=kept.commitment,
        what="record" if kept.verdict is None else label(kept.verdict, Verdict),
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


def _reveal_of(lab: Lab, kept: KeptSeal) -> Transaction:
    about: dict[str, Any] = {"record_id": kept.record_id, "salt": kept.salt}
    if kept.verdict is None:
        return Transaction(Op.REVEAL, kept.registry, **about, key=kept.key)
    about |= {"group": kept.group, "version": lab.registry.verdict(kept.record_id, kept.group).version}
    return Transaction(Op.REVEAL_VERDICT, kept.registry, **about, verdict=kept.verdict, evidence=kept.key)


def _store_parents(lab: Lab, key: RecordKey) -> None:
    for link in key.parents:
        if lab.registry.status(link.parent).exists:
            continue
        if any(one.verdict is None and one.record_id == link.parent for one in _kept(lab)):
            reveal(lab, link.parent)
        elif find_proof(lab, link.parent):
            materialize(lab, link.parent)


def _seen(lab: Lab, kept: KeptSeal) -> SealSeen | None:
    seals = seals_of(lab.registry, kept.group, kept.author)
    return next((one for one in seals if one.commitment == kept.commitment), None)


def _require_author(lab: Lab, kept: KeptSeal) -> None:
    if lab.signer.address != kept.author:
        raise InputError(
            f"the seal {kept.commitment} is {kept.author}'s, and {lab.signer.address} would sign",
            hint="Choose the key that sealed it with --key: only its author reveals it.",
        )


# -- telling


def listed(lab: Lab) -> dict[str, Any]:
    """The seals that are kept here for the registry, and how many there are by the registry's events.

    Returns:
        ``seals``: commitment, what, record, group, author, state (``not sent``, ``waits``, ``sealed``, ``revealed``),
        sealedAt and revealedAt of each; ``authors``: for each group and author how many were sealed, how many of them
        are unrevealed, and how many of these are not kept here; ``chainError`` if the chain is away.
    """
    here = (lab.chain_id, lab.domain.registry)
    kept = [one for one in _all(lab) if (one.chain_id, one.registry) == here]
    authors: list[dict[str, Any]] = []
    found: dict[str, SealSeen] = {}
    error = None
    try:
        for group, author in sorted({(one.group, one.author) for one in kept}):
            authors.append(sealed_by(lab, group, author, {one.commitment for one in kept}, found))
    except ChainUnavailable as away:
        error = away.message
    rows = [_row(lab, one, found.get(one.commitment), away=error is not None) for one in kept]
    return {"seals": sorted(rows, key=lambda row: row["sealedAt"] or 2**40), "authors": authors, "chainError": error}


def sealed_by(
    lab: Lab, group: int, author: str, here: set[str] | None = None, found: dict[str, SealSeen] | None = None
) -> dict[str, Any]:
    """How many seals a group's author made, and how many of them are not shown, by the registry's events."""
    seals = seals_of(lab.registry, group, author)
    if found is not None:
        found.update({one.commitment: one for one in seals})
    told = {
        "group": group,
        "author": checksummed(author),
        "seals": len(seals),
        "unrevealed": unrevealed(seals),
    }
    if here is not None:
        told["keptElsewhere"] = sum(1 for one in seals if one.commitment not in here and one.revealed_as is None)
    return told


def _row(lab: Lab, kept: KeptSeal, seen: SealSeen | None, *, away: bool) -> dict[str, Any]:
    sealed = lab.chain.block(seen.sealed_block) if seen else None
    shown = lab.chain.block(seen.revealed_block) if seen and seen.revealed_block is not None else None
    if seen is not None:
        state = "revealed" if seen.revealed_as else "sealed"
    else:
        waits = {entry.write.identity: entry.state for entry in lab.outbox.entries(kept.chain_id)}
        entered = waits.get(kept.write().identity)
        state = (
            "not sent" if entered in (None, EntryState.FAILED) else "sealed" if away and entered in _DONE else "waits"
        )
    return {
        "commitment": kept.commitment,
        "what": "record" if kept.verdict is None else label(kept.verdict, Verdict),
        "kind": label(kept.key.kind, Kind) if kept.key else None,
        "name": manifest_of(lab, kept.key).predicate.name if kept.key and lab.store.has(kept.key.manifest) else None,
        "recordId": kept.record_id,
        "group": kept.group,
        "author": kept.author,
        "state": state,
        "sealedAt": sealed.timestamp if sealed else None,
        "revealedAt": shown.timestamp if shown else None,
    }


_DONE = (EntryState.INCLUDED, EntryState.FINAL)
