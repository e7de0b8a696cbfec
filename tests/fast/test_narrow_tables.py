"""Tables at a terminal and in a file."""

from __future__ import annotations

import io
import re
import sys
import time

import click
import pytest

from blockchaintracer.cli.render import Answer, command_lines, folded, hanging, progress_bar, say, table, verdict_line
from blockchaintracer.core.verify.outcomes import Conclusion

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


@pytest.mark.parametrize("title", [None, "Seals"])
def test_a_table_that_fits_the_terminal_breaks_no_word(monkeypatch: pytest.MonkeyPatch, title: str | None) -> None:
    monkeypatch.setattr(sys, "stdout", screen := Screen(True))
    for name, value in (("COLUMNS", "60"), ("TERM", "xterm")):
        monkeypatch.setenv(name, value)
    with click.Context(click.Command("seal")):
        table(title, ["name", "state"], [["x" * 10 + " " + "y" * 30, "a" * 17], ["plan.md", "b"]])()
    head, *_, first, second = click.unstyle(screen.getvalue()).splitlines()
    assert (first, second.split()) == ("x" * 10 + " " + "y" * 30 + "  " + "a" * 17, ["plan.md", "b"])
    assert max(map(len, (head, first, second))) <= 60


def test_the_place_of_a_copy_is_short_at_a_terminal_and_whole_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    place = f"/home/somebody/.local/share/blockchaintracer/store/objects/4d/675433b72e{'0a' * 26}"
    for terminal in (True, False):
        monkeypatch.setattr(sys, "stdout", Screen(terminal))
        monkeypatch.setenv("COLUMNS", "80")
        with click.Context(click.Command("verify")):
            line = click.unstyle(hanging("  pass     manifest         ", f"canonical, {place}"))
        assert line.endswith("canonical, …/objects/4d/675433b7…" if terminal else place)


@pytest.mark.parametrize("columns", [60, 80])
def test_a_time_is_never_broken_and_nothing_is_cut(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    narrow = shown(monkeypatch, columns)
    head, *rows = narrow.splitlines()
    assert ("recorded (UTC)" in head, "2026-11-29 23:40  " in rows[0]) == (True, True)
    assert "".join(row[head.index("metrics") :].strip() for row in rows).replace(" ", "") == "accuracy0.96(declared)"
    line = f"{'x' * 50} is final: block 22, 2026-11-29 23:40:25 UTC, by {OWNER}"
    with click.Context(click.Command("verify")):
        for text in (folded(line), hanging(" " * 6, line)):
            assert ("2026-11-29 23:40:25 UTC" in text, "\n" in text) == (True, True)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_long_sentence_is_folded_and_a_command_can_be_pasted(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    monkeypatch.setattr(sys, "stdout", Screen(terminal))
    monkeypatch.setenv("COLUMNS", "80")
    first = verdict_line(Conclusion.VERIFIED, "18 checks passed.", private=True)
    line = f"  is final: block 22, by {OWNER} for group 1, and no other group"
    for text in (click.unstyle(first), folded(line)):
        assert (max(map(len, text.splitlines())) <= 80, "\n" in text) == (terminal, terminal)
    assert folded(line).replace("\n   ", "") == line
    assert folded(folded(line)) == folded(line)
    command = "`blockchaintracer seal verdict ID reproduced --metric accuracy=0.93`"
    assert command in folded(f"the evidence is no run of this group: make one by {command}, or another")
    pasted = command_lines(f"blockchaintracer verify {ID} --rpc URL --registry {OWNER}")
    assert pasted.replace(" \\\n   ", "") == f"  blockchaintracer verify {ID} --rpc URL --registry {OWNER}"
    assert ("\n" in pasted, all(len(it) <= 100 for it in pasted.splitlines())) == (terminal, terminal)


def test_every_line_of_an_answer_is_folded_but_data_and_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", screen := Screen(True))
    monkeypatch.setenv("COLUMNS", "80")
    command = f"blockchaintracer verify --before {ID} {ID}"
    data, coloured = '{"name": "' + "a b " * 30 + '"}', click.style("a b " * 20, bold=True)
    Answer({}, "a sentence of words " * 6, f"  For others: {command}", data, coloured).show()
    lines = screen.getvalue().splitlines()
    assert {line for line in lines if len(click.unstyle(line)) > 80} == {f"    {command}", data}
    assert coloured in lines


def test_a_heading_is_never_broken_inside_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Screen(True))
    monkeypatch.setenv("COLUMNS", "80")
    columns = ["metric", "group", "by", "n", "difference", "interval", "p (t)", "p (ranks)", "effect"]
    row = [
        "accuracy",
        "params.lr=0.1",
        "groups",
        "3 and 3",
        "+0.01",
        "-0.001234 to 0.05678",
        "0.123",
        "0.345",
        "d 0.12",
    ]
    with click.Context(click.Command("compare")):
        table("Against all", columns, [row])()
    told = sys.stdout.getvalue()  # type: ignore[attr-defined]
    assert "difference" in click.unstyle(told)
    assert max(map(len, click.unstyle(told).splitlines())) <= 80


def test_a_line_that_is_said_stands_apart_from_the_bar_which_then_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", screen := Screen(True))
    for name, value in (("COLUMNS", "80"), ("TERM", "xterm")):
        monkeypatch.setenv(name, value)
    with monkeypatch.context() as clock, progress_bar("hashing") as progress:
        now = time.monotonic
        clock.setattr(time, "monotonic", lambda: now() + 2)
        progress(1)
        assert screen.getvalue() == "", "a devnet that starts before is not this work"
        clock.setattr(time, "monotonic", lambda: now() + 4)
        progress(1)
        say("a lock file is made, from 1 package that the run loaded or the project names, of 28,212 packages")
        progress(1)
    say("done")
    before, between, after = re.split(r"a lock .* of\n  28,212 packages\n|done\n", screen.getvalue())
    erased = re.compile(r"\x1b\[2K(\r|\x1b\[[0-9;?]*[A-Za-z])*\Z")
    for bar in (before, between):
        assert "hashing" in bar
        assert erased.search(bar)
    assert after == ""
