"""A member's account that ran code by EIP-7702 anchored a batch. Then it ended that, and the node forgot what was.

A verifier said that another had sent the root, and not its author. What is gone can't be told: it is unknown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blockchaintracer.core.chain import Registry, load_artifact
from blockchaintracer.core.record import Role, from_hex
from blockchaintracer.core.verify.authorship import check_anchorer
from blockchaintracer.core.verify.commitments import anchored
from blockchaintracer.lab.devnet.chain_state import call
from blockchaintracer.lab.groups import invite
from blockchaintracer.lab.lab import Lab
from tests.node.test_verify import FORWARDER, REFUSED, lying_registry, place, port, relay
from tests.support.labs import shared_lab

pytestmark = pytest.mark.node

ROOT = "ab" * 32


@pytest.fixture
def lab(tmp_path) -> Iterator[Lab]:
    with shared_lab(tmp_path) as lab:
        yield lab


def test_an_anchor_by_code_that_is_gone(lab) -> None:
    author = place(lab, f"ef0100{place(lab, FORWARDER)[2:].lower()}")
    offer, to = invite(lab, lab.group(), author, Role.RECORDER), "0x" + "00" * 12 + lab.registry.address[2:]
    joining = ("joinBySig", tuple(offer["invitation"].values()), from_hex(offer["signature"]))
    relay(lab, author, to + lab.registry.call_data(*joining)[2:])
    [inputs] = [entry["inputs"] for entry in load_artifact()["abi"] if entry.get("name") == "anchor"]
    values = {"group": lab.group(), "declaredCount": 1, "root": from_hex(ROOT), "manifest": bytes(32)}
    anchor = lab.registry.call_data("anchor", *(values[entry["name"]] for entry in inputs))
    sender = relay(lab, author, to + anchor[2:])

    def said(registry: Registry) -> tuple[str, str]:
        batch = anchored(registry, lab.group(), author, ROOT)
        assert batch
        check = check_anchorer(registry, author, batch)
        return check.verdict.value, check.detail

    verdict, detail = said(lab.registry)
    assert verdict == "pass"
    assert f"{author} ran the code of 0x" in detail
    assert sender in detail

    call(port(lab), "anvil_setCode", author, "0x")
    forgetful = lying_registry(lab, lambda method, params, _: REFUSED if is_old_code(method, params) else None)
    verdict, detail = said(forgetful)
    assert verdict == "unknown"
    assert f"doesn't tell what code {author} had then" in detail


def is_old_code(method: str, params: list[str]) -> bool:
    return method == "eth_getCode" and params[1] != "latest"
