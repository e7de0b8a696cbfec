"""What a stranger is told, word by word, by a node that has forgotten the beginning and keeps the state."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from blockchaintracer.core.merkle import MerkleTree
from blockchaintracer.core.record import NO_END
from blockchaintracer.core.record_view import Position, RecordView
from blockchaintracer.core.verify.locate import MemberAt, member_at
from blockchaintracer.core.verify.transaction_checks import check_root
from blockchaintracer.core.verify.verifier import Verifier
from tests.support.revm_lab import ALICE, MALLORY, RevmLab, Stranger, expect
from tests.support.revm_node import Lie

NAMES = ("data", "run", "sealed", "batched and stored", "again", "retracted", "rests on it")


def forgetting(cut: int) -> Lie:
    """Answer as a node that has nothing but headers and state of before a block."""

    def lie(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_getLogs":
            return [log for log in result if int(log["blockNumber"], 16) >= cut]
        if method in ("eth_getTransactionReceipt", "eth_getTransactionByHash") and result is not None:
            return result if int(result["blockNumber"], 16) >= cut else None
        if method == "eth_getBlockByNumber" and result is not None:
            return result if int(result["number"], 16) >= cut or result["number"] == "0x0" else None
        return result

    return lie


def forgetful(stranger: Stranger, cut: int) -> Verifier:
    """A verifier with the key of each record at hand, whose node knows everything from a block on. Of one record the
    place is kept, too."""
    lab = stranger.lab
    data = stranger.registry.find_record(lab.id("data"))
    assert data is not None

    def known(digest: str) -> list[RecordView]:
        records = [RecordView(id=lab.id(name), key=key) for name, key in lab.keys.items() if name != "data"]
        place = replace(data, time=0)
        return [it for it in [place, *records] if digest.removeprefix("0x") in (it.id[2:], it.subject)]

    lab.node.lie = forgetting(cut)
    without = Stranger(lab, stranger.registry.chain.address)
    return Verifier(without.registry.knowing(known), without.copies)


def test_records(stranger: Stranger, lab: RevmLab, expected: Path) -> None:
    """From the block on that holds the first reveal: what it had sealed is older."""
    verifier = forgetful(stranger, 14)
    told = [lab.text(verifier.hash(lab.id(name))) for name in NAMES]
    expect(expected / "forgotten, records.txt", "\n".join(told))


def test_everything_else(stranger: Stranger, lab: RevmLab, tmp_path: Path, expected: Path) -> None:
    """From a block on that is behind all that was done."""
    verifier = forgetful(stranger, 36)
    registry, without = verifier._registry, Verifier(verifier._registry.knowing(), verifier._copies)
    without._registry.keys = []
    digits = {name: f"0x{each}" for each, name in lab.names.items()}
    transactions = [f"0x{each.hex()}" for each, it in lab.node.transactions.items() if it["blockNumber"] in (4, 20)]
    told = ["BY ITS HASH"]
    told += [lab.text(verifier.hash(digits[name])) for name in ("<content of data>", "<root>", "<seal>")]
    told += [lab.text(verifier.hash(digits["<seal>"], (), [(1, ALICE.address)]))]
    told += ["OF A ROOT", *(lab.text(check_root(registry, digits["<root>"], groups)) for groups in ((), (1,), (2,)))]
    told += ["OF A TRANSACTION", *(lab.text(verifier.transaction(each)) for each in (*transactions, lab.refused))]
    told += ["WITHOUT A KEY", lab.text(without.hash(lab.id("data"))), lab.text(without.hash("0x" + "97" * 32))]
    (tmp_path / "data").write_text("content of data\n")
    (tmp_path / "other").write_text("other")
    told += ["OF A FILE", *(lab.text(verifier.path(tmp_path / name)) for name in ("data", "other"))]
    told += [lab.text(verifier.path(tmp_path / "data", lab.id("data")))]
    told += [lab.text(without.path(tmp_path / "data", lab.id("data")))]
    told += ["WHICH WAS FIRST"]
    for one, other in (
        *(("data", "run"), ("run", "data"), ("first in a block", "second in a block"), ("data", "rests on it")),
        *(("batched and stored", "retracted"), ("data", "batched alone"), ("data", "data")),
    ):
        told += [lab.text(each.before(lab.id(one), lab.id(other))) for each in (verifier, without)]
    names = [f"batched {name}" for name in ("and stored", "alone", "and cancelled")]
    tree = MerkleTree([lab.id(name) for name in names])
    told += ["OF A BATCH"]
    told += [lab.text(verifier.batched(lab.keys[name], tree.root, tree.proof(lab.id(name)))) for name in names]
    expect(expected / "forgotten, everything else.txt", "\n".join(told).replace(str(tmp_path), "(files)"))


def test_a_membership_is_told_by_the_state_if_it_did_not_change_in_that_second(
    stranger: Stranger, lab: RevmLab
) -> None:
    """Where the node has forgotten since when it is held."""
    lab.node.lie = forgetting(36)
    registry = Stranger(lab, stranger.registry.chain.address).registry
    nobody = "0x" + "0e" * 20
    held, ended = registry.membership(1, ALICE.address), registry.membership(4, MALLORY.address)
    assert held.until == NO_END
    assert ended.since < ended.until
    assert registry.membership(1, nobody).version == 0
    end = "its membership ended 2025-06-15 15:12:16 UTC"
    for group, account, time, told in (
        (1, ALICE.address, held.since - 1, False), (1, ALICE.address, held.since, False),
        (1, ALICE.address, held.since + 1, True), (1, nobody, 1, False), (1, nobody, 0, False),
        (4, MALLORY.address, ended.since + 1, True), (4, MALLORY.address, ended.until, False),
        (4, MALLORY.address, ended.until - 1, True), (4, MALLORY.address, ended.until + 1, True),
    ):  # fmt: skip
        member = member_at(registry, group, account, Position(30, 0, 0), time)
        expected = registry.membership(group, account) if told else None
        later = f"{end} (state), by whom and why is forgotten" if told and group == 4 else None
        assert member == MemberAt(expected, later, None if told else registry.history.gap)
