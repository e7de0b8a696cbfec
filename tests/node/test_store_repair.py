"""What is damaged or missing in the store is named, and comes again from where it was published."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from blockchaintracer.core.errors import StoreError
from blockchaintracer.core.record import Kind
from blockchaintracer.lab.attest import retract
from blockchaintracer.lab.batches import anchor, batching
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content, record_document
from blockchaintracer.lab.seals import sealing
from blockchaintracer.lab.store.repair import repair_store
from blockchaintracer.lab.store.store import Store
from blockchaintracer.lab.tracer import MLTracer
from blockchaintracer.lab.verify_here import verify
from tests.support.labs import second_lab, shared_lab, typed
from tests.support.serving import serving


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with shared_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture
def lab(shared: Lab, tmp_path: Path) -> Lab:
    """A lab with a store of its own on the shared chain."""
    return second_lab(shared, tmp_path / "second")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.csv", "sub/b.csv"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_text(f"content of {name}\n" * 99)
    return tmp_path / "data"


def damage(lab: Lab, digest: str, data: bytes = b"damaged") -> Path:
    path = lab.store.path_of(digest)
    path.chmod(0o600)
    path.write_bytes(data)
    return path


def remove(lab: Lab, digest: str) -> None:
    lab.store.path_of(digest).unlink()


def everything(lab: Lab) -> dict[str, bytes]:
    return {one.sha256: lab.store.get_bytes(one.sha256) for one in lab.store.objects()}


@pytest.fixture
def made(lab: Lab, folder: Path) -> Recorded:
    return record_content(lab, Kind.DATASET, folder, name="data")


def test_a_damaged_manifest_is_named_and_comes_again(lab: Lab, made: Recorded, tmp_path: Path) -> None:
    published = publish(lab, made.id, tmp_path / "published").folder
    whole = lab.store.get_bytes(made.manifest)
    damage(lab, made.manifest)
    with pytest.raises(StoreError) as stopped:
        publish(lab, made.id, tmp_path / "other")
    assert "store repair --from" in (stopped.value.hint or "")
    [named] = repair_store(lab).found
    assert (named.sha256, named.was) == (made.manifest, "damaged")
    assert named.what == f"manifest of dataset {made.id}"
    assert lab.store.path_of(made.manifest).read_bytes() == b"damaged"

    done = repair_store(lab, [published])
    assert [(one.sha256, one.problem) for one in done.found] == [(made.manifest, None)]
    assert lab.store.get_bytes(made.manifest) == whole
    assert verify(lab, made.id).verified
    assert repair_store(lab).found == []


def test_all_that_records_need_is_followed_even_through_what_was_missing_itself(
    lab: Lab, made: Recorded, tmp_path: Path
) -> None:
    """With the whole store gone, manifest, listing and files come again, each named by the one before."""
    published = publish(lab, made.id, tmp_path / "published").folder
    before = everything(lab)
    shutil.rmtree(lab.store.folder / "objects")
    done = repair_store(lab, [published])
    wanted = {made.manifest, made.subject, *(digest for digest, data in before.items() if b"content of" in data)}
    # the description of the group is published with it
    wanted |= {digest for digest, data in before.items() if b'"urn:blockchaintracer:group:v1"' in data}
    assert len(wanted) == 5
    assert {one.sha256 for one in done.found if one.problem is None and one.was == "missing"} == wanted
    assert {one.what for one in done.found} >= {
        f"manifest of dataset {made.id}",
        f"listing of content of dataset {made.id}",
        f"sub/b.csv, content of dataset {made.id}",
    }
    assert done.left == []
    assert {digest: before[digest] for digest in wanted} == everything(lab)


def test_runs_batches_seals_and_retractions_need_theirs(lab: Lab, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "plan.md").write_text("sealed")
    (tmp_path / "open.csv").write_text("in an open batch")
    (tmp_path / "anchored.csv").write_text("in an anchored batch")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "model").write_bytes(b"weights")
    with sealing(lab):
        record_document(lab, Kind.PLAN, tmp_path / "plan.md", name="plan")
    with batching(lab):
        record_content(lab, Kind.DATASET, tmp_path / "anchored.csv")
    anchor(lab)
    with batching(lab):
        record_content(lab, Kind.DATASET, tmp_path / "open.csv")
    with MLTracer(lab.home.path, lab.rpc, registry=lab.registry_address).start_run("run") as run:
        run.log_input(folder)
        run.log_output(tmp_path / "out")
    assert run.recorded
    retract(lab, run.recorded.id, "for a reason of its own")
    copy, whole = tmp_path / "copy", everything(lab)
    Store(copy).folder.mkdir()
    shutil.copytree(lab.store.folder / "objects", copy / "objects")
    # nothing here is there for no reason: each object that is taken away is missed and comes again
    for digest in whole:
        remove(lab, digest)
        [missed] = repair_store(lab, [copy]).found
        assert (missed.sha256, missed.was, missed.problem) == (digest, "missing", None)
        assert missed.what
    assert everything(lab) == whole


def test_what_no_source_has_stays_and_is_named(lab: Lab, made: Recorded, folder: Path, tmp_path: Path) -> None:
    bad = Store(tmp_path / "bad")
    digest = Store(tmp_path / "x").put_file(folder / "a.csv").sha256
    other = bad.path_of(digest)
    other.parent.mkdir(parents=True)
    other.write_bytes(b"wrong too")
    path = damage(lab, digest)
    orphan = lab.store.put_bytes(b"nobody names it")
    damage(lab, orphan)
    done = repair_store(lab, [bad.folder, "http://127.0.0.1:9"])
    left = {one.sha256: one for one in done.left}
    assert set(left) == {digest, orphan}
    assert left[orphan].what is None
    assert "gave 9 bytes" in (left[digest].problem or "")
    assert "can't be reached" in (left[digest].problem or "")
    assert path.read_bytes() == b"damaged"


def test_the_verb(lab: Lab, made: Recorded, tmp_path: Path) -> None:
    published = str(publish(lab, made.id, tmp_path / "published").folder)
    damage(lab, made.manifest)
    remove(lab, made.subject)
    told = typed("store", "repair", home=lab.home.path)
    assert told.returncode == 1
    assert f"{made.manifest}  manifest of dataset {made.id}: DAMAGED" in told.stdout
    assert "Still damaged or missing: 2" in told.stdout
    done = typed("store", "repair", "--from", published, "--json", home=lab.home.path)
    assert done.returncode == 0, done.stdout
    answer = json.loads(done.stdout)
    assert answer["left"] == 0
    assert {(one["sha256"], one["was"]) for one in answer["found"]} == {
        (made.manifest, "damaged"),
        (made.subject, "missing"),
    }
    assert typed("store", "repair", home=lab.home.path).returncode == 0


def test_an_interrupted_repair_leaves_only_whole_objects_and_goes_on(tmp_path: Path) -> None:
    """Ctrl-C while a large object is copied: the damaged one is still there, and the next repair replaces it."""
    home, good = tmp_path / "home", Store(tmp_path / "good")
    (tmp_path / "large").write_bytes(os.urandom(1 << 20) * 8)
    digest = good.put_file(tmp_path / "large").sha256
    lab = Lab(Home(home))
    lab.store.put_file(tmp_path / "large")
    damage(lab, digest)
    gone = threading.Event()

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path.endswith(digest[2:]) else 404)
            self.send_header("Content-Length", str(8 << 20 if self.path.endswith(digest[2:]) else 0))
            self.end_headers()
            if self.path.endswith(digest[2:]):
                self.wfile.write((tmp_path / "large").read_bytes()[: 3 << 20])
                self.wfile.flush()
                gone.wait()

        def log_message(self, *args: object) -> None:
            pass

    with serving(Slow) as web:
        command = [sys.executable, "-m", "blockchaintracer", "store", "repair", "--from", web, "--home", str(home)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
        while not any(path.stat().st_size for path in (home / "store" / "incoming").glob("*")):
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=600)
        gone.set()
    assert process.returncode == 130
    assert lab.store.path_of(digest).read_bytes() == b"damaged"
    assert list((home / "store" / "incoming").iterdir()) == []
    assert [one.problem for one in repair_store(lab, [good.folder]).found] == [None]
    lab.store.verify(digest)
