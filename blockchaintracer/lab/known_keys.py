"""The keys of records that this lab's folder or a published store holds, for records whose events a node has forgotten:
a key and one read of the registry's state prove a record. The id that is computed from a key says whose it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from blockchaintracer.core.chain.registry import KeySource
from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.formats import RECORD_KEY, read_limited
from blockchaintracer.core.record import Domain, RecordKey, is_one_of, normal_digest
from blockchaintracer.core.record_key_file import MAX_KEY_FILE_BYTES, KeyFile, Proof
from blockchaintracer.core.record_view import Position, RecordView
from blockchaintracer.core.verify.copies import SourceError
from blockchaintracer.core.verify.inclusion import Inclusion
from blockchaintracer.core.verify.published_proofs import (
    content_name,
    in_folder,
    of_files,
    parse_key_file,
    proof_name,
    view_of,
)
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import Entry, Op, Outbox
from blockchaintracer.lab.store.sources import is_url, public_name, read_source

_STORING = (Op.RECORD, Op.RECORD_BY_SIGNATURE, Op.REVEAL, Op.MATERIALIZE)
"""What stores the record that it is about."""


def kept_keys(home: Home, domain: Domain, outbox: Callable[[], Outbox]) -> KeySource:
    """Return the source of what the lab keeps: its outbox, which also knows block and transaction, and batch proofs.
    The outbox is opened when a key is asked for: a program goes on where its disk is full."""

    def known(digest: str) -> Iterator[RecordView | Inclusion]:
        digits = normal_digest(digest)
        yield from outbox().receipts_naming(domain.chain_id, digits)
        for entry in outbox().entries_naming(domain.chain_id, digits):
            for key in entry.write.fields.values():
                if isinstance(key, RecordKey) and is_one_of(digest, domain.record_id(key), key.subject):
                    yield _placed(RecordView(id=domain.record_id(key), key=key), entry)
        yield from map(view_of, proofs_naming(home, domain, digest))

    return known


def proofs_naming(home: Home, domain: Domain, digest: str) -> Iterator[Proof]:
    """List the proofs in this lab's anchored batches of the registry of a record, or of all records of a content."""
    digits = normal_digest(digest).encode()
    for file in sorted(home.batches.glob(f"{domain.chain_id}-{domain.registry}-*/0x*/*.json")):
        is_named = digits in file.stem.encode() or digits in file.read_bytes()
        if is_named and is_one_of(digest, (proof := Proof.read_file(file)).id, proof.key.subject):
            yield proof


def given_keys(files: Iterable[KeyFile]) -> KeySource:
    """Return the source of keys that somebody gives."""
    given = [*files]
    return lambda digest: of_files([file for file in given if is_one_of(digest, file.id, file.key.subject)])


def _placed(record: RecordView, entry: Entry) -> RecordView:
    """Add where the outbox saw the record's own transaction."""
    is_own = entry.write.op in _STORING and entry.write.record_id == record.id
    if not is_own or not entry.is_on_chain or entry.block is None or not entry.transaction:
        return record
    place = Position(entry.block.number)
    return replace(record, transaction=entry.transaction, block_hash=entry.block.hash, position=place, is_own=True)


def read_key_file(path: Path) -> KeyFile:
    """Read a file as `parse_key_file`."""
    return parse_key_file(read_limited(path, MAX_KEY_FILE_BYTES, f"a {RECORD_KEY.name}"), str(path))


def in_source(source: str, digest: str) -> Iterator[tuple[str, Callable[[], bytes | None]]]:
    """List the key files of a source of any kind, as a `Reader`. The names at an address are not known: a record is
    looked up there by its id, and a batched one by its content."""
    if not is_url(source) and not os.path.isfile(source):
        yield from in_folder(source, digest)
        return
    for name in (proof_name(digest), content_name(digest)):
        yield name, partial(_read, source, name)


def _read(source: str, name: str) -> bytes | None:
    data = b""
    try:
        for block in read_source(source, name):
            data += block
            if len(data) > MAX_KEY_FILE_BYTES:
                raise InputError(f"{public_name(source)} gives more than {MAX_KEY_FILE_BYTES} bytes for a proof")
    except SourceError as error:
        if error.unavailable:
            raise ChainUnavailable(f"{public_name(source)} {error}") from None
        if error.wrong:
            raise InputError(f"{public_name(source)} {error}") from None
        return None
    return data
