"""Recording: what is recorded is kept first, then committed to.

The manifest and every artifact are in the lab's store before a transaction is made. An identical record is answered
with the one that is there, and nothing is paid.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from blockchaintracer.digest import FolderDigest, digest_bytes
from blockchaintracer.errors import BlockchainTracerError, ChainUnavailable, InputError
from blockchaintracer.manifest import (
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
from blockchaintracer.model import (
    ForeignRecord,
    Kind,
    Link,
    RecordKey,
    Relation,
    Role,
    checksummed,
    label,
    normal_digest,
)
from blockchaintracer.operations.encryption import CONTENT_NAME, keep_encrypted, kept_commitments, require_never_hidden
from blockchaintracer.operations.lab import Lab, Until, role_problem
from blockchaintracer.outbox import Entry, Record, State

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Recorded:
    """A record of the lab.

    Args:
        id: of the record, 64 hex digits.
        manifest: its digest; `cid` is the same as an IPFS address.
        state: how far it has come: stored (the chain is away), included or final.
        transaction, block, time: where and when (Unix seconds by the chain); None while the chain is away.
        existing: whether it was recorded before and nothing was paid.
    """

    id: str
    kind: str
    name: str | None
    group: int
    author: str
    subject: str
    manifest: str
    cid: str
    registry: str
    chain_id: int
    state: str
    transaction: str | None
    block: int | None
    time: int | None
    existing: bool

    def _repr_html_(self) -> str:
        """What a notebook shows. A name may be a stranger's: it is escaped."""
        from html import escape

        when = "waits for the chain" if self.block is None else f"{self.state}, block {self.block}"
        rows = [("record", self.id), ("state", when), ("author", f"{self.author} for group {self.group}")]
        rows.append(("check it", f"blockchaintracer verify {self.id} --registry {self.registry}"))
        cells = "".join(f"<tr><td>{escape(one)}</td><td><code>{escape(text)}</code></td></tr>" for one, text in rows)
        return f"<b>{escape(f'{self.kind} {self.name or str()}'.strip())}</b><table>{cells}</table>"


def parse_parent(text: str) -> Link:
    """A parent from ``ID:relation``.

    Raises:
        InputError: if it isn't one.
    """
    record_id, colon, relation = text.partition(":")
    if not colon:
        raise InputError(f"expected a parent as ID:relation, got {text!r}", hint="For example ID:derived-from.")
    from blockchaintracer.model import parse_number

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


def require_recorder(lab: Lab) -> None:
    """Tells before any work is done whether the signer may record for the group; nothing, while the chain is away.

    Raises:
        ContractRevert: if it may not.
    """
    try:
        problem = role_problem(lab, lab.group(Role.RECORDER), Role.RECORDER)
    except ChainUnavailable:
        return
    if problem:
        raise problem


@dataclass(frozen=True)
class Draft:
    """A record that nobody is committed to yet.

    Args:
        manifest: what it says.
        key: what it will be identified by.
        id: of the record, 64 hex digits.
    """

    manifest: Manifest
    key: RecordKey
    id: str

    @property
    def name(self) -> str | None:
        """What its manifest calls it."""
        return self.manifest.predicate.name


def draft(lab: Lab, manifest: Manifest, parents: Sequence[Link]) -> Draft:
    """A manifest's record of the signer for the group."""
    key = RecordKey(
        group=lab.group(Role.RECORDER),
        kind=manifest.kind,
        subject_type=int(manifest.subject_type),
        author=lab.signer.address,
        subject=manifest.subject_digest,
        manifest=manifest.digest(),
        parents=tuple(parents),
    )
    return Draft(manifest, key, lab.domain.record_id(key))


def commit(lab: Lab, manifest: Manifest, parents: Sequence[Link]) -> Recorded:
    """Keeps a manifest and commits to it on the chain, or as the lab's committer does; if the chain is away, it waits
    in the outbox.

    Raises:
        ContractRevert: before anything is written, if the signer lacks the role or a parent isn't recorded.
    """
    made = draft(lab, manifest, parents)
    return lab.committer(lab, made) if lab.committer else send(lab, made)


def send(lab: Lab, made: Draft) -> Recorded:
    """Keeps a draft's manifest and records it on the chain, as `commit` does without a committer."""
    data = made.manifest.to_bytes()
    write = Record(lab.domain.registry, made.id, made.key)
    existing = False
    try:
        if not lab.hand_over:
            if lab.outbox.pending(lab.chain_id):
                _flush_what_waits(lab)
            existing = write.is_done(lab.chain)
            if not existing:
                if problem := role_problem(lab, made.key.group, Role.RECORDER):
                    raise problem
                lab.fund_on_devnet()
                write.check(lab.chain, lab.signer.address)
        entry = _keep(lab, write, data)
        if not lab.hand_over:
            [entry] = lab.write(write, check=False)
    except ChainUnavailable as away:
        existing = False
        entry = _keep(lab, write, data)
        lab.say(f"{away.message}\nThe record is kept and waits: `blockchaintracer outbox flush` sends it.")
    return recorded(lab, made, entry, existing)


def _flush_what_waits(lab: Lab) -> None:
    """A parent may be among it. What is refused of it is no reason to refuse what comes now."""
    try:
        lab.flush()
    except ChainUnavailable:
        raise
    except BlockchainTracerError as error:
        lab.say(error.message)


def _keep(lab: Lab, write: Record, manifest: bytes) -> Entry:
    """Captures a record in the outbox, and stores it: from the first on, no end of the process loses it."""
    if not lab.store.has(write.key.manifest):
        lab.outbox.add(lab.chain_id, write, lab.signer.address, manifest)
        lab.outbox.complete(lab.store.put_bytes)
        return lab.outbox.find(lab.chain_id, write)
    return lab.outbox.add(lab.chain_id, write, lab.signer.address)


def reached(lab: Lab, records: Sequence[Recorded], until: Until) -> list[Recorded]:
    """Records of the lab, once they have come that far (see `Lab.reach`).

    Raises:
        ChainUnavailable, ContractRevert: as `Lab.reach`.
    """
    lab.reach(until)
    return [
        replace(one, **progress_of(entry))
        for one in records
        for entry in lab.outbox.of_record(one.id)
        if entry.write.op == Record.op and entry.chain_id == one.chain_id
    ]


def recorded(lab: Lab, made: Draft, entry: Entry, existing: bool) -> Recorded:
    """A draft's record, as the outbox knows it."""
    return Recorded(**described(lab, made), **progress_of(entry), existing=existing)


def described(lab: Lab, made: Draft) -> dict[str, Any]:
    """What a draft tells of its record, whatever becomes of it."""
    key = made.key
    return {
        "id": made.id,
        "kind": label(key.kind, Kind),
        "name": made.name,
        "group": key.group,
        "author": checksummed(key.author),
        "subject": key.subject,
        "manifest": key.manifest,
        "cid": made.manifest.cid(),
        "registry": lab.domain.registry,
        "chain_id": lab.chain_id,
    }


def progress_of(entry: Entry) -> dict[str, Any]:
    """How far a write has come, and where and when it happened."""
    return {
        "state": str(entry.state),
        "transaction": entry.transaction,
        "block": entry.block.number if entry.block else None,
        "time": entry.block.timestamp if entry.block else None,
    }
