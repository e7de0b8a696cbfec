"""`blockchaintracer community`: address books of registries and groups that communities trust."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from blockchaintracer.cli.options import (
    FILE,
    NEW_FILE,
    PASSPHRASE_EPILOG,
    VerbGroup,
    ask,
    home_option,
    require_consent,
    yes_option,
)
from blockchaintracer.cli.render import Answer, plain
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.networks import network_by_chain_id
from blockchaintracer.core.plain_json import rfc3339
from blockchaintracer.extras.community import kept_books, make_book
from blockchaintracer.extras.community.book import Book, NamedRegistry, utc_now
from blockchaintracer.extras.community.kept_books import KeptBook
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.plain_text import named

_local_option = click.option("--allow-local", is_flag=True, help="Let an address be in a private network, and http://.")


@click.group(cls=VerbGroup)
def command() -> None:
    """Keep address books: the registries and groups that a community trusts, signed by its keepers.

    It is versioned as TUF's root is: a threshold of keys signs it, it expires, and an older one is refused.

    \b
    Examples:
      blockchaintracer community add https://ligo.example/community.json
      blockchaintracer community list
      blockchaintracer verify ID --community ligo
    """


@command.command()
@home_option
@click.argument("source", metavar="URL|FILE")
@click.option("--as", "alias", metavar="NAME", help="What to call it. [default: its name]")
@click.option(
    "--fingerprint", metavar="SHA-256", help="Of its first root, from a source that you trust: not asked then."
)
@_local_option
@yes_option
def add(home: str | None, source: str, alias: str | None, fingerprint: str | None, allow_local: bool) -> Answer:
    """Trust a community from now on. Compare the fingerprint with one that its keepers tell you another way.

    \b
    Examples:
      blockchaintracer community add https://ligo.example/community.json --as ligo
      blockchaintracer community add community.json --fingerprint 5d1c…
    """
    given = fingerprint.lower() if fingerprint else None
    kept = kept_books.add_book(Home(home), source, _agree, alias=alias, fingerprint=given, allow_local=allow_local)
    return Answer(kept.as_json(), f"Added the community {kept.alias}.", *_lines(kept))


def _agree(book: Book, warnings: list[str]) -> None:
    for line in (*_book_lines(book), *(f"mind: {it}" for it in warnings)):
        click.echo(plain(line), err=True)
    require_consent(f"Trust the holders of this address book's keys to name registries as {plain(book.name)!r}?")


@command.command("list")
@home_option
def list_books(home: str | None) -> Answer:
    """List the communities that you trust, and what they name.

    \b
    Example:
      blockchaintracer community list
    """
    books = kept_books.kept_books(Home(home))
    lines = [line for kept in books for line in _lines(kept)]
    return Answer({"communities": [kept.as_json() for kept in books]}, *(lines or ["No community was added."]))


@command.command()
@home_option
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--from", "source", metavar="URL|FILE", help="Where one community's address book is now.")
@_local_option
def update(home: str | None, names: tuple[str, ...], source: str | None, allow_local: bool) -> Answer:
    """Take the newest versions of the address books, all or those named. An older one, or other keys, are refused.

    \b
    Examples:
      blockchaintracer community update
      blockchaintracer community update ligo --from community.json
    """
    folder = Home(home)
    chosen = names or tuple(kept.alias for kept in kept_books.kept_books(folder))
    if source and len(chosen) != 1:
        raise InputError("expected one community beside --from")
    done = [kept_books.update_book(folder, name, source=source, allow_local=allow_local) for name in chosen]
    lines = [f"{new.alias}: version {old.book.version} -> {new.book.version}, {_ends(new.book)}" for old, new in done]
    return Answer({"communities": [new.as_json() for _, new in done]}, *(lines or ["No community was added."]))


@command.command()
@home_option
@click.argument("name")
def remove(home: str | None, name: str) -> Answer:
    """Trust a community no more.

    \b
    Example:
      blockchaintracer community remove ligo
    """
    kept_books.remove_book(Home(home), name)
    return Answer({"removed": name}, f"Removed the community {name}.")


# -- for those who keep an address book


@command.command(epilog=PASSPHRASE_EPILOG)
@click.argument("file", type=NEW_FILE)
def key(file: Path) -> Answer:
    """Make a key for signing address books, encrypted under a passphrase. FILE.pub is its public part.

    \b
    Example:
      blockchaintracer community key alice.pem
    """
    key_id = make_book.make_key(file, _asker())
    return Answer(
        {"key": key_id, "file": str(file)}, f"Made key {key_id} in {file}; {file}.pub is for `community new`."
    )


@command.command()
@click.argument("file", type=NEW_FILE)
@click.option("--content", type=FILE, required=True, help="JSON with name and registries.")
@click.option("--key", "keys", type=FILE, multiple=True, help="Public key of one who signs versions; repeatable.")
@click.option(
    "--threshold", type=click.IntRange(1), default=1, show_default=True, help="How many of them have to sign."
)
@click.option("--root-key", "root_keys", type=FILE, multiple=True, help="Public key of one who can replace keys.")
@click.option("--root-threshold", type=click.IntRange(1), help="How many of them have to. [default: --threshold]")
@click.option("--days", type=click.IntRange(1), default=366, show_default=True, help="Until it expires.")
def new(
    file: Path,
    content: Path,
    keys: tuple[Path, ...],
    threshold: int,
    root_keys: tuple[Path, ...],
    root_threshold: int | None,
    days: int,
) -> Answer:
    """Write an unsigned address book; where FILE is one already, its next version. Keys given again are replaced.

    \b
    Examples:
      blockchaintracer community new community.json --content book.json \\
        --key a.pem.pub --key b.pem.pub --threshold 2
      blockchaintracer community new community.json --content book.json
    """
    made = make_book.make_book(
        file,
        content,
        keys=keys,
        threshold=threshold,
        root_keys=root_keys,
        root_threshold=root_threshold,
        days=days,
        now=utc_now(),
    )
    return _signed_answer(file, made, [])


@command.command(epilog=PASSPHRASE_EPILOG)
@click.argument("file", type=FILE)
@click.option("--key", "key_file", type=FILE, required=True, help="The key, as `community key` wrote it.")
def sign(file: Path, key_file: Path) -> Answer:
    """Sign an address book with a key that it names. Read what it says first.

    \b
    Example:
      blockchaintracer community sign community.json --key alice.pem
    """
    made, done = make_book.sign_book(file, key_file, _asker())
    return _signed_answer(file, made, done)


def _signed_answer(file: Path, made: make_book.Signed, done: list[str]) -> Answer:
    counts = f"root {made.root[0]} of {made.root[1]}, targets {made.targets[0]} of {made.targets[1]} signatures"
    data = {
        "file": str(file),
        "version": made.version,
        "rootVersion": made.root_version,
        "expires": rfc3339(made.expires),
        "signed": done,
        "complete": made.is_complete,
    }
    state = "It is complete: publish it." if made.is_complete else "Others sign it: `community sign`."
    signed = f"Signed {' and '.join(done)}. " if done else ""
    return Answer(data, f"{signed}{file} is version {made.version}: {counts}. {state}")


def _asker() -> Callable[[str], str] | None:
    return ask if sys.stdin.isatty() else None


# -- for people


def _lines(kept: KeptBook) -> Iterator[str]:
    yield f"{kept.alias}: from {plain(kept.source)}"
    yield from (f"  {plain(line)}" for line in _book_lines(kept.book))


def _ends(book: Book) -> str:
    state = "expired" if book.is_expired(utc_now()) else "expires"
    return f"{state} {book.expires:%Y-%m-%d}"


def _book_lines(book: Book) -> Iterator[str]:
    yield f"{book.name!r}, version {book.version}, {_ends(book)}, signed by {book.signers} keys"
    yield f"fingerprint {book.fingerprint}"
    for registry in book.registries:
        yield f"registry {registry.registry} on {_chain(registry)} is {registry.name!r}{_groups(registry)}"


def _chain(registry: NamedRegistry) -> str:
    known = network_by_chain_id(registry.chain_id)
    return known.title if known else f"chain {registry.chain_id}"


def _groups(registry: NamedRegistry) -> str:
    if registry.groups is None:
        return ", with all of its groups"
    shown = named([f"{it.group} {it.name!r}" for it in registry.groups], 20)
    return f", with the groups {shown}" if shown else ", with no group"
