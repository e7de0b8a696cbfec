"""What a receipt is worth: a time that a witness vouches for, or why it is worth nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from blockchaintracer.core.networks import when
from blockchaintracer.core.plain_json import fields_json


class TimeStanding(StrEnum):
    """How a receipt stands."""

    VERIFIED = "verified"
    """it holds, by something that the verifier chose"""
    CONSISTENT = "consistent"
    """it fits together, and nothing that the verifier chose vouches for it"""
    PENDING = "pending"
    """a promise, which proves nothing yet"""
    REFUSED = "refused"
    """it is damaged, forged, or of something else"""


@dataclass(frozen=True)
class WitnessTime:
    """What one witness says of one thing.

    Args:
        who: the witness, by the word of its receipt until it is verified.
        detail: why it stands so.
        time: Unix seconds that it states; None if it states none.
        not_after: Unix seconds before which the thing was there, if the receipt is verified.
        algorithms: the hashes that it rests on.
        is_private: it rests on a private test chain, which proves nothing to others.
        unavailable: a source that would decide could not be asked.
    """

    who: str
    standing: TimeStanding
    detail: str
    time: int | None = None
    not_after: int | None = None
    algorithms: frozenset[str] = frozenset({"sha256"})
    is_private: bool = False
    unavailable: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        shown = ("who", "standing", "detail", "time", "not_after")
        return fields_json(self, *shown, private_test_chain=self.is_private)


@dataclass(frozen=True)
class RecordTimes:
    """Between which times a record, or something else that was stamped, came to be.

    Args:
        subject: what the times are of: a record's id, or the name of what was stamped.
        not_before: time of the block that its manifest names, if that check passed.
        own: time by its own chain, if that check passed.
        witnesses: what each other witness says.
        problems: files of receipts that cannot be read, in sentences.
        failed: what was handed in as evidence and is refused, in sentences.
    """

    subject: str
    not_before: int | None
    own: int | None
    witnesses: tuple[WitnessTime, ...] = ()
    problems: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    @property
    def not_after(self) -> int | None:
        """The tightest bound of those that are verified, its own chain's among them."""
        return min((it for it in (self.own, *self._bounds) if it is not None), default=None)

    @property
    def _bounds(self) -> list[int | None]:
        return [it.not_after for it in self.witnesses if it.standing is TimeStanding.VERIFIED]

    @property
    def disagreements(self) -> tuple[str, ...]:
        """Say which witnesses contradict the block that the manifest names: one of both is wrong."""
        if self.not_before is None:
            return ()
        since = f"the manifest names a block of {when(self.not_before)}, whose hash nobody knew before"
        told = [(it.who, it.not_after) for it in self.witnesses if it.standing is TimeStanding.VERIFIED]
        return tuple(
            f"{who} says that it was there by {when(until)}, but {since}: one of them is wrong"
            for who, until in [*told, ("its own chain", self.own)]
            if until is not None and until < self.not_before
        )

    def lines(self) -> Iterator[str]:
        """Give the times as text: the interval, who says what, and what is wrong."""
        from_, to = self.not_before, self.not_after
        if self.disagreements:
            yield "The witnesses disagree: no interval fits all of them."
        elif from_ is not None and to is not None:
            yield f"Not before {when(from_)}, and not after {when(to)}."
        elif to is not None:
            yield f"Not after {when(to)}; how much earlier is not known."
        else:
            yield "No witness that you trust says when."
        yield from (f"disagreement: {text}" for text in self.disagreements)
        if self.not_before is not None:
            yield f"not before {when(self.not_before)}: the block that its manifest names"
        if self.own is not None:
            yield f"not after {when(self.own)}: its own chain"
        for it in sorted(self.witnesses, key=lambda it: it.not_after or 1 << 60):
            until = f"not after {when(it.not_after)}: " if it.not_after is not None else f"{it.standing}: "
            private = " (a private test chain: it proves nothing to others)" if it.is_private else ""
            yield f"{until}{it.who}, {it.detail}{private}"
        yield from (f"not read: {problem}" for problem in self.problems)

    def as_json(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        start = {"of": self.subject, "notBefore": self.not_before}
        start |= {"notAfter": None if self.disagreements else self.not_after, "ownChain": self.own}
        return start | fields_json(self, "witnesses", "disagreements", "problems")
