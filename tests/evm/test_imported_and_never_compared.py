"""After `import --offline` a node that has forgotten old events was told of as one of which something may be missing:
that what was imported of that time was compared with no chain, and may be forged, was not said."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.extras.search import Index
from tests.support.memory_node import answering, forgetful
from tests.support.registry_life import FULL, live


@pytest.mark.parametrize("imported", [0, 1])
def test_what_no_chain_confirmed_is_named(tmp_path: Path, imported: int) -> None:
    life = live(tmp_path / "life")
    lab = life.open_lab(tmp_path / "home", FULL)
    with Index(tmp_path / "index") as index:
        with answering(full=life.node.answer):
            assert index.sync(lab.registry, lab.store).gap is None
        index._db.execute("UPDATE registries SET imported = ?, first_block = first_block + 1", (imported,))
        with answering(full=forgetful(life.node, "4444", life.node.head)):
            gap = index.sync(life.open_lab(tmp_path / "home", FULL).registry, lab.store).gap
            assert gap
            assert ("compared with no chain" in gap) is bool(imported)
        with answering(full=life.node.answer):
            assert index.sync(life.open_lab(tmp_path / "home", FULL).registry, lab.store).gap is None
