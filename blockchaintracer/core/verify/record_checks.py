"""All checks of one record, and what follows of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace

from blockchaintracer.core.chain import Block, Registry
from blockchaintracer.core.manifest import Manifest, NotBefore, RunPredicate
from blockchaintracer.core.manifest.metric_comparison import MetricComparison, compare_metrics
from blockchaintracer.core.networks import time_source, when
from blockchaintracer.core.record import ABOUT, Kind, Relation, Role, Status, Verdict, counted, from_hex, label, to_hex
from blockchaintracer.core.record_view import RecordStatus, RecordView
from blockchaintracer.core.verify.authorship import check_anchorer, check_author
from blockchaintracer.core.verify.checkpoint_checks import check_checkpoints
from blockchaintracer.core.verify.commitments import (
    Commitment,
    anchored,
    block_of,
    check_batch,
    check_path,
    check_seal,
    commitment_of,
)
from blockchaintracer.core.verify.content_checks import (
    Shown,
    check_artifacts,
    check_private,
    check_subject,
    checked_manifest,
)
from blockchaintracer.core.verify.copies import Copies
from blockchaintracer.core.verify.locate import check_key, member_at
from blockchaintracer.core.verify.outcomes import Check, Outcome
from blockchaintracer.core.verify.seed_checks import check_seeds
from blockchaintracer.core.verify.verdict_checks import check_verdicts

_REASON_LIMIT = 64 << 10
_REASON_SHOWN = 500
_COMMITMENT = ("recorded", "id", "status", "time", "author", "role")
"""The checks without which nothing is proven of who committed to what, and when."""
_BATCHED = ("id", "batch", "time", "author", "role")
"""The same of a record that is only in a batch."""


class RecordChecks:
    """The checks of one record of a registry."""

    def __init__(self, registry: Registry, copies: Copies) -> None:
        self._registry = registry
        self._chain = registry.chain
        self._copies = copies

    def examine(self, record: RecordView, shown: Shown | None) -> tuple[RecordView, list[Check], list[str]]:
        """Make all checks of one record. `shown` is a file or folder to use instead of a copy."""
        manifest, manifest_checks = self.manifest(record)
        status = self._registry.status(record.id)
        committed = commitment_of(self._registry, record, status)
        seen, checks = self._standing(record, status, committed)
        seen = replace(seen, name=name_of(manifest))
        checks += self._answers(record, committed)
        checks += check_batch(self._registry, record, status, committed)
        checks += check_seal(self._registry, record, status)
        checks += manifest_checks
        checks += self._lineage(record, manifest)
        if manifest is not None:
            checks += self._not_before(committed, manifest)
        if shown is None or shown.sha256 != record.key.subject:
            checks += check_subject(self._copies, record.key, manifest)
        else:
            checks += shown.check_executable(manifest)
        if manifest is not None:
            checks += check_artifacts(self._copies, manifest)
            checks += check_private(manifest)
            checks += self._run(record, manifest, committed)
        checks.append(self._retraction(record, status))
        checks += self._verdicts(record, status, manifest)
        checks = [replace(check, record=record.id) for check in checks]
        return seen, checks, self._proven(seen, checks)

    def batched(self, record: RecordView, root: str, path: Sequence[str]) -> tuple[RecordView, list[Check], list[str]]:
        """Make all checks of a record that is only in a batch. The record gets the place of the batch."""
        key = record.key
        manifest, manifest_checks = self.manifest(record)
        checks = [self._id(record), check_path(self._registry, record, root, path)]
        anchoring = anchored(self._registry, key.group, key.author, root)
        seen = replace(record, batch=root, name=name_of(manifest))
        if anchoring is not None:
            checks.append(self._time(anchoring))
            checks.append(self.finality(anchoring.position.block, anchoring.time))
            checks += self._answers(record, anchoring)
            manifest_checks += self._lineage(record, manifest, anchoring.time)
            if manifest is not None:
                manifest_checks += self._not_before(anchoring, manifest)
                manifest_checks += self._run(record, manifest, anchoring)
            seen = replace(seen, transaction=anchoring.transaction, position=anchoring.position, time=anchoring.time)
        checks += manifest_checks
        if manifest is not None:
            checks += check_subject(self._copies, key, manifest)
            checks += check_artifacts(self._copies, manifest)
            checks += check_private(manifest)
        status = self._registry.status(record.id)
        seen = replace(seen, stored=status if status.status is Status.CANCELLED else None)
        disowned = self._registry.batch(key.group, key.author, root).disowns(status.status)
        checks.append(Check("stored", Outcome.FAIL if disowned else Outcome.UNKNOWN, disowned or "only in its batch"))
        checks = [replace(check, record=record.id) for check in checks]
        return seen, checks, self._proven(seen, checks)

    def _run(self, record: RecordView, manifest: Manifest, committed: Commitment) -> Iterator[Check]:
        """Check what only a run has: checkpoints, and seeds from a block."""
        if isinstance(manifest.predicate, RunPredicate):
            if (ended := manifest.predicate).status != "completed":
                reason = f": {ended.error}" if ended.error else ""
                yield Check("run", Outcome.PASS, f"the run {ended.status}, as its manifest says{reason}")
            for row in compare_metrics(manifest.predicate.metrics, {}):
                if row.wide:
                    yield Check("tolerance", Outcome.PASS, f"of {row.metric} = {row.recorded!r}: {row.required}")
            if told := _sandbox(manifest.predicate):
                yield Check("sandbox", Outcome.PASS, f"{told}, as the manifest says")
            yield from check_seeds(self._registry, self._copies, manifest.predicate, record.group)
            yield from check_checkpoints(self._registry, self._copies, record, manifest.predicate, committed)

    def _verdicts(self, record: RecordView, status: RecordStatus, manifest: Manifest | None) -> Iterator[Check]:
        """Check verdicts. One of a stolen key is unknown, and is not the record's fault: anyone may give one."""
        for check in check_verdicts(self._registry, record.id, status):
            values, keys = check.values, list[Check]()
            if attester := values.get("attester"):
                stated = [*check_key(self._registry, self._copies, [values["group"]], attester, values["attestedAt"])]
                yield from (key for key in stated if "history" in key.values)
                keys = [replace(key, name=check.name) for key in stated if key.values and "history" not in key.values]
            stolen = [key for key in keys if key.verdict is Outcome.FAIL]
            yield replace(check, verdict=Outcome.UNKNOWN) if stolen and check.verdict is Outcome.PASS else check
            yield from (replace(key, verdict=Outcome.UNKNOWN) if key in stolen else key for key in keys)
            found, where = self._found_again(manifest, values.get("evidence"))
            if found and "reproduced" in values["verdict"]:
                fits = (values["verdict"] == label(Verdict.REPRODUCED)) == all(row.within for row in found)
                outcome, shown = Outcome.PASS if fits else Outcome.UNKNOWN, {"metrics": [asdict(row) for row in found]}
                detail = f"{'' if fits else 'they contradict the verdict: '}{'; '.join(map(str, found))}{where}"
                yield Check(check.name.replace("verdict", "metrics"), outcome, detail, shown)

    def _found_again(self, manifest: Manifest | None, evidence: str | None) -> tuple[list[MetricComparison], str]:
        """Compare the metrics of a run with those of the run that a verdict stands on, if both are here. Also returns
        in which sandbox that ran."""
        if not (evidence and manifest and isinstance(manifest.predicate, RunPredicate)):
            return [], ""
        run = self._registry.find_records([evidence]).get(evidence)
        repeated = self.manifest(run)[0] if run else None
        if repeated is None or not isinstance(repeated.predicate, RunPredicate):
            return [], ""
        found = {name: metric.value for name, metric in repeated.predicate.metrics.items()}
        where = _sandbox(repeated.predicate)
        rows = [row for row in compare_metrics(manifest.predicate.metrics, found) if row.tolerance]
        return rows, f"; repeated in: {where}" if where else ""

    def _answers(self, record: RecordView, committed: Commitment) -> Iterator[Check]:
        """Check who is committed to a record, and by what right."""
        if committed.root is None:
            yield check_author(self._registry, record)
        else:
            yield check_anchorer(self._registry, record.key.author, committed, about=record.id)
        yield self._role(record, committed)
        yield from check_key(self._registry, self._copies, [record.group], record.author, committed.time)

    def standing(self, record: RecordView) -> tuple[RecordView, list[Check]]:
        """Check that a record is stored, by its event, its id, the registry's state and its block."""
        status = self._registry.status(record.id)
        return self._standing(record, status, commitment_of(self._registry, record, status))

    def _standing(
        self, record: RecordView, status: RecordStatus, committed: Commitment
    ) -> tuple[RecordView, list[Check]]:
        block = committed.block if committed.root is None else block_of(self._registry, record)
        checks = [
            self._emitted(record, status, block),
            self._id(record),
            self._status(record, status),
            self._time(committed),
            # a record from a batch has the time of the batch, and was stored later
            self.finality(record.block, 0 if status.is_batched else status.recorded_at),
        ]
        seen = replace(record, time=committed.time, stored=status, batch=committed.root)
        return seen, [replace(check, record=record.id) for check in checks]

    def _emitted(self, record: RecordView, status: RecordStatus, block: Block | None) -> Check:
        """Check that a record is stored: by its event, or by the state alone where the node has forgotten that."""
        name, by = "recorded", f"by {self._registry}"
        if block is not None and block.hash != record.block_hash:
            return Check(name, Outcome.FAIL, f"its block {record.block} is not one of the chain any more")
        transaction = record.transaction
        receipt = self._registry.receipt(transaction, record.id) if transaction else None
        if receipt is None or block is None:
            gap = f"this node has forgotten block {record.block}" if record.block else self._registry.history.reason
            kept = f" but to who keeps its key, which says that it was {transaction}" if transaction else ""
            detail = f"{by}: recorded (state); transaction unknown{kept}: {gap}"
            return Check(name, Outcome.PASS if status.exists else Outcome.FAIL, detail, {"forgotten": True})
        ids = [to_hex(it.args["id"]) for it in self._registry.events_of(receipt) if it.name == "Recorded"]
        if not receipt.succeeded or record.id not in ids:
            detail = f"the receipt of transaction {transaction} holds no such event of the registry"
            return Check(name, Outcome.FAIL, detail)
        detail, values = f"{by}, block {record.block}, transaction {transaction}", {}
        if receipt.is_kept:
            detail += ", by a receipt of that block that was kept: this node has forgotten it"
            values = {"forgotten": True, "kept": True}
        return Check(name, Outcome.PASS, detail, values)

    def _id(self, record: RecordView) -> Check:
        computed = self._registry.domain.record_id(record.key)
        if computed != record.id:
            return Check("id", Outcome.FAIL, f"expected {record.id}, but the key has the id {computed}")
        return Check("id", Outcome.PASS, f"computed from the key (EIP-712): {computed}")

    def _status(self, record: RecordView, status: RecordStatus) -> Check:
        held, named = (status.group, status.kind), (record.key.group, record.key.kind)
        if not status.exists:
            return Check("status", Outcome.FAIL, "the registry's state has no such record")
        if held != named:
            detail = "the registry holds group {} and kind {}, the key {} and {}".format(*held, *named)
            return Check("status", Outcome.FAIL, detail)
        return Check("status", Outcome.PASS, f"the registry holds it as {label(status.status)}")

    def _time(self, committed: Commitment) -> Check:
        """Compare the time in the registry's state with that of the block, if the node has the block."""
        block, time = committed.block, committed.time
        if not time or (block is not None and time != block.timestamp):
            whose = "its batch's block" if committed.root else "its block"
            detail = f"the registry says {time}, {whose} {block.timestamp if block else 'unknown'}"
            return Check("time", Outcome.FAIL, detail)
        source = time_source(self._chain.chain_id)
        since = ", that of its batch" if committed.root else ""
        state = "" if block else " (state)"
        detail = f"{when(time)}{state}{since}; the time is from {source}"
        return Check("time", Outcome.PASS, detail, {"time": time})

    def finality(self, number: int, time: int = 0) -> Check:
        """Check that a block is final by the chain's own rule. If its number is not known (0), its time decides, unless
        that is not known either."""
        network, final = self._chain.network, self._chain.finalized()
        rule = f" ({network.finality})" if network else ""
        if not number and final and 0 < time < final.timestamp:
            return Check("finality", Outcome.PASS, f"final: it is older than the newest final block{rule}")
        if not number:
            return Check("finality", Outcome.UNKNOWN, "its block is unknown, and no final block is known to be younger")
        depth = self._chain.head().number - number
        values = {"block": number, "blocksSince": depth, "finalized": final.number if final else None}
        if final is None:
            detail = f"{depth} blocks since; the chain does not say which are final"
            return Check("finality", Outcome.UNKNOWN, detail, values)
        if number > final.number:
            detail = f"included, {depth} blocks since, not final yet: final is up to block {final.number}{rule}"
            return Check("finality", Outcome.UNKNOWN, detail, values)
        return Check("finality", Outcome.PASS, f"final, {depth} blocks since{rule}", values)

    def _role(self, record: RecordView, committed: Commitment) -> Check:
        key, author = record.key, record.author
        member = member_at(self._registry, key.group, author, committed.position, committed.time)
        if member.unknown:
            detail = f"that {author} was a recorder of group {key.group} then, the registry checked: {member.unknown}"
            return Check("role", Outcome.UNKNOWN, detail)
        if problem := member.problem(Role.RECORDER, committed.time):
            return Check("role", Outcome.FAIL, f"{author} was no recorder of group {key.group} then: {problem}")
        later = f"; {member.later}" if member.later else ""
        return Check("role", Outcome.PASS, f"{author} was a recorder of group {key.group} then{later}")

    def manifest(self, record: RecordView) -> tuple[Manifest | None, list[Check]]:
        """Load the manifest of a record, as `checked_manifest`."""
        return checked_manifest(self._copies, record.key)

    def _lineage(self, record: RecordView, manifest: Manifest | None, anchored_at: int = 0) -> Iterator[Check]:
        """Check parents, ancestors and inputs. Of a record that is only in a batch, parents may be in one, too."""
        ids = list(dict.fromkeys(link.parent for link in record.parents))
        if not ids:
            return
        parents, stored = self._registry.find_records(ids), dict(zip(ids, self._registry.statuses(ids), strict=True))
        missing = [f"{parent} is not recorded" for parent in sorted(ids) if not stored[parent].exists]
        late = {parent.id for parent in parents.values() if record.position.precedes(parent.position)}
        late |= {parent for parent in ids if 0 < anchored_at < stored[parent].recorded_at}
        wrong = [*([] if anchored_at else missing), *(f"{parent} is not earlier" for parent in ids if parent in late)]
        detail = "; ".join(wrong or missing) or f"{counted(len(ids), 'parent')} recorded, and earlier"
        if runs := [link.parent for link in record.parents if link.relation == Relation.GENERATED_BY]:
            detail += f"; its author says that it was made by the run {' and '.join(runs)}"
        yield Check("parents", Outcome.FAIL if wrong else Outcome.UNKNOWN if missing else Outcome.PASS, detail)
        yield self._ancestors(record, parents)
        if inputs := getattr(manifest.predicate, "inputs", None) if manifest else None:
            forgotten = [it.record for it in inputs if it.record in stored and it.record not in parents]
            subjects = {parent.id: parent.subject for parent in parents.values()}
            wrong = [
                f"input {it.name or it.record} is {it.sha256} here, {subjects.get(it.record, 'none')} on the chain"
                for it in inputs
                if it.record not in forgotten and subjects.get(it.record) != it.sha256
            ]
            detail = "; ".join(wrong) or f"{counted(len(inputs), 'input')} with the digests of their records"
            if forgotten and not wrong:
                detail = f"the keys of {', '.join(forgotten)} are not at hand: {self._registry.history.reason}"
            outcome = Outcome.FAIL if wrong else Outcome.UNKNOWN if forgotten else Outcome.PASS
            yield Check("inputs", outcome, detail)

    def _ancestors(self, record: RecordView, known: dict[str, RecordView]) -> Check:
        """Check that nothing that the record rests on was retracted."""
        seen, unread = dict[str, None](), set[str]()
        level = self._rests_on(record, unread)
        while level := level - seen.keys():
            seen |= dict.fromkeys(sorted(level))
            known = known | self._registry.find_records(sorted(level - known.keys()))
            level = set().union(*(self._rests_on(known[each], unread) for each in level & known.keys()))
        retracted = [
            f"{record_id} ({when(stored.retracted_at)})"
            for record_id, stored in zip(seen, self._registry.statuses(list(seen)), strict=True)
            if stored.status is Status.RETRACTED
        ]
        if retracted:
            return Check("lineage", Outcome.FAIL, f"it rests on what is retracted: {', '.join(retracted)}")
        lost = [record_id for record_id in seen if record_id not in known]
        if lost or unread:
            gap = f"{self._registry.history.reason}, and no key is at hand"
            why = gap if lost else "no manifest that names what they read is at hand"
            detail = f"what {', '.join([*lost, *sorted(unread)])} rest on is unknown: {why}"
            return Check("lineage", Outcome.UNKNOWN, detail)
        return Check("lineage", Outcome.PASS, f"of {counted(len(seen), 'record')} that it rests on, none is retracted")

    def _rests_on(self, record: RecordView, unread: set[str]) -> set[str]:
        """Return the parents that a record rests on; `unread` gets a run whose manifest could name more of them."""
        rests = {link.parent for link in record.parents if link.relation not in ABOUT}
        about = {link.parent for link in record.parents} - rests
        if about and record.key.kind == Kind.RUN:
            manifest, _ = self.manifest(record)
            if manifest is not None and isinstance(manifest.predicate, RunPredicate):
                return rests | about & {entry.record for entry in manifest.predicate.inputs}
            unread.add(record.id)
        return rests

    def _not_before(self, committed: Commitment, manifest: Manifest) -> Iterator[Check]:
        name = "not-before"
        stated: NotBefore | None = getattr(manifest.predicate, "not_before", None)
        if stated is None:
            if manifest.kind == Kind.RUN:
                detail = "the run names no block from its start: only its latest time is known, not its earliest"
                yield Check(name, Outcome.UNKNOWN, detail)
            return
        if int(stated.chain_id) != self._chain.chain_id:
            yield Check(name, Outcome.UNKNOWN, f"it names a block of chain {stated.chain_id}: ask a node of that one")
            return
        number, time, own = int(stated.block_number), int(stated.timestamp), committed.position.block
        block = self._chain.remembered(lambda: self._chain.block(number))
        if block is None and number <= self._chain.head().number:
            detail = f"it names block {number} of {when(time)}, which this node has forgotten"
            yield Check(name, Outcome.UNKNOWN, detail)
        elif block is None or (block.hash, block.timestamp) != (stated.block_hash, time):
            there = f"has {block.hash} of {when(block.timestamp)}" if block else "does not"
            detail = f"it names block {number} as {stated.block_hash} of {when(time)}; the chain {there}"
            yield Check(name, Outcome.FAIL, detail)
        elif number >= own if own else block.timestamp > committed.time:
            whose = "its batch's" if committed.root else "its own"
            detail = f"block {number}, which it names from its start, is not before {whose} block {own}"
            yield Check(name, Outcome.FAIL, detail)
        else:
            detail = f"it names block {number}, whose hash nobody knew before {when(block.timestamp)}"
            yield Check(name, Outcome.PASS, detail, {"block": number, "time": block.timestamp})

    def _retraction(self, record: RecordView, status: RecordStatus) -> Check:
        if status.status is not Status.RETRACTED:
            return Check("retraction", Outcome.PASS, "it is not retracted")
        event = next(self._registry.events("Retracted", id=from_hex(record.id)), None)
        if event is not None:
            digest, by = event.args["reason"].hex(), event.args["by"]
            values = {"by": by, "retractedAt": status.retracted_at, "reason": digest}
            how = f"by {by}: {self._reason(digest) if int(digest, 16) else 'no reason was given'}"
        else:
            values = {"retractedAt": status.retracted_at}
            how = f"(state); by whom and why is unknown: {self._registry.history.reason}"
        return Check("retraction", Outcome.FAIL, f"retracted {when(status.retracted_at)} {how}", values)

    def _reason(self, digest: str) -> str:
        data, copy = self._copies.read_bytes(digest, _REASON_LIMIT)
        if data is None:
            return f"the reason's text is {'unavailable' if copy.unavailable else 'not here'} ({digest})"
        text = data.decode(errors="replace")
        return text if len(text) <= _REASON_SHOWN else text[:_REASON_SHOWN] + " …"

    def _proven(self, seen: RecordView, checks: list[Check]) -> list[str]:
        verdicts = {check.name: check.verdict for check in checks}
        needed = _BATCHED if seen.status == "batched" else (*_COMMITMENT, *(["batch"] if seen.batch else []))
        stolen = any(check.name == "key" and check.verdict is Outcome.FAIL for check in checks)
        open_ = {name for name in needed if verdicts.get(name) is not Outcome.PASS}
        # the registry stores a key only if its author, a recorder of the group, sent or signed it
        by_state = any(check.values.get("forgotten") for check in checks)
        if by_state:
            open_ -= {name for name in ("author", "role", "batch") if verdicts.get(name) is Outcome.UNKNOWN}
        if stolen or open_:
            return []
        start = next((check for check in checks if check.name == "not-before" and "time" in check.values), None)
        since = f"; its manifest is not older than {when(start.values['time'])}" if start else ""
        named = f" {seen.name!r}" if seen.name else ""
        how = f"in the batch {seen.batch}" if seen.batch else f"in block {seen.block}"
        is_kept = any(check.values.get("kept") for check in checks)
        if by_state and not seen.batch and not is_kept:
            how = f"by the state of the registry {self._registry.address}"
        sentences = [
            f"{seen.author}, for group {seen.group}, committed to {seen.kind}{named},"
            f" {seen.subject_type.replace('identifier', 'identifier with SHA-256')} {seen.subject},"
            f" at {when(seen.time)}, {how} of {self._chain.name}{since}."
        ]
        if seen.status == "batched":
            sentences.append("It is not stored: it is known by its key and its Merkle path alone.")
        for check in (check for check in checks if check.verdict is Outcome.PASS):
            if check.name == "seal":
                sentences.append(f"It was {check.detail}.")
            elif check.name.startswith("verdict of") and check.values.get("attester"):
                sentences.append(f"V{check.name[1:]}: {check.detail}.")
        return sentences


def name_of(manifest: Manifest | None) -> str | None:
    """Return the name in a manifest, or None."""
    return getattr(manifest.predicate, "name", None) if manifest else None


def _sandbox(run: RunPredicate) -> str:
    """Say in which sandbox a run ran; empty if its manifest does not say."""
    told = (run.environment.model_extra or {}).get("sandbox")
    if not isinstance(told, dict) or not isinstance(tool := told.get("tool"), str):
        return ""
    network = "" if tool == "none" else ", with a network" if told.get("network") else ", without a network"
    return f"{'no sandbox' if tool == 'none' else f'sandbox {tool[:60]}'}{network}"
