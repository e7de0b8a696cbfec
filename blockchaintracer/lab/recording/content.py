"""Records of content: a file or folder is kept in the store first, then a manifest commits to it.

Recording the same content again is free: you get the existing record.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from blockchaintracer.core.digest import FolderDigest, Progress
from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.manifest import ContentPredicate, Manifest, NotBefore, Parent, parse_manifest
from blockchaintracer.core.manifest.paths import escaped_path
from blockchaintracer.core.manifest.predicates import (
    CONTENT_KINDS,
    RecordPredicate,
    ReferencePredicate,
    RunPredicate,
    can_list,
)
from blockchaintracer.core.record import GlobalId, Kind, Link, Relation, Role, label, parse_number
from blockchaintracer.lab.chain.questions import final_block
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.kept_proofs import batch_hint
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Entry
from blockchaintracer.lab.private.encrypt import CONTENT_NAME, kept_commitments
from blockchaintracer.lab.recording.commit import commit, draft, existing_record
from blockchaintracer.lab.recording.keep import OPEN, Keeping, keep
from blockchaintracer.lab.store.hashcache import digest_of


def parse_parent(lab: Lab, text: str) -> Link:
    """Read a parent from ``ID:relation``."""
    record_id, colon, relation = text.rpartition(":")
    if not colon:
        raise InputError(f"expected a parent as ID:relation, got {text!r}", hint="For example ID:derived-from.")
    return Link(lab.parse_id(record_id, "parent's record id"), parse_number(relation, Relation))


def record_content(
    lab: Lab,
    kind: Kind,
    path: Path,
    *,
    parents: Sequence[Link] = (),
    keeping: Keeping = OPEN,
    exclude: Collection[str] = (),
    progress: Progress | None = None,
    **described: Any,
) -> Recorded:
    """Record a file or folder as a dataset, model, software or environment. Equal content has the equal manifest."""
    kept = keep(lab, path, keeping, exclude=exclude, progress=progress)
    about = kept.about() | {name: value for name, value in described.items() if value is not None}
    if kept.content:
        about |= {"size": kept.content.size, "cid": kept.stored.cid, "cid_profile": kept.stored.cid_profile}
    if isinstance(kept.content, FolderDigest):
        about |= {"file_count": len(kept.content.files), "executable": executable_of(kept.content, lab.say)}
    manifest = Manifest.of(int(kind), ContentPredicate(**about), kept.subject)
    parents = _with_run(lab, kind, kept.subject, parents, lambda: draft(lab, manifest, parents).id)
    return commit(lab, manifest, parents)


def _with_run(
    lab: Lab, kind: int, subject: str, parents: Sequence[Link], id_without: Callable[[], str]
) -> Sequence[Link]:
    """Add the run of this lab that wrote what is recorded: so a retraction of the run reaches it. What was recorded,
    batched or sealed before keeps the run that it names, or none."""
    if any(link.relation == Relation.GENERATED_BY for link in parents) or not (runs := lab.hashes.runs_of(subject)):
        return parents
    for entry in _own_entries(lab, kind, [subject]):
        return [*parents, *(link for link in entry.write.key.parents if link.relation == Relation.GENERATED_BY)]
    # of a chain that was reset nothing is named
    known = next((run for run in runs if lab.outbox.record_ids(lab.domain, run) or lab.holds(run)), None)
    if known is None:
        from blockchaintracer.lab.seals import sealed_keys

        is_sealed = any(runs[0] == record for record, _ in sealed_keys(lab.home))
        if hint := batch_hint(lab, runs[0]) or (f"`blockchaintracer reveal {runs[0]}` first." if is_sealed else ""):
            lab.say(f"The run {runs[0]} wrote it, and this record cannot name the run yet. {hint}")
    if known is None or (lab.committer and lab.holds(id_without())):
        return parents
    return [*parents, Link(known, Relation.GENERATED_BY)]


def executable_of(folder: FolderDigest, say: Callable[[str], None] = lambda message: None) -> tuple[str, ...] | None:
    """List the executable files of a folder for its manifest. Returns None if there are none or too many to list (the
    user is told)."""
    if folder.executable and not can_list(folder.executable):
        say(
            f"{len(folder.executable)} of {len(folder.files)} files are executable, too many to list in a manifest: "
            "which ones is not recorded. Put the folder into one archive file if it matters."
        )
        return None
    return folder.executable or None


def record_document(
    lab: Lab,
    kind: int,
    path: Path,
    *,
    parents: Sequence[Link] = (),
    keeping: Keeping = OPEN,
    progress: Progress | None = None,
    **described: Any,
) -> Recorded:
    """Record a file or folder as a result, plan, document, deployment or one of the lab's own kinds."""
    kept = keep(lab, path, keeping, progress=progress)
    about = kept.about() | {name: value for name, value in described.items() if value is not None}

    def made(named: Iterable[Link]) -> tuple[Manifest, tuple[Link, ...]]:
        return _document(kind, kept.subject, named, **about)

    return commit(lab, *made(_with_run(lab, kind, kept.subject, parents, lambda: draft(lab, *made(parents)).id)))


def commit_document(lab: Lab, kind: int, subject: str | None, parents: Iterable[Link] = (), **fields: Any) -> Recorded:
    """Record what is in the store already, or has an identifier, as a result, plan, document or deployment."""
    return commit(lab, *_document(kind, subject, parents, **fields))


def _document(
    kind: int, subject: str | None, parents: Iterable[Link], **fields: Any
) -> tuple[Manifest, tuple[Link, ...]]:
    document = RecordPredicate(**fields, parents=named_parents(parents))
    return Manifest.of(kind, document, subject), document.links()


def record_path(
    lab: Lab, kind: int, path: Path, *, name: str | None = None, keeping: Keeping = OPEN, **more: Any
) -> Recorded:
    """Record a file or folder under any kind but run and reference."""
    if kind in (Kind.RUN, Kind.REFERENCE):
        raise InputError(f"expected a kind that a file or folder can have, got {label(kind, Kind)}")
    if name and name != path.name and path.is_file() and not keeping.recipients_for(path):
        more.setdefault("file_name", escaped_path(path.name))
    if kind in CONTENT_KINDS:
        return record_content(lab, Kind(kind), path, name=name, keeping=keeping, **more)
    # the name of what is encrypted is public only if the person gives one
    name = name or (CONTENT_NAME if keeping.recipients_for(path) else path.name)
    return record_document(lab, kind, path, name=name, keeping=keeping, **more)


def used_record(lab: Lab, kind: int, path: Path, *, keeping: Keeping = OPEN, **more: Any) -> Recorded:
    """Return the lab's record of something that a run read; what has no record is recorded now.

    If `keeping` says neither to whom it's encrypted nor that it goes into the open, an encrypted record will do, too.
    """
    recipients = keeping.recipients_for(path)
    known = known_record(lab, kind, path, recipients if recipients or keeping.in_the_open else None)
    return known or record_path(lab, kind, path, keeping=keeping, **more)


@contextmanager
def as_logged(lab: Lab, path: Path, digest: str | None) -> Iterator[Path]:
    """Give what a path had when it was logged: itself, or if it has changed, a copy from the store.

    Args:
        digest: of what was kept then; None if nothing was.

    Raises:
        StoreError: if it has changed, and the store has no copy.
    """
    if digest is None or (path.exists() and digest_of(lab.hashes, path).sha256 == digest):
        yield path
        return
    with TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        copy = Path(scratch, path.name)
        if path.is_dir():
            lab.store.restore_folder(digest, copy)
        else:
            lab.store.export(digest, copy)
        yield copy


def known_record(lab: Lab, kind: int, path: Path, recipients: Sequence[str] | None = None) -> Recorded | None:
    """Return the lab's own latest record of this content under this kind and for this group, or None.

    Its name and description may differ: what a run read is a matter of bytes, and of which files may be executed.
    Encrypted records count too, so that content isn't recorded in the open by and by.

    Args:
        recipients: only what was encrypted to these, or if there are none what is in the open; None for any.
    """
    content = digest_of(lab.hashes, path)
    subjects = set() if recipients else {content.sha256}
    if recipients is None or recipients:
        subjects |= kept_commitments(lab, content.sha256, recipients or ())
    for entry in _own_entries(lab, kind, subjects):
        predicate = parse_manifest(lab.store.get_bytes(entry.write.key.manifest)).predicate
        if (
            isinstance(content, FolderDigest)
            and isinstance(predicate, ContentPredicate)
            and predicate.subject_type == "folder"
            and predicate.executable != executable_of(content)
        ):
            # a repeated run would be given other programs than are in the folder
            continue
        return existing_record(lab, entry)
    return None


def _own_entries(lab: Lab, kind: int, subjects: Iterable[str]) -> list[Entry]:
    """List the signer's own records of a kind for its group that have one of these subjects, the newest first."""
    mine = (kind, lab.group(Role.RECORDER), lab.signer.address.lower())
    entries = reversed(lab.outbox.entries_of(lab.domain, subjects))
    return [entry for entry in entries if (entry.write.key.kind, entry.write.key.group, entry.write.key.author) == mine]


def record_run(lab: Lab, run: RunPredicate) -> Recorded:
    """Record a run. Its subject is the SHA-256 of its own id, which it has from its start."""
    return commit(lab, Manifest.of(Kind.RUN, run), run.links())


def record_reference(lab: Lab, foreign: GlobalId) -> Recorded:
    """Record a reference to a record of another registry, which a run here can name as reproduced."""
    reference = ReferencePredicate(
        name=str(foreign),
        chain_id=str(foreign.chain_id),
        registry=foreign.registry.lower(),
        record_id=foreign.record_id,
    )
    return commit(lab, Manifest.of(Kind.REFERENCE, reference), ())


def named_parents(parents: Iterable[Link]) -> tuple[Parent, ...]:
    """Return parents as a manifest names them."""
    return tuple(Parent(record=link.parent, relation=int(link.relation)) for link in parents)


def not_before(lab: Lab) -> NotBefore | None:
    """Return the newest final block, whose hash nobody knew much earlier; None if the chain is unavailable or names no
    final block."""
    try:
        block, _ = final_block(lab.chain)
    except ChainUnavailable:
        return None
    if block is None:
        return None
    return NotBefore(
        chain_id=str(lab.chain_id),
        block_number=str(block.number),
        block_hash=block.hash,
        timestamp=str(block.timestamp),
    )
