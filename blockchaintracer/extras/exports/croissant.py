"""A dataset in Croissant (MLCommons, version 1.0), by `mlcroissant`."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.exports.export_facts import ExportFacts
from blockchaintracer.extras.exports.exported_files import Content, ExportedFile
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.plain_text import CIPHERTEXT, LATEST, json_text, printable

_MAX_FILES = 10_000
_MAX_TABLES, _MAX_TABLE_BYTES, _MAX_HEAD_BYTES, _MAX_COLUMNS = 100, 1 << 28, 1 << 17, 10_000
_SEPARATORS = {"text/csv": ",", "text/tab-separated-values": "\t"}
_TYPES = {"i": "Integer", "u": "Integer", "f": "Float", "b": "Boolean"}
_VERSION = re.compile(r"\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?")
"""Croissant takes versions as semver.org writes them."""


def metadata(facts: ExportFacts, content: Content) -> bytes:
    """Describe the dataset, its files with their SHA-256, and the columns of its tables."""
    record, dataset = facts.asked.record, facts.asked.content
    if record.kind != "dataset" or not content.files:
        raise InputError(f"expected a dataset of files, got {record.kind} {record.id}")
    if len(content.files) > _MAX_FILES:
        raise InputError(f"expected a dataset of at most {_MAX_FILES} files, got {len(content.files)}")
    mlc = require("mlcroissant", "exports")
    version = dataset.version if dataset else None
    author = record.key.author
    made = mlc.Metadata(
        name=printable(facts.asked.name),
        description=facts.described,
        url=f"urn:blockchaintracer:record:{record.id}",
        license=[printable(dataset.license)] if dataset and dataset.license else None,
        version=version if version and _VERSION.fullmatch(version) else None,
        date_published=datetime.fromtimestamp(min(record.time, LATEST), UTC).replace(tzinfo=None),
        creators=[mlc.Person(name=author, url=f"did:pkh:eip155:{facts.chain_id}:{author}")],
        cite_as=(dataset and dataset.citation and printable(dataset.citation))
        or f"blockchaintracer record {record.id}, registry {facts.registry}, chain {facts.chain_id}",
        distribution=[
            mlc.FileObject(
                id=f"file-{number}",
                name=file.path,
                description=CIPHERTEXT if file.encrypted else None,
                content_url=file.path,
                content_size=None if file.size is None else f"{file.size} B",
                encoding_formats=[file.format],
                sha256=file.sha256,
            )
            for number, file in enumerate(content.files)
        ],
        record_sets=[
            mlc.RecordSet(
                id=f"records-{number}",
                name=file.path,
                fields=[
                    mlc.Field(
                        id=f"records-{number}/{place}",
                        name=column,
                        data_types=[f"https://schema.org/{kind}"],
                        source=mlc.Source(file_object=f"file-{number}", extract=mlc.Extract(column=column)),
                    )
                    for place, (column, kind) in enumerate(columns)
                ],
            )
            for number, file in enumerate(content.files[:_MAX_TABLES])
            if (columns := _columns(file, content))
        ],
    )
    return json_text(made.to_json())


def _columns(file: ExportedFile, content: Content) -> list[tuple[str, str]]:
    """The columns of a table and their types, by the reader that mlcroissant uses; none of what is no table."""
    separator: Any = _SEPARATORS.get(file.format)
    if separator is None or file.encrypted:
        return []
    with content.copies.find_copy(file.sha256) as copy:
        try:
            if copy.path is None or not _is_small(copy.path, separator):
                return []
            table = require("pandas", "exports").read_csv(copy.path, sep=separator, compression=None)
        except (OSError, TypeError, ValueError):
            return []
    return [(name, _TYPES.get(kind.kind, "Text")) for name, kind in table.dtypes.items() if printable(name) == name]


def _is_small(path: Path, separator: str) -> bool:
    """Return whether a table can be read whole. A listing tells no size, a head may have no end, and all rows are
    filled up to the width of the first ones."""
    with path.open("rb") as file:
        head = file.read(_MAX_HEAD_BYTES)
        blocks = chain([head], iter(lambda: file.read(1 << 20), b""))
        lines = sum(max(block.count(b"\n"), block.count(b"\r")) for block in blocks)
        size = file.tell()
    text = io.StringIO(head.decode(errors="replace"), newline=None)
    rows = [row for row in csv.reader(text, delimiter=separator) if len(row) > 1 or "".join(row).strip()]
    columns = max(map(len, rows), default=0)
    # a cell takes a byte
    is_filled = columns <= _MAX_COLUMNS and columns * lines <= size
    return size <= _MAX_TABLE_BYTES and is_filled and (len(rows) > 2 or len(head) == size)
