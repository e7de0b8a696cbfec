"""A community's file of registries and groups, verified by python-tuf: nothing of it is used before that.

The file holds every version of the root metadata (The Update Framework 1.0, section 5.3) from the first one on, the
newest targets metadata, and the book that this commits to. Root names the keys of both roles. Whoever trusts the first
root follows the chain: each root is signed by the keys of the one before and by its own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.plain_json import canonical, parse_json
from blockchaintracer.core.record import Domain
from blockchaintracer.extras.community.look_alikes import checked_name, skeleton
from blockchaintracer.lab.formats import COMMUNITY
from blockchaintracer.lab.optional import require

MAX_BYTES = 1 << 20
MAX_ROOTS = 64
MAX_KEYS = 32
MAX_GROUPS = 10_000
MAX_LIFE = {"root": timedelta(days=5 * 366), "targets": timedelta(days=400)}
"""How far in the future metadata may expire: an old file that is shown again (a freeze) counts for so long at most."""
TARGET = "book.json"
_ADDRESS = re.compile(r"0x[0-9a-f]{40}")
_ED25519 = re.compile(r"[0-9a-f]{64}")
_CHAIN = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True)
class NamedGroup:
    """A group of a registry, as the community names it."""

    group: int
    name: str


@dataclass(frozen=True)
class NamedRegistry:
    """A registry, as the community names it.

    Args:
        groups: that it trusts there; None: all.
    """

    chain_id: int
    registry: str
    name: str
    groups: tuple[NamedGroup, ...] | None = None

    def group_name(self, number: int) -> str | None:
        """Return the name of a group; None if the book does not name it."""
        return next((it.name for it in self.groups or () if it.group == number), None)

    def counts(self, number: int) -> bool:
        """Return whether the community trusts a group."""
        return self.groups is None or self.group_name(number) is not None


@dataclass(frozen=True)
class Book:
    """A verified address book.

    Args:
        fingerprint: SHA-256 of the first root, 64 hex digits: what somebody who adds the community compares.
        version: of the targets metadata.
        expires: the earlier one of both roles.
        signers: of the targets, by the threshold and the number of keys: ``2 of 3``.
    """

    name: str
    fingerprint: str
    root_version: int
    version: int
    expires: datetime
    signers: str
    root_signers: str
    registries: tuple[NamedRegistry, ...]
    data: bytes

    def find(self, domain: Domain) -> NamedRegistry | None:
        """Return what the book says of a registry."""
        where = (domain.chain_id, domain.registry.lower())
        return next((it for it in self.registries if (it.chain_id, it.registry) == where), None)

    def is_expired(self, now: datetime) -> bool:
        """Return whether its word counts no more."""
        return now >= self.expires


def read_book(data: bytes, *, now: datetime, fingerprint: str | None = None, before: Book | None = None) -> Book:
    """Verify an address book.

    Args:
        now: a book that has expired is returned, one that lives too long from now on is refused.
        fingerprint: of the first root, which the reader trusts.
        before: the version of it that the reader has: an older one, and another chain of roots, are refused.

    Raises:
        InputError: if it is no address book.
        NotVerified: if it is not signed as its roots say, or is none that may follow `before`.
    """
    api = require("tuf.api.metadata", "identity")
    plain = read_plain(data)
    try:
        roots = [read_metadata(api, it, "root") for it in plain["roots"]]
        targets = read_metadata(api, plain["targets"], "targets")
        _check_roots(roots)
        _check_targets(roots[-1].signed, targets, plain["book"], api)
    except NotVerified:
        raise
    except Exception as error:  # a stranger wrote every value: the library's parsers may fail in many ways
        raise NotVerified(f"the address book does not hold: {type(error).__name__} {str(error)[:200]}") from None
    root = roots[-1].signed
    for role, signed in (("root", root), ("targets", targets.signed)):
        if signed.expires > now + MAX_LIFE[role]:
            raise NotVerified(f"the {role} of the address book expires {signed.expires:%Y-%m-%d}: too far from now")
    book = Book(
        fingerprint=root_digest(roots[0]),
        root_version=root.version,
        version=targets.signed.version,
        expires=min(root.expires, targets.signed.expires),
        signers=_signers(root, "targets"),
        root_signers=_signers(root, "root"),
        data=canonical(plain),
        **read_content(plain["book"]),
    )
    if fingerprint not in (None, book.fingerprint):
        raise NotVerified(f"the address book begins with the root {book.fingerprint}, not with {fingerprint}")
    if before is not None:
        _check_follows(book, before)
    return book


def read_plain(data: bytes) -> dict[str, Any]:
    """Return the object of an address book of which nothing is verified."""
    if len(data) > MAX_BYTES:
        raise InputError(f"expected an address book of at most {MAX_BYTES:,} bytes, got {len(data):,}")
    plain = parse_json(data, "the address book")
    COMMUNITY.check_header(plain, "the address book")
    roots = plain.get("roots")
    if {*plain} != {*COMMUNITY.header(), "roots", "targets", "book"} or not isinstance(roots, list):
        raise InputError("expected an address book with the fields roots, targets and book")
    if not 0 < len(roots) <= MAX_ROOTS:
        raise InputError(f"expected an address book of 1 to {MAX_ROOTS} roots, got {len(roots)}")
    return plain  # type: ignore[no-any-return]


def read_metadata(api: Any, plain: Any, role: str) -> Any:
    """Return metadata of TUF whose signatures are not checked yet."""
    # the library takes what it reads out of the object
    read = api.Metadata.from_dict(parse_json(canonical(plain), role))
    if read.signed.type != role or canonical(read.to_dict()) != canonical(plain) or read.unrecognized_fields:
        raise NotVerified(f"expected {role} metadata in its one form")
    if len(read.signatures) > MAX_KEYS:
        raise NotVerified(f"expected at most {MAX_KEYS} signatures of {role}")
    return read


def root_digest(root: Any) -> str:
    """Return the SHA-256 of what the keys of a root sign."""
    return hashlib.sha256(root.signed_bytes).hexdigest()


def _check_roots(roots: list[Any]) -> None:
    previous = None
    for number, root in enumerate(roots, 1):
        signed = root.signed
        if signed.version != number:
            raise NotVerified(f"root {number} of the address book says that it is version {signed.version}")
        check_keys(signed)
        result = signed.get_root_verification_result(previous, root.signed_bytes, root.signatures)
        if not result.verified:
            whose = (
                "the keys that the version before names" if previous and not result.first.verified else "its own keys"
            )
            raise NotVerified(
                f"root {number} of the address book has too few signatures by {whose}",
                hint="Its keepers sign it, until enough have: `community sign`.",
            )
        previous = signed


def check_keys(root: Any) -> None:
    """Refuse a key that counts twice, and kinds of keys and signatures that nobody needs here."""
    if len(root.keys) > MAX_KEYS:
        raise NotVerified(f"expected at most {MAX_KEYS} keys, got {len(root.keys)}")
    publics = []
    for key in root.keys.values():
        public = key.keyval.get("public") if isinstance(key.keyval, dict) else None
        # one form: the library takes upper case and white space for the same key
        is_one = isinstance(public, str) and _ED25519.fullmatch(public)
        if (key.keytype, key.scheme) != ("ed25519", "ed25519") or not is_one:
            raise NotVerified("expected Ed25519 keys of 64 hex digits in lower case in the address book")
        publics.append(public)
    if len({*publics}) != len(publics):
        raise NotVerified("a key stands in the address book under two names: it would count twice")
    for role in ("root", "targets"):
        keys = root.roles[role].keyids
        if not 0 < root.roles[role].threshold <= len(keys) or not {*keys} <= root.keys.keys():
            raise NotVerified(f"the {role} role of the address book needs more signatures than it names keys")


def _check_targets(root: Any, targets: Any, book: Any, api: Any) -> None:
    result = root.get_verification_result("targets", targets.signed_bytes, targets.signatures)
    if not result.verified:
        raise NotVerified(
            f"the address book has {len(result.signed)} valid signatures of its targets, {result.threshold} are needed"
        )
    files = targets.signed.targets
    if {*files} != {TARGET} or targets.signed.delegations is not None or "sha256" not in files[TARGET].hashes:
        raise NotVerified(f"expected targets that name {TARGET} alone, by its SHA-256")
    try:
        files[TARGET].verify_length_and_hashes(canonical(book))
    except api.LengthOrHashMismatchError:
        raise NotVerified("the address book is not the one that its keys signed") from None


def _signers(root: Any, role: str) -> str:
    return f"{root.roles[role].threshold} of {len(root.roles[role].keyids)}"


def _check_follows(book: Book, before: Book) -> None:
    if book.data == before.data:
        return
    ours, theirs = (parse_json(it.data, "the address book") for it in (before, book))
    # the same root may have got more signatures since
    before_roots, roots = ([it["signed"] for it in whole["roots"]] for whole in (ours, theirs))
    if roots[: before.root_version] != before_roots:
        what = "an older root" if book.root_version < before.root_version else "another root than"
        raise NotVerified(f"the address book has {what} version {before.root_version}, which was accepted before")
    if book.version < before.version:
        raise NotVerified(f"the address book is version {book.version}, older than {before.version}: a rollback")
    if book.version == before.version and theirs["targets"]["signed"] != ours["targets"]["signed"]:
        raise NotVerified(f"the address book has another content under the version {book.version} that you have")


# -- what it says


def read_content(plain: Any) -> dict[str, Any]:
    """Read the book itself: signed, but by people who can be wrong."""
    try:
        if {*plain} != {"name", "registries"} or not isinstance(plain["registries"], list):
            raise ValueError("name and registries")
        registries = tuple(_registry(it) for it in plain["registries"])
        name = checked_name(plain["name"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotVerified(
            f"the address book is signed, and says what nobody can use: expected {str(error)[:200]}"
        ) from None
    places = [(it.chain_id, it.registry) for it in registries]
    if len({*places}) != len(places):
        raise NotVerified("the address book names a registry twice")
    if len({skeleton(it.name) for it in registries}) != len(registries):
        raise NotVerified("the address book has two registries whose names look alike")
    return {"name": name, "registries": registries}


def _registry(plain: Any) -> NamedRegistry:
    if not {"chainId", "registry", "name"} <= {*plain} <= {"chainId", "registry", "name", "groups"}:
        raise ValueError("chainId, registry, name and groups of a registry")
    chain, registry, groups = plain["chainId"], plain["registry"], plain.get("groups")
    if not (_CHAIN.fullmatch(chain) and _ADDRESS.fullmatch(registry)):
        raise ValueError("a chain in decimal digits and an address in lower case")
    named = None if groups is None else tuple(_groups(groups))
    return NamedRegistry(int(chain), registry, checked_name(plain["name"]), named)


def _groups(plain: Any) -> Iterator[NamedGroup]:
    numbers, names = set[int](), set[str]()
    if not isinstance(plain, list) or len(plain) > MAX_GROUPS:
        raise ValueError(f"a list of at most {MAX_GROUPS:,} groups")
    for it in plain:
        number, name = it["group"], checked_name(it["name"])
        if {*it} != {"group", "name"} or type(number) is not int or not 0 < number < 2**32:
            raise ValueError("group and name of a group")
        if number in numbers or skeleton(name) in names:
            raise ValueError(f"each group once, with a name that looks like no other: {name}")
        numbers.add(number)
        names.add(skeleton(name))
        yield NamedGroup(number, name)


def utc_now() -> datetime:
    """Return the time of this machine's clock."""
    return datetime.now(UTC)
