"""`blockchaintracer score`: what a run documents, and what evidence there is of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from blockchaintracer.cli.common import Verb, group_option, lab_options, make_lab, progress_bar, show, table
from blockchaintracer.extras.score import Score
from blockchaintracer.extras.score.gather_evidence import record_score, score


@click.command(cls=Verb)
@lab_options
@group_option
@click.argument("record_id", metavar="ID")
@click.option("--from", "sources", multiple=True, metavar="FOLDER|URL", help="Where it was published; repeatable.")
@click.option("--rebuild", is_flag=True, help="Install the recorded lock; building packages can run their code.")
@click.option("--record", "to_record", is_flag=True, help="Record the report as a document derived from the run.")
@click.pass_context
def command(
    ctx: click.Context, /, record_id: str, sources: tuple[str, ...], rebuild: bool, to_record: bool, **options: Any
) -> None:
    """Score a run: its documentation, 0 to 100, and its evidence, E0 to E4. Two numbers, never one.

    Each item is checked and passes, fails or is unknown; what can't be checked from here counts nothing. A copy that
    is not what was recorded withholds the score. No study shows that the score predicts reproduction.

    \b
    Examples:
      blockchaintracer score ID
      blockchaintracer score ID --from https://lab.example/published
      blockchaintracer score ID --from published --rebuild --record

    Exit codes: 0 done, 1 withheld, 2 wrong use, 3 chain unavailable.
    """
    lab = make_lab(ctx, options)
    with progress_bar(ctx, "hashing") as progress:
        found = score(lab, record_id, sources=sources, rebuild=rebuild, progress=progress)
    is_withheld = found.documentation is None
    recorded = record_score(lab, found) if to_record and not is_withheld else None
    if not ctx.params["as_json"]:
        _table(found)
    data = {**found.as_json(), "recorded": asdict(recorded) if recorded else None}
    show(ctx, data, *_lines(found), *([f"Recorded       {recorded.id}"] if recorded else []))
    if is_withheld:
        ctx.exit(1)


def _table(found: Score) -> None:
    rows = [
        [item.status, f"{item.points} of {item.weight}", item.title, item.evidence, item.remedy or ""]
        for item in found.items
    ]
    table(None, ["", "points", "item", "evidence", "remedy"], rows)


def _lines(found: Score) -> Iterator[str]:
    yield ""
    yield f"Run            {found.run}"
    yield f"Rubric         version {found.rubric['version']}, SHA-256 {found.rubric['sha256']}"
    for note in found.notes:
        yield click.style(f"Note           {_plain(note)}", fg="yellow")
    if found.documentation is None or found.evidence is None:
        for wrong in found.withheld:
            yield click.style(f"Mismatch       {_plain(wrong)}", fg="red")
        yield click.style("Withheld: what is there is not what was recorded.", fg="red", bold=True)
        return
    for cap in found.caps:
        yield f"Cap            at most {cap.limit}: {cap.reason}"
    unknown, weight = found.counted("unknown")
    apart = f"; {unknown} items of {weight} points could not be checked from here" if unknown else ""
    yield click.style(f"Documentation  {found.documentation} of 100{apart}", bold=True)
    evidence = found.evidence
    yield click.style(f"Evidence       {evidence.level}, {evidence.meaning}: {evidence.shown_by}", bold=True)


def _plain(text: str) -> str:
    """A stranger's text without what a terminal would act on."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in text)
