"""Datasets of others, recorded by their address: hashed as they come, without a copy unless one is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from blockchaintracer.core.digest import Progress
from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.manifest import ContentPredicate, Manifest
from blockchaintracer.core.record import Kind
from blockchaintracer.core.verify.copies import SourceError
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.commit import commit
from blockchaintracer.lab.recording.keep import require_never_encrypted
from blockchaintracer.lab.store.sources import hub_digest, limited, public_name, read_address
from blockchaintracer.lab.store.store import FETCH_LIMIT, digest_stream

HUB = "hf://"
STREAM_LIMIT = 16 << 40
"""Bytes that are hashed at most as they come: an answer without end is none."""


def record_address(
    lab: Lab, address: str, *, copy: bool = False, private: bool = False, progress: Progress, **described: Any
) -> Recorded:
    """Record the file at an address as a dataset. The address is recorded without user and query.

    Args:
        copy: keep the data in the store. Otherwise they are hashed as they come, and of Hugging Face's hub the SHA-256
            that it has of them is taken, which the record says.
        private: whether it may lead to addresses that are not public.
        described: ``name``, ``license``, ``citation``, ``description``.

    Raises:
        InputError: if it can't be read, or is no address of a file elsewhere.
        ChainUnavailable: if it can't be reached.
    """
    source = public_name(address)
    about = {"name": source.rpartition("/")[2], "source": source} | {k: v for k, v in described.items() if v}
    with _told(address):
        known = hub_digest(address, public=not private) if address.startswith(HUB) and not copy else None
        limit = FETCH_LIMIT if copy else STREAM_LIMIT
        blocks = limited(read_address(address, public=not private), limit, progress=progress)
        if known:
            sha256, size, about["digest_from"] = known
        else:
            digest = lab.store.put_stream(blocks) if copy else digest_stream(blocks)
            sha256, size = digest.sha256, digest.size
            about |= {"cid": digest.cid, "cid_profile": digest.cid_profile}
    require_never_encrypted(lab, Path(source), sha256)
    if not copy:
        lab.hashes.note_place(source, sha256, size=size)
    return commit(lab, Manifest.of(Kind.DATASET, ContentPredicate(subject_type="file", size=size, **about), sha256), ())


def require_readable(address: str, *, private: bool) -> None:
    """Look whether there is a file at an address, before a person is asked about it. As `record_address` raises."""
    with _told(address):
        next(read_address(address, public=not private), None)


@contextmanager
def _told(address: str) -> Iterator[None]:
    source = public_name(address)
    if "::" in address or urlsplit(address).scheme in ("file", "local"):
        raise InputError(f"expected the address of one file elsewhere, got {source}", hint="Name a file by its path.")
    try:
        yield
    except SourceError as error:
        kind = ChainUnavailable if error.unavailable else InputError
        hint = "--allow-local lets it." if "no public address" in str(error) else None
        raise kind(f"{source} {error}", hint=hint) from None
