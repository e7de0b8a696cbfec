"""What is recorded encrypted: the ciphertext alone is kept, and what it is bound to; who has a key opens it again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from blockchaintracer.core.digest import Progress, digest_bytes, digest_folder
from blockchaintracer.core.errors import BlockchainTracerError, InputError, StoreError
from blockchaintracer.core.manifest import Artifact, Encrypted
from blockchaintracer.core.manifest.base import Part, canonical, parse_json
from blockchaintracer.core.manifest.predicates import Digest
from blockchaintracer.core.record import Role
from blockchaintracer.lab.capture.git import GitState, held_by_git
from blockchaintracer.lab.files import write_whole
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Record
from blockchaintracer.lab.private.age import encrypt, recipient_of
from blockchaintracer.lab.private.field_tree import Context, FieldTree, new_salt
from blockchaintracer.lab.private.identities import EncryptionKeys
from blockchaintracer.lab.private.sealed_content import (
    ContentOpening,
    encrypt_content,
)

CONTENT_NAME = "content"
"""What encrypted content is called where its own name is no part of the record."""

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
