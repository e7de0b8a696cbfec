"""`blockchaintracer query`: the registry's records, searched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.holders_shown import claimants
from blockchaintracer.cli.options import NEW_FILE, csv_option, lab_verb, offline_option, source_option
from blockchaintracer.cli.record_names import RECORD
from blockchaintracer.cli.render import Answer, Part, csv_rows, plain, table, when
from blockchaintracer.cli.shown_times import kept_times
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.plain_json import NOT_FINITE
from blockchaintracer.core.record import counted
from blockchaintracer.extras.search import STATUSES, Row, query
from blockchaintracer.extras.search.rows import columns_of, write_parquet
from blockchaintracer.extras.search.update import up_to_date
from blockchaintracer.lab.kept_proofs import kept_proofs
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.plain_text import called


@lab_verb()
@click.argument("words", nargs=-1, metavar="[WORD]...")
@click.option("--where", metavar="EXPRESSION", help='Such as "metrics.accuracy > 0.9 and params.lr <= 0.01".')
@click.option("--kind", help="dataset, model, run, result, …, or your own number.")
@click.option("--group", "of_group", type=int, metavar="NUMBER", help="Only records of this group.")
@click.option(
    "--waiting-for", type=int, metavar="GROUP", help="What others recorded and this group gave no verdict on."
)
@click.option("--author", metavar="ADDRESS", help="Only records of this account.")
@click.option(
    "--by", metavar="orcid:…|domain:…|github:…|ens:…", help="Only records of who is this, as far as confirmed."
)
@click.option("--check-identity", is_flag=True, help="With --by: ask now whether it is so.")
@click.option("--allow-local", is_flag=True, help="With --check-identity: also http and addresses that are not public.")
@click.option("--since", metavar="TIME", help="Not recorded earlier: a date, or RFC 3339.")
@click.option("--until", metavar="TIME", help="Not recorded later.")
@click.option("--subject", metavar="SHA256", help="All records of these bytes, of every author.")
@click.option("--cid", help="The record with this IPFS address, of its manifest or its subject.")
@click.option(
    "--status",
    multiple=True,
    type=click.Choice(STATUSES),
    metavar="STATUS",
    help=f"{', '.join(STATUSES)}; repeatable, all hold.",
)
@click.option("--ancestors-of", type=RECORD, metavar="ID", help="What this record was made from.")
@click.option("--descendants-of", type=RECORD, metavar="ID", help="What was made from this record.")
@click.option("--sort", default="time", show_default=True, help="time, or a number such as metrics.accuracy.")
@click.option("--ascending", "descending", flag_value=False, default=True, help="Oldest or smallest first.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="Rows at most.")
@click.option("--offset", default=0, type=click.IntRange(0), help="Rows to leave out at the start.")
@click.option("--rescan", is_flag=True, help="Read all events anew, from receipts: a node may leave out logs. Slow.")
@csv_option
@click.option(
    "--parquet", type=NEW_FILE, help="Write the columns of --csv to this Parquet file; takes blockchaintracer[tables]."
)
@source_option
@offline_option
def command(
    lab: Lab,
    words: tuple[str, ...],
    of_group: int | None,
    limit: int,
    as_csv: bool,
    parquet: Path | None,
    offline: bool,
    rescan: bool,
    sources: tuple[str, ...],
    by: str | None,
    check_identity: bool,
    allow_local: bool,
    **conditions: Any,
) -> Answer:
    """Search the registry's records by words and conditions that all hold.

    Names, parameters and metrics are what authors declare. A row is a place to look: `verify ID` checks it.

    \b
    Examples:
      blockchaintracer query breast cancer
      blockchaintracer query --kind run --where "metrics.accuracy > 0.9" \\
        --sort metrics.accuracy
      blockchaintracer query --status reproduced --since 2026-01-01 --json
      blockchaintracer query --descendants-of ID --csv
      blockchaintracer query --waiting-for 2 --ascending
      blockchaintracer query --by orcid:0000-0002-1825-0097
      blockchaintracer query --from https://lab.example/published
      blockchaintracer query --kind run --limit 100000 --parquet runs.parquet
    """
    if offline and (rescan or sources):
        raise InputError(f"expected {'--rescan' if rescan else '--from'} or --offline, got both")
    if offline and by:
        raise InputError("expected --by or --offline, got both: whether a claim stands, the chain says")
    if check_identity and not by:
        raise InputError("expected --by beside --check-identity, got none")
    who = claimants(lab, by, sources, check_identity, allow_local) if by else ()
    conditions["holders"] = [it.group or it.account for it in who]
    with up_to_date(lab, offline=offline, rescan=rescan, sources=sources) as index:
        registry, text = None if offline else lab.registry, " ".join(words) or None
        rows = query(index, registry=registry, text=text, group=of_group, limit=limit + 1, **conditions)
    is_more, rows = len(rows) > limit, rows[:limit]
    data: dict[str, Any] = {"records": rows, "more": is_more} | ({"holders": who} if by else {})
    shown: Part = csv_rows(*columns_of(rows)) if as_csv else _table(rows, lab)
    if parquet:
        write_parquet(rows, parquet)
        data["file"] = str(parquet)
        shown = shown if as_csv else f"Wrote {parquet}: {counted(len(rows), 'record')}."
    notes = [f"There are more: --offset {conditions['offset'] + limit}"] if is_more else []
    if not rows:
        known, past = " that is known here" if index.gap else "", conditions["offset"]
        notes.append(f"No record{known} meets every condition{f', past the first {past}' if past else ''}.")
        if not offline and any(kept_proofs(lab)):
            notes.append("Records that are only in a batch are not searched: `blockchaintracer batch list`")
    # what may be among the records that are missing is not known
    found = (
        []
        if as_csv or parquet
        else [
            f"{row.id} {it['verdict']} by group {it['group']}: "
            + ("; ".join(map(str, it["metrics"] or ())) or f"the manifest of {it['evidence']} is not here")
            for row in rows
            for it in row.comparisons
        ]
    )
    told = [line for it in who for line in it.lines()] if shown and not (as_csv or parquet) else []
    if times := [] if as_csv or parquet else kept_times(lab, rows):
        data["times"] = times
        told += [f"{it.subject[:12]}… {line}" for it in times for line in it.lines()]
    return Answer(
        data,
        shown,
        *map(plain, (*found, *told)),
        notes=notes,
        exit_code=3 if index.gap and not rows else 0,
    )


def _table(rows: list[Row], lab: Lab) -> Part:
    names = [called(row.kind, row.id, row.name, lab.hashes.name_of(row.subject)) for row in rows]
    cells = [
        [row.id, row.kind, name, row.group, when(row.time), _status(row), _metrics(row)]
        for row, name in zip(rows, names, strict=True)
    ]
    return table(None, ["record", "kind", "name", "group", "recorded", "status", "metrics"], cells)


_TEXTS = frozenset(NOT_FINITE.values())


def _status(row: Row) -> str:
    said = ", ".join([*row.states, *(f"{verdict} by {count}" for verdict, count in row.verdict_counts.items())])
    if not row.reproduced or not row.has_manifest or row.decisive:
        return said
    from blockchaintracer.core.manifest.metric_comparison import NEARLY_ANYTHING

    return f"{said} (its tolerance {NEARLY_ANYTHING})"


def _metrics(row: Row) -> str:
    """The numbers among the metrics. Those that JSON has none for are texts, here too."""
    numbers = {name: value for name, value in row.metrics.items() if value in _TEXTS or not isinstance(value, str)}
    shown = [
        f"{name} {value if value in _TEXTS else f'{value:.4g}'}{' (declared)' if name in row.declared else ''}"
        for name, value in numbers.items()
    ]
    return ", ".join([*shown[:4], *(["…"] if len(shown) > 4 else [])])
