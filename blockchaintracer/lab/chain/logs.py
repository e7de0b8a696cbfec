"""The registry's logs as plain values: fetched span by span as raw JSON-RPC and decoded by word positions that the ABI
gives. Decoding each by the ABI takes fifty times as long, and a registry may hold millions of events."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from struct import Struct
from typing import Any, Generic, NamedTuple, TypeVar

from blockchaintracer.core.chain import Block, Chain, load_artifact
from blockchaintracer.core.chain.abi import event_topic
from blockchaintracer.core.errors import ChainUnavailable, HistoryPruned, NodeError
from blockchaintracer.core.record import from_hex
from blockchaintracer.core.verify.chain_shapes import bloom_holds
from blockchaintracer.lab.chain.questions import blocks as blocks_of
from blockchaintracer.lab.chain.receipts import BlockReceipts, header_of

_FIRST_SPAN = 32
_WIDEST_SPAN = 50_000
"""Blocks asked for at once, at first and at most."""
_MOST_HEADERS = 1_000
"""Blocks whose headers are read before their receipts are."""
_FULL_SPAN = 10_000
"""Logs beyond which the next span is smaller: many nodes give no more, and what is in memory stays near 30 MB."""
_ROUND = 100
"""So many logs, or a multiple, may be the most that a node gives."""
_WORD = 32


class Log(NamedTuple):
    """One decoded log. `values` are the event's arguments, indexed ones first: numbers, or bytes (20 of an address, 32
    of a word or of a number of 256 bits), or a list of tuples."""

    event: str
    values: tuple[Any, ...]
    block: int
    block_hash: bytes
    transaction: bytes
    position: int


class Event(NamedTuple):
    """One event as the chain holds it, nothing decoded: 0x-hex."""

    block: int
    position: int
    transaction: str
    topics: tuple[str, ...]
    data: str


L = TypeVar("L", Log, Event)


@dataclass(frozen=True)
class Span(Generic[L]):
    """All logs of a registry in the blocks from `first` to `last`, in chain order.

    Args:
        times: Unix time of every block that holds one of the logs.
        hashes: those blocks' hashes, as far as they are known.
    """

    first: int
    last: Block
    logs: list[L]
    times: dict[int, int]
    hashes: dict[int, bytes] = field(default_factory=dict)


_WORDS = {"address": "12x20s", "bytes32": "32s", "uint256": "32s", "tuple[]": "24xQ"}
"""How a word of 32 bytes is read (`struct`); a list's word is the place where it starts."""


@cache
def _decoders(events: tuple[str, ...]) -> dict[str, tuple[str, Struct, Struct | None]]:
    """By topic (0x-hex): the event's name, its words (indexed ones first) and those of an entry of its last, a list."""
    decoders = {}
    for entry in load_artifact()["abi"]:
        if entry["type"] == "event" and entry["name"] in events:
            inputs = sorted(entry["inputs"], key=lambda part: not part["indexed"])
            entries = _words(inputs[-1]["components"]) if inputs[-1]["type"] == "tuple[]" else None
            topic = event_topic(entry)
            decoders[topic] = (entry["name"], _words(inputs), entries)
    return decoders


def _words(inputs: Sequence[dict[str, Any]]) -> Struct:
    # no other number in the events has more than 64 bits
    return Struct(">" + "".join(_WORDS.get(part["type"], "24xQ") for part in inputs))


def decoded(event: Event, events: tuple[str, ...], block_hash: bytes) -> Log | None:
    """Decode an event. Returns None if it is not one of `events`.

    Raises:
        ValueError: if it has the topic of one, and isn't what the ABI says.
    """
    decoder = _decoders(events).get(event.topics[0]) if event.topics else None
    if decoder is None:
        return None
    name, head, entries = decoder
    raw = bytes.fromhex("".join((*event.topics[1:], event.data)).replace("0x", ""))
    try:
        values = head.unpack_from(raw)
    except struct.error as error:
        raise ValueError(str(error)) from None
    if entries is not None:
        # places are counted from the start of the data
        start = (len(event.topics) - 1) * _WORD + values[-1] + _WORD
        length = int.from_bytes(raw[start - _WORD : start], "big")
        rows = raw[start : start + length * entries.size]
        if len(rows) != length * entries.size:
            raise ValueError("a list ends early")
        values = (*values[:-1], list(entries.iter_unpack(rows)))
    return Log(name, values, event.block, block_hash, from_hex(event.transaction), event.position)


def spans(
    chain: Chain, address: str, events: tuple[str, ...], first: int, head: Block, *, by_receipts: bool = False
) -> Iterator[Span[Log]]:
    """The logs of `events`, as `raw_spans` gives all logs.

    Raises:
        ChainUnavailable: as `raw_spans`, or if the node gives what is no log of the ABI.
    """
    for span in raw_spans(chain, address, first, head, list(_decoders(events)), by_receipts=by_receipts):
        logs = []
        for event in span.logs:
            try:
                log = decoded(event, events, span.hashes[event.block])
            except ValueError as error:
                raise _no_events(chain, address, error) from None
            if log is None:
                raise _no_events(chain, address, "another event than was asked for")
            logs.append(log)
        yield Span(span.first, span.last, logs, span.times, span.hashes)


def raw_spans(
    chain: Chain, address: str, first: int, head: Block, topics: list[str] | None = None, *, by_receipts: bool = False
) -> Iterator[Span[Event]]:
    """The logs that `address` itself emitted, from block `first` to `head`, span by span.

    Spans become smaller where the node says that they are too large.

    Args:
        topics: first topics, 0x-hex, of the events to ask for; None for all.
        by_receipts: read the receipts of every block whose bloom filter says that it may hold a log of `address`, for
            nodes that leave out logs without a word. Takes a question for each block.

    Raises:
        ChainUnavailable: if the node can't be reached, refuses a single block, gives what is no log, or its chain
            changes while it is read.
    """
    width, most = _FIRST_SPAN, 0
    while first <= head.number:
        last = min(first + width - 1, head.number)
        end = head if last == head.number else chain.block(last)
        if end is None:
            raise ChainUnavailable(f"{chain.address} has no block {last} any more", hint="Try again.")
        try:
            read = _by_receipts if by_receipts else _by_filter
            told = read(chain, address, topics, first, last)
            logs, times, hashes = _logs(chain, address, topics, first, last, told)
        except HistoryPruned:
            raise
        except NodeError as refusal:
            if first == last:
                raise ChainUnavailable(f"{chain.address} gives no logs of block {first}: {refusal.reason}") from None
            width = max((last - first + 1) // 4, 1)
            continue
        is_known = not chain.node.is_several and len(logs) < most
        if not by_receipts and logs and len(logs) % _ROUND == 0 and first < last and not is_known:
            # many nodes give so many and no more, without a word: of one that gave more this is all
            width, most = (last - first + 1) // 2, len(logs)
            continue
        if (now := chain.block(last)) is None or now.hash != end.hash:
            raise ChainUnavailable(
                f"{chain.address} changed its chain while it was read, at block {last}", hint="Try again."
            )
        yield Span(first, end, logs, _times(chain, list(hashes), times, end), hashes)
        first = last + 1
        if len(logs) > _FULL_SPAN:
            width = max(width // 2, 1)
        elif len(logs) < _FULL_SPAN // 8:
            width = min(width * 8, _MOST_HEADERS if by_receipts else _WIDEST_SPAN)


def _by_filter(chain: Chain, address: str, topics: list[str] | None, first: int, last: int) -> list[Any]:
    """Return the logs that all endpoints tell."""
    request: dict[str, Any] = {"address": address, "fromBlock": hex(first), "toBlock": hex(last)}
    return chain.node.ask_each("eth_getLogs", request | ({"topics": [topics]} if topics else {}))


def _by_receipts(chain: Chain, address: str, topics: list[str] | None, first: int, last: int) -> list[Any]:
    """Return all logs of the blocks whose bloom filters say that they may hold one of `address`."""
    numbers = range(first, last + 1)
    blocks = chain.node.ask_many([("eth_getBlockByNumber", (hex(number), False)) for number in numbers])
    logs = []
    for number, block in zip(numbers, blocks, strict=True):
        if block is None:
            raise ChainUnavailable(f"{chain.address} has no block {number} any more", hint="Try again.")
        # the filter is the block's own if the header with it has the block's hash
        header_of(chain, block)
        if not bloom_holds(from_hex(block["logsBloom"]), [from_hex(address)]):
            continue
        place = {"blockNumber": block["number"], "blockHash": block["hash"], "blockTimestamp": block["timestamp"]}
        receipts = zip(block["transactions"], BlockReceipts(chain, block).all, strict=True)
        held = [(transaction, log) for transaction, receipt in receipts for log in receipt["logs"]]
        for index, (transaction, log) in enumerate(held):
            logs.append({**log, **place, "transactionHash": transaction, "logIndex": hex(index), "removed": False})
    return logs


def _logs(
    chain: Chain, address: str, topics: list[str] | None, first: int, last: int, told: list[Any]
) -> tuple[list[Event], dict[int, Any], dict[int, bytes]]:
    own = address.lower()
    # many logs share a block or a transaction: each text is read once
    number, word = cache(lambda text: int(text, 16)), cache(from_hex)
    logs: dict[tuple[int, int], Event] = {}
    times: dict[int, Any] = {}
    hashes: dict[int, bytes] = {}
    try:
        for log in told:
            # a node may answer with other contracts' logs: only the registry's own count
            if log["address"].lower() != own or log.get("removed") is True:
                continue
            block = number(log["blockNumber"])
            if not first <= block <= last:
                raise ValueError(f"a log of block {block}")
            # that these texts are hex digits was checked with the answer
            words = tuple(map(str.lower, log["topics"]))
            if topics and words[0] not in topics:
                continue
            place = block, number(log["logIndex"])
            event = Event(*place, log["transactionHash"].lower(), words, log["data"].lower())
            if logs.setdefault(place, event) != event:
                raise ValueError("two at one place")
            if hashes.setdefault(block, word(log["blockHash"])) != word(log["blockHash"]):
                raise ValueError(f"logs of two blocks {block}")
            times[block] = log.get("blockTimestamp")
    except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise _no_events(chain, address, error) from None
    return [logs[place] for place in sorted(logs)], times, hashes


def _no_events(chain: Chain, address: str, reason: object) -> ChainUnavailable:
    return ChainUnavailable(
        f"{chain.address} gives logs of {address} that are not its events: {reason}",
        hint="Check that a LabRegistry of this version lives there, or ask another node.",
    )


def _times(chain: Chain, numbers: Sequence[int], told: dict[int, Any], end: Block) -> dict[int, int]:
    """Times of blocks, by their headers. Some nodes' logs tell none, or 0, or in another form: what logs tell is only
    believed if the header of the newest of the blocks says the same, and if they ascend."""
    numbers = sorted(numbers)
    try:
        times = {number: int(told[number], 16) for number in numbers}
    except (TypeError, ValueError):
        times = {}
    in_order = all(before <= after for before, after in pairwise([1, *times.values(), end.timestamp]))
    if times and in_order and _headers(chain, numbers[-1:]) == {numbers[-1]: times[numbers[-1]]}:
        return times
    return _headers(chain, numbers)


def _headers(chain: Chain, numbers: Sequence[int]) -> dict[int, int]:
    blocks = blocks_of(chain, numbers)
    if None in blocks:
        raise ChainUnavailable(f"{chain.address} did not give the blocks it has logs of", hint="Try again.")
    return {block.number: block.timestamp for block in blocks if block}
