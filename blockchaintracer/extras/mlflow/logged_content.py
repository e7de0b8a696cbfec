"""What is taken of datasets and models while a program that logs them has them in memory.

Digests of whole datasets (MLflow's own digest reads 10,000 rows at most), and the number of a model's layers and
parameters.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.mlflow.run_details import size_of_model
from blockchaintracer.lab.datasets import digest_dataset

_COLUMNS = 200
"""So many columns are described. The digest is of all."""
_sizes: dict[str, dict[str, int]] = {}
_contents: dict[tuple[str, str], dict[str, Any]] = {}
_lock = threading.Lock()


def watch_datasets() -> None:
    """Note the content of every dataset that this process logs to MLflow from now on."""
    from mlflow.data.dataset import Dataset

    def note(original: Any, dataset: Any) -> Any:
        entity = original(dataset)
        if content := digest_of(dataset):
            with _lock:
                _contents[entity.name, entity.digest] = content
        return entity

    if watched := _watched(Dataset._to_mlflow_entity, note):
        Dataset._to_mlflow_entity = watched


def watch_models() -> None:
    """Note layers and parameters of every model that this process logs to MLflow from now on, by any flavor."""
    from mlflow.models import Model

    def note(original: Any, of: Any, *arguments: Any, **named: Any) -> Any:
        info = original(of, *arguments, **named)
        # a flavor passes the model by a name of its own: sk_model, pytorch_model, …
        models = (value for name, value in named.items() if name.endswith("model"))
        size = next((size for model in models if (size := _size(model))), None)
        if size and (model_id := getattr(info, "model_id", None)):
            with _lock:
                _sizes[model_id] = size
        return info

    if watched := _watched(Model.log.__func__, note):
        Model.log = classmethod(watched)


def _watched(original: Any, note: Callable[..., Any]) -> Any:
    """Wrap a function of MLflow; None if it is wrapped already."""
    if getattr(original, "blockchaintracer", False):
        return None

    @wraps(original)
    def watched(*arguments: Any, **named: Any) -> Any:
        return note(original, *arguments, **named)

    watched.blockchaintracer = True  # type: ignore[attr-defined]
    return watched


def content_of(name: str, digest: str) -> dict[str, Any] | None:
    """Return the noted content of a dataset, by its name and MLflow's digest; None if this process never had it."""
    with _lock:
        return _contents.get((name, digest))


def size_of(model_id: str) -> dict[str, int]:
    """Return the noted ``layerCount`` and ``parameterCount`` of a logged model; empty if another process logged it."""
    with _lock:
        return dict(_sizes.get(model_id, {}))


def _size(model: Any) -> dict[str, int]:
    try:
        return size_of_model(model)
    except Exception:
        # a model's own class may raise anything: the model is logged all the same
        return {}


def digest_of(dataset: Any) -> dict[str, Any] | None:
    """Digest all that an MLflow dataset, or a table or array, holds.

    Returns:
        by part (``data``, ``features``, ``targets``, …) ``sha256``, ``kind``, ``rows`` and ``columns``, as
        docs/datasets.md explains; None if it holds no table or array that can be digested.
    """
    parts: dict[str, Any] = {}
    for name in ("features", "targets", "predictions"):
        value = getattr(dataset, name, None)
        if isinstance(value, dict):
            parts |= {f"{name}.{key}": item for key, item in value.items()}
        elif value is not None and not isinstance(value, str):
            parts[name] = value
    frame = getattr(dataset, "df", None)
    if frame is not None or not parts:
        parts = {"data": dataset if frame is None else frame}
    return {name: digest for name, value in parts.items() if (digest := _digest(value))} or None


def _digest(value: Any) -> dict[str, Any] | None:
    try:
        digest = digest_dataset(value)
    except InputError:
        return None
    columns = [
        {"name": column.name, "dtype": column.dtype, "sha256": column.sha256} for column in digest.schema[:_COLUMNS]
    ]
    return {"sha256": digest.sha256, "kind": digest.kind, "rows": digest.rows, "columns": columns}
