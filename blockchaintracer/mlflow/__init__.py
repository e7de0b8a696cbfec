"""MLflow runs as records: record each run when it ends, and find later what was changed since.

>>> import blockchaintracer.mlflow  # doctest: +SKIP
>>> blockchaintracer.mlflow.autolog()  # doctest: +SKIP

Or ``MLFLOW_TRACKING_URI=anchor+sqlite:///mlflow.db`` without a changed line, or ``with
MLflowBlockchainTracer().start_run():``. A run never fails, and never waits, because of the chain.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blockchaintracer.extras.mlflow.flavor import load_model as load_model
    from blockchaintracer.extras.mlflow.flavor import log_model as log_model
    from blockchaintracer.extras.mlflow.import_export import export_run as export_run
    from blockchaintracer.extras.mlflow.import_export import import_runs as import_runs
    from blockchaintracer.extras.mlflow.mlflow_tracer import MLflowBlockchainTracer as MLflowBlockchainTracer
    from blockchaintracer.extras.mlflow.mlflow_tracer import autolog as autolog
    from blockchaintracer.extras.mlflow.model_registry import record_deployment as record_deployment
    from blockchaintracer.extras.mlflow.model_registry import record_registered_model as record_registered_model
    from blockchaintracer.extras.mlflow.recorder import flush as flush
    from blockchaintracer.extras.mlflow.run_checks import verify_run as verify_run

_FILES = {
    "flavor": ("load_model", "log_model"),
    "import_export": ("export_run", "import_runs"),
    "mlflow_tracer": ("MLflowBlockchainTracer", "autolog"),
    "model_registry": ("record_deployment", "record_registered_model"),
    "recorder": ("flush",),
    "run_checks": ("verify_run",),
}


def __getattr__(name: str) -> Any:
    """Import a name when it is used: MLflow imports this package while MLflow itself is half imported."""
    for file, names in _FILES.items():
        if name in names:
            return getattr(import_module(f"blockchaintracer.extras.mlflow.{file}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
