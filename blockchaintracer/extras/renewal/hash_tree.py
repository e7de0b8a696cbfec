"""The hash tree of a renewal: one leaf for each thing that is renewed, two hashes for each node (docs/formats.md).

Sources: RFC 4998 (hash-tree renewal), RFC 9162 (prefixes of leaves and nodes), FIPS 180-4, FIPS 202.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.formats import RENEWAL_TREE
from blockchaintracer.lab.kept_evidence import RENEWAL_ROOT

MAX_TREE_BYTES = 128 << 20
"""Of the text of a tree: 500,000 leaves."""
_HEAD = f"{RENEWAL_TREE} {' '.join(RENEWAL_TREE.algorithms)}"
_NAME = r"(?:(?:key|receipt|batch)/0x|(?:object|witness)/)[0-9a-f]{64}"
_LEAF = re.compile(rf"([0-9a-f]{{128}}) ([0-9a-f]{{64}}) ({_NAME})")
_MISSING = re.compile(rf"missing ({_NAME})")

Pair = tuple[bytes, bytes]
"""SHA-512 and SHA3-256 of the same bytes."""


def hashed(blocks: Iterable[bytes]) -> Pair:
    """Hash content, which comes block by block, by SHA-512 and SHA3-256."""
    one, other = hashlib.sha512(), hashlib.sha3_256()
    for block in blocks:
        one.update(block)
        other.update(block)
    return one.digest(), other.digest()


def root_text(roots: Pair) -> str:
    """Return the text of both roots, which witnesses stamp: whoever has the tree can write it again."""
    return f"{RENEWAL_ROOT}v1:sha2-512:{roots[0].hex()}:sha3-256:{roots[1].hex()}"


@dataclass(frozen=True)
class HashTree:
    """Leaves by name, in the order of their names.

    Args:
        leaves: the hashes of the content of each.
        missing: names of what the records commit to and nobody could hash.

    Raises:
        InputError: if there is no leaf, or a name is none of a tree.
    """

    leaves: Mapping[str, Pair]
    missing: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.leaves:
            raise InputError("expected at least one leaf of a hash tree, got none")
        if wrong := [name for name in (*self.leaves, *self.missing) if not re.fullmatch(_NAME, name)]:
            raise InputError(f"expected the name of a leaf, such as object/SHA-256, got {wrong[0][:100]!r}")
        object.__setattr__(self, "leaves", dict(sorted(self.leaves.items())))
        object.__setattr__(self, "missing", tuple(sorted({*self.missing} - self.leaves.keys())))

    @cached_property
    def roots(self) -> Pair:
        """The root by SHA-512, and by SHA3-256."""
        nodes = [
            _both(b"\0" + name.encode() + b"\0", b"\0" + name.encode() + b"\0", pair)
            for name, pair in self.leaves.items()
        ]
        while len(nodes) > 1:
            # a node without a neighbour goes up as it is
            pairs = [(nodes[at], nodes[at + 1]) for at in range(0, len(nodes) - 1, 2)]
            last = nodes[-1:] if len(nodes) % 2 else []
            nodes = [_both(b"\1" + left[0], b"\1" + left[1], right) for left, right in pairs] + last
        return nodes[0]

    def to_bytes(self) -> bytes:
        """Return the text of the tree: `parse` reads it."""
        lines = [_HEAD, *(f"{one.hex()} {other.hex()} {name}" for name, (one, other) in self.leaves.items())]
        return ("\n".join([*lines, *(f"missing {name}" for name in self.missing)]) + "\n").encode()

    @classmethod
    def parse(cls, data: bytes) -> HashTree:
        """Read the text of a tree, of any origin.

        Raises:
            InputError: at the first line that is not in its one form and order.
        """
        if len(data) > MAX_TREE_BYTES:
            raise InputError(f"expected a hash tree of at most {MAX_TREE_BYTES:,} bytes, got {len(data):,}")
        try:
            head, *lines = data.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise InputError("expected a hash tree in ASCII, got other bytes") from None
        RENEWAL_TREE.check(head.partition(" ")[0], "a hash tree")
        if head != _HEAD or not lines or lines.pop() != "":
            raise InputError(f"expected a hash tree that begins with {_HEAD!r} and ends with a line feed")
        leaves: dict[str, Pair] = {}
        missing: list[str] = []
        for number, line in enumerate(lines, 2):
            if (leaf := _LEAF.fullmatch(line)) and not missing:
                leaves[leaf[3]] = (bytes.fromhex(leaf[1]), bytes.fromhex(leaf[2]))
            elif lost := _MISSING.fullmatch(line):
                missing.append(lost[1])
            else:
                raise InputError(f"expected a leaf of a hash tree in line {number}, got {line[:80]!r}")
        names = [*leaves, *missing]
        is_sorted = all(one < other for part in ([*leaves], missing) for one, other in pairwise(part))
        if len(names) != len(lines) or len({*names}) != len(names) or not is_sorted:
            raise InputError("expected the names of a hash tree ascending, each once")
        return cls(leaves, tuple(missing))


def _both(one: bytes, other: bytes, pair: Pair) -> Pair:
    return hashlib.sha512(one + pair[0]).digest(), hashlib.sha3_256(other + pair[1]).digest()
