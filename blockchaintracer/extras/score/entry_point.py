"""What restored code shows: which file a command starts, and which generators of random numbers it imports."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from pathlib import Path

STARTED = "programs that it starts"
GENERATORS = {
    "random": ("random",),
    "numpy": ("numpy", "sklearn", "scipy", "pandas"),
    "torch": ("torch", "pytorch_lightning", "lightning", "transformers"),
    "tensorflow": ("tensorflow", "keras"),
    "jax": ("jax", "flax"),
    STARTED: ("subprocess", "runpy", "importlib"),
}
"""Generators by the packages that draw from them, or that start what may."""
_STARTING = {"system", "popen", "execv", "execve", "execvp", "posix_spawn", "spawnv"}
_SOURCE_LIMIT = 4 << 20
_FILES_LIMIT = 2000
_PYTHON = re.compile(r"python[0-9.]*")


def entry_file(command: Sequence[str], folder: Path, root: Path) -> Path | None:
    """Find the first file of the code below `root` that a command names, also as ``-m module``; None if it names none.
    What lies outside of `root` is no part of the code."""
    words = iter(command)
    for word in words:
        if word == "-m":
            if module := _module(next(words, ""), (folder, root)):
                return module
        elif file := _file(folder, word, root):
            return file
    return None


def is_inline(command: Sequence[str]) -> bool:
    """Return whether the command holds the program itself: ``python -c …``."""
    return len(command) > 2 and bool(_PYTHON.fullmatch(Path(command[0]).name)) and command[1] == "-c"


def generators(entry: Path, folder: Path, root: Path) -> set[str] | None:
    """Find the generators that a Python script imports, itself or by files of the code; None if it can't be read.

    One that starts programs may start any of the code: then each Python file of it counts."""
    imported: set[str] = set()
    waiting, seen, started = [entry], {entry}, False
    while waiting:
        file = waiting.pop()
        names = _imports(file)
        if names is None or len(seen) > _FILES_LIMIT:
            return None
        for name in names:
            imported |= {key for key, packages in GENERATORS.items() if name.partition(".")[0] in packages}
            local = _module(name, (file.parent, folder, root))
            loaded = root.rglob("*.py") if STARTED in imported and not started else (local,) if local else ()
            started = started or STARTED in imported
            waiting += (more := {*loaded} - seen)
            seen |= more
    return imported


def generators_of(files: Sequence[Path]) -> set[str] | None:
    """Find the generators that Python files import, if these are all that a run loaded; None if one can't be read."""
    names = [_imports(file) for file in files]
    if not names or None in names:
        return None
    tops = {name.partition(".")[0] for found in names for name in found or ()}
    return {key for key, packages in GENERATORS.items() if tops & {*packages}}


def _imports(file: Path) -> set[str] | None:
    try:
        if file.suffix != ".py" or file.stat().st_size > _SOURCE_LIMIT:
            return None
        tree = ast.parse(file.read_bytes())
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute) and node.attr in _STARTING:
            names.add("subprocess")
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            # what is imported from a package may be a module of it
            names |= {base} if base else set()
            names |= {f"{base}.{alias.name}".lstrip(".") for alias in node.names}
    return names


def _module(name: str, folders: Sequence[Path]) -> Path | None:
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        return None
    for folder in folders:
        place = folder.joinpath(*parts)
        for file in (place.with_name(f"{parts[-1]}.py"), place / "__main__.py", place / "__init__.py"):
            if file.is_file():
                return file
    return None


def _file(folder: Path, word: str, root: Path) -> Path | None:
    if not word or "\0" in word or len(word) > 1000:
        return None
    try:
        path = (folder / word).resolve()
        return path if path.is_file() and path.is_relative_to(root.resolve()) else None
    except OSError:
        return None
