"""HTTP around the answers: limits of requests, HEAD, problem details (RFC 9457), headers, and the access log."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_QUERY = 8_192
"""Bytes of path and query."""
PROBLEM = "application/problem+json"
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
    (b"referrer-policy", b"no-referrer"),
)


def problem(status: int, detail: str, hint: str | None) -> dict[str, Any]:
    """Return problem details: `detail` says what was expected and what came, `hint` what to do."""
    name = HTTPStatus(status).phrase.lower().replace(" ", "-")
    kind = f"urn:blockchaintracer:problem:{name}"
    return {"type": kind, "title": HTTPStatus(status).phrase, "status": status, "detail": detail, "hint": hint}


class Exchange:
    """An ASGI application around another.

    Args:
        app: answers GET.
        log: is told of each request, without its query.
    """

    def __init__(self, app: Any, log: Callable[[str], None] | None = None) -> None:
        self._app = app
        self._log = log or _print

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection's event."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, seen = time.monotonic(), {"status": 0, "size": 0}
        is_head = scope["method"] == "HEAD"

        async def give(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            elif message["type"] == "http.response.body":
                seen["size"] += len(message.get("body", b""))
                message = {**message, "body": b""} if is_head else message
            await send(message)

        try:
            if refusal := _refusal(scope):
                await _refuse(refusal, give)
            else:
                await self._app({**scope, "method": "GET"} if is_head else scope, receive, give)
        except Exception as error:  # the asker has got a problem by now; what it was about may be a secret
            self._log(f"unexpected: {type(error).__name__}")
        finally:
            taken = 1000 * (time.monotonic() - start)
            self._log(f"{scope['method']} {_path(scope)} {seen['status']} {seen['size']} bytes {taken:.0f} ms")


def _refusal(scope: Scope) -> dict[str, Any] | None:
    headers = dict(scope["headers"])
    if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_QUERY:
        return problem(
            414, f"expected an address of at most {MAX_QUERY} bytes, got more", "Ask with fewer or shorter conditions."
        )
    if headers.get(b"content-length", b"0").strip() not in (b"", b"0") or b"transfer-encoding" in headers:
        return problem(
            413, "expected a request without a body, got one", "Everything is asked by GET; nothing is taken."
        )
    if scope["method"] not in ("GET", "HEAD", "OPTIONS"):
        return problem(405, f"expected GET or HEAD, got {scope['method'][:20]}", "Nothing can be written here.")
    return None


async def _refuse(told: dict[str, Any], send: Send) -> None:
    body = json.dumps(told).encode()
    headers = [(b"content-type", PROBLEM.encode()), (b"content-length", b"%d" % len(body))]
    headers += [(b"allow", b"GET, HEAD")] if told["status"] == 405 else [(b"connection", b"close")]
    await send({"type": "http.response.start", "status": told["status"], "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _path(scope: Scope) -> str:
    """The path as one word that no terminal acts on. The query is left out: it may say what somebody looks for."""
    text = scope["raw_path"].partition(b"?")[0].decode("ascii", "replace")
    return "".join(letter if letter.isprintable() and letter != " " else "\ufffd" for letter in text)[:200]


def _print(line: str) -> None:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    print(f"{moment} {line}", file=sys.stderr, flush=True)
