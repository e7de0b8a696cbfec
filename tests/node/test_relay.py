"""A member without coin signs records and verdicts into a file, and the lab's key sends them and pays."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from eth_utils.address import to_checksum_address

from blockchaintracer.core.errors import BlockchainTracerError, InputError
from blockchaintracer.core.record import NO_END, Kind, Link, Relation, Role, Verdict, from_hex
from blockchaintracer.lab.attest import attest, retract
from blockchaintracer.lab.formats import SIGNED_WRITES
from blockchaintracer.lab.groups import invite, join
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import Op
from blockchaintracer.lab.outbox.transactions import MOST_GAS
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.relay import SignedWrites, gas_of, relay, require_payable, sign_waiting
from tests.node.test_verify import send
from tests.support.labs import again, second_lab, shared_lab, typed

ACCEPTING = "631626ba7e60e01b5f5260205ff3"
"""An account that takes anything for its signature (ERC-1271)."""
BURNING = "62030d405b6001900380600457" + ACCEPTING
"""The same, which first counts down from 200,000: more than 5 million gas."""


@pytest.fixture
def lab(tmp_path):
    with shared_lab(tmp_path) as lab:
        yield lab


@pytest.fixture
def member(lab, tmp_path):
    """A recorder and reviewer of the lab's group, whose account has nothing left."""
    member = Lab(Home(tmp_path / "member"), rpc=lab.devnet.start().url, registry_address=lab.registry.address)
    address = member.signer.address
    lab.devnet.fund(address, 10**20)
    join(member, invite(lab, lab.group(), address, Role.RECORDER | Role.REVIEWER))
    lab.chain.ask("anvil_setBalance", address, "0x0")
    return again(member)


@pytest.fixture
def request_file(tmp_path):
    return tmp_path / "request.json"


def waiting(lab: Lab) -> Lab:
    """The lab, which leaves its records in the outbox."""
    return Lab(lab.home, rpc=lab.rpc, hand_over=True)


def balance(lab: Lab) -> int:
    return lab.chain.balance(lab.signer.address)


def nonce(lab: Lab) -> int:
    return lab.chain.nonce(lab.signer.address)


def signed(member: Lab) -> SignedWrites:
    request, others = sign_waiting(again(member), 3600)
    assert others == []
    return request


def results(lab: Lab, request: SignedWrites) -> list[str]:
    return [result for _, _, result in relay(lab, request)]


def test_a_member_without_coin_by_the_command_line(lab, member, file, request_file, tmp_path) -> None:
    other = second_lab(lab, tmp_path / "other")
    theirs = record_content(other, Kind.DATASET, file)
    mine = member.home.path
    done = typed("record", "--dataset", file, "--wait", "stored", "--rpc", member.rpc, "--json", home=mine)
    assert done.returncode == 0, done.stderr
    [record] = json.loads(done.stdout)["records"]
    done = typed("attest", theirs.id, "reviewed", "--rpc", member.rpc, home=mine)
    assert done.returncode == 2
    assert "outbox sign FILE" in done.stderr

    done = typed("outbox", "sign", request_file, "--rpc", member.rpc, home=mine)
    assert done.returncode == 0, done.stderr
    assert "2 writes of" in done.stdout
    assert f"record-by-signature {record['id']} for group {lab.group()}" in done.stdout
    before = balance(lab)
    done = typed("outbox", "relay", request_file, "--yes", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    assert f"Signed by {member.signer.address}" in done.stderr
    assert f"{lab.signer.address} pays at most 0.0" in done.stderr
    assert balance(lab) < before
    assert lab.registry.status(record["id"]).exists
    assert lab.registry.verdict(lab.group(), theirs.id).verdict is Verdict.REVIEWED

    done = typed("outbox", "flush", "--rpc", member.rpc, home=mine)
    assert done.returncode == 0, done.stderr
    assert {entry.state for entry in again(member).outbox.entries()} <= {"included", "final"}
    assert (balance(member), nonce(member)) == (0, 1)
    done = typed("verify", record["id"], home=lab.home.path)
    assert "relayed the signature" in done.stdout


def test_the_lab_is_asked_before_it_pays(lab, member, file, request_file) -> None:
    record_content(waiting(member), Kind.DATASET, file)
    request_file.write_text(json.dumps(signed(member).as_json()))
    before = balance(lab)
    done = typed("outbox", "relay", request_file, home=lab.home.path)
    assert done.returncode == 6
    assert "Send them?" in done.stderr
    assert balance(lab) == before
    assert not lab.outbox.entries(lab.chain_id, Op.RECORD_BY_SIGNATURE)


def test_a_record_and_its_child_in_one_file(lab, member, file, tmp_path, request_file) -> None:
    child = tmp_path / "child"
    child.write_text("child")
    holding = waiting(member)
    parent = record_content(holding, Kind.DATASET, file)
    record_content(holding, Kind.MODEL, child, parents=[Link(parent.id, Relation.TRAINED_ON)])
    request = signed(member)
    request_file.write_text(json.dumps(request.as_json()))
    read = SignedWrites.read_file(request_file)
    assert [write.identity for write in read.writes] == [write.identity for write in request.writes]
    assert [gas_of(lab, write)[0] is None for write in request.writes] == [False, True]
    assert results(lab, request) == ["final", "final"]
    paid = nonce(lab)
    assert results(again(lab), request) == ["exists already"] * 2
    assert nonce(lab) == paid


def test_it_goes_on_where_it_was_interrupted(lab, member, file, tmp_path, request_file) -> None:
    second = tmp_path / "second"
    second.write_text("second")
    for path in (file, second):
        record_content(waiting(member), Kind.DATASET, path)
    request = signed(member)
    first = next(relay(lab, request))
    assert first[2] == "final"
    paid = nonce(lab)
    assert results(again(lab), request) == ["exists already", "final"]
    assert nonce(lab) == paid + 1


def test_a_verdict_with_evidence(lab, member, file, tmp_path) -> None:
    other = second_lab(lab, tmp_path / "other")
    theirs = record_content(other, Kind.DATASET, file)
    mine = record_content(lab, Kind.MODEL, file)
    for evidence in (mine.id, None):
        with pytest.raises(BlockchainTracerError, match="has no coin"):
            attest(again(member), theirs.id, Verdict.DISPUTED, evidence=evidence)
        request = signed(member)
        assert results(lab, request) == ["final"]
        # the version is used: neither this nor the member's own try is made again
        assert results(again(lab), request) == ["exists already"]
        assert again(member).flush()
    assert lab.registry.verdict(lab.group(), theirs.id).version == 2


def test_what_is_no_signature_is_not_paid_for(lab, member, file, tmp_path, request_file) -> None:
    record_content(waiting(member), Kind.DATASET, file)
    request = signed(member)
    data = request.as_json()
    data["writes"][0]["signature"] = "0x" + "11" * 65
    request_file.write_text(json.dumps(data))
    before = balance(lab)
    done = typed("outbox", "relay", request_file, "--yes", home=lab.home.path)
    assert done.returncode == 2
    assert "the signature is not one of" in done.stdout
    assert balance(lab) == before
    assert not lab.outbox.pending(lab.chain_id), "nothing of it is kept"


def of_a_contract(lab: Lab, file: Path, code: str) -> SignedWrites:
    """A record of a member whose account is a contract, in a file that something else than this package made."""
    wallet, ask = to_checksum_address("0x" + "bb" * 20), lab.chain.ask
    key = lab.registry.find_record(record_content(lab, Kind.DATASET, file).id).key
    offer = invite(lab, lab.group(), wallet, Role.RECORDER)
    joining = ("joinBySig", tuple(offer["invitation"].values()), from_hex(offer["signature"]))
    ask("anvil_setBalance", wallet, hex(10**18))
    assert send(lab, wallet, to=lab.registry.address, data=lab.registry.call_data(*joining))["status"] == 1
    ask("anvil_setBalance", wallet, "0x0")
    ask("anvil_setCode", wallet, f"0x{code}")
    write = {"operation": "record", "key": replace(key, author=wallet).as_json(), "signature": "0x" + "00" * 900}
    about = {**SIGNED_WRITES.header(), "chainId": str(lab.chain_id), "signer": wallet}
    request = file.parent / "contract.json"
    deadline = int(time.time()) + 3600
    request.write_text(json.dumps({**about, "registry": lab.registry.address, "deadline": deadline, "writes": [write]}))
    return SignedWrites.read_file(request)


def test_a_member_whose_account_is_a_contract(lab, file) -> None:
    """A passkey, for example (ERC-1271): what it accepts as its signature is for its code to say."""
    request = of_a_contract(lab, file, ACCEPTING)
    assert results(lab, request) == ["final"]
    assert lab.registry.status(request.writes[0].record_id).exists


def test_a_contract_that_burns_gas_is_not_paid_for(lab, file) -> None:
    request = of_a_contract(lab, file, BURNING)
    [write] = request.writes
    gas, reason = gas_of(lab, write)
    assert gas is None
    assert "burns it" in reason
    before = balance(lab)
    [result] = results(lab, request)
    assert f"at most {MOST_GAS:,} are paid for another" in result
    assert balance(lab) == before
    assert not lab.outbox.pending(lab.chain_id)


def test_for_another_chain_registry_group_or_time(lab, member, file, request_file, tmp_path) -> None:
    record_content(waiting(member), Kind.DATASET, file)
    data = signed(member).as_json()
    changes = {
        "chain 5": {"chainId": "5"},
        "0x" + "11" * 20: {"registry": "0x" + "11" * 20},
        "were good until 1000": {"deadline": 1000},
    }
    for said, change in changes.items():
        request_file.write_text(json.dumps(data | change))
        done = typed("outbox", "relay", request_file, "--yes", home=lab.home.path)
        assert done.returncode == 2
        assert said in done.stderr
    other = second_lab(lab, tmp_path / "other")
    request_file.write_text(json.dumps(data))
    with pytest.raises(InputError, match="expected writes for group 2, got some for"):
        require_payable(other, SignedWrites.read_file(request_file))


HOSTILE = {
    "no JSON": "{",
    "no request": "[]",
    "too large": " " * (1 << 20) + "{}",
    "no writes": {"writes": []},
    "too many writes": {"writes": [{}] * 257},
    "another type": {"type": "urn:blockchaintracer:signed-write:v1"},
    "an operation that nobody signs": ("operation", "retract"),
    "an unknown operation": ("operation", "transfer"),
    "a chain that is no number": {"chainId": "one"},
    "an address that is none": {"registry": "registry"},
    "a deadline that is no number": {"deadline": "tomorrow"},
    "a deadline out of range": {"deadline": 1 << 40},
    "a deadline after all calendars": {"deadline": NO_END},
    "a negative deadline": {"deadline": -1},
    "another signer": {"signer": "0x" + "11" * 20},
    "a field too many": ("value", 10**18),
    "a signature that is no hex": ("signature", "xx"),
    "a key that is none": ("key", {}),
    "no key": ("key", None),
    "writes that are none": {"writes": "ab"},
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_file_of_a_stranger(lab, member, file, request_file, what) -> None:
    record_content(waiting(member), Kind.DATASET, file)
    data = signed(member).as_json()
    match HOSTILE[what]:
        case str() as text:
            request_file.write_text(text)
        case dict() as change:
            request_file.write_text(json.dumps(data | change))
        case (field, value):
            request_file.write_text(json.dumps(data | {"writes": [data["writes"][0] | {field: value}]}))
    with pytest.raises(InputError, match=r"expected .*signed.writes"):
        SignedWrites.read_file(request_file)


def test_what_only_the_account_can_do_is_named(lab, member, file, request_file) -> None:
    record = record_content(waiting(member), Kind.DATASET, file)
    assert results(lab, signed(member)) == ["final"]
    again(member).flush()
    with pytest.raises(BlockchainTracerError, match="has no coin"):
        retract(again(member), record.id, "a mistake")
    with pytest.raises(InputError, match="no record or verdict of"):
        sign_waiting(again(member), 3600)
    record_content(waiting(member), Kind.MODEL, file)
    done = typed("outbox", "sign", request_file, "--rpc", member.rpc, home=member.home.path)
    assert "not signed: retract, which only your account can do" in done.stderr
    assert int(time.time()) < SignedWrites.read_file(request_file).deadline
