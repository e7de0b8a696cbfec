"""Records that a file or folder is part of, or may have been meant to be: by what the store has kept of them.

The chain knows digests of whole records alone. Which files a folder or run consists of is in listings and manifests.
"""

from __future__ import annotations

from collections.abc import Iterator

from blockchaintracer.core.chain import Registry
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import MAX_BYTES, Manifest, artifacts_of, parse_manifest
from blockchaintracer.core.record import SubjectType
from blockchaintracer.core.verify.content_checks import Shown, read_listing, same_name
from blockchaintracer.core.verify.record_checks import name_of
from blockchaintracer.core.verify.verifier import Similar
from blockchaintracer.lab.store.store import Store
from blockchaintracer.lab.store.stored_copies import StoredCopies

_MANIFEST = b'{"_type":"https://in-toto.io/Statement/v1"'
_Listing = tuple[tuple[str, str], ...]


def similar_records(registry: Registry, store: Store, copies: StoredCopies, shown: Shown) -> list[Similar]:
    """The records of kept listings and manifests that a file or folder resembles, the most alike first."""
    similar: list[Similar] = []
    for digest, kept in _kept(store, copies):
        if isinstance(kept, Manifest):
            if _names(kept, shown):
                similar += [
                    Similar(record, shown.compare(record.key, kept))
                    for record in registry.find_subject(kept.subject_digest)
                    if record.key.manifest == digest
                ]
        elif _is_like(kept, shown):
            records = [one for one in registry.find_subject(digest) if one.key.subject_type == SubjectType.FOLDER]
            similar += [Similar(record, shown.against_files(kept)) for record in records]
    return sorted(similar, key=lambda record: record.differences)


def _names(manifest: Manifest, shown: Shown) -> bool:
    artifacts = artifacts_of(manifest.predicate)
    names = {name_of(manifest), *(artifact.path.removesuffix("/SHA256SUMS") for artifact in artifacts)}
    return shown.path.resolve().name in names or shown.sha256 in {artifact.sha256 for artifact in artifacts}


def _is_like(files: _Listing, shown: Shown) -> bool:
    if shown.folder is None:
        # a name that several files have (README) tells nothing
        named = sum(same_name(path, shown.path) for path, _ in files)
        return named == 1 or any(digest == shown.sha256 for _, digest in files)
    shared = len({path for path, _ in files} & {entry.path for entry in shown.folder.files})
    return 2 * shared >= max(len(files), len(shown.folder.files))


def _kept(store: Store, copies: StoredCopies) -> Iterator[tuple[str, Manifest | _Listing]]:
    """The listings and manifests in the store, told by their first bytes: both are canonical."""
    for path in store.folder.glob("objects/??/*"):
        digest = path.parent.name + path.name
        with path.open("rb") as file:
            head = file.read(66)
        if head.startswith(_MANIFEST):
            data, _ = copies.read_bytes(digest, MAX_BYTES)
            try:
                yield digest, parse_manifest(data or b"")
            except InputError:
                continue
        elif head[64:] == b"  " and head[:64].isalnum():
            files, _ = read_listing(copies, digest)
            if files is not None:
                yield digest, files
