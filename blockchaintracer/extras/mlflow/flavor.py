"""A flavor around any of MLflow's: it refuses to load a model whose bytes are not the recorded ones.

>>> info = blockchaintracer.extras.mlflow.log_model(model, name="model", flavor="sklearn")  # doctest: +SKIP
>>> model = blockchaintracer.extras.mlflow.load_model(info.model_uri)  # doctest: +SKIP
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from blockchaintracer.core.digest import LISTING_LIMIT, digest_folder, parse_listing
from blockchaintracer.core.errors import InputError, NotVerified, StoreError
from blockchaintracer.core.record import Kind
from blockchaintracer.extras.mlflow.recorder import Target
from blockchaintracer.extras.mlflow.run_details import size_of_model
from blockchaintracer.extras.mlflow.snapshot import bare, without_bars
from blockchaintracer.lab.kept_proofs import anchored_proofs, find_proof
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.outbox import EntryState, Op

_OWN_FILES = frozenset({"registered_model_meta"})
"""Files that MLflow itself adds when it fetches a registered model: no part of what was logged."""


def log_model(model: Any, *arguments: Any, flavor: str | None = None, **named: Any) -> Any:
    """Logs a model by MLflow's flavor for it, with the number of its layers and parameters where it tells them. It is
    recorded with its run, when that ends.

    Args:
        model: as the flavor takes it.
        flavor: name of a module of ``mlflow``: ``sklearn``, ``pytorch``, …; by the model's own package if not said.
        arguments, named: as the flavor's ``log_model`` takes.

    Returns:
        MLflow's ModelInfo.

    Raises:
        InputError: if MLflow has no such flavor.
    """
    sizes = size_of_model(model)
    if sizes:
        named["metadata"] = {**sizes, **(named.get("metadata") or {})}
    return _flavor(flavor or _guess(model)).log_model(model, *arguments, **named)


def load_model(model_uri: str, *, flavor: str | None = None, record: str | None = None, **options: Any) -> Any:
    """Loads a model by MLflow's flavor for it, if its bytes are recorded ones. It is hashed before anything of it is
    unpickled, and loaded from the very copy that was hashed.

    Args:
        model_uri: as MLflow takes it: ``models:/…``, ``runs:/…``, or a folder.
        flavor: name of a module of ``mlflow``; what the model says if not said, ``pyfunc`` for any.
        record: id of the record that it must be; without it any of the lab's own records of a model will do, those in
            its anchored batches too.
        options: ``home``, ``rpc``, ``registry``, ``group``, ``key`` as `MLTracer` takes.

    Raises:
        NotVerified: naming the files that differ, if they are not the recorded ones.
        ChainUnavailable: if the chain is away and `record` is not the lab's own.
    """
    require("mlflow", "mlflow")
    import mlflow

    lab = Target(**options).lab()
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        # a copy: what is loaded is what was hashed, whoever writes to the original meanwhile
        with without_bars():
            fetched = mlflow.artifacts.download_artifacts(
                artifact_uri=bare(model_uri), dst_path=scratch, tracking_uri=bare(mlflow.get_tracking_uri())
            )
        folder = Path(fetched)
        require_recorded(lab, folder, record)
        return _flavor(flavor or _flavor_of(folder)).load_model(str(folder))


def require_recorded(lab: Lab, folder: Path, record: str | None = None) -> str:
    """The id of the record of a model's folder.

    Raises:
        NotVerified: if there is none.
    """
    exclude = registered_files(folder)
    here = digest_folder(folder, exclude=exclude)
    known = own_models(lab)
    if record is not None:
        wanted = known.get(record)
        if wanted is None:
            found = find_proof(lab, record) or lab.registry.find_record(record)
            wanted = found.key.subject if found and found.key.kind == Kind.MODEL else None
        if wanted is None:
            raise NotVerified(f"there is no record {record} of a model")
        if wanted == here.sha256:
            return record
        raise NotVerified(f"the model is not what was recorded as {record}: {_differences(lab, wanted, here)}")
    for record_id, subject in chain(known.items(), batched_models(lab)):
        if subject == here.sha256:
            return record_id
    alike = _alike(lab, {**dict(batched_models(lab)), **known}, here)
    raise NotVerified(
        "the model's bytes are not recorded ones, and it was not loaded" + (f": {alike}" if alike else ""),
        hint="Fetch it anew, or name the record that it must be with record=ID.",
    )


def registered_files(folder: Path) -> set[str]:
    """What MLflow itself added to a model's folder when it fetched it from the registry."""
    return {name for name in _OWN_FILES if (folder / name).is_file()}


def own_models(lab: Lab) -> dict[str, str]:
    """Subjects of the lab's own records of models by record id, the newest first; not of those in batches."""
    found = {}
    for entry in reversed(lab.outbox.entries(lab.chain_id, Op.RECORD)):
        write = entry.write
        if write.key.kind == Kind.MODEL and entry.state is not EntryState.FAILED:
            found[write["record_id"]] = write.key.subject
    return found


def batched_models(lab: Lab) -> Iterator[tuple[str, str]]:
    """Record id and subject of each model in the lab's anchored batches, each of which leads to its batch's root."""
    return ((proof.id, proof.key.subject) for proof in anchored_proofs(lab) if proof.key.kind == Kind.MODEL)


def _alike(lab: Lab, known: dict[str, str], here: Any) -> str | None:
    """How it differs from the recorded model that shares most files with it."""
    mine = {(entry.path, entry.sha256) for entry in here.files}
    best, shared = None, 0
    for record_id, subject in known.items():
        try:
            files = set(parse_listing(lab.store.get_bytes(subject, LISTING_LIMIT)))
        except (StoreError, InputError):
            continue
        if len(files & mine) > shared:
            best, shared = (record_id, subject), len(files & mine)
    return f"unlike record {best[0]}, {_differences(lab, best[1], here)}" if best else None


def _differences(lab: Lab, subject: str, here: Any) -> str:
    try:
        recorded = dict(parse_listing(lab.store.get_bytes(subject, LISTING_LIMIT)))
    except (StoreError, InputError):
        return "which files differ is unknown, for its listing is not here"
    mine = {entry.path: entry.sha256 for entry in here.files}
    said = [f"{path} is changed" for path in sorted(recorded.keys() & mine.keys()) if recorded[path] != mine[path]]
    said += [f"{path} is missing" for path in sorted(recorded.keys() - mine.keys())]
    said += [f"{path} is added" for path in sorted(mine.keys() - recorded.keys())]
    return ", ".join(said[:20])


def _flavor(name: str) -> Any:
    require("mlflow", "mlflow")
    try:
        if not name.replace("_", "").isalnum():
            raise ImportError
        module = import_module(f"mlflow.{name}")
    except ImportError:
        module = None
    if module is None or not hasattr(module, "load_model"):
        raise InputError(f"MLflow has no flavor {name!r}", hint="For example flavor='sklearn' or flavor='pyfunc'.")
    return module


def _guess(model: Any) -> str:
    for kind in type(model).__mro__:
        package = kind.__module__.partition(".")[0]
        name = {"torch": "pytorch", "keras": "keras" if package == "keras" else package}.get(package, package)
        if package not in ("builtins", "abc"):
            return name
    return "pyfunc"


def _flavor_of(folder: Path) -> str:
    try:
        said = yaml.safe_load((folder / "MLmodel").read_text())
        return next((name for name in said["flavors"] if name != "python_function"), "pyfunc")
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return "pyfunc"
