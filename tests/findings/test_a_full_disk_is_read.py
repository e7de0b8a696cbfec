"""What only reads needs no room: on a full disk every reading verb failed, because SQLite could make no file beside a
database. Here a limit of the process's own refuses each write, as a full disk does."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click import command
from click.testing import CliRunner

from blockchaintracer.cli.options import Verb
from blockchaintracer.core.errors import SourceWarning, StoreError
from blockchaintracer.extras.search import Index
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import Outbox
from blockchaintracer.lab.outbox.transactions import Op, Transaction
from blockchaintracer.lab.store.collect_garbage import store_status
from blockchaintracer.lab.store.hashcache import HashCache

pytestmark = pytest.mark.fast
REGISTRY, SENDER = "0x" + "11" * 20, "0x" + "22" * 20


@contextmanager
def no_room() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_outbox_is_read_and_takes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    write = Transaction(Op.ACCEPT_GROUP, REGISTRY, group=1, owner=SENDER, seen=0)
    outbox = Outbox(path)
    outbox.add_transaction(1, write, SENDER)
    with no_room():
        # the log that the other connection holds is read, too
        with pytest.warns(SourceWarning, match="can't be written"):
            full = Outbox(path)
        assert [entry.write.identity for entry in full.entries()] == [write.identity]
        with pytest.raises(StoreError, match="readonly"):
            full.add_transaction(2, write, SENDER)
    outbox.close()
    with no_room():
        assert Outbox(path).states() == {"stored": 1}


def test_places_are_read_and_none_is_forgotten(tmp_path: Path) -> None:
    path, file = tmp_path / "hashes.sqlite", tmp_path / "data.csv"
    file.write_text("a,b")
    HashCache(path).note_place(file, "44" * 32, in_place=True)
    with no_room():
        cache = HashCache(path)
        assert [place.path for place in cache.places("44" * 32)] == [str(file)]
        with pytest.raises(StoreError):
            cache.note_place(file, "55" * 32, in_place=True)


@pytest.mark.parametrize("is_there", [False, True])
def test_the_index_is_held_in_memory_and_takes_in_no_archive(tmp_path: Path, is_there: bool) -> None:
    path = tmp_path / "index.sqlite"
    if is_there:
        Index(path).close()
    with no_room():
        with pytest.warns(SourceWarning, match="can't be written"):
            index = Index(path)
        assert index.rows("SELECT * FROM records") == []
        with pytest.raises(StoreError, match="can't be written"):
            index.restore(1, REGISTRY, [], None, source="archive", checked=False)  # type: ignore[arg-type]


def test_a_file_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    """The devnet's files in a read-only home ended a verb with a traceback."""
    file = tmp_path / "none" / "node.json"

    @command(cls=Verb)
    def verb() -> None:
        file.write_bytes(b"")

    ended = CliRunner().invoke(verb)
    assert (ended.exit_code, ended.output.splitlines()[0]) == (2, f"Error: can't use {file}: No such file or directory")


def test_what_the_store_holds_is_counted(tmp_path: Path) -> None:
    lab = Lab(Home(tmp_path))
    # the outbox is in a mode in which SQLite makes files beside it to read it
    Outbox(lab.home.outbox).close()
    lab.store.put_bytes(b"a,b")
    with no_room():
        status = store_status(lab)
    assert (status.objects, status.unneeded) == (1, 1)
