"""Which of the installed packages a run used: those that it loaded, those that its project names, what these need."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.capture.interpreter import listed_files
from blockchaintracer.lab.capture.locks import normal, parse_toml, read_lock, read_packages

COMPILED = re.compile(r"(.*/|)__pycache__/([^/]+?)\.[^/.]+(?:\.opt-\d)?\.pyc")
_NEEDS = re.compile(r"(?m)^Requires-Dist: ([A-Za-z0-9._-]+)(.*)$")


@lru_cache(maxsize=1 << 16)
def real_path(path: str) -> str:
    """Return `os.path.realpath` of a loaded file. A process looks at each file and folder once."""
    if not os.path.isabs(path) or os.path.normpath(path) != path:
        return os.path.realpath(path)
    parent, name = os.path.split(path)
    place = path if parent == path else os.path.join(real_path(parent), name)
    return os.path.realpath(place) if os.path.islink(place) else place


def loaded_packages(files: Iterable[str], installed: Mapping[str, Path], direct: Mapping[str, Any]) -> set[str]:
    """Return the packages of which files were opened.

    Args:
        files: absolute paths.
        installed: the folder or file of metadata of each package.
        direct: what `direct_url.json` says of packages: of an editable one the files lie elsewhere.
    """
    opened = {f"{match[1]}{match[2]}.py" if (match := COMPILED.fullmatch(path)) else path for path in files}
    # an environment may lie in the folder of a package
    prefixes = tuple(f"{info.parents[3]}/" for info in installed.values() if len(info.parents) > 3)
    elsewhere = [*map(real_path, (it for it in opened if not it.startswith(prefixes)))] if direct else []
    sites = {f"{info.parent}/" for info in installed.values()}
    beneath = {(site, path[len(site) :]) for path in opened for site in sites if path.startswith(site)}
    tops = {(site, path.partition("/")[0]) for site, path in beneath}
    owners = Counter((f"{info.parent}/", top) for info in installed.values() for top in _listed(info)[0])
    loaded = set()
    for name, info in installed.items():
        site = f"{info.parent}/"
        own = f"{os.path.realpath(url2pathname(urlsplit(str(direct[name]['url'])).path))}/" if name in direct else ""
        shared = [owners[site, top] > 1 for top in _listed(info)[0] if (site, top) in tops]
        if (own and any(it.startswith(own) for it in elsewhere)) or not all(shared):
            loaded.add(name)
        elif shared and not beneath.isdisjoint((site, row[0]) for row in listed_files(info)):
            # several packages have a folder together
            loaded.add(name)
    return loaded


@lru_cache(maxsize=4096)
def _listed(info: Path) -> tuple[frozenset[str], int]:
    """What lies beside a package's metadata of it, and how many bytes its files have. Read once in a process."""
    rows = listed_files(info)
    # of what an old installer left no list of, the folder of its name
    paths = [row[0] for row in rows] or [f"{info.name.split('-')[0].lower()}/__init__.py"]
    tops = {path.partition("/")[0] for path in paths}
    size = sum(int(size) for *_, size in rows if size.isdecimal())
    return frozenset(top for top in tops if top not in ("..", "__pycache__") and not top.endswith(".dist-info")), size


def with_needs(names: Collection[str], installed: Mapping[str, Path]) -> set[str]:
    """Return packages with all that they need, as far as it is installed."""
    chosen: set[str] = set()
    todo = [name for name in names if name in installed]
    while todo:
        if (name := todo.pop()) not in chosen:
            chosen.add(name)
            info = installed[name]
            todo += (one for one in _needed(info) if one in installed)
    return chosen


@lru_cache(maxsize=4096)
def _needed(info: Path) -> list[str]:
    with suppress(OSError):
        text = (info / "METADATA" if info.is_dir() else info).read_text(errors="replace")
        return [normal(one) for one, rest in _NEEDS.findall(text) if "extra ==" not in rest]
    return []


def named_packages(requirements: Path | None, folders: Iterable[Path]) -> set[str]:
    """Return the packages that requirements name, and those that a `pyproject.toml` needs or makes."""
    named = set()
    with suppress(InputError, OSError):
        if requirements:
            named = {one.name for one in read_packages(requirements.name, read_lock(requirements))}
    for file in (folder / "pyproject.toml" for folder in folders):
        with suppress(InputError, OSError, AttributeError):
            project = parse_toml(read_lock(file), file.name).get("project", {})
            lines = [str(project.get("name") or ""), *map(str, project.get("dependencies") or ())]
            named |= {normal(match[0]) for line in lines if (match := re.match(r"[A-Za-z0-9._-]+", line))}
    return named


def installed_size(names: Iterable[str], installed: Mapping[str, Path]) -> int:
    """Return how many bytes the files of packages have, as they are listed."""
    return sum(_listed(installed[name])[1] for name in names if name in installed)
