"""A registry, a ReplicationBounty on it, a sponsor, an author and groups that reproduce."""

from __future__ import annotations

from typing import Any, NamedTuple

from eth_hash.auto import keccak

from tests.model.eip712 import Domain, Key, verdict_commitment
from tests.model.registry import ALL_ROLES, NOBODY, REPRODUCED, REPRODUCES, RUN, Event
from tests.support.actors import Actor
from tests.support.evm import _REVERT, Chain, Reverted

AUTHOR, SPONSOR, STRANGER, BOB, DAVE, ERIN = (
    Actor.named(name) for name in ("author", "sponsor", "stranger", "bob", "dave", "erin")
)
OWN_GROUP = 1
REPRODUCERS = {2: BOB, 3: DAVE, 4: ERIN}
RESULT = Key(OWN_GROUP, AUTHOR.address, 1, b"\1" * 32, 4, b"\2" * 32)
SHARE = 10**18
RICH = 10**30
HOUR, DAY = 3600, 86400
GROUP_AGE = DAY
CLAIM_WINDOW = 30 * DAY
MIN_VERDICT_WINDOW = 3 * DAY
MAX_DURATION = 1826 * DAY


class Bounty(NamedTuple):
    """The contract's Bounty."""

    sponsor: str
    record: bytes
    groups: tuple[int, ...]
    token: str
    share: int
    entry_until: int
    verdict_until: int

    @property
    def claim_until(self) -> int:
        return self.verdict_until + CLAIM_WINDOW

    @property
    def total(self) -> int:
        return self.share * len(self.groups)


class Opening(NamedTuple):
    """The contract's Opening."""

    verdict: int
    evidence: bytes
    salt: bytes


class Work(NamedTuple):
    """A verdict that a group prepared: sealed, not shown."""

    group: int
    attester: str
    verdict: int
    run: Key
    evidence: bytes
    salt: bytes
    commitment: bytes

    @property
    def opening(self) -> Opening:
        return Opening(self.verdict, self.evidence, self.salt)


def run_by(group: int, attester: str, record: bytes, subject: bytes) -> Key:
    return Key(group, attester, 4, subject, RUN, b"\4" * 32, ((record, REPRODUCES),))


class PayingChain(Chain):
    """A chain whose next call carries `value` wei."""

    value = 0

    def call(self, caller: str, to: str, data: bytes, *, static: bool) -> bytes:
        value, self.value = self.value, 0
        if not value:
            return super().call(caller, to, data, static=static)
        try:
            return self.evm.message_call(caller, to, data, value=value, is_static=static)
        except RuntimeError as error:
            if match := _REVERT.match(str(error)):
                raise Reverted(bytes.fromhex(match[1])) from None
            raise


class Market:
    """Everything in one place, with the ways that people take through it."""

    def __init__(self) -> None:
        self.chain = PayingChain()
        self.registry = self.chain.deploy("LabRegistry", STRANGER.address, True)
        self.bounty = self.chain.deploy("ReplicationBounty", self.registry.address)
        self.token = self.chain.deploy("Token")
        for founder in (AUTHOR, *REPRODUCERS.values()):
            self.registry.send(founder.address, "createGroup", ALL_ROLES, bytes(32))
        self.chain.now += GROUP_AGE
        self.record, _ = self.registry.send(AUTHOR.address, "record", RESULT)
        self.chain.evm.set_balance(SPONSOR.address, RICH)
        self.token.send(SPONSOR.address, "mint", SPONSOR.address, RICH)
        self.token.send(SPONSOR.address, "approve", self.bounty.address, 2**256 - 1)
        self.works = 0

    @property
    def domain(self) -> Domain:
        return Domain(self.chain.chain_id, self.registry.address)

    def terms(self, **changes: Any) -> Bounty:
        """A bounty in ether for all reproducers, with a day to enter and a week for verdicts."""
        start = self.chain.now
        bounty = Bounty(SPONSOR.address, self.record, tuple(REPRODUCERS), NOBODY, SHARE, start + DAY, start + 8 * DAY)
        return bounty._replace(**changes)

    def fund(self, bounty: Bounty, by: str = SPONSOR.address, value: int | None = None) -> tuple[bytes, list[Event]]:
        owed = bounty.total if bounty.token == NOBODY else 0
        self.chain.value = owed if value is None else value
        return self.bounty.send(by, "fund", bounty)

    def funded(self, **changes: Any) -> Bounty:
        bounty = self.terms(**changes)
        self.fund(bounty)
        return bounty

    def id_of(self, bounty: Bounty) -> bytes:
        return self.bounty.read("idOf", bounty)

    def held(self, bounty: Bounty) -> int:
        return self.bounty.read("held", self.id_of(bounty))

    def work(
        self, group: int = 2, verdict: int = REPRODUCED, attester: str | None = None, record: bytes | None = None
    ) -> Work:
        """A reproduction that only the group knows of, sealed by its reviewer."""
        self.works += 1
        attester = attester or REPRODUCERS[group].address
        record = record or self.record
        salt = keccak(b"salt %d" % self.works)
        run = run_by(group, attester, record, keccak(b"run %d" % self.works))
        evidence = self.domain.record_id(run)
        commitment = verdict_commitment(group, attester, record, verdict, evidence, salt)
        self.registry.send(attester, "seal", group, commitment)
        return Work(group, attester, verdict, run, evidence, salt, commitment)

    def enter(self, bounty: Bounty, work: Work, by: str | None = None, **changes: Any) -> list[Event]:
        owner = by or REPRODUCERS[work.group].address
        work = work._replace(**changes)
        return self.bounty.send(owner, "enter", bounty, work.group, work.attester, work.commitment)[1]

    def entered(self, bounty: Bounty, group: int = 2, verdict: int = REPRODUCED) -> Work:
        work = self.work(group, verdict)
        self.enter(bounty, work)
        return work

    def reveal(self, work: Work, record: bytes | None = None) -> None:
        self.registry.send(
            work.attester,
            "revealVerdictWithEvidence",
            work.group,
            record or self.record,
            work.verdict,
            work.run,
            work.salt,
        )

    def claim(self, bounty: Bounty, work: Work, by: str | None = None, to: str | None = None) -> list[Event]:
        by = by or REPRODUCERS[work.group].address
        return self.bounty.send(by, "claim", bounty, work.group, work.opening, to or by)[1]

    def refund(self, bounty: Bounty, by: str = SPONSOR.address, to: str = SPONSOR.address) -> list[Event]:
        return self.bounty.send(by, "refund", bounty, to)[1]

    def earned(self, bounty: Bounty, group: int = 2, verdict: int = REPRODUCED) -> Work:
        """Entered and revealed in time; the time is after the last verdict now."""
        work = self.entered(bounty, group, verdict)
        self.chain.now = bounty.entry_until + 1
        self.reveal(work)
        self.chain.now = bounty.verdict_until + 1
        return work

    def ether(self, account: str) -> int:
        return self.chain.evm.get_balance(account)

    def tokens(self, account: str) -> int:
        return self.token.read("balanceOf", account)
