"""Encrypting files, folders and private values for the store, and the notes of what was ever encrypted."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from blockchaintracer.core.digest import FileDigest, FolderDigest, Progress, digest_bytes
from blockchaintracer.core.errors import BlockchainTracerError, InputError, StoreError
from blockchaintracer.core.formats import UnknownVersion, read_limited
from blockchaintracer.core.manifest import Artifact, Encrypted
from blockchaintracer.core.manifest.base import Part
from blockchaintracer.core.manifest.predicates import Digest
from blockchaintracer.core.plain_json import canonical, parse_json
from blockchaintracer.core.record import Role
from blockchaintracer.lab.files import write_kept
from blockchaintracer.lab.formats import ENCRYPTION_NOTE
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.private.age import encrypt, recipient_of
from blockchaintracer.lab.private.field_tree import Context, new_salt
from blockchaintracer.lab.private.identities import EncryptionKeys
from blockchaintracer.lab.private.sealed_content import ContentOpening, encrypt_content
from blockchaintracer.lab.store.hashcache import digest_of

CONTENT_NAME = "content"
"""What encrypted content is called where its own name is no part of the record."""

_NOTE_LIMIT = 1 << 20
_HIDDEN = "hidden-content"


class EncryptionNote(Part):
    """What the lab remembers of something that it encrypted, in its own folder alone."""

    type_: Annotated[str, AfterValidator(ENCRYPTION_NOTE.checked)] = Field(default=str(ENCRYPTION_NOTE), alias="type")
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
        """Return ``artifact`` and ``encrypted`` of a manifest that names the content by a path, which is public."""
        opening = self.encrypted.opening.model_copy(update={"path": f"{path}.opening.age"})
        return {
            "artifact": self.artifact.model_copy(update={"path": f"{path}.age"}),
            "encrypted": self.encrypted.model_copy(update={"opening": opening}),
        }


def context_of(lab: Lab) -> Context:
    """Return whom a commitment that the lab makes now binds."""
    return Context.of(lab.domain, lab.group(Role.RECORDER), lab.signer.address)


def recipients_of(home: Home, names: Sequence[str]) -> tuple[str, ...]:
    """Resolve what people name as recipients; each recipient once, sorted.

    Args:
        names: ``age1…``, a line of an SSH public key, the name of an encryption key of this lab, or a file with one
            recipient a line (as ``age -R`` takes it).
    """
    recipients: set[str] = set()
    keys = EncryptionKeys(home)
    own = keys.names() if names else []
    for name in names:
        if name in own:
            if new := keys.replaced_by(name):
                raise InputError(
                    f"expected a key to encrypt to, got {name!r}, which was replaced by {new!r}",
                    hint=f"Name {new!r}. To encrypt to the old one in any case, give its recipient, age1….",
                )
            recipients.add(keys.recipient(name))
        elif os.path.isfile(name):
            recipients.update(_listed(Path(name)))
        else:
            recipients.add(_normal(name))
    return tuple(sorted(recipients))


def _listed(file: Path) -> Iterator[str]:
    try:
        lines = [line.strip() for line in read_limited(file, _NOTE_LIMIT, "recipients").decode().splitlines()]
    except ValueError as error:
        raise InputError(f"expected recipients in {file}, one a line: {type(error).__name__}") from None
    recipients = [line for line in lines if line and not line.startswith("#")]
    if not recipients:
        raise InputError(f"expected recipients in {file}, one a line, got none")
    yield from map(_normal, recipients)


def _normal(recipient: str) -> str:
    """Return a recipient as it's compared and kept: an SSH key without its comment, which may name a person."""
    recipient_of(recipient)
    return " ".join(recipient.split()[:2])


def keep_encrypted(
    lab: Lab, path: Path, recipients: Sequence[str], *, exclude: Collection[str] = (), progress: Progress | None = None
) -> EncryptionNote:
    """Put a file or folder into the store, encrypted. The same content for the same recipients is encrypted once."""
    context = context_of(lab)
    content = digest_of(lab.hashes, path, exclude, progress)
    digest = content.sha256
    note_hidden(lab.home, content)
    about = {**context.as_json(), "sha256": digest, "name": path.name, "recipients": [*recipients]}
    place = lab.home.private / f"{digest}.{sha256(canonical(about)).hexdigest()}.content.json"
    known = _read_note(place) if place.exists() else None
    if known and all(lab.store.has(part.sha256) for part in (known.artifact, known.encrypted.opening)):
        return known
    with tempfile.TemporaryDirectory(prefix="encrypting-", dir=lab.home.path) as scratch:
        file = Path(scratch, "content.age")
        with file.open("xb") as target:
            subject_type, actual = encrypt_content(path, target, recipients, exclude=exclude, progress=progress)
        if actual != digest:
            raise InputError(f"{path} changed while it was read", hint="Try again once nothing writes to it.")
        opening = ContentOpening(context, subject_type, digest, path.name, new_salt())
        hidden = encrypt(opening.to_bytes(), recipients)
        note = EncryptionNote(
            sha256=digest,
            **asdict(context),
            recipients=tuple(recipients),
            artifact=Artifact.of(f"{CONTENT_NAME}.age", lab.store.put_file(file)),
            encrypted=Encrypted(
                subject_type=subject_type,
                commitment=opening.commitment,
                opening=Artifact.of(f"{CONTENT_NAME}.opening.age", digest_bytes(hidden)),
            ),
        )
    lab.store.put_bytes(hidden)
    write_kept(place, canonical(note.to_json()), problem=f"the note of what was encrypted can't be written to {place}")
    return note


def kept_commitments(lab: Lab, digest: str, recipients: Sequence[str] = ()) -> set[str]:
    """Return the commitments that this lab made for its signer and group to content of a digest (64 hex digits)."""
    context = context_of(lab)
    return {
        note.encrypted.commitment
        for note in map(_read_note, lab.home.private.glob(f"{digest}.*.content.json"))
        if note.context == context and (not recipients or note.recipients == tuple(recipients))
    }


def note_hidden(home: Home, content: FileDigest | FolderDigest) -> None:
    """Note a file or folder, and each file in it, as content that is not to be shown: what is encrypted or decrypted,
    and run documents with private values."""
    files = content.files if isinstance(content, FolderDigest) else (content,)
    # an empty file says nothing
    new = {file.sha256: file.size for file in files if file.size}
    if isinstance(content, FolderDigest):
        new[content.sha256] = 0
    known = hidden_files(home)
    if lines := "".join(f"{digest} {size}\n" for digest, size in new.items() if digest not in known):
        home.private.mkdir(mode=0o700, exist_ok=True)
        with (home.private / _HIDDEN).open("a") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())


def hidden_files(home: Home) -> dict[str, int]:
    """Return the digest in the open, and the size, of every file that was noted as hidden; 0 for a folder's listing."""
    try:
        lines = (home.private / _HIDDEN).read_text().splitlines()
    except FileNotFoundError:
        return {}
    return {digest: int(size) for digest, _, size in (line.partition(" ") for line in lines) if size.isdigit()}


def encrypted_digests(home: Home) -> set[str]:
    """Return the digests, in the open, of everything that this lab ever hid, for whatever signer and group."""
    return {note.name.partition(".")[0] for note in home.private.glob("*.content.json")} | {*hidden_files(home)}


def _read_note(place: Path) -> EncryptionNote:
    try:
        return EncryptionNote.from_plain(parse_json(read_limited(place, _NOTE_LIMIT, "a note"), place.name))
    except UnknownVersion:
        raise
    except BlockchainTracerError as error:
        raise StoreError(
            f"expected a note of what was encrypted in {place}: {error.message}",
            hint="Remove it: then the content is encrypted anew when it's recorded.",
        ) from None
