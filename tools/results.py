"""Keep what long checks found in tests/results, one line a result, so that any clone goes on where another stopped.

A result ends with a digest of the code and the tests that it is of. It counts as long as today's digest is the same.
"""

from __future__ import annotations

import ast
import fcntl
import functools
import hashlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tests" / "results"


class Results:
    """The results of one check, by name. Several processes may add to them at once."""

    def __init__(self, check: str) -> None:
        self.path = FOLDER / f"{check}.jsonl"

    def read(self) -> dict[str, list[Any]]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return {name: result for name, *result in map(json.loads, lines)}

    def of_today(self, digests: dict[str, str]) -> dict[str, list[Any]]:
        """Return the results that end with the digest of their name, without it."""
        return {name: result for name, (*result, of) in self.read().items() if digests.get(name) == of}

    def add(self, name: str, *result: Any) -> None:
        """Add a result, or replace the one of this name."""
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            self._write(self.read() | {name: list(result)})
        finally:
            os.close(folder)

    def keep(self, names: Iterable[str]) -> None:
        """Drop the results of all other names."""
        results = self.read()
        self._write({name: results[name] for name in names if name in results})

    def _write(self, results: dict[str, list[Any]]) -> None:
        lines = (json.dumps([name, *result], ensure_ascii=False) for name, result in sorted(results.items()))
        part = self.path.with_suffix(".part")
        part.write_text("".join(f"{line}\n" for line in lines))
        part.replace(self.path)


def digest(files: Iterable[Path], *more: object) -> str:
    """Return half a SHA-256 of files, by their names too, and of what else counts."""
    total = hashlib.sha256(json.dumps([str(it) for it in more]).encode())
    for path in sorted(set(files)):
        total.update(f"\0{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:32]


def contracts(tests: Iterable[Path]) -> list[Path]:
    """Return the contracts and their interfaces, and of those that only tests deploy the ones that these tests name."""
    named = "".join(path.read_text() for path in tests)
    others = [
        path
        for path in (ROOT / "tests" / "contracts").glob("*.sol")
        if any(name in named for name in re.findall(r"^(?:abstract )?contract (\w+)", path.read_text(), re.MULTILINE))
    ]
    return [*others, *(path for folder in ("contracts", "interfaces") for path in (ROOT / folder).rglob("*.sol"))]


@functools.cache
def imports(path: Path) -> frozenset[Path]:
    """Return the files of tests that a test file imports, those that they import, and the conftest.py files above."""
    tests = ROOT / "tests"
    found, waiting = {path}, [path]
    while waiting:
        file = waiting.pop()
        beside = {folder / "conftest.py" for folder in file.parents}
        tree = ast.parse(file.read_bytes())
        # what a fixture imports when it is asked for counts for the tests that import it themselves
        for node in tree.body if file.name == "conftest.py" else ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                start = file.parents[node.level - 1] if node.level else ROOT
                module = start.joinpath(*(node.module or "").split("."))
                beside |= {module.with_suffix(".py"), *(module / f"{alias.name}.py" for alias in node.names)}
        new = {other for other in beside if other.is_relative_to(tests) and other.is_file()} - found
        found |= new
        waiting += new
    return frozenset(found)
