"""Calls, results, errors and events of a contract in the form that its ABI gives them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from blockchaintracer.core.chain.coding import decode, encode, signature
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import checksummed, from_hex, keccak, to_hex
from blockchaintracer.core.record_view import Position

_STANDARD_ERRORS: tuple[dict[str, Any], ...] = (
    {"type": "error", "name": "Error", "inputs": [{"name": "message", "type": "string"}]},
    {"type": "error", "name": "Panic", "inputs": [{"name": "code", "type": "uint256"}]},
)
"""Errors that the compiler makes."""


@dataclass(frozen=True, slots=True)
class EventLog:
    """What a contract emitted, nothing decoded. Hashes, topics and data are 0x-hex, the address is checksummed."""

    address: str
    topics: tuple[str, ...]
    data: str
    position: Position
    block_hash: str
    transaction: str

    @classmethod
    def of_json(cls, log: dict[str, Any]) -> EventLog:
        """Return a log of a node's answer."""
        return cls(
            checksummed(log["address"].lower()),
            tuple(topic.lower() for topic in log["topics"]),
            log["data"],
            Position(*(int(log[name], 16) for name in ("blockNumber", "transactionIndex", "logIndex"))),
            log["blockHash"].lower(),
            log["transactionHash"].lower(),
        )


@dataclass(frozen=True, slots=True)
class DecodedEvent:
    """A decoded log.

    Args:
        args: by name. Words are bytes, addresses checksummed text, structs dictionaries.
        transaction: its hash, 0x-hex, as `block_hash`.
    """

    name: str
    args: dict[str, Any]
    position: Position
    block_hash: str
    transaction: str

    @property
    def block(self) -> int:
        """Number of the block."""
        return self.position.block


@cache
def load_artifact(name: str = "LabRegistry") -> dict[str, Any]:
    """Load ABI and bytecode of a contract from this package."""
    file = resources.files("blockchaintracer.core") / "artifacts" / f"{name}.json"
    return json.loads(file.read_bytes())  # type: ignore[no-any-return]


def shipped_code(name: str = "LabRegistry", part: str = "bytecode") -> bytes:
    """Return the code that creates a contract of this package, without arguments, or its ``runtimeBytecode``."""
    return bytes.fromhex(load_artifact(name)[part][2:])


@cache
def interface(name: str = "LabRegistry") -> Interface:
    """Return the interface of a contract of this package."""
    return Interface(load_artifact(name)["abi"])


class Interface:
    """Coder and decoder for one ABI, in which no two functions have the same name."""

    def __init__(self, abi: list[dict[str, Any]]) -> None:
        named: dict[str, dict[str, Any]] = {"function": {}, "event": {}, "error": {}}
        for entry in (*abi, *_STANDARD_ERRORS):
            named.get(entry["type"], {})[entry.get("name", "")] = entry
        self._functions, self._events = named["function"], named["event"]
        self._selectors = {name: _selector(entry) for name, entry in self._functions.items()}
        self._calls = {self._selectors[name]: entry for name, entry in self._functions.items()}
        self._errors = {_selector(entry): entry for entry in named["error"].values()}
        self.topics = {event_topic(entry): entry for entry in self._events.values()}
        """the events by their first topic, 0x-hex"""

    def call(self, function: str, *arguments: Any) -> str:
        """Encode a call, 0x-hex.

        Raises:
            InputError: if the function does not take these arguments.
        """
        inputs = self._functions[function]["inputs"]
        return to_hex(self._selectors[function] + _encoded(inputs, arguments, function))

    def result(self, function: str, data: bytes) -> Any:
        """Decode what a function returned: one value, or a list of several. Structs are tuples.

        Raises:
            ValueError: if it is not what the function returns.
        """
        values = decode(self._functions[function]["outputs"], data, as_tuple=True)
        return values[0] if len(values) == 1 else values

    def called(self, data: bytes) -> tuple[str, dict[str, Any]] | None:
        """Return which function a call is of and its arguments by name, or None if it is of none."""
        return _named(self._calls, data)

    def error(self, data: bytes) -> tuple[str, dict[str, Any]] | None:
        """Return the name and the arguments of an error of the contract, or None if it is of none."""
        return _named(self._errors, data)

    def filter(self, event: str, values: dict[str, Any]) -> list[Any]:
        """Return the topics that logs of an event have whose indexed arguments have these values; a list is any of."""
        entry = self._events[event]
        topics: list[Any] = [next(topic for topic, known in self.topics.items() if known is entry)]
        for part in entry["inputs"]:
            if part["indexed"]:
                wanted = values.get(part["name"])
                many = wanted if isinstance(wanted, list) else [wanted]
                words = [to_hex(_encoded([part], [value], event)) for value in many if value is not None]
                topics.append(words if isinstance(wanted, list) else next(iter(words), None))
        return topics

    def event(self, log: EventLog) -> DecodedEvent | None:
        """Decode a log, or return None if it is of none of the events.

        Raises:
            ValueError: if it has the topic of one and is not what the ABI says.
        """
        entry = self.topics.get(log.topics[0]) if log.topics else None
        if entry is None:
            return None
        indexed = [part for part in entry["inputs"] if part["indexed"]]
        others = [part for part in entry["inputs"] if not part["indexed"]]
        values = {
            **_by_name(indexed, decode(indexed, b"".join(map(from_hex, log.topics[1:])))),
            **_by_name(others, decode(others, from_hex(log.data))),
        }
        args = {part["name"]: values[part["name"]] for part in entry["inputs"]}
        return DecodedEvent(entry["name"], args, log.position, log.block_hash, log.transaction)


def _named(entries: dict[bytes, dict[str, Any]], data: bytes) -> tuple[str, dict[str, Any]] | None:
    try:
        entry = entries[data[:4]]
        return entry["name"], _by_name(entry["inputs"], decode(entry["inputs"], data[4:]))
    except (KeyError, ValueError):
        return None


def _by_name(parts: Sequence[dict[str, Any]], values: Sequence[Any]) -> dict[str, Any]:
    return {part["name"]: value for part, value in zip(parts, values, strict=True)}


def _encoded(parts: Sequence[dict[str, Any]], values: Sequence[Any], what: str) -> bytes:
    try:
        return encode(parts, values)
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        names = ", ".join(f"{part['type']} {part['name']}" for part in parts)
        raise InputError(f"expected {what}({names}), got a value that is none: {error}") from None


def event_topic(entry: dict[str, Any]) -> str:
    """Return the first topic of an event's logs, 0x-hex."""
    return to_hex(keccak(signature(entry).encode()))


def _selector(entry: dict[str, Any]) -> bytes:
    return keccak(signature(entry).encode())[:4]
