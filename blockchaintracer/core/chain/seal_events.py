"""The seals of one author by the registry's events: what was committed to, and which of it has been shown."""

from __future__ import annotations

from dataclasses import dataclass

from blockchaintracer.core.chain.abi import DecodedEvent
from blockchaintracer.core.chain.registry import Registry, recorded_event
from blockchaintracer.core.errors import ChainUnavailable
from blockchaintracer.core.record import Verdict, checksummed, from_hex, label, to_hex


@dataclass(frozen=True, slots=True)
class SealSeen:
    """A seal by its events. Hashes and ids are 0x-hex.

    Args:
        sealed_block: of the event ``Sealed``, whose time the registry keeps.
        revealed_as: ``record``, or the verdict; None while it's not shown.
        record_id: of the record that was shown, or that the verdict is about.
        revealed_block, transaction: where it was shown.
    """

    commitment: str
    sealed_block: int
    revealed_as: str | None = None
    record_id: str | None = None
    revealed_block: int | None = None
    transaction: str | None = None


def seals_of(registry: Registry, group: int, author: str) -> list[SealSeen]:
    """Return all seals of an author for a group, oldest first, as far as the node still has their events.

    Showing one seal shows how many there are: an author could seal a thousand plans and show the one that fits.
    """
    author = checksummed(author)
    sealed = {_commitment(event): event.block for event in registry.events("Sealed", group=group, author=author)}
    shown = _shown(registry, list(sealed), group, author)
    return [SealSeen(commitment, block, *shown.get(commitment, ())) for commitment, block in sealed.items()]


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
            revealed[_commitment(event)] = _as("record", record_id, event)
    for event in registry.events("VerdictRevealed", commitment=words, group=group):
        record_id, block = event.args["recordId"], event.block
        given = registry.events("Attested", block, block, recordId=record_id, group=group, attester=author)
        for attested in given:
            if attested.transaction == event.transaction:
                # a verdict's evidence is revealed by the same seal: the verdict is what was sealed
                verdict = label(Verdict(attested.args["verdict"]))
                revealed[_commitment(event)] = _as(verdict, record_id, event)
    return revealed


def _commitment(event: DecodedEvent) -> str:
    return to_hex(event.args["commitment"])


def _as(what: str, record_id: bytes, event: DecodedEvent) -> tuple[str, str, int, str]:
    return what, to_hex(record_id), event.block, event.transaction
