"""Receipts of witnesses of time: what was stamped, and the proof that a witness gave. Their forms stand in
docs/formats.md. Nothing of a receipt is believed here: `check_receipt` judges it.

>>> subject = StampedSubject.of_text("eip155:1:0x" + "12" * 20 + "/0x" + "ab" * 32)
>>> subject.sha256 == sha256(str(subject).encode()).hexdigest()
True
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import Format
from blockchaintracer.core.plain_json import canonical, parse_json, read_strictly
from blockchaintracer.core.record import Domain, checksummed, normal_digest, unsigned
from blockchaintracer.lab.formats import WITNESS_OPENTIMESTAMPS, WITNESS_REGISTRY, WITNESS_RFC3161, WITNESSES
from blockchaintracer.lab.kept_evidence import global_root

MAX_PROOF = 16 << 10
"""Bytes of a proof that are read at most: four completed calendars, or a token with its certificates, have 6,000."""
MAX_FILE = 1 << 20
_MAX_RECEIPTS = 64
_MAX_PATH = 40
_BYTES = "sha256:"
_TEXT = re.compile(r"[!-~]{1,512}")
_HEADER = re.compile(r"[0-9a-f]{160}")


class WitnessKind(StrEnum):
    """Who gave a receipt."""

    OPENTIMESTAMPS = "opentimestamps"
    RFC3161 = "rfc3161"
    REGISTRY = "registry"

    @property
    def form(self) -> Format:
        """The format of its receipts."""
        return _FORMATS[self]


_FORMATS = {
    WitnessKind.OPENTIMESTAMPS: WITNESS_OPENTIMESTAMPS,
    WitnessKind.RFC3161: WITNESS_RFC3161,
    WitnessKind.REGISTRY: WITNESS_REGISTRY,
}


@dataclass(frozen=True, slots=True)
class StampedSubject:
    """What is stamped: a text, or the bytes of a file as ``sha256:`` and their SHA-256."""

    name: str

    def __post_init__(self) -> None:
        if not _TEXT.fullmatch(self.name):
            raise InputError(f"expected a text of 1 to 512 characters without spaces, got {self.name[:80]!r}")
        if self.name.startswith(_BYTES):
            object.__setattr__(self, "name", _BYTES + normal_digest(self.name.removeprefix(_BYTES)))

    def __str__(self) -> str:
        return self.name

    @property
    def text(self) -> str | None:
        """The text that was stamped; None for a file's bytes."""
        return None if self.name.startswith(_BYTES) else self.name

    @property
    def sha256(self) -> str:
        """The SHA-256 that was stamped, 64 hex digits: of the text in UTF-8, or of the file."""
        return self.name.removeprefix(_BYTES) if self.text is None else sha256(self.text.encode()).hexdigest()

    @classmethod
    def of_text(cls, text: str) -> StampedSubject:
        """Return the subject of a text of printable ASCII without spaces."""
        if text.startswith(_BYTES):
            raise InputError(f"expected a text that does not begin with {_BYTES}, got one that does")
        return cls(text)

    @classmethod
    def of_bytes(cls, data: bytes) -> StampedSubject:
        """Return the subject of a file."""
        return cls(_BYTES + sha256(data).hexdigest())

    @classmethod
    def of_record(cls, domain: Domain, record_id: str) -> StampedSubject:
        """Return the subject of a record: its id with chain and registry."""
        return cls(domain.global_id(record_id))

    @classmethod
    def of_root(cls, domain: Domain, root: str) -> StampedSubject:
        """Return the subject of a batch: its root with chain and registry."""
        return cls(global_root(domain, root))


@dataclass(frozen=True, slots=True)
class StampedBranch:
    """The way from a subject's SHA-256 to the root of a tree that was stamped (RFC 9162, section 2.1.3).

    Args:
        index: place of the leaf, from 0.
        size: leaves of the tree, at least 2.
        path: siblings from the leaf up, 64 hex digits each.
    """

    index: int
    size: int
    path: tuple[str, ...]

    def steps(self) -> Iterator[tuple[bool | None, bytes]]:
        """Yield each sibling with whether it stands on the left (RFC 9162, section 2.1.3.2); first, with None, the step
        from the leaf's data to the leaf.

        Raises:
            InputError: if no tree of this size has such a path.
        """
        yield None, b""
        index, last = self.index, self.size - 1
        for sibling in map(bytes.fromhex, self.path):
            if not last:
                raise InputError(f"expected the path of leaf {self.index} of {self.size}, got one that is too long")
            is_left = bool(index % 2) or index == last
            yield is_left, sibling
            while is_left and index and not index % 2:
                index, last = index >> 1, last >> 1
            index, last = index >> 1, last >> 1
        if last:
            raise InputError(f"expected the path of leaf {self.index} of {self.size}, got one that is too short")

    def root(self, leaf: str) -> str:
        """Return the root (64 hex digits) that a leaf's data lead to. Raises as `steps`."""
        node = bytes.fromhex(leaf)
        for is_left, sibling in self.steps():
            node = _leaf(node.hex()) if is_left is None else _node(sibling, node) if is_left else _node(node, sibling)
        return node.hex()

    def as_json(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {"index": self.index, "size": self.size, "path": list(self.path)}

    @classmethod
    def from_json(cls, data: Any) -> StampedBranch:
        """Read what `as_json` returns, of any origin."""
        index, size = unsigned(data["index"], 32), unsigned(data["size"], 32)
        if not (index < size and size >= 2 and len(data["path"]) <= _MAX_PATH):
            raise InputError(f"expected a place in a tree of 2 leaves or more, got {index} of {size}")
        return cls(index, size, tuple(normal_digest(it, "sibling") for it in data["path"]))


def stamped_tree(digests: Sequence[str]) -> tuple[str, list[StampedBranch | None]]:
    """Return the root over SHA-256 digests (RFC 9162, section 2.1.1) and the branch of each; a single one is its own
    root, and has none."""
    if len(digests) == 1:
        return digests[0], [None]
    level, places = [_leaf(digest) for digest in digests], [*range(len(digests))]
    paths: list[list[str]] = [[] for _ in digests]
    while len(level) > 1:
        for path, place in zip(paths, places, strict=True):
            if place ^ 1 < len(level):
                path.append(level[place ^ 1].hex())
        places = [place // 2 for place in places]
        pairs = [level[at : at + 2] for at in range(0, len(level), 2)]
        # the last of an odd level stands for itself one level up
        level = [_node(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
    return level[0].hex(), [StampedBranch(at, len(digests), tuple(path)) for at, path in enumerate(paths)]


def _leaf(digest: str) -> bytes:
    return sha256(b"\0" + bytes.fromhex(digest)).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


@dataclass(frozen=True)
class WitnessReceipt:
    """What a witness gave for a subject. A claim, until `check_receipt` has judged it.

    Args:
        proof: an OpenTimestamps file, an RFC 3161 response (DER), or the RFC 8785 bytes of a key file or of the proof
            of a batched record.
        branch: the way from the subject to what was stamped; None if the subject itself was.
        source: the address that was asked, by the word of who kept it; empty if the proof names the witness.
        headers: Bitcoin headers that came with it, 160 hex digits each: they count by what the verifier trusts.
    """

    kind: WitnessKind
    subject: StampedSubject
    proof: bytes = field(repr=False)
    branch: StampedBranch | None = None
    headers: tuple[str, ...] = ()
    source: str = ""

    @property
    def stamped(self) -> str:
        """The SHA-256 that the witness saw, 64 hex digits."""
        return self.branch.root(self.subject.sha256) if self.branch else self.subject.sha256

    @property
    def is_long(self) -> bool:
        """Whether it is of calendars and has no header: with one that is trusted, only the way to its block is kept."""
        return self.kind is WitnessKind.OPENTIMESTAMPS and not self.headers

    @property
    def registry_of_record(self) -> tuple[int, str]:
        """Chain and registry that the record of a second chain names."""
        record = parse_json(self.proof, "a record of a second chain")
        return int(record["chainId"]), checksummed(record["registry"])

    def as_json(self) -> dict[str, Any]:
        """Return JSON-ready values: `from_json` takes them back."""
        data: dict[str, Any] = {**self.kind.form.header(), "subject": str(self.subject)}
        if self.source:
            data["from"] = self.source
        if self.branch:
            data["tree"] = self.branch.as_json()
        if self.headers:
            data["headers"] = list(self.headers)
        if self.kind is WitnessKind.REGISTRY:
            return data | {"record": parse_json(self.proof, "a record of a second chain")}
        return data | {"proof": b64encode(self.proof).decode()}

    @classmethod
    def from_json(cls, data: Any, where: str = "a receipt") -> WitnessReceipt:
        """Read a receipt of any origin. Only its one form is valid.

        Raises:
            UnknownVersion: if its version is not read here.
            InputError: if it is no receipt, or has a field that is not its own.
        """
        kind = receipt_kind(data)
        if kind is None:
            raise InputError(f"{where}: expected a receipt of {', '.join(WitnessKind)}, got another format")
        try:
            written = canonical(data)
        except ValueError as error:
            raise InputError(f"{where}: expected plain JSON, got: {str(error)[:100]}") from None
        return read_strictly(written, kind.form, where, lambda plain: cls._from_json(kind, plain), cls.as_json)

    @classmethod
    def _from_json(cls, kind: WitnessKind, data: dict[str, Any]) -> WitnessReceipt:
        is_record = kind is WitnessKind.REGISTRY
        proof = canonical(data["record"]) if is_record else b64decode(data["proof"], validate=True)
        if not 0 < len(proof) <= MAX_PROOF:
            raise InputError(f"expected a proof of at most {MAX_PROOF} bytes, got {len(proof)}")
        headers = tuple(str(header) for header in data.get("headers", ()))
        if len(headers) > 8 or (headers and kind is not WitnessKind.OPENTIMESTAMPS):
            raise InputError("expected at most 8 headers, and only of Bitcoin")
        if wrong := [header for header in headers if not _HEADER.fullmatch(header)]:
            raise InputError(f"expected a header of 160 hex digits, got {wrong[0][:80]!r}")
        branch = StampedBranch.from_json(data["tree"]) if "tree" in data else None
        source = data.get("from", "")
        if not isinstance(source, str) or len(source) > 200:
            raise InputError("expected an address of at most 200 characters")
        receipt = cls(kind, StampedSubject(data["subject"]), proof, branch, headers, source)
        # a path that leads nowhere is refused here
        _ = receipt.stamped
        return receipt


def receipt_kind(data: Any) -> WitnessKind | None:
    """Return which receipt an object claims to be, in any version; None if it is none that is known here."""
    name = data.get("type") if isinstance(data, dict) else None
    return next((kind for kind in WitnessKind if kind.form.names(name)), None)


def receipts_file(subject: StampedSubject, receipts: Sequence[WitnessReceipt]) -> bytes:
    """Return the file of all receipts of a subject, as it is kept and published under `receipts_name`."""
    rows = sorted((receipt.as_json() for receipt in receipts), key=canonical)
    return canonical({**WITNESSES.header(), "subject": str(subject), "receipts": rows})


def read_receipts_file(data: bytes, where: str, subject: StampedSubject | None = None) -> tuple[WitnessReceipt, ...]:
    """Read a file of receipts of any origin.

    Args:
        subject: what the receipts must be of.

    Raises:
        UnknownVersion: if its version is not read here.
        InputError: if it is no such file, or has a receipt of something else.
    """
    if len(data) > MAX_FILE:
        raise InputError(f"{where}: expected at most {MAX_FILE} bytes, got {len(data)}")

    def read(plain: dict[str, Any]) -> tuple[StampedSubject, tuple[WitnessReceipt, ...]]:
        rows = plain["receipts"]
        if not 0 < len(rows) <= _MAX_RECEIPTS:
            raise InputError(f"expected 1 to {_MAX_RECEIPTS} receipts, got {len(rows)}")
        return StampedSubject(plain["subject"]), tuple(WitnessReceipt.from_json(row, where) for row in rows)

    whose, receipts = read_strictly(data, WITNESSES, where, read, lambda it: parse_json(receipts_file(*it), where))
    if wrong := next((it for it in receipts if str(it.subject) != str(subject or whose)), None):
        raise InputError(f"{where}: expected receipts of {subject or whose}, got one of {wrong.subject}")
    return receipts
