"""What all verbs share: the options that choose lab, chain and key, the output, and errors as exit codes."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from blockchaintracer.core.errors import BlockchainTracerError, InputError
from blockchaintracer.core.networks import NETWORKS, network_by_name
from blockchaintracer.lab.keys import KEY
from blockchaintracer.lab.lab import Lab, Until
from blockchaintracer.lab.lab_folder import VARIABLE, Home

RPC_VARIABLE = "BLOCKCHAINTRACER_RPC"
GIVEN = "blockchaintracer.given"
"""Key in a click context's meta under which Ape's scripts leave connection and signer."""

_WIDEST = 1 << 20
"""Columns of a table that no terminal shows: nothing is cut that a program may read."""
_FORMULA = tuple("=+-@\t\r")
"""How what a spreadsheet runs begins (OWASP, CSV injection)."""

F = TypeVar("F", bound=Callable[..., Any])


class Verb(click.Command):
    """A command whose errors are told to a person, or as JSON, and end in the exit code that the error carries."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("context_settings", {"help_option_names": ["-h", "--help"]})
        super().__init__(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the verb."""
        try:
            return super().invoke(ctx)
        except BlockchainTracerError as error:
            if ctx.params.get("as_json"):
                click.echo(json.dumps(error.as_dict(), default=str))
            else:
                click.secho(f"Error: {error.message}", fg="red", err=True)
                if error.hint:
                    click.echo(error.hint, err=True)
            ctx.exit(error.exit_code)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            # Python's own exit code 1 would read as an answer: not verified, not reproduced
            import traceback

            traceback.print_exc()
            if ctx.params.get("as_json"):
                fault = BlockchainTracerError(f"unexpected: {type(error).__name__}", hint="stderr tells more.")
                click.echo(json.dumps(fault.as_dict()))
            ctx.exit(2)
        except KeyboardInterrupt:
            click.echo("\nStopped. What was stored is kept and goes on with the next command.", err=True)
            ctx.exit(130)


class VerbGroup(click.Group):
    """A verb with sub-verbs."""

    command_class = Verb

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("context_settings", {"help_option_names": ["-h", "--help"]})
        super().__init__(*args, **kwargs)


def _option(*names: str, connection: bool = False, **kwargs: Any) -> Callable[[F], F]:
    option = click.option(*names, **kwargs)

    def decorate(function: F) -> F:
        decorated = option(function)
        # scripts under Ape have Ape's own options in place of these
        decorated.__click_params__[-1].is_connection = connection  # type: ignore[attr-defined]
        return decorated

    return decorate


def lab_options(function: F) -> F:
    """The options that choose the lab's folder, the chain, the registry and the key; the verb gets a ``lab``."""
    for option in (
        _option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout."),
        _option("--home", type=click.Path(file_okay=False), help=f"The lab's working folder. [env: {VARIABLE}]"),
        _option("--registry", metavar="ADDRESS", help="The registry; the one used last if not said."),
        _option(
            "--key",
            metavar="NAME",
            envvar=KEY,
            connection=True,
            help=f"Key in the keystore, path of a keystore file, or command:/path/to/program. [env: {KEY}]",
        ),
        _option(
            "--network",
            metavar="NAME",
            connection=True,
            help=f"{', '.join(network.name for network in NETWORKS)}. The embedded devnet if not said.",
        ),
        _option(
            "--rpc",
            metavar="URL",
            envvar=RPC_VARIABLE,
            connection=True,
            help="JSON-RPC of any EVM chain, or several of one chain with commas between; one with a key in it only by "
            f"the variable. [env: {RPC_VARIABLE}]",
        ),
    ):
        function = option(function)
    return function


def group_option(function: F) -> F:
    """The option that chooses the group to act for."""
    return _option("--group", type=int, metavar="NUMBER", help="The group to act for; the one used last if not said.")(
        function
    )


class _Until(click.ParamType):
    """How far writes are to come: see `operations.lab.Until`."""

    name = "until"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Until:
        """A state's name, or a number of blocks."""
        if isinstance(value, int) or value in ("stored", "included", "final"):
            return value  # type: ignore[no-any-return]
        if isinstance(value, str) and value.isdecimal() and len(value) < 7:
            return int(value)
        self.fail(f"expected stored, included, final or a number of blocks, got {value!r}", param, ctx)


def wait_option(function: F) -> F:
    """The option that says how long to wait for the chain."""
    return _option(
        "--wait",
        "until",
        type=_Until(),
        default="included",
        metavar="UNTIL",
        help="Wait until it's included in a block (the default), final, or has a NUMBER of blocks on top. With stored, "
        "nothing is sent: `blockchaintracer outbox flush` does it.",
    )(function)


def make_lab(ctx: click.Context, options: dict[str, Any]) -> Lab:
    """The lab of a verb's options, which are taken out of `options`."""
    chosen = {name: options.pop(name, None) for name in ("home", "rpc", "network", "registry", "key", "group")}
    options.pop("as_json", None)
    return Lab(
        home=Home(chosen["home"]),
        rpc=_rpc(chosen["rpc"], chosen["network"]),
        registry_address=chosen["registry"],
        key_name=chosen["key"],
        group_number=chosen["group"],
        hand_over=options.get("until") == "stored",
        ask=ask if sys.stdin.isatty() else None,
        say=lambda message: click.echo(message, err=True),
        **ctx.meta.get(GIVEN, {}),
    )


def _rpc(rpc: str | None, network: str | None) -> str | None:
    if network is None or rpc:
        return rpc
    found = network_by_name(network)
    if found.kind == "devnet":
        return None
    if found.rpc is None:
        raise InputError(f"no RPC address is known for {found.title}", hint=f"Set ${found.rpc_env}.")
    return found.rpc


def ask(question: str) -> str:
    """Asks for a passphrase at the terminal, unseen."""
    return str(click.prompt(question, hide_input=True, err=True))


def show(ctx: click.Context, data: dict[str, Any], *lines: str) -> None:
    """Prints a verb's result: `data` as one JSON object if asked for, else `lines` for a person."""
    if ctx.params.get("as_json"):
        click.echo(json.dumps(data, default=str))
    else:
        for line in lines:
            click.echo(line)


def when(timestamp: int | None) -> str:
    """A chain's time (Unix seconds) for a person, in UTC."""
    if not timestamp:
        return "-"
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def table(title: str | None, columns: list[str], rows: list[list[str]]) -> None:
    """Prints a table, as wide as the terminal or as its content where there is none. What strangers wrote in it acts on
    nothing: neither as the terminal's commands nor as rich's markup."""
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    drawn = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        # a path that is cut is of no use: it goes on in the next line
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*map(plain, row))
    console = Console(highlight=False, soft_wrap=False, markup=False, emoji=False)
    if not sys.stdout.isatty():
        console.width = max(Measurement.get(console, console.options.update(max_width=_WIDEST), drawn).maximum, 1)
    console.print(drawn)


def _bytes_in(paths: Iterable[Path]) -> int:
    """Bytes of files and of all files in folders; what can't be looked at counts nothing here and is told elsewhere."""
    total = 0
    for path in paths:
        files = path.rglob("*") if path.is_dir() else [path]
        for file in files:
            with suppress(OSError):
                found = file.stat()
                total += found.st_size if stat.S_ISREG(found.st_mode) else 0
    return total


def plain(text: str) -> str:
    """What a stranger wrote, on one line and without what a terminal would act on."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in " ".join(text.split()))


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Prints CSV (RFC 4180). A text that a spreadsheet would take for a formula gets an apostrophe before it: names are
    their authors' choice, and opening a table must run nothing. Numbers stay numbers."""
    import csv

    writer = csv.writer(sys.stdout)
    writer.writerow([_inert(column) for column in columns])
    for row in rows:
        writer.writerow([_inert(value) for value in row])


def _inert(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in _FORMULA else value


@contextmanager
def progress_bar(ctx: click.Context, label: str, paths: Iterable[Path] = ()) -> Iterator[Callable[[int], None]]:
    """A bar on stderr for anything that takes over a second, with rate and remaining time.

    Args:
        paths: what will be read, as far as that is known before; without it there is no remaining time.
    """
    if ctx.params.get("as_json"):
        yield lambda count: None
        return
    import time

    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
    from rich.progress import TransferSpeedColumn as Rate

    console = Console(stderr=True)
    total = _bytes_in(paths) if console.is_terminal else 0
    columns = [SpinnerColumn(), TextColumn(label), DownloadColumn(), Rate()]
    bar = Progress(
        *columns,
        *([TimeRemainingColumn()] if total else []),
        console=console,
        transient=True,
        disable=None,  # type: ignore[arg-type]
    )
    task = bar.add_task("", total=total or None)
    began = time.monotonic()
    started = False

    def advance(count: int) -> None:
        nonlocal started
        if not started and time.monotonic() - began > 1:
            started = True
            bar.start()
        bar.advance(task, count)

    try:
        yield advance
    finally:
        if started:
            bar.stop()
