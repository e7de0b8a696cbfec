"""Reproduces another group's run from its record and what was published of it, and attests what was found.

A verdict needs a program that ran as the author's did and told every metric. Whatever keeps it from that says nothing
about the record: it is inconclusive, and nothing is attested unless a person says so.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import TZPATH

from blockchaintracer.core.chain.reverts import in_words
from blockchaintracer.core.digest import sha256_file
from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified
from blockchaintracer.core.manifest import MAX_BYTES, Artifact, Experiment, RunEnvironment, RunInput, RunPredicate
from blockchaintracer.core.manifest.metric_comparison import MetricComparison, compare_metrics
from blockchaintracer.core.record import (
    Kind,
    Link,
    Relation,
    Role,
    Status,
    SubjectType,
    Verdict,
    counted,
    from_hex,
    label,
)
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.core.verify.outcomes import Conclusion
from blockchaintracer.extras.reproduce.rerun import Plan, Rerun, rerun, subject_of, workspace, written_output
from blockchaintracer.lab.attest import Written, attest
from blockchaintracer.lab.capture.environment import loose_requirements
from blockchaintracer.lab.capture.hardware import capture_hardware
from blockchaintracer.lab.capture.locks import MAX_LOCK
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.lab import Lab, require_role
from blockchaintracer.lab.lookup import read_manifest, required_record
from blockchaintracer.lab.recording.repeatable import NO_LOCK, what_lacks
from blockchaintracer.lab.recording.run import RunFacts, finish_run
from blockchaintracer.lab.recording.run_document import RunDocument
from blockchaintracer.lab.sandbox import SEARCHED, Limits, require_bubblewrap

INCONCLUSIVE = Conclusion.INCONCLUSIVE.value
_ZONE = re.compile(r"[A-Za-z][\w+-]*/[\w+/-]+")
_INSTALLERS = {"pip", "setuptools", "uv", "wheel"}
"""Packages that installing brings, whatever the lock says."""


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
        verdict: ``reproduced``, ``not-reproduced`` or ``inconclusive``.
        reason: why not reproduced, in one sentence; None if reproduced.
        run: the record of the repeated run, and `attestation` what was said of the record; None if nothing was to be
            recorded.
        standing: what the group says of the record now; None if nothing, or if it was not asked.
    """

    record_id: str
    verdict: str
    reason: str | None
    comparisons: list[MetricComparison]
    outputs: list[OutputComparison]
    run: Recorded | None
    attestation: Written | None
    workspace: str | None
    standing: str | None = None

    @property
    def reproduced(self) -> bool:
        """Whether every metric was found within its tolerance."""
        return self.verdict == label(Verdict.REPRODUCED)


def reproduce(
    lab: Lab,
    record_id: str,
    sources: Sequence[str],
    *,
    agree: Callable[[Plan], bool],
    folder: Path | None = None,
    python: str | None = None,
    keep: bool = False,
    sandboxed: bool = True,
    network: bool = False,
    build_network: bool | Callable[[], bool] = False,
    timeout_s: float | None = None,
    memory: int | None = None,
    processes: int | None = None,
    record: bool = True,
    attest_anyway: str | None = None,
) -> Reproduction:
    """Repeat a run of another group, and attest in the own group's name whether its metrics were found again.

    The code of a stranger is run in a sandbox.

    Args:
        sources: folders or addresses (as `Store.fetch`) that it was published to. What they give is checked by digest.
        agree: asked with what will be executed. If it says no, nothing but manifest and lock is fetched.
        folder: where to run it: an empty folder or none, which is kept; without it a temporary one is made.
        python: an interpreter to use as it is, instead of an environment rebuilt from the recorded lock.
        sandboxed: False runs the program with the rights of this user.
        network: whether the program may use the network, and `build_network` a package that is built: who is asked once
            a build failed without it.
        timeout_s, memory, processes: as in `Limits`; more is inconclusive. Without `timeout_s` it may take ten times as
            long as the author's run.
        record: whether to record the repeated run and attest; otherwise it is only compared.
        attest_anyway: a person's reason to attest ``not-reproduced`` although the outcome is inconclusive.

    Raises:
        ContractRevert: before anything is run, if the record is the own group's or the signer lacks a role.
        InputError: if it's no run that can be repeated, or nobody agreed.
        StoreError, NotVerified: if something isn't to be had, or isn't what was recorded.
        ChainUnavailable: if the chain, a source or the packages can't be reached.
    """
    if sandboxed:
        require_bubblewrap()
    original = required_record(lab, record_id)
    if record:
        _require_standing(lab, original)
    plan = _plan(lab, original, sources, python, sandboxed, network)
    usual = plan.limits
    limits = Limits(memory or usual.memory, processes or usual.processes, timeout_s if timeout_s else usual.seconds)
    plan = replace(plan, limits=limits, build_network=build_network)
    inputs = [_input_record(lab, original, entry) for entry in plan.run.inputs]
    if not agree(plan):
        raise InputError(
            "nothing was run: it takes your consent to run another's code",
            hint="Look at what is to be run, then answer yes, or pass --yes.",
        )
    if lab.registry.status(original.id).status is Status.RETRACTED:
        lab.say("the record was retracted: what it says is not upheld by its author")

    levels = max([entry.up or 0 for entry in plan.run.inputs], default=0)
    with workspace(folder, keep, levels) as place:
        done = rerun(lab, plan, inputs, place, sources)
        # of what is encrypted nobody but its recipients can tell whether it's the same
        shown = [output for output in plan.run.outputs if not output.encrypted]
        outputs = [(output, written_output(done, output.artifact)) for output in shown]
        found = {name: metric.value for name, metric in done.document.metrics.items()}
        comparisons = compare_metrics(plan.run.metrics, found) if done.failure is None else []
        verdict, reason = _decided(plan, done, comparisons)
        result = Reproduction(
            record_id=original.id,
            verdict=verdict,
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
        if verdict == INCONCLUSIVE and attest_anyway is None:
            earlier = lab.registry.verdict(lab.group(Role.REVIEWER), original.id).verdict
            return replace(result, standing=label(earlier) if earlier else None)
        facts = RunFacts(
            document=_document(done, result, attest_anyway),
            linked=plan.run.inputs,
            outputs=[(output.role, path) for output, path in outputs if path],
            parents=[Link(original.id, Relation.REPRODUCES)],
            command=plan.command,
            given=plan.run.code.given or {},
            observed="program",
            folder=done.folder,
            environment=_environment(plan, done),
            error=done.failure,
        )
        return _attested(lab, result, done, facts)


def _environment(plan: Plan, done: Rerun) -> RunEnvironment:
    ours = plan.run.environment if plan.lock else RunEnvironment()
    kept = {name: getattr(ours, name) for name in ("lock", "lock_from", "lock_folder", "requirements")}
    captured = {**(done.environment or {}), **({"sandbox": done.confined} if done.confined else {})}
    return RunEnvironment(**kept, **captured)


def _decided(plan: Plan, done: Rerun, comparisons: Sequence[MetricComparison]) -> tuple[str, str | None]:
    """The verdict by the first rule that fits, and why it is not reproduced."""
    if done.failure:
        return INCONCLUSIVE, done.failure
    compared = [row for row in comparisons if row.tolerance is not None]
    if missing := [row.metric for row in compared if row.found is None]:
        told = [f"{name} ({done.missing[name]})" if name in done.missing else name for name in missing[:5]]
        return INCONCLUSIVE, f"the repeated run told nothing of {counted(len(missing), 'metric')}: {', '.join(told)}"
    if wrong := [f"{row.metric} ({row.found})" for row in compared if row.is_no_number]:
        return INCONCLUSIVE, f"the repeated run found no number for {', '.join(wrong[:5])}"
    if not (off := [row for row in compared if not row.within]):
        return label(Verdict.REPRODUCED), None
    first = off[0]
    total = counted(len(compared), "metric")
    reason = f"{len(off)} of {total} out of tolerance: {first.metric} was {first.recorded!r}, found {first.found!r}"
    if other := _not_in_the_record(plan) or _other_environment(plan, done):
        return INCONCLUSIVE, f"{reason}. But {other}, which may be why"
    return label(Verdict.NOT_REPRODUCED), reason


def _not_in_the_record(plan: Plan) -> str | None:
    """What the recorded run may have read that nobody can restore from its record; None if nothing is known."""
    if left := plan.run.code.leftovers:
        return f"the recorded run began with files that its record does not hold: {', '.join(left[:5])}"
    reads = plan.run.reads
    if reads and (named := [*reads.addresses, *reads.files]):
        return f"the recorded run read what its record does not hold: {', '.join(named[:5])}"
    if reads and reads.variables:
        return f"the recorded run had variables whose values its record does not hold: {', '.join(reads.variables[:5])}"
    is_shut_in = _part(plan.run.environment.model_extra, "sandbox", "network") is False
    if reads and reads.unknown and not is_shut_in:
        return f"what {', '.join(reads.unknown[:5])} read in the recorded run was not seen"
    return None


def _other_environment(plan: Plan, done: Rerun) -> str | None:
    """What tells that the repeated run ran in another environment than the recorded one; None if nothing does."""
    if plan.lock is None:
        return f"it ran in an environment of yours, {plan.interpreter}, not in the recorded one"
    recorded, there, here = plan.run.environment.model_extra, plan.run.hardware, capture_hardware()
    # an environment without packages records none
    packages = {} if (named := _part(recorded, "packages")) is None else named
    if not (plan.python and isinstance(packages, dict) and done.environment):
        return "Python and packages of the recorded run are not known"
    python = done.environment["python"]
    if python["version"].split(".")[:2] != plan.python.split(".")[:2]:
        return f"the recorded run had Python {plan.python}, this one {python['version']}"
    for name, version in sorted(done.environment.get("packages", {}).items()):
        if name not in _INSTALLERS and packages.get(name, version) != version:
            return f"the recorded run had {name} {packages[name]}, and its own lock file gives {version}"
    used = plan.run.reads.packages if plan.run.reads else ()
    if lacking := [name for name in used if name not in done.environment.get("packages", {})]:
        return f"the recorded run loaded {', '.join(lacking[:5])}, which its lock file does not name"
    for name, digest in (plan.run.reads.tools if plan.run.reads else {}).items():
        path = shutil.which(name, path=SEARCHED) if "/" not in name else None
        if path is None or sha256_file(path) != digest:
            return f"the recorded run had another {name} than this machine"
    zone = str(plan.variables.get("TZ") or "UTC")
    if _ZONE.fullmatch(zone) and not any(Path(place, zone).is_file() for place in TZPATH):
        return f"the recorded run was in the time zone {zone}, which is not here"
    if there.get("gpus") and not here["gpus"]:
        return "the recorded run was on a machine with a GPU, and this one has none"
    for theirs, ours in (
        (_part(recorded, "python", "implementation"), _part(python, "implementation")),
        (_part(there, "os", "system"), here["os"]["system"]),
        (_part(there, "architecture"), here["architecture"]),
    ):
        if theirs and ours and theirs != ours:
            return f"the recorded run was on {theirs}, this one on {ours}"
    return None


def _part(data: Any, *names: str) -> Any:
    """A part of what a stranger's manifest says; None if there is none."""
    for name in names:
        data = data.get(name) if isinstance(data, dict) else None
    return data


def _require_standing(lab: Lab, record: RecordView) -> None:
    """Refuses what the registry would refuse at the end, before there is anything to lose."""
    group = lab.group(Role.RECORDER | Role.REVIEWER)
    lab.group_number = group
    if record.key.group == group:
        error = in_words("OwnRecord", {"group": group, "recordId": from_hex(record.id)})
        error.hint = f"{error.hint} --no-attest repeats the run and compares it without a verdict."
        raise error
    for role in (Role.RECORDER, Role.REVIEWER):
        require_role(lab, group, role)


def _plan(
    lab: Lab, record: RecordView, sources: Sequence[str], python: str | None, sandboxed: bool, network: bool
) -> Plan:
    """What it takes to repeat a run."""
    lab.store.fetch(record.key.manifest, sources, MAX_BYTES)
    run = read_manifest(lab.store, record).predicate
    if not isinstance(run, RunPredicate):
        raise InputError(f"expected a run to reproduce, got a {label(record.key.kind, Kind)}: {record.id}")
    code, environment = run.code, run.environment
    version, variables = (_part(environment.model_extra, *of) for of in (("python", "version"), ("variables",)))
    lacks = [what for what in what_lacks(run) if not (python and what == NO_LOCK)]
    if lacks or code.commit is None or code.pack is None:
        hint = "Nothing was run and nothing attested."
        hint += " --python PATH uses an environment of yours." if NO_LOCK in lacks else ""
        raise InputError(f"run {record.id} can't be repeated: {'; '.join(lacks)}", hint=hint)
    return Plan(
        record=record,
        run=run,
        commit=code.commit,
        pack=code.pack,
        command=(str(code.entry_point), *code.arguments),
        lock=None if python else environment.lock,
        interpreter=python or None,
        python=str(version or ""),
        variables=variables if isinstance(variables, dict) else {},
        sandboxed=sandboxed,
        network=network or not sandboxed,
        limits=Limits(seconds=_patience(run)),
        loose=() if python else _loose(lab, environment.lock, sources),
    )


def _loose(lab: Lab, lock: Artifact | None, sources: Sequence[str]) -> Sequence[str]:
    if lock is None:
        return ()
    lab.store.fetch(lock.sha256, sources, MAX_LOCK)
    return loose_requirements(Path(lock.path).name, lab.store.get_bytes(lock.sha256))


def _patience(run: RunPredicate) -> float | None:
    """Seconds to wait for a run: ten times what its author's took, at least an hour; None if that is not known."""
    if not (run.started_at and run.ended_at):
        return None
    began, ended = map(datetime.fromisoformat, (run.started_at, run.ended_at))
    return max(3600.0, 10 * (ended - began).total_seconds())


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


def _document(done: Rerun, result: Reproduction, attest_anyway: str | None) -> RunDocument:
    """What the repeated run's manifest says by word: what its program told, and the comparison."""
    experiment = done.document.experiment or Experiment()
    comparison: dict[str, Any] = {
        "record": result.record_id,
        "verdict": result.verdict,
        "metrics": [asdict(row) for row in result.comparisons],
        "outputs": [asdict(row) for row in result.outputs],
    }
    if result.verdict == INCONCLUSIVE:
        comparison |= {"reason": result.reason, "attestedBecause": attest_anyway}
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
    said = label(verdict)
    try:
        attestation = attest(lab, result.record_id, verdict, evidence=recorded.id)
    except ChainUnavailable as error:
        raise ChainUnavailable(
            f"the repeated run is kept as {recorded.id}, but nothing is attested yet: {error.message}",
            hint="Once the chain answers: `blockchaintracer outbox flush`, then "
            f"`blockchaintracer attest {result.record_id} {said} --evidence {recorded.id}`.",
        ) from None
    return replace(result, run=recorded, attestation=attestation, standing=said)
