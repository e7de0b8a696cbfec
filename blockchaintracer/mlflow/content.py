"""Whole-content digests of the datasets that a program hands to MLflow, whose own digest reads 10,000 rows at most.

They are taken while the data are in memory, when MLflow turns a dataset into what it stores.
"""

from __future__ import annotations

import threading
from functools import wraps
from typing import Any

from blockchaintracer.errors import InputError
from blockchaintracer.integrations.datasets import digest_dataset

_COLUMNS = 200
"""So many are named each by itself; the digest is of all."""
_seen: dict[tuple[str, str], dict[str, Any]] = {}
_lock = threading.Lock()


def watch_datasets() -> None:
    """From now on, notes the content of every dataset that is logged to MLflow by this process. Repeated, the same."""
    from mlflow.data.dataset import Dataset

    given = Dataset._to_mlflow_entity
    if getattr(given, "blockchaintracer", False):
        return

    @wraps(given)
    def noted(dataset: Any) -> Any:
        entity = given(dataset)
        found = digest_of(dataset)
        if found:
            with _lock:
                _seen[entity.name, entity.digest] = found
        return entity

    noted.blockchaintracer = True  # type: ignore[attr-defined]
    Dataset._to_mlflow_entity = noted


def content_of(name: str, digest: str) -> dict[str, Any] | None:
    """What was noted of a dataset by its name and MLflow's digest; None if this process never had it."""
    with _lock:
        return _seen.get((name, digest))


def digest_of(dataset: Any) -> dict[str, Any] | None:
    """Digest, types and shape of all that an MLflow dataset, or a table or array, holds.

    Returns:
        by part (``data``, ``features``, ``targets``, …) ``sha256``, ``kind``, ``rows`` and ``columns``, as
        docs/datasets.md explains; None where it holds no table or array that can be digested.
    """
    parts: dict[str, Any] = {}
    for name in ("features", "targets", "predictions"):
        value = getattr(dataset, name, None)
        if value is not None and not isinstance(value, str):
            parts |= (
                {f"{name}.{key}": item for key, item in value.items()} if isinstance(value, dict) else {name: value}
            )
    frame = getattr(dataset, "df", None)
    if frame is not None:
        parts = {"data": frame}
    elif not parts:
        parts = {"data": dataset}
    found = {name: told for name, value in parts.items() if (told := _digest(value))}
    return found or None


def _digest(value: Any) -> dict[str, Any] | None:
    try:
        digest = digest_dataset(value)
    except InputError:
        return None
    columns = [{"name": one.name, "dtype": one.dtype, "sha256": one.sha256} for one in digest.schema[:_COLUMNS]]
    return {"sha256": digest.sha256, "kind": digest.kind, "rows": digest.rows, "columns": columns}
