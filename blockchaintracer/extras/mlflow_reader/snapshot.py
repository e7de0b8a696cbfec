"""A snapshot of what MLflow holds of a run, as values that can be recorded and compared. Nothing is written here.

Secrets, personal names and paths of this machine are replaced by a keyed digest. With the key the lab can still tell
that a value was changed; without it the value cannot be guessed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit
from uuid import UUID

import rfc8785

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.networks import redact_url
from blockchaintracer.core.plain_json import fields_json, parse_json
from blockchaintracer.extras.mlflow_reader.answers import DAY_S, bounded_answers
from blockchaintracer.extras.mlflow_reader.artifact_files import (
    SERVER_DESTINATION,
    artifacts_destination,
    fetch_files,
    local_path,
    require_places,
    require_tables,
)
from blockchaintracer.lab.capture.secret_masking import mask_value
from blockchaintracer.lab.formats import MLFLOW_RUN
from blockchaintracer.lab.optional import require

PREFIX = "anchor+"
"""Prefix of a tracking URI whose runs are recorded."""
OWN_TAGS = "blockchaintracer."
"""Prefix of the tags that name a run's record. They are not part of the record."""
HIDDEN = "hmac-sha256:"

_PERSONAL = frozenset({"mlflow.user", "user", "host"})
_WRITTEN_LATER = frozenset(
    {
        "mlflow.modelVersions",
        "mlflow.trace.spansLocation",
        "mlflow.trace.archiveLocation",
        "mlflow.trace.archivalFailure",
    }
)
"""Tags that MLflow itself writes after a run: a model is registered, old traces are archived."""
_PLACE = re.compile(r"file:|/|~|[A-Za-z]:[\\/]|\\\\")
_SPANS_IN = "mlflow.trace.spansLocation"
_TRACES = 200
_WORKERS = 8


def bare(uri: str) -> str:
    """Remove `PREFIX` from a tracking or registry URI."""
    return uri.removeprefix(PREFIX)


def client_of(tracking_uri: str | None) -> Any:
    """Open an MLflow client for a tracking URI; None for the one in use."""
    mlflow = require("mlflow", "mlflow")
    require_tables(uri := bare(tracking_uri or mlflow.get_tracking_uri()))
    return mlflow.MlflowClient(tracking_uri=uri, registry_uri=None if tracking_uri is None else uri)


def run_uuid(run_id: str) -> str:
    """Derive the id of a run in its record: MLflow's id as a UUID, or a digest of it if it is not a random UUID."""
    with suppress(ValueError):
        uuid = UUID(run_id)
        if uuid.version == 4 and uuid.hex == run_id.replace("-", "").lower():
            return str(uuid)
    return str(UUID(bytes=hashlib.sha256(run_id.encode()).digest()[:16], version=4))


def pages(search: Callable[..., Any], *arguments: Any, **named: Any) -> Iterator[Any]:
    """Iterate over all results of one of the client's searches."""
    page = search(*arguments, page_token=None, **named)
    yield from page
    while page.token:
        page = search(*arguments, page_token=page.token, **named)
        yield from page


class Hide:
    """Replaces values that others must not read by a keyed digest. Without the key hidden values can't be compared."""

    def __init__(self, key: bytes | None, *, personal: bool = False) -> None:
        self._key = key
        self._personal = personal

    def text(self, name: str, value: str) -> str:
        """Return a value as it may be read: itself, or its keyed digest."""
        hidden = (name in _PERSONAL and not self._personal) or _PLACE.match(value) or mask_value(name, value) != value
        if not hidden:
            return value
        if self._key is None:
            return HIDDEN + "?"
        return HIDDEN + hmac.new(self._key, json.dumps([name, value]).encode(), hashlib.sha256).hexdigest()

    def texts(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return values by name, each as `text`."""
        return {name: self.text(name, str(value)) for name, value in sorted(values.items())}

    def json(self, name: str, text: str | None) -> Any:
        """Parse JSON of MLflow, with each text in it as `text`."""
        if not text:
            return None
        try:
            return self.value(name, parse_json(text.encode(), name))
        except (InputError, UnicodeEncodeError):
            return self.text(name, text)

    def value(self, name: str, value: Any) -> Any:
        """Return a value of JSON with each text in it as `text`, by the name of its own."""
        if isinstance(value, dict):
            return {key: self.value(key, item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(name, item) for item in value]
        if isinstance(value, str):
            return self.text(name, value)
        return exact(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def exact(value: float) -> float | int | str:
    """Return a number as canonical JSON holds it: as text if it is not finite, or too large to be kept exactly."""
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    return value if math.isfinite(value) else str(value)


class Point(NamedTuple):
    """One value of a metric; `time` in milliseconds since 1970."""

    name: str
    step: int
    time: int
    value: str

    @staticmethod
    def of(metric: Any, name: str | None = None) -> Point:
        """Return the point of MLflow's metric."""
        return Point(name or metric.key, metric.step, metric.timestamp, repr(float(metric.value)))

    def shown(self) -> dict[str, Any]:
        """Return all but the name as canonical JSON holds it."""
        return {"value": self.value, "step": exact(self.step), "time": exact(self.time)}


@dataclass(frozen=True)
class Snapshot:
    """A run as MLflow holds it now. `values` has everything but metrics' histories, traces and files, hidden where it
    must be; `traces` has each by its id."""

    values: dict[str, Any]
    points: list[Point]
    latest: dict[str, float]
    datasets: list[Any]
    models: list[Any]
    tracking_uri: str
    artifact_uri: str
    traces: dict[str, Any] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Encode `values` as canonical JSON."""
        return rfc8785.dumps(self.values)

    def history(self) -> bytes:
        """Encode every value of every metric as a line of JSON: name, step, time in milliseconds, value."""
        return b"".join(
            rfc8785.dumps([point.name, exact(point.step), exact(point.time), point.value]) + b"\n"
            for point in self.points
        )


def settle(store: Any, run_id: str) -> None:
    """Wait for what is logged in the background: system metrics, and asynchronous logging."""
    from mlflow.tracking import fluent
    from mlflow.tracking._tracking_service import utils

    if monitor := fluent.run_id_to_system_metrics_monitor.get(run_id):
        monitor.finish()
    store.flush_async_logging()
    # a program that traces nothing need not wait for the threads that write traces
    if (tracing := sys.modules.get("mlflow.tracing.provider")) and tracing.provider.once._done:
        fluent.flush_trace_async_logging()
    if repository := utils._get_artifact_repo(run_id):
        repository.flush_async_logging()


@bounded_answers()
def get_run(client: Any, run_id: str) -> Any:
    """Ask MLflow for a run."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id)
    except MlflowException as error:
        raise InputError(
            f"MLflow has no run {run_id[:80]!r} at {redact_url(client.tracking_uri)}: {error.message[:200]}",
            hint=f"{_newest_runs(client, error)}Name the tracking server with --tracking-uri or $MLFLOW_TRACKING_URI.",
        ) from None


def _newest_runs(client: Any, error: Any) -> str:
    """Name the newest runs of a store that has no run of some id; nothing if it could not be asked or has none."""
    from mlflow.exceptions import MlflowException

    if error.error_code != "RESOURCE_DOES_NOT_EXIST":
        return ""
    try:
        experiments = [it.experiment_id for it in client.search_experiments()]
        runs = client.search_runs(experiments, order_by=["attributes.start_time DESC"], max_results=3)
    except MlflowException:
        return ""
    named = ", ".join(f"{it.info.run_id} ({it.info.run_name})" for it in runs)
    return f"Its newest runs: {named[:400]}. " if named else ""


@bounded_answers()
def take_snapshot(client: Any, run_id: str, hide: Hide, places: Sequence[Path | str] | None = None) -> Snapshot:
    """Read all that MLflow's API and pages show of a run.

    Args:
        places: where the run may name files; None for anywhere.

    Raises:
        InputError: if MLflow has no such run or cannot show all of it, or the run names files elsewhere.
    """
    from mlflow.exceptions import MlflowException

    run = get_run(client, run_id)
    try:
        snapshot = _read_run(client, run, hide)
        if places is not None:
            require_places_of(snapshot, places)
        return replace(snapshot, traces=_traces(client, run.info, hide, places))
    except MlflowException as error:
        raise InputError(f"MLflow cannot show all of the run {run_id[:80]}: {error.message[:200]}") from None


def _read_run(client: Any, run: Any, hide: Hide) -> Snapshot:
    info, run_id = run.info, run.info.run_id
    experiment = client.get_experiment(info.experiment_id)
    datasets = list(run.inputs.dataset_inputs) if run.inputs else []
    # a store may give them in any order
    datasets.sort(key=lambda entity: (entity.dataset.name, entity.dataset.digest, context_of(entity) or ""))
    of_run = {"experiment_ids": [info.experiment_id], "filter_string": f"source_run_id = '{info.run_id}'"}
    logged = pages(client.search_logged_models, **of_run)
    models = sorted({model.model_id: model for model in logged}.values(), key=lambda model: model.model_id)
    inputs = sorted(model.model_id for model in (run.inputs.model_inputs if run.inputs else None) or [])
    # a run may measure models of other runs
    others = [model_id for model_id in inputs if all(model_id != model.model_id for model in models)]
    values = {
        "type": str(MLFLOW_RUN),
        "run": {
            "id": run_id,
            "name": info.run_name,
            "experiment": experiment.name if experiment else None,
            **fields_json(info, "experiment_id", "status", "start_time", "end_time", "lifecycle_stage"),
            "user": hide.text("user", info.user_id or ""),
            "artifactUri": hide.text("artifactUri", info.artifact_uri or ""),
        },
        # MLflow keeps the last value of a metric twice, and shows this one
        "latest": {point.name: point.shown() for point in map(Point.of, run.data.to_proto().metrics)},
        "params": hide.texts(run.data.params),
        "tags": hide.texts(_foreign(run.data.tags)),
        "datasets": [_dataset(entity, hide) for entity in datasets],
        "inputModels": inputs,
        "outputModels": {model.model_id: model.step for model in (run.outputs.model_outputs if run.outputs else [])},
        "models": [_model(model, hide) for model in models],
        "modelMetrics": _model_metrics([*models, *_present(client, others)], run_id),
    }
    return Snapshot(
        values=values,
        points=_points(client, run_id, sorted(run.data.metrics)),
        latest=dict(run.data.metrics),
        datasets=datasets,
        models=models,
        tracking_uri=bare(client.tracking_uri),
        artifact_uri=info.artifact_uri,
    )


def context_of(entity: Any) -> str | None:
    """Return what a dataset was read for, as MLflow's tag says."""
    return next((tag.value for tag in entity.tags if tag.key == "mlflow.data.context"), None)


def _points(client: Any, run_id: str, names: list[str]) -> list[Point]:
    sql, store = sys.modules.get("mlflow.store.tracking.sqlalchemy_store"), client._tracking_client.store
    if sql and isinstance(store, sql.SqlAlchemyStore):
        # a hundred times cheaper than a question for each metric
        shown = set(names)
        with store.ManagedSessionMaker() as session:
            rows = [row.to_mlflow_entity() for row in session.query(sql.SqlMetric).filter_by(run_uuid=run_id)]
        return sorted(Point.of(row) for row in rows if row.key in shown)

    def read(name: str) -> list[Point]:
        return [Point.of(point, name) for point in client.get_metric_history(run_id, name)]

    # each metric is a request of its own
    with ThreadPoolExecutor(_WORKERS) as pool:
        return sorted(point for points in pool.map(read, names) for point in points)


def _dataset(entity: Any, hide: Hide) -> dict[str, Any]:
    dataset = entity.dataset
    return {
        "name": dataset.name,
        "digest": dataset.digest,
        "sourceType": dataset.source_type,
        "source": hide.json("source", dataset.source),
        "schema": hide.json("schema", dataset.schema),
        "profile": hide.json("profile", dataset.profile),
        "tags": hide.texts({tag.key: tag.value for tag in entity.tags}),
    }


def _model(model: Any, hide: Hide) -> dict[str, Any]:
    return {
        "id": model.model_id,
        "name": model.name,
        "type": model.model_type,
        "status": str(model.status),
        "statusMessage": hide.text("statusMessage", model.status_message or ""),
        "created": model.creation_timestamp,
        "updated": model.last_updated_timestamp,
        "artifactLocation": hide.text("artifactLocation", model.artifact_location or ""),
        "params": hide.texts(model.params or {}),
        "tags": hide.texts(_foreign(model.tags or {})),
    }


def _present(client: Any, model_ids: Sequence[str]) -> Iterator[Any]:
    from mlflow.exceptions import MlflowException

    for model_id in model_ids:
        try:
            yield client.get_logged_model(model_id)
        except MlflowException as error:
            # another run's model, which may be deleted
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise


def _model_metrics(models: Sequence[Any], run_id: str) -> list[dict[str, Any]]:
    """List what the run measured of models. What other runs measured is theirs."""
    metrics = [
        {"model": model.model_id, "name": metric.key, **Point.of(metric).shown()}
        | {"dataset": metric.dataset_name, "digest": metric.dataset_digest}
        for model in models
        for metric in model.metrics or []
        if metric.run_id == run_id
    ]
    return sorted(metrics, key=rfc8785.dumps)


def _traces(client: Any, info: Any, hide: Hide, places: Sequence[Path | str] | None) -> dict[str, Any]:
    """Read the traces of a run with their spans and assessments, by id."""
    of_run: dict[str, Any] = {"locations": [info.experiment_id], "run_id": info.run_id, "max_results": _TRACES}
    traces = {
        trace.info.trace_id: trace.info.to_dict()
        for trace in pages(client.search_traces, **of_run, include_spans=False)
    }
    if not traces:
        return {}
    if places is not None:
        # only traces that are files name a place
        kept = [trace["tags"] for trace in traces.values() if trace["tags"].get(_SPANS_IN) != "TRACKING_STORE"]
        locations = [tags["mlflow.artifactLocation"] for tags in kept if tags.get("mlflow.artifactLocation")]
        named = [_place(uri, bare(client.tracking_uri)) for uri in locations]
        require_places([local_path(uri) or uri for uri in named], places)
    # MLflow leaves out a trace whose spans are not whole
    whole = {trace.info.trace_id: trace.data.to_dict() for trace in pages(client.search_traces, **of_run)}
    return {
        name: {
            **{key: hide.value(key, value) for key, value in trace.items() if key not in ("tags", "assessments")},
            "tags": hide.texts(_foreign(trace.get("tags") or {})),
            "assessments": {
                one["assessment_id"]: hide.value("assessment", one) for one in trace.get("assessments", [])
            },
            "spans": {span["span_id"]: hide.value("span", span) for span in whole.get(name, {}).get("spans", [])},
        }
        for name, trace in traces.items()
    }


def _foreign(tags: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in tags.items() if not name.startswith(OWN_TAGS) and name not in _WRITTEN_LATER}


def _place(artifact_uri: str, tracking_uri: str) -> str:
    """Resolve ``mlflow-artifacts:`` where no server is asked: it means the server's own artifacts' destination."""
    from mlflow.utils.uri import append_to_uri_path, validate_path_is_safe

    uri = urlsplit(artifact_uri)
    # another server's artifacts are elsewhere
    asked = SERVER_DESTINATION not in os.environ and (tracking_uri.startswith("http") or uri.netloc)
    if asked or uri.scheme != "mlflow-artifacts":
        return artifact_uri
    destination = artifacts_destination(tracking_uri)
    # the server's clients name the path: it must not lead outside
    return str(append_to_uri_path(destination, validate_path_is_safe(urlsplit(artifact_uri).path.lstrip("/"))))


@contextmanager
def files_at(artifact_uri: str, tracking_uri: str) -> Iterator[Path | None]:
    """Open the folder of an artifact location: itself if it is on this machine, else a temporary copy.

    Gives None if the location is empty.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    repository = get_artifact_repository(_place(artifact_uri, bare(tracking_uri)), tracking_uri=bare(tracking_uri))
    if isinstance(repository, LocalArtifactRepository):
        folder = Path(repository.artifact_dir)
        yield folder if any(names for _, _, names in os.walk(folder)) else None
        return
    with bounded_answers():
        listed = repository.list_artifacts()
    if not listed:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        with bounded_answers(DAY_S):
            fetch_files(repository, Path(scratch))
        yield Path(scratch)


def local_source(dataset: Any) -> Path | None:
    """Return the file or folder on this machine that a dataset was read from, or None."""
    uri = None
    with suppress(InputError, UnicodeEncodeError):
        source = parse_json((dataset.source or "").encode(), "source")
        uri = source.get("uri") or source.get("path") if isinstance(source, dict) else None
    # no place has a name of a stranger's that is too long, or in the folder of no user
    with suppress(OSError, RuntimeError, ValueError):
        if isinstance(uri, str) and uri.startswith("file:"):
            uri = unquote(urlsplit(uri).path)
        elif not isinstance(uri, str) or not uri or "://" in uri:
            return None
        path = Path(uri).expanduser()
        return path.resolve() if path.exists() else None
    return None


def require_places_of(run: Snapshot, places: Sequence[Path | str]) -> None:
    """Refuse a run whose artifacts, models or datasets lie outside the places that are allowed."""
    datasets = (local_source(entity.dataset) for entity in run.datasets)
    locations = (run.artifact_uri, *(model.artifact_location for model in run.models))
    named = [_place(uri, run.tracking_uri) for uri in locations]
    require_places([*(local_path(uri) or uri for uri in named), *filter(None, datasets)], places)
