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
    from blockchaintracer.mlflow.bulk import export_run, import_runs
    from blockchaintracer.mlflow.flavor import load_model, log_model
    from blockchaintracer.mlflow.models import record_deployment, record_registered_model
    from blockchaintracer.mlflow.recorder import flush
    from blockchaintracer.mlflow.tracer import MLflowBlockchainTracer, autolog
    from blockchaintracer.mlflow.verify import verify_run

_WHERE = {
    "MLflowBlockchainTracer": "tracer",
    "autolog": "tracer",
    "export_run": "bulk",
    "flush": "recorder",
    "import_runs": "bulk",
    "load_model": "flavor",
    "log_model": "flavor",
    "record_deployment": "models",
    "record_registered_model": "models",
    "verify_run": "verify",
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
