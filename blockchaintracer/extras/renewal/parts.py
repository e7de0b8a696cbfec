"""What a record commits to, as the leaves of a renewal: its key, its manifest, its files, and what proves it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from blockchaintracer.core.digest import LISTING_LIMIT, parse_listing
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import MAX_BYTES, Manifest, artifacts_of, is_listing, parse_manifest
from blockchaintracer.core.plain_json import canonical
from blockchaintracer.core.record import Domain, RecordKey, SubjectType, normal_id
from blockchaintracer.core.record_key_file import KeyFile, Proof
from blockchaintracer.core.verify.copies import Copies
from blockchaintracer.core.verify.inclusion import Inclusion
from blockchaintracer.extras.renewal.hash_tree import Pair, hashed
from blockchaintracer.extras.renewal.renewal_file import key_bytes

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Evidence:
    """What proves a record, besides its key and its files.

    Args:
        receipts: of the transactions that stored it or anchored its batch.
        batches: root and Merkle path of each batch that holds it.
        witnesses: the RFC 8785 bytes of each receipt of a witness.
    """

    receipts: tuple[Inclusion, ...] = ()
    batches: tuple[tuple[str, tuple[str, ...]], ...] = ()
    witnesses: tuple[bytes, ...] = ()

    @classmethod
    def of_file(cls, file: KeyFile) -> Evidence:
        """Return what a key file, or the proof of a batched record, has."""
        return cls(file.receipts, ((file.root, file.path),) if isinstance(file, Proof) else ())

    def parts(self) -> Iterator[tuple[str, bytes]]:
        """Yield names and bytes of the leaves."""
        for it in self.receipts:
            # how the transaction was signed is not what proves its receipt
            plain = {name: value for name, value in it.as_json().items() if name != "raw"}
            yield f"receipt/{normal_id(it.transaction)}", canonical(plain | {"nodes": list(it.nodes)})
        for root, path in self.batches:
            yield f"batch/{normal_id(root)}", canonical({"root": root, "path": list(path)})
        yield from ((f"witness/{hashlib.sha256(data).hexdigest()}", data) for data in self.witnesses)

    def leaves(self) -> dict[str, Pair]:
        """Return the leaves."""
        return {name: hashed([data]) for name, data in self.parts()}


NOTHING = Evidence()


@dataclass
class Parts:
    """The leaves of a record that could be hashed, and the names of those that could not."""

    here: dict[str, Pair] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    manifest: Manifest | None = None

    def add(self, other: Parts) -> None:
        """Add the leaves of another record: what two records name has one leaf."""
        self.here |= other.here
        self.missing = (self.missing | other.missing) - self.here.keys()


def parts_of(domain: Domain, key: RecordKey, copies: Copies, evidence: Evidence = NOTHING) -> Parts:
    """Hash everything that a record commits to and that is here."""
    parts = Parts({f"key/{domain.record_id(key)}": hashed([key_bytes(domain, key)])})
    parts.here |= evidence.leaves()
    data, _ = copies.read_bytes(key.manifest, MAX_BYTES)
    if data is None:
        parts.missing.add(f"object/{key.manifest}")
    else:
        parts.here[f"object/{key.manifest}"] = hashed([data])
        # anyone may record what is no manifest
        with suppress(InputError):
            parts.manifest = parse_manifest(data)
    for digest in dict.fromkeys(_objects(key, parts.manifest, copies)):
        name = f"object/{digest}"
        if name in parts.here:
            continue
        with copies.find_copy(digest) as copy:
            pair = hashed(_blocks(copy.path)) if copy.path else None
        if pair is None:
            parts.missing.add(name)
        else:
            parts.here[name] = pair
    return parts


def _objects(key: RecordKey, manifest: Manifest | None, copies: Copies) -> Iterator[str]:
    listings = [key.subject] if key.subject_type == SubjectType.FOLDER else []
    if key.subject_type == SubjectType.FILE:
        yield key.subject
    for artifact in artifacts_of(manifest.predicate) if manifest else ():
        if is_listing(artifact.path):
            listings.append(artifact.sha256)
        else:
            yield artifact.sha256
    for digest in listings:
        yield digest
        data, _ = copies.read_bytes(digest, LISTING_LIMIT)
        if data is not None:
            # what is no listing is a file as others are
            with suppress(InputError):
                yield from (file for _, file in parse_listing(data))


def _blocks(path: Path) -> Iterable[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block
