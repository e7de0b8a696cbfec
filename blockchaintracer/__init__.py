"""Record datasets, models, runs and results so that anyone can check who committed to what, and when.

>>> from blockchaintracer import MLTracer  # doctest: +SKIP
>>> with MLTracer().start_run("my run") as run:  # doctest: +SKIP
...     run.log_metric("accuracy", 0.93)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blockchaintracer.mlflow import MLflowBlockchainTracer
    from blockchaintracer.report import DocumentationTracer
    from blockchaintracer.tracer import BlockchainTracer, MLTracer

__all__ = ["BlockchainTracer", "DocumentationTracer", "MLTracer", "MLflowBlockchainTracer"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Imports the tracers when they are first asked for: a verb of the command line doesn't wait for them."""
    if name == "DocumentationTracer":
        from blockchaintracer import report

        return report.DocumentationTracer
    if name == "MLflowBlockchainTracer":
        from blockchaintracer import mlflow

        return getattr(mlflow, name)
    if name in __all__:
        from blockchaintracer import tracer

        return getattr(tracer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
