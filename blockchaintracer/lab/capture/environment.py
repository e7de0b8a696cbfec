"""The software a run ran on, without what is personal or secret; and a fresh environment from its lock file."""

from __future__ import annotations

import importlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.plain_json import plain
from blockchaintracer.lab.capture.local_packages import LocalPackage, local_package
from blockchaintracer.lab.capture.secret_masking import mask
from blockchaintracer.lab.programs import find_program

VARIABLES = (
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_DEVICE_ORDER",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_VISIBLE_DEVICES",
    "JAX_DEFAULT_MATMUL_PRECISION",
    "JAX_ENABLE_X64",
    "JAX_PLATFORMS",
    "KMP_AFFINITY",
    "LANG",
    "LC_ALL",
    "MKL_CBWR",
    "MKL_NUM_THREADS",
    "NCCL_ALGO",
    "NCCL_PROTO",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_DYNAMIC",
    "OMP_NUM_THREADS",
    "OMP_PROC_BIND",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_NUM_THREADS",
    "PYTHONHASHSEED",
    "SOURCE_DATE_EPOCH",
    "TF_CUDNN_DETERMINISTIC",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "TZ",
    "VECLIB_MAXIMUM_THREADS",
    "XLA_FLAGS",
)
"""The only environment variables that are captured: those that can change a result. Anything else may be a secret."""

MAX_LOCK = 64 << 20
_LOCKS = ("pylock.toml", "requirements.lock", "uv.lock", "requirements.txt")
_PINNED = re.compile(r"[A-Za-z0-9._-]+(\[[^\]]*\])?\s*===?\s*[^*\s;#]+(\s*;.*|\s+--hash=.*|\s+#.*)?")
_HASHED = re.compile(r"--hash=sha256:[0-9a-f]{64}")
_UNREACHABLE = re.compile(
    r"(?i)error sending request|dns error|connection (?:refused|reset|aborted)|connecttimeout|newconnectionerror"
    r"|failed to establish|name resolution|name or service not known|network is unreachable|timed out|max retries"
    r"|service unavailable|bad gateway"
)
_INDEX = re.compile(r"--(?:extra-)?index-url[ =]https?://\S+|--only-binary[ =]\S+")
_INSTALLERS_NEED = re.compile(
    r"PATH|HOME|LANG|LC_\w+|TMPDIR|XDG_\w+|(?:PIP|UV|SSL|REQUESTS|CURL)_\w+|(?i:https?|all|no)_(?i:proxy)"
)
_MISMATCH = re.compile(r"(?i)hash mismatch|do not match the hashes")


def capture_environment() -> dict[str, Any]:
    """Capture what this process runs on, ready for JSON.

    Returns:
        ``python`` (implementation, version, compiler), ``packages`` (name to version), ``conda`` (or None),
        ``variables`` (`VARIABLES` that are set) and ``blas`` (libraries loaded by now).
    """
    return {
        "python": {
            "implementation": platform.python_implementation(),
            "version": platform.python_version(),
            "compiler": platform.python_compiler(),
        },
        "packages": _packages(),
        "conda": _conda(),
        "variables": {name: mask(os.environ[name]) for name in VARIABLES if name in os.environ},
        "blas": _blas(),
    }


def find_lock(root: str | os.PathLike[str]) -> Path | None:
    """Find the lock file in a folder that `rebuild_environment` can use; None if there's none.

    In this order: ``pylock.toml``, ``requirements.lock``, ``uv.lock``, and ``requirements.txt`` if it pins everything.
    """
    for name in _LOCKS:
        path = Path(root, name)
        if path.is_file() and (name != "requirements.txt" or _pins_everything(path)):
            return path
    return None


def rebuild_environment(
    lock_path: str | os.PathLike[str],
    target: str | os.PathLike[str],
    python: str | os.PathLike[str] | None = None,
    project: Path | None = None,
) -> Path:
    """Make a virtual environment at `target` and install what the lock names; its Python.

    Args:
        lock_path: a requirements file, ``pylock.toml`` or ``uv.lock`` (its pyproject.toml beside it). If a requirements
            file has hashes, everything it needs must have one.
        python: the interpreter, or with uv its version; by default this one.
        project: the restored code, from which the folders are installed that the lock names; None refuses them.

    Raises:
        InputError: if the lock can't be installed, with the end of what the installer said.
        NotVerified: if a package isn't the one that was locked.
        ChainUnavailable: if the packages can't be reached.
    """
    lock, target = Path(lock_path).resolve(), Path(target).resolve()
    if not lock.is_file():
        raise InputError(f"expected a lock file at {lock}")
    if os.path.lexists(target) and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"expected an empty folder or none at {target}")
    installed = target / "bin" / "python"
    interpreter = os.fspath(python or sys.executable)
    uv = _uv()
    # python -m takes modules from the current folder, and uv its settings from there and above: it is an empty one
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as empty:
        Path(empty, "uv.toml").touch()
        try:
            requirements = lock
            if uv:
                _install([uv, "venv", "--quiet", "--python", interpreter, str(target)], empty)
                if lock.name == "uv.lock":
                    requirements = target / "requirements.txt"
                    export = [uv, "export", "--quiet", "--frozen", "--project", str(lock.parent)]
                    _install([*export, "-o", str(requirements)], empty)
                command = [uv, "pip", "install", "--quiet", "--python", str(installed)]
            elif lock.suffix == ".toml" or lock.name == "uv.lock":
                raise InputError(f"expected uv to install {lock.name}", hint="Install it: pip install uv")
            else:
                _install([interpreter, "-m", "venv", str(target)], empty)
                command = [str(installed), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
            folders = _require_packages(requirements, project)
            hashed: list[str] = []
            if requirements.suffix != ".toml":
                lines = [line for line in _lines(requirements) if not local_package(line)]
                hashed = ["--require-hashes"] if any(map(_HASHED.search, lines)) else []
                requirements = target / "packages.txt"
                requirements.write_text("\n".join(lines) + "\n")
            _install([*command, *hashed, "-r", str(requirements)], empty)
            for folder in folders:
                place = os.path.join(str(project), folder.path)
                _install([*command, "--no-deps", *(["--editable"] if folder.editable else []), place], empty)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise
    return installed


def _packages() -> dict[str, str]:
    """Distributions by the names of their metadata folders: reading each METADATA would take 30 times as long."""
    packages: dict[str, str] = {}
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for entry in names:
            name, _, version = entry.removesuffix(".dist-info").removesuffix(".egg-info").partition("-")
            if entry.endswith(".dist-info") and version:
                packages.setdefault(_normal(name), version)
            elif entry.endswith(".egg-info"):
                packages.setdefault(_normal(name), re.sub(r"-py\d.*", "", version) or _egg_version(Path(folder, entry)))
    return dict(sorted(packages.items()))


def _egg_version(info: Path) -> str:
    path = info / "PKG-INFO" if info.is_dir() else info
    try:
        match = re.search(r"(?m)^Version: (.*)$", path.read_text(errors="replace"))
    except OSError:
        match = None
    return match[1].strip() if match else "unknown"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _conda() -> dict[str, Any] | None:
    folders = (sys.prefix, sys.base_prefix, os.environ.get("CONDA_PREFIX"))
    prefix = next((Path(folder) for folder in folders if folder and Path(folder, "conda-meta").is_dir()), None)
    if prefix is None:
        return None
    packages, channels = [], set()
    for file in sorted((prefix / "conda-meta").glob("*.json")):
        try:
            entry = json.loads(file.read_text())
            channel = _channel(str(entry.get("channel") or ""))
            name = f"{entry['name']}-{entry['version']}-{entry['build']}"
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        channels.add(channel)
        # the explicit form of `conda list --explicit`, with the digest that conda checks
        packages.append(
            {"package": name, "channel": channel, "subdir": entry.get("subdir"), "sha256": entry.get("sha256")}
        )
    return {"name": prefix.name, "channels": sorted(channels), "packages": packages}


def _channel(address: str) -> str:
    """A channel without the user, password or token (``/t/<token>/``) of its address, and without its platform."""
    if "://" in address:
        parts = urlsplit(address)
        address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    address = re.sub(r"/t/[^/]+", "", address)
    return re.sub(r"/(?:noarch|(?:linux|osx|win)-[^/]+)$", "", address.rstrip("/"))


def _blas() -> list[dict[str, Any]]:
    """The BLAS and OpenMP libraries that are loaded; without threadpoolctl, the BLAS that NumPy was built with."""
    if "numpy" not in sys.modules:
        return []
    try:
        threadpoolctl: Any = importlib.import_module("threadpoolctl")
    except ImportError:
        return _numpy_blas(sys.modules["numpy"])
    shown = ("internal_api", "version", "num_threads", "threading_layer", "architecture")
    # sorted, for the order of loading is chance; without the file path, which tells who and where
    libraries = threadpoolctl.threadpool_info()
    blas = [{name: entry[name] for name in shown if entry.get(name) is not None} for entry in libraries]
    return sorted(blas, key=json.dumps)


def _numpy_blas(numpy: Any) -> list[dict[str, Any]]:
    try:
        blas = numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]
    except (TypeError, KeyError):
        return []
    return [{"internal_api": blas.get("name"), "version": blas.get("version")}]


def _pins_everything(path: Path) -> bool:
    lines = [line for line in _lines(path) if not line.startswith("--")]
    pinned = [line for line in lines if not local_package(line)]
    return bool(pinned) and all(_PINNED.fullmatch(line) for line in pinned)


def _lines(path: Path) -> list[str]:
    text = re.sub(r"\\\n\s*", "", read_limited(path, MAX_LOCK, "a lock").decode(errors="replace"))
    return [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def parse_toml(data: bytes, what: str) -> dict[str, Any]:
    """Read TOML as plain values, and refuse what `plain` refuses."""
    try:
        return dict(plain(tomllib.loads(data.decode())))
    except (ValueError, RecursionError):
        raise InputError(f"{what}: expected TOML in UTF-8, got something else") from None


def _require_packages(requirements: Path, project: Path | None = None) -> list[LocalPackage]:
    """Refuse a lock that installs from a folder outside of `project`, a repository or an address, or from another index
    without hashes. Returns the folders of the project that it installs."""
    folders: list[LocalPackage] = []
    if requirements.suffix == ".toml":
        try:
            packages = parse_toml(read_limited(requirements, MAX_LOCK, "a lock"), requirements.name).get("packages", [])
            elsewhere = [str(one.get("name")) for one in packages if {"vcs", "directory", "archive"} & one.keys()]
            files = [(one, file) for one in packages for file in (*one.get("wheels", ()), one.get("sdist", {}))]
            # a file of the author's machine is another one here, unless its hash says that it is the same
            elsewhere += [
                str(one.get("name"))
                for one, file in files
                if ("path" in file or urlsplit(file.get("url", "")).scheme == "file")
                and "sha256" not in file.get("hashes", ())
            ]
        except (TypeError, AttributeError):
            raise InputError(f"{requirements.name}: expected packages in a lock, got something else") from None
    else:
        lines = []
        for line in _lines(requirements):
            local = local_package(line)
            if local and project and local.within(project):
                folders.append(local)
            else:
                lines.append(line)
        hashed = all(_HASHED.search(line) for line in lines if not line.startswith("-"))
        elsewhere = [line for line in lines if not (_PINNED.fullmatch(line) or (hashed and _INDEX.fullmatch(line)))]
    if elsewhere:
        raise InputError(
            f"expected packages of a version each in the lock, got {mask(elsewhere[0])[:200]!r}",
            hint="A folder outside of the recorded code, a repository or address, and an index without a hash for each "
            "package, can hold anything.",
        )
    return folders


def _uv() -> str | None:
    beside = Path(sys.executable).parent / "uv"
    return find_program("uv") or (str(beside) if beside.is_file() else None)


def _install(command: list[str], folder: str) -> None:
    # building a stranger's package runs its code, which needs no secret of this process
    environment = {name: value for name, value in os.environ.items() if _INSTALLERS_NEED.fullmatch(name)}
    try:
        done = subprocess.run(  # noqa: S603
            command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        raise InputError(
            f"can't run {command[0]}: {error.strerror}", hint="Name a Python that is installed."
        ) from error
    if not done.returncode:
        return
    output = f"{done.stdout}\n{done.stderr}"
    # line by line: one that shows a credential is hidden, the others still help
    tail = "\n".join(mask(line) for line in output.strip().splitlines()[-15:])
    if _MISMATCH.search(output):
        raise NotVerified(
            f"a package is not the one that was locked:\n{tail}",
            hint="The package was replaced where it was published, or the lock was changed.",
        )
    if _UNREACHABLE.search(output):
        raise ChainUnavailable(
            f"the packages of the lock can't be reached:\n{tail}", hint="Check the network, then try again."
        )
    raise InputError(f"the lock can't be installed:\n{tail}", hint="Read the output; another Python may fit.")
