"""Asking a service of a witness: by https alone, at a public address, with limits. Nothing that it says is believed."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.fetch import FetchError, fetch
from blockchaintracer.core.networks import redact_url

_SECONDS = 30
_HOW = "https://HOST/PATH; --allow-local also lets http and addresses of a private network."


def require_address(url: str, *, allow_local: bool) -> str:
    """Return the address of a service without a slash at its end.

    Raises:
        InputError: if it is no https address, or holds a user, a query or a fragment.
    """
    try:
        parts = urlsplit(url)
        is_plain = bool(parts.hostname) and not (parts.username or parts.password or parts.query or parts.fragment)
        _ = parts.port
    except ValueError:
        is_plain = False
    if not is_plain or parts.scheme not in ("https", *(("http",) if allow_local else ())):
        raise InputError(f"expected the https address of a service, got {redact_url(url)}", hint=_HOW)
    return url.rstrip("/")


def ask_service(url: str, *, limit: int, allow_local: bool, data: bytes | None = None, **headers: str) -> bytes:
    """Return the body of an answer 200; with `data` they are posted. Redirections are not followed.

    Args:
        headers: their names with ``_`` for ``-``.

    Raises:
        ChainUnavailable: if none comes, or another.
        InputError: if the address is not one of a service.
    """
    address = require_address(url, allow_local=allow_local)
    given: dict[str, Any] = {"headers": {name.replace("_", "-"): value for name, value in headers.items()}}
    try:
        answer = fetch(
            address,
            limit=limit,
            seconds=_SECONDS,
            method="GET" if data is None else "POST",
            data=data,
            public=not allow_local,
            **given,
        )
    except FetchError as error:
        hint = _HOW if error.refused else "Ask it again later."
        raise ChainUnavailable(f"{redact_url(address)} {error}", hint=hint) from None
    if answer.status != 200:
        raise ServiceRefused(f"{redact_url(address)} answered {answer.status}", answer.status)
    return answer.body


class ServiceRefused(ChainUnavailable):
    """A service answered with another status than 200."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, hint="Ask it again later.", status=status)
        self.status = status
