"""What a stranger is told of honest records, transactions, seals and batches, word by word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.merkle import MerkleTree
from blockchaintracer.core.verify.authorship import check_anchorer
from blockchaintracer.core.verify.commitments import anchored
from blockchaintracer.core.verify.copies import object_name
from blockchaintracer.core.verify.outcomes import Check, Outcome
from blockchaintracer.core.verify.seal_checks import proven_by
from blockchaintracer.core.verify.transaction_checks import check_transaction, sentences_of
from tests.support.revm_lab import ALICE, BOB, CAROL, MALLORY, RevmLab, Stranger, expect

RECORDS = (
    *("data", "run", "relayed", "first of many", "second in a block", "through a contract", "of a wallet", "sealed"),
    *("batched and stored", "again", "retracted", "retracted in silence", "rests on it"),
)


@pytest.mark.parametrize("name", RECORDS)
def test_a_record(stranger: Stranger, expected: Path, name: str) -> None:
    told = stranger.verifier.hash(stranger.lab.id(name))
    expect(expected / f"record {name}.txt", stranger.lab.text(told))


def test_every_transaction(stranger: Stranger, lab: RevmLab, expected: Path) -> None:
    lines = []
    for each, transaction in lab.node.transactions.items():
        identifier = f"0x{each.hex()}"
        receipt = stranger.registry.chain.receipt(identifier)
        assert receipt is not None
        if identifier in (lab.refused, lab.elsewhere, lab.impostor):
            continue
        checks = check_transaction(stranger.registry, identifier, receipt, stranger.registry.events_of(receipt))
        lines += [f"block {transaction['blockNumber']}", lab.text(checks)]
        lines += [f"  PROVES {lab.text(sentence)}" for sentence in sentences_of(stranger.registry, checks)]
    expect(expected / "transactions.txt", "\n".join(lines))


def test_a_transaction(stranger: Stranger, lab: RevmLab, expected: Path) -> None:
    """One of two records, one of a group, one that was refused, one of another contract, and none."""
    blocks = [7, 2]
    chosen = [each for each, it in lab.node.transactions.items() if it["blockNumber"] in blocks]
    told = [stranger.verifier.transaction(f"0x{each.hex()}") for each in chosen]
    told += [
        stranger.verifier.transaction(each) for each in (lab.refused, lab.elsewhere, lab.impostor, "0x" + "99" * 32)
    ]
    expect(expected / "a transaction.txt", "\n".join(map(lab.text, told)))


def test_what_is_looked_up(stranger: Stranger, lab: RevmLab, expected: Path) -> None:
    """By a digest, a root, a seal, and what nobody committed to; of all groups, or of one."""
    hashes = {name: digits for digits, name in lab.names.items()}
    told = []
    for name in ("<content of data>", "<root>", "<counted root>", "<seal>", "<hidden seal>"):
        for groups in ((), (1,), (5,)):
            told += [f"{name} of groups {groups}", looked_up(stranger, hashes[name], groups)]
    told += ["nothing", looked_up(stranger, "98" * 32, ())]
    told += ["cancelled", looked_up(stranger, lab.id("batched and cancelled"), ())]
    told += ["a seal by its author", looked_up(stranger, hashes["<seal>"], (), [(1, ALICE.address), (2, BOB.address)])]
    expect(expected / "looked up.txt", "\n".join(told))


def looked_up(stranger: Stranger, digits: str, groups: Any, sealers: Any = ()) -> str:
    return stranger.lab.text(stranger.verifier.hash(digits, groups, sealers))


def test_which_was_first(stranger: Stranger, lab: RevmLab, expected: Path) -> None:
    told = []
    for one, other in (
        *(("data", "run"), ("run", "data"), ("data", "data"), ("first of many", "second of many")),
        *(("first in a block", "second in a block"), ("second in a block", "first in a block")),
        *(("data", "batched alone"), ("batched and stored", "sealed"), ("batched and stored", "batched and stored")),
    ):
        told.append(lab.text(stranger.verifier.before(lab.id(one), lab.id(other))))
    expect(expected / "before.txt", "\n".join(told))


def test_only_in_a_batch(stranger: Stranger, lab: RevmLab, tmp_path: Path, expected: Path) -> None:
    names = [f"batched {name}" for name in ("and stored", "alone", "and cancelled")]
    tree = MerkleTree([lab.id(name) for name in names])
    told = []

    def look(name: str, what: str, path: list[str], files: Any = (), groups: Any = ()) -> None:
        report = stranger.verifier.batched(lab.keys[name], tree.root, path, files, groups)
        told.append(f"{what.upper()}\n{lab.text(report).replace(str(tmp_path), '(files)')}")

    for name in names:
        look(name, name, tree.proof(lab.id(name)))
    right = tree.proof(lab.id(names[1]))
    look(names[1], "another path", right[:-1])
    look("data", "what is stored and in no batch", right)
    look("counted 1", "in no such batch", right)
    (tmp_path / "data").write_text("content of batched alone\n")
    (tmp_path / "other").write_text("other")
    manifest = lab.folder / object_name(lab.keys[names[1]].manifest)
    for files in ([tmp_path / "data"], [tmp_path / "other"], [tmp_path / "data", manifest]):
        look(names[1], f"with {[file.name for file in files]}", right, files)
    look(names[1], "of other groups", right, groups=(2, 3))
    look(names[1], "of its group", right, groups=(1, 3))
    expect(expected / "batched.txt", "\n".join(told))


def test_files(stranger: Stranger, lab: RevmLab, tmp_path: Path, expected: Path) -> None:
    (tmp_path / "data").write_text("content of data\n")
    (tmp_path / "other").write_text("other")
    told = []
    for name in ("data", "other"):
        for groups in ((), (1,), (5,)):
            told.append(lab.text(stranger.verifier.path(tmp_path / name, groups=groups)))
        told.append(lab.text(stranger.verifier.path(tmp_path / name, lab.id("data"))))
    told.append(lab.text(stranger.verifier.path(tmp_path / "data", "0x" + "99" * 32)))
    expect(expected / "files.txt", "\n".join(told).replace(str(tmp_path), "(files)"))


def test_a_node_that_says_nothing_of_final_blocks(stranger: Stranger, lab: RevmLab, expected: Path) -> None:
    told = []
    for behind in (0, 35, 34, None):
        lab.node.behind = behind
        told.append(lab.text([stranger.verifier._checks.finality(3)]))
    expect(expected / "finality.txt", "\n".join(told))


def test_a_batch_that_somebody_else_sent(stranger: Stranger, lab: RevmLab) -> None:
    root = next(digits for digits, name in lab.names.items() if name == "<root>")
    batch = anchored(stranger.registry, 1, ALICE.address, f"0x{root}")
    assert batch is not None
    for author, outcome in ((ALICE, Outcome.PASS), (BOB, Outcome.FAIL), (CAROL, Outcome.FAIL), (MALLORY, Outcome.FAIL)):
        assert check_anchorer(stranger.registry, author.address, batch).verdict is outcome, author.name


def test_what_did_not_pass_proves_nothing(stranger: Stranger) -> None:
    values = {"author": ALICE.address, "group": 1, "commitment": "<seal>", "sealedAt": 7, "time": 7}
    for outcome in Outcome:
        seal, event, other = (Check(name, outcome, name, values) for name in ("seal", "event", "reveal"))
        count = 1 if outcome is Outcome.PASS else 0
        assert len(proven_by(stranger.registry, [seal, event, other])) == count
        assert len(sentences_of(stranger.registry, [seal, event, other])) == count
