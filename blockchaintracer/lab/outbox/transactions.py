"""Every change that the client makes to a chain, as data: what it calls, and how to see that it is done.

A write can be repeated safely: it's sent only while the chain doesn't show its effect.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, ClassVar

from blockchaintracer.core.chain import Chain, Registry
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import NO_END, ForeignRecord, RecordKey, Status
from blockchaintracer.lab.chain import factory as factories

_KEY = "(uint32,uint8,uint8,address,bytes32,bytes32,(bytes32,uint8)[])"


class Overtaken(InputError):
    """Somebody else changed the same thing first: this write will never be right as it is."""


@dataclass(frozen=True)
class Write:
    """One change. Subclasses say which.

    Args:
        registry: address of the registry it changes, or of what it makes.
    """

    op: ClassVar[str] = ""
    presigned: ClassVar[bytes] = b""
    """The signed transaction, where it is one that everybody sends alike."""
    has_event: ClassVar[bool] = True
    """Whether an event tells where its effect came to be."""
    registry: str

    def payload(self) -> dict[str, Any]:
        """The change as JSON-ready values; `from_payload` reads it back."""
        return {
            name: value.as_json() if isinstance(value, RecordKey) else value for name, value in self.__dict__.items()
        }

    @property
    def identity(self) -> str:
        """The same for the same change (64 hex digits)."""
        return sha256(json.dumps([self.op, self.payload()], sort_keys=True).encode()).hexdigest()

    @property
    def record_id_of(self) -> str | None:
        """The record that the change is about."""
        return getattr(self, "record_id", None)

    def call(self) -> tuple[str, tuple[Any, ...]]:
        """The registry's function, with its signature where the name is overloaded, and its arguments."""
        raise NotImplementedError

    def is_done(self, chain: Chain) -> bool:
        """Whether the chain shows the effect."""
        raise NotImplementedError

    def event(self, chain: Chain) -> Any | None:
        """The newest event that shows the effect, for where and when it happened."""
        raise NotImplementedError

    def transaction(self, chain: Chain) -> tuple[str, str]:
        """Address and calldata (0x-hex) of the transaction that makes the change."""
        function, arguments = self.call()
        registry = Registry(chain, self.registry)
        return registry.address, registry.call_data(function, *arguments)

    def value(self, chain: Chain) -> int:
        """What the transaction pays to its address, in wei."""
        return 0

    def check(self, chain: Chain, sender: str) -> None:
        """Tells before anything is paid whether the registry would refuse it.

        Raises:
            ContractRevert: if so.
            InputError: if the chain would.
        """
        function, arguments = self.call()
        Registry(chain, self.registry).simulate(sender, function, *arguments)


def _newest(registry: Registry, name: str, **topics: Any) -> Any | None:
    newest = None
    for newest in registry.events(name, **topics):  # noqa: B007 -- the last one is what is asked for
        pass
    return newest


@dataclass(frozen=True)
class _Versioned(Write):
    """A change that raises a version on the chain, made from the version that was seen.

    It's done if the very next version is this change. If that is another's change, this one was overtaken, and to
    repeat it could undo what the other meant: the person decides.
    """

    @property
    def _seen(self) -> int:
        raise NotImplementedError

    def _current(self, registry: Registry) -> int:
        raise NotImplementedError

    def _changes(self, registry: Registry) -> Iterator[Any]:
        """The events that raised the version."""
        raise NotImplementedError

    def _is_this(self, event: Any) -> bool:
        raise NotImplementedError

    def is_done(self, chain: Chain) -> bool:
        """Whether the version after the one that was seen is this change.

        Raises:
            Overtaken: if it's another change.
        """
        registry = Registry(chain, self.registry)
        if self._current(registry) <= self._seen:
            return False
        event = self.event(chain)
        if event is not None and not self._is_this(event):
            raise Overtaken(
                f"{self.op}: somebody else changed the same thing first (transaction "
                f"{bytes(event['transactionHash']).hex()})",
                hint="Look at what it is now, and decide again.",
            )
        return event is not None

    def event(self, chain: Chain) -> Any | None:
        """The event that raised the version that was seen by one."""
        for event in self._changes(Registry(chain, self.registry)):
            if event["args"]["version"] == self._seen + 1:
                return event
        return None


@dataclass(frozen=True)
class _Made(Write):
    """Something at an address that follows from its code: whoever makes it, and however often, it's the same."""

    has_event: ClassVar[bool] = False

    def is_done(self, chain: Chain) -> bool:
        """Whether code is at the address: nothing but this code can be, because the code is in the address."""
        return chain.has_code(self.registry)

    def event(self, chain: Chain) -> Any | None:
        """None: it leaves no event."""

    def check(self, chain: Chain, sender: str) -> None:
        """It can only run out of gas, which estimating it tells."""


@dataclass(frozen=True)
class FundProxy(_Made):
    """What the signer of the deployment proxy's transaction lacks, paid to it."""

    op: ClassVar[str] = "fund-proxy"
    registry: str = factories.PROXY

    def is_done(self, chain: Chain) -> bool:
        """Whether it has enough, or the proxy is there."""
        return super().is_done(chain) or self.value(chain) == 0

    def transaction(self, chain: Chain) -> tuple[str, str]:
        """A payment to the signer."""
        return factories.PROXY_SIGNER, "0x"

    def value(self, chain: Chain) -> int:
        """What is missing, in wei."""
        return max(0, factories.PROXY_COST_WEI - chain.balance(factories.PROXY_SIGNER))

    def check(self, chain: Chain, sender: str) -> None:
        """Whether the proxy's transaction would pass once this is paid.

        Raises:
            InputError: if not.
        """
        if problem := factories.proxy_problem(chain):
            raise InputError(f"the deployment proxy can't be put on {chain.name}: {problem}")
        factories.offer_proxy_transaction(chain)


@dataclass(frozen=True)
class DeployProxy(_Made):
    """The deterministic deployment proxy, by the one transaction that puts it at its address."""

    op: ClassVar[str] = "deploy-proxy"
    presigned: ClassVar[bytes] = factories.PROXY_TRANSACTION
    registry: str = factories.PROXY

    def check(self, chain: Chain, sender: str) -> None:
        """Whether the node takes a transaction without a chain id.

        Raises:
            InputError: if not.
        """
        factories.offer_proxy_transaction(chain)


@dataclass(frozen=True)
class DeployFactory(_Made):
    """This version's factory, at the address that it has on every chain."""

    op: ClassVar[str] = "deploy-factory"
    registry: str = field(default_factory=factories.factory_address)

    def transaction(self, chain: Chain) -> tuple[str, str]:
        """A call of the proxy with salt and code."""
        return factories.PROXY, "0x" + (factories.FACTORY_SALT + factories.factory_init_code()).hex()


@dataclass(frozen=True)
class Deploy(_Made):
    """A new registry by the factory.

    Args:
        registry: the address it will have, from `Deploy.plan`.
        owner: who creates groups if they are not open.
        open_group_creation: whether anyone may create groups.
        salt: 64 hex digits; another salt gives another registry.
        factory: another factory's address than this version's usual.
    """

    op: ClassVar[str] = "deploy"
    has_event: ClassVar[bool] = True
    owner: str
    open_group_creation: bool
    salt: str
    factory: str | None = None

    @classmethod
    def plan(
        cls, chain: Chain, owner: str, *, open_group_creation: bool, salt: str, factory: str | None = None
    ) -> Deploy:
        """The deployment of these settings, with the address they lead to."""
        address = factories.Factory(chain, factory).registry_address(owner, open_group_creation, salt)
        return cls(address, owner, open_group_creation, salt, factory)

    def event(self, chain: Chain) -> Any | None:
        """The event by which the owner became the owner."""
        return next(Registry(chain, self.registry).events("OwnershipTransferred"), None)

    def transaction(self, chain: Chain) -> tuple[str, str]:
        """A call of the factory."""
        maker = factories.Factory(chain, self.factory)
        return maker.address, maker.deployment(self.owner, self.open_group_creation, self.salt)

    def check(self, chain: Chain, sender: str) -> None:
        """Whether the registry takes this owner, and the factory is there to be called.

        Raises:
            ContractRevert: if it doesn't.
            InputError: if it isn't.
        """
        factories.require_owner(self.owner)
        maker = factories.Factory(chain, self.factory)
        if not maker.exists():
            raise InputError(
                f"expected a factory at {maker.address} on {chain.name}, got no contract",
                hint="`blockchaintracer deploy` deploys it first.",
            )


def factory_steps(chain: Chain) -> list[Write]:
    """What has to be on a chain before a registry can be, in order: what is missing of it, and in any
    case the factory, so that a chain which loses it gets it again."""
    factory = DeployFactory()
    if factory.is_done(chain):
        return [factory]
    return [*(step for step in (FundProxy(), DeployProxy()) if not step.is_done(chain)), factory]


@dataclass(frozen=True)
class CreateGroup(Write):
    """A new group of its sender.

    Args:
        owner: the sender.
        manifest: SHA-256 of the group's description.
        roles: that the sender takes in it.
    """

    op: ClassVar[str] = "create-group"
    owner: str
    manifest: str
    roles: int

    def call(self) -> tuple[str, tuple[Any, ...]]:
        """``createGroup``."""
        return "createGroup", (bytes.fromhex(self.manifest), self.roles)

    def is_done(self, chain: Chain) -> bool:
        """Whether this owner created a group of this description."""
        return self.event(chain) is not None

    def event(self, chain: Chain) -> Any | None:
        """``GroupCreated``: the first with this owner and description."""
        for event in Registry(chain, self.registry).events("GroupCreated", owner=self.owner):
            if bytes(event["args"]["manifest"]).hex() == self.manifest:
                return event
        return None


@dataclass(frozen=True)
class JoinGroup(_Versioned):
    """An invitation accepted by the account it names.

    Args:
        invitation: the EIP-712 message ``Invitation``.
        signature: of the inviter, hex.
    """

    op: ClassVar[str] = "join-group"
    invitation: dict[str, Any]
    signature: str

    def call(self) -> tuple[str, tuple[Any, ...]]:
        """``joinBySig``."""
        return "joinBySig", (tuple(self.invitation.values()), bytes.fromhex(self.signature))

    @property
    def _seen(self) -> int:
        return int(self.invitation["version"])

    def _current(self, registry: Registry) -> int:
        return registry.membership(self.invitation["group"], self.invitation["account"]).version

    def _changes(self, registry: Registry) -> Iterator[Any]:
        return registry.events("MembershipChanged", group=self.invitation["group"], account=self.invitation["account"])

    def _is_this(self, event: Any) -> bool:
        return all(event["args"][name] == self.invitation[name] for name in ("roles", "until"))


@dataclass(frozen=True)
class RemoveMember(_Versioned):
    """The end of a membership.

    Args:
        group: whose.
        account: who.
        version: of the membership that is ended.
    """

    op: ClassVar[str] = "remove-member"
    group: int
    account: str
    version: int

    def call(self) -> tuple[str, tuple[Any, ...]]:
        """``removeMember``."""
        return "removeMember", (self.group, self.account)

    @property
    def _seen(self) -> int:
        return self.version

    def _current(self, registry: Registry) -> int:
        return registry.membership(self.group, self.account).version

    def _changes(self, registry: Registry) -> Iterator[Any]:
        return registry.events("MembershipChanged", group=self.group, account=self.account)

    def _is_this(self, event: Any) -> bool:
        return bool(event["args"]["until"] < NO_END)


@dataclass(frozen=True)
class TransferGroup(Write):
    """A group offered to another account, which accepts it by `AcceptGroup`.

    Args:
        group: of its sender.
        to: the account.
    """

    op: ClassVar[str] = "transfer-group"
    group: int
    to: str

    def call(self) -> tuple[str, tuple[Any, ...]]:
        """``transferGroup``."""
        return "transferGroup", (self.group, self.to)

    def is_done(self, chain: Chain) -> bool:
        """Whether it is offered to the account, or the account's already."""
        found = Registry(chain, self.registry).group(self.group)
        return self.to.lower() in (found.owner.lower(), (found.pending_owner or "").lower())

    def event(self, chain: Chain) -> Any | None:
        """``GroupTransferStarted``."""
        return _newest(Registry(chain, self.registry), "GroupTransferStarted", group=self.group, to=self.to)


@dataclass(frozen=True)
class AcceptGroup(Write):
    """A group that was offered to its sender, taken.

    Args:
        group: which.
        owner: the sender.
    """

    op: ClassVar[str] = "accept-group"
    group: int
    owner: str

    def call(self) -> tuple[str, tuple[Any, ...]]:
        """``acceptGroup``."""
        return "acceptGroup", (self.group,)

    def is_done(self, chain: Chain) -> bool:
        """Whether the sender owns it."""
        return Registry(chain, self.registry).group(self.group).owner.lower() == self.owner.lower()

    def event(self, chain: Chain) -> Any | None:
        """``GroupTransferred``."""
        return _newest(Registry(chain, self.registry), "GroupTransferred", group=self.group, to=self.owner)


@dataclass(frozen=True)
class _OfRecord(Write):
    """A change to the record of a key."""

    record_id: str
    key: RecordKey

    def _event(self, chain: Chain, name: str) -> Any | None:
        return _newest(Registry(chain, self.registry), name, id=bytes.fromhex(self.record_id))


@dataclass(frozen=True)
class Record(_OfRecord):
    """A record of its sender."""

    op: ClassVar[str] = "record"

    def call(self) -> tuple[str, tuple[Any, ...]]:
        """``record``."""
        return "record", (self.key.as_abi(),)

    def is_done(self, chain: Chain) -> bool:
        """Whether it's stored."""
        return Registry(chain, self.registry).status(self.record_id).exists

    def event(self, chain: Chain) -> Any | None:
        """``Recorded``."""
        return self._event(chain, "Recorded")


@dataclass(frozen=True)
class Retract(_OfRecord):
    """A retraction.

    Args:
        reason: SHA-256 of the reason's text, 64 hex digits.
    """

    op: ClassVar[str] = "retract"
    reason: str

    def call(self) -> tuple[str, tuple[Any, ...]]:
        """``retract``."""
        return "retract", (self.key.as_abi(), bytes.fromhex(self.reason))

    def is_done(self, chain: Chain) -> bool:
        """Whether it's retracted."""
        return Registry(chain, self.registry).status(self.record_id).status is Status.RETRACTED

    def event(self, chain: Chain) -> Any | None:
        """``Retracted``."""
        return self._event(chain, "Retracted")


@dataclass(frozen=True)
class _OfVerdict(_Versioned):
    """A change to a group's verdict on a record.

    Args:
        record_id: what the verdict is about.
        group: whose it is.
        version: of the verdict that was seen before.
    """

    record_id: str
    group: int
    version: int

    @property
    def _seen(self) -> int:
        return self.version

    def _current(self, registry: Registry) -> int:
        return registry.verdict(self.record_id, self.group).version

    def _changes(self, registry: Registry) -> Iterator[Any]:
        about: dict[str, Any] = {"recordId": bytes.fromhex(self.record_id), "group": self.group}
        yield from registry.events("Attested", **about)
        yield from registry.events("VerdictWithdrawn", **about)


@dataclass(frozen=True)
class Attest(_OfVerdict):
    """A verdict.

    Args:
        verdict: a `Verdict`.
        evidence: key of the evidence, or None.
    """

    op: ClassVar[str] = "attest"
    verdict: int
    evidence: RecordKey | None

    def call(self) -> tuple[str, tuple[Any, ...]]:
        """``attest``, with evidence or without."""
        start = (bytes.fromhex(self.record_id), self.group, self.verdict)
        if self.evidence is None:
            return "attest(bytes32,uint32,uint8)", start
        return f"attest(bytes32,uint32,uint8,{_KEY})", (*start, self.evidence.as_abi())

    def _is_this(self, event: Any) -> bool:
        if event["event"] != "Attested" or event["args"]["verdict"] != self.verdict:
            return False
        return self.evidence is not None or not any(event["args"]["evidence"])


@dataclass(frozen=True)
class Withdraw(_OfVerdict):
    """A verdict taken back."""

    op: ClassVar[str] = "withdraw"

    def call(self) -> tuple[str, tuple[Any, ...]]:
        """``withdraw``."""
        return "withdraw", (bytes.fromhex(self.record_id), self.group)

    def _is_this(self, event: Any) -> bool:
        return bool(event["event"] == "VerdictWithdrawn")


@dataclass(frozen=True)
class AttestForeign(_Versioned):
    """A verdict on a record of another registry; None takes it back.

    Args:
        chain_id, foreign_registry, record_id: the record there.
        group: whose verdict it is.
        version: of the verdict that was seen before.
        verdict: a `Verdict`.
        reference: key of the Reference to it that `evidence` names; None for a verdict that needs no evidence.
        evidence: key of the run that it stands on.
    """

    op: ClassVar[str] = "attest-foreign"
    chain_id: int
    foreign_registry: str
    record_id: str
    group: int
    version: int
    verdict: int
    reference: RecordKey | None
    evidence: RecordKey | None

    @property
    def _foreign(self) -> ForeignRecord:
        return ForeignRecord(self.chain_id, self.foreign_registry, self.record_id)

    def call(self) -> tuple[str, tuple[Any, ...]]:
        """``attestForeign``."""
        evidence = (_or_none(self.reference), _or_none(self.evidence))
        return "attestForeign", (self._foreign.as_abi(), self.group, self.verdict, evidence)

    @property
    def _seen(self) -> int:
        return self.version

    def _current(self, registry: Registry) -> int:
        return registry.foreign_verdict(self._foreign, self.group).version

    def _changes(self, registry: Registry) -> Iterator[Any]:
        return registry.foreign_attested(self._foreign, self.group)

    def _is_this(self, event: Any) -> bool:
        return bool(event["args"]["verdict"] == self.verdict)


@dataclass(frozen=True)
class Seal(Write):
    """A commitment of its sender to what is shown later.

    Args:
        group: for which it is made.
        author: the sender.
        commitment: 64 hex digits.
    """

    op: ClassVar[str] = "seal"
    group: int
    author: str
    commitment: str

    def call(self) -> tuple[str, tuple[Any, ...]]:
        """``seal``."""
        return "seal", (bytes.fromhex(self.commitment), self.group)

    def is_done(self, chain: Chain) -> bool:
        """Whether the registry has it."""
        return Registry(chain, self.registry).sealed_at(self.group, self.author, self.commitment) != 0

    def event(self, chain: Chain) -> Any | None:
        """``Sealed``."""
        topics = {"group": self.group, "author": self.author, "commitment": bytes.fromhex(self.commitment)}
        return _newest(Registry(chain, self.registry), "Sealed", **topics)


@dataclass(frozen=True)
class Reveal(_OfRecord):
    """A sealed record of its sender, shown.

    Args:
        salt: of the seal, 64 hex digits.
    """

    op: ClassVar[str] = "reveal"
    salt: str = field(repr=False)

    def call(self) -> tuple[str, tuple[Any, ...]]:
        """``reveal``."""
        return "reveal", (self.key.as_abi(), bytes.fromhex(self.salt))

    def is_done(self, chain: Chain) -> bool:
        """Whether it's stored with the time of a seal."""
        return Registry(chain, self.registry).status(self.record_id).sealed_at != 0

    def event(self, chain: Chain) -> Any | None:
        """``Revealed``."""
        return self._event(chain, "Revealed")


@dataclass(frozen=True)
class RevealVerdict(Attest):
    """A sealed verdict of its sender, shown; its evidence is stored with it if it isn't yet.

    Args:
        salt: of the seal, 64 hex digits.
    """

    op: ClassVar[str] = "reveal-verdict"
    salt: str = field(repr=False)

    def call(self) -> tuple[str, tuple[Any, ...]]:
        """``revealVerdict``."""
        start = (bytes.fromhex(self.record_id), self.group, self.verdict)
        return "revealVerdict", (*start, _or_none(self.evidence), bytes.fromhex(self.salt))


@dataclass(frozen=True)
class Anchor(Write):
    """A batch of its sender.

    Args:
        group: for which it is anchored.
        author: the sender.
        root: of its tree, 64 hex digits.
        count: how many records it has.
        manifest: SHA-256 of its description.
    """

    op: ClassVar[str] = "anchor"
    group: int
    author: str
    root: str
    count: int
    manifest: str

    def call(self) -> tuple[str, tuple[Any, ...]]:
        """``anchor``."""
        return "anchor", (self.group, self.count, bytes.fromhex(self.root), bytes.fromhex(self.manifest))

    def is_done(self, chain: Chain) -> bool:
        """Whether the registry has it."""
        return Registry(chain, self.registry).batch(self.group, self.author, self.root).exists

    def event(self, chain: Chain) -> Any | None:
        """``Anchored`` or ``LeavesAnchored``: whichever was first is the batch."""
        return Registry(chain, self.registry).anchored(self.group, self.author, self.root)


@dataclass(frozen=True)
class AnchorLeaves(Anchor):
    """A batch of its sender with the ids of all its records.

    Args:
        ids: ascending, 64 hex digits each.
    """

    op: ClassVar[str] = "anchor-leaves"
    ids: Sequence[str]

    def call(self) -> tuple[str, tuple[Any, ...]]:
        """``anchorLeaves``."""
        return "anchorLeaves", (self.group, [bytes.fromhex(one) for one in self.ids])


@dataclass(frozen=True)
class Materialize(_OfRecord):
    """A record from a batch, stored. Anyone may send it.

    Args:
        root: of the batch, 64 hex digits.
        proof: from the record to the root.
    """

    op: ClassVar[str] = "materialize"
    root: str
    proof: Sequence[str]

    def call(self) -> tuple[str, tuple[Any, ...]]:
        """``materialize``."""
        proof = [bytes.fromhex(sibling) for sibling in self.proof]
        return "materialize", (self.key.as_abi(), bytes.fromhex(self.root), proof)

    def is_done(self, chain: Chain) -> bool:
        """Whether it's stored."""
        return Registry(chain, self.registry).status(self.record_id).exists

    def event(self, chain: Chain) -> Any | None:
        """``Recorded``."""
        return self._event(chain, "Recorded")


def _or_none(key: RecordKey | None) -> tuple[Any, ...]:
    """A key, or what the registry takes for none: one of group 0."""
    return key.as_abi() if key else (0, 0, 0, "0x" + "00" * 20, bytes(32), bytes(32), [])


_BY_OP: dict[str, type[Write]] = {
    write.op: write
    for write in (
        *(FundProxy, DeployProxy, DeployFactory),
        *(Deploy, CreateGroup, JoinGroup, RemoveMember, TransferGroup, AcceptGroup, Record, Retract, Attest, Withdraw),
        *(AttestForeign, Seal, Reveal, RevealVerdict, Anchor, AnchorLeaves, Materialize),
    )
}


def from_payload(op: str, payload: dict[str, Any]) -> Write:
    """The write of this kind and payload."""
    values = dict(payload)
    for name in ("key", "evidence", "reference"):
        if values.get(name):
            values[name] = RecordKey.from_json(values[name])
    return _BY_OP[op](**values)
