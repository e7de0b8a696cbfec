"""Gateways that give wrong bytes, too few, too many, without end, or point elsewhere: nothing half-kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from blockchaintracer.core.digest import DagLink, cid_bytes, protobuf_field, varint
from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable, InputError, NotVerified
from blockchaintracer.lab.store.ipfs import gateway as module
from blockchaintracer.lab.store.ipfs.blocks import Cid, parse_node
from blockchaintracer.lab.store.ipfs.car import car, read_car
from blockchaintracer.lab.store.ipfs.dag import Tree
from blockchaintracer.lab.store.ipfs.download import download
from blockchaintracer.lab.store.ipfs.gateway import Address, Gateways
from blockchaintracer.lab.store.store import Store

pytestmark = pytest.mark.node

MIB = 1 << 20
Answer = Callable[["Handler", str, str], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        kind = query.split("&")[0].removeprefix("format=")
        self.server.asked.append((kind, path.removeprefix("/ipfs/")))
        self.close_connection = True
        self.server.answer(self, kind, path.removeprefix("/ipfs/"))

    def give(self, data: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), "Connection": "close", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def gateway(answer: Answer) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.answer, server.asked = answer, []
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A file of nine chunks, all of them different."""
    file = tmp_path / "original"
    file.write_bytes(b"".join(bytes([number]) * MIB for number in range(9)))
    return Tree.of(file)


def honest(tree: Tree, change: Callable[[str, str, bytes], bytes | None] = lambda kind, cid, data: data) -> Answer:
    root = tree.root()
    blocks = {str(Cid.decode(cid)): data for cid, data in tree.blocks(root)}
    # a gateway's archive has the root first
    order = [(root.binary, blocks[str(root)]), *((c, d) for c, d in tree.blocks(root) if c != root.binary)]

    def answer(handler: Handler, kind: str, cid: str) -> None:
        data = b"".join(car(root, order)) if kind == "car" else blocks.get(cid)
        data = None if data is None else change(kind, cid, data)
        handler.give(b"", 404) if data is None else handler.give(data)

    return answer


def fetch(tree: Tree, folder: Path, *urls: str, limit: int = 1 << 30) -> bytes:
    target = folder / "fetched"
    try:
        download(Address(tree.root(), (), None), target, limit=limit, gateways=Gateways(urls, pause_s=0.01))
        return target.read_bytes()
    except BlockchainTracerError:
        assert not [left for left in folder.iterdir() if left.name != "original"]
        raise


def test_an_honest_gateway_gives_the_file(tree: Tree, tmp_path: Path) -> None:
    with gateway(honest(tree)) as (url, asked):
        assert fetch(tree, tmp_path, url) == (tmp_path / "original").read_bytes()
    # the root twice (to look, and to read), then all the rest in one stream
    assert [kind for kind, _ in asked] == ["raw", "raw", "car"]


def test_wrong_bytes_are_refused_and_the_gateway_is_not_asked_again(tree: Tree, tmp_path: Path) -> None:
    def wrong(kind: str, cid: str, data: bytes) -> bytes:
        return data[:-1] + bytes([data[-1] ^ 1])

    with gateway(honest(tree, wrong)) as (bad, asked):
        with pytest.raises(NotVerified, match=str(tree.root())):
            fetch(tree, tmp_path, bad)
        assert len(asked) == 1
        with gateway(honest(tree)) as (good, _):
            assert fetch(tree, tmp_path, bad, good) == (tmp_path / "original").read_bytes()
        assert len(asked) == 2


def test_a_stream_that_breaks_off_goes_on_block_by_block(tree: Tree, tmp_path: Path) -> None:
    def cut(kind: str, cid: str, data: bytes) -> bytes:
        return data[: 5 * MIB] if kind == "car" else data

    with gateway(honest(tree, cut)) as (url, asked):
        assert fetch(tree, tmp_path, url) == (tmp_path / "original").read_bytes()
    # four of the nine came with the stream
    assert [kind for kind, _ in asked] == ["raw", "raw", "car", *["raw"] * 5]


def test_blocks_that_break_off_are_tried_again(tree: Tree, tmp_path: Path) -> None:
    tries: dict[str, int] = {}
    inner = honest(tree)

    def flaky(handler: Handler, kind: str, cid: str) -> None:
        tries[kind + cid] = tries.get(kind + cid, 0) + 1
        if kind == "car":
            handler.give(b"", 501)
        elif tries[kind + cid] == 1:
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            handler.wfile.write(b"half")
        else:
            inner(handler, kind, cid)

    with gateway(flaky) as (url, _):
        assert fetch(tree, tmp_path, url) == (tmp_path / "original").read_bytes()


def test_a_gateway_that_always_breaks_off_leaves_nothing(tree: Tree, tmp_path: Path) -> None:
    inner = honest(tree)

    def broken(handler: Handler, kind: str, cid: str) -> None:
        if cid == str(tree.root()) and kind == "raw":
            return inner(handler, kind, cid)
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        return None

    with gateway(broken) as (url, _), pytest.raises(ChainUnavailable, match="broke off"):
        fetch(tree, tmp_path, url)


@pytest.mark.parametrize("kind", ["raw", "car"])
def test_an_endless_answer_is_left_after_a_block(tree: Tree, tmp_path: Path, kind: str) -> None:
    sent = 0
    inner = honest(tree)

    def endless(handler: Handler, asked: str, cid: str) -> None:
        nonlocal sent
        if asked != kind:
            return inner(handler, asked, cid)
        handler.send_response(200)
        handler.end_headers()
        try:
            if kind == "car":
                handler.wfile.write(b"".join(car(tree.root(), ())))
                sent_header = varint(1 << 30)
                handler.wfile.write(sent_header)
            while sent < 1 << 28:
                sent += handler.wfile.write(b"\x00" * (1 << 16))
        except OSError:
            pass
        return None

    with gateway(endless) as (url, _):
        if kind == "raw":
            with pytest.raises(NotVerified, match="more than"):
                fetch(tree, tmp_path, url)
        else:
            assert fetch(tree, tmp_path, url) == (tmp_path / "original").read_bytes()
    # what lies in the sockets' buffers besides
    assert sent < 32 << 20


def test_a_byte_now_and_then_is_no_answer(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK_S", 0.3)

    def slow(handler: Handler, kind: str, cid: str) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(200):
                handler.wfile.write(b"x")
                time.sleep(0.05)
        except OSError:
            pass

    with gateway(slow) as (url, _), pytest.raises(ChainUnavailable, match=r"in 0\.3 s"):
        fetch(tree, tmp_path, url)


def test_blocks_that_nobody_asked_for_are_not_taken(tree: Tree, tmp_path: Path) -> None:
    root = tree.root()
    blocks = list(tree.blocks(root))
    (tmp_path / "other").write_bytes(b"other")
    other = Tree.of(tmp_path / "other")
    stranger = list(other.blocks(other.root()))
    (tmp_path / "other").unlink()
    inner = honest(tree)

    def extra(handler: Handler, kind: str, cid: str) -> None:
        if kind == "car":
            # valid blocks, the second of which does not belong here, and then blocks without end
            return handler.give(b"".join(car(root, [blocks[-1], *stranger, *blocks[:-1], *stranger * 1000])))
        return inner(handler, kind, cid)

    with gateway(extra) as (url, asked):
        assert fetch(tree, tmp_path, url) == (tmp_path / "original").read_bytes()
    assert [kind for kind, _ in asked].count("raw") == 2 + 9


def test_another_root_is_refused(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"x" * 5 * MIB)
    other = honest(Tree.of(tmp_path / "other"))
    other_root = str(Tree.of(tmp_path / "other").root())
    (tmp_path / "other").unlink()
    with gateway(lambda handler, kind, cid: other(handler, kind, other_root)) as (url, _), pytest.raises(NotVerified):
        fetch(tree, tmp_path, url)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/", ""])
def test_redirections_lead_to_no_file(tree: Tree, tmp_path: Path, target: str) -> None:
    def away(handler: Handler, kind: str, cid: str) -> None:
        handler.give(b"", 302, Location=target)

    with gateway(away) as (url, asked), pytest.raises(NotVerified, match="points"):
        fetch(tree, tmp_path, url)
    assert len(asked) <= 4


def test_a_tree_that_is_larger_than_allowed_is_refused_before_a_byte_is_kept(tree: Tree, tmp_path: Path) -> None:
    with gateway(honest(tree)) as (url, asked), pytest.raises(NotVerified, match="at most"):
        fetch(tree, tmp_path, url, limit=9 * MIB - 1)
    assert len(asked) == 1


def served(blocks: dict[str, bytes]) -> Answer:
    def answer(handler: Handler, kind: str, cid: str) -> None:
        handler.give(blocks[cid]) if kind == "raw" and cid in blocks else handler.give(b"", 404)

    return answer


def node(content: bytes, *links: DagLink, names: tuple[str, ...] = ()) -> tuple[Cid, bytes]:
    """A block with any content, hashed as it should be: the author of a tree can be hostile too."""
    import hashlib

    named = names or ("",) * len(links)
    data = b"".join(link.encode(name) for link, name in zip(links, named, strict=True)) + protobuf_field(1, content)
    return Cid(1, 0x70, hashlib.sha256(data).digest()), data


def test_a_tree_of_nothing_without_end_is_refused(tmp_path: Path) -> None:
    cid, block = node(b"\x08\x02\x18\x00")
    blocks = {str(cid): block}
    for _ in range(20):
        # each node names the last one a hundred times: 100^20 blocks of no bytes
        links = [DagLink(cid.binary, 0, 0)] * 100
        cid, block = node(b"\x08\x02\x18\x00" + b"\x20\x00" * 100, *links)
        blocks[str(cid)] = block
    with gateway(served(blocks)) as (url, asked), pytest.raises(NotVerified, match="contradicts itself"):
        download(Address(cid, (), None), tmp_path / "x", limit=1000, gateways=Gateways([url]))
    assert len(asked) == 1


def test_a_node_that_lies_about_the_size_below_it_is_refused(tmp_path: Path) -> None:
    leaf = b"x" * 1000
    import hashlib

    inner = Cid(1, 0x55, hashlib.sha256(leaf).digest())
    cid, block = node(b"\x08\x02\x18\x01\x20\x01", DagLink(inner.binary, 1, 1))
    with gateway(served({str(cid): block, str(inner): leaf})) as (url, _), pytest.raises(NotVerified, match="1000"):
        download(Address(cid, (), None), tmp_path / "x", limit=10, gateways=Gateways([url]))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_itself_many_times_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from blockchaintracer.lab.store.ipfs import download as downloads

    monkeypatch.setattr(downloads, "MAX_ENTRIES", 200)
    cid, block = node(b"\x08\x01")
    blocks = {str(cid): block}
    for _ in range(10):
        names = tuple(f"n{number}" for number in range(10))
        cid, block = node(b"\x08\x01", *[DagLink(cid.binary, 0, 0)] * 10, names=names)
        blocks[str(cid)] = block
    with gateway(served(blocks)) as (url, _), pytest.raises(NotVerified, match="entries"):
        download(Address(cid, (), None), tmp_path / "x", limit=1000, gateways=Gateways([url]))


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "/etc"])
def test_names_that_leave_their_folder_are_refused(tmp_path: Path, name: str) -> None:
    import hashlib

    leaf = Cid(1, 0x55, hashlib.sha256(b"x").digest())
    cid, block = node(b"\x08\x01", DagLink(leaf.binary, 1, 1), names=(name,))
    with (
        gateway(served({str(cid): block, str(leaf): b"x"})) as (url, _),
        pytest.raises((InputError, NotVerified)),
    ):
        download(Address(cid, (), None), tmp_path / "in" / "x", limit=1000, gateways=Gateways([url]))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "block",
    [b"", b"\xff" * 20, b"\x0a\x05", b"\x12\x02\x0a\x00", b"\x0a\x02\x08\x05", b"\x0a\x02\x08\x04", b"\x0b\x00\x00"],
)
def test_what_is_no_node_is_refused(block: bytes) -> None:
    with pytest.raises(NotVerified):
        parse_node(Cid(1, 0x70, bytes(32)), block)


@pytest.mark.parametrize("cut", [1, 10, 58, 60, 61, 100])
def test_an_archive_that_ends_early_is_refused(tree: Tree, cut: int) -> None:
    import io

    whole = b"".join(car(tree.root(), tree.blocks(tree.root())))
    assert len(list(read_car(io.BytesIO(whole).read, "here"))) == 10
    with pytest.raises(NotVerified):
        list(read_car(io.BytesIO(whole[:-cut]).read, "here"))
    with pytest.raises(NotVerified):
        list(read_car(io.BytesIO(whole[:cut]).read, "here"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Qm",
        "Qm" + "0" * 44,
        "bafy",
        "b" + "a" * 58,
        "zdj7W",
        "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5f",
    ],
)
def test_what_is_no_cid_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Cid.parse(text)


def test_a_store_keeps_nothing_that_a_gateway_gave_wrongly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The CID is right and the file is not the object that was asked for: the address is a stranger's word."""
    (tmp_path / "file").write_bytes(b"not what the record says")
    tree = Tree.of(tmp_path / "file")
    store = Store(tmp_path / "store")
    with gateway(honest(tree)) as (url, _), pytest.raises(NotVerified, match="SHA-256"):
        store.fetch("ab" * 32, [f"{url}/ipfs/{tree.root()}"])
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []


def test_the_names_of_links_are_compared_whole() -> None:
    link = DagLink(cid_bytes(1, 0x55, bytes(32)), 1, 1)
    cid, block = node(b"\x08\x01", link, link, names=("a", "ab"))
    assert [entry.name for entry in parse_node(cid, block).links] == ["a", "ab"]
