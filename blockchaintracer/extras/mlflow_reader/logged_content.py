"""What is known of logged datasets and models.

From memory, while a program logs them: digests of whole datasets (MLflow's own digest reads 10,000 rows at most), and
the number of a model's layers and parameters. From a model's files: its framework, flavors, inputs and outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.lab.datasets import digest_dataset
from blockchaintracer.lab.files import entries_below
from blockchaintracer.lab.recording.run_document import MAX_DOCUMENT, parse_yaml

_COLUMNS = 200
"""So many columns are described. The digest is of all."""
noted_sizes: dict[str, dict[str, int]] = {}
"""``layerCount`` and ``parameterCount`` of the models that this process logged, by id."""
noted_contents: dict[tuple[str, str], dict[str, Any]] = {}
"""Content of the datasets that this process logged, by name and MLflow's digest."""


def watch_datasets() -> None:
    """Note the content of every dataset that this process logs to MLflow from now on."""
    from mlflow.data.dataset import Dataset

    def note(original: Any, dataset: Any) -> Any:
        entity = original(dataset)
        if content := digest_of(dataset):
            noted_contents[entity.name, entity.digest] = content
        return entity

    watch(Dataset, "_to_mlflow_entity", note)


def watch_models() -> None:
    """Note layers and parameters of every model that this process logs to MLflow from now on, by any flavor."""
    from mlflow.models import Model

    def note(original: Any, of: Any, *arguments: Any, **named: Any) -> Any:
        info = original(of, *arguments, **named)
        # a flavor passes the model by a name of its own: sk_model, pytorch_model, …
        models = (value for name, value in named.items() if name.endswith("model"))
        size = next((size for model in models if (size := _size(model))), None)
        if size and (model_id := getattr(info, "model_id", None)):
            noted_sizes[model_id] = size
        return info

    watch(Model, "log", note)


def watch_artifacts(logged: Callable[[list[Path]], None]) -> None:
    """Call `logged` with the files that this process writes to a folder of artifacts from now on."""
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    def note(original: Any, repository: Any, *arguments: Any, **named: Any) -> None:
        original(repository, *arguments, **named)
        # what is logged is logged, whatever becomes of it here
        with suppress(Exception):
            _, source, *below = signature(original).bind(repository, *arguments, **named).arguments.values()
            place, root = Path(repository.artifact_dir, *filter(None, below)), Path(source)
            files, root = (map(Path, entries_below(root)), root) if root.is_dir() else ([root], root.parent)
            logged([place / file.relative_to(root) for file in files])

    watch(LocalArtifactRepository, "log_artifact", note)
    watch(LocalArtifactRepository, "log_artifacts", note)


def watch(owner: Any, name: str, note: Callable[..., Any]) -> None:
    """Wrap a function of MLflow, once: `note` takes it and its arguments."""
    found = getattr(owner, name)
    original = getattr(found, "__func__", found)
    if getattr(original, "blockchaintracer", False):
        return

    @wraps(original)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        return note(original, *arguments, **named)

    wrapped.blockchaintracer = True  # type: ignore[attr-defined]
    setattr(owner, name, wrapped if found is original else classmethod(wrapped))


def _size(model: Any) -> dict[str, int]:
    try:
        return size_of_model(model)
    except Exception:
        # a model's own class may raise anything: the model is logged all the same
        return {}


def digest_of(dataset: Any) -> dict[str, Any] | None:
    """Digest all that an MLflow dataset, or a table or array, holds, by part (``data``, ``features``, …; see
    docs/datasets.md). None if it holds no table or array that can be digested."""
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
    columns = [asdict(column) for column in digest.schema[:_COLUMNS]]
    return {"sha256": digest.sha256, "kind": digest.kind, "rows": digest.rows, "columns": columns}


def model_details(folder: Path) -> dict[str, Any]:
    """Read the details of a logged model from its files. What is missing is left out."""
    model, conda = read_yaml(folder / "MLmodel"), read_yaml(folder / "conda.yaml")
    flavors = {
        name: {key: value for key, value in flavor.items() if key.endswith("version") or key == "serialization_format"}
        for name, flavor in (model.get("flavors") or {}).items()
        if isinstance(flavor, dict)
    }
    framework = next((name for name in flavors if name != "python_function"), None)
    if framework:
        version = next((value for key, value in flavors[framework].items() if key.endswith("version")), None)
        framework = f"{framework} {version}" if version else framework
    signature, metadata = _mapping(model.get("signature")), _mapping(model.get("metadata"))
    dependencies = [str(dependency) for dependency in conda.get("dependencies") or []]
    details = {
        "framework": framework,
        "flavors": flavors,
        "uuid": model.get("model_uuid"),
        "sizeBytes": sum(path.stat().st_size for path in map(Path, entries_below(folder)) if path.is_file()),
        "inputs": _schema(signature.get("inputs")),
        "outputs": _schema(signature.get("outputs")),
        "channels": [str(channel) for channel in conda.get("channels") or []],
        "python": next((text for text in dependencies if text.startswith("python=")), None),
        "layerCount": metadata.get("layerCount"),
        "parameterCount": metadata.get("parameterCount"),
    }
    return {name: value for name, value in details.items() if value not in (None, {}, [])}


def size_of_model(model: Any) -> dict[str, int]:
    """Return ``layerCount`` and ``parameterCount`` of a model in memory, where its framework tells them."""
    layers = getattr(model, "layers", None)
    if callable(getattr(model, "modules", None)) and callable(getattr(model, "parameters", None)):
        leaves = sum(1 for module in model.modules() if not any(True for _ in module.children()))
        return {"layerCount": leaves, "parameterCount": sum(int(weights.numel()) for weights in model.parameters())}
    if isinstance(layers, list) and callable(getattr(model, "count_params", None)):
        return {"layerCount": len(layers), "parameterCount": int(model.count_params())}
    if isinstance(getattr(model, "n_layers_", None), int):
        weights = [*getattr(model, "coefs_", []), *getattr(model, "intercepts_", [])]
        return {"layerCount": model.n_layers_, "parameterCount": sum(int(array.size) for array in weights)}
    return {}


def _schema(text: Any) -> list[dict[str, Any]] | None:
    try:
        columns = parse_json(text.encode(), "signature") if isinstance(text, str) else None
    except (InputError, UnicodeEncodeError):
        return None
    if not isinstance(columns, list):
        return None
    schema = []
    for column in columns:
        if isinstance(column, dict):
            tensor = _mapping(column.get("tensor-spec"))
            dtype = tensor.get("dtype") or column.get("type")
            entry = {"name": column.get("name"), "type": dtype, "shape": tensor.get("shape")}
            schema.append({key: value for key, value in entry.items() if value is not None})
    return schema


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a mapping from a YAML file; empty if the file has none."""
    try:
        with path.open("rb") as file:
            return _mapping(parse_yaml(file.read(MAX_DOCUMENT)))
    except (OSError, InputError):
        return {}
