"""What MLflow and the frameworks know of models and of themselves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

_FRAMEWORKS = (
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
)


def frameworks() -> dict[str, Any]:
    """The frameworks that this process uses, with their versions; of PyTorch and TensorFlow also CUDA and the GPUs."""
    found: dict[str, Any] = {}
    for name in _FRAMEWORKS:
        module = sys.modules.get(name)
        version = getattr(module, "__version__", None)
        if isinstance(version, str):
            found[name] = {"version": version}
    if "torch" in found:
        torch = sys.modules["torch"]
        found["torch"] |= {"cuda": torch.version.cuda, "gpuCount": torch.cuda.device_count()}
    if "tensorflow" in found:
        tensorflow = sys.modules["tensorflow"]
        found["tensorflow"] |= {
            "cuda": tensorflow.sysconfig.get_build_info().get("cuda_version"),
            "gpuCount": len(tensorflow.config.list_physical_devices("GPU")),
        }
    return found


def model_details(folder: Path) -> dict[str, Any]:
    """What the files of a logged model tell: ``framework``, ``flavors``, ``uuid``, ``sizeBytes``, ``inputs`` and
    ``outputs`` with names, types and shapes, ``channels`` (conda), ``python``, ``metadata``; what is missing is left
    out."""
    said = _yaml(folder / "MLmodel")
    flavors = {
        name: {key: value for key, value in flavor.items() if key.endswith("version") or key == "serialization_format"}
        for name, flavor in (said.get("flavors") or {}).items()
        if isinstance(flavor, dict)
    }
    named = [name for name in flavors if name != "python_function"]
    framework = None
    if named:
        version = next((value for key, value in flavors[named[0]].items() if key.endswith("version")), None)
        framework = f"{named[0]} {version}" if version else named[0]
    signature = _mapping(said.get("signature"))
    conda = _yaml(folder / "conda.yaml")
    metadata = _mapping(said.get("metadata"))
    details = {
        "framework": framework,
        "flavors": flavors,
        "uuid": said.get("model_uuid"),
        "sizeBytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        "inputs": _schema(signature.get("inputs")),
        "outputs": _schema(signature.get("outputs")),
        "channels": [str(channel) for channel in conda.get("channels") or []],
        "python": next((str(one) for one in conda.get("dependencies") or [] if str(one).startswith("python=")), None),
        "layerCount": metadata.get("layerCount"),
        "parameterCount": metadata.get("parameterCount"),
    }
    return {name: value for name, value in details.items() if value not in (None, {}, [])}


def size_of_model(model: Any) -> dict[str, int]:
    """``layerCount`` and ``parameterCount`` of a model in memory, where its framework tells them."""
    layers = getattr(model, "layers", None)
    if callable(getattr(model, "modules", None)) and callable(getattr(model, "parameters", None)):
        leaves = sum(1 for module in model.modules() if not any(True for _ in module.children()))
        return {"layerCount": leaves, "parameterCount": sum(int(one.numel()) for one in model.parameters())}
    if isinstance(layers, list) and callable(getattr(model, "count_params", None)):
        return {"layerCount": len(layers), "parameterCount": int(model.count_params())}
    if isinstance(getattr(model, "n_layers_", None), int):
        weights = [*getattr(model, "coefs_", []), *getattr(model, "intercepts_", [])]
        return {"layerCount": model.n_layers_, "parameterCount": sum(int(one.size) for one in weights)}
    return {}


def _schema(text: Any) -> list[dict[str, Any]] | None:
    import json

    try:
        columns = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    if not isinstance(columns, list):
        return None
    found = []
    for column in columns:
        if not isinstance(column, dict):
            continue
        tensor = _mapping(column.get("tensor-spec"))
        told = {
            "name": column.get("name"),
            "type": tensor.get("dtype") or column.get("type"),
            "shape": tensor.get("shape"),
        }
        found.append({key: value for key, value in told.items() if value is not None})
    return found


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _yaml(path: Path) -> dict[str, Any]:
    try:
        read = yaml.safe_load(path.read_text())
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return read if isinstance(read, dict) else {}
