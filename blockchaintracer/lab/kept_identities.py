"""Where claims of identity are kept: in the lab's folder and in what is published, a file for each account or group.

A file holds records about claims, each a key with its manifest, and pages that were fetched. Its reader believes
nothing of it: the extra `identity` compares each record with the registry's state.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.plain_json import canonical, parse_json, read_strictly
from blockchaintracer.core.record import GLOBAL_PREFIX, Domain, Kind, RecordKey, checksummed, from_hex, unsigned
from blockchaintracer.core.verify.inclusion import signed_by
from blockchaintracer.lab.files import locked, write_whole
from blockchaintracer.lab.formats import IDENTITIES
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.store.sources import public_name, read_page

if TYPE_CHECKING:
    from blockchaintracer.core.manifest import Manifest
    from blockchaintracer.core.manifest.predicates import IdentityStatement

FOLDER = "identities"
LIMIT = 4 << 20
"""Bytes of one file at most."""
MAX_RECORDS = 200
_HALF_N = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
PAGE_LIMIT = 1 << 17
"""Bytes of a page that a file holds at most. A larger one is in the published objects alone."""


@dataclass(frozen=True)
class IdentityRecord:
    """A record about a claim, or the claim: its key, manifest, and the page that its subject is the SHA-256 of."""

    key: RecordKey
    manifest: Manifest
    page: bytes | None = None

    def as_json(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        page = {} if self.page is None else {"page": b64encode(self.page).decode()}
        return {"key": self.key.as_json(), "manifest": self.manifest.to_json(), **page}

    @classmethod
    def from_json(cls, data: Any) -> IdentityRecord:
        """Read what `as_json` wrote, of any origin. The manifest is the one that the key commits to."""
        from blockchaintracer.core.manifest import check_against_key, parse_manifest

        key = RecordKey.from_json(data["key"])
        manifest = parse_manifest(canonical(data["manifest"]))
        page = b64decode(data["page"], validate=True) if "page" in data else None
        if manifest.digest() != key.manifest or (problems := check_against_key(manifest, key)):
            raise InputError(f"a manifest that is not its key's: {'; '.join(problems) if problems else 'digest'}")
        if page is not None and sha256(page).hexdigest() != key.subject:
            raise InputError("a page that is not the subject of its record")
        return cls(key, manifest, page)


@dataclass(frozen=True)
class IdentityEvidence:
    """What is kept of an account or a group of a registry."""

    domain: Domain
    holder: str
    entries: tuple[IdentityRecord, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return JSON-ready values: the entries once each, by the id of their record."""
        ids = {self.domain.record_id(entry.key): entry for entry in self.entries}
        by_id = {record: {"id": record, **entry.as_json()} for record, entry in ids.items()}
        place = {"chainId": str(self.domain.chain_id), "registry": self.domain.registry.lower(), "holder": self.holder}
        return IDENTITIES.header() | place | {"records": [by_id[record] for record in sorted(by_id)]}

    def to_bytes(self) -> bytes:
        """Return the bytes of the file (RFC 8785)."""
        return canonical(self.as_json())

    @classmethod
    def parse(cls, data: bytes, where: str) -> IdentityEvidence:
        """Read a file of any origin. Nothing of it is believed yet.

        Raises:
            InputError: if it is none, or has more than `MAX_RECORDS` records.
        """
        if len(data) > LIMIT:
            raise InputError(f"{where}: expected at most {LIMIT} bytes, got more")
        return read_strictly(data, IDENTITIES, where, cls._from_json, cls.as_json)

    @classmethod
    def _from_json(cls, data: dict[str, Any]) -> IdentityEvidence:
        domain = Domain(unsigned(int(data["chainId"]), 256), checksummed(data["registry"]))
        if len(data["records"]) > MAX_RECORDS:
            raise InputError(f"expected at most {MAX_RECORDS} records, got {len(data['records'])}")
        return cls(domain, str(data["holder"]), tuple(map(IdentityRecord.from_json, data["records"])))


def holder_name(domain: Domain, *, account: str | None = None, group: int | None = None) -> str:
    """Return the text that names an account or a group of a registry: ``eip155:CHAIN:REGISTRY/account/ADDRESS``."""
    where = f"{GLOBAL_PREFIX}{domain.chain_id}:{domain.registry.lower()}"
    return f"{where}/group/{group}" if account is None else f"{where}/account/{account.lower()}"


def file_name(holder: str) -> str:
    """Return the name of the file of an account or a group, in a home or a published folder."""
    return f"{FOLDER}/{sha256(holder.encode()).hexdigest()}.json"


def holders_of(domain: Domain, records: Iterable[Any]) -> list[str]:
    """Name the authors and groups of records, keys or rows, each once."""
    pairs = ((holder_name(domain, account=it.author), holder_name(domain, group=it.group)) for it in records)
    return list(dict.fromkeys(name for pair in pairs for name in pair))


def kept_files(home: Home, sources: Sequence[str], holder: str) -> Iterator[tuple[str, bytes]]:
    """Yield what is kept of an account or a group: where (an empty text for the lab's own folder), and the bytes.

    Raises:
        ChainUnavailable: if a source can't be asked.
        InputError: if the lab's own is no plain file, or too large.
    """
    name = file_name(holder)
    if (path := home.path / name).is_file():
        yield "", read_limited(path, LIMIT, "a file of identities")
    for source in sources:
        if (data := read_page(source, name, LIMIT, IDENTITIES)) is not None:
            yield public_name(source), data


def keep(home: Home, domain: Domain, holder: str, *entries: IdentityRecord) -> None:
    """Add records to what the lab's folder keeps of an account or a group."""
    path = home.path / file_name(holder)
    home.make()
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with locked(home.path / f"{FOLDER}.lock"):
        known = IdentityEvidence.parse(path.read_bytes(), str(path)).entries if path.exists() else ()
        slim = [
            entry if len(entry.page or b"") <= PAGE_LIMIT else IdentityRecord(entry.key, entry.manifest)
            for entry in entries
        ]
        data = IdentityEvidence(domain, holder, (*known, *slim)).to_bytes()
        if len(data) > LIMIT or len(parse_json(data, str(path))["records"]) > MAX_RECORDS:
            hint = "Remove what you don't need of it."
            raise InputError(f"{path} would have more than {LIMIT} bytes or {MAX_RECORDS} records", hint=hint)
        write_whole(path, data)


def recorded_alone(data: bytes, name: str, domain: Domain, ids: Collection[str]) -> bytes | None:
    """Return what a stranger's file of identities says of records that exist, and of claims of its own account or
    group: what is kept is published, and something else in it would make what the lab publishes fail.

    Args:
        name: of the file, as `file_name` gives it.
        ids: of the records that exist.

    Returns:
        The bytes of a file; None if nothing is left.
    """
    try:
        given = parse_json(data, name)
        place = {"chainId": str(domain.chain_id), "registry": domain.registry.lower(), "holder": str(given["holder"])}
        records = {it["id"]: it for it in given["records"] if _is_recorded(it, name, domain, ids)}
    except (InputError, LookupError, TypeError, ValueError, AttributeError):
        return None
    if not 0 < len(records) <= MAX_RECORDS or len(data) > LIMIT or file_name(place["holder"]) != name:
        return None
    return canonical(IDENTITIES.header() | place | {"records": [records[record] for record in sorted(records)]})


def _is_recorded(it: dict[str, Any], name: str, domain: Domain, ids: Collection[str]) -> bool:
    try:
        entry = IdentityRecord.from_json(it)
    except InputError:
        return False
    record, is_claim = domain.record_id(entry.key), entry.key.kind == Kind.IDENTITY_CLAIM
    is_of_name = not is_claim or name in map(file_name, holders_of(domain, [entry.key]))
    return record in ids and it == {"id": record, **entry.as_json()} and is_of_name


def of_a_bundle(home: Home, domain: Domain, records: Iterable[RecordKey]) -> list[dict[str, Any]]:
    """Return what is kept of the authors and groups of records as a bundle has it: the claims, without pages and what
    groups saw, which take a chain to be judged; without those that the code of an account signed (ERC-1271), too."""
    found = []
    for name in holders_of(domain, records):
        for _, data in kept_files(home, (), name):
            kept = parse_json(data, file_name(name))
            claims = [it for it in kept["records"] if it["key"]["kind"] == Kind.IDENTITY_CLAIM]
            stated: list[Any] = [IdentityRecord.from_json(it).manifest.predicate for it in claims]
            kept["records"] = [
                it for it, said in zip(claims, stated, strict=True) if is_signed_by_key(said.statement, said.signature)
            ]
            found += [kept] if kept["records"] else []
    return found


def is_signed_by_key(statement: IdentityStatement, signature: str) -> bool:
    """Return whether the account's own key signed. Without a chain nobody else's signature can be checked, and a claim
    that is refused makes a whole bundle fail. A signature has one form: low s (EIP-2), v of 27 or 28."""
    data = from_hex(signature)
    is_plain = data[64] in (27, 28) and int.from_bytes(data[32:64]) <= _HALF_N
    return is_plain and (signed_by(bytes.fromhex(statement.digest()), data) or "").lower() == statement.account
