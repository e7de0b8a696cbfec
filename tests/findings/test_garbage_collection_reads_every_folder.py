"""Garbage collection passed over a folder of the lab that it could not read, and ended with Python's own error at
1,000 levels of folders, and passed over a link to a folder on another disk: what a file there names must stay."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from blockchaintracer.core.errors import StoreError
from blockchaintracer.lab.files import remove
from blockchaintracer.lab.store import collect_garbage

pytestmark = pytest.mark.fast


def test_a_folder_that_cannot_be_read_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "seals" / "old").mkdir(parents=True)
    scandir, listdir = os.scandir, os.listdir

    def refusing(original):
        def read(path="."):
            if Path(os.fspath(path)).name == "old":
                raise PermissionError(errno.EACCES, "Permission denied")
            return original(path)

        return read

    monkeypatch.setattr(os, "scandir", refusing(scandir))
    monkeypatch.setattr(os, "listdir", refusing(listdir))
    with pytest.raises(StoreError, match="seals/old"):
        list(collect_garbage._files(tmp_path))


def test_a_file_below_1_000_folders_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    for _ in range(1_100):
        folder /= "d"
        folder.mkdir()
    (folder / "file").write_text("x")
    assert [file.name for file in collect_garbage._files(tmp_path)] == ["file"]
    remove(tmp_path / "notes")


def test_a_folder_on_another_disk_is_read(tmp_path: Path) -> None:
    home, disk = tmp_path / "home", tmp_path / "disk"
    (disk / "old").mkdir(parents=True)
    (disk / "old" / "file").write_text("x")
    (disk / "old" / "above").symlink_to(disk)
    (home / "seals").mkdir(parents=True)
    (home / "batches").symlink_to(disk)
    (home / "seals" / "more").symlink_to(disk)
    (home / "one").symlink_to(disk / "old" / "file")
    assert [file.name for file in collect_garbage._files(home)].count("file") == 1
    assert home / "one" in collect_garbage._files(home)
    disk.rename(tmp_path / "unplugged")
    with pytest.raises(StoreError, match="leads nowhere"):
        list(collect_garbage._files(home))
