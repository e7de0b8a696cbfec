"""Receives the webhooks of an MLflow server: each change of a registered model becomes a record of its trail.

Only what MLflow signed with the shared secret is taken, once, and not when it is old (MLflow: HMAC-SHA-256 over
``delivery id.timestamp.body``, headers ``X-MLflow-Signature``, ``-Delivery-Id`` and ``-Timestamp``).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import BlockchainTracerError, InputError, NotVerified
from blockchaintracer.core.manifest.base import parse_json
from blockchaintracer.extras.mlflow.model_registry import (
    alias_changed,
    deployed,
    record_version,
    registered_model_changed,
)
from blockchaintracer.extras.mlflow.snapshot import client_of
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.lab import Lab

SECRET = "BLOCKCHAINTRACER_MLFLOW_WEBHOOK_SECRET"  # noqa: S105 -- the name of a variable
MAX_BODY = 1 << 20
MAX_AGE_S = 300
_DELIVERY = re.compile(r"[A-Za-z0-9-]{1,64}")


def read_secret(file: Path | None) -> str:
    """The secret that MLflow signs with: from a file, else from ``$BLOCKCHAINTRACER_MLFLOW_WEBHOOK_SECRET``.

    Raises:
        InputError: if there is none, or it is shorter than 16 characters.
    """
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


def check_signature(secret: str, headers: Mapping[str, str | None], body: bytes, now: float | None = None) -> str:
    """Checks that MLflow sent these bytes, and lately; the delivery's id.

    Raises:
        NotVerified: if it didn't.
    """
    delivery, timestamp = headers.get("X-MLflow-Delivery-Id") or "", headers.get("X-MLflow-Timestamp") or ""
    version, _, given = (headers.get("X-MLflow-Signature") or "").partition(",")
    if version != "v1" or not _DELIVERY.fullmatch(delivery) or not timestamp.isascii() or not timestamp.isdecimal():
        raise NotVerified("expected MLflow's signature, version 1, with a delivery's id and time")
    signed = f"{delivery}.{timestamp}.".encode() + body
    expected = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest())
    if not hmac.compare_digest(expected, given.encode("utf-8", "replace")):
        raise NotVerified("the signature is not one by the shared secret")
    if len(timestamp) > 12 or abs((time.time() if now is None else now) - int(timestamp)) > MAX_AGE_S:
        raise NotVerified(f"the delivery is not of the last {MAX_AGE_S} seconds")
    return delivery


def read_deployments(given: Sequence[str]) -> dict[str, list[str]]:
    """What is deployed where, from ``ALIAS=TARGET`` or ``NAME@ALIAS=TARGET``: places by alias.

    Raises:
        InputError: if one is neither.
    """
    found: dict[str, list[str]] = {}
    for text in given:
        alias, _, target = text.rpartition("=")
        if not alias.rpartition("@")[2] or not target.strip():
            raise InputError(f"expected a deployment as ALIAS=TARGET or NAME@ALIAS=TARGET, got {text!r}")
        found.setdefault(alias, []).append(target)
    return found


def record_event(
    lab: Lab, client: Any, body: bytes, delivery: str, deployments: Mapping[str, Sequence[str]] | None = None
) -> list[Recorded]:
    """Records what a delivery tells; nothing for an event that is no change of a registered model.

    Args:
        client: MLflow's client, which is asked for the files of a version.
        body: as MLflow sends it, its signature checked.
        deployments: the places that a version goes to when it is given an alias, by the alias or ``NAME@ALIAS``.

    Returns:
        the record of the change, and after it one of each deployment.

    Raises:
        InputError: if it isn't what MLflow sends.
    """
    event = parse_json(body, "webhook")
    data = event.get("data") if isinstance(event, dict) else None
    if not isinstance(event, dict) or not isinstance(data, dict):
        raise InputError("webhook: expected an event of MLflow, got something else")
    told: dict[str, Any] = {"deliveryId": delivery, "time": str(event.get("timestamp", ""))[:64]}
    what = f"{event.get('entity')}.{event.get('action')}"
    told["event"] = what
    try:
        if what == "registered_model.created":
            tags = dict(data.get("tags") or {})
            return [registered_model_changed(lab, str(data["name"]), tags, data.get("description"), **told)]
        if what in ("model_version.created", "model_version_tag.set", "model_version_tag.deleted"):
            return [record_version(lab, client, str(data["name"]), str(data["version"]), **told)]
        if what == "model_version_alias.created":
            name, version, alias = str(data["name"]), str(data["version"]), str(data["alias"])
            of = record_version(lab, client, name, version)
            made = [alias_changed(lab, name, alias, version, of, **told)]
            chosen = deployments or {}
            for target in dict.fromkeys([*chosen.get(alias, ()), *chosen.get(f"{name}@{alias}", ())]):
                made.append(deployed(lab, target, name, version, of, alias, **told))
            return made
        if what == "model_version_alias.deleted":
            return [alias_changed(lab, str(data["name"]), str(data["alias"]), None, **told)]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"webhook: expected the fields of {what}, got something else ({error})") from None
    return []


class Receiver(ThreadingHTTPServer):
    """Listens for webhooks. One at a time is recorded, so that each finds the one before it.

    Args:
        address: host and port; port 0 for any.
        secret: that MLflow signs with.
        make_lab: opens the lab, in whatever thread it is asked for.
        tracking_uri: of the MLflow server.
        after: called with each new record.
        deployments: as `record_event` takes.
    """

    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        secret: str,
        make_lab: Callable[[], Lab],
        tracking_uri: str | None,
        after: Callable[[Recorded], None],
        deployments: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(address, _Handler)
        self.secret = secret
        self.tracking_uri = tracking_uri
        self.make_lab = make_lab
        self.after = after
        self.deployments = deployments
        self.one = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    server_version = "blockchaintracer"
    sys_version = ""
    timeout = 30

    def do_POST(self) -> None:
        """One delivery."""
        try:
            length = int(self.headers.get("Content-Length") or -1)
        except ValueError:
            length = -1
        if not 0 <= length <= MAX_BODY:
            self.close_connection = True
            self._answer(413 if length > MAX_BODY else 411, {"error": f"expected a body of at most {MAX_BODY} bytes"})
            return
        body = self.rfile.read(length)
        try:
            delivery = check_signature(self.server.secret, {**dict(self.headers.items())}, body)
        except NotVerified as error:
            self._answer(401, {"error": error.message})
            return
        try:
            with self.server.one:
                client = client_of(self.server.tracking_uri)
                made = record_event(self.server.make_lab(), client, body, delivery, self.server.deployments)
            for one in made:
                if not one.existing:
                    self.server.after(one)
        except InputError as error:
            self._answer(400, {"error": error.message})
        except BlockchainTracerError as error:
            # MLflow tries again
            self._answer(503, {"error": error.message})
        except Exception as error:
            self._answer(500, {"error": type(error).__name__})
            raise
        else:
            self._answer(200, {"records": [{"id": one.id, "state": one.state} for one in made]})

    def do_GET(self) -> None:
        """Nothing is shown."""
        self._answer(405, {"error": "expected POST"})

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        # who hung up meanwhile asks again, and what was recorded is then told from the record
        with suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing on stderr: a request line is a stranger's text."""
