"""The registry's logs as plain values: fetched span by span as raw JSON-RPC and decoded by word positions that the ABI
gives. web3's own decoding takes fifty times as long, and a registry may hold millions of events."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from struct import Struct
from typing import Any, Generic, NamedTuple, TypeVar

from blockchaintracer.core.chain import Block, Chain, load_artifact
from blockchaintracer.core.errors import ChainUnavailable

_FIRST_SPAN = 32
_WIDEST_SPAN = 50_000
"""Blocks asked for at once, at first and at most."""
_FULL_SPAN = 10_000
"""Logs beyond which the next span is smaller: many nodes give no more, and what is in memory stays near 30 MB."""
_BATCH = 200
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
    """One event as the chain holds it, nothing decoded: hex digits without 0x."""

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
    from eth_utils.abi import event_abi_to_log_topic

    decoders = {}
    for entry in load_artifact()["abi"]:
        if entry["type"] == "event" and entry["name"] in events:
            inputs = sorted(entry["inputs"], key=lambda part: not part["indexed"])
            entries = _words(inputs[-1]["components"]) if inputs[-1]["type"] == "tuple[]" else None
            topic = "0x" + event_abi_to_log_topic(entry).hex()
            decoders[topic] = (entry["name"], _words(inputs), entries)
    return decoders


def _words(inputs: Sequence[dict[str, Any]]) -> Struct:
    # no other number in the events has more than 64 bits
    return Struct(">" + "".join(_WORDS.get(part["type"], "24xQ") for part in inputs))


def _decode(topics: Sequence[str], data: str, head: Struct, entries: Struct | None) -> tuple[Any, ...]:
    raw = bytes.fromhex("".join([topic[2:] for topic in topics[1:]]) + data[2:])
    values = head.unpack_from(raw)
    if entries is None:
        return values
    # places are counted from the start of the data
    start = (len(topics) - 1) * _WORD + values[-1] + _WORD
    length = int.from_bytes(raw[start - _WORD : start], "big")
    rows = raw[start : start + length * entries.size]
    if len(rows) != length * entries.size:
        raise ValueError("a list ends early")
    return (*values[:-1], list(entries.iter_unpack(rows)))


def decoded(event: Event, events: tuple[str, ...], block_hash: bytes) -> Log | None:
    """Decode an event. Returns None if it is not one of `events`.

    Raises:
        ValueError: if it has the topic of one, and isn't what the ABI says.
    """
    decoder = _decoders(events).get(f"0x{event.topics[0]}") if event.topics else None
    if decoder is None:
        return None
    name, head, entries = decoder
    try:
        values = _decode([f"0x{topic}" for topic in event.topics], f"0x{event.data}", head, entries)
    except struct.error as error:
        raise ValueError(str(error)) from None
    return Log(name, values, event.block, block_hash, bytes.fromhex(event.transaction), event.position)


def raw_spans(chain: Chain, address: str, first: int, head: Block) -> Iterator[Span[Event]]:
    """All logs that `address` itself emitted, of whatever events, as `spans` gives the decoded ones."""
    return _spans(chain, address, None, _raw, first, head)


def spans(chain: Chain, address: str, events: tuple[str, ...], first: int, head: Block) -> Iterator[Span[Log]]:
    """The logs of `events` that `address` itself emitted, from block `first` to `head`, span by span.

    Spans become smaller where the node says that they are too large.

    Raises:
        ChainUnavailable: if the node can't be reached, refuses a single block, gives what is no log of the ABI, or its
            chain changes while it is read.
    """
    decoders = _decoders(events)

    def decode(log: Any, block: int, block_hash: bytes, transaction: bytes, position: int) -> Log:
        topics = log["topics"]
        event, head, entries = decoders[topics[0]]
        return Log(event, _decode(topics, log["data"], head, entries), block, block_hash, transaction, position)

    return _spans(chain, address, list(decoders), decode, first, head)


def _raw(log: Any, block: int, _block_hash: bytes, transaction: bytes, position: int) -> Event:
    topics = tuple(bytes.fromhex(topic[2:]).hex() for topic in log["topics"])
    return Event(block, position, transaction.hex(), topics, bytes.fromhex(log["data"][2:]).hex())


def _spans(
    chain: Chain, address: str, topics: list[str] | None, take: Callable[..., L], first: int, head: Block
) -> Iterator[Span[L]]:
    width = _FIRST_SPAN
    while first <= head.number:
        last = min(first + width - 1, head.number)
        end = head if last == head.number else _block(chain, last)
        try:
            logs, times, hashes = _logs(chain, address, topics, take, first, last)
        except _RefusedError as refusal:
            if first == last:
                raise ChainUnavailable(f"{chain.address} gives no logs of block {first}: {refusal}") from None
            width = max((last - first + 1) // 4, 1)
            continue
        if not chain.is_canonical(last, end.hash):
            raise ChainUnavailable(
                f"{chain.address} changed its chain while it was read, at block {last}", hint="Try again."
            )
        times |= _times(chain, sorted({log.block for log in logs} - times.keys()))
        yield Span(first, end, logs, times, hashes)
        first = last + 1
        if len(logs) > _FULL_SPAN:
            width = max(width // 2, 1)
        elif len(logs) < _FULL_SPAN // 8:
            width = min(width * 8, _WIDEST_SPAN)


class _RefusedError(Exception):
    """The node refuses a span, in most cases because the span is too large."""


def _logs(
    chain: Chain, address: str, topics: list[str] | None, take: Callable[..., L], first: int, last: int
) -> tuple[list[L], dict[int, int], dict[int, bytes]]:
    request: dict[str, Any] = {"address": address, "fromBlock": hex(first), "toBlock": hex(last)}
    request |= {"topics": [topics]} if topics else {}
    with chain.reaching():
        answer: Any = chain.web3.provider.make_request("eth_getLogs", [request])  # type: ignore[arg-type]
    if error := answer.get("error"):
        raise _RefusedError(str(error.get("message") if isinstance(error, dict) else error))
    own = address.lower()
    # many logs share a block or a transaction: each text is read once
    number, word = cache(lambda text: int(text, 16)), cache(lambda text: bytes.fromhex(text[2:]))
    is_own = cache(lambda text: text.lower() == own)
    logs: list[L] = []
    times: dict[int, int] = {}
    hashes: dict[int, bytes] = {}
    try:
        for log in answer["result"]:
            # a node may answer with other contracts' logs: only the registry's own count
            if not is_own(log["address"]) or log.get("removed"):
                continue
            block = number(log["blockNumber"])
            if not first <= block <= last:
                raise ValueError(f"a log of block {block}")
            where = block, word(log["blockHash"]), word(log["transactionHash"]), number(log["logIndex"])
            logs.append(take(log, *where))
            hashes[block] = where[1]
            if block not in times and "blockTimestamp" in log:
                times[block] = int(log["blockTimestamp"], 16)
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, struct.error) as error:
        raise ChainUnavailable(
            f"{chain.address} gives logs of {address} that are not its events: {error}",
            hint="Check that a LabRegistry of this version lives there, or ask another node.",
        ) from None
    logs.sort(key=lambda log: (log.block, log.position))
    return logs, times, hashes


def _block(chain: Chain, number: int) -> Block:
    block = chain.block(number)
    if block is None:
        raise ChainUnavailable(f"{chain.address} has no block {number} any more", hint="Try again.")
    return block


def _times(chain: Chain, numbers: Sequence[int]) -> dict[int, int]:
    """Times of blocks, for nodes whose logs don't tell them."""
    from web3.providers import JSONBaseProvider

    times: dict[int, int] = {}
    provider = chain.web3.provider
    for start in range(0, len(numbers), _BATCH):
        part = numbers[start : start + _BATCH]
        requests: list[Any] = [("eth_getBlockByNumber", [hex(number), False]) for number in part]
        with chain.reaching():
            if isinstance(provider, JSONBaseProvider):
                answers: Any = provider.make_batch_request(requests)
            else:
                answers = [provider.make_request(method, params) for method, params in requests]
        try:
            for answer in answers:
                times[int(answer["result"]["number"], 16)] = int(answer["result"]["timestamp"], 16)
        except (KeyError, TypeError, ValueError):
            raise ChainUnavailable(
                f"{chain.address} did not give the blocks it has logs of", hint="Try again."
            ) from None
    return times
