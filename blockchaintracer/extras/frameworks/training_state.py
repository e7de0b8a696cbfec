"""The digest of a model's state: a SHA-256 over tensors by name, type, shape and bytes, and plain values.

It does not depend on file format, device, memory layout or order. NumPy, PyTorch and Keras weights of equal names and
values have the equal digest.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from numbers import Integral
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.plain_json import MAX_INTEGER, canonical, parse_json, plain
from blockchaintracer.lab.datasets import little_blocks
from blockchaintracer.lab.formats import TRAINING_STATE

"""Name of the encoding. A change that changes a digest changes this name."""

_LONG_DOUBLES = ("longdouble", "clongdouble", "float128", "complex256")


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a state.

    Args:
        name: its place in the state; levels are separated by '/'.
        dtype: such as ``float32`` or ``bfloat16``.
        sha256: of its values in C order, little-endian; 64 hex digits.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class StateDigest:
    """The digest of a state."""

    sha256: str
    tensors: tuple[Tensor, ...]
    document: bytes

    @property
    def parameters(self) -> int:
        """The number of values in all tensors."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors)


Reader = Callable[[str, Any], Tensor | Mapping[Any, Any] | None]
"""Takes a place and the object there. Returns a tensor, the object's parts by name, or None."""


def digest_state(state: Mapping[Any, Any], read: Reader) -> StateDigest:
    """Digest a nested state.

    Args:
        state: names to tensors, plain values, or mappings and lists of these.

    Raises:
        InputError: naming the place, for an object without a defined encoding, or a name that occurs twice.
    """
    tensors: dict[str, Tensor] = {}
    values: dict[str, Any] = {}

    def take(place: str, value: Any) -> None:
        if place in tensors or place in values:
            raise refused(place, "each name once")
        part = value if isinstance(value, Mapping) else read(place, value)
        if isinstance(part, Tensor):
            tensors[place] = part
        elif isinstance(part, Mapping):
            # an empty mapping is a value: a state without it must differ
            if not part and place:
                values[place] = {}
            for key, inner in part.items():
                if not isinstance(key, str | Integral):
                    raise refused(place, f"text or numbers as names, got {type(key).__name__}")
                take(f"{place}/{key}" if place else str(key), inner)
        elif isinstance(value, list | tuple) and not all(_is_plain(item) for item in value):
            for index, item in enumerate(value):
                take(f"{place}/{index}", item)
        else:
            values[place] = _plain(place, value)

    take("", state)
    ordered = tuple(tensors[name] for name in sorted(tensors))
    listed = [asdict(tensor) for tensor in ordered]
    document = canonical(plain({"type": str(TRAINING_STATE), "tensors": listed, "values": values}, "state"))
    return StateDigest(hashlib.sha256(document).hexdigest(), ordered, document)


def differences(before: bytes, after: bytes) -> list[str]:
    """List the tensors and values that differ between two documents, sorted by name."""
    old, new = _read(before), _read(after)
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def array_tensor(name: str, array: Any) -> Tensor:
    """Digest a NumPy array."""
    if array.dtype.kind not in "biufcmMSU" or array.dtype.name in _LONG_DOUBLES:
        raise refused(name, f"an array of numbers or text, got dtype {array.dtype}")
    blocks = (block.tobytes() for block in little_blocks(array))
    return tensor_of(name, array.dtype.name, array.shape, blocks)


def tensor_of(name: str, dtype: str, shape: Iterable[int], blocks: Iterable[Any]) -> Tensor:
    """Digest a tensor from the blocks of its bytes, in C order and little-endian."""
    whole = hashlib.sha256()
    for block in blocks:
        whole.update(block)
    return Tensor(name, dtype, tuple(int(size) for size in shape), whole.hexdigest())


def refused(place: str, expected: str) -> InputError:
    """Make the error for an object at a place that has no defined encoding."""
    where = f"state.{place}" if place else "state"
    return InputError(f"{where}: expected {expected}", hint="Leave it out, or record the file.", field=where)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str)


def _plain(place: str, value: Any) -> Any:
    """Return a plain value, with the numbers that JSON cannot hold as text."""
    if isinstance(value, list | tuple) and _is_plain(value):
        return [_plain(place, item) for item in value]
    if not _is_plain(value):
        raise refused(place, f"a tensor or a plain value, got {type(value).__module__}.{type(value).__qualname__}")
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(float(value))}
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return {"integer": str(int(value))}
    return value


def _read(document: bytes) -> dict[str, Any]:
    state = parse_json(document, "the state")
    TRAINING_STATE.check_header(state, "the state")
    try:
        return {**{tensor["name"]: tensor for tensor in state["tensors"]}, **state["values"]}
    except (KeyError, TypeError):
        raise InputError(f"expected a document of {TRAINING_STATE}, got something else") from None
