"""Some libraries raise Python's recursion limit. Its JSON reader then ends the process on deep nesting, and a node's
answer was read without counting it first."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockchaintracer.core.plain_json import MAX_DEPTH, nested
from tests.node.test_reader import node

pytestmark = pytest.mark.node
ASK = """
import sys
sys.setrecursionlimit(10**6)
from blockchaintracer.core.chain import Chain
from blockchaintracer.core.errors import ChainUnavailable
try:
    Chain.connect(sys.argv[1]).nonce("0x" + "11" * 20)
except ChainUnavailable as error:
    print(error)
"""
TEXT = st.text(st.sampled_from('a"\\[]{}\n'), max_size=5)
VALUES = st.recursive(
    st.none() | st.integers() | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20
)


def test_the_process_lives() -> None:
    with node(lambda request: b"[" * 10**6) as (url, _):
        done = subprocess.run(
            [sys.executable, "-c", ASK, url], capture_output=True, text=True, timeout=300, check=False
        )
    assert (done.returncode, "did not answer as a node does" in done.stdout) == (0, True), (done.stdout, done.stderr)


@given(VALUES, st.sampled_from([None, 1]), st.booleans())
def test_depth_is_counted_around_every_text(value: Any, indent: int | None, is_ascii: bool) -> None:
    def depth(value: Any) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    for _ in range(MAX_DEPTH):  # what can't be deep is not looked at
        value = [value]
    wide = [value, [[]] * MAX_DEPTH]
    assert nested(json.dumps(wide, indent=indent, ensure_ascii=is_ascii).encode()) == depth(wide)


@pytest.mark.parametrize("end", [b"", b"\\"])
def test_a_text_without_an_end_is_read_once(end: bytes) -> None:
    # each quote began another search to the end: this would have taken days
    assert nested(b"[" * (MAX_DEPTH + 1) + b'"' + b'\\"' * 2_000_000 + end) == MAX_DEPTH + 1
