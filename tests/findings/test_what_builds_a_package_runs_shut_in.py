"""What a stranger's package asks for to be built ran outside of the sandbox, when a second thing was installed there.

uv asks the Python of an environment about itself by starting it, each time if it keeps nothing in a cache.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from blockchaintracer.lab.capture import environment
from blockchaintracer.lab.capture.environment import rebuild_environment

pytestmark = pytest.mark.node

BACKEND = """
import zipfile
def get_requires_for_build_wheel(*_):
    return ["harmless==1.0"]
def build_wheel(out, *_):
    import harmless
    info = "study-1.0.dist-info/"
    with zipfile.ZipFile(out + "/study-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: study\\nVersion: 1.0\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return "study-1.0-py3-none-any.whl"
"""
PROJECT = '[build-system]\nrequires = ["evil==1.0"]\nbuild-backend = "backend"\nbackend-path = ["."]\n'
PROJECT += '[project]\nname = "study"\nversion = "1.0"\n'


def wheel(folder: Path, name: str, files: dict[str, str]) -> None:
    info = f"{name}-1.0.dist-info/"
    files |= {
        f"{info}METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{one},,\n" for one in (*files, f"{info}RECORD"))
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as made:
        for path, text in {**files, f"{info}RECORD": record}.items():
            made.writestr(path, text)


def test_it_runs_nothing_of_what_was_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not environment.find_uv():
        pytest.skip("uv is not installed")
    packages, project, escaped = tmp_path / "packages", tmp_path / "project", tmp_path / "escaped"
    packages.mkdir()
    project.mkdir()
    wheel(packages, "evil", {"evil.pth": f"import pathlib; pathlib.Path({str(escaped)!r}).touch()\n"})
    wheel(packages, "harmless", {"harmless.py": ""})
    (project / "pyproject.toml").write_text(PROJECT)
    (project / "backend.py").write_text(BACKEND)
    lock = tmp_path / "requirements.lock"
    lock.write_text(".\n")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(packages))
    monkeypatch.setenv("UV_NO_CACHE", "1")
    rebuild_environment(lock, tmp_path / "env", project=project)
    assert not escaped.exists()
