"""What was changed of an MLflow run since it was recorded: each thing by its name."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from blockchaintracer.core.digest import LISTING_LIMIT, Progress, parse_listing
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import LISTING, MAX_BYTES, RunPredicate, parse_manifest
from blockchaintracer.core.networks import when
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.core.record import Kind, RecordKey, Relation, counted
from blockchaintracer.core.verify import Check, Outcome, Report
from blockchaintracer.core.verify.content_checks import Shown, without_copy
from blockchaintracer.extras.mlflow.recorder import output, own_records, salt
from blockchaintracer.extras.mlflow.run_facts import HISTORY, SNAPSHOT, TRACES
from blockchaintracer.extras.mlflow_reader.artifact_files import places_of
from blockchaintracer.extras.mlflow_reader.logged_content import digest_of
from blockchaintracer.extras.mlflow_reader.snapshot import (
    HIDDEN,
    OWN_TAGS,
    Hide,
    Point,
    Snapshot,
    bare,
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
_HIDDEN = re.compile(rf"{HIDDEN}[0-9a-f]{{64}}")
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
    """Verify the records of an MLflow run, and compare what MLflow has of the run now with the first record.

    A later record of the same author is a dated change: what differs from the first fails, and is told with its date.

    Args:
        datasets: tables or arrays to compare with the recorded content, by the name of the dataset.
    """
    client = client_of(tracking_uri)
    identifier = run_uuid(run_id)
    subject = sha256(identifier.encode()).hexdigest()
    tagged = get_run(client, run_id).data.tags.get(OWN_TAGS + "record_id")
    keys = {record.id: record.key for record in lab.registry.find_subject(subject) if record.key.kind == Kind.RUN}
    for entry in own_records(lab, Kind.RUN, identifier):
        keys.setdefault(entry.write["record_id"], entry.write.key)
    if tagged and tagged not in keys:
        # the tag is a stranger's text, and may be no record id
        with suppress(InputError):
            proof = find_proof(lab, tagged)
            if proof and (proof.key.kind, proof.key.subject) == (Kind.RUN, subject):
                keys[tagged] = proof.key
    checks = list(_add_replaced(lab, keys))
    if not keys:
        checks.append(Check("recorded", Outcome.FAIL, f"no record of the MLflow run {run_id} is on the chain or here"))
    if tagged and tagged not in keys:
        detail = f"the run's tag {OWN_TAGS}record_id names {tagged[:80]!r}, which is no record of this run"
        checks.append(Check(f"mlflow tag {OWN_TAGS}record_id", Outcome.FAIL, detail))
    report = Report(f"mlflow:{run_id}", "mlflow", tuple(checks))
    copies = StoredCopies(lab.store, sources, progress)
    comparison = _Comparison(client, run_id, salt(lab.home, identifier, make=False), datasets or {}, copies)
    compared_before: dict[str, list[Check]] = {}
    verified_before: dict[str, Report] = {}
    for record_id, first in _first_records(keys).items():
        verified = verified_before[record_id] = verify(lab, record_id, sources=sources, progress=progress)
        compared = compared_before[record_id] = comparison.checks(record_id, keys[record_id].manifest)
        if first != record_id:
            # a later record of its author: what it changed is told of the first, whose checks come before
            failed = {_place(check) for check in compared_before[first] if check.verdict is Outcome.FAIL}
            compared = [check for check in compared if check.verdict is Outcome.FAIL and _place(check) not in failed]
        altered = any(check.verdict is Outcome.FAIL for check in compared)
        report = replace(
            report,
            checks=(*report.checks, *verified.checks, *compared),
            records=(*report.records, *verified.records),
            private=verified.private,
            proves=(*report.proves, *verified.proves, *((_ALTERED,) if altered else ())),
            does_not_prove=tuple(dict.fromkeys((*report.does_not_prove, *verified.does_not_prove))),
        )
    report = replace(
        report, checks=tuple(_dated(report.checks, _first_records(keys), compared_before, verified_before))
    )
    if keys and all(it.verdict is Outcome.UNKNOWN for it in report.checks if it.name.startswith("mlflow")):
        missing = {"unavailable": ["what was recorded of MLflow's run"]}
        nothing = Check("mlflow", Outcome.UNKNOWN, "nothing that MLflow shows could be compared", missing)
        return replace(report, checks=(*report.checks, nothing))
    return report


def _add_replaced(lab: Lab, keys: dict[str, RecordKey]) -> Iterator[Check]:
    """Add the records that these replace, of which only a proof is here. What is not here is told."""
    waiting = list(keys)
    while waiting:
        record_id = waiting.pop()
        for link in keys[record_id].parents:
            if link.relation != Relation.SUPERSEDES or link.parent in keys:
                continue
            proof = find_proof(lab, link.parent)
            if proof and proof.key.subject == keys[record_id].subject:
                keys[link.parent] = proof.key
                waiting.append(link.parent)
            else:
                detail = f"it replaces {link.parent}, which is not here: what the run was at first can't be compared"
                yield Check("mlflow first record", Outcome.UNKNOWN, detail, record=record_id)


def _first_records(keys: Mapping[str, RecordKey]) -> dict[str, str]:
    """Return for each record the first of its chain, those that come before others first. Only its author replaces a
    record: a stranger's record changes nothing."""
    before = {
        record_id: link.parent
        for record_id, key in keys.items()
        for link in key.parents
        if link.relation == Relation.SUPERSEDES
        and link.parent in keys
        and keys[link.parent].author.lower() == key.author.lower()
    }
    chains = {}
    for record_id in keys:
        chain = [record_id]
        while (earlier := before.get(chain[-1])) and earlier not in chain:
            chain.append(earlier)
        chains[record_id] = chain
    return {record_id: chains[record_id][-1] for record_id in sorted(keys, key=lambda name: len(chains[name]))}


def _place(check: Check) -> tuple[str, Any]:
    return check.name, check.values.get("step")


def _dated(
    checks: Sequence[Check],
    firsts: Mapping[str, str],
    compared: Mapping[str, Sequence[Check]],
    verified: Mapping[str, Report],
) -> Iterator[Check]:
    """Say of what differs from a first record in which later record it stands, and since when."""
    for check in checks:
        later = [name for name, first in firsts.items() if first == check.record and name != first]
        holds = (
            name
            for name in later
            if all(_place(other) != _place(check) or other.verdict is not Outcome.FAIL for other in compared[name])
        )
        name = next(holds, None) if check.verdict is Outcome.FAIL and check.name.startswith("mlflow") else None
        if name is None:
            yield check
            continue
        view = next(iter(verified[name].records), None)
        date = f"on {when(view.time)}" if view and view.time else "not yet on the chain"
        detail = f"changed after the end, recorded {date} by {view.author if view else 'its author'} in {name}"
        yield replace(check, detail=f"{detail}: {check.detail}", values={**check.values, "recordedIn": name})


@dataclass
class _Comparison:
    _client: Any
    _run_id: str
    _key: bytes | None
    _datasets: Mapping[str, Any]
    _copies: StoredCopies

    def checks(self, record_id: str, manifest: str) -> list[Check]:
        """Compare a recorded run with what MLflow has now, whatever was recorded."""
        try:
            return [replace(check, record=record_id) for check in self.compare(manifest)]
        except (AttributeError, KeyError, TypeError, ValueError):
            # anyone can record anything by the name of this run
            return [Check("mlflow", Outcome.FAIL, "what it holds of the run is not well formed", record=record_id)]

    def compare(self, manifest: str) -> Iterator[Check]:
        """Compare a recorded run with what MLflow has now."""
        data, copy = self._copies.read_bytes(manifest, MAX_BYTES)
        if data is None:
            yield from without_copy("mlflow", manifest, copy)
            return
        run = parse_manifest(data).predicate
        snapshot = output(run, SNAPSHOT) if isinstance(run, RunPredicate) else None
        history = output(run, HISTORY) if isinstance(run, RunPredicate) else None
        if not isinstance(run, RunPredicate) or snapshot is None or history is None:
            yield Check("mlflow", Outcome.FAIL, "the record is of no MLflow run: it holds nothing that MLflow shows")
            return
        data, _ = self._copies.read_bytes(snapshot, LISTING_LIMIT)
        recorded = parse_json(data, SNAPSHOT) if data is not None else None
        personal = recorded is not None and not recorded["run"]["user"].startswith(HIDDEN)
        places = places_of(bare(self._client.tracking_uri))
        now = take_snapshot(self._client, self._run_id, Hide(self._key, personal=personal), places)
        if recorded is None:
            yield Check("mlflow run", Outcome.UNKNOWN, f"not here: {snapshot}")
        else:
            tags = counted(len(recorded["tags"]), "tag")
            counts = f"{counted(len(recorded['params']), 'parameter')}, {tags} and its inputs"
            yield from self._values("mlflow run", _by_label(recorded), _by_label(now.values), counts)
        yield from self._traces(output(run, TRACES), now.traces)
        yield from self._metrics(history, now)
        yield from self._files("artifact", now.artifact_uri, run, "artifacts")
        for model in now.models:
            yield from self._files(f"model {model.name}", model.artifact_location, run, f"models/{model.model_id}")
        yield from self._inputs(run, now)

    def _traces(self, digest: str | None, now: dict[str, Any]) -> Iterator[Check]:
        recorded: dict[str, Any] = {}
        if digest:
            data, copy = self._copies.read_bytes(digest, HISTORY_LIMIT)
            if data is None:
                yield from without_copy("mlflow traces", digest, copy)
                return
            recorded = parse_json(data, TRACES)
        if recorded or now:
            yield from self._values(
                "mlflow traces", _by_trace(recorded), _by_trace(now), counted(len(recorded), "trace")
            )

    def _values(self, what: str, before: dict[str, Any], after: dict[str, Any], counts: str) -> Iterator[Check]:
        checks = [
            self._compare_value(label, before.get(label), after.get(label))
            for label in dict.fromkeys([*before, *after])
            if before.get(label) != after.get(label)
        ]
        yield from checks
        if not any(check.verdict is Outcome.FAIL for check in checks):
            yield Check(what, Outcome.PASS, f"MLflow shows what was recorded: {counts}")

    def _compare_value(self, label: str, before: Any, after: Any) -> Check:
        what, values = f"mlflow {label}", {"recorded": before, "now": after}
        if before is None:
            return Check(what, Outcome.FAIL, f"added since: {_short(after)}", values)
        if after is None:
            return Check(what, Outcome.FAIL, f"removed since: it was {_short(before)}", values)
        if self._key is None and _HIDDEN.sub(f"{HIDDEN}?", json.dumps(before)) == json.dumps(after):
            return Check(what, Outcome.UNKNOWN, "its value is hidden, and the key that could compare it is not here")
        detail = f"it was {_short(before)}, is {_short(after)}"
        if isinstance(before, dict):
            detail = ", ".join(
                f"its {key} was {_short(before.get(key))}, is {_short(after.get(key))}"
                for key in sorted({*before, *after})
                if before.get(key) != after.get(key)
            )
        return Check(what, Outcome.FAIL, f"changed since: {detail}", values)

    def _metrics(self, history: str, now: Snapshot) -> Iterator[Check]:
        data, copy = self._copies.read_bytes(history, HISTORY_LIMIT)
        if data is None:
            yield from without_copy("mlflow metrics", history, copy)
            return
        if data == now.history():
            names = len({point.name for point in now.points})
            detail = (
                f"the history is what was recorded: {counted(len(now.points), 'value')} of {counted(names, 'metric')}"
            )
            yield Check("mlflow metrics", Outcome.PASS, detail)
            return
        lines = (parse_json(line, HISTORY) for line in data.splitlines())
        before = Counter(Point(name, int(step), int(time), value) for name, step, time, value in lines)
        after = Counter(now.points)
        yield from islice(_metric_changes(_by_step(before - after), _by_step(after - before)), _MAX_CHANGES)

    def _files(self, label: str, uri: str, run: RunPredicate, path: str) -> Iterator[Check]:
        what, digest = f"mlflow {label}", output(run, f"{path}/{LISTING}")
        with files_at(uri, self._client.tracking_uri) as folder:
            if digest is None:
                if folder is not None:
                    yield Check(what, Outcome.FAIL, "added since: the record has none of it")
                return
            data, copy = self._copies.read_bytes(digest, LISTING_LIMIT)
            if data is None:
                yield from without_copy(what, digest, copy)
                return
            files = parse_listing(data)
            if folder is None:
                yield Check(what, Outcome.FAIL, f"removed since: all {counted(len(files), 'file')}")
                return
            shown = Shown(folder, self._copies)
            if shown.sha256 == digest:
                all_files = "mlflow artifacts" if label == "artifact" else what
                yield Check(all_files, Outcome.PASS, f"re-hashed: {counted(len(files), 'file')} of {digest}")
            else:
                yield from _compare_files(what, shown, files)

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
            if digest is not None and path is not None:
                yield from self._source(what, digest, path)
            elif digest is not None:
                yield Check(what, Outcome.UNKNOWN, f"its source is not here any more: {digest}")
            elif name not in self._datasets:
                detail = "it was in memory or elsewhere: nothing here to compare with its recorded digest"
                yield Check(what, Outcome.UNKNOWN, detail)

    def _source(self, what: str, digest: str, path: Path) -> Iterator[Check]:
        shown = Shown(path, self._copies)
        if shown.sha256 == digest:
            yield Check(what, Outcome.PASS, f"re-hashed: {path.name} is what the run read: {digest}")
            return
        if shown.folder is not None:
            data, copy = self._copies.read_bytes(digest, LISTING_LIMIT)
            if data is not None:
                yield from _compare_files(what, shown, parse_listing(data))
                return
            yield Check(what, Outcome.FAIL, f"{path.name} is not what the run read: {'; '.join(copy.reasons)}")
            return
        values = {"expected": digest, "actual": shown.sha256}
        with self._copies.find_copy(digest) as copy:
            line = _first_line(copy.path, path) if copy.path else None
        place = f"; line {line} is the first that differs" if line else ""
        detail = f"changed: {path.name} has the SHA-256 {shown.sha256}, the run read {digest}{place}"
        yield Check(what, Outcome.FAIL, detail, {**values, "line": line})


def _compare_files(what: str, shown: Shown, files: Sequence[tuple[str, str]]) -> Iterator[Check]:
    for check in shown.against_files(files):
        yield replace(check, name=check.name.replace("content", what, 1))


def _compare_content(what: str, recorded: Any, data: Any) -> Check:
    if not recorded:
        return Check(what, Outcome.UNKNOWN, "the record has no digest of its whole content")
    if (content := digest_of(data)) == recorded:
        return Check(what, Outcome.PASS, "its whole content is what the run was given")
    return Check(what, Outcome.FAIL, "changed: its whole content is not what the run was given", {"now": content})


def _metric_changes(removed: _Steps, added: _Steps) -> Iterator[Check]:
    for name, step in sorted(removed.keys() | added.keys()):
        for was, is_now in zip_longest(removed.get((name, step), ()), added.get((name, step), ())):
            sides = (("recorded", was), ("now", is_now))
            values = {"step": step} | {side: point.value for side, point in sides if point}
            if was and is_now and was.value == is_now.value:
                values["times"] = [was.time, is_now.time]
                detail = f"changed at step {step}: the time of {was.value} was {_time(was)}, is {_time(is_now)}"
            elif was and is_now:
                detail = f"changed at step {step}: it was {was.value}, is {is_now.value}"
            elif was:
                detail = f"removed since: it was {was.value} at step {step}"
            else:
                detail = f"added since: {is_now.value} at step {step}"
            yield Check(f"mlflow metric {name}", Outcome.FAIL, detail, values)


def _by_step(points: Counter[Point]) -> _Steps:
    by_step: _Steps = {}
    for point in sorted(points.elements()):
        by_step.setdefault((point.name, point.step), []).append(point)
    return by_step


def _by_label(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a snapshot by what a check calls them."""
    labels = {f"run {name}": value for name, value in values["run"].items() if value is not None}
    labels |= {f"parameter {name}": value for name, value in values["params"].items()}
    labels |= {f"tag {name}": value for name, value in values["tags"].items()}
    for group, label in (("datasets", "dataset"), ("models", "model")):
        count: Counter[str] = Counter()
        for entry in values[group]:
            name = str(entry["name"])
            count[name] += 1
            labels[f"{label} {name}" if count[name] == 1 else f"{label} {name} ({count[name]})"] = entry
    labels |= {f"metric {name} (latest)": value for name, value in values["latest"].items()}
    for entry in values["modelMetrics"]:
        about = ", ".join(str(entry[key]) for key in ("model", "dataset", "digest") if entry[key])
        labels[f"metric {entry['name']} at step {entry['step']} of {about}"] = entry
    return labels | {"input models": values["inputModels"], "output models": values["outputModels"]}


def _by_trace(traces: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of traces by what a check calls them."""
    labels: dict[str, Any] = {}
    for name, trace in traces.items():
        parts = ("spans", "assessments")
        labels[f"trace {name}"] = {key: value for key, value in trace.items() if key not in parts}
        for part in parts:
            labels |= {f"trace {name} {part[:-1]} {key}": value for key, value in trace[part].items()}
    return labels


def _time(point: Point) -> str:
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=point.time)).isoformat()
    except OverflowError:
        return f"{point.time} ms"


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
