"""The keys of records in published stores of all kinds: folders, archives of blocks, and addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.formats import RECORD_KEY, read_limited
from blockchaintracer.core.record_key_file import MAX_KEY_FILE_BYTES, KeyFile
from blockchaintracer.core.verify.copies import SourceError
from blockchaintracer.core.verify.published_proofs import content_name, in_folder, parse_key_file, proof_name
from blockchaintracer.lab.store.sources import is_url, public_name, read_source


def read_key_file(path: Path) -> KeyFile:
    """Read a file as `parse_key_file`."""
    return parse_key_file(read_limited(path, MAX_KEY_FILE_BYTES, f"a {RECORD_KEY.name}"), str(path))


def in_source(source: str, digest: str) -> Iterator[tuple[str, Callable[[], bytes | None]]]:
    """List the key files of a source of any kind, as a `Reader`. The names at an address are not known: a record is
    looked up there by its id, and a batched one by its content."""
    if not is_url(source) and not Path(source).is_file():
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
