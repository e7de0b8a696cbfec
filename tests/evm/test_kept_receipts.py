"""What proves that a block holds a transaction is kept at inclusion: a node that has forgotten receipts still serves.

Nothing is kept that is not proven, and a node that gives no receipts stops nothing.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rlp
from eth_account import Account
from eth_utils import keccak

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import Kind
from blockchaintracer.core.record_key_file import KeyFile
from blockchaintracer.core.verify import Outcome, Report
from blockchaintracer.core.verify.inclusion import Inclusion
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.verify_here import verify
from tests.support.memory_node import MODES, Answer, RpcError, answering, forgetful
from tests.support.registry_life import FULL, Life, live

LAST = 20


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return live(tmp_path_factory.mktemp("life"))


def detail(report: Report, name: str) -> str:
    return next(check.detail for check in report.checks if check.name == name)


def kept(life: Life, name: str) -> Inclusion:
    """The receipt of the transaction that stored a record, as the lab keeps it."""
    held = life.lab.outbox.receipts_naming(life.node.chain.chain_id, life.ids[name][2:])
    return next(it for it in held if it.transaction == life.transactions[name])


@pytest.mark.parametrize("mode", MODES)
def test_in_its_own_home_the_transaction_is_told_and_proven(life: Life, mode: str) -> None:
    with answering(full=forgetful(life.node, mode, LAST, headers=True)):
        lab = life.open_lab(life.lab.home.path, FULL)
        for name in ("data", "model", "late"):
            report = verify(lab, life.ids[name])
            assert str(report.conclusion) == "verified"
            assert life.transactions[name] in detail(report, "recorded")
            assert "by a receipt of that block that was kept" in detail(report, "recorded")
            assert (
                f"in block {int(life.node.transactions[life.transactions[name]]['blockNumber'], 16)}"
                in report.proves[0]
            )
        retracted = verify(lab, life.ids["wrong"])
        assert str(retracted.conclusion) == "not verified"
        assert detail(retracted, "retraction").endswith(f"by {life.lab.signer.address}: a sensor was broken")
        for name in ("stored", "batched"):
            report = verify(lab, life.ids[name])
            assert str(report.conclusion) == "verified"
            assert detail(report, "batch").startswith("in batch")
        report = verify(lab, life.transactions["data"])
        assert str(report.conclusion) == "verified"
        assert report.looked_up_as == "transaction"


@pytest.mark.parametrize("mode", MODES)
def test_without_the_header_it_is_told_and_the_state_decides(life: Life, mode: str) -> None:
    with answering(full=forgetful(life.node, mode, LAST)):
        lab = life.open_lab(life.lab.home.path, FULL)
        report = verify(lab, life.ids["data"])
        assert str(report.conclusion) == "verified"
        assert "transaction unknown but to who keeps its key" in detail(report, "recorded")
        # the retraction's own transaction is not the record's
        retraction = next(each for each in life.lab.outbox.entries() if each.write.op == "retract")
        assert str(retraction.transaction) not in detail(verify(lab, life.ids["wrong"]), "recorded")


def test_it_is_published_also_through_a_node_that_has_forgotten(life: Life, tmp_path: Path) -> None:
    with answering(full=forgetful(life.node, "4444", LAST, headers=True)):
        lab = life.open_lab(life.lab.home.path, FULL)
        publish(lab, life.ids["late"], tmp_path / "published")
        for name in ("late", "data"):
            file = KeyFile.read_file(tmp_path / "published" / "proofs" / f"{life.ids[name]}.json")
            assert [it.transaction for it in file.receipts] == [life.transactions[name]]
        stranger = life.open_lab(tmp_path / "home", FULL)
        report = verify(stranger, life.ids["late"], sources=[tmp_path / "published"])
        assert str(report.conclusion) == "verified"
        assert life.transactions["late"] in detail(report, "recorded")
        assert "that was kept" in detail(report, "recorded")


def test_a_receipt_of_another_chain_is_not_believed(life: Life, tmp_path: Path) -> None:
    """Whoever publishes can make a block in which anything happened: the chain has no such block."""
    real = kept(life, "data")
    fields = rlp.decode(bytes.fromhex(real.header[2:]))
    forged = replace(real, header="0x" + rlp.encode([*fields[:12], b"forged", *fields[13:]]).hex())
    path = life.published / "proofs" / f"{life.ids['data']}.json"
    (tmp_path / "published" / "proofs").mkdir(parents=True)
    file = replace(KeyFile.read_file(path), receipts=(replace(forged, transaction="0x" + "77" * 32, raw=""),))
    (tmp_path / "published" / "proofs" / path.name).write_bytes(file.to_bytes())
    with answering(full=forgetful(life.node, "4444", LAST, headers=True)):
        report = verify(life.open_lab(tmp_path / "home", FULL), life.ids["data"], sources=[tmp_path / "published"])
        assert str(report.conclusion) == "verified"
        assert "77" * 32 not in str(report.as_json())
        assert "recorded (state); transaction unknown" in detail(report, "recorded")
    with answering(full=forgetful(life.node, "4444", LAST)):
        report = verify(life.open_lab(tmp_path / "home", FULL), life.ids["data"], sources=[tmp_path / "published"])
        assert str(report.conclusion) == "verified"
        assert "transaction unknown but to who keeps its key" in detail(report, "recorded")


def published_with_another(life: Life, folder: Path, to: str) -> Path:
    """A published store where a stranger put an own transaction in the place of the one that stored a record."""
    real, other = kept(life, "data"), Account.create("other")
    call = {"to": to, "data": real.sent().data, "chainId": life.node.chain.chain_id, "nonce": 9}
    fees = {"gas": 10**6, "maxFeePerGas": 9, "maxPriorityFeePerGas": 1, "type": 2, "value": 0}
    signed = other.sign_transaction(call | fees)
    forged = replace(real, transaction="0x" + signed.hash.hex(), raw="0x" + signed.raw_transaction.hex())
    path = life.published / "proofs" / f"{life.ids['data']}.json"
    (folder / "proofs").mkdir(parents=True)
    file = replace(KeyFile.read_file(path), receipts=(forged,))
    (folder / "proofs" / path.name).write_bytes(file.to_bytes())
    return folder


def test_a_transaction_of_another_that_is_published_decides_nothing(life: Life, tmp_path: Path) -> None:
    """A receipt names no transaction: whoever publishes could name one that another account signed and that failed."""
    published = published_with_another(life, tmp_path / "published", life.lab.registry.address)
    for headers in (True, False):
        with answering(full=forgetful(life.node, "4444", LAST, headers=headers)):
            report = verify(life.open_lab(tmp_path / "home", FULL), life.ids["data"], sources=[published])
            assert str(report.conclusion) == "verified", report.failed
            assert "of the transaction that was kept" in detail(report, "author")
            report = verify(life.open_lab(tmp_path / "home", FULL), life.ids["data"], sources=[life.published])
            assert detail(report, "author").startswith(f"{life.lab.signer.address} sent it, recovered")


@pytest.mark.parametrize("headers", [True, False])
def test_it_does_not_say_what_an_author_with_code_did(life: Life, tmp_path: Path, headers: bool) -> None:
    """What an account with code did may be in anyone's transaction: in one of a stranger, too, that did nothing."""
    published = published_with_another(life, tmp_path / "published", life.other.signer.address)
    forgot = forgetful(life.node, "4444", LAST, headers=headers)
    delegated = "0xef0100" + "77" * 20

    def answer(method: str, params: list[Any]) -> Any:
        is_author = params and str(params[0]).lower() == life.lab.signer.address.lower()
        return delegated if (method, is_author) == ("eth_getCode", True) else forgot(method, params)

    with answering(full=answer):
        report = verify(life.open_lab(tmp_path / "home", FULL), life.ids["data"], sources=[published])
    assert str(report.conclusion) == "verified"
    [author] = [check for check in report.checks if check.name == "author"]
    assert author.verdict is Outcome.UNKNOWN, author
    assert "of the transaction that was kept" in author.detail


@pytest.mark.parametrize("part", ["header", "nodes", "index", "transaction", "raw"])
def test_what_proves_no_receipt_is_refused(life: Life, part: str) -> None:
    data: dict[str, Any] = kept(life, "data").as_json()
    assert Inclusion.from_json(json.loads(json.dumps(data))) == kept(life, "data")
    wrong = {
        "header": data["header"][:-2],
        "nodes": [*data["nodes"], "0x" + rlp.encode([b"\x20", b"1"]).hex()],
        "index": 1,
        "transaction": "0x12",
        "raw": data["raw"][:-2] + ("00" if data["raw"][-2:] != "00" else "01"),
    }
    with pytest.raises((ValueError, InputError)):
        Inclusion.from_json({**data, part: wrong[part]})


def refusing(life: Life) -> Answer:
    """A node that gives no block by its hash."""

    def answer(method: str, params: list[Any]) -> Any:
        if method == "eth_getBlockByHash":
            raise RpcError(-32601, "the method does not exist")
        return life.node.answer(method, params)

    return answer


def changing(life: Life) -> Answer:
    """A node that gives receipts that are not those of the header."""

    def answer(method: str, params: list[Any]) -> Any:
        told = life.node.answer(method, params)
        return [{**each, "cumulativeGasUsed": "0x5209"} for each in told] if method == "eth_getBlockReceipts" else told

    return answer


@pytest.mark.parametrize("node", [refusing, changing])
def test_a_node_that_gives_no_receipts_stops_nothing(
    node: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    life = live(tmp_path / "life")
    (tmp_path / "more.bin").write_bytes(b"more")
    with answering(full=node(life)), caplog.at_level(logging.WARNING):
        made = record_content(life.lab, Kind.DATASET, tmp_path / "more.bin")
    [said] = caplog.messages
    assert said.startswith("receipts of 1 transactions are not kept yet")
    assert "the next flush asks again" in said
    held = lambda: life.lab.outbox.receipts_naming(life.node.chain.chain_id, made.id[2:])  # noqa: E731
    assert held() == []
    with answering(full=life.node.answer):
        life.lab.flush()
    assert [it.transaction for it in held()] == [made.transaction]


def test_what_is_kept_of_a_block_that_the_chain_lost_counts_for_nothing(tmp_path: Path) -> None:
    life = live(tmp_path / "life")
    entry = next(each for each in life.lab.outbox.entries() if each.write.op == "record")
    assert life.lab.outbox.receipts_naming(entry.chain_id, str(entry.transaction)[2:])
    life.lab.outbox._db.execute("UPDATE entries SET block_hash = ? WHERE seq = ?", ("0x" + "00" * 32, entry.seq))
    assert not life.lab.outbox.receipts_naming(entry.chain_id, str(entry.transaction)[2:])


def test_the_header_binds_every_part(life: Life) -> None:
    inclusion = kept(life, "model")
    receipt = inclusion.receipt()
    assert receipt.block_hash == "0x" + keccak(bytes.fromhex(inclusion.header[2:])).hex()
    assert [log.topics for log in receipt.logs] == [
        tuple(log["topics"]) for log in life.node.receipts[life.transactions["model"]]["logs"]
    ]
    assert receipt.is_kept
    for at in range(2, len(inclusion.nodes[-1]), 97):
        digit = "0" if inclusion.nodes[-1][at] != "0" else "1"
        nodes = (*inclusion.nodes[:-1], inclusion.nodes[-1][:at] + digit + inclusion.nodes[-1][at + 1 :])
        with pytest.raises(ValueError, match=r"expected|missing"):
            replace(inclusion, nodes=nodes).receipt()


def test_the_verdict_without_the_keys_of_others_is_by_state(life: Life) -> None:
    with answering(full=forgetful(life.node, "null", LAST, headers=True)):
        report = verify(life.open_lab(life.lab.home.path, FULL), life.ids["model"])
        verdict = next(check for check in report.checks if check.name.startswith("verdict of"))
        assert verdict.verdict is Outcome.PASS
        assert "who gave it" in verdict.detail
        # the other lab gave it, and kept its receipt
        report = verify(life.open_lab(life.other.home.path, FULL), life.ids["model"], sources=[life.published])
        verdict = next(check for check in report.checks if check.name.startswith("verdict of"))
        assert verdict.values["attester"] == life.other.signer.address
