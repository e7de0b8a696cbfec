"""The files that a record is about, with names that are safe wherever they are written."""

from __future__ import annotations

import mimetypes
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from blockchaintracer.core.digest import LISTING_LIMIT, parse_listing, sha256_file
from blockchaintracer.core.errors import InputError, NotVerified, StoreError
from blockchaintracer.core.manifest import Artifact, ContentPredicate, RecordPredicate, RunOutput, is_listing
from blockchaintracer.core.manifest.paths import normal_path
from blockchaintracer.core.manifest.predicates import artifacts_of
from blockchaintracer.extras.exports.export_facts import ExportFacts
from blockchaintracer.lab.gather import GatheredRecord
from blockchaintracer.lab.store.stored_copies import StoredCopies

_UNSAFE = re.compile(r"[^\w.+-]+")
_LONGEST = 120


@dataclass(frozen=True)
class ExportedFile:
    """A file of a record.

    Args:
        path: relative, distinct among a record's.
        role: ``input``, ``output``, ``content``, or ``run`` for what else it keeps.
    """

    path: str
    sha256: str
    role: str
    record: str
    size: int | None = None
    media_type: str | None = None
    encrypted: bool = False

    @property
    def format(self) -> str:
        """The media type in the manifest, or by the name of the file."""
        guessed, encoding = mimetypes.guess_type(self.path)
        # a packed table is no table
        guessed = guessed if encoding is None else "application/gzip" if encoding == "gzip" else None
        return self.media_type or guessed or "application/octet-stream"


@dataclass(frozen=True)
class Content:
    """The files of a record, and where they are."""

    files: tuple[ExportedFile, ...]
    missing: tuple[ExportedFile, ...]
    copies: StoredCopies

    @classmethod
    def of(cls, facts: ExportFacts) -> Content:
        """Find a run's inputs and outputs; of any other record its own content and attachments."""
        asked, run, copies = facts.asked, facts.asked.run, facts.copies
        if run is not None:
            files = [
                replace(file, role="input")
                for entry in facts.inputs
                for file in _content(entry.read, copies, f"inputs/{safe_name(entry.name or entry.read.name)}")
            ]
            files += [file for output in run.outputs for file in _output(output, copies, asked.id)]
            # histories of metrics, the commit's files and the lock; a diff is published only where a person says so
            kept = artifacts_of(run.model_copy(update={"outputs": (), "private": None}))
            files += [
                ExportedFile(f"run/{normal_path(it.path)}", it.sha256, "run", asked.id, it.size, it.media_type)
                for it in kept
                if it not in run.code.diffs
            ]
            if run.private and (values := run.private.encrypted):
                path = f"outputs/{normal_path(values.path)}"
                files.append(ExportedFile(path, values.sha256, "output", asked.id, values.size, encrypted=True))
        else:
            files = _content(asked, copies, safe_name(_file_name(facts)))
            predicate = asked.manifest.predicate if asked.manifest else None
            if isinstance(predicate, RecordPredicate):
                files += [
                    ExportedFile(f"attachments/{artifact.path}", artifact.sha256, "content", asked.id, artifact.size)
                    for artifact in predicate.attachments
                ]
        files = _distinct(files)
        missing = []
        for file in files:
            with copies.find_copy(file.sha256) as copy:
                if copy.path is None:
                    missing.append(file)
        return cls(tuple(files), tuple(missing), copies)

    def copy(self, file: ExportedFile, folder: Path) -> Path:
        """Write a file below a folder."""
        target = folder / file.path
        with self.copies.find_copy(file.sha256) as copy:
            if copy.path is None:
                raise copy.error(f"expected {file.path}, SHA-256 {file.sha256}", "Name a source that has it: --from.")
            if target.is_symlink() or target.exists():
                if target.is_file() and not target.is_symlink() and sha256_file(target) == file.sha256:
                    return target
                raise InputError(f"expected no file at {target} yet", hint="Choose another folder, or remove it.")
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(copy.path, target)
                if sha256_file(target) != file.sha256:
                    target.unlink()
                    raise NotVerified(f"{copy.where} changed while it was copied: {file.path} is not written")
            except OSError as error:
                raise StoreError(f"can't write {target}: {error.strerror}") from error
        return target


def _file_name(facts: ExportFacts) -> str:
    """The name of the file that was recorded, or that a run gives to it; else the name of the record."""
    asked, runs = facts.asked, [each.run for each in facts.lineage if each.run]
    names = [it.name for run in runs for it in run.inputs if it.record == asked.id]
    return asked.file_name or next(filter(None, names), asked.name)


def listing(files: tuple[ExportedFile, ...]) -> bytes:
    """Write what ``sha256sum -c`` reads: GNU coreutils' format."""
    if not files:
        raise InputError("expected a record of files, got one of none")
    return "".join(f"{file.sha256}  {file.path}\n" for file in sorted(files, key=lambda file: file.path)).encode()


def _content(gathered: GatheredRecord, copies: StoredCopies, path: str) -> list[ExportedFile]:
    record = gathered.record
    predicate = gathered.manifest.predicate if gathered.manifest else None
    if isinstance(predicate, ContentPredicate | RecordPredicate) and predicate.artifact and predicate.encrypted:
        return _hidden(predicate.artifact, predicate.encrypted.opening, path, "content", record.id)
    if record.subject_type == "file":
        size = gathered.content.size if gathered.content else None
        return [ExportedFile(path, record.subject, "content", record.id, size)]
    if record.subject_type != "folder":
        return []
    data = _listing_of(record.subject, copies)
    if data is None:
        return [ExportedFile(f"{path}.SHA256SUMS", record.subject, "content", record.id)]
    return [ExportedFile(f"{path}/{name}", sha256, "content", record.id) for name, sha256 in parse_listing(data)]


def _output(output: RunOutput, copies: StoredCopies, record: str) -> list[ExportedFile]:
    """The files of an output: of a folder, which is recorded by its listing, those that the listing names."""
    artifact = output.artifact
    path = f"outputs/{normal_path(artifact.path)}"
    if output.encrypted:
        return _hidden(artifact, output.encrypted.opening, path, "output", record)
    itself = [ExportedFile(path, artifact.sha256, "output", record, artifact.size, artifact.media_type)]
    data = _listing_of(artifact.sha256, copies) if is_listing(artifact.path) else None
    if data is None:
        return itself
    try:
        files = parse_listing(data)
    except InputError:
        # somebody's own file of that name
        return itself
    folder = path.rpartition("/")[0]
    return [ExportedFile(f"{folder}/{name}", sha256, "output", record) for name, sha256 in files]


def _hidden(artifact: Artifact, opening: Artifact, path: str, role: str, record: str) -> list[ExportedFile]:
    """A ciphertext, and that of what it takes to hold the content against the record's commitment."""
    base = path.removesuffix(".age")
    return [
        ExportedFile(f"{base}{suffix}", part.sha256, role, record, part.size, part.media_type, encrypted=True)
        for part, suffix in ((artifact, ".age"), (opening, ".opening.age"))
    ]


def _listing_of(digest: str, copies: StoredCopies) -> bytes | None:
    data, copy = copies.read_bytes(digest, LISTING_LIMIT)
    if data is None and copy.damaged:
        raise NotVerified(f"the listing {digest} is not what was recorded")
    return data


def safe_name(name: str) -> str:
    """Return a name as one part of a path on any system."""
    base = _UNSAFE.sub("_", PurePosixPath(name).name).strip("._-")[:_LONGEST]
    return base or "file"


def _distinct(files: list[ExportedFile]) -> list[ExportedFile]:
    """The files with paths that all fit into one folder, each once."""
    taken: dict[str, str] = {}
    folders: set[str] = set()
    distinct = []
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
            distinct.append(replace(file, path=path))
    return distinct


def _above(path: str) -> list[str]:
    return [str(folder) for folder in PurePosixPath(path).parents if str(folder) != "."]
