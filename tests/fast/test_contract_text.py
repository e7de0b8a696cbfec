"""How the contracts are written: comments that fit a screen, type strings in one piece, pragmas that mean something."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for folder in ("contracts", "interfaces") for path in (ROOT / folder).rglob("*.sol"))
DEPLOYED = {"LabRegistry", "LabRegistryFactory", "RecordResolver", "RegistryLens", "ReplicationBounty"}
"""Contracts that are deployed as they are. Everything else is compiled into others, perhaps by another compiler."""
WIDTH = 120

pytestmark = pytest.mark.fast


def pieces(line: str) -> list[str]:
    """What stands inside quotes, and inside backticks of a comment."""
    return re.findall(r"`([^`]*)`" if line.strip().startswith("//") else r'"([^"]*)"', line)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_comments_fit_a_line_and_type_strings_are_whole(path: Path) -> None:
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        where = f"{path.relative_to(ROOT)}:{number}"
        if line.strip().startswith("//"):
            assert len(line) <= WIDTH, f"{where}: a comment of {len(line)} columns"
        assert line.count("`") % 2 == 0, f"{where}: a quotation that goes on in the next line"
        for piece in pieces(line):
            assert piece.count("(") == piece.count(")"), f"{where}: a type string that is broken inside its quotes"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_what_is_deployed_names_its_compiler_and_what_is_imported_does_not(path: Path) -> None:
    version = yaml.safe_load((ROOT / "ape-config.yaml").read_text())["solidity"]["version"]
    [pragma] = re.findall(r"pragma solidity ([^;]+);", path.read_text())
    assert pragma == (version if path.stem in DEPLOYED else "^0.8.24")
