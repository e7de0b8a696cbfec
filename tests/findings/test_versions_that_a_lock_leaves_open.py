"""Requirements that pin what a project names leave open what those packages need: others got newer versions of it, and
nothing at all if one of them is source alone."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from blockchaintracer.lab.capture import environment
from blockchaintracer.lab.capture.environment import rebuild_environment, requirements_from
from tests.findings.test_what_a_package_sees_when_it_is_built import BACKEND, Place

pytestmark = pytest.mark.node


def wheel(folder: Path, name: str, version: str, needs: str = "") -> None:
    info = f"{name}-{version}.dist-info"
    described = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as made:
        made.writestr(f"{info}/METADATA", described)
        made.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        made.writestr(f"{info}/RECORD", "")


def test_they_are_those_of_the_author(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not environment.find_uv():
        pytest.skip("uv is not installed")
    place = Place(tmp_path, 1)
    place.source(f"KEY, PORT = '', 1\n{BACKEND}")
    wheel(place.packages, "top", "1.0", "Requires-Dist: below\nRequires-Dist: curious\n")
    for version in ("1.0", "2.0"):
        wheel(place.packages, "below", version)
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(place.packages))
    lock = tmp_path / "requirements.txt"
    lock.write_text("top==1.0\n")
    # names and versions are a stranger's; the last is of an index that is not known
    hostile = {"x": "1\n--index-url https://evil.example", "y\n-e .": "1", "z": "1.0+cpu"}
    had = {"top": "3.0", "below": "1.0", "curious": "1.0", "unused": "7.0", **hostile}
    wanted = requirements_from(lock, installed=had)
    assert wanted.pins == ("below==1.0", "curious==1.0", "top==3.0", "unused==7.0")
    python = rebuild_environment(wanted, tmp_path / "env")
    code = "import importlib.metadata as m; print(*sorted(f'{d.name}=={d.version}' for d in m.distributions()))"
    printed = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["below==1.0", "curious==1.0", "top==1.0"]
