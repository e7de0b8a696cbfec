"""Holds runs against each other: what differs between them, and what repeated runs say of a metric.

It compares what the records declare, from whatever source they come; nothing here reads a chain or a store.

>>> from blockchaintracer.extras.compare import compare
>>> comparison = compare(runs, by=["params.lr"])                            # doctest: +SKIP
>>> [field.name for field in comparison.differences]                        # doctest: +SKIP
>>> comparison.statistics.tests[0].p_value                                  # doctest: +SKIP
"""

from blockchaintracer.extras.compare.comparison import ComparedField, RunComparison, compare
from blockchaintracer.extras.compare.plot import PLOT_FORMATS, draw
from blockchaintracer.extras.compare.runs import Compared, Scalar, compared, flat
from blockchaintracer.extras.compare.statistics import RunGroup, Statistics, Summary, Test

__all__ = [
    "PLOT_FORMATS",
    "Compared",
    "ComparedField",
    "RunComparison",
    "RunGroup",
    "Scalar",
    "Statistics",
    "Summary",
    "Test",
    "compare",
    "compared",
    "draw",
    "flat",
]
