"""A verdict on a foreign record needs evidence or can be taken back, as one on a record of this registry."""

from __future__ import annotations

import pytest

from tests.findings.conftest import BOB, refusal
from tests.model.registry import DISPUTED, NONE, NOT_REPRODUCED, REPRODUCED, REVIEWED

pytestmark = pytest.mark.evm

FOREIGN = (1, "0x" + "ab" * 20, b"\x07" * 32)
NOBODY_S = bytes(32)


@pytest.mark.parametrize("verdict", [REPRODUCED, NOT_REPRODUCED])
def test_a_finding_needs_evidence(registry, verdict: int) -> None:
    expected = ("EvidenceRequired", (verdict,))
    assert refusal(lambda: registry.send(BOB.address, "attestForeign", 2, FOREIGN, verdict)) == expected
    assert registry.read("foreignVerdictOf", 2, FOREIGN) == (NONE, NOBODY_S, 0, 0)


@pytest.mark.parametrize("verdict", [REVIEWED, DISPUTED])
def test_an_opinion_is_taken_back_once(registry, verdict: int) -> None:
    def take_back() -> object:
        return registry.send(BOB.address, "attestForeign", 2, FOREIGN, NONE)

    nothing_there = ("NoVerdict", (2, FOREIGN[2]))
    assert refusal(take_back) == nothing_there
    registry.send(BOB.address, "attestForeign", 2, FOREIGN, verdict)
    assert registry.read("foreignVerdictOf", 2, FOREIGN) == (verdict, NOBODY_S, registry.chain.now, 1)
    take_back()
    assert registry.read("foreignVerdictOf", 2, FOREIGN) == (NONE, NOBODY_S, 0, 2)
    assert refusal(take_back) == nothing_there
