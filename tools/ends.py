"""Whether the client works with the oldest and with the newest packages that pyproject.toml allows: `make ends`.

Two environments without Ape's pins, .toolchain/lowest and .toolchain/newest, and tests/fast in each. PYTHON names the
interpreter of both; ARGS goes to pytest. What is newest changes from day to day, so nothing here is locked.
"""

import os
import subprocess
import sys

from compiler import ROOT

UV = ROOT / ".venv" / "bin" / "uv"
EXTRAS = (
    "devnet,mlflow,privacy,compare,tables,reports,exports,signatures,identity,witness,serve,fsspec,notebooks,reproduce"
)
TOOLS = (
    *("pytest", "pytest-xdist", "hypothesis", "polars", "scikit-learn", "roc-validator"),
    *("coincurve", "evmchains", "httpx"),
)
"""Of the tests: always the newest."""
EVM = "pyrevm"
"""Has no build for Python 3.13: the tests that need it are left out there."""


def run(*command: object) -> int:
    """Run a program and return its exit code."""
    certificates = {"UV_SYSTEM_CERTS": "true"} | os.environ
    return subprocess.run([str(part) for part in command], cwd=ROOT, env=certificates, check=False).returncode


def check(resolution: str, name: str) -> int:
    """Make an environment and run the tests in it."""
    environment = ROOT / ".toolchain" / name
    python = environment / "bin" / "python"
    run(UV, "venv", "--quiet", "--clear", "--python", os.environ.get("PYTHON") or sys.executable, environment)
    install = [UV, "pip", "install", "--quiet", "--python", python]
    if code := run(*install, "--resolution", resolution, "--editable", f".[{EXTRAS}]"):
        return code
    if code := run(*install, *TOOLS):
        return code
    run(*install, EVM)
    print(f"{name}:", flush=True)
    shown = ("pydantic", "eth-abi", "eth-account", "rlp", "trie", "hexbytes", "click", "pandas", "pyarrow", "mlflow")
    run(python, "-c", f"from importlib.metadata import version\nfor it in {shown}: print(' ', it, version(it))")
    pytest = [python, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    return run(*pytest, "tests/fast", *sys.argv[1:])


if __name__ == "__main__":
    sys.exit(check("lowest-direct", "lowest") or check("highest", "newest"))
