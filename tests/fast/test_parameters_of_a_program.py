"""Parameters that a program says nothing of: read off its arguments and config files, and never instead of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.lab.recording.parameters import ParameterReader
from blockchaintracer.lab.recording.run_document import RunDocument

pytestmark = pytest.mark.fast


def read(folder: Path, *arguments: str, **told: Any) -> tuple[dict[str, Any], dict[str, str] | None]:
    reader = ParameterReader(["python", *arguments], folder)
    document = reader.add_to(RunDocument.from_plain({"schema": 1, "name": "fit", **told}))
    return document.parameters, document.parameter_sources


@pytest.mark.parametrize(
    ("arguments", "parameters"),
    [
        (["train.py", "--seed", "7", "--lr=0.1", "--shift", "-1e-3"], {"seed": 7, "lr": 0.1, "shift": -1e-3}),
        (
            ["--layers", "64", "32", "rest", "--fast", "--name", "adam"],
            {"layers": [64, 32], "fast": True, "name": "adam"},
        ),
        (["train.py", "model.lr=0.1", "+extra=yes", "-k", "3"], {"model.lr": 0.1, "extra": "yes"}),
        # places are none of the settings, and neither is what a flag may stand before
        (["--data", "data/x.csv", "--out=../out", "--verbose", "here.txt"], {}),
        (["--password", "123456", "--token=abc", "--n", "1"], {"password": "***", "token": "***", "n": 1}),
        (["--" + "x" * 300, "1"], {}),
    ],
)
def test_of_arguments(arguments: list[str], parameters: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "here.txt").touch()
    assert read(tmp_path, *arguments) == (parameters, dict.fromkeys(parameters, "argument") or None)


def test_of_config_files(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "a.yaml").write_text("model: {lr: 0.1, layers: [1, 2]}\nseed: 1\nepochs: 3\ndb_password: hunter22\n")
    (folder / "b.toml").write_text("[data]\nrows = 5\nday = 2026-01-01\n")
    (folder / "list.json").write_text("[1, 2]")
    (folder / "large.json").write_text('{"a": "' + "x" * 70_000 + '"}')
    (folder / "broken.yaml").write_text("a: [1")
    (tmp_path / "outside.yaml").write_text("pin: 1234")
    (folder / "link.yaml").symlink_to("../outside.yaml")
    named = ("a.yaml", "--config=b.toml", "list.json", "large.json", "broken.yaml", "../outside.yaml", "link.yaml")
    parameters, sources = read(folder, *named, "--seed", "2", parameters={"epochs": 9})
    assert parameters == {
        "epochs": 9,
        "seed": 2,
        "model.lr": 0.1,
        "model.layers": [1, 2],
        "db_password": "***",
        "data.rows": 5,
        "data.day": "2026-01-01",
    }
    files = {"model.lr": "file:a.yaml", "model.layers": "file:a.yaml", "db_password": "file:a.yaml"}
    assert sources == {"seed": "argument", **files, "data.rows": "file:b.toml", "data.day": "file:b.toml"}


def test_what_the_program_wrote_is_no_configuration_but_hydra_s(tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text('{"accuracy": 1}')
    old = tmp_path / "outputs/2026-01-01/10-00-00/.hydra/config.yaml"
    old.parent.mkdir(parents=True)
    old.write_text("lr: 9")
    reader = ParameterReader(["python", "train.py", "--out", "out.json"], tmp_path)
    (tmp_path / "out.json").write_text('{"accuracy": 0.5}')
    new = tmp_path / "outputs/2026-01-01/11-00-00/.hydra/config.yaml"
    new.parent.mkdir(parents=True)
    new.write_text("lr: 0.1")
    document = reader.add_to(
        RunDocument.from_plain({"schema": 1, "name": "fit", "private": {"parameters": {"depth": 1}}})
    )
    assert document.parameters == {"lr": 0.1}
    assert document.parameter_sources == {"lr": f"file:{new.relative_to(tmp_path)}"}


def test_what_is_private_or_of_a_template_is_left_alone(tmp_path: Path) -> None:
    assert read(tmp_path, "--lr", "0.1", private={"parameters": {"lr": 0.1}}) == ({}, None)
    assert read(tmp_path, "--lr", "0.1", template={"name": "classification", "version": 1}) == ({}, None)
