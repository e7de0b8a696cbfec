"""Many questions to one registry: by its RegistryLens in one call where the chain has it, else one by one.

The Lens is only believed where its address has exactly this version's code. What it could not read is asked singly, so
the answers and errors are those of the single calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from blockchaintracer.core.chain.abi import interface, shipped_code
from blockchaintracer.core.chain.connection import Chain
from blockchaintracer.core.chain.known_code import lens_address
from blockchaintracer.core.chain.registry import Attestation, Registry
from blockchaintracer.core.errors import ChainUnavailable, ContractRevert
from blockchaintracer.core.record import from_hex

_NOT_READ, _READ = 0, 3
"""IRegistryLens.Reading: only Read is an answer."""
_AT_ONCE = 500
_WORTH = 3
"""Single calls from which on the Lens takes fewer requests: its code is asked for once a connection."""

T = TypeVar("T")


def verdicts(registry: Registry, groups: Sequence[int], record_id: str) -> list[Attestation]:
    """Return the current verdict of each group on a record."""
    return each(
        registry,
        groups,
        lambda part: ("verdictsOf", part, [from_hex(record_id)]),
        registry.attestation,
        lambda group: registry.verdict(group, record_id),
    )


def each(
    registry: Registry,
    items: Sequence[Any],
    question: Callable[[Sequence[Any]], tuple[Any, ...]],
    read: Callable[[Any], T],
    singly: Callable[[Any], T],
) -> list[T]:
    """Ask about each item. `question` is the function of the Lens for some of them, and its arguments."""
    by_lens = len(items) >= _WORTH and _has_lens(registry.chain)
    answers: list[T] = []
    for start in range(0, len(items), _AT_ONCE):
        part = items[start : start + _AT_ONCE]
        readings = _ask(registry, *question(part)) if by_lens else []
        if len(readings) != len(part):
            readings = [(_NOT_READ, None)] * len(part)
        answers += [
            read(answer) if reading == _READ else singly(item)
            for item, (reading, answer) in zip(part, readings, strict=True)
        ]
    return answers


def _ask(registry: Registry, function: str, *arguments: Any) -> list[tuple[int, Any]]:
    """Return what the Lens read, row after row; nothing if it did not answer, as where a node gives a call too little
    gas."""
    lens = interface("RegistryLens")
    try:
        answer = registry.chain.call(lens_address(), lens.call(function, registry.address, *arguments))
        return [reading for row in lens.result(function, answer) for reading in row]
    except (ChainUnavailable, ContractRevert, ValueError):
        return []


def _has_lens(chain: Chain) -> bool:
    """Return whether a chain has the Lens: another contract may be at its address."""
    if chain.has_lens is None:
        with suppress(ChainUnavailable):  # as where a node has forgotten the code of a block
            chain.has_lens = chain.code(lens_address()) == shipped_code("RegistryLens", "runtimeBytecode")
    return bool(chain.has_lens)
