"""An MLflow run as what `lab.recording.run.finish_run` records: the run document and the facts beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import rfc8785

from blockchaintracer.core.digest import digest_bytes
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import (
    LISTING,
    MAX_BYTES,
    Artifact,
    Code,
    Experiment,
    NotBefore,
    RunEnvironment,
    RunPredicate,
)
from blockchaintracer.core.manifest.predicates import plain_name
from blockchaintracer.core.plain_json import MAX_INTEGER
from blockchaintracer.core.record import Kind, Link, Relation
from blockchaintracer.extras.mlflow_reader.logged_content import model_details, noted_contents, noted_sizes
from blockchaintracer.extras.mlflow_reader.snapshot import HIDDEN, Snapshot, context_of, files_at, local_source
from blockchaintracer.lab.capture.program import command_line
from blockchaintracer.lab.capture.secret_masking import MASK, mask, public_remote
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.content import as_logged, record_path, used_record
from blockchaintracer.lab.recording.keep import keep
from blockchaintracer.lab.recording.run import RunFacts, RunStart, Used, parse_assignment
from blockchaintracer.lab.recording.run_document import MAX_HISTORIES, DocumentHistory, RunDocument

SNAPSHOT = "mlflow/run.json"
HISTORY = "mlflow/metrics.jsonl"
TRACES = "mlflow/traces.json"
_SHOWN_BYTES = MAX_BYTES // 2
_LINKED_CHILDREN = 64
_RELATIONS = {
    Relation.TRAINED_ON: ("train", "fit"),
    Relation.VALIDATED_ON: ("valid", "val", "dev"),
    Relation.EVALUATED_ON: ("eval", "test", "score"),
}
_READ = ("content", "record", "sha256")
_SOURCE_TAGS = ("type", "name", "git.commit", "git.branch")


def keep_outputs(lab: Lab, run: Snapshot) -> Iterator[tuple[str, Artifact]]:
    """Keep the snapshot, all metric values, the traces and the artifacts, each with its role in the record."""
    files = [("mlflow run", SNAPSHOT, run.to_bytes()), ("metric history", HISTORY, run.history())]
    if run.traces:
        files.append(("traces", TRACES, rfc8785.dumps(run.traces)))
    for role, path, data in files:
        lab.store.put_bytes(data)
        yield role, Artifact.of(path, digest_bytes(data))
    with files_at(run.artifact_uri, run.tracking_uri) as folder:
        if folder is not None:
            yield "artifacts", Artifact.of(f"artifacts/{LISTING}", keep(lab, folder).stored)


@dataclass
class Captured:
    """What the process of a run captured of it. An imported run has nothing of it."""

    start: RunStart
    group: int | None = None
    not_before: NotBefore | None = None
    error: str | None = None
    children: list[str] = field(default_factory=list)
    read: dict[tuple[str, str, str | None], tuple[Path, str]] = field(default_factory=dict)


def note_source(lab: Lab, captured: Captured, entity: Any) -> None:
    """Hash and keep the file or folder that a dataset was read from, as it is when the dataset is logged."""
    if path := local_source(entity.dataset):
        key = entity.dataset.name, entity.dataset.digest, context_of(entity)
        digest = keep(lab, path).subject
        if captured.read.setdefault(key, (path, digest))[1] != digest:
            raise InputError(f"{path} was logged before by this name, and has changed since: the first counts")


def facts_of(
    lab: Lab,
    run: Snapshot,
    kept: list[tuple[str, Artifact]],
    captured: Captured | None = None,
    before: RunPredicate | None = None,
) -> RunFacts:
    """Record the datasets and models of a run, and convert the run for `finish_run`. Nothing of this machine is
    recorded with a run of which this process captured nothing.

    Args:
        before: what is recorded of the run already: it stands, where nothing new is known.
    """
    inputs, datasets = _inputs(lab, run, before, captured.read if captured else {})
    linked = [entry for entry in before.inputs if entry.record in _shown_by(datasets)] if before else []
    trained_on = [
        Link(record, relation)
        for record, relation in [
            *((used.record.id, used.relation) for used in inputs),
            *((entry.record, entry.relation) for entry in linked),
        ]
        if relation == Relation.TRAINED_ON
    ]
    models = list(_keep_models(lab, run, trained_on, before))
    facts = RunFacts(
        document=_document(run, captured, before, models=[details for _, details in models], datasets=datasets),
        inputs=inputs,
        linked=linked,
        kept=[*kept, *(("model", listing) for listing, _ in models)],
        ended_at=moment(run.values["run"]["endTime"]),
    )
    if captured:
        facts.observed, facts.command = "process", command_line(Path.cwd())
        facts.parents = [Link(child, Relation.USES) for child in captured.children[:_LINKED_CHILDREN]]
    elif before:
        facts.environment, facts.hardware, facts.code = before.environment, before.hardware, before.code
    else:
        facts.environment, facts.hardware, facts.code = RunEnvironment(), {}, _code_by_tags(run.values["tags"])
    if before:
        kept_links = (Link(it.record, it.relation) for it in before.parents if it.relation != Relation.SUPERSEDES)
        facts.parents = [*facts.parents, *kept_links]
    return facts


def _described(before: RunPredicate | None, what: str) -> list[dict[str, Any]]:
    """Return what a record says of its run's datasets or models."""
    about = (before.experiment.additional_info or {}).get("mlflow", {}) if before else {}
    return [dict(entry) for entry in about.get(what, [])]


def _shown_by(datasets: Iterable[Mapping[str, Any]]) -> set[str]:
    return {entry["record"] for entry in datasets if "record" in entry}


def moment(milliseconds: int | None) -> datetime | None:
    """Convert MLflow's time, in milliseconds since 1970."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds is not None else None


def _keep_models(
    lab: Lab, run: Snapshot, parents: list[Link], before: RunPredicate | None
) -> Iterator[tuple[Artifact, dict[str, Any]]]:
    known = {
        entry["id"]: {name: entry[name] for name in ("layerCount", "parameterCount") if name in entry}
        for entry in _described(before, "models")
    }
    for model in run.models:
        with files_at(model.artifact_location, run.tracking_uri) as folder:
            if folder is None:
                continue
            sizes = noted_sizes.get(model.model_id) or known.get(model.model_id, {})
            details = sizes | model_details(folder)
            record = record_path(
                lab, Kind.MODEL, folder, name=model.name or None, parents=parents, framework=details.get("framework")
            )
            listing = digest_bytes(lab.store.get_bytes(record.subject))
            details |= {"id": model.model_id, "name": model.name, "record": record.id, "sha256": record.subject}
            yield Artifact.of(f"models/{model.model_id}/{LISTING}", listing), details


def _inputs(
    lab: Lab, run: Snapshot, before: RunPredicate | None, read: Mapping[tuple[str, str, str | None], tuple[Path, str]]
) -> tuple[list[Used], list[dict[str, Any]]]:
    """Record the datasets that are on this machine and not recorded yet, and describe all of them."""
    known = {(it.get("name"), it.get("digest"), it.get("context")): it for it in _described(before, "datasets")}
    inputs: dict[tuple[str, int], Used] = {}
    descriptions = []
    for entity, shown in zip(run.datasets, run.values["datasets"], strict=True):
        dataset = entity.dataset
        description = {key: shown[key] for key in ("name", "digest", "sourceType", "schema", "profile") if shown[key]}
        description |= {"context": context_of(entity), "content": noted_contents.get((dataset.name, dataset.digest))}
        key = dataset.name, dataset.digest, context_of(entity)
        earlier, noted = known.get(key), read.get(key, (None, None))
        if earlier:
            # a file may be another one by now
            description = description | {name: earlier[name] for name in _READ if name in earlier}
        elif path := noted[0] or local_source(dataset):
            relation = _relation(context_of(entity))
            with as_logged(lab, path, noted[1]) as place:
                record = used_record(lab, Kind.DATASET, place, name=path.name)
            inputs[record.id, relation] = Used(record, relation, path)
            description |= {"record": record.id, "sha256": record.subject}
        descriptions.append(description)
    return list(inputs.values()), descriptions


def _relation(context: str | None) -> int:
    words = (context or "").lower()
    return int(next((relation for relation, begins in _RELATIONS.items() if words.startswith(begins)), Relation.USES))


def _document(run: Snapshot, captured: Captured | None, before: RunPredicate | None, **details: Any) -> RunDocument:
    info, tags = run.values["run"], run.values["tags"]
    parameters = _fitting({name: _parameter(text) for name, text in run.values["params"].items()})
    metrics = _fitting({name: _metric(name, value) for name, value in run.latest.items()})
    about: dict[str, Any] = {
        "context": {
            "runId": info["id"],
            "experiment": info["experiment"],
            "experimentId": info["experimentId"],
            "user": None if info["user"].startswith(HIDDEN) else info["user"],
            "parentRunId": tags.get("mlflow.parentRunId"),
            "children": captured.children if captured else None,
        },
        "source": {name.removeprefix("git."): _shown(tags.get(f"mlflow.source.{name}")) for name in _SOURCE_TAGS},
        **details,
        "tags": {name: _shown(value) for name, value in tags.items() if not name.startswith("mlflow.")},
        "metricsShown": len(metrics),
        "metricsLogged": len(run.latest),
    }
    if len(json.dumps(about)) > _SHOWN_BYTES // 2:
        # the attached snapshot has all of it
        about = {key: about[key] for key in ("context", "source", "metricsShown", "metricsLogged")}
    error = captured.error if captured else None
    if info["status"] == "FAILED" and before:
        error = error or before.error
    document = RunDocument.from_plain(
        {
            "schema": 1,
            "name": _line(info["name"] or info["id"]),
            "parameters": parameters,
            "metrics": metrics,
            "error": error or {"FAILED": "the run failed", "KILLED": "the run was killed"}.get(info["status"]),
            "experiment": Experiment(additional_info={"mlflow": _without_none(about)}).to_json(),
        }
    )
    # this document is not written to a file: the limit of a file's histories does not apply
    return document.model_copy(update={"histories": _histories(run)})


def _histories(run: Snapshot) -> dict[str, DocumentHistory]:
    """Return the metrics that took several values, for plots. All values are in `HISTORY` as well."""
    points: dict[str, dict[int, tuple[float, int]]] = {}
    for point in run.points:
        value = float(point.value)
        if not point.name.startswith("system/"):
            points.setdefault(point.name, {})[point.step] = value, point.time
    histories = {}
    for name, steps in [(name, steps) for name, steps in points.items() if len(steps) > 1][:MAX_HISTORIES]:
        values, times = zip(*steps.values(), strict=True)
        histories[name] = DocumentHistory.model_construct(steps=tuple(steps), values=values, times=times)
    return histories


def _line(text: str) -> str:
    return " ".join(mask(text).split())[:256].strip() or "run"


def _shown(value: str | None) -> str | None:
    return MASK if value and value.startswith(HIDDEN) else value


def _parameter(text: str) -> Any:
    if text.startswith(HIDDEN):
        return MASK
    value = parse_assignment(f"p={text}", "parameter")[1]
    if isinstance(value, str) or value is None:
        return text
    return value if math.isfinite(value) and abs(value) <= MAX_INTEGER else text


def _metric(name: str, value: float) -> Any:
    # what the machine did is reported; a reproduction does not compare it
    return {"value": value, "tolerance": None} if name.startswith("system/") else value


def _fitting(values: dict[str, Any]) -> dict[str, Any]:
    """Return as many values as a manifest has room for. The attached snapshot has all."""
    room, fitting = _SHOWN_BYTES // 2, {}
    for name, value in sorted(values.items()):
        room -= len(json.dumps([name, value])) + 100
        with suppress(ValueError):
            # a name that could look like another one is in the snapshot alone
            if room > 0 and name == plain_name(_line(name)):
                fitting[name] = value
    return fitting


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item not in (None, {}, [])}
    return [_without_none(item) for item in value] if isinstance(value, list) else value


def _code_by_tags(tags: Mapping[str, str]) -> Code:
    """Return the code as MLflow knows it, for a run of another process."""
    try:
        return Code(
            commit=tags.get("mlflow.source.git.commit"),
            branch=tags.get("mlflow.source.git.branch"),
            remote=public_remote(tags.get("mlflow.source.git.repoURL") or "") or None,
        )
    except InputError:
        return Code()
