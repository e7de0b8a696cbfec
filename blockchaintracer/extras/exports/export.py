"""One record in one format, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from blockchaintracer.core.digest import Progress
from blockchaintracer.core.errors import InputError, StoreError
from blockchaintracer.extras.exports import codemeta, crate, croissant, dsse, provenance
from blockchaintracer.extras.exports.export_facts import ExportFacts, gather_export
from blockchaintracer.extras.exports.exported_files import Content, listing
from blockchaintracer.lab.files import placing, write_whole
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.plain_text import CIPHERTEXT

Bytes = Callable[[ExportFacts, Content], bytes]
FORMATS: dict[str, Bytes | None] = {
    "ro-crate": None,
    "prov-json": provenance.json_bytes,
    "prov-n": provenance.notation,
    "in-toto": lambda facts, _: dsse.statement(facts),
    "dsse": lambda facts, _: dsse.envelope(facts),
    "croissant": croissant.metadata,
    "codemeta": codemeta.codemeta,
    "sha256sums": lambda _, content: listing(content.files),
}
"""By name; None for a folder."""


@dataclass(frozen=True)
class ExportedRecord:
    """A record in another format."""

    record: str
    format: str
    path: Path
    notes: tuple[str, ...]


def export(
    lab: Lab,
    record_id: str,
    form: str,
    target: Path,
    *,
    sign_with: Path | None = None,
    with_files: bool = False,
    sources: Sequence[str] = (),
    progress: Progress | None = None,
) -> ExportedRecord:
    """Write a record in a format.

    Args:
        target: a file; for ``ro-crate`` a folder that doesn't exist or is empty.
        sign_with: for ``dsse``, a PEM file with an Ed25519 or ECDSA key.
        with_files: for ``sha256sums``, also writes the files beside it; ``croissant`` always has them.

    Raises:
        InputError: if the format is unknown or not for this kind of record, or the target is taken.
        NotVerified: if the record did not verify: nothing is made of it.
        StoreError, ChainUnavailable: as `gather_export`.
    """
    if form not in FORMATS:
        raise InputError(f"expected a format of {', '.join(FORMATS)}, got {form!r}")
    if sign_with is not None and form != "dsse":
        raise InputError(f"expected a signing key for dsse alone, got one for {form}")
    if with_files and form != "sha256sums":
        raise InputError(f"expected --with-files for sha256sums alone, got it for {form}")
    facts = gather_export(lab, record_id, sources=sources, progress=progress)
    content = Content.of(facts)
    notes = [f"no whole copy of {file.path} was found: it is named by its SHA-256 alone" for file in content.missing]
    notes += [f"{file.path} is {CIPHERTEXT}" for file in content.files if file.encrypted]
    make = FORMATS[form]
    if form == "dsse" and sign_with is None:
        notes.append("it has no signature: what vouches for it is the record on the chain, not this file")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if make is None:
            with placing(target, over_empty=True) as folder:
                crate.write_crate(facts, content, folder)
        else:
            data = make(facts, content) if sign_with is None else dsse.envelope(facts, sign_with)
            write_whole(target, data, 0o666)
    except OSError as error:
        raise StoreError(f"can't write {target}: {error.strerror}") from error
    if with_files or form == "croissant":
        for file in content.files:
            if file not in content.missing:
                content.copy(file, target.parent)
    return ExportedRecord(facts.asked.id, form, target, tuple(notes))
