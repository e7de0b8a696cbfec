"""A metric that a person declares stands beside one that a program told, and says so.

`query` and `compare` showed the accuracy 0.99 of `--metric accuracy=0.99` as if the program, which printed 0.96, had
measured it.
"""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.font_manager  # noqa: F401 -- imported first, it asks for the machine's fonts by a process
import pytest
from scipy import stats  # noqa: F401 -- imported first, NumPy's tests ask for the processor by a process

from benchmarks.index import fill
from blockchaintracer.core.manifest import Manifest, Metric, RunPredicate
from blockchaintracer.core.manifest.predicates import MetricSource
from blockchaintracer.core.record import Kind
from blockchaintracer.extras.compare.comparison import compare
from blockchaintracer.extras.compare.plot import draw
from blockchaintracer.extras.compare.runs import compared
from blockchaintracer.extras.compare.verb_compare import _cells, _values
from blockchaintracer.extras.search import Index, query
from blockchaintracer.extras.search.rows import columns_of
from blockchaintracer.extras.search.verb_query import _metrics

pytestmark = pytest.mark.fast

DECLARED = {"accuracy": {"value": 0.99, "source": {"kind": "declared"}}, "loss": {"value": 0.5}}


def test_query_says_which_metrics_are_declared(tmp_path: Path) -> None:
    with Index(tmp_path / "index.sqlite") as index:
        fill(index, 1)
        text = json.dumps({"predicate": {"runId": "r", "metrics": DECLARED}})
        index._db.execute("UPDATE documents SET json = ?", (text,))
        [row] = query(index)
    assert row.declared == ["accuracy"]
    assert sorted(_metrics(row).split(", ")) == ["accuracy 0.99 (declared)", "loss 0.5"]
    columns, [values] = columns_of([row])
    assert dict(zip(columns, values, strict=True))["declared"] == "accuracy"


def test_compare_says_which_metrics_are_declared() -> None:
    runs = []
    for name, value, source in (("a", 0.99, MetricSource(kind="declared")), ("b", 0.96, None)):
        run = RunPredicate(
            run_id=f"8c0ae2a5-0f0e-4bfb-9f63-0a9f0a2b7a1{name}",
            name=name,
            status="completed",
            metrics={"accuracy": Metric(value=value, source=source)},
        )
        runs.append(compared(name * 64, Manifest.of(Kind.RUN, run)))
    found = compare(runs)
    [accuracy] = [field for field in found.fields if field.name == "metrics.accuracy"]
    assert _cells(_values(found, accuracy)) == ["0.99 (declared)", "0.96"]
    assert "accuracy is declared by a person in 1 run: no program told it." in found.statistics.assumptions
    assert b"accuracy (declared)" in draw(found, "svg")
