"""Reproduces another group's run from its record and what was published of it, and attests what was found.

What keeps a run from being repeated here (nothing published, no such packages, no consent) says nothing about the
record and is an error. What the repeated run does is a finding: other metrics, or a failure, are not reproduced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from blockchaintracer.core.chain.reverts import in_words
from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified
from blockchaintracer.core.manifest import (
    MAX_BYTES,
    Experiment,
    Metric,
    RunEnvironment,
    RunInput,
    RunPredicate,
)
from blockchaintracer.core.record import Kind, Link, Relation, Role, Status, SubjectType, Verdict, from_hex, label
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.extras.reproduce.rerun import Plan, Rerun, rerun, subject_of, workspace, written_output
from blockchaintracer.lab.attest import Written, attest
from blockchaintracer.lab.capture.secret_masking import MASK
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.lab import Lab, require_role
from blockchaintracer.lab.lookup import read_manifest, required_record
from blockchaintracer.lab.recording.experiment import GivenMetric
from blockchaintracer.lab.recording.run import RunFacts, finish_run
from blockchaintracer.lab.recording.run_document import RunDocument


@dataclass(frozen=True)
class MetricComparison:
    """One metric, recorded and found.

    Args:
        found: None if the repeated run did not tell it.
        tolerance: as recorded: `found` may be off by ``absolute`` and ``relative`` of `recorded` together; None if the
            metric is reported and not compared.
        within: whether `found` reproduces `recorded`; None if it's not compared.
    """

    metric: str
    recorded: float
    found: float | None
    tolerance: dict[str, float] | None
    within: bool | None


@dataclass(frozen=True)
class OutputComparison:
    """One output, for information: other bytes may hold the same result."""

    role: str
    path: str
    recorded: str
    same: bool | None


@dataclass(frozen=True)
class Reproduction:
    """What came of a reproduction.

    Args:
        verdict: ``reproduced`` or ``not-reproduced``.
        reason: why not, in one sentence; None if reproduced.
        run: the record of the repeated run, and `attestation` what was said of the record; None if nothing was to be
            recorded.
    """

    record_id: str
    verdict: str
    reason: str | None
    comparisons: list[MetricComparison]
    outputs: list[OutputComparison]
    run: Recorded | None
    attestation: Written | None
    workspace: str | None

    @property
    def reproduced(self) -> bool:
        """Whether every metric was found within its tolerance."""
        return self.reason is None


def reproduce(
    lab: Lab,
    record_id: str,
    sources: Sequence[str],
    *,
    agree: Callable[[Plan], bool],
    folder: Path | None = None,
    python: str | None = None,
    keep: bool = False,
    timeout_s: float | None = None,
    record: bool = True,
) -> Reproduction:
    """Repeat a run of another group, and attest in the own group's name whether its metrics were found again.

    The code of a stranger is run with the rights of this user.

    Args:
        sources: folders or addresses (as `Store.fetch`) that it was published to. What they give is checked by digest.
        agree: asked with what will be executed; nothing is fetched but the manifest, and nothing run, if it says no.
        folder: where to run it: an empty folder or none, which is kept; without it a temporary one is made.
        python: an interpreter to use as it is, instead of an environment rebuilt from the recorded lock.
        timeout_s: seconds after which the run is given up; that is no finding.
        record: whether to record the repeated run and attest; otherwise it is only compared.

    Raises:
        ContractRevert: before anything is run, if the record is the own group's or the signer lacks a role.
        InputError: if it's no run that can be repeated, or nobody agreed.
        StoreError, NotVerified: if something isn't to be had, or isn't what was recorded.
        ChainUnavailable: if the chain, a source or the packages can't be reached.
    """
    original = required_record(lab, record_id)
    if record:
        _require_standing(lab, original)
    plan = _plan(lab, original, sources, python)
    inputs = [_input_record(lab, original, entry) for entry in plan.run.inputs]
    if not agree(plan):
        raise InputError(
            "nothing was run: it takes your consent to run another's code with your rights",
            hint="Look at what is to be run, then answer yes, or pass --yes.",
        )
    if lab.registry.status(original.id).status is Status.RETRACTED:
        lab.say("the record was retracted: what it says is not upheld by its author")

    with workspace(folder, keep) as place:
        done = rerun(lab, plan, inputs, place, sources, timeout_s=timeout_s)
        # of what is encrypted nobody but its recipients can tell whether it's the same
        shown = [output for output in plan.run.outputs if not output.encrypted]
        outputs = [(output, written_output(done, output.artifact)) for output in shown]
        comparisons = compare(plan.run.metrics, done.document.metrics)
        reason = done.failure or _difference(comparisons)
        result = Reproduction(
            record_id=original.id,
            verdict=label(Verdict.NOT_REPRODUCED if reason else Verdict.REPRODUCED),
            reason=reason,
            comparisons=comparisons,
            outputs=[
                OutputComparison(
                    output.role,
                    output.artifact.path,
                    output.artifact.sha256,
                    None if path is None else subject_of(path) == output.artifact.sha256,
                )
                for output, path in outputs
            ],
            run=None,
            attestation=None,
            workspace=str(place.root) if folder or keep else None,
        )
        if not record:
            return result
        facts = RunFacts(
            document=_document(done, result),
            linked=plan.run.inputs,
            outputs=[(output.role, path) for output, path in outputs if path],
            parents=[Link(original.id, Relation.REPRODUCES)],
            command=plan.command,
            portable=True,
            observed="program",
            folder=done.folder,
            environment=RunEnvironment(lock=plan.lock, **(done.environment or {})),
            error=done.failure,
        )
        return _attested(lab, result, done, facts)


def compare(recorded: Mapping[str, Metric], found: Mapping[str, GivenMetric]) -> list[MetricComparison]:
    """Put each recorded metric beside the one that was found, in the order they were recorded."""
    rows = []
    for name, metric in recorded.items():
        value, tolerance = found[name].value if name in found else None, metric.tolerance
        within = None if tolerance is None else value is not None and tolerance.allows(metric.value, value)
        rows.append(MetricComparison(name, metric.value, value, tolerance.to_json() if tolerance else None, within))
    return rows


def _difference(comparisons: Sequence[MetricComparison]) -> str | None:
    off = [row for row in comparisons if row.within is False]
    if not off:
        return None
    first, compared = off[0], sum(row.within is not None for row in comparisons)
    value = "nothing" if first.found is None else repr(first.found)
    return f"{len(off)} of {compared} metrics differ: {first.metric} was {first.recorded!r}, found {value}"


def _require_standing(lab: Lab, record: RecordView) -> None:
    """Refuses what the registry would refuse at the end, before there is anything to lose."""
    group = lab.group(Role.RECORDER | Role.REVIEWER)
    lab.group_number = group
    if record.key.group == group:
        raise in_words("OwnRecord", {"group": group, "recordId": from_hex(record.id)})
    for role in (Role.RECORDER, Role.REVIEWER):
        require_role(lab, group, role)


def _plan(lab: Lab, record: RecordView, sources: Sequence[str], python: str | None) -> Plan:
    """What it takes to repeat a run."""
    lab.store.fetch(record.key.manifest, sources, MAX_BYTES)
    run = read_manifest(lab.store, record).predicate
    if not isinstance(run, RunPredicate):
        raise InputError(f"expected a run to reproduce, got a {label(record.key.kind, Kind)}: {record.id}")
    code, environment = run.code, run.environment
    captured = environment.model_extra or {}
    version, variables = captured.get("python"), captured.get("variables")
    if run.status != "completed":
        lacks = f"it {run.status}"
    elif not any(metric.tolerance for metric in run.metrics.values()):
        lacks = "it states no metric that is to be compared"
    elif code.commit is None or code.pack is None:
        lacks = "it names no commit of its code"
    elif not code.entry_point:
        lacks = "it names no command (`record -- PROGRAM` records one)"
    elif code.dirty and code.diff is None:
        lacks = "its files differed from the commit, and the difference was not recorded"
    elif any(MASK in argument for argument in code.arguments):
        lacks = "an argument was hidden because it looked like a secret"
    elif not python and not environment.lock:
        lacks = "it names no lock file to rebuild its environment from (--python PATH uses an environment of yours)"
    else:
        return Plan(
            record=record,
            run=run,
            commit=code.commit,
            pack=code.pack,
            diff=code.diff,
            command=(code.entry_point, *code.arguments),
            working_folder=code.working_folder or ".",
            lock=None if python else environment.lock,
            interpreter=python or None,
            python=str(version.get("version", "")) if isinstance(version, dict) else "",
            variables=variables if isinstance(variables, dict) else {},
        )
    raise InputError(f"run {record.id} can't be repeated: {lacks}", hint="Nothing was run and nothing attested.")


def _input_record(lab: Lab, run: RecordView, entry: RunInput) -> RecordView:
    record = required_record(lab, entry.record)
    if Link(entry.record, entry.relation) not in run.key.parents or record.key.subject != entry.sha256:
        raise NotVerified(f"the manifest of {run.id} contradicts the record of its input {entry.record}")
    if record.key.subject_type == SubjectType.COMMITMENT:
        raise InputError(
            f"the input {entry.record} is recorded as a commitment, which does not tell its content",
            hint="Only who has the content can repeat the run.",
        )
    return record


def _document(done: Rerun, result: Reproduction) -> RunDocument:
    """What the repeated run's manifest says by word: what its program told, and the comparison."""
    experiment = done.document.experiment or Experiment()
    comparison = {
        "of": result.record_id,
        "verdict": result.verdict,
        "metrics": [asdict(row) for row in result.comparisons],
        "outputs": [asdict(row) for row in result.outputs],
    }
    more = {**(experiment.additional_info or {}), "reproduction": comparison}
    # the template may be the lab's own, and whether the run fits it is not the question here; whom the stranger would
    # encrypt private values to is not either
    update = {
        "experiment": experiment.model_copy(update={"additional_info": more}),
        "template": None,
        "private": done.document.private.model_copy(update={"encrypt_to": ()}),
    }
    return done.document.model_copy(update=update)


def _attested(lab: Lab, result: Reproduction, done: Rerun, facts: RunFacts) -> Reproduction:
    recorded = finish_run(lab, done.start, facts)
    verdict = Verdict.REPRODUCED if result.reproduced else Verdict.NOT_REPRODUCED
    try:
        attestation = attest(lab, result.record_id, verdict, evidence=recorded.id)
    except ChainUnavailable as error:
        raise ChainUnavailable(
            f"the repeated run is kept as {recorded.id}, but nothing is attested yet: {error.message}",
            hint="Once the chain answers: `blockchaintracer outbox flush`, then "
            f"`blockchaintracer attest {result.record_id} {result.verdict} --evidence {recorded.id}`.",
        ) from None
    return replace(result, run=recorded, attestation=attestation)
