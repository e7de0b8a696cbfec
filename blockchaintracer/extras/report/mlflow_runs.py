"""The record of an MLflow run, found by MLflow's own id. MLflow itself is not asked, and need not be installed."""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import Kind
from blockchaintracer.extras.report.sheet import mlflow_run
from blockchaintracer.extras.search import Index, Row, query
from blockchaintracer.extras.search.update import up_to_date
from blockchaintracer.lab.gather import Gatherer
from blockchaintracer.lab.kept_proofs import anchored_proofs
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Op

PREFIX = "mlflow:"
_SHOWN = 5


def named_record(lab: Lab, text: str) -> str:
    """Return a record's id as it is, or that of the run ``mlflow:RUN_ID``."""
    return record_of_mlflow(lab, text.removeprefix(PREFIX)) if text.startswith(PREFIX) else text


def record_of_mlflow(lab: Lab, run_id: str) -> str:
    """Return the id of the newest record of an MLflow run: this lab's, or the only group's that recorded it. If none is
    stored, of one in a batch of this lab.
    """
    try:
        subject = sha256(str(UUID(run_id)).encode()).hexdigest()
    except ValueError:
        subject = None
    with up_to_date(lab) as index:
        rows = query(index, registry=lab.registry, kind="run", subject=subject, limit=None) if subject else []
        rows = rows or _by_name(lab, index, run_id)
    if not rows:
        for proof in anchored_proofs(lab) if subject else ():
            if (proof.key.kind, proof.key.subject) == (Kind.RUN, subject):
                # not stored: whoever asks for this id is told how to store it
                return proof.id
        raise InputError(
            f"expected the record of an MLflow run, got none of {run_id[:80]!r}",
            hint="`blockchaintracer mlflow flush` sends what waits; `blockchaintracer mlflow import` records old runs.",
        )
    own = {entry.write.record_id for entry in lab.outbox.entries(lab.chain_id, Op.RECORD)}
    chosen = [row for row in rows if row.id in own] or rows
    if len({row.group for row in chosen}) > 1:
        ids = ", ".join(row.id for row in chosen[:_SHOWN])
        raise InputError(
            f"expected one group's record of the MLflow run {run_id[:80]!r}, got several: {ids}",
            hint="Name the one that is meant by its id.",
        )
    return chosen[0].id


def _by_name(lab: Lab, index: Index, run_id: str) -> list[Row]:
    """Records whose manifest says that they are of the run, newest first."""
    rows = [row for row in query(index, registry=lab.registry, kind="run", limit=None) if row.has_manifest]
    records = Gatherer(lab).records(row.id for row in rows)
    runs = {record_id: gathered.run for record_id, gathered in records.items() if not gathered.problems}
    return [row for row in rows if (run := runs.get(row.id)) and mlflow_run(run) == run_id]
