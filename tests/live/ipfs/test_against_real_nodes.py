"""Addresses computed here are those of real nodes: Helia under all profiles, Kubo under that of version 0."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from blockchaintracer.core.digest import DEFAULT_PROFILE, digest_file
from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.lab.store.ipfs.blocks import Cid, parse_node
from blockchaintracer.lab.store.ipfs.car import car
from blockchaintracer.lab.store.ipfs.dag import Tree
from blockchaintracer.lab.store.ipfs.kubo import Kubo
from tests.live.ipfs.conftest import MIB, SIZES
from tests.live.ipfs.nodes import kubo_cids

PROFILES = [DEFAULT_PROFILE, "legacy", "unixfs-v0-2015"]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_file_gets_the_cid_that_helia_gives_it(node: str, files: dict[str, Path], profile: str) -> None:
    for name in SIZES:
        # raises if the node names another
        assert str(Kubo(node).add(files[name], profile)) == digest_file(files[name], profile).cid


def test_files_and_folders_get_the_cids_that_kubo_gives_them(
    files: dict[str, Path], folder: Path, tmp_path: Path
) -> None:
    paths = [*files.values(), folder]
    ours = [str(Tree.of(path, "unixfs-v0-2015").root()) for path in paths]
    assert kubo_cids(paths, tmp_path) == ours


@pytest.mark.parametrize("profile", PROFILES)
def test_a_folder_gets_the_cid_that_helia_gives_it(node: str, folder: Path, profile: str) -> None:
    import requests

    tree = Tree.of(folder, profile)
    said = {DEFAULT_PROFILE: ("1", "true", 1 << 20, 1024), "legacy": ("1", "true", 1 << 18, 174)}
    version, raw, chunk, width = said.get(profile, ("0", "false", 1 << 18, 174))
    options = {"cid-version": version, "raw-leaves": raw, "chunker": f"size-{chunk}", "max-file-links": width}
    parts = [("file", (f"data%2F{path.replace('/', '%2F')}", Path(file).read_bytes())) for path, file in tree.files]
    answer = requests.post(f"{node}/api/v0/add", params=options, files=parts, timeout=600)
    assert answer.status_code == 200, answer.text
    assert f'"Hash":"{tree.root()}"' in answer.text.splitlines()[-1]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_node_takes_our_blocks_and_has_the_whole(node: str, folder: Path, profile: str) -> None:
    import requests

    tree = Tree.of(folder, profile)
    cid = Kubo(node).send(tree)
    assert Kubo(node).is_pinned(cid)
    for path, file in tree.files:
        got = requests.get(f"{node}/ipfs/{cid}/{path}", timeout=600)
        assert got.content == Path(file).read_bytes()


def test_a_node_that_names_another_cid_fails_the_publication(node: str, files: dict[str, Path], monkeypatch) -> None:
    kubo = Kubo(node)
    call = kubo._call
    # the node cuts the file otherwise than it was asked to
    monkeypatch.setattr(
        kubo, "_call", lambda command, body, **options: call(command, body, **options | {"chunker": "size-1000"})
    )
    with pytest.raises(NotVerified) as caught:
        kubo.add(files["300k"])
    assert digest_file(files["300k"]).cid in str(caught.value)
    assert str(caught.value).count("baf") == 2


def test_pins_come_and_go(node: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in no other pinned tree")
    kubo = Kubo(node)
    cid = kubo.add(tmp_path / "file")
    assert kubo.is_pinned(cid)
    kubo._call("pin/rm", arg=cid)
    assert not kubo.is_pinned(cid)
    kubo._call("pin/add", arg=cid)
    assert kubo.is_pinned(cid)


def test_a_folder_too_large_for_one_block_is_refused_by_name(tmp_path: Path) -> None:
    for number in range(4000):
        file = tmp_path / "many" / f"{number:030}"
        file.parent.mkdir(exist_ok=True)
        file.touch()
    (tmp_path / "beside").touch()
    with pytest.raises(InputError, match="many needs"):
        Tree.of(tmp_path).root()
    shutil.rmtree(tmp_path / "many")
    Tree.of(tmp_path).root()


def test_a_file_that_changes_between_the_two_readings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"one")
    tree = Tree.of(tmp_path / "file")
    root = tree.root()
    (tmp_path / "file").write_bytes(b"two")
    with pytest.raises(InputError, match="changed"):
        list(car(root, tree.blocks(root)))


def test_the_blocks_of_a_tree_are_what_their_cids_say(folder: Path) -> None:
    tree = Tree.of(folder)
    root = tree.root()
    found = {cid: Cid.decode(cid).check(data, "here") for cid, data in tree.blocks(root)}
    names = [link.name for link in parse_node(root, found[root.binary]).links]
    assert names == sorted(names, key=str.encode)
    assert Cid.parse(str(root)) == root


def test_large_files_are_sent_and_fetched_in_flat_memory(node: str, files: dict[str, Path], tmp_path: Path) -> None:
    import tracemalloc

    from blockchaintracer.lab.store.ipfs.download import download
    from blockchaintracer.lab.store.ipfs.gateway import Address, Gateways

    tree = Tree.of(files["60M"])
    Kubo(node).version()
    tracemalloc.start()
    try:
        cid = Kubo(node).send(tree)
        download(Address(cid, (), None), tmp_path / "back", limit=1 << 30, gateways=Gateways([node]))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "back").read_bytes() == files["60M"].read_bytes()
    # a few blocks of 1 MiB, and never the 60 MB
    assert peak < 16 * MIB
