"""A `pytest.ini` in a cloned project had every session of its tests recorded: signed with the reader's key, and in the
registry that the project named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.node.test_pytest_plugin import recorded_id, session
from tests.support.labs import shared_lab

pytestmark = pytest.mark.node
STRANGERS = "0x" + "12" * 20


def project(folder: Path, *settings: str) -> Path:
    folder.mkdir()
    (folder / "test_suite.py").write_text("def test_passes():\n    pass\n")
    (folder / "pytest.ini").write_text("\n".join(["[pytest]", *settings]) + "\n")
    return folder


def test_settings_of_a_project_sign_nothing(tmp_path: Path) -> None:
    with shared_lab(tmp_path) as lab:
        before = len(lab.outbox.entries(lab.chain_id))
        for name, setting in (("ini", "blockchaintracer_record = true"), ("addopts", "addopts = --record")):
            done = session(project(tmp_path / name, setting), lab.home.path)
            assert done.returncode == 0, done.stdout
            assert "NOT RECORDED: ValueError: the project's settings ask for it" in done.stdout
        named = project(tmp_path / "named", f"blockchaintracer_registry = {STRANGERS}")
        done = session(named, lab.home.path, "--record")
        assert f"NOT RECORDED: ValueError: the project's settings name registry {STRANGERS}" in done.stdout
        assert len(lab.outbox.entries(lab.chain_id)) == before
        own = project(tmp_path / "own", f"blockchaintracer_registry = {lab.registry.address}")
        for more in ({}, {"PYTEST_ADDOPTS": "--record"}, {"BLOCKCHAINTRACER_RECORD": "1"}):
            options = () if more else ("--record",)
            if "BLOCKCHAINTRACER_RECORD" in more:
                (own / "pytest.ini").write_text("[pytest]\nblockchaintracer_record = true\n")
            assert recorded_id(session(own, lab.home.path, *options, **more))
