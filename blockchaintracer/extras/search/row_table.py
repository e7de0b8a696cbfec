"""Records of a search as a table: names and rows for CSV, or a Parquet file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args, get_type_hints

from blockchaintracer.extras.search.rows import Row, utc
from blockchaintracer.lab.files import write_output
from blockchaintracer.lab.optional import require


def columns_of(rows: Sequence[Row]) -> tuple[list[str], list[list[Any]]]:
    """Return names and rows of a table with a column for each parameter and metric. An absent value is None."""
    values = [{**asdict(row), "declared": "; ".join(row.declared), "time_utc": utc(row.time)} for row in rows]
    about = [name for name in (*get_type_hints(Row), "time_utc") if name not in ("params", "metrics", "comparisons")]
    named = sorted({f"{part}.{name}" for row in values for part in ("params", "metrics") for name in row[part]})
    split = [name.partition(".") for name in named]
    return [*about, *named], [
        [*(row[name] for name in about), *(row[part].get(name) for part, _, name in split)] for row in values
    ]


def write_parquet(rows: Sequence[Row], path: Path) -> None:
    """Write the table as Parquet. The columns of all records have the same types in every file. A parameter or metric
    is a number if it is one in all rows, else text.
    """
    arrow, files = require("pyarrow", "tables"), require("pyarrow.parquet", "tables")
    names, values = columns_of(rows)
    hints = get_type_hints(Row)

    def text(value: Any) -> str | None:
        return None if value is None else str(value).encode("utf-8", "replace").decode()

    def column(name: str, cells: list[Any]) -> Any:
        hint = hints.get(name)
        if hint is bool:
            return arrow.array(cells, arrow.bool_())
        if hint is int or int in get_args(hint):
            return arrow.array(cells, arrow.int64())
        if name.startswith(("params.", "metrics.")):
            try:
                return arrow.array(cells, arrow.float64() if any(isinstance(cell, float) for cell in cells) else None)
            except (arrow.ArrowInvalid, arrow.ArrowTypeError, OverflowError):
                pass
        return arrow.array([text(cell) for cell in cells], arrow.string())

    cells = [[row[number] for row in values] for number in range(len(names))]
    made = arrow.table([column(*each) for each in zip(names, cells, strict=True)], names=[text(name) for name in names])
    out = io.BytesIO()
    files.write_table(made, out)
    write_output(path, out.getvalue())
