"""A run says by its manifest whether it rests on what it links as superseded or reproduced. Without it lineage told
that the run stands on nothing retracted, and impact that nothing stands on the record."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.core.record import ABOUT, Relation
from blockchaintracer.extras.lineage import downstream, lineage
from blockchaintracer.extras.search import Index
from tests.fast.test_lineage import id_of, made, named

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("relation", [*ABOUT, Relation.USES])
@pytest.mark.parametrize("missing", [None, "run"])
def test_what_it_rests_on_is_unknown(tmp_path: Path, relation: Relation, missing: str | None) -> None:
    graph = {"bad": [], "run": [("bad", relation)], "on": ["run"], "apart": []}
    with Index(tmp_path / "index.sqlite") as index:
        made(index, graph, ["bad"], inputs={"run": [{"record": id_of("bad")}]} if relation == Relation.USES else None)
        index._db.execute("UPDATE documents SET json = NULL WHERE name = ?", (missing,))
        reached, shown = downstream(index, id_of("bad")), lineage(index, id_of("bad"))
        is_unknown = missing == "run" and relation != Relation.USES
        rests = ["bad", "run", "on"] if relation == Relation.USES else ["bad"]
        assert named(it for it in reached.nodes.values() if it.row.has_manifest or it.row.id == id_of("run")) == [
            None if name == missing else name for name in rests
        ]
        assert reached.is_complete is not is_unknown
        more = {node.row.id: node.has_more_retracted for node in shown.nodes.values()}
        assert more == {
            id_of("bad"): False,
            id_of("run"): None if is_unknown else False,
            id_of("on"): None if is_unknown else False,
        }
        assert ("may stand on a retracted record" in shown.mermaid()) is is_unknown
        assert lineage(index, id_of("apart")).nodes[id_of("apart")].has_more_retracted is False
