"""Comparing records: their manifests are read from the store or a published copy, and held against their keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.extras.compare.comparison import RunComparison, compare
from blockchaintracer.extras.compare.runs import Compared, compared
from blockchaintracer.extras.search import query
from blockchaintracer.extras.search.update import up_to_date
from blockchaintracer.lab.gather import GatheredRecord, Gatherer
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lookup import required_record

MOST = 10_000
"""Runs that one comparison reads at most."""


def compare_records(
    lab: Lab, record_ids: Sequence[str], *, where: str | None = None, sources: Sequence[str] = (), **options: Any
) -> RunComparison:
    """Compare records of the lab's registry, runs as a rule.

    Args:
        record_ids: the first one's group is what others are tested against.
        where: a condition as `query` takes it: all runs that meet it are compared too.
        sources: published stores to read manifests from that the lab doesn't have.
        options: as `compare.compare` takes.
    """
    ids = [required_record(lab, record_id).id for record_id in record_ids]
    if where is not None:
        with up_to_date(lab) as index:
            rows = query(index, registry=lab.registry, kind="run", where=where, descending=False, limit=MOST + 1)
        if len(rows) > MOST:
            raise InputError(f"expected at most {MOST:,} runs to compare, more meet {where!r}")
        ids += [row.id for row in rows]
    gatherer = Gatherer(lab, sources)
    gatherer.records(ids)
    runs = [_described(lab, gatherer.required(record_id)) for record_id in dict.fromkeys(ids)]
    return compare(runs, **options)


def _described(lab: Lab, gathered: GatheredRecord) -> Compared:
    record = gathered.record
    if gathered.manifest is None or gathered.problems:
        raise NotVerified(f"the manifest of {record.id} is not what was recorded: {'; '.join(gathered.problems)}")
    about = {"group": record.group, "author": record.key.author, "time": record.time, "status": record.status}
    return compared(record.id, gathered.manifest, lab.hashes.name_of(record.subject), **about)
