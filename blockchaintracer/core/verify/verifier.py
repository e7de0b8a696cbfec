"""The verifier: which checks are made of a record, a transaction, a file or folder, and an order, and what follows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from blockchaintracer.core.chain import Chain, Registry
from blockchaintracer.core.chain.abi import interface
from blockchaintracer.core.chain.registry import KEY_HINT, recorded_event
from blockchaintracer.core.networks import is_private
from blockchaintracer.core.record import GLOBAL_PREFIX, RecordKey, Status, normal_digest, normal_id
from blockchaintracer.core.record_view import Position, RecordView
from blockchaintracer.core.verify.commitments import Commitment, check_path, commitment_of
from blockchaintracer.core.verify.content_checks import Shown
from blockchaintracer.core.verify.copies import Copies, GivenFiles
from blockchaintracer.core.verify.locate import check_key
from blockchaintracer.core.verify.outcomes import NEVER_PROVEN, Check, Outcome, Report, wrong_group
from blockchaintracer.core.verify.record_checks import RecordChecks
from blockchaintracer.core.verify.seal_checks import SEAL_LIMIT, check_commitment, proven_by
from blockchaintracer.core.verify.transaction_checks import check_root, check_transaction, elsewhere, sentences_of

_ALIKE = 5
_ABSENT = ("recorded", "transaction")


@dataclass(frozen=True)
class Similar:
    """A record that has files of the same names or digests."""

    record: RecordView
    checks: list[Check]

    @property
    def differences(self) -> int:
        """Number of files that are missing, added or changed; 0 if the record has exactly these bytes."""
        return sum(check.verdict is not Outcome.PASS for check in self.checks)


class Verifier:
    """Verify against one registry.

    Args:
        registry: whose word is checked; logs that other contracts emitted count for nothing.
        copies: where content is found.
        similar: gives the records that a file or folder resembles, the most alike first.

    All methods raise ChainUnavailable if the chain can't be reached.
    """

    def __init__(
        self, registry: Registry, copies: Copies, similar: Callable[[Shown], list[Similar]] = lambda shown: []
    ) -> None:
        self._registry = registry
        self._chain = registry.chain
        self._copies = copies
        self._similar = similar
        self._checks = RecordChecks(registry, self._copies)

    # -- what can be verified

    def hash(self, text: str, groups: Collection[int] = (), sealers: Iterable[tuple[int, str]] = ()) -> Report:
        """Verify what 64 hex digits name: a record id, a transaction hash, the digest of recorded content, or a seal.

        Args:
            groups: of a digest or a seal, only what is of these groups counts; empty if all count.
            sealers: groups and authors that may have sealed it: their seals are found without a log.

        If nothing is found and the node no longer has all events, that is unknown.
        """
        if text.startswith(GLOBAL_PREFIX):
            text = self._registry.domain.parse_id(text)
        digest = normal_digest(text, "record id, transaction hash, SHA-256 or commitment")
        identifier = normal_id(text)
        registry = self._registry
        stored = registry.status(identifier)
        if stored.exists:
            return self._by_id(identifier, "record", identifier)
        if registry.receipt(identifier) or self._chain.remembered(lambda: self._chain.transaction(identifier)):
            return self.transaction(identifier)
        records = _of_groups(registry.find_subject(digest), groups)
        seals = check_commitment(registry, identifier, groups, sealers)
        kind = "digest" if records else "seal" if seals else "root"
        seals += check_root(registry, identifier, groups)
        blocks = dict.fromkeys(check.values["block"] for check in seals if "block" in check.values)
        seals += map(self._checks.finality, blocks)
        if records or seals:
            counted = self._count(records, "committed to")
            report = self._report(digest if records else identifier, kind, [*counted, *seals], records)
            return self._concluding(report, seals)
        if stored.status is Status.CANCELLED:
            detail = f"{registry} holds {identifier} as cancelled: it is not recorded"
            return Report(text, "record", (Check("recorded", Outcome.FAIL, detail),))
        what = f"record, transaction, recorded digest, batch or seal {text}"
        return Report(text, "record", (self._missing(what, "or name who sealed it: --group NUMBER --author ADDRESS"),))

    def _missing(self, what: str, more: str = "") -> Check:
        """Say that the registry has no such thing; or if the node has forgotten events, that it is unknown."""
        if gap := self._registry.history.gap:
            detail = f"whether {self._registry} has a {what} is unknown: {gap}; earlier records cannot be found"
            detail += f" here by file or digest: use an archive node, an export or a proof{more and ', '}{more}"
            return Check("recorded", Outcome.UNKNOWN, detail, {"unavailable": [gap]})
        return Check("recorded", Outcome.FAIL, f"{self._registry} has no {what}")

    def _by_id(self, subject: str, looked_up_as: str, record_id: str, shown: Shown | None = None) -> Report:
        """Verify a record by its id, and a file or folder against it. The state says whether it is stored."""
        if record := self._registry.find_records([record_id]).get(record_id):
            manifest = self._checks.manifest(record)[0] if shown else None
            checks = shown.compare(record.key, manifest) if shown else []
            return self._report(subject, looked_up_as, checks, [record], shown)
        if not (stored := self._registry.status(record_id)).exists:
            check = Check("recorded", Outcome.FAIL, f"{self._registry} has no record {record_id}")
        else:
            detail = f"{self._registry.without_key(record_id, stored)}. {KEY_HINT}"
            check = Check("recorded", Outcome.UNKNOWN, detail, {"unavailable": ["its key"]})
        return Report(subject, looked_up_as, (check,))

    def _concluding(self, report: Report, checks: list[Check]) -> Report:
        """Add to a report what follows of its seals and events, unless they are of a stolen key."""
        sound, keys = [], []
        for check in checks:
            values, stated = check.values, []
            signer, time = values.get("author") or values.get("attester"), values.get("sealedAt") or values.get("time")
            if check.name in ("seal", "event") and signer and time and "group" in values:
                stated = [*check_key(self._registry, self._copies, [values["group"]], signer, time)]
            keys += [key for key in stated if key not in keys]
            sound += [check] if all(key.verdict is not Outcome.FAIL for key in stated) else []
        proves = (*report.proves, *proven_by(self._registry, sound), *sentences_of(self._registry, sound))
        limits = (SEAL_LIMIT,) if any(check.name == "seal" for check in checks) else ()
        limits = (*report.does_not_prove, *limits)
        return replace(report, checks=(*report.checks, *keys), proves=proves, does_not_prove=limits)

    def transaction(self, transaction: str) -> Report:
        """Verify all that a transaction did in the registry. Only events of the registry itself count."""
        transaction = normal_id(transaction, "transaction hash")
        receipt = self._registry.receipt(transaction)
        problem, events = None, []
        if receipt is None and (gap := self._registry.history.gap):
            detail = f"what transaction {transaction} did is unknown: {gap}"
            check = Check("transaction", Outcome.UNKNOWN, detail, {"unavailable": [gap]})
            return Report(transaction, "transaction", (check,))
        if receipt is None:
            problem = "it is in no block"
        elif not receipt.succeeded:
            problem = f"it is in block {receipt.block} and was refused there"
        elif not (events := self._registry.events_of(receipt)):
            known, own = interface().topics, self._registry.address
            impostors = sorted(
                {it.address for it in receipt.logs if it.address != own and {*it.topics[:1]} & known.keys()}
            )
            problem = f"it holds no event of the registry {self._registry.address}"
            problem += f"; {', '.join(impostors)} emitted events that look like its own" if impostors else ""
            problem += elsewhere(receipt)
        if problem or receipt is None:
            check = Check("transaction", Outcome.FAIL, f"{transaction}: {problem}")
            return Report(transaction, "transaction", (check,))
        checks = check_transaction(self._registry, transaction, receipt, events)
        records = [recorded_event(event) for event in events if event.name == "Recorded"]
        if not records:
            checks.append(self._checks.finality(events[0].block))
        report = self._report(transaction, "transaction", checks, records)
        return self._concluding(report, checks)

    def batched(
        self, key: RecordKey, root: str, path: Sequence[str], files: Sequence[Path] = (), groups: Collection[int] = ()
    ) -> Report:
        """Verify that a record is in a batch of its own group and author. A stored record is verified as stored.

        Args:
            files: files or folders that must be what the record is of; the record's manifest may be one of them.
            groups: of these groups the record must be; empty if all count.
        """
        if files and not isinstance(self._copies, GivenFiles):
            given = Verifier(self._registry, GivenFiles(files, self._copies))
            return given.batched(key, root, path, files, groups)
        record_id = self._registry.domain.record_id(key)
        record = RecordView(id=record_id, key=key)
        more = [replace(check, record=record_id) for check in self._given(record, files, groups)]
        if self._registry.status(record_id).exists:
            stored = self._registry.find_records([record_id]).get(record_id, record)
            more += self.earlier_batch(record, root, path)
            return self._report(record_id, "record", more, [replace(stored, batch=root, path=tuple(path))])
        seen, checks, proves = self._checks.batched(record, root, path)
        checks += more
        limits = (*self._limits(), "Parents that are not recorded are checked when it is stored.")
        return Report(record_id, "batch", tuple(checks), (seen,), tuple(proves), limits)

    def earlier_batch(self, record: RecordView, root: str, path: Sequence[str]) -> Iterator[Check]:
        """Check a batch whose time a stored record does not have: a signature over the record was relayed first."""
        if not self._registry.status(record.id).is_batched:
            yield replace(check_path(self._registry, record, root, path), record=record.id)

    def _given(self, record: RecordView, files: Sequence[Path], groups: Collection[int]) -> Iterator[Check]:
        yield from wrong_group(record.group, groups)
        manifest, _ = self._checks.manifest(record)
        for shown in (Shown(file, self._copies) for file in files):
            if shown.sha256 == record.key.manifest:
                yield Check("content", Outcome.PASS, f"{shown.path} is the record's manifest: {shown.sha256}")
            else:
                yield from shown.compare(record.key, manifest)

    def path(self, path: Path | Shown, record_id: str | None = None, groups: Collection[int] = ()) -> Report:
        """Verify a file or folder against one record, or against all records of its digest.

        Args:
            record_id: what it should be; without it everything of its digest is looked up.
            groups: only records of these groups count; empty if all count.
        """
        shown = path if isinstance(path, Shown) else Shown(path, self._copies)
        if record_id is not None:
            return self._by_id(str(shown.path), "path", self._registry.domain.parse_id(record_id), shown)
        records = _of_groups(self._registry.find_subject(shown.sha256), groups)
        if records := [record for record in records if record.key.subject_type == shown.subject_type]:
            return self._report(str(shown.path), "path", self._count(records), records, shown)
        return self._by_parts(shown, groups)

    def before(self, first: str, second: str) -> Report:
        """Verify that one record came before another: by block, and within a block by the place in it."""
        ids = [self._registry.domain.parse_id(text) for text in (first, second)]
        subject = f"{ids[0]} before {ids[1]}"
        records = self._registry.find_records(ids)
        stored = dict(zip(ids, self._registry.statuses(ids), strict=True))
        checks: list[Check] = []
        seen: list[RecordView] = []
        for record_id in dict.fromkeys(ids):
            if record_id in records:
                record, its_checks = self._checks.standing(records[record_id])
                seen.append(record)
                checks += its_checks
                continue
            outcome, detail = Outcome.FAIL, f"{self._registry} has no record {record_id}"
            if stored[record_id].exists:
                gap = self._registry.history.reason
                outcome, detail = Outcome.PASS, f"by {self._registry}: recorded (state); transaction unknown: {gap}"
            checks.append(Check("recorded", outcome, detail, record=record_id))
        if not all(stored[record_id].exists for record_id in ids):
            return Report(subject, "order", tuple(checks), tuple(seen))
        one, other = (commitment_of(self._registry, records.get(each), stored[each]) for each in ids)
        order = self._order(ids, one, other)
        if ids[0] != ids[1] and one.root and one.position == other.position and one.position.block:
            detail = f"both are in the batch {one.root}, which tells nothing of their order"
            order = Check("order", Outcome.FAIL, detail)
        checks.append(order)
        held = all(check.verdict is not Outcome.FAIL for check in checks) and order.verdict is Outcome.PASS
        told = f"Record {ids[0]} was recorded before {ids[1]}, on {self._registry}: {order.detail}."
        proves = (told,) if held else ()
        return Report(subject, "order", tuple(checks), tuple(seen), proves, self._limits(ids_only=True))

    # -- one record

    def _report(
        self,
        subject: str,
        looked_up_as: str,
        checks: list[Check],
        records: list[RecordView],
        shown: Shown | None = None,
    ) -> Report:
        seen, proves = [], []
        for record in records:
            view, its_checks, sentences = self._checks.examine(record, shown)
            seen.append(view)
            checks = [*checks, *its_checks]
            proves += sentences
        limits = self._limits()
        if any(check.name == "private" for check in checks):
            limits = (*limits, "It tells nothing of private values, nor how many there are, until one is disclosed.")
        return Report(subject, looked_up_as, tuple(checks), tuple(seen), tuple(proves), limits)

    # -- what follows

    def _limits(self, *, ids_only: bool = False) -> tuple[str, ...]:
        limits = [f"It does not prove {NEVER_PROVEN}."]
        if ids_only:
            limits.append("It does not prove which of the two was made first: each may be older than its record.")
        else:
            limits.append("A verdict is the word of the group that gave it; several groups may be one person's.")
        if network := self._chain.network:
            limits.append(f"A time is as good as its source: {network.time_source}. Final is: {network.finality}.")
        limits.append(f"What the chain holds is told by the node at {self._chain.address}.")
        return tuple(limits)

    def _order(self, ids: list[str], earlier: Commitment, later: Commitment) -> Check:
        one, other = earlier.position, later.position
        seconds = abs(later.time - earlier.time)
        if ids[0] == ids[1]:
            return Check("order", Outcome.FAIL, "both are the same record")
        if one.precedes(other) is None or (one == other and not earlier.root):
            # where one of them is nobody knows here: the registry's state has both times
            first = ids[0] if earlier.time < later.time else ids[1]
            if not seconds:
                gap = self._registry.history.reason
                detail = f"both have the same time (state), and their places are unknown: {gap}"
                return Check("order", Outcome.UNKNOWN, detail, {"unavailable": [gap]})
            outcome = Outcome.PASS if earlier.time < later.time else Outcome.FAIL
            return Check("order", outcome, f"{first} is before the other by {seconds} s (state)", {"first": first})
        first, last = (ids[0], ids[1]) if one < other else (ids[1], ids[0])
        if one.block != other.block:
            by = f"{abs(other.block - one.block)} blocks and {seconds} s"
        elif one.transaction != other.transaction:
            by = f"its transaction's place in block {one.block}, which the block's maker chose"
        else:
            by = f"its place in one transaction of block {one.block}"
        values = {
            "first": first,
            "blocks": abs(other.block - one.block),
            "seconds": seconds,
            "positions": {ids[0]: _place(one), ids[1]: _place(other)},
        }
        detail = f"{first} is before {last} by {by}"
        return Check("order", Outcome.PASS if one < other else Outcome.FAIL, detail, values)

    def _count(self, records: Sequence[RecordView], did: str = "recorded") -> list[Check]:
        whose = "; ".join(f"{record.id} of group {record.group} by {record.author}" for record in records)
        detail = f"{len(records)} of this digest (anyone may record another's file): {whose}"
        gap, checks = self._registry.history.gap, [Check("records", Outcome.PASS, detail, {"count": len(records)})]
        unknown = [Check("history", Outcome.UNKNOWN, f"others may have {did} it before: {gap}")] if gap else []
        return [*(checks if records else ()), *unknown]

    def _by_parts(self, shown: Shown, groups: Collection[int]) -> Report:
        """Verify what nobody recorded as a whole: a part of a record, a changed copy, or neither."""
        alike = [similar for similar in self._similar(shown) if not groups or similar.record.group in groups]
        whose = f" of group {', '.join(map(str, groups))}" if groups else ""
        subject = str(shown.path)
        if parts := [one for one in alike if not one.differences]:
            records = list({one.record.id: one.record for one in parts}.values())
            checks = [replace(check, record=one.record.id) for one in parts for check in one.checks]
            return self._report(subject, "path", [*self._count(records)[:1], *checks], records, shown)
        missing = self._missing(f"record{whose} of {shown.path}, whose digest is {shown.sha256}")
        missing.values["sha256"] = shown.sha256
        if missing.verdict is Outcome.UNKNOWN:
            return Report(subject, "path", (missing,))
        checks = [missing]
        nearest = [one for one in alike if one.differences == alike[0].differences]
        for one in nearest[:_ALIKE]:
            record = one.record
            whose = f"{record.kind} {record.id} of group {record.group} by {record.author}"
            detail = f"it is like {whose}, but not the same:"
            checks.append(Check("alike", Outcome.FAIL, detail, record=record.id))
            checks += [replace(check, record=record.id) for check in one.checks]
        return Report(subject, "path", tuple(checks))


def as_told(report: Report, chain: Chain) -> Report:
    """Return a report with what its chain is worth: whether it is private, and whether its node is behind."""
    report, seen = replace(report, private=is_private(chain.chain_id)), {record.id for record in report.records}
    if not (behind := chain.behind()):
        return report

    def is_absent(it: Check) -> bool:
        is_here = it.record in seen if it.record else seen
        lacks = it.values.get("anchoredAt") == 0 if it.name == "batch" else it.name in _ABSENT and not is_here
        return it.verdict is Outcome.FAIL and lacks

    def told(it: Check) -> Check:
        if is_absent(it):
            return replace(it, verdict=Outcome.UNKNOWN, values=it.values | {"unavailable": [behind]})
        is_open = it.verdict is Outcome.PASS and it.name in ("retraction", "lineage")
        return replace(it, verdict=Outcome.UNKNOWN, detail=f"{it.detail}, by a node that is behind") if is_open else it

    # without a record, what else failed rests on what is missing
    alone = [] if seen else [it for it in report.checks if is_absent(it)]
    return replace(report, checks=(*map(told, alone or report.checks), Check("node", Outcome.UNKNOWN, behind)))


def _of_groups(records: list[RecordView], groups: Collection[int]) -> list[RecordView]:
    return [record for record in records if not groups or record.group in groups]


def _place(position: Position) -> dict[str, int | None]:
    index, log = (None if it < 0 else it for it in (position.transaction, position.log))
    return {"block": position.block, "transactionIndex": index, "logIndex": log}
