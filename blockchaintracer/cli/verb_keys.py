"""`blockchaintracer keys`: signing and encryption keys of the lab."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.options import (
    PASSPHRASE_EPILOG,
    PATH,
    VerbGroup,
    ask,
    connection_options,
    flush_all_option,
    group_option,
    home_option,
    make_lab,
)
from blockchaintracer.cli.render import Answer, state_line
from blockchaintracer.core.errors import InputError, KeyStoreError
from blockchaintracer.core.record import counted
from blockchaintracer.lab.keys import KeyStore, chosen_passphrase, passphrase_of
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.private.backup import back_up, restore
from blockchaintracer.lab.private.identities import EncryptionKeys
from blockchaintracer.lab.rotation import Rotated, report_key, rotate

_MAX_KEY = 1 << 16
_encryption_option = click.option("--encryption", is_flag=True, help="A key that decrypts, not one that signs.")


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
      blockchaintracer keys report 0xADDRESS --since 2026-03-01
      blockchaintracer keys backup keys.backup
      blockchaintracer keys list
    """


def _key_answer(done: str, name: str, key: Any, more: str = "") -> Answer:
    """Answer with the public half of a key: a recipient or an address."""
    if isinstance(key, str):
        return Answer({"name": name, "recipient": key}, f"{done} the encryption key {name!r}: {key}.{more}")
    return Answer({"name": name, "address": key.address}, f"{done} the key {name!r}: {key.address}.{more}")


@command.command(epilog=PASSPHRASE_EPILOG)
@home_option
@_encryption_option
@click.argument("name")
def create(name: str, home: str | None, encryption: bool) -> Answer:
    """Make a new key; its passphrase is asked for."""
    keys = (EncryptionKeys if encryption else KeyStore)(Home(home), _asker())
    return _key_answer("Made", name, keys.create(name), " Back it up.")


@command.command("import", epilog=PASSPHRASE_EPILOG)
@home_option
@_encryption_option
@click.argument("name")
@click.option(
    "--from",
    "source",
    default="-",
    type=click.Path(path_type=Path, allow_dash=True),
    help="A keystore file, a file with 64 hex digits, or an age identity file. [default: asked for, or stdin]",
)
def import_key(name: str, home: str | None, encryption: bool, source: Path) -> Answer:
    """Import an existing key from a file or standard input.

    A keystore file is copied as it is and keeps its passphrase; for anything else you choose one.
    """
    text, origin = _secret(source)
    keys = (EncryptionKeys if encryption else KeyStore)(Home(home), _asker())
    return _key_answer("Imported", name, keys.import_key(name, text, origin))


@command.command("list")
@home_option
def list_keys(home: str | None) -> Answer:
    """List the keys: addresses of those that sign, recipients of those that decrypt."""
    signing, encrypting = KeyStore(Home(home)), EncryptionKeys(Home(home))
    keys = [{"name": name, "address": signing.signer(name).address} for name in signing.names()]
    others = [
        {"name": name, "recipient": encrypting.recipient(name), "replacedBy": encrypting.replaced_by(name)}
        for name in encrypting.names()
    ]
    return Answer(
        {"keys": keys, "encryption": others},
        *(f"{key['address']}  {key['name']}" for key in keys),
        *(f"{key['recipient']}  {key['name']} (encryption{_replaced(key['replacedBy'])})" for key in others),
    )


def _replaced(new: str | None) -> str:
    return f", replaced by {new}" if new else ""


@command.command()
@home_option
@_encryption_option
@click.argument("name")
def export(name: str, home: str | None, encryption: bool) -> Answer:
    """Print the public half of a key: its address, or the recipient for others to encrypt to. Never the key."""
    if encryption:
        recipient = EncryptionKeys(Home(home)).recipient(name)
        return Answer({"name": name, "recipient": recipient}, recipient)
    address = KeyStore(Home(home)).signer(name).address
    return Answer({"name": name, "address": address}, address)


@command.command("rotate", epilog=PASSPHRASE_EPILOG)
@connection_options
@flush_all_option
@_encryption_option
@click.argument("old")
@click.argument("new")
def rotate_key(old: str, new: str, encryption: bool, **options: Any) -> Answer:
    """Replace the key OLD by NEW, which is made if there is none.

    A new signing key takes the old one's place in its groups, as far as the old key may give it; the rest is listed. A
    new encryption key is only made: what was encrypted to the old one stays readable by the old one.
    """
    if not encryption:
        done = rotate(make_lab(click.get_current_context(), {**options, "key": old}), old, new)
        return Answer(done, *_rotated(done))
    keys = EncryptionKeys(Home(options["home"]), _asker())
    before = keys.recipient(old)
    recipient = keys.replace(old, new)
    return Answer(
        {"old": old, "new": new, "oldRecipient": before, "recipient": recipient},
        f"Made the encryption key {new!r}: {recipient}. Give it to everyone who encrypts to you.",
        f"Keep {old!r}: {new!r} cannot open what was encrypted to it, and copies of that are out of reach.",
    )


@command.command()
@home_option
@click.argument("target", metavar="FILE", type=PATH)
@click.option(
    "--to", "recipients", multiple=True, metavar="RECIPIENT", help="Who can open it, instead of a passphrase."
)
def backup(target: Path, recipients: tuple[str, ...], home: str | None) -> Answer:
    """Write all keys, seals, private values and choices of the lab to one encrypted file.

    `keys restore` puts it back. Without --to it is opened by a passphrase, which is asked for.
    """
    passphrase = None if recipients else chosen_passphrase(target, _asker())
    names = back_up(Home(home), target, recipients=recipients, passphrase=passphrase)
    return Answer({"file": str(target), "files": names}, f"Backed up {counted(len(names), 'file')} to {target}.")


@command.command("restore")
@home_option
@click.argument("source", metavar="FILE", type=PATH)
@click.option("--identity", "identities", multiple=True, metavar="FILE", help="File with the key of a recipient.")
def restore_backup(source: Path, identities: tuple[str, ...], home: str | None) -> Answer:
    """Put back what `keys backup` wrote; an existing file is never replaced."""
    folder = Home(home)
    opened = EncryptionKeys(folder, ask).identities(identities) if identities else []
    asker = ask if sys.stdin.isatty() else None
    names = restore(folder, source, identities=opened, ask=lambda: passphrase_of(source, asker))
    return Answer({"files": names}, f"Restored {counted(len(names), 'file')} to {folder.path}.")


def _rotated(done: Rotated) -> Iterator[str]:
    yield f"{done.old} {done.old_address} is replaced by {done.new} {done.new_address}, which signs from now on."
    for group in done.groups:
        roles = ", ".join([*group.roles, *(["owner"] if group.owner else [])]) or "nothing"
        ended = "ended" if group.old_ended else "stays"
        yield f"Group {group.group}: the new key is {roles}; the old membership {ended}."
        yield from (f"  still to do: {what}." for what in group.left)
    yield from (f"{what}." for what in done.stays)


def _secret(source: Path) -> tuple[str, str]:
    """Return the text of a key and its origin."""
    if str(source) == "-":
        if sys.stdin.isatty():
            return ask("The key"), "what was typed"
        return sys.stdin.read(_MAX_KEY), "standard input"
    try:
        with source.open("rb") as file:
            return file.read(_MAX_KEY).decode(), str(source)
    except (OSError, UnicodeDecodeError) as error:
        raise KeyStoreError(f"expected a key in {source}: {type(error).__name__}") from None


def _asker() -> Callable[[str], str] | None:
    return _ask_twice if sys.stdin.isatty() else None


def _ask_twice(question: str) -> str:
    answer = ask(question)
    if ask("The same again") != answer:
        raise InputError("expected the same passphrase twice, got two")
    return answer


@command.lab_verb(writes=True)
@group_option
@click.argument("address")
@click.option("--since", required=True, metavar="DATE", help="Since when it was in other hands, ISO 8601, in UTC.")
@click.option("--reason", metavar="TEXT", help="What happened, for people.")
def report(lab: Lab, address: str, since: str, reason: str | None) -> Answer:
    """State for your group that a member's key was lost or stolen: `verify` names it with that member's records.

    A maintainer or the owner of the group states it, with another key. What was recorded since then is not verified any
    more. End the membership first: `group remove ADDRESS`.
    """
    recorded = report_key(lab, address, since, reason)
    publish = f"blockchaintracer publish {recorded.id} --to published"
    return Answer(
        recorded,
        f"Stated in record {recorded.id}: the key of {address} was lost or stolen since {since}.",
        f"  {state_line(recorded, 'recorded')}",
        f"Others need its manifest to see the date: {publish}",
        exit_code=3 if recorded.state == "stored" else 0,
    )
