"""Digests, canonical listings and CIDs, against `sha256sum`, Kubo's own vectors and the data of GW150914."""

import hashlib
import os
import shutil
import socket
import tempfile
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from Crypto.Cipher import ChaCha20
from hypothesis import given, settings
from hypothesis import strategies as st

from blockchaintracer.core import digest
from blockchaintracer.core.digest import (
    PROFILES,
    check_path,
    cid_of_sha256,
    digest_bytes,
    digest_file,
    digest_folder,
    format_listing,
    in_threads,
    parse_listing,
    sha256_file,
)
from blockchaintracer.core.errors import InputError

KIB, MIB = 1 << 10, 1 << 20

LISTABLE = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="/\\"),
    min_size=1,
    max_size=12,
).filter(lambda name: name not in (".", ".."))
PATH = st.lists(LISTABLE, min_size=1, max_size=3).map("/".join)


def gw150914() -> Path:
    folder = Path(os.environ.get("BLOCKCHAINTRACER_GW_DATA", Path(__file__).parents[2].parent / "shared/data/gw150914"))
    if not folder.is_dir():
        pytest.skip("the strain of GW150914 is not here: set BLOCKCHAINTRACER_GW_DATA")
    return folder


def kubo_bytes(size: int, seed: str) -> bytes:
    """The deterministic bytes of Kubo's test/cli/cid_profiles_test.go."""
    return ChaCha20.new(key=hashlib.sha256(seed.encode()).digest(), nonce=bytes(12)).encrypt(bytes(size))


def test_strain_of_gw150914_has_its_published_digests():
    file = gw150914() / "H-H1_LOSC_4_V2-1126259446-32.hdf5"
    found = digest_file(file)
    assert found.sha256 == "fa170ebc577652bfeb5c4b9d2a2d713eef8a4b2996b198b749692446fa7a163c"
    assert found.size == 1_040_592
    assert (found.cid, found.cid_profile) == (
        "bafkreih2c4hlyv3wkk76wxcltuvc24j656fewkmwwgmlosljerdpu6qwhq",
        "unixfs-v1-2025",
    )
    assert digest_file(file, "legacy").cid == "bafybeifsry5bz4cyisuowqy66y4pvp6capnbuntu42wtgr3whsa5kdpbcq"
    assert cid_of_sha256(found.sha256) == found.cid


@pytest.mark.parametrize(
    ("size", "seed", "profile", "cid"),
    [
        (MIB, "chunk-v1-seed", "unixfs-v1-2025", "bafkreiacndfy443ter6qr2tmbbdhadvxxheowwf75s6zehscklu6ezxmta"),
        (MIB + 1, "chunk-v1-seed", "unixfs-v1-2025", "bafybeigmix7t42i6jacydtquhet7srwvgpizfg7gjbq7627d35mjomtu64"),
        (256 * KIB, "chunk-v0-seed", "unixfs-v0-2015", "QmWmRj3dFDZdb6ABvbmKhEL6TmPbAfBZ1t5BxsEyJrcZhE"),
        (256 * KIB + 1, "chunk-v0-seed", "unixfs-v0-2015", "QmYyLxtzZyW22zpoVAtKANLRHpDjZtNeDjQdJrcQNWoRkJ"),
        (174 * 256 * KIB, "v0-seed", "unixfs-v0-2015", "QmUbBALi174SnogsUzLpYbD4xPiBSFANF4iztWCsHbMKh2"),
        (174 * 256 * KIB + 1, "v0-seed", "unixfs-v0-2015", "QmV81WL765sC8DXsRhE5fJv2rwhS4icHRaf3J9Zk5FdRnW"),
    ],
)
def test_cids_equal_kubo(tmp_path: Path, size: int, seed: str, profile: str, cid: str):
    data = kubo_bytes(size, seed)
    assert digest_bytes(data, profile).cid == cid
    file = tmp_path / "file"
    file.write_bytes(data)
    assert digest_file(file, profile) == digest_bytes(data, profile)


@pytest.mark.parametrize(
    ("profile", "cid"),
    [
        ("unixfs-v1-2025", "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"),
        ("unixfs-v0-2015", "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"),
    ],
)
def test_an_empty_file_has_a_cid(profile: str, cid: str):
    assert digest_bytes(b"", profile).cid == cid
    assert digest_bytes(b"").sha256 == hashlib.sha256().hexdigest()


def test_unknown_profile_is_refused():
    with pytest.raises(InputError, match="unixfs-v1-2025"):
        digest_bytes(b"", "unixfs-v3")


@given(st.binary(max_size=64), st.integers(0, 20))
@settings(deadline=None, max_examples=25)
def test_reading_gives_what_hashing_all_at_once_gives(head: bytes, blocks: int):
    data = head + bytes(blocks * 300 * KIB)
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        counts: list[int] = []
        for profile in PROFILES:
            found = digest_file(file.name, profile, counts.append)
            assert found == digest_bytes(data, profile)
            assert (found.sha256, found.size) == (hashlib.sha256(data).hexdigest(), len(data))
        assert sum(counts) == len(PROFILES) * len(data)
        assert sha256_file(file.name) == hashlib.sha256(data).hexdigest()


def test_every_byte_counts(tmp_path: Path):
    file = tmp_path / "file"
    file.write_bytes(bytes(9 * MIB))
    before = digest_file(file)
    with file.open("r+b") as changed:
        changed.seek(5 * MIB + 17)
        changed.write(b"\x01")
    after = digest_file(file)
    assert after.sha256 != before.sha256
    assert after.cid != before.cid


def test_holes_of_a_sparse_file_are_zeros(tmp_path: Path):
    sparse, dense = tmp_path / "sparse", tmp_path / "dense"
    with sparse.open("wb") as file:
        file.seek(5 * MIB + 3)
        file.write(b"end")
        file.truncate(9 * MIB)
    dense.write_bytes(bytes(5 * MIB + 3) + b"end" + bytes(4 * MIB - 6))
    assert digest_file(sparse) == digest_file(dense)
    assert digest_file(sparse).sha256 == hashlib.sha256(dense.read_bytes()).hexdigest()


def test_a_file_that_grows_while_read_is_refused(tmp_path: Path):
    file = tmp_path / "log"
    file.write_bytes(bytes(3 * MIB))

    def grow(_: int) -> None:
        with file.open("ab") as appended:
            appended.write(b"more")

    with pytest.raises(InputError, match=r"log changed while it was read"):
        digest_file(file, progress=grow)


def test_a_file_rewritten_in_place_while_read_is_refused(tmp_path: Path):
    file = tmp_path / "log"
    file.write_bytes(bytes(3 * MIB))

    def rewrite(_: int) -> None:
        with file.open("r+b") as changed:
            changed.write(b"x")

    with pytest.raises(InputError, match="changed while it was read"):
        sha256_file(file, progress=rewrite)


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return root


FILES = {"b.txt": b"b", "a/z": b"z", "a.txt": b"", "a/deep/er": b"er" * 1000, ".hidden": b"h", "Größe 1.csv": b"1,2"}


def test_a_folder_is_its_content_wherever_it_lies(tmp_path: Path):
    first = write(tmp_path / "one", FILES)
    second = write(tmp_path / "two", dict(reversed(FILES.items())))
    os.utime(second / "b.txt", (1, 1))
    (tmp_path / "link").symlink_to(second)
    assert digest_folder(first).sha256 == digest_folder(tmp_path / "link").sha256
    (second / "b.txt").write_bytes(b"c")
    assert digest_folder(first).sha256 != digest_folder(second).sha256


def test_progress_counts_every_byte(tmp_path: Path):
    counts: list[int] = []
    found = digest_folder(write(tmp_path, FILES), counts.append)
    assert sum(counts) == found.size


def test_only_named_files_are_left_out(tmp_path: Path):
    plain = write(tmp_path / "plain", FILES)
    cached = write(tmp_path / "cached", FILES | {"a/__pycache__/x.pyc": b"x", "__pycache__/y": b"y"})
    assert len(digest_folder(cached).files) == len(FILES) + 2
    assert digest_folder(cached, exclude={"__pycache__"}).sha256 == digest_folder(plain).sha256


def test_modes_are_as_git_keeps_them(tmp_path: Path):
    write(tmp_path, {"run.sh": b"", "data": b""})
    (tmp_path / "run.sh").chmod(0o744)
    (tmp_path / "data").chmod(0o640)
    assert {entry.path: entry.mode for entry in digest_folder(tmp_path).files} == {"run.sh": 0o755, "data": 0o644}


def test_a_link_inside_the_folder_is_its_file(tmp_path: Path):
    folder = write(tmp_path / "data", {"weights/1.bin": b"w", "weights/2.bin": b"v"})
    (folder / "z.bin").symlink_to("weights/1.bin")
    copy = write(tmp_path / "copy", {"weights/1.bin": b"w", "weights/2.bin": b"v", "z.bin": b"w"})
    assert digest_folder(folder).listing == digest_folder(copy).listing
    assert [entry.path for entry in digest_folder(folder).files] == ["weights/1.bin", "weights/2.bin", "z.bin"]


@pytest.mark.parametrize("target", ["../secret", "/etc/passwd", "missing", "sub", "..", "loop"])
def test_other_links_are_refused(tmp_path: Path, target: str):
    (tmp_path / "secret").write_bytes(b"s")
    folder = write(tmp_path / "data", {"sub/file": b"f"})
    (folder / "loop").symlink_to(target)
    with pytest.raises(InputError, match="loop"):
        digest_folder(folder)


def test_a_link_to_a_folder_whose_name_begins_like_the_root_is_refused(tmp_path: Path):
    folder = write(tmp_path / "data", {"file": b"f"})
    (folder / "link").symlink_to(write(tmp_path / "data-private", {"key": b"k"}) / "key")
    with pytest.raises(InputError, match="data-private"):
        digest_folder(folder)


@pytest.mark.parametrize(
    "names", [("A.txt", "a.txt"), ("é", "e\u0301"), ("Dir/x", "dir/y"), ("ß", "SS"), ("Ω/x", "ω/y")]
)
def test_names_that_some_systems_take_for_one_are_both_listed(tmp_path: Path, names: tuple[str, str]):
    folder = write(tmp_path, dict.fromkeys(names, b""))
    listing = digest_folder(folder).listing
    assert {path for path, _ in parse_listing(listing)} == {*names}


def test_names_are_listed_in_one_unicode_form(tmp_path: Path):
    decomposed = write(tmp_path / "mac", {"e\u0301": b"x"})
    composed = write(tmp_path / "linux", {"\u00e9": b"x"})
    assert digest_folder(decomposed).sha256 == digest_folder(composed).sha256


@pytest.mark.parametrize("name", ["new\nline", "back\\slash", "\\n", "\r", "tab\t", "\x7f", "\u2028", "\x85", " "])
def test_odd_names_are_listed_as_sha256sum_escapes_them(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"")
    listing = digest_folder(tmp_path).listing
    assert parse_listing(listing) == ((name, hashlib.sha256().hexdigest()),)
    assert listing.startswith(b"\\") == any(part in name for part in "\\\n\r")


def test_a_name_that_is_no_utf8_is_refused(tmp_path: Path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).write_bytes(b"")
    with pytest.raises(InputError, match="expected a name in UTF-8"):
        digest_folder(tmp_path)


def test_devices_pipes_and_sockets_are_refused_at_once(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe"):
        digest_folder(tmp_path)
    with pytest.raises(InputError, match="pipe"):
        digest_file(tmp_path / "pipe")
    (tmp_path / "pipe").unlink()
    # a socket's address has little room: bind it by its name alone
    with socket.socket(socket.AF_UNIX) as bound:
        folder = Path.cwd()
        os.chdir(tmp_path)
        try:
            bound.bind("socket")
        finally:
            os.chdir(folder)
        with pytest.raises(InputError, match="socket"):
            digest_folder(tmp_path)
    with pytest.raises(InputError, match="/dev/null"):
        digest_file("/dev/null")


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="no /proc on this system")
def test_a_file_whose_size_is_not_what_is_read_is_refused():
    with pytest.raises(InputError, match="changed while it was read"):
        digest_file("/proc/self/status")


@pytest.mark.parametrize("path", ["missing", "file/below", "folder"])
def test_what_is_not_a_file_is_named(tmp_path: Path, path: str):
    write(tmp_path, {"file": b"", "folder/x": b""})
    with pytest.raises(InputError, match=path):
        digest_file(tmp_path / path)


@pytest.mark.parametrize("path", ["missing", "file", "empty"])
def test_what_is_not_a_folder_of_files_is_named(tmp_path: Path, path: str):
    write(tmp_path, {"file": b""})
    (tmp_path / "empty/within").mkdir(parents=True)
    with pytest.raises(InputError, match=path):
        digest_folder(tmp_path / path)


def test_unreadable_files_and_folders_are_named(tmp_path: Path):
    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o755)
        write(folder, {"open": b"", "closed": b"", "shut/file": b""})
        (folder / "closed").chmod(0)
        (folder / "shut").chmod(0)
        if os.geteuid() == 0:
            os.seteuid(65534)
        try:
            with pytest.raises(InputError, match="closed"):
                digest_file(folder / "closed")
            with pytest.raises(InputError, match="shut"):
                digest_folder(folder)
        finally:
            os.seteuid(os.getuid())
    finally:
        (folder / "shut").chmod(0o700)
        shutil.rmtree(folder)


def test_one_bad_file_stops_the_folder(tmp_path: Path):
    write(tmp_path, {f"{number:03}": bytes(10) for number in range(50)})
    seen: list[str] = []

    def fail(path: str) -> digest.FileDigest:
        seen.append(path)
        raise InputError(path)

    with pytest.raises(InputError):
        digest.folder_digest(digest.list_folder(tmp_path), fail, 2)
    assert len(seen) < 50


@given(st.dictionaries(PATH, st.binary(max_size=8), min_size=1, max_size=6))
def test_listings_round_trip(files: dict[str, bytes]):
    folders = {path[:end] for path in files for end in range(len(path)) if path[end] == "/"}
    parts = {path[:end] for path in files for end in range(1, len(path) + 1) if path[end : end + 1] in ("", "/")}
    alike = Counter((part.rpartition("/")[0], unicodedata.normalize("NFC", part.rpartition("/")[2])) for part in parts)
    names = ((part.rpartition("/")[0], part.rpartition("/")[2]) for part in parts)
    normal = all(alike[place, name] or alike[place, unicodedata.normalize("NFC", name)] > 1 for place, name in names)
    keepable = normal and not folders & set(files)
    digests = {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
    listing = format_listing(digests.items())
    if keepable:
        assert dict(parse_listing(listing)) == digests
        assert format_listing(parse_listing(listing)) == listing
    else:
        with pytest.raises(InputError):
            parse_listing(listing)


ZERO = "0" * 64


@pytest.mark.parametrize(
    "listing",
    [
        "",
        f"{ZERO}  ../x\n",
        f"{ZERO}  a/../../x\n",
        f"{ZERO}  /etc/passwd\n",
        f"{ZERO}  a//b\n",
        f"{ZERO}  ./a\n",
        f"{ZERO}  a/\n",
        f"{ZERO}  a\\b\n",
        f"{ZERO}  a\rb\n",
        f"{ZERO}  e\u0301\n",
        f"{ZERO}  a",
        f"{ZERO} *a\n",
        f"{ZERO.replace('0', 'A')}  a\n",
        f"{ZERO}  b\n{ZERO}  a\n",
        f"{ZERO}  a\n{ZERO}  a\n",
        f"{ZERO}  a\n{ZERO}  a/b\n",
        f"{ZERO}  a\n\n",
        f"{ZERO}  a\x00b\n",
    ],
)
def test_listings_that_are_not_canonical_or_escape_are_refused(listing: str):
    with pytest.raises(InputError):
        parse_listing(listing.encode())


def test_a_listing_in_other_bytes_is_refused():
    with pytest.raises(InputError, match="UTF-8"):
        parse_listing(f"{ZERO}  ".encode() + b"\xff\n")


@given(st.text(max_size=12))
def test_a_checked_path_stays_inside(path: str):
    try:
        check_path(path)
    except InputError:
        return
    joined = os.path.normpath(os.path.join("/root", path))
    assert joined.startswith("/root/")
    assert joined == f"/root/{path}"


def test_of_many_files_only_some_wait_at_once():
    begun: list[int] = []
    made = in_threads(lambda item: begun.append(item) or -item, range(5000), 4)
    assert next(made) == (0, 0)
    assert len(begun) < 2000
    assert [*made] == [(item, -item) for item in range(1, 5000)]
