"""What was changed of an MLflow run since it was recorded: each thing by its name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from typing import Any

from blockchaintracer.core.batch_proof import Proof
from blockchaintracer.core.digest import LISTING_LIMIT, Progress, parse_listing
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import LISTING, MAX_BYTES, RunPredicate, parse_manifest
from blockchaintracer.core.networks import redact_url
from blockchaintracer.core.record import Kind, Relation, normal_digest
from blockchaintracer.core.verify import Check, Outcome, Report
from blockchaintracer.core.verify.content_checks import Shown
from blockchaintracer.extras.mlflow.logged_content import digest_of
from blockchaintracer.extras.mlflow.recorder import HISTORY, SNAPSHOT, output, own_records, salt
from blockchaintracer.extras.mlflow.snapshot import (
    HIDDEN,
    OWN_TAGS,
    Hide,
    Point,
    Snapshot,
    client_of,
    context_of,
    files_at,
    local_source,
    run_uuid,
    take,
)
from blockchaintracer.lab.kept_proofs import find_proof
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.store.stored_copies import StoredCopies
from blockchaintracer.lab.verify_here import Sources, verify

SCHEME = "mlflow:"
_HISTORY_LIMIT = 1 << 30
_NAMED = 50
_PLURALS = {"artifact": "artifacts"}
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
    """Verifies the records of an MLflow run, and holds each against what MLflow has of the run now.

    Args:
        run_id: MLflow's.
        tracking_uri: where the run is; the one in use if not said.
        datasets: tables or arrays to hold against the recorded content, by the name of the dataset.
        sources: where to look for content that the store doesn't have.

    Raises:
        InputError: if MLflow isn't installed, or has no such run.
        ChainUnavailable: if the chain is away.
    """
    client = client_of(tracking_uri)
    identifier = run_uuid(run_id)
    subject = sha256(identifier.encode()).hexdigest()
    tagged = client.get_run(run_id).data.tags.get(OWN_TAGS + "record_id") if _exists(client, run_id) else None
    manifests = {
        record.id: (record.key.manifest, record.key.parents)
        for record in lab.registry.find_subject(subject)
        if record.key.kind == Kind.RUN
    }
    for entry in own_records(lab, identifier):
        key = entry.write.key
        manifests.setdefault(str(entry.write.record_id), (key.manifest, key.parents))
    if tagged and tagged not in manifests and (proof := _batched(lab, tagged, subject)):
        manifests[tagged] = (proof.key.manifest, proof.key.parents)
    superseded = {
        link.parent for _, parents in manifests.values() for link in parents if link.relation == Relation.SUPERSEDES
    }
    checks: list[Check] = []
    if not manifests:
        checks.append(Check("recorded", Outcome.FAIL, f"no record of the MLflow run {run_id} is on the chain or here"))
    if tagged and tagged not in manifests:
        detail = f"the run's tag {OWN_TAGS}record_id names {tagged[:80]!r}, which is no record of this run"
        checks.append(Check(f"mlflow tag {OWN_TAGS}record_id", Outcome.FAIL, detail))
    report = Report(f"{SCHEME}{run_id}", "mlflow", tuple(checks))
    comparison = _Comparison(lab, client, run_id, datasets or {}, StoredCopies(lab.store, sources, progress))
    for record_id, (manifest, _) in manifests.items():
        if record_id in superseded:
            continue
        found = verify(lab, record_id, sources=sources, progress=progress)
        compared = [replace(check, record=record_id) for check in comparison.against(manifest)]
        altered = any(check.verdict is Outcome.FAIL for check in compared)
        report = replace(
            report,
            checks=(*report.checks, *found.checks, *compared),
            records=(*report.records, *found.records),
            proves=(*report.proves, *found.proves, *((_ALTERED,) if altered else ())),
            does_not_prove=tuple(dict.fromkeys((*report.does_not_prove, *found.does_not_prove))),
        )
    return report


def _batched(lab: Lab, record_id: str, subject: str) -> Proof | None:
    """The proof that a record of the run is in a batch; None if the lab has none."""
    try:
        proof = find_proof(lab, normal_digest(record_id))
    except InputError:
        return None
    return proof if proof and (proof.key.kind, proof.key.subject) == (Kind.RUN, subject) else None


def _exists(client: Any, run_id: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        client.get_run(run_id)
    except MlflowException as error:
        raise InputError(
            f"MLflow has no run {run_id[:80]!r} at {redact_url(client.tracking_uri)}",
            hint="Name the tracking server with --tracking-uri or $MLFLOW_TRACKING_URI.",
        ) from error
    return True


class _Comparison:
    def __init__(self, lab: Lab, client: Any, run_id: str, datasets: Mapping[str, Any], copies: StoredCopies) -> None:
        self._lab = lab
        self._client = client
        self._run_id = run_id
        self._datasets = datasets
        self._copies = copies
        self._key = salt(lab.home, run_uuid(run_id), make=False)

    def against(self, manifest: str) -> Iterator[Check]:
        """What MLflow has now, held against a recorded run."""
        data, found = self._copies.read_bytes(manifest, MAX_BYTES)
        if data is None:
            detail = f"the record's manifest is not here: {'; '.join(found.told) or manifest}"
            yield Check("mlflow", Outcome.UNKNOWN, detail)
            return
        run = parse_manifest(data).predicate
        snapshot = output(run, SNAPSHOT) if isinstance(run, RunPredicate) else None
        history = output(run, HISTORY) if isinstance(run, RunPredicate) else None
        if not isinstance(run, RunPredicate) or snapshot is None or history is None:
            yield Check("mlflow", Outcome.UNKNOWN, "the record is not of an MLflow run")
            return
        recorded, _ = self._copies.read_bytes(snapshot, LISTING_LIMIT)
        values = json.loads(recorded) if recorded is not None else None
        personal = values is not None and not values["run"]["user"].startswith(HIDDEN)
        now = take(self._client, self._run_id, Hide(self._key, personal=personal))
        if values is None:
            yield Check("mlflow run", Outcome.UNKNOWN, f"not here: {snapshot}")
        else:
            yield from self._values(values, now)
        yield from self._metrics(history, now)
        yield from self._files("artifact", now.artifact_uri, run, "artifacts")
        for model in now.models:
            yield from self._files(f"model {model.name}", model.artifact_location, run, f"models/{model.model_id}")
        yield from self._inputs(run, now)

    # -- parameters, tags and the like

    def _values(self, recorded: dict[str, Any], now: Snapshot) -> Iterator[Check]:
        failed = False
        for group, label in (("run", "run"), ("params", "parameter"), ("tags", "tag")):
            for check in self._named(label, recorded[group], now.values[group]):
                failed = failed or check.verdict is Outcome.FAIL
                yield check
        for group, label in (("datasets", "dataset"), ("models", "model")):
            before, after = _by_name(recorded[group]), _by_name(now.values[group])
            for check in self._named(label, before, after):
                failed = failed or check.verdict is Outcome.FAIL
                yield check
        for group, label in (("inputModels", "input models"), ("outputModels", "output models")):
            if recorded[group] != now.values[group]:
                failed = True
                yield _changed(f"mlflow {label}", recorded[group], now.values[group])
        if not failed:
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
        data, found = self._copies.read_bytes(history, _HISTORY_LIMIT)
        if data is None:
            yield Check("mlflow metrics", Outcome.UNKNOWN, f"not here: {history} {'; '.join(found.told)}".strip())
            return
        if data == now.history():
            names = len({point.name for point in now.points})
            detail = f"all {len(now.points)} values of {names} metrics are what was recorded"
            yield Check("mlflow metrics", Outcome.PASS, detail)
            return
        before = _by_step(Point(name, int(step), int(time), value) for name, step, time, value in _lines(data))
        after = _by_step(now.points)
        for count, place in enumerate(sorted(before.keys() | after.keys())):
            old, new = before.get(place, []), after.get(place, [])
            if old == new:
                continue
            name, step = place
            if count > _NAMED * 1000:
                break
            for was, is_ in zip_longest(_left(old, new), _left(new, old)):
                yield _metric_check(name, step, was, is_)

    # -- files

    def _files(self, label: str, uri: str, run: RunPredicate, path: str) -> Iterator[Check]:
        digest = output(run, f"{path}/{LISTING}")
        with files_at(uri, self._client.tracking_uri) as folder:
            if digest is None:
                if folder is not None:
                    yield Check(f"mlflow {label}", Outcome.FAIL, "added since: the record has none of it")
                return
            data, found = self._copies.read_bytes(digest, LISTING_LIMIT)
            if data is None:
                yield Check(f"mlflow {label}", Outcome.UNKNOWN, f"not here: {digest} {'; '.join(found.told)}".strip())
                return
            files = parse_listing(data)
            if folder is None:
                yield Check(f"mlflow {label}", Outcome.FAIL, f"removed since: all {len(files)} files")
                return
            shown = Shown(folder, self._copies)
            if shown.sha256 == digest:
                what = f"mlflow {_PLURALS.get(label, label)}"
                yield Check(what, Outcome.PASS, f"re-hashed: {len(files)} files of {digest}")
                return
            for check in shown.against_files(files):
                yield replace(check, name=check.name.replace("content", f"mlflow {label}", 1))

    # -- datasets

    def _inputs(self, run: RunPredicate, now: Snapshot) -> Iterator[Check]:
        about = (run.experiment.additional_info or {}).get("mlflow", {}).get("datasets", [])
        paths = {
            (given.dataset.name, given.dataset.digest, context_of(given)): local_source(given.dataset)
            for given in now.datasets
        }
        for entry in about:
            name = str(entry.get("name"))
            what = f"mlflow dataset {name}"
            if name in self._datasets:
                yield self._content(what, entry, self._datasets[name])
            digest = entry.get("sha256")
            path = paths.get((name, entry.get("digest"), entry.get("context")))
            if digest is None:
                if name not in self._datasets:
                    detail = "it was in memory or elsewhere: nothing here to hold against its recorded digest"
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
            data, found = self._copies.read_bytes(digest, LISTING_LIMIT)
            if data is not None:
                for check in shown.against_files(parse_listing(data)):
                    yield replace(check, name=check.name.replace("content", what, 1))
                return
            yield Check(what, Outcome.FAIL, f"{path.name} is not what the run read: {'; '.join(found.told)}")
            return
        values = {"expected": digest, "actual": shown.sha256}
        with self._copies.find_copy(digest) as found:
            line = _first_line(found.path, path) if found.path else None
        place = f"; line {line} is the first that differs" if line else ""
        detail = f"changed: {path.name} has the SHA-256 {shown.sha256}, the run read {digest}{place}"
        yield Check(what, Outcome.FAIL, detail, {**values, "line": line})

    def _content(self, what: str, entry: dict[str, Any], data: Any) -> Check:
        recorded = entry.get("content")
        if not recorded:
            return Check(what, Outcome.UNKNOWN, "the record has no digest of its whole content")
        here = digest_of(data)
        if here == recorded:
            return Check(what, Outcome.PASS, "its whole content is what the run was given")
        return Check(what, Outcome.FAIL, "changed: its whole content is not what the run was given", {"now": here})


def _metric_check(name: str, step: int, was: Point | None, is_: Point | None) -> Check:
    what = f"mlflow metric {name}"
    if was and is_:
        values = {"step": step, "recorded": was.value, "now": is_.value}
        return Check(what, Outcome.FAIL, f"changed at step {step}: it was {was.value}, is {is_.value}", values)
    if is_:
        values = {"step": step, "now": is_.value}
        return Check(what, Outcome.FAIL, f"added since: {is_.value} at step {step}", values)
    assert was is not None  # noqa: S101 -- one of the two is there
    values = {"step": step, "recorded": was.value}
    return Check(what, Outcome.FAIL, f"removed since: it was {was.value} at step {step}", values)


def _lines(data: bytes) -> Iterator[list[Any]]:
    for line in data.splitlines():
        yield json.loads(line)


def _by_step(points: Any) -> dict[tuple[str, int], list[Point]]:
    found: dict[tuple[str, int], list[Point]] = {}
    for point in points:
        found.setdefault((point.name, point.step), []).append(point)
    return found


def _left(points: list[Point], other: list[Point]) -> list[Point]:
    """The points that the other list doesn't have."""
    rest = list(other)
    found = []
    for point in points:
        if point in rest:
            rest.remove(point)
        else:
            found.append(point)
    return found


def _by_name(entries: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in entries:
        name = str(entry["name"])
        number = sum(1 for known in found if known == name or known.startswith(f"{name} ("))
        found[f"{name} ({number + 1})" if number else name] = entry
    return found


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
    """Number of the first line that differs, from 1."""
    with original.open("rb") as one, other.open("rb") as two:
        for number, (here, there) in enumerate(zip_longest(one, two), 1):
            if here != there:
                return number
    return None
