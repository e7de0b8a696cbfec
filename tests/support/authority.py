"""A time-stamping authority: a real one by `openssl ts`, and tokens that no authority would sign, made by hand."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import new
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from asn1crypto import cms, parser, tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.serving import serving

POLICY = "1.2.3.4.1"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def der_with(der: bytes, path: tuple[int, ...], change: Callable[[bytes], bytes]) -> bytes:
    """DER with one of its parts changed, and the lengths around it."""
    if not path:
        return change(der)
    kind, method, tag, _, content, _ = parser.parse(der, strict=True)
    parts: list[bytes] = []
    while content:
        parts.append(content[: parser.peek(content)])
        content = content[len(parts[-1]) :]
    parts[path[0]] = der_with(parts[path[0]], path[1:], change)
    return bytes(parser.emit(kind, method, tag, b"".join(parts)))


def longer(extra: bytes, *, first: bool = False) -> Callable[[bytes], bytes]:
    """Put bytes behind the content of a part, or before it."""

    def change(der: bytes) -> bytes:
        kind, method, tag, _, content, _ = parser.parse(der, strict=True)
        return bytes(parser.emit(kind, method, tag, extra + content if first else content + extra))

    return change


@dataclass
class Issuer:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @classmethod
    def made(
        cls,
        subject: str,
        by: Issuer | None = None,
        *,
        ca: bool = False,
        usages: tuple[x509.ObjectIdentifier, ...] | None = (ExtendedKeyUsageOID.TIME_STAMPING,),
        ca_usages: tuple[x509.ObjectIdentifier, ...] = (),
        critical: bool = True,
        start: datetime = NOW - timedelta(days=30),
        end: datetime = NOW + timedelta(days=3650),
        digest: hashes.HashAlgorithm = hashes.SHA256(),  # noqa: B008
        longest: int | None = None,
        more: tuple[tuple[x509.ExtensionType, bool], ...] = (),
        key: Key | None = None,
    ) -> Issuer:
        """A certificate, signed by another or by itself, with RSA as RSA-PSS. `longest`: how many certificates may be
        below, but for one."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        issuer, signing = (by.certificate.subject, by.key) if by else (name(subject), key)
        built = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca, longest), critical=True)
        )
        for extension, is_critical in more:
            built = built.add_extension(extension, critical=is_critical)
        if ca_usages or (not ca and usages is not None):
            built = built.add_extension(x509.ExtendedKeyUsage(ca_usages or usages or ()), critical=critical)
        if isinstance(signing, ed25519.Ed25519PrivateKey):
            return cls(built.sign(signing, None), key)
        pss = padding.PSS(padding.MGF1(digest), digest.digest_size) if isinstance(signing, rsa.RSAPrivateKey) else None
        return cls(built.sign(signing, digest, rsa_padding=pss), key)


ROOT = Issuer.made("Root of tests", ca=True)
AUTHORITY = Issuer.made("Authority of tests", ROOT)


def token(
    digest: str,
    signer: Issuer = AUTHORITY,
    *,
    algorithm: str = "sha256",
    signed_over: str = "sha256",
    named_by: str = "v2",
    at: datetime = NOW,
    policy: str = POLICY,
    nonce: int | None = 7,
    accuracy: dict[str, int] | None = None,
    between: tuple[Issuer, ...] = (),
    status: str = "granted",
    names: Issuer | None = None,
    stated: Callable[[bytes], bytes] = bytes,
) -> bytes:
    """A response of RFC 3161 for a digest, signed by whoever is named, true or not; `stated` changes its TSTInfo."""
    info: dict[str, Any] = {
        "version": "v1",
        "policy": policy,
        "message_imprint": {"hash_algorithm": {"algorithm": algorithm}, "hashed_message": bytes.fromhex(digest)},
        "serial_number": 1,
        "gen_time": at,
        "accuracy": {"seconds": 1} if accuracy is None else accuracy,
        "nonce": nonce,
    }
    content = stated(tsp.TSTInfo({key: value for key, value in info.items() if value not in (None, {})}).dump())
    encapsulated = {"content_type": "tst_info", "content": cms.ParsableOctetString(content)}
    named: dict[str, Any] = {
        "v2": {
            "type": "signing_certificate_v2",
            "values": [
                {
                    "certs": [
                        {
                            "hash_algorithm": {"algorithm": "sha256"},
                            "cert_hash": new("sha256", (names or signer).der).digest(),
                        }
                    ]
                }
            ],
        },
        "v1": {"type": "signing_certificate", "values": [{"certs": [{"cert_hash": new("sha1", signer.der).digest()}]}]},
    }
    attributes: list[dict[str, Any]] = [
        {"type": "content_type", "values": ["tst_info"]},
        {"type": "message_digest", "values": [new(signed_over, content).digest()]},
        *([named[named_by]] if named_by else []),
    ]
    signed = cms.CMSAttributes(sorted((cms.CMSAttribute(it) for it in attributes), key=lambda it: it.dump()))
    certificate = cms.Certificate.load(signer.der)
    assert isinstance(signer.key, ec.EllipticCurvePrivateKey)
    info_of_signer = {
        "version": "v1",
        "sid": cms.SignerIdentifier(
            {"issuer_and_serial_number": {"issuer": certificate.issuer, "serial_number": certificate.serial_number}}
        ),
        "digest_algorithm": {"algorithm": signed_over},
        "signed_attrs": signed,
        "signature_algorithm": {"algorithm": f"{signed_over}_ecdsa"},
        "signature": signer.key.sign(signed.dump(), ec.ECDSA(getattr(hashes, signed_over.upper())())),
    }
    chain = sorted({signer.der, *(it.der for it in between)})
    data = {
        "version": "v3",
        "digest_algorithms": [{"algorithm": signed_over}],
        "encap_content_info": encapsulated,
        "certificates": [cms.CertificateChoices({"certificate": cms.Certificate.load(it)}) for it in chain],
        "signer_infos": [info_of_signer],
    }
    made = {"content_type": "signed_data", "content": cms.SignedData(data)}
    return bytes(tsp.TimeStampResp({"status": {"status": status}, "time_stamp_token": made}).dump())


CONFIGURATION = """
[ req ]
distinguished_name = dn
[ dn ]
[ v3_ca ]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
[ v3_tsa ]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[ authority ]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
certs = {folder}/chain.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = {policy}
other_policies = 1.2.3.4.5
digests = sha256, sha384, sha512
accuracy = secs:1, millisecs:500
ordering = yes
ess_cert_id_alg = sha256
"""


@dataclass
class OpensslAuthority:
    """A real authority by `openssl ts`, with a certificate between root and signer."""

    folder: Path
    bits: int = 2048
    url: str = ""
    asked: int = 0
    down: bool = field(default=False)

    @property
    def root(self) -> Path:
        return self.folder / "root.pem"

    def openssl(self, *arguments: str) -> None:
        command = ["/usr/bin/openssl", *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def make(self) -> OpensslAuthority:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "tsa.cnf").write_text(CONFIGURATION.format(folder=self.folder, policy=POLICY))
        (self.folder / "serial").write_text("01\n")
        key, curve = ("-newkey", f"rsa:{self.bits}", "-nodes"), ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        config, about = ("-config", "tsa.cnf"), f"of {self.folder.name}"
        root = ("req", "-x509", *curve, "-nodes", "-keyout", "root.key", "-out", "root.pem", "-days", "3650", *config)
        self.openssl(*root, "-subj", f"/O=Tests/CN=Root {about}", "-extensions", "v3_ca")
        above = "root"
        for file, title, extensions in (("between", "Issuer", "v3_ca"), ("tsa", "Authority", "v3_tsa")):
            self.openssl(
                "req",
                *key,
                "-keyout",
                f"{file}.key",
                "-out",
                f"{file}.csr",
                *config,
                "-subj",
                f"/O=Tests/CN={title} {about}",
            )
            sign = (
                "x509",
                "-req",
                "-in",
                f"{file}.csr",
                "-CA",
                f"{above}.pem",
                "-CAkey",
                f"{above}.key",
                "-CAcreateserial",
            )
            self.openssl(
                *sign, "-out", f"{file}.pem", "-days", "3650", "-extfile", "tsa.cnf", "-extensions", extensions
            )
            above = file
        chain = (self.folder / "between.pem").read_bytes() + self.root.read_bytes()
        (self.folder / "chain.pem").write_bytes(chain)
        return self

    def reply(self, query: bytes) -> bytes:
        self.asked += 1
        number = os.urandom(4).hex()
        asked, answer = self.folder / f"{number}.tsq", self.folder / f"{number}.tsr"
        asked.write_bytes(query)
        self.openssl(
            "ts", "-reply", "-queryfile", asked.name, "-out", answer.name, "-config", "tsa.cnf", "-section", "authority"
        )
        return answer.read_bytes()

    def verify(self, response: Path, data: Path) -> bool:
        """Whether `openssl ts -verify` accepts a response for a plain file."""
        command = [
            "/usr/bin/openssl",
            "ts",
            "-verify",
            "-in",
            str(response),
            "-data",
            str(data),
            "-CAfile",
            str(self.root),
        ]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextmanager
def authority(folder: Path, bits: int = 2048) -> Iterator[OpensslAuthority]:
    """A real authority behind HTTP on this machine."""
    made = OpensslAuthority(folder, bits).make()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            data = b"" if made.down else made.reply(query)
            self.send_response(503 if made.down else 200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as made.url:
        yield made
