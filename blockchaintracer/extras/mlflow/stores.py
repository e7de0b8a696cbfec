"""What MLflow loads by the entry points of this package, whenever it is imported."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.mlflow.anchored_uris import anchor, is_anchored, watch_stores

_TRACER = "blockchaintracer.extras.mlflow.mlflow_tracer"


def tracking_store(store_uri: str, **_named: Any) -> NoReturn:
    """Refuse a URI that still has its prefix: `watch_stores` takes it away before MLflow looks for a store."""
    raise InputError(f"expected MLflow to open {store_uri!r} by its registry of stores")


registry_store = tracking_store


def artifact_repository(artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> Any:
    """Open MLflow's own repository of ``mlflow-artifacts:`` at the server of the tracking URI without its prefix."""
    from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository

    return MlflowArtifactsRepository(artifact_uri, tracking_uri=anchor(tracking_uri), registry_uri=registry_uri)


def _opened(store: Any, uri: str) -> None:
    # a program that records nothing need not load what records
    if is_anchored(uri) or _TRACER in sys.modules:
        from blockchaintracer.extras.mlflow.mlflow_tracer import opened

        opened(store, uri)


# MLflow loads this file; what only looks at it need not have MLflow
if "mlflow" in sys.modules:
    watch_stores(_opened)
