"""Records that are added to the open batch together: each is in it whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import Kind
from blockchaintracer.lab import batches
from blockchaintracer.lab.batches import anchor, batching, listed
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.groups import create_group
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.recording.content import record_content
from tests.support.memory_node import MemoryNode, answering
from tests.support.registry_life import FULL, KeptSigner

pytestmark = pytest.mark.evm

OWNER = KeptSigner("owner")
RECORDS = 30


class Stopped(BaseException):
    """A process that ends here."""


@pytest.fixture
def lab(tmp_path: Path):
    node = MemoryNode()
    address = node.deploy("LabRegistry", OWNER.address, True)
    with answering(full=node.answer):
        made = lab_of(tmp_path / "home", address)
        create_group(made, "The lab")
        made.node = node  # type: ignore[attr-defined]
        yield made


def lab_of(home: Path, address: str) -> Lab:
    return Lab(Home(home), rpc=FULL, registry_address=address, signer_given=OWNER)


def files_in(folder: Path, count: int = RECORDS) -> list[Path]:
    folder.mkdir(exist_ok=True)
    files = [folder / f"{number}.bin" for number in range(count)]
    for file in files:
        file.write_bytes(os.urandom(30))
    return files


def add(lab: Lab, files: list[Path]) -> list[Recorded]:
    with batching(lab):
        return [record_content(lab, Kind.DATASET, file) for file in files]


def open_ids(lab: Lab) -> set[str]:
    return {row["id"] for row in listed(lab)["open"]}


def require_whole(lab: Lab) -> None:
    """Every record that is in the batch has its manifest and its content in the store."""
    for key in batches._open_keys(lab, 1).values():
        lab.store.verify(key.manifest)
        lab.store.verify(key.subject)


def test_the_chain_is_asked_once_and_the_disk_together(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Thirty records take no more questions than ten, and no file is brought to the disk by itself."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    asked = []
    for name, count in (("first", 10), ("second", 30)):
        files, before = files_in(tmp_path / name, count), lab.node.asked.total()  # type: ignore[attr-defined]
        synced.clear()
        added = add(lab, files)
        asked.append((lab.node.asked.total() - before, len(synced)))  # type: ignore[attr-defined]
        assert {record.id for record in added} <= open_ids(lab)
    assert asked[0] == asked[1]
    assert asked[1][1] <= 1
    require_whole(lab)
    assert anchor(lab).count == 40


@pytest.mark.parametrize("at", ["sync", "rename"])
def test_a_process_that_ends_while_they_come_to_the_disk(lab: Lab, tmp_path: Path, monkeypatch, at: str):
    """Nothing is named before all of it is on the disk; what was named is whole, and the rest is added again."""
    done = 0

    def ends(*_given: object) -> None:
        raise Stopped

    def renames(partial: Path, target: Path) -> Path:
        nonlocal done
        if partial.suffix == ".partial":
            done += 1
            if done > RECORDS // 2:
                raise Stopped
        return renamed(partial, target)

    renamed = Path.rename
    files = files_in(tmp_path / "data")
    with monkeypatch.context() as patched:
        if at == "sync":
            patched.setattr(os, "sync", ends)
        else:
            patched.setattr(Path, "rename", renames)
        with pytest.raises(Stopped):
            add(lab, files)
    assert len(open_ids(lab)) == (0 if at == "sync" else RECORDS // 2)
    require_whole(lab)
    again = lab_of(lab.home.path, lab.registry.address)
    added = add(again, files)
    assert sum(not record.existing for record in added) == RECORDS - (0 if at == "sync" else RECORDS // 2)
    assert anchor(again).count == RECORDS
    assert not list(again.home.batches.rglob("*.partial"))


def test_an_error_keeps_what_was_added_before(lab: Lab, tmp_path: Path):
    first, second = files_in(tmp_path / "data", 2)
    with pytest.raises(InputError):
        add(lab, [first, tmp_path / "nothing"])
    assert len(open_ids(lab)) == 1
    add(lab, [second])
    assert len(open_ids(lab)) == 2
    require_whole(lab)


def test_what_another_home_recorded_is_left_out_and_named(lab: Lab, tmp_path: Path):
    """The key is the same, the journal is not: only the chain knows."""
    stored, fresh = files_in(tmp_path / "data", 2)
    elsewhere = lab_of(tmp_path / "elsewhere", lab.registry.address)
    known = record_content(elsewhere, Kind.DATASET, stored)
    with batching(lab) as adding:
        added = [record_content(lab, Kind.DATASET, file) for file in (stored, fresh)]
    assert added[0].id == known.id
    assert adding.stored == {known.id}
    assert open_ids(lab) == {added[1].id}
