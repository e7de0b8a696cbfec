"""Public name of `blockchaintracer.extras.mlflow`: MLflow runs as records.

>>> import blockchaintracer.mlflow  # doctest: +SKIP
>>> blockchaintracer.mlflow.autolog()  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blockchaintracer.extras import mlflow as _mlflow

if TYPE_CHECKING:
    from blockchaintracer.extras.mlflow import *

__all__ = _mlflow.__all__


def __getattr__(name: str) -> Any:
    """Give what the extra gives: MLflow itself loads this package while it is half imported."""
    return getattr(_mlflow, name)
