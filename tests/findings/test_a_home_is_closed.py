"""Databases, logs and locks in the folder of a lab were open to other users, where the umask allowed it."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from blockchaintracer.lab.files import open_database
from blockchaintracer.lab.lab_folder import Home
from tests.support.labs import running_lab, typed

pytestmark = pytest.mark.node


@pytest.fixture(autouse=True)
def careless() -> Iterator[None]:
    """A user whose new files are everyone's."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    found = [folder, *folder.rglob("*")]
    kept = [path for path in found if not path.is_symlink() and not stat.S_ISSOCK(path.lstat().st_mode)]
    return sorted(
        f"{path.relative_to(folder)} {oct(path.lstat().st_mode)}" for path in kept if path.stat().st_mode & 0o077
    )


def test_nothing_in_it_is_open_to_others(tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text("1\n")
    with running_lab(tmp_path) as lab:
        home = lab.home.path
        (tmp_path / "word").write_text("a long passphrase")
        with_word = {"BLOCKCHAINTRACER_PASSPHRASE_FILE": str(tmp_path / "word")}
        for command in (
            ["record", "--dataset", str(data), "--metric", "accuracy=0.9", "--private-metric", "secret=1"],
            ["seal", "record", "--dataset", str(data), "--name", "sealed"],
            ["batch", "add", "--dataset", str(data), "--name", "batched"],
            ["batch", "anchor"],
            ["keys", "create", "mine", "--encryption"],
            ["keys", "create", "signs"],
            ["query"],
            ["status"],
            ["outbox", "flush"],
        ):
            done = typed(*command, home=home, **with_word)
            assert done.returncode == 0, (command, done.stderr)
            # while it is in use there are files beside the databases
            assert open_to_others(home) == [], command


def test_what_was_open_is_closed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "environments").mkdir(parents=True)
    (home / "keys").mkdir()
    for name in ("settings.json", "outbox.sqlite", "outbox.sqlite-wal", "outbox.sqlite-shm", "keys/mine.json"):
        (home / name).write_text("")
    (home / "elsewhere").symlink_to(tmp_path)
    before = tmp_path.stat().st_mode
    used = Home(home)
    assert used.environments.is_dir()
    assert used.keys.is_dir()
    assert [path for path in open_to_others(home) if not path.startswith("keys/")] == []
    assert tmp_path.stat().st_mode == before


def test_a_database_is_closed_with_the_files_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    path.write_bytes(b"")
    path.chmod(0o666)
    for _ in range(2):
        with closing(open_database(path, lambda database: None, isolation_level=None)) as database:
            database.executescript(
                "PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS t (x); INSERT INTO t VALUES (1)"
            )
            assert open_to_others(tmp_path)[1:] == []
            beside = sorted(file.name for file in tmp_path.iterdir())
            assert beside == ["x.sqlite", "x.sqlite-shm", "x.sqlite-wal"]
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM t").fetchone() == (2,)
