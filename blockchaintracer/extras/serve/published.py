"""What of a published folder is shown: manifests that the chain names, proofs, and the names of published files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import InputError, StoreError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.plain_json import MAX_BYTES
from blockchaintracer.core.record import SubjectType
from blockchaintracer.core.record_key_file import MAX_KEY_FILE_BYTES, KeyFile
from blockchaintracer.core.verify.copies import check_layout
from blockchaintracer.core.verify.published_proofs import content_name, parse_key_file, proof_name
from blockchaintracer.extras.search import Row
from blockchaintracer.extras.search.searchable import read_json
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.publish import require_apart
from blockchaintracer.lab.store.sources import is_url
from blockchaintracer.lab.store.store import Store

MAX_NAMES = 1_000
"""Published files of one record that are named."""


class PublishedFolder:
    """A published folder, or None: then nothing is published, and only the chain is shown.

    Args:
        nowhere: a folder that is never made, read in place of none.
    """

    def __init__(self, folder: Path | None, nowhere: Path) -> None:
        self.folder = folder
        self.store = Store(folder or nowhere, public=True)

    def manifest(self, digest: str) -> bytes | None:
        """Return the bytes of a manifest, checked against its SHA-256; None if it is not published or is damaged."""
        try:
            return self.store.get_bytes(digest, MAX_BYTES)
        except StoreError:
            return None

    def key_file(self, digest: str) -> tuple[bytes, KeyFile] | None:
        """Return the published key of a record, by the record's id or by the content of one in a batch."""
        name = proof_name(digest) if digest.startswith("0x") else content_name(digest)
        if self.folder is None:
            return None
        try:
            data = read_limited(self.folder / name, MAX_KEY_FILE_BYTES, "a proof")
            return data, parse_key_file(data, name)
        except (InputError, OSError):
            return None

    def files_of(self, row: Row) -> list[dict[str, Any]]:
        """List name, SHA-256 and size in bytes of what is published of a record, `MAX_NAMES` at most."""
        entries = [("manifest", row.manifest)]
        if row.subject_type in (SubjectType.FILE.name.lower(), SubjectType.FOLDER.name.lower()):
            entries.append((row.name or row.kind, row.subject))
        manifest = self.manifest(row.manifest)
        entries += _named_digests(read_json(manifest) if manifest else None)
        sizes: dict[str, dict[str, Any]] = {}
        for name, digest in dict.fromkeys(entries[: 10 * MAX_NAMES]):
            path = self.store.path_of(digest)
            if len(sizes) < MAX_NAMES and digest not in sizes and path.is_file():
                sizes[digest] = {"name": name, "sha256": digest, "size": path.stat().st_size}
        return [*sizes.values()]


def _named_digests(value: Any) -> Iterator[tuple[str, str]]:
    """The artifacts of a manifest, which a stranger wrote: each object that has a path or name, and a SHA-256."""
    left = [value]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            name, digest = value.get("path") or value.get("name"), value.get("sha256")
            if isinstance(name, str) and isinstance(digest, str) and _is_digest(digest):
                yield name, digest
            left += reversed(value.values())
        elif isinstance(value, list):
            left += reversed(value)


def _is_digest(text: str) -> bool:
    return len(text) == 64 and not set(text) - set("0123456789abcdef")


def published_folder(lab: Lab, chosen: Path | None) -> Path | None:
    """Return the published folder to show: the one chosen, else the one that the lab's setting ``publishTo`` names.

    Raises:
        InputError: if it is not a published folder, or belongs to the lab's own files.
    """
    setting = lab.settings().get("publishTo")
    if chosen is None and isinstance(setting, str) and not is_url(setting) and Path(setting).is_dir():
        chosen = Path(setting)
    if chosen is None:
        return None
    if not chosen.is_dir():
        raise InputError(
            f"expected a published folder, got {chosen}, which is not there",
            hint="`blockchaintracer publish ID --to FOLDER` makes one. Without --folder only the chain is shown.",
        )
    require_apart(lab.home, chosen)
    check_layout(chosen)
    return chosen.resolve()
