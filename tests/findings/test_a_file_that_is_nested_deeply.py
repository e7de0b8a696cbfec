"""A key of TOML of 30,000 parts took 3 GB, and YAML of 30,000 lists hours: a library had raised Python's limit."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.capture.locks import parse_toml
from blockchaintracer.lab.recording.run_document import parse_yaml

pytestmark = pytest.mark.fast
DEPTH = 300


@pytest.fixture(autouse=True)
def raised_limit() -> Iterator[None]:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)
    yield
    sys.setrecursionlimit(limit)


@pytest.mark.parametrize(
    "text",
    [
        *("a = " + "[" * DEPTH + "]" * DEPTH, "a = " + "{a = " * DEPTH, ".".join("a" * DEPTH) + " = 1"),
        *("[" + " . ".join(["'a'"] * DEPTH) + "]", "a = '''\n'''\nb = " + "[" * DEPTH + "'''"),
    ],
)
def test_toml_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="nested too deeply"):
        parse_toml(text.encode(), "it")


@pytest.mark.parametrize("text", ["[" * DEPTH, "[" * DEPTH + "]" * DEPTH, "- " * DEPTH, "{a: " * DEPTH])
def test_yaml_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="nested too deeply"):
        parse_yaml(text.encode())


def test_texts_nest_nothing() -> None:
    deep = "[" * 100 + "a." * 100
    lines = [
        f'a = "{deep}\\"{deep}"',
        f"b = '{deep}'",
        f'c = """{deep}\n"{deep}"""',
        f"d = '''{deep}\n{deep}''' # {deep}",
    ]
    expected = {"a": f'{deep}"{deep}', "b": deep, "c": f'{deep}\n"{deep}', "d": f"{deep}\n{deep}"}
    assert parse_toml("\n".join(lines).encode(), "it") == expected
    assert parse_yaml(f"a: '{deep}'".encode()) == {"a": deep}


@pytest.mark.parametrize("part", ['"""\\', "'''a", '"', "'", "a", "a.", '\\"'])
def test_looking_costs_no_square(part: str) -> None:
    with pytest.raises(InputError):
        parse_toml(part.encode() * 100_000, "it")
