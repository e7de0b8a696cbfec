"""Real lock files of other tools are installed from the package index, with the groups that their author had."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from blockchaintracer.lab.capture.environment import find_uv, rebuild_environment, requirements_from

pytestmark = pytest.mark.live

LOCKS = Path(__file__).parents[1] / "data" / "locks"
LIMIT_S = 240
LIBRARY = '[project]\nname = "lib"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["six==1.16.0"]\n'
PROJECT = """
[project]
name = "study"
version = "1"
requires-python = ">=3.11"
dependencies = ["lib"]
[project.optional-dependencies]
web = ["idna"]
[dependency-groups]
dev = ["iniconfig"]
[tool.uv.sources]
lib = { workspace = true }
[tool.uv.workspace]
members = ["packages/*"]
"""


def has(python: Path, module: str) -> bool:
    command = [str(python), "-c", f"import {module}"]
    return subprocess.run(command, capture_output=True, check=False, timeout=LIMIT_S).returncode == 0


@pytest.mark.parametrize("name", ["poetry.lock", "pdm.lock", "Pipfile.lock"])
def test_a_lock_of_another_tool_is_installed(name: str, tmp_path: Path) -> None:
    wanted = requirements_from(LOCKS / name, installed={"six", "iniconfig"})
    python = rebuild_environment(wanted, tmp_path / "env")
    assert [has(python, module) for module in ("six", "iniconfig", "idna")] == [True, True, False]


def test_a_workspace_of_uv_is_installed_with_the_extras_that_its_author_had(tmp_path: Path) -> None:
    code = tmp_path / "code"
    library = code / "packages" / "lib"
    (library / "src" / "lib").mkdir(parents=True)
    (library / "src" / "lib" / "__init__.py").touch()
    (library / "pyproject.toml").write_text(
        f'{LIBRARY}[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    )
    (code / "pyproject.toml").write_text(PROJECT)
    subprocess.run([str(find_uv()), "lock", "--quiet"], cwd=code, check=True, timeout=LIMIT_S)
    wanted = requirements_from(code / "uv.lock", code, installed={"lib", "six", "idna"})
    python = rebuild_environment(wanted, tmp_path / "env", project=code)
    assert [has(python, module) for module in ("lib", "six", "idna", "iniconfig")] == [True, True, True, False]
