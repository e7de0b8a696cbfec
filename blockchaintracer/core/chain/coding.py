"""Arguments and results in the form of Solidity's ABI: the types of this package's contracts, and no others.

Importing eth-abi takes as long as all else that a verb imports. tests/fast/test_coding.py compares each type with it.
Source: the contract ABI specification of Solidity.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blockchaintracer.core.record import checksummed, from_hex

_WORD = 32
_TIMES, _SHARED = 4, 1 << 20
"""How often data may be read on average, and how many bytes beyond that. Lists may share one place, but work may not
grow with the square of what came."""


def signature(entry: dict[str, Any]) -> str:
    """Return name and types of a function, event or error, such as ``f(uint8,(bytes32,bool)[])``."""
    return f"{entry['name']}({_types(entry['inputs'])})"


def _types(parts: Sequence[dict[str, Any]]) -> str:
    return ",".join(part["type"].replace("tuple", f"({_types(part.get('components', ()))})") for part in parts)


def encode(parts: Sequence[dict[str, Any]], values: Sequence[Any]) -> bytes:
    """Encode values of the types that an ABI gives.

    Raises:
        ValueError: if a value is not of its type; TypeError and AttributeError for the same reason.
    """
    heads, tails, place = [], [], sum(map(_head_size, parts))
    for part, value in zip(parts, values, strict=True):
        data = _encoded(part, value)
        if _is_dynamic(part):
            heads.append(place.to_bytes(_WORD))
            tails.append(data)
            place += len(data)
        else:
            heads.append(data)
    return b"".join(heads + tails)


def decode(parts: Sequence[dict[str, Any]], data: bytes, *, as_tuple: bool = False) -> list[Any]:
    """Decode what `encode` makes. Structs become dictionaries or tuples, addresses checksummed text.

    Raises:
        ValueError: if it is not of these types, or stands for far more values than it has room for.
    """
    return _read(parts, _Data(data), 0, as_tuple)


class _Data(bytes):
    read = 0

    def take(self, at: int, size: int = _WORD) -> bytes:
        self.read += size
        part = self[at : at + size]
        if len(part) < size or self.read > _TIMES * len(self) + _SHARED:
            raise ValueError("an end that comes early, or parts that are read again and again")
        return part


def _is_dynamic(part: dict[str, Any]) -> bool:
    kind = part["type"]
    return kind.endswith("[]") or kind in ("bytes", "string") or any(map(_is_dynamic, part.get("components", ())))


def _head_size(part: dict[str, Any]) -> int:
    if part["type"] == "tuple" and not _is_dynamic(part):
        return sum(map(_head_size, part["components"]))
    return _WORD


def _encoded(part: dict[str, Any], value: Any) -> bytes:
    kind: str = part["type"]
    if kind.endswith("[]"):
        return len(value).to_bytes(_WORD) + encode([{**part, "type": kind[:-2]}] * len(value), value)
    if kind == "tuple":
        return encode(part["components"], value)
    if kind in ("bytes", "string"):
        data = value.encode() if kind == "string" else value
        if not isinstance(data, bytes):
            raise TypeError(f"{kind} that is {value!r}")
        return len(data).to_bytes(_WORD) + data + bytes(-len(data) % _WORD)
    if kind == "bool" or kind.startswith("uint"):
        if not isinstance(value, int) or isinstance(value, bool) != (kind == "bool"):
            raise TypeError(f"{kind} that is {value!r}")
        return _below(value, 1 if kind == "bool" else int(kind[4:])).to_bytes(_WORD)
    data = from_hex(value) if kind == "address" and isinstance(value, str) else value
    if not isinstance(data, bytes) or len(data) != (20 if kind == "address" else int(kind.removeprefix("bytes"))):
        raise ValueError("a value of another length")
    return data.rjust(_WORD, b"\0") if kind == "address" else data.ljust(_WORD, b"\0")


def _read(parts: Sequence[dict[str, Any]], data: _Data, start: int, as_tuple: bool) -> list[Any]:
    place, end, values = start, start + sum(map(_head_size, parts)), []
    for part in parts:
        at = place
        if _is_dynamic(part):
            at = start + int.from_bytes(data.take(place))
            if not end <= at < len(data):
                raise ValueError("a place that is not in what follows")
        values.append(_value(part, data, at, as_tuple))
        place += _head_size(part)
    return values


def _value(part: dict[str, Any], data: _Data, at: int, as_tuple: bool) -> Any:
    kind: str = part["type"]
    if kind == "tuple":
        fields = _read(part["components"], data, at, as_tuple)
        names = (field["name"] for field in part["components"])
        return tuple(fields) if as_tuple else dict(zip(names, fields, strict=True))
    word = data.take(at)
    number, after = int.from_bytes(word), at + _WORD
    if kind.endswith("[]"):
        if number > len(data) // _WORD:
            raise ValueError("a list that ends early")
        return _read([{**part, "type": kind[:-2]}] * number, data, after, as_tuple)
    if kind in ("bytes", "string"):
        whole = data.take(after, number - number % -_WORD)
        if any(whole[number:]):
            raise ValueError("a text that is not filled up with zeros")
        return whole[:number].decode() if kind == "string" else whole[:number]
    if kind == "address":
        return checksummed(f"0x{_below(number, 160).to_bytes(20).hex()}")
    if kind == "bool":
        return bool(_below(number, 1))
    if kind.startswith("uint"):
        return _below(number, int(kind[4:]))
    size = int(kind.removeprefix("bytes"))
    if any(word[size:]):
        raise ValueError(f"{kind} that is not filled up with zeros")
    return word[:size]


def _below(number: int, bits: int) -> int:
    if number >> bits:
        raise ValueError(f"a number of more than {bits} bits")
    return number
