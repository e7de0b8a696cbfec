"""Commitments that are older than the record: the batch whose time it has, and the seals of its author."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from blockchaintracer.core.chain import Block, DecodedEvent, Registry
from blockchaintracer.core.chain.abi import interface
from blockchaintracer.core.chain.registry import recorded_event
from blockchaintracer.core.errors import ChainUnavailable
from blockchaintracer.core.merkle import leads_to
from blockchaintracer.core.networks import when
from blockchaintracer.core.record import (
    Verdict,
    checksummed,
    counted,
    from_hex,
    label,
    record_commitment,
    to_hex,
    verdict_commitment,
)
from blockchaintracer.core.record_view import Position, RecordStatus, RecordView
from blockchaintracer.core.verify.outcomes import Check, Outcome


@dataclass(frozen=True)
class Commitment:
    """When and where a record's author was committed to it: in the record's own transaction, or by a batch before.

    Args:
        position: its place, as far as the node and who keeps it know it.
        block: that holds it; None if the node doesn't have it.
        transaction: its hash, 0x-hex; empty if the node has forgotten it.
        time: of it, Unix seconds, by the registry's state.
        root: of the batch, 0x-hex; None for a record's own transaction.
    """

    position: Position
    block: Block | None
    transaction: str
    time: int
    root: str | None = None


def commitment_of(registry: Registry, record: RecordView | None, status: RecordStatus) -> Commitment:
    """Return the commitment whose time a record has: its batch's if found, else its own; without key the time alone."""
    if record is None:
        return Commitment(Position(), None, "", status.recorded_at)
    if status.is_batched:
        stored = next(registry.events("Materialized", id=from_hex(record.id)), None)
        root = to_hex(stored.args["root"]) if stored else record.batch
        anchoring = anchored(registry, record.key.group, record.key.author, root) if root else None
        # of a proof that is kept, the state tells whether it is of that batch
        if anchoring and (stored or anchoring.time == status.recorded_at):
            return anchoring
    return Commitment(record.position, block_of(registry, record), record.transaction, status.recorded_at)


def block_of(registry: Registry, record: RecordView) -> Block | None:
    """Return the block that holds a record; None if its number is not known, or the node has forgotten it."""
    return registry.chain.remembered(lambda: registry.chain.block(record.block)) if record.block else None


def anchored(registry: Registry, group: int, author: str, root: str) -> Commitment | None:
    """Return the anchoring of a batch, None if there is none. Its place is unknown if the node has forgotten it."""
    event, batch = registry.anchored(group, author, root), registry.batch(group, author, root)
    if event is None:
        return Commitment(Position(), None, "", batch.anchored_at, root) if batch.exists else None
    block = registry.chain.block(event.block)
    return Commitment(event.position, block, event.transaction, batch.anchored_at, root)


def check_batch(
    registry: Registry, record: RecordView, status: RecordStatus, commitment: Commitment
) -> Iterator[Check]:
    """Check that a record with the batch flag is from a batch: by events, state and Merkle path."""
    if not status.is_batched:
        return
    # a proof at hand may be of another batch that holds it, too
    if not (root := commitment.root or record.batch):
        gap = registry.history.gap
        detail = f"it is from a batch (state); which one is unknown: {gap}, and no proof is at hand"
        if not gap:
            detail = "the registry says that it is from a batch, its events name none"
        yield Check("batch", Outcome.UNKNOWN if gap else Outcome.FAIL, detail)
        return
    if path := record.path if record.batch == root else registry.kept_path(record.id, root):
        yield check_path(registry, record, root, path)
        return
    arguments = arguments_of(registry, record.transaction, "materialize")
    if arguments is None:
        detail = f"from the batch {root} by another contract's call, which the transaction doesn't show"
        yield Check("batch", Outcome.UNKNOWN, detail, {"root": root})
        return
    yield check_path(registry, record, root, [to_hex(part) for part in arguments["proof"]])


def check_path(registry: Registry, record: RecordView, root: str, path: Sequence[str]) -> Check:
    """Check that a Merkle path leads from a record to a root that its group and author anchored."""
    batch = registry.batch(record.key.group, record.key.author, root)
    values = {"root": root, "anchoredAt": batch.anchored_at, "count": batch.count, "counted": batch.counted}
    values |= {"endedAt": batch.ended_at} if batch.ended_at else {}
    if leads_to(record.id, path) != root:
        return Check("batch", Outcome.FAIL, f"the Merkle path doesn't lead from the record to the root {root}", values)
    if not batch.exists:
        detail = f"{checksummed(record.key.author)} never anchored {root} for group {record.key.group}"
        return Check("batch", Outcome.FAIL, detail, values)
    how = "counted by the registry" if batch.counted else "as its author declares"
    detail = f"in batch {root} of {counted(batch.count, 'record')}, {how}, anchored {when(batch.anchored_at)}"
    detail += f", ended {when(batch.ended_at)}" if batch.ended_at else ""
    return Check("batch", Outcome.PASS, detail, values)


def check_seal(registry: Registry, record: RecordView, status: RecordStatus) -> Iterator[Check]:
    """Check that a record with a seal was sealed: recompute the commitment, and count the author's other seals."""
    event = next(registry.events("Revealed", id=from_hex(record.id)), None)
    if event is None and not status.sealed_at:
        return
    key = record.key
    if event is None:
        gap = registry.history.gap
        missing = f"its commitment is unknown: {gap}" if gap else "but no event reveals it"
        detail = f"sealed {when(status.sealed_at)} by the registry (state); {missing}"
        yield Check("seal", Outcome.UNKNOWN if gap else Outcome.FAIL, detail)
        return
    commitment = to_hex(event.args["commitment"])
    problems = _seal_problems(registry, key.group, key.author, commitment, status.sealed_at, event)
    computed = _computed(registry, record, event)
    if computed is not None and computed != commitment:
        problems.append(f"what was revealed has the commitment {computed}")
    values, counts = count_seals(registry, key.group, key.author)
    values |= {"commitment": commitment, "sealedAt": status.sealed_at}
    if problems:
        yield Check("seal", Outcome.FAIL, f"seal {commitment}: {'; '.join(problems)}", values)
    elif computed is None:
        detail = f"seal {commitment} was revealed by another contract's call, which the transaction doesn't show"
        yield Check("seal", Outcome.UNKNOWN, f"{detail}; {counts}", values)
    else:
        yield Check("seal", Outcome.PASS, f"sealed {when(status.sealed_at)} as {commitment}; {counts}", values)


def verdict_seal_problems(
    registry: Registry, record_id: str, group: int, attested: DecodedEvent, sealed_at: int
) -> tuple[list[str], str]:
    """Return what is wrong with the seal of a verdict, and a sentence on how many more seals there are."""
    block = attested.block
    shown = registry.events("VerdictRevealed", block, block, recordId=from_hex(record_id), group=group)
    event = next((revealed for revealed in shown if revealed.transaction == attested.transaction), None)
    if event is None:
        return (["the registry says it was sealed, but no event reveals it"] if sealed_at else []), ""
    author, commitment = attested.args["attester"], to_hex(event.args["commitment"])
    problems = _seal_problems(registry, group, author, commitment, sealed_at, event)
    return problems, f", sealed {when(sealed_at)}; {count_seals(registry, group, author)[1]}"


def count_seals(registry: Registry, group: int, author: str) -> tuple[dict[str, Any], str]:
    """Count the seals of an author for a group and the unrevealed ones, as values and as a sentence."""
    seals = seals_of(registry, group, author)
    hidden, gap = unrevealed(seals), registry.history.gap
    sentence = f"of {counted(len(seals), 'seal')} of {checksummed(author)} for group {group}, {hidden} are unrevealed"
    sentence += f" (there may be more: {gap})" if gap else ""
    return {"seals": len(seals), "unrevealed": hidden, "complete": gap is None}, sentence


def _seal_problems(
    registry: Registry, group: int, author: str, commitment: str, sealed_at: int, revealed: DecodedEvent
) -> list[str]:
    about: dict[str, Any] = {"group": group, "author": checksummed(author), "commitment": from_hex(commitment)}
    sealed = next(registry.events("Sealed", **about), None)
    times = {revealed.args["sealedAt"], registry.sealed_at(group, author, commitment), sealed_at}
    if sealed is None and len(times) == 1 and registry.history.gap:
        return []
    if sealed is None:
        return [f"{checksummed(author)} never sealed it for group {group}"]
    block, problems = registry.chain.block(sealed.block), []
    if block is None or times != {block.timestamp}:
        block_time = when(block.timestamp) if block else "unknown"
        own_time = " or ".join(when(time) for time in sorted(times))
        problems.append(f"its time is {own_time}, that of its block {block_time}")
    if not sealed.position < revealed.position:
        problems.append("it was revealed before it was sealed")
    return problems


def _computed(registry: Registry, record: RecordView, event: DecodedEvent) -> str | None:
    """Compute the commitment that a transaction reveals. None if another contract called the registry."""
    transaction = event.transaction
    if arguments := arguments_of(registry, transaction, "reveal"):
        return record_commitment(record.id, to_hex(arguments["salt"]))
    if arguments := arguments_of(registry, transaction, "revealVerdictWithEvidence"):
        about, salt = to_hex(arguments["recordId"]), to_hex(arguments["salt"])
        author = checksummed(record.key.author)
        return verdict_commitment(arguments["group"], author, about, arguments["verdict"], record.id, salt)
    return None


def arguments_of(registry: Registry, transaction: str, function: str) -> dict[str, Any] | None:
    """Return the arguments that a transaction passes to a function of the registry, or None if it calls something
    else."""
    chain = registry.chain
    sent = chain.remembered(lambda: chain.transaction(transaction)) if transaction else None
    if sent is None or sent.to != registry.address:
        return None
    called, arguments = interface().called(sent.data) or (None, None)
    return arguments if called == function else None


@dataclass(frozen=True, slots=True)
class SealSeen:
    """A seal by its events. Hashes and ids are 0x-hex.

    Args:
        revealed_as: ``record``, or the verdict; None while it's not shown.
        record_id: of the record that was shown, or that the verdict is about.
        revealed_block, transaction: where it was shown.
    """

    commitment: str
    revealed_as: str | None = None
    record_id: str | None = None
    revealed_block: int | None = None
    transaction: str | None = None


def seals_of(registry: Registry, group: int, author: str) -> list[SealSeen]:
    """Return all seals of an author for a group, oldest first, as far as the node still has their events.

    Showing one seal shows how many there are: an author could seal a thousand plans and show the one that fits.
    """
    author = checksummed(author)
    sealed = list(dict.fromkeys(map(_commitment, registry.events("Sealed", group=group, author=author))))
    shown = _shown(registry, sealed, group, author)
    return [SealSeen(commitment, *shown.get(commitment, ())) for commitment in sealed]


def unrevealed(seals: list[SealSeen]) -> int:
    """Count the seals that are not revealed."""
    return sum(1 for seal in seals if seal.revealed_as is None)


def _shown(registry: Registry, commitments: list[str], group: int, author: str) -> dict[str, tuple[str, str, int, str]]:
    """Map each commitment to what it was revealed as, the record, and the place.

    Somebody else may have sealed the same commitment: it's shown by its author alone.
    """
    revealed, words = {}, [*map(from_hex, commitments)]
    for event in registry.events("Revealed", commitment=words):
        record_id, block = event.args["id"], event.block
        stored = next(registry.events("Recorded", block, block, id=record_id), None)
        if stored is None:
            raise ChainUnavailable(
                f"{registry.chain.address} tells that a seal was revealed as record {to_hex(record_id)}, and not of"
                f" that record in block {block}",
                hint="Ask another node.",
            )
        record = recorded_event(stored)
        if record.key.group == group and checksummed(record.key.author) == author:
            revealed[_commitment(event)] = "record", to_hex(record_id), block, event.transaction
    for event in registry.events("VerdictRevealed", commitment=words, group=group):
        record_id, block = event.args["recordId"], event.block
        given = registry.events("Attested", block, block, recordId=record_id, group=group, attester=author)
        for attested in given:
            if attested.transaction == event.transaction:
                # a verdict's evidence is revealed by the same seal: the verdict is what was sealed
                verdict = label(Verdict(attested.args["verdict"]))
                revealed[_commitment(event)] = verdict, to_hex(record_id), block, event.transaction
    return revealed


def _commitment(event: DecodedEvent) -> str:
    return to_hex(event.args["commitment"])
