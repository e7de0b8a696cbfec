"""MLflow runs as records: seal each run when it ends, and say later what was changed since.

>>> import blockchaintracer.mlflow  # doctest: +SKIP
>>> blockchaintracer.mlflow.autolog()  # doctest: +SKIP

Or ``MLFLOW_TRACKING_URI=anchor+sqlite:///mlflow.db`` without a changed line, or ``with
MLflowBlockchainTracer().start_run():``. A run never fails, and never waits, because of the chain.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blockchaintracer.extras.mlflow.flavor import load_model, log_model
    from blockchaintracer.extras.mlflow.import_export import export_run, import_runs
    from blockchaintracer.extras.mlflow.mlflow_tracer import MLflowBlockchainTracer, autolog
    from blockchaintracer.extras.mlflow.model_registry import record_deployment, record_registered_model
    from blockchaintracer.extras.mlflow.recorder import flush
    from blockchaintracer.extras.mlflow.run_checks import verify_run

_WHERE = {
    "MLflowBlockchainTracer": "mlflow_tracer",
    "autolog": "mlflow_tracer",
    "export_run": "import_export",
    "flush": "recorder",
    "import_runs": "import_export",
    "load_model": "flavor",
    "log_model": "flavor",
    "record_deployment": "model_registry",
    "record_registered_model": "model_registry",
    "verify_run": "run_checks",
}

__all__ = [
    "MLflowBlockchainTracer",
    "autolog",
    "export_run",
    "flush",
    "import_runs",
    "load_model",
    "log_model",
    "record_deployment",
    "record_registered_model",
    "verify_run",
]


def __getattr__(name: str) -> Any:
    """Imports what is asked for: MLflow itself loads this package while it is half imported."""
    if name in _WHERE:
        return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
