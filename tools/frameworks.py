"""Runs tests/live/frameworks in an environment of their own, .toolchain/frameworks, which it makes: everything by hash
from locks/frameworks.txt but PyTorch, which comes as a build for CPUs.

Which build a package index has under one version differs, so PyTorch has no hash in the lock. For Linux the build on
PyPI is for CUDA and brings several GB; if it is what would come, nothing is fetched. TORCH_INDEX_URL names an index
that has builds for CPUs (pytorch.org names its own), CUDA=1 takes what there is.
"""

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".toolchain" / "frameworks"
LOCK = ROOT / "locks" / "frameworks.txt"
TORCH = "torch==2.13.0"
PYTHON = VENV / "bin" / "python"
DONE = VENV / "setup.sha256"


def run(*command: str | Path, **more) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([str(part) for part in command], cwd=ROOT, text=True, check=False, **more)
    if done.returncode:
        sys.exit(f"{command[0]} ended with {done.returncode}\n{done.stderr or ''}")
    return done


def install_torch() -> None:
    index = ["--index-url", url] if (url := os.environ.get("TORCH_INDEX_URL")) else []
    pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *index]
    if not os.environ.get("CUDA"):
        report = run(*pip, "--dry-run", "--ignore-installed", "--report", "-", TORCH, stdout=subprocess.PIPE).stdout
        found = [package["metadata"]["name"].lower().replace("_", "-") for package in json.loads(report)["install"]]
        cuda = [name for name in found if name.startswith(("nvidia-", "cuda-")) or name == "triton"]
        if cuda:
            sys.exit(
                f"expected a build of {TORCH} for CPUs, got one that needs {', '.join(cuda[:3])}, …\n"
                "Name an index that has one, as pytorch.org says, by TORCH_INDEX_URL; or set CUDA=1 to take this."
            )
    run(*pip, TORCH)


def set_up() -> None:
    wanted = sha256(LOCK.read_bytes() + Path(__file__).read_bytes()).hexdigest()
    if DONE.exists() and DONE.read_text() == wanted:
        return
    run(sys.executable, "-m", "venv", "--clear", VENV)
    install_torch()
    uv = [Path(sys.executable).with_name("uv"), "pip", "install", "--quiet", "--python", PYTHON, "--no-deps"]
    run(*uv, "--require-hashes", "--requirements", LOCK)
    run(*uv, "--no-build-isolation", "--editable", ROOT)
    DONE.write_text(wanted)


def test(backend: str, arguments: list[str]) -> int:
    """Keras takes one backend for the life of a process."""
    command = [PYTHON, "-m", "pytest", *arguments]
    return subprocess.call(command, cwd=ROOT, env=os.environ | {"KERAS_BACKEND": backend})


set_up()
if sys.argv[1:]:
    sys.exit(test(os.environ.get("KERAS_BACKEND", "torch"), sys.argv[1:]))
sys.exit(
    test("torch", ["tests/live/frameworks"])
    or test("tensorflow", ["tests/live/frameworks/test_keras.py", "tests/live/frameworks/test_tensorflow.py"])
    or test("jax", ["tests/live/frameworks/test_keras.py", "tests/live/frameworks/test_jax.py"])
)
