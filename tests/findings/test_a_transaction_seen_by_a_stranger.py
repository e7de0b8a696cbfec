"""`verify` of a transaction that stored no record said "Verified: 1 checks passed" without who did what."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.record import GlobalId, Kind, Role, Verdict, from_hex
from blockchaintracer.lab.attest import attest, attest_foreign, retract, withdraw
from blockchaintracer.lab.batches import anchor, batching, materialize
from blockchaintracer.lab.groups import create_group, invite, join, remove_member
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.content import record_content
from tests.support.artifacts import artifact
from tests.support.labs import second_lab, typed
from tests.support.telling import sent, web3_of

pytestmark = pytest.mark.node


def recorded(lab: Lab, folder: Path) -> Any:
    file = folder / os.urandom(4).hex()
    file.write_bytes(os.urandom(20))
    return record_content(lab, Kind.DATASET, file)


def last(lab: Lab) -> str:
    """Hash of the transaction that the lab sent last."""
    return max(lab.outbox.entries(), key=lambda entry: entry.block.number if entry.block else 0).transaction or ""


def seen(lab: Lab, home: Path, transaction: str) -> str:
    where = ("--rpc", lab.devnet.start().url, "--chain-id", "77787", "--registry", lab.registry.address)
    done = typed("verify", transaction, *where, home=home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sent it" in done.stdout
    return done.stdout


def test_who_did_what_and_what_holds_today(lab: Lab, tmp_path: Path) -> None:
    home, me = tmp_path / "stranger", lab.signer.address
    record = recorded(lab, tmp_path)
    other = second_lab(lab, tmp_path / "other")
    them, group = other.signer.address, other.group()

    created = create_group(lab, "A second group")
    text = seen(lab, home, created.transaction or "")
    assert f"group {created.group} was created, owned by {me}" in text
    assert (
        f"the membership of {me} in group {created.group} has the roles maintainer, recorder, reviewer, without" in text
    )

    attest(other, record.id, Verdict.DISPUTED)
    given = last(other)
    assert f"{them}, for group {group}, gave the verdict disputed on record {record.id}" in seen(lab, home, given)
    assert "today the group's verdict is disputed" in seen(lab, home, given)
    withdraw(other, record.id)
    assert f"{them}, for group {group}, withdrew its verdict disputed on record {record.id}" in seen(
        lab, home, last(other)
    )
    assert "it was changed since: the group's verdict is none" in seen(lab, home, given)

    foreign = GlobalId(5, lab.registry.address, "ab" * 32)
    attest_foreign(other, foreign, Verdict.REVIEWED)
    text = seen(lab, home, last(other))
    assert f"gave the verdict reviewed on record 0x{'ab' * 32} of registry {lab.registry.address} on chain 5" in text

    join(other, invite(lab, 1, them, Role.RECORDER))
    joined = last(other)
    assert f"the membership of {them} in group 1 has the roles recorder, without end, by {me}" in seen(
        lab, home, joined
    )
    remove_member(lab, 1, them)
    assert f"the membership of {them} in group 1 ended, by {me}" in seen(lab, home, last(lab))
    assert "it was changed since (until" in seen(lab, home, joined)

    retract(lab, record.id, "wrong file")
    text = seen(lab, home, last(lab))
    assert f"{me}, for group 1, retracted record {record.id}: its reason has the digest" in text
    assert "today the record is retracted" in text


@pytest.mark.parametrize("leaves", [False, True])
def test_a_batch_and_what_was_stored_from_it(lab: Lab, tmp_path: Path, leaves: bool) -> None:
    home, me = tmp_path / "stranger", lab.signer.address
    with batching(lab):
        batched = [recorded(lab, tmp_path) for _ in range(3)]
    root = anchor(lab, leaves=leaves).root
    how = "counted" if leaves else "declared"
    assert f"{me} anchored the batch {root} of 3 records ({how}) for group {lab.group()}" in seen(lab, home, last(lab))
    materialize(lab, batched[0].id)
    text = seen(lab, home, last(lab))
    assert f"record {batched[0].id} was stored from the batch {root}" in text
    assert f"Record {batched[0].id}" in text


def test_what_no_verb_sends(lab: Lab, tmp_path: Path) -> None:
    home, me = tmp_path / "stranger", lab.signer.address
    with batching(lab):
        batched = recorded(lab, tmp_path)
    anchor(lab)
    from blockchaintracer.lab.kept_proofs import find_proof

    proof = find_proof(lab, batched.id)
    assert proof is not None
    text = seen(lab, home, sent(lab, "cancel", proof.key.as_abi()))
    assert f"{me} cancelled record {batched.id}" in text
    assert "today the record is cancelled" in text
    text = seen(lab, home, sent(lab, "describeGroup", 1, bytes.fromhex("cd" * 32)))
    assert f"group 1 was described by the manifest {'cd' * 32}" in text


def test_a_bounty_is_not_the_registry_and_is_named(lab: Lab, tmp_path: Path) -> None:
    """What another contract did is not verified here; who called which contract is told."""
    record, other = recorded(lab, tmp_path), second_lab(lab, tmp_path / "sponsored", name="Sponsored")
    web3, me = web3_of(lab.chain), lab.signer.address
    compiled = artifact("ReplicationBounty")
    lab.chain.ask("anvil_impersonateAccount", me)
    made = web3.eth.contract(abi=compiled.abi, bytecode=compiled.bytecode).constructor(lab.registry.address)
    receipt = web3.eth.wait_for_transaction_receipt(made.transact({"from": me}))
    days = 86_400
    lab.chain.ask("evm_increaseTime", hex(days))  # so old a group must be
    lab.chain.ask("evm_mine")
    bounty, now = receipt["contractAddress"], lab.chain.head().timestamp
    terms = (me, from_hex(record.id), [other.group()], "0x" + "00" * 20, 1, now + days, now + 9 * days)
    fund = web3.eth.contract(bounty, abi=compiled.abi).functions.fund(terms)
    transaction = bytes(fund.transact({"from": me, "value": 1})).hex()
    where = ("--rpc", lab.devnet.start().url, "--chain-id", "77787", "--registry", lab.registry.address)
    done = typed("verify", transaction, *where, home=tmp_path / "stranger")
    assert done.returncode == 1
    assert f"{me} called {bounty}. The call and its logs (of {bounty}) are not decoded" in done.stdout


def test_a_number_agrees_with_its_noun(lab: Lab, tmp_path: Path) -> None:
    assert "Not verified: 1 check failed" in typed("verify", "ef" * 32, home=lab.home.path).stdout
