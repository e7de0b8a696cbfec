"""An issuer of CI tokens with keys of its own, which answers HTTP on this machine as GitHub's and GitLab's do."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.support.serving import serving

SECRET = "the job's request token"


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Make a key once for all tests of a process: it takes long."""
    return rsa.generate_private_key(65537, bits)


class TokenIssuer:
    """Signs tokens; `url` is set while it is served.

    Args:
        claims: of each token, beside audience and times.
        life_s: seconds that a token is valid for.
        key: number of its RSA key.
    """

    def __init__(self, life_s: int = 300, key: int = 0, **claims: Any) -> None:
        self.private: Any = rsa_key(key)
        self.kid, self.algorithm, self.url = "key-1", "RS256", "https://issuer.example"
        self.claims, self.life_s, self.shown = claims, life_s, True
        self.asked: list[str] = []

    def use_elliptic_key(self) -> None:
        self.private, self.algorithm = ec.generate_private_key(ec.SECP256R1()), "ES256"

    @property
    def key(self) -> dict[str, Any]:
        of_kind = RSAAlgorithm if self.algorithm == "RS256" else ECAlgorithm
        return {**of_kind.to_jwk(self.private.public_key(), as_dict=True), "kid": self.kid, "use": "sig"}

    def token(self, audience: str, headers: dict[str, Any] | None = None, **claims: Any) -> bytes:
        now = int(time.time())
        times = {"iat": now, "nbf": now, "exp": now + self.life_s}
        whole = {"iss": self.url, "aud": audience, **times, **self.claims, **claims}
        return jwt.encode(whole, self.private, self.algorithm, headers={"kid": self.kid, **(headers or {})}).encode()

    @contextmanager
    def served(self) -> Iterator[TokenIssuer]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                place = urlsplit(self.path)
                about = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}
                answers = {
                    "/.well-known/openid-configuration": about,
                    "/keys": {"keys": [issuer.key] if issuer.shown else []},
                }
                plain: Any = answers.get(place.path)
                if place.path == "/token" and self.headers["Authorization"] == f"bearer {SECRET}":
                    plain = {"value": issuer.token(parse_qs(place.query)["audience"][0]).decode()}
                data = json.dumps(plain or {}).encode()
                self.send_response(200 if plain else 403)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *arguments: Any) -> None:
                pass

        with serving(Handler) as self.url:
            yield self

    @property
    def variables(self) -> dict[str, str]:
        """What the provider sets for a job that may have a token."""
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": SECRET,
        }
