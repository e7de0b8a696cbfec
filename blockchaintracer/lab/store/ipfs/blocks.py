"""Blocks and what they are named by: CIDs, nodes with links, and the check that bytes are what a CID says.

>>> Cid.parse("bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e").digest.hex()[:8]
'b94d27b9'
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from blockchaintracer.core.digest import BASE58, DAG_PB, RAW, cid_bytes, cid_text
from blockchaintracer.core.errors import InputError, NotVerified

MAX_BLOCK = 2 << 20
"""Bytes of the largest block: what every IPFS implementation takes (bitswap's limit)."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class Cid:
    """The name of a block: how its bytes are to be read, and their SHA-256."""

    version: int
    codec: int
    digest: bytes

    def __str__(self) -> str:
        return cid_text(self.binary)

    @property
    def binary(self) -> bytes:
        """Its bytes, as a link or an archive holds them."""
        return cid_bytes(self.version, self.codec, self.digest)

    @classmethod
    def parse(cls, text: str) -> Cid:
        """A CID from its text: version 0, or version 1 in base32 (github.com/multiformats/cid)."""
        try:
            if text.startswith("Qm") and len(text) == 46:
                number = 0
                for letter in text:
                    number = number * 58 + BASE58.index(letter)
                cid = cls.decode(number.to_bytes(34))
            elif text[:1] in ("b", "B") and len(text) == 59 and text in (text.lower(), text.upper()):
                cid = cls.decode(base64.b32decode(text[1:].upper() + "=" * (-(len(text) - 1) % 8)))
            else:
                raise InputError("neither version 0 in base58 nor version 1 in base32")
            if str(cid) != text.lower() and str(cid) != text:
                raise InputError("bits are set that stand for nothing")
        except (ValueError, OverflowError) as error:
            raise InputError(f"expected a CID, got {text[:80]!r}") from error
        except InputError as error:
            raise InputError(
                f"expected a CID, got {text[:80]!r}: {error.message}",
                hint="Files and folders of IPFS have CIDs that begin with Qm, bafkrei or bafybei.",
            ) from error
        return cid

    @classmethod
    def decode(cls, data: bytes) -> Cid:
        """A CID from its bytes."""
        if len(data) == 34 and data[:2] == b"\x12\x20":
            return cls(0, DAG_PB, data[2:])
        if len(data) == 36 and data[0] == 1 and data[1] in (RAW, DAG_PB) and data[2:4] == b"\x12\x20":
            return cls(1, data[1], data[4:])
        raise InputError(f"expected SHA-256 of raw bytes or of a UnixFS node, got {data[:8].hex()}…")

    def check(self, data: bytes, where: str) -> bytes:
        """The block, if its hash is what this says."""
        actual = hashlib.sha256(data).digest()
        if actual != self.digest:
            got = Cid(self.version, self.codec, actual)
            raise NotVerified(f"expected the block {self} from {where}, got {len(data)} bytes of the block {got}")
        return data


@dataclass(frozen=True, slots=True)
class NodeLink:
    """A link of a node: the child's CID, and in a folder its name."""

    cid: Cid
    name: str


@dataclass(frozen=True, slots=True)
class DagNode:
    """A UnixFS node (github.com/ipfs/specs UNIXFS.md).

    Args:
        kind: ``file`` or ``folder``.
        sizes: bytes of the file below each child.
    """

    kind: str
    size: int
    data: bytes
    links: tuple[NodeLink, ...]
    sizes: tuple[int, ...]


def parse_node(cid: Cid, block: bytes) -> DagNode:
    """What a verified block says. It may be a stranger's: what contradicts itself is refused."""
    if cid.codec == RAW:
        return DagNode("file", len(block), block, (), ())
    try:
        links, content = [], b""
        for number, value in _fields(block):
            if number == 2 and isinstance(value, bytes):
                links.append(_link(value))
            elif number == 1 and isinstance(value, bytes):
                content = value
        kind, data, size, sizes = -1, b"", None, []
        for number, value in _fields(content):
            if number == 1 and isinstance(value, int):
                kind = value
            elif number == 2 and isinstance(value, bytes):
                data = value
            elif number == 3 and isinstance(value, int):
                size = value
            elif number == 4 and isinstance(value, int):
                sizes.append(value)
    except (ValueError, InputError) as error:
        raise NotVerified(f"expected a UnixFS node in the block {cid}: {error}") from error
    if kind == 1:
        names = {link.name for link in links}
        if len(names) != len(links) or names & {"", ".", ".."} or any("/" in name or "\0" in name for name in names):
            raise NotVerified(f"expected a folder of different names without '/' in the block {cid}, got others")
        return DagNode("folder", 0, b"", tuple(links), ())
    if kind not in (0, 2):
        other = {3: "metadata", 4: "a symbolic link", 5: "a sharded folder"}.get(kind, "something else")
        raise NotVerified(f"expected a file or folder in the block {cid}, got {other}")
    whole = len(data) + sum(sizes)
    # a child of no bytes would let a small tree take forever
    if len(sizes) != len(links) or (links and 0 in sizes) or whole != (whole if size is None else size):
        raise NotVerified(f"the block {cid} contradicts itself about the sizes below it")
    return DagNode("file", whole, data, tuple(links), tuple(sizes))


def _link(data: bytes) -> NodeLink:
    cid, name = None, ""
    for number, value in _fields(data):
        if number == 1 and isinstance(value, bytes):
            cid = Cid.decode(value)
        elif number == 2 and isinstance(value, bytes):
            name = value.decode()
    if cid is None:
        raise ValueError("a link without a CID")
    return NodeLink(cid, name)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message: numbers for varints, bytes for the rest."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        wire = key & 7
        if wire == _VARINT:
            value, at = read_varint(data, at)
            yield key >> 3, value
            continue
        if wire == _BYTES:
            length, at = read_varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            length = 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"a field of the unknown type {wire}")
        if length > len(data) - at:
            raise ValueError("a field longer than its message")
        yield key >> 3, data[at : at + length]
        at += length


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """A varint of at most 63 bits, and where it ends."""
    number = 0
    for index in range(9):
        if at + index >= len(data):
            raise ValueError("a number that isn't whole")
        byte = data[at + index]
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return number, at + index + 1
    raise ValueError("a number of more than 63 bits")
