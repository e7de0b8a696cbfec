"""A registry on Ape's local chain, two groups in it, and people to try it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ape
import pytest
from ape.contracts import ContractContainer, ContractInstance
from eth_account.messages import encode_typed_data
from ethpm_types import ContractType

from blockchaintracer.core.record import NO_END, Domain, Link, RecordKey, Role, SubjectType, from_hex, record_message
from tests.model.registry import Event
from tests.support.artifacts import artifact
from tests.support.evm import interface_of

ALL_ROLES = Role.MAINTAINER | Role.RECORDER | Role.REVIEWER


def container(name: str) -> ContractContainer:
    """A compiled contract as Ape deploys it."""
    code = artifact(name)
    return ContractContainer(
        ContractType(
            contractName=name,
            abi=code.abi,
            deploymentBytecode={"bytecode": "0x" + code.bytecode.hex()},
            runtimeBytecode={"bytecode": "0x" + code.runtime.hex()},
        )
    )


class Lab:
    """A registry and what people do with it."""

    def __init__(self, registry: ContractInstance, people: dict[str, Any]) -> None:
        self.registry = registry
        self.people = people
        self.domain = Domain(ape.chain.chain_id, registry.address)

    def key(self, author: Any, group: int = 1, *, kind: int = 1, subject: int = 1, parents: Any = ()) -> RecordKey:
        links = tuple(Link(parent, relation) for parent, relation in parents)
        subject_type = SubjectType.IDENTIFIER if kind == 3 else SubjectType.FILE
        return RecordKey(group, author.address, subject_type, f"{subject:064x}", kind, "ee" * 32, links)

    def id(self, key: RecordKey) -> bytes:
        return from_hex(self.domain.record_id(key))

    def record(self, author: Any, group: int = 1, **fields: Any) -> tuple[RecordKey, bytes]:
        """Stores a record: its key and id."""
        key = self.key(author, group, **fields)
        self.registry.record(key.as_abi(), sender=author)
        return key, self.id(key)

    def sign(self, signer: Any, primary_type: str, message: dict[str, Any]) -> bytes:
        """As a wallet signs the typed data that the client shows it."""
        document = self.domain.typed_data(primary_type, message)
        return signer.sign_message(encode_typed_data(full_message=document)).encode_rsv()

    def sign_record(self, key: RecordKey, deadline: int = NO_END, by: Any = None) -> bytes:
        message = {"record": record_message(key), "deadline": deadline}
        return self.sign(by or self.person(key.author), "RecordAuthorization", message)

    def sign_verdict(
        self, attester: Any, record: bytes, group: int, verdict: int, evidence: bytes = bytes(32), version: int = 0
    ) -> bytes:
        names = ("group", "attester", "recordId", "verdict", "evidence", "version", "deadline")
        values = (group, attester.address, record, verdict, evidence, version, NO_END)
        return self.sign(attester, "AttestationAuthorization", dict(zip(names, values, strict=True)))

    def invitation(
        self, group: int, account: Any, roles: int, inviter: Any, **other: int
    ) -> tuple[tuple[Any, ...], bytes]:
        """What `joinBySig` takes."""
        message = {
            "group": group,
            "inviter": inviter.address,
            "account": account.address,
            "roles": int(roles),
            "until": NO_END,
            "inviterVersion": self.registry.membershipOf(group, inviter).version,
            "version": 0,
            "deadline": NO_END,
        } | other
        return tuple(message.values()), self.sign(inviter, "Invitation", message)

    def join(self, group: int, account: Any, roles: int, inviter: Any, **other: int) -> Any:
        return self.registry.joinBySig(*self.invitation(group, account, roles, inviter, **other), sender=account)

    def person(self, address: str) -> Any:
        return next(person for person in self.people.values() if person.address.lower() == address)

    @contextmanager
    def refuses(self, name: str, **arguments: Any) -> Iterator[None]:
        """The registry refuses what is done inside, with this error and these values."""
        error = getattr(self.registry, name)
        declared = {
            item["name"]
            for item in next(entry for entry in artifact("LabRegistry").abi if entry.get("name") == name)["inputs"]
        }
        assert set(arguments) <= declared, "values are named as the ABI names them"
        with ape.reverts(error, **arguments):
            yield

    def events(self, receipt: Any) -> list[Event]:
        """What a transaction emitted, every value of it."""
        assert all(log["address"].lower() == self.registry.address.lower() for log in receipt.logs)
        decode = interface_of("LabRegistry").decode_event
        return [decode([bytes(topic) for topic in log["topics"]], bytes(log["data"])) for log in receipt.logs]


def lower(person: Any) -> str:
    return person.address.lower()


@pytest.fixture(autouse=True)
def isolated(registry: ContractInstance, ape_isolation: None) -> None:
    """Every test finds the registry as the module's fixtures left it."""


@pytest.fixture(scope="module")
def people(accounts: Any) -> dict[str, Any]:
    names = ("owner", "alice", "bob", "carol", "mallory")
    return dict(zip(names, accounts, strict=False))


@pytest.fixture(scope="module")
def lab(people: dict[str, Any]) -> Lab:
    """Group 1 is Alice's, group 2 Bob's; both hold every role in their own. The registry is the owner's."""
    registry = people["owner"].deploy(container("LabRegistry"), people["owner"], True)
    for founder in ("alice", "bob"):
        registry.createGroup(ALL_ROLES, bytes(32), sender=people[founder])
    return Lab(registry, people)


@pytest.fixture(scope="module")
def registry(lab: Lab) -> ContractInstance:
    return lab.registry


def _person(name: str) -> Callable[..., Any]:
    @pytest.fixture(scope="module", name=name)
    def person(people: dict[str, Any]) -> Any:
        return people[name]

    return person


owner, alice, bob, carol, mallory = map(_person, ("owner", "alice", "bob", "carol", "mallory"))


def time_of(receipt: Any) -> int:
    """The time of a transaction's block."""
    return ape.chain.provider.get_block(receipt.block_number).timestamp


def wait(seconds: int = 10) -> None:
    """The next block is this much later than it would be; mined blocks may share a second."""
    ape.chain.pending_timestamp += seconds
