"""One Helia node for all tests here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.ipfs.nodes import helia

MIB = 1 << 20
SIZES = {"empty": 0, "one": 1, "below": MIB - 1, "exact": MIB, "above": MIB + 1, "300k": 300_000, "60M": 60_000_000}


@pytest.fixture(scope="session")
def node() -> Iterator[str]:
    with helia() as url:
        yield url


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files of the sizes at which trees change their form; no two chunks of them are equal."""
    folder = tmp_path_factory.mktemp("files")
    made = {}
    for name, size in SIZES.items():
        made[name] = folder / name
        made[name].write_bytes(content(size))
    return made


def content(size: int) -> bytes:
    return b"".join(number.to_bytes(4) for number in range(size // 4 + 1))[:size]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with subfolders, names that sort otherwise by letters than by bytes, and files of several chunks."""
    root = tmp_path_factory.mktemp("folder") / "data"
    sizes = {"a": 0, "Z": 3, "é.txt": 5, "sub/b": 300_000, "sub/deep/c": MIB + 1, "sub.x": 1, "sub/deep/😀": 2}
    for name, size in sizes.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(size))
    return root
