"""What an interpreter runs on: Python, packages, conda, BLAS, settings.

`environment_of` runs this file inside other interpreters, older ones too: it needs the standard library of Python 3.8
and nothing else. What it finds is masked by who records it.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib
import json
import os
import platform
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    _Found = tuple[str, Path, dict[str, Any] | None]

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
    "LC_COLLATE",
    "LC_NUMERIC",
    "LC_TIME",
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
_JOB = {
    "GITHUB_REPOSITORY": "repository",
    "GITHUB_RUN_ID": "runId",
    "GITHUB_RUN_ATTEMPT": "runAttempt",
    "GITHUB_WORKFLOW_REF": "workflowRef",
    "CI_PROJECT_PATH": "repository",
    "CI_PIPELINE_ID": "runId",
    "CI_JOB_ID": "jobId",
}
"""What names a job of GitHub Actions and GitLab CI: its token confirms it."""
_MAX_JSON = 16 << 20
"""Bytes of a package's own description: conda's lists all files of the package."""
_DEEPEST = 100
"""Levels of JSON: under a recursion limit that a library raised, its reader ends the process on thousands."""
_MARK = re.compile(rb'"(?:[^"\\]|\\.?)*(?:"|\Z)|[][{}]', re.DOTALL)


def capture_environment() -> dict[str, Any]:
    """Capture what this process runs on, ready for JSON.

    Returns:
        ``python`` (implementation, version, compiler), ``packages`` (name to version), ``direct`` (name to what
        ``direct_url.json`` says, of packages that come from no index), ``conda`` (or None), ``variables`` (`VARIABLES`
        that are set, and the machine's time zone as TZ) and ``blas`` (libraries loaded by now).
    """
    found = sorted(_found_in(sys.path).items())
    return {
        "python": {
            "implementation": platform.python_implementation(),
            "version": platform.python_version(),
            "compiler": platform.python_compiler(),
        },
        "packages": {name: version for name, (version, _, _) in found},
        "direct": {name: origin for name, (_, _, origin) in found if origin},
        "conda": _conda(),
        "variables": {**_time_zone(), **{name: os.environ[name] for name in VARIABLES if name in os.environ}},
        "blas": _blas(),
        "ci": ci_job(),
    }


def ci_job() -> dict[str, str]:
    """Return what names the job of a CI provider that this runs in; nothing elsewhere."""
    is_job = "true" in (os.environ.get("GITHUB_ACTIONS"), os.environ.get("GITLAB_CI"))
    return {key: os.environ[name][:256] for name, key in _JOB.items() if is_job and os.environ.get(name)}


def packages_in(folders: Iterable[str]) -> dict[str, tuple[str, Path]]:
    """Return each package that is installed in folders, with its version and metadata, by the names of the metadata
    folders: reading each METADATA would take 30 times as long. What pip renamed to delete it, or emptied, is none."""
    return {name: (version, info) for name, (version, info, _) in _found_in(folders).items()}


def _found_in(folders: Iterable[str]) -> dict[str, _Found]:
    packages: dict[str, _Found] = {}
    for folder in map(os.path.abspath, folders):
        with suppress(OSError):
            for name, found in _found_at(folder, os.stat(folder).st_mtime_ns).items():
                packages.setdefault(name, found)
    return packages


@lru_cache(maxsize=64)
def _found_at(folder: str, changed: int) -> dict[str, _Found]:
    """What is installed in a folder, read once for each time at which it changed."""
    here: dict[str, list[tuple[str, Path]]] = {}
    for entry in os.listdir(folder):
        if entry.startswith("~") or not entry.endswith((".dist-info", ".egg-info")):
            continue
        name, _, version = entry.rpartition(".")[0].partition("-")
        info = Path(folder, entry)
        if entry.endswith(".egg-info"):
            version = re.sub(r"-py\d.*", "", version) or _egg_version(info)
        if version and _has_metadata(info):
            here.setdefault(re.sub(r"[-_.]+", "-", name).lower(), []).append((version, info))
    packages = {}
    for name, versions in here.items():
        # of two installations over each other, that one whose files are there
        version, info = versions[0] if len(versions) == 1 else max(versions, key=_files_there)
        packages[name] = version, info, _direct_url(info)
    return packages


def _time_zone() -> dict[str, str]:
    """The zone that local times are of if TZ says nothing."""
    place = os.path.realpath("/etc/localtime")
    if not os.path.exists(place):
        return {"TZ": "UTC"}
    name = place.partition("/zoneinfo/")[2]
    with suppress(OSError, ValueError):
        # where the file is a copy
        name = name or Path("/etc/timezone").read_text().strip()
    return {"TZ": name.removeprefix("Etc/")} if name else {}


def _has_metadata(info: Path) -> bool:
    if info.is_file():
        return True
    try:
        return (info / ("METADATA" if info.suffix == ".dist-info" else "PKG-INFO")).stat().st_size > 0
    except OSError:
        return False


def _files_there(version: tuple[str, Path]) -> float:
    """Which part of the files that RECORD lists is there as listed."""
    info = version[1]
    there = listed = 0
    for path, digest, *_ in (row for row in listed_files(info) if row[1].startswith("sha256=")):
        listed += 1
        try:
            found = base64.urlsafe_b64encode(hashlib.sha256((info.parent / path).read_bytes()).digest())
        except OSError:
            continue
        there += found.decode().rstrip("=") == digest.partition("=")[2]
    return there / listed if listed else 0


def _read_json(path: Path) -> Any:
    with path.open("rb") as file:
        # what is longer is cut, and so no JSON
        data = file.read(_MAX_JSON)
    depth = 0
    for mark in _MARK.finditer(data):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(mark[0], 0)
        if depth > _DEEPEST:
            raise ValueError("nested too deeply")
    return json.loads(data)


def listed_files(info: Path) -> list[list[str]]:
    """Return what the installer of a package listed of each file: its path beside the metadata, digest and size."""
    try:
        rows = list(csv.reader((info / "RECORD").read_text(errors="replace").splitlines()))
    except (OSError, csv.Error):
        return []
    return [row for row in rows if len(row) == 3]


def _direct_url(info: Path) -> dict[str, Any] | None:
    """Where a package came from that is of no index (PEP 610); of an older editable install, the folder it lies in."""
    if info.suffix == ".egg-info" and info.parent.name not in ("site-packages", "dist-packages"):
        project = next((folder for folder in info.parents if (folder / "setup.py").exists()), info.parent)
        return {"url": project.absolute().as_uri(), "dir_info": {"editable": True}}
    try:
        origin = _read_json(info / "direct_url.json")
    except (OSError, ValueError, RecursionError):
        return None
    return origin if isinstance(origin, dict) and isinstance(origin.get("url"), str) else None


def _egg_version(info: Path) -> str:
    path = info / "PKG-INFO" if info.is_dir() else info
    try:
        match = re.search(r"(?m)^Version: (.*)$", path.read_text(errors="replace"))
    except OSError:
        match = None
    return match[1].strip() if match else "unknown"


def _conda() -> dict[str, Any] | None:
    folders = (sys.prefix, sys.base_prefix, os.environ.get("CONDA_PREFIX"))
    prefix = next((Path(folder) for folder in folders if folder and Path(folder, "conda-meta").is_dir()), None)
    if prefix is None:
        return None
    packages, channels = [], set()
    for file in sorted((prefix / "conda-meta").glob("*.json")):
        try:
            entry = _read_json(file)
            channel = _channel(str(entry.get("channel") or ""))
            name = f"{entry['name']}-{entry['version']}-{entry['build']}"
        except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
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


if __name__ == "__main__":
    # the folder of the script is none of the interpreter's
    sys.path = [folder for folder in sys.path if folder]
    json.dump(capture_environment(), sys.stdout)
