"""Import of MLflow runs that ended earlier, and export: a run rebuilt from its record."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blockchaintracer.core.digest import LISTING_LIMIT
from blockchaintracer.core.errors import BlockchainTracerError, InputError
from blockchaintracer.core.manifest import LISTING, RunPredicate, is_listing
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.core.record import Kind
from blockchaintracer.extras.mlflow.recorder import (
    ENDED,
    output,
    own_records,
    position,
    record_run,
    remember,
    set_tags,
    tag_record,
)
from blockchaintracer.extras.mlflow.run_checks import HISTORY_LIMIT
from blockchaintracer.extras.mlflow.run_facts import HISTORY, SNAPSHOT
from blockchaintracer.extras.mlflow_reader.answers import DAY_S, bounded_answers
from blockchaintracer.extras.mlflow_reader.artifact_files import places_of, well_formed
from blockchaintracer.extras.mlflow_reader.snapshot import HIDDEN, OWN_TAGS, bare, client_of, pages, run_uuid
from blockchaintracer.lab.batches import batching
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.formats import MLFLOW_RUN
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lookup import read_manifest, stored_or_batched
from blockchaintracer.lab.optional import require

_PAGE = 200
_PER_CALL = {"metrics": 900, "params": 90, "tags": 90}


@dataclass(frozen=True)
class Imported:
    """The result of importing one run: its record, or the problem."""

    run_id: str
    name: str | None
    recorded: Recorded | None
    problem: str | None = None


@bounded_answers()
@well_formed("MLflow holds of its runs")
def list_runs(client: Any, experiments: Sequence[str] = (), *, unfinished: bool = False) -> list[Any]:
    """List the runs that ended, oldest first: of the named experiments, or of all. `unfinished`: and the others."""
    ids = []
    for name in experiments:
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            raise InputError(f"MLflow has no experiment {name!r}")
        ids.append(experiment.experiment_id)
    if not experiments:
        ids = [experiment.experiment_id for experiment in pages(client.search_experiments, max_results=_PAGE)]
    runs = [run for run in pages(client.search_runs, ids, max_results=_PAGE) if unfinished or run.info.status in ENDED]
    return sorted(runs, key=lambda run: (run.info.end_time or 0, run.info.run_id))


def import_runs(
    lab: Lab,
    tracking_uri: str | None = None,
    run_ids: Sequence[str] = (),
    *,
    experiments: Sequence[str] = (),
    batch: bool = True,
    personal: bool = False,
    unfinished: bool = False,
    files_in: Sequence[str] = (),
    each: Callable[[int, int], None] = lambda done, total: None,
) -> list[Imported]:
    """Record runs that ended, with what MLflow knows of them and nothing of this machine.

    A run that is recorded already and unchanged is free. A run that cannot be recorded does not stop the others.

    Args:
        tracking_uri: where the runs are; default: the URI in use.
        experiments: names of experiments: only their runs.
        batch: add the records to the open batch, which `batches.anchor` anchors with one transaction.
        personal: whether to record who ran them.
        files_in: folders and addresses that the runs may name files in, beside the store's own folder or server.
        each: called after each run with the numbers of done and all runs.
    """
    client = client_of(tracking_uri)
    from mlflow.exceptions import MlflowException

    results, places = [], places_of(bare(client.tracking_uri), files_in)
    runs = dict.fromkeys(run_ids) or {
        run.info.run_id: run for run in list_runs(client, experiments, unfinished=unfinished)
    }
    for done, (run_id, run) in enumerate(runs.items(), 1):
        name = None
        try:
            name = (run or client.get_run(run_id)).info.run_name
            is_new = not own_records(lab, Kind.RUN, run_uuid(run_id))
            with well_formed(f"MLflow holds of {run_id[:80]}"), batching(lab) if batch and is_new else nullcontext():
                recorded = record_run(lab, client, run_id, personal=personal, places=places, unfinished=unfinished)
            tag_record(client, run_id, recorded)
            if recorded.state not in ("open", "final"):
                remember(lab, client.tracking_uri, run_id, recorded)
        except (BlockchainTracerError, MlflowException) as error:
            results.append(Imported(run_id, name, None, error.message[:500]))
        else:
            results.append(Imported(run_id, name, recorded))
        each(done, len(runs))
    return results


def tell_anchored(imported: Sequence[Imported], tracking_uri: str | None, anchored: Any) -> None:
    """Tag the runs whose records are in a batch with the batch and its transaction."""
    client = client_of(tracking_uri)
    values = position(f"batched {anchored.state}", anchored.transaction, anchored.block) | {"batch": anchored.root}
    for run in imported:
        if run.recorded and run.recorded.state == "open":
            set_tags(client, run.run_id, values)


@well_formed("the record holds of an MLflow run")
def export_run(lab: Lab, record_id: str, tracking_uri: str | None = None, experiment: str | None = None) -> str:
    """Rebuild an MLflow run from its record: parameters, metric values, tags, datasets, artifacts and models' files.

    Hidden values are left out. The new run has an id of its own, and a tag that names the record.

    Args:
        tracking_uri: where the run is made; default: the URI in use.
        experiment: its name; default: the recorded one.
    """
    require("mlflow", "mlflow")
    from mlflow.entities import DatasetInput, InputTag, Metric, Param, RunTag

    record_id = lab.parse_id(record_id)
    run = _recorded_run(lab, record_id)
    snapshot, history = output(run, SNAPSHOT), output(run, HISTORY)
    if snapshot is None or history is None:
        raise InputError(f"expected the record of an MLflow run, got {record_id}, which is of another run")
    values = parse_json(lab.store.get_bytes(snapshot, LISTING_LIMIT), SNAPSHOT)
    MLFLOW_RUN.check_header(values, SNAPSHOT)
    points = [parse_json(line, HISTORY) for line in lab.store.get_bytes(history, HISTORY_LIMIT).splitlines()]
    client = client_of(tracking_uri)
    name = experiment or values["run"]["experiment"] or "exported"
    known = client.get_experiment_by_name(name)
    experiment_id = known.experiment_id if known else client.create_experiment(name)
    made = client.create_run(experiment_id, start_time=values["run"]["startTime"], run_name=values["run"]["name"])
    run_id = str(made.info.run_id)
    tags = _readable(values["tags"]) | {OWN_TAGS + "rebuilt_from": record_id}
    entities = {
        "metrics": [Metric(key, float(value), int(time), int(step)) for key, step, time, value in points],
        "params": [Param(key, value) for key, value in _readable(values["params"]).items()],
        "tags": [RunTag(key, value) for key, value in tags.items()],
    }
    for kind, listed in entities.items():
        for start in range(0, len(listed), _PER_CALL[kind]):
            client.log_batch(run_id, synchronous=True, **{kind: listed[start : start + _PER_CALL[kind]]})
    inputs = [
        DatasetInput(_dataset(dataset), [InputTag(key, value) for key, value in _readable(dataset["tags"]).items()])
        for dataset in values["datasets"]
    ]
    if inputs:
        client.log_inputs(run_id, datasets=inputs)
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch, bounded_answers(DAY_S):
        for number, artifact in enumerate(entry.artifact for entry in run.outputs):
            if is_listing(artifact.path):
                folder = lab.store.restore_folder(artifact.sha256, Path(scratch, str(number)))
                place = artifact.path.removesuffix(f"/{LISTING}").removeprefix("artifacts").strip("/")
                client.log_artifacts(run_id, str(folder), place or None)
    client.set_terminated(run_id, values["run"]["status"], values["run"]["endTime"])
    return run_id


def _dataset(recorded: Mapping[str, Any]) -> Any:
    from mlflow.entities import Dataset

    texts = {name: _json(recorded[name]) for name in ("source", "schema", "profile")}
    # MLflow takes no dataset without a source
    source = texts.pop("source") or "{}"
    return Dataset(
        name=recorded["name"], digest=recorded["digest"], source_type=recorded["sourceType"], source=source, **texts
    )


def _json(value: Any) -> str | None:
    value = _readable(value)
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _readable(value: Any) -> Any:
    """Return a recorded value without its hidden parts; None if all of it is hidden."""
    if isinstance(value, dict):
        return {key: shown for key, item in value.items() if (shown := _readable(item)) is not None}
    if isinstance(value, list):
        return [shown for item in value if (shown := _readable(item)) is not None]
    return None if isinstance(value, str) and value.startswith(HIDDEN) else value


def _recorded_run(lab: Lab, record_id: str) -> RunPredicate:
    record = stored_or_batched(lab, record_id)
    predicate = read_manifest(lab.store, record).predicate
    if not isinstance(predicate, RunPredicate):
        raise InputError(f"expected the record of a run, got {record_id}, which is a {record.kind}")
    return predicate
