"""What a stranger learns of a seal from its commitment: who sealed it, when, and what it was revealed as."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from blockchaintracer.core.chain import DecodedEvent
from blockchaintracer.core.chain.registry import Registry
from blockchaintracer.core.networks import when
from blockchaintracer.core.record import checksummed, counted, from_hex, label
from blockchaintracer.core.verify.authorship import check_anchorer
from blockchaintracer.core.verify.commitments import Commitment, seals_of, unrevealed
from blockchaintracer.core.verify.outcomes import Check, Outcome

SEAL_LIMIT = "A seal does not prove what it hides before it is revealed, nor that its author sealed nothing else."


def check_commitment(
    registry: Registry, commitment: str, groups: Collection[int] = (), known: Iterable[tuple[int, str]] = ()
) -> list[Check]:
    """Check every seal of a commitment: several authors may have sealed the same. Empty if nobody is known to have.

    Args:
        groups: only seals for these groups count; empty if all count.
        known: groups and authors whose seal is looked up in the registry's state, which no node forgets.
    """
    events = {
        (event.args["group"], checksummed(event.args["author"])): event
        for event in registry.events("Sealed", commitment=from_hex(commitment))
    }
    asked = dict.fromkeys([*((group, checksummed(author)) for group, author in known), *events])
    checks: list[Check] = []
    for group, author in asked:
        if groups and group not in groups:
            continue
        event = events.get((group, author))
        if event is not None or registry.sealed_at(group, author, commitment):
            checks += check_one(registry, commitment, group, author, event)
    return checks


def check_one(registry: Registry, commitment: str, group: int, author: str, event: DecodedEvent | None) -> list[Check]:
    """Check the seal of one author: the registry's state first, then its event, if the node still has it."""
    time = registry.sealed_at(group, author, commitment)
    values: dict[str, Any] = {"commitment": commitment, "group": group, "author": author, "sealedAt": time or None}
    what = f"{commitment} by {author} for group {group}"
    if not time:
        return [Check("seal", Outcome.FAIL, f"{what}: the registry's state has no such seal", values)]
    gap = registry.history.gap
    if event is None:
        place = f"at {when(time)}: the registry holds it; block and transaction are unknown: {gap or 'no log tells'}"
        outcome = Outcome.PASS if gap else Outcome.FAIL
    else:
        block, transaction = registry.chain.block(event.block), event.transaction
        values |= {"block": event.block, "transaction": transaction}
        same = block and (block.timestamp, block.hash) == (time, event.block_hash)
        place = f"in block {event.block} ({when(time)}), transaction {transaction}"
        place += "" if same else ": but that is not the block of its time in the registry"
        outcome = Outcome.PASS if same else Outcome.FAIL
    seals = seals_of(registry, group, author)
    left = unrevealed(seals)
    values |= {"seals": len(seals), "unrevealed": left, "complete": gap is None}
    counts = f"{counted(len(seals), 'seal')} of theirs for that group, {left} unrevealed"
    counts = f"of the seals that this node still has logs of, {counts}" if gap else counts
    checks = [
        Check("seal", outcome, f"{commitment} was sealed by {author} for group {group} {place}; {counts}", values)
    ]
    if event is not None:
        sealing = Commitment(event.position, block, transaction, time)
        checks.append(check_anchorer(registry, author, sealing, "the seal"))
    seen = next((seal for seal in seals if seal.commitment == commitment), None)
    if seen is None or seen.revealed_as is None or seen.record_id is None:
        hidden = f"whether it was revealed is unknown: {gap}" if gap and seen is None else "it is not revealed"
        checks.append(Check("reveal", Outcome.UNKNOWN if gap and seen is None else Outcome.PASS, hidden, values))
        return checks
    place = f"in block {seen.revealed_block}, transaction {seen.transaction}"
    values |= {"revealedAs": seen.revealed_as, "record": seen.record_id, "revealTransaction": seen.transaction}
    if seen.revealed_as == "record":
        there = registry.status(seen.record_id)
        detail = f"revealed as record {seen.record_id} {place}; it is {label(there.status)} today"
        stands = there.exists and there.sealed_at == time
    else:
        current = registry.verdict(group, seen.record_id)
        stands = True
        today = f"that group's verdict today is {label(current.verdict)}"
        detail = f"revealed as the verdict {seen.revealed_as} on record {seen.record_id} {place}; {today}"
    checks.append(Check("reveal", Outcome.PASS if stands else Outcome.FAIL, detail, values))
    return checks


def proven_by(registry: Registry, checks: list[Check]) -> list[str]:
    """Say what the seals prove that passed. Whoever copies a commitment has a seal too, and can never reveal it."""
    seals = []
    for check in checks:
        if check.name == "seal" and check.verdict is Outcome.PASS:
            who, what = f"{check.values['author']}, for group {check.values['group']}", check.values["commitment"]
            said = f"had sealed {what} (nothing shows that they know what it hides)"
            said = f"was committed to what {what} hides" if "revealedAs" in check.values else said
            seals.append(f"{who}, {said} by {when(check.values['sealedAt'])}, in {registry}.")
    return seals
