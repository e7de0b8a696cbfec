"""What a verification found: checks with their verdicts, the records they are about, and what follows of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from blockchaintracer.core.plain_json import fields_json
from blockchaintracer.core.record_view import RecordView

NEVER_PROVEN = "that a result is right, that data are honest, or that a key's holder is who they say"


class Conclusion(StrEnum):
    """How a verification ended: the word, its colour and its exit code stand here once, for whoever shows it."""

    VERIFIED = "verified"
    NOT_VERIFIED = "not verified"
    WRONG_USE = "wrong use"
    UNAVAILABLE = "unavailable"
    CONSISTENT = "consistent"
    INCONCLUSIVE = "inconclusive"

    @property
    def exit_code(self) -> int:
        """The exit code of a command that ends so."""
        return list(Conclusion).index(self)

    @property
    def verified(self) -> bool | None:
        """Whether it is verified. None: it is not decided."""
        return {Conclusion.VERIFIED: True, Conclusion.NOT_VERIFIED: False}.get(self)

    def colour(self, *, private: bool = False) -> str:
        """Return the colour: green, red, or yellow (amber). What is verified on a private test chain is amber."""
        if self is Conclusion.VERIFIED:
            return "yellow" if private else "green"
        return "red" if self in (Conclusion.NOT_VERIFIED, Conclusion.WRONG_USE) else "yellow"


PRIVATE_CHAIN = "checked here; a private test chain proves nothing to others"


class Outcome(StrEnum):
    """How a check ended. Unknown: what it needs is not here."""

    PASS = "pass"  # noqa: S105 -- no password
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Check:
    """One check."""

    name: str
    verdict: Outcome
    detail: str
    values: dict[str, Any] = field(default_factory=dict)
    record: str | None = None


def wrong_group(group: int, groups: Collection[int], record: str | None = None) -> list[Check]:
    """Return the failed check of a record whose group is none of those that count; nothing if all count."""
    if not groups or group in groups:
        return []
    detail = f"it is of group {group}, and only {', '.join(map(str, groups))} count"
    return [Check("group", Outcome.FAIL, detail, record=record)]


@dataclass(frozen=True)
class Report:
    """All that a verification found.

    Args:
        subject: what was verified, as it was given.
        looked_up_as: ``record``, ``batch``, ``transaction``, ``digest``, ``seal``, ``root``, ``path`` or ``order``.
        records: that the subject led to: all of them, by whomever.
        proves: what follows, in sentences; nothing where the checks that it needs did not pass.
        does_not_prove: what does not follow, in sentences.
        private: whether the chain is a private test chain, which proves nothing to others.
        notes: what the verifier's own folder knows beside, in sentences: no check, and no part of the outcome.
    """

    subject: str
    looked_up_as: str
    checks: tuple[Check, ...]
    records: tuple[RecordView, ...] = ()
    proves: tuple[str, ...] = ()
    does_not_prove: tuple[str, ...] = (f"It does not prove {NEVER_PROVEN}.",)
    private: bool = False
    notes: tuple[str, ...] = ()

    @property
    def conclusion(self) -> Conclusion:
        """The outcome."""
        if self.failed:
            return Conclusion.NOT_VERIFIED
        return Conclusion.UNAVAILABLE if self.unavailable else Conclusion.VERIFIED

    @property
    def failed(self) -> list[Check]:
        """The checks that failed."""
        return [check for check in self.checks if check.verdict is Outcome.FAIL]

    @property
    def unknown(self) -> list[Check]:
        """The checks that could not be made."""
        return [check for check in self.checks if check.verdict is Outcome.UNKNOWN]

    @property
    def unavailable(self) -> list[Check]:
        """The checks that could not be made because a source that may have what they need could not be asked."""
        return [check for check in self.unknown if check.values.get("unavailable")]

    @property
    def verified(self) -> bool | None:
        """Whether it is verified; None if it is not decided."""
        return self.conclusion.verified

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        start = {"target": self.subject, "lookedUpAs": self.looked_up_as, "outcome": self.conclusion.value}
        counts: dict[str, Any] = {"failed": len(self.failed), "unknown": len(self.unknown)}
        counts |= {"privateTestChain": self.private, "verified": self.verified}
        return start | counts | fields_json(self, "checks", "records", "proves", "does_not_prove", "notes")
