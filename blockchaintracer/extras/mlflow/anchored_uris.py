"""The prefix ``anchor+`` of MLflow's URIs: it is taken away before MLflow sees it, and the runs there are recorded.

Everything in MLflow that looks at a URI (its drivers, scorers, workspaces, a server's jobs) then works as without it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from functools import partial, wraps
from hashlib import sha256
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.networks import redact_url
from blockchaintracer.extras.mlflow_reader.logged_content import watch
from blockchaintracer.extras.mlflow_reader.snapshot import PREFIX

_ANCHORED = "BLOCKCHAINTRACER_ANCHORED"
"""Names the URIs that had the prefix, by digests: child processes know them, and no password is repeated."""
_OPTION = re.compile(rf"^(--[\w-]+=)?({re.escape(PREFIX)}.*)", re.DOTALL)
_UNTRIED = ("databricks", "uc")


def anchor(uri: Any) -> Any:
    """Take the prefix from a URI, and note that its runs are recorded. What has no prefix stays as it is."""
    if not isinstance(uri, str) or not uri.startswith(PREFIX):
        return uri
    plain = uri.removeprefix(PREFIX)
    if not plain or plain.partition(":")[0].partition("-")[0] in _UNTRIED:
        raise InputError(
            f"expected a tracking server, a database or a folder after {PREFIX}, got {redact_url(plain)!r}",
            hint="Use `blockchaintracer.mlflow.autolog()` and the URI without the prefix.",
        )
    if not is_anchored(plain):
        os.environ[_ANCHORED] = f"{os.environ.get(_ANCHORED, '')} {_digest(plain)}".strip()
    return plain


def is_anchored(uri: str) -> bool:
    """Whether a URI had the prefix, in this process or in one that started it."""
    return _digest(uri) in os.environ.get(_ANCHORED, "").split()


def _digest(uri: str) -> str:
    return sha256(uri.encode()).hexdigest()


def watch_stores(opened: Callable[[Any, str], Any]) -> None:
    """Take the prefix from every URI that MLflow is given from now on; `opened` is told of each tracking store.

    MLflow loads this while it imports the module that resolves URIs: whatever takes a function from there takes these.
    """
    from mlflow.tracking._tracking_service import utils
    from mlflow.tracking._tracking_service.registry import TrackingStoreRegistry
    from mlflow.tracking.registry import StoreRegistry

    for name, value in os.environ.items():
        if "MLFLOW" in name and value.startswith(PREFIX):
            os.environ[name] = anchor(value)
    if "mlflow" in map(os.path.basename, sys.orig_argv[:3]):
        # MLflow's own command looks at the type of a database before it opens a store, and runs no jobs without one
        sys.argv[1:] = [_OPTION.sub(lambda it: f"{it[1] or ''}{anchor(it[2])}", part) for part in sys.argv[1:]]

    def get_store(original: Any, registry: Any, store_uri: str | None = None, artifact_uri: str | None = None) -> Any:
        store = original(registry, store_uri, artifact_uri)
        opened(store, utils._resolve_tracking_uri(store_uri))
        return store

    def get_store_builder(original: Any, registry: Any, store_uri: str) -> Any:
        builder = original(registry, anchor(store_uri))
        return wraps(builder)(partial(resolve, builder))

    def resolve(original: Any, *uri: Any, **named: Any) -> Any:
        return anchor(original(*map(anchor, uri), **{name: anchor(value) for name, value in named.items()}))

    for owner, name, note in (
        (TrackingStoreRegistry, "get_store", get_store),
        (StoreRegistry, "get_store_builder", get_store_builder),
        (utils, "get_tracking_uri", resolve),
        (utils, "set_tracking_uri", resolve),
        (utils, "_resolve_tracking_uri", resolve),
    ):
        watch(owner, name, note)
