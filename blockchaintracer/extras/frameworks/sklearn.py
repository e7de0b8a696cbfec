"""scikit-learn: the parameters of an estimator or pipeline, and the state that fitting gave it, in a run.

with tracer.start_run("fit") as run:
    log_estimator(run, pipeline.fit(X, y))
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from blockchaintracer.core.errors import InputError, RecordingWarning
from blockchaintracer.extras.frameworks.framework_run import described, log_digest
from blockchaintracer.extras.frameworks.training_state import StateDigest, Tensor, array_tensor, digest_state, refused
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.traced_run import TracedRun

_FITTED_IN_PLACE = ("steps", "transformer_list")


def log_estimator(run: TracedRun, estimator: Any, name: str = "model") -> StateDigest | None:
    """Log an estimator: parameters as ``NAME``, the file ``NAME.joblib`` of role ``model``, and ``NAME.state.json``
    with the digest of its fitted state, where that has a defined encoding.

    Args:
        estimator: fitted or not; pipelines and other estimators of estimators too.

    Returns:
        the digest of the fitted state; None if it has no defined encoding.

    Raises:
        InputError: if it is not an estimator, or scikit-learn is not installed.
    """
    described = describe(estimator)
    path = run.place(f"{name}.joblib", unused=True)
    # another estimator may have the name already
    name = path.stem
    run.log_param(name, described)
    require("joblib", "sklearn").dump(estimator, path)
    run.log_output(path, role="model")
    try:
        digest = digest_fitted(estimator)
    except (InputError, RecursionError, TypeError) as undefined:
        message = undefined.message if isinstance(undefined, InputError) else type(undefined).__name__
        run.log_param(f"{name}.stateNotDigested", message)
        warnings.warn(f"the fitted state of {name} is not digested: {message}", RecordingWarning, stacklevel=2)
        return None
    return log_digest(run, digest, name)


def describe(estimator: Any) -> dict[str, Any]:
    """Describe the class and parameters of an estimator and of the estimators in it, as plain values.

    Returns:
        ``class``, and ``parameters`` as ``get_params(deep=False)`` gives them; an array among them by type, shape and
        digest, a function or other object by its name.
    """
    _check(estimator)
    return {"class": _class_of(estimator), "parameters": _described(estimator.get_params(deep=False))}


def digest_fitted(estimator: Any) -> StateDigest:
    """Digest what fitting gave an estimator: every attribute that is no parameter, private ones too, and those of the
    estimators in it, with their classes. An estimator that keeps times, such as a grid search, differs each time.
    """
    _check(estimator)
    state = _fitted(estimator)
    if not _learned(state):
        raise refused("", f"a fitted estimator, got a {type(estimator).__qualname__} without fitted attributes")
    return digest_state(state, _read)


def _check(estimator: Any) -> None:
    base = require("sklearn.base", "sklearn").BaseEstimator
    if not isinstance(estimator, base):
        raise InputError(f"estimator: expected one of scikit-learn, got {type(estimator).__qualname__}")


def _fitted(estimator: Any) -> dict[str, Any]:
    given = estimator.get_params(deep=False)
    # the estimators in a pipeline or union are parameters, and are fitted in place
    own = {name: value for name, value in vars(estimator).items() if name not in given or name in _FITTED_IN_PLACE}
    return {"class": _class_of(estimator), **own}


def _learned(state: Mapping[str, Any]) -> bool:
    """Whether the state holds more than classes of estimators."""
    inner = [part for name in _FITTED_IN_PLACE for part in state.get(name, ())]
    estimators = [item for part in inner for item in part if hasattr(item, "get_params")]
    return bool(state.keys() - {"class", *_FITTED_IN_PLACE}) or any(_learned(_fitted(item)) for item in estimators)


def _read(place: str, value: Any) -> Tensor | Mapping[Any, Any] | None:
    import numpy as np

    if isinstance(value, require("sklearn.base", "sklearn").BaseEstimator):
        return _fitted(value)
    if isinstance(value, np.random.RandomState):
        name, keys, *rest = value.get_state(legacy=True)
        return {"class": name, "keys": keys, "rest": [*rest]}
    if isinstance(value, np.ndarray | np.generic):
        return _array(place, np.asarray(value))
    if type(value).__module__ == "sklearn.tree._tree" and hasattr(value, "__getstate__"):
        return {"class": _class_of(value), **value.__getstate__()}
    if type(value).__module__.startswith("scipy.sparse"):
        kept = value.tocsr(copy=True)
        kept.sum_duplicates()
        return {"format": "csr", "shape": [*kept.shape], "data": kept.data, "at": kept.indices, "rows": kept.indptr}
    if isinstance(value, slice):
        return {"start": value.start, "stop": value.stop, "step": value.step}
    if isinstance(value, np.random.Generator):
        return {"class": _class_of(value), "state": value.bit_generator.state}
    if isinstance(value, np.dtype):
        return {"dtype": str(value)}
    if type(value).__qualname__ == "Bunch":
        return {"class": _class_of(value), **dict(value)}
    if isinstance(value, type) or (callable(getattr(value, "__code__", value)) and hasattr(value, "__qualname__")):
        # of others, equal names do not mean equal code
        return {"name": f"{value.__module__}.{value.__qualname__}"} if _is_known(value.__module__) else None
    return _parts(value) if type(value).__module__.startswith(("scipy.", "sklearn.")) else None


def _is_known(module: str | None) -> bool:
    return (module or "").partition(".")[0] in ("builtins", "copyreg", "numpy", "scipy", "sklearn")


def _parts(value: Any) -> Mapping[Any, Any]:
    """Return what an object of scikit-learn's own, such as a loss, a splitter or a search tree, is made of."""
    if hasattr(value, "__dict__"):
        return {"class": _class_of(value), **vars(value)}
    made = value.__reduce_ex__(2)
    return {"class": _class_of(value), "made": [*made[:2]], "state": made[2] if len(made) > 2 else None}


def _array(place: str, array: Any) -> Tensor | Mapping[Any, Any]:
    if array.dtype.names:
        # by field: the padding between fields is undefined
        return {name: array[name] for name in array.dtype.names}
    if array.dtype == object:
        items = array.tolist()
        return {"shape": [*array.shape], "items": items if isinstance(items, list) else [items]}
    return array_tensor(place, array)


def _described(value: Any) -> Any:
    if hasattr(value, "get_params") and not isinstance(value, type):
        return describe(value)
    if isinstance(value, Mapping):
        return {str(key): _described(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_described(inner) for inner in value]
    if hasattr(value, "dtype") and getattr(value, "ndim", None):
        import numpy as np

        try:
            tensor = array_tensor("array", np.asarray(value))
        except InputError:
            return described(type(value))
        return {"dtype": tensor.dtype, "shape": list(tensor.shape), "sha256": tensor.sha256}
    return described(value)


def _class_of(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
