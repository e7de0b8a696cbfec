"""HTTP answers that end: each has a size limit after decompression and a deadline for the whole of it."""

from __future__ import annotations

import io
import math
import socket
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError
from urllib3.util.ssl_ import create_urllib3_context

_CONNECT_S = 10
_ADDRESSES_S = 2 * _CONNECT_S
"""After these no other address of a name is tried: a name can have thousands."""
_PIECE = 1 << 16
_FAILURES = (requests.RequestException, HTTPError, HTTPException, OSError, ValueError)


class FetchError(Exception):
    """No answer that can be used came. The text names no address, because an address can hold a key.

    Args:
        slow: it took too long.
        too_large: it is larger than allowed.
        refused: it leads where nothing is fetched from.
    """

    def __init__(self, reason: str, *, slow: bool = False, too_large: bool = False, refused: bool = False) -> None:
        super().__init__(reason)
        self.slow, self.too_large, self.refused = slow, too_large, refused


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole answer, decoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Stream:
    """An answer as it comes, decoded. `peer` is the address that it came from: of a proxy, if there is one."""

    def __init__(self, answer: requests.Response, clock: Deadline) -> None:
        self.status, self.headers = answer.status_code, answer.headers
        self._answer, self._clock, self.peer = answer, clock, getattr(_running, "peer", None)
        self._kept, self._came, self._ended = bytearray(), 0, False
        encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
        # the body of an answer that points elsewhere is not read
        if encoding not in ("identity", "", "gzip", "x-gzip", "deflate") and self.status // 100 != 3:
            raise FetchError(f"is encoded as {encoding[:20]!r}, which was not asked for")
        self._inflate = None if encoding in ("identity", "") else zlib.decompressobj(47)

    def read(self, size: int, *, renew: bool = True) -> bytes:
        """Return the next `size` bytes, fewer only at the end.

        Raises:
            FetchError: if the answer breaks off or takes too long.
        """
        if renew:
            self._clock.start()
        while len(self._kept) < size and (piece := self._some(size - len(self._kept))):
            self._kept += piece
        data = bytes(self._kept[:size])
        del self._kept[:size]
        return data

    def pieces(self) -> Iterator[bytes]:
        """Iterate over the answer as it comes; each MiB must come in time. Raises as `read`."""
        due = 1 << 20
        self._clock.start()
        while piece := self._some(_PIECE):
            if self._came >= due:
                self._clock.start()
                due += 1 << 20
            yield piece

    def _some(self, most: int) -> bytes:
        try:
            return self._piece(most)
        except (*_FAILURES, zlib.error) as error:
            if self._clock.is_over or isinstance(error, TimeoutError):
                raise FetchError(f"gave {self._came} bytes, not more in {self._clock.seconds:g} s", slow=True) from None
            raise FetchError(f"broke off ({type(error).__name__})") from None

    def _piece(self, most: int) -> bytes:
        """Return at least one byte of what follows, or none at the end."""
        while True:
            if self._clock.is_over:
                raise TimeoutError
            if self._inflate is None:
                return self._raw(most)
            if data := self._inflate.decompress(self._inflate.unconsumed_tail or self._raw(_PIECE), max(most, 1)):
                return data
            if self._inflate.eof:
                return b""
            if self._ended and not self._inflate.unconsumed_tail:
                raise HTTPException("the compressed data end early")

    def _raw(self, most: int) -> bytes:
        # read1 gives what has come: with read, a byte now and then would hold this up forever
        piece: bytes = self._answer.raw.read1(max(most, _PIECE), decode_content=False)
        self._came += len(piece)
        self._ended = not piece
        length = self._answer.headers.get("Content-Length", "")
        if self._ended and length.isdigit() and self._came < int(length) and "Transfer-Encoding" not in self.headers:
            raise HTTPException("the answer ends early")
        return piece


@contextmanager
def opened(
    url: str, *, seconds: float, method: str = "GET", session: requests.Session | None = None, **given: Any
) -> Iterator[Stream]:
    """Ask for `url` and give the answer as a stream. An answer that points elsewhere is given as it is.

    Args:
        seconds: time for the head of the answer after the request was sent, and again for each `Stream.read`.
        given: passed to requests: ``headers``, ``data``, ``json``. With ``public=True`` only public addresses are
            connected to: no loopback, private network or cloud's own service.

    Raises:
        FetchError: if there is no answer.
    """
    with new_session() if session is None else nullcontext(session) as client:
        clock = Deadline(seconds)
        with _head(client, method, url, clock, given) as answer:
            yield Stream(answer, clock)


def fetch(url: str, *, limit: int, seconds: float, **given: Any) -> Fetched:
    """Return the whole answer of `url`. The arguments are those of `opened`.

    Raises:
        FetchError: if there is none, it has more than `limit` bytes, or it takes more than `seconds`.
    """
    with opened(url, seconds=seconds, **given) as stream:
        body = stream.read(limit + 1, renew=False)
        if len(body) > limit:
            raise FetchError(f"gives more than {limit:,} bytes", too_large=True)
        return Fetched(stream.status, stream.headers, body)


def new_session(auth: Any = None) -> requests.Session:
    """Return a session whose answers `opened` can end in time.

    Args:
        auth: of requests. Without it, addresses and ~/.netrc give names and passwords.
    """
    session = requests.Session()
    session.auth = auth
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter())
    return session


def _head(client: requests.Session, method: str, url: str, clock: Deadline, given: dict[str, Any]) -> requests.Response:
    _running.clock, _running.public = clock, given.pop("public", False)
    given = {"stream": True, "timeout": (_CONNECT_S, clock.seconds), "allow_redirects": False, **given}
    try:
        return client.request(method, url, **given)
    except _FAILURES as error:
        slow = clock.is_over or isinstance(error, requests.Timeout)
        raise FetchError(f"can't be reached ({type(error).__name__})", slow=slow) from None
    finally:
        _running.clock, _running.public = None, False


# -- requests has a timeout for each read of a socket, so a byte a second lasts for ever: here a socket has a deadline


@dataclass(slots=True)
class Deadline:
    """A number of seconds, and when they are over."""

    seconds: float
    until: float = math.inf

    def start(self) -> None:
        """Count the seconds from now on."""
        self.until = time.monotonic() + self.seconds

    @property
    def is_over(self) -> bool:
        """Whether they are over."""
        return time.monotonic() >= self.until


_running = threading.local()


class _UntilDeadline(io.RawIOBase):
    def __init__(self, raw: Any, sock: socket.socket, clock: Deadline) -> None:
        self._raw, self._sock, self._clock = raw, sock, clock

    @override
    def readable(self) -> bool:
        return True

    @override
    def fileno(self) -> int:
        return int(self._raw.fileno())

    @override
    def readinto(self, buffer: Any) -> int | None:
        left = self._clock.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)  # type: ignore[no-any-return]

    @override
    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *given: Any, **more: Any) -> None:
        super().__init__(sock, *given, **more)
        _running.peer = ip_address(sock.getpeername()[0].partition("%")[0])
        if clock := getattr(_running, "clock", None):
            clock.start()
            raw = self.fp.detach()
            self.fp = io.BufferedReader(_UntilDeadline(raw, sock, clock), _PIECE)


_UNICAST, _NAT64 = ip_network("2000::/3"), ip_network("64:ff9b::/96")
_SPECIAL = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "3fff::/20")))
"""Protocols (RFC 6890; Teredo is one), relays of 6to4, documentation: what Python calls global, or leads anywhere."""


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether an address is of a host on the public internet. One that carries an IPv4 address is what that is."""
    if isinstance(address, IPv6Address):
        carried = IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
        address = address.ipv4_mapped or address.sixtofour or carried or address
    if address.is_multicast or (isinstance(address, IPv6Address) and address not in _UNICAST):
        return False
    return address.is_global and not any(address in network for network in _SPECIAL)


class _Plain(HTTPConnection):
    response_class = _Response

    @override
    def _new_conn(self) -> socket.socket:
        name, until = self._dns_host, time.monotonic() + _ADDRESSES_S
        problem: Exception = OSError("the name has no address")
        for *_, place in socket.getaddrinfo(name, self.port, type=socket.SOCK_STREAM):
            # looked up once: a name may have another address at the next look-up
            self._dns_host = str(place[0])
            try:
                peer = ip_address(self._dns_host.partition("%")[0])
                if getattr(_running, "public", False) and not self.proxy and not is_public(peer):
                    raise FetchError(f"is at {peer}, which is no public address", refused=True)
                return super()._new_conn()
            except (ConnectTimeoutError, NewConnectionError) as error:
                problem = error
            finally:
                self._dns_host = name
            if time.monotonic() >= until:
                break
        raise problem


class _Tls(_Plain, HTTPSConnection):
    @override
    def connect(self) -> None:
        if self.ssl_context is None:
            # the machine's own certificates, also those that an organisation adds, beside the list of requests
            self.ssl_context = create_urllib3_context()
            self.ssl_context.load_default_certs()
        super().connect()


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _Tls


_POOLS = {"http": _PlainPool, "https": _TlsPool}


def is_this_machine(host: str) -> bool:
    """Return whether a host of an address is this machine, as far as its name tells."""
    try:
        address = ip_address(host.partition("%")[0])
        return address.is_loopback or address.is_unspecified
    except ValueError:
        return host.lower() == "localhost"


class _Adapter(HTTPAdapter):
    @override
    def send(self, request: requests.PreparedRequest, *given: Any, **more: Any) -> requests.Response:
        if is_this_machine(urlsplit(str(request.url)).hostname or ""):
            # another machine would answer for the devnet, and be told what a node here is sent
            more["proxies"] = None
        return super().send(request, *given, **more)

    @override
    def init_poolmanager(self, *given: Any, **more: Any) -> None:
        super().init_poolmanager(*given, **more)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    @override
    def proxy_manager_for(self, proxy: Any, **more: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **more)
        if not str(proxy).lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager
