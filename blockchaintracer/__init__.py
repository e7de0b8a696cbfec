"""Record datasets, models, runs and results so that anyone can check who committed to what, and when.

>>> from blockchaintracer import MLTracer  # doctest: +SKIP
>>> with MLTracer().start_run("my run") as run:  # doctest: +SKIP
...     run.log_metric("accuracy", 0.93)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blockchaintracer.lab import after_run

if TYPE_CHECKING:
    from blockchaintracer.core.errors import RecordingWarning
    from blockchaintracer.extras.mlflow import MLflowBlockchainTracer
    from blockchaintracer.extras.report import DocumentationTracer
    from blockchaintracer.lab.drafts import Recorded
    from blockchaintracer.lab.lab import Lab
    from blockchaintracer.lab.tracer import BlockchainTracer, MLTracer

__all__ = ["BlockchainTracer", "DocumentationTracer", "MLTracer", "MLflowBlockchainTracer", "RecordingWarning"]
__version__ = "0.1.0"


def _report_by_setting(lab: Lab, run: str) -> Recorded | None:
    from blockchaintracer.extras.report import report_by_setting

    return report_by_setting(lab, run) if lab.choices(lab.chain_id).get("reports") else None


after_run.append(_report_by_setting)


def __getattr__(name: str) -> Any:
    """Imports the tracers when they are first asked for: a verb of the command line doesn't wait for them."""
    if name == "DocumentationTracer":
        from blockchaintracer.extras import report

        return report.DocumentationTracer
    if name == "MLflowBlockchainTracer":
        from blockchaintracer.extras import mlflow

        return getattr(mlflow, name)
    if name == "RecordingWarning":
        from blockchaintracer.core import errors

        return errors.RecordingWarning
    if name in __all__:
        from blockchaintracer.lab import tracer

        return getattr(tracer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
