"""Tables at a terminal and in a file."""

from __future__ import annotations

import io
import sys

import click
import pytest

from blockchaintracer.cli.render import hanging, table

pytestmark = pytest.mark.fast

ID, OWNER = "0x" + "3f8a22c1d4" * 6 + "3f8a", "0x" + "ab" * 20


class Screen(io.StringIO):
    """Standard output that is, or isn't, a terminal."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def shown(monkeypatch: pytest.MonkeyPatch, columns: int, *, terminal: bool = True) -> str:
    screen = Screen(terminal)
    monkeypatch.setattr(sys, "stdout", screen)
    for name, value in (("COLUMNS", str(columns)), ("TERM", "xterm")):
        monkeypatch.setenv(name, value)
    rows = [[ID, "dataset", "soil.csv", 1, OWNER, "2026-11-29 23:40:25 UTC", "accuracy 0.96 (declared)"]]
    with click.Context(click.Command("query")):
        table(None, ["record", "kind", "name", "group", "author", "recorded", "metrics"], rows)()
    return click.unstyle(screen.getvalue())


def test_an_id_is_never_broken_and_its_short_form_can_be_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = shown(monkeypatch, 80)
    assert f"{ID[:12]}… " in narrow
    assert f"{OWNER[:12]}… " in narrow
    assert all(len(line) <= 80 for line in narrow.splitlines())
    assert ID in shown(monkeypatch, 220)
    assert ID in shown(monkeypatch, 80, terminal=False), "a program reads whole ids"


def test_the_place_of_a_copy_is_short_at_a_terminal_and_whole_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    place = f"/home/somebody/.local/share/blockchaintracer/store/objects/4d/675433b72e{'0a' * 26}"
    for terminal in (True, False):
        monkeypatch.setattr(sys, "stdout", Screen(terminal))
        monkeypatch.setenv("COLUMNS", "80")
        with click.Context(click.Command("verify")):
            line = click.unstyle(hanging("  pass     manifest         ", f"canonical, {place}"))
        assert line.endswith("canonical, …/objects/4d/675433b7…" if terminal else place)
