"""pandas reads what was recorded and what is on IPFS, and not a byte of what was changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pandas
import pytest

from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified, StoreError
from blockchaintracer.core.record import Kind
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.store.ipfs.dag import Tree
from blockchaintracer.lab.store.ipfs.kubo import Kubo
from tests.live.ipfs.conftest import content
from tests.support.labs import free_port, shared_lab

ROWS = pandas.DataFrame({"x": range(1000), "y": [number / 7 for number in range(1000)]})


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with shared_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture
def options(lab: Lab) -> dict[str, Any]:
    return {"home": str(lab.home.path), "rpc": lab.devnet.start().url}


@pytest.fixture(scope="module")
def one(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("one") / "rows.csv"
    ROWS.to_csv(file, index=False)
    return record_content(lab, Kind.DATASET, file, name="rows").id


@pytest.fixture(scope="module")
def many(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("many")
    (folder / "train").mkdir()
    ROWS.to_parquet(folder / "train" / "part-1.parquet")
    ROWS.to_csv(folder / "test.csv", index=False)
    return record_content(lab, Kind.DATASET, folder, name="many").id


def test_pandas_reads_a_record(one: str, many: str, options: dict[str, Any]) -> None:
    for url in (f"record://{one}", f"blockchaintracer://{one}", f"record://{many}/test.csv"):
        pandas.testing.assert_frame_equal(pandas.read_csv(url, storage_options=options), ROWS)
    read = pandas.read_parquet(f"record://{many}/train/part-1.parquet", storage_options=options)
    pandas.testing.assert_frame_equal(read, ROWS)


def test_a_record_is_listed_as_a_folder(many: str, one: str, options: dict[str, Any]) -> None:
    filesystem = fsspec.filesystem("record", **options)
    assert filesystem.ls(f"record://{many}", detail=False) == [f"{many}/test.csv", f"{many}/train"]
    assert filesystem.find(many) == [f"{many}/test.csv", f"{many}/train/part-1.parquet"]
    assert filesystem.isdir(f"{many}/train")
    assert filesystem.isfile(one)
    assert filesystem.size(one) == len(ROWS.to_csv(index=False))
    assert not filesystem.exists(f"{many}/nothing")
    with pytest.raises(FileNotFoundError):
        filesystem.open(f"{many}/nothing")
    with pytest.raises(InputError, match="read"):
        filesystem.open(one, "wb")
    with pytest.raises(InputError):
        filesystem.ls("ab" * 32)


def test_not_a_byte_of_a_changed_file_is_read(lab: Lab, tmp_path: Path, options: dict[str, Any]) -> None:
    (tmp_path / "file").write_bytes(content(100_000))
    made = record_content(lab, Kind.DATASET, tmp_path / "file", name="file")
    path = lab.store.path_of(lab.store.put_file(tmp_path / "file").sha256)
    whole = path.read_bytes()
    path.chmod(0o600)
    # the last byte: who read without hashing first would have had all before it
    path.write_bytes(whole[:-1] + b"!")
    filesystem = fsspec.filesystem("record", **options)
    with pytest.raises(NotVerified, match="recorded"):
        filesystem.open(made.id)
    path.write_bytes(whole)
    assert filesystem.cat(made.id) == whole


def test_what_is_not_here_comes_from_where_it_was_published(
    lab: Lab, one: str, many: str, node: str, tmp_path: Path
) -> None:
    options = {
        "home": str(tmp_path / "stranger"),
        "rpc": lab.devnet.start().url,
        "chain_id": lab.chain_id,
        "registry": lab.registry.address,
    }
    with pytest.raises(StoreError):
        pandas.read_csv(f"record://{one}", storage_options=options)
    root = publish(lab, many, node).folder.removeprefix("ipfs://")
    options["sources"] = f"{node}/ipfs/{root}"
    read = pandas.read_csv(f"record://{many}/test.csv", storage_options=options)
    pandas.testing.assert_frame_equal(read, ROWS)


def test_pandas_reads_ipfs(node: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    ROWS.to_parquet(folder / "rows.parquet")
    ROWS.to_csv(folder / "sub" / "rows.csv", index=False)
    cid = Kubo(node).send(Tree.of(folder))
    options = {"gateways": [f"http://127.0.0.1:{free_port()}", node]}
    read = pandas.read_csv(f"ipfs://{cid}/sub/rows.csv", storage_options=options)
    pandas.testing.assert_frame_equal(read, ROWS)
    read = pandas.read_parquet(f"ipfs://{cid}/rows.parquet", storage_options=options)
    pandas.testing.assert_frame_equal(read, ROWS)
    filesystem = fsspec.filesystem("ipfs", gateways=node)
    assert filesystem.find(f"ipfs://{cid}") == [f"{cid}/rows.parquet", f"{cid}/sub/rows.csv"]
    assert not filesystem.exists(f"{cid}/nothing")
    with pytest.raises(ChainUnavailable):
        fsspec.filesystem("ipfs", gateways=f"http://127.0.0.1:{free_port()}").info(str(cid))


@pytest.mark.parametrize("profile", ["unixfs-v1-2025", "legacy", "unixfs-v0-2015"])
def test_any_part_of_a_large_file_is_what_it_is(
    node: str, files: dict[str, Path], profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = files["60M"].read_bytes()
    cid = Kubo(node).send(Tree.of(files["60M"], profile))
    filesystem = fsspec.filesystem("ipfs", gateways=node)
    fetched = []
    block = filesystem._gateways.block
    monkeypatch.setattr(filesystem._gateways, "block", lambda cid: fetched.append(cid) or block(cid))
    with filesystem.open(str(cid), cache_type="none") as file:
        for start, length in ((0, 10), (1 << 20, 1), ((1 << 20) - 1, 2), (45_678_901, 300_000), (len(data) - 5, 100)):
            file.seek(start)
            assert file.read(length) == data[start : start + length]
    # not the 58 or 229 chunks of the whole
    assert len(fetched) < 25


def test_mlflow_downloads_a_record(
    lab: Lab, one: str, many: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from mlflow.artifacts import download_artifacts, list_artifacts

    monkeypatch.setenv("BLOCKCHAINTRACER_HOME", options["home"])
    monkeypatch.setenv("BLOCKCHAINTRACER_RPC", options["rpc"])
    assert [entry.path for entry in list_artifacts(f"record://{many}")] == ["test.csv", "train"]
    got = Path(download_artifacts(f"record://{many}", dst_path=str(tmp_path)))
    found = [path for path in got.rglob("*") if path.is_file()]
    assert sorted(path.name for path in found) == ["part-1.parquet", "test.csv"]
    pandas.testing.assert_frame_equal(pandas.read_csv(next(p for p in found if p.name == "test.csv")), ROWS)


def test_home_of_the_environment_is_used(one: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOCKCHAINTRACER_HOME", options["home"])
    monkeypatch.setenv("BLOCKCHAINTRACER_RPC", options["rpc"])
    assert Home().path == Path(options["home"])
    assert len(pandas.read_csv(f"record://{one}")) == len(ROWS)
