"""Two processes with one home saw a transaction refused: the slower one undid what the other had signed since.

Its entries lost their nonce and their bytes while they were on their way, or were marked as failed and then recorded.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from blockchaintracer.core.record import Kind, RecordKey, SubjectType
from blockchaintracer.lab.groups import create_group
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import Entry, EntryState, Op, Outbox, Transaction
from tests.support.memory_node import MemoryNode, answering
from tests.support.registry_life import FULL, KeptSigner

pytestmark = pytest.mark.evm


def entered(lab: Lab) -> Entry:
    digests = {"subject": os.urandom(32).hex(), "manifest": os.urandom(32).hex()}
    what = {"group": 1, "kind": Kind.DATASET, "subject_type": SubjectType.FILE, "parents": ()}
    key = RecordKey(author=lab.signer.address, **what, **digests)
    write = Transaction(Op.RECORD, lab.domain.registry, record_id=lab.domain.record_id(key), key=key)
    return lab.outbox.add_transaction(lab.chain_id, write, lab.signer.address)


@pytest.mark.parametrize("count", [1, 3])
def test_the_slower_one_changes_nothing(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node, signer = MemoryNode(), KeptSigner("owner")
    refused, sent = list[str](), list[str]()
    node.mine()
    registry = node.deploy("LabRegistry", signer.address, True)

    def answer(method: str, params: list[Any]) -> Any:
        if method != "eth_sendRawTransaction":
            return node.answer(method, params)
        raw = bytes.fromhex(params[0][2:])
        if refused:
            sent.append(params[0])
            return "0x" + keccak(raw).hex()
        node._next_block()
        refused.append(node._include(raw, signer.address, registry, b"", succeeded=False)["transactionHash"])
        return refused[0]

    def opened() -> Lab:
        return Lab(Home(tmp_path), rpc=FULL, registry_address=registry, signer_given=signer)

    with answering(full=node.answer):
        fast, slow = opened(), opened()
        create_group(fast, "A lab")
        entries = [entered(fast) for _ in range(count)]
    with answering(full=answer):
        seen: list[list[Entry]] = []
        wait = Outbox._wait

        def waiting(self: Outbox, flying: list[Entry], *given: Any) -> None:
            seen.append(flying)
            if len(seen) == 2:
                # what the slower one read a moment ago
                receipt = slow.chain.receipt(refused[0])
                assert receipt is not None
                assert slow.outbox._held(seen[0], slow.chain, signer, refused[0], receipt)
                kept = [(it.state, it.nonce, it.raw, it.transaction) for it in self.again(flying)]
                assert kept == [(it.state, it.nonce, it.raw, it.transaction) for it in flying]
            while sent:
                node.answer("eth_sendRawTransaction", [sent.pop()])
            wait(self, flying, *given)

        monkeypatch.setattr(Outbox, "_wait", waiting)
        if count == 1:
            with pytest.raises(Exception, match="it would pass now"):
                fast.outbox.flush(fast.chain, signer)
            fast.outbox.add_transaction(fast.chain_id, entries[0].write, signer.address)
        fast.outbox.flush(fast.chain, signer)
    assert len(seen) == count + 1
    assert {entry.state for entry in fast.outbox.again(entries)} <= {EntryState.INCLUDED, EntryState.FINAL}
