"""`blockchaintracer keys`: signing and encryption keys of the lab."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.common import Verb, VerbGroup, ask, lab_options, make_lab, show
from blockchaintracer.core.errors import InputError, KeyStoreError
from blockchaintracer.lab.keys import PASSPHRASE_FILE, KeyStore, passphrase_of
from blockchaintracer.lab.lab_folder import VARIABLE, Home
from blockchaintracer.lab.private.backup import back_up, restore
from blockchaintracer.lab.private.identities import EncryptionKeys
from blockchaintracer.lab.rotation import Rotated, rotate

_MAX_KEY = 1 << 16
_home = click.option("--home", type=click.Path(file_okay=False), help=f"The lab's working folder. [env: {VARIABLE}]")
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
_encryption = click.option("--encryption", is_flag=True, help="A key that decrypts, not one that signs.")
_ASKED = f"Without a terminal the passphrase is read from the file that ${PASSPHRASE_FILE} names."


@click.group(cls=VerbGroup)
def command() -> None:
    """Keys that sign and keys that decrypt: encrypted files that only you can read.

    A key or passphrase is never an argument. The two sorts are apart: what signs never decrypts.

    \b
    Examples:
      blockchaintracer keys create lab
      blockchaintracer keys create lab --encryption
      blockchaintracer keys export lab --encryption
      blockchaintracer keys import lab --from keystore.json
      blockchaintracer keys rotate lab lab2
      blockchaintracer keys backup keys.backup
      blockchaintracer keys list
    """


@command.command(cls=Verb, epilog=_ASKED)
@_home
@_json
@_encryption
@click.argument("name")
@click.pass_context
def create(ctx: click.Context, /, name: str, home: str | None, encryption: bool, as_json: bool) -> None:
    """Make a new key; its passphrase is asked for."""
    if encryption:
        recipient = EncryptionKeys(Home(home), _asker()).create(name)
        show(ctx, {"name": name, "recipient": recipient}, f"Made the encryption key {name!r}: {recipient}. Back it up.")
        return
    signer = KeyStore(Home(home), _asker()).create(name)
    show(ctx, {"name": name, "address": signer.address}, f"Made the key {name!r}: {signer.address}. Back it up.")


@command.command("import", cls=Verb, epilog=_ASKED)
@_home
@_json
@_encryption
@click.argument("name")
@click.option(
    "--from",
    "source",
    default="-",
    type=click.Path(path_type=Path, allow_dash=True),
    help="A keystore file, a file with 64 hex digits, or an age identity file. [default: asked for, or stdin]",
)
@click.pass_context
def import_(ctx: click.Context, /, name: str, home: str | None, encryption: bool, source: Path, as_json: bool) -> None:
    """Take in a key that is there already, from a file or standard input.

    A keystore file is copied as it is and keeps its passphrase; for anything else you choose one.
    """
    text, where = _secret(source)
    if encryption:
        recipient = EncryptionKeys(Home(home), _asker()).import_key(name, text, where)
        show(ctx, {"name": name, "recipient": recipient}, f"Imported the encryption key {name!r}: {recipient}.")
        return
    signer = KeyStore(Home(home), _asker()).import_key(name, text, where)
    show(ctx, {"name": name, "address": signer.address}, f"Imported the key {name!r}: {signer.address}.")


@command.command("list", cls=Verb)
@_home
@_json
@click.pass_context
def list_(ctx: click.Context, /, home: str | None, as_json: bool) -> None:
    """List the keys: addresses of those that sign, recipients of those that decrypt."""
    keys = KeyStore(Home(home))
    rows = [{"name": name, "address": keys.signer(name).address} for name in keys.names()]
    encrypting = EncryptionKeys(Home(home))
    others = [{"name": name, "recipient": encrypting.recipient(name)} for name in encrypting.names()]
    lines = [f"{row['address']}  {row['name']}" for row in rows]
    lines += [f"{row['recipient']}  {row['name']} (encryption)" for row in others]
    show(ctx, {"keys": rows, "encryption": others}, *lines)


@command.command(cls=Verb)
@_home
@_json
@_encryption
@click.argument("name")
@click.pass_context
def export(ctx: click.Context, /, name: str, home: str | None, encryption: bool, as_json: bool) -> None:
    """Print the public half of a key: its address, or the recipient for others to encrypt to. Never the key."""
    if encryption:
        recipient = EncryptionKeys(Home(home)).recipient(name)
        show(ctx, {"name": name, "recipient": recipient}, recipient)
        return
    address = KeyStore(Home(home)).signer(name).address
    show(ctx, {"name": name, "address": address}, address)


@command.command("rotate", cls=Verb, epilog=_ASKED)
@lab_options
@_encryption
@click.argument("old")
@click.argument("new")
@click.pass_context
def rotate_(ctx: click.Context, /, old: str, new: str, encryption: bool, **options: Any) -> None:
    """Replace the key OLD by NEW, which is made if there is none.

    A new signing key takes the old one's place in its groups, as far as the old key may give it; what can't be handed
    over is told. A new encryption key is only made: what was encrypted to the old one stays readable by the old one.
    """
    if encryption:
        keys = EncryptionKeys(Home(options["home"]), _asker())
        before = keys.recipient(old)
        recipient = keys.create(new)
        show(
            ctx,
            {"old": old, "new": new, "oldRecipient": before, "recipient": recipient},
            f"Made the encryption key {new!r}: {recipient}. Give it to whoever encrypts to you.",
            f"Keep {old!r}: what was encrypted to it can't be opened by {new!r}, and copies of it are out of reach.",
        )
        return
    done = rotate(make_lab(ctx, {**options, "key": old, "group": None}), old, new)
    show(ctx, asdict(done), *_rotated(done))


@command.command(cls=Verb)
@_home
@_json
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--to", "recipients", multiple=True, metavar="RECIPIENT", help="Who can open it, instead of a passphrase."
)
@click.pass_context
def backup(ctx: click.Context, /, target: Path, recipients: tuple[str, ...], home: str | None, as_json: bool) -> None:
    """Write all keys, seals, private values and choices of the lab to one encrypted file.

    `keys restore` puts it back. Without --to it's opened by a passphrase, which is asked for.
    """
    passphrase = None if recipients else passphrase_of(target, _asker())
    names = back_up(Home(home), target, recipients=recipients, passphrase=passphrase)
    show(ctx, {"file": str(target), "files": names}, f"Backed up {len(names)} files to {target}.")


@command.command("restore", cls=Verb)
@_home
@_json
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--identity", "identities", multiple=True, metavar="FILE", help="File with the key of a recipient.")
@click.pass_context
def restore_(ctx: click.Context, /, source: Path, identities: tuple[str, ...], home: str | None, as_json: bool) -> None:
    """Put back what `keys backup` wrote; a file that is there already is never replaced."""
    lab = Home(home)
    opened = EncryptionKeys(lab, ask).identities(identities) if identities else []
    asker = ask if sys.stdin.isatty() else None
    names = restore(lab, source, identities=opened, ask=lambda: passphrase_of(source, asker))
    show(ctx, {"files": names}, f"Restored {len(names)} files to {lab.path}.")


def _rotated(done: Rotated) -> Iterator[str]:
    yield f"{done.old} {done.old_address} is replaced by {done.new} {done.new_address}, which signs from now on."
    for group in done.groups:
        has = ", ".join([*group.roles, *(["owner"] if group.owner else [])]) or "nothing"
        ended = "ended" if group.old_ended else "stays"
        yield f"Group {group.group}: the new key is {has}; the old membership {ended}."
        yield from (f"  still to do: {what}." for what in group.left)
    yield from (f"{what}." for what in done.stays)


def _secret(source: Path) -> tuple[str, str]:
    """The text of a key, and where it is from."""
    if str(source) == "-":
        if sys.stdin.isatty():
            return ask("The key"), "what was typed"
        return sys.stdin.read(_MAX_KEY), "standard input"
    try:
        with source.open("rb") as file:
            return file.read(_MAX_KEY).decode(), str(source)
    except (OSError, UnicodeDecodeError) as error:
        raise KeyStoreError(f"expected a key in {source}: {type(error).__name__}") from None


def _asker() -> Any:
    return _ask_twice if sys.stdin.isatty() else None


def _ask_twice(question: str) -> str:
    first = ask(question)
    if ask("The same again") != first:
        raise InputError("expected the same passphrase twice, got two")
    return first
