"""The communities that this home trusts: add, list, update, remove; and what they say of a registry and its groups."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import ChainUnavailable, InputError, StoreError
from blockchaintracer.core.fetch import FetchError, fetch
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.plain_json import canonical, fields_json, parse_json, rfc3339
from blockchaintracer.core.record import Domain
from blockchaintracer.core.verify.outcomes import Check, Outcome
from blockchaintracer.extras.community.book import MAX_BYTES, Book, NamedRegistry, read_book, utc_now
from blockchaintracer.extras.community.look_alikes import skeleton
from blockchaintracer.lab.files import write_kept
from blockchaintracer.lab.formats import KEPT_COMMUNITY
from blockchaintracer.lab.lab_folder import Home

_ALIAS = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_SECONDS = 30.0
_MOST = 200


@dataclass(frozen=True)
class KeptBook:
    """A community as a home keeps it.

    Args:
        alias: what its user calls it.
        source: the address or file that it came from.
        added: when, as this machine's clock says.
    """

    alias: str
    source: str
    added: str
    book: Book

    def as_json(self) -> dict[str, Any]:
        """Return it for `--json`."""
        book, kept = self.book, {"community": self.alias, "source": self.source, "added": self.added}
        ends = {"expires": rfc3339(book.expires), "expired": book.is_expired(utc_now())}
        shown = ("name", "fingerprint", "version", "root_version", "signers", "root_signers", "registries")
        return kept | fields_json(book, *shown, **ends)


# -- keeping


def add_book(
    home: Home,
    source: str,
    agree: Callable[[Book, list[str]], None],
    *,
    alias: str | None = None,
    fingerprint: str | None = None,
    allow_local: bool = False,
) -> KeptBook:
    """Trust a community from now on.

    Args:
        source: https:// address or file of its address book.
        agree: is shown the book and what to mind, and raises if it is not trusted. Not asked if `fingerprint` is given.
        alias: what to call it. Default: its name in ASCII.

    Raises:
        InputError: if a community of that name is there, or one whose name looks like it.
        NotVerified: if the book does not verify.
    """
    now = utc_now()
    book = read_book(_read(source, allow_local), now=now, fingerprint=fingerprint)
    _require_current(book, now)
    name = alias or _alias_of(book.name)
    if not _ALIAS.fullmatch(name):
        hint = "Say what to call it: --as NAME."
        raise InputError(f"expected a name of a-z, 0-9 and '-' for {book.name!r}, got {name!r}", hint=hint)
    for kept in kept_books(home):
        for ours in (name, book.name):
            if skeleton(ours) in _called(kept):
                is_same = book.fingerprint == kept.book.fingerprint
                relation = "is" if is_same else "looks like"
                raise InputError(
                    f"{ours!r} {relation} the community {kept.alias}, {kept.book.name!r}",
                    hint=f"`community update {kept.alias}` brings a new version." if is_same else None,
                )
    warnings = [*_look_alikes(home, book)]
    if fingerprint is None:
        agree(book, warnings)
    kept = KeptBook(name, source, rfc3339(now), book)
    _write(home, kept)
    return kept


def update_book(
    home: Home, alias: str, *, source: str | None = None, allow_local: bool = False
) -> tuple[KeptBook, KeptBook]:
    """Take the newest version of a community's address book from where it came from. Returns the old and the new.

    Raises:
        NotVerified: if it does not follow what was accepted before: a rollback, or other keys. Nothing was changed.
    """
    kept, now = find_book(home, alias), utc_now()
    place = source or kept.source
    book = read_book(_read(place, allow_local), now=now, fingerprint=kept.book.fingerprint, before=kept.book)
    _require_current(book, now)
    if skeleton(book.name) != skeleton(kept.book.name):
        for other in kept_books(home):
            if other.alias != kept.alias and skeleton(book.name) in _called(other):
                raise InputError(f"{kept.alias} now calls itself {book.name!r}, which looks like {other.alias}")
    new = KeptBook(kept.alias, place, kept.added, book)
    _write(home, new)
    return kept, new


def remove_book(home: Home, alias: str) -> None:
    """Trust a community no more, whatever is wrong with its file."""
    file = _file_of(home, alias)
    try:
        file.unlink()
    except OSError as error:
        raise StoreError(f"can't remove the community {alias}: {error.strerror}") from None


def kept_books(home: Home) -> list[KeptBook]:
    """Return the communities that a home trusts, each verified again."""
    return [_kept(file) for file in _files(home)]


def find_book(home: Home, alias: str) -> KeptBook:
    """Return a community by what its user calls it."""
    return _kept(_file_of(home, alias))


def _files(home: Home) -> list[Path]:
    folder = home.path / "communities"
    return sorted(folder.glob("*.json"))[:_MOST] if folder.is_dir() else []


def _file_of(home: Home, alias: str) -> Path:
    files = {file.stem: file for file in _files(home)}
    if alias not in files:
        known = ", ".join(files) or "none"
        hint = "`community add` adds one."
        raise InputError(f"no community is called {alias[:60]!r} here; known: {known}", hint=hint)
    return files[alias]


def _kept(file: Path) -> KeptBook:
    plain = parse_json(read_limited(file, MAX_BYTES + 4096, "a community's file"), file.name)
    KEPT_COMMUNITY.check_header(plain, file.name)
    try:
        book = read_book(canonical(plain["book"]), now=utc_now(), fingerprint=plain["fingerprint"])
        return KeptBook(file.stem, str(plain["source"]), str(plain["added"]), book)
    except (KeyError, TypeError) as error:
        raise InputError(f"{file}: expected a kept community: {error}", hint="Remove it, and add it again.") from None


def _write(home: Home, kept: KeptBook) -> None:
    plain = {
        **KEPT_COMMUNITY.header(),
        "source": kept.source,
        "added": kept.added,
        "fingerprint": kept.book.fingerprint,
        "book": parse_json(kept.book.data, "book"),
    }
    write_kept(home.communities / f"{kept.alias}.json", canonical(plain))


def _read(source: str, allow_local: bool) -> bytes:
    if "://" not in source:
        return read_limited(Path(source), MAX_BYTES, "an address book")
    if not (source.startswith("https://") or (allow_local and source.startswith("http://"))):
        raise InputError("expected the https:// address of an address book", hint="--allow-local lets http://.")
    try:
        answer = fetch(source, limit=MAX_BYTES, seconds=_SECONDS, public=not allow_local)
        if answer.status != 200:
            raise FetchError(f"answers with the HTTP status {answer.status}")
    except FetchError as error:
        hint = "--allow-local lets it." if error.refused else "Try again later."
        raise ChainUnavailable(f"the address book {error}", hint=hint) from None
    return answer.body


def _called(kept: KeptBook) -> set[str]:
    """Return what its user and its keepers call a community, as `skeleton` does: another has neither name."""
    return {skeleton(kept.alias), skeleton(kept.book.name)}


def _require_current(book: Book, now: datetime) -> None:
    if book.is_expired(now):
        hint = "Its makers sign a new version, or somebody shows you an old one."
        raise InputError(f"the address book of {book.name!r} expired {book.expires:%Y-%m-%d}", hint=hint)


def _alias_of(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40]


def _look_alikes(home: Home, book: Book) -> Iterator[str]:
    """Say which registries another community names alike, and mean another."""
    for kept in kept_books(home):
        for theirs in kept.book.registries:
            for ours in book.registries:
                same = (ours.chain_id, ours.registry) == (theirs.chain_id, theirs.registry)
                if not same and skeleton(ours.name) == skeleton(theirs.name):
                    yield (
                        f"it names {ours.registry} {ours.name!r}; {kept.alias} names another registry so:"
                        f" {theirs.registry}"
                    )


# -- what they say


@dataclass(frozen=True)
class Word:
    """What a community says of a registry, and of groups of it."""

    community: str
    of: str
    version: int
    expires: str
    expired: bool
    registry: str
    registry_name: str
    groups: tuple[tuple[int, str], ...]

    def as_json(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return fields_json(self) | {"groups": [{"group": group, "name": name} for group, name in self.groups]}

    def lines(self) -> Iterator[str]:
        """Yield it for people."""
        ends = f"expired {self.expires[:10]}: it counts no more" if self.expired else f"expires {self.expires[:10]}"
        whose = f"by the address book of {self.of!r} ({self.community}), version {self.version}, {ends}"
        yield f"registry {self.registry} is named {self.registry_name!r} {whose}"
        yield from (f"group {group} is named {name!r} by the same address book" for group, name in self.groups)


def words(home: Home, domain: Domain, groups: Collection[int]) -> list[Word]:
    """Return what the communities of this home say of a registry and its groups."""
    said = []
    for kept in kept_books(home):
        if registry := kept.book.find(domain):
            named = ((number, registry.group_name(number)) for number in sorted({*groups}))
            said.append(
                Word(
                    kept.alias,
                    kept.book.name,
                    kept.book.version,
                    rfc3339(kept.book.expires),
                    kept.book.is_expired(utc_now()),
                    registry.registry,
                    registry.name,
                    tuple((number, name) for number, name in named if name is not None),
                )
            )
    return said


def trusted(home: Home, alias: str, domain: Domain) -> NamedRegistry | None:
    """Return what a community trusts of a registry; None if it does not name it.

    Raises:
        InputError: if its book has expired.
    """
    kept = find_book(home, alias)
    if kept.book.is_expired(utc_now()):
        hint = f"`community update {alias}` brings a new version."
        raise InputError(f"the address book of {alias} expired {kept.book.expires:%Y-%m-%d}", hint=hint)
    return kept.book.find(domain)


def group_checks(home: Home, alias: str, domain: Domain, records: Collection[tuple[str, int]]) -> list[Check]:
    """Check records, each with its id and group, against those that a community trusts."""
    registry = trusted(home, alias, domain)
    if registry is None:
        detail = f"{alias} does not name registry {domain.registry} on chain {domain.chain_id}"
        return [Check("community", Outcome.FAIL, detail)]
    checks = []
    for record, group in records:
        name, counts = registry.group_name(group), registry.counts(group)
        called = f"group {group}" + (f", {name!r}," if name else "")
        detail = f"{alias} trusts {called} of {registry.name!r}" if counts else f"{alias} does not trust {called}"
        checks.append(Check("community", Outcome.PASS if counts else Outcome.FAIL, detail, record=record))
    return checks
