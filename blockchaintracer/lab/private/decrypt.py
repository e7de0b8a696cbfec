"""Decrypting what was recorded encrypted, and checking it against the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from blockchaintracer.core.digest import Progress
from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.formats import UnknownVersion
from blockchaintracer.core.manifest import MAX_BYTES, Artifact, Encrypted, Manifest, RunPredicate
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lookup import read_manifest, required_record
from blockchaintracer.lab.private.age import decrypt
from blockchaintracer.lab.private.encrypt import note_hidden
from blockchaintracer.lab.private.field_tree import Context, FieldTree
from blockchaintracer.lab.private.sealed_content import OPENING_LIMIT, ContentOpening, decrypt_content
from blockchaintracer.lab.store.hashcache import digest_of
from blockchaintracer.lab.store.store import FETCH_LIMIT

_PRIVATE_LIMIT = 4 << 20


@dataclass(frozen=True)
class Decrypted:
    """A file or folder that was decrypted, and is what was committed to."""

    record_id: str
    path: str
    subject_type: str
    sha256: str
    name: str


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
    """Decrypt the content of a record, or an output of a run, to a new file or folder, and check it with the record.

    Args:
        output: path of a run's output, with or without ``.age``.
        identities: that may open it (`EncryptionKeys.identities`).

    Raises:
        InputError: if there is nothing encrypted, or something at `target`.
        NotVerified: if no identity opens it, or it is not what was committed to: then nothing is written.
        StoreError, ChainUnavailable: if no copy can be fetched.
    """
    record, manifest = _found(lab, record_id, sources)
    artifact, encrypted = _encrypted(record, manifest, output)
    lab.store.fetch(encrypted.opening.sha256, sources, OPENING_LIMIT)
    data = decrypt(lab.store.get_bytes(encrypted.opening.sha256, OPENING_LIMIT), identities)
    if sha256(data).hexdigest() != encrypted.commitment:
        raise NotVerified("what was decrypted does not open the commitment of the record")
    try:
        opening = ContentOpening.from_bytes(data)
    except UnknownVersion:
        raise
    except InputError as error:
        raise NotVerified(error.message) from None
    context = Context.of(lab.domain, record.key.group, record.key.author)
    if opening.context != context or opening.subject_type != encrypted.subject_type:
        raise NotVerified("the commitment binds another record's author, group, registry or chain: it was copied")
    lab.store.fetch(artifact.sha256, sources, min(artifact.size, FETCH_LIMIT))
    with lab.store.path_of(artifact.sha256).open("rb") as source:
        decrypt_content(source, opening, target, identities, progress)
    note_hidden(lab.home, digest_of(lab.hashes, target))
    return Decrypted(record.id, str(target), opening.subject_type, opening.sha256, opening.name)


def decrypt_private(
    lab: Lab, record_id: str, identities: Sequence[Any] = (), sources: Sequence[str] = ()
) -> dict[str, Any]:
    """Decrypt the private values of a run and check them with the record's root."""
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
    except UnknownVersion:
        raise
    except InputError as error:
        raise NotVerified(error.message) from None
    # the root is computed of what is as large as the record says, and of nothing else
    context = Context.of(lab.domain, record.key.group, record.key.author)
    bound = (tree.context, tree.subject, tree.leaves) == (context, record.key.subject, private.leaves)
    if not bound or tree.root != private.root:
        raise NotVerified("what was decrypted does not lead to the root of the record's private values")
    return {opening.field: opening.value for opening in tree.openings}


def _found(lab: Lab, record_id: str, sources: Sequence[str]) -> tuple[RecordView, Manifest]:
    record = required_record(lab, record_id)
    lab.store.fetch(record.key.manifest, sources, MAX_BYTES)
    return record, read_manifest(lab.store, record)


def _encrypted(record: RecordView, manifest: Manifest, output: str | None) -> tuple[Artifact, Encrypted]:
    predicate = manifest.predicate
    if isinstance(predicate, RunPredicate):
        outputs = [output for output in predicate.outputs if output.encrypted]
        hidden = {output.artifact.path: (output.artifact, output.encrypted) for output in outputs}
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
            f"the content of record {record.id} is not encrypted" if output is None else "it has no outputs"
        )
    return artifact, encrypted
