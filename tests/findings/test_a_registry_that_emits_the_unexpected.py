"""A membership version that fell from 2 to 1, by two calls of a stranger, stopped every verb that reads the index."""

from __future__ import annotations

from pathlib import Path

import pytest

from blockchaintracer.core.chain import Block
from blockchaintracer.core.record import to_hex
from blockchaintracer.extras.search.database import Index, Writer
from blockchaintracer.lab.chain.logs import Log, Span

pytestmark = pytest.mark.fast

HASH, ACCOUNT = b"\7" * 32, b"\xaa" * 20


def log(event: str, *values: object, position: int) -> Log:
    return Log(event, values, 1, HASH, b"t" * 32, position)


def member(version: int, position: int) -> Log:
    return log("MembershipChanged", 2, ACCOUNT, ACCOUNT, 7, 10, 20, version, position=position)


def write(index: Index, logs: list[Log]) -> list[str]:
    unexpected: list[str] = []
    index._db.execute("INSERT OR IGNORE INTO registries (pk, chain_id, address, first_block) VALUES (1, 1, '0x00', 0)")
    with index._transaction():
        Writer(index._db, 1, "a test", unexpected).write(Span(1, Block(1, to_hex(HASH), 1_700_000_000), logs, {1: 17}))
    return unexpected


@pytest.fixture
def index(tmp_path: Path):
    with Index(tmp_path / "index.sqlite") as index:
        yield index


def test_a_version_that_falls_is_told_and_the_last_change_holds(index) -> None:
    told = write(index, [member(version, at) for at, version in enumerate((1, 2, 1))])
    assert len(told) == 1
    assert "[1, 2, 1]" in told[0]
    assert to_hex(ACCOUNT) in told[0]
    assert [row[0] for row in index.rows("SELECT version FROM memberships ORDER BY pk")] == [1, 2, 1]


def test_versions_that_grow_are_nothing_to_tell(index) -> None:
    assert write(index, [member(version, version) for version in (1, 2, 3)]) == []


def test_a_second_retraction_is_told_and_the_first_stands(index) -> None:
    record = log("Recorded", b"r" * 32, bytes(32), 1, ACCOUNT, 4, 3, b"m" * 32, [], position=0)
    retracted = [log("Retracted", 1, ACCOUNT, b"r" * 32, bytes([at]) * 32, position=at) for at in (1, 2)]
    told = write(index, [record, *retracted])
    assert told == [f"the record {to_hex(b'r' * 32)} was retracted more than once"]
    assert [row[0] for row in index.rows("SELECT reason FROM retractions")] == [b"\1" * 32]


def test_a_withdrawal_where_there_was_no_verdict_stops_nothing(index) -> None:
    """Any reviewer could end what was signed of a record that nobody recorded, and the index asked for that record."""
    withdrawn = log("VerdictWithdrawn", 2, ACCOUNT, b"x" * 32, 0, 1, position=0)
    assert write(index, [withdrawn]) == []
    assert not index.rows("SELECT * FROM verdicts")


def test_the_largest_version_repeats_and_is_nothing_to_tell(index) -> None:
    """A membership there can still be ended, and the registry keeps its version."""
    assert write(index, [member(version, at) for at, version in enumerate((2**32 - 2, 2**32 - 1, 2**32 - 1))]) == []
