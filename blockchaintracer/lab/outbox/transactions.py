"""Every change that this package makes to a chain, as data, and one table that says what each operation is.

A transaction is sent only while the chain does not show its effect, so it can be repeated safely.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

from blockchaintracer.core.chain import Chain, DecodedEvent, Registry
from blockchaintracer.core.chain.abi import interface, shipped_code
from blockchaintracer.core.chain.known_code import LENS_SALT, PROXY, lens_address
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import NO_END, GlobalId, RecordKey, Status, from_hex, to_hex
from blockchaintracer.lab.chain import bounty_calls
from blockchaintracer.lab.chain import factory as factories
from blockchaintracer.lab.chain.factory import require_cancun
from blockchaintracer.lab.chain.questions import foreign_attested

_ADDRESS_LENGTH = 42
_HEAD, _WORD = 4, 32
"""bytes of a selector and of an ABI word"""
_KEY_BYTES, _LINK_BYTES = 9 * _WORD, 2 * _WORD


class Op(StrEnum):
    """The operations, as the journal names them."""

    FUND_PROXY = "fund-proxy"
    """pay the signer of the deployment proxy's transaction what it lacks"""
    DEPLOY_PROXY = "deploy-proxy"
    """put the deterministic deployment proxy at its address, by the one transaction that does"""
    DEPLOY_FACTORY = "deploy-factory"
    """put this version's factory at the address that it has on every chain"""
    DEPLOY_LENS = "deploy-lens"
    """put this version's RegistryLens at the address that it has on every chain"""
    DEPLOY = "deploy"
    """make a registry by the factory; `registry` is the address that it will have"""
    CREATE_GROUP = "create-group"
    JOIN_GROUP = "join-group"
    """accept an invitation: the EIP-712 message ``Invitation``, and its signature or 0x if a transaction made it"""
    REMOVE_MEMBER = "remove-member"
    TRANSFER_GROUP = "transfer-group"
    """offer a group to another account, which accepts it by `ACCEPT_GROUP`"""
    ACCEPT_GROUP = "accept-group"
    DESCRIBE_GROUP = "describe-group"
    TRANSFER_REGISTRY = "transfer-registry"
    """offer the registry to another account, which accepts it by `ACCEPT_REGISTRY`"""
    ACCEPT_REGISTRY = "accept-registry"
    ANNOUNCE_SUCCESSOR = "announce-successor"
    RECORD = "record"
    RECORD_BY_SIGNATURE = "record-by-signature"
    """store a record that its author signed; anyone may, and pays"""
    RETRACT = "retract"
    ATTEST = "attest"
    ATTEST_BY_SIGNATURE = "attest-by-signature"
    """give a verdict that a reviewer signed; anyone may, and pays"""
    WITHDRAW = "withdraw"
    ATTEST_FOREIGN = "attest-foreign"
    """give a verdict on a record of another registry; `Verdict.NONE` takes it back"""
    SEAL = "seal"
    REVEAL = "reveal"
    REVEAL_VERDICT = "reveal-verdict"
    """show a sealed verdict; its evidence is stored with it if it is not stored yet"""
    ANCHOR = "anchor"
    ANCHOR_LEAVES = "anchor-leaves"
    """anchor a batch with the ids of all its records, ascending"""
    MATERIALIZE = "materialize"
    """store a record from a batch; anyone may"""
    CANCEL = "cancel"
    """refuse a record that is not stored, from whatever signature or batch"""
    END_BATCH = "end-batch"
    """refuse all records of a batch that are not stored"""
    DEPLOY_BOUNTY = "deploy-bounty"
    """put the registry's ReplicationBounty at the address that follows from its code"""
    APPROVE_BOUNTY = "approve-bounty"
    """let the registry's ReplicationBounty take this much of a token"""
    BOUNTY = "bounty"
    """call a function of the registry's ReplicationBounty; `bounty` are its terms, `more` the other arguments"""


MOST_GAS = 3_000_000
"""What a transaction may take that carries another account's signature: its contract may burn gas to check it."""
RECORDS = (Op.RECORD, Op.RECORD_BY_SIGNATURE, Op.REVEAL, Op.MATERIALIZE)
"""The operations that put a record on the chain."""
STORING = (Op.RECORD, Op.RECORD_BY_SIGNATURE, Op.MATERIALIZE)
"""Those that the registry refuses if the record is stored, whatever else is on its way."""
ANCHORS = (Op.ANCHOR, Op.ANCHOR_LEAVES)
"""The operations that put a batch on the chain."""


class Overtaken(InputError):
    """Somebody else changed the same thing first: this transaction will never be right as it is."""


class Transaction:
    """One change to a chain.

    Args:
        registry: address of the registry that it changes, or of the contract that it makes.
        fields: the operation's fields by name. Ids, salts, signatures and addresses are 0x-hex, SHA-256 digests bare
            hex, keys are `RecordKey` (None for none), `version` is the one that was seen before.
    """

    def __init__(self, op: Op, registry: str, **fields: Any) -> None:
        self.op, self.registry, self.fields = op, registry, fields
        self._operation = _OPERATIONS[op]
        if fields.keys() != set(self._operation.fields.split()):
            raise TypeError(f"{op} has the fields {self._operation.fields!r}, got {sorted(fields)}")

    def __repr__(self) -> str:
        # the fields of a reveal hold its salt
        return f"<{self.op} at {self.registry}>"

    def __getitem__(self, field: str) -> Any:
        return self.fields[field]

    @property
    def key(self) -> RecordKey:
        """The key of the record that it stores or retracts."""
        return self.fields["key"]  # type: ignore[no-any-return]

    @property
    def record_id(self) -> str | None:
        """The record that it is about."""
        return self.fields.get("record_id")

    def about(self, chain_id: int) -> GlobalId:
        """Return the record that it is about, which may be of another registry."""
        return (
            _foreign(self)
            if "foreign_registry" in self.fields
            else GlobalId(chain_id, self.registry, self["record_id"])
        )

    def payload(self) -> dict[str, Any]:
        """Registry and fields as JSON-ready values; `from_payload` reads them back."""
        fields = self.fields.items()
        values = {name: value.as_json() if isinstance(value, RecordKey) else value for name, value in fields}
        return {"registry": self.registry, **values}

    @property
    def identity(self) -> str:
        """The same for the same change (64 hex digits)."""
        return sha256(json.dumps([self.op, self.payload()], sort_keys=True).encode()).hexdigest()

    @property
    def presigned(self) -> bytes:
        """The signed transaction, where everybody sends the same one; otherwise empty."""
        return factories.PROXY_TRANSACTION if self.op is Op.DEPLOY_PROXY else b""

    @property
    def has_event(self) -> bool:
        """Whether an event tells where its effect came to be."""
        return self._operation.event is not _no_event

    def is_done(self, chain: Chain) -> bool:
        """Tell whether the chain shows the effect."""
        return self._operation.is_done(self, Registry(chain, self.registry))

    def event(self, chain: Chain) -> DecodedEvent | None:
        """Return the event that shows the effect, for where and when it happened."""
        return self._operation.event(self, Registry(chain, self.registry))

    def call(self, chain: Chain) -> tuple[str, str]:
        """Return address and calldata (0x-hex) of the call that makes the change."""
        if self._operation.deployment:
            return self._operation.deployment(self, chain)
        registry = Registry(chain, self.registry)
        return registry.address, registry.call_data(*self._operation.call(self))

    @property
    def most_gas(self) -> int | None:
        """The gas that it may take at most, where others decide that."""
        return MOST_GAS if "signature" in self.fields and self.op is not Op.JOIN_GROUP else None

    @property
    def size(self) -> int:
        """The calldata of a record among others, in bytes."""
        return _KEY_BYTES + _LINK_BYTES * len(self.key.parents)

    def is_among(self, data: bytes) -> bool:
        """Tell whether it is one of the records of a call of ``recordMany``."""
        if self.op is not Op.RECORD or data[:_HEAD] != from_hex(interface().call("recordMany", []))[:_HEAD]:
            return False
        # behind selector and offset a key has the same bytes, alone or among others
        place = data.find(from_hex(interface().call("record", self.key.as_abi()))[_HEAD + _WORD :])
        return place >= _HEAD and (place - _HEAD) % _WORD == 0

    def value(self, chain: Chain) -> int:
        """Return what the transaction pays to its address, in wei."""
        return _missing_wei(chain) if self.op is Op.FUND_PROXY else self.fields.get("wei", 0)

    def check(self, chain: Chain, sender: str) -> None:
        """Ask before anything is paid whether the registry would refuse it."""
        if self._operation.check:
            self._operation.check(self, chain)
        elif self.op is Op.BOUNTY:
            bounty_calls.simulate(chain, sender, *self.call(chain), self["wei"])
        else:
            Registry(chain, self.registry).simulate(sender, *self._operation.call(self))


def from_payload(op: str, payload: dict[str, Any]) -> Transaction:
    """Return the transaction of this operation and payload."""
    keys = {name: RecordKey.from_json(payload[name]) for name in ("key", "evidence", "reference") if payload.get(name)}
    return Transaction(Op(op), **{**payload, **keys})


def call_of(writes: Sequence[Transaction], chain: Chain) -> tuple[str, str]:
    """Return address and calldata (0x-hex) of the call that makes one change, or stores several records of a
    registry."""
    if len(writes) == 1:
        return writes[0].call(chain)
    registry = Registry(chain, writes[0].registry)
    return registry.address, registry.call_data("recordMany", [write.key.as_abi() for write in writes])


def deployment(
    chain: Chain, owner: str, *, open_group_creation: bool, salt: str, factory: str | None = None
) -> Transaction:
    """Return the deployment of a registry with these settings, at the address that they lead to."""
    address = factories.Factory(chain, factory).registry_address(owner, open_group_creation, salt)
    settings = {"owner": owner, "open_group_creation": open_group_creation, "salt": salt, "factory": factory}
    return Transaction(Op.DEPLOY, address, **settings)


def factory_steps(chain: Chain) -> list[Transaction]:
    """Return what has to be on a chain beside its registries, in order: what is missing of the proxy, and in any case
    factory and Lens, so that a chain which loses them gets them again."""
    made = [Transaction(Op.DEPLOY_FACTORY, factories.factory_address()), Transaction(Op.DEPLOY_LENS, lens_address())]
    if all(step.is_done(chain) for step in made):
        return made
    proxy = [Transaction(op, PROXY) for op in (Op.FUND_PROXY, Op.DEPLOY_PROXY)]
    return [*(step for step in proxy if not step.is_done(chain)), *made]


# -- the parts of the table

_Call = Callable[[Transaction], tuple[Any, ...]]
_IsDone = Callable[[Transaction, Registry], bool]
_Event = Callable[[Transaction, Registry], DecodedEvent | None]
_OwnerAndOffered = Callable[[Transaction, Registry], tuple[str, str]]


def _no_call(write: Transaction) -> tuple[Any, ...]:
    raise NotImplementedError(f"{write.op} calls no registry")


def _no_event(write: Transaction, registry: Registry) -> None:
    pass


@dataclass(frozen=True)
class _Operation:
    """A row of the table.

    Args:
        call: the registry's function and its arguments.
        event: the event that shows it.
        deployment: address and calldata of what is no call of a registry.
        check: what is checked before instead of simulating the call.
    """

    fields: str
    call: _Call
    is_done: _IsDone
    event: _Event
    deployment: Callable[[Transaction, Chain], tuple[str, str]] | None = None
    check: Callable[[Transaction, Chain], None] | None = None


def _abi(value: Any) -> Any:
    """A field as the registry's functions and events have it."""
    match value:
        case RecordKey():
            return value.as_abi()
        case dict():
            return tuple(value.values())
        case list() | tuple():
            return [_abi(part) for part in value]
        case str() if len(value) != _ADDRESS_LENGTH:
            return from_hex(value)
    return value


def _call(function: str, *fields: str) -> _Call:
    return lambda write: (function, *(_abi(write[field]) for field in fields))


_joins = _call("join", "invitation")
_joins_by_signature = _call("joinBySig", "invitation", "signature")


def _newest(name: str, **topics: str) -> _Event:
    """The newest event of a name; `topics` say which field each of its values equals."""

    def event(write: Transaction, registry: Registry) -> DecodedEvent | None:
        events = registry.events(name, **{topic: _abi(write[field]) for topic, field in topics.items()})
        return next(iter(deque(events, maxlen=1)), None)

    return event


def _versioned(
    version: Callable[[Transaction, Registry], int],
    changes: Callable[[Transaction, Registry], Iterator[DecodedEvent]],
    is_this: Callable[[Transaction, DecodedEvent], bool],
) -> tuple[_IsDone, _Event]:
    """A change that raises a version on the chain, made from the version that was seen.

    It is done if the very next version is this change. If that is another's change, this one was overtaken, and to
    repeat it could undo what the other meant: the person decides.
    """

    def event(write: Transaction, registry: Registry) -> DecodedEvent | None:
        following = _seen(write) + 1
        return next((change for change in changes(write, registry) if change.args["version"] == following), None)

    def is_done(write: Transaction, registry: Registry) -> bool:
        if version(write, registry) <= _seen(write):
            return False
        change = event(write, registry)
        if change is not None and not is_this(write, change):
            raise Overtaken(
                f"{write.op}: somebody else changed the same thing first (transaction {change.transaction})",
                hint="Look at what it is now, and decide again.",
            )
        return change is not None

    return is_done, event


def _subject(write: Transaction) -> dict[str, Any]:
    subject: dict[str, Any] = write.fields.get("invitation", write.fields)
    return subject


def _seen(write: Transaction) -> int:
    return int(_subject(write)["version"])


def _membership(is_this: Callable[[Transaction, DecodedEvent], bool]) -> tuple[_IsDone, _Event]:
    def member(write: Transaction) -> dict[str, Any]:
        return {name: _subject(write)[name] for name in ("group", "account")}

    return _versioned(
        lambda write, registry: registry.membership(**member(write)).version,
        lambda write, registry: registry.events("MembershipChanged", **member(write)),
        is_this,
    )


def _verdict(is_this: Callable[[Transaction, DecodedEvent], bool]) -> tuple[_IsDone, _Event]:
    def changes(write: Transaction, registry: Registry) -> Iterator[DecodedEvent]:
        about: dict[str, Any] = {"recordId": _abi(write["record_id"]), "group": write["group"]}
        yield from registry.events("Attested", **about)
        yield from registry.events("VerdictWithdrawn", **about)

    return _versioned(
        lambda write, registry: registry.verdict(write["group"], write["record_id"]).version, changes, is_this
    )


def _is_verdict(write: Transaction, event: DecodedEvent) -> bool:
    if event.name != "Attested" or event.args["verdict"] != write["verdict"]:
        return False
    return write["evidence"] is not None or not any(event.args["evidence"])


def _with_evidence(function: str, *fields: str) -> _Call:
    """The function for no evidence, or its sibling ``...WithEvidence``, which takes the field ``evidence`` too."""
    given = tuple(field for field in fields if field != "evidence")

    def call(write: Transaction) -> tuple[Any, ...]:
        without = write["evidence"] is None
        return _call(*((function, *given) if without else (f"{function}WithEvidence", *fields)))(write)

    return call


def _attest_by_signature(write: Transaction) -> tuple[Any, ...]:
    said = ("group", "attester", "record_id", "verdict")
    if write["evidence"] is None:
        return _call("attestBySig", *said, "deadline", "signature")(write)
    return _call("attestWithEvidenceBySig", *said, "evidence", "deadline", "signature")(write)


def _foreign(write: Transaction) -> GlobalId:
    return GlobalId(write["chain_id"], write["foreign_registry"], write["record_id"])


def _attest_foreign(write: Transaction) -> tuple[Any, ...]:
    said = (write["group"], _foreign(write).as_abi(), write["verdict"])
    if write["evidence"] is None:
        return ("attestForeign", *said)
    return ("attestForeignWithEvidence", *said, write["reference"].as_abi(), write["evidence"].as_abi())


def _group_created(write: Transaction, registry: Registry) -> DecodedEvent | None:
    """The first of this owner and description."""
    for event in registry.events("GroupCreated", owner=write["owner"]):
        if event.args["manifest"].hex() == write["manifest"]:
            return event
    return None


def _offer(name: str, state: _OwnerAndOffered, **topics: str) -> tuple[_IsDone, _Event]:
    """An offer to another account; `state` gives who owns it, and to whom it is offered."""
    event = _newest(name, **topics)

    def is_done(write: Transaction, registry: Registry) -> bool:
        owner, offered = (address.lower() for address in state(write, registry))
        if write["to"].lower() == offered:
            return True
        # it was accepted since, or its owner takes an older offer back: the event says which
        made = event(write, registry) if write["to"].lower() == owner else None
        return made is not None and made.block > write["seen"]

    return is_done, event


def _of_group(write: Transaction, registry: Registry) -> tuple[str, str]:
    group = registry.group(write["group"])
    return group.owner, group.pending_owner or ""


def _is_described(write: Transaction, registry: Registry) -> bool:
    event = _newest("GroupDescribed", group="group")(write, registry)
    return event is not None and event.args["manifest"] == _abi(write["manifest"])


def _is_stored(write: Transaction, registry: Registry) -> bool:
    return registry.status(write["record_id"]).exists


def _is_anchored(write: Transaction, registry: Registry) -> bool:
    return registry.batch(write["group"], write["author"], write["root"]).exists


def _anchored(write: Transaction, registry: Registry) -> DecodedEvent | None:
    """The first anchor of the batch, with leaves or without."""
    return registry.anchored(write["group"], write["author"], write["root"])


# -- what no registry is called for: each has an address that follows from its code, so whoever makes it, and however
# often, it is the same


def _has_code(write: Transaction, registry: Registry) -> bool:
    return registry.chain.has_code(write.registry)


def _missing_wei(chain: Chain) -> int:
    return max(0, factories.PROXY_COST_WEI - chain.balance(factories.PROXY_SIGNER))


def _check_funding(write: Transaction, chain: Chain) -> None:
    """Ask whether the proxy's transaction would pass once its signer is paid."""
    require_cancun(chain)
    if problem := factories.proxy_problem(chain):
        raise InputError(f"the deployment proxy can't be put on {chain.name}: {problem}")
    factories.offer_proxy_transaction(chain)


def _check_code(write: Transaction, chain: Chain) -> None:
    # it can also run out of gas, which estimating tells
    require_cancun(chain)


def _call_proxy(write: Transaction, chain: Chain) -> tuple[str, str]:
    if write.op is Op.DEPLOY_LENS:
        return PROXY, "0x" + (LENS_SALT + shipped_code("RegistryLens")).hex()
    return PROXY, "0x" + (factories.FACTORY_SALT + shipped_code("LabRegistryFactory")).hex()


def _call_bounty(write: Transaction, chain: Chain) -> tuple[str, str]:
    return bounty_calls.bounty_address(write.registry), bounty_calls.data(
        write["function"], write["bounty"], write["more"]
    )


def _approve_bounty(write: Transaction, chain: Chain) -> tuple[str, str]:
    return write["token"], bounty_calls.tokens().call(
        "approve", bounty_calls.bounty_address(write.registry), write["amount"]
    )


def _call_factory(write: Transaction, chain: Chain) -> tuple[str, str]:
    maker = factories.Factory(chain, write["factory"])
    return maker.address, maker.deployment(write["owner"], write["open_group_creation"], write["salt"])


def _check_deployment(write: Transaction, chain: Chain) -> None:
    """Ask whether the registry takes this owner, and the factory is there to be called."""
    factories.require_owner(write["owner"])
    require_cancun(chain)
    maker = factories.Factory(chain, write["factory"])
    if not maker.exists():
        raise InputError(
            f"expected a factory at {maker.address} on {chain.name}, got no contract",
            hint="`blockchaintracer deploy` deploys it first.",
        )


# -- the table

# fields, call, whether it is done, and the event that shows it
_OPERATIONS: dict[Op, _Operation] = {
    Op.DEPLOY_BOUNTY: _Operation(
        "",
        _no_call,
        lambda write, registry: registry.chain.has_code(bounty_calls.bounty_address(write.registry)),
        _no_event,
        deployment=lambda write, chain: (PROXY, to_hex(bytes(32) + bounty_calls.bounty_code(write.registry))),
        check=_check_code,
    ),
    Op.APPROVE_BOUNTY: _Operation(
        "token owner amount",
        _no_call,
        lambda write, registry: (
            bounty_calls.token(
                registry.chain, write["token"], "allowance", write["owner"], bounty_calls.bounty_address(write.registry)
            )
            >= write["amount"]
        ),
        _no_event,
        deployment=_approve_bounty,
        check=_check_code,
    ),
    Op.BOUNTY: _Operation(
        "id function bounty more wei",
        _no_call,
        lambda write, registry: bounty_calls.is_done(
            registry.chain, bounty_calls.bounty_address(write.registry), write["function"], write["id"], write["more"]
        ),
        _no_event,
        deployment=_call_bounty,
    ),
    Op.FUND_PROXY: _Operation(
        "",
        _no_call,
        lambda write, registry: _has_code(write, registry) or _missing_wei(registry.chain) == 0,
        _no_event,
        deployment=lambda write, chain: (factories.PROXY_SIGNER, "0x"),
        check=_check_funding,
    ),
    Op.DEPLOY_PROXY: _Operation(
        "", _no_call, _has_code, _no_event, check=lambda write, chain: factories.offer_proxy_transaction(chain)
    ),
    **dict.fromkeys(
        (Op.DEPLOY_FACTORY, Op.DEPLOY_LENS),
        _Operation("", _no_call, _has_code, _no_event, deployment=_call_proxy, check=_check_code),
    ),
    Op.DEPLOY: _Operation(
        "owner open_group_creation salt factory",
        _no_call,
        _has_code,
        lambda write, registry: next(registry.events("OwnershipTransferred"), None),
        deployment=_call_factory,
        check=_check_deployment,
    ),
    Op.CREATE_GROUP: _Operation(
        "owner manifest roles",
        _call("createGroup", "roles", "manifest"),
        lambda write, registry: _group_created(write, registry) is not None,
        _group_created,
    ),
    Op.JOIN_GROUP: _Operation(
        "invitation signature",
        lambda write: (_joins if write["signature"] == "0x" else _joins_by_signature)(write),
        *_membership(
            lambda write, event: all(event.args[name] == write["invitation"][name] for name in ("roles", "until"))
        ),
    ),
    Op.REMOVE_MEMBER: _Operation(
        "group account version",
        _call("removeMember", "group", "account"),
        *_membership(lambda write, event: event.args["until"] < NO_END),
    ),
    Op.TRANSFER_GROUP: _Operation(
        "group to seen",
        _call("transferGroup", "group", "to"),
        *_offer("GroupTransferStarted", _of_group, group="group", to="to"),
    ),
    Op.ACCEPT_GROUP: _Operation(
        "group owner seen",
        _call("acceptGroup", "group"),
        lambda write, registry: registry.group(write["group"]).owner.lower() == write["owner"].lower(),
        _newest("GroupTransferred", group="group", to="owner"),
    ),
    Op.DESCRIBE_GROUP: _Operation(
        "group manifest seen",
        _call("describeGroup", "group", "manifest"),
        _is_described,
        _newest("GroupDescribed", group="group"),
    ),
    Op.TRANSFER_REGISTRY: _Operation(
        "to seen",
        _call("transferOwnership", "to"),
        *_offer(
            "OwnershipTransferStarted",
            lambda write, registry: (registry.read_function("owner"), registry.read_function("pendingOwner")),
            newOwner="to",
        ),
    ),
    Op.ACCEPT_REGISTRY: _Operation(
        "owner seen",
        _call("acceptOwnership"),
        lambda write, registry: registry.read_function("owner").lower() == write["owner"].lower(),
        _newest("OwnershipTransferred", newOwner="owner"),
    ),
    Op.ANNOUNCE_SUCCESSOR: _Operation(
        "chain_id successor seen",
        _call("announceSuccessor", "chain_id", "successor"),
        lambda write, registry: (
            [str(value).lower() for value in registry.read_function("successor")]
            == [str(write["chain_id"]), write["successor"].lower()]
        ),
        _newest("SuccessorAnnounced"),
    ),
    Op.RECORD: _Operation("record_id key", _call("record", "key"), _is_stored, _newest("Recorded", id="record_id")),
    Op.RECORD_BY_SIGNATURE: _Operation(
        "record_id key deadline signature",
        _call("recordBySig", "key", "deadline", "signature"),
        _is_stored,
        _newest("Recorded", id="record_id"),
    ),
    Op.RETRACT: _Operation(
        "record_id key reason",
        _call("retract", "key", "reason"),
        lambda write, registry: registry.status(write["record_id"]).status is Status.RETRACTED,
        _newest("Retracted", id="record_id"),
    ),
    Op.ATTEST: _Operation(
        "record_id group version verdict evidence",
        _with_evidence("attest", "group", "record_id", "verdict", "evidence"),
        *_verdict(_is_verdict),
    ),
    Op.ATTEST_BY_SIGNATURE: _Operation(
        "record_id group version verdict evidence attester deadline signature",
        _attest_by_signature,
        *_verdict(_is_verdict),
    ),
    Op.WITHDRAW: _Operation(
        "record_id group version",
        _call("withdraw", "group", "record_id"),
        *_verdict(lambda write, event: event.name == "VerdictWithdrawn"),
    ),
    Op.ATTEST_FOREIGN: _Operation(
        "chain_id foreign_registry record_id group version verdict reference evidence",
        _attest_foreign,
        *_versioned(
            lambda write, registry: registry.foreign_verdict(write["group"], _foreign(write)).version,
            lambda write, registry: foreign_attested(registry, _foreign(write), write["group"]),
            lambda write, event: event.args["verdict"] == write["verdict"],
        ),
    ),
    Op.SEAL: _Operation(
        "group author commitment",
        _call("seal", "group", "commitment"),
        lambda write, registry: registry.sealed_at(write["group"], write["author"], write["commitment"]) != 0,
        _newest("Sealed", group="group", author="author", commitment="commitment"),
    ),
    Op.REVEAL: _Operation(
        "record_id key salt",
        _call("reveal", "key", "salt"),
        lambda write, registry: registry.status(write["record_id"]).sealed_at != 0,
        _newest("Revealed", id="record_id"),
    ),
    Op.REVEAL_VERDICT: _Operation(
        "record_id group version verdict evidence salt",
        _with_evidence("revealVerdict", "group", "record_id", "verdict", "evidence", "salt"),
        *_verdict(_is_verdict),
    ),
    Op.ANCHOR: _Operation(
        "group author root count manifest",
        _call("anchor", "group", "root", "count", "manifest"),
        _is_anchored,
        _anchored,
    ),
    Op.ANCHOR_LEAVES: _Operation(
        "group author root count manifest ids", _call("anchorLeaves", "group", "ids"), _is_anchored, _anchored
    ),
    Op.MATERIALIZE: _Operation(
        "record_id key root proof",
        _call("materialize", "key", "root", "proof"),
        _is_stored,
        _newest("Recorded", id="record_id"),
    ),
    Op.CANCEL: _Operation(
        "record_id key",
        _call("cancel", "key"),
        lambda write, registry: registry.status(write["record_id"]).status is Status.CANCELLED,
        _newest("RecordCancelled", id="record_id"),
    ),
    Op.END_BATCH: _Operation(
        "group author root",
        _call("endBatch", "group", "author", "root"),
        lambda write, registry: registry.batch(write["group"], write["author"], write["root"]).ended_at != 0,
        _newest("BatchEnded", group="group", author="author", root="root"),
    ),
}
