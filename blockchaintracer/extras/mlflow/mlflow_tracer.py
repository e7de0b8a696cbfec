"""Which runs are recorded, and when: `autolog`, `MLflowBlockchainTracer`, and the stores behind ``anchor+``.

All three watch MLflow's tracking store: every run ends there.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.verify import Report
from blockchaintracer.extras.mlflow.anchored_uris import is_anchored, watch_stores
from blockchaintracer.extras.mlflow.recorder import (
    ENDED,
    Target,
    capture,
    flush,
    flush_aside,
    record_run,
    remember,
    set_tags,
    tag_record,
    warn,
)
from blockchaintracer.extras.mlflow.run_checks import verify_run
from blockchaintracer.extras.mlflow.run_facts import Captured, note_source
from blockchaintracer.extras.mlflow_reader.beforehand import Beforehand
from blockchaintracer.extras.mlflow_reader.logged_content import watch_artifacts, watch_datasets, watch_models
from blockchaintracer.extras.mlflow_reader.snapshot import client_of, settle
from blockchaintracer.lab.capture.secret_masking import error_text
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.traced_run import unrecorded

_SERVER = ("_MLFLOW_SERVER_FILE_STORE", "_MLFLOW_SERVER_REGISTRY_STORE")
_log = logging.getLogger(__name__)


@dataclass
class _Recording:
    """What this process records."""

    targets: list[Target] = field(default_factory=list)
    automatic: Target | None = None
    captured: dict[str, Captured] = field(default_factory=dict)
    recorded: dict[str, Recorded] = field(default_factory=dict)
    open_lab: Callable[[], Lab] | None = None
    beforehand: Beforehand = field(default_factory=Beforehand)
    watching: bool = False
    every_store: bool = False

    def target(self, uri: str) -> Target | None:
        """Return the target of a run at a tracking URI; None if it is not recorded."""
        chosen = self.targets[-1] if self.targets else self.automatic
        return chosen or (Target() if is_anchored(uri) else None)

    def start(self, uri: str, run_id: str) -> None:
        """Capture a run that begins or goes on."""
        target = self.target(uri)
        # a server does not know where its clients' runs are
        if target is None or any(name in os.environ for name in _SERVER) or run_id in self.captured:
            return
        try:
            self.captured[run_id], self.open_lab = capture(target), _opener(target)
        except Exception as error:
            warn(f"code and time of the MLflow run {run_id} are not captured: {error_text(error)}")

    def wrote(self, files: list[Path]) -> None:
        """Hash and keep artifacts while the run goes on."""
        if self.captured and self.open_lab:
            self.beforehand.add(self.open_lab, files)

    def read(self, uri: str, run_id: str, datasets: Sequence[Any]) -> None:
        """Hash and keep the files of datasets that a run logs, as they are now."""
        target, captured = self.target(uri), self.captured.get(run_id)
        if target is None or captured is None:
            return
        for entity in datasets:
            try:
                note_source(target.offline_lab(), captured, entity)
            except Exception as error:
                warn(f"the dataset {entity.dataset.name} is hashed when the run ends: {error_text(error)}")

    def end(self, store: Any, uri: str, run_id: str) -> None:
        """Record a run that ended. A failure is a warning."""
        target = self.target(uri)
        if target is None:
            return
        captured = self.captured.pop(run_id, None)
        try:
            if captured:
                captured.error = error_text(error) if (error := sys.exc_info()[1]) is not None else None
            settle(store, run_id)
            self.beforehand.end()
            client = client_of(uri)
            lab = target.prepared_lab(captured.group if captured else None)
            # whoever can end or rename a run that has ended, by a plain client too, makes no new record of it
            recorded = record_run(
                lab,
                client,
                run_id,
                captured,
                personal=target.user_name,
                host_name=target.host_name,
                again=captured is not None,
            )
            self.recorded[run_id] = recorded
            tag_record(client, run_id, recorded)
            remember(lab, uri, run_id, recorded)
            parent = client.get_run(run_id).data.tags.get("mlflow.parentRunId") if self.captured else None
            if parent in self.captured:
                self.captured[parent].children.append(recorded.id)
            if target.background:
                flush_aside(target)
        except Exception as problem:
            _log.debug("not recorded", exc_info=True)
            warn(
                f"the MLflow run {run_id} is not recorded: {error_text(problem)}\n"
                f"It is whole in MLflow: `blockchaintracer mlflow import {run_id}` records it later."
            )
            with suppress(Exception):
                # the client of a server that records sees no warning
                set_tags(client_of(uri), run_id, {"status": "not recorded"})


@cache
def _opener(target: Target) -> Callable[[], Lab]:
    """Return what opens a lab once. It stays open: what is kept is not removed before a record names it."""
    return cache(target.offline_lab)


_recording = _Recording()
_lock = threading.RLock()


class _Anchored:
    """Mixed into a tracking store's class: reports the runs that begin and end there."""

    blockchaintracer_uri: str

    def create_run(self, *arguments: Any, **named: Any) -> Any:
        run = super().create_run(*arguments, **named)  # type: ignore[misc]
        _recording.start(self.blockchaintracer_uri, run.info.run_id)
        return run

    def log_inputs(self, run_id: str, datasets: Any = None, models: Any = None) -> None:
        super().log_inputs(run_id, datasets, models)  # type: ignore[misc]
        _recording.read(self.blockchaintracer_uri, run_id, datasets or ())

    def update_run_info(self, run_id: str, run_status: Any, end_time: Any, run_name: Any) -> Any:
        from mlflow.entities import RunStatus

        info = super().update_run_info(run_id, run_status, end_time, run_name)  # type: ignore[misc]
        if run_status is not None:
            status = run_status if isinstance(run_status, str) else RunStatus.to_string(run_status)
            if status in ENDED:
                _recording.end(self, self.blockchaintracer_uri, run_id)
            elif status == "RUNNING":
                _recording.start(self.blockchaintracer_uri, run_id)
        return info


def anchored(store: Any, uri: str) -> Any:
    """Give a tracking store a class whose runs are recorded. Everything else of the store stays MLflow's."""
    of = type(store)
    if not issubclass(of, _Anchored):
        store.__class__ = type(f"Anchored{of.__name__}", (_Anchored, of), {"__module__": of.__module__})
        store.blockchaintracer_uri = uri
    _watch_process()
    return store


def _watch_process() -> None:
    """Digest datasets when they are logged, and end open runs before the interpreter ends its threads."""
    with _lock:
        if _recording.watching:
            return
        _recording.watching = True
        # imported before the thread that asks the chain imports them: it would see them half imported
        import eth_account  # noqa: F401

        import blockchaintracer.lab.chain.batching  # noqa: F401

        watch_datasets()
        watch_models()
        watch_artifacts(_recording.wrote)
        if register := getattr(threading, "_register_atexit", None):
            # at MLflow's own atexit no thread can be started any more; hashing and uploads need threads
            register(_end_all)


def _end_all() -> None:
    import mlflow

    error = getattr(sys, "last_value", None)
    interactive = hasattr(sys, "ps1") or "ipykernel" in sys.modules
    while active := mlflow.active_run():
        run_id = active.info.run_id
        if error is None or interactive:
            mlflow.end_run()
            continue
        try:
            raise error
        except BaseException:
            # MLflow would say that it finished
            mlflow.end_run("FAILED")
        if mlflow.active_run() and mlflow.active_run().info.run_id == run_id:
            return


def opened(store: Any, uri: str) -> None:
    """Watch a tracking store that MLflow opened, if its runs are to be recorded."""
    if is_anchored(uri) or _recording.every_store:
        anchored(store, uri)


def _watch_all_stores() -> None:
    """Watch every tracking store that MLflow opens from now on."""
    _recording.every_store = True
    watch_stores(opened)


def autolog(*, disable: bool = False, **options: Any) -> None:
    """Record every MLflow run of this process when it ends: in a with block, by ``mlflow.end_run``, or with the
    program; failed runs too. Call it once, before or after MLflow's own autologging. A later call changes the options.

    Args:
        disable: stop recording.
        options: ``home``, ``rpc``, ``registry``, ``group``, ``key`` as `MLTracer` takes; ``background=False`` leaves
            the sending to `flush`; ``user_name=True`` and ``host_name=True`` record these.
    """
    require("mlflow", "mlflow")
    _recording.automatic = None if disable else Target(**options)
    if not disable:
        _watch_all_stores()
        _watch_process()


class _OpenRun:
    """A run that is open: MLflow's active run, whose end is its tracer's."""

    def __init__(self, tracer: MLflowBlockchainTracer, run: Any) -> None:
        self._tracer, self._run = tracer, run

    def __enter__(self) -> Any:
        return self._run

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._tracer.end_run("FINISHED" if kind is None else "FAILED")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._run, name)


class MLflowBlockchainTracer:
    """Records the MLflow runs that begin and end inside its with blocks.

    >>> with MLflowBlockchainTracer().start_run(run_name="baseline"):  # doctest: +SKIP
    ...     mlflow.log_metric("accuracy", train())

    Args:
        tracking_uri: where MLflow keeps the run; default: the URI in use.
        experiment: name of MLflow's experiment.
        options: as `autolog` takes.

    Attributes:
        recorded: the record of the last run. It is never None: before, and if the run could not be recorded, which a
            warning explains, it is false.
    """

    def __init__(self, tracking_uri: str | None = None, experiment: str | None = None, **options: Any) -> None:
        require("mlflow", "mlflow")
        self._tracking_uri = tracking_uri
        self._experiment = experiment
        self._target = Target(**options)
        self.recorded: Recorded = unrecorded("MLflow run", "running")
        self._run_id: str | None = None
        self._open: list[Any] = []

    def start_run(self, **named: Any) -> _OpenRun:
        """Start a run, until the end of the with block, which gives MLflow's active run, or until `end_run`.

        Args:
            named: as ``mlflow.start_run`` takes.
        """
        import mlflow

        if self._tracking_uri:
            mlflow.set_tracking_uri(self._tracking_uri)
        if self._experiment:
            mlflow.set_experiment(self._experiment)
        _watch_all_stores()
        _recording.targets.append(self._target)
        try:
            self._open.append(mlflow.start_run(**named))
        except BaseException:
            _recording.targets.remove(self._target)
            raise
        return _OpenRun(self, self._open[-1])

    def end_run(self, status: str = "FINISHED") -> Recorded:
        """End the run that `start_run` started last, as ``mlflow.end_run``, and return its record."""
        import mlflow

        if not self._open:
            raise InputError("expected a run that was started, got none", hint="Call start_run first.")
        run_id = self._open.pop().info.run_id
        active = mlflow.active_run()
        try:
            # the program may have ended it by MLflow's own function
            if active and active.info.run_id == run_id:
                mlflow.end_run(status)
        finally:
            _recording.targets.remove(self._target)
            self._run_id = run_id
            self.recorded = _recording.recorded.get(run_id) or unrecorded("MLflow run", "not-recorded")
        return self.recorded

    def flush(self) -> list[dict[str, Any]]:
        """Send what waits and tag the runs, as `blockchaintracer.mlflow.flush`."""
        return flush(self._target)

    def verify(self, **named: Any) -> Report:
        """Compare the last run with its record; `named` as `blockchaintracer.mlflow.verify_run` takes."""
        if self._run_id is None:
            raise InputError("expected a run that has ended, got none", hint="Use start_run in a with block first.")
        return verify_run(self._target.lab(), self._run_id, self._tracking_uri, **named)
