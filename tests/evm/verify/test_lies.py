"""What a stranger is told where a node lies: each answer changed in each way, one at a time.

A lie that changes nothing of what is told is not listed; what it may still change stands in `Registry` and `Chain`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from blockchaintracer.core.record_view import RecordStatus, RecordView
from blockchaintracer.core.verify.authorship import check_anchorer, check_author
from blockchaintracer.core.verify.commitments import anchored, check_batch, check_seal, commitment_of
from blockchaintracer.core.verify.outcomes import Check
from blockchaintracer.core.verify.seal_checks import check_commitment
from blockchaintracer.core.verify.transaction_checks import check_transaction
from blockchaintracer.core.verify.verdict_checks import check_verdicts
from tests.support.evm import interface_of
from tests.support.node_lies import Questions
from tests.support.revm_lab import ALICE, RevmLab, Stranger, expect

Ask = Callable[[Stranger], Iterable[Check]]


def seen(stranger: Stranger, name: str) -> tuple[RecordView, RecordStatus]:
    """A record and its status, told before anything is asked: these are true."""
    lie, stranger.lab.node.lie = stranger.lab.node.lie, lambda method, params, result: result
    record = stranger.registry.find_record(stranger.lab.id(name))
    assert record is not None
    status = stranger.registry.status(record.id)
    stranger.lab.node.lie = lie
    return record, status


def author(name: str) -> Ask:
    return lambda stranger: [check_author(stranger.registry, seen(stranger, name)[0])]


def anchorer(stranger: Stranger) -> Iterable[Check]:
    root = next(digits for digits, name in stranger.lab.names.items() if name == "<root>")
    batch = anchored(stranger.registry, 1, ALICE.address, f"0x{root}")
    return [check_anchorer(stranger.registry, ALICE.address, batch)] if batch else []


def batch(stranger: Stranger) -> Iterable[Check]:
    record, status = seen(stranger, "batched and stored")
    return check_batch(stranger.registry, record, status, commitment_of(stranger.registry, record, status))


def seal_of(name: str) -> Ask:
    return lambda stranger: check_seal(stranger.registry, *seen(stranger, name))


def seal(called: str) -> Ask:
    def ask(stranger: Stranger) -> Iterable[Check]:
        digits = next(digits for digits, name in stranger.lab.names.items() if name == called)
        return check_commitment(stranger.registry, f"0x{digits}")

    return ask


def verdicts_on(name: str) -> Ask:
    def ask(stranger: Stranger) -> Iterable[Check]:
        record, status = seen(stranger, name)
        return check_verdicts(stranger.registry, record.id, status)

    return ask


def standing(name: str) -> Ask:
    return lambda stranger: stranger.verifier._checks.standing(seen(stranger, name)[0])[1]


def lineage(stranger: Stranger) -> Iterable[Check]:
    record, _ = seen(stranger, "rests on it")
    manifest, _ = stranger.verifier._checks.manifest(record)
    return stranger.verifier._checks._lineage(record, manifest)


def event(name: str) -> Ask:
    """The newest transaction with such an event."""

    def ask(stranger: Stranger) -> Iterable[Check]:
        registry, node = stranger.registry, stranger.lab.node
        topic = next(key for key, entry in stranger.lab.interface._events.items() if entry["name"] == name)
        receipts = [it for it in node.receipts.values() if any(log["topics"][0] == topic for log in it["logs"])]
        identifier = f"0x{receipts[-1]['transactionHash'].hex()}"
        receipt = registry.chain.receipt(identifier)
        return check_transaction(registry, identifier, receipt, registry.events_of(receipt)) if receipt else []

    return ask


EVENTS = (
    *("GroupCreated", "MembershipChanged", "Retracted", "RecordCancelled", "Materialized", "Attested", "Anchored"),
    *("VerdictWithdrawn", "ForeignAttested", "VerdictRevealed", "Revealed", "LeavesAnchored", "Sealed"),
)
ASKED: dict[str, Ask] = {
    "author who sent it": author("data"),
    "author of several": author("second of many"),
    "author who signed it": author("relayed"),
    "author with a wallet": author("of a wallet"),
    "author through a contract": author("through a contract"),
    "author of a batch": anchorer,
    "batch": batch,
    "seal of a record": seal_of("sealed"),
    "a revealed seal": seal("<seal>"),
    "a hidden seal": seal("<hidden seal>"),
    "a seal of a verdict": seal("<seal of a verdict>"),
    "verdicts": verdicts_on("run"),
    "a sealed verdict": verdicts_on("data"),
    "standing": standing("data"),
    "standing from a batch": standing("batched and stored"),
    "lineage": lineage,
    **{f"event {name}": event(name) for name in EVENTS},
}


@pytest.mark.parametrize("name", ASKED)
def test_lies(lab: RevmLab, stranger: Stranger, expected: Path, name: str) -> None:
    def ask() -> list[str]:
        return lab.text(list(ASKED[name](stranger))).splitlines()

    lines = ["what is true", *ask()]
    for lie, more, gone in Questions(lab, interface_of("LabRegistry")).lies(ask):
        if more or gone:
            lines += [lab.text(lie), *more, *(f"  NOT TOLD {line.strip().partition(':')[0]}" for line in gone)]
    expect(expected / f"lies {name}.txt", "\n".join(lines))
