"""A member records, and behind it in the same block its membership ends or changes. Where a node had forgotten when the
member joined, `verify` read the state alone, and called a record that the registry had accepted "not verified"."""

from __future__ import annotations

from typing import Any

import pytest

from blockchaintracer.core.record import Role
from tests.evm.verify.conftest import file_of
from tests.model.eip712 import Invitation
from tests.model.registry import NO_END
from tests.support.revm_lab import ALICE, BOB, RevmLab, Stranger

pytestmark = pytest.mark.evm


@pytest.mark.parametrize("then", ["removed", "other roles"])
@pytest.mark.parametrize("remembers", ["everything", "nothing before the record"])
def test_verify(tmp_path, remembers: str, then: str) -> None:
    lab = RevmLab(tmp_path)
    lab.join(BOB, int(Role.RECORDER))
    key = file_of(lab, "data", author=BOB.address)
    cut = lab.node.number
    lab.record(key, BOB, mine=False)
    if then == "removed":
        lab.do(ALICE, "removeMember", 1, BOB.address, mine=False)
    else:
        versions = [lab.registry.read("membershipOf", 1, it.address)[3] for it in (ALICE, BOB)]
        other = Invitation(1, ALICE.address, BOB.address, int(Role.REVIEWER), NO_END, *versions, NO_END)
        lab.do(BOB, "joinBySig", other, ALICE.sign(lab.domain.invitation(other)), mine=False)
    lab.node.mine(4)
    assert lab.registry.read("statusOf", bytes.fromhex(lab.id(key)[2:]))[2] == 2, "the registry took it"
    recorded_at = lab.registry.read("statusOf", bytes.fromhex(lab.id(key)[2:]))[4]
    member = lab.registry.read("membershipOf", 1, BOB.address)
    assert recorded_at == (member[2] if then == "removed" else member[1]), "the second of the record"

    def number(value: str) -> int:
        return {"latest": 10**9, "finalized": 10**9, "safe": 10**9, "pending": 10**9, "earliest": 0}.get(value) or (
            int(value, 16) if value.startswith("0x") else 0
        )

    def lie(method: str, params: list[Any], result: Any) -> Any:
        if remembers == "everything":
            return result
        if method == "eth_getLogs":
            return [log for log in result if int(log["blockNumber"], 16) >= cut]
        if method == "eth_getBlockByNumber" and 0 < number(params[0]) < cut:
            return None
        if method in ("eth_getBlockByHash", "eth_getTransactionReceipt", "eth_getTransactionByHash") and result:
            at = result.get("blockNumber") or result.get("number")
            return None if 0 < int(at, 16) < cut else result
        return result

    lab.node.lie = lie
    with lab.node.serving() as url:
        report = Stranger(lab, url).verifier.hash(lab.id(key))
    [role] = [check for check in report.checks if check.name == "role"]
    assert role.verdict == ("pass" if remembers == "everything" else "unknown")
    assert str(report.conclusion) == "verified"
