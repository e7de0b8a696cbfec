"""Keras 3, on TensorFlow, JAX or PyTorch: a callback that logs settings, metrics and the trained model to a run.

with tracer.start_run("fit") as run:
    model.fit(x, y, callbacks=[callback(run)])
"""

from __future__ import annotations

from functools import cache
from typing import Any

from blockchaintracer.extras.frameworks.framework_run import History, described, never_fails
from blockchaintracer.extras.frameworks.training_state import StateDigest, array_tensor, digest_state
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.tracer import TracedRun


def callback(run: TracedRun, name: str = "model") -> Any:
    """A callback for one training, to be given to ``Model.fit``.

    Args:
        run: to log to.
        name: of the model's files: ``NAME.keras``, of role ``model``, and ``NAME.state.json``.

    Raises:
        InputError: if Keras isn't installed.
    """
    return _class()(run, name)


def digest_weights(model: Any) -> StateDigest:
    """The digest of all weights, each named by its place in ``model.weights`` and its own name, such as ``0/kernel``.

    Paths are none of it: Keras counts layers through, and a model that was loaded has others than the saved one.
    See `blockchaintracer.extras.frameworks.training_state`.
    """
    weights = {f"{place}/{weight.name}": weight for place, weight in enumerate(model.weights)}
    return digest_state(weights, lambda name, weight: array_tensor(name, _numpy(weight)))


def _numpy(weight: Any) -> Any:
    import numpy as np

    return np.asarray(require("keras", "keras").ops.convert_to_numpy(weight))


@cache
def _class() -> type[Any]:
    keras = require("keras", "keras")

    class BlockchainTracerCallback(keras.callbacks.Callback):  # type: ignore[misc, name-defined]
        """See `callback`."""

        def __init__(self, run: TracedRun, name: str) -> None:
            super().__init__()
            self._run, self._name = run, name
            self._history: History | None = None

        @never_fails
        def on_train_begin(self, logs: Any = None) -> None:
            model = self.model
            optimizer = getattr(model, "optimizer", None)
            told = {
                "keras": keras.__version__,
                "backend": keras.backend.backend(),
                "dtypePolicy": keras.config.dtype_policy().name,
                "fit": described(self.params),
                "optimizer": described(keras.optimizers.serialize(optimizer)) if optimizer else None,
                "loss": described(getattr(model, "loss", None)),
                "parameters": int(model.count_params()) if model.built else None,
                "layers": len(model.layers),
            }
            self._run.log_param("keras", told)

        @never_fails
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self._history = self._history or History(self._run)
            self._history.log(logs or {}, epoch=epoch)

        @never_fails
        def on_train_end(self, logs: Any = None) -> None:
            path = self._run.place(f"{self._name}.keras")
            self.model.save(path)
            self._run.log_output(path, role="model")
            document = self._run.place(f"{self._name}.state.json")
            document.write_bytes(digest_weights(self.model).document)
            self._run.log_output(document, role="state")

    return BlockchainTracerCallback
