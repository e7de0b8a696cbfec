"""JSON of strangers, read strictly, and the plain values that can stand in it. Loads no models, because every verb that
reads needs it."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from functools import lru_cache
from typing import Any, NoReturn, TypeVar

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import Format, UnknownVersion

MAX_BYTES = 1 << 20
"""The largest manifest, in bytes. Anything larger is an attachment, named by its digest."""
MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly (RFC 8785, section 3.1, and RFC 7493)."""
NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
"""Texts for what JSON has no numbers for."""
MAX_DEPTH = 64
MAX_VALUES = 1 << 18

T = TypeVar("T")

_BRACKET = re.compile(rb'"(?:[^"\\]|\\.?)*(?:"|\Z)|[][{}]', re.DOTALL)
_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_MARKS = bytes({*range(256)} - {*b'"[]{}'})
_ESCAPED = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def refuse(field: str, expected: str, value: Any, hint: str | None = None) -> NoReturn:
    """Raise the `InputError` of one field, with what was expected and, shortened, what came."""
    raise InputError(f"{field or 'value'}: expected {expected}, got {shown(value)}", hint=hint, field=field)


def shown(value: Any) -> str:
    """Shorten a value for an error message, so that it cannot give a secret away."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return repr(value) if len(value) <= 16 else f"{value[:6]!r}… ({len(value)} characters)"
    if isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 10**24):
        return repr(value)
    if isinstance(value, Mapping):
        return f"an object of {len(value)} fields"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)} values"
    return f"a value of type {type(value).__module__}.{type(value).__qualname__}".replace("builtins.", "")


def rfc3339(moment: datetime) -> str:
    """Write a time as RFC 3339 text in UTC (``2015-09-14T09:50:45.4Z``). Without a zone it is local time, as in
    Python."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"


def plain(value: Any, field: str = "") -> Any:
    """Copy `value` into plain JSON values, as the manifest holds them.

    NaN and infinity become the texts ``NaN``, ``Infinity`` and ``-Infinity``: JSON has no numbers for them.
    Numbers and arrays of numpy and its like (anything with ``dtype`` and ``tolist``) become numbers and lists, times
    RFC 3339 text in UTC, enumeration members their values, tuples lists. Models of this package stay what they are.

    Raises:
        InputError: naming the field, for an integer beyond 2^53 - 1, text that is no Unicode, a key
            that is no text, any other type, or nesting deeper than `MAX_DEPTH`.
    """
    return _Walk(as_text=True).plain(value, field, 0)


def number_text(value: float) -> float | str:
    """Return a number as JSON holds it: text for NaN and infinity."""
    return value if math.isfinite(value) else NOT_FINITE[repr(float(value))]


class _Walk:
    """Counts values, because a few bytes of YAML aliases can stand for billions of them."""

    def __init__(self, values: int = MAX_VALUES, *, as_text: bool = False) -> None:
        self._most = self._left = values
        self._as_text = as_text

    def plain(self, value: Any, field: str, depth: int) -> Any:
        self._left -= 1
        if self._left < 0:
            refuse(field, f"at most {self._most} values in all", None, "Keep large listings in a file and attach it.")
        if depth > MAX_DEPTH:
            refuse(field, f"at most {MAX_DEPTH} levels", "more")
        if value is None or isinstance(value, bool) or getattr(type(value), "is_plain", False):
            return value
        if isinstance(value, Enum):
            return self.plain(value.value, field, depth + 1)
        if isinstance(value, str):
            return _text(str.__str__(value), field)
        if isinstance(value, int):
            if abs(value) > MAX_INTEGER:
                hint = "Give a larger one as text: JSON readers would round it."
                refuse(field, "an integer within ±(2^53 - 1)", value, hint)
            return int(value)
        if isinstance(value, float):
            if not (self._as_text or math.isfinite(value)):
                hint = "Write NaN and infinity as the texts NaN, Infinity and -Infinity."
                refuse(field, "a finite number", float(value), hint)
            return number_text(float(value))
        if isinstance(value, datetime):
            try:
                return rfc3339(value)
            except (OverflowError, ValueError):
                refuse(field, "a time from year 1 to 9999 in UTC", value)
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, Mapping):
            return {
                _key(key, field): self.plain(item, join_names(field, key), depth + 1) for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.plain(item, f"{field}[{index}]", depth + 1) for index, item in enumerate(value)]
        if hasattr(value, "dtype") and hasattr(value, "tolist") and "time" not in str(value.dtype):
            if math.prod(getattr(value, "shape", ())) > MAX_VALUES:
                refuse(field, f"at most {MAX_VALUES} values", value, "Save the array to a file and attach it.")
            return self.plain(value.tolist(), field, depth + 1)
        refuse(field, "a number, text, list or object", value, "Convert it first, for example with str() or list().")


def _text(value: str, field: str) -> str:
    if not value.isascii() and re.search("[\ud800-\udfff]", value):
        refuse(field, "Unicode text", "a lone surrogate")
    return value


def _key(key: Any, field: str) -> str:
    if not isinstance(key, str):
        refuse(field, "text as keys", key)
    return _text(str.__str__(key), field)


def join_names(field: str, key: Any) -> str:
    """Return the name of a field inside another, shortened and without control characters."""
    name = _ESCAPED.sub("?", str(key))
    name = name if len(name) <= 64 else name[:61] + "…"
    return f"{field}.{name}" if field else name


@lru_cache(maxsize=1024)
def camel_case(name: str) -> str:
    """Return the name of a field as JSON has it: ``chainId`` of ``chain_id``."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def fields_json(value: Any, *names: str, **more: Any) -> dict[str, Any]:
    """Return these fields of an object for JSON, or all of a dataclass, and `more`; all are named in camelCase."""
    values = {name: getattr(value, name) for name in names or [field.name for field in fields(value)]} | more
    return {camel_case(name): as_json(item) for name, item in values.items()}


def as_json(value: Any) -> Any:
    """Return a value for JSON: an object as its own method of this name says, another dataclass by its fields. Mappings
    keep their keys, which may be names that a user chose."""
    if value is None or type(value) in (str, int, bool):
        return value
    if hasattr(value, "as_json"):
        return as_json(value.as_json())
    if is_dataclass(value):
        return fields_json(value)
    if isinstance(value, Mapping):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, float):
        return number_text(value)
    return value.value if isinstance(value, Enum) else value


def canonical(value: Any) -> bytes:
    """Return the RFC 8785 bytes of a plain value (see `plain`)."""
    # another interpreter imports this file, without the packages that are here
    import rfc8785

    return rfc8785.dumps(value)


def parse_json(data: bytes, what: str, values: int = MAX_VALUES, constant: Callable[[str], Any] = float) -> Any:
    """Read JSON (RFC 8259, UTF-8) strictly, as at most so many plain values.

    Args:
        constant: makes a plain value of ``NaN`` and ``Infinity``, which are no JSON. Default: they are refused.

    Raises:
        InputError: if it isn't JSON, repeats a key, or holds a value that `plain` refuses.
    """
    if nested(data) > MAX_DEPTH:
        raise InputError(f"{what}: expected JSON in UTF-8, got something else: it is nested too deeply")
    try:
        value = json.loads(
            data.decode(), object_pairs_hook=_object, parse_int=_integer_literal, parse_constant=constant
        )
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else _json_reason(error)
        raise InputError(f"{what}: expected JSON in UTF-8, got something else: {reason}") from None
    return _Walk(values).plain(value, "", 0)


def loads_shallow(data: bytes) -> Any:
    """Read JSON as `json.loads` does, but refuse nesting that may end the process of Python's parser (ValueError)."""
    if nested(data) > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    return json.loads(data)


def read_strictly(
    data: bytes, format_: Format, where: str, read: Callable[[dict[str, Any]], T], write: Callable[[T], Any]
) -> T:
    """Read a JSON file of any origin whose values have one form each: what `write` makes of what `read` returns.

    Raises:
        UnknownVersion: if its version is not read here.
        InputError: if it is no such file, or has a field that is not its own.
    """
    try:
        plain_data = parse_json(data, where)
        format_.check_header(plain_data, where)
        value = read(plain_data)
        if canonical(write(value)) != canonical(plain_data):
            raise ValueError("a field that does not belong to it, or is not in its one form")
    except UnknownVersion:
        raise
    except Exception as error:
        # a stranger chose every value: reading and encoding them may fail in many ways
        raise InputError(
            f"{where}: expected {format_}, got: {type(error).__name__} {str(error)[:200]}",
            hint="docs/formats.md says what writes it. It has to be of the same version as this program.",
        ) from None
    return value


def nested(data: bytes) -> int:
    """Return how deep lists and objects in JSON are nested. Ask before parsing: with a raised recursion limit Python's
    parser would end the process on deep nesting."""
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return 0
    levels = depth = deepest = 0
    if b"\\" not in data:  # fifty times as quick: what stays is brackets, and strings with a bracket in them
        data = data.translate(_SQUARE, _NO_MARKS).replace(b'""', b"")
        while b'"' not in data and b"[]" in data and levels <= MAX_DEPTH:
            data, levels = data.replace(b"[]", b""), levels + 1
    for match in _BRACKET.finditer(data):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(match[0], 0)
        deepest = max(deepest, depth)
    return levels + deepest


def _json_reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (line {error.lineno}, column {error.colno})"
    return f"byte {error.start} is no UTF-8" if isinstance(error, UnicodeDecodeError) else "it can't be read"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        twice, times = Counter(key for key, _ in pairs).most_common(1)[0]
        refuse(join_names("", twice), "each key once in an object", f"{times} times")
    return values


def _integer_literal(digits: str) -> float | int:
    """RFC 8785 writes doubles below 1e21 without an exponent, so a long literal may be a double in canonical form."""
    value = int(digits[:23])
    if abs(value) > MAX_INTEGER and len(digits) <= 22 and canonical(float(value)) == digits.encode():
        return float(value)
    return value
