"""Every operation of the registry, by honest labs and hostile strangers, in the model and on a chain at once.

After each step both must have answered, refused, emitted and remembered the same. On top of that stand rules about
the chain alone, which would hold the model to account as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.model import merkle
from tests.model.eip712 import Domain, Invitation, Key, keccak, record_commitment, verdict_commitment
from tests.model.registry import (
    ABOUT,
    ALL_ROLES,
    BATCHED_FLAG,
    CLEAN,
    FOREIGN,
    IDENTIFIER,
    LAST_KIND,
    LAST_RELATION,
    LAST_SUBJECT_TYPE,
    MAINTAINER,
    NO_END,
    NOBODY,
    NOT_REPRODUCED,
    RECORDED,
    RECORDER,
    REFERENCE,
    REPRODUCED,
    REPRODUCES,
    REVIEWER,
    RUN,
    ZERO,
    Event,
    ForeignRecord,
    Refused,
    Registry,
    Signature,
)
from tests.model.replay import replay
from tests.support.actors import FORGERIES, Actor
from tests.support.evm import Chain

T = TypeVar("T")

OWNER, ALICE, BOB, CAROL, DAVE, MALLORY = (
    Actor.named(name) for name in ("owner", "alice", "bob", "carol", "dave", "mallory")
)
PEOPLE = (OWNER, ALICE, BOB, CAROL, DAVE, MALLORY)
BY_ADDRESS = {actor.address: actor for actor in PEOPLE}
ELSEWHERE = "0x" + "f0" * 20
FINDINGS = (REPRODUCED, NOT_REPRODUCED)
SIGNED = {"joinBySig": 1, "recordBySig": 2, "attestBySig": 5, "attestWithEvidenceBySig": 6}
"""Which argument is the signature."""


class RegistryOnChain(Protocol):
    """The registry as the machine drives it: tests.support.evm.Contract, or the same through Ape."""

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

    group: int
    kind: int
    status: int
    flags: int
    recorded_at: int
    retracted_at: int
    sealed_at: int
    reviewed: int
    reproduced: int
    not_reproduced: int
    disputed: int


class Seal(NamedTuple):
    """What somebody may seal, and the call that would reveal it."""

    group: int
    author: str
    commitment: bytes
    function: str
    arguments: tuple[Any, ...]


class Tree(NamedTuple):
    """A root that somebody may anchor, and the ids under it; none if no ids could be."""

    group: int
    author: str
    root: bytes
    ids: tuple[bytes, ...]


class Seen(NamedTuple):
    """What the chain says, read through the registry's views."""

    records: dict[bytes, Status]
    verdicts: dict[tuple[int, bytes], tuple[int, ...]]
    foreign_verdicts: dict[tuple[int, ForeignRecord], tuple[Any, ...]]
    seals: dict[tuple[int, str, bytes], int]
    batches: dict[tuple[int, str, bytes], tuple[Any, ...]]
    memberships: dict[tuple[int, str], tuple[int, ...]]
    groups: dict[int, tuple[str, str, int]]
    owner: str
    pending_owner: str
    successor: tuple[int, str]


def pick(choices: Sequence[T], number: int) -> T:
    """One of them, whatever the number."""
    return choices[number % len(choices)]


number = st.integers(0, 2**16 - 1)
seldom = st.sampled_from([False] * 7 + [True])
mostly = st.sampled_from([True] * 3 + [False])
anyone = st.sampled_from([*(actor.address for actor in PEOPLE), "wallet"])
group_number = st.integers(0, 5)
relations = st.sampled_from([REPRODUCES, REPRODUCES, 1, 6, 14, 128, 255, 0, 15, 127])
digests = st.integers(0, 6).map(lambda value: value.to_bytes(32, "big"))
templates = st.builds(
    Key,
    group=group_number,
    kind=st.sampled_from([1, RUN, RUN, 2, 4, 10, 14, 128, 255, 0, 15, 127]),
    subject_type=st.sampled_from([1, 1, 2, 3, 4, 6, 0, 7]),
    author=anyone,
    subject=digests,
    manifest=digests,
    parents=st.lists(st.tuples(number, relations), max_size=3).map(tuple),
)
delays = st.sampled_from([-1, 0, 1, 50, 50, 1000, 1000, NO_END])
forms: st.SearchStrategy[Callable[[Signature], Signature] | None] = st.sampled_from([None] * 12 + list(FORGERIES))
mistakes = st.sampled_from([0] * 8 + [-1, 1])
salts = st.integers(0, 1).map(lambda value: bytes([0x5A + value]) * 32)
paths = st.sampled_from(["right"] * 5 + ["short", "long", "of another"])


class RegistryMachine(RuleBasedStateMachine):
    """Runs on whatever `setting` gives."""

    setting: ClassVar[Callable[[], Setting]] = staticmethod(in_process)
    executed: ClassVar[int] = 0
    """How many operations have run, in all examples."""
    refused: ClassVar[dict[str, int]] = {}
    """How often each error has been met, in all examples."""
    performed: ClassVar[dict[str, int]] = {}
    """How often each function has succeeded, in all examples."""
    answered: ClassVar[dict[str, int]] = {}
    """How often views have given each answer that matters, in all examples."""

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
        self.invitations: list[Invitation] = []
        self.seals: list[Seal] = []
        self.trees: list[Tree] = []
        self.verdict_places = set(self.model.state.attestations)
        self.seal_places = set(self.model.state.seals)
        self.batch_places = set(self.model.state.batches)
        self.foreign_places = set(self.model.state.foreign_attestations)
        self.used: set[bytes] = set()
        self.first_seen: dict[bytes, Status] = {}
        self.first_times: dict[tuple[int, str, bytes], Any] = {}
        self.seen = self._look()
        self.settled = True

    # what happens

    @initialize()
    def found_two_labs(self) -> None:
        """Most of what can go wrong needs two groups with members and a record."""
        for founder in (ALICE, BOB):
            self.step(founder.address, "createGroup", ALL_ROLES, ZERO)
        second = max(self.model.state.groups)
        first = second - 1
        self._invite(ALICE, first, CAROL.address, RECORDER)
        self._invite(BOB, second, DAVE.address, REVIEWER)
        self._invite(BOB, second, self.wallet.address, RECORDER | REVIEWER)
        dataset = Key(first, ALICE.address, 1, b"\1" * 32, 1, b"\2" * 32)
        self._remember(dataset)
        self.step(ALICE.address, "record", dataset)

    @rule(caller=anyone, roles=st.sampled_from([0, 1, 2, 7, 8, 2**32 - 1]))
    @precondition(lambda self: len(self.model.state.groups) < self.most_groups)
    def create_group(self, caller: str, roles: int) -> None:
        self.step(self._address(caller), "createGroup", roles, ZERO)

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
        invitation = self._invitation(group, inviter, account, roles, until, deadline, mistake)
        signature = self._sign(inviter, self.domain.invitation(invitation), form)
        self.relayed.append(("joinBySig", (invitation, signature)))
        if thief and not honest:
            self.step(self._address(thief), "joinBySig", invitation, signature)
        self.step(account, "joinBySig", invitation, signature)

    @rule(
        group=group_number,
        account=anyone,
        roles=st.sampled_from([1, 2, 4, 6, 7, 0, 8]),
        inviter=anyone,
        honest=st.booleans(),
        until=delays,
        deadline=delays,
        mistake=mistakes,
        caller=anyone,
    )
    def invite(self, group, account, roles, inviter, honest, until, deadline, mistake, caller) -> None:
        """An honest one is accepted at once, and can be tried again at any time."""
        inviter = self._owner(group) if honest else self._address(inviter)
        invitation = self._invitation(group, inviter, self._address(account), roles, until, deadline, mistake)
        self.invitations.append(invitation)
        self.step(inviter if honest else self._address(caller), "invite", invitation)
        if honest:
            self.step(invitation.account, "join", invitation)

    @rule(which=number, caller=anyone, honest=st.booleans(), later=seldom)
    @precondition(lambda self: self.invitations)
    def join(self, which: int, caller: str, honest: bool, later: bool) -> None:
        """An invitation made by a transaction is accepted, by anyone, with another end than offered, or again."""
        invitation = pick(self.invitations, which)
        if later:
            invitation = invitation._replace(until=NO_END)
        self.step(invitation.account if honest else self._address(caller), "join", invitation)

    @rule(caller=anyone, group=group_number, account=anyone, by=st.sampled_from(["self", "owner", "anyone", "anyone"]))
    def remove_member(self, caller: str, group: int, account: str, by: str) -> None:
        account = self._address(account)
        if by != "anyone":
            members = [place for place in self.model.state.memberships if self.model.holds(*place, ALL_ROLES)]
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

    @rule(which=number, caller=anyone, whose=anyone, honest=st.booleans(), stored=st.booleans())
    @precondition(lambda self: self.trees)
    def end_batch(self, which: int, caller: str, whose: str, honest: bool, stored: bool) -> None:
        """By its author, or by anyone; also of a batch that is none."""
        tree = self._some_tree(which)
        author = tree.author if which % 5 else self._address(whose)
        self.batch_places.add((tree.group, author, tree.root))
        self.step(tree.author if honest else self._address(caller), "endBatch", tree.group, author, tree.root)
        if stored:
            self._materialize(tree, which, self._address(caller), "right", "")

    @rule(which=number, caller=anyone, by=st.sampled_from(["author", "maintainer", "anyone"]))
    def retract(self, which: int, caller: str, by: str) -> None:
        key = pick(list(self.keys.values()), which)
        maintainers = self._holders(key.group, MAINTAINER)
        who = {"author": key.author, "maintainer": pick(maintainers or [key.author], which)}
        for _ in range(2 if which % 5 == 0 else 1):
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
        run = Key(group, pick(self._holders(group, RECORDER), lab), 4, subject or b"\1" * 32, RUN, b"\4" * 32, parents)
        self._remember(run)
        self.step(run.author, "record", run)
        attester = pick(self._holders(group, REVIEWER) or [run.author], which)
        if which % 2:
            self._relay_verdict(run.author, targets[0], group, verdict, run, attester, self._time(50))
        else:
            self.step(attester, "attestWithEvidence", group, targets[0], verdict, run)

    @rule(
        which=number, other=number, caller=anyone, group=group_number, verdict=st.integers(0, 4), honest=st.booleans()
    )
    def attest(self, which: int, other: int, caller: str, group: int, verdict: int, honest: bool) -> None:
        record, group, evidence = self._claim(which, other, group, honest)
        attesters = self._holders(group, REVIEWER) if honest else []
        by = pick(attesters or [self._address(caller)], which)
        if evidence is None:
            self.step(by, "attest", group, record, verdict)
        else:
            self.step(by, "attestWithEvidence", group, record, verdict, evidence)

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
            group, record = pick(given, which)
            by = pick(self._holders(group, REVIEWER) or [by], which)
        self.step(by, "withdraw", group, record)

    @rule(
        template=templates,
        what=st.sampled_from(["record", "record", "verdict", "verdict", "copy", "again"]),
        which=number,
        other=number,
        salt=salts,
        caller=anyone,
        honest=mostly,
        shown=st.booleans(),
    )
    def seal(self, template, what, which, other, salt, caller, honest, shown) -> None:
        if what == "copy" and self.seals:
            # another's commitment, in one's own group: it names the other, so it is worth nothing
            copied, thief = pick(self.seals, which), self._address(caller)
            sealed = copied._replace(author=thief, group=self._group_of(thief, RECORDER | REVIEWER, other))
        elif what == "again" and self.seals:
            sealed = pick(self.seals, which)
        elif what in ("verdict", "again"):
            sealed = self._blind_verdict(which, other, salt)
        else:
            author = self._member(RECORDER, which)[1] if honest else self._address(caller)
            key = self._key(template._replace(author=author), honest=True)
            commitment = record_commitment(self.domain.record_id(key), salt)
            sealed = Seal(key.group, key.author, commitment, "reveal", (key, salt))
        by = sealed.author if honest or what in ("copy", "again") else self._address(caller)
        self.seals.append(sealed)
        self.seal_places.add((sealed.group, by, sealed.commitment))
        self.step(by, "seal", sealed.group, sealed.commitment)
        if shown:
            self._wait(1)
            self.step(sealed.author, sealed.function, *sealed.arguments)

    @rule(which=number, caller=anyone, honest=mostly, other_salt=seldom, before=st.integers(0, 15))
    @precondition(lambda self: self.seals)
    def reveal(self, which: int, caller: str, honest: bool, other_salt: bool, before: int) -> None:
        pending = [seal for seal in self.seals if self.model.sealed_at(*seal[:3]) and not self._is_revealed(seal)]
        sealed = pick(pending if honest and pending else self.seals, which)
        arguments = (*sealed.arguments[:-1], b"\x0a" * 32) if other_salt else sealed.arguments
        if before == 0:
            self.step(sealed.author, "removeMember", sealed.group, sealed.author)
        elif before == 1 and sealed.function == "reveal":
            self.step(sealed.author, "record", sealed.arguments[0])
        self.step(sealed.author if honest else self._address(caller), sealed.function, *arguments)

    @rule(
        templates=st.lists(templates, min_size=1, max_size=4),
        caller=anyone,
        which=number,
        honest=mostly,
        mistake=mistakes,
        stored=st.booleans(),
    )
    def anchor_leaves(self, templates, caller, which, honest, mistake, stored) -> None:
        tree = self._batch(templates, self._address(caller), which, honest)
        ids = tuple(sorted(set(tree.ids)))
        given = {-1: (), 1: (*ids, ids[-1])}.get(mistake, ids)
        tree = tree._replace(root=merkle.root(ids), ids=ids)
        self.step(self._anchored(tree), "anchorLeaves", tree.group, given)
        if stored:
            self._materialize(tree, which, self._address(caller), "right", "parents of the batch")

    @rule(
        templates=st.lists(templates, min_size=1, max_size=4),
        caller=anyone,
        which=number,
        honest=mostly,
        what=st.sampled_from(["tree"] * 5 + ["same", "same", "no tree", "nothing"]),
    )
    def anchor(self, templates, caller, which, honest, what) -> None:
        """The ids stand in any order here, also twice; others' are among them."""
        tree = self._batch(templates, self._address(caller), which, honest)
        if what == "same" and self.trees:
            # as it was before, or by somebody else
            same = pick(self.trees, which)
            tree = same if honest else tree._replace(root=same.root, ids=same.ids)
        elif what == "no tree":
            record = tree.ids[0]
            tree = tree._replace(root=keccak(record) if which % 2 else record, ids=())
        count = 0 if what == "nothing" else which + 1
        self.step(self._anchored(tree), "anchor", tree.group, tree.root, count, b"\x0b" * 32)

    @rule(
        which=number,
        leaf=number,
        caller=anyone,
        path=paths,
        before=st.sampled_from(["parents of the batch"] * 2 + ["parents now"] * 2 + ["cancel", "", ""]),
    )
    @precondition(lambda self: self.trees)
    def materialize(self, which: int, leaf: int, caller: str, path: str, before: str) -> None:
        self._materialize(self._some_tree(which), leaf, self._address(caller), path, before)

    @rule(which=number, leaf=number, whose=anyone, path=paths, inner=seldom)
    @precondition(lambda self: self.trees)
    def batched_at(self, which: int, leaf: int, whose: str, path: str, inner: bool) -> None:
        """Also with a node of the tree in the place of an id."""
        tree = self._some_tree(which)
        record, proof = pick(tree.ids or tuple(self.keys), leaf), ()
        if inner and tree.ids:
            nodes = merkle.tree(tree.ids)
            node = leaf % len(nodes)
            record, proof = nodes[node], merkle.siblings(nodes, node)
        else:
            proof = self._path(tree, record, path)
        author = tree.author if leaf % 3 else self._address(whose)
        asked = (tree.group, author, record, tree.root, proof)
        (answer,) = self.registry.read_all([("batchedAt", *asked)])
        assert answer == self.model.batched_at(*asked)
        anchored_at, _, _, ended_at = self.seen.batches.get((tree.group, author, tree.root), (0, 0, False, 0))
        assert answer == (0, 0) or (record in tree.ids and answer == (anchored_at, ended_at))
        self._answered("batchedAt", bool(answer[0]))

    @rule(which=number, other=number, order=st.sampled_from(["right"] * 5 + ["reversed", "hole", "more", "nothing"]))
    def lineage_status(self, which: int, other: int, order: str) -> None:
        path = self._lineage(pick(list(self.keys), which))
        if order == "more":
            path += [record for record in self._lineage(pick(list(self.keys), other)) if record not in path]
        given = {"reversed": path[::-1], "nothing": []}.get(order, path)
        if order == "hole":
            given.pop(other % len(given))
        keys = tuple(self.keys[record] for record in given)
        ((lineage, culprit),) = self.registry.read_all([("lineageStatus", keys, self.model.places(keys))])
        assert (lineage, culprit) == self.model.lineage_status(keys)
        if lineage in (CLEAN, FOREIGN):
            assert all(self.seen.records[record].status == RECORDED for record in given)
            rests_on = {parent for key in keys for parent, relation in key.parents if relation not in ABOUT}
            assert rests_on <= set(given)
            assert (lineage == FOREIGN) == any(key.kind == REFERENCE for key in keys)
        self._answered("lineageStatus", lineage)

    @rule(
        here=st.sampled_from(["chain", "registry", "neither", "both"]),
        record=st.integers(0, 1),
        verdict=st.sampled_from([0, 1, REPRODUCED, REPRODUCED, NOT_REPRODUCED, 4]),
        which=number,
        caller=anyone,
        evidence=st.sampled_from(["its run"] * 4 + ["any", "none"]),
        retracted=seldom,
    )
    def attest_foreign(self, here, record, verdict, which, caller, evidence, retracted) -> None:
        foreign = ForeignRecord(
            self.domain.chain_id if here in ("chain", "both") else 5,
            self.registry.address if here in ("registry", "both") else ELSEWHERE,
            bytes([record]) * 32,
        )
        group = self._group_of(self._address(caller), REVIEWER, which)
        by = (
            pick(self._holders(group, REVIEWER) or [self._address(caller)], which)
            if which % 4
            else self._address(caller)
        )
        recorders = self._holders(group, RECORDER)
        given: tuple[Key, ...] = ()
        if evidence == "its run" and recorders and verdict in FINDINGS:
            given = self._foreign_evidence(foreign, group, pick(recorders, which))
        elif evidence != "none":
            given = tuple(pick(list(self.keys.values()), number) for number in (which, which // 7))
        self.foreign_places.add((group, foreign))
        function = "attestForeignWithEvidence" if given else "attestForeign"
        self.step(by, function, group, foreign, verdict, *given)
        if retracted and given:
            self.step(given[1].author, "retract", given[1], ZERO)

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
        self.step(by, "announceSuccessor", len(self.history), self._address(successor))

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
        self._wait(seconds)

    # what must hold of every step

    def step(self, caller: str, function: str, *arguments: Any) -> None:
        """One operation in the model and on the chain, which must agree on what comes of it."""
        if function in ("attest", "attestWithEvidence", "withdraw", "revealVerdict", "revealVerdictWithEvidence"):
            self.verdict_places.add(arguments[:2])
        elif function in ("attestBySig", "attestWithEvidenceBySig"):
            self.verdict_places.add((arguments[0], arguments[2]))
        if not self._sees_all():
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
        self._check_times(caller, function, arguments, events, before)

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
        if function == "join" and ("Invited", tuple(arguments[0])) in (event for _, event in self.history):
            consenting.add(arguments[0].inviter)
        for name, values in events:
            match name, values:
                case "Recorded", (group, author, record, *_) if function == "materialize":
                    anchored_at, _, _, ended_at = before.batches[group, author, arguments[1]]
                    assert anchored_at, "its author never anchored it"
                    assert not ended_at, "it was ended"
                    under = [tree.ids for tree in self.trees if tree.root == arguments[1]]
                    assert any(record in ids for ids in under)
                case "Recorded", (group, author, *_):
                    assert author in consenting
                    assert self._held(before, group, author, RECORDER)
                case "Anchored" | "LeavesAnchored", (group, author, *_):
                    assert author == caller
                    assert self._held(before, group, author, RECORDER)
                case "Sealed", (group, author, _):
                    assert author == caller
                    assert self._held(before, group, author, RECORDER | REVIEWER)
                case "ForeignAttested", (group, attester, *_):
                    assert attester == caller
                    assert self._held(before, group, attester, REVIEWER)
                case "RecordCancelled", (group, by, _):
                    author = arguments[0].author
                    assert (group, by) == (arguments[0].group, caller)
                    assert self._held(before, group, by, MAINTAINER | RECORDER if by == author else MAINTAINER)
                case "BatchEnded", (group, by, author, root):
                    assert (by, arguments) == (caller, (group, author, root))
                    assert self._held(before, group, by, MAINTAINER | RECORDER if by == author else MAINTAINER)
                case "Attested", (group, attester, *_):
                    assert attester in consenting
                    assert self._held(before, group, attester, REVIEWER)
                case "Retracted", (group, by, *_):
                    assert by == caller
                    assert self._held(before, group, by, RECORDER) or self._held(before, group, by, MAINTAINER)
                case "MembershipChanged", (group, by, account, *_, version):
                    assert by in consenting
                    # as IGroups documents it, whatever the model does: created in this call or before, and growing
                    assert group in before.groups or function == "createGroup"
                    assert version > before.memberships.get((group, account), (0, 0, 0, 0))[3]
                    owner = before.groups[group][0] if group in before.groups else caller
                    own = account == caller if function == "removeMember" else function == "acceptGroup"
                    assert by == owner or self._held(before, group, by, MAINTAINER) or own
                    if function == "acceptGroup":
                        # only the version: what the owner before had invited to has ended
                        held = before.memberships.get((group, account), (0, 0, 0, 0))
                        assert (account, values[3:-1]) == (owner, tuple(held[:-1]))
                    elif function != "removeMember":
                        assert caller == account, "nobody becomes a member without consent"
                    if function in ("join", "joinBySig"):
                        held = before.memberships.get((group, by), (0, 0, 0, 0))
                        assert arguments[0].inviter_version == held[3], "its inviter was another member then"
                case "Invited", (group, inviter, *_):
                    assert inviter == caller
                    assert group in before.groups
                    assert inviter == before.groups[group][0] or self._held(before, group, inviter, MAINTAINER)
                case "GroupTransferStarted" | "GroupDescribed", (group, *_):
                    assert before.groups[group][0] == caller
                case "GroupTransferred", (group, _, to):
                    assert before.groups[group][1] == to == caller

    def _check_times(
        self, caller: str, function: str, arguments: tuple[Any, ...], events: list[Event], before: Seen
    ) -> None:
        """A record has the time of its block or of its author's batch, and that of its author's seal or none."""
        sealed_at = {event.arguments[0]: event.arguments[2] for event in events if event.name == "Revealed"}
        for name, values in events:
            match name, values:
                case "Recorded", (group, author, record, *_):
                    written = self.seen.records[record]
                    batch = before.batches[group, author, arguments[1]][0] if function == "materialize" else 0
                    assert written.recorded_at == (batch or self.clock.now)
                    assert written.flags == (BATCHED_FLAG if batch else 0)
                    assert written.sealed_at == sealed_at.get(record, 0)
                case "Revealed", (record, commitment, time):
                    assert 0 < time == before.seals[self.keys[record].group, caller, commitment]
                    assert self.keys[record].author == caller
                case "VerdictRevealed", (group, record, commitment, time):
                    assert 0 < time == before.seals[group, caller, commitment] == self.seen.verdicts[group, record][3]

    # what must hold at any time, by what the chain says

    @invariant()
    def chain_equals_model(self) -> None:
        model, seen = self.model, self.seen
        assert seen.records == {record: model.status_of(record) for record in seen.records}
        assert seen.verdicts == {place: model.verdict_of(*place) for place in seen.verdicts}
        assert seen.foreign_verdicts == {place: model.foreign_verdict_of(*place) for place in seen.foreign_verdicts}
        assert seen.seals == {place: model.sealed_at(*place) for place in seen.seals}
        assert seen.batches == {place: model.batch(*place) for place in seen.batches}
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
            written = ("recorded_at", "sealed_at", "group", "kind", "flags")
            assert all(getattr(now, name) == getattr(first, name) for name in written)
            if first.retracted_at:
                assert now.retracted_at == first.retracted_at
            elif now.retracted_at:
                assert now.retracted_at >= now.recorded_at
                self.first_seen[record] = now

    @invariant()
    def seals_and_batches_are_written_once(self) -> None:
        """The end of a batch is added to it once."""
        batches = {place: now[:3] for place, now in self.seen.batches.items()}
        ends = {("end", *place): now[3] for place, now in self.seen.batches.items()}
        for place, now in (*self.seen.seals.items(), *batches.items(), *ends.items()):
            if now not in (0, (0, 0, False)):
                assert now == self.first_times.setdefault(place, now)
        assert all(now[3] == 0 or now[0] <= now[3] <= self.clock.now for now in self.seen.batches.values())

    @invariant()
    def nothing_is_sealed_after_it_is_shown(self) -> None:
        for status in self.seen.records.values():
            assert status.sealed_at <= status.recorded_at <= self.clock.now
        for _, _, attested_at, sealed_at, _ in self.seen.verdicts.values():
            assert sealed_at <= attested_at <= self.clock.now

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
            places = [(group, record) for group in self.seen.groups if (group, record) in self.seen.verdicts]
            given = [self.seen.verdicts[place][0] for place in places]
            assert list(status[-4:]) == [given.count(verdict) for verdict in range(1, 5)]

    @invariant()
    def findings_stand_on_an_unretracted_run(self) -> None:
        """A current Reproduced or NotReproduced has its evidence: a Run of the same group linked to the record."""
        for (group, record), (verdict, evidence, *_) in self.seen.verdicts.items():
            if verdict in FINDINGS:
                (run,) = [known for known in self.keys if int.from_bytes(known[15:]) == evidence]
                self._assert_run(run, group)
                assert self.seen.records[run].recorded_at >= self.seen.records[record].recorded_at
                assert (record, REPRODUCES) in self.keys[run].parents

    @invariant()
    def findings_on_foreign_records_stand_on_an_unretracted_run(self) -> None:
        """The Run is linked to a Reference to that very record."""
        for (group, foreign), (verdict, evidence, attested_at, _) in self.seen.foreign_verdicts.items():
            assert (attested_at > 0) == (verdict > 0)
            if verdict in FINDINGS:
                self._assert_run(evidence, group)
                named = [self.keys[parent] for parent, link in self.keys[evidence].parents if link == REPRODUCES]
                references = [key for key in named if (key.kind, key.subject_type) == (REFERENCE, IDENTIFIER)]
                assert hashlib.sha256(foreign.name.encode()).digest() in [key.subject for key in references]
            else:
                assert evidence == ZERO

    @invariant()
    def no_group_judges_itself(self) -> None:
        for (group, record), (verdict, *_) in self.seen.verdicts.items():
            assert not verdict or self.seen.records[record].group != group

    def teardown(self) -> None:
        """The state can be rebuilt from the events alone; and no verdict was changed where nobody gave any."""
        if self.settled:
            assert replay(self.history) == self.model.state
            self.verdict_places |= {(group, record) for record in self.keys for group in self.model.state.groups}
            self.seen = self._look()
            self.chain_equals_model()

    # how

    def _outcome(self, act: Callable[[], tuple[Any, list[Event]]]) -> tuple[Any, ...]:
        try:
            return act()
        except Refused as refusal:
            return (refusal.name, refusal.arguments)

    def _look(self) -> Seen:
        (last,) = self.registry.read_all([("lastGroup",)])
        groups, ids = range(1, last + 1), tuple(self.keys)
        verdicts, foreign, seals, batches = (tuple(places) for places in self._places())
        members = [(group, account) for group in groups for account in self.addresses]
        answers = iter(
            self.registry.read_all(
                [
                    ("statusOfRecords", ids),
                    *(("verdictOf", *place) for place in verdicts),
                    *(("foreignVerdictOf", *place) for place in foreign),
                    *(("sealedAt", *place) for place in seals),
                    *(("batchOf", *place) for place in batches),
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
            foreign_verdicts={place: next(answers) for place in foreign},
            seals={place: next(answers) for place in seals},
            batches={place: next(answers) for place in batches},
            memberships={place: next(answers) for place in members},
            groups={group: next(answers) for group in groups},
            owner=next(answers),
            pending_owner=next(answers),
            successor=next(answers),
        )

    def _places(self) -> tuple[set[Any], ...]:
        """Where there is something to look at beside records, groups and members."""
        return self.verdict_places, self.foreign_places, self.seal_places, self.batch_places

    def _sees_all(self) -> bool:
        """What is known only since a moment ago has not been looked at."""
        seen = (self.seen.verdicts, self.seen.foreign_verdicts, self.seen.seals, self.seen.batches)
        watched = (self.keys, *self._places())
        return all(len(known) == len(looked) for known, looked in zip(watched, (self.seen.records, *seen), strict=True))

    def _answered(self, view: str, answer: int) -> None:
        name = f"{view} {int(answer)}"
        self.answered[name] = self.answered.get(name, 0) + 1

    def _assert_run(self, run: bytes, group: int) -> None:
        status = self.seen.records[run]
        assert (status.status, status.group, status.kind) == (RECORDED, group, RUN)

    def _wait(self, seconds: int) -> None:
        self.clock.now += seconds
        self.model.now = self.clock.now
        self.seen = self._look()

    def _stored(self, record: bytes) -> bool:
        return record in self.model.state.records

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
        return [address for address in self.addresses if self.model.holds(group, address, role)]

    def _group_of(self, account: str, roles: int, which: int) -> int:
        """One that the account holds one of these roles in, if there is any."""
        groups = [group for group in self.model.state.groups if self.model.holds(group, account, roles)]
        return pick(groups or [*self.model.state.groups, 0], which)

    def _member(self, roles: int, which: int) -> tuple[int, str]:
        """Somebody who holds one of these roles, and where."""
        groups = self.model.state.groups
        members = [(group, account) for group in groups for account in self._holders(group, roles)]
        return pick(members or [(1, MALLORY.address)], which)

    def _sign(self, signer: str, digest: bytes, form: Callable[[Signature], Signature] | None = None) -> Signature:
        """A wallet signs with the key it has now; who has none leaves it to Mallory."""
        key = self.model.wallets.get(signer, signer)
        signature = BY_ADDRESS.get(key, MALLORY).sign(digest)
        return form(signature) if form else signature

    def _invitation(self, group, inviter, account, roles, until, deadline, mistake) -> Invitation:
        """By the versions of now, but for a mistake: the inviter's one less, or the account's one more."""
        versions = [self.model.membership(group, member).version for member in (inviter, account)]
        place = 0 if mistake < 0 else 1
        versions[place] = max(0, versions[place] + mistake)
        return Invitation(group, inviter, account, roles, self._time(until), *versions, self._time(deadline))

    def _invite(self, inviter: Actor, group: int, account: str, roles: int) -> None:
        invitation = Invitation(group, inviter.address, account, roles, NO_END, 1, 0, NO_END)
        self.step(account, "joinBySig", invitation, inviter.sign(self.domain.invitation(invitation)))

    def _relay_verdict(
        self, relayer, record, group, verdict, evidence, attester, deadline, *, mistake=0, form=None
    ) -> None:
        evidence_id = self.domain.record_id(evidence) if evidence else ZERO
        version = max(0, self.model.attestation(group, record).version + mistake)
        fields = (group, attester, record, verdict, evidence_id, version, deadline)
        signature = self._sign(attester, self.domain.attestation_authorization(*fields), form)
        function = "attestWithEvidenceBySig" if evidence else "attestBySig"
        given = [evidence] if evidence else []
        arguments = (group, attester, record, verdict, *given, deadline, signature)
        self.relayed.append((function, arguments))
        self.step(relayer, function, *arguments)

    def _remember(self, key: Key) -> None:
        self.keys[self.domain.record_id(key)] = key

    def _key(self, template: Key, honest: bool) -> Key:
        key = self._draft(template, honest)
        self._remember(key)
        return key

    def _draft(self, template: Key, honest: bool) -> Key:
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
            valid = sorted(
                {link for link in links if link[0] in stored and (1 <= link[1] <= LAST_RELATION or link[1] >= 128)}
            )
            key = key._replace(parents=tuple([*valid, *valid[:1]] if order == 2 else valid))
        if honest and order != 1:
            key = key._replace(kind=key.kind % LAST_KIND + 1, subject_type=key.subject_type % LAST_SUBJECT_TYPE + 1)
        return key

    def _blind_verdict(self, which: int, other: int, salt: bytes) -> Seal:
        """A reviewer's verdict on another group's record, with a Run that nobody has seen, or any evidence."""
        verdict: int = (which + 1) % 5
        evidence: Key | None = None
        group, attester = self._member(REVIEWER, other)
        if verdict in FINDINGS and not self.model.holds(group, attester, RECORDER):
            # mostly one who may store a Run too
            group, attester = self._member(RECORDER, other)
        stored = self.model.state.records
        record = pick([record for record in stored if stored[record].key.group != group] or list(self.keys), which)
        if verdict in FINDINGS or other % 3 == 0:
            run = Key(group, attester, 4, bytes([other % 4]) * 32, RUN, b"\5" * 32, ((record, REPRODUCES),))
            evidence = pick([None, *self.keys.values()], other // 8) if other % 8 == 7 else run
        if evidence:
            self._remember(evidence)
        evidence_id = self.domain.record_id(evidence) if evidence else ZERO
        commitment = verdict_commitment(group, attester, record, verdict, evidence_id, salt)
        if evidence is None:
            return Seal(group, attester, commitment, "revealVerdict", (group, record, verdict, salt))
        shown = (group, record, verdict, evidence, salt)
        return Seal(group, attester, commitment, "revealVerdictWithEvidence", shown)

    def _batch(self, templates: list[Key], author: str, which: int, honest: bool) -> Tree:
        """Records of one author, a child of the first among them, and what belongs to others or is stored already."""
        group = which % 6
        if honest:
            group, author = self._member(RECORDER, which)
        drafts = [self._draft(template, honest=True) for template in templates]
        keys = [key._replace(author=author, group=group) for key in drafts]
        if which % 2:
            keys.append(keys[0]._replace(subject=b"\x0d" * 32, parents=((self.domain.record_id(keys[0]), 6),)))
        for key in keys:
            self._remember(key)
        ids = [self.domain.record_id(key) for key in keys]
        if which % 3 == 0:
            ids.append(pick(list(self.keys), which))
        return Tree(group, author, merkle.root(ids), tuple(ids))

    def _is_revealed(self, seal: Seal) -> bool:
        return seal.function == "reveal" and self._stored(self.domain.record_id(seal.arguments[0]))

    def _some_tree(self, which: int) -> Tree:
        """Mostly one that is anchored."""
        anchored = [tree for tree in self.trees if self.model.batch(*tree[:3]).anchored_at]
        return pick(self.trees if which % 4 == 3 or not anchored else anchored, which)

    def _is_own(self, tree: Tree, key: Key) -> bool:
        return (tree.group, tree.author) == (key.group, key.author)

    def _anchored(self, tree: Tree) -> str:
        """Who is going to anchor it."""
        self.trees.append(tree)
        self.batch_places.add((tree.group, tree.author, tree.root))
        return tree.author

    def _materialize(self, tree: Tree, leaf: int, by: str, path: str, before: str) -> None:
        """Stores a record of a batch, mostly one that may be stored, after what comes before it."""
        own = [record for record in tree.ids if self._is_own(tree, self.keys[record]) and not self._stored(record)]
        record = pick(own if own and leaf % 4 != 3 else tree.ids or tuple(self.keys), leaf)
        key = self.keys[record]
        missing = [parent for parent, _ in key.parents if parent in self.keys and not self._stored(parent)]
        if before == "cancel":
            self.step(key.author, "cancel", key)
        elif before == "parents now":
            self._wait(1)
            for parent in missing:
                self.step(self.keys[parent].author, "record", self.keys[parent])
        elif before:
            for parent in missing:
                self.step(by, "materialize", self.keys[parent], tree.root, self._path(tree, parent))
        self.step(by, "materialize", key, tree.root, self._path(tree, record, path))

    def _path(self, tree: Tree, record: bytes, path: str = "right") -> tuple[bytes, ...]:
        """The siblings of a record on its way to the root, or a wrong way."""
        if record not in tree.ids:
            return ()
        at = tree.ids.index(record)
        right = merkle.proof(tree.ids, at)
        wrong = {
            "short": right[:-1],
            "long": (*right, tree.root),
            "of another": merkle.proof(tree.ids, (at + 1) % len(tree.ids)),
        }
        return wrong.get(path, right)

    def _lineage(self, record: bytes) -> list[bytes]:
        """A record with all that it names, as far as it is known, parents first."""
        found: list[bytes] = []

        def visit(record: bytes) -> None:
            for parent, _ in self.keys[record].parents:
                if parent in self.keys and parent not in found:
                    visit(parent)
            found.append(record)

        visit(record)
        return found

    def _foreign_evidence(self, foreign: ForeignRecord, group: int, recorder: str) -> tuple[Key, ...]:
        """A Reference to a foreign record and a Run that reproduced it, stored by one of the group."""
        subject = hashlib.sha256(foreign.name.encode()).digest()
        reference = Key(group, recorder, IDENTIFIER, subject, REFERENCE, ZERO)
        parents = ((self.domain.record_id(reference), REPRODUCES),)
        run = Key(group, recorder, 4, subject, RUN, b"\6" * 32, parents)
        for key in (reference, run):
            self._remember(key)
        self.step(recorder, "recordMany", (reference, run))
        return reference, run

    def _claim(self, which: int, other: int, group: int, honest: bool) -> tuple[bytes, int, Key | None]:
        """What to attest to, for which group and on what evidence."""
        record, key = pick(list(self.keys.items()), which)
        runs = [(parent, run) for run in self.keys.values() for parent, link in run.parents if link == REPRODUCES]
        if honest and which % 3 == 0:
            stored = pick(list(self.model.state.records), other)
            judges = [each for each in self.model.state.groups if self._holders(each, REVIEWER)]
            others = [each for each in judges if each != self.keys[stored].group]
            return stored, pick(others or [group], which), None
        if honest and runs:
            record, run = pick(runs, other)
            return record, run.group, run
        return record, group, key if which % 5 == 0 else pick([None, *self.keys.values()], other)


def run_on(setting: Callable[[], Setting], operations: int, first: int = 0) -> type[RegistryMachine]:
    """Runs the machine on chains that `setting` gives until it has made so many operations; gives its counts.

    Each round has a seed of its own, from `first` on, so that the same code meets the same histories.
    """

    class Machine(RegistryMachine):
        executed = 0
        refused: ClassVar[dict[str, int]] = {}
        performed: ClassVar[dict[str, int]] = {}
        answered: ClassVar[dict[str, int]] = {}

    Machine.setting = staticmethod(setting)
    while Machine.executed < operations:
        seed(first)(Machine)
        first += 1
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=max(2, min(60, operations // 40)),
                stateful_step_count=50 if operations > 100 else 20,
                deadline=None,
                # Hypothesis repeats itself where it sees a CI, whatever the seed
                derandomize=False,
                database=None,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
                print_blob=True,
                report_multiple_bugs=False,
            ),
        )
    return Machine
