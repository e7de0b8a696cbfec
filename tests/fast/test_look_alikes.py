"""Names that people could take for each other."""

from __future__ import annotations

import pytest

from blockchaintracer.extras.community.look_alikes import checked_name, skeleton

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("name", ["L1GO", "ligo.", "Lígo", "LIG0", "\u041b\u0456\u0434\u043e", "|IGO"])
def test_what_looks_alike(name: str) -> None:
    assert (skeleton(name) == skeleton("LIGO")) == (name != "\u041b\u0456\u0434\u043e")
    assert skeleton("Virgo") != skeleton("LIGO")
    assert checked_name("中国科学院 LIGO") == "中国科学院 LIGO"
