"""`verify --as-of` said "not verified" of a date on which a verdict stood that was withdrawn later, by a node without
the state of then: today's state has no verdict and no time, which was taken for a verdict that never was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.errors import ChainUnavailable
from blockchaintracer.core.manifest import ContentPredicate
from blockchaintracer.core.record import Verdict, from_hex
from blockchaintracer.core.verify.outcomes import Outcome
from blockchaintracer.core.verify.verdict_checks import check_verdicts
from blockchaintracer.extras.renewal.as_of import registry_as_of
from tests.model.registry import ALL_ROLES
from tests.support.memory_node import RpcError
from tests.support.revm_lab import ALICE, BOB, RevmLab, Stranger

pytestmark = pytest.mark.evm


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Stranger]:
    lab = RevmLab(tmp_path)
    for name, subject in (("kept", "11" * 32), ("plain", "22" * 32)):
        lab.key(name, ContentPredicate(subject_type="commitment", name=name), subject)
        lab.record(lab.keys[name])
    with lab.node.serving() as url:
        yield Stranger(lab, url)


def judged(stranger: Stranger, name: str, time: int) -> list[str]:
    """What is said of verdicts as of a time by a node that keeps the newest state alone."""

    def pruned(method: str, params: list[Any], true: Any) -> Any:
        if method in ("eth_call", "eth_getCode") and params[-1] != "latest" and int(params[-1], 16) < now:
            raise RpcError(-32000, "missing trie node: state is not available")
        return true

    now, lab = stranger.registry.chain.head().number, stranger.lab
    lab.node.lie = pruned
    try:
        view = registry_as_of(stranger.registry, time)
        found = list(check_verdicts(view, lab.id(name), view.status(lab.id(name))))
    finally:
        lab.node.lie = lambda method, params, true: true
    return [f"{check.verdict.name} {check.values.get('verdict')}" for check in found if check.name != "verdict counts"]


def test_a_later_withdrawal_says_nothing_of_then(stranger: Stranger) -> None:
    lab, times = stranger.lab, []
    for function, *values in (("attest", int(Verdict.REVIEWED)), ("withdraw",), ("attest", int(Verdict.DISPUTED))):
        lab.do(BOB, function, 2, from_hex(lab.id("kept")), *values)
        times.append(stranger.registry.chain.head().timestamp)
    lab.do(ALICE, "seal", 1, b"\1" * 32)
    given, withdrawn, again = times
    assert judged(stranger, "kept", again) == [f"{Outcome.PASS.name} disputed"]
    lab.do(BOB, "withdraw", 2, from_hex(lab.id("kept")))
    ended = stranger.registry.chain.head().timestamp
    lab.do(ALICE, "seal", 1, b"\2" * 32)
    assert judged(stranger, "kept", ended) == [f"{Outcome.PASS.name} none"]
    assert judged(stranger, "plain", ended) == []
    for time in (given, withdrawn, again):
        with pytest.raises(ChainUnavailable):
            judged(stranger, "kept", time)


def test_three_groups_are_asked_singly(stranger: Stranger) -> None:
    """From three groups on a contract is asked for all at once, whose code that node does not have: it gave up."""
    lab = stranger.lab
    for group in (2, 3, 4):
        if group > 2:
            lab.do(BOB, "createGroup", ALL_ROLES, bytes(32))
        lab.do(BOB, "attest", group, from_hex(lab.id("kept")), int(Verdict.REVIEWED))
    given = stranger.registry.chain.head().timestamp
    lab.do(ALICE, "seal", 1, b"\1" * 32)
    assert judged(stranger, "kept", given) == [f"{Outcome.PASS.name} reviewed"] * 3
