"""The other side of a claim: what all methods that ask it share. A method is one small module with a `METHOD`.

`fetch` gets bytes, `names` judges bytes of any origin and age. The second opens no connection: what was fetched once
can be judged again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urljoin, urlsplit

from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.fetch import FetchError, fetch, new_session
from blockchaintracer.core.manifest.predicates import IdentityStatement
from blockchaintracer.extras.identity.identity_claims import names as names_of
from blockchaintracer.lab.store.redirects import no_password

if TYPE_CHECKING:
    from blockchaintracer.core.chain import Chain

LIMIT = 1 << 20
"""Bytes of a page at most."""
_SECONDS = 30
_SECONDS_IN_ALL = 120.0
MODULES = {"orcid": ("orcid",), "domain": ("well_known", "did", "dns_txt"), "github": ("github",), "ens": ("ens",)}
"""The modules of the methods that each scheme has, in the order in which they are asked."""


@dataclass(frozen=True)
class Named:
    """Whether some bytes name a claim.

    Args:
        reason: why, in words.
        by: what they name: ``claim``, ``account`` or ``group``; None if nothing.
        who: what stays the same when a name is given to somebody else: the number of an account. Empty if unknown.
    """

    says: bool
    reason: str
    by: str | None = None
    who: str = ""


@dataclass(frozen=True)
class Asking:
    """How services are asked.

    Args:
        allow_local: whether http and addresses that are not public may be asked.
        chain: gives the chain of the registry, for what is read there.
        until: when asking ends, by `time.monotonic`: claims are a stranger's, and so are the services that they name.
    """

    allow_local: bool = False
    chain: Callable[[], Chain] | None = None
    until: float = field(default_factory=lambda: time.monotonic() + _SECONDS_IN_ALL)

    def require_time(self) -> None:
        """Raise ChainUnavailable if the time for asking is over."""
        if time.monotonic() >= self.until:
            hint = "Name the claims to ask about: `identity check ID`."
            raise ChainUnavailable(f"not asked: the {_SECONDS_IN_ALL:g} seconds for all claims are over", hint=hint)


class Method(Protocol):
    """One way to ask the other side.

    Attributes:
        name: what records and `--json` call it.
        proves: whether its bytes convince whoever holds them (a DNSSEC proof). Others are the word of who fetched them.
    """

    name: str
    proves: bool

    def address(self, statement: IdentityStatement) -> str:
        """Return what is asked, for people."""

    def fetch(self, statement: IdentityStatement, asking: Asking) -> bytes | None:
        """Return what the other side says now, None if it has no such page.

        Raises:
            ChainUnavailable: if it can't be asked.
            InputError: if it answers in a way that is refused, such as a redirect.
        """

    def names(self, data: bytes, statement: IdentityStatement, at: int) -> Named:
        """Say whether these bytes, of any origin, name the statement's claim, account or group.

        Args:
            at: when they were fetched, Unix seconds.
        """


def methods(scheme: str) -> list[Method]:
    """Return the methods of a scheme, in the order in which they are asked."""
    return [import_module(f"blockchaintracer.extras.identity.{name}").METHOD for name in MODULES.get(scheme, ())]


def method(scheme: str, name: str) -> Method | None:
    """Return a method by its name, None if this version has none."""
    return next((it for it in methods(scheme) if it.name == name), None)


def judge(texts: Iterable[str], statement: IdentityStatement) -> Named:
    """Say whether one of the texts that a page gives names the statement: exactly, but for the case of hex digits."""
    known, near = names_of(statement), ""
    best: str | None = None
    for text in texts:
        plain = text.lower() if text.isascii() else text
        if (kind := known.get(plain)) and best != "claim":
            best = kind
        if plain.startswith("eip155:") and plain not in known and not near:
            near = plain[:160]
    if best:
        return Named(True, f"it names the {best}", best)
    if near:
        return Named(False, f"it names {near}, which is another registry, chain, account, group or claim")
    return Named(False, "it names neither the claim nor the account or group")


def base_address(variable: str, default: str, asking: Asking) -> str:
    """Return the base address of a service, without a slash at its end: a variable of the environment can set it.

    Raises:
        InputError: if it is not https, or has user, query or fragment.
    """
    text = os.environ.get(variable) or default
    parts = urlsplit(text)
    if parts.scheme != "https" and not (parts.scheme == "http" and asking.allow_local):
        raise InputError(
            f"expected https:// in ${variable}, got {parts.scheme[:20]!r}", hint="--allow-local lets http."
        )
    if parts.username or parts.password or parts.query or parts.fragment or not parts.hostname:
        raise InputError(f"expected an address without user, query and fragment in ${variable}")
    return text.rstrip("/")


def get(url: str, asking: Asking, accept: str = "application/json") -> bytes | None:
    """Return the page at an address, None if there is none (404, 410). Every redirect is refused.

    Raises:
        ChainUnavailable: if it can't be asked now.
        InputError: if the answer is refused.
    """
    host = urlsplit(url).netloc
    try:
        with new_session(no_password) as session:
            given = {"headers": {"Accept": accept}, "session": session, "public": not asking.allow_local}
            answer = fetch(url, limit=LIMIT, seconds=_SECONDS, **given)
    except FetchError as error:
        hint = "--allow-local lets it." if error.refused else None
        kind = InputError if error.refused or error.too_large else ChainUnavailable
        raise kind(f"{host} {error}", hint=hint) from None
    if answer.status in (404, 410):
        return None
    if answer.status // 100 == 3:
        to = urlsplit(urljoin(url, answer.headers.get("Location", ""))).netloc
        where = f"another host, {to[:100]!r}" if to != host else "another page"
        raise InputError(f"{host} points to {where}: no redirect is followed", hint="The page itself has to be there.")
    if answer.status != 200:
        raise ChainUnavailable(f"{host} answers with status {answer.status}")
    return answer.body
