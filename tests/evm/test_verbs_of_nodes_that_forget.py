"""Every reading verb by nodes that have forgotten: in each of the four ways, at each block of a registry's life.

Each verb is asked at a few of the blocks. With FAULTS=1 each is asked at all: see also `python -m benchmarks.hostile`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.memory_node import MODES, answering, forgetful
from tests.support.reading_verbs import Reading, problem, reading
from tests.support.registry_life import FULL as NODE

IN_FULL = bool(os.environ.get("FAULTS"))
SLOW = ("report", "compare")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Reading:
    return reading(tmp_path_factory.mktemp("reading"))


def cuts(lab: Reading, name: str, mode: str) -> Iterator[tuple[int, bool]]:
    """Blocks before which all is forgotten, and whether the node still has the headers. Finality is known at each."""
    every = range(2, lab.life.node.head - 1)
    if IN_FULL:
        yield from ((cut, headers) for cut in every for headers in (False, True))
        return
    place = 7 * [*lab.verbs].index(name) + 5 * MODES.index(mode)
    yield every[place % len(every)], place % 2 == 0
    if name not in SLOW:
        yield every[-1], place % 2 == 1


@pytest.fixture(scope="module")
def true(lab: Reading) -> dict[str, Any]:
    """What each verb answers by a node that remembers all."""
    return {name: lab.told(name, lab.life.node.answer) for name in lab.verbs}


@pytest.mark.parametrize("mode", MODES)
def test_no_answer_changes(lab: Reading, true: dict[str, Any], mode: str) -> None:
    for name in lab.verbs:
        for cut, headers in cuts(lab, name, mode):
            now = lab.told(name, forgetful(lab.life.node, mode, cut, headers=headers))
            assert problem(name, now, true[name]) is None, f"{name}, {mode} before block {cut}, headers: {headers}"


@pytest.mark.parametrize("mode", MODES)
def test_what_was_forgotten_before_the_registry_is_not_missed(lab: Reading, mode: str) -> None:
    """All events are there: an archive is made, and an index from nothing."""
    registry = lab.life.lab.registry_address
    deployed = next(
        number
        for number, block in enumerate(lab.life.node.blocks)
        if any(lab.life.node.receipts[it]["logs"] for it in block["transactions"])
    )
    node = forgetful(lab.life.node, mode, deployed)
    code, told, said = lab.told("export", node)
    assert code == 0, said
    assert told["events"] == lab.told("export", lab.life.node.answer)[1]["events"]
    with answering(full=node):
        stranger = lab.life.open_lab(lab.folder / f"stranger {mode}", NODE)
        assert stranger.registry.address.lower() == str(registry).lower()
        assert stranger.registry.history.gap is None
    code, told, said = lab.told("query", node, home=lab.folder / f"stranger {mode}")
    assert code == 0, said
    assert len(told["records"]) == len(lab.told("query", lab.life.node.answer)[1]["records"])
