"""Keras 3, on TensorFlow, JAX or PyTorch: a callback that logs settings, metrics and the trained model to a run.

with tracer.start_run("fit") as run:
    model.fit(x, y, callbacks=[callback(run)])
"""

from __future__ import annotations

from typing import Any

from blockchaintracer.extras.frameworks.framework_run import RunCallback, described, log_digest, never_fails
from blockchaintracer.extras.frameworks.training_state import StateDigest, array_tensor, digest_state
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.traced_run import TracedRun


def callback(run: TracedRun, name: str = "model") -> Any:
    """Make a callback of one training for ``Model.fit``.

    Args:
        name: of the model's files: ``NAME.keras``, of role ``model``, and ``NAME.state.json``.
    """
    keras = require("keras", "keras")

    class BlockchainTracerCallback(RunCallback, keras.callbacks.Callback):  # type: ignore[misc, name-defined]
        @never_fails
        def on_train_begin(self, logs: Any = None) -> None:
            model = self.model
            optimizer = getattr(model, "optimizer", None)
            settings = {
                "keras": keras.__version__,
                "backend": keras.backend.backend(),
                "dtypePolicy": keras.config.dtype_policy().name,
                "fit": described(self.params),
                "optimizer": described(keras.optimizers.serialize(optimizer)) if optimizer else None,
                "loss": described(getattr(model, "loss", None)),
                "parameters": int(model.count_params()) if model.built else None,
                "layers": len(model.layers),
            }
            self._run.log_param("keras", settings)

        @never_fails
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self._log_metrics(logs or {}, epoch=epoch)

        @never_fails
        def on_train_end(self, logs: Any = None) -> None:
            path = self._run.place(f"{self._name}.keras", unused=True)
            self.model.save(path)
            self._run.log_output(path, role="model")
            log_digest(self._run, digest_weights(self.model), path.stem)

    return BlockchainTracerCallback(run, name)


def digest_weights(model: Any) -> StateDigest:
    """Digest all weights, each named by its place in ``model.weights`` and its own name, such as ``0/kernel``.

    Paths are left out: Keras numbers layers through, and a loaded model has other paths than the saved one.
    """
    weights = {f"{place}/{weight.name}": weight for place, weight in enumerate(model.weights)}
    return digest_state(weights, lambda name, weight: array_tensor(name, _numpy(weight)))


def _numpy(weight: Any) -> Any:
    return require("numpy", "keras").asarray(require("keras", "keras").ops.convert_to_numpy(weight))
