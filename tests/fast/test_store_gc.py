"""What a collection of the store keeps, without a chain."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blockchaintracer.core.errors import StoreError
from blockchaintracer.core.record import from_hex
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.store.collect_garbage import collect_environments, collect_garbage, needed
from blockchaintracer.lab.store.store import Store


def test_digests_in_binary_private_and_unknown_files_of_the_lab_keep_theirs(tmp_path: Path) -> None:
    import sqlite3

    home = tmp_path / "home"
    lab = Lab.__new__(Lab)
    lab = Lab(Home(home))
    digests = [lab.store.put_bytes(f"object {number}".encode()) for number in range(5)]
    with sqlite3.connect(home / "some.sqlite") as database:
        database.execute("CREATE TABLE t (a BLOB, b TEXT)")
        database.execute("INSERT INTO t VALUES (?, ?)", (from_hex(digests[0]), f'{{"x": "0x{digests[1]}"}}'))
    (home / "private" / "deep").mkdir(parents=True)
    (home / "private" / "deep" / "salts.json").write_text(json.dumps({"of": digests[2]}))
    # across the end of a block that is read
    (home / "long").write_bytes(b"-" * ((1 << 20) - 30) + digests[3].encode())
    assert needed(lab) == set(digests[:4])


def test_listings_and_documents_are_followed_and_other_bytes_are_not(tmp_path: Path) -> None:
    store = Store(tmp_path / "home" / "store")
    leaf, hidden = store.put_bytes(b"leaf"), store.put_bytes(b"hidden")
    listing = store.put_bytes(f"{leaf}  file\n".encode())
    document = store.put_bytes(json.dumps({"subject": listing}).encode())
    store.put_bytes(f"some text that names {hidden}".encode())
    del store
    assert needed(Lab(Home(tmp_path / "home"))) == {leaf, listing, document}


def test_what_an_interrupted_write_left_goes(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    left = tmp_path / "store" / "incoming" / "half"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    store.collect(set, 0, dry_run=True)
    assert left.exists()
    store.collect(set, 0)
    assert not left.exists()


def test_an_unreadable_file_stops_it(tmp_path: Path) -> None:
    lab = Lab(Home(tmp_path / "home"))
    orphan = lab.store.put_bytes(b"orphan")
    (tmp_path / "home" / "outbox.sqlite").write_bytes(b"SQLite format 3\x00" + b"damaged" * 500)
    with pytest.raises(StoreError, match="Nothing was removed"):
        collect_garbage(lab, older_than_s=0)
    assert lab.store.has(orphan)


def test_kept_environments_go_when_they_were_not_used_for_so_long(tmp_path: Path) -> None:
    lab = Lab(Home(tmp_path / "home"))
    cached = tmp_path / "cached"
    cached.write_bytes(b"x" * 1_000_000)
    for name, complete in (("a" * 32, True), ("b" * 32, False)):
        folder = lab.home.environments / name
        (folder / "venv").mkdir(parents=True)
        (folder / "venv" / "x").write_bytes(b"x" * 10_000)
        # in the cache of the installer, too: removing it frees nothing
        (folder / "venv" / "shared").hardlink_to(cached)
        if complete:
            (folder / "complete.json").write_text('{"name": "uv.lock"}')
    assert collect_environments(lab) == []
    shown = collect_environments(lab, older_than_s=-1, dry_run=True)
    assert [(one.name[0], one.lock) for one in shown] == [("a", "uv.lock"), ("b", "not complete")]
    assert all(10_000 <= one.size < 100_000 for one in shown)
    assert collect_environments(lab, older_than_s=-1) == shown
    assert not [path for path in lab.home.environments.iterdir() if path.is_dir()]
