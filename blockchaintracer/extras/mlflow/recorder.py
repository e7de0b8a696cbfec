"""From an MLflow run to its record: for which lab, what is captured at its start, and what MLflow is told of it.

Recording ends in the outbox and does not ask the chain. `flush` sends the record and tags the run: in a process of its
own, or when the user asks for it.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import subprocess
import sys
import threading
import warnings
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import ChainUnavailable, InputError, RecordingWarning
from blockchaintracer.core.manifest import RunPredicate, parse_manifest
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.core.record import Kind, Link, Relation
from blockchaintracer.extras.mlflow.run_facts import Captured, facts_of, keep_outputs, moment
from blockchaintracer.extras.mlflow_reader.artifact_files import absolute, require_database
from blockchaintracer.extras.mlflow_reader.snapshot import OWN_TAGS, Hide, bare, client_of, run_uuid, take_snapshot
from blockchaintracer.lab.capture.secret_masking import error_text, mask
from blockchaintracer.lab.chosen_network import RPC_VARIABLE
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.files import locked, private, write_whole
from blockchaintracer.lab.groups import make_first
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import Entry, EntryState, Op
from blockchaintracer.lab.recording.commit import existing_record
from blockchaintracer.lab.recording.content import not_before
from blockchaintracer.lab.recording.run import KeptCode, RunStart, finish_run, start_run
from blockchaintracer.lab.tracer import lab_of_tracer

ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})
_MADE_BY_MLFLOW = ("mlruns", "mlartifacts", "mlflow.db")
_WANTED = "flush.wanted"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Target:
    """The lab for which runs are recorded, with the options of `autolog`. Each thread opens the lab anew."""

    home: str | os.PathLike[str] | None = None
    rpc: str | None = None
    registry: str | None = None
    group: int | None = None
    key: str | None = None
    background: bool = True
    user_name: bool = False
    host_name: bool = False

    def lab(self) -> Lab:
        """Open the lab with its chain."""
        return lab_of_tracer(_log, self.home, self.rpc, self.registry, self.group, self.key)

    def offline_lab(self, group: int | None = None) -> Lab:
        """Open the lab without its chain: records wait in the outbox."""
        lab = self.lab()
        lab.hand_over_to_last()
        lab.group_number = self.group or group
        return lab

    def prepared_lab(self, group: int | None = None) -> Lab:
        """Open the lab as `offline_lab` does. A lab that has written to no chain yet gets a registry and a group on its
        own devnet, as by `record`. Else an unknown registry, group or key is an `InputError`."""
        make_first(self.lab(), warn)
        lab = self.offline_lab(group)
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


def capture(target: Target) -> Captured:
    """Capture the code and the time at the start of a run. A thread asks the chain: the run does not wait for it."""
    folder = Path.cwd()
    start = start_run(target.offline_lab(), folder, exclude=[folder / name for name in _MADE_BY_MLFLOW], here=True)
    captured = Captured(start)

    def ask_chain() -> None:
        try:
            lab = target.lab()
            captured.not_before = not_before(lab)
            captured.group = lab.group()
        except Exception as error:
            # recording and sending report what is missing
            _log.debug("the chain is unavailable: %s", error_text(error))

    threading.Thread(target=ask_chain, daemon=True, name="blockchaintracer").start()
    return captured


def record_run(
    lab: Lab,
    client: Any,
    run_id: str,
    captured: Captured | None = None,
    *,
    personal: bool = False,
    host_name: bool = False,
    places: Sequence[Path | str] | None = None,
    again: bool = True,
    unfinished: bool = False,
) -> Recorded:
    """Record a run that ended. An unchanged run gives the existing record, a changed one supersedes it.

    Args:
        places: where the run may name files; default: anywhere, for a run of this process.
        unfinished: whether a run that has not ended will do, as one whose process was killed.
        again: whether a changed run gets a new record, which loses nothing of what the one before says of its process.
    """
    identifier = run_uuid(run_id)
    earlier = own_records(lab, Kind.RUN, identifier)
    if earlier and not again:
        return existing_record(lab, earlier[-1])
    run = take_snapshot(client, run_id, Hide(salt(lab.home, identifier), personal=personal), places)
    status = run.values["run"]["status"]
    if status not in ENDED and not unfinished:
        raise InputError(f"expected a run that has ended, got {run_id}, which is {status}")
    kept = list(keep_outputs(lab, run))
    before = run_of(lab, earlier[-1].write.key.manifest) if earlier else None
    if before:
        outputs = (entry.artifact for entry in before.outputs if not entry.artifact.path.startswith("models/"))
        if {(it.path, it.sha256) for it in outputs} == {(it.path, it.sha256) for _, it in kept}:
            return existing_record(lab, earlier[-1])
    facts = facts_of(lab, run, kept, captured, before)
    facts.host_name, facts.user_name, facts.ended = host_name, personal, status in ENDED
    facts.parents += [Link(entry.write["record_id"], Relation.SUPERSEDES) for entry in earlier[-1:]]
    began = moment(run.values["run"]["startTime"]) or datetime.now(UTC)
    code: Future[KeptCode] = Future()
    code.set_result(KeptCode())
    start = RunStart(identifier, began, None, None, code)
    if captured:
        block = captured.not_before
        # a block from after the begin does not bound it
        late = block and int(block.timestamp) > began.timestamp()
        start = replace(captured.start, run_id=identifier, started_at=began, not_before=None if late else block)
    if before and before.not_before:
        start = replace(start, not_before=before.not_before)
    return finish_run(lab, start, facts)


# -- earlier records


def salt(home: Home, identifier: str, *, make: bool = True) -> bytes | None:
    """Return the key of the hidden values of a run's record. It is made at the first use and never leaves the lab."""
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


def own_records(lab: Lab, kind: Kind, identifier: str) -> list[Entry]:
    """List the lab's own records whose subject is the SHA-256 of an identifier, the oldest first."""
    subject, own = sha256(identifier.encode()).hexdigest(), (kind, lab.signer.address.lower())
    entries = lab.outbox.entries_of(lab.domain, [subject])
    return [entry for entry in entries if (entry.write.key.kind, entry.write.key.author) == own]


def run_of(lab: Lab, manifest: str) -> RunPredicate:
    """Load the manifest of a run from the lab's store."""
    predicate = parse_manifest(lab.store.get_bytes(manifest)).predicate
    if not isinstance(predicate, RunPredicate):
        raise InputError(f"expected the manifest of a run, got {manifest}, which is of another kind")
    return predicate


def output(run: RunPredicate, path: str) -> str | None:
    """Return the SHA-256 of a run's output by its path, or None."""
    return next((entry.artifact.sha256 for entry in run.outputs if entry.artifact.path == path), None)


# -- telling MLflow


def set_tags(client: Any, run_id: str, values: dict[str, str]) -> None:
    """Set tags of ours on a run."""
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(OWN_TAGS + name, value) for name, value in values.items()], synchronous=True)


def position(state: str, transaction: str | None, block: int | None) -> dict[str, str]:
    """Return the tags that say how far a record has come."""
    return {"status": state, "transaction": transaction or "", "block": str(block or "")}


def tag_record(client: Any, run_id: str, recorded: Recorded) -> None:
    """Tag a run with its record."""
    where = {"record_id": recorded.id, "registry": recorded.registry, "chain_id": str(recorded.chain_id)}
    set_tags(client, run_id, where | position(recorded.state, recorded.transaction, recorded.block))


def remember(lab: Lab, tracking_uri: str, run_id: str, recorded: Recorded) -> None:
    """Note that a run is to be tagged once its record is final. A tracking URI with a password is not noted."""
    folder = lab.home.mlflow / "pending"
    folder.mkdir(mode=0o700, exist_ok=True)
    uri = absolute(bare(tracking_uri)) if mask(tracking_uri) == tracking_uri else None
    note = {"trackingUri": uri, "runId": run_id, "recordId": recorded.id, "chainId": str(recorded.chain_id)}
    write_whole(folder / f"{recorded.id}.json", json.dumps(note).encode())


def flush(target: Target | Lab | None = None) -> list[dict[str, Any]]:
    """Send the records of MLflow runs that wait in the outbox, and tag the runs with the state of their records.

    Other transactions that wait are not MLflow's: the lab tells them and leaves them, see `Lab.send`.

    Returns:
        of each tagged run ``runId``, ``recordId``, ``status``, ``transaction`` and ``block``.

    Raises:
        ChainUnavailable: if the chain is unavailable; everything waits.
        ContractRevert: if the registry refuses a record.
    """
    lab = target if isinstance(target, Lab) else (target or Target()).lab()
    tagged: dict[str, dict[str, Any]] = {}
    wanted, again = lab.home.mlflow / _WANTED, True
    while again:
        wanted.unlink(missing_ok=True)
        try:
            lab.send(*(file.stem for file in (lab.home.mlflow / "pending").glob("*.json")))
        finally:
            tagged |= {run["runId"]: run for run in _tag_pending(lab)}
        # a run that ended meanwhile started no process of its own
        again = wanted.exists()
    return list(tagged.values())


def _tag_pending(lab: Lab) -> list[dict[str, Any]]:
    tagged = []
    for file in sorted((lab.home.mlflow / "pending").glob("*.json")):
        try:
            note = parse_json(file.read_bytes(), file.name)
            entries = lab.outbox.entries_about(note["recordId"], Op.RECORD)
            entry = next(entry for entry in entries if str(entry.chain_id) == note["chainId"])
        except (OSError, InputError, KeyError, TypeError, StopIteration):
            continue
        values = position(str(entry.state), entry.transaction, entry.block.number if entry.block else None)
        try:
            require_database(note["trackingUri"])
            set_tags(client_of(note["trackingUri"]), note["runId"], values)
        except Exception as error:
            # the next flush tags it; the other runs must not wait for this server
            _log.warning("run %s could not be tagged with its record: %s", note["runId"], error_text(error))
            continue
        if entry.state in (EntryState.FINAL, EntryState.FAILED):
            file.unlink(missing_ok=True)
        tagged.append({"runId": note["runId"], "recordId": note["recordId"], **values})
    return tagged


def flush_aside(target: Target) -> None:
    """Start `flush` in a process of its own, which outlives this one, and do not wait for it. One that runs already
    looks once more for what waits."""
    home = Home(target.home)
    (home.mlflow / _WANTED).touch()
    environment = os.environ | {"BLOCKCHAINTRACER_HOME": str(home.path)}
    if target.rpc:
        # the address may hold a key, so it must not be an argument
        environment[RPC_VARIABLE] = target.rpc
    chosen = {"--registry": target.registry, "--key": target.key}
    options = [part for name, value in chosen.items() if value for part in (name, value)]
    with open(home.mlflow / "flush.log", "ab", opener=private) as log:
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        # the process holds the lock by its output until it ends
        subprocess.Popen(  # noqa: S603 -- this interpreter, and names that are no secret
            [sys.executable, "-P", "-m", "blockchaintracer", "mlflow", "flush", *options],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def warn(message: str) -> None:
    """Issue a `RecordingWarning`; log it if the program turns warnings into errors."""
    try:
        warnings.warn(message, RecordingWarning, stacklevel=4)
    except RecordingWarning:
        _log.warning("%s", message)
