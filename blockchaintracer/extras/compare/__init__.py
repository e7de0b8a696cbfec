"""Holds runs against each other: what differs between them, and what repeated runs say of a metric.

It compares what the records declare, from whatever source they come; nothing here reads a chain or a store.

>>> from blockchaintracer.extras.compare import compare
>>> comparison = compare(runs, by=["params.lr"])                            # doctest: +SKIP
>>> [field.name for field in comparison.differences]                        # doctest: +SKIP
>>> comparison.statistics.tests[0].p_value                                  # doctest: +SKIP
"""

from blockchaintracer.extras.compare.comparison import ComparedField as ComparedField
from blockchaintracer.extras.compare.comparison import RunComparison as RunComparison
from blockchaintracer.extras.compare.comparison import compare as compare
from blockchaintracer.extras.compare.plot import draw as draw
from blockchaintracer.extras.compare.runs import Compared as Compared
from blockchaintracer.extras.compare.runs import Scalar as Scalar
from blockchaintracer.extras.compare.runs import compared as compared
from blockchaintracer.extras.compare.runs import flat as flat
from blockchaintracer.extras.compare.statistics import Statistics as Statistics
from blockchaintracer.extras.compare.statistics import Test as Test
