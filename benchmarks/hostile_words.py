"""What others say of a key, altered and forged: DNSSEC proofs, tokens of CI jobs, address books. Needs no chain."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dns.rdatatype
import jwt
import rfc8785
from dns.dnssectypes import Algorithm, DSDigest

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import UnknownVersion
from blockchaintracer.core.verify.outcomes import Outcome
from blockchaintracer.extras.community import make_book
from blockchaintracer.extras.community.book import Book, read_book
from blockchaintracer.extras.identity.dns_proof import collect, verify
from blockchaintracer.extras.tokens.issuers import GITHUB, GITLAB, Issuer, key_file, read_key_file
from blockchaintracer.extras.tokens.token_checks import Facts, claim_checks
from blockchaintracer.extras.tokens.token_signature import read_token, require_signature
from tests.support.dns_zones import DAY, NOW, Zone, Zones, name
from tests.support.mutations import changes
from tests.support.token_issuer import TokenIssuer

Case = tuple[str, Callable[[], str]]
_REFUSED = "not verified"


def _judged(outcome: Callable[[], str]) -> str:
    """Return what a case ends in; input that is no such file is refused, too."""
    try:
        return outcome()
    except UnknownVersion:
        raise
    except InputError:
        return _REFUSED


# -- DNSSEC


def dnssec() -> Iterator[Case]:
    """Change each bit of a proof, mix two, and sign zones in ways that are not taken."""
    zones, other = Zones('"eip155:1:0x12/group/3"'), Zones('"eip155:1:0x12/group/4"')
    proof, theirs = (collect("example.org", it.ask, it.anchors, at=NOW) for it in (zones, other))
    honest = verify(proof, "example.org", zones.anchors, at=NOW)

    def judged(data: bytes, domain: str = "example.org", at: float = NOW) -> str:
        shown = verify(data, domain, zones.anchors, at=at)
        return "as true" if shown == honest else "verified"

    for at in range(len(proof)):
        for bit in (0, 3, 6):
            data = bytearray(proof)
            data[at] ^= 1 << bit
            yield f"byte {at}, bit {bit}", lambda data=bytes(data): judged(data)
    for cut in range(0, len(proof), 5):
        yield f"cut at {cut}", lambda cut=cut: judged(proof[:cut])
        yield f"the other from {cut}", lambda cut=cut: judged(proof[:cut] + theirs[cut:])
        yield f"twice from {cut}", lambda cut=cut: judged(proof + proof[cut:])
    for domain in ("example.com", "xample.org", "a.example.org", "org.example"):
        yield f"of {domain}", lambda domain=domain: judged(proof, domain)
    for days in (-2, 14, 4000):
        yield f"{days} days later", lambda days=days: judged(proof, at=NOW + days * DAY)
    for what, forged in _zones():
        yield what, lambda it=forged: _collected(it)


def _zones() -> Iterator[tuple[str, Zones]]:
    for what, leaf in {
        "RSA and SHA-1": {"algorithm": Algorithm.RSASHA1},
        "RSA of 1024 bits": {"algorithm": Algorithm.RSASHA256, "rsa_bits": 1024},
        "DS by SHA-1": {"ds_digest": DSDigest.SHA1},
        "expired": {"start": NOW - 2 * DAY, "end": NOW - 1},
        "of the future": {"start": NOW + 1, "end": NOW + DAY},
    }.items():
        yield what, Zones(**leaf)
    owner = "_blockchaintracer.example.org."
    for what, sign in {
        "a wildcard": lambda it: it.leaf.add(owner, "TXT", '"x"', signed_as="*.example.org."),
        "a wildcard of the parent": lambda it: it.leaf.add(owner, "TXT", '"x"', signed_as="*.org."),
        "another key": lambda it: setattr(it, "leaf", _signing(Zone("example.org."), owner)),
        "a zone beside it": lambda it: _beside(it, owner),
        "an alias": lambda it: (
            it.leaf.sets.pop((name(owner), dns.rdatatype.TXT)),
            it.leaf.add(owner, "CNAME", "x.example.org."),
        ),
        "without DS": lambda it: it.top.sets.pop((name("example.org."), dns.rdatatype.DS)),
        "without keys": lambda it: it.top.sets.pop((name("org."), dns.rdatatype.DNSKEY)),
    }.items():
        zones = Zones()
        sign(zones)
        yield what, zones


def _signing(zone: Zone, owner: str) -> Zone:
    zone.add(owner, "TXT", '"x"')
    return zone


def _beside(zones: Zones, owner: str) -> None:
    other = _signing(Zone("evil.org."), owner)
    zones.top.add("evil.org.", "DS", other.ds())
    zones.leaf.sets |= other.sets


def _collected(zones: Zones) -> str:
    collect("example.org", zones.ask, zones.anchors, at=NOW)
    return "verified"


# -- tokens

_COMMIT = "9a" * 20
_RECORD = "eip155:1:0x" + "12" * 20 + "/0x" + "ab" * 32
_BINDING = {"aud", "sha", "repository", "project_path", "ref", "run_id", "job_id", "iat", "exp"}
"""Claims that bind a token to a record: another value of any other changes only what the token itself says."""


def tokens() -> Iterator[Case]:
    """Change each claim, header and bit of a token, and the key that it is checked by."""
    for kind in (GITHUB, GITLAB):
        for what, data, key, claims in _tokens(kind):
            judged = partial(_token, data, key, kind, claims)
            yield f"{kind.provider}: {what}", judged


def _tokens(kind: Issuer) -> Iterator[tuple[str, bytes, bytes, Any]]:
    issuer, audience = _job(kind)[0], _audience(kind)
    data, key = issuer.token(audience), key_file(kind.url, issuer.key)
    assert _token(data, key, kind) == "as true", "what is true must stand, else nothing is shown"
    for at in range(len(data)):
        for bit in (0, 3, 6):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            yield f"byte {at}, bit {bit}", bytes(changed), key, None
    for what, claims in changes(jwt.decode(data, options={"verify_signature": False})):
        yield what, _signed_by(issuer, claims), key, claims
        yield f"{what}, by another key", _signed_by(TokenIssuer(key=1), claims), key, None
    for what, header in changes(jwt.get_unverified_header(data)):
        yield f"header {what}", _headed(data, header), key, None
    for what, plain in changes(json.loads(key)):
        yield f"key {what}", data, json.dumps(plain).encode(), None
    for algorithm, secret in (("none", None), ("HS256", issuer.key["n"]), ("RS512", issuer.private)):
        other = jwt.encode({"aud": audience}, secret, algorithm, headers={"kid": issuer.kid}).encode()
        yield algorithm, other, key, None


def _audience(kind: Issuer) -> str:
    return _RECORD if kind is GITHUB else "blockchaintracer"


def _job(kind: Issuer) -> tuple[TokenIssuer, Facts]:
    if kind is GITHUB:
        claims = {"repository": "lab/iris", "sha": _COMMIT, "ref": "refs/heads/main", "run_id": "77", "actor": "a"}
        facts = Facts(_COMMIT, branch="main", remote="https://github.com/lab/iris.git", ci={"runId": "77"})
    else:
        claims = {"project_path": "lab/iris", "sha": _COMMIT, "ref": "main", "ref_type": "branch", "job_id": "5"}
        facts = Facts(_COMMIT, branch="main", remote="git@gitlab.com:lab/iris.git", ci={"jobId": "5"})
    return TokenIssuer(**claims, iat=10_000, nbf=10_000, exp=10_300, iss=kind.url), facts


def _signed_by(issuer: TokenIssuer, claims: Any) -> bytes:
    payload = json.dumps(claims).encode()
    signed = jwt.PyJWS().encode(payload, issuer.private, issuer.algorithm, headers={"kid": issuer.kid})
    return signed.encode()


def _headed(data: bytes, header: Any) -> bytes:
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=")
    return b".".join([head, *data.split(b".")[1:]])


def _token(data: bytes, key: bytes, kind: Issuer, claims: Any = None) -> str:
    issuer, facts = _job(kind)

    def outcome() -> str:
        token = read_token(data)
        of, public = read_key_file(key)
        if not of == token.text("iss") == kind.url:
            return _REFUSED
        require_signature(token, public)
        checks = [*claim_checks(token, kind, _RECORD, facts, recorded_at=10_100, same_group=True)]
        if any(check.verdict is Outcome.FAIL for check in checks):
            return _REFUSED
        honest = jwt.decode(issuer.token(_audience(kind)), options={"verify_signature": False})
        told = honest if claims is None else claims
        # names of repositories and hex digits have no case
        differing = {it for it in _BINDING if str(told.get(it)).lower() != str(honest.get(it)).lower()}
        # another time that fits; a ref that is no branch is said to be unknown
        unknown = {check.name for check in checks if check.verdict is Outcome.UNKNOWN}
        return "as true" if differing <= {"iat", "exp", *(["ref"] if "branch" in unknown else [])} else "verified"

    return _judged(outcome)


# -- address books


def books() -> Iterator[Case]:
    """Change each field of an address book, mix it with another, leave signatures out, and go back."""
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        folder = Path(scratch)
        (folder / "passphrase").write_text("four or five random words\n")
        with patch.dict(os.environ, {"BLOCKCHAINTRACER_PASSPHRASE_FILE": str(folder / "passphrase")}):
            first, second, other = _files(folder)
    now = datetime.now(UTC)
    old = read_book(first, now=now)
    honest = read_book(second, now=now, fingerprint=old.fingerprint, before=old)

    def judged(data: bytes, before: Book | None = None) -> str:
        def outcome() -> str:
            book = read_book(data, now=now, fingerprint=old.fingerprint, before=before)
            return "as true" if _says(book) == _says(honest) else "verified"

        return _judged(outcome)

    plain, theirs = json.loads(second), json.loads(other)
    for what, changed in changes(plain):
        try:
            data = rfc8785.dumps(changed)
        except (ValueError, UnicodeError):
            continue
        yield what, lambda data=data: judged(data)
    for part in plain:
        yield f"{part} of another", lambda part=part: judged(rfc8785.dumps({**plain, part: theirs[part]}))
    yield "the one before", lambda: judged(first, honest)
    yield "another community", lambda: judged(other)
    for number, root in enumerate(plain["roots"]):
        for signature in root["signatures"]:
            fewer = json.loads(second)
            fewer["roots"][number]["signatures"].remove(signature)
            yield f"root {number} without a signature", lambda it=fewer: judged(rfc8785.dumps(it))
    for at in range(0, len(second), 3):
        data = bytearray(second)
        data[at] ^= 1 << at % 8
        yield f"byte {at}", lambda data=bytes(data): judged(data)


def _says(book: Book) -> tuple[Any, ...]:
    return book.name, book.version, book.root_version, book.expires, book.fingerprint, book.registries


def _files(folder: Path) -> tuple[bytes, bytes, bytes]:
    """Make two versions of a book, the second with new keys, and another community's with the same content."""
    content, now = folder / "content.json", datetime.now(UTC)
    entry = {"chainId": "1", "registry": "0x" + "12" * 20, "name": "LIGO", "groups": [{"group": 3, "name": "Hanford"}]}
    content.write_text(json.dumps({"name": "LIGO", "registries": [entry]}))
    for person in ("alice", "bob", "carol", "mallory"):
        make_book.make_key(folder / f"{person}.pem", None)

    def made(file: Path, *people: str, signing: tuple[str, ...]) -> bytes:
        keys = [folder / f"{person}.pem.pub" for person in people]
        make_book.make_book(file, content, keys=keys, threshold=2, now=now)
        for person in signing:
            make_book.sign_book(file, folder / f"{person}.pem", None)
        return file.read_bytes()

    ours = folder / "ours.json"
    first = made(ours, "alice", "bob", signing=("alice", "bob"))
    second = made(ours, "alice", "carol", signing=("alice", "bob", "carol"))
    return first, second, made(folder / "other.json", "mallory", "carol", signing=("mallory", "carol"))
