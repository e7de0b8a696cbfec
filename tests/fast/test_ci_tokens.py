"""CI tokens: their signature, and their claims against a record."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.verify.outcomes import Outcome
from blockchaintracer.extras.tokens.issuers import GITHUB, GITLAB, issuers, key_file, read_key_file
from blockchaintracer.extras.tokens.token_checks import Facts, claim_checks
from blockchaintracer.extras.tokens.token_signature import read_token, require_signature
from tests.support.token_issuer import TokenIssuer, rsa_key

pytestmark = pytest.mark.fast
COMMIT = "9a" * 20
RECORD = "eip155:1:0x" + "12" * 20 + "/0x" + "ab" * 32
CLAIMS = {
    "repository": "lab/iris",
    "sha": COMMIT,
    "ref": "refs/heads/main",
    "run_id": "77",
    "workflow_ref": "lab/iris/.github/workflows/results.yml@refs/heads/main",
    "actor": "a-person",
}
FACTS = Facts(COMMIT, branch="main", remote="https://github.com/Lab/iris.git", ci={"runId": "77"})


@pytest.fixture
def issuer() -> TokenIssuer:
    return TokenIssuer(**CLAIMS)


def failed(
    issuer: TokenIssuer, facts: Facts = FACTS, *, kind: Any = GITHUB, at: int | None = None, **claims: Any
) -> list[str]:
    token = read_token(issuer.token(claims.pop("aud", RECORD), **claims))
    checks = claim_checks(token, kind, RECORD, facts, recorded_at=at, same_group=claims.get("own", True))
    return [check.name for check in checks if check.verdict is Outcome.FAIL]


def test_a_token_that_fits(issuer: TokenIssuer) -> None:
    token = read_token(issuer.token(RECORD))
    require_signature(token, issuer.key)
    assert failed(issuer) == []


def test_an_elliptic_key_is_taken() -> None:
    issuer = TokenIssuer(**CLAIMS)
    issuer.use_elliptic_key()
    require_signature(read_token(issuer.token(RECORD)), issuer.key)


def test_no_signature_and_a_shared_secret_are_refused(issuer: TokenIssuer) -> None:
    claims, headers = {"aud": RECORD}, {"kid": "key-1"}
    shared = issuer.key["n"]
    for data in (
        jwt.encode(claims, None, "none", headers=headers),
        jwt.encode(claims, None, "none", headers=headers) + "AAAA",
        jwt.encode(claims, shared, "HS256", headers=headers),
        jwt.encode(claims, issuer.private, "RS512", headers=headers),
    ):
        with pytest.raises(NotVerified, match=r"expected a (signed token|token signed by ES256 or RS256)"):
            read_token(data.encode())


def test_the_algorithm_is_that_of_the_key(issuer: TokenIssuer) -> None:
    """A token that names ES256, with an RSA key, or the other way around."""
    other = TokenIssuer()
    other.use_elliptic_key()
    for signer, key in ((issuer, other.key), (other, issuer.key)):
        with pytest.raises(NotVerified, match="did not sign"):
            require_signature(read_token(signer.token(RECORD)), key)


def test_another_key_of_the_same_id_and_weak_keys(issuer: TokenIssuer) -> None:
    token = read_token(issuer.token(RECORD))
    with pytest.raises(NotVerified, match="did not sign"):
        require_signature(token, TokenIssuer(key=1).key)
    with pytest.raises(NotVerified, match="names another key"):
        require_signature(token, {**issuer.key, "kid": "key-2"})
    weak = TokenIssuer()
    weak.private = rsa_key(bits=1024)
    with pytest.raises(NotVerified, match="less than 2048 bits"):
        require_signature(read_token(weak.token(RECORD)), weak.key)
    odd = TokenIssuer()
    odd.use_elliptic_key()
    token = read_token(odd.token(RECORD))
    odd.private = ec.generate_private_key(ec.SECP384R1())
    with pytest.raises(NotVerified, match="not on P-256"):
        require_signature(token, odd.key)
    with pytest.raises(NotVerified, match="no RSA or EC key"):
        require_signature(token, {"kty": "oct", "k": "AAAA", "kid": "key-1"})


@pytest.mark.parametrize("headers", [{"kid": None}, {"crit": ["exp"]}, {"jku": "https://evil.example"}, {"jwk": {}}])
def test_a_token_chooses_no_key(issuer: TokenIssuer, headers: dict[str, Any]) -> None:
    with pytest.raises((NotVerified, jwt.PyJWTError)):
        read_token(_with_header(issuer.token(RECORD), headers))


def _with_header(token: bytes, change: dict[str, Any]) -> bytes:
    head, *rest = token.split(b".")
    plain = json.loads(base64.urlsafe_b64decode(head + b"=="))
    plain = {name: value for name, value in {**plain, **change}.items() if value is not None}
    return b".".join([base64.urlsafe_b64encode(json.dumps(plain).encode()).rstrip(b"="), *rest])


@pytest.mark.parametrize(
    "data",
    [b"", b"a.b", b"a.b.c", b"a.b.c.d", b"e30.e30.e30", b"x" * 20_000, b"W10.W10.W10", b"e30.eyJhIjoxLCJhIjoyfQ.e30"],
)
def test_what_is_no_token(data: bytes) -> None:
    with pytest.raises(NotVerified):
        read_token(data)


def test_each_changed_byte_breaks_the_signature(issuer: TokenIssuer) -> None:
    data = issuer.token(RECORD)
    for at in range(0, len(data), 11):
        changed = bytearray(data)
        changed[at] ^= 1
        with pytest.raises(NotVerified):
            require_signature(read_token(bytes(changed)), issuer.key)


@pytest.mark.parametrize(
    ("claims", "check"),
    [
        ({"aud": RECORD[:-1] + "c"}, "audience"),
        ({"aud": [RECORD]}, "audience"),
        ({"aud": "https://github.com/lab"}, "audience"),
        ({"sha": "9b" * 20}, "commit"),
        ({"sha": ""}, "commit"),
        ({"repository": "lab/iris2"}, "repository"),
        ({"repository": "evil/iris"}, "repository"),
        ({"ref": "refs/heads/other"}, "branch"),
        ({"run_id": "78"}, "job"),
        ({"exp": 2**31}, "time"),
        ({"exp": 5, "iat": 6}, "time"),
    ],
)
def test_claims_that_do_not_fit(issuer: TokenIssuer, claims: dict[str, Any], check: str) -> None:
    assert failed(issuer, **claims) == [check]


def test_the_time_of_the_document(issuer: TokenIssuer) -> None:
    times = {"iat": 10_000, "exp": 10_300}
    assert failed(issuer, at=9_000, **times) == ["time"]
    assert failed(issuer, at=10_200, **times) == []
    # a token that names the record can be copied: it says the same of it
    assert failed(issuer, at=99_000, **times) == []


def test_a_token_of_gitlab_is_bound_by_commit_and_job() -> None:
    claims = {"project_path": "lab/iris", "sha": COMMIT, "ref": "main", "ref_type": "branch", "job_id": "5"}
    issuer = TokenIssuer(**claims, iat=10_000, exp=10_300)
    facts = Facts(COMMIT, branch="main", remote="git@gitlab.com:lab/iris.git", ci={"jobId": "5"})
    of_gitlab: dict[str, Any] = {"kind": GITLAB, "aud": "blockchaintracer"}
    assert failed(issuer, facts, at=10_100, **of_gitlab) == []
    # what anybody can copy once it is published is no evidence later, for another group, or without a job
    assert failed(issuer, facts, at=99_000, **of_gitlab) == ["time"]
    assert failed(issuer, facts, at=10_100, own=False, **of_gitlab) == ["group"]
    assert failed(issuer, replace(facts, ci={}), at=10_100, **of_gitlab) == ["job"]
    assert failed(issuer, replace(facts, commit=None), at=10_100, **of_gitlab) == ["commit"]
    assert failed(issuer, facts, at=10_100, kind=GITLAB, aud=RECORD) == ["audience"]


@pytest.mark.parametrize(
    "remote",
    [
        "https://github.com/lab/iris",
        "git@github.com:lab/iris.git",
        "ssh://git@github.com/Lab/Iris.git",
        "github.com:lab/iris",
    ],
)
def test_forms_of_a_remote(issuer: TokenIssuer, remote: str) -> None:
    assert failed(issuer, replace(FACTS, remote=remote)) == []
    for other in ("https://github.com.evil.example/lab/iris", "https://evil.example/github.com/lab/iris", "lab/iris"):
        assert failed(issuer, replace(FACTS, remote=other)) == ["repository"]


def test_a_key_file_has_one_form(issuer: TokenIssuer) -> None:
    data = key_file("https://issuer.example", issuer.key)
    assert read_key_file(data) == (
        "https://issuer.example",
        {name: issuer.key[name] for name in ("kty", "kid", "n", "e")},
    )
    for changed in (data.replace(b'"RSA"', b'"oct"'), data.replace(b'"kid"', b'"alg":"RS256","kid"'), b"[]", b"{}"):
        with pytest.raises(InputError):
            read_key_file(changed)


def test_issuers_that_count() -> None:
    assert issuers() == (GITHUB, GITLAB)
    named = issuers(github=["https://git.lab.example/_services/token"])[-1]
    assert (named.provider, named.host) == ("github", "git.lab.example")
    for url in ("git.lab.example", "https://user:pw@git.example", "file:///etc/passwd", "https://"):
        with pytest.raises(InputError, match="address of an issuer"):
            issuers(gitlab=[url])
