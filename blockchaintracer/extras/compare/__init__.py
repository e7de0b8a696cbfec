"""Holds runs against each other: what differs between them, and what repeated runs say of a metric.

It compares what the records declare, from whatever source they come; nothing here reads a chain or a store.

>>> from blockchaintracer.extras.compare.comparison import compare
>>> comparison = compare(runs, by=["params.lr"])                            # doctest: +SKIP
>>> [field.name for field in comparison.differences]                        # doctest: +SKIP
>>> comparison.statistics.tests[0].p_value                                  # doctest: +SKIP
"""
