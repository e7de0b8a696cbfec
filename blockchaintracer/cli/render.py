"""How the answer of a verb is shown: one JSON object for a program, or lines and tables for a person."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from blockchaintracer.core import networks
from blockchaintracer.core.errors import BlockchainTracerError, InputError
from blockchaintracer.core.plain_json import as_json
from blockchaintracer.core.record import Domain, counted
from blockchaintracer.lab.files import bytes_in
from blockchaintracer.lab.global_ids import with_global_ids
from blockchaintracer.lab.plain_text import named, no_formula, titled

if TYPE_CHECKING:
    from blockchaintracer.core.verify.outcomes import Conclusion

JSON = "blockchaintracer.json"
"""Key in a click context's meta: whether ``--json`` was given."""
VERBOSE = "blockchaintracer.verbose"
"""Key in a click context's meta: whether ``-v`` was given."""
LAB = "blockchaintracer.lab"
"""Key in a click context's meta: the lab that the command acts for."""
_HASH = re.compile(r"(?<![/\w])((?:0x)?[0-9a-f]{10})[0-9a-f]{30,54}\b", re.IGNORECASE)
_OBJECT = re.compile(r"\S*/objects/([0-9a-f]{2}/[0-9a-f]{8})[0-9a-f]{54}\b")
_TIME = re.compile(r"\b(\d{4}-\d\d-\d\d \d\d:\d\d):\d\d UTC\b")
_COMMAND = re.compile(r"`[^`]+`|(?<!`)\bblockchaintracer [a-z][^`]*$")
_NOT_FOLDED = re.compile(r"[\n\x1b]|^[\[{]")
"""What has its lines or colours already, or is data."""
_SHORT = re.compile(r"(?:0x)?[0-9a-f]{10}…", re.IGNORECASE)
_WHOLE = re.compile(rf"{_SHORT.pattern}|{_TIME.pattern}|\d{{4}}-\d\d-\d\d \d\d:\d\d", re.IGNORECASE)
"""Cells that are never broken."""
_GAP = 2
"""Columns of a terminal between two of a table."""
_LONGEST_WORD = 20
"""Letters of a word that is broken only if there is no room."""
_WIDEST = 1 << 20
"""Columns of a table that no terminal shows: nothing is cut that a program may read."""

_bars: list[Any] = []
"""The bar of progress that is under way, if one is."""

Part = str | Callable[[], None]
"""A line of text, or a function that prints more than a line: see `table`, `csv_rows` and `tree`."""


class Declined(click.Abort):
    """The user was asked, and said no."""

    exit_code = 6


def require_agreement(question: str, way: str) -> None:
    """Ask for a yes at the terminal, or read it.

    Args:
        way: how to do without the question.

    Raises:
        Declined: the answer is no.
        InputError: no answer came, as at the end of the input.
    """
    hide_bar()
    try:
        agreed = click.confirm(folded(question, err=True), err=True)
    except click.Abort as error:
        if not isinstance(error.__context__, EOFError):
            raise
        click.echo(err=True)
        raise InputError("no answer came: nothing was done", hint=way) from None
    if not agreed:
        raise Declined


class Answer:
    """The result of a verb.

    Args:
        data: a dict or dataclass, printed with ``--json``.
        text: what a person gets instead.
        notes: lines for stderr, in both cases.
    """

    def __init__(self, data: Any, *text: Part, notes: Iterable[str] = (), exit_code: int = 0) -> None:
        self.data = data
        self.text = text
        self.notes = notes
        self.exit_code = exit_code

    def show(self) -> None:
        """Print the answer."""
        if wants_json():
            print_json(self.data)
        else:
            for part in self.text:
                if isinstance(part, str):
                    click.echo(folded(part))
                else:
                    part()
        for note in self.notes:
            click.echo(folded(note, err=True), err=True)


def wants_json() -> bool:
    """Whether the command that runs was called with ``--json``."""
    ctx = click.get_current_context(silent=True)
    return bool(ctx and ctx.meta.get(JSON))


def print_json(data: Any) -> None:
    """Print an object as one line of JSON."""
    click.echo(json.dumps(with_global_ids(as_json(data), _chosen_domain), default=str))


def show_error(error: BlockchainTracerError) -> None:
    """Print an error and what to do next."""
    if wants_json():
        from blockchaintracer.core.verify.outcomes import Conclusion

        conclusion = list(Conclusion)[error.exit_code]
        print_json(error.as_dict() | {"outcome": conclusion.value, "verified": conclusion.verified})
        return
    click.secho(folded(f"Error: {error.message}", err=True), fg="red", err=True)
    if error.hint:
        click.echo(folded(error.hint, err=True), err=True)


def _chosen_domain() -> Domain | None:
    lab = click.get_current_context().meta.get(LAB)
    with suppress(BlockchainTracerError):
        return lab.domain if lab else None
    return None


def when(timestamp: int | None) -> str:
    """Format a block's time (Unix seconds) in UTC."""
    return networks.when(timestamp) if timestamp else "-"


def coins(wei: int | None) -> str:
    """Format an amount of the chain's coin."""
    return "-" if wei is None else f"{wei / 10**18:.9f}"


def byte_size(count: float) -> str:
    """Format a number of bytes."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.4g} {unit}"


def plain(text: str) -> str:
    """Put a stranger's text on one line, without what a terminal would act on."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in " ".join(text.split()))


def hanging(start: str, text: str, indent: int | None = None) -> str:
    """Put a text after the start of a line. At a terminal its further lines are indented, and hashes are short and dim
    unless ``-v`` was given: the first digits of an id name a record. What goes to a file stays whole.

    Args:
        indent: of the further lines; by default they stand under the text.
    """
    if not sys.stdout.isatty():
        return start + text
    first, width = len(click.unstyle(start)), max(shutil.get_terminal_size().columns, 60)
    further = " " * (first if indent is None else indent)
    if not click.get_current_context().meta.get(VERBOSE):
        text = _HASH.sub(lambda found: f"{found[1]}…", _OBJECT.sub(r"…/objects/\1…", text))
    # the start is wrapped with the text, and put back with its colour
    text = _wrapped("\0" * first + text, width, further)[first:]
    return start + _SHORT.sub(lambda found: click.style(found[0], dim=True), text)


def folded(line: str, indent: int | None = None, *, err: bool = False) -> str:
    """Fold a line at a terminal, and indent its further lines; words and commands stay whole, to be pasted. What goes
    to a file is one line.

    Args:
        indent: of the further lines; by default two more than that of the first.
        err: whether the line goes to stderr.
    """
    width = max(shutil.get_terminal_size().columns, 60)
    if not (sys.stderr if err else sys.stdout).isatty() or len(line) <= width or _NOT_FOLDED.search(line):
        return line
    further = " " * (len(line) - len(line.lstrip()) + 2 if indent is None else indent)
    return _wrapped(_COMMAND.sub(_joined, line), width, further)


def _wrapped(text: str, width: int, further: str) -> str:
    """Break a text into lines, but neither words nor times."""
    form = textwrap.TextWrapper(width, subsequent_indent=further, break_long_words=False, break_on_hyphens=False)
    return form.fill(_TIME.sub(_joined, text)).replace("\1", " ")


def _joined(found: re.Match[str]) -> str:
    return found[0].replace(" ", "\1")


def command_lines(command: str, indent: int = 2) -> str:
    """Indent a command. What is too long for the terminal has each option in a line of its own, as a shell takes it."""
    start = " " * indent
    if not sys.stdout.isatty() or len(command) + indent <= shutil.get_terminal_size().columns:
        return f"{start}{command}"
    return start + re.sub(r" (?=--[a-z])", f" \\\\\n{start}  ", command)


def state_line(result: Any, done: str = "recorded") -> str:
    """Say how far a record or seal has come, where it is and whose it is."""
    if result.state == "stored":
        return "waits for the chain: `blockchaintracer outbox flush` sends it"
    state = f"is {done} already" if getattr(result, "existing", False) else f"is {result.state}"
    return f"{state}: block {result.block}, {when(result.time)}, by {result.author} for group {result.group}"


def record_lines(record: Any, state: str | None = None) -> Iterator[str]:
    """Describe a record of the lab in two lines; `state` replaces the line of its state."""
    yield f"{titled(record.kind, record.name)}: {record.id}"
    yield f"  {state or state_line(record)}"


def recorded_line(name: str, record: Any) -> str:
    """Say in one line what became of a record that a verb made beside its result."""
    return f"{name} {record.id} is {'recorded already' if record.existing else record.state}"


def unrevealed_line(author: Mapping[str, Any]) -> str:
    """Say how many seals an author made, and how many of them are unrevealed."""
    elsewhere = author.get("keptElsewhere")
    more = f"; {elsewhere} of these are not kept here" if elsewhere else ""
    made = f"{author['author']} made {counted(author['seals'], 'seal')} for group {author['group']}"
    more += "" if author.get("complete", True) else " (of those that the node still knows)"
    return f"{made}: {author['unrevealed']} unrevealed{more}."


def verdict_line(conclusion: Conclusion, text: str, *, private: bool = False) -> str:
    """Format the last line of a check: the word and the colour of its outcome, and what came of it."""
    from blockchaintracer.core.verify.outcomes import PRIVATE_CHAIN

    word = conclusion.value.capitalize()
    if private and conclusion.verified:
        word, text = f"{word} on a private test chain", f"{text.rstrip('.')}. {PRIVATE_CHAIN.capitalize()}."
    return click.style(folded(f"{word}: {text}"), fg=conclusion.colour(private=private), bold=True)


def table(title: str | None, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Callable[[], None]:
    """Return what prints a table, as wide as the terminal or as its content if there is no terminal. An absent value is
    a dash. Where it is too wide for the terminal, hashes are short: the first digits of an id name a record."""
    return partial(_print_table, title, columns, rows)


def _print_table(title: str | None, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    from rich.cells import cell_len, set_cell_size

    # strangers' texts act on nothing: neither as the terminal's commands nor as rich's markup
    lines = [["-" if value is None else plain(str(value)) for value in row] for row in rows]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDEST
    widths = [max(map(cell_len, column)) for column in zip(columns, *lines, strict=True)]
    gaps = _GAP * (len(widths) - 1)
    if lines and sum(widths) + gaps > room and not click.get_current_context().meta.get(VERBOSE):
        of_times = [any(map(_TIME.fullmatch, cells)) for cells in zip(*lines, strict=True)]
        columns = [f"{column} (UTC)" if is_time else column for column, is_time in zip(columns, of_times, strict=True)]
        short = [(_TIME, r"\1") if is_time else (_HASH, r"\1…") for is_time in of_times]
        lines = [[form.sub(by, cell) for (form, by), cell in zip(short, line, strict=True)] for line in lines]
        widths = [max(map(cell_len, column)) for column in zip(columns, *lines, strict=True)]
    if not title and sum(widths) + gaps <= room and not any("\n" in cell for line in lines for cell in line):
        # importing rich takes longer than asking the node, and 0.7 ms a row to find that nothing has to be folded
        head, *shown = ((" " * _GAP).join(map(set_cell_size, line, widths)) for line in (columns, *lines))
        click.echo("\n".join([click.style(head, bold=True), *shown]))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=False, markup=False, emoji=False)
    drawn = Table(title=title, title_justify="left", box=None, header_style="bold")
    drawn.padding, drawn.pad_edge = (0, _GAP, 0, 0), False
    room -= gaps
    for longest_word in (_LONGEST_WORD, 0):
        least = [_least(column, longest_word) for column in zip(columns, *lines, strict=True)]
        if sum(least) <= room:
            break
    while sum(widths) > max(room, sum(least)):
        _, widest = max((width, number) for number, width in enumerate(widths) if width > least[number])
        widths[widest] -= 1
    # what does not fit is not cut: the terminal goes on in its next line
    console.width = max(sum(widths) + gaps, console.width if title else 1)
    widths[-1] -= _GAP  # rich counts padding there, although it draws none
    for column, width in zip(columns, widths, strict=True):
        drawn.add_column(column, overflow="fold", width=width)
    for line in lines:
        drawn.add_row(*line)
    console.print(drawn)


def _least(column: Sequence[str], longest_word: int) -> int:
    """Return the width that a column needs so that its title, ids, times, and words of some length stay whole."""
    from rich.cells import cell_len

    words = [word for cell in column for word in ([cell] if _WHOLE.fullmatch(cell) else cell.split())]
    title, whole = column[0].split(), [word for word in words if _WHOLE.fullmatch(word)]
    return max(map(cell_len, [*title, *whole, *(word for word in words if len(word) <= longest_word)]), default=1)


def tree(drawn: Any) -> Callable[[], None]:
    """Return what prints a tree of rich's."""
    from rich.console import Console

    return partial(Console(highlight=False).print, drawn)


def csv_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Callable[[], None]:
    """Return what prints CSV (RFC 4180). Names are their authors' choice, and opening a table must run nothing: see
    `no_formula`. Numbers stay numbers."""

    def print_csv() -> None:
        writer = csv.writer(sys.stdout)
        for row in (columns, *rows):
            writer.writerow([no_formula(cell) if isinstance(cell, str) else cell for cell in row])

    return print_csv


def not_searched_lines(files: Sequence[str]) -> list[str]:
    """Say which files were published without a search for secrets."""
    return [f"Not searched for secrets: {named([*map(plain, files)], between='; ')}."] if files else []


@contextmanager
def progress_bar(label: str, paths: Iterable[Path] = ()) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr for work that takes over a second since its first bytes.

    Args:
        paths: the files to read, as far as they are known; without them there is no remaining time.
    """
    if wants_json() or not sys.stderr.isatty():
        yield lambda count: None
        return
    done, began = 0, 0.0

    def advance(count: int) -> None:
        nonlocal done, began
        # what came before, as a devnet that starts, is not this work
        began = began or time.monotonic()
        done += count
        if not _bars and time.monotonic() - began > 1:
            _bars.append(_new_bar(label, paths))
        for bar in _bars:
            bar.start()
            if done > (bar.tasks[0].total or done):
                # more is read than the files that were named: what it takes is not known
                bar.tasks[0].total = None
            bar.update(bar.task_ids[0], completed=done)

    try:
        yield advance
    finally:
        hide_bar()
        _bars.clear()


def hide_bar() -> None:
    """Take the bar off the screen before a line or a question; with the next progress it is back."""
    for bar in _bars:
        bar.stop()


def say(message: str) -> None:
    """Write a line to stderr, folded, with no bar before or behind it."""
    hide_bar()
    click.echo(folded(message, err=True), err=True)


def _new_bar(label: str, paths: Iterable[Path]) -> Any:
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
    from rich.progress import TransferSpeedColumn as Rate

    console = Console(stderr=True)
    total = bytes_in(paths) if console.is_terminal else 0
    columns = [SpinnerColumn(), TextColumn(label), DownloadColumn(), Rate()]
    columns += [TimeRemainingColumn()] if total else []
    bar = Progress(*columns, console=console, transient=True)
    bar.add_task("", total=total or None)
    return bar
