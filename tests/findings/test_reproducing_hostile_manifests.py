"""What a stranger's manifest can name is refused in words, and reaches nothing that isn't its own."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from blockchaintracer.cli.options import Verb
from blockchaintracer.core.errors import NotVerified
from blockchaintracer.core.record import Kind, RecordKey, SubjectType
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.extras.reproduce.rerun import Workspace, _put, _run_program, _Undecided
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.sandbox import Limits, Sandbox

pytestmark = pytest.mark.node

AUTHOR = "0x" + "11" * 20


def placed(lab: Lab, place: Workspace, target: Path) -> None:
    content = lab.store.put_bytes(b"[core]\n\thooksPath = /anywhere\n")
    key = RecordKey(1, AUTHOR, int(SubjectType.FILE), content, int(Kind.DATASET), "00" * 32, ())
    _put(lab, RecordView(id="00" * 32, key=key), target, place, ())


def test_no_input_is_put_into_git_by_a_link(tmp_path: Path) -> None:
    place = Workspace((tmp_path / "place").resolve())
    (place.code / ".git").mkdir(parents=True)
    (place.code / "data").symlink_to(".git")
    with pytest.raises(NotVerified, match="git's own"):
        placed(Lab(Home(tmp_path / "home")), place, place.code / "data" / "config")
    assert not (place.code / ".git" / "config").exists()


def test_no_input_takes_the_place_of_another(tmp_path: Path) -> None:
    place = Workspace((tmp_path / "place").resolve())
    (place.inputs / "1").mkdir(parents=True)
    (place.inputs / "1" / "x").write_text("another input")
    with pytest.raises(NotVerified, match="one place"):
        placed(Lab(Home(tmp_path / "home")), place, place.inputs / "1")
    assert (place.inputs / "1" / "x").exists()


def test_a_command_that_no_system_takes_is_no_finding(tmp_path: Path) -> None:
    with pytest.raises(_Undecided, match="can't be started"):
        _run_program(["echo", "a\0b"], tmp_path, {}, Workspace(tmp_path), Limits(seconds=5), Sandbox([tmp_path]))


def test_a_fault_of_the_program_is_not_told_as_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    @click.command(cls=Verb)
    def faulty() -> None:
        raise FileExistsError("what nobody thought of")

    with pytest.raises(SystemExit) as ended:
        faulty(["--json"])
    assert ended.value.code == 2
    assert json.loads(capsys.readouterr().out)["error"] == "BlockchainTracerError"
