"""A receiver of an MLflow server's webhooks: each change of a registered model becomes a record of its trail.

Only a delivery that MLflow signed with the shared secret counts, once, and only while it is recent (HMAC-SHA-256 over
``delivery id.timestamp.body``, headers ``X-MLflow-Signature``, ``-Delivery-Id`` and ``-Timestamp``).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import BlockchainTracerError, InputError, NotVerified
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.extras.mlflow.model_registry import record_alias, record_deployed, record_model, record_version
from blockchaintracer.extras.mlflow_reader.snapshot import client_of
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.optional import require

SECRET = "BLOCKCHAINTRACER_MLFLOW_WEBHOOK_SECRET"  # noqa: S105 -- the name of a variable
MAX_BODY = 1 << 20
MAX_AGE_S = 300
_DELIVERY = re.compile(r"[A-Za-z0-9-]{1,64}")


def read_secret(file: Path | None) -> str:
    """Read the shared secret, of at least 16 characters, from a file or from `SECRET`."""
    try:
        secret = file.read_text().strip() if file else os.environ.get(SECRET, "")
    except OSError as error:
        raise InputError(f"the secret can't be read from {file}: {error.strerror}") from None
    if len(secret) < 16:
        raise InputError(
            "expected the webhook's secret of at least 16 characters",
            hint=f"Keep it in a file and name that with --secret-file, or in ${SECRET}.",
        )
    return secret


def check_signature(secret: str, headers: Mapping[str, str | None], body: bytes) -> str:
    """Check that MLflow sent these bytes recently, or raise `NotVerified`. Returns the delivery's id."""
    delivery, timestamp = headers.get("X-MLflow-Delivery-Id") or "", headers.get("X-MLflow-Timestamp") or ""
    version, _, given = (headers.get("X-MLflow-Signature") or "").partition(",")
    if version != "v1" or not _DELIVERY.fullmatch(delivery) or not timestamp.isascii() or not timestamp.isdecimal():
        raise NotVerified("expected MLflow's signature, version 1, with a delivery's id and time")
    signed = f"{delivery}.{timestamp}.".encode() + body
    expected = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest())
    if not hmac.compare_digest(expected, given.encode("utf-8", "replace")):
        raise NotVerified("the signature is not one by the shared secret")
    if len(timestamp) > 12 or abs(time.time() - int(timestamp)) > MAX_AGE_S:
        raise NotVerified(f"the delivery is not of the last {MAX_AGE_S} seconds")
    return delivery


def read_deployments(given: Sequence[str]) -> dict[str, list[str]]:
    """Parse deployments, each ``ALIAS=TARGET`` or ``NAME@ALIAS=TARGET``. Returns the targets by alias."""
    targets: dict[str, list[str]] = {}
    for text in given:
        alias, _, target = text.rpartition("=")
        if not alias.rpartition("@")[2] or not target.strip():
            raise InputError(f"expected a deployment as ALIAS=TARGET or NAME@ALIAS=TARGET, got {text!r}")
        targets.setdefault(alias, []).append(target)
    return targets


def record_event(
    lab: Lab, client: Any, body: bytes, delivery: str, deployments: Mapping[str, Sequence[str]]
) -> list[Recorded]:
    """Record the change that a delivery reports; nothing for an event that is no change of a registered model."""
    event = parse_json(body, "webhook")
    data = event.get("data") if isinstance(event, dict) else None
    if not isinstance(event, dict) or not isinstance(data, dict):
        raise InputError("webhook: expected an event of MLflow, got something else")
    what = f"{event.get('entity')}.{event.get('action')}"
    about: dict[str, Any] = {"deliveryId": delivery, "time": str(event.get("timestamp", ""))[:64], "event": what}
    try:
        if what == "registered_model.created":
            tags = dict(data.get("tags") or {})
            return [record_model(lab, str(data["name"]), tags, data.get("description"), **about)]
        if what in ("model_version.created", "model_version_tag.set", "model_version_tag.deleted"):
            return [record_version(lab, client, str(data["name"]), str(data["version"]), **about)]
        if what == "model_version_alias.created":
            name, version, alias = str(data["name"]), str(data["version"]), str(data["alias"])
            record = record_version(lab, client, name, version)
            targets = dict.fromkeys([*deployments.get(alias, ()), *deployments.get(f"{name}@{alias}", ())])
            return [
                record_alias(lab, name, alias, version, record, **about),
                *(record_deployed(lab, target, name, version, record, alias, **about) for target in targets),
            ]
        if what == "model_version_alias.deleted":
            return [record_alias(lab, str(data["name"]), str(data["alias"]), None, **about)]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"webhook: expected the fields of {what}, got something else ({error})") from None
    return []


def listen(
    address: tuple[str, int],
    secret: str,
    make_lab: Callable[[], Lab],
    tracking_uri: str | None,
    after: Callable[[Recorded], None],
    deployments: Mapping[str, Sequence[str]],
) -> Any:
    """Return a server of Flask's for webhooks at a host and port. `make_lab` opens the lab in any thread; `after` takes
    new records."""
    flask, serving = require("flask", "mlflow"), require("werkzeug.serving", "mlflow")
    app, lock = flask.Flask("blockchaintracer"), threading.Lock()
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY

    def receive(path: str = "") -> Any:
        body = flask.request.get_data()
        delivery = check_signature(secret, flask.request.headers, body)
        # one delivery at a time, so that each sees the one before it
        with lock:
            records = record_event(make_lab(), client_of(tracking_uri), body, delivery, deployments)
        for record in records:
            if not record.existing:
                after(record)
        return {"records": [{"id": record.id, "state": record.state} for record in records]}

    def refuse(error: Exception) -> Any:
        if isinstance(error, BlockchainTracerError):
            # MLflow repeats a delivery that is answered with 503
            return {"error": error.message}, {NotVerified: 401, InputError: 400}.get(type(error), 503)
        status = getattr(error, "code", 500)
        if status == 500:
            app.logger.exception("a delivery is not recorded")
        return {"error": getattr(error, "description", type(error).__name__)}, status

    for rule in ("/", "/<path:path>"):
        app.add_url_rule(rule, view_func=receive, methods=["POST"])
    app.register_error_handler(Exception, refuse)
    # a request line is a stranger's text: none of it goes to stderr
    quiet = {"timeout": 30, "server_version": "blockchaintracer", "log": lambda *_: None}
    handler = type("Handler", (serving.WSGIRequestHandler,), quiet)
    try:
        return serving.make_server(*address, app, threaded=True, request_handler=handler)
    except SystemExit:
        raise InputError(f"expected an address to listen at, got {address[0]}:{address[1]}, which is taken") from None
