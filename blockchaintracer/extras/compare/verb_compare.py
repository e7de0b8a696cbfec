"""`blockchaintracer compare`: what differs between runs, and what repeated runs say."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from os.path import commonprefix
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.options import NEW_FILE, csv_option, lab_verb, source_option
from blockchaintracer.cli.record_names import RECORD
from blockchaintracer.cli.render import Answer, Part, csv_rows, plain, table, when
from blockchaintracer.core.record import counted
from blockchaintracer.extras.compare.compare_records import compare_records
from blockchaintracer.extras.compare.comparison import ComparedField, RunComparison
from blockchaintracer.extras.compare.plot import draw
from blockchaintracer.extras.compare.runs import Compared, Scalar
from blockchaintracer.extras.compare.statistics import Statistics, Test
from blockchaintracer.lab.files import write_output
from blockchaintracer.lab.lab import Lab

_SIDE_BY_SIDE = 5
"""Runs that stand in columns of their own; of more, each field's values are counted."""
_PACKAGES = 20
"""Packages with differences that are listed unasked; more hide what else differs."""
_SHOWN = 3
_WIDEST = 66
_BEFORE = 16
"""Letters of a long value that are shown before the place where it differs."""

_Value = tuple[bool, Scalar, bool]
"""A value with whether it is a truth value, which equals a number, and whether a person declares it."""


@lab_verb()
@click.argument("record_ids", type=RECORD, metavar="ID...", nargs=-1)
@click.option("--where", metavar="EXPRESSION", help="Also all runs that meet it, such as 'params.model = cnn'.")
@click.option("--by", multiple=True, metavar="FIELD", help="What makes a group, such as params.lr. May be repeated.")
@click.option("--pair-by", metavar="FIELD", help="What pairs the runs of two groups. [default: their seeds]")
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Look at this metric only. May be repeated.")
@click.option("--confidence", default=0.95, show_default=True, type=float, help="Of the intervals.")
@click.option("--all", "everything", is_flag=True, help="Show what is equal too, and all packages.")
@click.option("--plot", type=NEW_FILE, help="Draw to this file: .png, .svg or .pdf.")
@csv_option
@click.option(
    "--table",
    "which",
    type=click.Choice(["runs", "statistics", "tests"]),
    default="runs",
    show_default=True,
    help="What --csv prints.",
)
@source_option
def command(
    lab: Lab, record_ids: tuple[str, ...], everything: bool, plot: Path | None, as_csv: bool, which: str, **options: Any
) -> Answer:
    """Compare runs: parameters, metrics, data, code, environment; and the statistics of repeated runs.

    Runs with equal parameters are one group, seeds aside, or --by says what makes one. Each group is tested against
    that of the first run: by pairs of equal seeds where there are any. One run alone is never tested.

    \b
    Examples:
      blockchaintracer compare ID ID
      blockchaintracer compare --where "params.dataset = strain" --by params.lr \\
        --plot lr.svg
      blockchaintracer compare ID ID ID --metric accuracy --json
      blockchaintracer compare --where "metrics.accuracy > 0" \\
        --csv --table statistics
    """
    comparison = compare_records(lab, record_ids, **options)
    if plot:
        write_output(plot, draw(comparison, plot.suffix.lower().removeprefix("."), options["metrics"]))
    data = {**comparison.as_json(), "plot": str(plot) if plot else None}
    if as_csv:
        return Answer(data, csv_rows(*_csv(comparison, which)))
    text = [_runs(comparison), "", _fields(comparison, everything), *_statistics(comparison.statistics)]
    return Answer(data, *text, *([f"\nDrew {plot}."] if plot else []))


def _runs(comparison: RunComparison) -> Part:
    rows = [
        [_letter(number), run.id, run.name, run.group or None, when(run.time), _state(run)]
        for number, run in enumerate(comparison.runs)
    ]
    return table(None, ["", "record", "name", "group", "recorded", "status"], rows)


def _state(run: Compared) -> str:
    return f"{run.status}, {run.fields['about.status']}: not counted" if run.failed else run.status


def _fields(comparison: RunComparison, everything: bool) -> Part:
    fields = comparison.fields if everything else comparison.differences
    equal = len(comparison.fields) - len(comparison.differences)
    if len(comparison.runs) <= _SIDE_BY_SIDE:
        columns = ["field", *(_letter(number) for number in range(len(comparison.runs)))]
        rows = [[field.name, *_cells(_values(comparison, field))] for field in fields]
    else:
        columns = ["field", "values"]
        rows = [[field.name, _counted(_values(comparison, field))] for field in fields]
    unlisted = [row for row in rows if row[0].startswith("environment.packages.")]
    differ = f"{counted(len(comparison.differences), 'field')} with differences"
    if not everything and len(unlisted) > _PACKAGES:
        rows = [row for row in rows if row not in unlisted]
        differ += f" ({len(unlisted)} of packages: --all)"
    return table(f"{differ}, {equal} equal in all", columns, rows)


def _values(comparison: RunComparison, field: ComparedField) -> list[_Value]:
    pairs = zip(comparison.runs, field.values, strict=True)
    return [(isinstance(value, bool), value, field.name in run.declared) for run, value in pairs]


def _cells(values: Sequence[_Value]) -> list[str]:
    """Show values of one field in a few letters each, so that two that differ look different."""
    once = dict.fromkeys((is_truth, value) for is_truth, value, _ in values)
    texts = [_text(value) for _, value in once]
    if len({*texts}) < len(texts):
        texts = [json.dumps(value) for _, value in once]
    shown = dict(zip(once, _parts_that_differ(texts), strict=True))
    return [shown[is_truth, value] + " (declared)" * declared for is_truth, value, declared in values]


def _parts_that_differ(texts: Sequence[str]) -> Sequence[str]:
    if max(map(len, texts)) <= _WIDEST:
        return texts
    # sorted, each text parts from every other where two neighbours part
    prefixes = [commonprefix(pair) for pair in pairwise(sorted(texts))]  # noqa: RUF071 -- no paths, letters
    places = sorted({*map(len, prefixes)}) or [_BEFORE]
    size = max(_WIDEST // len(places), 24)
    parts: list[list[int]] = []
    for start in (max(place - _BEFORE, 0) for place in places):
        if parts and start <= parts[-1][1]:
            parts[-1][1] = start + size
        else:
            parts.append([start, start + size])
    first, last = parts[0][0], parts[-1][1]
    return [
        "…" * (first > 0) + "…".join(text[start:end] for start, end in parts) + "…" * (last < len(text))
        for text in texts
    ]


def _counted(values: Sequence[_Value]) -> str:
    counts = Counter(values).most_common()
    cells = zip(_cells([value for value, _ in counts[:_SHOWN]]), counts, strict=False)
    shown = ", ".join(f"{cell} (x{count})" if count > 1 else cell for cell, (_, count) in cells)
    return shown + (f" and {len(counts) - _SHOWN} more" if len(counts) > _SHOWN else "")


def _statistics(found: Statistics) -> Iterator[Part]:
    if any(summary.n > 1 for summary in found.summaries):
        yield ""
        rows = [
            [
                *(summary.metric, summary.group, summary.n, _figure(summary.mean), _figure(summary.deviation)),
                *(_interval(summary.low, summary.high), _figure(summary.minimum), _figure(summary.maximum)),
            ]
            for summary in found.summaries
        ]
        interval = f"{found.confidence:.0%} of the mean"
        yield table("Repeated runs", ["metric", "group", "n", "mean", "deviation", interval, "least", "most"], rows)
    if found.tests:
        yield ""
        rows = [
            [
                *(test.metric, test.group),
                *(("pairs", test.n) if test.paired else ("groups", f"{test.n_baseline} and {test.n_group}")),
                *(_figure(test.difference, "+"), _interval(test.low, test.high)),
                *(_p(test.adjusted), _p(test.rank_adjusted), _effect(test)),
            ]
            for test in found.tests
        ]
        columns = ["metric", "group", "by", "n", "difference", "interval", "p (t)", "p (ranks)", "effect"]
        yield table(f"Against {plain(found.tests[0].baseline)}; p-values after Holm", columns, rows)
        yield from (f"  {line}" for line in _notes(found.tests))
    yield ""
    yield from map(plain, found.assumptions)


def _notes(tests: Sequence[Test]) -> Iterator[str]:
    """Each note once, with the tests that it is of."""
    of: dict[str, list[str]] = {}
    for test in tests:
        for note in test.notes:
            of.setdefault(note, []).append(f"{plain(test.metric)} of {plain(test.group)}")
    for note, those in of.items():
        which = "all tests" if len(those) == len(tests) > 1 else "; ".join(those[:_SHOWN])
        more = f" and {len(those) - _SHOWN} more" if _SHOWN < len(those) < len(tests) else ""
        yield f"{which}{more}: {note}"


def _csv(found: RunComparison, which: str) -> tuple[list[str], list[list[Any]]]:
    if which == "runs":
        columns = ["id", "name", "kind", "group", "author", "time", "status"]
        rows = [
            [getattr(run, column) for column in columns] + [field.values[number] for field in found.fields]
            for number, run in enumerate(found.runs)
        ]
        return columns + [field.name for field in found.fields], rows
    rows_of: Sequence[Any] = found.statistics.summaries if which == "statistics" else found.statistics.tests
    values = [asdict(one) for one in rows_of]
    columns = list(values[0]) if values else []
    return columns, [["; ".join(v) if isinstance(v, tuple) else v for v in value.values()] for value in values]


def _letter(number: int) -> str:
    return chr(ord("A") + number) if number < 26 else str(number + 1)


def _text(value: Scalar) -> str:
    if value is None:
        return "-"
    return plain(f"{value:.6g}" if isinstance(value, float) else str(value))


def _figure(value: float | None, sign: str = "") -> str | None:
    return None if value is None else f"{value:{sign}.4g}"


def _interval(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"{low:.4g} to {high:.4g}"


def _p(value: float | None) -> str:
    return "-" if value is None else "<0.0001" if value < 0.0001 else f"{value:.4f}"


def _effect(test: Test) -> str:
    return "-" if test.effect is None else f"{test.effect_name} {test.effect:+.2f}"
