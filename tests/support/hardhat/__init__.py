"""Hardhat's node, a second make beside anvil: another EVM program, without the methods and fields that anvil adds."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.labs import free_port
from tools import npm

HERE = Path(__file__).resolve().parent
COMMAND = HERE / "node_modules" / "hardhat" / "internal" / "cli" / "bootstrap.js"
RICH = (
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
)
"""Private keys of the first two accounts that have coin there: everybody knows them."""


def ask(url: str, method: str, *params: Any) -> Any:
    """The result of a method, or an OSError while nothing listens."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"})) as answer:
        return json.loads(answer.read())["result"]


@contextmanager
def hardhat(folder: Path, chain_id: int = 4949) -> Iterator[str]:
    """The address of a node of our own, on a free port of loopback, gone afterwards.

    Args:
        folder: what Hardhat keeps of its users goes there.
    """
    npm.install(HERE)
    port = free_port()
    homes = {name: str(folder) for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    node = subprocess.Popen(
        [npm.NODE, COMMAND, "node", "--hostname", "127.0.0.1", "--port", str(port)],
        cwd=HERE,
        env=os.environ | homes | {"CHAIN_ID": str(chain_id), "HARDHAT_DISABLE_TELEMETRY_PROMPT": "true"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                assert int(ask(url, "eth_chainId"), 16) == chain_id
                break
            except OSError:
                if node.poll() is not None:
                    raise
                time.sleep(0.05)
        yield url
    finally:
        node.terminate()
        node.wait(10)
