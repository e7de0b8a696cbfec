"""Signatures of models by OpenSSF's `model-signing`, checked by that package against the recorded bytes, and kept as
evidence beside the model's record."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blockchaintracer.core.digest import LISTING_LIMIT, digest_bytes, parse_listing
from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.manifest import Artifact
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.core.record import Kind, Link, Relation, SubjectType
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lookup import required_record
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.recording.content import commit_document

_LIMIT = 64 << 20
_KEY_LIMIT = 1 << 16
_KEY_FILE = "public-key.pem"


@dataclass(frozen=True)
class ModelSignature:
    """A signature that holds over the bytes of a recorded model.

    Args:
        public_key: SHA-256 of the key's file: whose it is, is for the reader to know.
        files: how many files it covers: all that were recorded.
    """

    model: str
    subject: str
    signature: str
    public_key: str
    files: int


def check_signature(
    lab: Lab,
    model_id: str,
    signature: Path,
    public_key: Path,
    *,
    sources: tuple[str, ...] = (),
    record_it: bool = False,
) -> tuple[ModelSignature, Recorded | None]:
    """Check a signature of `model_signing` against a recorded model. The signer need not know of the record.

    Args:
        signature: the Sigstore bundle that `model_signing sign key` wrote.
        public_key: PEM of the elliptic curve key.
        record_it: also record it as a Document that is derived from the model, with the public key attached.
    """
    record = required_record(lab, model_id)
    key = record.key
    if key.subject_type not in (SubjectType.FILE, SubjectType.FOLDER):
        raise InputError(f"expected the record of a file or folder, got {record.id}")
    bundle = read_limited(signature, _LIMIT, "a signature")
    pem = read_limited(public_key, _KEY_LIMIT, "a public key")
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        model = Path(scratch, "model")
        if key.subject_type == SubjectType.FOLDER:
            lab.store.restore_folder(key.subject, model, sources)
            names = {name for name, _ in parse_listing(lab.store.get_bytes(key.subject, LISTING_LIMIT))}
        else:
            lab.store.export(key.subject, model, sources)
            names = {"."}
        # copies: what is checked is what is recorded
        for name, data in (("model.sig", bundle), (_KEY_FILE, pem)):
            Path(scratch, name).write_bytes(data)
        verifying = require("model_signing.verifying", "signatures")
        try:
            # it prints a warning of old signatures, and stdout is for results
            with contextlib.redirect_stdout(io.StringIO()):
                config = verifying.Config().use_elliptic_key_verifier(public_key=Path(scratch, _KEY_FILE))
                config.verify(model, Path(scratch, "model.sig"))
            covered = _covered(bundle)
        except Exception as error:  # the package lets its parsers' and cryptography's own errors through
            reason = str(error).replace(scratch, "")[:500] or type(error).__name__
            raise NotVerified(
                f"the signature does not hold over the bytes of record {record.id}: {reason}",
                hint="Check that it is of this model, with this elliptic curve key.",
            ) from None
    # a signature can leave files out, and holds over the rest
    left_out = sorted(name for name in names if name not in covered) if names != {"."} else []
    if left_out or not covered:
        raise NotVerified(f"the signature does not cover {', '.join(left_out[:5]) or 'anything'} of record {record.id}")
    digests = [hashlib.sha256(data).hexdigest() for data in (bundle, pem)]
    checked = ModelSignature(record.id, key.subject, digests[0], digests[1], len(names))
    if not record_it:
        return checked, None
    for data in (bundle, pem):
        lab.store.put_bytes(data)
    parents = [Link(checked.model, Relation.DERIVED_FROM)]
    about = {"model": checked.model, "subject": checked.subject, "publicKey": checked.public_key}
    recorded = commit_document(
        lab,
        Kind.DOCUMENT,
        checked.signature,
        parents,
        name="model signature",
        subject_type="file",
        values={"modelSignature": about},
        attachments=(Artifact.of(_KEY_FILE, digest_bytes(pem)),),
    )
    return checked, recorded


def _covered(bundle: bytes) -> set[str]:
    """Names of the files in the signed statement. In shards (``name:start:end``) none: model-signing 1.1 can't verify a
    signature over these either."""
    payload = base64.b64decode(parse_json(bundle, "the signature")["dsseEnvelope"]["payload"])
    statement: dict[str, Any] = parse_json(payload, "the signed statement")
    return {str(entry["name"]) for entry in statement["predicate"]["resources"]}
