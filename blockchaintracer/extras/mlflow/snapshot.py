"""What MLflow holds of a run, as values that can be recorded and compared: nothing of it is written here.

What is secret, personal, or a place on one machine is replaced by a keyed digest: who has the key can still tell that
it was changed, and nobody else can guess it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import os
import re
import tempfile
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import rfc8785

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.capture.secret_masking import mask, mask_arguments
from blockchaintracer.lab.optional import require

TYPE = "urn:blockchaintracer:mlflow-run:v1"
PREFIX = "anchor+"
"""Before a tracking URI: runs there are recorded."""
OWN_TAGS = "blockchaintracer."
"""Begin of the tags that tell a run's record: no part of what is recorded."""
HIDDEN = "hmac-sha256:"

_PERSONAL = frozenset({"mlflow.user", "user", "host"})
_PLACE = re.compile(r"file:|/|~|[A-Za-z]:[\\/]|\\\\")
_SERVER_DESTINATION = "_MLFLOW_SERVER_ARTIFACT_DESTINATION"
_WORKERS = 8
_MANY = 16


def bare(uri: str) -> str:
    """A tracking or registry URI without the prefix that has its runs recorded."""
    return uri.removeprefix(PREFIX)


def client_of(tracking_uri: str | None) -> Any:
    """An MLflow client of a tracking URI, of the one in use if none is named.

    Raises:
        InputError: if MLflow isn't installed.
    """
    mlflow = require("mlflow", "mlflow")
    uri = bare(tracking_uri or mlflow.get_tracking_uri())
    return mlflow.MlflowClient(tracking_uri=uri, registry_uri=None if tracking_uri is None else uri)


def run_uuid(run_id: str) -> str:
    """The id that a run has in its record: MLflow's own as a UUID; of one that is no random UUID, a digest of it."""
    try:
        found = UUID(run_id)
        if found.version == 4 and found.hex == run_id.replace("-", "").lower():
            return str(found)
    except ValueError:
        pass
    return str(UUID(bytes=hashlib.sha256(run_id.encode()).digest()[:16], version=4))


class Hide:
    """Replaces what others must not read.

    Args:
        key: 32 random bytes that stay with the lab; None if they are lost: then nothing hidden can be compared.
        personal: whether names of people and machines may be read.
    """

    def __init__(self, key: bytes | None, *, personal: bool = False) -> None:
        self._key = key
        self._personal = personal

    def text(self, name: str, value: str) -> str:
        """A value as it may be read: itself, or a keyed digest."""
        hidden = (
            (name in _PERSONAL and not self._personal)
            or _PLACE.match(value)
            or mask(value) != value
            or mask_arguments([f"{name}={value}"]) != [f"{name}={value}"]
        )
        if not hidden:
            return value
        if self._key is None:
            return HIDDEN + "?"
        return HIDDEN + hmac.new(self._key, json.dumps([name, value]).encode(), hashlib.sha256).hexdigest()

    def all(self, values: Mapping[str, str]) -> dict[str, str]:
        """Values by name, each as `text`."""
        return {name: self.text(name, str(value)) for name, value in sorted(values.items())}

    def json(self, name: str, text: str | None) -> Any:
        """JSON as MLflow keeps it, read, with every text in it as `text`."""
        if not text:
            return None
        try:
            return self._inside(name, json.loads(text))
        except ValueError:
            return self.text(name, text)

    def _inside(self, name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._inside(key, item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._inside(name, item) for item in value]
        if isinstance(value, str):
            return self.text(name, value)
        # what JSON readers would round, or refuse
        return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def number(value: float) -> float | int | str:
    """A number as canonical JSON can hold it: one that is not finite, or too large to be kept exactly, as text."""
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    return value if math.isfinite(value) else str(value)


@dataclass(frozen=True, order=True)
class Point:
    """One value of a metric; `time` in milliseconds since 1970."""

    name: str
    step: int
    time: int
    value: str

    def line(self) -> bytes:
        """The point as a line of JSON."""
        return rfc8785.dumps([self.name, number(self.step), number(self.time), self.value]) + b"\n"


@dataclass
class Snapshot:
    """A run as MLflow holds it now.

    Args:
        values: everything but metrics and files, hidden where it must be.
        points: every value of every metric, sorted.
        latest: the value of each metric that MLflow shows.
        parameters, tags: as MLflow has them, not to be shown.
        datasets: MLflow's own entities of its inputs, in the order of ``values["datasets"]``.
        models: MLflow's own entities of the models that it logged, in the order of ``values["models"]``.
        tracking_uri: without the prefix.
    """

    values: dict[str, Any]
    points: list[Point]
    latest: dict[str, float]
    parameters: dict[str, str]
    tags: dict[str, str]
    datasets: list[Any]
    models: list[Any]
    tracking_uri: str
    artifact_uri: str
    status: str
    started_ms: int | None
    ended_ms: int | None
    run_id: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The values as canonical JSON."""
        return rfc8785.dumps(self.values)

    def history(self) -> bytes:
        """Every value of every metric, a line of JSON each: name, step, time in milliseconds, value."""
        return b"".join(point.line() for point in self.points)


def take(client: Any, run_id: str, hide: Hide) -> Snapshot:
    """Reads a run.

    Args:
        client: MLflow's client of where the run is.
        hide: what is done with what others must not read.

    Raises:
        InputError: if MLflow has no such run.
    """
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        raise InputError(
            f"MLflow has no run {run_id}: {error.message[:200]}",
            hint="Name the tracking server with --tracking-uri or $MLFLOW_TRACKING_URI.",
        ) from None
    experiment = client.get_experiment(run.info.experiment_id)
    tags = {name: value for name, value in run.data.tags.items() if not name.startswith(OWN_TAGS)}
    datasets = list(run.inputs.dataset_inputs) if run.inputs else []
    # in an order of our own: a store may give them in any
    datasets.sort(key=lambda given: (given.dataset.name, given.dataset.digest, context_of(given) or ""))
    models = sorted(_models(client, run), key=lambda model: model.model_id)
    info = run.info
    values = {
        "type": TYPE,
        "run": {
            "id": run_id,
            "name": info.run_name,
            "experimentId": info.experiment_id,
            "experiment": experiment.name if experiment else None,
            "status": info.status,
            "startTime": info.start_time,
            "endTime": info.end_time,
            "lifecycleStage": info.lifecycle_stage,
            "user": hide.text("user", info.user_id or ""),
        },
        "params": hide.all(run.data.params),
        "tags": hide.all(tags),
        "datasets": [_dataset(given, hide) for given in datasets],
        "inputModels": sorted(model.model_id for model in (run.inputs.model_inputs if run.inputs else None) or []),
        "outputModels": sorted(model.model_id for model in (run.outputs.model_outputs if run.outputs else None) or []),
        "models": [_model(model, hide) for model in models],
    }
    return Snapshot(
        values=values,
        points=_points(client, run_id, sorted(run.data.metrics)),
        latest=dict(run.data.metrics),
        parameters=dict(run.data.params),
        tags=tags,
        datasets=datasets,
        models=models,
        tracking_uri=bare(client.tracking_uri),
        artifact_uri=info.artifact_uri,
        status=info.status,
        started_ms=info.start_time,
        ended_ms=info.end_time,
        run_id=run_id,
    )


def context_of(given: Any) -> str | None:
    """What a dataset was read for, as MLflow's tag says."""
    return next((tag.value for tag in given.tags if tag.key == "mlflow.data.context"), None)


def _points(client: Any, run_id: str, names: list[str]) -> list[Point]:
    def read(name: str) -> list[Point]:
        return [
            Point(name, point.step, point.timestamp, repr(float(point.value)))
            for point in client.get_metric_history(run_id, name)
        ]

    if len(names) < _MANY or not client.tracking_uri.startswith("http"):
        return sorted(point for name in names for point in read(name))
    # one request each: many of them take their time on the way
    with ThreadPoolExecutor(_WORKERS) as pool:
        return sorted(point for points in pool.map(read, names) for point in points)


def _dataset(given: Any, hide: Hide) -> dict[str, Any]:
    dataset = given.dataset
    return {
        "name": dataset.name,
        "digest": dataset.digest,
        "sourceType": dataset.source_type,
        "source": hide.json("source", dataset.source),
        "schema": hide.json("schema", dataset.schema),
        "profile": hide.json("profile", dataset.profile),
        "tags": hide.all({tag.key: tag.value for tag in given.tags}),
    }


def _models(client: Any, run: Any) -> list[Any]:
    found: dict[str, Any] = {}
    token = None
    while True:
        page = client.search_logged_models(
            experiment_ids=[run.info.experiment_id],
            filter_string=f"source_run_id = '{run.info.run_id}'",
            page_token=token,
        )
        found |= {model.model_id: model for model in page}
        token = page.token
        if not token:
            return list(found.values())


def _model(model: Any, hide: Hide) -> dict[str, Any]:
    tags = {name: value for name, value in (model.tags or {}).items() if not name.startswith(OWN_TAGS)}
    return {
        "id": model.model_id,
        "name": model.name,
        "type": model.model_type,
        "status": str(model.status),
        "params": hide.all(model.params or {}),
        "tags": hide.all(tags),
    }


_BARS = "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"
_bars_lock = threading.Lock()
_bars: list[str | None] = []


@contextmanager
def without_bars() -> Iterator[None]:
    """Inside, MLflow draws no progress bars of its own on stderr, in whatever thread."""
    with _bars_lock:
        _bars.append(os.environ.get(_BARS) if not _bars else _bars[0])
        os.environ[_BARS] = "false"
    try:
        yield
    finally:
        with _bars_lock:
            before = _bars.pop()
            if not _bars:
                os.environ.pop(_BARS)
                if before is not None:
                    os.environ[_BARS] = before


def _place(artifact_uri: str) -> str:
    """Where artifacts are. To an MLflow server ``mlflow-artifacts:`` is itself: there they are in what it was started
    with as the artifacts' destination."""
    from mlflow.utils.uri import append_to_uri_path, validate_path_is_safe

    destination = os.environ.get(_SERVER_DESTINATION)
    if not destination or urlsplit(artifact_uri).scheme != "mlflow-artifacts":
        return artifact_uri
    # its clients name the place: none outside
    return str(append_to_uri_path(destination, validate_path_is_safe(urlsplit(artifact_uri).path.lstrip("/"))))


@contextmanager
def files_at(artifact_uri: str, tracking_uri: str) -> Iterator[Path | None]:
    """The folder of an artifact location: where it is, if it's on this machine, else a copy for the time being.

    Gives None where there is nothing.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    repository = get_artifact_repository(_place(artifact_uri), tracking_uri=bare(tracking_uri))
    if isinstance(repository, LocalArtifactRepository):
        folder = Path(repository.artifact_dir)
        yield folder if any(True for _ in _files(folder)) else None
        return
    if not repository.list_artifacts():
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        with without_bars():
            copy = Path(repository.download_artifacts("", dst_path=scratch))
        yield copy


def _files(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        for name in names:
            yield Path(root, name)


def local_source(dataset: Any) -> Path | None:
    """The file or folder of this machine that a dataset was read from; None if it's elsewhere or in code."""
    try:
        said = json.loads(dataset.source)
        uri = said.get("uri") or said.get("path") if isinstance(said, dict) else None
    except ValueError:
        uri = None
    if not isinstance(uri, str) or not uri:
        return None
    if uri.startswith("file:"):
        uri = unquote(urlsplit(uri).path)
    elif "://" in uri:
        return None
    path = Path(uri).expanduser()
    return path.resolve() if path.exists() else None
