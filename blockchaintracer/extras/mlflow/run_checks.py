"""What was changed of an MLflow run since it was recorded: each thing by its name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from blockchaintracer.core.batch_proof import Proof
from blockchaintracer.core.digest import LISTING_LIMIT, Progress, parse_listing
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import LISTING, MAX_BYTES, RunPredicate, parse_manifest
from blockchaintracer.core.record import Kind, Relation, normal_digest
from blockchaintracer.core.verify import Check, Outcome, Report
from blockchaintracer.core.verify.content_checks import Shown
from blockchaintracer.extras.mlflow.logged_content import digest_of
from blockchaintracer.extras.mlflow.recorder import output, own_records, salt
from blockchaintracer.extras.mlflow.run_facts import HISTORY, SNAPSHOT
from blockchaintracer.extras.mlflow.snapshot import (
    HIDDEN,
    OWN_TAGS,
    Hide,
    Point,
    Snapshot,
    client_of,
    context_of,
    files_at,
    get_run,
    local_source,
    run_uuid,
    take_snapshot,
)
from blockchaintracer.lab.kept_proofs import find_proof
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.store.stored_copies import StoredCopies
from blockchaintracer.lab.verify_here import Sources, verify

HISTORY_LIMIT = 1 << 30
_MAX_CHANGES = 50_000
_Steps = dict[tuple[str, int], list[Point]]
_ALTERED = "What MLflow shows now is not what was committed to."


def verify_run(
    lab: Lab,
    run_id: str,
    tracking_uri: str | None = None,
    *,
    datasets: Mapping[str, Any] | None = None,
    sources: Sources = (),
    progress: Progress | None = None,
) -> Report:
    """Verify the records of an MLflow run, and compare each with what MLflow has of the run now.

    Args:
        run_id: MLflow's.
        tracking_uri: where the run is; default: the URI in use.
        datasets: tables or arrays to compare with the recorded content, by the name of the dataset.
        sources: where to look for content that the store does not have.

    Raises:
        InputError: if MLflow is not installed, or has no such run.
        ChainUnavailable: if the chain is unavailable.
    """
    client = client_of(tracking_uri)
    identifier = run_uuid(run_id)
    subject = sha256(identifier.encode()).hexdigest()
    tagged = get_run(client, run_id).data.tags.get(OWN_TAGS + "record_id")
    keys = {record.id: record.key for record in lab.registry.find_subject(subject) if record.key.kind == Kind.RUN}
    for entry in own_records(lab, Kind.RUN, identifier):
        keys.setdefault(entry.write["record_id"], entry.write.key)
    if tagged and tagged not in keys and (proof := _batched(lab, tagged, subject)):
        keys[tagged] = proof.key
    superseded = {link.parent for key in keys.values() for link in key.parents if link.relation == Relation.SUPERSEDES}
    checks: list[Check] = []
    if not keys:
        checks.append(Check("recorded", Outcome.FAIL, f"no record of the MLflow run {run_id} is on the chain or here"))
    if tagged and tagged not in keys:
        detail = f"the run's tag {OWN_TAGS}record_id names {tagged[:80]!r}, which is no record of this run"
        checks.append(Check(f"mlflow tag {OWN_TAGS}record_id", Outcome.FAIL, detail))
    report = Report(f"mlflow:{run_id}", "mlflow", tuple(checks))
    comparison = _Comparison(lab, client, run_id, datasets or {}, StoredCopies(lab.store, sources, progress))
    for record_id, key in keys.items():
        if record_id in superseded:
            continue
        verified = verify(lab, record_id, sources=sources, progress=progress)
        compared = [replace(check, record=record_id) for check in comparison.compare(key.manifest)]
        altered = any(check.verdict is Outcome.FAIL for check in compared)
        report = replace(
            report,
            checks=(*report.checks, *verified.checks, *compared),
            records=(*report.records, *verified.records),
            proves=(*report.proves, *verified.proves, *((_ALTERED,) if altered else ())),
            does_not_prove=tuple(dict.fromkeys((*report.does_not_prove, *verified.does_not_prove))),
        )
    return report


def _batched(lab: Lab, record_id: str, subject: str) -> Proof | None:
    """Return the proof that a record of the run is in a batch, or None."""
    try:
        proof = find_proof(lab, normal_digest(record_id))
    except InputError:
        return None
    return proof if proof and (proof.key.kind, proof.key.subject) == (Kind.RUN, subject) else None


class _Comparison:
    def __init__(self, lab: Lab, client: Any, run_id: str, datasets: Mapping[str, Any], copies: StoredCopies) -> None:
        self._client = client
        self._run_id = run_id
        self._datasets = datasets
        self._copies = copies
        self._key = salt(lab.home, run_uuid(run_id), make=False)

    def compare(self, manifest: str) -> Iterator[Check]:
        """Compare a recorded run with what MLflow has now."""
        data, copy = self._copies.read_bytes(manifest, MAX_BYTES)
        if data is None:
            detail = f"the record's manifest is not here: {'; '.join(copy.told) or manifest}"
            yield Check("mlflow", Outcome.UNKNOWN, detail)
            return
        run = parse_manifest(data).predicate
        snapshot = output(run, SNAPSHOT) if isinstance(run, RunPredicate) else None
        history = output(run, HISTORY) if isinstance(run, RunPredicate) else None
        if not isinstance(run, RunPredicate) or snapshot is None or history is None:
            yield Check("mlflow", Outcome.UNKNOWN, "the record is not of an MLflow run")
            return
        data, _ = self._copies.read_bytes(snapshot, LISTING_LIMIT)
        recorded = json.loads(data) if data is not None else None
        personal = recorded is not None and not recorded["run"]["user"].startswith(HIDDEN)
        now = take_snapshot(self._client, self._run_id, Hide(self._key, personal=personal))
        if recorded is None:
            yield Check("mlflow run", Outcome.UNKNOWN, f"not here: {snapshot}")
        else:
            yield from self._values(recorded, now.values)
        yield from self._metrics(history, now)
        yield from self._files("artifact", now.artifact_uri, run, "artifacts")
        for model in now.models:
            yield from self._files(f"model {model.name}", model.artifact_location, run, f"models/{model.model_id}")
        yield from self._inputs(run, now)

    # -- parameters, tags and the like

    def _values(self, recorded: dict[str, Any], now: dict[str, Any]) -> Iterator[Check]:
        checks: list[Check] = []
        for group, label in (("run", "run"), ("params", "parameter"), ("tags", "tag")):
            checks += self._named(label, recorded[group], now[group])
        for group, label in (("datasets", "dataset"), ("models", "model")):
            checks += self._named(label, _by_name(recorded[group]), _by_name(now[group]))
        for group, label in (("inputModels", "input models"), ("outputModels", "output models")):
            if recorded[group] != now[group]:
                checks.append(_changed(f"mlflow {label}", recorded[group], now[group]))
        yield from checks
        if not any(check.verdict is Outcome.FAIL for check in checks):
            counts = f"{len(recorded['params'])} parameters, {len(recorded['tags'])} tags"
            yield Check("mlflow run", Outcome.PASS, f"MLflow shows what was recorded: {counts} and its inputs")

    def _named(self, label: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Check]:
        for name in sorted(before.keys() | after.keys()):
            what = f"mlflow {label} {name}"
            if name not in after:
                yield Check(what, Outcome.FAIL, f"removed since: it was {_short(before[name])}")
            elif name not in before:
                yield Check(what, Outcome.FAIL, f"added since: {_short(after[name])}")
            elif before[name] != after[name]:
                if self._key is None and HIDDEN in json.dumps(before[name]):
                    detail = "its value is hidden, and the key that could compare it is not here"
                    yield Check(what, Outcome.UNKNOWN, detail)
                else:
                    yield _changed(what, before[name], after[name])

    # -- metrics

    def _metrics(self, history: str, now: Snapshot) -> Iterator[Check]:
        data, copy = self._copies.read_bytes(history, HISTORY_LIMIT)
        if data is None:
            yield Check("mlflow metrics", Outcome.UNKNOWN, f"not here: {history} {'; '.join(copy.told)}".strip())
            return
        if data == now.history():
            names = len({point.name for point in now.points})
            detail = f"all {len(now.points)} values of {names} metrics are what was recorded"
            yield Check("mlflow metrics", Outcome.PASS, detail)
            return
        lines = (json.loads(line) for line in data.splitlines())
        before = [Point(name, int(step), int(time), value) for name, step, time, value in lines]
        yield from islice(_metric_changes(_by_step(before), _by_step(now.points)), _MAX_CHANGES)

    # -- files

    def _files(self, label: str, uri: str, run: RunPredicate, path: str) -> Iterator[Check]:
        what, digest = f"mlflow {label}", output(run, f"{path}/{LISTING}")
        with files_at(uri, self._client.tracking_uri) as folder:
            if digest is None:
                if folder is not None:
                    yield Check(what, Outcome.FAIL, "added since: the record has none of it")
                return
            data, copy = self._copies.read_bytes(digest, LISTING_LIMIT)
            if data is None:
                yield Check(what, Outcome.UNKNOWN, f"not here: {digest} {'; '.join(copy.told)}".strip())
                return
            files = parse_listing(data)
            if folder is None:
                yield Check(what, Outcome.FAIL, f"removed since: all {len(files)} files")
                return
            shown = Shown(folder, self._copies)
            if shown.sha256 == digest:
                all_files = "mlflow artifacts" if label == "artifact" else what
                yield Check(all_files, Outcome.PASS, f"re-hashed: {len(files)} files of {digest}")
                return
            for check in shown.against_files(files):
                yield replace(check, name=check.name.replace("content", what, 1))

    # -- datasets

    def _inputs(self, run: RunPredicate, now: Snapshot) -> Iterator[Check]:
        paths = {
            (entity.dataset.name, entity.dataset.digest, context_of(entity)): local_source(entity.dataset)
            for entity in now.datasets
        }
        for recorded in (run.experiment.additional_info or {}).get("mlflow", {}).get("datasets", []):
            name = str(recorded.get("name"))
            what = f"mlflow dataset {name}"
            if name in self._datasets:
                yield _compare_content(what, recorded.get("content"), self._datasets[name])
            digest = recorded.get("sha256")
            path = paths.get((name, recorded.get("digest"), recorded.get("context")))
            if digest is None:
                if name not in self._datasets:
                    detail = "it was in memory or elsewhere: nothing here to compare with its recorded digest"
                    yield Check(what, Outcome.UNKNOWN, detail)
            elif path is None:
                yield Check(what, Outcome.UNKNOWN, f"its source is not here any more: {digest}")
            else:
                yield from self._source(what, digest, path)

    def _source(self, what: str, digest: str, path: Path) -> Iterator[Check]:
        shown = Shown(path, self._copies)
        if shown.sha256 == digest:
            yield Check(what, Outcome.PASS, f"re-hashed: {path.name} is what the run read: {digest}")
            return
        if shown.folder is not None:
            data, copy = self._copies.read_bytes(digest, LISTING_LIMIT)
            if data is not None:
                for check in shown.against_files(parse_listing(data)):
                    yield replace(check, name=check.name.replace("content", what, 1))
                return
            yield Check(what, Outcome.FAIL, f"{path.name} is not what the run read: {'; '.join(copy.told)}")
            return
        values = {"expected": digest, "actual": shown.sha256}
        with self._copies.find_copy(digest) as copy:
            line = _first_line(copy.path, path) if copy.path else None
        place = f"; line {line} is the first that differs" if line else ""
        detail = f"changed: {path.name} has the SHA-256 {shown.sha256}, the run read {digest}{place}"
        yield Check(what, Outcome.FAIL, detail, {**values, "line": line})


def _compare_content(what: str, recorded: Any, data: Any) -> Check:
    if not recorded:
        return Check(what, Outcome.UNKNOWN, "the record has no digest of its whole content")
    content = digest_of(data)
    if content == recorded:
        return Check(what, Outcome.PASS, "its whole content is what the run was given")
    return Check(what, Outcome.FAIL, "changed: its whole content is not what the run was given", {"now": content})


def _metric_changes(before: _Steps, after: _Steps) -> Iterator[Check]:
    for name, step in sorted(before.keys() | after.keys()):
        old, new = before.get((name, step), []), after.get((name, step), [])
        if old != new:
            for was, is_now in zip_longest(_without(old, new), _without(new, old)):
                yield _metric_check(name, step, was, is_now)


def _metric_check(name: str, step: int, was: Point | None, is_now: Point | None) -> Check:
    values: dict[str, Any] = {"step": step}
    if was:
        values["recorded"] = was.value
    if is_now:
        values["now"] = is_now.value
    if was and is_now:
        detail = f"changed at step {step}: it was {was.value}, is {is_now.value}"
    elif was:
        detail = f"removed since: it was {was.value} at step {step}"
    else:
        detail = f"added since: {values['now']} at step {step}"
    return Check(f"mlflow metric {name}", Outcome.FAIL, detail, values)


def _by_step(points: Iterable[Point]) -> _Steps:
    by_step: _Steps = {}
    for point in points:
        by_step.setdefault((point.name, point.step), []).append(point)
    return by_step


def _without(points: list[Point], other: list[Point]) -> list[Point]:
    """Return the points that the other list does not have."""
    rest = list(other)
    missing = []
    for point in points:
        if point in rest:
            rest.remove(point)
        else:
            missing.append(point)
    return missing


def _by_name(entries: list[dict[str, Any]]) -> dict[str, Any]:
    by_name: dict[str, Any] = {}
    for entry in entries:
        name = str(entry["name"])
        number = sum(1 for known in by_name if known == name or known.startswith(f"{name} ("))
        by_name[f"{name} ({number + 1})" if number else name] = entry
    return by_name


def _changed(what: str, before: Any, after: Any) -> Check:
    values = {"recorded": before, "now": after}
    if isinstance(before, dict) and isinstance(after, dict):
        parts = [key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]
        return Check(what, Outcome.FAIL, f"changed since: its {', '.join(parts)}", values)
    return Check(what, Outcome.FAIL, f"changed since: it was {_short(before)}, is {_short(after)}", values)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    if text.startswith(HIDDEN):
        return "a hidden value" if text.endswith("?") else f"a hidden value ({text[len(HIDDEN) :][:8]}…)"
    return repr(text if len(text) <= 80 else f"{text[:77]}…")


def _first_line(original: Path, other: Path) -> int | None:
    """Return the number of the first line that differs, from 1."""
    with original.open("rb") as before, other.open("rb") as after:
        for number, (old, new) in enumerate(zip_longest(before, after), 1):
            if old != new:
                return number
    return None
