"""The keys of records in published stores, ``proofs/ID.json`` beside the objects: with a Merkle path if in a batch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from blockchaintracer.core.batch_proof import Proof
from blockchaintracer.core.chain.registry import KeySource
from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.formats import BATCH_PROOF, RECORD_KEY, read_limited
from blockchaintracer.core.record import Domain, is_one_of, normal_digest, normal_id
from blockchaintracer.core.record_key_file import MAX_KEY_FILE_BYTES, KeyFile
from blockchaintracer.core.verify.copies import SourceError
from blockchaintracer.lab.known_keys import view_of
from blockchaintracer.lab.store.sources import is_url, public_name, read_source

_FOLDER = "proofs"


def proof_name(record_id: str) -> str:
    """Return the name of a record's proof in a published store."""
    return f"{_FOLDER}/{normal_id(record_id)}.json"


def published_proofs(
    domain: Domain, sources: Sequence[str | os.PathLike[str]], digest: str
) -> tuple[list[KeyFile], list[str], list[str]]:
    """Return the key files in published stores of a record id, or of records of a content; what is wrong with others;
    and why a source could not be asked.

    By its content a record is found in folders alone: the names at an address are not known.
    """
    proofs: dict[str, KeyFile] = {}
    problems: list[str] = []
    unavailable: list[str] = []
    for source in [os.fspath(source) for source in sources]:
        try:
            files = [*_read(source, digest)]
        except ChainUnavailable as error:
            unavailable.append(error.message)
            continue
        except (InputError, OSError) as error:
            problems.append(error.message if isinstance(error, InputError) else f"{source}: {error.strerror}")
            continue
        for name, data in files:
            try:
                proof = parse_key_file(data, f"{public_name(source)}/{name}")
            except InputError as error:
                problems.append(error.message)
                continue
            if (proof.chain_id, proof.registry) != (domain.chain_id, domain.registry):
                continue
            if is_one_of(digest, proof.id, proof.key.subject):
                proofs[f"{proof.id} {getattr(proof, 'root', '')}"] = proof
            elif name == proof_name(digest):
                problems.append(f"the proof {public_name(source)}/{name} is of another record, {proof.id}")
    return [*proofs.values()], problems, unavailable


def parse_key_file(data: bytes, path: str) -> KeyFile:
    """Read a key file or the proof of a batched record, of any origin. Messages call it `path`."""
    return (Proof if BATCH_PROOF.prefix.encode() in data else KeyFile).parse(data, path)


def read_key_file(path: Path) -> KeyFile:
    """Read a file as `parse_key_file`."""
    return parse_key_file(read_limited(path, MAX_KEY_FILE_BYTES, f"a {RECORD_KEY.name}"), str(path))


def published_keys(domain: Domain, sources: Sequence[str | os.PathLike[str]]) -> KeySource:
    """Return the source of the keys in published stores. What is wrong with one is told where proofs are looked up."""
    return lambda digest: map(view_of, published_proofs(domain, sources, digest)[0])


def _read(source: str, digest: str) -> Iterator[tuple[str, bytes]]:
    """Read the proofs that may be about a digest."""
    if not is_url(source) and not Path(source).is_file():
        for file in sorted(Path(source, _FOLDER).glob("*.json")):
            if file.is_file() and file.stat().st_size <= MAX_KEY_FILE_BYTES:
                data = read_limited(file, MAX_KEY_FILE_BYTES, "a proof")
                if is_one_of(digest, file.stem) or normal_digest(digest).encode() in data:
                    yield f"{_FOLDER}/{file.name}", data
        return
    data = b""
    try:
        for block in read_source(source, proof_name(digest)):
            data += block
            if len(data) > MAX_KEY_FILE_BYTES:
                raise InputError(f"{public_name(source)} gives more than {MAX_KEY_FILE_BYTES} bytes for a proof")
    except SourceError as error:
        if error.unavailable:
            raise ChainUnavailable(f"{public_name(source)} {error}") from None
        if error.wrong:
            raise InputError(f"{public_name(source)} {error}") from None
        return
    yield proof_name(digest), data
