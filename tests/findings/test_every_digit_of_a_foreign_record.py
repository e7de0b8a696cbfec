"""The registry writes the digits of a foreign record itself, to know the Reference to it. No history had each digit at
each place, and a wrong one would refuse the evidence of an honest verdict."""

from __future__ import annotations

from hashlib import sha256

import pytest

from tests.findings.conftest import BOB, run_reproducing
from tests.model.eip712 import Key
from tests.model.registry import REPRODUCED

pytestmark = pytest.mark.evm


@pytest.mark.parametrize("digit", "0123456789abcdef")
def test_its_reference_is_known(registry, digit: str) -> None:
    foreign = (1, f"0x{digit * 40}", bytes.fromhex(digit * 64))
    subject = sha256(f"eip155:1:{foreign[1]}/0x{digit * 64}".encode()).digest()
    reference = Key(2, BOB.address, 4, subject, 10, b"\5" * 32)
    run = run_reproducing(registry.send(BOB.address, "record", reference)[0])
    registry.send(BOB.address, "record", run)
    registry.send(BOB.address, "attestForeignWithEvidence", 2, foreign, REPRODUCED, reference, run)
    assert registry.read("foreignVerdictOf", 2, foreign)[0] == REPRODUCED
