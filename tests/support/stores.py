"""Stores of objects, for the tests."""

from collections.abc import Iterable
from pathlib import Path

from blockchaintracer.lab.store.store import Store


def published_store(store: Store, digests: Iterable[str], folder: Path) -> Store:
    """Copy objects to a folder that others may read, as `publish` does; return its store."""
    published = store.published(folder)
    for digest in digests:
        published.take(digest, store)
    return published
