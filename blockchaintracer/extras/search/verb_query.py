"""`blockchaintracer query`: the registry's records, searched."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args, get_type_hints

import click

from blockchaintracer.cli.common import Verb, lab_options, make_lab, print_csv, show, table, when
from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.search import STATUSES, Row, query
from blockchaintracer.extras.search.update import up_to_date
from blockchaintracer.lab.files import write_whole
from blockchaintracer.lab.kept_proofs import kept_proofs

_CONDITIONS = (
    *("text", "kind", "author", "since", "until", "subject", "cid", "status", "where"),
    *("ancestors_of", "descendants_of", "sort", "descending", "limit", "offset"),
)


@click.command(cls=Verb)
@lab_options
@click.argument("words", nargs=-1, metavar="[WORD]...")
@click.option("--where", metavar="EXPRESSION", help='Such as "metrics.accuracy > 0.9 and params.lr <= 0.01".')
@click.option("--kind", help="dataset, model, run, result, …, or your own number.")
@click.option("--group", type=int, metavar="NUMBER", help="Records of this group.")
@click.option("--author", metavar="ADDRESS", help="Records of this account.")
@click.option("--since", metavar="TIME", help="Not recorded earlier: a date, or RFC 3339.")
@click.option("--until", metavar="TIME", help="Not recorded later.")
@click.option("--subject", metavar="SHA256", help="All records of these bytes, by whomever.")
@click.option("--cid", help="The record with this IPFS address, of its manifest or its subject.")
@click.option("--status", multiple=True, type=click.Choice(STATUSES), help="May be repeated; all hold.")
@click.option("--ancestors-of", metavar="ID", help="What this record was made from.")
@click.option("--descendants-of", metavar="ID", help="What was made from this record.")
@click.option("--sort", default="time", show_default=True, help="time, or a number such as metrics.accuracy.")
@click.option("--ascending", "descending", flag_value=False, default=True, help="Oldest or smallest first.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="Rows at most.")
@click.option("--offset", default=0, type=click.IntRange(0), help="Rows to leave out at the start.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option(
    "--parquet",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the columns of --csv to this Parquet file; takes blockchaintracer[tables].",
)
@click.option("--offline", is_flag=True, help="Search what was read before, without the chain.")
@click.pass_context
def command(
    ctx: click.Context, /, words: tuple[str, ...], as_csv: bool, parquet: Path | None, offline: bool, **options: Any
) -> None:
    """Search the registry's records by words and conditions that all hold.

    Names, parameters and metrics are what authors declare. A row is a place to look: `verify ID` checks it.

    \b
    Examples:
      blockchaintracer query breast cancer
      blockchaintracer query --kind run --where "metrics.accuracy > 0.9" --sort metrics.accuracy
      blockchaintracer query --status reproduced --since 2026-01-01 --json
      blockchaintracer query --descendants-of ID --csv
      blockchaintracer query --kind run --limit 100000 --parquet runs.parquet
    """
    group = options.pop("group")
    conditions = {name: options.pop(name, None) for name in _CONDITIONS if name != "text"}
    limit, offset = conditions.pop("limit"), conditions["offset"]
    lab = make_lab(ctx, options)
    with up_to_date(lab, offline=offline) as index:
        rows = query(
            index,
            registry=lab.registry if not offline else None,
            text=" ".join(words) or None,
            group=group,
            limit=limit + 1,
            **conditions,
        )
    is_more, rows = len(rows) > limit, rows[:limit]
    if parquet:
        _write_parquet(rows, parquet)
    written = {"file": str(parquet)} if parquet else {}
    show(ctx, {"records": [row.as_json() for row in rows], "more": is_more, **written})
    if ctx.params["as_json"]:
        return
    if as_csv:
        print_csv(*_columns(rows))
    elif parquet:
        click.echo(f"Wrote {parquet}: {len(rows)} records.")
    else:
        _print_table(rows)
    if is_more:
        click.echo(f"There are more: --offset {offset + limit}", err=True)
    if not rows:
        click.echo("No record meets every condition.", err=True)
        if not offline and any(kept_proofs(lab)):
            click.echo("What is in a batch and not stored is not searched: `blockchaintracer batch list`", err=True)


def _print_table(rows: list[Row]) -> None:
    table(
        None,
        ["record", "kind", "name", "group", "recorded", "status", "metrics"],
        [
            [row.id, row.kind, row.name or "-", str(row.group), when(row.time), _status(row), _metrics(row)]
            for row in rows
        ],
    )


def _status(row: Row) -> str:
    said = {
        "reviewed": row.reviewed,
        "reproduced": row.reproduced,
        "not reproduced": row.not_reproduced,
        "disputed": row.disputed,
    }
    return ", ".join([row.status, *(f"{verdict} by {count}" for verdict, count in said.items() if count)])


def _metrics(row: Row) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in row.metrics.items() if not isinstance(value, str))[:60]


def _columns(rows: list[Row]) -> tuple[list[str], list[list[Any]]]:
    """Names and rows of a table that has a column for each parameter and metric; without a value it holds None."""
    values = [row.as_json() for row in rows]
    about = [name for name in (*get_type_hints(Row), "time_utc") if name not in ("params", "metrics")]
    named = sorted({f"{part}.{name}" for row in values for part in ("params", "metrics") for name in row[part]})
    split = [name.partition(".") for name in named]
    return [*about, *named], [
        [*(row[name] for name in about), *(row[part].get(name) for part, _, name in split)] for row in values
    ]


def _write_parquet(rows: list[Row], path: Path) -> None:
    """The table as Parquet. What every record has is of the same type in every file; a parameter or metric is a number
    if it is one in all rows, else text."""
    import io

    from blockchaintracer.lab.optional import require

    arrow, files = require("pyarrow", "tables"), require("pyarrow.parquet", "tables")
    names, values = _columns(rows)
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
    try:
        write_whole(path, out.getvalue(), 0o666)
    except OSError as error:
        raise InputError(f"expected a file that can be written, got {path}: {error.strerror}") from None
