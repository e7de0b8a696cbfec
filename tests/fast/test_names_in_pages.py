"""What the pages name is there: verbs, their options, files, make targets and modules to run; words of the glossary."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from blockchaintracer.cli import VERBS, load

pytestmark = pytest.mark.fast
ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    page
    for folder in (".", "docs", "docs/decisions", "packages/sdk", "packages/contracts", "conformance", "examples/dapp")
    for page in (ROOT / folder).glob("*.md")
)
_TYPED = re.compile(r"(?:blockchaintracer|ape run) ([a-z][a-z-]*)((?: [^\n`|;#]*)?)")
_FOLDERS = "tests|blockchaintracer|examples|tools|benchmarks|contracts|interfaces|docs|conformance|locks"
_PATH = re.compile(rf"(?<![\w./…@-])((?:{_FOLDERS})/[\w./-]*\w)(?![\w*])")
OTHERS = {"tests/tracking", "tests/store/artifact", "examples/dapp/app.built.js", "tests/results/mutate-core.jsonl"}
"""Folders of MLflow's own tests, and files that a command of the page makes."""
APE = {"--account", "--verify"}


def wrong_words(command: click.Command, words: list[str]) -> Iterator[str]:
    """Yield the subcommand or options of a typed line that do not exist."""
    options = {"--help", "-h", *APE}
    if isinstance(command, click.Group):
        options |= {name for parameter in command.params for name in parameter.opts}
        named = next((word for word in words if not word.startswith("-")), "")
        default = "make" if "make" in command.commands else ""
        if named.isalpha() and named.islower() and named not in command.commands:
            yield named
        command = command.commands.get(named) or command.commands.get(default) or command
    options |= {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        option = re.match(r"--[a-z][a-z-]*", word)
        if option and option[0] not in options:
            yield option[0]


def test_the_commands_of_the_pages_exist() -> None:
    lines = {typed.groups(): typed[0] for page in PAGES for typed in _TYPED.finditer(page.read_text())}
    assert len(lines) > 200
    for (verb, rest), line in lines.items():
        assert verb in VERBS, line
        words = rest.split()
        own = words[: words.index("--")] if "--" in words else words
        assert not [*wrong_words(load(verb), own)], line


def test_a_wrong_command_is_noticed() -> None:
    assert [*wrong_words(load("record"), ["data.csv", "--datasets", "x"])] == ["--datasets"]
    assert [*wrong_words(load("group"), ["found", "--days", "3"])] == ["found", "--days"]


def test_the_files_that_the_pages_name_exist() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    named = {*_PATH.findall(text)} - OTHERS
    assert len(named) > 100
    assert not [path for path in named if not (ROOT / path).exists()]
    for module in {*re.findall(r"python -m ((?:benchmarks|examples|tools)[\w.]*\w)", text)}:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    assert {*re.findall(r"`make ([a-z][a-z-]+)", text)} <= {*targets}


def test_the_glossary_is_in_order_and_names_each_word_once() -> None:
    words = re.findall(r"^\| ([^|]+) \| ", (ROOT / "docs" / "glossary.md").read_text(), re.M)[1:]
    assert len(words) > 50
    assert words == sorted({*words}, key=str.casefold)
