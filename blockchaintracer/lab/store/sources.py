"""Sources: where others publish what is recorded. One reader for all of them, which trusts none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from blockchaintracer.core.digest import Progress, open_regular
from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable, InputError, NotVerified
from blockchaintracer.core.formats import Format
from blockchaintracer.core.networks import redact_url
from blockchaintracer.core.verify.copies import SourceError
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.store.ipfs.archive import BlockArchive
from blockchaintracer.lab.store.ipfs.gateway import SCHEME, Address
from blockchaintracer.lab.store.public_only import public_only

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
        yield from (_from_archive if os.path.isfile(path) else _from_folder)(path, name)
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
    if source.startswith(("http://", "https://")):
        parts = urlsplit(source)
        # what follows '?' may be what lets in
        yield from _from_web(parts._replace(path=f"{parts.path.rstrip('/')}/{name}").geturl())
    else:
        yield from _from_filesystem(f"{source.rstrip('/')}/{name}")


def read_address(address: str, *, public: bool) -> Iterator[bytes]:
    """Read a file whose digest nobody knows, so never joined of two answers: by http(s), or a file system of fsspec.

    Args:
        public: connect to public addresses alone.

    Raises:
        SourceError: if it can't be read, and why.
    """
    if address.startswith(("http://", "https://")):
        yield from _from_web(address, public=public, tries=0)
    else:
        yield from _from_filesystem(address, public=public)


def limited(
    blocks: Iterator[bytes], most: int, *, wrong: bool = False, progress: Progress | None = None
) -> Iterator[bytes]:
    """Pass on blocks of at most so many bytes together; `wrong` is of the `SourceError` that more of them raise."""
    count = 0
    for block in blocks:
        count += len(block)
        if progress:
            progress(len(block))
        if count > most:
            raise SourceError(f"has more than the {most} bytes allowed", wrong=wrong)
        yield block


def read_page(source: str, name: str, limit: int, format_: Format) -> bytes | None:
    """Read a small file of a published store that names its format. Returns None if the source does not have it: many
    servers answer any name with a page of theirs, which says nothing. On this machine such a file is a damaged one.

    Raises:
        ChainUnavailable: if the source can't be asked.
        InputError: if it is too large, or in a damaged archive, on this machine.
    """
    where = f"{public_name(source)}/{name}"
    try:
        data = b"".join(limited(read_source(source, name), limit, wrong=True))
    except SourceError as error:
        if error.unavailable:
            raise ChainUnavailable(f"{where} {error}") from None
        if error.wrong and not is_url(source):
            raise InputError(f"{where}: expected {format_}, got a file that {error}") from None
        return None
    return data if format_.prefix.encode() in data or not is_url(source) else None


def _from_folder(folder: Path, name: str) -> Iterator[bytes]:
    try:
        if not folder.is_dir():
            raise SourceError("is no published folder")
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


def _from_web(address: str, *, public: bool = False, tries: int = _RETRIES) -> Iterator[bytes]:
    from blockchaintracer.core.fetch import FetchError
    from blockchaintracer.lab.store.redirects import followed

    if urlsplit(address).fragment:
        raise SourceError("has a '#', and what follows it is never sent: write %23 for one in a folder's name")
    count = 0
    while True:
        # a compressed answer would be another sequence of bytes
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={count}-"} if count else {})
        try:
            with followed(address, seconds=_BLOCK_S, most=_REDIRECTS, headers=headers, public=public) as answer:
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
            # go on where it broke off; the digest of the whole shows whether the parts belong together
            if not (tries and count):
                raise SourceError(str(error), unavailable=True) from None
            tries -= 1


def _from_filesystem(address: str, *, public: bool = False) -> Iterator[bytes]:
    fsspec = require("fsspec", "fsspec")
    with _told(public, address):
        file = fsspec.open(address, "rb").open()
    with file:
        while True:
            with _told(public, address):
                block = file.read(_BLOCK)
            if not block:
                return
            yield block


def hub_digest(address: str, *, public: bool) -> tuple[str, int, str] | None:
    """Return SHA-256 and size that Hugging Face's hub says of a file (``hf://``), and its host; None of a small file,
    which it keeps in git. Raises as `read_address`."""
    fsspec = require("fsspec", "fsspec")
    with _told(public, address):
        hub, path = fsspec.core.url_to_fs(address)
        info = hub.info(path)
        return (info["lfs"]["sha256"], info["size"], urlsplit(hub.endpoint).hostname) if info.get("lfs") else None


@contextmanager
def _told(public: bool, address: str) -> Iterator[None]:
    """Raise what a file system raises as a `SourceError`: any exception, whose text may hold credentials.

    Args:
        public: let it connect to public addresses alone.
    """
    try:
        with public_only(address) if public else nullcontext():
            yield
    except SourceError:
        raise
    except FileNotFoundError:
        raise SourceError("does not have it") from None
    except BlockchainTracerError as error:
        raise SourceError(f"can't be read: {error.message}") from None
    except ImportError as error:
        raise SourceError(f"can't be read: {error}") from None
    except Exception as error:
        reason = f"can't be read ({type(error).__name__})"
        raise SourceError(reason, unavailable=not isinstance(error, ValueError)) from None


def is_url(source: str) -> bool:
    """Whether a source is an address, not a folder."""
    return "://" in source


def public_name(source: str) -> str:
    """Return a source without credentials, query, and what may be a key in its path."""
    return redact_url(source) if is_url(source) and not source.startswith(SCHEME) else source
