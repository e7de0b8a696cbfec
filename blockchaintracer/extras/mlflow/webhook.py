"""A receiver of an MLflow server's webhooks: each change of a registered model becomes a record of its trail.

Only a delivery that MLflow signed with the shared secret counts, once, and only while it is recent (HMAC-SHA-256 over
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

from typing_extensions import override

from blockchaintracer.core.errors import BlockchainTracerError, InputError, NotVerified
from blockchaintracer.core.manifest.base import parse_json
from blockchaintracer.extras.mlflow.model_registry import record_alias, record_deployed, record_model, record_version
from blockchaintracer.extras.mlflow.snapshot import client_of
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.lab import Lab

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


class Receiver(ThreadingHTTPServer):
    """Listens for webhooks at a host and port. `make_lab` opens the lab in any thread; `after` takes new records."""

    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        secret: str,
        make_lab: Callable[[], Lab],
        tracking_uri: str | None,
        after: Callable[[Recorded], None],
        deployments: Mapping[str, Sequence[str]],
    ) -> None:
        super().__init__(address, _Handler)
        self.secret, self.make_lab, self.tracking_uri = secret, make_lab, tracking_uri
        self.after, self.deployments = after, deployments
        self._lock = threading.Lock()

    def receive(self, headers: Mapping[str, str | None], body: bytes) -> list[Recorded]:
        """Record a delivery. One delivery is recorded at a time, so that each sees the one before it."""
        delivery = check_signature(self.secret, headers, body)
        with self._lock:
            records = record_event(self.make_lab(), client_of(self.tracking_uri), body, delivery, self.deployments)
        for record in records:
            if not record.existing:
                self.after(record)
        return records


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    server_version = "blockchaintracer"
    sys_version = ""
    timeout = 30

    def do_POST(self) -> None:
        try:
            length = int(self.headers.get("Content-Length") or -1)
        except ValueError:
            length = -1
        if not 0 <= length <= MAX_BODY:
            self.close_connection = True
            self._answer(413 if length > MAX_BODY else 411, {"error": f"expected a body of at most {MAX_BODY} bytes"})
            return
        try:
            records = self.server.receive({**dict(self.headers.items())}, self.rfile.read(length))
        except BlockchainTracerError as error:
            # MLflow repeats a delivery that is answered with 503
            refused = {NotVerified: 401, InputError: 400}
            self._answer(refused.get(type(error), 503), {"error": error.message})
        except Exception as error:
            self._answer(500, {"error": type(error).__name__})
            raise
        else:
            self._answer(200, {"records": [{"id": record.id, "state": record.state} for record in records]})

    def do_GET(self) -> None:
        self._answer(405, {"error": "expected POST"})

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        # MLflow repeats a delivery whose connection broke, and then gets the existing record
        with suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    @override
    def log_message(self, format: str, *arguments: Any) -> None:
        # a request line is a stranger's text: none of it goes to stderr
        pass
