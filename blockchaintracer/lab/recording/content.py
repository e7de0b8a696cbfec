"""Recording: what is recorded is kept first, then committed to.

The manifest and every artifact are in the lab's store before a transaction is made. An identical record is answered
with the one that is there, and nothing is paid.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from blockchaintracer.core.digest import FolderDigest, digest_bytes
from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.manifest import (
    CONTENT_KINDS,
    ContentPredicate,
    Manifest,
    NotBefore,
    Parent,
    Predicate,
    RecordPredicate,
    ReferencePredicate,
    RunPredicate,
    can_list,
    parse_manifest,
)
from blockchaintracer.core.record import (
    ForeignRecord,
    Kind,
    Link,
    Relation,
    Role,
    label,
    normal_digest,
)
from blockchaintracer.lab.drafts import Draft, Progress, Recorded
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Record, State
from blockchaintracer.lab.private.encrypt import CONTENT_NAME, keep_encrypted, kept_commitments, require_never_hidden
from blockchaintracer.lab.recording.commit import commit, recorded


def parse_parent(text: str) -> Link:
    """A parent from ``ID:relation``.

    Raises:
        InputError: if it isn't one.
    """
    record_id, colon, relation = text.partition(":")
    if not colon:
        raise InputError(f"expected a parent as ID:relation, got {text!r}", hint="For example ID:derived-from.")
    from blockchaintracer.core.record import parse_number

    return Link(normal_digest(record_id, "parent's record id"), parse_number(relation, Relation))


def record_content(
    lab: Lab,
    kind: Kind,
    path: Path,
    *,
    parents: Sequence[Link] = (),
    exclude: Collection[str] = (),
    progress: Progress | None = None,
    encrypt_to: Sequence[str] = (),
    in_the_open: bool = False,
    **described: Any,
) -> Recorded:
    """Records a file or folder as a dataset, model, software or environment. Equal content has the equal manifest.

    Args:
        kind: one of the four.
        path: read once, hashed and kept.
        exclude: names of files and folders inside `path` to leave out.
        encrypt_to: recipients (`recipients_of`): then the content is recorded and kept encrypted.
        in_the_open: also if it was encrypted before.
        described: ``name``, ``version``, ``description``, ``license``, ``source``, ``framework``.
    """
    given = {name: value for name, value in described.items() if value is not None}
    if not (encrypt_to or in_the_open):
        require_never_hidden(lab, path, exclude)
    if encrypt_to:
        hidden = keep_encrypted(lab, path, encrypt_to, exclude=exclude, progress=progress)
        subject = hidden.encrypted.commitment
        content = ContentPredicate(subject_type="commitment", **hidden.called(CONTENT_NAME), **given)
    elif path.is_dir():
        folder = lab.store.put_folder(path, progress, exclude)
        subject = folder.sha256
        listing = digest_bytes(folder.listing)
        content = ContentPredicate(
            subject_type="folder",
            size=folder.size,
            cid=listing.cid,
            cid_profile=listing.cid_profile,
            file_count=len(folder.files),
            executable=executable_of(folder, lab.say),
            **given,
        )
    else:
        file = lab.store.put_file(path, progress=progress)
        subject = file.sha256
        content = ContentPredicate(
            subject_type="file", size=file.size, cid=file.cid, cid_profile=file.cid_profile, **given
        )
    return commit(lab, Manifest.of(int(kind), content, subject), parents)


def executable_of(folder: FolderDigest, say: Callable[[str], None] = lambda message: None) -> tuple[str, ...] | None:
    """The files of a folder that their owner may execute, as a manifest lists them; None if it can't, which is said, or
    there are none."""
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
    name: str,
    values: dict[str, Any] | None = None,
    parents: Sequence[Link] = (),
    description: str | None = None,
    not_before: NotBefore | None = None,
    progress: Progress | None = None,
    encrypt_to: Sequence[str] = (),
    in_the_open: bool = False,
) -> Recorded:
    """Records a file or folder as a result, plan, document, deployment or one of the lab's own kinds.

    Args:
        encrypt_to: recipients (`recipients_of`): then it's recorded and kept encrypted.
        in_the_open: also if it was encrypted before.
    """
    if not (encrypt_to or in_the_open):
        require_never_hidden(lab, path)
    about: dict[str, Any]
    if encrypt_to:
        hidden = keep_encrypted(lab, path, encrypt_to, progress=progress)
        subject, about = hidden.encrypted.commitment, {"subject_type": "commitment", **hidden.called(CONTENT_NAME)}
    elif path.is_dir():
        subject, about = lab.store.put_folder(path, progress).sha256, {"subject_type": "folder"}
    else:
        subject, about = lab.store.put_file(path, progress=progress).sha256, {"subject_type": "file"}
    document = RecordPredicate(
        name=name,
        description=description,
        **about,
        values=values or {},
        not_before=not_before,
        parents=named_parents(parents),
    )
    return commit(lab, Manifest.of(kind, document, subject), parents)


def record_path(
    lab: Lab, kind: int, path: Path, *, name: str | None = None, parents: Sequence[Link] = (), **more: Any
) -> Recorded:
    """Records a file or folder under any kind but run and reference."""
    if kind in (Kind.RUN, Kind.REFERENCE):
        raise InputError(f"expected a kind that a file or folder can have, got {label(kind, Kind)}")
    if kind in CONTENT_KINDS:
        return record_content(lab, Kind(kind), path, name=name, parents=parents, **more)
    # the name of what is encrypted is public only if it's said
    called = name or (CONTENT_NAME if more.get("encrypt_to") else path.name)
    return record_document(lab, kind, path, name=called, parents=parents, **more)


def used_record(
    lab: Lab,
    kind: int,
    path: Path,
    *,
    name: str | None = None,
    progress: Progress | None = None,
    encrypt_to: Sequence[str] = (),
    in_the_open: bool = False,
) -> Recorded:
    """The lab's record of something that a run read; what has none is recorded.

    Args:
        encrypt_to, in_the_open: as `record_content`; of neither, a record that is encrypted will do, too.
    """
    wanted = encrypt_to if encrypt_to or in_the_open else None
    if known := known_record(lab, kind, path, wanted):
        return known
    return record_path(lab, kind, path, name=name, progress=progress, encrypt_to=encrypt_to, in_the_open=in_the_open)


def known_record(lab: Lab, kind: int, path: Path, recipients: Sequence[str] | None = None) -> Recorded | None:
    """The lab's own latest record of this content under this kind and for this group; None if there is none.

    Its name and description may be others: what a run read is a matter of bytes, and of which files may be executed.
    What was recorded encrypted is found too, so that it isn't recorded in the open by and by.

    Args:
        recipients: only what was encrypted to these, or if there are none what is in the open; None for any.
    """
    folder = lab.hashes.folder(path) if path.is_dir() else None
    subject = folder.sha256 if folder else lab.hashes.digest(path).sha256
    subjects = set() if recipients else {subject}
    if recipients is None or recipients:
        subjects |= kept_commitments(lab, subject, recipients or ())
    group = lab.group(Role.RECORDER)
    for entry in reversed(lab.outbox.entries(lab.chain_id)):
        write = entry.write
        if not isinstance(write, Record) or write.registry != lab.domain.registry or entry.state is State.FAILED:
            continue
        key = write.key
        mine = (key.kind, key.group, key.author) == (kind, group, lab.signer.address.lower())
        if mine and key.subject in subjects:
            manifest = parse_manifest(lab.store.get_bytes(key.manifest))
            if folder and _has_other_programs(manifest.predicate, folder):
                continue
            return recorded(lab, Draft(manifest, key, write.record_id), entry, existing=True)
    return None


def _has_other_programs(predicate: Predicate, folder: FolderDigest) -> bool:
    """Whether a repeated run would be given other programs than are in the folder."""
    if not isinstance(predicate, ContentPredicate) or predicate.subject_type != "folder":
        return False
    return predicate.executable != executable_of(folder)


def record_run(lab: Lab, run: RunPredicate) -> Recorded:
    """Records a run. Its subject is the SHA-256 of its own id, which it has from its start."""
    return commit(lab, Manifest.of(Kind.RUN, run), run.links())


def record_reference(lab: Lab, foreign: ForeignRecord) -> Recorded:
    """Records a Reference to a record of another registry, which a run here can name as reproduced."""
    reference = ReferencePredicate(
        name=foreign.identifier,
        chain_id=str(foreign.chain_id),
        registry=foreign.registry.lower(),
        record_id=foreign.record_id,
    )
    return commit(lab, Manifest.of(Kind.REFERENCE, reference), ())


def named_parents(parents: Iterable[Link]) -> tuple[Parent, ...]:
    """Parents as a manifest names them."""
    return tuple(Parent(record=link.parent, relation=int(link.relation)) for link in parents)


def not_before(lab: Lab) -> NotBefore | None:
    """The newest final block, whose hash nobody knew much earlier; None if the chain is away or names none."""
    try:
        block = lab.chain.finalized()
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
