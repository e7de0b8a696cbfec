"""Many MLflow runs at once: those that ended before anybody recorded them, and a run rebuilt from its record."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blockchaintracer.core.digest import LISTING_LIMIT
from blockchaintracer.core.errors import BlockchainTracerError, InputError, NotVerified
from blockchaintracer.core.manifest import LISTING, MAX_BYTES, RunPredicate, is_listing, parse_manifest
from blockchaintracer.core.record import Kind, label, normal_digest
from blockchaintracer.extras.mlflow.recorder import (
    _ENDED,
    HISTORY,
    SNAPSHOT,
    output,
    own_records,
    record_run,
    remember,
    tell,
)
from blockchaintracer.extras.mlflow.snapshot import (
    HIDDEN,
    OWN_TAGS,
    client_of,
    run_uuid,
    without_bars,
)
from blockchaintracer.lab.batches import batching
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.kept_proofs import find_proof
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.optional import require

_PAGE = 200
_CHUNK = 900
_HISTORY_LIMIT = 1 << 30


@dataclass(frozen=True)
class Imported:
    """What became of one run.

    Args:
        recorded: its record; None if there is none.
        problem: why there is none.
    """

    run_id: str
    name: str | None
    recorded: Recorded | None
    problem: str | None = None


def list_runs(client: Any, experiments: Sequence[str] = ()) -> list[Any]:
    """All runs that ended, oldest first: of some experiments by name, or of all.

    Raises:
        InputError: if there is no such experiment.
    """
    if experiments:
        found = [(name, client.get_experiment_by_name(name)) for name in experiments]
        if missing := [name for name, experiment in found if experiment is None]:
            raise InputError(f"MLflow has no experiment {missing[0]!r}")
        ids = [experiment.experiment_id for _, experiment in found]
    else:
        ids = [experiment.experiment_id for experiment in _pages(client.search_experiments)]
    runs = [run for run in _pages(client.search_runs, ids) if run.info.status in _ENDED]
    return sorted(runs, key=lambda run: (run.info.end_time or 0, run.info.run_id))


def _pages(search: Callable[..., Any], *arguments: Any) -> Iterator[Any]:
    token = None
    while True:
        page = search(*arguments, max_results=_PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def import_runs(
    lab: Lab,
    tracking_uri: str | None = None,
    run_ids: Sequence[str] = (),
    *,
    experiments: Sequence[str] = (),
    batch: bool = True,
    personal: bool = False,
    each: Callable[[int, int], None] = lambda done, total: None,
) -> list[Imported]:
    """Records runs that ended, with what MLflow knows of them; nothing of this machine is recorded with them.

    A run that is recorded already and unchanged costs nothing. One that can't be recorded doesn't stop the others.

    Args:
        tracking_uri: where the runs are; the one in use if not said.
        run_ids: of the runs; all that ended if none is named.
        experiments: names of experiments: only their runs.
        batch: add them to the open batch, for `batches.anchor` to anchor with one transaction, instead of sending each.
        personal: whether to record who ran them.
        each: is told after each run how many of how many are done.

    Raises:
        InputError: if MLflow isn't installed, or has no such experiment.
    """
    client = client_of(tracking_uri)
    from mlflow.exceptions import MlflowException

    runs = dict.fromkeys(run_ids) or {run.info.run_id: run for run in list_runs(client, experiments)}
    found = []
    for done, (run_id, run) in enumerate(runs.items(), 1):
        name = None
        try:
            name = (run or client.get_run(run_id)).info.run_name
            if batch and not own_records(lab, run_uuid(run_id)):
                with batching(lab):
                    recorded = record_run(lab, client, run_id, personal=personal)
            else:
                recorded = record_run(lab, client, run_id, personal=personal)
            tell(client, run_id, recorded)
            if recorded.state not in ("open", "final"):
                remember(lab, client.tracking_uri, run_id, recorded)
        except (BlockchainTracerError, MlflowException) as error:
            found.append(Imported(run_id, name, None, error.message[:500]))
        else:
            found.append(Imported(run_id, name, recorded))
        each(done, len(runs))
    return found


def tell_anchored(lab: Lab, imported: Sequence[Imported], tracking_uri: str | None, anchored: Any) -> None:
    """Tags runs whose records a batch holds with where that is."""
    client = client_of(tracking_uri)
    for one in imported:
        if one.recorded and one.recorded.state == "open":
            values = {
                "status": f"batched {anchored.state}",
                "transaction": f"0x{anchored.transaction}" if anchored.transaction else "",
                "block": str(anchored.block or ""),
                "batch": anchored.root,
            }
            for name, value in values.items():
                client.set_tag(one.run_id, OWN_TAGS + name, value)


def export_run(lab: Lab, record_id: str, tracking_uri: str | None = None, experiment: str | None = None) -> str:
    """Rebuilds an MLflow run from its record: parameters, every value of every metric, tags, datasets read,
    artifacts, models' files.

    Values that were hidden stay so and are left out. The new run has an id of its own, and a tag that names the record.

    Args:
        record_id: 64 hex digits.
        tracking_uri: where the run is made; the one in use if not said.
        experiment: its name; the recorded one if not said.

    Returns:
        the new run's id.

    Raises:
        InputError: if there is no such record, or it isn't one of an MLflow run.
        StoreError: if something of it isn't in the lab's store.
        NotVerified: if what is here isn't what was recorded.
    """
    require("mlflow", "mlflow")
    from mlflow.entities import DatasetInput, InputTag, Metric, Param, RunTag

    record_id = normal_digest(record_id, "record id")
    run = _recorded_run(lab, record_id)
    snapshot, history = output(run, SNAPSHOT), output(run, HISTORY)
    if snapshot is None or history is None:
        raise InputError(f"expected the record of an MLflow run, got {record_id}, which is of another run")
    values = json.loads(lab.store.get_bytes(snapshot, LISTING_LIMIT))
    points = [json.loads(line) for line in lab.store.get_bytes(history, _HISTORY_LIMIT).splitlines()]
    client = client_of(tracking_uri)
    name = experiment or values["run"]["experiment"] or "exported"
    known = client.get_experiment_by_name(name)
    experiment_id = known.experiment_id if known else client.create_experiment(name)
    tags = _readable(values["tags"])
    tags |= {OWN_TAGS + "rebuilt_from": record_id}
    made = client.create_run(experiment_id, start_time=values["run"]["startTime"], run_name=values["run"]["name"])
    run_id = str(made.info.run_id)
    params = [Param(key, value) for key, value in _readable(values["params"]).items()]
    metrics = [Metric(key, float(value), int(time), int(step)) for key, step, time, value in points]
    for start in range(0, max(len(metrics), len(params), len(tags), 1), _CHUNK):
        client.log_batch(run_id, metrics=metrics[start : start + _CHUNK], synchronous=True)
    for start in range(0, len(params), 90):
        client.log_batch(run_id, params=params[start : start + 90], synchronous=True)
    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()], synchronous=True)
    inputs = [
        DatasetInput(_dataset(said), [InputTag(key, value) for key, value in _readable(said["tags"]).items()])
        for said in values["datasets"]
    ]
    if inputs:
        client.log_inputs(run_id, datasets=inputs)
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch, without_bars():
        for number, artifact in enumerate(one.artifact for one in run.outputs):
            if is_listing(artifact.path):
                folder = lab.store.restore_folder(artifact.sha256, Path(scratch, str(number)))
                place = artifact.path.removesuffix(f"/{LISTING}").removeprefix("artifacts").strip("/")
                client.log_artifacts(run_id, str(folder), place or None)
    client.set_terminated(run_id, values["run"]["status"], values["run"]["endTime"])
    return run_id


def _dataset(said: Mapping[str, Any]) -> Any:
    """MLflow's entity of a recorded dataset."""
    from mlflow.entities import Dataset

    texts = {name: _json(said[name]) for name in ("source", "schema", "profile")}
    # a source is never nothing in MLflow
    source = texts.pop("source") or "{}"
    return Dataset(name=said["name"], digest=said["digest"], source_type=said["sourceType"], source=source, **texts)


def _json(value: Any) -> str | None:
    """JSON as MLflow keeps it, of a value that was read from it, without what was hidden in it."""
    value = _readable(value)
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _readable(value: Any) -> Any:
    """A recorded value without what was hidden in it; None if that is all of it."""
    if isinstance(value, dict):
        return {key: shown for key, item in value.items() if (shown := _readable(item)) is not None}
    if isinstance(value, list):
        return [shown for item in value if (shown := _readable(item)) is not None]
    return None if isinstance(value, str) and value.startswith(HIDDEN) else value


def _recorded_run(lab: Lab, record_id: str) -> RunPredicate:
    found = lab.registry.find_record(record_id)
    proof = None if found else find_proof(lab, record_id)
    key = found.key if found else proof.key if proof else None
    if key is None:
        raise InputError(f"no record {record_id} is on the chain, and no proof of it here")
    if key.kind != Kind.RUN:
        raise InputError(f"expected the record of a run, got {record_id}, which is a {label(key.kind, Kind)}")
    manifest = parse_manifest(lab.store.get_bytes(key.manifest, MAX_BYTES))
    if manifest.subject_digest != key.subject or not isinstance(manifest.predicate, RunPredicate):
        raise NotVerified(f"the manifest of {record_id} is not what the record says")
    return manifest.predicate
