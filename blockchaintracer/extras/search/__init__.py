"""A cache of one or many registries' events and of the manifests in this lab's store, in one SQLite file that can be
deleted at any time: for searching and for lineage. Nothing is true because the index says so; every row names the
chain, registry, transaction and block where it can be checked, and `verify` checks it.

>>> from blockchaintracer.extras.search import Index, lineage, query
>>> with Index(home.index) as index:                                                            # doctest: +SKIP
...     index.sync(registry, store)
...     best = query(index, kind="run", where="metrics.accuracy > 0.9", sort="metrics.accuracy")
...     print(lineage(index, best[0].id).mermaid())
"""

from blockchaintracer.extras.search.database import Index, Progress, SyncReport
from blockchaintracer.extras.search.lineage import (
    Edge,
    LineageGraph,
    LineageNode,
    Retraction,
    downstream,
    impact,
    lineage,
    retraction,
)
from blockchaintracer.extras.search.query import STATUSES, Row, VerdictRow, query, verdicts
from blockchaintracer.extras.search.review import waiting
from blockchaintracer.extras.search.seals_and_batches import (
    BatchRow,
    ForeignVerdictRow,
    SealRow,
    batches,
    foreign_verdicts,
    seals,
)

__all__ = [
    "STATUSES",
    "BatchRow",
    "Edge",
    "ForeignVerdictRow",
    "Index",
    "LineageGraph",
    "LineageNode",
    "Progress",
    "Retraction",
    "Row",
    "SealRow",
    "SyncReport",
    "VerdictRow",
    "batches",
    "downstream",
    "foreign_verdicts",
    "impact",
    "lineage",
    "query",
    "retraction",
    "seals",
    "verdicts",
    "waiting",
]
