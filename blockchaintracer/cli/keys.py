"""`blockchaintracer keys`: signing keys in the lab's keystore."""

from __future__ import annotations

import sys

import click

from blockchaintracer.cli.common import Verb, VerbGroup, ask, show
from blockchaintracer.home import VARIABLE, Home
from blockchaintracer.keys import PASSPHRASE_FILE, KeyStore

_home = click.option("--home", type=click.Path(file_okay=False), help=f"The lab's working folder. [env: {VARIABLE}]")
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")


@click.group(cls=VerbGroup)
def command() -> None:
    """Signing keys: encrypted files that only you can read. A key or passphrase is never an argument.

    \b
    Examples:
      blockchaintracer keys create lab
      blockchaintracer keys list
    """


@command.command(
    cls=Verb, epilog=f"Without a terminal the passphrase is read from the file that ${PASSPHRASE_FILE} names."
)
@_home
@_json
@click.argument("name")
@click.pass_context
def create(ctx: click.Context, /, name: str, home: str | None, as_json: bool) -> None:
    """Make a new key; its passphrase is asked for."""
    signer = KeyStore(Home(home), _ask_twice if sys.stdin.isatty() else None).create(name)
    show(ctx, {"name": name, "address": signer.address}, f"Made the key {name!r}: {signer.address}. Back it up.")


@command.command("list", cls=Verb)
@_home
@_json
@click.pass_context
def list_(ctx: click.Context, /, home: str | None, as_json: bool) -> None:
    """List the keys and their addresses."""
    keys = KeyStore(Home(home))
    rows = [{"name": name, "address": keys.signer(name).address} for name in keys.names()]
    show(ctx, {"keys": rows}, *[f"{row['address']}  {row['name']}" for row in rows])


def _ask_twice(question: str) -> str:
    first = ask(question)
    if ask("The same again") != first:
        raise click.UsageError("The two passphrases differ.")
    return first
