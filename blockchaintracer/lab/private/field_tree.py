"""Salted commitments: values that a record fixes and nobody sees, until one is shown and the rest stays hidden.

A run's private values are the leaves of a Merkle tree, hashed as RFC 9162 (section 2.1.1) does: SHA-256 of 0x00 and the
leaf's data, or of 0x01 and the two nodes below. A leaf's data are the RFC 8785 bytes of everything that it is bound to:
registry, chain, group, author, the run's subject, the field's name, its value, and 32 random bytes of its own.

A field has one place in the tree, which follows from its name: a second value under the same name has no place to be.
All other places hold random bytes that nobody can tell from a commitment.

>>> from blockchaintracer.lab.private.field_tree import Context, FieldTree, Opening, root_of
>>> context = Context("31337", "0x" + "11" * 20, 1, "0x" + "22" * 20)
>>> tree = FieldTree.of(context, "ab" * 32, {"parameters.lr": 0.1, "metrics.accuracy": 0.93})
>>> tree.leaves
1024
>>> shown = tree.opening("parameters.lr")
>>> root_of(context, "ab" * 32, shown, tree.path("parameters.lr")) == tree.root
True
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from dataclasses import field as hidden
from functools import cached_property
from hashlib import sha256
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.plain_json import canonical, plain
from blockchaintracer.core.record import Domain
from blockchaintracer.lab.formats import PRIVATE_VALUES

LEAF = "urn:blockchaintracer:private-field:v1"
PLACE = "urn:blockchaintracer:private-place:v1"
SALT_BYTES = 32
_HEX = set("0123456789abcdef")
FEWEST_LEAVES = 1024
"""However few private values a run has, its tree has this many leaves."""
MOST_FIELDS = 256


@dataclass(frozen=True)
class Context:
    """Whom a commitment binds: a copy of it under another name opens to nothing.

    Args:
        chain_id: EIP-155 chain id as decimal text.
        registry: address, 0x-hex in lower case.
        author: address, 0x-hex in lower case.
    """

    chain_id: str
    registry: str
    group: int
    author: str

    @classmethod
    def of(cls, domain: Domain, group: int, author: str) -> Context:
        """Return the context of an author's records for a group of a registry."""
        return cls(str(domain.chain_id), domain.registry.lower(), group, author.lower())

    def as_json(self) -> dict[str, Any]:
        """Return the fields as they stand in what is hashed."""
        return {"chainId": self.chain_id, "registry": self.registry, "group": self.group, "author": self.author}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Context:
        """Read what `as_json` gave, among other fields; KeyError or TypeError if it isn't there."""
        return cls(*(data[name] for name in ("chainId", "registry", "group", "author")))


@dataclass(frozen=True)
class Opening:
    """What opens a commitment.

    Args:
        field: its name: ``parameters.lr``, ``metrics.accuracy``.
        salt: 32 random bytes, 64 hex digits.
    """

    field: str
    value: Any = hidden(repr=False)
    salt: str = hidden(repr=False)


def new_salt() -> str:
    """Return 32 random bytes, 64 hex digits."""
    return secrets.token_hex(SALT_BYTES)


class FieldTree:
    """The tree over a run's private values.

    Args:
        subject: of the run's record, 64 hex digits.
        filler: secret of 32 bytes, 64 hex digits, from which the other leaves follow.
    """

    def __init__(
        self, context: Context, subject: str, openings: Sequence[Opening], leaves: int, filler: str = ""
    ) -> None:
        self.context, self.subject, self.leaves, self.filler = context, subject, leaves, filler or new_salt()
        require_own_salts(openings)
        self._openings = {place(context, subject, opening.field, leaves): opening for opening in openings}
        if len(self._openings) != len(openings):
            raise InputError("expected a place of its own in the tree for each private value, got one for two")

    @classmethod
    def of(cls, context: Context, subject: str, values: Mapping[str, Any]) -> FieldTree:
        """Make a tree with fresh salts. How many leaves it has tells little of how many values: 1,024 of up to 16."""
        if not 0 < len(values) <= MOST_FIELDS:
            raise InputError(
                f"expected 1 to {MOST_FIELDS} private values, got {len(values)}",
                hint="A private value may be a list or an object.",
            )
        openings = [Opening(name, plain(value, name), new_salt()) for name, value in values.items()]
        leaves, fewest = FEWEST_LEAVES, 4 * len(values) ** 2
        while leaves < fewest or len({place(context, subject, name, leaves) for name in values}) < len(values):
            leaves *= 2
        return cls(context, subject, openings, leaves)

    @property
    def root(self) -> str:
        """The root, 64 hex digits: what the manifest holds."""
        return self._levels[-1][0].hex()

    @property
    def openings(self) -> tuple[Opening, ...]:
        """All private values."""
        return tuple(self._openings[index] for index in sorted(self._openings))

    def opening(self, name: str) -> Opening:
        """Return one value."""
        openings = {opening.field: opening for opening in self._openings.values()}
        if name not in openings:
            known = ", ".join(sorted(openings))
            raise InputError(f"expected a private value of the run, got {name!r}", hint=f"There are: {known}.")
        return openings[name]

    def path(self, name: str) -> list[str]:
        """Return the siblings from a value's leaf to the root, 64 hex digits each."""
        index, siblings = place(self.context, self.subject, self.opening(name).field, self.leaves), []
        for level in self._levels[:-1]:
            siblings.append(level[index ^ 1].hex())
            index //= 2
        return siblings

    def as_json(self) -> dict[str, Any]:
        """Return everything, secrets included: for the lab's folder alone."""
        return {
            **PRIVATE_VALUES.header(),
            **self.context.as_json(),
            "subject": self.subject,
            "leaves": self.leaves,
            "filler": self.filler,
            "fields": [asdict(opening) for opening in self.openings],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FieldTree:
        """Read what `as_json` gave."""
        PRIVATE_VALUES.check_header(data, "the private values")
        try:
            openings = [Opening(item["field"], item["value"], item["salt"]) for item in data["fields"]]
            leaves = data["leaves"]
            if type(leaves) is not int or leaves & (leaves - 1) or not 0 < leaves <= 1 << 22:
                raise ValueError
            if len(data["filler"]) != 2 * SALT_BYTES or set(data["filler"]) - _HEX:
                raise ValueError
            return cls(Context.from_json(data), data["subject"], openings, leaves, data["filler"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            # what it holds is not shown: it is secret
            raise InputError(f"expected private values, got something else: {type(error).__name__}") from None

    @cached_property
    def _levels(self) -> list[list[bytes]]:
        secret = bytes.fromhex(self.filler)
        level = [
            _leaf(self.context, self.subject, self._openings[index])
            if index in self._openings
            else hmac.digest(secret, index.to_bytes(4, "big"), "sha256")
            for index in range(self.leaves)
        ]
        levels = [level]
        while len(level) > 1:
            level = [_node(level[index], level[index + 1]) for index in range(0, len(level), 2)]
            levels.append(level)
        return levels


def root_of(context: Context, subject: str, opening: Opening, path: Sequence[str]) -> str:
    """Return the root (64 hex digits) that a value and its siblings lead to, from the one place that its name has."""
    node, index = _leaf(context, subject, opening), place(context, subject, opening.field, 1 << len(path))
    for sibling in map(bytes.fromhex, path):
        node = _node(sibling, node) if index % 2 else _node(node, sibling)
        index //= 2
    return node.hex()


def place(context: Context, subject: str, name: str, leaves: int) -> int:
    """Return the place of a field's leaf, from 0: it follows from its name and the run, so that there is no other."""
    data = canonical({"type": PLACE, **context.as_json(), "subject": subject, "field": name})
    return int.from_bytes(sha256(data).digest(), "big") % leaves


def require_own_salts(openings: Sequence[Opening]) -> None:
    """Refuse salts that are short or shared: a person who is shown one value could guess another with its salt."""
    seen: dict[str, str] = {}
    for opening in openings:
        name, salt = opening.field, opening.salt
        if len(salt) != 2 * SALT_BYTES or set(salt) - _HEX:
            raise InputError(f"{name}: expected a salt of {SALT_BYTES} random bytes, got something else")
        if salt in seen:
            raise InputError(f"expected a salt of its own for each value, got one for {seen[salt]} and {name}")
        seen[salt] = name


def _leaf(context: Context, subject: str, opening: Opening) -> bytes:
    data = {"type": LEAF, **context.as_json(), "subject": subject, **asdict(opening)}
    return sha256(b"\0" + canonical(data)).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()
