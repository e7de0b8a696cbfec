"""From a run that MLflow holds to its record: what is kept, committed to, and told to MLflow as tags.

The hand-over ends in the outbox, without a question to the chain. Sending, and telling MLflow of it, is `flush`: in a
process of its own, or whenever somebody asks for it.
"""

from __future__ import annotations

import json
import logging
import math
import os
import secrets
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from blockchaintracer.core.chain import Chain
from blockchaintracer.core.digest import digest_bytes
from blockchaintracer.core.errors import ChainUnavailable, InputError, RecordingWarning
from blockchaintracer.core.manifest import (
    LISTING,
    MAX_BYTES,
    Artifact,
    Code,
    Experiment,
    NotBefore,
    RunEnvironment,
    RunPredicate,
    parse_manifest,
)
from blockchaintracer.core.manifest.base import MAX_INTEGER, rfc3339
from blockchaintracer.core.record import Kind, Link, Relation
from blockchaintracer.extras.mlflow.logged_content import content_of, size_of
from blockchaintracer.extras.mlflow.run_details import frameworks, model_details
from blockchaintracer.extras.mlflow.snapshot import (
    HIDDEN,
    OWN_TAGS,
    Hide,
    Snapshot,
    bare,
    client_of,
    context_of,
    files_at,
    local_source,
    run_uuid,
    take,
)
from blockchaintracer.lab.capture.secret_masking import MASK, mask, public_remote
from blockchaintracer.lab.drafts import Progress, Recorded
from blockchaintracer.lab.files import locked, write_whole
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import Entry, EntryState, Op, Transaction
from blockchaintracer.lab.recording.content import not_before, record_path, used_record
from blockchaintracer.lab.recording.run import (
    KeptCode,
    RunFacts,
    RunStart,
    Used,
    finish_run,
    parse_assignment,
    start_run,
)
from blockchaintracer.lab.recording.run_document import RunDocument

RPC_VARIABLE = "BLOCKCHAINTRACER_RPC"
SNAPSHOT = "mlflow/run.json"
HISTORY = "mlflow/metrics.jsonl"
_ROLE_SNAPSHOT = "mlflow run"
_ROLE_HISTORY = "metric history"
_SHOWN_BYTES = MAX_BYTES // 2
_LINKED_CHILDREN = 64
_HISTORIES = 200
_ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})
_RELATIONS = {
    Relation.TRAINED_ON: ("train", "fit"),
    Relation.VALIDATED_ON: ("valid", "val", "dev"),
    Relation.EVALUATED_ON: ("eval", "test", "score"),
}
_MADE_BY_MLFLOW = ("mlruns", "mlartifacts", "mlflow.db")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Target:
    """For which lab runs are recorded: as `MLTracer` takes. A lab is opened anew for each, whatever thread it is in.

    Args:
        background: whether a process of its own sends what a run left in the outbox.
        user_name, host_name: whether to record these.
    """

    home: str | None = None
    rpc: str | None = None
    registry: str | None = None
    group: int | None = None
    key: str | None = None
    background: bool = True
    user_name: bool = False
    host_name: bool = False

    def lab(self) -> Lab:
        """The lab, with its chain."""
        return Lab(
            home=Home(self.home),
            rpc=self.rpc or os.environ.get(RPC_VARIABLE),
            registry_address=self.registry,
            key_name=self.key,
            group_number=self.group,
            say=lambda message: _log.info("%s", message),
        )

    def quiet_lab(self, group: int | None = None) -> Lab:
        """The lab with a chain that is never asked: what is recorded waits in the outbox."""
        lab = self.lab()
        lab.connect, lab.hand_over = _never_asked, True
        lab.group_number = self.group or group
        return lab

    def prepared_lab(self, group: int | None = None) -> Lab:
        """As `quiet_lab`, of which all is known that a record needs.

        Raises:
            InputError: if registry, group or key are not known, saying what to do.
        """
        lab = self.quiet_lab(group)
        missing = "registry"
        try:
            _ = lab.domain
            missing = "group"
            lab.prepare_hand_over()
        except (ChainUnavailable, InputError) as error:
            if isinstance(error, InputError) and (missing == "group" or self.registry):
                raise
            raise InputError(
                f"this lab has no {missing} yet, or none on the chain that was asked last",
                hint="`blockchaintracer deploy`, `blockchaintracer group create NAME`; another chain by --rpc once.",
            ) from None
        return lab


def _no_code() -> Future[KeptCode]:
    nothing: Future[KeptCode] = Future()
    nothing.set_result(KeptCode())
    return nothing


def _never_asked() -> Chain:
    raise ChainUnavailable("the chain is not asked while a run ends")


@dataclass
class Started:
    """What is captured when a run starts. The chain is asked aside: the run doesn't wait for its answer."""

    start: RunStart
    group: int | None = None
    asked: threading.Thread | None = None
    _not_before: NotBefore | None = field(default=None, init=False)

    @classmethod
    def now(cls, target: Target) -> Started:
        """Captures code and time; a thread asks the chain."""
        quiet = target.quiet_lab()
        here = Path.cwd()
        start = start_run(quiet, here, exclude=[here / name for name in _MADE_BY_MLFLOW])
        started = cls(start)
        started.asked = threading.Thread(target=started._ask, args=[target], daemon=True, name="blockchaintracer")
        started.asked.start()
        return started

    def _ask(self, target: Target) -> None:
        try:
            lab = target.lab()
            self._not_before = not_before(lab)
            self.group = lab.group()
        except Exception as error:
            # what is missing is told when the run is recorded, and by whoever sends the record
            _log.debug("the chain could not be asked: %s", _told(error))

    def settled(self, at: datetime) -> RunStart:
        """What is known by now, for a run that began at a time. A block from after it says nothing of its begin."""
        block = self._not_before
        if block and int(block.timestamp) > at.timestamp():
            block = None
        return replace(self.start, not_before=block)


@dataclass
class Captured:
    """What was seen of a run by the process it ran in; nothing of it is known of an imported run.

    Args:
        error: why it failed.
        children: ids of the records of the runs inside it.
    """

    started: Started
    error: str | None = None
    children: list[str] = field(default_factory=list)


def record_run(
    lab: Lab,
    client: Any,
    run_id: str,
    captured: Captured | None = None,
    *,
    personal: bool = False,
    host_name: bool = False,
    progress: Progress | None = None,
) -> Recorded:
    """Keeps all of a run that ended, and records it.

    The same run, unchanged, is answered with the record that is there; a changed one supersedes it.

    Args:
        client: MLflow's client of where the run is.
        captured: what this process saw of it; None for a run of another process.
        personal, host_name: whether the user's and the machine's name may be recorded.

    Raises:
        InputError: if MLflow has no such run, or it hasn't ended.
    """
    identifier = run_uuid(run_id)
    taken = take(client, run_id, Hide(salt(lab.home, identifier), personal=personal))
    if taken.status not in _ENDED:
        raise InputError(f"expected a run that has ended, got {run_id}, which is {taken.status}")
    kept = list(_keep(lab, taken, progress))
    before = previous(lab, identifier)
    if before and _same(lab, before, kept):
        return _again(lab, before)
    used, datasets = _inputs(lab, taken, progress)
    trained_on = [Link(one.record.id, one.relation) for one in used if one.relation == Relation.TRAINED_ON]
    models = list(_keep_models(lab, taken, trained_on, progress))
    kept += [(role, artifact) for role, artifact, _ in models]
    began = _moment(taken.started_ms) or datetime.now(UTC)
    start = captured.started.settled(began) if captured else RunStart(identifier, began, None, None, _no_code())
    parents = [Link(before["record_id"], Relation.SUPERSEDES)] if before else []
    parents += [Link(child, Relation.USES) for child in (captured.children if captured else [])[:_LINKED_CHILDREN]]
    tags = taken.values["tags"]
    facts = RunFacts(
        document=_document(taken, captured, [about for _, _, about in models], datasets),
        inputs=used,
        parents=parents,
        command=_command() if captured else None,
        observed="process" if captured else None,
        kept=kept,
        histories=_histories(lab, taken),
        ended_at=_moment(taken.ended_ms),
        host_name=host_name,
        user_name=personal,
    )
    if captured is None:
        facts.environment, facts.hardware, facts.code = RunEnvironment(), {}, _code_by_tags(tags)
    return finish_run(lab, replace(start, run_id=identifier, started_at=began), facts, progress)


def _keep(lab: Lab, taken: Snapshot, progress: Progress | None) -> Iterator[tuple[str, Artifact]]:
    """Keeps everything that MLflow can alter, but the models and datasets, which are records of their own."""
    for role, path, data in ((_ROLE_SNAPSHOT, SNAPSHOT, taken.to_bytes()), (_ROLE_HISTORY, HISTORY, taken.history())):
        lab.store.put_bytes(data)
        yield role, Artifact.of(path, digest_bytes(data))
    with files_at(taken.artifact_uri, taken.tracking_uri) as folder:
        if folder is not None:
            listing = lab.store.put_folder(folder, progress).listing
            yield "artifacts", Artifact.of(f"artifacts/{LISTING}", digest_bytes(listing))


def _histories(lab: Lab, taken: Snapshot) -> dict[str, Artifact]:
    """The metrics that took several values, each as pairs of step and value in a file of its own: for plots. All
    metrics are in one file besides."""
    several: dict[str, list[list[float]]] = {}
    for point in taken.points:
        value = float(point.value)
        if math.isfinite(value) and not point.name.startswith("system/"):
            several.setdefault(point.name, []).append([point.step, value])
    found: dict[str, Artifact] = {}
    for name, pairs in several.items():
        if len(pairs) > 1 and len(found) < _HISTORIES:
            data = json.dumps(pairs).encode()
            lab.store.put_bytes(data)
            found[name] = Artifact.of(f"metrics/{len(found)}.json", digest_bytes(data))
    return found


def _keep_models(
    lab: Lab, taken: Snapshot, parents: list[Link], progress: Progress | None
) -> Iterator[tuple[str, Artifact, dict[str, Any]]]:
    for model in taken.models:
        with files_at(model.artifact_location, taken.tracking_uri) as folder:
            if folder is None:
                continue
            details = size_of(model.model_id) | model_details(folder)
            record = record_path(
                lab,
                Kind.MODEL,
                folder,
                name=model.name or None,
                parents=parents,
                framework=details.get("framework"),
                progress=progress,
            )
            listing = lab.store.get_bytes(record.subject)
            about = {"id": model.model_id, "name": model.name, "record": record.id, "sha256": record.subject, **details}
            yield "model", Artifact.of(f"models/{model.model_id}/{LISTING}", digest_bytes(listing)), about


def _inputs(lab: Lab, taken: Snapshot, progress: Progress | None) -> tuple[list[Used], list[dict[str, Any]]]:
    """The datasets that lie on this machine, recorded, and what is known of all."""
    used: dict[tuple[str, int], Used] = {}
    about = []
    for given, shown in zip(taken.datasets, taken.values["datasets"], strict=True):
        dataset = given.dataset
        entry = {key: shown[key] for key in ("name", "digest", "sourceType", "schema", "profile") if shown[key]}
        entry["context"] = context_of(given)
        if content := content_of(dataset.name, dataset.digest):
            entry["content"] = content
        if path := local_source(dataset):
            relation = _relation(context_of(given))
            record = used_record(lab, Kind.DATASET, path, name=path.name, progress=progress)
            used[record.id, relation] = Used(record, relation, path)
            entry |= {"record": record.id, "sha256": record.subject}
        about.append({key: value for key, value in entry.items() if value is not None})
    return list(used.values()), about


def _relation(context: str | None) -> int:
    words = (context or "").lower()
    return next(
        (int(relation) for relation, begins in _RELATIONS.items() if words.startswith(begins)), int(Relation.USES)
    )


def _document(
    taken: Snapshot, captured: Captured | None, models: list[dict[str, Any]], datasets: list[dict[str, Any]]
) -> RunDocument:
    run, tags = taken.values["run"], taken.values["tags"]
    failed = {"FAILED": "the run failed", "KILLED": "the run was killed"}.get(taken.status)
    about: dict[str, Any] = {
        "context": {
            "runId": run["id"],
            "experiment": run["experiment"],
            "experimentId": run["experimentId"],
            "user": None if run["user"].startswith(HIDDEN) else run["user"],
            "parentRunId": tags.get("mlflow.parentRunId"),
            "children": captured.children if captured else None,
        },
        "source": {
            name: _shown(tags.get(tag))
            for name, tag in (
                ("type", "mlflow.source.type"),
                ("name", "mlflow.source.name"),
                ("commit", "mlflow.source.git.commit"),
                ("branch", "mlflow.source.git.branch"),
            )
        },
        "frameworks": frameworks() if captured else None,
        "models": models,
        "datasets": datasets,
        "tags": {name: _shown(value) for name, value in tags.items() if not name.startswith("mlflow.")},
    }
    parameters = {name: _value(name, value) for name, value in taken.values["params"].items()}
    metrics = {name: _metric(name, value) for name, value in taken.latest.items() if _finite(value)}
    about["metricsShown"], about["metricsLogged"] = len(metrics), len(taken.latest)
    parameters, metrics = _fitting(parameters), _fitting(metrics)
    about["metricsShown"] = len(metrics)
    if len(json.dumps(about)) > _SHOWN_BYTES // 2:
        # the whole is in the attached snapshot
        about = {key: about[key] for key in ("context", "source", "frameworks", "metricsShown", "metricsLogged")}
    return RunDocument.read(
        {
            "schema": 1,
            "name": _line(run["name"] or run["id"]),
            "parameters": parameters,
            "metrics": metrics,
            "error": (captured.error if captured else None) or failed,
            "experiment": Experiment(additional_info={"mlflow": _without_none(about)}).to_json(),
        }
    )


def _line(text: str) -> str:
    return " ".join(mask(text).split())[:256].strip() or "run"


def _shown(value: str | None) -> str | None:
    return MASK if value and value.startswith(HIDDEN) else value


def _value(name: str, text: str) -> Any:
    if text.startswith(HIDDEN):
        return MASK
    value = parse_assignment(f"p={text}", "parameter")[1]
    if isinstance(value, str) or value is None:
        return text
    return value if _finite(value) and abs(value) <= MAX_INTEGER else text


def _finite(value: float) -> bool:
    return math.isfinite(value)


def _metric(name: str, value: float) -> Any:
    # what the machine did is reported, and nobody's to reproduce
    return {"value": value, "tolerance": None} if name.startswith("system/") else value


def _fitting(values: dict[str, Any]) -> dict[str, Any]:
    """As many values as a manifest has room for; the attached snapshot holds all."""
    left, found = _SHOWN_BYTES // 2, {}
    for name, value in sorted(values.items()):
        left -= len(json.dumps([name, value])) + 100
        if left > 0 and name == _line(name):
            found[name] = value
    return found


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item not in (None, {}, [])}
    return [_without_none(item) for item in value] if isinstance(value, list) else value


def _code_by_tags(tags: Mapping[str, str]) -> Code:
    """The code as MLflow knows it: where this process didn't see it."""
    try:
        return Code(
            commit=tags.get("mlflow.source.git.commit"),
            branch=tags.get("mlflow.source.git.branch"),
            remote=public_remote(tags.get("mlflow.source.git.repoURL") or "") or None,
        )
    except InputError:
        return Code()


def _command() -> list[str] | None:
    from blockchaintracer.lab.tracer import _command as command

    return command(Path.cwd())


def _moment(milliseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds is not None else None


# -- what was recorded before


def salt(home: Home, identifier: str, *, make: bool = True) -> bytes | None:
    """The key of what is hidden in a run's record, made when it's first asked for. It never leaves the lab."""
    folder = home.mlflow / "salts"
    path = folder / identifier
    if not path.exists():
        if not make:
            return None
        folder.mkdir(mode=0o700, exist_ok=True)
        with locked(folder / ".lock"):
            if not path.exists():
                write_whole(path, secrets.token_bytes(32))
    return path.read_bytes()


def own_records(lab: Lab, identifier: str) -> list[Entry]:
    """The lab's own records of a run, in the order in which they were made."""
    subject = sha256(identifier.encode()).hexdigest()
    own = (Kind.RUN, subject, lab.signer.address.lower())
    return [
        entry
        for entry in lab.outbox.entries_in(lab.domain, Op.RECORD)
        if (entry.write.key.kind, entry.write.key.subject, entry.write.key.author) == own
    ]


def previous(lab: Lab, identifier: str) -> Transaction | None:
    """The lab's own latest record of a run; None if there is none."""
    records = own_records(lab, identifier)
    return records[-1].write if records else None


def run_of(lab: Lab, manifest: str) -> RunPredicate:
    """What the lab's store has of a run's manifest.

    Raises:
        StoreError: if it isn't there.
        InputError: if it's none of a run.
    """
    predicate = parse_manifest(lab.store.get_bytes(manifest)).predicate
    if not isinstance(predicate, RunPredicate):
        raise InputError(f"expected the manifest of a run, got {manifest}, which is of another kind")
    return predicate


def output(run: RunPredicate, path: str) -> str | None:
    """SHA-256 of a run's output by its path; None if it has none."""
    return next((one.artifact.sha256 for one in run.outputs if one.artifact.path == path), None)


def _same(lab: Lab, before: Transaction, kept: Iterable[tuple[str, Artifact]]) -> bool:
    run = run_of(lab, before.key.manifest)
    return all(output(run, artifact.path) == artifact.sha256 for _, artifact in kept)


def _again(lab: Lab, before: Transaction) -> Recorded:
    from blockchaintracer.lab.drafts import Draft
    from blockchaintracer.lab.recording.commit import recorded

    manifest = parse_manifest(lab.store.get_bytes(before.key.manifest))
    entry = lab.outbox.find_entry(lab.chain_id, before)
    return recorded(lab, Draft(manifest, before.key, before["record_id"]), entry, existing=True)


# -- telling MLflow


def tags_of(recorded: Recorded) -> dict[str, str]:
    """The tags that tell a run's record, by their names."""
    told = {
        "record_id": recorded.id,
        "status": recorded.state,
        "transaction": f"0x{recorded.transaction}" if recorded.transaction else "",
        "block": str(recorded.block or ""),
        "registry": recorded.registry,
        "chain_id": str(recorded.chain_id),
    }
    return {OWN_TAGS + name: value for name, value in told.items()}


def tell(client: Any, run_id: str, recorded: Recorded) -> None:
    """Sets the tags on a run."""
    for name, value in tags_of(recorded).items():
        client.set_tag(run_id, name, value)


def remember(lab: Lab, tracking_uri: str, run_id: str, recorded: Recorded) -> None:
    """Notes that a run is to be told of its record once that is final. An address with a password isn't noted."""
    folder = lab.home.mlflow / "pending"
    folder.mkdir(mode=0o700, exist_ok=True)
    uri = bare(tracking_uri) if mask(tracking_uri) == tracking_uri else None
    note = {"trackingUri": uri, "runId": run_id, "recordId": recorded.id, "chainId": str(recorded.chain_id)}
    write_whole(folder / f"{recorded.id}.json", json.dumps(note).encode())


def flush(target: Target | Lab | None = None) -> list[dict[str, Any]]:
    """Sends what waits in the outbox, and tells the MLflow runs of the lab what became of their records.

    Returns:
        of each run that was told: ``runId``, ``recordId``, ``status``, ``transaction`` and ``block``.

    Raises:
        ChainUnavailable: if the chain is away; everything waits.
        ContractRevert: if the registry refuses a record.
    """
    lab = target if isinstance(target, Lab) else (target or Target()).lab()
    try:
        lab.flush()
    finally:
        told = _tell_all(lab)
    return told


def _tell_all(lab: Lab) -> list[dict[str, Any]]:
    told = []
    for file in sorted((lab.home.mlflow / "pending").glob("*.json")):
        try:
            note = json.loads(file.read_bytes())
            entry = next(
                entry
                for entry in lab.outbox.entries_about(note["recordId"], Op.RECORD)
                if str(entry.chain_id) == note["chainId"]
            )
        except (OSError, ValueError, KeyError, StopIteration):
            continue
        values = {
            "status": str(entry.state),
            "transaction": f"0x{entry.transaction}" if entry.transaction else "",
            "block": str(entry.block.number if entry.block else ""),
        }
        try:
            client = client_of(note["trackingUri"])
            for name, value in values.items():
                client.set_tag(note["runId"], OWN_TAGS + name, value)
        except Exception as error:
            # it is told next time; MLflow being away is no reason to keep the others waiting
            _log.warning("run %s could not be told of its record: %s", note["runId"], _told(error))
            continue
        if entry.state in (EntryState.FINAL, EntryState.FAILED):
            file.unlink(missing_ok=True)
        told.append({"runId": note["runId"], "recordId": note["recordId"], **values})
    return told


def flush_aside(target: Target) -> None:
    """Starts `flush` in a process of its own, which outlives this one. Nothing is waited for."""
    home = Home(target.home)
    environment = os.environ | {"BLOCKCHAINTRACER_HOME": str(home.path)}
    if target.rpc:
        # its address may hold a key: never an argument
        environment[RPC_VARIABLE] = target.rpc
    chosen = {"--registry": target.registry, "--key": target.key}
    options = [part for name, value in chosen.items() if value for part in (name, value)]
    with (home.mlflow / "flush.log").open("ab") as log:
        subprocess.Popen(  # noqa: S603 -- this interpreter, and names that are no secret
            [sys.executable, "-m", "blockchaintracer", "mlflow", "flush", *options],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def warn(message: str) -> None:
    """Says what became of a record; never raises, whatever the program made of warnings."""
    try:
        warnings.warn(message, RecordingWarning, stacklevel=4)
    except RecordingWarning:
        _log.warning("%s", message)


def _told(error: BaseException) -> str:
    message = str(error).replace("\n", " ")
    return f"{type(error).__name__}: {mask(message)[:500]}"


def now() -> str:
    """The time by this machine's clock, as a manifest writes it."""
    return rfc3339(datetime.now(UTC))
