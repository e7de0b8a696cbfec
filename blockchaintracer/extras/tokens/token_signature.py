"""A stranger's signed token (JWS of RFC 7515, JWT of RFC 7519): its claims, and whether an issuer's key signed it."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Any

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.lab.optional import require

MAX_BYTES = 16 << 10
MIN_RSA_BITS = 2048
ALGORITHMS = {"RSA": "RS256", "EC": "ES256"}
"""The only algorithm for each kind of key: none for a shared secret, none for no signature."""
_TOKEN = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_OTHERS_KEYS = frozenset({"crit", "b64", "jwk", "jku", "x5u", "x5c"})
"""Header fields that would change what is signed, or let the token name its own key."""


@dataclass(frozen=True)
class Token:
    """A token as it was read. Nothing of it is true before `require_signature`."""

    data: bytes
    kid: str
    claims: dict[str, Any]

    def text(self, claim: str) -> str:
        """Return a claim that is a text; empty if there is none."""
        value = self.claims.get(claim)
        return value if isinstance(value, str) else ""

    def moment(self, claim: str) -> int:
        """Return a claim that is a time, in seconds since 1970."""
        value = self.claims.get(claim)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**40:
            raise NotVerified(f"the token has no time in its claim {claim}")
        return value


def read_token(data: bytes) -> Token:
    """Read a token strictly.

    Raises:
        NotVerified: if it is none, or of an algorithm that is not taken.
    """
    if len(data) > MAX_BYTES or not _TOKEN.fullmatch(data):
        raise NotVerified(f"expected a signed token of at most {MAX_BYTES:,} bytes in three parts")
    try:
        header, claims = (_part(data, index, name) for index, name in enumerate(("header", "claims")))
    except (InputError, ValueError) as error:
        raise NotVerified(f"the token cannot be read: {str(error)[:200]}") from None
    if header.get("alg") not in ALGORITHMS.values():
        taken = " or ".join(sorted(ALGORITHMS.values()))
        raise NotVerified(f"expected a token signed by {taken}, got {str(header.get('alg'))[:20]!r}")
    if unknown := _OTHERS_KEYS & header.keys():
        raise NotVerified(
            f"the token's header has {', '.join(sorted(unknown))}, which nobody may choose but its reader"
        )
    if not isinstance(kid := header.get("kid"), str) or not 0 < len(kid) <= 256:
        raise NotVerified("the token does not name the key that signed it (kid)")
    return Token(data, kid, claims)


def _part(data: bytes, index: int, name: str) -> dict[str, Any]:
    part = data.split(b".")[index]
    plain = parse_json(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)), f"the token's {name}")
    if not isinstance(plain, dict):
        raise ValueError(f"its {name} are no object")
    return plain


def require_signature(token: Token, key: dict[str, str]) -> None:
    """Check that this key of an issuer signed the token.

    Raises:
        NotVerified: if it did not, or is too weak.
    """
    jwt = require("jwt", "identity")
    if key.get("kid") != token.kid:
        raise NotVerified("the token names another key than the issuer's that is here")
    algorithm = ALGORITHMS.get(key.get("kty", ""))
    if algorithm is None:
        raise NotVerified("the issuer's key is no RSA or EC key")
    if algorithm == "ES256" and key.get("crv") != "P-256":
        raise NotVerified(f"the issuer's key is on the curve {str(key.get('crv'))[:20]}, not on P-256")
    try:
        public = jwt.PyJWK(key, algorithm=algorithm)
        if algorithm == "RS256" and public.key.key_size < MIN_RSA_BITS:
            raise NotVerified(f"the issuer's RSA key has less than {MIN_RSA_BITS} bits")
        if not hasattr(public.key, "verify"):
            raise NotVerified("the issuer's key is no public key")
        jwt.PyJWS(algorithms=[algorithm]).decode_complete(token.data, public, algorithms=[algorithm])
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise NotVerified(f"the issuer's key did not sign this token ({type(error).__name__})") from None
