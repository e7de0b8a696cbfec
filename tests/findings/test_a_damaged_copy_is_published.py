"""`publish` says "Published" of what is whole there, and repairs what is not.

It looked whether a file of the name was there: a truncated or altered object stayed, with "Published" and exit 0.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import Kind
from blockchaintracer.core.verify.copies import object_name
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.store.repair import repair_store
from blockchaintracer.lab.store.store import SAME_SIZE, Store
from tests.support.labs import typed

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def made(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Any:
    file = tmp_path_factory.mktemp("data") / "rows.csv"
    file.write_text("1,2\n" * 999)
    return record_content(lab, Kind.DATASET, file, name="rows")


def truncate(data: bytes) -> bytes:
    return data[:-1]


def alter(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def change(folder: Path, digest: str, how: Callable[[bytes], bytes]) -> Path:
    path = Store(folder).path_of(digest)
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(how(data))
    return path


@pytest.mark.parametrize("how", [truncate, alter, lambda data: b""])
@pytest.mark.parametrize("scheme", ["", "file://"])
@pytest.mark.parametrize("quick", [False, True])
def test_a_damaged_object_is_repaired_and_named(
    lab: Lab, made: Any, tmp_path: Path, how: Callable[[bytes], bytes], scheme: str, quick: bool
) -> None:
    to = f"{scheme}{tmp_path}/published"
    publish(lab, made.id, to)
    change(tmp_path / "published", made.subject, how)
    done = publish(lab, made.id, to, quick=quick)
    there = "not read again" if quick else "re-hashed"
    states = {one.sha256: one.state for one in done.objects if one.what not in ("proof", "group")}
    assert states == {made.subject: "repaired", made.manifest: there}
    for digest in (made.subject, made.manifest):
        Store(tmp_path / "published").verify(digest)
    assert not list((tmp_path / "published").rglob(".*"))
    assert not [
        folder for folder in (tmp_path / "published").rglob("*") if folder.is_dir() and not any(folder.iterdir())
    ]


def test_at_an_address_too(lab: Lab, made: Any, tmp_path: Path) -> None:
    to = f"memory://{tmp_path}/published"
    publish(lab, made.id, to)
    path = f"{to}/objects/{made.subject[:2]}/{made.subject[2:]}"
    whole = fsspec.filesystem("memory").cat_file(path)
    for how in (truncate, alter):
        fsspec.filesystem("memory").pipe_file(path, how(whole))
        assert {one.state for one in publish(lab, made.id, to).objects} == {"repaired", "re-hashed"}
        assert fsspec.filesystem("memory").cat_file(path) == whole
    fsspec.filesystem("memory").pipe_file(path, truncate(whole))
    done = publish(lab, made.id, to, quick=True)
    assert {one.state for one in done.objects} == {"repaired", SAME_SIZE}


def test_a_quick_publication_reads_what_changed_even_if_size_and_time_are_as_before(
    lab: Lab, made: Any, tmp_path: Path
) -> None:
    publish(lab, made.id, tmp_path / "published")
    path = Store(tmp_path / "published").path_of(made.subject)
    before = path.stat()
    change(tmp_path / "published", made.subject, alter)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "repaired" in {one.state for one in publish(lab, made.id, tmp_path / "published", quick=True).objects}
    Store(tmp_path / "published").verify(made.subject)


def test_the_verbs(lab: Lab, made: Any, tmp_path: Path) -> None:
    folder = tmp_path / "published"
    done = typed("publish", made.id, "--to", str(folder), home=lab.home.path)
    assert "(4 new)" in done.stdout, done.stderr
    change(folder, made.subject, truncate)
    done = typed("publish", made.id, "--to", str(folder), home=lab.home.path)
    assert done.returncode == 0
    assert f"Was damaged there, is repaired: {made.subject}" in done.stdout
    change(folder, made.subject, alter)
    done = typed("store", "repair", str(folder), home=lab.home.path)
    assert done.returncode == 0, done.stderr
    assert f"{made.subject}  content of dataset {made.id}: was damaged, is whole now" in done.stdout
    done = typed("store", "repair", str(folder), "--json", home=lab.home.path)
    assert json.loads(done.stdout)["found"] == []


def test_one_verb_repairs_a_published_folder_also_of_others(lab: Lab, made: Any, tmp_path: Path) -> None:
    folder, other = tmp_path / "published", tmp_path / "other"
    publish(lab, made.id, folder)
    publish(lab, made.id, other)
    strange = Store(folder, public=True).put_bytes(b"of another lab")
    change(folder, strange, truncate)
    change(folder, made.subject, truncate)
    done = repair_store(lab, folder=folder)
    assert [(one.sha256, one.problem is None) for one in sorted(done.found, key=lambda one: one.what or "")] == [
        (strange, False),
        (made.subject, True),
    ]
    # what no place has stays as it is, and is named
    assert Store(folder).path_of(strange).read_bytes() == b"of another la"
    Store(other, public=True).put_bytes(b"of another lab")
    assert repair_store(lab, [other], folder=folder).left == []
    assert Store(folder).path_of(strange).stat().st_mode & 0o777 == 0o444
    for wrong in (lab.home.store, tmp_path / "nowhere", tmp_path):
        with pytest.raises(InputError):
            repair_store(lab, folder=wrong)


def test_a_quick_publication_to_an_address_says_what_it_does_not_see(lab: Lab, made: Any) -> None:
    """An altered object of the same size was told to be unchanged."""
    to, memory = "memory://damaged", fsspec.filesystem("memory")
    publish(lab, made.id, to)
    path = f"/damaged/{object_name(made.subject)}"
    memory.pipe_file(path, alter(memory.cat_file(path)))
    done = typed("publish", made.id, "--to", to, "--quick", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    assert "not read: damage would not be seen" in done.stdout
    assert "re-hashed" not in done.stdout
    assert "repaired" in {one.state for one in publish(lab, made.id, to).objects}
