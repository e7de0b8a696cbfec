"""Ape changes how every program of its process reads a contract's numbers: bytes that are missing were made up, so that
`ape run` took a node's answer that was cut short for a whole one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from blockchaintracer.core.chain.abi import interface

pytestmark = pytest.mark.node
READ = """
import ape.utils.abi
from blockchaintracer.core.chain.abi import interface
try:
    print(interface().result("lastGroup", bytes(15) + b"\\1"))
except ValueError:
    print("refused")
"""


def test_an_answer_that_was_cut_is_refused() -> None:
    assert interface().result("lastGroup", bytes(31) + b"\1") == 1
    done = subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout == "refused\n", done.stderr
