"""Whether records are renewed, and whether they still count when a hash is broken (RFC 4998, section 5.3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.networks import when
from blockchaintracer.core.plain_json import fields_json
from blockchaintracer.core.record import Domain, counted
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.core.verify.copies import Copies
from blockchaintracer.core.verify.outcomes import Check, Outcome
from blockchaintracer.extras.renewal.as_of import read_date
from blockchaintracer.extras.renewal.hash_tree import Pair, hashed
from blockchaintracer.extras.renewal.parts import NOTHING, Evidence, parts_of
from blockchaintracer.extras.renewal.renewal_file import RenewalFile
from blockchaintracer.lab.plain_text import named

RECORD = frozenset({"sha256", "keccak256"})
"""What a record rests on: SHA-256 binds its manifest and files, Keccak-256 its id and the chain."""
ALGORITHMS = ("sha256", "keccak256", "sha512", "sha3-256")
_ALIKE = {"keccak256": "sha3-256", "sha3-256": "keccak256"}
"""Both are one permutation with another padding: what breaks one is taken to break the other."""
_SHOWN = 5

Broken = Mapping[str, int]
"""Algorithms, and since when they are broken, Unix seconds."""


@dataclass(frozen=True)
class WitnessedTime:
    """That something was there, by a witness that was checked.

    Args:
        time: not later than this, Unix seconds.
        algorithms: the hashes that it rests on.
        source: who says so.
        roots: the roots of the tree that it binds, each by itself.
        proofs: the leaves that a later renewal must have, so that this time still counts when what it rests on breaks.
            Without any it never does.
    """

    time: int
    algorithms: frozenset[str]
    source: str
    roots: tuple[str, ...] = ("sha512", "sha3-256")
    proofs: Mapping[str, Pair] = field(default_factory=dict, repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {"notAfter": self.time, "algorithms": sorted(self.algorithms), "source": self.source}


@dataclass(frozen=True)
class Standing:
    """What is known of a renewal's own record: when it was recorded and retracted (0 for not), by whom, and by which
    leaves of a later renewal that could still be shown."""

    recorded_at: int
    retracted_at: int
    source: str
    proofs: Mapping[str, Pair] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Renewal:
    """A renewal of a record, compared with what is here.

    Args:
        record: the record that it renews.
        times: when it was there, by its own record and by witnesses of its roots.
        same: names of what is here and has the same two hashes in the tree.
        different: of what has another hash.
        left_out: of what is here and not in the tree.
        missing: what its author could not hash, of this record.
        retracted_at: Unix seconds, 0 if it stands.
        is_recorded: whether its own record is known to be stored: else who made it is the word of whoever gave it.
    """

    id: str
    record: str
    group: int
    author: str
    times: tuple[WitnessedTime, ...]
    same: tuple[str, ...]
    different: tuple[str, ...]
    left_out: tuple[str, ...]
    missing: tuple[str, ...]
    retracted_at: int = 0
    is_recorded: bool = True
    file: RenewalFile | None = field(default=None, repr=False, compare=False)

    @property
    def is_complete(self) -> bool:
        """Whether all that the record commits to and that is here is renewed as it is here."""
        return not (self.different or self.left_out or self.retracted_at)

    def as_json(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        about = ("id", "record", "group", "author", "retracted_at", "is_recorded")
        return fields_json(self, *about, "same", "different", "left_out", "missing", "times", complete=self.is_complete)

    def lines(self) -> Iterator[str]:
        """Say in sentences what it renews, and since when."""
        first = min(self.times, key=lambda it: it.time, default=None)
        since = f"by {when(first.time)} ({first.source})" if first else "at a time that is not known"
        yield f"renewed {since}, by SHA-512 and SHA3-256, by renewal {self.id}"

    def told(self) -> str:
        """Say how far it fits what is here."""
        if self.retracted_at:
            return f"it was retracted on {when(self.retracted_at)}"
        if self.different:
            return f"another content has the same SHA-256 in it: {named(self.different)}"
        told = f"{counted(len(self.same), 'thing')} compared, all the same"
        told += f"; partial, it leaves out {named(self.left_out)}" if self.left_out else ""
        return told + (f"; its author did not have {named(self.missing)}" if self.missing else "")


def parse_broken(texts: Sequence[str]) -> dict[str, int]:
    """Read which algorithms are broken since when: ``sha256:2041-01-01``.

    Raises:
        InputError: for another algorithm, or no date.
    """
    broken: dict[str, int] = {}
    for text in texts:
        name, _, date = text.partition(":")
        if name not in ALGORITHMS or not date:
            raise InputError(
                f"expected an algorithm and the day since when it is broken, such as sha256:2041-01-01, got {text!r}",
                hint=f"The algorithms are {', '.join(ALGORITHMS)}.",
            )
        # a day counts from its beginning: whatever was witnessed on it may be forged
        time = read_date(f"{date}T00:00:00Z" if len(date) == 10 else date)
        for each in (name, _ALIKE.get(name, name)):
            broken[each] = min(time, broken.get(each, time))
    return broken


def compare(
    domain: Domain,
    record: RecordView,
    renewals: Collection[RenewalFile],
    copies: Copies,
    standing: Callable[[RenewalFile], Standing | None],
    witnessed: Callable[[RenewalFile], Sequence[WitnessedTime]] = lambda renewal: (),
    as_of: int | None = None,
    evidence: Evidence = NOTHING,
) -> list[Renewal]:
    """Compare the renewals of a record with what is here, the oldest first. What came after `as_of` is left out.

    Args:
        renewals: of any records.
        standing: tells of a renewal's own record; None if it is not recorded, or that is not known.
        witnessed: gives what witnesses say of a renewal's roots.
    """
    of_it = [it for it in renewals if record.id in it.renews]
    if not of_it:
        return []
    here = parts_of(domain, record.key, copies, evidence)
    found = [_compared(record, it, here.here, here.missing, standing(it), witnessed(it), as_of) for it in of_it]
    known = (it for it in found if it.times or as_of is None)
    return sorted(known, key=lambda it: (min((time.time for time in it.times), default=2**63), it.id))


def _compared(
    record: RecordView,
    renewal: RenewalFile,
    here: Mapping[str, Pair],
    not_here: Collection[str],
    standing: Standing | None,
    witnessed: Sequence[WitnessedTime],
    as_of: int | None,
) -> Renewal:
    leaves = renewal.tree.leaves
    times = list(witnessed)
    if standing and standing.recorded_at:
        # the record's subject is the root by SHA3-256; the root by SHA-512 hangs on its manifest's SHA-256
        by_chain = frozenset({"keccak256", "sha3-256"})
        times.append(WitnessedTime(standing.recorded_at, by_chain, standing.source, ("sha3-256",), standing.proofs))
    retracted = standing.retracted_at if standing else 0
    return Renewal(
        id=renewal.id,
        record=record.id,
        group=renewal.key.group,
        author=renewal.key.author,
        times=tuple(time for time in times if as_of is None or time.time <= as_of),
        same=tuple(name for name, pair in here.items() if leaves.get(name) == pair),
        different=tuple(name for name, pair in here.items() if name in leaves and leaves[name] != pair),
        left_out=tuple(name for name in here if name not in leaves),
        missing=tuple(name for name in renewal.tree.missing if name in here or name in not_here),
        retracted_at=retracted if as_of is None or retracted <= as_of else 0,
        is_recorded=bool(standing and standing.recorded_at),
        file=renewal,
    )


def checks_of(record: RecordView, renewals: Sequence[Renewal], broken: Broken, as_of: int | None = None) -> list[Check]:
    """Check what renewals say of a record, and whether it counts although algorithms are broken."""
    checks = [_check(record, it) for it in renewals]
    in_force = {name: time for name, time in broken.items() if as_of is None or time <= as_of}
    for name in broken.keys() - in_force.keys():
        detail = f"it is broken since {when(broken[name])}, which is after the date that you chose"
        checks.append(Check(f"algorithm {name}", Outcome.PASS, detail, record=record.id))
    if not in_force.keys() & RECORD:
        return checks
    names = ", ".join(sorted(in_force.keys() & RECORD))
    until = min(time for name, time in in_force.items() if name in RECORD)
    if chain := _rescue([it for it in renewals if it.is_complete], in_force, until):
        steps = "; then ".join(
            f"renewal {it.id} was there by {when(time.time)}, by {time.source}, which rests on"
            f" {', '.join(sorted(time.algorithms | {tree}))}"
            for it, tree, time in chain
        )
        values = {"renewals": [it.id for it, _, _ in chain], "brokenSince": until}
        detail = f"broken since {when(until)}, and the record still counts: {steps}"
        return [*checks, Check(f"algorithm {names}", Outcome.PASS, detail, values, record=record.id)]
    why = "it has no renewal here"
    if renewals:
        told = "; ".join(f"{it.id}: {it.told()}, {_first(it)}" for it in renewals)
        why = f"no complete renewal by another hash was witnessed before that by what is not broken ({told})"
    detail = f"broken since {when(until)}: since then another content of the same hash could stand here; {why}"
    return [*checks, Check(f"algorithm {names}", Outcome.FAIL, detail, {"brokenSince": until}, record=record.id)]


def _check(record: RecordView, renewal: Renewal) -> Check:
    outcome = Outcome.PASS if renewal.is_complete and renewal.times else Outcome.UNKNOWN
    if renewal.different and not renewal.retracted_at:
        # what another group says of a record's content decides nothing
        outcome = Outcome.FAIL if renewal.group == record.group else Outcome.UNKNOWN
    values = {"renewal": renewal.id, "different": list(renewal.different), "leftOut": list(renewal.left_out)}
    whose = f"for group {renewal.group}" if renewal.is_recorded else "whose record is not shown here"
    detail = f"by {renewal.id}, {whose}: {renewal.told()}"
    return Check("renewal", outcome, detail, values, record=record.id)


def _rescue(renewals: Sequence[Renewal], broken: Broken, until: int) -> list[tuple[Renewal, str, WitnessedTime]]:
    """Return the shortest chain of renewals of which the first was there before `until`, each of the next renews the
    one before it before what that rests on was broken, and the last rests on nothing that is broken. Empty if there is
    none. Each step is looked at once, however many chains lead to it."""
    steps = [
        (it, root, time) for it in renewals for time in sorted(it.times, key=lambda it: it.time) for root in time.roots
    ]
    weak = [
        min((broken[it] for it in time.algorithms | {root} if it in broken), default=None) for _, root, time in steps
    ]
    before: dict[int, int | None] = {at: None for at, (_, _, time) in enumerate(steps) if time.time < until}
    waiting = deque(before)
    while waiting:
        at = waiting.popleft()
        if (ends := weak[at]) is None:
            chain, place = [steps[at]], before[at]
            while place is not None:
                chain.append(steps[place])
                place = before[place]
            return chain[::-1]
        renewal, _, time = steps[at]
        needed = _needed(renewal, time)
        for later, (other, _, then) in enumerate(steps):
            if later not in before and then.time < ends and needed and other.id != renewal.id and _has(other, needed):
                before[later] = at
                waiting.append(later)
    return []


def _needed(renewal: Renewal, time: WitnessedTime) -> dict[str, Pair]:
    """Return all that a renewal commits to, and what shows when that was there: a later renewal must have it, else the
    time could be forged once its hash is broken. Empty if nothing can show the time."""
    if renewal.file is None or not time.proofs:
        return {}
    return {name: hashed([data]) for name, data in renewal.file.parts.items()} | dict(time.proofs)


def _has(renewal: Renewal, leaves: Mapping[str, Pair]) -> bool:
    return renewal.file is not None and leaves.items() <= renewal.file.tree.leaves.items()


def _first(renewal: Renewal) -> str:
    first = min((time.time for time in renewal.times), default=None)
    return f"witnessed by {when(first)}" if first else "witnessed by nothing here"
