"""A node's lie that no registry tells ended a verification in a traceback: calldata that is cut, a reveal without its
record, a verdict with a number that none has, and fewer answers than questions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.errors import ChainUnavailable
from blockchaintracer.core.manifest import ContentPredicate
from blockchaintracer.core.record import Verdict, from_hex, record_commitment
from blockchaintracer.core.verify.authorship import check_author
from blockchaintracer.core.verify.commitments import check_seal
from blockchaintracer.core.verify.outcomes import Outcome
from blockchaintracer.core.verify.verdict_checks import check_verdicts
from tests.support.revm_lab import ALICE, BOB, RevmLab, Stranger

pytestmark = pytest.mark.evm
SALT = "0x" + "5a" * 32


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Stranger]:
    lab = RevmLab(tmp_path)
    for name, subject in (("sealed", "11" * 32), ("sent", "22" * 32)):
        lab.key(name, ContentPredicate(subject_type="commitment", name=name), subject)
    lab.do(ALICE, "seal", 1, from_hex(record_commitment(lab.id("sealed"), SALT)))
    lab.do(ALICE, "reveal", lab.keys["sealed"].as_abi(), from_hex(SALT))
    lab.record(lab.keys["sent"])
    lab.do(BOB, "attest", 2, from_hex(lab.id("sent")), int(Verdict.REVIEWED))
    with lab.node.serving() as url:
        yield Stranger(lab, url)


def asked(stranger: Stranger, name: str) -> tuple[Any, Any]:
    record = stranger.registry.find_record(stranger.lab.id(name))
    assert record is not None
    return record, stranger.registry.status(record.id)


def answer(stranger: Stranger, of: str, change: Any) -> None:
    stranger.lab.node.lie = lambda method, params, true: change(true, params) if method == of else true


def test_calldata_that_is_cut(stranger: Stranger) -> None:
    (record, _), (sealed, status) = asked(stranger, "sent"), asked(stranger, "sealed")
    cut = {"eth_getTransactionByHash": lambda true: {**true, "input": true["input"][:74]}}
    cut["eth_getRawTransactionByHash"] = lambda true: None
    stranger.lab.node.lie = lambda method, params, true: cut[method](true) if method in cut else true
    assert check_author(stranger.registry, record).verdict is Outcome.FAIL
    assert [check.verdict for check in check_seal(stranger.registry, sealed, status)] == [Outcome.UNKNOWN]


def test_a_reveal_without_its_record(stranger: Stranger) -> None:
    record, status = asked(stranger, "sealed")
    topic = next(key for key, entry in stranger.lab.interface._events.items() if entry["name"] == "Recorded")
    answer(stranger, "eth_getLogs", lambda true, params: [] if f"0x{topic.hex()}" in params[0]["topics"] else true)
    with pytest.raises(ChainUnavailable, match="and not of that record"):
        list(check_seal(stranger.registry, record, status))


def test_a_verdict_with_a_number_that_none_has(stranger: Stranger) -> None:
    record, status = asked(stranger, "sent")

    def change(true: Any, params: Any) -> Any:
        return [{**log, "data": f"0x{9:064x}{log['data'][66:]}"} for log in true]

    answer(stranger, "eth_getLogs", change)
    with pytest.raises(ChainUnavailable, match="9 is not a valid Verdict"):
        list(check_verdicts(stranger.registry, record.id, status))


def test_fewer_answers_than_questions(stranger: Stranger) -> None:
    answer(stranger, "eth_call", lambda true, params: f"0x{32:064x}{0:064x}")
    with pytest.raises(ChainUnavailable, match="0 answers to 1 questions"):
        stranger.registry.statuses([stranger.lab.id("sent")])
