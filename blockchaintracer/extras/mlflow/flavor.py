"""A flavor around any of MLflow's: it refuses to load a model whose bytes are not the recorded ones.

>>> info = blockchaintracer.mlflow.log_model(model, name="model", flavor="sklearn")  # doctest: +SKIP
>>> model = blockchaintracer.mlflow.load_model(info.model_uri)  # doctest: +SKIP
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

from blockchaintracer.core.digest import LISTING_LIMIT, FolderDigest, digest_folder, parse_listing
from blockchaintracer.core.errors import InputError, NotVerified, StoreError
from blockchaintracer.core.record import Kind
from blockchaintracer.extras.mlflow.recorder import Target
from blockchaintracer.extras.mlflow_reader.answers import DAY_S, bounded_answers
from blockchaintracer.extras.mlflow_reader.logged_content import read_yaml, size_of_model
from blockchaintracer.extras.mlflow_reader.snapshot import bare
from blockchaintracer.lab.kept_proofs import anchored_proofs, find_proof
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.outbox import EntryState, Op

_ADDED_BY_MLFLOW = frozenset({"registered_model_meta"})


def log_model(model: Any, *arguments: Any, flavor: str | None = None, **named: Any) -> Any:
    """Log a model by MLflow's flavor for it, with the number of its layers and parameters where it tells them.

    The model is recorded with its run, when that ends.

    Args:
        flavor: name of a module of ``mlflow``: ``sklearn``, ``pytorch``, …; default: by the model's own package.
        arguments, named: as the flavor's ``log_model`` takes.
    """
    if sizes := size_of_model(model):
        named["metadata"] = {**sizes, **(named.get("metadata") or {})}
    return _flavor(flavor or _guess(model)).log_model(model, *arguments, **named)


def load_model(model_uri: str, *, flavor: str | None = None, record: str | None = None, **options: Any) -> Any:
    """Load a model by MLflow's flavor for it, if its bytes are recorded ones.

    The model is hashed before anything of it is unpickled, and loaded from the very copy that was hashed.

    Args:
        model_uri: as MLflow takes it: ``models:/…``, ``runs:/…``, or a folder.
        flavor: name of a module of ``mlflow``, ``pyfunc`` for any; default: what the model says.
        record: id of the record that the model must have; default: any of the lab's own records of a model, also in
            its anchored batches.
        options: ``home``, ``rpc``, ``registry``, ``group``, ``key`` as `MLTracer` takes.

    Raises:
        NotVerified: if the bytes are not recorded ones, naming the files that differ.
        ChainUnavailable: if the chain is unavailable and `record` is not the lab's own.
    """
    mlflow = require("mlflow", "mlflow")
    lab = Target(**options).lab()
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        # a copy: somebody may write to the original between hashing and loading
        with bounded_answers(DAY_S):
            where = {"dst_path": scratch, "tracking_uri": bare(mlflow.get_tracking_uri())}
            folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=bare(model_uri), **where))
        require_recorded(lab, folder, record)
        return _flavor(flavor or _flavor_of(folder)).load_model(str(folder))


def require_recorded(lab: Lab, folder: Path, record: str | None = None) -> str:
    """Return the id of the record of a model's folder."""
    content = digest_folder(folder, exclude=registered_files(folder))
    own = own_models(lab)
    if record is not None:
        subject = own.get(record)
        if subject is None:
            evidence = find_proof(lab, record) or lab.registry.find_record(record)
            subject = evidence.key.subject if evidence and evidence.key.kind == Kind.MODEL else None
        if subject is None:
            raise NotVerified(f"there is no record {record} of a model")
        if subject == content.sha256:
            return record
        raise NotVerified(f"the model is not what was recorded as {record}: {_differences(lab, subject, content)}")
    for record_id, subject in chain(own.items(), batched_models(lab)):
        if subject == content.sha256:
            return record_id
    alike = _alike(lab, {**dict(batched_models(lab)), **own}, content)
    raise NotVerified(
        "the model's bytes are not recorded ones, and it was not loaded" + (f": {alike}" if alike else ""),
        hint="Fetch it anew, or name the record that it must be with record=ID.",
    )


def registered_files(folder: Path) -> set[str]:
    """List the files that MLflow itself added to a model's folder when it fetched it from the registry."""
    return {name for name in _ADDED_BY_MLFLOW if (folder / name).is_file()}


def own_models(lab: Lab) -> dict[str, str]:
    """Return the subjects of the lab's own records of models by record id, the newest first; without batches."""
    return {
        entry.write["record_id"]: entry.write.key.subject
        for entry in reversed(lab.outbox.entries(lab.chain_id, Op.RECORD))
        if entry.write.key.kind == Kind.MODEL and entry.state is not EntryState.FAILED
    }


def batched_models(lab: Lab) -> Iterator[tuple[str, str]]:
    """Iterate over record id and subject of each model in the lab's anchored batches."""
    return ((proof.id, proof.key.subject) for proof in anchored_proofs(lab) if proof.key.kind == Kind.MODEL)


def _alike(lab: Lab, known: dict[str, str], content: FolderDigest) -> str | None:
    """Describe how a model differs from the recorded one that shares most files with it."""
    files = {(entry.path, entry.sha256) for entry in content.files}
    shared = {record_id: len(files & (_listed(lab, subject) or {}).items()) for record_id, subject in known.items()}
    best = max(shared, key=lambda record_id: shared[record_id], default=None)
    if best is None or not shared[best]:
        return None
    return f"unlike record {best}, {_differences(lab, known[best], content)}"


def _differences(lab: Lab, subject: str, content: FolderDigest) -> str:
    recorded = _listed(lab, subject)
    if recorded is None:
        return "which files differ is unknown, for its listing is not here"
    files = {entry.path: entry.sha256 for entry in content.files}
    named = [f"{path} is changed" for path in sorted(recorded.keys() & files.keys()) if recorded[path] != files[path]]
    named += [f"{path} is missing" for path in sorted(recorded.keys() - files.keys())]
    named += [f"{path} is added" for path in sorted(files.keys() - recorded.keys())]
    return ", ".join(named[:20])


def _listed(lab: Lab, subject: str) -> dict[str, str] | None:
    try:
        return dict(parse_listing(lab.store.get_bytes(subject, LISTING_LIMIT)))
    except (StoreError, InputError):
        return None


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
    packages = (kind.__module__.partition(".")[0] for kind in type(model).__mro__)
    package = next((package for package in packages if package not in ("builtins", "abc")), "pyfunc")
    return "pytorch" if package == "torch" else package


def _flavor_of(folder: Path) -> str:
    flavors = read_yaml(folder / "MLmodel").get("flavors")
    return next((name for name in flavors if name != "python_function"), "pyfunc") if flavors else "pyfunc"
