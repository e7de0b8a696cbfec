"""Sources: where others publish what is recorded. One reader for all of them, which trusts none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from blockchaintracer.core.digest import open_regular
from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable, InputError, NotVerified
from blockchaintracer.core.networks import redact_url
from blockchaintracer.core.verify.copies import SourceError
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.store.ipfs.archive import BlockArchive
from blockchaintracer.lab.store.ipfs.gateway import SCHEME, Address

_BLOCK = 1 << 20
_BLOCK_S = 120
"""seconds that one block may take"""
_REDIRECTS = 5
_RETRIES = 3


def read_source(source: str, name: str) -> Iterator[bytes]:
    """Read the blocks of a file of a published store, such as `object_name` names. Nothing is checked here.

    Args:
        source: a published folder, an archive of blocks (``.car``) on this machine, or an address: ``http(s)://``,
            ``ipfs://CID`` or ``https://GATEWAY/ipfs/CID`` (also of a single file), or of any file system of fsspec.

    Raises:
        SourceError: if the source does not give it, and why.
    """
    if not is_url(source):
        path = Path(source)
        yield from (_from_archive if path.is_file() else _from_folder)(path, name)
        return
    try:
        address = Address.parse(source)
        blocks = address.read_file(name) if address else None
        if address and blocks is None:
            raise SourceError("does not have it")
        yield from blocks or ()
    except ChainUnavailable as error:
        raise SourceError(f"can't give it: {error.message}", unavailable=True) from error
    except BlockchainTracerError as error:
        raise SourceError(f"can't give it: {error.message}", wrong=isinstance(error, NotVerified)) from error
    if address:
        return
    if urlsplit(source).path.endswith(".car"):
        raise SourceError("is an archive, which is read on this machine alone: fetch it, and name the file")
    yield from (_from_web if source.startswith(("http://", "https://")) else _from_filesystem)(source, name)


def _from_folder(folder: Path, name: str) -> Iterator[bytes]:
    if not folder.is_dir():
        raise SourceError("is no published folder")
    try:
        with open_regular(folder / name) as (descriptor, _):
            while block := os.read(descriptor, _BLOCK):
                yield block
    except (InputError, OSError) as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise SourceError("does not have it") from None
        raise SourceError(f"can't be read: {error}", unavailable=True) from error


@lru_cache(maxsize=4)
def _opened(path: Path, size: int, changed: int) -> BlockArchive:
    return BlockArchive(path)


def _from_archive(path: Path, name: str) -> Iterator[bytes]:
    try:
        stat = os.stat(path)
        blocks = _opened(path, stat.st_size, stat.st_mtime_ns).file(name)
        if blocks is None:
            raise SourceError("does not have it")
        yield from blocks
    except OSError as error:
        raise SourceError(f"can't be read: {error.strerror}", unavailable=True) from error
    except BlockchainTracerError as error:
        raise SourceError(f"is no whole archive of blocks: {error.message}", wrong=True) from error


def _from_web(source: str, name: str) -> Iterator[bytes]:
    from blockchaintracer.core.fetch import FetchError
    from blockchaintracer.lab.store.redirects import followed

    parts = urlsplit(source)
    if parts.fragment:
        raise SourceError("has a '#', and what follows it is never sent: write %23 for one in a folder's name")
    # what follows '?' may be what lets in
    address = parts._replace(path=f"{parts.path.rstrip('/')}/{name}").geturl()
    count, tries = 0, 0
    while True:
        # a compressed answer would be another sequence of bytes
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={count}-"} if count else {})
        try:
            with followed(address, seconds=_BLOCK_S, most=_REDIRECTS, headers=headers) as answer:
                if answer.status in (404, 410):
                    raise SourceError("does not have it")
                if answer.status != (206 if count else 200):
                    broken = f"broke off after {count} bytes, and for the rest " if count else ""
                    raise SourceError(f"{broken}answered {answer.status}", unavailable=True)
                for block in answer.pieces():
                    count += len(block)
                    yield block
                return
        except FetchError as error:
            if error.refused:
                raise SourceError(str(error), wrong=True) from None
            tries += 1
            # go on where it broke off; the digest of the whole shows whether the parts belong together
            if tries > _RETRIES or not count:
                raise SourceError(str(error), unavailable=True) from None


def _from_filesystem(source: str, name: str) -> Iterator[bytes]:
    try:
        fsspec = require("fsspec", "fsspec")
        with fsspec.open(f"{source.rstrip('/')}/{name}", "rb") as file:
            while block := file.read(_BLOCK):
                yield block
    except FileNotFoundError:
        raise SourceError("does not have it") from None
    except BlockchainTracerError as error:
        raise SourceError(f"can't be read: {error.message}") from None
    except Exception as error:
        # any exception of the file system, whose text may hold credentials
        known = isinstance(error, ValueError | ImportError)
        raise SourceError(f"can't be read ({type(error).__name__})", unavailable=not known) from None


def is_url(source: str) -> bool:
    """Whether a source is an address, not a folder."""
    return "://" in source


def public_name(source: str) -> str:
    """Return a source without credentials, query, and what may be a key in its path."""
    return redact_url(source) if is_url(source) and not source.startswith(SCHEME) else source
