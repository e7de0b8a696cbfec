"""The files that a record is about, with names that are safe wherever they are written."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from blockchaintracer.core.digest import LISTING_LIMIT, parse_listing
from blockchaintracer.core.errors import InputError, NotVerified, StoreError
from blockchaintracer.core.manifest import Artifact, ContentPredicate, RecordPredicate, RunOutput, is_listing
from blockchaintracer.core.manifest.paths import normal_path
from blockchaintracer.extras.report.gather import Facts
from blockchaintracer.extras.report.seen import Seen
from blockchaintracer.lab.store.stored_copies import StoredCopies

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
        encrypted: whether it is a ciphertext.
    """

    path: str
    sha256: str
    role: str
    record: str
    size: int | None = None
    media_type: str | None = None
    encrypted: bool = False


@dataclass(frozen=True)
class Content:
    """The files of a record, and where they are.

    Args:
        missing: those of which there is no whole copy here.
    """

    files: tuple[File, ...]
    missing: tuple[File, ...]
    copies: StoredCopies

    @classmethod
    def of(cls, facts: Facts, copies: StoredCopies) -> Content:
        """A run's inputs and outputs; of any other record its own content and attachments."""
        if facts.asked.run is not None:
            found = [
                replace(file, role="input")
                for one in facts.inputs
                for file in _content(one.seen, copies, f"inputs/{safe_name(one.name)}")
            ]
            found += [file for one in facts.asked.run.outputs for file in _output(one, copies, facts.asked.row.id)]
            if facts.asked.run.private and (values := facts.asked.run.private.encrypted):
                path = f"outputs/{normal_path(values.path)}"
                found.append(File(path, values.sha256, "output", facts.asked.row.id, values.size, encrypted=True))
        else:
            found = _content(facts.asked, copies, safe_name(facts.asked.name))
            predicate = facts.asked.manifest.predicate if facts.asked.manifest else None
            if isinstance(predicate, RecordPredicate):
                found += [
                    File(f"attachments/{one.path}", one.sha256, "content", facts.asked.row.id, one.size)
                    for one in predicate.attachments
                ]
        files = tuple(_distinct(found))
        missing = []
        for file in files:
            with copies.find_copy(file.sha256) as here:
                if here.path is None:
                    missing.append(file)
        return cls(files, tuple(missing), copies)

    def copy(self, file: File, folder: Path) -> Path:
        """Writes a file below a folder.

        Raises:
            StoreError: if it isn't here or can't be written.
            InputError: if another file is there.
        """
        target = folder / file.path
        with self.copies.find_copy(file.sha256) as found:
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


def _content(seen: Seen, copies: StoredCopies, path: str) -> list[File]:
    row = seen.row
    predicate = seen.manifest.predicate if seen.manifest else None
    if isinstance(predicate, ContentPredicate | RecordPredicate) and predicate.artifact and predicate.encrypted:
        return _hidden(predicate.artifact, predicate.encrypted.opening, path, "content", row.id)
    if row.subject_type == "file":
        return [File(path, row.subject, "content", row.id, seen.content.size if seen.content else None)]
    if row.subject_type != "folder":
        return []
    data = _listing_of(row.subject, copies)
    if data is None:
        return [File(f"{path}.SHA256SUMS", row.subject, "content", row.id)]
    return [File(f"{path}/{name}", sha256, "content", row.id) for name, sha256 in parse_listing(data)]


def _output(output: RunOutput, copies: StoredCopies, record: str) -> list[File]:
    """The files of an output: of a folder, which is recorded by its listing, those that the listing names."""
    artifact = output.artifact
    path = f"outputs/{normal_path(artifact.path)}"
    if output.encrypted:
        return _hidden(artifact, output.encrypted.opening, path, "output", record)
    itself = [File(path, artifact.sha256, "output", record, artifact.size, artifact.media_type)]
    data = _listing_of(artifact.sha256, copies) if is_listing(artifact.path) else None
    if data is None:
        return itself
    try:
        files = parse_listing(data)
    except InputError:
        # somebody's own file of that name
        return itself
    folder = path.rpartition("/")[0]
    return [File(f"{folder}/{name}", sha256, "output", record) for name, sha256 in files]


def _hidden(artifact: Artifact, opening: Artifact, path: str, role: str, record: str) -> list[File]:
    """A ciphertext, and that of what it takes to hold the content against the record's commitment."""
    base = path.removesuffix(".age")
    return [
        File(f"{base}{suffix}", one.sha256, role, record, one.size, one.media_type, encrypted=True)
        for one, suffix in ((artifact, ".age"), (opening, ".opening.age"))
    ]


def _listing_of(digest: str, copies: StoredCopies) -> bytes | None:
    data, found = copies.read_bytes(digest, LISTING_LIMIT)
    if data is None and found.damaged:
        raise NotVerified(f"the listing {digest} is not what was recorded")
    return data


def safe_name(name: str) -> str:
    """A name as one part of a path on any system."""
    base = _UNSAFE.sub("_", PurePosixPath(name).name).strip("._-")[:_LONGEST]
    return base or "file"


def _distinct(files: list[File]) -> list[File]:
    """The files with paths that all fit into one folder, each once."""
    taken: dict[str, str] = {}
    folders: set[str] = set()
    found = []
    for file in files:
        path = file.path
        while taken.get(path.lower(), file.sha256) != file.sha256 or path.lower() in folders:
            folder, slash, name = path.rpartition("/")
            path = f"{folder}{slash}{file.sha256[:12]}-{name}"
        while blocked := next((above for above in _above(path) if above.lower() in taken), None):
            folder, slash, name = blocked.rpartition("/")
            path = f"{folder}{slash}{file.record[:12]}-{name}{path.removeprefix(blocked)}"
        if path.lower() not in taken:
            taken[path.lower()] = file.sha256
            folders.update(above.lower() for above in _above(path))
            found.append(replace(file, path=path))
    return found


def _above(path: str) -> list[str]:
    return [str(folder) for folder in PurePosixPath(path).parents if str(folder) != "."]
