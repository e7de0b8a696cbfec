"""In EAS an attestation is valid if it exists. Here a status says why a record counts, or that it does not."""

from __future__ import annotations

from tests.findings.conftest import ALICE, DATA, domain
from tests.model.registry import CANCELLED, RECORDED, RETRACTED, UNKNOWN


def test_a_status_has_a_reason(registry) -> None:
    record = domain(registry).record_id(DATA)

    def status() -> int:
        return registry.read("statusOf", record)[0]

    assert status() == UNKNOWN
    registry.send(ALICE.address, "cancel", DATA)
    assert status() == CANCELLED
    assert not registry.read("isParent", DATA, bytes(32), 1)
    registry.send(ALICE.address, "record", DATA)
    assert status() == RECORDED
    registry.send(ALICE.address, "retract", DATA, bytes(32))
    assert status() == RETRACTED
