"""EAS's multiTimestamp reverts whole when anyone has stamped one of its hashes first. Ours skips what is stored."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, DATA, MALLORY, domain
from tests.model.registry import NO_END

pytestmark = pytest.mark.evm


def test_a_relayed_signature_cannot_break_a_batch(registry) -> None:
    batch = tuple(DATA._replace(subject=bytes([index]) * 32) for index in range(1, 5))
    signature = ALICE.sign(domain(registry).record_authorization(batch[2], NO_END))
    front_run, _ = registry.send(MALLORY.address, "recordBySig", batch[2], NO_END, signature)
    first = registry.chain.now
    registry.chain.now += 60
    ids, events = registry.send(ALICE.address, "recordMany", batch)
    assert ids == tuple(domain(registry).record_id(key) for key in batch)
    assert [event.arguments[2] for event in events] == [record for record in ids if record != front_run]
    times = [registry.read("statusOf", record)[4] for record in ids]
    assert times == [first if record == front_run else first + 60 for record in ids]
