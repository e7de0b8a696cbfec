"""The files that a record is about, with names that are safe wherever they are written."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from blockchaintracer.digest import parse_listing
from blockchaintracer.errors import InputError, NotVerified, StoreError
from blockchaintracer.manifest import RecordPredicate
from blockchaintracer.manifest.paths import normal_path
from blockchaintracer.report.facts import Facts, Seen
from blockchaintracer.store import LISTING_LIMIT
from blockchaintracer.verify.objects import Objects

_UNSAFE = re.compile(r"[^\w.+-]+")
_LONGEST = 120


@dataclass(frozen=True)
class File:
    """A file.

    Args:
        path: relative, distinct among a record's.
        role: ``input``, ``output`` or ``content``.
        record: id of the record that it is the content of, or that names it.
        size: bytes, if the manifest says.
    """

    path: str
    sha256: str
    role: str
    record: str
    size: int | None = None
    media_type: str | None = None


@dataclass(frozen=True)
class Content:
    """The files of a record, and where they are.

    Args:
        missing: those of which there is no whole copy here.
    """

    files: tuple[File, ...]
    missing: tuple[File, ...]
    objects: Objects

    @classmethod
    def of(cls, facts: Facts, objects: Objects) -> Content:
        """A run's inputs and outputs; of any other record its own content and attachments."""
        if facts.asked.run is not None:
            found = [
                file for one in facts.inputs for file in _content(one.seen, objects, f"inputs/{safe_name(one.name)}")
            ]
            found = [File(f.path, f.sha256, "input", f.record, f.size) for f in found]
            found += [
                File(
                    f"outputs/{normal_path(one.artifact.path)}",
                    one.artifact.sha256,
                    "output",
                    facts.asked.row.id,
                    one.artifact.size,
                    one.artifact.media_type,
                )
                for one in facts.asked.run.outputs
            ]
        else:
            found = _content(facts.asked, objects, safe_name(facts.asked.name))
            predicate = facts.asked.manifest.predicate if facts.asked.manifest else None
            if isinstance(predicate, RecordPredicate):
                found += [
                    File(f"attachments/{one.path}", one.sha256, "content", facts.asked.row.id, one.size)
                    for one in predicate.attachments
                ]
        files = tuple(_distinct(found))
        missing = []
        for file in files:
            with objects.find(file.sha256) as here:
                if here.path is None:
                    missing.append(file)
        return cls(files, tuple(missing), objects)

    def copy(self, file: File, folder: Path) -> Path:
        """Writes a file below a folder.

        Raises:
            StoreError: if it isn't here or can't be written.
            InputError: if another file is there.
        """
        target = folder / file.path
        with self.objects.find(file.sha256) as found:
            if found.path is None:
                raise StoreError(f"{file.path}, SHA-256 {file.sha256}, is not here")
            if target.exists() or target.is_symlink():
                raise InputError(f"expected no file at {target} yet", hint="Choose another folder, or remove it.")
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(found.path, target)
            except OSError as error:
                raise StoreError(f"can't write {target}: {error.strerror}") from error
        return target


def listing(files: tuple[File, ...]) -> bytes:
    """What ``sha256sum -c`` reads: GNU coreutils' format.

    Raises:
        InputError: if there is no file.
    """
    if not files:
        raise InputError("expected a record of files, got one of none")
    return "".join(f"{file.sha256}  {file.path}\n" for file in sorted(files, key=lambda file: file.path)).encode()


def _content(seen: Seen, objects: Objects, path: str) -> list[File]:
    row = seen.row
    if row.subject_type == "file":
        return [File(path, row.subject, "content", row.id, seen.content.size if seen.content else None)]
    if row.subject_type != "folder":
        return []
    data, found = objects.read(row.subject, LISTING_LIMIT)
    if data is None:
        if found.damaged:
            raise NotVerified(f"the listing {row.subject} is not what was recorded")
        return [File(f"{path}.SHA256SUMS", row.subject, "content", row.id)]
    return [File(f"{path}/{name}", sha256, "content", row.id) for name, sha256 in parse_listing(data)]


def safe_name(name: str) -> str:
    """A name as one part of a path on any system."""
    base = _UNSAFE.sub("_", PurePosixPath(name).name).strip("._-")[:_LONGEST]
    return base or "file"


def _distinct(files: list[File]) -> list[File]:
    seen: dict[str, str] = {}
    found = []
    for file in files:
        path = file.path
        if seen.get(path.lower(), file.sha256) != file.sha256:
            folder, _, name = path.rpartition("/")
            path = f"{folder}/{file.sha256[:12]}-{name}" if folder else f"{file.sha256[:12]}-{name}"
        if path.lower() not in seen:
            seen[path.lower()] = file.sha256
            found.append(File(path, file.sha256, file.role, file.record, file.size, file.media_type))
    return found
