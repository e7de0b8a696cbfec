"""Record datasets, models, runs and results so that anyone can check who committed to what, and when.

The public names are those of `__all__`, of `blockchaintracer.mlflow` and of `blockchaintracer.integrations`
(docs/api.md).

>>> from blockchaintracer import MLTracer  # doctest: +SKIP
>>> with MLTracer().start_run("my run") as run:  # doctest: +SKIP
...     run.log_metric("accuracy", 0.93)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from blockchaintracer.lab import after_run

if TYPE_CHECKING:
    from blockchaintracer.core.api import open_registry, record_id, verify, verify_batch_proof, verify_bundle
    from blockchaintracer.core.errors import BlockchainTracerError, RecordingWarning
    from blockchaintracer.core.trust import Checkpoint, Trust, read_checkpoints
    from blockchaintracer.extras.mlflow.mlflow_tracer import MLflowBlockchainTracer
    from blockchaintracer.extras.report.documentation import DocumentationTracer
    from blockchaintracer.lab.drafts import Recorded
    from blockchaintracer.lab.lab import Lab
    from blockchaintracer.lab.open_lab import open_lab
    from blockchaintracer.lab.tracer import BlockchainTracer, MLTracer

__all__ = [
    "BlockchainTracer",
    "BlockchainTracerError",
    "Checkpoint",
    "DocumentationTracer",
    "MLTracer",
    "MLflowBlockchainTracer",
    "RecordingWarning",
    "Trust",
    "open_lab",
    "open_registry",
    "read_checkpoints",
    "record_id",
    "verify",
    "verify_batch_proof",
    "verify_bundle",
]
__version__ = "0.1.0"

_FILES = {
    "BlockchainTracer": "lab.tracer",
    "BlockchainTracerError": "core.errors",
    "Checkpoint": "core.trust",
    "DocumentationTracer": "extras.report.documentation",
    "MLTracer": "lab.tracer",
    "MLflowBlockchainTracer": "extras.mlflow.mlflow_tracer",
    "RecordingWarning": "core.errors",
    "Trust": "core.trust",
    "open_lab": "lab.open_lab",
    "read_checkpoints": "core.trust",
}


def _report_by_setting(lab: Lab, run: str) -> Recorded | None:
    from blockchaintracer.extras.report.documents import report_by_setting

    return report_by_setting(lab, run) if lab.choices(lab.chain_id).get("reports") else None


after_run.append(_report_by_setting)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that importing the package stays fast."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FILES.get(name, 'core.api')}"), name)
