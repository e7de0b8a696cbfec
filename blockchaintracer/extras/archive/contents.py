"""What stands in an archive's own members, each in one form only: the head, the blocks, and the events."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from blockchaintracer.core.manifest.base import Part
from blockchaintracer.core.manifest.predicates import Address, Hash
from blockchaintracer.core.plain_json import canonical, parse_json
from blockchaintracer.lab.chain.logs import Event
from blockchaintracer.lab.formats import ARCHIVE

_NUMBER = r"(0|[1-9][0-9]{0,15})"
_EVENT = re.compile(
    rf'\{{"block":{_NUMBER},"data":"(0x(?:[0-9a-f]{{2}})*)","log":{_NUMBER},'
    r'"topics":\[((?:"0x[0-9a-f]{64}"(?:,"0x[0-9a-f]{64}"){0,3})?)\],"transaction":"(0x[0-9a-f]{64})"\}'
)
_BLOCK = re.compile(rf'\{{"hash":"(0x[0-9a-f]{{64}})","number":{_NUMBER},"timestamp":{_NUMBER}\}}')

Decimal = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,17}$")]
Count = Annotated[int, Field(ge=0, lt=2**53)]


class ArchivedBlock(Part):
    """A block that holds an event; `timestamp` is Unix seconds."""

    number: Count
    hash: Hash
    timestamp: Count


class Deployment(Part):
    """The settings of which the factory made a registry: its address follows from them."""

    owner: Address
    open_group_creation: bool
    salt: Hash


class Head(Part):
    """Of which registry an archive is, and how far it reaches.

    Args:
        chain_id: EIP-155 chain id, decimal.
        registry: its address, 0x-hex in lower case.
        version: of the contract, as its EIP-712 domain says it.
        code_hash: Keccak-256 of its code, 0x-hex.
        events: how many there are.
        block: the block of the last one.
        deployment: left out if the factory did not make the registry.
    """

    type_: str = Field(default=str(ARCHIVE), alias="type")
    algorithms: Annotated[tuple[str, ...], Field(strict=False)] = ARCHIVE.algorithms
    chain_id: Decimal
    registry: Address
    version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.+-]{1,40}$")]
    code_hash: Hash
    events: Annotated[int, Field(ge=1, lt=2**53)]
    block: ArchivedBlock
    deployment: Deployment | None = None

    def to_bytes(self) -> bytes:
        """The RFC 8785 bytes."""
        return canonical(self.to_json())


def parse_head(data: bytes) -> Head:
    """The head.

    Raises:
        InputError, ValueError: if it is none, or not in its one form.
    """
    plain: Any = parse_json(data, "the head of an archive")
    ARCHIVE.check_header(plain, "the archive")
    head = Head.from_plain(plain, "the head")
    if head.to_bytes() != data:
        raise ValueError("expected the canonical form of JSON (RFC 8785)")
    return head


def event_lines(events: Iterable[Event]) -> Iterator[bytes]:
    """The events as lines."""
    for event in events:
        topics = ",".join(f'"{topic}"' for topic in event.topics)
        yield (
            f'{{"block":{event.block},"data":"{event.data}","log":{event.position},"topics":[{topics}],'
            f'"transaction":"{event.transaction}"}}\n'
        ).encode()


def block_lines(blocks: Iterable[ArchivedBlock]) -> Iterator[bytes]:
    """The blocks as lines."""
    for block in blocks:
        yield f'{{"hash":"{block.hash}","number":{block.number},"timestamp":{block.timestamp}}}\n'.encode()


def parse_events(data: bytes) -> list[Event]:
    """The events of an archive, in chain order.

    Raises:
        ValueError: if a line is not an event, or the events are not in order.
    """
    events: list[Event] = []
    for number, match in _matches(data, _EVENT, "an event"):
        topics = tuple(match[4].replace('"', "").split(",")) if match[4] else ()
        event = Event(int(match[1]), int(match[3]), match[5], topics, match[2])
        if events and event[:2] <= events[-1][:2]:
            raise ValueError(f"expected events in the chain's order, line {number} is not")
        events.append(event)
    return events


def parse_blocks(data: bytes) -> list[ArchivedBlock]:
    """The blocks of an archive, ascending.

    Raises:
        ValueError: if a line is not a block, or the blocks are not in order.
    """
    blocks: list[ArchivedBlock] = []
    for number, match in _matches(data, _BLOCK, "a block"):
        block = ArchivedBlock(number=int(match[2]), hash=match[1], timestamp=int(match[3]))
        if blocks and (block.number <= blocks[-1].number or block.timestamp < blocks[-1].timestamp):
            raise ValueError(f"expected blocks ascending in number and time, line {number} is not")
        blocks.append(block)
    return blocks


def _matches(data: bytes, pattern: re.Pattern[str], what: str) -> Iterator[tuple[int, re.Match[str]]]:
    """The lines with their numbers, each matched whole."""
    if data and not data.endswith(b"\n"):
        raise ValueError("the last line ends early")
    for number, line in enumerate(io.BytesIO(data), 1):
        try:
            text = line[:-1].decode("ascii")
        except UnicodeDecodeError:
            raise ValueError("expected ASCII") from None
        match = pattern.fullmatch(text)
        if match is None:
            raise ValueError(f"expected {what} in line {number}, got {text[:80]!r}")
        yield number, match
