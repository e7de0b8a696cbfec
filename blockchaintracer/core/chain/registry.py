"""A LabRegistry by its ABI, which is read from its artifact: views, events and the calls that change it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from blockchaintracer.core.chain.abi import DecodedEvent, interface
from blockchaintracer.core.chain.connection import Chain, TransactionReceipt
from blockchaintracer.core.errors import (
    ChainUnavailable,
    ContractRevert,
    HistoryPruned,
    InputError,
    NodeError,
    NotVerified,
)
from blockchaintracer.core.networks import when
from blockchaintracer.core.record import (
    Domain,
    GlobalId,
    Link,
    RecordKey,
    Role,
    Status,
    Verdict,
    checksummed,
    from_hex,
    label,
    to_hex,
)
from blockchaintracer.core.record_view import Batch, Position, RecordStatus, RecordView

if TYPE_CHECKING:
    from blockchaintracer.core.verify.inclusion import Inclusion

_IDS_AT_ONCE = 500
_FILTER_LIMIT = 100
"""values asked for in one question: nodes limit the length of a filter"""
KEY_HINT = "Name a file that has its key (--key-file FILE) or where it was published (--from), or ask an archive node."
_FIRST_SPAN = 50_000
"""blocks asked for at once; halved where a node answers that it's too many"""


@dataclass(frozen=True, slots=True)
class Attestation:
    """A group's current verdict; `evidence` is the low 136 bits of a record id, 34 hex digits of 0 for none."""

    verdict: Verdict
    evidence: str
    attested_at: int
    sealed_at: int
    version: int


@dataclass(frozen=True, slots=True)
class Membership:
    """The last membership of an account in a group. Times are Unix seconds."""

    roles: Role
    since: int
    until: int
    version: int

    @classmethod
    def of_abi(cls, values: Any) -> Membership:
        """Return what ``membershipOf`` returned."""
        roles, since, until, version = values
        return cls(Role(roles), since, until, version)

    def holds(self, role: Role, time: int) -> bool:
        """Return whether the membership gave `role` at `time`."""
        return role in self.roles and self.since <= time < self.until


@dataclass(frozen=True, slots=True)
class Group:
    """Owner of a group, the account that it is offered to (or None), and the time of its creation."""

    owner: str
    pending_owner: str | None
    created_at: int


@dataclass(frozen=True, slots=True)
class ForeignAttestation:
    """A group's current verdict on a record of another registry; `evidence` is a record id, or None."""

    verdict: Verdict
    evidence: str | None
    attested_at: int
    version: int


FIRST_EVENT = "OwnershipTransferred"
"""What a registry emits when it is deployed, from nobody to its owner."""
_NOBODY = "0x" + "00" * 20


class EventHistory:
    """The part of a registry's life whose events a node still has."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    @cached_property
    def start(self) -> int:
        """The first block whose events the node gives: the registry's first, or where the node's history begins. One
        more than the newest block if the node gives none."""
        first, high = self._registry.first_block, self._registry.chain.head().number
        # every node has the genesis block
        low = max(first, 1)
        if low > high or self._has(low):
            return first
        if not self._has(high):
            return high + 1
        while low + 1 < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._has(middle) else (middle, high)
        return high

    @cached_property
    def is_short(self) -> bool:
        """Whether the node gives less than all if it is asked from the registry's first block on: some give nothing of
        a span of which they have forgotten a part."""
        # of several nodes the one that has the first event is asked from now on
        return not self._has_first_event(None)

    @cached_property
    def gap(self) -> str | None:
        """Why events may be missing. None if the node has the registry's first event, that of its deployment."""
        if not self.is_short or self._has_first_event(self.start):
            return None
        chain = self._registry.chain
        block = chain.remembered(lambda: chain.block(self.start))
        since = f" ({when(block.timestamp)})" if block else ""
        return f"the history of the node at {chain.address} begins at block {self.start}{since}"

    @property
    def reason(self) -> str:
        """Why the node does not give an event that the registry's state tells of."""
        return self.gap or "the node does not give its event"

    def _has_first_event(self, since: int | None) -> bool:
        return next(self._registry.events(FIRST_EVENT, since, previousOwner=_NOBODY), None) is not None

    def _has(self, number: int) -> bool:
        """Whether the node has a block and its receipts. That it has no log of it says nothing: there may be none."""
        chain = self._registry.chain
        try:
            next(self._registry.events("Recorded", number, number), None)
            transactions = chain.transactions(number)
            return transactions is not None and (not transactions or chain.receipt(transactions[0]) is not None)
        except NodeError:
            return False


KeySource = Callable[[str], "Iterable[RecordView | Inclusion]"]
"""Where keys and receipts are kept: gives what may be known of a record id, of the records of a digest (64 hex digits),
or of a transaction."""


class Registry:
    """One registry on one chain; its text names both.

    Args:
        first_block: nothing of the registry is to be found before this block.

    Attributes:
        keys: asked for the records whose events the node has forgotten. A key proves itself by the id that it has.

    Raises:
        InputError: if `address` isn't one, or no registry answers there.
    """

    def __init__(self, chain: Chain, address: str, first_block: int = 0) -> None:
        self.chain = chain
        self.address = checksummed(address, "a registry's address")
        self.first_block = first_block
        self.keys: list[KeySource] = []
        self._places: dict[str, tuple[str, int] | None] = {}

    def __str__(self) -> str:
        return f"the registry {self.address} on {self.chain.name}"

    def knowing(self, *sources: KeySource) -> Registry:
        """Return the registry with more places where keys are kept."""
        registry = copy(self)
        registry.keys = [*sources, *self.keys]
        return registry

    @cached_property
    def domain(self) -> Domain:
        """The EIP-712 domain of the registry."""
        return Domain(self.chain.chain_id, self.address)

    def require(self) -> Registry:
        """Return the registry itself if its address has a LabRegistry."""
        if not self.chain.has_code(self.address):
            raise InputError(
                f"expected a registry at {self.address} on {self.chain.name}, got no contract",
                hint="Check network and address (another's devnet: --rpc URL), or deploy: `blockchaintracer deploy`.",
            )
        try:
            name = self.read_function("eip712Domain")[1]
        except (ContractRevert, InputError):
            name = None
        if name != "BlockchainTracer LabRegistry":
            raise InputError(f"the contract at {self.address} on {self.chain.name} is not a LabRegistry")
        return self

    # -- calls

    def read_function(self, function: str, *arguments: Any) -> Any:
        """Call a view."""
        return self.simulate(None, function, *arguments)

    def call_data(self, function: str, *arguments: Any) -> str:
        """Encode a call, 0x-hex."""
        return interface().call(function, *arguments)

    def simulate(self, sender: str | None, function: str, *arguments: Any) -> Any:
        """Return what a call by `sender` would return now; `ContractRevert` before anything is paid if refused."""
        answer = self.chain.call(self.address, self.call_data(function, *arguments), sender)
        try:
            return interface().result(function, answer)
        except ValueError:
            raise InputError(f"no LabRegistry answers at {self.address} on {self.chain.name}") from None

    @contextmanager
    def _known(self) -> Iterator[None]:
        """Turn numbers that no registry of this version returns into a failure of the node."""
        try:
            yield
        except ValueError as error:
            raise ChainUnavailable(
                f"{self.chain.address} answers with what no LabRegistry says: {error}", hint="Ask another node."
            ) from error

    # -- what is there

    def status(self, record_id: str) -> RecordStatus:
        """Return what the registry stores of a record."""
        values = self.read_function("statusOf", from_hex(record_id))
        with self._known():
            return _status(values)

    def statuses(self, ids: Sequence[str]) -> list[RecordStatus]:
        """Return what the registry stores of each record, in the same order."""
        rows: list[Any] = []
        for start in range(0, len(ids), _IDS_AT_ONCE):
            part = [from_hex(record_id) for record_id in ids[start : start + _IDS_AT_ONCE]]
            rows += self.read_function("statusOfRecords", part)
        with self._known():
            if len(rows) != len(ids):
                raise ValueError(f"{len(rows)} answers to {len(ids)} questions")
            return [_status(values) for values in rows]

    def verdict(self, group: int, record_id: str) -> Attestation:
        """Return the current verdict of a group on a record."""
        return self.attestation(self.read_function("verdictOf", group, from_hex(record_id)))

    def attestation(self, values: Any) -> Attestation:
        """Return what ``verdictOf`` returned."""
        verdict, evidence, *rest = values
        with self._known():
            return Attestation(Verdict(verdict), f"{evidence:034x}", *rest)

    def sealed_at(self, group: int, author: str, commitment: str) -> int:
        """Return when an author sealed a commitment for a group, Unix seconds, or 0."""
        return int(self.read_function("sealedAt", group, checksummed(author), from_hex(commitment)))

    def batch(self, group: int, author: str, root: str) -> Batch:
        """Return what the registry stores of a batch."""
        return Batch(*self.read_function("batchOf", group, checksummed(author), from_hex(root)))

    def foreign_verdict(self, group: int, foreign: GlobalId) -> ForeignAttestation:
        """Return the current verdict of a group on a record of another registry."""
        verdict, evidence, *rest = self.read_function("foreignVerdictOf", group, foreign.as_abi())
        with self._known():
            return ForeignAttestation(Verdict(verdict), to_hex(evidence) if any(evidence) else None, *rest)

    def membership(self, group: int, account: str) -> Membership:
        """Return the last membership of an account in a group."""
        return Membership.of_abi(self.read_function("membershipOf", group, checksummed(account)))

    def group(self, number: int) -> Group:
        """Return a group."""
        owner, pending, created_at = self.read_function("groupOf", number)
        if not int(owner, 16):
            raise InputError(f"there is no group {number}", hint="`group list` shows the groups.")
        return Group(owner, pending if int(pending, 16) else None, created_at)

    def last_group(self) -> int:
        """Return the number of the newest group, 0 if there is none."""
        return int(self.read_function("lastGroup"))

    # -- events

    @cached_property
    def history(self) -> EventHistory:
        """How far back the node has events."""
        return EventHistory(self)

    def events(
        self, name: str, first: int | None = None, last: int | None = None, **topics: Any
    ) -> Iterator[DecodedEvent]:
        """Yield the events of one name, oldest first. All `topics` must match; a list is any of its values, of which a
        hundred are asked for at once.

        Without `first` it yields what the node still has. `history.gap` says whether that is all.

        Asks for spans of blocks and makes them smaller where the node says that they are too large.
        """
        for key, values in topics.items():
            if isinstance(values, list) and not 0 < len(values) <= _FILTER_LIMIT:
                for at in range(0, len(values), _FILTER_LIMIT):
                    yield from self.events(name, first, last, **{**topics, key: values[at : at + _FILTER_LIMIT]})
                return
        query = {"address": self.address, "topics": interface().filter(name, topics)}
        start = self.first_block if first is None else first
        if first is None and name != FIRST_EVENT and self.chain.node.is_several:
            _ = self.history.gap
        if first is None and self.keys:
            yield from self._kept_events(name, topics)
        # the node knows its newest block: it is only asked for where one question is too large
        end, span = last, None if last is None else max(last - start + 1, 1)
        while end is None or start <= end:
            stop = end if span is None or end is None else min(start + span - 1, end)
            try:
                logs = self.chain.logs(
                    {**query, "fromBlock": hex(start), "toBlock": "latest" if stop is None else hex(stop)}
                )
            except NodeError as error:
                end = self.chain.head().number if end is None else end
                if first is None and start < self.history.start:
                    start = self.history.start
                    continue
                if span == 1 or isinstance(error, HistoryPruned):
                    raise
                span = max(min((span or end - start + 1) // 4, _FIRST_SPAN), 1)
                continue
            is_short = not logs and first is None and name != FIRST_EVENT and self.history.is_short
            if is_short and start < self.history.start:
                start = self.history.start
                continue
            with self._known():
                found = [interface().event(log) for log in logs if log.address == self.address]
            for event in found:
                # a node may give more than it was asked for
                if event is not None and _is_named(event, name, topics):
                    yield self._sound(event)
            if stop is None:
                return
            start = stop + 1

    def _kept_events(self, name: str, topics: dict[str, Any]) -> Iterator[DecodedEvent]:
        """Yield the events that the node has forgotten and that receipts hold which are kept."""
        values = [word for value in topics.values() for word in (value if isinstance(value, list) else [value])]
        words = [word.hex() for word in values if isinstance(word, bytes)]
        for receipt in self._kept_receipts(*words) if words and self.history.gap else ():
            if receipt.block < self.history.start:
                yield from (event for event in self.events_of(receipt) if _is_named(event, name, topics))

    def _kept_receipts(self, *digests: str) -> Iterator[TransactionReceipt]:
        """Yield the receipts that are kept of digests or transactions, of blocks that the chain has, oldest first."""
        found = (it for digest in digests for it in self._kept(digest) if not isinstance(it, RecordView))
        receipts = {(it.transaction, it.header): it.receipt() for it in found}
        for receipt in sorted(receipts.values(), key=lambda it: it.block):
            block = self.chain.remembered(partial(self.chain.block, receipt.block))
            if block and block.hash == receipt.block_hash:
                yield receipt

    def _kept(self, digest: str) -> Iterator[RecordView | Inclusion]:
        for it in (it for source in self.keys for it in source(digest)):
            if self._may_be(it):
                yield it
            elif isinstance(it, RecordView):
                yield replace(it, transaction="", block_hash="", position=Position())

    def _may_be(self, it: RecordView | Inclusion) -> bool:
        """Return whether the node knows no other place of a transaction: whoever keeps a receipt, which does not name
        its transaction, could name any."""
        if it.transaction and it.transaction not in self._places:
            sent = self.chain.remembered(lambda: self.chain.transaction(it.transaction))
            self._places[it.transaction] = sent.place if sent else None
        place = self._places.get(it.transaction)
        index = it.position.transaction if isinstance(it, RecordView) else it.index
        return place is None or (place[0] == it.block_hash and index in (-1, place[1]))

    def kept_inclusion(self, transaction: str, digest: str) -> Inclusion | None:
        """Return what is kept of a transaction under a digest that it is about, or None. The chain may have lost it."""
        found = (it for it in self._kept(digest) if not isinstance(it, RecordView))
        return max((it for it in found if it.transaction == transaction), key=lambda it: bool(it.raw), default=None)

    def receipt(self, transaction: str, digest: str | None = None) -> TransactionReceipt | None:
        """Return the receipt of a transaction as the node gives it, or else as it is kept under its hash or under a
        digest that it is about. None if neither has it."""
        given = self.chain.remembered(lambda: self.chain.receipt(transaction))
        kept = self._kept_receipts(digest or transaction) if given is None else ()
        return given or next((receipt for receipt in kept if receipt.transaction == transaction), None)

    def recorded(self, first: int | None = None, last: int | None = None, **topics: Any) -> Iterator[RecordView]:
        """Yield records by their events, oldest first. `topics` may be ``id`` or ``subject`` (32 bytes)."""
        for event in self.events("Recorded", first, last, **topics):
            yield recorded_event(event)

    def find_records(self, ids: Iterable[str]) -> dict[str, RecordView]:
        """Return the records with these ids that are stored: by their events, or where the node has forgotten those, by
        a key at hand and the state. A stored record is left out if there is neither."""
        unique = list(dict.fromkeys(ids))
        records = {record.id: record for record in self.recorded(id=[*map(from_hex, unique)])}
        missing = [record_id for record_id in unique if record_id not in records]
        for record_id, stored in zip(missing, self.statuses(missing), strict=True):
            known = self._known_records(record_id) if stored.exists else ()
            records |= {record.id: record for record in known if record.id == record_id}
        return records

    def find_record(self, record_id: str) -> RecordView | None:
        """Return a record, None if it is not stored.

        Raises:
            ChainUnavailable: if it is stored, and neither its event nor a key is at hand.
            NotVerified: if the node answers with something that doesn't have this id.
        """
        if record := self.find_records([record_id]).get(record_id):
            return self.require_id(record, record_id)
        if (stored := self.status(record_id)).exists:
            raise ChainUnavailable(self.without_key(record_id, stored), hint=KEY_HINT)
        return None

    def without_key(self, record_id: str, stored: RecordStatus) -> str:
        """Say what the state alone tells of a record that is stored."""
        return (
            f"{self} holds {record_id} as {label(stored.status)} (state), of group {stored.group}, recorded"
            f" {when(stored.recorded_at)}; author, content and transaction are unknown: {self.history.reason}, and no"
            " key is at hand"
        )

    def find_subject(self, subject: str) -> list[RecordView]:
        """Return all records of a digest by any author, oldest first: anyone may record another's file. Where the node
        has forgotten events they are those of the keys at hand: `history.gap` says whether there may be others."""
        records = {record.id: record for record in self.recorded(subject=bytes.fromhex(subject))}
        known = self._known_records(subject) if self.keys and self.history.gap else ()
        others = {record.id: record for record in known if record.key.subject == subject and record.id not in records}
        stored = zip(others.values(), self.statuses([*others]), strict=True)
        return [*(record for record, status in stored if status.exists), *records.values()]

    def _known_records(self, digest: str) -> list[RecordView]:
        """List the records whose keys are kept under an id or a digest, with place and batch: what one file has hides
        nothing of another. A block that the chain does not have, and a batch that is not anchored, are left out."""
        known: dict[str, RecordView] = {}
        for it in self._kept(digest):
            if not isinstance(it, RecordView) or self.domain.record_id(it.key) != it.id:
                continue
            seen = known.setdefault(it.id, RecordView(id=it.id, key=it.key))
            block = self.chain.remembered(partial(self.chain.block, it.block)) if it.block else None
            if block.hash == it.block_hash if block else it.is_own and not seen.block_hash:
                place = max(seen.position, it.position)
                seen = replace(seen, transaction=it.transaction, position=place, block_hash=it.block_hash)
            elif block is None and not seen.transaction:
                # a place in a block that the node has forgotten is what somebody says: nothing may rest on it
                seen = replace(seen, transaction=it.transaction)
            if it.batch and not seen.batch and self.batch(it.group, it.author, it.batch).exists:
                seen = replace(seen, batch=it.batch, path=it.path)
            known[it.id] = seen
        return [*known.values()]

    def kept_path(self, record_id: str, root: str) -> tuple[str, ...]:
        """Return the Merkle path that is kept of a record in a batch, or nothing."""
        views = (it for it in self._kept(record_id) if isinstance(it, RecordView))
        return next((it.path for it in views if (it.id, it.batch) == (record_id, root)), ())

    def require_id(self, record: RecordView, record_id: str) -> RecordView:
        """Return the record itself if its key has this id."""
        if self.domain.record_id(record.key) != record_id:
            raise NotVerified(
                f"{self.chain.address} answered with another record for {record_id}", hint="Don't trust that node."
            )
        return record

    def anchored(self, group: int, author: str, root: str) -> DecodedEvent | None:
        """Return the event that anchored a batch, ``Anchored`` or ``LeavesAnchored``, or None."""
        about: dict[str, Any] = {"group": group, "author": checksummed(author), "root": from_hex(root)}
        for name in ("Anchored", "LeavesAnchored"):
            if (event := next(self.events(name, **about), None)) is not None:
                return event
        return None

    def events_of(self, receipt: TransactionReceipt) -> list[DecodedEvent]:
        """Return the events of this registry in a receipt, without the logs of other contracts."""
        events = []
        for log in receipt.logs:
            with suppress(ValueError):
                if log.address == self.address and (event := interface().event(log)):
                    events.append(event)
        return sorted(map(self._sound, events), key=lambda event: event.position)

    def _sound(self, event: DecodedEvent) -> DecodedEvent:
        """Return the event itself if a registry can have emitted it: decoding does not know how many verdicts there
        are."""
        with self._known():
            Verdict(event.args.get("verdict", 0))
        return event


def _is_named(event: DecodedEvent, name: str, topics: dict[str, Any]) -> bool:
    return event.name == name and all(_equals(event.args[key], value) for key, value in topics.items())


def _equals(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return any(_equals(value, each) for each in wanted)
    return bool(value.lower() == wanted.lower() if isinstance(value, str) else value == wanted)


def _status(values: Sequence[Any]) -> RecordStatus:
    """Return what ``statusOf`` answers."""
    group, kind, status, *rest = values
    return RecordStatus(group, kind, Status(status), *rest)


def recorded_event(event: DecodedEvent) -> RecordView:
    """Build the record that a decoded ``Recorded`` event tells of."""
    return RecordView(
        id=to_hex(event.args["id"]),
        key=key_of_abi(event.args),
        transaction=event.transaction,
        position=event.position,
        block_hash=event.block_hash,
    )


def key_of_abi(values: Mapping[str, Any]) -> RecordKey:
    """Return the key that an event or a call of the registry holds, by the names of its fields."""
    return RecordKey(
        group=values["group"],
        author=values["author"],
        kind=values["kind"],
        subject_type=values["subjectType"],
        subject=values["subject"].hex(),
        manifest=values["manifest"].hex(),
        parents=tuple(Link(to_hex(link["parent"]), link["relation"]) for link in values["parents"]),
    )
