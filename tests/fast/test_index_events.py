"""Logs as the index reads them."""

import pytest

from blockchaintracer.core.chain import load_artifact
from blockchaintracer.core.chain.answers import _are_logs as are_logs


def test_every_event_that_changes_something_is_read():
    """A new event of the contract must be taken up here, or be left out on purpose."""
    from blockchaintracer.extras.search.database import EVENTS

    names = {entry["name"] for entry in load_artifact()["abi"] if entry["type"] == "event"}
    ignored = {
        "Anchored",
        "BatchEnded",
        "EIP712DomainChanged",
        "ForeignAttested",
        "GroupTransferStarted",
        "GroupTransferred",
        "Invited",
        "LeavesAnchored",
        "OwnershipTransferStarted",
        "OwnershipTransferred",
        "RecordCancelled",
        "Sealed",
        "SuccessorAnnounced",
    }
    assert names == set(EVENTS) | ignored


@pytest.mark.parametrize(
    "name", ["address", "data", "topics", "transactionHash", "blockHash", "blockNumber", "logIndex"]
)
def test_one_malformed_log_among_good_ones_is_no_answer(name):
    """Values are looked at once each, however many logs share them: none may slip through by that."""
    word = "0x" + "ab" * 32
    good = {"address": "0x" + "12" * 20, "data": "0x00", "topics": [word], "transactionHash": word, "blockHash": word}
    good |= {"blockNumber": "0x1", "logIndex": "0x0", "transactionIndex": "0x0"}
    assert are_logs([good, dict(good)], [])
    for value in (None, 1, {}, "", "0x1z", "0xg", [None], [["a"]], [word + "0"]):
        assert not are_logs([good, {**good, name: value}, good], [])
    assert not are_logs([{key: value for key, value in good.items() if key != name}], [])
