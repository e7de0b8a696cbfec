"""Comparing records: their manifests are read from the store or a published copy, and held against their keys."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.extras.compare import PLOT_FORMATS, Compared, RunComparison, compare, compared, draw
from blockchaintracer.extras.search import query
from blockchaintracer.extras.search.update import up_to_date
from blockchaintracer.lab.files import write_output
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lookup import read_manifest, required_record

MOST = 10_000
"""Runs that one comparison reads at most."""


def compare_records(
    lab: Lab,
    record_ids: Sequence[str],
    *,
    where: str | None = None,
    by: Sequence[str] = (),
    pair_by: str | None = None,
    metrics: Sequence[str] = (),
    confidence: float = 0.95,
    sources: Sequence[str] = (),
) -> RunComparison:
    """Compares records of the lab's registry, runs as a rule.

    Args:
        record_ids: the first one's group is what others are tested against.
        where: a condition as `query` takes it: all runs that meet it are compared too.
        by, pair_by, metrics, confidence: as `compare.compare`.
        sources: published stores to fetch manifests from that the lab doesn't have.

    Raises:
        InputError: if a record is unknown, or fewer than two are named.
        StoreError: if a manifest is nowhere to be had.
        NotVerified: if it is not what was recorded.
        ChainUnavailable: if the chain is away.
    """
    records = [required_record(lab, record_id) for record_id in dict.fromkeys(record_ids)]
    if where is not None:
        known = {record.id for record in records}
        with up_to_date(lab) as index:
            rows = query(index, registry=lab.registry, kind="run", where=where, descending=False, limit=MOST + 1)
        if len(rows) > MOST:
            raise InputError(f"expected at most {MOST:,} runs to compare, more meet {where!r}")
        records += [required_record(lab, row.id) for row in rows if row.id not in known]
    runs = [_described(lab, record, sources) for record in records]
    return compare(runs, by=by, pair_by=pair_by, metrics=metrics, confidence=confidence)


def write_plot(comparison: RunComparison, file: Path, metrics: Sequence[str] = ()) -> None:
    """Draws a comparison to a file whose name ends in one of `PLOT_FORMATS`; whole or not at all.

    Raises:
        InputError: for another ending, a file that can't be written, or without matplotlib.
    """
    form = file.suffix.lower().removeprefix(".")
    if form not in PLOT_FORMATS:
        endings = ", ".join(f".{one}" for one in PLOT_FORMATS)
        raise InputError(f"expected a file that ends in {endings}, got {file}")
    write_output(file, draw(comparison, form, metrics))


def _described(lab: Lab, record: RecordView, sources: Sequence[str]) -> Compared:
    if not lab.store.has(record.key.manifest):
        lab.store.fetch(record.key.manifest, sources)
    status = lab.registry.status(record.id)
    return compared(
        record.id,
        read_manifest(lab.store, record),
        group=record.key.group,
        author=record.key.author.lower(),
        time=status.recorded_at,
        status="retracted" if status.retracted_at else "recorded",
    )
