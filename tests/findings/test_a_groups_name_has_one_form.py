"""A group's name was kept as it was typed: with letters that nobody sees it was another group of the same look, and the
same name from a machine that takes letters apart made a second group."""

from __future__ import annotations

from typing import Any

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.groups import create_group
from blockchaintracer.lab.handover import rename_group
from tests.support.memory_node import answering
from tests.support.registry_life import Life, live

pytestmark = pytest.mark.evm


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Any:
    life = live(tmp_path_factory.mktemp("life") / "life")
    with answering(full=life.node.answer):
        yield life


def test_one_form_is_one_group(life: Life) -> None:
    first = create_group(life.lab, "Caf\u00e9")
    again = create_group(life.lab, "Cafe\u0301 ")
    assert (again.group, again.existing) == (first.group, True)


@pytest.mark.parametrize("hidden", "\u200b\u202e\u00ad\u3164\x1b\n")
def test_what_nobody_sees_is_refused(life: Life, hidden: str) -> None:
    for name in (f"My{hidden} lab", "x" * 257):
        with pytest.raises(InputError, match="expected for the group a"):
            create_group(life.lab, name)
        with pytest.raises(InputError, match="expected for the group a"):
            rename_group(life.lab, 1, name)
