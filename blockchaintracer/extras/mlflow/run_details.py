"""What the frameworks and the files of a logged model tell of themselves."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

_FRAMEWORKS = [
    "catboost",
    "jax",
    "keras",
    "lightgbm",
    "lightning",
    "mlflow",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "sklearn",
    "statsmodels",
    "tensorflow",
    "torch",
    "transformers",
    "xgboost",
]


def frameworks() -> dict[str, Any]:
    """List the frameworks that this process uses with their versions; of PyTorch and TensorFlow also CUDA and GPUs."""
    used: dict[str, Any] = {}
    for name in _FRAMEWORKS:
        version = getattr(sys.modules.get(name), "__version__", None)
        if isinstance(version, str):
            used[name] = {"version": version}
    if "torch" in used:
        torch = sys.modules["torch"]
        used["torch"] |= {"cuda": torch.version.cuda, "gpuCount": torch.cuda.device_count()}
    if "tensorflow" in used:
        tensorflow = sys.modules["tensorflow"]
        used["tensorflow"] |= {
            "cuda": tensorflow.sysconfig.get_build_info().get("cuda_version"),
            "gpuCount": len(tensorflow.config.list_physical_devices("GPU")),
        }
    return used


def model_details(folder: Path) -> dict[str, Any]:
    """Read the details of a logged model from its files. What is missing is left out.

    Returns:
        ``framework``, ``flavors``, ``uuid``, ``sizeBytes``, ``inputs`` and ``outputs`` (names, types and shapes),
        ``channels`` (conda), ``python``, ``layerCount`` and ``parameterCount``.
    """
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
        "sizeBytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
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
        columns = json.loads(text) if isinstance(text, str) else None
    except ValueError:
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
        return _mapping(yaml.safe_load(path.read_text()))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
