"""The file of an account's or a group's claims: records about them, each a key with its manifest, and pages that were
fetched. Its reader believes nothing of it: `holders` compares each record with the registry's state.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import IDENTITIES
from blockchaintracer.core.manifest import Manifest, check_against_key, parse_manifest
from blockchaintracer.core.plain_json import canonical, parse_json, read_strictly
from blockchaintracer.core.record import Domain, RecordKey, checksummed, unsigned
from blockchaintracer.lab.files import locked, write_whole
from blockchaintracer.lab.kept_identities import FOLDER, LIMIT, MAX_RECORDS, file_name
from blockchaintracer.lab.lab_folder import Home

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
        page = {} if self.page is None else {"page": base64.b64encode(self.page).decode()}
        return {"key": self.key.as_json(), "manifest": self.manifest.to_json(), **page}

    @classmethod
    def from_json(cls, data: Any) -> IdentityRecord:
        """Read what `as_json` wrote, of any origin. The manifest is the one that the key commits to."""
        key = RecordKey.from_json(data["key"])
        manifest = parse_manifest(canonical(data["manifest"]))
        page = base64.b64decode(data["page"], validate=True) if "page" in data else None
        if manifest.digest() != key.manifest or (problems := check_against_key(manifest, key)):
            raise InputError(f"a manifest that is not its key's: {'; '.join(problems) if problems else 'digest'}")
        if page is not None and hashlib.sha256(page).hexdigest() != key.subject:
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
