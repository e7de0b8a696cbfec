"""A registry as it was at a date: its state at the last block until then, and the events up to that block."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Any

from typing_extensions import override

from blockchaintracer.core.chain import Block, Chain, Registry
from blockchaintracer.core.chain.abi import DecodedEvent
from blockchaintracer.core.chain.connection import TransactionReceipt
from blockchaintracer.core.chain.registry import Attestation, EventHistory, Membership
from blockchaintracer.core.chain.reverts import revert_of
from blockchaintracer.core.errors import ChainUnavailable, InputError, NodeError
from blockchaintracer.core.networks import when
from blockchaintracer.core.record import Status, from_hex
from blockchaintracer.core.record_view import Batch, RecordStatus

_UNKNOWN_COUNT = 2**22 - 1
"""What the registry's counters hold when they say nothing."""
_DAY_S = 86_400
"""How far a date may be after the newest block: the end of today is."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def read_date(text: str) -> int:
    """Read a day (to its end, in UTC) or a time in RFC 3339. Returns Unix seconds.

    Raises:
        InputError: if it is neither.
    """
    try:
        if _DAY.fullmatch(text):
            return int((datetime.fromisoformat(text).replace(tzinfo=UTC) + timedelta(days=1)).timestamp()) - 1
        moment = datetime.fromisoformat(text)
        if moment.tzinfo and (seconds := int(moment.timestamp())) >= 0:
            return seconds
    except (ValueError, OverflowError):
        pass
    raise InputError(
        f"expected a date such as 2041-01-01, or a time with its zone such as 2041-01-01T12:00:00Z, got {text[:80]!r}"
    )


def registry_as_of(registry: Registry, time: int) -> Registry:
    """Return a registry as it was at a time, Unix seconds.

    Raises:
        InputError: if the time is after the newest block, or before the first.
        ChainUnavailable: if the node has forgotten the block.
    """
    chain = registry.chain
    block = _last_block(chain, time)
    then = copy(chain)
    then.__class__ = type("ChainAsOf", (_ChainThen, type(chain)), {})
    assert isinstance(then, _ChainThen)  # noqa: S101 -- made so in the line above
    then.then, then.has_lens = block, None
    view = _RegistryThen(then, registry.address, registry.first_block)
    view.keys, view.today, view.time = registry.keys, registry, time
    return view


def _last_block(chain: Chain, time: int) -> Block:
    """Return the newest block that is not later than a time."""
    high, low = chain.head(), 0
    if time > high.timestamp + _DAY_S:
        raise InputError(
            f"expected a date that the chain has reached, got {when(time)}; its newest block is of"
            f" {when(high.timestamp)}",
            hint="Without --as-of it is judged by what holds now.",
        )
    if high.timestamp <= time:
        return high
    best: Block | None = None
    end = high.number
    while low < end:
        middle = (low + end) // 2
        block = chain.remembered(partial(chain.block, middle))
        if block is None:
            # a node that forgot old headers: what is asked for is later, or unknown
            low = middle + 1
        elif block.timestamp <= time:
            best, low = block, middle + 1
        else:
            end = middle
    if best is None:
        raise ChainUnavailable(
            f"{chain.address} has no block that is as old as {when(time)}", hint="Ask an archive node (--rpc)."
        )
    return best


class _ChainThen(Chain):
    """A chain whose newest block is an old one."""

    then: Block

    @override
    def head(self) -> Block:
        return self.then

    @override
    def call(self, to: str, data: str, sender: str | None = None) -> bytes:
        try:
            return from_hex(self.ask("eth_call", {"to": to, "data": data}, hex(self.then.number)))
        except NodeError as error:
            raise revert_of(error) from None

    @override
    def code(self, address: str, block: int | None = None) -> bytes:
        return super().code(address, self.then.number if block is None else block)

    @override
    def receipt(self, transaction: str) -> TransactionReceipt | None:
        receipt = super().receipt(transaction)
        return None if receipt is None or receipt.block > self.then.number else receipt

    @override
    def finalized(self) -> Block | None:
        # whether a block of then is final is known with hindsight
        return super().finalized()


class _RegistryThen(Registry):
    """A registry at that block. Where the node has forgotten the block's state, times of today's state tell: they never
    change once they are written."""

    today: Registry
    time: int

    @override
    def __str__(self) -> str:
        return f"{super().__str__()} as of {when(self.time)}"

    @cached_property
    def history(self) -> EventHistory:
        # what a node has forgotten may end after that block
        return self.today.history

    @override
    def status(self, record_id: str) -> RecordStatus:
        return self.statuses([record_id])[0]

    @override
    def statuses(self, ids: Sequence[str]) -> list[RecordStatus]:
        try:
            return super().statuses(ids)
        except ChainUnavailable as forgotten:
            now = zip(ids, self.today.statuses(ids), strict=True)
            return [self._then(record_id, status, forgotten) for record_id, status in now]

    def _then(self, record_id: str, status: RecordStatus, forgotten: ChainUnavailable) -> RecordStatus:
        none, is_cancelled = RecordStatus(0, 0, Status.UNKNOWN, *[0] * 8), status.status is Status.CANCELLED
        if status.recorded_at > self.time or not (status.exists or is_cancelled):
            return none
        if status.is_batched or is_cancelled:
            # neither has a time of its own in the state, where the batch's stands or none: its event is of the block
            name = "RecordCancelled" if is_cancelled else "Materialized"
            if (event := next(self.today.events(name, id=from_hex(record_id)), None)) is None:
                raise forgotten
            is_then = event.block <= self.chain.head().number
            if is_cancelled or not is_then:
                return status if is_then else none
        is_retracted = 0 < status.retracted_at <= self.time
        return replace(
            status,
            status=Status.RETRACTED if is_retracted else Status.RECORDED,
            retracted_at=status.retracted_at if is_retracted else 0,
            **dict.fromkeys(("reviewed", "reproduced", "not_reproduced", "disputed"), _UNKNOWN_COUNT),
        )

    @override
    def batch(self, group: int, author: str, root: str) -> Batch:
        batch = self.today.batch(group, author, root)
        if not 0 < batch.anchored_at <= self.time:
            return Batch(0, 0, False)
        return batch if batch.ended_at <= self.time else replace(batch, ended_at=0)

    @override
    def sealed_at(self, group: int, author: str, commitment: str) -> int:
        sealed = self.today.sealed_at(group, author, commitment)
        return sealed if sealed <= self.time else 0

    @override
    def verdict(self, group: int, record_id: str) -> Attestation:
        try:
            return super().verdict(group, record_id)
        except ChainUnavailable:
            now = self.today.verdict(group, record_id)
            if now.attested_at:
                is_of_then = now.attested_at <= self.time
            else:
                # what was withdrawn leaves no time in the state: its event is of the block
                events = self.today.events("VerdictWithdrawn", group=group, recordId=from_hex(record_id))
                ends = [event.block for event in events]
                is_of_then = not now.version or 0 < max(ends, default=0) <= self.chain.head().number
            if is_of_then:
                return now
            raise

    @override
    def last_group(self) -> int:
        try:
            return super().last_group()
        except ChainUnavailable:
            return self.today.last_group()

    @override
    def membership(self, group: int, account: str) -> Membership:
        try:
            return super().membership(group, account)
        except ChainUnavailable:
            now = self.today.membership(group, account)
            if now.since <= self.time:
                return now
            raise

    @override
    def events(
        self, name: str, first: int | None = None, last: int | None = None, **topics: Any
    ) -> Iterator[DecodedEvent]:
        end = self.chain.head().number
        yield from (event for event in super().events(name, first, last, **topics) if event.block <= end)
