"""Whatever bytes a stranger gives: a node, an archive or a CID is read or refused, and nothing else happens."""

from __future__ import annotations

import contextlib
import io
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from blockchaintracer.core.digest import DagLink, digest_bytes, protobuf_field, varint
from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.lab.store.ipfs.blocks import Cid, parse_node, read_varint
from blockchaintracer.lab.store.ipfs.car import car, read_car
from tests.support.labs import typed

many = settings(max_examples=500, deadline=None)
FOLDER = Cid(1, 0x70, bytes(32))
fields = st.tuples(st.integers(1, 9), st.sampled_from([0, 1, 2, 5]), st.binary(max_size=40))


def message(parts: list[tuple[int, int, bytes]]) -> bytes:
    """Almost a protobuf message."""
    return b"".join(
        protobuf_field(number, data) if wire == 2 else varint(number << 3 | wire) + data for number, wire, data in parts
    )


@many
@given(st.one_of(st.binary(max_size=200), st.lists(fields, max_size=6).map(message)))
def test_a_block_is_a_node_or_refused(data: bytes) -> None:
    for block in (data, protobuf_field(1, data), protobuf_field(2, data) + protobuf_field(1, b"\x08\x01")):
        try:
            node = parse_node(FOLDER, block)
        except NotVerified:
            continue
        assert node.size == (len(node.data) + sum(node.sizes) if node.kind == "file" else 0)


@many
@given(st.integers(0, (1 << 63) - 1), st.binary(max_size=5))
def test_numbers_are_read_as_they_were_written(number: int, more: bytes) -> None:
    assert read_varint(varint(number) + more, 0) == (number, len(varint(number)))


@many
@given(st.binary(max_size=300))
def test_bytes_are_an_archive_or_refused(data: bytes) -> None:
    with contextlib.suppress(NotVerified):
        list(read_car(io.BytesIO(data).read, "here"))
    header = b"".join(car(FOLDER, ()))
    with contextlib.suppress(NotVerified):
        list(read_car(io.BytesIO(header + data).read, "here"))


@many
@given(st.lists(st.binary(max_size=100), max_size=8), st.integers(0, 2000), st.integers(1, 255))
def test_an_archive_gives_what_was_put_in_or_notices(contents: list[bytes], at: int, change: int) -> None:
    blocks = [(Cid.parse(digest_bytes(data).cid).binary, data) for data in contents]
    whole = b"".join(car(FOLDER, blocks))
    assert [(cid.binary, data) for cid, data in read_car(io.BytesIO(whole).read, "here")] == blocks
    if at < len(whole):
        # one byte changed: every block that is still given is one that was put in
        bad = whole[:at] + bytes([whole[at] ^ change]) + whole[at + 1 :]
        try:
            for cid, data in read_car(io.BytesIO(bad).read, "here"):
                assert cid.check(data, "here") == data
        except NotVerified:
            pass


@many
@given(st.text(max_size=70))
def test_a_text_is_a_cid_or_refused(text: str) -> None:
    for candidate in (text, "b" + text, "Qm" + text):
        try:
            cid = Cid.parse(candidate)
        except InputError:
            continue
        assert str(cid).lower() == candidate.lower()


@many
@given(st.binary(min_size=32, max_size=32), st.sampled_from([(0, 0x70), (1, 0x55), (1, 0x70)]))
def test_a_cid_is_read_as_it_was_written(digest: bytes, form: tuple[int, int]) -> None:
    cid = Cid(*form, digest)
    assert Cid.parse(str(cid)) == cid == Cid.decode(cid.binary)
    link = DagLink(cid.binary, 1, 1).encode("name")
    assert parse_node(FOLDER, link + protobuf_field(1, b"\x08\x01")).links[0].cid == cid


def test_empty_folders_are_named_as_left_out(tmp_path):
    for folder in ("data/full/empty", "data/hollow"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "data" / "full" / "a").write_text("a")
    done = typed("ipfs", "car", tmp_path / "data", "-o", tmp_path / "a.car", "--json", home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["emptyFolders"] == ["full/empty", "hollow"]
    assert "Left out, because it is empty: full/empty" in done.stderr
