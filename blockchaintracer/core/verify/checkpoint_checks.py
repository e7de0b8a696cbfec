"""Whether a run's checkpoints are those that were anchored while it went on, in that order, and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from blockchaintracer.core.chain import DecodedEvent, Registry
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import CheckpointAnchor, Checkpoints, RunPredicate
from blockchaintracer.core.manifest.checkpoint_list import (
    MAX_CHECKPOINT_LIST,
    AnchoredCheckpoints,
    CheckpointList,
    ListedCheckpoint,
    root_of,
)
from blockchaintracer.core.networks import when
from blockchaintracer.core.record import checksummed, to_hex
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.core.verify.commitments import Commitment
from blockchaintracer.core.verify.content_checks import without_copy
from blockchaintracer.core.verify.copies import Copies
from blockchaintracer.core.verify.outcomes import Check, Outcome

_SHOWN = 20
_NAME = "checkpoints"


def check_checkpoints(
    registry: Registry, copies: Copies, record: RecordView, run: RunPredicate, committed: Commitment
) -> Iterator[Check]:
    """Compare the list with the manifest and the anchors. Yields nothing for a run without checkpoints.

    A list that was changed after its anchors is told entry by entry: what was dropped, inserted, changed or reordered.
    """
    stated = run.checkpoints
    if stated is None:
        return
    data, copy = copies.read_bytes(stated.listing.sha256, MAX_CHECKPOINT_LIST)
    listed: CheckpointList | None = None
    if data is None:
        yield from without_copy(_NAME, stated.listing.sha256, copy)
    else:
        try:
            listed = CheckpointList.from_bytes(data)
        except InputError as error:
            yield Check(_NAME, Outcome.FAIL, f"their list is invalid: {error.message}")
    if listed is not None:
        problems = [*listed.problems(), *_disagreements(stated, listed)]
        detail = _several(problems) or (
            f"{len(listed.checkpoints)}, chained in the order of their steps; the last link is {listed.head}"
        )
        yield Check(
            _NAME, Outcome.FAIL if problems else Outcome.PASS, detail, {"count": stated.count, "head": stated.head}
        )
    yield from _Anchors(registry, copies, record, stated, listed).checks(run, committed)


def _disagreements(stated: Checkpoints, listed: CheckpointList) -> Iterator[str]:
    try:
        root = root_of(listed.checkpoints) if listed.checkpoints else None
    except InputError as error:
        root = error.message
    for name, manifest, in_list in (
        ("series", stated.series, listed.series),
        ("number", stated.count, len(listed.checkpoints)),
        ("last link", stated.head, listed.head),
        ("root", stated.root, root),
        ("initial state", stated.initial_state, listed.initial_state),
    ):
        if manifest != in_list:
            yield f"the manifest says the {name} {manifest}, the list {in_list}"


class _Anchors:
    """The anchors of one run's checkpoints."""

    def __init__(
        self, registry: Registry, copies: Copies, record: RecordView, stated: Checkpoints, listed: CheckpointList | None
    ) -> None:
        self._registry = registry
        self._copies = copies
        self._key = record.key
        self._said = stated
        self._listed = listed

    @cached_property
    def _events(self) -> dict[str, DecodedEvent]:
        """All batches of the author for the group by root, read once for all anchors."""
        about: dict[str, Any] = {"group": self._key.group, "author": checksummed(self._key.author)}
        return {to_hex(event.args["root"]): event for event in self._registry.events("Anchored", **about)}

    def checks(self, run: RunPredicate, committed: Commitment) -> Iterator[Check]:
        place, described, last, known = 0, [], None, True
        for number, anchor in enumerate(self._said.anchors, 1):
            name = f"anchor {number}"
            event = self._events.get(anchor.root)
            block = self._registry.chain.block(event.block) if event else None
            batch = self._registry.batch(self._key.group, self._key.author, anchor.root) if event is None else None
            if batch and batch.exists and (gap := self._registry.history.gap):
                is_before = (batch.count, batch.anchored_at <= committed.time) == (anchor.count, True)
                detail = f"{batch.count} checkpoints, anchored {when(batch.anchored_at)} (state); their steps: {gap}"
                yield Check(name, Outcome.PASS if is_before else Outcome.FAIL, detail, {"root": anchor.root})
                known = False
            elif event is None or block is None:
                yield Check(name, Outcome.FAIL, f"its root {anchor.root} was never anchored by the run's author")
                known = False
            else:
                position = event.position
                problems = list(self._problems(anchor, place))
                if last is not None and not last < position:
                    problems.append("it was anchored before the one that it follows")
                if position.precedes(committed.position) is False:
                    problems.append("it was anchored after the run was recorded")
                part = self._described(anchor)
                known = known and part is not None
                described += list(part.checkpoints) if part else []
                steps = self._steps(place, anchor.count, part)
                detail = f"{steps}, not later than {when(block.timestamp)}"
                detail = f"{_several(problems)}; {steps}" if problems else detail
                values = {"root": anchor.root, "time": block.timestamp, "block": block.number}
                yield Check(name, Outcome.FAIL if problems else Outcome.PASS, detail, values)
                last = position
            place += anchor.count
        if self._listed is not None and known and self._said.anchors:
            yield self._order(described, place)
        yield from self._left_out(run, committed)

    def _problems(self, anchor: CheckpointAnchor, place: int) -> Iterator[str]:
        count = self._events[anchor.root].args["declaredCount"]
        if count != anchor.count:
            yield f"the chain says {count} checkpoints, the manifest {anchor.count}"
        if self._listed is None:
            return
        part = self._listed.checkpoints[place : place + anchor.count]
        try:
            is_same = len(part) == anchor.count and root_of(part) == anchor.root
        except InputError:
            is_same = False
        if not is_same:
            yield f"the list's checkpoints at places {place + 1} to {place + anchor.count} have another root"

    def _described(self, anchor: CheckpointAnchor) -> AnchoredCheckpoints | None:
        """Return the anchored checkpoints from the description whose digest is on the chain."""
        part = self._read(_description(self._events[anchor.root]))
        try:
            return part if part and root_of(part.checkpoints) == anchor.root else None
        except InputError:
            return None

    def _read(self, digest: str) -> AnchoredCheckpoints | None:
        data, _ = self._copies.read_bytes(digest, MAX_CHECKPOINT_LIST)
        try:
            return AnchoredCheckpoints.from_bytes(data) if data else None
        except InputError:
            return None

    def _steps(self, place: int, count: int, part: AnchoredCheckpoints | None) -> str:
        listed = self._listed.checkpoints[place : place + count] if self._listed else ()
        entries: Sequence[ListedCheckpoint] = part.checkpoints if part else listed
        return f"steps {entries[0].step} to {entries[-1].step}" if entries else f"{count} checkpoints"

    def _order(self, was: list[ListedCheckpoint], count: int) -> Check:
        """Compare the list with the anchored checkpoints, entry by entry."""
        assert self._listed is not None  # noqa: S101 -- asked before
        now = self._listed.checkpoints[:count]
        rest = self._listed.checkpoints[count:]
        if [it.link for it in was] == [it.link for it in now]:
            later = f"; {len(rest)} later ones are fixed by the run's record alone" if rest else ""
            return Check("order", Outcome.PASS, f"the list is what was anchored, in that order{later}")
        return Check("order", Outcome.FAIL, _several(_changes(was, list(self._listed.checkpoints))))

    def _left_out(self, run: RunPredicate, committed: Commitment) -> Iterator[Check]:
        """Find batches of the same list that the run does not name: an author could anchor two lists and show one."""
        named = {anchor.root for anchor in self._said.anchors}
        here = run.not_before is not None and int(run.not_before.chain_id) == self._registry.chain.chain_id
        first = int(run.not_before.block_number) if run.not_before and here else 0
        others = {
            root: _description(event)
            for root, event in self._events.items()
            if root not in named and first <= event.block <= (committed.position.block or event.block)
        }
        unnamed, unseen = [], 0
        for root, digest in others.items():
            part = self._read(digest)
            if part is not None and part.series == self._said.series:
                steps = ", ".join(str(checkpoint.step) for checkpoint in part.checkpoints[:_SHOWN])
                unnamed.append(f"{root} with the steps {steps}")
            unseen += part is None
        values = {"others": len(others), "notSeen": unseen}
        if unnamed:
            detail = f"batches of this list were anchored that the run doesn't name: {_several(unnamed)}"
            yield Check("anchors left out", Outcome.FAIL, detail, values)
        elif (self._said.anchors or others) and (gap := self._registry.history.gap):
            yield Check("anchors left out", Outcome.UNKNOWN, f"whether others were anchored: {gap}", values)
        elif self._said.anchors or others:
            blind = (
                f"; {unseen} batches of this author in that time hold something else or are not here" if unseen else ""
            )
            yield Check("anchors left out", Outcome.PASS, f"none is known{blind}", values)


def _description(event: DecodedEvent) -> str:
    return str(event.args["manifest"].hex())


def _changes(was: list[ListedCheckpoint], now: list[ListedCheckpoint]) -> list[str]:
    """Describe what happened to the anchored checkpoints, each named by its step."""
    before, after = ({entry.step: entry for entry in was}, {entry.step: entry for entry in now})
    anchored_until = max(before)
    digests = {entry.sha256 for entry in was}
    changes = [f"dropped: {entry}" for step, entry in before.items() if step not in after]
    changes += [f"inserted: {entry}" for step, entry in after.items() if step not in before and step < anchored_until]
    changed = [step for step, entry in before.items() if step in after and after[step].sha256 != entry.sha256]
    for step in changed:
        how = "reordered" if after[step].sha256 in digests else "changed"
        changes.append(f"{how}: {after[step]} was anchored as {before[step].sha256[:12]}…")
    places = [step for step in before if step in after]
    kept = [step for step in after if step in before]
    changes += [f"reordered: {after[step]}" for step, other in zip(kept, places, strict=True) if step != other]
    return changes or ["the entries were given other names, sizes or times than were anchored"]


def _several(problems: list[str]) -> str:
    more = f" and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return "; ".join(problems[:_SHOWN]) + more
