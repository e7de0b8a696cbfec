"""The stores behind ``anchor+``: MLflow's own store of the rest of the URI, whose runs are recorded when they end.

MLflow finds these functions by the entry points of this package.
"""

from __future__ import annotations

from typing import Any

from blockchaintracer.extras.mlflow_reader.snapshot import PREFIX, bare


def tracking_store(store_uri: str, artifact_uri: str | None = None) -> Any:
    """Open MLflow's store of a URI without its prefix. Its runs are recorded."""
    from mlflow.tracking._tracking_service import utils

    from blockchaintracer.extras.mlflow.mlflow_tracer import anchored

    inner = bare(store_uri)
    # a new instance: the program may use the store without the prefix as well, whose runs are not recorded
    store = utils._tracking_store_registry.get_store_builder(inner)(store_uri=inner, artifact_uri=artifact_uri)
    return anchored(store, PREFIX + inner)


def registry_store(store_uri: str, tracking_uri: str | None = None) -> Any:
    """Open MLflow's model registry of a URI without its prefix."""
    import inspect

    from mlflow.tracking._model_registry import utils

    inner = bare(store_uri)
    builder = utils._get_store_registry().get_store_builder(inner)
    values = {"store_uri": inner, "tracking_uri": bare(tracking_uri) if tracking_uri else None}
    takes = inspect.signature(builder).parameters
    return builder(**{name: value for name, value in values.items() if name in takes})


def artifact_repository(artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> Any:
    """Open MLflow's own repository of ``mlflow-artifacts:`` at the server of the tracking URI without its prefix."""
    import mlflow
    from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository

    where = bare(tracking_uri or mlflow.get_tracking_uri())
    return MlflowArtifactsRepository(artifact_uri, tracking_uri=where, registry_uri=registry_uri)
