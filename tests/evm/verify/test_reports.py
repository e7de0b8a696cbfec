"""What a stranger is told of honest records, transactions, seals and batches, word by word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.revm_lab import RevmLab, Stranger, expect

RECORDS = (
    *("data", "run", "relayed", "first of many", "second in a block", "through a contract", "of a wallet", "sealed"),
    *("batched and stored", "again", "retracted", "retracted in silence", "rests on it"),
)


@pytest.mark.parametrize("name", RECORDS)
def test_a_record(stranger: Stranger, expected: Path, name: str) -> None:
    told = stranger.verifier.hash(stranger.lab.id(name))
    expect(expected / f"record {name}.txt", stranger.lab.text(told))


def test_every_transaction(stranger: Stranger, lab: RevmLab, expected: Path) -> None:
    told = [lab.text(stranger.verifier.transaction(f"0x{each.hex()}")) for each in lab.node.transactions]
    # what a record's transaction says of the record stands above
    lines = [line for text in told for line in text.splitlines() if " of <" not in line.partition(":")[0]]
    expect(expected / "transactions.txt", "\n".join(line for line in lines if not line.startswith("  NOT")))
