"""Archives that are made to harm whoever reads them: path traversal, links, devices, bombs, second readings. All are
failures that readers of tar files have had (CVE-2007-4559, CVE-2019-20907, CVE-2025-4517)."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockchaintracer.core.digest import format_listing
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.verify.copies import object_name
from blockchaintracer.extras.archive.contents import (
    ArchivedBlock,
    Head,
    block_lines,
    event_lines,
    parse_blocks,
    parse_events,
)
from blockchaintracer.extras.archive.form import header
from blockchaintracer.extras.archive.reader import Archive, ArchiveRefused
from blockchaintracer.extras.archive.writer import write_archive
from blockchaintracer.lab.chain.logs import Event

pytestmark = pytest.mark.fast

BLOCK = ArchivedBlock(number=7, hash="0x" + "ab" * 32, timestamp=1_700_000_000)
EVENT = Event(7, 0, "0x" + "cd" * 32, ("0x" + "ef" * 32, "0x" + "00" * 32), "0x00ff")
HEAD = Head(chain_id="1", registry="0x" + "11" * 20, version="1", code_hash="0x" + "22" * 32, events=1, block=BLOCK)


def contents() -> dict[str, bytes]:
    return {
        "blocks.jsonl": b"".join(block_lines([BLOCK])),
        "events.jsonl": b"".join(event_lines([EVENT])),
        object_name(hashlib.sha256(b"object").hexdigest()): b"object",
        "registry.json": HEAD.to_bytes(),
    }


def good() -> bytes:
    out = io.BytesIO()
    write_archive(out, contents())
    return out.getvalue()


def refused(data: bytes, folder: Path, limit: int = 1 << 30) -> str:
    """The place that the refusal names; nothing else may happen to the folder."""
    file = folder / "archive.tar"
    file.write_bytes(data)
    with pytest.raises(ArchiveRefused) as error:
        Archive.open(file, limit)
    assert os.listdir(folder) == ["archive.tar"]
    return f"{error.value.place}: {error.value.message}"


def with_member(info: tarfile.TarInfo, data: bytes = b"") -> bytes:
    """An archive that begins well and holds one more entry, as Python's own tarfile writes it."""
    content = contents()
    digests = {name: hashlib.sha256(value).hexdigest() for name, value in content.items()}
    listed = {**digests, info.name: hashlib.sha256(data).hexdigest()}
    try:
        listing = format_listing(listed.items())
    except UnicodeEncodeError:
        listing = format_listing(digests.items())
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, value in sorted({"SHA256SUMS": listing, **content}.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(value)
            tar.addfile(entry, io.BytesIO(value))
        tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def test_a_good_one_is_read(tmp_path: Path) -> None:
    (tmp_path / "archive.tar").write_bytes(good())
    with Archive.open(tmp_path / "archive.tar") as archive:
        assert archive.head == HEAD
        assert parse_events(archive.read("events.jsonl")) == [EVENT]
        assert [b"".join(archive.object_blocks(digest)) for digest in archive.objects] == [b"object"]


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "objects/../../evil", "zz/evil", "objects/00/" + "0" * 61 + "/", "a" * 300]
)
def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    info = tarfile.TarInfo(name)
    info.size = 4
    assert refused(with_member(info, b"evil"), tmp_path)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_folders_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    name = object_name(hashlib.sha256(b"").hexdigest())
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    assert "expected" in refused(with_member(info), tmp_path)
    # and in the place of a member that has to be there
    data = bytearray(good())
    at = data.rindex(b"registry.json")
    entry = tarfile.TarInfo("registry.json")
    entry.type, entry.linkname, entry.mode = kind, "/etc/passwd", 0o644
    data[at : at + 512] = entry.tobuf(tarfile.GNU_FORMAT)
    assert "expected the file registry.json, got" in refused(bytes(data), tmp_path)


def test_a_size_that_is_not_there_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    for size in (1 << 40, 1 << 62):
        data = header("SHA256SUMS", size) + bytes(10240 - 512)
        assert "the archive ends before that" in refused(data, tmp_path)


def test_extended_headers_are_never_followed(tmp_path: Path) -> None:
    """Python's tarfile reads such a header into memory, whatever size it says."""
    info = tarfile.TarInfo("SHA256SUMS")
    info.pax_headers = {"path": "../evil", "size": "99999999999"}
    assert "byte 0" in refused(info.tobuf(tarfile.PAX_FORMAT) + bytes(10240), tmp_path)
    sparse = tarfile.TarInfo("SHA256SUMS")
    sparse.type = tarfile.GNUTYPE_SPARSE
    assert "byte 0" in refused(sparse.tobuf(tarfile.GNU_FORMAT) + bytes(10240), tmp_path)


def test_what_is_compressed_is_not_unpacked(tmp_path: Path) -> None:
    assert "byte 0" in refused(gzip.compress(good()), tmp_path)


def test_more_than_was_allowed_is_refused(tmp_path: Path) -> None:
    assert "at most 4,096 bytes" in refused(good(), tmp_path, limit=4096)


def test_a_member_twice_or_out_of_order_is_refused(tmp_path: Path) -> None:
    """Two readers that take different ones of two members of a name see two different archives."""
    info = tarfile.TarInfo("registry.json")
    info.size = 2
    assert refused(with_member(info, b"{}"), tmp_path)
    content = contents()
    listing = format_listing((name, hashlib.sha256(data).hexdigest()) for name, data in content.items())
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, value in [("SHA256SUMS", listing), *sorted(content.items(), reverse=True)]:
            entry = tarfile.TarInfo(name)
            entry.size = len(value)
            tar.addfile(entry, io.BytesIO(value))
    assert "expected blocks.jsonl" in refused(out.getvalue(), tmp_path)


def test_nothing_may_follow_or_be_hidden_between(tmp_path: Path) -> None:
    data = good()
    assert "zero bytes and then the end" in refused(data + bytes(512), tmp_path)
    assert "zero bytes and then the end" in refused(data[:-1], tmp_path)
    hidden = bytearray(data)
    hidden[-1] = 1
    assert "zero bytes and then the end" in refused(bytes(hidden), tmp_path)


def test_every_single_byte_counts(tmp_path: Path) -> None:
    data = good()
    for position in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[position] ^= 1 << position % 8
        assert refused(bytes(damaged), tmp_path), position


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    data = good()
    for length in [*range(0, len(data), 509), len(data) - 1]:
        assert refused(data[:length], tmp_path), length


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", tmp_path / "nothing"):
        with pytest.raises(InputError, match="regular file"):
            Archive.open(path)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_bytes_crash_the_reader(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Bytes of any sort, and good archives with pieces cut out, doubled or replaced."""
    archive = bytearray(good())
    for _ in range(data.draw(st.integers(0, 3))):
        at, length = data.draw(st.integers(0, len(archive))), data.draw(st.integers(0, 600))
        archive[at : at + length] = data.draw(st.binary(max_size=600) | st.just(bytes(archive[:512])))
    whole = data.draw(st.sampled_from([bytes(archive), data.draw(st.binary(max_size=2000))]))
    file = tmp_path_factory.mktemp("any") / "archive.tar"
    file.write_bytes(whole)
    if whole == good():
        Archive.open(file).__exit__(None, None, None)
        return
    with pytest.raises(ArchiveRefused):
        Archive.open(file)


lines = st.binary(max_size=300) | st.sampled_from(
    [b"".join(event_lines([EVENT])), b"".join(block_lines([BLOCK])), b"\n", b'{"block":01}\n']
)


@settings(max_examples=200, deadline=None)
@given(st.lists(lines, max_size=4).map(b"".join))
def test_no_lines_crash_the_parsers_and_what_they_take_has_one_form(data: bytes) -> None:
    for parse, write in ((parse_events, event_lines), (parse_blocks, block_lines)):
        try:
            found = parse(data)
        except ValueError:
            continue
        assert b"".join(write(found)) == data  # type: ignore[operator]
