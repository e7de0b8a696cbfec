"""A simulator of OpenTimestamps calendars and of Bitcoin, for tests: real calendars need the internet and a day. The
proofs are those of the library `opentimestamps`; the headers are mined in no time, as on Bitcoin's regtest."""

from __future__ import annotations

import json
import os
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from typing import Any

from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, PendingAttestation
from opentimestamps.core.op import OpAppend, OpPrepend, OpSHA256
from opentimestamps.core.serialize import BytesSerializationContext
from opentimestamps.core.timestamp import DetachedTimestampFile, Timestamp

from tests.support.serving import serving

REGTEST = 0x207FFFFF


def mined(merkle_root: bytes, at: int | None = None, bits: int = REGTEST, previous: bytes = bytes(32)) -> bytes:
    """A header of 80 bytes whose hash is as low as its target."""
    target = (bits & 0x7FFFFF) << 8 * ((bits >> 24) - 3)
    for nonce in range(1 << 20):
        start = (2).to_bytes(4, "little") + previous + merkle_root
        header = start + b"".join(it.to_bytes(4, "little") for it in (at or int(time.time()), bits, nonce))
        if int.from_bytes(sha256(sha256(header).digest()).digest(), "little") <= target:
            return header
    raise AssertionError("no header was found")


def block_hash(header: bytes) -> str:
    return sha256(sha256(header).digest()).digest()[::-1].hex()


def sha256d(stamp: Timestamp) -> Timestamp:
    return stamp.ops.add(OpSHA256()).ops.add(OpSHA256())


def into_block(stamp: Timestamp, height: int, at: int | None = None, depth: int = 12, bits: int = REGTEST) -> bytes:
    """Lead a message into a block as calendars do, by a transaction and the way to the root. Returns the header."""
    transaction = stamp.ops.add(OpPrepend(os.urandom(110))).ops.add(OpAppend(os.urandom(90)))
    node = sha256d(transaction)
    for level in range(depth):
        op = OpAppend(os.urandom(32)) if level % 2 else OpPrepend(os.urandom(32))
        node = sha256d(node.ops.add(op))
    node.attestations.add(BitcoinBlockHeaderAttestation(height))
    return mined(node.msg, at, bits)


def written(stamp: Timestamp) -> bytes:
    context = BytesSerializationContext()
    DetachedTimestampFile(OpSHA256(), stamp).serialize(context)
    return bytes(context.getbytes())


def complete(digest: str, height: int = 800_000, at: int | None = None, bits: int = REGTEST) -> tuple[bytes, bytes]:
    """A small proof of a SHA-256 that leads to a block, and the block's header."""
    stamp = Timestamp(bytes.fromhex(digest))
    header = into_block(stamp.ops.add(OpAppend(b"a calendar")).ops.add(OpSHA256()), height, at, 2, bits)
    return written(stamp), header


class Simulator:
    """Calendars behind HTTP: each path is one of its own."""

    def __init__(self) -> None:
        self.url = ""
        self.height = 800_000
        self.headers: dict[int, bytes] = {}
        self.down = False
        self.asked: list[str] = []
        self._done: dict[bytes, Timestamp] = {}
        self._waiting: dict[bytes, Timestamp] = {}

    def submit(self, digest: bytes, calendar: str) -> Timestamp:
        stamp = Timestamp(digest)
        node = stamp.ops.add(OpAppend(os.urandom(16))).ops.add(OpSHA256())
        for level in range(6):  # the calendar's own tree of a second
            op = OpAppend(os.urandom(32)) if level % 2 else OpPrepend(os.urandom(32))
            node = node.ops.add(op).ops.add(OpSHA256())
        self._waiting[node.msg] = Timestamp(node.msg)
        node.attestations.add(PendingAttestation(f"{self.url}{calendar}"))
        return stamp

    def mine(self, at: int | None = None) -> None:
        """Put all that waits into blocks, each into one of its own."""
        for message, stamp in self._waiting.items():
            node = stamp
            for level in range(10):  # up to the root of a day
                op = OpAppend(os.urandom(32)) if level % 2 else OpPrepend(os.urandom(32))
                node = node.ops.add(op).ops.add(OpSHA256())
            self.headers[self.height] = into_block(node, self.height, at)
            self.height += 2
            self._done[message] = stamp
        self._waiting.clear()

    def header_lines(self) -> str:
        return "".join(f"{height} {header.hex()}\n" for height, header in self.headers.items())

    def answer(self, path: str, body: bytes | None) -> tuple[int, bytes]:
        self.asked.append(path)
        rest = path.rpartition("/timestamp/")[2] if "/timestamp/" in path else ""
        if self.down:
            return 503, b"away"
        if body is not None and path.endswith("/digest"):
            return 200, serialized(self.submit(body, path.removesuffix("/digest")))
        if rest and (done := self._done.get(bytes.fromhex(rest))):
            return 200, serialized(done)
        return 404, b"Pending confirmation in Bitcoin blockchain"

    def node(self, body: bytes) -> bytes:
        """Answer as a Bitcoin node."""
        asked = json.loads(body)
        known = {block_hash(it): (height, it) for height, it in self.headers.items()}
        result: Any = None
        if asked["method"] == "getblockhash":
            header = self.headers.get(asked["params"][0])
            result = block_hash(header) if header else None
        elif asked["params"][0] in known:
            height, header = known[asked["params"][0]]
            result = {"confirmations": 6 + self.height - height} if asked["params"][1] else header.hex()
        return json.dumps({"result": result, "error": None, "id": 1}).encode()


def serialized(stamp: Timestamp) -> bytes:
    context = BytesSerializationContext()
    stamp.serialize(context)
    return bytes(context.getbytes())


@contextmanager
def calendars() -> Iterator[Simulator]:
    """The simulator behind HTTP on this machine; ``/node`` answers as a Bitcoin node."""
    simulator = Simulator()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(*simulator.answer(self.path, None))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_node = self.path == "/node"
            self._send(*((200, simulator.node(body)) if is_node else simulator.answer(self.path, body)))

        def _send(self, status: int, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as simulator.url:
        yield simulator


def proof_of(row: dict[str, Any]) -> bytes:
    """The proof in a receipt's JSON."""
    return b64decode(row["proof"])
