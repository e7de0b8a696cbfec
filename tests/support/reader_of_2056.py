"""Checks a record in an archive's folder by README.txt alone: nothing of blockchaintracer, no library but Python's own.
`check` returns what was shown, or raises AssertionError. Keccak-256 is written out as the text tells it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def keccak(data: bytes, suffix: int = 0x01) -> bytes:
    rate, state = 136, [[0] * 5 for _ in range(5)]
    data += bytes([suffix]) + bytes(-(len(data) + 1) % rate)
    data = data[:-1] + bytes([data[-1] ^ 0x80])

    def turn(word: int, by: int) -> int:
        return ((word << by) | (word >> (64 - by))) & (2**64 - 1) if by else word

    for start in range(0, len(data), rate):
        for i in range(rate // 8):
            state[i % 5][i // 5] ^= int.from_bytes(data[start + 8 * i : start + 8 * i + 8], "little")
        register = 1
        for _ in range(24):
            c = [state[x][0] ^ state[x][1] ^ state[x][2] ^ state[x][3] ^ state[x][4] for x in range(5)]
            for x in range(5):
                for y in range(5):
                    state[x][y] ^= c[x - 1] ^ turn(c[(x + 1) % 5], 1)
            x, y, word = 1, 0, state[1][0]
            for t in range(24):
                x, y = y, (2 * x + 3 * y) % 5
                word, state[x][y] = state[x][y], turn(word, (t + 1) * (t + 2) // 2 % 64)
            for y in range(5):
                row = [state[x][y] for x in range(5)]
                for x in range(5):
                    state[x][y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5] & (2**64 - 1))
            for j in range(7):
                state[0][0] ^= (register & 1) << (2**j - 1)
                register <<= 1
                register ^= 0x171 if register >= 256 else 0
    return b"".join(state[i % 5][i // 5].to_bytes(8, "little") for i in range(4))


def rlp(data: bytes) -> tuple[Any, bytes]:
    """The first value, and what follows it."""
    b, rest = data[0], data[1:]
    if b < 0x80:
        return data[:1], rest
    base = 0x80 if b < 0xC0 else 0xC0
    size = b - base
    if size > 55:
        count = size - 55
        size, rest = int.from_bytes(rest[:count], "big"), rest[count:]
    inner, rest = rest[:size], rest[size:]
    assert len(inner) == size
    if base == 0x80:
        return inner, rest
    values = []
    while inner:
        value, inner = rlp(inner)
        values.append(value)
    return values, rest


def number(value: int) -> bytes:
    return value.to_bytes(32, "big")


def plain(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def record_id(chain: str, registry: str, key: dict[str, Any]) -> bytes:
    link = "Link(bytes32 parent,uint8 relation)"
    record = "Record(uint32 group,address author,uint8 subjectType,bytes32 subject,uint8 kind,bytes32 manifest,"
    parents = [(plain(it["parent"]), number(it["relation"])) for it in key["parents"]]
    links = keccak(b"".join(keccak(keccak(link.encode()) + parent + relation) for parent, relation in parents))
    fields = [number(key["group"]), number(int(key["author"], 16)), number(key["subjectType"]), plain(key["subject"])]
    fields += [number(key["kind"]), plain(key["manifest"]), links]
    struct = keccak(keccak(f"{record}Link[] parents){link}".encode()) + b"".join(fields))
    domain = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
    domain += keccak(b"BlockchainTracer LabRegistry") + keccak(b"1") + number(int(chain)) + number(int(registry, 16))
    return keccak(b"\x19\x01" + keccak(domain) + struct)


def logs_of(receipt: dict[str, Any]) -> tuple[bytes, int, list[Any]]:
    """Hash of the block, its time, and the logs of the receipt under it."""
    header = plain(receipt["header"])
    fields, _ = rlp(header)
    key, wanted, found = receipt["index"], fields[5], b""
    text = bytes([0x80]) if key == 0 else key.to_bytes((key.bit_length() + 7) // 8, "big")
    path = (text if text[0] <= 0x80 else bytes([0x80 + len(text)]) + text).hex()
    nodes = [plain(node) for node in receipt["nodes"]]
    node: Any = None
    while not found:
        if node is None:
            data = nodes.pop(0)
            assert keccak(data) == wanted
            node, _ = rlp(data)
        if len(node) == 17:
            following, path, is_end = (node[int(path[0], 16)], path[1:], False) if path else (node[16], "", True)
        else:
            piece = node[0].hex()
            is_end, piece = piece[0] in "23", piece[1:] if piece[0] in "13" else piece[2:]
            assert path.startswith(piece)
            following, path = node[1], path[len(piece) :]
        if is_end:
            found = following
        elif isinstance(following, bytes):
            wanted, node = following, None
        else:
            node = following
    values, _ = rlp(found[1:] if found[0] < 0xC0 else found)
    assert values[0] == b"\x01"
    return keccak(header), int.from_bytes(fields[11], "big"), values[3]


def check(folder: Path, record: str, trusted: set[str]) -> dict[str, Any]:
    head = json.loads((folder / "registry.json").read_text())
    proof = json.loads((folder / f"proofs/{record}.json").read_text())
    key, registry = proof["key"], head["registry"]
    assert record_id(head["chainId"], registry, key) == plain(record), "step 1"
    manifest = (folder / f"objects/{key['manifest'][:2]}/{key['manifest'][2:]}").read_bytes()
    assert hashlib.sha256(manifest).hexdigest() == key["manifest"], "step 2"
    assert json.loads(manifest)["subject"][0]["digest"]["sha256"] == key["subject"], "step 2"
    content = folder / f"objects/{key['subject'][:2]}/{key['subject'][2:]}"
    if key["subjectType"] in (1, 2) and content.exists():
        assert hashlib.sha256(content.read_bytes()).hexdigest() == key["subject"], "step 3"
    wanted = [keccak(b"Recorded(uint32,address,bytes32,uint8,bytes32,uint8,bytes32,(bytes32,uint8)[])"), plain(record)]
    if "root" in proof:
        x = keccak(keccak(plain(record)))
        for sibling in map(plain, proof["proof"]):
            x = keccak(x + sibling if x < sibling else sibling + x)
        assert x == plain(proof["root"]), "the batch"
        wanted = [keccak(b"Anchored(uint32,address,bytes32,uint48,bytes32)"), number(int(key["author"], 16)), x]
    for receipt in proof["receipts"]:
        block, time, logs = logs_of(receipt)
        for address, topics, data in logs:
            fits = address == plain(registry) and topics[: len(wanted)] == wanted
            if fits and ("root" not in proof or data[:32] == number(key["group"])):
                assert f"0x{block.hex()}" in trusted, "step 4: nobody whom I trust told me of this block"
                return {"time": time, "author": key["author"], "subject": key["subject"]}
    raise AssertionError("step 5: no receipt tells of the record")
