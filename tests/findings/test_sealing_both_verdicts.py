"""A seal shows that something was fixed then, not that nothing else was. A reviewer can seal both verdicts and choose
later, take a revealed verdict back and give it again: the events tell, the slot's `sealedAt` doesn't."""

from __future__ import annotations

import pytest

from tests.findings.conftest import ALICE, BOB, DATA, domain, refusal, run_reproducing
from tests.model.eip712 import verdict_commitment
from tests.model.registry import EVIDENCE_RETRACTED, NOT_REPRODUCED, REPRODUCED, Event

pytestmark = pytest.mark.evm

SALT = b"\x5a" * 32


def commitment(registry, record: bytes, verdict: int, run) -> bytes:
    run_id = domain(registry).record_id(run)
    return verdict_commitment(2, BOB.address, record, verdict, run_id, SALT)


def unrevealed(events: list[Event]) -> set[bytes]:
    """What of the same group and author has been sealed and not been shown, from the events."""
    sealed = {event.arguments[2] for event in events if event.name == "Sealed"}
    shown = {event.arguments[2] for event in events if event.name == "VerdictRevealed"}
    return sealed - {event.arguments[1] for event in events if event.name == "Revealed"} - shown


@pytest.fixture
def history(registry) -> list[Event]:
    """Every event from here on."""
    events, send = [], registry.send_raw

    def remembered(caller: str, data: bytes):
        returned, emitted = send(caller, data)
        events.extend(emitted)
        return returned, emitted

    registry.send_raw = remembered
    return events


@pytest.fixture
def record(registry) -> bytes:
    return registry.send(ALICE.address, "record", DATA)[0]


def test_the_one_not_shown_is_counted(registry, record, history) -> None:
    """Two seals, one reveal: one is missing, and whoever shows the verdict has to say so. When the reviewer shows the
    other as well, the slot holds the last one and its version says that there was another."""
    run, since = run_reproducing(record), registry.chain.now
    both = {verdict: commitment(registry, record, verdict, run) for verdict in (REPRODUCED, NOT_REPRODUCED)}
    for sealed in both.values():
        registry.send(BOB.address, "seal", 2, sealed)
    registry.chain.now += 100
    registry.send(BOB.address, "revealVerdictWithEvidence", 2, record, REPRODUCED, run, SALT)
    assert registry.read("verdictOf", 2, record)[0::3] == (REPRODUCED, since)
    assert unrevealed(history) == {both[NOT_REPRODUCED]}

    registry.chain.now += 100
    registry.send(BOB.address, "revealVerdictWithEvidence", 2, record, NOT_REPRODUCED, run, SALT)
    assert registry.read("verdictOf", 2, record)[2:] == (since + 200, since, 2)
    assert registry.read("statusOf", record)[-4:] == (0, 0, 1, 0)
    assert unrevealed(history) == set()
    assert [event.arguments[3] for event in history if event.name == "Attested"] == [REPRODUCED, NOT_REPRODUCED]


def test_a_verdict_taken_back_and_given_again(registry, record, history) -> None:
    """The same salt reveals the same verdict again. `sealedAt` stays the seal's; that it did not stand all the time is
    in `attestedAt` and `version`, which a consumer that cares about it compares."""
    run, since = run_reproducing(record), registry.chain.now
    registry.send(BOB.address, "seal", 2, commitment(registry, record, REPRODUCED, run))
    registry.chain.now += 100
    registry.send(BOB.address, "revealVerdictWithEvidence", 2, record, REPRODUCED, run, SALT)
    registry.chain.now += 100
    registry.send(BOB.address, "withdraw", 2, record)
    assert registry.read("verdictOf", 2, record) == (0, 0, 0, 0, 2)
    registry.chain.now += 100
    registry.send(BOB.address, "revealVerdictWithEvidence", 2, record, REPRODUCED, run, SALT)
    assert registry.read("verdictOf", 2, record)[2:] == (since + 300, since, 3)
    assert registry.read("statusOf", record)[-4:] == (0, 1, 0, 0)
    run_status = registry.read("statusOf", domain(registry).record_id(run))
    assert (run_status[4], run_status[6]) == (since + 100, since), "stored by the first reveal, once"
    assert [event.name for event in history].count("Recorded") == 1


def test_a_retracted_run_does_not_come_back_with_its_salt(registry, record) -> None:
    run = run_reproducing(record)
    registry.send(BOB.address, "seal", 2, commitment(registry, record, REPRODUCED, run))
    registry.send(BOB.address, "revealVerdictWithEvidence", 2, record, REPRODUCED, run, SALT)
    run_id, _ = registry.send(BOB.address, "retract", run, bytes(32))
    assert registry.read("verdictOf", 2, record)[0] == 0
    met = refusal(lambda: registry.send(BOB.address, "revealVerdictWithEvidence", 2, record, REPRODUCED, run, SALT))
    assert met == ("EvidenceUnusable", (run_id, EVIDENCE_RETRACTED))


def test_a_plain_verdict_loses_the_seal(registry, record) -> None:
    """The seal's time is that of the verdict that stands, not of an earlier one."""
    run = run_reproducing(record)
    registry.send(BOB.address, "seal", 2, commitment(registry, record, REPRODUCED, run))
    registry.send(BOB.address, "revealVerdictWithEvidence", 2, record, REPRODUCED, run, SALT)
    registry.send(BOB.address, "attestWithEvidence", 2, record, REPRODUCED, run)
    assert registry.read("verdictOf", 2, record)[3:] == (0, 2)


def test_a_seal_older_than_the_record(registry) -> None:
    """An id is known before it is stored, so a verdict can be sealed before there was anything to reproduce: a consumer
    asks for a `sealedAt` after the record's `recordedAt`. The Run itself is stored after the record in any case."""
    record, since = domain(registry).record_id(DATA), registry.chain.now
    run = run_reproducing(record)
    registry.send(BOB.address, "seal", 2, commitment(registry, record, REPRODUCED, run))
    registry.chain.now += 100
    met = refusal(lambda: registry.send(BOB.address, "revealVerdictWithEvidence", 2, record, REPRODUCED, run, SALT))
    assert met == ("UnknownParent", (record,))
    registry.send(ALICE.address, "record", DATA)
    registry.chain.now += 100
    registry.send(BOB.address, "revealVerdictWithEvidence", 2, record, REPRODUCED, run, SALT)
    assert registry.read("verdictOf", 2, record)[3] == since < registry.read("statusOf", record)[4]
    run_status = registry.read("statusOf", domain(registry).record_id(run))
    assert run_status[4] == since + 200
