"""`blockchaintracer score`: what a run documents, and what evidence there is of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from blockchaintracer.cli.options import group_option, lab_verb, record_it_option, source_option
from blockchaintracer.cli.record_names import RECORD
from blockchaintracer.cli.render import Answer, command_lines, hanging, plain, progress_bar
from blockchaintracer.extras.score import Score
from blockchaintracer.extras.score.gather_evidence import record_score, score
from blockchaintracer.lab.lab import Lab


@lab_verb(writes=True)
@group_option
@click.argument("record_id", type=RECORD, metavar="ID")
@source_option
@click.option("--rebuild", is_flag=True, help="Install the recorded lock; building packages can run their code.")
@record_it_option
def command(lab: Lab, record_id: str, sources: tuple[str, ...], rebuild: bool, to_record: bool) -> Answer:
    """Score a run: its documentation, 0 to 100, and its evidence, E0 to E4. Two numbers, never one.

    Each item is checked and passes, fails or is unknown; what cannot be checked from here counts nothing. A copy that
    is not what was recorded withholds the score. No study shows that the score predicts reproduction.

    \b
    Examples:
      blockchaintracer score ID
      blockchaintracer score ID --from https://lab.example/published
      blockchaintracer score ID --from published --rebuild --record

    Exit codes: 0 done, 1 withheld, 2 wrong use, 3 chain unavailable.
    """
    lab.starts_devnet = to_record
    with progress_bar("hashing") as progress:
        result = score(lab, record_id, sources=sources, rebuild=rebuild, progress=progress)
    is_withheld = result.documentation is None
    recorded = record_score(lab, result) if to_record and not is_withheld else None
    return Answer(
        {**result.as_json(), "recorded": recorded},
        *_lines(result),
        *([f"Recorded       {recorded.id}"] if recorded else []),
        *_items(result),
        exit_code=1 if is_withheld else 0,
    )


_COLOURS = {"pass": "green", "fail": "red", "unknown": "yellow"}


def _items(result: Score) -> Iterator[str]:
    """List what costs most first, each with what to do about it under it; what passed stands last."""
    order = ("fail", "unknown", "pass")
    for item in sorted(result.items, key=lambda item: (order.index(item.status), -item.weight)):
        status = click.style(f"{item.status:<8}", fg=_COLOURS[item.status])
        yield hanging(f"{status}{item.points:>2} of {item.weight:<3} {plain(item.title)}: ", plain(item.evidence), 15)
        if item.remedy:
            yield hanging(" " * 15, f"-> {plain(item.remedy)}")
            yield from (command_lines(command, 18) for command in commands_in(item.remedy, result.run))


_VERBS = ("new", "outbox", "publish", "record", "score", "status")
_AS_TYPED = (
    (r"^(\w+=\S+) … ", r"\1 "),
    (r"(--[a-z]+) …", r"\1 TEXT"),
    (r":…", ":DIGEST"),
    (r"( -- .*) …$", r"\1"),
    (r" …$", " -- PROGRAM"),
    (r"\|\w+", ""),
    (r"( new .*)", r"\1 -o run.yaml"),
)
"""What stands for the user's own words in a remedy, and in the command as it is typed."""


def commands_in(remedy: str, run: str) -> Iterator[str]:
    """Return the commands that a remedy names, as they are typed for a run; the user's own words are in capitals."""
    for words in (span.split() for span in re.findall(r"`([^`]+)`", remedy)):
        verb = next((word for word in words if "=" not in word and word != "…"), "")
        if len(words) > 1 and verb in (*_VERBS, "uv"):
            own = {"ID": run[:12]} | ({verb: f"blockchaintracer {verb}"} if verb in _VERBS else {})
            command = " ".join(own.get(word, word) for word in words)
            for told, typed in _AS_TYPED:
                command = re.sub(told, typed, command)
            yield command


def _lines(result: Score) -> Iterator[str]:
    yield hanging("Run            ", result.run)
    yield hanging("Rubric         ", f"version {result.rubric['version']}, SHA-256 {result.rubric['sha256']}")
    for note in result.notes:
        yield click.style(f"Note           {plain(note)}", fg="yellow")
    if result.documentation is None or result.evidence is None:
        for wrong in result.withheld:
            yield click.style(f"Mismatch       {plain(wrong)}", fg="red")
        yield click.style("Withheld: what is there is not what was recorded.", fg="red", bold=True)
        return
    for cap in result.caps:
        yield f"Cap            at most {cap.limit}: {cap.reason}"
    unknown, weight = result.counted("unknown")
    apart = f"; {unknown} items of {weight} points could not be checked from here" if unknown else ""
    yield click.style(f"Documentation  {result.documentation} of 100{apart}", bold=True)
    evidence = result.evidence
    shown = hanging("Evidence       ", f"{evidence.level}, {evidence.meaning}: {evidence.shown_by}")
    yield click.style(shown, bold=True)
    yield ""
