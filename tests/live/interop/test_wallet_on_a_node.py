"""An application of viem on a real node: it encodes, sends and decodes from the ABI alone."""

from __future__ import annotations

from tests.findings.conftest import ALICE, CAROL, DATA, domain, found
from tests.live.interop.libraries import ask, message, raw
from tests.model.registry import RECORDED
from tests.support.artifacts import artifact
from tests.support.node import anvil


def test_a_record_and_its_parent() -> None:
    with anvil() as chain:
        registry = found(chain.deploy("LabRegistry", CAROL.address, True))
        chain.rpc("anvil_setBalance", [ALICE.address, hex(10**18)])
        child = DATA._replace(kind=2, parents=((domain(registry).record_id(DATA), 1),))
        common = {
            "rpc": chain.url,
            "key": ALICE.key.secret,
            "address": registry.address,
            "abi": artifact("LabRegistry").abi,
        }
        early, first, second, again = ask(
            {"call": "refused", "record": message(child)} | common,
            {"call": "record", "record": message(DATA)} | common,
            {"call": "record", "record": message(child)} | common,
            {"call": "refused", "record": message(DATA)} | common,
        )
        assert early == {"errorName": "UnknownParent", "args": [first["id"]]}
        assert again == {"errorName": "RecordExists", "args": [first["id"], first["status"]["recordedAt"]]}
        for key, answer in ((DATA, first), (child, second)):
            assert raw(answer["id"]) == domain(registry).record_id(key)
            status = registry.read("statusOf", raw(answer["id"]))
            assert (answer["status"]["status"], answer["status"]["recordedAt"]) == (RECORDED, status[4])
            (event,) = answer["events"]
            assert event["eventName"] == "Recorded"
            assert event["args"].pop("id") == answer["id"]
            assert event["args"].pop("author").lower() == ALICE.address
            shown = {name: value for name, value in message(key).items() if name != "author"}
            shown |= {"subject": "0x" + key.subject.hex(), "manifest": "0x" + key.manifest.hex()}
            shown["parents"] = [{"parent": "0x" + p.hex(), "relation": r} for p, r in key.parents]
            assert event["args"] == shown
