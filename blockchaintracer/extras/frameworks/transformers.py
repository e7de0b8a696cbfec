"""Hugging Face Transformers: a callback that logs arguments, metrics, checkpoints and the final state to a run.

with tracer.start_run("fine-tune") as run:
    Trainer(..., callbacks=[callback(run)]).train()
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blockchaintracer.extras.frameworks.framework_run import RunCallback, described, never_fails
from blockchaintracer.extras.frameworks.torch import capture, log_state
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.traced_run import TracedRun

# places of this machine, and secrets
_PERSONAL = ("_dir", "_token", "_key", "_private_repo", "run_name", "hub_model_id")


def callback(run: TracedRun) -> Any:
    """Make a callback of one training for ``Trainer``. Only the world's process zero logs."""
    transformers = require("transformers", "transformers")

    class BlockchainTracerCallback(RunCallback, transformers.TrainerCallback):  # type: ignore[misc, name-defined]
        @never_fails
        def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
            if not state.is_world_process_zero:
                return
            arguments = {name: value for name, value in args.to_dict().items() if not name.endswith(_PERSONAL)}
            self._run.log_param("training_arguments", described(arguments))
            if hasattr(model, "config"):
                config = model.config.to_dict()
                config.pop("_name_or_path", None)
                self._run.log_param("model", described(config))
            capture(self._run)

        @never_fails
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            if state.is_world_process_zero and logs:
                values = {name: value for name, value in logs.items() if name != "epoch"}
                self._log_metrics(values, step=state.global_step, epoch=state.epoch)

        @never_fails
        def on_train_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
            if not state.is_world_process_zero:
                return
            last = Path(args.output_dir, f"checkpoint-{state.global_step}")
            for path in dict.fromkeys((Path(state.best_model_checkpoint or last), last)):
                if path.exists():
                    self._run.log_output(path, role="checkpoint")
            if model is not None:
                log_state(self._run, model, self._name)

    return BlockchainTracerCallback(run)
