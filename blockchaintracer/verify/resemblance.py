"""Records that a file or folder is part of, or may have been meant to be: by what the store has kept of them.

The chain knows digests of whole records alone. Which files a folder or run consists of is in listings and manifests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from blockchaintracer.chain import Registry
from blockchaintracer.errors import InputError
from blockchaintracer.manifest import MAX_BYTES, Manifest, artifacts_of, parse_manifest
from blockchaintracer.store import Store
from blockchaintracer.verify.content import Shown, read_listing, same_name
from blockchaintracer.verify.events import Located, locate_subject
from blockchaintracer.verify.objects import Objects
from blockchaintracer.verify.record import name_of
from blockchaintracer.verify.report import Check, Outcome

_MANIFEST = b'{"_type":"https://in-toto.io/Statement/v1"'
_Listing = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Resemblance:
    """A record that has files of the same names or digests.

    Args:
        checks: of the files against it.
    """

    located: Located
    checks: list[Check]

    @property
    def is_part(self) -> bool:
        """Whether the record has these very bytes."""
        return not self.differences

    @property
    def differences(self) -> int:
        """How many files are missing, added or changed."""
        return sum(check.verdict is not Outcome.PASS for check in self.checks)


def resembling(registry: Registry, store: Store, objects: Objects, shown: Shown) -> list[Resemblance]:
    """The records of kept listings and manifests that a file or folder resembles, the most alike first."""
    found: list[Resemblance] = []
    for digest, kept in _kept(store, objects):
        if isinstance(kept, Manifest):
            if _names(kept, shown):
                found += [
                    Resemblance(one, shown.compare(one.record.key, kept))
                    for one in locate_subject(registry, kept.subject_digest)
                    if one.record.key.manifest == digest
                ]
        elif _is_like(kept, shown):
            found += [Resemblance(one, shown.against_files(kept)) for one in locate_subject(registry, digest)]
    return sorted(found, key=lambda one: one.differences)


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


def _kept(store: Store, objects: Objects) -> Iterator[tuple[str, Manifest | _Listing]]:
    """The listings and manifests in the store, told by their first bytes: both are canonical."""
    for path in store.folder.glob("objects/??/*"):
        digest = path.parent.name + path.name
        with path.open("rb") as file:
            head = file.read(66)
        if head.startswith(_MANIFEST):
            data, _ = objects.read(digest, MAX_BYTES)
            try:
                yield digest, parse_manifest(data or b"")
            except InputError:
                continue
        elif head[64:] == b"  " and head[:64].isalnum():
            files, _ = read_listing(objects, digest)
            if files is not None:
                yield digest, files
