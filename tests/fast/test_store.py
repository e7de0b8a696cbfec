"""The store: what comes out is what went in, or an error that says which object is not."""

import errno
import fcntl
import hashlib
import os
import resource
import shutil
import stat
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blockchaintracer.core.digest import NO_CID, digest_bytes, digest_folder, format_listing
from blockchaintracer.core.errors import InputError, NotVerified, SourceWarning, StoreError
from blockchaintracer.lab.publish import _tree
from blockchaintracer.lab.store.hashcache import HashCache
from blockchaintracer.lab.store.store import Store
from blockchaintracer.lab.store.stored_copies import StoredCopies
from tests.support.stores import published_store

MIB = 1 << 20
ABSENT = "ab" * 32
FILES = {"train.csv": b"1,2\n", "deep/er/test.csv": b"", "deep/weights": bytes(2 * MIB + 1)}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        file = tmp_path / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return tmp_path / "data"


def objects(store: Store) -> list[Path]:
    return [path for path in store.folder.rglob("*") if path.is_file()]


def damage(store: Store, sha256: str, data: bytes = b"damaged") -> Path:
    path = store.path_of(sha256)
    path.chmod(0o600)
    path.write_bytes(data)
    return path


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
def test_bytes_come_back(store: Store, data: bytes):
    sha256 = store.put_bytes(data)
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert store.get_bytes(sha256) == data
    assert store.put_bytes(data) == sha256


def test_objects_lie_where_the_layout_says_and_only_their_owner_reads_them(store: Store):
    sha256 = store.put_bytes(b"x")
    path = store.folder / "objects" / sha256[:2] / sha256[2:]
    assert store.path_of("0x" + sha256.upper()) == path
    assert store.has(sha256)
    assert not store.has(ABSENT)
    assert objects(store) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_is_kept_as_it_was_hashed(store: Store, tmp_path: Path):
    file = tmp_path / "model"
    data = os.urandom(9 * MIB + 5)
    file.write_bytes(data)
    counts: list[int] = []
    found = store.put_file(file, progress=counts.append)
    assert found == digest_bytes(data)
    assert sum(counts) == len(data)
    file.write_bytes(b"other")
    assert store.get_bytes(found.sha256) == data


def test_a_file_that_changes_leaves_no_object(store: Store, tmp_path: Path):
    file = tmp_path / "model"
    file.write_bytes(bytes(3 * MIB))

    def change(_: int) -> None:
        with file.open("ab") as appended:
            appended.write(b"x")

    with pytest.raises(InputError, match="changed while it was read"):
        store.put_file(file, progress=change)
    assert objects(store) == []


def test_a_damaged_object_is_named_and_healed_by_the_original(store: Store, tmp_path: Path):
    sha256 = store.put_bytes(b"original")
    path = damage(store, sha256)
    actual = hashlib.sha256(b"damaged").hexdigest()
    for read in (store.get_bytes, store.verify, store.fetch, partial(store.export, target=tmp_path / "out")):
        with pytest.raises(StoreError) as caught:
            read(sha256)
        assert str(path) in caught.value.message
        assert (caught.value.values["expected"], caught.value.values["actual"]) == (sha256, actual)
    assert not (tmp_path / "out").exists()
    store.put_bytes(b"original")
    store.verify(sha256)


def test_an_absent_object_is_named(store: Store):
    for read in (store.get_bytes, store.verify):
        with pytest.raises(StoreError, match=ABSENT[2:]):
            read(ABSENT)


def test_no_more_is_read_than_allowed(store: Store):
    sha256 = store.put_bytes(b"12345")
    assert store.get_bytes(sha256, limit=5) == b"12345"
    with pytest.raises(StoreError, match="at most 4 bytes"):
        store.get_bytes(sha256, limit=4)


@pytest.mark.parametrize("name", ["../../etc/passwd", "ab", "", "zz" * 32])
def test_a_name_that_is_no_digest_is_refused(store: Store, name: str):
    with pytest.raises(InputError, match="64 hex digits"):
        store.path_of(name)


def test_a_folder_is_restored_whole_or_not_at_all(store: Store, folder: Path, tmp_path: Path):
    found = store.put_folder(folder)
    damage(store, found.files[-1].sha256)
    with pytest.raises(StoreError, match="damaged"):
        store.restore_folder(found.sha256, tmp_path / "restored")
    assert [path.name for path in tmp_path.iterdir() if "restored" in path.name] == []


def test_a_folder_is_not_restored_over_files(store: Store, folder: Path, tmp_path: Path):
    found = store.put_folder(folder)
    with pytest.raises(InputError, match="empty folder"):
        store.restore_folder(found.sha256, folder)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="empty folder"):
        store.restore_folder(found.sha256, tmp_path / "link")


@pytest.mark.parametrize("path", ["../escaped", "/tmp/escaped", "a/../../escaped"])
def test_a_listing_that_leaves_its_folder_is_refused(store: Store, tmp_path: Path, path: str):
    content = store.put_bytes(b"x")
    listing = store.put_bytes(format_listing([(path, content)]))
    with pytest.raises(InputError, match="escaped"):
        store.restore_folder(listing, tmp_path / "inner/target")
    assert not list(tmp_path.rglob("*escaped*"))
    assert not (tmp_path / "inner").exists()


def test_an_object_is_exported_to_a_new_file_alone(store: Store, tmp_path: Path):
    sha256 = store.put_bytes(b"x")
    target = store.export(sha256, tmp_path / "new/copy")
    assert target.read_bytes() == b"x"
    target.write_bytes(b"a copy may be changed")
    with pytest.raises(InputError, match="expected nothing at"):
        store.export(sha256, target)
    assert target.read_bytes() == b"a copy may be changed"


def test_published_objects_are_fetched_from_the_folder(store: Store, folder: Path, tmp_path: Path):
    found = store.put_folder(folder)
    digests = [found.sha256, *(entry.sha256 for entry in found.files)]
    mask = os.umask(0o022)
    try:
        published = published_store(store, digests, tmp_path / "www")
        os.umask(0o077)
        private = published.put_bytes(b"made under a strict umask")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(published.path_of(private).stat().st_mode) == 0o444
    for sha256 in digests:
        assert stat.S_IMODE(published.path_of(sha256).stat().st_mode) == 0o444
        assert stat.S_IMODE(published.path_of(sha256).parent.stat().st_mode) & 0o055 == 0o055
    other = Store(tmp_path / "other")
    restored = other.restore_folder(found.sha256, tmp_path / "restored", [tmp_path / "nowhere", published.folder])
    assert digest_folder(restored).sha256 == found.sha256
    assert other.fetch(found.sha256) == other.path_of(found.sha256)


def test_a_damaged_object_is_not_published(store: Store, tmp_path: Path):
    sha256 = store.put_bytes(b"x")
    damage(store, sha256)
    with pytest.raises(StoreError, match="damaged"):
        published_store(store, [sha256], tmp_path / "www")
    assert objects(Store(tmp_path / "www")) == []


def test_what_no_source_has_is_said_with_the_sources(store: Store, tmp_path: Path):
    (tmp_path / "two").mkdir()
    with pytest.raises(StoreError) as caught:
        store.fetch(ABSENT, [tmp_path / "one", tmp_path / "two"])
    assert ABSENT in str(caught.value)
    assert f"{tmp_path / 'one'} is no published folder" in str(caught.value)
    assert f"{tmp_path / 'two'} does not have it" in str(caught.value)
    with pytest.raises(StoreError, match="no source was given"):
        store.fetch(ABSENT)


def test_only_the_hash_of_what_a_source_gives_is_trusted(store: Store, tmp_path: Path):
    good, bad = Store(tmp_path / "good"), Store(tmp_path / "bad")
    sha256 = good.put_bytes(b"x")
    bad.put_bytes(b"x")
    damage(bad, sha256, b"evil")
    with pytest.raises(NotVerified, match=hashlib.sha256(b"evil").hexdigest()):
        store.fetch(sha256, [bad.folder])
    assert objects(store) == []
    with pytest.warns(SourceWarning, match=str(bad.folder)):
        assert store.fetch(sha256, [bad.folder, good.folder]).read_bytes() == b"x"


def test_a_damaged_object_is_fetched_again(store: Store, tmp_path: Path):
    good = Store(tmp_path / "good")
    sha256 = good.put_bytes(b"x")
    store.put_bytes(b"x")
    damage(store, sha256)
    assert store.fetch(sha256, [good.folder]).read_bytes() == b"x"


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Files of at most 1 MiB: past that, the kernel itself refuses to write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_no_half_object(store: Store, tmp_path: Path, folder: Path, small_disk: None):
    kept = store.put_bytes(b"small")
    for put in (
        partial(store.put_bytes, bytes(2 * MIB)),
        partial(store.put_file, folder / "deep/weights"),
        partial(store.put_folder, folder),
    ):
        with pytest.raises(StoreError) as caught:
            put()
        assert os.strerror(errno.EFBIG) in caught.value.message
        assert "Free some space" in str(caught.value.hint)
    assert all(path.stat().st_size <= MIB for path in objects(store))
    for path in objects(store):
        store.verify(path.parent.name + path.name)
    assert store.get_bytes(kept) == b"small"


def test_a_full_disk_leaves_no_half_export(store: Store, tmp_path: Path):
    sha256 = store.put_bytes(bytes(2 * MIB))
    listing = store.put_bytes(format_listing([("file", sha256)]))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, hard))
    try:
        with pytest.raises(StoreError):
            store.export(sha256, tmp_path / "out")
        with pytest.raises(StoreError):
            store.restore_folder(listing, tmp_path / "restored")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="can't write to"):
        Store(tmp_path / "file/store").put_bytes(b"x")
    root = Path(tempfile.mkdtemp())
    try:
        (root / "shut").mkdir(mode=0o555)
        root.chmod(0o755)
        if os.geteuid() == 0:
            os.seteuid(65534)
        try:
            with pytest.raises(StoreError, match=os.strerror(errno.EACCES)):
                Store(root / "shut/store").put_bytes(b"x")
        finally:
            os.seteuid(os.getuid())
    finally:
        shutil.rmtree(root)


def test_a_hole_takes_no_disk(store: Store, tmp_path: Path):
    """Neither in the store nor in what comes out of it; content, digest and size are those of the zeros."""
    file = tmp_path / "sparse"
    with file.open("wb") as sparse:
        sparse.write(b"begins")
        sparse.seek(16 * MIB)
        sparse.write(b"amid")
        sparse.truncate(32 * MIB + 3)
    kept = store.put_file(file)
    store.export(kept.sha256, tmp_path / "copy")
    assert kept.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    for path in (store.path_of(kept.sha256), tmp_path / "copy"):
        assert path.stat().st_size == 32 * MIB + 3
        assert path.stat().st_blocks * 512 < 4 * MIB
        assert hashlib.sha256(path.read_bytes()).hexdigest() == kept.sha256


@pytest.fixture
def cached(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", cache=HashCache(tmp_path / "hashes.sqlite"))


@pytest.mark.parametrize("taken", [1 << 20, 1 << 12, 0], ids=["whole", "in part", "not"])
def test_whole_blocks_of_a_listed_file_go_past_the_page_cache(store: Store, tmp_path: Path, monkeypatch, taken: int):
    """Whatever a file system takes so, all bytes arrive."""
    data = os.urandom((3 << 20) + 5) + bytes(2 << 20)
    (tmp_path / "file").write_bytes(data)
    direct, write = [], os.write

    def file_system(descriptor: int, block: memoryview) -> int:
        if not fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DIRECT:
            return write(descriptor, block)
        direct.append(len(block))
        if len(block) % (1 << 20) or not taken:
            raise OSError(errno.EINVAL, "Invalid argument")
        return write(descriptor, block[:taken])

    monkeypatch.setattr(os, "write", file_system)
    digest = store.put_file(tmp_path / "file", profile=NO_CID)
    assert store.get_bytes(digest.sha256) == data
    assert direct.count(1 << 20) == 4
    direct.clear()
    store.put_file(tmp_path / "file")
    assert not direct


def test_in_place_the_bytes_stay_where_they_are_and_come_out_whole_or_not_at_all(cached: Store, folder: Path, tmp_path):
    listing = cached.put_folder(folder, in_place=True)
    assert listing == digest_folder(folder)
    assert [path.read_bytes() for path in objects(cached)] == [listing.listing]
    big = digest_bytes(FILES["deep/weights"]).sha256
    assert cached.where(big) == folder / "deep/weights"
    assert cached.has(big)
    cached.verify(big)
    assert digest_folder(cached.restore_folder(listing.sha256, tmp_path / "again")) == listing
    public = cached.published(tmp_path / "published")
    assert not public.has(big), "what lies in place is not published by that"
    assert public.take(big, cached) == "new"
    with (folder / "deep/weights").open("r+b") as file:
        file.seek(MIB)
        file.write(b"!")
    other = cached.published(tmp_path / "other")
    for use in (
        lambda: cached.verify(big),
        lambda: cached.get_bytes(big),
        lambda: other.take(big, cached),
        lambda: cached.export(big, tmp_path / "copy"),
        lambda: cached.restore_folder(listing.sha256, tmp_path / "third"),
    ):
        with pytest.raises(StoreError, match="deep/weights has changed since it was recorded"):
            use()
    assert not other.has(big)
    assert not (tmp_path / "copy").exists()
    with StoredCopies(cached).find_copy(big) as copy:
        assert (copy.path, copy.damaged[0].where) == (None, str(folder / "deep/weights"))
    (folder / "deep/weights").unlink()
    assert not cached.has(big)
    with pytest.raises(StoreError, match="deep/weights, which was recorded in place, is gone"):
        cached.fetch(big)
    with StoredCopies(cached).find_copy(big) as copy:
        assert "deep/weights, which is gone" in copy.reasons[0]
    cached.fetch(big, [tmp_path / "published"])
    assert cached.where(big) == cached.path_of(big)
    cached.verify(big)


def test_of_two_places_the_unchanged_one_is_read(cached: Store, tmp_path: Path):
    one, two = tmp_path / "one", tmp_path / "two"
    for file in (one, two):
        file.write_bytes(b"the same")
        os.utime(file, (1, 1))
        digest = cached.put_file(file, in_place=True).sha256
    for changed, whole in ((one, two), (two, one)):
        one.write_bytes(b"the same")
        two.write_bytes(b"the same")
        changed.unlink()
        assert cached.where(digest) == whole


def test_what_the_package_writes_is_never_left_in_place(cached: Store, tmp_path: Path):
    file = tmp_path / "file"
    file.write_bytes(b"{}")
    digest = cached.put_file(file, in_place=True).sha256
    cached.put_bytes(b"{}")
    file.write_bytes(b"[]")
    assert cached.get_bytes(digest) == b"{}"


def test_a_tree_for_ipfs_has_the_bytes_that_were_recorded(cached: Store, tmp_path: Path):
    file = tmp_path / "file"
    file.write_bytes(b"recorded")
    digest = cached.put_file(file, in_place=True).sha256
    tree = _tree(cached, {"objects/x": digest}, "unixfs-v1-2025")
    root = tree.root()
    file.write_bytes(b"changed!")
    with pytest.raises(StoreError, match="expected the SHA-256"):
        list(tree.blocks(root))
    with pytest.raises(StoreError, match="expected the SHA-256"):
        tree.root()
    again = cached.put_file(file, in_place=True).sha256
    with pytest.raises(StoreError, match="expected the SHA-256"):
        _tree(cached, {"objects/x": digest, "objects/y": again}, "unixfs-v1-2025").root()
