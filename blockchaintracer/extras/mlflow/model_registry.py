"""MLflow's model registry and what is deployed of it, as trails: each change a record that supersedes the one before.

A trail has one subject for good, the SHA-256 of its identifier (``mlflow-model:NAME``, ``mlflow-model:NAME/VERSION``,
``mlflow-alias:NAME@ALIAS``, ``mlflow-deployment:TARGET``): who knows the name finds all of it on the chain.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from blockchaintracer.core.digest import digest_folder
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import Manifest, RecordPredicate, parse_manifest
from blockchaintracer.core.record import Kind, Link, Relation
from blockchaintracer.extras.mlflow.flavor import own_models, registered_files
from blockchaintracer.extras.mlflow.run_details import model_details
from blockchaintracer.extras.mlflow.snapshot import HIDDEN, Hide, bare, client_of, without_bars
from blockchaintracer.lab.capture.secret_masking import MASK
from blockchaintracer.lab.drafts import Draft, Recorded
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Entry, Op
from blockchaintracer.lab.recording.commit import commit, recorded
from blockchaintracer.lab.recording.content import named_parents, not_before, record_path

_HIDE = Hide(None)


def record_registered_model(lab: Lab, name: str, tracking_uri: str | None = None) -> list[Recorded]:
    """Records a registered model, its versions and its aliases as they are now. What is as it was costs nothing.

    Args:
        name: of the registered model.
        tracking_uri: of the MLflow that has it; the one in use if not said.

    Returns:
        the records: of the model, of each version, of each alias.

    Raises:
        InputError: if MLflow has no such model.
    """
    client = client_of(tracking_uri)
    model = _asked(lambda: client.get_registered_model(name), f"registered model {name!r}")
    found = [registered_model_changed(lab, model.name, dict(model.tags or {}), model.description)]
    versions: dict[str, Recorded] = {}
    for version in sorted(client.search_model_versions(f"name = '{_quoted(name)}'"), key=lambda one: int(one.version)):
        record = record_version(lab, client, name, str(version.version), found[0])
        versions[str(version.version)] = record
        found.append(record)
    found += [
        alias_changed(lab, name, alias, str(version), versions.get(str(version)))
        for alias, version in sorted((model.aliases or {}).items())
    ]
    return found


def registered_model_changed(
    lab: Lab, name: str, tags: Mapping[str, str], description: str | None, **event: Any
) -> Recorded:
    """Records a registered model as it is now."""
    values = {"registeredModel": name, "tags": _shown(tags), "description": _text(description)}
    return _next(lab, Kind.DOCUMENT, f"mlflow-model:{_part(name)}", f"MLflow model {name}", values, event=event)


def record_version(
    lab: Lab, client: Any, name: str, version: str, model: Recorded | None = None, **event: Any
) -> Recorded:
    """Records a version of a registered model as it is now, with its files as a Model record.

    Raises:
        InputError: if MLflow has no such version.
    """
    found = _asked(lambda: client.get_model_version(name, version), f"version {version} of model {name!r}")
    parents = [Link(model.id, Relation.USES)] if model else []
    files = _version_files(lab, client, name, version)
    if files:
        parents.append(Link(files[0], Relation.USES))
    values = {
        "registeredModel": name,
        "version": version,
        "runId": found.run_id or None,
        "modelId": getattr(found, "model_id", None),
        "tags": _shown(found.tags or {}),
        "description": _text(found.description),
        "status": found.status,
        "files": files[1] if files else None,
        "filesRecord": files[0] if files else None,
    }
    identifier = f"mlflow-model:{_part(name)}/{_part(version)}"
    return _next(lab, Kind.DOCUMENT, identifier, f"MLflow model {name} version {version}", values, parents, event)


def alias_changed(
    lab: Lab, name: str, alias: str, version: str | None, target: Recorded | None = None, **event: Any
) -> Recorded:
    """Records where an alias of a registered model points now; nowhere, if `version` is None."""
    values = {"registeredModel": name, "alias": alias, "version": version}
    parents = [Link(target.id, Relation.USES)] if target else []
    identifier = f"mlflow-alias:{_part(name)}@{_part(alias)}"
    return _next(lab, Kind.DOCUMENT, identifier, f"MLflow alias {name}@{alias}", values, parents, event)


def record_deployment(
    lab: Lab,
    target: str,
    model: str,
    *,
    action: str = "deployed",
    tracking_uri: str | None = None,
    values: Mapping[str, Any] | None = None,
) -> Recorded:
    """Records that a version of a registered model went to, or left, a place. The place's records are its audit trail.

    Args:
        target: the place: an endpoint, a cluster.
        model: ``NAME/VERSION`` or ``NAME@ALIAS``; an alias is recorded as the version that it means now.
        action: what was done: ``deployed``, ``updated``, ``rolled back``, ``removed``.
        tracking_uri: of the MLflow that has the model; the one in use if not said.
        values: what else there is to say, by name.

    Raises:
        InputError: if MLflow has no such model.
    """
    client = client_of(tracking_uri)
    name, at, alias = model.rpartition("@")
    if at:
        version = str(_asked(lambda: client.get_model_version_by_alias(name, alias), f"model {model!r}").version)
    else:
        name, slash, version = model.rpartition("/")
        if not slash:
            raise InputError(f"expected a model as NAME/VERSION or NAME@ALIAS, got {model!r}")
    return deployed(
        lab, target, name, version, record_version(lab, client, name, version), alias if at else None, action, values
    )


def deployed(
    lab: Lab,
    target: str,
    name: str,
    version: str,
    of: Recorded,
    alias: str | None,
    action: str = "deployed",
    values: Mapping[str, Any] | None = None,
    **event: Any,
) -> Recorded:
    """As `record_deployment`, of a version whose record is known."""
    said = {
        "action": action,
        "target": target,
        "registeredModel": name,
        "version": version,
        "alias": alias,
        "more": _shown({key: str(value) for key, value in (values or {}).items()}),
    }
    identifier = f"mlflow-deployment:{_part(target)}"
    parents = [Link(of.id, Relation.USES)]
    return _next(lab, Kind.DEPLOYMENT, identifier, f"Deployment at {target}", said, parents, event)


def trail(lab: Lab, kind: Kind, identifier: str) -> list[tuple[Entry, RecordPredicate]]:
    """The lab's own records of a trail, the oldest first, with what they say."""
    subject = sha256(identifier.encode()).hexdigest()
    found = []
    entries = lab.outbox.entries_in(lab.domain, Op.RECORD)
    # another process may have entered one and not have stored its manifest yet
    lab.outbox.store_captured(lab.store.put_bytes)
    for entry in entries:
        key = entry.write.key
        if (key.kind, key.subject, key.author) == (kind, subject, lab.signer.address.lower()):
            predicate = parse_manifest(lab.store.get_bytes(key.manifest)).predicate
            if isinstance(predicate, RecordPredicate):
                found.append((entry, predicate))
    return found


def _next(
    lab: Lab,
    kind: Kind,
    identifier: str,
    name: str,
    values: Mapping[str, Any],
    parents: Sequence[Link] = (),
    event: Mapping[str, Any] | None = None,
) -> Recorded:
    """The next record of a trail; the last one, if nothing has changed since, or the event is known already."""
    if len(identifier) > 256:
        identifier = f"{identifier.partition(':')[0]}:sha256:{sha256(identifier.encode()).hexdigest()}"
    now = {key: value for key, value in values.items() if value not in (None, {}, [])}
    before = trail(lab, kind, identifier)
    delivery = (event or {}).get("deliveryId")
    for entry, said in before:
        known = delivery and said.values.get("event", {}).get("deliveryId") == delivery
        same = entry is before[-1][0] and {k: v for k, v in said.values.items() if k != "event"} == now
        if known or same:
            write = entry.write
            manifest = parse_manifest(lab.store.get_bytes(write.key.manifest))
            return recorded(lab, Draft(manifest, write.key, write["record_id"]), entry, existing=True)
    links = {*parents, *(Link(str(entry.write.record_id), Relation.SUPERSEDES) for entry, _ in before[-1:])}
    if event:
        now["event"] = dict(event)
    predicate = RecordPredicate(
        name=" ".join(name.split())[:256],
        subject_type="identifier",
        identifier=identifier,
        values=now,
        not_before=not_before(lab),
        parents=named_parents(links),
    )
    return commit(lab, Manifest.of(int(kind), predicate), predicate.links())


def _version_files(lab: Lab, client: Any, name: str, version: str) -> tuple[str, str] | None:
    """Record and digest of a version's files, recorded if they weren't; None if there are none to be had."""
    import mlflow

    uri = bare(client.tracking_uri)
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        try:
            source = client.get_model_version_download_uri(name, version)
            with without_bars():
                fetched = mlflow.artifacts.download_artifacts(artifact_uri=source, dst_path=scratch, tracking_uri=uri)
            folder = Path(fetched)
        except Exception as error:
            # whatever a storage's client raises: that the files can't be had must not lose what happened
            lab.say(
                f"{name} version {version} is recorded without its files, which can't be had: {type(error).__name__}"
            )
            return None
        exclude = registered_files(folder)
        subject = digest_folder(folder, exclude=exclude).sha256
        for record_id, known in own_models(lab).items():
            if known == subject:
                return record_id, subject
        details = model_details(folder)
        made = record_path(lab, Kind.MODEL, folder, name=name, framework=details.get("framework"), exclude=exclude)
        return made.id, made.subject


def _asked(ask: Any, what: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return ask()
    except MlflowException as error:
        raise InputError(f"MLflow has no {what}: {error.message[:200]}") from None


def _shown(values: Mapping[str, str]) -> dict[str, str]:
    return {key: MASK if value.startswith(HIDDEN) else value for key, value in _HIDE.all(values).items()}


def _text(text: str | None) -> str | None:
    return _shown({"description": text})["description"] if text else None


def _part(text: str) -> str:
    return quote(text, safe="")


def _quoted(name: str) -> str:
    if "'" in name:
        raise InputError(f"expected a model's name without quotes, got {name!r}")
    return name
