"""Reads files and folders through any gateways; each block is verified before a byte of it is given.

A gateway can refuse, be away or waste a little time, and nothing else: wrong bytes are thrown away and it is not asked
again. What breaks off goes on at the block where it broke, from the same gateway or the next.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from blockchaintracer.core.errors import (
    BlockchainTracerError,
    ChainUnavailable,
    InputError,
    NotVerified,
    SourceWarning,
    StoreError,
)
from blockchaintracer.core.networks import redact_url
from blockchaintracer.lab.store.ipfs.blocks import MAX_BLOCK, Cid
from blockchaintracer.lab.store.ipfs.car import read_car
from blockchaintracer.lab.store.ipfs.tree_reader import TreeReader

if TYPE_CHECKING:
    import requests

    from blockchaintracer.core.fetch import Stream

GATEWAYS_VARIABLE = "BLOCKCHAINTRACER_IPFS_GATEWAYS"
"""Environment variable: addresses of gateways, apart by spaces, asked in this order; a node's own if it's not set."""

SCHEME = "ipfs://"

_OWN_NODE = "http://127.0.0.1:8080"
_BLOCK_S = 120
"""seconds that one block may take: a gateway that gives a byte a second is away"""
_TRIES = 3
_PAUSE_S = 0.2
_REDIRECTS = 3


class _Away(Exception):
    """A gateway did not answer this time."""


@dataclass
class _Gateway:
    url: str
    name: str
    reason: str | None = None
    wrong: bool = False
    """gave what it was not asked for: it's not asked again"""
    archives: bool = True


@dataclass
class Gateways(TreeReader):
    """Gateways asked in order, until one gives the block that was asked for."""

    urls: Sequence[str] | None = None
    pause_s: float = _PAUSE_S
    _all: list[_Gateway] = field(default_factory=list, init=False)
    _session: requests.Session | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        urls = self.urls if self.urls is not None else os.environ.get(GATEWAYS_VARIABLE, _OWN_NODE).split()
        for url in urls:
            if urlsplit(url).scheme not in ("http", "https"):
                raise InputError(
                    f"expected the http(s) address of an IPFS gateway, got {redact_url(url)}",
                    hint=f"${GATEWAYS_VARIABLE} holds them, apart by spaces.",
                )
            self._all.append(_Gateway(url.rstrip("/"), redact_url(url)))
        if not self._all:
            raise InputError("no IPFS gateway is known", hint=f"Name one or more in ${GATEWAYS_VARIABLE}.")

    # -- blocks

    def block(self, cid: Cid) -> bytes:
        """The bytes of a block, verified. A gateway that gave another is named by a `SourceWarning`.

        Raises:
            NotVerified: if a gateway gave another and none the right one.
            StoreError: if no gateway has it.
            ChainUnavailable: if one that might have it can't be reached.
        """
        left_out: list[str] = []
        for number in range(_TRIES):
            away = False
            for gateway in self._all:
                if gateway.wrong:
                    continue
                try:
                    data = cid.check(self._raw(gateway, cid), gateway.name)
                except NotVerified as error:
                    gateway.reason, gateway.wrong = error.message, True
                    left_out.append(f"passed over: {gateway.name}, which is not asked again: {error.message}")
                except StoreError as error:
                    gateway.reason = error.message
                except _Away as error:
                    gateway.reason, away = f"{gateway.name} {error}", True
                else:
                    for reason in left_out:
                        warnings.warn(reason, SourceWarning, stacklevel=2)
                    return data
            if not away:
                break
            if number + 1 < _TRIES:
                time.sleep(self.pause_s * 4**number)
        reasons = "; ".join(gateway.reason for gateway in self._all if gateway.reason)
        wrong = any(gateway.wrong for gateway in self._all)
        problem: type[BlockchainTracerError] = ChainUnavailable if away else NotVerified if wrong else StoreError
        raise problem(
            f"expected the block {cid} from a gateway: {reasons}",
            hint=f"Nothing of it was kept. Name a gateway or node that has it in ${GATEWAYS_VARIABLE}.",
        )

    def _raw(self, gateway: _Gateway, cid: Cid) -> bytes:
        with self._get(gateway, cid, "raw", "application/vnd.ipld.raw") as answer:
            data = answer.read(MAX_BLOCK + 1)
            if len(data) > MAX_BLOCK:
                raise NotVerified(f"{gateway.name} gave more than the {MAX_BLOCK} bytes that a block may have")
            return data

    @contextmanager
    def _get(self, gateway: _Gateway, cid: Cid, kind: str, accept: str) -> Iterator[Stream]:
        """The answer of a gateway that has it."""
        from blockchaintracer.core.fetch import FetchError, new_session
        from blockchaintracer.lab.store.redirects import followed, no_password

        if self._session is None:
            # no name and password of ~/.netrc for whomever a gateway points to; proxies stay
            self._session = new_session(no_password)
        url = f"{gateway.url}/ipfs/{cid}?format={kind}" + ("&dag-scope=entity" if kind == "car" else "")
        given: Any = {"headers": {"Accept": accept, "Accept-Encoding": "identity"}, "session": self._session}
        try:
            with followed(url, seconds=_BLOCK_S, most=_REDIRECTS, **given) as answer:
                if answer.status == 200:
                    yield answer
                    return
                status = answer.status
        except FetchError as error:
            if error.refused:
                raise NotVerified(f"{gateway.name} {error}") from None
            raise _Away(str(error)) from None
        if status in (400, 404, 406, 410, 412, 415, 451, 500, 501):
            raise StoreError(f"{gateway.name} does not have it (it answered {status})")
        raise _Away(f"answered {status}")

    def _archive(self, cid: Cid) -> Iterator[tuple[Cid, bytes]]:
        """The blocks of a file as the first gateway that gives archives streams them; ends where something is wrong."""
        for gateway in self._all:
            if gateway.wrong or not gateway.archives:
                continue
            try:
                with self._get(gateway, cid, "car", "application/vnd.ipld.car; version=1; order=dfs; dups=y") as answer:
                    yield from read_car(answer.read, gateway.name)
            except (BlockchainTracerError, _Away) as error:
                gateway.archives, gateway.reason = False, str(error)
            return


@dataclass(frozen=True)
class Address:
    """Where something is on IPFS, and who is asked for it."""

    cid: Cid
    names: tuple[str, ...]
    gateways: tuple[str, ...] | None

    @classmethod
    def parse(cls, source: str) -> Address | None:
        """Parse ``ipfs://CID/path``, or ``/ipfs/CID/path`` of a gateway. Return None if a source is neither.

        Names after ``ipfs://`` are taken as they stand, as fsspec's are. Names in the address of a gateway are those of
        a URL, and are decoded here, once.
        """
        if source.startswith(SCHEME):
            rest, gateways = source.removeprefix(SCHEME), None
        else:
            parts = urlsplit(source)
            before, separator, rest = parts.path.partition("/ipfs/")
            if parts.scheme not in ("http", "https") or not separator:
                return None
            gateways = (f"{parts.scheme}://{parts.netloc}{before}",)
        root, *names = rest.removesuffix("/").split("/")
        try:
            cid = Cid.parse(root)
        except InputError:
            if gateways is None:
                raise
            # a folder of some web server that is called so
            return None
        if gateways is not None:
            names = _decoded(source, names)
        if any(name in ("", ".", "..") or "/" in name for name in names):
            raise InputError(f"expected a path without '.', '..' or empty parts below {root}, got {'/'.join(names)!r}")
        return cls(cid, tuple(names), gateways)

    def __str__(self) -> str:
        return SCHEME + "/".join((str(self.cid), *self.names))

    @property
    def absent(self) -> str:
        """What to say if there is no such entry."""
        hint = " (names are taken as they stand: %20 is no space)" if any("%" in name for name in self.names) else ""
        return f"there is no {'/'.join(self.names)!r} below {self.cid}{hint}"

    def read_file(self, name: str) -> Iterator[bytes] | None:
        """The bytes of a file of a published store, as `TreeReader.read_file`."""
        return Gateways(self.gateways).read_file(self.cid, self.names, name)


def _decoded(url: str, names: Sequence[str]) -> list[str]:
    """Decode the names in a URL. A part that says more than a name is refused: another file would be read."""
    # urlsplit drops line ends and tabs, and keeps query and fragment apart
    if "?" in url or "#" in url or not url.isprintable():
        raise InputError(
            f"expected the address of a file or folder without '?', '#' and control characters, got {redact_url(url)}",
            hint="Write %3F or %23 for one in a name, or give the name as it stands: ipfs://CID/NAME.",
        )
    try:
        return [unquote(name, errors="strict") for name in names]
    except UnicodeDecodeError:
        raise InputError(f"expected names in UTF-8, got {'/'.join(names)!r}") from None
