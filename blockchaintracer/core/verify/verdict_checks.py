"""What other groups say of a record, each in its own name and on its own evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from blockchaintracer.core.chain import Attestation, DecodedEvent, Registry, lens
from blockchaintracer.core.networks import when
from blockchaintracer.core.record import Kind, Link, Relation, Role, Status, Verdict, from_hex, label, to_hex
from blockchaintracer.core.record_view import RecordStatus, RecordView
from blockchaintracer.core.verify.commitments import verdict_seal_problems
from blockchaintracer.core.verify.locate import member_at
from blockchaintracer.core.verify.outcomes import Check, Outcome

_COUNT_STAYS = 2**22 - 1
"""the largest count that the registry's slot can hold: from then on it says nothing"""
_MOST_GROUPS = 5_000
"""groups whose verdict is asked for where events are missing"""
_ON_EVIDENCE = (Verdict.REPRODUCED, Verdict.NOT_REPRODUCED)


def check_verdicts(registry: Registry, record_id: str, status: RecordStatus) -> Iterator[Check]:
    """Compare each group's current verdict, by its last event, with the registry's state, its evidence and its
    roles."""
    newest: dict[int, DecodedEvent] = {}
    for name in ("Attested", "VerdictWithdrawn"):
        for event in registry.events(name, recordId=from_hex(record_id)):
            group = event.args["group"]
            if group not in newest or newest[group].position < event.position:
                newest[group] = event
    counted: Counter[Verdict] = Counter()
    counts = {
        Verdict.REVIEWED: status.reviewed,
        Verdict.REPRODUCED: status.reproduced,
        Verdict.NOT_REPRODUCED: status.not_reproduced,
        Verdict.DISPUTED: status.disputed,
    }
    groups, evidence = sorted(newest), _evidence(registry, newest.values())
    shown = sum(event.name == "Attested" for event in newest.values())
    if shown < sum(counts.values()) and registry.history.gap:
        # the state has the verdicts whose events the node has forgotten
        groups = list(range(1, min(registry.last_group(), _MOST_GROUPS) + 1))
    for group, current in zip(groups, lens.verdicts(registry, groups, record_id), strict=True):
        if (last := newest.get(group)) is not None:
            if last.name == "Attested":
                counted[Verdict(last.args["verdict"])] += 1
            yield _check_group(registry, record_id, group, last, current, evidence)
        elif current.verdict is not Verdict.NONE:
            counted[current.verdict] += 1
            yield _by_state(group, current, registry.history.gap)
    wrong = [
        f"{label(verdict)}: {count}, not {counted[verdict]}"
        for verdict, count in counts.items()
        if count not in (counted[verdict], _COUNT_STAYS)
    ]
    if wrong and len(groups) == _MOST_GROUPS:
        detail = f"the registry counts more (state) than the first {_MOST_GROUPS} groups gave: {'; '.join(wrong)}"
        yield Check("verdict counts", Outcome.UNKNOWN, detail)
    elif wrong:
        detail = f"the registry counts otherwise than its events tell: {'; '.join(wrong)}"
        yield Check("verdict counts", Outcome.FAIL, detail)


def _by_state(group: int, current: Attestation, gap: str | None) -> Check:
    """Tell of a verdict whose event the node has forgotten."""
    verdict = label(current.verdict)
    shown = {"verdict": verdict, "attestedAt": current.attested_at, "sealedAt": current.sealed_at or None}
    detail = f"{verdict}, {when(current.attested_at)} (state); who gave it, and on what evidence, is unknown: {gap}"
    return Check(f"verdict of group {group}", Outcome.PASS, detail, shown)


def _evidence(registry: Registry, events: Iterable[DecodedEvent]) -> dict[str, RecordView]:
    """Return the records that verdicts name as evidence, with what the registry stores of them now."""
    ids = {to_hex(event.args["evidence"]) for event in events if event.name == "Attested"}
    records = registry.find_records(record_id for record_id in ids if int(record_id, 16))
    return {
        record_id: replace(record, stored=stored)
        for (record_id, record), stored in zip(records.items(), registry.statuses(list(records)), strict=True)
    }


def _check_group(
    registry: Registry,
    record_id: str,
    group: int,
    event: DecodedEvent,
    current: Attestation,
    evidence_records: dict[str, RecordView],
) -> Check:
    values, name = event.args, f"verdict of group {group}"
    verdict = Verdict(values["verdict"])
    if event.name == "VerdictWithdrawn":
        if current.verdict is not Verdict.NONE:
            return Check(name, Outcome.FAIL, f"withdrawn by its event, but {label(current.verdict)} in the registry")
        return Check(name, Outcome.PASS, f"withdrawn; it was {label(verdict)}", {"verdict": "none"})
    evidence = to_hex(values["evidence"])
    evidence_id = evidence if int(evidence, 16) else None
    on_what = f"on evidence {evidence_id}" if evidence_id else "without evidence"
    statement = f"{label(verdict)}, says {values['attester']}, {on_what}, {when(current.attested_at)}"
    shown = {
        "verdict": label(verdict),
        "group": group,
        "attester": values["attester"],
        "attestedAt": current.attested_at,
        "sealedAt": current.sealed_at or None,
        "evidence": evidence_id,
    }
    member = member_at(registry, group, values["attester"], event.position, current.attested_at)
    statement += f" ({member.later})" if member.later else ""
    problems = []
    # the registry keeps as many of the evidence's low bits as its slot has room for
    if (current.verdict, current.version) != (verdict, values["version"]) or not evidence.endswith(current.evidence):
        problems.append(
            f"the registry holds {label(current.verdict)}, version {current.version}, evidence …{current.evidence}"
        )
    block = registry.chain.block(event.block)
    if block is None or block.timestamp != current.attested_at:
        problems.append(f"its time in the registry, {current.attested_at}, is not that of its block")
    elif not member.unknown and (problem := member.problem(Role.REVIEWER, block.timestamp)):
        problems.append(f"{values['attester']} was no reviewer of group {group}: {problem}")
    outcome = Outcome.PASS
    if evidence_id:
        record = evidence_records.get(evidence_id)
        status = record.stored.status if record and record.stored else registry.status(evidence_id).status
        if status is Status.RETRACTED and verdict not in _ON_EVIDENCE:
            # an opinion stays when its evidence is retracted, and anyone may give one: that is not the record's fault
            statement, outcome = f"{statement}, but that evidence is retracted", Outcome.UNKNOWN
        elif status is not Status.RECORDED:
            problems.append(f"the evidence is {'retracted' if status is Status.RETRACTED else 'not recorded'}")
        elif record:
            problems += _evidence_problems(registry, record_id, group, verdict, evidence_id, record)
    elif verdict in _ON_EVIDENCE:
        problems.append("such a verdict needs evidence")
    wrong, sealed = verdict_seal_problems(registry, record_id, group, event, current.sealed_at)
    problems += wrong
    statement += sealed
    if problems:
        return Check(name, Outcome.FAIL, f"{statement}: but {'; '.join(problems)}", shown)
    return Check(name, outcome, statement, shown)


def _evidence_problems(
    registry: Registry, record_id: str, group: int, verdict: Verdict, evidence: str, record: RecordView
) -> list[str]:
    key, problems = record.key, []
    if registry.domain.record_id(key) != evidence:
        problems.append("the evidence's key has another id")
    if key.group != group:
        problems.append(f"the evidence is of group {key.group}")
    if verdict in _ON_EVIDENCE and (key.kind != Kind.RUN or Link(record_id, Relation.REPRODUCES) not in key.parents):
        problems.append("the evidence is not a run that names the record as reproduced")
    return problems
