"""Garbage collection takes what nothing names, and never what a record, seal, batch, outbox entry or salt needs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from blockchaintracer.core.errors import StoreError
from blockchaintracer.core.record import Kind, Verdict
from blockchaintracer.lab.attest import attest, retract
from blockchaintracer.lab.batches import batching
from blockchaintracer.lab.groups import create_group
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content, record_document
from blockchaintracer.lab.seals import sealing
from blockchaintracer.lab.store.collect_garbage import collect_garbage, store_status
from blockchaintracer.lab.store.store import Store
from blockchaintracer.lab.verify_here import verify
from tests.support.labs import again, second_lab, shared_lab, typed


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with shared_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


def fresh(lab: Lab) -> Lab:
    """The same lab as another process has it: with a store that it has put nothing into."""
    return again(lab)


@contextmanager
def collected(lab: Lab) -> Iterator[set[str]]:
    """What garbage collection takes of all that lies there, whatever its age."""
    lab.__dict__.pop("store", None)
    before = {one.sha256 for one in Store(lab.home.store).objects()}
    collect_garbage(fresh(lab), older_than_s=0)
    yield before - {one.sha256 for one in Store(lab.home.store).objects()}


def test_a_record_keeps_its_files_and_what_nobody_recorded_goes(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for name in ("a", "sub/b"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"content of {name}")
    made = record_content(lab, Kind.DATASET, folder, name="data")
    orphans = {lab.store.put_bytes(b"an orphan"), lab.store.put_bytes(b"b" * 3000000)}
    dry = collect_garbage(lab, older_than_s=0, dry_run=True)
    assert {one.sha256 for one in dry.objects} == orphans
    assert all(lab.store.has(digest) for digest in orphans)
    told = store_status(lab, verify=True)
    assert (told.unneeded, told.unneeded_size, told.damaged) == (2, 3000009, [])
    # too young
    lab.__dict__.pop("store")
    assert collect_garbage(fresh(lab)).objects == []
    with collected(lab) as gone:
        assert gone == orphans
    assert not verify(lab, made.id).failed
    publish(lab, made.id, tmp_path / "published")


def test_seals_batches_verdicts_and_profiles_keep_theirs(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "plan.md").write_text("sealed and not revealed")
    (tmp_path / "one.csv").write_text("in the open batch")
    (tmp_path / "model").write_text("recorded, reviewed and retracted")
    with sealing(lab):
        record_document(lab, Kind.PLAN, tmp_path / "plan.md", name="plan")
    with batching(lab):
        record_content(lab, Kind.DATASET, tmp_path / "one.csv", name="one")
    made = record_content(lab, Kind.MODEL, tmp_path / "model", name="model")
    other = second_lab(lab, tmp_path / "other")
    attest(other, made.id, Verdict.DISPUTED)
    retract(lab, made.id, "for a reason of many words")
    create_group(lab, "Another group", description="a profile in the store")
    for one in (lab, other):
        everything = {found.sha256 for found in one.store.objects()}
        assert everything
        with collected(one) as gone:
            assert gone == set()


def test_caches_keep_nothing(lab: Lab, tmp_path: Path) -> None:
    """The cache of digests names every file that was ever hashed: if that counted, nothing would ever go."""
    import os

    file = tmp_path / "file"
    file.write_bytes(b"hashed, put in, and not recorded")
    time.sleep(3.1)
    digest = lab.store.put_file(file).sha256
    assert lab.hashes.find(file)
    assert os.path.exists(lab.home.hashes)
    with collected(lab) as gone:
        assert gone == {digest}
    # the cache still knows the file, and sees that its copy has gone
    assert lab.store.put_file(file).sha256 == digest
    assert lab.store.get_bytes(digest) == file.read_bytes()
    with collected(lab) as gone:
        assert gone == {digest}


PUTS = """
import sys
from blockchaintracer.lab.store.store import Store
store = Store(sys.argv[1])
print(store.put_bytes(sys.argv[2].encode()), flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("was_there", [False, True])
def test_nothing_goes_while_a_process_has_put_something_in(tmp_path: Path, was_there: bool) -> None:
    """What it put in, or found, isn't named by anything yet: it may be about to be."""
    from blockchaintracer.lab.lab_folder import Home

    home = Home(tmp_path / "home")
    if was_there:
        Store(home.store).put_bytes(b"not named yet")
    process = subprocess.Popen(
        [sys.executable, "-c", PUTS, str(home.store), "not named yet"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    digest = process.stdout.readline().decode().strip()
    lab = Lab(home)
    try:
        with pytest.raises(StoreError, match="another process"):
            collect_garbage(lab, older_than_s=0)
        assert lab.store.has(digest)
        # also if this one has put something in itself
        lab.store.put_bytes(b"mine")
        with pytest.raises(StoreError, match="another process"):
            collect_garbage(lab, older_than_s=0)
    finally:
        process.communicate(b"\n")
    # it ended without naming it
    assert {one.sha256 for one in collect_garbage(lab, older_than_s=0).objects} >= {digest}
    assert not lab.store.has(digest)


def test_a_process_that_puts_something_in_waits_for_the_collection(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    (tmp_path / "store").mkdir()
    began = []

    def needed() -> set[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", PUTS, str(store.folder), "new"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        began.append(process)
        time.sleep(1.5)
        assert process.poll() is None
        assert list(store.objects()) == []
        return set()

    store.collect(needed, 0)
    out, _ = began[0].communicate(b"\n", timeout=600)
    assert store.has(out.decode().strip())


def test_recordings_race_with_collections(lab: Lab, tmp_path: Path) -> None:
    """Real recordings in processes of their own, of bytes that lie in the store unnamed, while collections go on."""
    ids, took, refused = [], 0, 0
    lab.__dict__.pop("store", None)
    for number in range(2):
        data = tmp_path / f"{number}.csv"
        data.write_text(f"raced {number}\n" * 1000)
        # an orphan of the same bytes that a collection would take
        Store(lab.home.store).put_file(data)
        command = [
            sys.executable,
            "-m",
            "blockchaintracer",
            "record",
            "--dataset",
            str(data),
            "--json",
            "--home",
            str(lab.home.path),
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        while process.poll() is None:
            try:
                collect_garbage(fresh(lab), older_than_s=0)
                took += 1
            except StoreError:
                refused += 1
        out, err = process.communicate()
        assert process.returncode == 0, err
        ids.append(json.loads(out))
    assert took
    assert refused
    done = typed("store", "status", "--verify", "--json", home=lab.home.path)
    assert json.loads(done.stdout)["damaged"] == []
    for number in range(2):
        report = verify(lab, str(tmp_path / f"{number}.csv"))
        assert report.verified
    digests = {Store(tmp_path / "other").put_file(tmp_path / f"{number}.csv").sha256 for number in range(2)}
    assert all(lab.store.has(digest) for digest in digests)


def test_the_verb(lab: Lab, tmp_path: Path) -> None:
    store = Store(lab.home.store)
    orphan = store.put_bytes(b"nobody names this")
    del store
    lab.__dict__.pop("store", None)
    dry = typed("store", "gc", "--dry-run", "--older-than", "0", "--json", home=lab.home.path)
    assert [one["sha256"] for one in json.loads(dry.stdout)["objects"]] == [orphan]
    assert json.loads(typed("store", "gc", "--json", home=lab.home.path).stdout)["objects"] == []
    assert orphan in typed("store", "gc", "--older-than", "0", home=lab.home.path).stdout
    assert not Store(lab.home.store).has(orphan)
    path = Store(lab.home.store).path_of(next(Store(lab.home.store).objects()).sha256)
    whole = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(b"x")
    done = typed("store", "status", "--verify", home=lab.home.path)
    assert done.returncode == 1
    assert "DAMAGED" in done.stdout
    path.write_bytes(whole)
