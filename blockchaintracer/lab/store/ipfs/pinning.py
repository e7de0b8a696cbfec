"""Services that keep what has a CID, by the IPFS Pinning Service API 1.0 (ipfs.github.io/pinning-services-api-spec).

Several are asked at once; what one answers says nothing of another. A token comes from a file or the environment, and
is sent to its service alone, over TLS unless that is on this machine.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable, InputError, NotVerified, StoreError
from blockchaintracer.core.fetch import is_this_machine
from blockchaintracer.core.networks import redact_url
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.lab.files import write_json
from blockchaintracer.lab.store.ipfs.blocks import Cid

STATES = ("queued", "pinning", "pinned", "failed")
"""What a service says of a pin."""

_SECONDS = 60
_ANSWER_LIMIT = 1 << 20
_FIRST_POLL_S, _LONGEST_POLL_S = 0.2, 10.0
_TEXT = 300
_REQUESTS = 1000
"""of one CID that a service may list"""


@dataclass(frozen=True)
class Service:
    """A pinning service. Where its token is missing, the error says so when the service is to be asked."""

    name: str
    endpoint: str
    token: str | InputError = field(repr=False)

    def shown(self, text: object) -> str:
        """Return a text of the service without the token, which it may echo."""
        return str(text).replace(str(self.token), "…")[:_TEXT]


@dataclass(frozen=True)
class Pin:
    """What became of a pin at one service.

    Args:
        status: one of `STATES`, ``absent`` if the service does not know the CID, or ``error`` if it could not be asked.
        detail: what the service says of it, or why it could not be asked.
    """

    service: str
    status: str
    request: str | None = None
    detail: str | None = None


def add_service(file: Path, name: str, endpoint: str, *, token_env: str | None, token_file: Path | None) -> None:
    """Notes a service and where its token is; not the token.

    Raises:
        InputError: if the address is none, would send the token in the clear, or not one place of the token is said.
    """
    parts = urlsplit(endpoint)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_this_machine(parts.hostname or "")):
        raise InputError(
            f"expected an https address of a pinning service, got {redact_url(endpoint)}",
            hint="Its token would travel in the clear. Plain http is for this machine alone.",
        )
    if parts.username or parts.password or parts.query:
        raise InputError("expected an address without user, password or query: the token is kept apart")
    if (token_env is None) == (token_file is None):
        raise InputError(
            "expected one place to read the service's token from", hint="--token-env NAME or --token-file PATH."
        )
    known = _read(file)
    known[name] = {"endpoint": endpoint.rstrip("/")} | (
        {"tokenEnv": token_env} if token_env else {"tokenFile": str(Path(token_file or "").expanduser().resolve())}
    )
    write_json(file, dict(sorted(known.items())))


def services(file: Path, names: Iterable[str] = ()) -> list[Service]:
    """The services of these names, or all, with their tokens."""
    known = _read(file)
    chosen = list(dict.fromkeys(names)) or sorted(known)
    hint = "`blockchaintracer ipfs service NAME --endpoint URL --token-env VARIABLE` adds one."
    if unknown := [name for name in chosen if name not in known]:
        listed = ", ".join(sorted(known)) or "none that is known"
        raise InputError(f"expected a pinning service of {listed}, got {unknown[0]!r}", hint=hint)
    if not chosen:
        raise InputError("no pinning service is known", hint=hint)
    return [Service(name, known[name]["endpoint"], _token(name, known[name])) for name in chosen]


def pin(
    chosen: Sequence[Service], cid: Cid, *, name: str | None = None, wait_s: float = 0, pause_s: float = _FIRST_POLL_S
) -> list[Pin]:
    """Asks services to keep everything below a CID; one `Pin` a service, in their order. None of them raises.

    A service that has the pin already, or is at it, is not asked for it again.
    """

    def pin_at(service: Service) -> Pin:
        state = _found(service, cid)
        if state.status in ("absent", "failed"):
            request = {"cid": str(cid)} | ({"name": name[:255]} if name else {})
            state = _checked(service, cid, _ask(service, "POST", "/pins", request))
        end, pause = time.monotonic() + wait_s, pause_s
        while state.status in ("queued", "pinning") and (left := end - time.monotonic()) > 0:
            time.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_POLL_S)
            try:
                state = _checked(service, cid, _ask(service, "GET", f"/pins/{quote(state.request or '', safe='')}"))
            except (ChainUnavailable, StoreError) as error:
                # it was taken: an outage meanwhile says nothing of it
                state = replace(state, detail=error.message)
        return state

    return _each(chosen, pin_at)


def status(chosen: Sequence[Service], cid: Cid) -> list[Pin]:
    """What each service says of a CID; none of them raises."""
    return _each(chosen, lambda service: _found(service, cid))


def unpin(chosen: Sequence[Service], cid: Cid) -> list[Pin]:
    """Asks services to forget a CID, with every request for it; ``absent`` where it's done."""

    def unpin_at(service: Service) -> Pin:
        removed = set[str]()
        while requests := {pin.request or "" for pin in _listed(service, cid)} - removed:
            if len(removed) > _REQUESTS:
                raise NotVerified(f"{service.name} names requests for {cid} without end: {len(removed)} were removed")
            for request in requests:
                _ask(service, "DELETE", f"/pins/{quote(request, safe='')}")
            removed |= requests
        return Pin(service.name, "absent")

    return _each(chosen, unpin_at)


def _each(chosen: Sequence[Service], ask: Callable[[Service], Pin]) -> list[Pin]:
    def guarded(service: Service) -> Pin:
        try:
            return ask(service)
        except BlockchainTracerError as error:
            return Pin(service.name, "error", None, error.message)

    with ThreadPoolExecutor(max(1, len(chosen))) as pool:
        return list(pool.map(guarded, chosen))


def _found(service: Service, cid: Cid) -> Pin:
    order = ("pinned", "pinning", "queued", "failed")
    return min(_listed(service, cid), key=lambda pin: order.index(pin.status), default=Pin(service.name, "absent"))


def _listed(service: Service, cid: Cid) -> Iterator[Pin]:
    """Every request for a CID that a service lists."""
    results = _ask(service, "GET", f"/pins?cid={cid}&status={','.join(STATES)}&limit={_REQUESTS}").get("results")
    if not isinstance(results, list):
        raise NotVerified(f"expected a list of pins from {service.name}, got something else")
    for entry in results:
        yield _checked(service, cid, entry if isinstance(entry, dict) else {})


def _checked(service: Service, cid: Cid, answer: dict[str, Any]) -> Pin:
    """A service's word on a pin, if it speaks of this CID."""
    named, state, request = answer.get("pin"), answer.get("status"), answer.get("requestid")
    got = named.get("cid") if isinstance(named, dict) else None
    if got != str(cid):
        raise NotVerified(f"expected {service.name} to speak of {cid}, it speaks of {service.shown(got)[:120]}")
    if state not in STATES or not isinstance(request, str):
        raise NotVerified(
            f"expected a status of {', '.join(STATES)} from {service.name}, got {service.shown(state)[:40]!r}"
        )
    info = answer.get("info")
    detail = info.get("status_details") if isinstance(info, dict) else None
    return Pin(service.name, state, request, service.shown(detail) if detail else None)


def _ask(service: Service, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    from blockchaintracer.core.fetch import FetchError, fetch

    if isinstance(service.token, InputError):
        raise service.token
    # not the password that ~/.netrc may have for this host: the token alone
    given: Any = {"json": body, "auth": _Bearer(service.token)}
    try:
        answer = fetch(service.endpoint + path, method=method, limit=_ANSWER_LIMIT, seconds=_SECONDS, **given)
    except FetchError as error:
        if error.too_large:
            raise NotVerified(f"{service.name} answers without end") from None
        raise ChainUnavailable(f"{service.name} {error}") from None
    data, code = answer.body, answer.status
    try:
        reply = parse_json(data, service.name) if data else {}
    except InputError:
        reply = {}
    reply = reply if isinstance(reply, dict) else {}
    if code in (200, 202):
        return reply
    why = reply.get("error")
    reason = f"{why.get('reason', '')} {why.get('details', '')}".strip() if isinstance(why, dict) else ""
    raise StoreError(f"{service.name} refused ({code}): {service.shown(reason) or 'no reason given'}")


class _Bearer:
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _read(file: Path) -> dict[str, dict[str, str]]:
    try:
        known = parse_json(file.read_bytes(), file.name)
        if not isinstance(known, dict) or not all(
            isinstance(entry, dict) and entry.get("endpoint") for entry in known.values()
        ):
            raise ValueError("no object of services")
    except FileNotFoundError:
        return {}
    except (OSError, InputError, ValueError) as error:
        raise InputError(f"expected the pinning services in {file}, got: {error}", hint="Mend or delete it.") from error
    return known


def _token(name: str, entry: dict[str, str]) -> str | InputError:
    if variable := entry.get("tokenEnv"):
        token, place = os.environ.get(variable, ""), f"${variable}"
    else:
        place = entry.get("tokenFile", "")
        try:
            token = Path(place).read_text()
        except (OSError, ValueError):
            token = ""
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable():
        return InputError(f"expected the token of the pinning service {name} in {place}, which holds none")
    return token
