"""Archives of blocks, CARv1 (ipld.io/specs/transport/car/carv1): written and read as streams, in flat memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from blockchaintracer.core.digest import varint
from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.lab.store.ipfs.blocks import MAX_BLOCK, Cid
from blockchaintracer.lab.store.ipfs.dag import Block

_MAX_HEADER = 1 << 16
_V2_PRAGMA = b"\xa1\x67version\x02"
# the header is a map of two in DAG-CBOR: its keys sorted by length, so `roots` is first
_ROOTS, _VERSION = b"\xa2\x65roots", b"\x67version\x01"

Read = Callable[[int], bytes]
"""Gives exactly that many bytes, or fewer at the end."""


def car(root: Cid, blocks: Iterable[Block]) -> Iterator[bytes]:
    """The bytes of an archive of one root, piece by piece."""
    link = b"\x00" + root.binary
    header = _ROOTS + b"\x81\xd8\x2a\x58" + bytes([len(link)]) + link + _VERSION
    yield varint(len(header)) + header
    for cid, data in blocks:
        yield varint(len(cid) + len(data)) + cid
        yield data


def read_car(read: Read, where: str) -> Iterator[tuple[Cid, bytes]]:
    """The blocks of an archive, each verified before it's given. Its header's roots are a claim and mean nothing here.

    Raises:
        NotVerified: if it isn't an archive of version 1, a block isn't what its CID says or is too large, or the
            archive ends inside one.
    """
    read_header(read, where)
    yield from read_blocks(read, where)


def read_header(read: Read, where: str) -> bytes:
    """The header of an archive, which names its roots."""
    size = _length(read, where, "header")
    if size is None or not 10 < size <= _MAX_HEADER:
        raise NotVerified(f"expected an archive of blocks (CAR) from {where}, got a header of {size or 0} bytes")
    header = _exactly(read, size, where)
    if header == _V2_PRAGMA:
        raise NotVerified(f"expected an archive of version 1 from {where}, got version 2")
    if not header.startswith(_ROOTS) or not header.endswith(_VERSION):
        raise NotVerified(f"expected an archive of blocks (CARv1) from {where}, got another header")
    return header


def named_root(header: bytes, where: str) -> Cid:
    """The root that a header names, if it names one."""
    try:
        root = Cid.decode(header[len(_ROOTS) + 6 : -len(_VERSION)])
        if not b"".join(car(root, ())).endswith(header):
            raise InputError("it names another number of roots")
    except InputError as error:
        raise NotVerified(f"expected an archive of one root from {where}: {error.message}") from error
    return root


def read_blocks(read: Read, where: str) -> Iterator[tuple[Cid, bytes]]:
    """The blocks that follow the header of an archive, each verified before it's given."""
    while (size := _length(read, where, "block")) is not None:
        if not 34 <= size <= MAX_BLOCK + 36:
            raise NotVerified(f"expected blocks of at most {MAX_BLOCK} bytes from {where}, got one of {size}")
        data = _exactly(read, size, where)
        try:
            cid = Cid.decode(data[: 34 if data[0] == 0x12 else 36])
        except InputError as error:
            raise NotVerified(f"expected blocks of files and folders from {where}: {error.message}") from error
        yield cid, cid.check(data[len(cid.binary) :], where)


def _length(read: Read, where: str, what: str) -> int | None:
    number = 0
    for index in range(5):
        byte = read(1)
        if not byte:
            if index:
                raise NotVerified(f"the archive from {where} ends inside the length of a {what}")
            return None
        number |= (byte[0] & 0x7F) << (7 * index)
        if byte[0] < 0x80:
            return number
    raise NotVerified(f"expected a {what} of a sensible length from {where}, got one of more than 32 GiB")


def _exactly(read: Read, size: int, where: str) -> bytes:
    data = read(size)
    if len(data) != size:
        raise NotVerified(f"the archive from {where} ends inside a block: {len(data)} of {size} bytes")
    return data
