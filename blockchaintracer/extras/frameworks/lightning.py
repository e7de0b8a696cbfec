"""Lightning: a callback that logs settings, metrics, checkpoints and the final state of a `Trainer.fit` to a run.

with tracer.start_run("fit") as run:
    Trainer(callbacks=[callback(run)]).fit(model)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blockchaintracer.extras.frameworks.framework_run import RunCallback, described, never_fails
from blockchaintracer.extras.frameworks.torch import capture, log_state
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.traced_run import TracedRun

_SETTINGS = ("max_epochs", "max_steps", "precision", "accumulate_grad_batches", "gradient_clip_val", "num_devices")


def callback(run: TracedRun) -> Any:
    """Make a callback of one training for ``Trainer``. Only the process of rank zero logs."""
    lightning = require("lightning.pytorch", "lightning")

    class BlockchainTracerCallback(RunCallback, lightning.Callback):  # type: ignore[misc, name-defined]
        @never_fails
        def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
            if not trainer.is_global_zero:
                return
            settings = {name: described(getattr(trainer, name, None)) for name in _SETTINGS}
            settings |= {"strategy": described(trainer.strategy), "accelerator": described(trainer.accelerator)}
            self._run.log_param("trainer", settings)
            if isinstance(pl_module.hparams, Mapping) and pl_module.hparams:
                self._run.log_param("model", described(dict(pl_module.hparams)))
            capture(self._run)

        @never_fails
        def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
            if not trainer.sanity_checking:
                self._log_trainer(trainer)

        @never_fails
        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            self._log_trainer(trainer)

        @never_fails
        def on_test_end(self, trainer: Any, pl_module: Any) -> None:
            self._log_trainer(trainer)

        @never_fails
        def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
            if not trainer.is_global_zero:
                return
            for path in _checkpoints(trainer):
                self._run.log_output(path, role="checkpoint")
            log_state(self._run, pl_module, self._name)

        def _log_trainer(self, trainer: Any) -> None:
            if trainer.is_global_zero and trainer.callback_metrics:
                self._log_metrics(trainer.callback_metrics, step=trainer.global_step, epoch=trainer.current_epoch)

    return BlockchainTracerCallback(run)


def _checkpoints(trainer: Any) -> list[Path]:
    """List the best and the last checkpoint of every checkpointing callback, those that are files of other names."""
    paths: dict[str, Path] = {}
    for kept in trainer.checkpoint_callbacks:
        for text in (getattr(kept, "best_model_path", ""), getattr(kept, "last_model_path", "")):
            if text and Path(text).exists():
                paths.setdefault(Path(text).name, Path(text))
    return list(paths.values())
