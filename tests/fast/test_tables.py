"""Tables of a command: what fits is not laid out row by row."""

from __future__ import annotations

import pytest
from rich.console import Console
from rich.table import Table

from blockchaintracer.cli.render import table

pytestmark = pytest.mark.fast

ROWS = [[1, "a", None, "x"], [22, "bbbb", "日本語", "é"], [3, "[bold]", "e\u0301", ""]]
COLUMNS = ["", "op", "näme", "日本"]


def test_what_fits_looks_as_rich_would_draw_it_and_costs_no_layout(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        drawn.add_column(column)
    for row in ROWS:
        drawn.add_row(*("-" if value is None else str(value) for value in row))
    Console(highlight=False, markup=False, emoji=False, width=27).print(drawn, markup=False)
    expected = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    monkeypatch.setattr(Table, "add_row", lambda *cells: pytest.fail("laid out by rich"))
    table(None, COLUMNS, ROWS)()
    shown = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert shown[0] == expected[0]
    assert [line.split() for line in shown[1:3]] == [line.split() for line in expected[1:3]]
    assert "[bold]" in shown[3]


def test_what_has_lines_in_it_is_laid_out(capsys: pytest.CaptureFixture[str]) -> None:
    table(None, ["a", "b"], [["one\ntwo", "three"]])()
    assert "one" in capsys.readouterr().out
