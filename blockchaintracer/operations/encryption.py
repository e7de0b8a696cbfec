"""What is recorded encrypted: the ciphertext alone is kept, and what it is bound to; who has a key opens it again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from blockchaintracer.capture.git import GitState, held_by_git
from blockchaintracer.chain import RecordedEvent
from blockchaintracer.digest import Progress, digest_bytes, digest_folder
from blockchaintracer.errors import BlockchainTracerError, InputError, NotVerified, StoreError
from blockchaintracer.files import write_whole
from blockchaintracer.manifest import MAX_BYTES, Artifact, Encrypted, Manifest, RunPredicate
from blockchaintracer.manifest.base import Part, canonical, parse_json
from blockchaintracer.manifest.predicates import Digest
from blockchaintracer.model import Role
from blockchaintracer.operations.lab import Lab
from blockchaintracer.operations.publish import read_manifest
from blockchaintracer.operations.verdicts import required_record
from blockchaintracer.outbox import Record
from blockchaintracer.privacy.age import decrypt, encrypt, recipient_of
from blockchaintracer.privacy.commitments import Context, FieldTree, new_salt
from blockchaintracer.privacy.contents import OPENING_LIMIT, ContentOpening, decrypt_content, encrypt_content
from blockchaintracer.privacy.identities import EncryptionKeys

CONTENT_NAME = "content"
"""What encrypted content is called where its own name is no part of the record."""

_PRIVATE_LIMIT = 4 << 20
_KEPT_LIMIT = 1 << 20


class KeptContent(Part):
    """What the lab remembers of something that it encrypted, in its own folder alone.

    Args:
        sha256: of the content in the open.
        chain_id, registry, group, author: whom the commitment binds.
        artifact, encrypted: what a manifest says of it.
        recipients: as `recipients_of` gives them.
    """

    sha256: Digest
    chain_id: str
    registry: str
    group: int
    author: str
    artifact: Artifact
    encrypted: Encrypted
    recipients: Annotated[tuple[str, ...], Field(strict=False)]

    @property
    def context(self) -> Context:
        """Whom the commitment binds."""
        return Context(self.chain_id, self.registry, self.group, self.author)

    def called(self, path: str) -> dict[str, Any]:
        """``artifact`` and ``encrypted`` of a manifest that names the content by a path, which is public."""
        opening = self.encrypted.opening.model_copy(update={"path": f"{path}.opening.age"})
        return {
            "artifact": self.artifact.model_copy(update={"path": f"{path}.age"}),
            "encrypted": self.encrypted.model_copy(update={"opening": opening}),
        }


@dataclass(frozen=True)
class Decrypted:
    """A file or folder that was decrypted, and is what was committed to.

    Args:
        subject_type: ``file`` or ``folder``.
        sha256: of what is at `path` now.
        name: what its author called it.
    """

    record_id: str
    path: str
    subject_type: str
    sha256: str
    name: str


def context_of(lab: Lab) -> Context:
    """Whom a commitment that the lab makes now binds."""
    return Context.of(lab.domain, lab.group(Role.RECORDER), lab.signer.address)


def recipients_of(lab: Lab, given: Sequence[str]) -> tuple[str, ...]:
    """Recipients, each once and sorted, from what people give: ``age1…``, a line of an SSH public key, the name of an
    encryption key of this lab, or a file with one a line (as ``age -R`` takes it).

    Raises:
        InputError: naming what is none of these.
    """
    found: set[str] = set()
    keys = EncryptionKeys(lab.home)
    names = keys.names() if given else []
    for text in given:
        if text in names:
            found.add(keys.recipient(text))
        elif os.path.isfile(text):
            found.update(_listed(Path(text)))
        else:
            found.add(_one(text))
    return tuple(sorted(found))


def _listed(file: Path) -> Iterator[str]:
    try:
        lines = [line.strip() for line in file.read_text().splitlines()]
    except (OSError, ValueError) as error:
        raise InputError(f"expected recipients in {file}, one a line: {type(error).__name__}") from None
    wanted = [line for line in lines if line and not line.startswith("#")]
    if not wanted:
        raise InputError(f"expected recipients in {file}, one a line, got none")
    yield from map(_one, wanted)


def _one(text: str) -> str:
    """A recipient as it's compared and kept: an SSH key without its comment, which may name a person."""
    recipient_of(text)
    return " ".join(text.split()[:2])


def keep_encrypted(
    lab: Lab,
    path: Path,
    recipients: Sequence[str],
    *,
    exclude: Collection[str] = (),
    progress: Progress | None = None,
) -> KeptContent:
    """Keeps a file or folder encrypted, and not in the open. The same content for the same recipients is kept once.

    Args:
        recipients: as `recipients_of` gives them.
        exclude: names of files and folders in a folder to leave out.

    Raises:
        InputError: if it can't be read, or a recipient is none.
        StoreError: if it can't be kept.
    """
    context = context_of(lab)
    digest = _digest(lab, path, exclude, progress)
    about = {**context.as_json(), "sha256": digest, "name": path.name, "recipients": [*recipients]}
    place = lab.home.private / f"{digest}.{sha256(canonical(about)).hexdigest()}.content.json"
    known = _read(place) if place.exists() else None
    if known and all(lab.store.has(one.sha256) for one in (known.artifact, known.encrypted.opening)):
        return known
    with tempfile.TemporaryDirectory(prefix="encrypting-", dir=lab.home.path) as scratch:
        file = Path(scratch, "content.age")
        with file.open("xb") as target:
            subject_type, actual = encrypt_content(path, target, recipients, exclude=exclude, progress=progress)
        if actual != digest:
            raise InputError(f"{path} changed while it was read", hint="Try again once nothing writes to it.")
        opening = ContentOpening(context, subject_type, digest, path.name, new_salt())
        hidden = encrypt(opening.to_bytes(), recipients)
        kept = KeptContent(
            sha256=digest,
            chain_id=context.chain_id,
            registry=context.registry,
            group=context.group,
            author=context.author,
            recipients=tuple(recipients),
            artifact=Artifact.of(f"{CONTENT_NAME}.age", lab.store.put_file(file)),
            encrypted=Encrypted(
                subject_type=subject_type,
                commitment=opening.commitment,
                opening=Artifact.of(f"{CONTENT_NAME}.opening.age", digest_bytes(hidden)),
            ),
        )
    lab.store.put_bytes(hidden)
    try:
        write_whole(place, canonical(kept.to_json()))
    except OSError as error:
        raise StoreError(f"what was encrypted can't be noted in {place}: {error.strerror}") from None
    return kept


def kept_contents(lab: Lab, digest: str) -> list[KeptContent]:
    """What this lab encrypted that has a digest (64 hex digits) in the open, for whatever signer and group."""
    return [*map(_read, lab.home.private.glob(f"{digest}.*.content.json"))]


def kept_commitments(lab: Lab, digest: str, recipients: Sequence[str] = ()) -> set[str]:
    """The commitments that this lab made for its signer and group to content of a digest (64 hex digits).

    Args:
        recipients: those alone that were encrypted to these; to whomever if not said.
    """
    return {
        kept.encrypted.commitment
        for kept in kept_contents(lab, digest)
        if kept.context == context_of(lab) and (not recipients or kept.recipients == tuple(recipients))
    }


def require_never_hidden(lab: Lab, path: Path, exclude: Collection[str] = ()) -> None:
    """Refuses to record in the open what this lab has encrypted: its digest would be public from then on.

    Raises:
        InputError: naming it, unless the lab recorded it in the open, too.
    """
    if next(lab.home.private.glob("*.content.json"), None) is None:
        return
    digest = _digest(lab, path, exclude, None)
    if kept_contents(lab, digest) and not _is_open(lab, digest):
        raise InputError(
            f"{path} was recorded encrypted before, and now it would be in the open",
            hint="Encrypt it again (--encrypt-to, encrypt_to=), or publish it for good by `record --in-the-open`.",
        )


def _is_open(lab: Lab, digest: str) -> bool:
    entries = lab.outbox.entries(lab.chain_id)
    return any(isinstance(entry.write, Record) and entry.write.key.subject == digest for entry in entries)


def keep_private_encrypted(lab: Lab, tree: FieldTree, recipients: Sequence[str]) -> Artifact:
    """Keeps a run's private values and salts for those that they are encrypted to."""
    hidden = encrypt(canonical(tree.as_json()), recipients)
    lab.store.put_bytes(hidden)
    return Artifact.of("private.age", digest_bytes(hidden))


def require_apart(git: GitState | None, paths: Iterable[Path]) -> None:
    """Refuses to encrypt what the recorded code holds in the open: the commit and the difference are published.

    Raises:
        InputError: naming the files.
    """
    if not git:
        return
    if held := held_by_git(git, paths):
        named = ", ".join(held[:5]) + (" and more" if len(held) > 5 else "")
        raise InputError(
            f"expected files outside of the recorded code to encrypt, got {named}: git has the content in the open",
            hint="Take it out of the repository (`git rm --cached`, .gitignore) and commit, or keep it elsewhere.",
        )


def decrypt_record(
    lab: Lab,
    record_id: str,
    target: Path,
    *,
    output: str | None = None,
    identities: Sequence[Any] = (),
    sources: Sequence[str] = (),
    progress: Progress | None = None,
) -> Decrypted:
    """Decrypts what a record is of, or an output of a run, to a new file or folder, and holds it against the record.

    Args:
        target: nothing may be there yet.
        output: path of a run's output, with or without ``.age``.
        identities: that may open it (`EncryptionKeys.identities`).
        sources: where copies may be, as `Store.fetch` takes them.

    Raises:
        InputError: if there is nothing encrypted, or something at `target`.
        NotVerified: if no identity opens it, or it is not what was committed to: then nothing is written.
        StoreError, ChainUnavailable: if a copy isn't to be had.
    """
    record, manifest = _found(lab, record_id, sources)
    artifact, encrypted = _encrypted(record, manifest, output)
    lab.store.fetch(encrypted.opening.sha256, sources, OPENING_LIMIT)
    data = decrypt(lab.store.get_bytes(encrypted.opening.sha256, OPENING_LIMIT), identities)
    if sha256(data).hexdigest() != encrypted.commitment:
        raise NotVerified("what was decrypted does not open the commitment of the record")
    try:
        opening = ContentOpening.from_bytes(data)
    except InputError as error:
        raise NotVerified(error.message) from None
    context = Context.of(lab.domain, record.key.group, record.key.author)
    if opening.context != context or opening.subject_type != encrypted.subject_type:
        raise NotVerified("the commitment binds another record's author, group, registry or chain: it was copied")
    lab.store.fetch(artifact.sha256, sources, artifact.size)
    with lab.store.path_of(artifact.sha256).open("rb") as source:
        decrypt_content(source, opening, target, identities, progress)
    return Decrypted(record.id, str(target), opening.subject_type, opening.sha256, opening.name)


def decrypt_private(
    lab: Lab, record_id: str, identities: Sequence[Any] = (), sources: Sequence[str] = ()
) -> dict[str, Any]:
    """The private values of a run that were encrypted to one of some identities, held against the record's root.

    Raises:
        InputError: if the record has none that are encrypted.
        NotVerified: if no identity opens them, or they are not what was committed to.
    """
    record, manifest = _found(lab, record_id, sources)
    private = manifest.predicate.private if isinstance(manifest.predicate, RunPredicate) else None
    if private is None or private.encrypted is None:
        raise InputError(
            f"record {record.id} has no private values that are encrypted to anyone",
            hint="`blockchaintracer decrypt ID -o FILE` decrypts what a record is of.",
        )
    lab.store.fetch(private.encrypted.sha256, sources, _PRIVATE_LIMIT)
    data = decrypt(lab.store.get_bytes(private.encrypted.sha256, _PRIVATE_LIMIT), identities)
    try:
        tree = FieldTree.from_json(parse_json(data, "private values"))
    except InputError as error:
        raise NotVerified(error.message) from None
    # the root is computed of what is as large as the record says, and of nothing else
    context = Context.of(lab.domain, record.key.group, record.key.author)
    bound = (tree.context, tree.subject, tree.leaves) == (context, record.key.subject, private.leaves)
    if not bound or tree.root != private.root:
        raise NotVerified("what was decrypted does not lead to the root of the record's private values")
    return {one.field: one.value for one in tree.openings}


def _found(lab: Lab, record_id: str, sources: Sequence[str]) -> tuple[RecordedEvent, Manifest]:
    record = required_record(lab, record_id)
    lab.store.fetch(record.key.manifest, sources, MAX_BYTES)
    return record, read_manifest(lab, record)


def _encrypted(record: RecordedEvent, manifest: Manifest, output: str | None) -> tuple[Artifact, Encrypted]:
    predicate = manifest.predicate
    if isinstance(predicate, RunPredicate):
        hidden = {one.artifact.path: (one.artifact, one.encrypted) for one in predicate.outputs if one.encrypted}
        known = ", ".join(path.removesuffix(".age") for path in hidden) or "none"
        if output is None:
            raise InputError(f"expected the name of an output of the run, got none; encrypted are: {known}")
        artifact, encrypted = hidden.get(f"{output}.age") or hidden.get(output) or (None, None)
        if artifact is None or encrypted is None:
            raise InputError(f"expected an encrypted output of the run, got {output!r}; encrypted are: {known}")
        return artifact, encrypted
    artifact, encrypted = getattr(predicate, "artifact", None), getattr(predicate, "encrypted", None)
    if artifact is None or encrypted is None or output is not None:
        raise InputError(
            f"record {record.id} is of nothing that is encrypted" if output is None else "it has no outputs"
        )
    return artifact, encrypted


def _digest(lab: Lab, path: Path, exclude: Collection[str], progress: Progress | None) -> str:
    if not path.exists():
        raise InputError(f"expected a file or folder at {path}, got nothing")
    if not path.is_dir():
        return lab.hashes.digest(path).sha256
    if exclude:
        return digest_folder(path, progress, exclude).sha256
    return lab.hashes.folder(path, progress).sha256


def _read(place: Path) -> KeptContent:
    try:
        with place.open("rb") as file:
            return KeptContent.read(parse_json(file.read(_KEPT_LIMIT), place.name))
    except (OSError, BlockchainTracerError) as error:
        raise StoreError(
            f"expected a note of what was encrypted in {place}: {getattr(error, 'message', error)}",
            hint="Remove it: then the content is encrypted anew when it's recorded.",
        ) from None
