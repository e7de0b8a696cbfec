"""A record published to a real node, to pinning services, to an archive and to file systems, and fetched by others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from blockchaintracer.core.digest import PROFILES
from blockchaintracer.core.errors import InputError, StoreError
from blockchaintracer.core.record import Kind
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.store.ipfs.blocks import Cid
from blockchaintracer.lab.store.ipfs.gateway import GATEWAYS_VARIABLE
from blockchaintracer.lab.store.ipfs.kubo import Kubo
from blockchaintracer.lab.store.ipfs.pinning import add_service, pin, services, status, unpin
from blockchaintracer.lab.store.store import SAME_SIZE, Store
from blockchaintracer.lab.verify_here import verify
from tests.live.ipfs.conftest import content
from tests.live.ipfs.nodes import TOKEN
from tests.support.labs import free_port, shared_lab, verb


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with shared_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="module")
def recorded(lab: Lab, folder: Path) -> str:
    """A dataset that is a folder with files of several chunks."""
    return record_content(lab, Kind.DATASET, folder, name="data").id


@pytest.fixture
def stranger(lab: Lab, tmp_path: Path) -> Lab:
    """Somebody with the chain and an empty store."""
    return Lab(Home(tmp_path / "stranger"), rpc=lab.devnet.start().url, registry_address=lab.registry.address)


@pytest.mark.parametrize("profile", PROFILES)
def test_what_was_published_to_a_node_is_verified_through_its_gateway(
    lab: Lab, recorded: str, stranger: Lab, node: str, monkeypatch: pytest.MonkeyPatch, profile: str, folder: Path
) -> None:
    done = publish(lab, recorded, node, profile=profile)
    assert done.folder.startswith("ipfs://")
    assert Kubo(node).is_pinned(Cid.parse(done.folder.removeprefix("ipfs://")))
    assert verify(stranger, recorded).unknown
    monkeypatch.setenv(GATEWAYS_VARIABLE, f"http://127.0.0.1:{free_port()} {node}")
    for source in (done.folder, f"{node}/ipfs/{done.folder.removeprefix('ipfs://')}"):
        report = verify(stranger, recorded, sources=[source])
        assert report.verified
        assert not [check for check in report.unknown if check.name != "author"], report.unknown
    # a second time nothing is new
    assert {one.state for one in publish(lab, recorded, node, profile=profile).objects} == {"sent again"}
    again = publish(lab, recorded, node, profile=profile, quick=True)
    assert {one.state for one in again.objects} == {"not read again"}
    digest = done.objects[-1].sha256
    fetched = stranger.store.fetch(digest, [done.folder])
    assert fetched.read_bytes() == lab.store.get_bytes(digest)


def test_publishing_a_damaged_object_is_refused(lab: Lab, node: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"whole when it was recorded")
    made = record_content(lab, Kind.DATASET, tmp_path / "file", name="file")
    path = lab.store.path_of(lab.store.put_file(tmp_path / "file").sha256)
    path.chmod(0o600)
    path.write_bytes(b"damaged")
    for to in (node, str(tmp_path / "x.car"), f"file://{tmp_path}/published"):
        with pytest.raises(StoreError, match="damaged"):
            publish(lab, made.id, to)
    assert not (tmp_path / "x.car").exists()
    lab.store.put_file(tmp_path / "file")


def test_an_archive_is_what_a_node_imports(lab: Lab, recorded: str, stranger: Lab, node: str, tmp_path: Path) -> None:
    done = publish(lab, recorded, str(tmp_path / "record.car"))
    with open(done.folder, "rb") as archive:
        answer = requests.post(f"{node}/api/v0/dag/import", files={"file": archive}, timeout=600)
    root = answer.json()["Root"]["Cid"]["/"]
    assert verify(stranger, recorded, sources=[f"{node}/ipfs/{root}"]).verified
    with pytest.raises(InputError, match="expected nothing at"):
        publish(lab, recorded, str(tmp_path / "record.car"))


@pytest.mark.parametrize("scheme", ["file", "memory"])
def test_any_file_system_of_fsspec_is_published_to_and_fetched_from(
    lab: Lab, recorded: str, stranger: Lab, tmp_path: Path, scheme: str
) -> None:
    to = f"{scheme}://{tmp_path}/published/"
    done = publish(lab, recorded, to)
    assert {one.state for one in done.objects} == {"new"}
    assert {one.state for one in publish(lab, recorded, to).objects} == {"re-hashed"}
    there = {one.state for one in publish(lab, recorded, to, quick=True).objects}
    assert there == {"not read again" if scheme == "file" else SAME_SIZE}
    report = verify(stranger, recorded, sources=[to])
    assert report.verified
    assert not [check for check in report.unknown if check.name != "author"], report.unknown
    with pytest.raises(StoreError, match="does not have it"):
        stranger.store.fetch("ab" * 32, [to])


def test_the_labs_own_folders_are_no_place_to_publish_to(lab: Lab, recorded: str) -> None:
    for to in (lab.home.store, f"file://{lab.home.keys}", f"local://{lab.home.path}", lab.home.keys / "x.car"):
        with pytest.raises(InputError, match="lab's own"):
            publish(lab, recorded, to)


def test_a_folder_called_ipfs_on_a_web_server_is_a_store(tmp_path: Path) -> None:
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    digest = Store(tmp_path / "ipfs" / "published").put_bytes(b"an object")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        source = f"http://127.0.0.1:{server.server_port}/ipfs/published"
        assert Store(tmp_path / "store").fetch(digest, [source]).read_bytes() == b"an object"
    finally:
        server.shutdown()
        server.server_close()


def test_an_unknown_file_system_is_a_clear_error(lab: Lab, recorded: str) -> None:
    with pytest.raises(StoreError, match="can't write to"):
        publish(lab, recorded, "nonesuch://place")


def test_several_services_pin_what_one_of_them_refuses(
    node: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(content(5000))
    cid = Kubo(node).add(tmp_path / "file")
    file = tmp_path / "pinning.json"
    (tmp_path / "token").write_text(TOKEN + "\n")
    monkeypatch.setenv("WRONG_TOKEN", "not-the-token-at-all")
    add_service(file, "a", f"{node}/service", token_env=None, token_file=tmp_path / "token")
    add_service(file, "b", f"{node}/service", token_env="WRONG_TOKEN", token_file=None)
    add_service(file, "c", f"http://127.0.0.1:{free_port()}", token_env="WRONG_TOKEN", token_file=None)
    chosen = services(file)
    assert [one.status for one in status(chosen[:1], cid)] == ["absent"]
    first = pin(chosen[:1], cid)[0]
    assert first.status == "queued"
    got = pin(chosen, cid, wait_s=20, pause_s=0.01)
    assert [one.status for one in got] == ["pinned", "error", "error"]
    # it was at it already: no second request
    assert got[0].request == first.request
    assert "401" in (got[1].detail or "")
    assert "can't be reached" in (got[2].detail or "")
    assert [one.status for one in unpin(chosen[:1], cid)] == ["absent"]
    assert status(chosen[:1], cid)[0].status == "absent"
    for text in (file.read_text(), repr(chosen), str(got)):
        assert TOKEN not in text
        assert "not-the-token-at-all" not in text


def test_a_service_that_cannot_get_the_content_says_so(node: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    add_service(tmp_path / "p.json", "a", f"{node}/service", token_env=None, token_file=tmp_path / "token")
    nowhere = Cid(1, 0x55, b"nobody has a block of this hash!")
    got = pin(services(tmp_path / "p.json"), nowhere, wait_s=20, pause_s=0.01)
    assert (got[0].status, got[0].detail) == ("failed", "no provider has it")


@pytest.mark.parametrize(
    ("endpoint", "env", "told"),
    [
        ("http://pins.example", "X", "in the clear"),
        ("ftp://pins.example", "X", "https"),
        ("https://me:secret@pins.example", "X", "kept apart"),
        ("https://pins.example", None, "one place"),
    ],
)
def test_a_service_that_would_leak_its_token_is_refused(
    tmp_path: Path, endpoint: str, env: str | None, told: str
) -> None:
    with pytest.raises(InputError, match=told) as caught:
        add_service(tmp_path / "pinning.json", "a", endpoint, token_env=env, token_file=None)
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "pinning.json").exists()


def test_the_verb(node: str, folder: Path, tmp_path: Path) -> None:
    more = {"BLOCKCHAINTRACER_IPFS_RPC": node, GATEWAYS_VARIABLE: node, "PINS_TOKEN": TOKEN}
    home = tmp_path / "home"

    def run(*arguments: str, code: int = 0) -> dict:
        done = verb("ipfs", *arguments, "--json", home=home, **more)
        assert done.returncode == code, done.stderr + done.stdout
        return json.loads(done.stdout)

    cid = run("add", str(folder))["cid"]
    assert run("fetch", f"ipfs://{cid}", "-o", str(tmp_path / "back"))["size"] > 1 << 20
    for path in folder.rglob("*"):
        if path.is_file():
            assert (tmp_path / "back" / path.relative_to(folder)).read_bytes() == path.read_bytes()
    run("fetch", f"{cid}/sub/b", "-o", str(tmp_path / "b"))
    assert (tmp_path / "b").read_bytes() == (folder / "sub" / "b").read_bytes()
    assert run("car", str(folder), "-o", str(tmp_path / "x.car"))["cid"] == cid
    run("service", "mine", "--endpoint", f"{node}/service", "--token-env", "PINS_TOKEN")
    assert run("pin", cid, "--wait", "20")["pins"][0]["status"] == "pinned"
    assert {one["service"]: one["status"] for one in run("status", cid)["pins"]} == {node: "pinned", "mine": "pinned"}
    run("unpin", cid)
    more["PINS_TOKEN"] = "wrong"
    assert run("pin", cid, code=3)["pins"][0]["status"] == "error"
    assert run("fetch", f"ipfs://{cid}/nothing", "-o", str(tmp_path / "n"), code=2)["error"] == "StoreError"


def test_the_gateway_of_a_node_that_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(GATEWAYS_VARIABLE, f"http://127.0.0.1:{free_port()}")
    done = verb("ipfs", "fetch", f"ipfs://{Cid(1, 0x55, bytes(32))}", "-o", str(tmp_path / "x"), home=tmp_path / "home")
    assert done.returncode == 3
    assert not (tmp_path / "x").exists()


def test_a_store_behind_a_web_server_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    data, asked = content(3 << 20), []

    class Breaking(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers.get("Range"))
            start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            self.wfile.write(data[start : start + (1 << 20)])

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Breaking)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    published = Store(tmp_path / "published")
    store = Store(tmp_path / "store")
    try:
        got = store.fetch(published.put_bytes(data), [f"http://127.0.0.1:{server.server_port}"])
    finally:
        server.shutdown()
        server.server_close()
    assert got.read_bytes() == data
    assert asked == [None, f"bytes={1 << 20}-", f"bytes={2 << 20}-"]
