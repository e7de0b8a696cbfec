"""A chain in this process where people have done all that a verifier can be asked about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.digest import digest_bytes
from blockchaintracer.core.manifest import ContentPredicate, NotBefore, RunInput, RunOutput, RunPredicate
from blockchaintracer.core.manifest.predicates import Parent, RecordPredicate
from blockchaintracer.core.merkle import MerkleTree
from blockchaintracer.core.record import (
    Kind,
    RecordKey,
    Relation,
    Role,
    Verdict,
    from_hex,
    record_commitment,
    verdict_commitment,
)
from blockchaintracer.core.verify.locate import key_identifier
from tests.model.registry import NO_END
from tests.support.memory_node import answering
from tests.support.revm_lab import ALICE, BOB, CAROL, MALLORY, RevmLab, Stranger, plain_key

FORWARDER = bytes.fromhex("6020360360205f375f5f602036035f5f5f355af1601a575f5ffd5b00")
"""Calls the address in the first word with the rest of what it is called with, and reverts if that fails."""
WALLET = bytes.fromhex("631626ba7e60e01b5f5260205ff3")
"""An ERC-1271 wallet that takes anything for a signature."""
IMPOSTOR = bytes.fromhex("6060360360605f376040356020355f35606036035fa300")
"""Emits a log with the three topics and the data that it is called with."""
THROUGH, WALLETS = "0x" + "f0" * 20, "0x" + "f1" * 20
SALT = "0x" + "5a" * 32


def number(count: int) -> str:
    """A UUID."""
    return f"00000000-0000-4000-8000-{count:012d}"


def file_of(lab: RevmLab, name: str, **more: Any) -> RecordKey:
    """The key of a dataset of one published file."""
    data = f"content of {name}\n".encode()
    digest = digest_bytes(data)
    lab.put(data, f"<content of {name}>")
    content = ContentPredicate(
        subject_type="file", size=digest.size, cid=digest.cid, cid_profile=digest.cid_profile, name=name
    )
    return lab.key(name, content, digest.sha256, **more)


def run_of(lab: RevmLab, name: str, count: int, parents: dict[str, Relation] | None = None, **more: Any) -> RecordKey:
    """The key of a run; `parents` by what texts call them."""
    links = tuple(sorted((lab.id(parent), relation) for parent, relation in (parents or {}).items()))
    given = {"group": more.pop("group", 1), "author": more.pop("author", ALICE.address)}
    fields = {"run_id": number(count), "name": name, "status": "completed"} | more
    predicate = RunPredicate(**fields, parents=tuple(Parent(record=parent, relation=it) for parent, it in links))
    return lab.key(name, predicate, kind=Kind.RUN, **given)


def block(lab: RevmLab, at: int) -> NotBefore:
    found = lab.node.blocks[at]
    return NotBefore(
        chain_id=str(lab.node.chain.chain_id),
        block_number=str(at),
        block_hash=f"0x{found['hash'].hex()}",
        timestamp=str(found["timestamp"]),
    )


def records(lab: RevmLab) -> None:
    """Alice's data and a run on them, in every way to record."""
    lab.record(file_of(lab, "data"))
    model = lab.artifact("model.bin", b"weights")
    inputs = (RunInput(record=lab.id("data"), relation=Relation.TRAINED_ON, sha256=lab.keys["data"].subject),)
    outputs = (RunOutput(role="model", artifact=model),)
    facts = {"not_before": block(lab, 3), "inputs": inputs, "outputs": outputs}
    lab.record(run_of(lab, "run", 1, {"data": Relation.TRAINED_ON}, **facts))
    relayed = file_of(lab, "relayed")
    signature = ALICE.sign(lab.domain.record_authorization(plain_key(relayed), NO_END))
    lab.do(BOB, "recordBySig", relayed.as_abi(), NO_END, signature)
    many = [file_of(lab, name).as_abi() for name in ("first of many", "second of many")]
    lab.do(ALICE, "recordMany", many)
    for name in ("first in a block", "second in a block"):
        lab.record(file_of(lab, name), mine=False)
    lab.node.mine()


def contracts(lab: RevmLab) -> None:
    """Records whose author has code, and what is done through a contract."""
    lab.names |= {THROUGH[2:]: "FORWARDER", WALLETS[2:]: "WALLET"}
    lab.node.place(THROUGH, FORWARDER)
    key = file_of(lab, "through a contract")
    signature = ALICE.sign(lab.domain.record_authorization(plain_key(key), NO_END))
    data = lab.interface.encode_call("recordBySig", key.as_abi(), NO_END, signature)
    lab.node.send(MALLORY, THROUGH, bytes.fromhex(lab.registry.address[2:]).rjust(32, b"\0") + data)
    lab.join(WALLETS, int(Role.RECORDER))
    lab.node.place(WALLETS, WALLET)
    lab.do(MALLORY, "recordBySig", file_of(lab, "of a wallet", author=WALLETS).as_abi(), NO_END, b"anything")


def seals(lab: RevmLab) -> None:
    """A sealed record and a sealed verdict, both revealed, and a seal that is not."""
    key = file_of(lab, "sealed")
    commitment = record_commitment(lab.id(key), SALT)
    hidden = "0x" + "77" * 32
    lab.names |= {commitment[2:]: "<seal>", hidden[2:]: "<hidden seal>"}
    lab.do(ALICE, "seal", 1, from_hex(commitment))
    lab.do(ALICE, "seal", 1, from_hex(hidden))
    lab.do(ALICE, "reveal", key.as_abi(), from_hex(SALT))
    told = verdict_commitment(2, BOB.address, lab.id("data"), Verdict.REVIEWED, None, SALT)
    lab.names[told[2:]] = "<seal of a verdict>"
    lab.do(BOB, "seal", 2, from_hex(told))
    lab.do(BOB, "revealVerdict", 2, from_hex(lab.id("data")), int(Verdict.REVIEWED), from_hex(SALT))


def batches(lab: RevmLab) -> None:
    """A batch of three: stored, cancelled, and only in the batch. One that the registry counted."""
    keys = [file_of(lab, f"batched {name}") for name in ("and stored", "alone", "and cancelled")]
    tree = MerkleTree([lab.id(key) for key in keys])
    lab.names[tree.root[2:]] = "<root>"
    lab.do(ALICE, "anchor", 1, from_hex(tree.root), 3, bytes(32))
    path = [from_hex(sibling) for sibling in tree.proof(lab.id(keys[0]))]
    lab.do(ALICE, "materialize", keys[0].as_abi(), from_hex(tree.root), path)
    lab.do(ALICE, "cancel", keys[2].as_abi())
    counted = sorted(lab.id(file_of(lab, f"counted {count}")) for count in (1, 2))
    lab.names[MerkleTree(counted).root[2:]] = "<counted root>"
    lab.do(ALICE, "anchorLeaves", 1, [from_hex(each) for each in counted])


def verdicts(lab: RevmLab) -> None:
    """Verdicts with and without evidence, one withdrawn, one whose reviewer left."""
    data = from_hex(lab.id("run"))
    again = run_of(lab, "again", 2, {"run": Relation.REPRODUCES}, group=2, author=BOB.address)
    lab.record(again, BOB)
    lab.do(BOB, "attestWithEvidence", 2, data, int(Verdict.REPRODUCED), again.as_abi())
    for founder in (CAROL, MALLORY):
        lab.do(founder, "createGroup", 7, bytes(32))
    lab.do(CAROL, "attest", 3, data, int(Verdict.DISPUTED))
    lab.do(CAROL, "withdraw", 3, data)
    lab.do(MALLORY, "attest", 4, data, int(Verdict.DISPUTED))
    lab.do(MALLORY, "removeMember", 4, MALLORY.address)
    foreign = (1, "0x" + "99" * 20, b"\x88" * 32)
    lab.do(BOB, "attestForeign", 2, foreign, int(Verdict.REVIEWED))


def retractions(lab: RevmLab) -> None:
    """Retracted records, with and without a reason, and what rests on one."""
    lab.put(b"wrong labels", "<reason>")
    for name in ("retracted", "retracted in silence"):
        lab.record(file_of(lab, name))
    rests = {"retracted": Relation.TRAINED_ON, "data": Relation.DERIVED_FROM, "of a wallet": Relation.REPRODUCES}
    lab.record(run_of(lab, "rests on it", 3, rests))
    reason = digest_bytes(b"wrong labels").sha256
    lab.do(ALICE, "retract", lab.keys["retracted"].as_abi(), bytes.fromhex(reason))
    lab.do(ALICE, "retract", lab.keys["retracted in silence"].as_abi(), bytes(32))


def in_vain(lab: RevmLab) -> None:
    """A transaction that is refused, one of another contract, and an event that looks like the registry's own."""
    impostor = "0x" + "f2" * 20
    lab.names[impostor[2:]] = "IMPOSTOR"
    lab.node.place(impostor, IMPOSTOR)
    refusal = lab.interface.encode_call("record", lab.keys["data"].as_abi())
    lab.refused = lab.node.send(ALICE, lab.registry.address, refusal)
    lab.elsewhere = lab.node.send(ALICE, WALLETS, b"")
    topic = next(key for key, entry in lab.interface._events.items() if entry["name"] == "Recorded")
    lab.impostor = lab.node.send(MALLORY, impostor, topic + bytes(64))


def statement_on_a_key(lab: RevmLab, name: str, since: Any, **more: Any) -> RecordKey:
    """What a group states of Alice's key."""
    values = {} if since is None else {"since": since}
    predicate = RecordPredicate(
        name=name, subject_type="identifier", identifier=key_identifier(more.pop("of", ALICE.address)), values=values
    )
    return lab.key(name, predicate, kind=Kind.DOCUMENT, **more)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> RevmLab:
    lab = RevmLab(tmp_path_factory.mktemp("published"))
    for part in (records, contracts, seals, batches, verdicts, retractions):
        part(lab)
    in_vain(lab)
    lab.node.mine(3)
    return lab


@pytest.fixture
def url(lab: RevmLab) -> Iterator[str]:
    with answering(node=lab.node.result):
        yield "http://node"


@pytest.fixture
def stranger(lab: RevmLab, url: str) -> Iterator[Stranger]:
    yield Stranger(lab, url)
    lab.node.lie = lambda method, params, result: result
    lab.node.behind = 2


@pytest.fixture(scope="session")
def expected() -> Path:
    return Path(__file__).parent / "expected"
