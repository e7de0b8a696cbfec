"""A cache of one or many registries' events and of the manifests in this lab's store, in one SQLite file that can be
deleted at any time. Nothing is true because the index says so; every row names the chain, registry, transaction and
block where it can be checked, and `verify` checks it.

>>> from blockchaintracer.extras.search import Index, query
>>> with Index(home.index) as index:                                                            # doctest: +SKIP
...     index.sync(registry, store)
...     best = query(index, kind="run", where="metrics.accuracy > 0.9", sort="metrics.accuracy")
"""

from blockchaintracer.extras.search.database import Index as Index
from blockchaintracer.extras.search.query import STATUSES as STATUSES
from blockchaintracer.extras.search.query import query as query
from blockchaintracer.extras.search.rows import Row as Row
from blockchaintracer.extras.search.rows import retraction as retraction
from blockchaintracer.extras.search.rows import verdicts as verdicts
