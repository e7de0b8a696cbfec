"""Bundles made of any bytes, for a verifier that shares no code with the exporter."""

import ast
import json
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockchaintracer.core.verify.bundle import BundleRefused, read_bundle
from tests.support.artifacts import ROOT


def refusal(data: bytes) -> str:
    """The place that the refusal names."""
    with pytest.raises(BundleRefused) as refused:
        read_bundle(data)
    return refused.value.place


def test_the_verifier_shares_no_code_with_the_exporter() -> None:
    def imported(file: str) -> set[str]:
        tree = ast.parse((ROOT / "blockchaintracer" / file).read_text())
        modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        return {
            module.removeprefix("blockchaintracer.core.") for module in modules if module.startswith("blockchaintracer")
        }

    verifier, exporter = imported("core/verify/bundle.py"), imported("lab/bundle/exporter.py")
    allowed = {
        "chain.coding",
        "errors",
        "formats",
        "storage_layout",
        "manifest",
        "plain_json",
        "merkle",
        "record",
        "record_view",
        "verify.chain_shapes",
    }
    assert verifier <= allowed
    assert verifier & exporter <= {"errors", "formats", "storage_layout", "record"}


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_crash_the_verifier(data: bytes) -> None:
    refusal(data)


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_no_json_crashes_the_verifier(value: Any) -> None:
    refusal(json.dumps(value).encode())


def test_nesting_without_end_is_refused() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)  # as some programs set it: then Python's parser would end the process
    try:
        assert refusal(b"[" * 100_000) == "byte 0"
    finally:
        sys.setrecursionlimit(limit)
