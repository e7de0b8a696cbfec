"""Repairs a lab's store or a published folder: what is damaged or missing is fetched from where a good copy is.

Every object is hashed again. What should be there follows from the lab's own transactions, without the chain: the
manifests of its records, their content, and the files that these name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from blockchaintracer.core.digest import LISTING_LIMIT, Progress, parse_listing
from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified, StoreError
from blockchaintracer.core.manifest import MAX_BYTES, Manifest, artifacts_of, is_listing, parse_manifest
from blockchaintracer.core.record import Kind, RecordKey, SubjectType, label
from blockchaintracer.lab.batches import batched_keys
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import ANCHORS, EntryState, Op
from blockchaintracer.lab.publish import require_apart
from blockchaintracer.lab.seals import sealed_keys
from blockchaintracer.lab.store.store import FETCH_LIMIT, Store

Sources = Sequence[str | os.PathLike[str]]


@dataclass(frozen=True)
class Mended:
    """An object that was damaged or missing.

    Args:
        what: what it is to which record of the lab; None if none of its records names it.
        problem: why it still is; None if a good copy is in its place now.
    """

    sha256: str
    what: str | None
    was: str
    problem: str | None


@dataclass(frozen=True)
class Repaired:
    """What a repair checked, and what was wrong.

    Args:
        objects, size: that were hashed again, in numbers and bytes.
        found: everything that was damaged or missing.
    """

    folder: str
    objects: int
    size: int
    needed: int
    found: list[Mended]

    @property
    def left(self) -> list[Mended]:
        """What is still damaged or missing."""
        return [entry for entry in self.found if entry.problem]


def repair_store(
    lab: Lab, sources: Sources = (), progress: Progress | None = None, *, folder: Path | None = None
) -> Repaired:
    """Hash every object of the lab's store again, and put a good copy in the place of each that is damaged or missing.

    With `folder` the same for a published folder. Good copies come from the lab's store first, and nothing is missing:
    what should be there `publish` knows.

    A copy gets its name when it is whole, so the work may be interrupted at any time. Nothing is removed: without a
    good copy, the damaged one stays, and reading it is an error.
    """
    store = lab.store
    if folder is not None:
        require_apart(lab.home, folder)
        if not (folder / "objects").is_dir():
            raise InputError(f"expected a published folder, one with objects/ in it, got {folder}")
        store, sources = lab.store.published(folder), [lab.store.folder, *sources]
    wrong: dict[str, str] = {}
    problems: dict[str, str | None] = {}

    def fetch(digest: str, was: str, limit: int = FETCH_LIMIT) -> None:
        if digest in wrong:
            return
        wrong[digest], problems[digest] = was, None
        try:
            store.fetch(digest, sources, limit)
        except (StoreError, NotVerified, ChainUnavailable) as error:
            problems[digest] = error.message

    objects = list(store.objects())
    for entry in objects:
        try:
            store.verify(entry.sha256, progress)
        except StoreError:
            fetch(entry.sha256, "damaged")
    named: dict[str, str] = {}
    for digest, what, limit in _needed(lab):
        named.setdefault(digest, what)
        if folder is None and not store.path_of(digest).is_file() and not lab.hashes.address_of(digest):
            try:
                store.verify(digest, progress)
            except StoreError:
                fetch(digest, "changed" if store.has(digest) else "missing", limit)
    return Repaired(
        str(store.folder),
        len(objects),
        sum(entry.size for entry in objects),
        len(named) if folder is None else 0,
        [Mended(digest, named.get(digest), was, problems[digest]) for digest, was in wrong.items()],
    )


def _needed(lab: Lab) -> Iterator[tuple[str, str, int]]:
    """Digest, meaning and largest size of what the lab's own records need. An object is read after it was given: by
    then it may have been fetched."""
    keys: dict[str, RecordKey] = {}
    for entry in lab.outbox.entries():
        write = entry.write
        if entry.state is EntryState.FAILED:
            continue
        if write.op in (Op.RECORD, Op.REVEAL, Op.MATERIALIZE) and write.key.author.lower() == entry.sender.lower():
            keys[write["record_id"]] = write.key
        if write.op in (*ANCHORS, Op.CREATE_GROUP):
            yield from _document(write["manifest"], f"description of the {write.op}")
        if write.op is Op.RETRACT:
            yield from _document(write["reason"], f"reason of the retraction of {write.record_id}")
    for record_id, key in {**keys, **dict(batched_keys(lab)), **dict(sealed_keys(lab.home))}.items():
        yield from _of_record(lab.store, record_id, key)


def _document(digest: str, what: str) -> Iterator[tuple[str, str, int]]:
    if int(digest, 16):
        yield digest, what, MAX_BYTES


def _of_record(store: Store, record_id: str, key: RecordKey) -> Iterator[tuple[str, str, int]]:
    of = f"of {label(key.kind, Kind)} {record_id}"
    yield key.manifest, f"manifest {of}", MAX_BYTES
    if key.subject_type == SubjectType.FILE:
        yield key.subject, f"content {of}", FETCH_LIMIT
    if key.subject_type == SubjectType.FOLDER:
        yield from _of_folder(store, key.subject, f"content {of}")
    manifest = _manifest(store, key)
    for artifact in artifacts_of(manifest.predicate) if manifest else ():
        if is_listing(artifact.path):
            yield from _of_folder(store, artifact.sha256, f"{artifact.path} {of}")
        else:
            yield artifact.sha256, f"{artifact.path} {of}", FETCH_LIMIT


def _manifest(store: Store, key: RecordKey) -> Manifest | None:
    try:
        return parse_manifest(store.get_bytes(key.manifest, MAX_BYTES))
    except (InputError, StoreError):
        # it is among what is damaged or missing
        return None


def _of_folder(store: Store, listing: str, what: str) -> Iterator[tuple[str, str, int]]:
    yield listing, f"listing of {what}", LISTING_LIMIT
    try:
        files = parse_listing(store.get_bytes(listing, LISTING_LIMIT))
    except (InputError, StoreError):
        return
    for path, digest in files:
        yield digest, f"{path}, {what}", FETCH_LIMIT
