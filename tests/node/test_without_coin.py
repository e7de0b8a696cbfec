"""A member has no coin: it signs, and the lab's funded key sends and pays, for every operation of the registry.

Three are by a signature of the registry itself. All others by the member's account, which the EntryPoint of ERC-4337
moves: by EIP-7702 the account of an ordinary key, or a contract whose key is a passkey.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak

from blockchaintracer.core.record import Domain as ClientDomain
from blockchaintracer.core.record import RecordKey, record_message
from examples.without_coin import sponsored
from tests.findings.conftest import refusal
from tests.model.eip712 import Domain, Invitation, Key, record_commitment, verdict_commitment
from tests.model.merkle import leaf
from tests.model.registry import (
    ALL_ROLES,
    DISPUTED,
    NO_END,
    NOBODY,
    RECORDED,
    RECORDER,
    REPRODUCED,
    REVIEWED,
    REVIEWER,
    Refused,
)
from tests.support.actors import Actor
from tests.support.artifacts import ROOT, artifact
from tests.support.entry_point import (
    DESIGNATOR,
    LAB,
    SPONSOR,
    DelegatingMember,
    Failed,
    Member,
    PasskeyMember,
    assertion,
    place,
    reverted,
    send,
)
from tests.support.evm import interface_of
from tests.support.node import NodeChain, NodeContract, anvil

pytestmark = pytest.mark.node

ALICE, BOB, CAROL = (Actor.named(name) for name in ("alice", "bob", "carol"))
STRANGER = bytes.fromhex("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")
"""The key of anvil's second account, which has coin and nothing to do with the lab."""
OURS, THEIRS = 1, 2
SALT, ROOT_OF_BATCH, REASON = b"\x5a" * 32, b"\x0b" * 32, b"\x0c" * 32
BY_SIGNATURE = {"recordBySig", "attestBySig", "attestWithEvidenceBySig"}
"""The member signs the registry's own message; the lab calls the function."""
BY_ANYBODY = {"materialize"}
ABI = {
    (entry["name"], tuple(item["name"] for item in entry["inputs"])): entry["inputs"]
    for entry in artifact("LabRegistry").abi
    if entry["type"] == "function" and entry["stateMutability"] == "nonpayable"
}
OPERATIONS = sorted((name, names) for name, names in ABI if name not in BY_SIGNATURE | BY_ANYBODY)


class World:
    """A registry with two groups: the member owns the first, Bob the second. Carol owns the registry.

    What has to be there before is sent without a signature, which only a test can.
    """

    def __init__(self, entry_point: NodeContract, registry: NodeContract, member: Member) -> None:
        self.entry_point, self.registry, self.member = entry_point, registry, member
        self.chain, self.me = registry.chain, member.address
        self.domain = Domain(self.chain.chain_id, registry.address)
        for owner in (self.me, BOB.address):
            self.act(owner, "createGroup", manifest=bytes(32), roles=ALL_ROLES)
        self.theirs = self.key(group=THEIRS, author=BOB.address, subject=b"\2" * 32)
        self.act(BOB.address, "record", key=self.theirs)

    def key(self, **fields: Any) -> Key:
        standard = {"group": OURS, "kind": 1, "subject_type": 1, "author": self.me, "subject": b"\1" * 32}
        return Key(**{**standard, "manifest": b"\3" * 32, **fields})

    def id(self, key: Key) -> bytes:
        return self.domain.record_id(key)

    def run(self, of: bytes) -> Key:
        """A run of the member that reproduces a record."""
        return self.key(kind=3, subject_type=4, parents=((of, 8),))

    def invitation(self, group: int, inviter: Actor | Member, account: str, roles: int) -> dict[str, Any]:
        """What `joinBySig` takes."""
        versions = (self.registry.read("membershipOf", group, member)[3] for member in (inviter.address, account))
        invitation = Invitation(group, inviter.address, account, roles, NO_END, *versions, NO_END)
        digest = self.domain.invitation(invitation)
        signature = inviter.sign(digest).raw if isinstance(inviter, Actor) else inviter.sign_digest(digest)
        return {"invitation": invitation, "signature": signature}

    def act(self, caller: str, function: str, **values: Any) -> Any:
        """Sends what is not tested here."""
        self.chain.tick()
        return self.registry.send(caller, function, *arguments_of(function, values))

    def call(self, function: str, **values: Any) -> bytes:
        return self.registry.interface.encode_call(function, *arguments_of(function, values))

    def sponsor(self, *calls: bytes) -> list[Any]:
        """The member signs, the lab sends and pays: what the registry emits."""
        operation, signature = self.member.signed(*((self.registry.address, call) for call in calls))
        receipt = send(self.entry_point, operation, signature, self.member.authorizations())
        return self.registry.decode(receipt["logs"])

    def balance(self, address: str) -> int:
        return int(self.chain.rpc("eth_getBalance", [address, "latest"]), 16)


def arguments_of(function: str, values: dict[str, Any]) -> list[Any]:
    """Values by the names and in the order of the ABI: of overloads the longest that all values fit into."""
    fitting = [names for name, names in ABI if name == function and set(names) <= set(values)]
    return [values[name] for name in max(fitting, key=len)]


class Case(NamedTuple):
    """An operation by its values, and the event that shows it."""

    event: str
    values: dict[str, Any]


def _cases() -> dict[str, Callable[[World], Case]]:
    verdict = {"group": OURS, "verdict": REVIEWED}
    batch = {"root": ROOT_OF_BATCH, "declaredCount": 3, "manifest": REASON}

    def recorded(world: World) -> Key:
        world.act(world.me, "record", key=world.key())
        return world.key()

    def with_run(world: World, record: bytes) -> Key:
        world.act(world.me, "record", key=world.run(record))
        return world.run(record)

    def attested(world: World) -> dict[str, Any]:
        values = {"recordId": world.id(world.theirs), **verdict, "evidence": recorded(world)}
        world.act(world.me, "attest", **values)
        return values

    def sealed(world: World, commitment: bytes) -> None:
        world.act(world.me, "seal", group=OURS, commitment=commitment)

    def reveal(world: World) -> Case:
        sealed(world, record_commitment(world.id(world.key()), SALT))
        return Case("Revealed", {"key": world.key(), "salt": SALT})

    def reveal_verdict(world: World, evidence: Key, value: int) -> Case:
        about = {"group": OURS, "verdict": value}
        shown = world.id(evidence) if evidence.group else bytes(32)
        record = world.id(world.theirs)
        sealed(world, verdict_commitment(**about, record=record, evidence=shown, attester=world.me, salt=SALT))
        return Case("VerdictRevealed", {**about, "recordId": record, "evidence": evidence, "salt": SALT})

    def foreign(world: World, value: int) -> Case:
        there = (5, "0x" + "ab" * 20, b"\xcd" * 32)
        name = f"eip155:5:{there[1]}/0x{there[2].hex()}"
        reference = world.key(kind=10, subject_type=4, subject=sha256(name.encode()).digest())
        world.act(world.me, "record", key=reference)
        run = with_run(world, world.id(reference))
        values = {"foreign": there, "group": OURS, "verdict": value, "referenceKey": reference, "run": run}
        return Case("ForeignAttested", {**values, "evidence": (reference, run)})

    def accept_group(world: World) -> Case:
        world.act(BOB.address, "transferGroup", group=THEIRS, to=world.me)
        return Case("GroupTransferred", {"group": THEIRS})

    def join(world: World) -> Case:
        offer = world.invitation(THEIRS, BOB, world.me, REVIEWER)
        world.act(BOB.address, "invite", **offer)
        return Case("MembershipChanged", offer)

    def end_batch(world: World) -> Case:
        world.act(world.me, "anchor", group=OURS, **batch)
        return Case("BatchEnded", {"group": OURS, "author": world.me, "root": ROOT_OF_BATCH})

    def remove_member(world: World) -> Case:
        world.act(CAROL.address, "joinBySig", **world.invitation(OURS, world.member, CAROL.address, RECORDER))
        return Case("MembershipChanged", {"group": OURS, "account": CAROL.address})

    def owning(world: World) -> None:
        offered(world)
        world.act(world.me, "acceptOwnership")

    def offered(world: World) -> None:
        world.act(CAROL.address, "transferOwnership", newOwner=world.me)

    def first(prepare: Callable[[World], Any], event: str, **values: Any) -> Callable[[World], Case]:
        def case(world: World) -> Case:
            prepare(world)
            return Case(event, values)

        return case

    return {
        "record": lambda world: Case("Recorded", {"key": world.key()}),
        "recordMany": lambda world: Case("Recorded", {"keys": [world.key(), world.key(subject=b"\4" * 32)]}),
        "cancel": lambda world: Case("RecordCancelled", {"key": world.key()}),
        "retract": lambda world: Case("Retracted", {"key": recorded(world), "reason": REASON}),
        "seal": lambda world: Case("Sealed", {"group": OURS, "commitment": SALT}),
        "reveal": reveal,
        "revealVerdict": lambda world: reveal_verdict(world, world.key(group=0), REVIEWED),
        "revealVerdictWithEvidence": lambda world: reveal_verdict(world, world.run(world.id(world.theirs)), REPRODUCED),
        "anchor": lambda world: Case("Anchored", {"group": OURS, **batch}),
        "anchorLeaves": lambda world: Case("LeavesAnchored", {"group": OURS, "ids": [b"\1" * 32, b"\2" * 32]}),
        "endBatch": end_batch,
        "attest": lambda world: Case(
            "Attested", {"recordId": world.id(world.theirs), **verdict, "evidence": recorded(world)}
        ),
        "attestWithEvidence": lambda world: Case(
            "Attested",
            {
                "recordId": world.id(world.theirs),
                "group": OURS,
                "verdict": REPRODUCED,
                "evidence": with_run(world, world.id(world.theirs)),
            },
        ),
        "withdraw": lambda world: Case("VerdictWithdrawn", attested(world)),
        "attestForeign": lambda world: foreign(world, DISPUTED),
        "attestForeignWithEvidence": lambda world: foreign(world, REPRODUCED),
        "createGroup": lambda world: Case("GroupCreated", {"manifest": REASON, "roles": ALL_ROLES}),
        "describeGroup": lambda world: Case("GroupDescribed", {"group": OURS, "manifest": REASON}),
        "transferGroup": lambda world: Case("GroupTransferStarted", {"group": OURS, "to": BOB.address}),
        "acceptGroup": accept_group,
        "invite": lambda world: Case("Invited", world.invitation(OURS, world.member, CAROL.address, RECORDER)),
        "join": join,
        "joinBySig": lambda world: Case("MembershipChanged", world.invitation(THEIRS, BOB, world.me, REVIEWER)),
        "removeMember": remove_member,
        "announceSuccessor": first(owning, "SuccessorAnnounced", chainId=1, registry="0x" + "ab" * 20),
        "transferOwnership": first(owning, "OwnershipTransferStarted", newOwner=BOB.address),
        "acceptOwnership": first(offered, "OwnershipTransferred"),
        "renounceOwnership": first(owning, "OwnershipTransferred"),
    }


CASES = _cases()


@pytest.fixture(scope="module", params=["prague", "osaka"])
def node(request) -> Iterator[NodeChain]:
    """Osaka checks P-256 itself (EIP-7951); before it, OpenZeppelin's Solidity does."""
    with anvil("--hardfork", request.param) as chain:
        yield chain


@pytest.fixture
def chain(node) -> Iterator[NodeChain]:
    """As it was before, after each test."""
    snapshot = node.rpc("evm_snapshot", [])
    node.now = int(node.block("latest")["timestamp"], 16)
    yield node
    node.rpc("evm_revert", [snapshot])


@pytest.fixture
def entry_point(chain) -> NodeContract:
    return place(chain)


def world_of(entry_point: NodeContract, kind: str) -> World:
    registry = entry_point.chain.deploy("LabRegistry", CAROL.address, True)
    if kind == "delegating":
        code = entry_point.chain.deploy("MemberAccount")
        return World(entry_point, registry, DelegatingMember(entry_point, ALICE, code.address))
    return World(entry_point, registry, PasskeyMember(entry_point))


@pytest.fixture
def world(entry_point) -> World:
    """With the account of an ordinary key as its member."""
    return world_of(entry_point, "delegating")


@pytest.fixture
def passkey(entry_point) -> World:
    return world_of(entry_point, "passkey")


def test_every_operation_is_in_the_table() -> None:
    """Whoever adds a function decides how a member without coin comes to it."""
    assert {name for name, _ in OPERATIONS} <= CASES.keys()
    page = (ROOT / "docs" / "without-coin.md").read_text()
    table = re.findall(r"^\| (`.*`) \| ", page, re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(table))) == sorted({name for name, _ in ABI})


@pytest.mark.parametrize("kind", ["delegating", "passkey"])
@pytest.mark.parametrize(("function", "names"), OPERATIONS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_member_without_coin(entry_point, kind, function, names) -> None:
    """The registry sees the member. The lab pays, and the member has nothing before or after."""
    world = world_of(entry_point, kind)
    case = CASES[function](world)
    before = world.balance(LAB)
    call = world.registry.interface.encode_call(function, *(case.values[name] for name in names))
    events = world.sponsor(call)
    assert case.event in [event.name for event in events]
    for event in events:
        if event.name in ("Recorded", "Sealed", "Anchored", "LeavesAnchored", "Attested"):
            assert event.arguments[1] == world.me
    assert world.balance(LAB) < before
    assert world.balance(world.me) == 0
    assert entry_point.read("balanceOf", world.me) == 0


def test_several_operations_are_one_transaction(world) -> None:
    """A seal, a batch and a group: all or none."""
    calls = [world.call("seal", group=OURS, commitment=SALT), world.call("record", key=world.key())]
    assert [event.name for event in world.sponsor(*calls)] == ["Sealed", "Recorded"]
    more = [world.call("cancel", key=world.key(subject=b"\7" * 32)), calls[1]]
    with pytest.raises(Failed):
        world.sponsor(*more)
    assert world.registry.read("statusOf", world.id(world.key(subject=b"\7" * 32)))[2] == 0


def test_what_the_registry_refuses_costs_the_lab(world) -> None:
    """So the lab asks before it sends: `eth_call` in the member's name."""
    world.sponsor(world.call("record", key=world.key()))
    with pytest.raises(Failed) as failed:
        world.sponsor(world.call("record", key=world.key()))
    assert interface_of("LabRegistry").decode_error(failed.value.args[0]).name == "RecordExists"
    call = {"from": world.me, "to": world.registry.address, "data": "0x" + world.call("record", key=world.key()).hex()}
    with pytest.raises(RuntimeError, match="reverted"):
        world.chain.rpc("eth_call", [call, "latest"])


def test_what_a_seal_costs(entry_point, request) -> None:
    """The figures of docs/without-coin.md."""
    page = (ROOT / "docs" / "without-coin.md").read_text()
    figures = [int(figure.replace(",", "")) for figure in re.findall(r"^\| .* \| ([\d,]+) \|$", page, re.MULTILINE)]
    own, delegating, osaka, prague = figures
    world = world_of(entry_point, "delegating")
    world.chain.tick()
    call = world.call("seal", group=THEIRS, commitment=SALT)
    receipts = [(own, world.chain.transact(BOB.address, world.registry.address, call))]
    passkey = osaka if request.node.callspec.params["node"] == "osaka" else prague
    for kind, expected in (("delegating", delegating), ("passkey", passkey)):
        world = world_of(entry_point, kind)
        world.sponsor(world.call("seal", group=OURS, commitment=SALT))
        call = world.call("seal", group=OURS, commitment=b"\6" * 32)
        receipts.append((expected, send(entry_point, *world.member.signed((world.registry.address, call)))))
    for expected, receipt in receipts:
        assert int(receipt["gasUsed"], 16) == pytest.approx(expected, rel=0.05)


# -- the registry's own signatures


def signed_by_the_member(world: World) -> None:
    """A record, a verdict and an invitation that the member signs and somebody else sends."""
    key, theirs, sign = world.key(), world.id(world.theirs), world.member.sign_digest
    until = world.chain.now + 3600
    signature = sign(world.domain.record_authorization(key, until))
    world.act(LAB, "recordBySig", key=key, deadline=until, signature=signature)
    assert world.registry.read("statusOf", world.id(key))[2] == RECORDED

    verdict = {"group": OURS, "verdict": REVIEWED, "attester": world.me, "deadline": until}
    message = world.domain.attestation_authorization(**verdict, record=theirs, evidence=bytes(32), version=0)
    signature = sign(message)
    world.act(LAB, "attestBySig", **verdict, recordId=theirs, signature=signature)
    assert world.registry.read("statusOf", theirs)[7] == 1, "reviewed by one group"

    world.act(CAROL.address, "joinBySig", **world.invitation(OURS, world.member, CAROL.address, RECORDER))
    assert world.balance(world.me) == 0


@pytest.mark.parametrize("kind", ["delegating", "passkey"])
def test_signatures_of_the_registry(entry_point, kind) -> None:
    """An account with delegated code keeps its key's signatures; a passkey signs by ERC-1271."""
    world = world_of(entry_point, kind)
    world.sponsor(world.call("seal", group=OURS, commitment=SALT))
    if kind == "delegating":
        assert world.chain.rpc("eth_getCode", [world.me, "latest"]) == DESIGNATOR + world.member.code.lower()[2:]
    signed_by_the_member(world)


def test_a_passkey_becomes_a_member(passkey) -> None:
    """By an invitation, which it accepts by a transaction of its own account; then it records and attests there."""
    world, sign = passkey, passkey.member.sign_digest
    invited = world.invitation(THEIRS, BOB, world.me, RECORDER | REVIEWER)
    [event] = world.sponsor(world.call("joinBySig", **invited))
    assert event.name == "MembershipChanged"
    key = world.key(group=THEIRS)
    signature = sign(world.domain.record_authorization(key, NO_END))
    world.act(LAB, "recordBySig", key=key, deadline=NO_END, signature=signature)

    ours = world.key(subject=b"\x07" * 32)
    world.act(world.me, "record", key=ours)
    verdict = {"group": THEIRS, "verdict": DISPUTED, "attester": world.me, "deadline": NO_END}
    record = world.id(ours)
    signature = sign(world.domain.attestation_authorization(**verdict, record=record, evidence=bytes(32), version=0))
    given = {**verdict, "recordId": record, "signature": signature}
    _, [event] = world.act(LAB, "attestBySig", **given)
    assert event.name == "Attested"
    with pytest.raises(Refused):
        world.act(LAB, "attestBySig", **given)


def test_what_is_no_signature_of_the_passkey(passkey) -> None:
    """Another challenge, another passkey, nobody in front of it, or the making of a key."""
    world, key = passkey, passkey.member.key
    digest = world.domain.record_authorization(world.key(), NO_END)
    stranger = ec.generate_private_key(ec.SECP256R1())
    forged = {
        "another challenge": assertion(key, world.domain.record_authorization(world.key(), NO_END - 1)),
        "another passkey": assertion(stranger, digest),
        "nobody was there": assertion(key, digest, flags=0),
        "nobody was verified": assertion(key, digest, flags=1),
        "a key was made": assertion(key, digest, kind="create"),
        "ECDSA of an ordinary key": ALICE.sign(digest).raw,
        "nothing": b"",
    }
    for what, signature in forged.items():
        given = {"key": world.key(), "deadline": NO_END, "signature": signature}
        met = refusal(lambda given=given: world.act(LAB, "recordBySig", **given))
        assert met == ("InvalidSignature", (world.me,)), what
    world.act(LAB, "recordBySig", key=world.key(), deadline=NO_END, signature=assertion(key, digest))


def test_an_account_that_nests_signatures(entry_point) -> None:
    """ERC-7739: the passkey signs the registry's message together with the account's own domain."""
    member = PasskeyMember(entry_point, "NestingPasskeyAccount")
    world = World(entry_point, entry_point.chain.deploy("LabRegistry", CAROL.address, True), member)
    key = world.key()
    plain = member.sign_digest(world.domain.record_authorization(key, NO_END))
    given = {"key": key, "deadline": NO_END}
    assert refusal(lambda: world.act(LAB, "recordBySig", **given, signature=plain))[0] == "InvalidSignature"

    values = {**key._asdict(), "subject": key.subject.hex(), "manifest": key.manifest.hex()}
    message = {"record": record_message(RecordKey(**values)), "deadline": NO_END}
    document = ClientDomain(*world.domain).typed_data("RecordAuthorization", message)
    types = {name: fields for name, fields in document["types"].items() if name != "EIP712Domain"}
    own = "string name,string version,uint256 chainId,address verifyingContract,bytes32 salt"
    names = [field["name"] for field in sponsored.fields(own)]
    nesting = sponsored.fields(f"RecordAuthorization contents,{own}")
    around = dict(zip(names, member.account.read("eip712Domain")[1:6], strict=True))
    nested = {"types": document["types"] | {"TypedDataSign": nesting}, "primaryType": "TypedDataSign"}
    nested |= {"message": {"contents": message, **around}}
    signable = encode_typed_data(full_message={**document, **nested})
    signature = member.sign_digest(keccak(b"\x19" + signable.version + signable.header + signable.body))

    contents = encode_typed_data(full_message=document)
    members = {name: ",".join(" ".join(field.values()) for field in types[name]) for name in sorted(types)}
    described = "".join(f"{name}({text})" for name, text in members.items()) + "RecordAuthorization"
    signature += contents.header + contents.body + described.encode() + len(described).to_bytes(2, "big")
    world.act(LAB, "recordBySig", **given, signature=signature)


def test_anybody_materializes(world) -> None:
    """The batch is the member's. That its records are stored one by one needs no word of the member any more."""
    record = world.id(world.key())
    world.sponsor(world.call("anchorLeaves", group=OURS, ids=[record]))
    world.act(LAB, "materialize", key=world.key(), root=leaf(record), proof=())


# -- what a signature is good for: once, on one chain, until its deadline, by this code


def refused(entry_point: NodeContract, *arguments: Any, **more: Any) -> str:
    """The EntryPoint's reason."""
    name, values = refusal(lambda: send(entry_point, *arguments, **more))
    return str(values[1]) if name == "FailedOp" else name


@pytest.mark.parametrize("kind", ["delegating", "passkey"])
def test_a_signed_call_is_good_once(entry_point, kind) -> None:
    world = world_of(entry_point, kind)
    operation, signature = world.member.signed(
        (world.registry.address, world.call("seal", group=OURS, commitment=SALT))
    )
    send(entry_point, operation, signature, world.member.authorizations())
    for by in (SPONSOR, STRANGER):
        assert refused(entry_point, operation, signature, by=by).startswith("AA25 invalid account nonce")


@pytest.mark.parametrize("kind", ["delegating", "passkey"])
def test_a_signed_call_is_good_on_one_chain(entry_point, kind) -> None:
    """Everything has the same address on another chain, and the account the same code there."""
    world = world_of(entry_point, kind)
    authorizations = world.member.authorizations()
    call = world.call("seal", group=OURS, commitment=SALT)
    operation, signature = world.member.signed((world.registry.address, call))
    with anvil("--hardfork", "prague", chain_id=31338) as other:
        there = world_of(place(other), kind)
        assert (there.me, there.registry.address) == (world.me, world.registry.address)
        now = operation["nonce"] >> 64
        there.chain.now = max(there.chain.now, now - 3000)
        if kind == "delegating":
            assert refused(there.entry_point, operation, signature, authorizations) == "Eip7702SenderWithoutCode"
            assert there.chain.rpc("eth_getCode", [there.me, "latest"]) == "0x", "an authorization is for one chain"
            there.sponsor(there.call("seal", group=OURS, commitment=b"\6" * 32))
        assert refused(there.entry_point, operation, signature).startswith("AA24 signature error")
    send(entry_point, operation, signature, authorizations)


def test_a_signed_call_is_not_changed(world) -> None:
    call = (world.registry.address, world.call("seal", group=OURS, commitment=SALT))
    operation, signature = world.member.signed(call)
    other, _ = world.member.signed((world.registry.address, world.call("seal", group=THEIRS, commitment=SALT)))
    authorizations = world.member.authorizations()
    later, costly = {"nonce": operation["nonce"] + (1 << 64)}, {"gasFees": bytes(31) + b"\1"}
    for changed in (other, operation | later, operation | costly):
        # a fee is asked of the account, which has nothing, before its signature is
        expected = "AA21 didn't pay prefund" if changed["gasFees"] != operation["gasFees"] else "AA24 signature error"
        assert refused(world.entry_point, changed, signature, authorizations) == expected
    send(world.entry_point, operation, signature, world.member.authorizations())


def test_a_signed_call_has_an_end(world) -> None:
    world.sponsor(world.call("seal", group=OURS, commitment=SALT))
    call = (world.registry.address, world.call("seal", group=OURS, commitment=b"\6" * 32))
    operation, signature = world.member.signed(call, deadline=world.chain.now + 60)
    world.chain.now += 60
    assert refused(world.entry_point, operation, signature).startswith("AA22 expired")


def test_a_member_takes_a_signed_call_back(world) -> None:
    """By another one with the same nonce, which does nothing."""
    world.sponsor(world.call("seal", group=OURS, commitment=SALT))
    call = (world.registry.address, world.call("cancel", key=world.key()))
    operation, signature = world.member.signed(call)
    nothing, instead = world.member.signed()
    assert nothing["nonce"] == operation["nonce"]
    send(world.entry_point, nothing, instead)
    assert refused(world.entry_point, operation, signature).startswith("AA25")


def test_a_signed_call_is_of_the_code_that_carries_it_out(world) -> None:
    """After the account delegates to other code, what was signed for the code before is refused."""
    world.sponsor(world.call("seal", group=OURS, commitment=SALT))
    call = (world.registry.address, world.call("cancel", key=world.key()))
    operation, signature = world.member.signed(call)
    other = world.chain.deploy("MemberAccount")
    authorization = world.member.authorize(other.address)
    assert refused(world.entry_point, operation, signature, [authorization]).startswith("AA24")


def test_nobody_else_moves_the_account(world) -> None:
    world.sponsor(world.call("seal", group=OURS, commitment=SALT))
    account = world.chain.at("MemberAccount", world.me)
    operation, _ = world.member.signed((world.registry.address, world.call("cancel", key=world.key())))
    stranger = Account.from_key(STRANGER).address
    receipt = world.chain.transact(stranger, world.me, operation["callData"])
    met = reverted(world.chain, account.interface, receipt)
    assert (met.name, *met.arguments) == ("AccountUnauthorized", stranger.lower())


def test_a_member_ends_the_delegation(world) -> None:
    """The lab sends that too. The authorization before is used up: nobody brings the code back with it."""
    first = world.member.authorizations()
    world.sponsor(world.call("seal", group=OURS, commitment=SALT))
    operation, signature = world.member.signed((world.registry.address, world.call("cancel", key=world.key())))
    ending = world.member.authorize(NOBODY)
    world.chain.send_signed(SPONSOR, {"to": LAB, "data": b"", "authorizationList": [ending]})
    for again in ([], first):
        assert refused(world.entry_point, operation, signature, again) == "Eip7702SenderWithoutCode"
        assert world.chain.rpc("eth_getCode", [world.me, "latest"]) == "0x"


def test_somebody_else_sends_it(world) -> None:
    """Whoever sees the signed call can send it. It does the same, and the sender pays."""
    operation, signature = world.member.signed((world.registry.address, world.call("record", key=world.key())))
    authorizations = world.member.authorizations()
    receipt = send(world.entry_point, operation, signature, authorizations, by=STRANGER)
    [event] = world.registry.decode(receipt["logs"])
    assert event.arguments[1] == world.me
    assert refused(world.entry_point, operation, signature, authorizations).startswith("AA25")


def test_who_pays_has_no_code(world) -> None:
    """The EntryPoint takes no transaction of an account that delegates, so the lab's key doesn't."""
    nonce = int(world.chain.rpc("eth_getTransactionCount", [LAB, "latest"]), 16)
    delegating = sponsored.authorization(SPONSOR, world.chain.chain_id, world.member.code, nonce + 1)
    operation, signature = world.member.signed((world.registry.address, world.call("record", key=world.key())))
    authorizations = [*world.member.authorizations(), delegating]
    assert refused(world.entry_point, operation, signature, authorizations) == "Reentrancy"


@pytest.mark.parametrize("gas", [200_000, 500_000, 1_000_000, 2_000_000])
def test_too_little_gas_uses_up_no_signature(world, gas) -> None:
    """Whoever sends it can't have the calls fail by giving less than was signed."""
    operation, signature = world.member.signed((world.registry.address, world.call("record", key=world.key())))
    authorizations = world.member.authorizations()
    assert refused(world.entry_point, operation, signature, authorizations, by=STRANGER, gas=gas)
    send(world.entry_point, operation, signature)
    assert world.registry.read("statusOf", world.id(world.key()))[2] == RECORDED


# -- by a deposit


@pytest.mark.parametrize("kind", ["delegating", "passkey"])
def test_the_lab_keeps_a_deposit_for_a_member(entry_point, kind) -> None:
    """Then the user operation pays whoever sends it, out of the deposit that the lab made, and anybody may."""
    world, fee = world_of(entry_point, kind), 3 * 10**9
    deposit = entry_point.interface.encode_call("depositTo", world.me)
    receipt = world.chain.transact(LAB.lower(), entry_point.address, deposit, value=hex(10**18))
    assert int(receipt["status"], 16)
    operation, signature = world.member.signed((world.registry.address, world.call("record", key=world.key())), fee=fee)
    authorizations = world.member.authorizations()
    sender = Account.from_key(STRANGER).address
    before = world.balance(sender)
    send(entry_point, operation, signature, authorizations, by=STRANGER)
    left = entry_point.read("balanceOf", world.me)
    assert world.registry.read("statusOf", world.id(world.key()))[2] == RECORDED
    assert 0 < left < 10**18
    assert world.balance(sender) > before, "it is paid more than it paid"
    assert world.balance(world.me) == 0
