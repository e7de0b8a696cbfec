"""A receipt names no transaction, and a header that a node has forgotten no place: what a stranger's file said of both
counted. A record was not verified for the transaction of another, and the later record "verified" to be the earlier.
Without a node, a line of an archive's events made one not verified: a receipt in a block that stands shows a
retraction, and a line is a reason to ask a node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import rlp

from blockchaintracer.core.chain.abi import interface
from blockchaintracer.core.record import Domain, checksummed
from blockchaintracer.core.record_key_file import KeyFile
from blockchaintracer.core.trust import Trust
from blockchaintracer.core.verify.copies import FolderCopies
from blockchaintracer.core.verify.inclusion import Inclusion
from blockchaintracer.core.verify.published_proofs import of_files, proof_name, published_keys
from blockchaintracer.core.verify.verifier import Verifier
from blockchaintracer.extras.archive.form import EVENTS
from blockchaintracer.extras.archive.offline import OfflineReport, verify_offline
from blockchaintracer.lab.chain.receipts import prove_inclusion
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Op
from blockchaintracer.lab.verify_here import verify
from tests.support.memory_node import answering, forgetful
from tests.support.registry_life import FULL, Life, live

pytestmark = pytest.mark.evm


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return live(tmp_path_factory.mktemp("life"))


def changed(life: Life, folder: Path, name: str, change: Callable[[Inclusion], Inclusion]) -> Path:
    """A published folder whose key file of a record has another receipt."""
    good = KeyFile.read_file(life.published / proof_name(life.ids[name]))
    path = folder / proof_name(good.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(replace(good, receipts=tuple(map(change, good.receipts))).to_bytes())
    return folder


def at_block(number: int) -> Callable[[Inclusion], Inclusion]:
    def moved(it: Inclusion) -> Inclusion:
        fields = rlp.decode(bytes.fromhex(it.header[2:]))
        digits = number.to_bytes((number.bit_length() + 7) // 8)
        return replace(it, header="0x" + rlp.encode([*fields[:8], digits, *fields[9:]]).hex(), raw="")

    return moved


def stranger(life: Life, tmp_path: Path) -> Lab:
    return life.open_lab(tmp_path / "home", FULL)


def alone(life: Life, record: str, folder: Path, blocks: list[str]) -> OfflineReport:
    """What the folder says without a node."""
    trust = Trust(registry=life.lab.registry_address, chain_id=4242, blocks=(*blocks,))
    domain = Domain(4242, checksummed(life.lab.registry_address))
    return verify_offline(domain, record, [str(folder)], trust)[0]


def retraction(life: Life, folder: Path, file: KeyFile, blocks: list[str]) -> tuple[str, str]:
    """The outcome, and what is said of a retraction."""
    path = folder / proof_name(file.id)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(file.to_bytes())
    report = alone(life, file.id, folder, blocks)
    [check] = [it for it in report.checks if it.name == "retraction"]
    return str(report.conclusion), str(check.verdict)


@pytest.mark.parametrize("headers", [True, False])
@pytest.mark.parametrize("order", [1, -1])
def test_the_transaction_of_another_record_decides_nothing(
    life: Life, tmp_path: Path, headers: bool, order: int
) -> None:
    later = life.transactions["late"]
    cut = int(life.node.transactions[later]["blockNumber"], 16)
    lying = changed(life, tmp_path / "lying", "data", lambda it: replace(it, transaction=later, raw=""))
    with answering(full=forgetful(life.node, "4444", cut, headers=headers)):
        for folders in ([lying], [lying, life.published][::order]):
            report = verify(stranger(life, tmp_path), life.ids["data"], sources=folders)
            assert str(report.conclusion) == "verified", report.failed
            assert later not in str(report.as_json())


def test_a_place_in_a_forgotten_block_tells_no_order(life: Life, tmp_path: Path) -> None:
    folder = changed(life, tmp_path / "moved", "data", at_block(10**6))
    changed(life, folder, "model", at_block(1))
    with answering(full=forgetful(life.node, "4444", 20)):
        report = verify(stranger(life, tmp_path), life.ids["model"], sources=[folder])
        assert str(report.conclusion) == "verified", report.failed
        lab = stranger(life, tmp_path)
        verifier = Verifier(lab.registry.knowing(published_keys(lab.domain, [folder])), FolderCopies())
        ids = [life.ids["data"], life.ids["model"]]
        assert verifier.before(*ids).verified
        assert verifier.before(*reversed(ids)).verified is False


def test_a_subject_that_is_the_hash_of_a_transaction_makes_no_receipt_its_own(life: Life) -> None:
    good = KeyFile.read_file(life.published / proof_name(life.ids["data"]))
    claimed = replace(good.receipts[0], transaction=f"0x{good.key.subject}", raw="")
    [view] = of_files([replace(good, receipts=(claimed,))])
    assert (view.transaction, view.position.block) == ("", 0)  # type: ignore[union-attr]


@pytest.mark.parametrize("is_own", [True, False])
def test_without_a_node_the_author_sent_no_other_transaction(life: Life, tmp_path: Path, is_own: bool) -> None:
    """The receipt of one record came with what its author signed for another."""
    other = KeyFile.read_file(life.published / proof_name(life.ids["late"])).receipts[0]
    pair = {"transaction": other.transaction, "raw": other.raw} if not is_own else {}
    folder = changed(life, tmp_path / "paired", "data", lambda it: replace(it, **pair))
    [receipt] = KeyFile.read_file(folder / proof_name(life.ids["data"])).receipts
    report = alone(life, life.ids["data"], folder, [receipt.block_hash])
    [author] = [it for it in report.checks if it.name == "author"]
    assert (str(author.verdict), "sent it, recovered" in author.detail) == (
        ("pass", True) if is_own else ("unknown", False)
    )


def test_a_line_of_an_archive_retracts_nothing(life: Life, tmp_path: Path) -> None:
    good = KeyFile.read_file(life.published / proof_name(life.ids["data"]))
    blocks = [it.block_hash for it in good.receipts]
    assert retraction(life, tmp_path, good, blocks) == ("verified", "unknown")
    topics = interface().filter("Retracted", {"id": bytes.fromhex(good.id[2:])})
    (tmp_path / EVENTS).write_text(f"{topics}\n")
    assert retraction(life, tmp_path, good, blocks) == ("consistent", "unknown")


def test_a_receipt_in_a_block_that_stands_shows_a_retraction(life: Life, tmp_path: Path) -> None:
    [entry] = life.lab.outbox.entries(life.lab.chain_id, Op.RETRACT)
    assert entry.transaction
    assert entry.write.record_id
    made = life.lab.outbox.entries(life.lab.chain_id, Op.RECORD)
    sent = [it.transaction for it in made if it.write.record_id == entry.write.record_id] + [entry.transaction]
    with answering(full=life.node.answer):
        found = life.lab.registry.find_record(entry.write.record_id)
        receipts = tuple(prove_inclusion(life.lab.chain, it) for it in sent if it)
    assert found
    file = KeyFile(4242, checksummed(life.lab.registry_address), found.key, receipts=receipts)
    blocks = [it.block_hash for it in receipts]
    assert retraction(life, tmp_path, file, blocks) == ("not verified", "fail")
    # in a block that nobody trusts it is a stranger's word
    assert retraction(life, tmp_path, file, blocks[:1]) == ("verified", "unknown")
