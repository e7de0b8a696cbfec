"""Capturing the software of a run without its secrets, and rebuilding it from a lock with real wheels."""

import importlib.metadata
import json
import re
import sys
from pathlib import Path

import pytest

from blockchaintracer.lab.capture import interpreter
from blockchaintracer.lab.capture.environment import loose_requirements
from blockchaintracer.lab.capture.interpreter import capture_environment
from blockchaintracer.lab.capture.program import recorded_parts
from blockchaintracer.lab.capture.secret_masking import mask_arguments


def test_python_and_packages_are_those_that_run():
    found = capture_environment()
    assert json.loads(json.dumps(found)) == found
    assert found["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    told = {
        re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower(): distribution.version
        for distribution in reversed(list(importlib.metadata.distributions()))
    }
    assert found["packages"] == told
    assert list(found["packages"]) == sorted(found["packages"])
    assert found["conda"] is None


def test_packages_of_every_layout_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("First_Part.one-1.0.dist-info", "second-2.0-py3.11.egg-info", "third.egg-info"):
        (tmp_path / name).mkdir()
    (tmp_path / "First_Part.one-1.0.dist-info/METADATA").write_text("Name: first-part.one\n")
    (tmp_path / "second-2.0-py3.11.egg-info/PKG-INFO").write_text("Name: second\n")
    (tmp_path / "third.egg-info/PKG-INFO").write_text("Metadata-Version: 2.1\nName: third\nVersion: 3.0\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / "missing.zip")])
    assert capture_environment()["packages"] == {"first-part-one": "1.0", "second": "2.0", "third": "3.0"}


def test_only_variables_that_change_results_are_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("TZ", "https://me:hunter2@host.example")
    found = recorded_parts(capture_environment())
    assert found["variables"]["OMP_NUM_THREADS"] == "2"
    assert set(found["variables"]) <= set(interpreter.VARIABLES)
    assert "hunter2" not in json.dumps(found)


def test_the_blas_in_use_is_told():
    numpy = pytest.importorskip("numpy")
    assert numpy.ones(2).sum() == 2
    (library, *_) = capture_environment()["blas"]
    assert library["internal_api"]
    assert library["version"]
    assert "/" not in json.dumps(library)
    assert interpreter._numpy_blas(numpy)[0]["internal_api"]


@pytest.mark.parametrize(
    ("arguments", "masked"),
    [
        (["--tok" + "en=hunter2"], ["--token=***"]),
        (["--password", "hunter2", "x"], ["--password", "***", "x"]),
        (["--wandb-api-key", "hunter2"], ["--wandb-api-key", "***"]),
        (["wandb.api_key=hunter2"], ["wandb.api_key=***"]),
        (["--db", "postgres://app:hunter2" + "@db/x"], ["--db", "postgres://db/x"]),
        (["--db=https://hunter2@host/x?y"], ["--db=https://host/x?***"]),
        (["ghp_" + "a1" * 18], ["***"]),
        (["--auth", "--verbose", "x"], ["--auth", "--verbose", "x"]),
        (["--lr=0.1", "--max-tokens", "512", "--tokenizer=bert", "--author", "me"],) * 2,
    ],
)
def test_secrets_in_arguments_are_masked(arguments: list[str], masked: list[str]):
    assert mask_arguments(arguments) == masked


@pytest.fixture
def conda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    meta = tmp_path / "envs/gw/conda-meta"
    meta.mkdir(parents=True)
    monkeypatch.setenv("CONDA_PREFIX", str(meta.parent))
    return meta


def test_conda_is_told_without_tokens(conda: Path):
    entry = {"name": "numpy", "version": "1.26.4", "build": "py311_0", "subdir": "linux-64", "sha256": "ab" * 32}
    for number, channel in enumerate(
        ("https://conda.anaconda.org/conda-forge/linux-64", "https://me:hunter2@conda.example/t/tk-secret/lab/noarch")
    ):
        (conda / f"{number}.json").write_text(json.dumps(entry | {"name": f"p{number}", "channel": channel}))
    (conda / "broken.json").write_text("{")
    (conda / "history").write_text("")
    found = capture_environment()["conda"]
    assert found["name"] == "gw"
    assert found["channels"] == ["https://conda.anaconda.org/conda-forge", "https://conda.example/lab"]
    assert found["packages"][0] == {
        "package": "p0-1.26.4-py311_0",
        "channel": "https://conda.anaconda.org/conda-forge",
        "subdir": "linux-64",
        "sha256": "ab" * 32,
    }
    assert len(found["packages"]) == 2
    assert not re.search("hunter2|tk-secret", json.dumps(found))


@pytest.mark.parametrize(
    ("name", "text", "loose"),
    [
        ("requirements.lock", f"a==1 --hash=sha256:{'0' * 64}\n# a comment\nb==2\n-e .\n", ["b==2", "-e ."]),
        ("requirements.txt", "--index-url https://x.example/simple\n", ["--index-url https://x.example/simple"]),
        (
            "pylock.toml",
            f'packages = [{{name = "a", version = "1", sdist = {{hashes = {{sha256 = "{"0" * 64}"}}}}}},'
            ' {name = "b", version = "1", sdist = {}}, {name = "c", directory = {path = "."}}]',
            ["b 1", "."],
        ),
        (
            "uv.lock",
            f'[[package]]\nname = "a"\nsdist = {{hash = "sha256:{"0" * 64}"}}\n[[package]]\nname = "b"\nversion = "2"',
            ["b 2"],
        ),
        ("uv.lock", "package = 3", ["the lock can't be read"]),
    ],
)
def test_what_of_a_lock_can_be_anything(name: str, text: str, loose: list[str]) -> None:
    assert loose_requirements(name, text.encode()) == loose
