"""`verify ID` by somebody without a lab made a home, started a node, and believed whatever chain a node said it was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from blockchaintracer.core.record import Kind
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.content import record_content
from tests.support.labs import typed

pytestmark = pytest.mark.node


def test_a_record_is_verified_and_nothing_is_left_behind(lab: Lab, tmp_path: Path) -> None:
    file, home = tmp_path / "data.csv", tmp_path / "stranger"
    file.write_bytes(os.urandom(9))
    made = record_content(lab, Kind.DATASET, file)
    node, registry = lab.devnet.start().url, lab.registry.address
    right = ("--rpc", node, "--chain-id", "77787", "--registry", registry)
    for what in (made.id, str(file), made.transaction):
        done = typed("verify", what, *right, home=home)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Check it yourself\n  pip install blockchaintracer\n" in done.stdout
        assert (
            f"blockchaintracer verify {lab.domain.global_id(made.id)} --rpc URL --chain-id 77787 --registry {registry}"
            in done.stdout
        )
        assert "Verified on a private test chain: " in done.stdout
        assert done.stdout.splitlines()[0].endswith("Checked here; a private test chain proves nothing to others.")
    for wrong in (
        (),
        ("--registry", registry),
        ("--network", "devnet", "--registry", registry),
        ("--rpc", node, "--registry", registry),
        ("--rpc", node, "--chain-id", "1", "--registry", registry),
        ("--rpc", node, "--network", "ethereum", "--registry", registry),
        ("--rpc", node, "--chain-id", "77787"),
    ):
        done = typed("verify", made.id, *wrong, home=home)
        assert (done.returncode, done.stdout) == (2, ""), wrong
    assert not home.exists()
