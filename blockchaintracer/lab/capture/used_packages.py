"""Which of the installed packages a run used: those that it loaded, those that its project names, what these need."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.capture.interpreter import listed_files
from blockchaintracer.lab.capture.locks import normal, parse_toml, read_lock, read_packages

COMPILED = re.compile(r"(.*/|)__pycache__/([^/]+?)\.[^/.]+(?:\.opt-\d)?\.pyc")
_NEEDS = re.compile(r"(?m)^Requires-Dist: ([A-Za-z0-9._-]+)(.*)$")


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
    elsewhere = [os.path.realpath(it) for it in opened if not it.startswith(prefixes)]
    loaded = set()
    for name, info in installed.items():
        # of what an old installer left no list of, the folder of its name
        paths = [row[0] for row in listed_files(info)] or [f"{info.name.split('-')[0].lower()}/__init__.py"]
        site = str(info.parent)
        places = (f"{site}/{path}" for path in paths if ".dist-info/" not in path)
        own = f"{os.path.realpath(url2pathname(urlsplit(str(direct[name]['url'])).path))}/" if name in direct else ""
        is_here = own and any(it.startswith(own) for it in elsewhere)
        if is_here or not opened.isdisjoint(places):
            loaded.add(name)
    return loaded


def with_needs(names: Collection[str], installed: Mapping[str, Path]) -> set[str]:
    """Return packages with all that they need, as far as it is installed."""
    chosen: set[str] = set()
    todo = [name for name in names if name in installed]
    while todo:
        if (name := todo.pop()) not in chosen:
            chosen.add(name)
            info = installed[name]
            with suppress(OSError):
                text = (info / "METADATA" if info.is_dir() else info).read_text(errors="replace")
                needed = (normal(one) for one, rest in _NEEDS.findall(text) if "extra ==" not in rest)
                todo += (one for one in needed if one in installed)
    return chosen


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
    rows = (row for name in names if name in installed for row in listed_files(installed[name]))
    return sum(int(size) for *_, size in rows if size.isdecimal())
