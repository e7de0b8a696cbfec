"""Trails of MLflow's model registry and of deployments: each change is a record that supersedes the one before.

The subject of a trail is the SHA-256 of its identifier (``mlflow-model:NAME``, ``mlflow-model:NAME/VERSION``,
``mlflow-alias:NAME@ALIAS``, ``mlflow-deployment:TARGET``): with the name, anyone finds the whole trail on the chain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from blockchaintracer.core.digest import digest_folder
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import RecordPredicate, parse_manifest
from blockchaintracer.core.record import Kind, Link, Relation
from blockchaintracer.extras.mlflow.flavor import own_models, registered_files
from blockchaintracer.extras.mlflow.recorder import own_records
from blockchaintracer.extras.mlflow_reader.answers import bounded_answers
from blockchaintracer.extras.mlflow_reader.artifact_files import local_path, places_of, require_places
from blockchaintracer.extras.mlflow_reader.logged_content import model_details
from blockchaintracer.extras.mlflow_reader.snapshot import HIDDEN, Hide, bare, client_of, files_at
from blockchaintracer.lab.capture.secret_masking import MASK
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Entry
from blockchaintracer.lab.recording.commit import existing_record
from blockchaintracer.lab.recording.content import commit_document, not_before, record_path


def record_registered_model(lab: Lab, name: str, tracking_uri: str | None = None) -> list[Recorded]:
    """Record a registered model, its versions and its aliases as they are now. What has not changed is free."""
    client = _client(tracking_uri)
    model = _ask(lambda: client.get_registered_model(name), f"registered model {name!r}")
    if "'" in name:
        raise InputError(f"expected a model's name without quotes, got {name!r}")
    records = [record_model(lab, model.name, dict(model.tags or {}), model.description)]
    versions: dict[str, Recorded] = {}
    versions_of = _ask(lambda: client.search_model_versions(f"name = '{name}'"), f"versions of model {name!r}")
    numbers = sorted(int(version.version) for version in versions_of)
    for version in map(str, numbers):
        versions[version] = record_version(lab, client, name, version, records[0])
    aliases = [
        record_alias(lab, name, alias, str(version), versions.get(str(version)))
        for alias, version in sorted((model.aliases or {}).items())
    ]
    return [*records, *versions.values(), *aliases]


def record_model(lab: Lab, name: str, tags: Mapping[str, str], description: str | None, **event: Any) -> Recorded:
    """Record a registered model as it is now."""
    values = {"registeredModel": name, "tags": _shown(tags), "description": _text(description)}
    return _record_next(lab, Kind.DOCUMENT, f"mlflow-model:{_part(name)}", f"MLflow model {name}", values, event=event)


def record_version(
    lab: Lab, client: Any, name: str, version: str, model: Recorded | None = None, **event: Any
) -> Recorded:
    """Record a version of a registered model as it is now, with its files as a Model record."""
    shown = _ask(lambda: client.get_model_version(name, version), f"version {version} of model {name!r}")
    record, digest = _version_files(lab, client, name, version)
    values = {
        "registeredModel": name,
        "version": version,
        "runId": shown.run_id or None,
        "modelId": getattr(shown, "model_id", None),
        "tags": _shown(shown.tags or {}),
        "description": _text(shown.description),
        "status": shown.status,
        "files": digest,
        "filesRecord": record,
    }
    parents = [Link(used, Relation.USES) for used in (model.id if model else None, record) if used]
    identifier = f"mlflow-model:{_part(name)}/{_part(version)}"
    return _record_next(
        lab, Kind.DOCUMENT, identifier, f"MLflow model {name} version {version}", values, parents, event
    )


def record_alias(
    lab: Lab, name: str, alias: str, version: str | None, target: Recorded | None = None, **event: Any
) -> Recorded:
    """Record the version that an alias of a registered model names now; None for no version."""
    values = {"registeredModel": name, "alias": alias, "version": version}
    parents = [Link(target.id, Relation.USES)] if target else []
    identifier = f"mlflow-alias:{_part(name)}@{_part(alias)}"
    return _record_next(lab, Kind.DOCUMENT, identifier, f"MLflow alias {name}@{alias}", values, parents, event)


def record_deployment(
    lab: Lab,
    target: str,
    model: str,
    *,
    action: str = "deployed",
    tracking_uri: str | None = None,
    values: Mapping[str, Any] | None = None,
) -> Recorded:
    """Record that a version of a registered model went to a target, or left it. The records are its audit trail.

    Args:
        target: an endpoint, a cluster.
        model: ``NAME/VERSION`` or ``NAME@ALIAS``; an alias is recorded as the version that it names now.
        action: what was done: ``deployed``, ``updated``, ``rolled back``, ``removed``.
        tracking_uri: of the MLflow that has the model; default: the URI in use.
    """
    client = _client(tracking_uri)
    name, at, alias = model.rpartition("@")
    if at:
        version = str(_ask(lambda: client.get_model_version_by_alias(name, alias), f"model {model!r}").version)
    else:
        name, slash, version = model.rpartition("/")
        if not slash:
            raise InputError(f"expected a model as NAME/VERSION or NAME@ALIAS, got {model!r}")
    record = record_version(lab, client, name, version)
    return record_deployed(lab, target, name, version, record, alias if at else None, action, values)


def record_deployed(
    lab: Lab,
    target: str,
    name: str,
    version: str,
    record: Recorded,
    alias: str | None,
    action: str = "deployed",
    more: Mapping[str, Any] | None = None,
    **event: Any,
) -> Recorded:
    """Record a deployment of a version whose record is known."""
    values = {
        "action": action,
        "target": target,
        "registeredModel": name,
        "version": version,
        "alias": alias,
        "more": _shown({key: str(value) for key, value in (more or {}).items()}),
    }
    identifier = f"mlflow-deployment:{_part(target)}"
    parents = [Link(record.id, Relation.USES)]
    return _record_next(lab, Kind.DEPLOYMENT, identifier, f"Deployment at {target}", values, parents, event)


def trail(lab: Lab, kind: Kind, identifier: str) -> list[tuple[Entry, RecordPredicate]]:
    """List the lab's own records of a trail with their predicates, the oldest first."""
    entries = own_records(lab, kind, identifier)
    # another process may have captured a record and not have stored its manifest yet
    lab.outbox.store_captured(lab.store.put_bytes)
    manifests = ((entry, parse_manifest(lab.store.get_bytes(entry.write.key.manifest))) for entry in entries)
    return [
        (entry, manifest.predicate) for entry, manifest in manifests if isinstance(manifest.predicate, RecordPredicate)
    ]


def _record_next(
    lab: Lab,
    kind: Kind,
    identifier: str,
    name: str,
    values: Mapping[str, Any],
    parents: Sequence[Link] = (),
    event: Mapping[str, Any] | None = None,
) -> Recorded:
    """Record the next change of a trail; the existing record if nothing changed, or the event is recorded already."""
    if len(identifier) > 256:
        identifier = f"{identifier.partition(':')[0]}:sha256:{sha256(identifier.encode()).hexdigest()}"
    now = {key: value for key, value in values.items() if value not in (None, {}, [])}
    earlier = trail(lab, kind, identifier)
    delivery = (event or {}).get("deliveryId")
    for entry, predicate in earlier:
        known = delivery and predicate.values.get("event", {}).get("deliveryId") == delivery
        unchanged = {key: value for key, value in predicate.values.items() if key != "event"} == now
        if known or (unchanged and entry is earlier[-1][0]):
            return existing_record(lab, entry)
    links = {*parents, *(Link(entry.write["record_id"], Relation.SUPERSEDES) for entry, _ in earlier[-1:])}
    if event:
        now["event"] = dict(event)
    name = " ".join(name.split())[:256]
    about = {"subject_type": "identifier", "identifier": identifier, "not_before": not_before(lab)}
    return commit_document(lab, kind, None, links, name=name, values=now, **about)


def _version_files(lab: Lab, client: Any, name: str, version: str) -> tuple[str, str] | tuple[None, None]:
    """Return the record and the digest of a version's files, recorded now if need be; None if they are unavailable, or
    lie where a store may not name files."""
    uri = bare(client.tracking_uri)
    with ExitStack() as opened:
        try:
            location = client.get_model_version_download_uri(name, version)
            require_places([local_path(location) or location], places_of(uri))
            folder = opened.enter_context(files_at(location, uri))
        except Exception as error:
            # a storage's client may raise anything: the change must be recorded even without the files
            reason = error.message if isinstance(error, InputError) else type(error).__name__
            lab.say(f"{name} version {version} is recorded without its files, which are unavailable: {reason}")
            return None, None
        if folder is None:
            return None, None
        subject = digest_folder(folder, exclude=(exclude := registered_files(folder))).sha256
        for record_id, known in own_models(lab).items():
            if known == subject:
                return record_id, subject
        details = model_details(folder)
        record = record_path(lab, Kind.MODEL, folder, name=name, framework=details.get("framework"), exclude=exclude)
        return record.id, record.subject


def _client(tracking_uri: str | None) -> Any:
    client = client_of(tracking_uri)
    places_of(bare(client.tracking_uri))
    return client


def _ask(ask: Callable[[], Any], what: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        with bounded_answers():
            return ask()
    except MlflowException as error:
        raise InputError(f"MLflow has no {what}: {error.message[:200]}") from None


def _shown(values: Mapping[str, str]) -> dict[str, str]:
    return {key: MASK if value.startswith(HIDDEN) else value for key, value in Hide(None).texts(values).items()}


def _text(text: str | None) -> str | None:
    return _shown({"description": text})["description"] if text else None


def _part(text: str) -> str:
    return quote(text, safe="")
