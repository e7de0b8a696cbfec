"""Every operation of the registry, by honest labs and hostile strangers, in the model and on a chain at once.

After each step both must have answered, refused, emitted and remembered the same. On top of that stand rules about
the chain alone, which would hold the model to account as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.actors import FORGERIES, Actor
from tests.evm import Chain
from tests.model.eip712 import Domain, Invitation, Key
from tests.model.registry import (
    ALL_ROLES,
    MAINTAINER,
    NO_END,
    NOBODY,
    RECORDER,
    REPRODUCED,
    REPRODUCES,
    REVIEWER,
    RUN,
    ZERO,
    Event,
    Refused,
    Registry,
    Signature,
)
from tests.model.replay import replay

T = TypeVar("T")

OWNER, ALICE, BOB, CAROL, DAVE, MALLORY = (
    Actor.named(name) for name in ("owner", "alice", "bob", "carol", "dave", "mallory")
)
PEOPLE = (OWNER, ALICE, BOB, CAROL, DAVE, MALLORY)
BY_ADDRESS = {actor.address: actor for actor in PEOPLE}
NO_KEY = Key(0, 0, 0, NOBODY, ZERO, ZERO)
SIGNED = {"joinBySig": 1, "recordBySig": 2, "attestBySig": 6}
"""Which argument is the signature."""


class RegistryOnChain(Protocol):
    """The registry as the machine drives it: tests.evm.Contract, or the same through Ape."""

    address: str

    def send(self, caller: str, function: str, *arguments: Any) -> tuple[Any, list[Event]]: ...

    def read_all(self, calls: list[tuple[Any, ...]]) -> list[Any]: ...


class Clock(Protocol):
    """A chain's id and time; a tick is the least that lies between two transactions."""

    chain_id: int
    now: int

    def tick(self) -> None: ...


class Setting(NamedTuple):
    """Where a machine runs: a chain, a registry that OWNER owns with all its events so far, and a wallet of DAVE's."""

    clock: Clock
    registry: RegistryOnChain
    wallet: RegistryOnChain
    history: list[tuple[int, Event]]


def in_process() -> Setting:
    """A registry of its own on a chain in this process."""
    chain = Chain()
    registry = chain.deploy("LabRegistry", OWNER.address, True)
    wallet = chain.deploy("Wallet", DAVE.address)
    return Setting(chain, registry, wallet, [(chain.now, Event("OwnershipTransferred", (NOBODY, OWNER.address)))])


class Status(NamedTuple):
    """RecordStatus in the contract's order."""

    status: int
    kind: int
    flags: int
    group: int
    recorded_at: int
    retracted_at: int
    sealed_at: int
    reviewed: int
    reproduced: int
    not_reproduced: int
    disputed: int


class Seen(NamedTuple):
    """What the chain says, read through the registry's views."""

    records: dict[bytes, Status]
    verdicts: dict[tuple[bytes, int], tuple[int, ...]]
    memberships: dict[tuple[int, str], tuple[int, ...]]
    groups: dict[int, tuple[str, str, int]]
    owner: str
    pending_owner: str
    successor: str


def pick(choices: Sequence[T], number: int) -> T:
    """One of them, whatever the number."""
    return choices[number % len(choices)]


number = st.integers(0, 2**16 - 1)
seldom = st.sampled_from([False] * 7 + [True])
anyone = st.sampled_from([*(actor.address for actor in PEOPLE), "wallet"])
group_number = st.integers(0, 5)
relations = st.sampled_from([REPRODUCES, REPRODUCES, 1, 6, 9, 128, 255, 0, 10, 127])
digests = st.integers(0, 6).map(lambda value: value.to_bytes(32, "big"))
templates = st.builds(
    Key,
    group=group_number,
    kind=st.sampled_from([1, RUN, RUN, 2, 4, 10, 128, 255, 0, 11, 127]),
    subject_type=st.sampled_from([1, 1, 2, 3, 4, 0, 5]),
    author=anyone,
    subject=digests,
    manifest=digests,
    parents=st.lists(st.tuples(number, relations), max_size=3).map(tuple),
)
delays = st.sampled_from([-1, 0, 1, 50, 50, 1000, 1000, NO_END])
forms: st.SearchStrategy[Callable[[Signature], Signature] | None] = st.sampled_from([None] * 12 + list(FORGERIES))
mistakes = st.sampled_from([0] * 8 + [-1, 1])


class RegistryMachine(RuleBasedStateMachine):
    """Runs on whatever `setting` gives."""

    setting: ClassVar[Callable[[], Setting]] = staticmethod(in_process)
    executed: ClassVar[int] = 0
    """How many operations have run, in all examples."""
    refused: ClassVar[dict[str, int]] = {}
    """How often each error has been met, in all examples."""
    performed: ClassVar[dict[str, int]] = {}
    """How often each function has succeeded, in all examples."""

    def __init__(self) -> None:
        super().__init__()
        setting = type(self).setting()
        self.clock, self.registry, self.wallet = setting.clock, setting.registry, setting.wallet
        self.domain = Domain(self.clock.chain_id, self.registry.address)
        self.history = list(setting.history)
        self.model = Registry(self.domain, OWNER.address, open_groups=True)
        self.model.state = replay(self.history)
        self.model.wallets[self.wallet.address] = DAVE.address
        self.model.now = self.clock.now
        self.addresses = [*BY_ADDRESS, self.wallet.address]
        self.keys = {record: stored.key for record, stored in self.model.state.records.items()}
        self.most_groups = len(self.model.state.groups) + 4
        self.relayed: list[tuple[str, tuple[Any, ...]]] = []
        self.used: set[bytes] = set()
        self.first_seen: dict[bytes, Status] = {}
        self.seen = self._look()
        self.settled = True

    # what happens

    @initialize()
    def found_two_labs(self) -> None:
        """Most of what can go wrong needs two groups with members and a record."""
        for founder in (ALICE, BOB):
            self.step(founder.address, "createGroup", ZERO, ALL_ROLES)
        second = max(self.model.state.groups)
        first = second - 1
        self._invite(ALICE, first, CAROL.address, RECORDER)
        self._invite(BOB, second, DAVE.address, REVIEWER)
        self._invite(BOB, second, self.wallet.address, RECORDER | REVIEWER)
        dataset = Key(first, 1, 1, ALICE.address, b"\1" * 32, b"\2" * 32)
        self._remember(dataset)
        self.step(ALICE.address, "record", dataset)

    @rule(caller=anyone, roles=st.sampled_from([0, 1, 2, 7, 8, 2**32 - 1]))
    @precondition(lambda self: len(self.model.state.groups) < self.most_groups)
    def create_group(self, caller: str, roles: int) -> None:
        self.step(self._address(caller), "createGroup", ZERO, roles)

    @rule(caller=anyone, group=group_number)
    def describe_group(self, caller: str, group: int) -> None:
        self.step(self._address(caller), "describeGroup", group, b"\7" * 32)

    @rule(caller=anyone, group=group_number, to=anyone, honest=st.booleans(), back=seldom)
    def transfer_group(self, caller: str, group: int, to: str, honest: bool, back: bool) -> None:
        owner = self._owner(group) if honest else self._address(caller)
        self.step(owner, "transferGroup", group, NOBODY if back else self._address(to))

    @rule(caller=anyone, group=group_number, honest=st.booleans())
    def accept_group(self, caller: str, group: int, honest: bool) -> None:
        offers = [(number, stored.pending_owner) for number, stored in self.model.state.groups.items()]
        offers = [offer for offer in offers if offer[1] != NOBODY]
        group, by = pick(offers, group) if honest and offers else (group, self._address(caller))
        self.step(by, "acceptGroup", group)

    @rule(
        group=group_number,
        account=anyone,
        roles=st.sampled_from([1, 2, 4, 6, 7, 0, 8]),
        inviter=anyone,
        honest=st.booleans(),
        until=delays,
        deadline=delays,
        mistake=mistakes,
        form=forms,
        thief=st.one_of(st.none(), anyone),
    )
    def join_by_sig(self, group, account, roles, inviter, honest, until, deadline, mistake, form, thief) -> None:
        account = self._address(account)
        inviter = self._owner(group) if honest else self._address(inviter)
        version = max(0, self.model.membership(group, account).version + mistake)
        invitation = Invitation(group, account, roles, self._time(until), version, inviter, self._time(deadline))
        signature = self._sign(inviter, self.domain.invitation(invitation), form)
        self.relayed.append(("joinBySig", (invitation, signature)))
        if thief and not honest:
            self.step(self._address(thief), "joinBySig", invitation, signature)
        self.step(account, "joinBySig", invitation, signature)

    @rule(caller=anyone, group=group_number, account=anyone, by=st.sampled_from(["self", "owner", "anyone", "anyone"]))
    def remove_member(self, caller: str, group: int, account: str, by: str) -> None:
        account = self._address(account)
        if by != "anyone":
            members = [place for place in self.model.state.memberships if self.model.has_roles(*place, 0)]
            group, account = pick(members or [(group, account)], group)
        who = {"self": account, "owner": self._owner(group)}
        self.step(who.get(by) or self._address(caller), "removeMember", group, account)

    @rule(template=templates, thief=st.one_of(st.none(), anyone), honest=st.booleans())
    def record(self, template: Key, thief: str | None, honest: bool) -> None:
        key = self._key(template, honest)
        self.step(self._address(thief) if thief and not honest else key.author, "record", key)

    @rule(templates=st.lists(templates, max_size=3), again=number, caller=anyone)
    def record_many(self, templates: list[Key], again: int, caller: str) -> None:
        author = self._address(caller)
        keys = [self._key(template._replace(author=author), honest=True) for template in templates]
        if keys and self.keys and again % 2:
            # what is stored already, and a child of the batch's own first record
            own = [key for key in self.keys.values() if key.author == author]
            child = keys[0]._replace(subject=b"\x0c" * 32, parents=((self.domain.record_id(keys[0]), 6),))
            keys = [*keys, child, *([pick(own, again)] if own else [])]
        for key in keys:
            self._remember(key)
        self.step(author, "recordMany", tuple(keys))

    @rule(
        template=templates,
        relayer=anyone,
        deadline=delays,
        form=forms,
        forger=st.one_of(st.none(), anyone),
        cancelled=seldom,
    )
    def record_by_sig(self, template, relayer, deadline, form, forger, cancelled) -> None:
        key = self._key(template, honest=True)
        until = self._time(deadline)
        signer = self._address(forger) if forger and form else key.author
        signature = self._sign(signer, self.domain.record_authorization(key, until), form)
        self.relayed.append(("recordBySig", (key, until, signature)))
        if cancelled:
            self.step(key.author, "cancel", key)
        self.step(self._address(relayer), "recordBySig", key, until, signature)

    @rule(template=templates, which=number, caller=anyone, honest=st.booleans())
    def cancel(self, template: Key, which: int, caller: str, honest: bool) -> None:
        key = pick(list(self.keys.values()), which) if which % 3 == 0 else self._key(template, honest=True)
        self.step(key.author if honest else self._address(caller), "cancel", key)

    @rule(which=number, caller=anyone, by=st.sampled_from(["author", "maintainer", "anyone"]))
    def retract(self, which: int, caller: str, by: str) -> None:
        key = pick(list(self.keys.values()), which)
        maintainers = self._holders(key.group, MAINTAINER)
        who = {"author": key.author, "maintainer": pick(maintainers or [key.author], which)}
        self.step(who.get(by) or self._address(caller), "retract", key, b"\x0f" * 32)

    @rule(which=number, lab=number, subject=digests, verdict=st.integers(1, 4))
    def reproduce(self, which: int, lab: int, subject: bytes, verdict: int) -> None:
        """Another lab repeats what it finds, records its Run and says what came of it."""
        stored = list(self.model.state.records)
        labs = [group for group in self.model.state.groups if self._holders(group, RECORDER)]
        if not labs:
            return
        group = pick(labs, lab)
        targets = sorted({pick(stored, which), pick(stored, which // 7)})
        parents = tuple((target, REPRODUCES) for target in targets)
        run = Key(group, RUN, 4, pick(self._holders(group, RECORDER), lab), subject or b"\1" * 32, b"\4" * 32, parents)
        self._remember(run)
        self.step(run.author, "record", run)
        attester = pick(self._holders(group, REVIEWER) or [run.author], which)
        if which % 2:
            self._relay_verdict(run.author, targets[0], group, verdict, run, attester, self._time(50))
        else:
            self.step(attester, "attest", targets[0], group, verdict, run)

    @rule(
        which=number, other=number, caller=anyone, group=group_number, verdict=st.integers(0, 4), honest=st.booleans()
    )
    def attest(self, which: int, other: int, caller: str, group: int, verdict: int, honest: bool) -> None:
        record, group, evidence = self._claim(which, other, group, honest)
        attesters = self._holders(group, REVIEWER) if honest else []
        given = [] if evidence is NO_KEY and other % 2 else [evidence]
        self.step(pick(attesters or [self._address(caller)], which), "attest", record, group, verdict, *given)

    @rule(
        which=number,
        other=number,
        attester=anyone,
        relayer=anyone,
        group=group_number,
        verdict=st.integers(0, 4),
        honest=st.booleans(),
        deadline=delays,
        mistake=mistakes,
        form=forms,
    )
    def attest_by_sig(self, which, other, attester, relayer, group, verdict, honest, deadline, mistake, form) -> None:
        record, group, evidence = self._claim(which, other, group, honest)
        attesters = self._holders(group, REVIEWER) if honest else []
        attester = pick(attesters or [self._address(attester)], which)
        until = self._time(deadline)
        self._relay_verdict(
            self._address(relayer), record, group, verdict, evidence, attester, until, mistake=mistake, form=form
        )

    @rule(which=number, caller=anyone, group=group_number, honest=st.booleans())
    def withdraw(self, which: int, caller: str, group: int, honest: bool) -> None:
        record, by = pick(list(self.keys), which), self._address(caller)
        given = [place for place, current in self.model.state.attestations.items() if current.verdict]
        if honest and given:
            record, group = pick(given, which)
            by = pick(self._holders(group, REVIEWER) or [by], which)
        self.step(by, "withdraw", record, group)

    @rule(which=number, caller=anyone, honest=st.booleans())
    @precondition(lambda self: self.relayed)
    def replay_signature(self, which: int, caller: str, honest: bool) -> None:
        """What was signed once is sent again, by anyone, at any later time."""
        function, arguments = pick(self.relayed, which)
        invited = function == "joinBySig" and honest
        self.step(arguments[0].account if invited else self._address(caller), function, *arguments)

    @rule(key=st.sampled_from([*(actor.address for actor in PEOPLE), NOBODY]))
    def replace_key_of_wallet(self, key: str) -> None:
        """The wallet changes its answer; nothing that is stored may change with it."""
        self.clock.tick()
        self.wallet.send(MALLORY.address, "replaceKey", key)
        self.model.wallets[self.wallet.address] = key
        self.seen = self._look()

    @rule(caller=anyone, successor=anyone, honest=st.booleans())
    def announce_successor(self, caller: str, successor: str, honest: bool) -> None:
        by = self.model.state.owner if honest else self._address(caller)
        self.step(by, "announceSuccessor", self._address(successor))

    @rule(
        caller=anyone,
        to=anyone,
        function=st.sampled_from(["transferOwnership"] * 3 + ["acceptOwnership"] * 3 + ["renounceOwnership"]),
        honest=st.booleans(),
    )
    def hand_over_registry(self, caller: str, to: str, function: str, honest: bool) -> None:
        state = self.model.state
        entitled = state.pending_owner if function == "acceptOwnership" else state.owner
        by = entitled if honest and entitled != NOBODY else self._address(caller)
        self.step(by, function, *([self._address(to)] if function == "transferOwnership" else []))

    @rule(seconds=st.sampled_from([1, 12, 60, 1000]))
    def time_passes(self, seconds: int) -> None:
        self.clock.now += seconds
        self.model.now = self.clock.now
        self.seen = self._look()

    # what must hold of every step

    def step(self, caller: str, function: str, *arguments: Any) -> None:
        """One operation in the model and on the chain, which must agree on what comes of it."""
        if len(self.keys) != len(self.seen.records):
            self.seen = self._look()
        before, self.settled = self.seen, False
        self.clock.tick()
        self.model.now = self.clock.now
        expected = self._outcome(lambda: self.model.call(caller, function, *arguments))
        actual = self._outcome(lambda: self.registry.send(caller, function, *arguments))
        type(self).executed += 1
        assert actual == expected, f"{function}{arguments} by {caller}: expected {expected}, got {actual}"
        self.seen = self._look()
        self.settled = True
        if isinstance(actual[0], str):
            self.refused[actual[0]] = self.refused.get(actual[0], 0) + 1
            assert self.seen == before, "a refused operation changed something"
            return
        self.performed[function] = self.performed.get(function, 0) + 1
        _, events = actual
        self.history += [(self.clock.now, event) for event in events]
        self._check_signature(function, arguments)
        self._check_authority(caller, function, arguments, events, before)

    def _check_signature(self, function: str, arguments: tuple[Any, ...]) -> None:
        """A signature is used at most once, before its deadline, in its one accepted form."""
        if function not in SIGNED:
            return
        signature = arguments[SIGNED[function]]
        assert signature.plain
        assert signature.digest not in self.used
        self.used.add(signature.digest)
        deadline = arguments[0].deadline if function == "joinBySig" else arguments[SIGNED[function] - 1]
        assert self.clock.now <= deadline

    def _check_authority(
        self, caller: str, function: str, arguments: tuple[Any, ...], events: list[Event], before: Seen
    ) -> None:
        """Nobody acts in another's name, or in a group without a role of that very group."""
        signature = arguments[SIGNED[function]] if function in SIGNED else None
        consenting = {caller} | ({signature.signer} if signature else set())
        if signature and signature.signer == self.model.wallets[self.wallet.address]:
            consenting.add(self.wallet.address)
        for name, values in events:
            match name, values:
                case "Recorded", (_, group, _, author, *_):
                    assert author in consenting
                    assert self._held(before, group, author, RECORDER)
                case "RecordCancelled", (_, author):
                    assert author == caller
                case "Attested", (_, group, attester, *_):
                    assert attester in consenting
                    assert self._held(before, group, attester, REVIEWER)
                case "Retracted", (_, group, by, _):
                    assert by == caller
                    assert self._held(before, group, by, RECORDER) or self._held(before, group, by, MAINTAINER)
                case "MembershipChanged", (group, account, by, *_):
                    assert by in consenting
                    owner = before.groups[group][0] if group in before.groups else caller
                    ends_own = function == "removeMember" and account == caller
                    assert by == owner or self._held(before, group, by, MAINTAINER) or ends_own
                    assert caller == account or function == "removeMember", "nobody becomes a member without consent"
                case "GroupTransferStarted" | "GroupDescribed", (group, *_):
                    assert before.groups[group][0] == caller
                case "GroupTransferred", (group, _, to):
                    assert before.groups[group][1] == to == caller

    # what must hold at any time, by what the chain says

    @invariant()
    def chain_equals_model(self) -> None:
        model, seen = self.model, self.seen
        assert seen.records == {record: model.status_of(record) for record in seen.records}
        assert seen.verdicts == {place: model.verdict_of(*place) for place in seen.verdicts}
        assert seen.memberships == {place: model.membership(*place) for place in seen.memberships}
        assert seen.groups == model.state.groups
        owners = (model.state.owner, model.state.pending_owner, model.state.successor)
        assert (seen.owner, seen.pending_owner, seen.successor) == owners

    @invariant()
    def records_are_written_once(self) -> None:
        """Times, group and kind never change; a retraction happens once and stays."""
        for record, now in self.seen.records.items():
            if not now.recorded_at:
                continue
            first = self.first_seen.setdefault(record, now)
            written = ("recorded_at", "sealed_at", "group", "kind")
            assert all(getattr(now, name) == getattr(first, name) for name in written)
            if first.retracted_at:
                assert now.retracted_at == first.retracted_at
            elif now.retracted_at:
                assert now.retracted_at >= now.recorded_at
                self.first_seen[record] = now

    @invariant()
    def every_group_has_an_owner(self) -> None:
        assert all(owner != NOBODY for owner, _, _ in self.seen.groups.values())

    @invariant()
    def parents_precede_children(self) -> None:
        for record, key in self.keys.items():
            if recorded_at := self.seen.records[record].recorded_at:
                for parent, _ in key.parents:
                    assert 0 < self.seen.records[parent].recorded_at <= recorded_at

    @invariant()
    def counters_count_current_verdicts(self) -> None:
        for record, status in self.seen.records.items():
            given = [self.seen.verdicts[record, group][3] for group in self.seen.groups]
            assert list(status[-4:]) == [given.count(verdict) for verdict in range(1, 5)]

    @invariant()
    def findings_stand_on_an_unretracted_run(self) -> None:
        """A current Reproduced or NotReproduced has its evidence: a Run of the same group linked to the record."""
        for (record, group), (evidence, _, _, verdict, _) in self.seen.verdicts.items():
            if verdict not in (REPRODUCED, REPRODUCED + 1):
                continue
            (run,) = [known for known in self.keys if int.from_bytes(known[15:]) == evidence]
            status, key = self.seen.records[run], self.keys[run]
            assert (status.group, status.kind, status.retracted_at) == (group, RUN, 0)
            assert status.recorded_at >= self.seen.records[record].recorded_at
            assert (record, REPRODUCES) in key.parents

    @invariant()
    def no_group_judges_itself(self) -> None:
        for (record, group), (_, _, _, verdict, _) in self.seen.verdicts.items():
            assert not verdict or self.seen.records[record].group != group

    def teardown(self) -> None:
        """The state can be rebuilt from the events alone."""
        if self.settled:
            assert replay(self.history) == self.model.state

    # how

    def _outcome(self, act: Callable[[], tuple[Any, list[Event]]]) -> tuple[Any, ...]:
        try:
            return act()
        except Refused as refusal:
            return (refusal.name, refusal.arguments)

    def _look(self) -> Seen:
        (last,) = self.registry.read_all([("lastGroup",)])
        groups, ids = range(1, last + 1), tuple(self.keys)
        verdicts = [(record, group) for record in ids for group in groups]
        members = [(group, account) for group in groups for account in self.addresses]
        answers = iter(
            self.registry.read_all(
                [
                    ("statusOfMany", ids),
                    *(("verdictOf", *place) for place in verdicts),
                    *(("membershipOf", *place) for place in members),
                    *(("groupOf", group) for group in groups),
                    ("owner",),
                    ("pendingOwner",),
                    ("successor",),
                ]
            )
        )
        return Seen(
            records={record: Status(*status) for record, status in zip(ids, next(answers), strict=True)},
            verdicts={place: next(answers) for place in verdicts},
            memberships={place: next(answers) for place in members},
            groups={group: next(answers) for group in groups},
            owner=next(answers),
            pending_owner=next(answers),
            successor=next(answers),
        )

    def _held(self, seen: Seen, group: int, account: str, role: int) -> bool:
        roles, since, until, _ = seen.memberships[group, account]
        return bool(roles & role) and since <= self.clock.now < until

    def _address(self, who: str) -> str:
        return self.wallet.address if who == "wallet" else who

    def _time(self, delay: int) -> int:
        return NO_END if delay == NO_END else self.clock.now + delay

    def _owner(self, group: int) -> str:
        stored = self.model.state.groups.get(group)
        return stored.owner if stored else MALLORY.address

    def _holders(self, group: int, role: int) -> list[str]:
        return [address for address in self.addresses if self.model.has_roles(group, address, role)]

    def _sign(self, signer: str, digest: bytes, form: Callable[[Signature], Signature] | None = None) -> Signature:
        """A wallet signs with the key it has now; who has none leaves it to Mallory."""
        key = self.model.wallets.get(signer, signer)
        signature = BY_ADDRESS.get(key, MALLORY).sign(digest)
        return form(signature) if form else signature

    def _invite(self, inviter: Actor, group: int, account: str, roles: int) -> None:
        invitation = Invitation(group, account, roles, NO_END, 0, inviter.address, NO_END)
        self.step(account, "joinBySig", invitation, inviter.sign(self.domain.invitation(invitation)))

    def _relay_verdict(
        self, relayer, record, group, verdict, evidence, attester, deadline, *, mistake=0, form=None
    ) -> None:
        evidence_id = self.domain.record_id(evidence) if evidence.group else ZERO
        version = max(0, self.model.attestation(record, group).version + mistake)
        fields = (record, group, verdict, evidence_id, attester, version, deadline)
        signature = self._sign(attester, self.domain.attestation_authorization(*fields), form)
        arguments = (record, group, verdict, evidence, attester, deadline, signature)
        self.relayed.append(("attestBySig", arguments))
        self.step(relayer, "attestBySig", *arguments)

    def _remember(self, key: Key) -> None:
        self.keys[self.domain.record_id(key)] = key

    def _key(self, template: Key, honest: bool) -> Key:
        """A template with parents among what is known; an honest one with a group its author records for."""
        known = list(self.keys)
        links = [
            (pick(known, which) if known and which % 16 else bytes([which % 256]) * 32, relation)
            for which, relation in template.parents
        ]
        key = template._replace(author=self._address(template.author), parents=tuple(links))
        if honest:
            mine = [group for group in self.model.state.groups if key.author in self._holders(group, RECORDER)]
            key = key._replace(group=pick(mine or [key.group], key.group))
        order = sum(which for which, _ in template.parents) % 8
        if honest and order > 1:
            stored = self.model.state.records
            valid = sorted({link for link in links if link[0] in stored and (1 <= link[1] <= 9 or link[1] >= 128)})
            key = key._replace(parents=tuple([*valid, *valid[:1]] if order == 2 else valid))
        self._remember(key)
        return key

    def _claim(self, which: int, other: int, group: int, honest: bool) -> tuple[bytes, int, Key]:
        """What to attest to, for which group and on what evidence."""
        record, key = pick(list(self.keys.items()), which)
        runs = [(parent, run) for run in self.keys.values() for parent, link in run.parents if link == REPRODUCES]
        if honest and runs:
            record, run = pick(runs, other)
            return record, run.group, run
        return record, group, key if which % 5 == 0 else pick([NO_KEY, *self.keys.values()], other)


def run_on(setting: Callable[[], Setting], operations: int) -> type[RegistryMachine]:
    """Runs the machine on chains that `setting` gives until it has made so many operations; gives its counts."""

    class Machine(RegistryMachine):
        executed = 0
        refused: ClassVar[dict[str, int]] = {}
        performed: ClassVar[dict[str, int]] = {}

    Machine.setting = staticmethod(setting)
    while Machine.executed < operations:
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=max(2, min(60, operations // 40)),
                stateful_step_count=50 if operations > 100 else 20,
                deadline=None,
                # Hypothesis repeats itself where it sees a CI; each round has to bring new histories
                derandomize=False,
                database=None,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
                print_blob=True,
                report_multiple_bugs=False,
            ),
        )
    return Machine
