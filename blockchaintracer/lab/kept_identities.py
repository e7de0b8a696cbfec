"""Where claims of identity are kept: in the lab's folder and in what is published, a file for each account or group.

What such a file holds is read by the extra `identity`. Here is only where it lies: a lab without one imports nothing.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Collection, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any

from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.formats import IDENTITIES, read_limited
from blockchaintracer.core.manifest import check_against_key, parse_manifest
from blockchaintracer.core.plain_json import canonical, parse_json
from blockchaintracer.core.record import GLOBAL_PREFIX, Domain, Kind, RecordKey
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.core.verify.copies import SourceError
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.store.sources import limited, public_name, read_source

FOLDER = "identities"
LIMIT = 4 << 20
"""Bytes of one file at most."""
MAX_RECORDS = 200


def holder_name(domain: Domain, *, account: str | None = None, group: int | None = None) -> str:
    """Return the text that names an account or a group of a registry: ``eip155:CHAIN:REGISTRY/account/ADDRESS``."""
    where = f"{GLOBAL_PREFIX}{domain.chain_id}:{domain.registry.lower()}"
    return f"{where}/group/{group}" if account is None else f"{where}/account/{account.lower()}"


def file_name(holder: str) -> str:
    """Return the name of the file of an account or a group, in a home or a published folder."""
    return f"{FOLDER}/{sha256(holder.encode()).hexdigest()}.json"


def holders_of(domain: Domain, records: Iterable[RecordView]) -> list[str]:
    """Name the authors and groups of records, each once."""
    names = [
        name
        for record in records
        for name in (holder_name(domain, account=record.key.author), holder_name(domain, group=record.group))
    ]
    return list(dict.fromkeys(names))


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
        try:
            data = b"".join(limited(read_source(source, name), LIMIT, wrong=True))
        except SourceError as error:
            if error.unavailable:
                raise ChainUnavailable(f"{public_name(source)} {error}") from None
            continue
        # many servers answer any name with a page of theirs: that is no file of identities, and says nothing
        if IDENTITIES.prefix.encode() in data:
            yield public_name(source), data


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
    key = RecordKey.from_json(it["key"])
    its = (holder_name(domain, account=key.author), holder_name(domain, group=key.group))
    page = b64decode(it["page"], validate=True) if "page" in it else None
    return (
        it["id"] == domain.record_id(key)
        and it["id"] in ids
        and it["key"] == key.as_json()
        and {*it} <= {"id", "key", "manifest", "page"}
        and (manifest := parse_manifest(canonical(it["manifest"]))).digest() == key.manifest
        and not check_against_key(manifest, key)
        and (page is None or (sha256(page).hexdigest() == key.subject and b64encode(page).decode() == it["page"]))
        and (key.kind != Kind.IDENTITY_CLAIM or name in map(file_name, its))
    )


def of_a_bundle(home: Home, domain: Domain, records: Iterable[RecordKey]) -> list[dict[str, Any]]:
    """Return what is kept of the authors and groups of records as a bundle has it: the claims, without pages and what
    groups saw, which take a chain to be judged."""
    names = [
        name
        for key in records
        for name in (holder_name(domain, account=key.author), holder_name(domain, group=key.group))
    ]
    found = []
    for name in dict.fromkeys(names):
        for _, data in kept_files(home, (), name):
            kept = parse_json(data, file_name(name))
            kept["records"] = [it for it in kept["records"] if it["key"]["kind"] == Kind.IDENTITY_CLAIM]
            found += [kept] if kept["records"] else []
    return found
