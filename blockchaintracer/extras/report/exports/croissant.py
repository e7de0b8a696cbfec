"""A dataset in Croissant (MLCommons, version 1.0), by `mlcroissant`."""

from __future__ import annotations

import mimetypes
from datetime import UTC, datetime
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.report.exports.exported_content import Content
from blockchaintracer.extras.report.gather import CIPHERTEXT, Facts
from blockchaintracer.extras.report.render import printable
from blockchaintracer.lab.optional import require

_MAX_FILES = 10_000


def metadata(facts: Facts, content: Content) -> bytes:
    """The dataset's files with their SHA-256.

    Raises:
        InputError: if the record is no dataset of files, or of more than 10,000.
    """
    from blockchaintracer.extras.report.exports.json_text import json_text

    if facts.asked.row.kind != "dataset" or not content.files:
        raise InputError(f"expected a dataset of files, got {facts.asked.row.kind} {facts.asked.row.id}")
    if len(content.files) > _MAX_FILES:
        raise InputError(f"expected a dataset of at most {_MAX_FILES} files, got {len(content.files)}")
    mlc = require("mlcroissant", "exports")
    row, said = facts.asked.row, facts.asked.content
    moment = datetime.fromtimestamp(min(row.time, 253402300799), UTC).replace(tzinfo=None)
    made = mlc.Metadata(
        name=printable(facts.asked.name),
        description=f"{printable(row.description)} Record {row.id}; check it: {facts.verify_with}".strip(),
        url=f"urn:blockchaintracer:record:{row.id}",
        license=[printable(said.license)] if said and said.license else None,
        version=_version(said.version if said else None),
        date_published=moment,
        creators=[mlc.Person(name=row.author, url=f"did:pkh:eip155:{row.chain_id}:{row.author}")],
        cite_as=f"blockchaintracer record {row.id}, registry {row.registry}, chain {row.chain_id}",
        distribution=[_file(mlc, number, file) for number, file in enumerate(content.files)],
    )
    return json_text(made.to_json())


def _file(mlc: Any, number: int, file: Any) -> Any:
    return mlc.FileObject(
        id=f"file-{number}",
        name=file.path,
        description=CIPHERTEXT if file.encrypted else None,
        content_url=file.path,
        content_size=None if file.size is None else f"{file.size} B",
        encoding_formats=[file.media_type or mimetypes.guess_type(file.path)[0] or "application/octet-stream"],
        sha256=file.sha256,
    )


def _version(text: str | None) -> str | None:
    """Croissant takes versions as semver.org writes them."""
    import re

    return text if text and re.fullmatch(r"\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?", text) else None
