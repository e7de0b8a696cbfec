"""Ids followed the chain id of the moment. On the branch of a split that takes another id, every stored record was
unknown by its key: it could not be retracted, revealed, materialized or be evidence, and could be recorded a second
time."""

from __future__ import annotations

import pyrevm
import pytest
from eth_hash.auto import keccak

from blockchaintracer.core.chain.known_code import registry_code
from tests.findings.conftest import ALICE, BOB, DATA, MALLORY, domain, refusal, run_reproducing
from tests.model.eip712 import record_commitment
from tests.model.registry import CLEAN, NO_END, REPRODUCED
from tests.support.artifacts import artifact
from tests.support.evm import Chain, Contract

pytestmark = pytest.mark.evm

SALT = b"\x5a" * 32


def place(base: str, *keys: bytes) -> int:
    """Where a mapping of mappings keeps a value."""
    at = artifact("LabRegistry").slots[base].to_bytes(32, "big")
    for key in keys:
        at = keccak(key.rjust(32, b"\0") + at)
    return int.from_bytes(at, "big")


def moved(registry: Contract, chain_id: int, places: list[int]) -> Contract:
    """The same code and storage on a chain with another id, as after a split."""
    new = Chain(chain_id, now=registry.chain.now)
    code = registry.chain.evm.get_code(registry.address)
    new.evm.insert_account_info(registry.address, pyrevm.AccountInfo(nonce=1, code=code))
    there = Contract(new, registry.interface, registry.address)
    for at in places:
        there.store(at, registry.load(at))
    return there


def test_what_was_recorded_sealed_and_anchored_is_reached_by_its_key(registry) -> None:
    record, _ = registry.send(ALICE.address, "record", DATA)
    run, plan, batched = run_reproducing(record), DATA._replace(kind=5), DATA._replace(kind=2)
    run_id, _ = registry.send(BOB.address, "record", run)
    commitment = record_commitment(registry.read("idOf", plan), SALT)
    registry.send(ALICE.address, "seal", 1, commitment)
    root, _ = registry.send(ALICE.address, "anchorLeaves", 1, (registry.read("idOf", batched),))
    alice, bob = (bytes([group]) + bytes.fromhex(who.address[2:]) for group, who in ((1, ALICE), (2, BOB)))
    places = [
        place("_memberships", alice),
        place("_memberships", bob),
        place("_records", record),
        place("_records", run_id),
        place("_sealedAt", alice, commitment),
        place("_batches", alice, root),
    ]
    after = moved(registry, registry.chain.chain_id + 1, places)
    assert after.read("idOf", DATA) == record
    assert after.read("lineageStatus", (DATA,), ()) == (CLEAN, bytes(32))
    assert refusal(lambda: after.send(ALICE.address, "record", DATA))[0] == "RecordExists"
    after.send(ALICE.address, "reveal", plan, SALT)
    after.send(ALICE.address, "materialize", batched, root, ())
    after.send(BOB.address, "attestWithEvidence", 2, record, REPRODUCED, run)
    after.send(ALICE.address, "retract", DATA, bytes(32))


def test_signatures_follow_the_chain_id(registry) -> None:
    """What was signed for one branch is worth nothing on the other."""
    alice = place("_memberships", b"\1" + bytes.fromhex(ALICE.address[2:]))
    signature = ALICE.sign(domain(registry).record_authorization(DATA, NO_END))
    there = moved(registry, registry.chain.chain_id + 1, [alice])
    call = ("recordBySig", DATA, NO_END, signature)
    assert refusal(lambda: there.send(MALLORY.address, *call)) == ("InvalidSignature", (ALICE.address,))
    registry.send(MALLORY.address, *call)


def test_the_client_knows_the_code_with_the_domain_of_ids_in_it(registry) -> None:
    """It computes the code of every registry, and what is fixed in it is part of that."""
    code = bytes(registry.chain.evm.get_code(registry.address)).rstrip(b"\0")
    known = registry_code(registry.chain.chain_id, registry.address, True).rstrip(b"\0")
    assert code == known


def test_a_record_of_the_other_branch_is_foreign(registry) -> None:
    """The same id names a record on each branch: which of them is here, the chain id of now tells."""
    alice = place("_memberships", b"\1" + bytes.fromhex(ALICE.address[2:]))
    there = moved(registry, registry.chain.chain_id + 1, [alice])
    record = there.read("idOf", DATA)
    assert record == registry.read("idOf", DATA)
    here, elsewhere = ((chain.chain_id, registry.address, record) for chain in (there.chain, registry.chain))
    assert refusal(lambda: there.send(ALICE.address, "attestForeign", 1, here, 1)) == ("NotForeign", (record,))
    there.send(ALICE.address, "attestForeign", 1, elsewhere, 1)


def test_a_clone_has_the_ids_of_its_original_and_not_its_signatures(registry) -> None:
    """What docs/contracts.md says of clones. A clone is no registry: its code is another."""
    code = f"363d3d373d3d3d363d73{registry.address[2:]}5af43d82803e903d91602b57fd5bf3"
    address = "0x" + "c1" * 20
    account = pyrevm.AccountInfo(nonce=1, code=bytes.fromhex(code))
    registry.chain.evm.insert_account_info(address, account)
    clone = Contract(registry.chain, registry.interface, address)
    clone.store(place("_memberships", b"\1" + bytes.fromhex(ALICE.address[2:])), 7 | (2**40 - 1) << 72)
    assert clone.read("idOf", DATA) == registry.read("idOf", DATA)
    signature = ALICE.sign(domain(registry).record_authorization(DATA, NO_END))
    call = ("recordBySig", DATA, NO_END, signature)
    assert refusal(lambda: clone.send(MALLORY.address, *call)) == ("InvalidSignature", (ALICE.address,))
    registry.send(MALLORY.address, *call)
