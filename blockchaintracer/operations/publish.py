"""Copies what others need to check and reproduce a record to a folder that anyone may read, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from blockchaintracer.capture.credentials import scan_secrets
from blockchaintracer.chain import RecordedEvent
from blockchaintracer.digest import parse_listing
from blockchaintracer.errors import InputError, NotVerified, StoreError
from blockchaintracer.manifest import (
    MAX_BYTES,
    Artifact,
    Manifest,
    RecordPredicate,
    RunPredicate,
    check_against_key,
    parse_manifest,
)
from blockchaintracer.model import Kind, SubjectType, label
from blockchaintracer.operations.lab import Lab
from blockchaintracer.operations.verdicts import required_record
from blockchaintracer.store import LISTING_LIMIT, Store

LISTING = "SHA256SUMS"
"""Last part of an output's path where the output is a folder: the artifact is its listing."""


@dataclass(frozen=True)
class PublishedObject:
    """One object of the published store.

    Args:
        what: what it is to the record: ``manifest``, ``input``, ``output``, ``code``, ``lock``, ``diff``, ….
        size: bytes.
        new: whether it was not there before.
    """

    what: str
    name: str
    sha256: str
    size: int
    new: bool


@dataclass(frozen=True)
class Published:
    """What was published of a record.

    Args:
        folder: the published store.
        objects: each once.
        left_out: what others might miss, in words.
    """

    record_id: str
    folder: str
    objects: list[PublishedObject]
    left_out: list[str]

    @property
    def size(self) -> int:
        """Bytes of all objects together."""
        return sum(one.size for one in self.objects)


def publish(lab: Lab, record_id: str, folder: Path, *, with_diff: bool = False) -> Published:
    """Copies the manifests of a record and of its ancestors, what the record is of, and for a run its inputs, outputs,
    code and lock file to a published store. Of ancestors the manifests alone are copied, never their content.

    Args:
        folder: made if it isn't there; `Store.fetch` and any web server that shows it can give its objects out.
        with_diff: whether to copy the difference between a run's files and its commit, too.

    Raises:
        InputError: if the record is unknown, `folder` is the lab's own, or the difference seems to hold a secret.
        StoreError: if something of the record isn't in the lab's store; then nothing was copied.
    """
    _require_apart(lab, folder)
    record = required_record(lab, record_id)
    manifest = read_manifest(lab, record)
    wanted, left_out = [("manifest", label(record.key.kind, Kind), record.key.manifest)], []
    wanted += _own_content(lab, record, manifest)
    if isinstance(manifest.predicate, RunPredicate):
        wanted += _of_run(lab, manifest.predicate)
        code = manifest.predicate.code
        if code.diff and with_diff:
            wanted.append(_diff(lab, code.diff))
        elif code.dirty:
            left_out.append(
                "the difference between the run's files and its commit, without which nobody can reproduce it"
                + (": --with-diff publishes it" if code.diff else "; it was not recorded")
            )
    for parent in _ancestors(lab, record):
        if lab.store.has(parent.key.manifest):
            wanted.append(("manifest", label(parent.key.kind, Kind), parent.key.manifest))
        else:
            left_out.append(f"the manifest of {parent.id}, which is not in this lab's store")

    unique = {digest: (what, name) for what, name, digest in reversed(wanted)}
    missing = [f"{what} {name} ({digest})" for digest, (what, name) in unique.items() if not lab.store.has(digest)]
    if missing:
        raise StoreError(
            f"expected everything that is to be published in {lab.store.folder}, missed {'; '.join(missing[:5])}",
            hint="Put it back, or run `publish` in the lab that recorded it: nothing was copied.",
        )
    published = Store(folder, public=True)
    objects = [
        PublishedObject(what, name, digest, lab.store.path_of(digest).stat().st_size, not published.has(digest))
        for digest, (what, name) in reversed(unique.items())
    ]
    lab.store.publish(unique, folder)
    return Published(record.id, str(folder), objects, left_out)


def read_manifest(lab: Lab, record: RecordedEvent) -> Manifest:
    """A record's manifest from the lab's store, held against its key.

    Raises:
        StoreError: if it isn't there or is damaged.
        InputError: if it isn't a manifest in its canonical form.
        NotVerified: if manifest and key contradict each other.
    """
    manifest = parse_manifest(lab.store.get_bytes(record.key.manifest, MAX_BYTES))
    if problems := check_against_key(manifest, record.key):
        raise NotVerified(f"the manifest of {record.id} contradicts the record: {'; '.join(map(str, problems))}")
    return manifest


def _require_apart(lab: Lab, folder: Path) -> None:
    chosen, home = folder.resolve(), lab.home.path
    own = (home / "store", home / "keys", home / "devnet", home / "environments")
    if chosen == home or any(chosen == part or part in chosen.parents for part in own):
        raise InputError(
            f"expected a folder for others to read, got the lab's own {folder}",
            hint="Choose another: keys and unpublished files lie there.",
        )


def _own_content(lab: Lab, record: RecordedEvent, manifest: Manifest) -> Iterator[tuple[str, str, str]]:
    yield from _subject(lab, record, "content")
    if isinstance(manifest.predicate, RecordPredicate):
        for attachment in manifest.predicate.attachments:
            yield "attachment", attachment.path, attachment.sha256


def _of_run(lab: Lab, run: RunPredicate) -> Iterator[tuple[str, str, str]]:
    for entry in run.inputs:
        yield from _subject(lab, required_record(lab, entry.record), "input")
    for output in run.outputs:
        artifact = output.artifact
        yield output.role, artifact.path, artifact.sha256
        if Path(artifact.path).name == LISTING:
            yield from _listed(lab, artifact.sha256, output.role)
    for name, metric in run.metrics.items():
        if metric.history:
            yield "history", name, metric.history.sha256
    if run.code.pack:
        yield "code", f"commit {run.code.commit}", run.code.pack.sha256
    if run.environment.lock:
        yield "lock", run.environment.lock.path, run.environment.lock.sha256


def _subject(lab: Lab, record: RecordedEvent, what: str) -> Iterator[tuple[str, str, str]]:
    if record.key.subject_type in (SubjectType.FILE, SubjectType.FOLDER):
        yield what, label(record.key.kind, Kind), record.key.subject
    if record.key.subject_type == SubjectType.FOLDER:
        yield from _listed(lab, record.key.subject, what)


def _listed(lab: Lab, listing: str, what: str) -> Iterator[tuple[str, str, str]]:
    for name, digest in parse_listing(lab.store.get_bytes(listing, LISTING_LIMIT)):
        yield what, name, digest


def _diff(lab: Lab, diff: Artifact) -> tuple[str, str, str]:
    if findings := scan_secrets(lab.store.get_bytes(diff.sha256)):
        places = ", ".join(f"{finding.kind} in line {finding.line}" for finding in findings[:20])
        raise InputError(
            f"the difference to the commit seems to hold secrets: {places}. Nothing was published.",
            hint=f"It is {lab.store.path_of(diff.sha256)}. Take what is secret out of the files, commit them, and "
            "record the run again.",
            findings=[{"kind": finding.kind, "line": finding.line} for finding in findings],
        )
    return "diff", diff.path, diff.sha256


def _ancestors(lab: Lab, record: RecordedEvent) -> Iterator[RecordedEvent]:
    """All ancestors, each once; an ancestor's id is part of its child's, so this ends."""
    seen, waiting = {record.id}, [record]
    while waiting:
        for link in waiting.pop().key.parents:
            if link.parent not in seen:
                seen.add(link.parent)
                parent = required_record(lab, link.parent)
                waiting.append(parent)
                yield parent
