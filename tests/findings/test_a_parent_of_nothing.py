"""A key that nobody recorded has no parent, whatever it names."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, BOB, DATA, run_reproducing

pytestmark = pytest.mark.evm


def test_only_what_was_recorded_has_a_parent(registry) -> None:
    record, _ = registry.send(ALICE.address, "record", DATA)
    run = run_reproducing(record)
    assert registry.read("isParent", run, record, 8) is False
    registry.send(BOB.address, "record", run)
    assert registry.read("isParent", run, record, 8) is True
