"""Bitcoin headers that a verifier trusts: by the hash of a block, by a file of headers, or by a node.

A header proves that a block with its Merkle root was mined, and its time is the miner's: not before the median of the
eleven blocks before, and at most two hours ahead of the nodes that took it (`MAX_FUTURE_BLOCK_TIME` of Bitcoin Core).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable, InputError
from blockchaintracer.core.fetch import FetchError, fetch, new_session
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.networks import redact_url
from blockchaintracer.core.plain_json import canonical, parse_json
from blockchaintracer.core.record import normal_digest

AHEAD_S = 2 * 3600
"""How far a miner's clock may be ahead: a block of a stated time may have been mined so much later."""
AUTH_VARIABLE = "BLOCKCHAINTRACER_BITCOIN_AUTH"
"""Environment variable with ``user:password`` of the node, which no argument holds."""
_SIZE = 80
_EASIEST = 0x1D00FFFF
_EASIEST_REGTEST = 0x207FFFFF
_MAX_FILE = 1 << 28
_CONFIRMATIONS = 6
_LINE = re.compile(rb"(\d{1,9})[ \t]+([0-9a-f]{160})")
_HEIGHTS = 1 << 31


@dataclass(frozen=True, slots=True)
class BitcoinHeader:
    """The header of a block: 80 bytes."""

    data: bytes

    @property
    def hash(self) -> str:
        """The hash of the block as it is usually written: 64 hex digits, reversed."""
        return self._hash[::-1].hex()

    @property
    def _hash(self) -> bytes:
        return sha256(sha256(self.data).digest()).digest()

    @property
    def previous(self) -> bytes:
        """The hash of the block before, as it stands in the header."""
        return self.data[4:36]

    @property
    def merkle_root(self) -> bytes:
        """What it commits to."""
        return self.data[36:68]

    @property
    def time(self) -> int:
        """The miner's time, Unix seconds."""
        return int.from_bytes(self.data[68:72], "little")

    def why_no_work(self, *, regtest: bool = False) -> str | None:
        """Say why nobody worked for it; None if its hash is as low as its own target, which is one of Bitcoin's."""
        bits = int.from_bytes(self.data[72:76], "little")
        target, easiest = _target(bits), _target(_EASIEST_REGTEST if regtest else _EASIEST)
        if not 0 < target <= easiest:
            return f"its target (bits {bits:#010x}) is easier than Bitcoin allows"
        return None if int.from_bytes(self._hash, "little") <= target else "its hash shows no work"


def _target(bits: int) -> int:
    size, word = bits >> 24, bits & 0x7FFFFF
    return 0 if bits & 0x800000 or size > 34 else word << 8 * (size - 3) if size > 3 else word >> 8 * (3 - size)


@dataclass(frozen=True, kw_only=True)
class TrustedHeaders:
    """What a verifier trusts of Bitcoin.

    Args:
        hashes: of blocks, as they are usually written.
        by_height: headers of a file.
        node: gives a header that a node has, or None. Raises ChainUnavailable.
        regtest: take headers that anybody mines in no time: for tests, and proof to nobody.
    """

    hashes: frozenset[str] = frozenset()
    by_height: Callable[[int], BitcoinHeader | None] | None = field(default=None, repr=False)
    node: Callable[[int], BitcoinHeader | None] | None = field(default=None, repr=False)
    regtest: bool = False

    def find(self, height: int, shown: Iterable[str]) -> tuple[BitcoinHeader | None, str]:
        """Return the header of a height that is trusted, and by what, or None and why there is none.

        Args:
            shown: headers that came with a receipt, 160 hex digits each.

        Raises:
            ChainUnavailable: if the node does not answer.
        """
        if self.by_height and (header := self.by_height(height)):
            return header, "by your file of headers"
        came = [BitcoinHeader(bytes.fromhex(text)) for text in shown]
        if header := next((it for it in came if it.hash in self.hashes), None):
            return header, "whose hash you trust"
        if self.node:
            header = self.node(height)
            return header, "by your node" if header else f"your node has no final block {height}"
        if came:
            return None, f"nothing that you chose says that Bitcoin has the block {came[0].hash}"
        return None, f"no header of block {height} that you trust is here"


def normal_block_hash(text: str) -> str:
    """Return the hash of a Bitcoin block, as it is usually written."""
    return normal_digest(text, "hash of a Bitcoin block")


def headers_of_file(path: Path, *, regtest: bool = False) -> Callable[[int], BitcoinHeader | None]:
    """Read a file of headers that the verifier trusts: ``HEIGHT HEADER`` in hex, one a line; or all headers from the
    first block on, 80 bytes each, as wallets keep them.

    Raises:
        InputError: if it is neither, a header has no work, or one does not follow the one before.
    """
    data = read_limited(path, _MAX_FILE, "a file of Bitcoin headers")
    lines = [_LINE.fullmatch(line.strip()) for line in data.split(b"\n") if line.strip()] if data[:1].isdigit() else []
    if lines and all(lines):
        known = {int(it[1]): BitcoinHeader(bytes.fromhex(it[2].decode())) for it in lines if it}
        for height, header in known.items():
            if why := header.why_no_work(regtest=regtest):
                raise InputError(f"{path}: the header of block {height} does not count: {why}")
            if (before := known.get(height - 1)) and before.hash != header.previous[::-1].hex():
                raise InputError(f"{path}: block {height} does not follow block {height - 1}")
        return known.get
    if not data or len(data) % _SIZE or any(data[4:36]):
        raise InputError(
            f"{path}: expected Bitcoin headers, got something else",
            hint="Lines `HEIGHT HEADER` with 160 hex digits, or every header from block 0 on, 80 bytes each.",
        )

    def at(height: int) -> BitcoinHeader | None:
        start = height * _SIZE
        if not 0 <= start < len(data):
            return None
        header = BitcoinHeader(data[start : start + _SIZE])
        before = BitcoinHeader(data[start - _SIZE : start]) if start else None
        why = header.why_no_work(regtest=regtest)
        if why or (before and before.hash != header.previous[::-1].hex()):
            raise InputError(f"{path}: the header of block {height} does not count: {why or 'it follows no other'}")
        return header

    return at


def headers_of_node(url: str) -> Callable[[int], BitcoinHeader | None]:
    """Return what asks a Bitcoin node for a header with six confirmations (``getblockhash``, ``getblockheader``).

    A node that did not answer once is not asked again: a stranger's receipts can name many blocks.
    """
    user, _, password = os.environ.get(AUTH_VARIABLE, "").partition(":")
    silent = list[str]()

    def ask(method: str, *params: object) -> object:
        if silent:
            raise ChainUnavailable(silent[0], hint="Name another by --bitcoin-rpc.")
        with new_session((user, password) if user else None) as session:
            body = canonical({"jsonrpc": "1.0", "id": 1, "method": method, "params": list(params)})
            try:
                answer = fetch(url, limit=1 << 20, seconds=20, method="POST", data=body, session=session)
                plain = parse_json(answer.body, "a Bitcoin node")
            except (FetchError, BlockchainTracerError) as error:
                reason = str(error) if isinstance(error, FetchError) else "does not answer as a Bitcoin node"
                silent.append(f"{redact_url(url)} {reason}")
                raise ChainUnavailable(silent[0], hint="Name another by --bitcoin-rpc.") from None
        return plain.get("result") if isinstance(plain, dict) else None

    def at(height: int) -> BitcoinHeader | None:
        block = ask("getblockhash", height) if 0 <= height < _HEIGHTS else None
        about = ask("getblockheader", block, True) if isinstance(block, str) else None
        if not isinstance(about, dict) or not isinstance(count := about.get("confirmations"), int):
            return None
        text = ask("getblockheader", block, False)
        header = (
            BitcoinHeader(bytes.fromhex(text))
            if isinstance(text, str) and re.fullmatch("[0-9a-f]{160}", text)
            else None
        )
        return header if header and header.hash == block and count >= _CONFIRMATIONS else None

    return at
