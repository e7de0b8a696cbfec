"""A write that others made pointless stays out of the way of those behind it; so does what another key signed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.chain import Chain, Registry
from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified
from blockchaintracer.core.networks import network_by_name
from blockchaintracer.core.record import Kind, Verdict
from blockchaintracer.lab.attest import attest
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import EntryState, Op, Transaction
from blockchaintracer.lab.recording.content import record_content
from tests.support.labs import again, second_lab, shared_lab
from tests.support.telling import Ask, Telling, telling

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with shared_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


def file(folder: Path, text: str) -> Path:
    path = folder / "data.csv"
    path.write_text(text)
    return path


def test_what_was_overtaken_fails_and_the_next_write_goes_on(lab: Lab, tmp_path: Path) -> None:
    other = second_lab(lab, tmp_path / "other")
    record = record_content(lab, Kind.DATASET, file(tmp_path, "1\n")).id
    # entered, and before it was sent the group said something else, from another machine
    waits = disputed(other, record)
    attest(other, record, Verdict.REVIEWED)
    other.outbox.add_transaction(other.chain_id, waits, other.signer.address)
    with pytest.raises(InputError, match="somebody else"):
        again_on(other).flush()
    assert other.outbox.find_entry(other.chain_id, waits).state is EntryState.FAILED
    assert record_content(again_on(other), Kind.DATASET, file(tmp_path, "2\n")).state in ("included", "final")


def disputed(lab: Lab, record: str) -> Transaction:
    fields = {"record_id": record, "group": lab.group(), "version": 0, "verdict": int(Verdict.DISPUTED)}
    return Transaction(Op.ATTEST, lab.registry.address, **fields, evidence=None)


def again_on(lab: Lab) -> Lab:
    return Lab(lab.home, rpc=lab.rpc, registry_address=lab.registry_address)


def test_what_another_key_signed_is_signed_again(lab: Lab, tmp_path: Path) -> None:
    other = second_lab(lab, tmp_path / "other", "A third lab")
    record = record_content(lab, Kind.DATASET, file(tmp_path, "3\n")).id
    write = disputed(other, record)
    entry = other.outbox.add_transaction(other.chain_id, write, lab.signer.address)
    other.outbox._update([entry], EntryState.SIGNED, raw=b"\x02signed by the other key", nonce=10**6, tx="ab" * 32)
    other.write(write)
    assert other.outbox.find_entry(other.chain_id, write).is_on_chain


def test_a_node_that_shows_another_record_under_the_id_is_not_believed(lab: Lab, tmp_path: Path) -> None:
    recorded = record_content(again(lab), Kind.DATASET, file(tmp_path, "4\n"))

    def another(request: dict[str, Any], ask: Ask) -> dict[str, Any]:
        answer = ask(request)
        if request["method"] == "eth_getLogs":
            for log in answer["result"]:
                log["data"] = log["data"].replace(recorded.manifest, "ab" * 32)
        return answer

    with pytest.raises(NotVerified, match="another record"):
        Registry(telling(lab.devnet.start().url, another), lab.registry.address).find_record(recorded.id)


def without_blocks(request: dict[str, Any], ask: Ask) -> dict[str, Any]:
    """A node that knows the first block and none that came after."""
    if request["method"] not in ("eth_getBlockByNumber", "eth_getHeaderByNumber"):
        return ask(request)
    is_head = request["params"][0] == "latest"
    return ask(request | {"params": ["0x0", *request["params"][1:]]}) if is_head else {"result": None}


class Public(Chain):
    """The devnet, taken for a public chain."""

    network = network_by_name("base-sepolia")


def test_a_node_that_is_behind_loses_nothing(lab: Lab, tmp_path: Path) -> None:
    recorded = record_content(again(lab), Kind.DATASET, file(tmp_path, "5\n"))
    with pytest.raises(ChainUnavailable, match="does not have the block yet"):
        lab.outbox.recheck(Public(Telling(lab.devnet.start().url, without_blocks)))
    assert all(entry.is_on_chain for entry in lab.outbox.entries_about(recorded.id))
