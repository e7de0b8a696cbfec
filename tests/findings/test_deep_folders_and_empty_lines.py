"""Python's own walk ended at 1,000 levels of folders where a bundle, a model or a folder for IPFS was read. A gigabyte
of empty lines as an archive's events took more than eight of memory before the first line was refused."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from blockchaintracer.cli import bundle_renewals, verb_ipfs
from blockchaintracer.extras.archive.contents import parse_events
from blockchaintracer.extras.mlflow_reader.logged_content import model_details
from blockchaintracer.lab.files import remove

pytestmark = pytest.mark.fast


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "deep"
    folder.mkdir()
    for _ in range(1_100):
        folder /= "d"
        folder.mkdir()
    (folder / "file").write_text("12345")
    (folder / "empty").mkdir()
    yield tmp_path / "deep"
    remove(tmp_path / "deep")


def test_folders_of_1_000_levels_are_read(deep: Path) -> None:
    assert model_details(deep)["sizeBytes"] == 5
    [empty] = verb_ipfs._empty_folders(deep)
    assert empty.endswith("d/empty")
    with bundle_renewals._copies(SimpleNamespace(bundle=SimpleNamespace(records=[])), [deep]) as copies:  # type: ignore[arg-type]
        assert copies


def test_empty_lines_take_no_memory() -> None:
    data = b"\n" * (8 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="line 1"):
            parse_events(data)
        assert tracemalloc.get_traced_memory()[1] < len(data)
    finally:
        tracemalloc.stop()
