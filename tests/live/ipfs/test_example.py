"""The example runs, with an IPFS node and without."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.labs import ROOT


@pytest.mark.parametrize("on_ipfs", [False, True])
def test_a_stranger_reads_what_was_recorded(node: str, tmp_path: Path, on_ipfs: bool) -> None:
    variables = {"BLOCKCHAINTRACER_IPFS_RPC": node, "BLOCKCHAINTRACER_IPFS_GATEWAYS": node} if on_ipfs else {}
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "storage" / "read_recorded.py"],
        cwd=tmp_path,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "read 150 rows, verified" in done.stdout
    assert ("ipfs://" in done.stdout) == on_ipfs
