"""What the lab keeps of identities, witnesses and renewals: one JSON file for each, in a folder for each kind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from blockchaintracer.core.record import GLOBAL_PREFIX, Domain, normal_id

FOLDERS = ("identities", "witnesses", "renewals")
"""In the lab's folder, in what is published and in archives."""
RENEWAL_ROOT = "urn:blockchaintracer:renewal-root:"
"""How the text of a renewal's roots begins, which witnesses stamp."""
_MAX_BYTES = 256 << 20
_ID = re.compile(rb"0x[0-9a-f]{64}|sha3-256:[0-9a-f]{64}")
_ROOT = re.compile(rb'"sha3-256":"([0-9a-f]{64})"')


def global_root(domain: Domain, root: str) -> str:
    """Return the root of a batch with chain and registry: what witnesses of time stamp of a batch."""
    return f"{GLOBAL_PREFIX}{domain.chain_id}:{domain.registry.lower()}/root/{normal_id(root, 'root')}"


def receipts_names(domain: Domain, record_id: str, root: str | None = None) -> list[str]:
    """Return the names of the files of receipts of a record, and of the batch with this root, in a home and in what is
    published: what witnesses stamp is a text, and its SHA-256 names the file."""
    texts = [domain.global_id(record_id), *([global_root(domain, root)] if root else [])]
    return [f"witnesses/{sha256(text.encode()).hexdigest()}.json" for text in texts]


def renewals_list(record_id: str) -> str:
    """Return the name of the list of a record's renewals in what is published: at an address no names are listed."""
    return f"renewals/{record_id}.txt"


def renewals_lists(kept: Mapping[str, Path], record_ids: Iterable[str]) -> dict[str, bytes]:
    """Return the lists of the renewals that are kept of records: the SHA-256 of each file, one a line, ascending."""
    wanted, lists = {record_id.encode() for record_id in record_ids}, dict[str, bytes]()
    for name, file in sorted(kept.items()):
        for record in sorted(wanted & {*_ID.findall(file.read_bytes())}) if name.startswith("renewals/") else ():
            key = renewals_list(record.decode())
            lists[key] = lists.get(key, b"") + file.stem.encode() + b"\n"
    return lists


def kept_evidence(home: Path, record_ids: Iterable[str]) -> dict[str, Path]:
    """Return the files that are about records, or about the batches with these roots, by their names from the lab's
    folder on: those that name one of the ids or roots, and those about the roots of a renewal that does."""
    wanted = {record_id.encode() for record_id in record_ids}
    found: dict[str, Path] = {}
    # renewals first: a witness may have stamped the root of one
    for name in reversed(FOLDERS):
        for file in sorted((home / name).glob("*.json")):
            if file.is_symlink() or file.stat().st_size > _MAX_BYTES:
                continue
            data = file.read_bytes()
            if wanted & {*_ID.findall(data)}:
                found[f"{name}/{file.name}"] = file
                wanted |= {b"sha3-256:" + root for root in _ROOT.findall(data)} if name == "renewals" else set()
    return dict(sorted(found.items()))
