"""Whether a record still counts was looked for along each chain of its renewals: the time more than doubled with each
renewal, and a long chain ended the process. A lab that renews each year has thirty of them."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from blockchaintracer.core.verify.outcomes import Outcome
from blockchaintracer.extras.renewal.as_of import read_date
from blockchaintracer.extras.renewal.hash_tree import HashTree, hashed
from blockchaintracer.extras.renewal.judge import Renewal, WitnessedTime, checks_of, parse_broken
from tests.fast.test_renewal import CHAIN, RECORD, TOKEN, leaf, made, renewal, stamp

pytestmark = pytest.mark.fast
BROKEN = parse_broken(["sha256:2041-01-01"])


def yearly(count: int, *, all_before: bool) -> list[Renewal]:
    """Renewals that an authority stamped. Each has the one before it, or all before it."""
    leaves, found = {leaf(1): hashed([b"one"])}, list[Renewal]()
    for number in range(count):
        file = made(HashTree({**leaves, leaf(number + 2): hashed([b"more"])}), RECORD.id)
        found.append(renewal(file, stamp(f"2030-{number % 12 + 1:02}-01")))
        own = {name: hashed([data]) for name, data in file.parts.items()} | TOKEN
        leaves = {**leaves, **own} if all_before else {leaf(1): hashed([b"one"]), **own}
    return found


@pytest.mark.parametrize(("count", "all_before"), [(30, True), (300, False)])
def test_they_are_judged_in_time(count: int, all_before: bool) -> None:
    start = time.process_time()
    (*_, check) = checks_of(RECORD, yearly(count, all_before=all_before), BROKEN)
    assert (check.name, check.verdict) == ("algorithm sha256", Outcome.FAIL)
    assert time.process_time() - start < 20


def test_the_chain_is_found_whatever_stands_beside_it() -> None:
    renewals = yearly(30, all_before=True)
    last = renewals[-1]
    own = {name: hashed([data]) for name, data in last.file.parts.items()} if last.file else {}
    saved = WitnessedTime(read_date("2040-06-01T00:00:00Z"), CHAIN, "the chain", ("sha3-256",))
    good = renewal(made(HashTree({leaf(1): hashed([b"one"]), **own, **TOKEN}), RECORD.id), saved)
    (*_, check) = checks_of(RECORD, [*renewals, good], parse_broken(["sha256:2041-01-01", "sha512:2035-01-01"]))
    assert check.verdict is Outcome.PASS
    assert check.values["renewals"][-1] == good.id
    assert all(one != other for one, other in pairwise(check.values["renewals"]))
