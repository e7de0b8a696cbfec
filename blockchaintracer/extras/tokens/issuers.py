"""Who issues tokens to jobs (OpenID Connect Discovery 1.0), and one key of an issuer as a file for witnesses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified
from blockchaintracer.core.fetch import FetchError, fetch
from blockchaintracer.core.plain_json import canonical, parse_json, read_strictly
from blockchaintracer.lab.formats import ISSUER_KEY

_LIMIT = 256 << 10
_SECONDS = 20.0
_FIELDS = {"RSA": ("kty", "kid", "n", "e"), "EC": ("kty", "kid", "crv", "x", "y")}
"""The fields of a key that a signature rests on (RFC 7518, section 6): others are the issuer's to change."""


@dataclass(frozen=True)
class Issuer:
    """An issuer that the verifier trusts.

    Args:
        provider: ``github`` or ``gitlab``: how its claims are named.
        url: as in the claim ``iss``.
        host: of the repositories that it speaks of.
    """

    provider: str
    url: str
    host: str

    @property
    def names_record(self) -> bool:
        """Whether a job chooses the audience of its token: then the token names the record."""
        return self.provider == "github"

    def claim(self, name: str) -> str:
        """Return how this provider names a claim."""
        return {"gitlab": _OF_GITLAB}.get(self.provider, {}).get(name, name)


_OF_GITLAB = {"repository": "project_path", "workflow_ref": "ci_config_ref_uri", "run_id": "pipeline_id"}
GITHUB = Issuer("github", "https://token.actions.githubusercontent.com", "github.com")
GITLAB = Issuer("gitlab", "https://gitlab.com", "gitlab.com")
AUDIENCE = "blockchaintracer"
"""The audience that a workflow of GitLab, whose jobs cannot choose one, has to name."""


def issuers(github: Sequence[str] = (), gitlab: Sequence[str] = ()) -> tuple[Issuer, ...]:
    """Return the issuers that count: those of github.com and gitlab.com, and servers that the verifier names."""
    named = [
        replace(kind, url=url, host=_host(url)) for kind, urls in ((GITHUB, github), (GITLAB, gitlab)) for url in urls
    ]
    return (GITHUB, GITLAB, *named)


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        if (
            parts.scheme in ("https", "http")
            and parts.hostname
            and not (parts.username or parts.query or parts.fragment)
        ):
            return parts.netloc.lower()
    except ValueError:
        pass
    raise InputError(f"expected the https:// address of an issuer, got {url[:100]!r}")


def fetch_key(issuer: Issuer, kid: str, *, allow_local: bool = False) -> bytes | None:
    """Fetch the key of an issuer that has this id, as the file of `key_file`. Returns None if it shows no such key.

    Raises:
        ChainUnavailable: if the issuer does not answer.
        NotVerified: if it answers in a way that lets nobody tell which key is meant.
    """
    about = _get(issuer, f"{issuer.url}/.well-known/openid-configuration", allow_local)
    place = about.get("jwks_uri")
    if about.get("issuer") != issuer.url or not isinstance(place, str) or not _is_at(place, issuer.url):
        raise NotVerified(f"{issuer.url} names another issuer, or keeps its keys at another host")
    keys = _get(issuer, place, allow_local).get("keys")
    fitting = [key for key in keys if isinstance(key, dict) and key.get("kid") == kid] if isinstance(keys, list) else []
    if len(fitting) > 1:
        raise NotVerified(f"{issuer.url} shows several keys with one id")
    return key_file(issuer.url, fitting[0]) if fitting else None


def _is_at(url: str, other: str) -> bool:
    """Return whether two addresses have one scheme, host and port."""
    try:
        parts, others = urlsplit(url), urlsplit(other)
    except ValueError:
        return False
    return (parts.scheme, parts.netloc) == (others.scheme, others.netloc)


def _get(issuer: Issuer, url: str, allow_local: bool) -> dict[str, Any]:
    if not (url.startswith("https://") or allow_local):
        raise InputError(f"expected an https:// address of an issuer, got {url[:100]!r}", hint="--allow-local lets it.")
    try:
        answer = fetch(url, limit=_LIMIT, seconds=_SECONDS, public=not allow_local)
        if answer.status != 200:
            raise FetchError(f"answers with the HTTP status {answer.status}")
        plain = parse_json(answer.body, "its answer")
    except (FetchError, InputError) as error:
        hint = "--allow-local lets it." if "no public address" in str(error) else "Try again later."
        raise ChainUnavailable(f"the issuer {issuer.url} {error}", hint=hint) from None
    if not isinstance(plain, dict):
        raise ChainUnavailable(f"the issuer {issuer.url} answers with no object", hint="Try again later.")
    return plain


def key_file(issuer: str, key: dict[str, Any]) -> bytes:
    """Return one key of an issuer as a file. It has one form, so that whoever fetches the key gets the same digest.

    Raises:
        NotVerified: if it is no RSA or EC key.
    """
    fields = _FIELDS.get(str(key.get("kty")), ())
    kept = {name: key.get(name) for name in fields}
    if not kept or not all(isinstance(value, str) and 0 < len(value) <= 2048 for value in kept.values()):
        raise NotVerified(f"the key of {issuer} is no RSA or EC key (RFC 7518, section 6)")
    return canonical({**ISSUER_KEY.header(), "issuer": issuer, "key": kept})


def read_key_file(data: bytes) -> tuple[str, dict[str, str]]:
    """Return issuer and key of the file of an issuer's key.

    Raises:
        InputError: if it is no such file.
    """

    def read(plain: dict[str, Any]) -> tuple[str, dict[str, str]]:
        if len(data) > 8 << 10 or not isinstance(plain["issuer"], str):
            raise ValueError("at most 8 KiB, with an issuer")
        return plain["issuer"], plain["key"]

    return read_strictly(data, ISSUER_KEY, "the issuer's key", read, lambda it: parse_json(key_file(*it), "key"))
