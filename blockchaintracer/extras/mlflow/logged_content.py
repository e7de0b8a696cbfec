"""What is taken of datasets and models while a program that hands them to MLflow has them in memory: whole-content
digests of datasets, of which MLflow's own reads 10,000 rows at most, and the number of a model's layers and parameters.
"""

from __future__ import annotations

import threading
from functools import wraps
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.mlflow.run_details import size_of_model
from blockchaintracer.lab.datasets import digest_dataset

_COLUMNS = 200
"""So many are named each by itself; the digest is of all."""
_sizes: dict[str, dict[str, int]] = {}
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


def watch_models() -> None:
    """From now on, notes layers and parameters of every model that this process logs to MLflow, by whatever flavor.
    Repeated, the same."""
    from mlflow.models import Model

    given = Model.log.__func__
    if getattr(given, "blockchaintracer", False):
        return

    @wraps(given)
    def noted(of: Any, *arguments: Any, **named: Any) -> Any:
        info = given(of, *arguments, **named)
        # a flavor passes the model by a name of its own: sk_model, pytorch_model, …
        models = (value for name, value in named.items() if name.endswith("model"))
        found = next((sizes for model in models if (sizes := _size(model))), None)
        if found and (model_id := getattr(info, "model_id", None)):
            with _lock:
                _sizes[model_id] = found
        return info

    noted.blockchaintracer = True  # type: ignore[attr-defined]
    Model.log = classmethod(noted)


def _size(model: Any) -> dict[str, int]:
    try:
        return size_of_model(model)
    except Exception:
        # whatever a stranger's class does when it's asked: a model is logged all the same
        return {}


def size_of(model_id: str) -> dict[str, int]:
    """``layerCount`` and ``parameterCount`` noted of a logged model; nothing if this process didn't log it."""
    with _lock:
        return dict(_sizes.get(model_id, {}))


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
