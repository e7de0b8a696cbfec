"""A lock file made from what an interpreter has installed, and which installation of a package counts."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.lab.capture.environment import _require_packages
from blockchaintracer.lab.capture.interpreter import capture_environment
from blockchaintracer.lab.capture.locks import COMPLETE
from blockchaintracer.lab.capture.made_lock import make_lock
from blockchaintracer.lab.capture.program import interpreter_of
from blockchaintracer.lab.capture.workflows import split_launcher

pytestmark = pytest.mark.fast

COMMIT = "0123456789abcdef0123456789abcdef01234567"
DIGEST = "a" * 64


def install(site: Path, name: str, version: str, content: str, origin: dict[str, Any] | None = None) -> Path:
    """Write what an installer leaves of a package of one module."""
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (site / f"{name}.py").write_text(content)
    digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).decode().rstrip("=")
    (info / "RECORD").write_text(f"{name}.py,sha256={digest},{len(content)}\n{info.name}/RECORD,,\n")
    if origin:
        (info / "direct_url.json").write_text(json.dumps(origin))
    return info


def made(direct: dict[str, Any], root: Path) -> tuple[str, dict[str, str], list[str]]:
    environment = {"python": {"version": "3.11.7"}, "packages": dict.fromkeys(direct, "1.0"), "direct": direct}
    lock = make_lock(environment, root, sys.executable)
    return lock.data.decode(), lock.sources, lock.notes


@pytest.mark.parametrize("first", ["1.0", "2.0"])
def test_of_two_versions_the_one_that_is_imported_is_told(
    first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = {"1.0": "VERSION = 1\n", "2.0": "VERSION = 2\n"}
    for version in (*(one for one in versions if one != first), first):
        install(tmp_path, "twice", version, versions[version])
    install(tmp_path, "whole", "1.0", "")
    (tmp_path / "emptied-3.0.dist-info").mkdir()
    (tmp_path / "whole-9.0.dist-info").mkdir()
    (tmp_path / "whole-9.0.dist-info" / "METADATA").touch()
    install(tmp_path, "~umpy", "1.26.0", "")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert capture_environment()["packages"] == {"twice": first, "whole": "1.0"}


@pytest.mark.parametrize("origin", ["[" * 100_000, " " * (16 << 20) + '{"url": "https://host.example/x"}'])
def test_what_a_package_says_of_its_origin_is_bounded(
    origin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (install(tmp_path, "deep", "1.0", "") / "direct_url.json").write_text(origin)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)  # as some libraries set it: then Python's parser would end the process
    try:
        environment = capture_environment()
    finally:
        sys.setrecursionlimit(limit)
    assert (environment["packages"], environment["direct"]) == ({"deep": "1.0"}, {})


def test_what_comes_from_no_index_keeps_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = {"url": "https://me:hunter2@host.example/lab/tool.git", "vcs_info": {"vcs": "git", "commit_id": COMMIT}}
    install(tmp_path, "tool", "1.0", "", git | {"subdirectory": "python"})
    (tmp_path / "bad-1.0.dist-info").mkdir()
    (tmp_path / "bad-1.0.dist-info" / "METADATA").write_text("x")
    (tmp_path / "bad-1.0.dist-info" / "direct_url.json").write_text("[")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    environment = capture_environment()
    # the lock is made by an interpreter that has all of its modules
    monkeypatch.undo()
    assert list(environment["direct"]) == ["tool"]
    lock = make_lock({**environment, "packages": {"tool": "1.0"}}, tmp_path, sys.executable)
    line = f"tool @ git+https://host.example/lab/tool.git@{COMMIT}#subdirectory=python"
    assert lock.data.decode().splitlines()[1:] == [line]
    assert (lock.sources, lock.notes) == ({"tool": line}, [])


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        ({"url": "file://{root}", "dir_info": {"editable": True}}, "-e ."),
        ({"url": "file://{root}/a%20b", "dir_info": {}}, "file:./a%20b"),
        (
            {"url": "ssh://git@host.example/lab/x", "vcs_info": {"vcs": "git", "commit_id": COMMIT}},
            f"x @ git+https://host.example/lab/x@{COMMIT}",
        ),
        (
            {"url": "https://host.example/x.whl", "archive_info": {"hashes": {"sha256": DIGEST}}},
            f"x @ https://host.example/x.whl#sha256={DIGEST}",
        ),
    ],
)
def test_a_made_lock_can_be_installed_from_what_others_have(origin: dict[str, Any], line: str, tmp_path: Path) -> None:
    origin = origin | {"url": origin["url"].replace("{root}", str(tmp_path))}
    text, sources, notes = made({"x": origin}, tmp_path)
    assert text.startswith(COMPLETE)
    assert (text.splitlines()[1:], sources, notes) == ([line], {"x": line}, [])
    _require_packages(text, tmp_path)


@pytest.mark.parametrize(
    "origin",
    [
        {"url": "file:///elsewhere", "dir_info": {"editable": True}},
        {"url": "https://host.example/x.whl?token=hunter2", "archive_info": {"hashes": {"sha256": DIGEST}}},
        {"url": "https://host.example/x.whl", "archive_info": {}},
        {"url": "https://host.example/x", "vcs_info": {"vcs": "git", "commit_id": "main"}},
        {"url": "https://host.example/x y\nz==1", "vcs_info": {"vcs": "git", "commit_id": COMMIT}},
        {"url": "git@host.example:x@y", "vcs_info": {"vcs": "git", "commit_id": COMMIT}},
    ],
)
def test_what_others_can_not_install_is_told_and_not_locked(origin: dict[str, Any], tmp_path: Path) -> None:
    text, sources, notes = made({"x": origin}, tmp_path)
    assert len(text.splitlines()) == 1
    assert "others can't install it" in notes[0]
    assert "hunter2" not in f"{text}{sources}{notes}"
    assert "elsewhere" not in f"{text}{sources}{notes}"


def test_the_interpreter_of_a_command(tmp_path: Path) -> None:
    script = tmp_path / "train"
    script.write_text("#!/usr/bin/env python3\n")
    found = {"python3": "/p/python3", ".venv/bin/python3.12": "/v/python3.12", "train": str(script)}
    find = found.get
    assert interpreter_of([".venv/bin/python3.12", "x.py"], find) == ("/v/python3.12", True)
    assert interpreter_of(["env", "A=1", "python3", "x.py"], find) == ("/p/python3", True)
    assert interpreter_of(["train"], find) == ("/p/python3", True)
    assert interpreter_of(["bash", "run.sh"], find) == ("/p/python3", False)
    assert interpreter_of(["bash", "run.sh"], {}.get) == (None, False)
    assert interpreter_of([str(tmp_path / "poetry"), "run", "python3", "x.py"], find) == ("/p/python3", False)


@pytest.mark.parametrize(
    ("command", "launcher", "program"),
    [
        ("uv run fit.py --seed 7", "uv run", "python fit.py --seed 7"),
        ("/opt/uv run --frozen --with numpy -- fit 7", "/opt/uv run --frozen --with numpy", "fit 7"),
        ("uv run -p 3.12 -m fit.main", "uv run -p 3.12", "python -m fit.main"),
        ("poetry run python fit.py", "poetry run", "python fit.py"),
        ("uv sync", "", "uv sync"),
        ("uv run --", "uv run", ""),
        ("python run fit.py", "", "python run fit.py"),
    ],
)
def test_a_launcher_is_no_part_of_the_program(command: str, launcher: str, program: str) -> None:
    assert split_launcher(command.split()) == (launcher.split(), program.split())
