"""Every function of the contracts that changes something has a verb, or stands here with the reason why not."""

from __future__ import annotations

import pytest

from blockchaintracer.cli import load
from tests.support.artifacts import artifact

pytestmark = pytest.mark.evm

VERBS = {
    "LabRegistry": {
        "acceptGroup": "group accept",
        "acceptOwnership": "registry accept",
        "anchor": "batch anchor",
        "anchorLeaves": "batch anchor",
        "announceSuccessor": "registry announce-successor",
        "attest": "attest",
        "attestBySig": "outbox relay",
        "attestForeign": "attest",
        "attestForeignWithEvidence": "attest",
        "attestWithEvidence": "attest",
        "attestWithEvidenceBySig": "outbox relay",
        "cancel": "batch cancel",
        "createGroup": "group create",
        "describeGroup": "group describe",
        "endBatch": "batch end",
        "join": "group join",
        "joinBySig": "group join",
        "materialize": "materialize",
        "record": "record",
        "recordBySig": "outbox relay",
        "recordMany": "outbox flush",
        "removeMember": "group remove",
        "retract": "retract",
        "reveal": "reveal",
        "revealVerdict": "reveal",
        "revealVerdictWithEvidence": "reveal",
        "seal": "seal record",
        "transferGroup": "group transfer",
        "transferOwnership": "registry transfer",
        "withdraw": "attest",
    },
    "LabRegistryFactory": {"deploy": "deploy"},
    "RegistryLens": {},
    "ReplicationBounty": {
        "fund": "bounty fund",
        "enter": "bounty enter",
        "claim": "bounty claim",
        "refund": "bounty refund",
    },
    "RecordResolver": {},
}
WITHOUT = {
    "LabRegistry": {
        "invite": "for a contract as inviter, which calls it itself: who has a key signs by `group invite`",
        "renounceOwnership": "it gives the registry up for good, and nobody could announce its successor",
    },
}


@pytest.mark.parametrize("contract", VERBS)
def test_each_function_has_a_verb_or_a_reason(contract: str) -> None:
    changing = {
        entry["name"]
        for entry in artifact(contract).abi
        if entry["type"] == "function" and entry["stateMutability"] in ("nonpayable", "payable")
    }
    verbs, without = VERBS[contract], WITHOUT.get(contract, {})
    assert changing == {*verbs, *without}
    assert not {*verbs} & {*without}
    for typed in verbs.values():
        verb, *below = typed.split()
        command = load(verb)
        for name in below:
            command = command.commands[name]  # type: ignore[attr-defined]
        assert command.help, typed
