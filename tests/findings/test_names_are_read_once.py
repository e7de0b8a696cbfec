"""A name that passes through an address names the file that was put in under it, whatever stands in it.

``ipfs://CID/a%20b.csv`` gave the file "a b.csv", and ``ipfs://CID/q?1.csv`` the file "q", as verified.
"""

from __future__ import annotations

import email
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote, unquote

import fsspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blockchaintracer.core.digest import check_path, digest_bytes
from blockchaintracer.core.errors import BlockchainTracerError, InputError, NotVerified, StoreError
from blockchaintracer.core.record import Kind
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.store.ipfs.blocks import Cid, parse_node
from blockchaintracer.lab.store.ipfs.dag import Tree
from blockchaintracer.lab.store.ipfs.download import download
from blockchaintracer.lab.store.ipfs.gateway import GATEWAYS_VARIABLE, Address
from blockchaintracer.lab.store.ipfs.kubo import Kubo
from blockchaintracer.lab.store.ipfs.pinning import Pin, Service, unpin
from blockchaintracer.lab.store.store import Store
from tests.findings.test_hostile_gateways import gateway, honest
from tests.support.labs import typed
from tests.support.serving import serving
from tests.support.stores import published_store

pytestmark = pytest.mark.node

NASTY = [
    "a%20b.csv", "a b.csv", "a+b.csv", "q", "q?1.csv", "q#1.csv", "q%3F1.csv", "%", "%25", "%2e%2e", "%2F", "a%2Fb",
    "%00", "-rf", "--help", " a", "a ", "é", "e\u0301", "É", "\u212b", "a:b", "a;b", "a&b=c", "[a]", "*", "~", "$HOME",
    "'\"`",
    "\u202ecsv.exe", "😀", "x" * 255, "...", ".hidden", "new\nline", "tab\t", "back\\slash", "\r", "\x1b[31m",
]  # fmt: skip
names = st.lists(
    st.sampled_from(NASTY)
    | st.text(st.sampled_from("%?#&+ .-~20eF\n\té\u0301a"), min_size=1, max_size=8).filter(
        lambda name: name not in (".", "..")
    ),
    min_size=1,
    max_size=6,
    unique=True,
)
some = settings(max_examples=30, deadline=None)
every_name = example(NASTY)


def content(name: str) -> bytes:
    """The bytes of the file of a name: another for every name."""
    return b"the file " + name.encode()


@contextmanager
def folder_of(names: Sequence[str]) -> Iterator[tuple[Tree, Path]]:
    """A folder of IPFS with a file for each name, and a place to write to."""
    with TemporaryDirectory() as scratch:
        files = []
        for number, name in enumerate(names):
            file = Path(scratch, f"in-{number}")
            file.write_bytes(content(name))
            files.append((name, str(file)))
        yield Tree(files), Path(scratch)


@some
@every_name
@given(names)
def test_each_door_to_ipfs_gives_the_file_of_the_name(names: list[str]) -> None:
    with folder_of(names) as (tree, scratch), gateway(honest(tree)) as (url, _):
        root = tree.root()
        files = fsspec.filesystem("ipfs", gateways=url, skip_instance_cache=True)
        assert sorted(files.find(str(root))) == sorted(f"{root}/{name}" for name in names)
        for number, name in enumerate(names):
            assert files.cat_file(f"{root}/{name}") == content(name)
            assert files.cat_file(f"ipfs://{root}/{name}") == content(name)
            for kind, address in enumerate((f"ipfs://{root}/{name}", f"{url}/ipfs/{root}/{quote(name, safe='')}")):
                parsed = Address.parse(address)
                assert parsed
                assert parsed.names == (name,)
                target = scratch / f"out-{number}-{kind}"
                download(Address(parsed.cid, parsed.names, (url,)), target, limit=1 << 20)
                assert target.read_bytes() == content(name)


@some
@every_name
@given(names)
def test_the_address_of_a_gateway_that_is_no_url_gives_no_other_file(names: list[str]) -> None:
    with folder_of(names) as (tree, scratch), gateway(honest(tree)) as (url, _):
        for number, name in enumerate(names):
            # as somebody pastes it, who did not quote it
            with suppress(BlockchainTracerError):
                parsed = Address.parse(f"{url}/ipfs/{tree.root()}/{name}")
                assert parsed
                assert parsed.names == (unquote(name),)
                download(parsed, scratch / f"out-{number}", limit=1 << 20)
                assert (scratch / f"out-{number}").read_bytes() == content(unquote(name))


@some
@every_name
@given(names)
def test_a_whole_folder_has_its_names_or_is_refused(names: list[str]) -> None:
    with folder_of(names) as (tree, scratch), gateway(honest(tree)) as (url, _):
        try:
            download(Address(tree.root(), (), (url,)), scratch / "out", limit=1 << 20)
        except InputError:
            assert not (scratch / "out").exists()
            return
        assert {path.name: path.read_bytes() for path in (scratch / "out").iterdir()} == {n: content(n) for n in names}


@pytest.mark.parametrize(
    "end", ["?format=car", "?filename=other.csv", "#part", "\n", "/..", "/%2e%2e", "/a%2Fb", "//a", "/%FF"]
)
def test_an_address_that_says_more_than_a_name_is_refused(end: str) -> None:
    cid = digest_bytes(b"x").cid
    with pytest.raises(InputError):
        Address.parse(f"https://gateway.example/ipfs/{cid}{end}")


def test_two_files_of_one_name_are_neither() -> None:
    with folder_of(["a", "b"]) as (tree, _):
        blocks = {str(Cid.decode(cid)): data for cid, data in tree.blocks(tree.root())}
    [root] = [data for data in blocks.values() if b"in-" not in data and data.startswith(b"\x12")]
    twice = root.replace(b"\x12\x01b", b"\x12\x01a")
    assert twice != root
    with pytest.raises(NotVerified, match="different names"):
        parse_node(Cid(1, 0x70, sha256(twice).digest()), twice)


@pytest.mark.parametrize("name", ["a%20b.csv", "q?1.csv", "-rf"])
def test_the_verb_writes_the_file_of_the_name(name: str, tmp_path: Path) -> None:
    with folder_of([*NASTY[:5], "-rf", "rf"]) as (tree, _), gateway(honest(tree)) as (url, _):
        address = f"{tree.root()}/{name}"
        more = {GATEWAYS_VARIABLE: url}
        done = typed("ipfs", "fetch", address, "-o", str(tmp_path / "out"), home=tmp_path / "home", **more)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "out").read_bytes() == content(name)
        done = typed("ipfs", "fetch", "ipfs://" + address, "-o", str(tmp_path / "two"), home=tmp_path / "home", **more)
        assert (tmp_path / "two").read_bytes() == content(name)
        done = typed("ipfs", "fetch", f"{url}/ipfs/{tree.root()}/q?1.csv", "-o", str(tmp_path / "x"), home=tmp_path)
        assert done.returncode == 2
        assert "%3F" in done.stderr
        done = typed("ipfs", "fetch", f"{tree.root()}/c%20d", "-o", str(tmp_path / "x"), home=tmp_path / "home", **more)
        assert done.returncode == 2
        assert "%20 is no space" in done.stderr
        assert not (tmp_path / "x").exists()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.mark.parametrize("name", [name for name in NASTY if len(name) < 200])
def test_a_published_folder_of_any_name_is_found_again(name: str, tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    store = Store(tmp_path / "store")
    digest = store.put_bytes(content(name))
    published_store(store, [digest], tmp_path / "web" / name)
    with serving(partial(Quiet, directory=str(tmp_path / "web"))) as url:
        for number, query in enumerate(("", "?token=a/b")):
            other = Store(tmp_path / f"other-{number}")
            other.fetch(digest, [f"{url}/{quote(name, safe='')}{query}"])
            assert other.get_bytes(digest) == content(name)
        with pytest.raises(StoreError, match="%23"):
            Store(tmp_path / "none").fetch(digest, [f"{url}/web#1"])
    if not set(name) & set("*?[:") and "\\" not in name:
        other = Store(tmp_path / "by-fsspec")
        other.fetch(digest, [f"file://{tmp_path}/web/{name}"])
        assert other.get_bytes(digest) == content(name)


@pytest.mark.parametrize("name", [name for name in NASTY if len(name) < 255])
def test_a_node_is_given_the_name_and_the_bytes(name: str, tmp_path: Path) -> None:
    got = {}
    file = tmp_path / name
    file.write_bytes(content(name))

    class Node(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
            [part] = email.message_from_bytes(head + body).get_payload()
            # as Kubo reads it (boxo/files: QueryUnescape)
            got["name"] = unquote(part.get_filename().replace("+", " "))
            got["data"] = part.get_payload(decode=True)
            answer = json.dumps({"Hash": digest_bytes(got["data"]).cid}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            pass

    with serving(Node) as url:
        cid = Kubo(url).add(file)
    assert got == {"name": name, "data": content(name)}
    assert str(cid) == digest_bytes(content(name)).cid


def test_a_pinning_services_request_is_named_as_it_named_it() -> None:
    asked = []
    cid = Cid.parse(digest_bytes(b"x").cid)

    class Pins(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            listed = [{"requestid": name, "status": "pinned", "pin": {"cid": str(cid)}}]
            answer = json.dumps({"results": listed}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_DELETE(self) -> None:
            asked.append(self.path)
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with serving(Pins) as url:
        for name in NASTY:
            [pin] = unpin([Service("one", url, "token")], cid)
            assert pin == Pin("one", "absent"), pin
            assert unquote(asked.pop().removeprefix("/pins/")) == name


def test_a_record_gives_the_file_of_the_name(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    kept = []
    for name in NASTY:
        with suppress(InputError):
            if name not in ("É", "\u212b", "e\u0301"):
                kept.append(check_path(name))
                (tmp_path / "data" / name).write_bytes(content(name))
    made = record_content(lab, Kind.DATASET, tmp_path / "data", name="data")
    options = {"home": str(lab.home.path), "rpc": lab.devnet.start().url, "skip_instance_cache": True}
    files = fsspec.filesystem("record", **options)
    assert sorted(files.find(made.id)) == sorted(f"{made.id}/{name}" for name in kept)
    for name in kept:
        assert files.cat_file(f"{made.id}/{name}") == content(name)
        assert files.cat_file(f"record://{made.id}/{name}") == content(name)
    published = publish(lab, made.id, tmp_path / "a b%20?#")
    restored = Store(tmp_path / "other").restore_folder(made.subject, tmp_path / "out", [published.folder])
    assert {path.name: path.read_bytes() for path in restored.iterdir()} == {name: content(name) for name in kept}
