"""Who had stolen a maintainer's key retracted the group's statement that it was stolen. `verify` then said nothing of
it."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.core.record import Role
from tests.evm.verify.conftest import file_of, statement_on_a_key
from tests.support.evm import START
from tests.support.revm_lab import ALICE, CAROL, RevmLab, Stranger

pytestmark = pytest.mark.evm


@pytest.mark.parametrize(("by", "word"), [(None, "not verified"), (ALICE, "not verified"), (CAROL, "verified")])
def test_only_who_is_not_the_stolen_key_takes_it_back(tmp_path: Path, by, word: str) -> None:
    lab = RevmLab(tmp_path)
    lab.join(CAROL, int(Role.RECORDER | Role.MAINTAINER))
    lab.record(file_of(lab, "after the theft"))
    statement = statement_on_a_key(lab, "stolen", START, author=CAROL.address)
    lab.record(statement, CAROL)
    if by:
        lab.do(by, "retract", statement.as_abi(), bytes(32))
    with lab.node.serving() as url:
        report = Stranger(lab, url).verifier.hash(lab.id("after the theft"))
    assert report.conclusion == word
    said = [check.detail for check in report.checks if check.name == "key"]
    assert len(said) == (by is not CAROL)
    assert all(("that key itself retracted the statement" in detail) is (by is ALICE) for detail in said)
