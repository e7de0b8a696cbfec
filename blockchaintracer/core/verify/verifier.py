"""The verifier: which checks are made of a record, a transaction, a file or folder, and an order, and what follows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from blockchaintracer.core.chain import Registry, TransactionReceipt
from blockchaintracer.core.chain.abi import interface
from blockchaintracer.core.chain.history import EventHistory
from blockchaintracer.core.errors import ChainUnavailable
from blockchaintracer.core.record import (
    GLOBAL_PREFIX,
    RecordKey,
    Status,
    from_hex,
    label,
    normal_digest,
    normal_id,
    to_hex,
)
from blockchaintracer.core.record_view import Position, RecordView
from blockchaintracer.core.verify.commitments import when
from blockchaintracer.core.verify.content_checks import Shown
from blockchaintracer.core.verify.copies import Copies, GivenFiles
from blockchaintracer.core.verify.locate import locate, locate_subject
from blockchaintracer.core.verify.outcomes import NEVER_PROVEN, Check, Outcome, Report
from blockchaintracer.core.verify.record_checks import RecordChecks, where
from blockchaintracer.core.verify.seal_checks import SEAL_LIMIT, check_commitment, proven_by
from blockchaintracer.core.verify.transaction_checks import check_root, check_transaction, elsewhere, sentences_of

_ALIKE = 5


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

        Raises:
            ChainUnavailable: if nothing is found, and the node no longer has all logs: then it is unknown.
        """
        if text.startswith(GLOBAL_PREFIX):
            text = self._registry.domain.parse_id(text)
        digest = normal_digest(text, "record id, transaction hash, SHA-256 or commitment")
        identifier = normal_id(text)
        history = EventHistory(self._registry)
        if record := next(self._registry.recorded(history.start, id=from_hex(identifier)), None):
            return self._report(identifier, "record", [], [record])
        stored = self._registry.status(identifier)
        if stored.exists:
            raise ChainUnavailable(
                f"{where(self._registry)} holds {identifier} as {label(stored.status)}, of group {stored.group},"
                f" recorded {when(stored.recorded_at)}; the node no longer has its log: author and content are unknown",
                hint="Ask a node that keeps all history, or verify the record's bundle.",
            )
        if self._is_transaction(identifier, history):
            return self.transaction(identifier)
        records = _of_groups(list(self._registry.recorded(history.start, subject=bytes.fromhex(digest))), groups)
        seals = check_commitment(history, self._registry, identifier, groups, sealers)
        kind = "digest" if records else "seal" if seals else "root"
        seals += check_root(history, self._registry, identifier, groups)
        blocks = dict.fromkeys(check.values["block"] for check in seals if "block" in check.values)
        seals += map(self._checks.finality, blocks)
        gap = history.gap()
        if records or seals:
            checks = [self._count(records)] if records else []
            if gap:
                checks.append(Check("history", Outcome.UNKNOWN, f"others may have committed to it before: {gap}"))
            report = self._report(digest if records else identifier, kind, [*checks, *seals], records)
            return self._concluding(report, seals)
        if gap:
            raise ChainUnavailable(
                f"whether {where(self._registry)} has a record, transaction, recorded digest, batch or seal {text}"
                f" is unknown: {gap}",
                hint="Ask a node that keeps all history; or name who sealed it: --group NUMBER --author ADDRESS.",
            )
        detail = f"{where(self._registry)} has no record, transaction, recorded digest, batch or seal {text}"
        if stored.status is Status.CANCELLED:
            detail = f"{where(self._registry)} holds {identifier} as cancelled by its author: it is not recorded"
        return Report(text, "record", (Check("recorded", Outcome.FAIL, detail),))

    def _concluding(self, report: Report, checks: list[Check]) -> Report:
        """Add to a report what follows of the checks of seals and of a transaction's events."""
        proves = (*report.proves, *proven_by(self._registry, checks), *sentences_of(self._registry, checks))
        limits = (SEAL_LIMIT,) if any(check.name == "seal" for check in checks) else ()
        return replace(report, proves=proves, does_not_prove=(*report.does_not_prove, *limits))

    def _is_transaction(self, digest: str, history: EventHistory) -> bool:
        try:
            return self._chain.receipt(digest) is not None or self._chain.transaction(digest) is not None
        except ChainUnavailable:
            # a node refuses to tell of what it has forgotten
            if not history.is_cut:
                raise
            return False

    def transaction(self, transaction: str) -> Report:
        """Verify all that a transaction did in the registry. Only events of the registry itself count."""
        transaction = normal_id(transaction, "transaction hash")
        receipt = self._chain.receipt(transaction)
        problem, events = None, []
        if receipt is None:
            problem = "it is in no block"
        elif not receipt.succeeded:
            problem = f"it is in block {receipt.block} and was refused there"
        elif not (events := self._registry.events_of(receipt)):
            impostors = self._impostors(receipt)
            problem = f"it holds no event of the registry {self._registry.address}"
            problem += f"; {', '.join(impostors)} emitted events that look like its own" if impostors else ""
            problem += elsewhere(self._registry, receipt)
        if problem or receipt is None:
            check = Check("transaction", Outcome.FAIL, f"{transaction}: {problem}")
            return Report(transaction, "transaction", (check,))
        checks = check_transaction(self._registry, transaction, receipt, events)
        ids = [to_hex(event.args["id"]) for event in events if event.name == "Recorded"]
        records = locate(self._registry, ids)
        checks += [
            Check(
                "recorded",
                Outcome.FAIL,
                f"the receipt tells of record {record_id}, the registry's logs do not",
                record=record_id,
            )
            for record_id in ids
            if record_id not in records
        ]
        if not records:
            checks.append(self._checks.finality(events[0].block))
        report = self._report(transaction, "transaction", checks, [*records.values()])
        return self._concluding(report, checks)

    def batched(
        self,
        key: RecordKey,
        root: str,
        path: Sequence[str],
        files: Sequence[Path] = (),
        groups: Collection[int] = (),
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
        if stored := locate(self._registry, [record_id]).get(record_id):
            return self._report(record_id, "record", more, [stored])
        seen, checks, proves = self._checks.batched(record, root, path)
        checks += more
        limits = (*self._limits(), "Whether its parents are recorded is looked at when it is stored.")
        return Report(record_id, "batch", tuple(checks), (seen,), tuple(proves), limits)

    def _given(self, record: RecordView, files: Sequence[Path], groups: Collection[int]) -> Iterator[Check]:
        if groups and record.group not in groups:
            counting = ", ".join(map(str, groups))
            yield Check("group", Outcome.FAIL, f"it is of group {record.group}, and only {counting} count")
        manifest, _ = self._checks.manifest(record)
        for shown in map(self.shown, files):
            if shown.sha256 == record.key.manifest:
                yield Check("content", Outcome.PASS, f"{shown.path} is the record's manifest: {shown.sha256}")
            else:
                yield from shown.compare(record.key, manifest)

    def shown(self, path: Path) -> Shown:
        """Hash a file or folder, for `path`."""
        return Shown(path, self._copies)

    def path(self, path: Path | Shown, record_id: str | None = None, groups: Collection[int] = ()) -> Report:
        """Verify a file or folder against one record, or against all records of its digest.

        Args:
            record_id: what it should be; without it everything of its digest is looked up.
            groups: only records of these groups count; empty if all count.
        """
        shown = path if isinstance(path, Shown) else self.shown(path)
        if record_id is not None:
            expected = self._registry.domain.parse_id(record_id)
            record = locate(self._registry, [expected]).get(expected)
            if record is None:
                check = Check("recorded", Outcome.FAIL, f"{where(self._registry)} has no record {expected}")
                return Report(str(shown.path), "path", (check,))
            manifest, _ = self._checks.manifest(record)
            return self._report(str(shown.path), "path", shown.compare(record.key, manifest), [record], shown)
        if records := _of_groups(locate_subject(self._registry, shown.sha256), groups):
            return self._report(str(shown.path), "path", [self._count(records)], records, shown)
        return self._by_parts(shown, groups)

    def before(self, first: str, second: str) -> Report:
        """Verify that one record came before another: by block, and within a block by the place in it."""
        ids = [self._registry.domain.parse_id(text) for text in (first, second)]
        subject = f"{ids[0]} before {ids[1]}"
        records = locate(self._registry, ids)
        checks: list[Check] = []
        seen: list[RecordView] = []
        for record_id in dict.fromkeys(ids):
            if record_id not in records:
                detail = f"{where(self._registry)} has no record {record_id}"
                checks.append(Check("recorded", Outcome.FAIL, detail, record=record_id))
                continue
            record, its_checks = self._checks.standing(records[record_id])
            seen.append(record)
            checks += its_checks
        if len(records) < len(set(ids)):
            return Report(subject, "order", tuple(checks), tuple(seen))
        one, other = (self._checks.committed(records[record_id]) for record_id in ids)
        order = self._order(ids, one.position, other.position)
        if ids[0] != ids[1] and one.position == other.position:
            order = Check(
                "order", Outcome.FAIL, f"both are in the batch {one.root}, which tells nothing of their order"
            )
        checks.append(order)
        held = all(check.verdict is not Outcome.FAIL for check in checks)
        proves = (
            (f"Record {ids[0]} was recorded before {ids[1]}, on {where(self._registry)}: {order.detail}.",)
            if held
            else ()
        )
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

    def _order(self, ids: list[str], one: Position, other: Position) -> Check:
        if one == other:
            return Check("order", Outcome.FAIL, "both are the same record")
        blocks = [self._chain.block(position.block) for position in (one, other)]
        seconds = abs((blocks[1].timestamp if blocks[1] else 0) - (blocks[0].timestamp if blocks[0] else 0))
        first, last = (ids[0], ids[1]) if one < other else (ids[1], ids[0])
        if one.block != other.block:
            by = f"{abs(other.block - one.block)} blocks and {seconds} s"
        elif one.transaction != other.transaction:
            by = f"its transaction's place in block {one.block}, which whoever made the block chose"
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

    def _count(self, records: Sequence[RecordView]) -> Check:
        whose = "; ".join(f"{record.id} of group {record.group} by {record.author}" for record in records)
        detail = f"{len(records)} of this digest (anyone may record another's file): {whose}"
        return Check("records", Outcome.PASS, detail, {"count": len(records)})

    def _impostors(self, receipt: TransactionReceipt) -> list[str]:
        return sorted(
            {
                log.address
                for log in receipt.logs
                if log.address != self._registry.address and log.topics and log.topics[0] in interface().topics
            }
        )

    def _by_parts(self, shown: Shown, groups: Collection[int]) -> Report:
        """Verify what nobody recorded as a whole: a part of a record, a changed copy, or neither."""
        alike = [similar for similar in self._similar(shown) if not groups or similar.record.group in groups]
        whose = f" of group {', '.join(map(str, groups))}" if groups else ""
        subject = str(shown.path)
        if parts := [one for one in alike if not one.differences]:
            records = list({one.record.id: one.record for one in parts}.values())
            checks = [replace(check, record=one.record.id) for one in parts for check in one.checks]
            return self._report(subject, "path", [self._count(records), *checks], records, shown)
        detail = f"{where(self._registry)} has no record{whose} of {shown.path}, whose digest is {shown.sha256}"
        checks = [Check("recorded", Outcome.FAIL, detail, {"sha256": shown.sha256})]
        nearest = [one for one in alike if one.differences == alike[0].differences]
        for one in nearest[:_ALIKE]:
            record = one.record
            whose = f"{record.kind} {record.id} of group {record.group} by {record.author}"
            detail = f"it is like {whose}, but not the same:"
            checks.append(Check("alike", Outcome.FAIL, detail, record=record.id))
            checks += [replace(check, record=record.id) for check in one.checks]
        return Report(subject, "path", tuple(checks))


def _of_groups(records: list[RecordView], groups: Collection[int]) -> list[RecordView]:
    return [record for record in records if not groups or record.group in groups]


def _place(position: Position) -> dict[str, int]:
    return {"block": position.block, "transactionIndex": position.transaction, "logIndex": position.log}
