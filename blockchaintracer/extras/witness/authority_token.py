"""RFC 3161: tokens of time-stamping authorities, which sign a digest with their time.

A token is worth what its authority is worth: whoever has its key can sign any time. So it counts by a root certificate
that the verifier chose, and by the policies that it accepts. Sources: RFC 3161 (tokens), RFC 5652 (CMS), RFC 5816
(ESSCertIDv2), RFC 5280 (certificates). Signature and certificates are checked by `cryptography` and `rfc3161_client`.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import new
from typing import TYPE_CHECKING, Any, TypeVar

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.networks import when
from blockchaintracer.extras.witness.service import ask_service
from blockchaintracer.extras.witness.witness_receipt import MAX_PROOF
from blockchaintracer.extras.witness.witness_time import TimeStanding, WitnessTime
from blockchaintracer.lab.optional import require

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

T = TypeVar("T")
_HASHES = ("sha256", "sha384", "sha512")
_RSA_BITS = 2048
_LONGEST_CHAIN = 6
_OF_SIGNER = ("sid", "digest_algorithm", "signed_attrs", "signature_algorithm", "signature")
_PROBLEMS = (  # of the library, in words
    ("PKIStatus", "the authority did not grant it"),
    ("does not contain the critical EKU", "its certificate is not one for time stamps (no extended key usage)"),
    ("EKU extension is not critical", "its certificate's extended key usage is not critical"),
    ("KeyPurposeID", "its certificate is not one for time stamps"),
    ("Error while verifying certificates", "its certificates do not hold at its time"),
)


@dataclass(frozen=True, slots=True)
class TrustedAuthority:
    """An authority that a verifier trusts.

    Args:
        roots: certificates at which its chain may end.
        policies: object identifiers of the policies that count; empty if all do.
    """

    roots: tuple[Certificate, ...]
    policies: tuple[str, ...] = ()


def read_certificates(pem: bytes, where: str) -> tuple[Certificate, ...]:
    """Read certificates in PEM.

    Raises:
        InputError: if there is none.
    """
    x509 = require("cryptography.x509", "witness")
    try:
        certificates: tuple[Certificate, ...] = tuple(x509.load_pem_x509_certificates(pem))
    except ValueError as error:
        raise InputError(f"{where}: expected certificates in PEM, got: {str(error)[:100]}") from None
    return certificates


def request_token(digest: str, url: str, *, policy: str | None, allow_local: bool) -> bytes:
    """Have an authority sign a SHA-256; return its response, without certificates that its chain does not need.

    Args:
        policy: object identifier of the policy to ask for.

    Raises:
        ChainUnavailable: if it does not answer.
        NotVerified: if it answers with something else than a token of this digest and nonce.
    """
    tsp = require("asn1crypto.tsp", "witness")
    nonce = secrets.randbits(63) | 1 << 62
    request = {
        "version": "v1",
        "message_imprint": {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": bytes.fromhex(digest)},
        "nonce": nonce,
        "cert_req": True,
        **({"req_policy": policy} if policy else {}),
    }
    data = tsp.TimeStampReq(request).dump()
    answer = ask_service(
        url,
        limit=4 * MAX_PROOF,
        allow_local=allow_local,
        data=data,
        Content_Type="application/timestamp-query",
        Accept="application/timestamp-reply",
    )
    try:
        proof = _guarded(lambda: _slim(answer))
        token = SignedToken(proof, digest)
        if token.nonce != nonce:
            raise InputError("it has another nonce than was asked for: it may be an old one")
        if policy and token.policy != policy:
            raise InputError(f"it is under policy {token.policy}, not under {policy}")
    except InputError as error:
        hint = "Nothing was kept. Ask another authority."
        raise NotVerified(f"expected a token of {url}, got: {error.message}", hint=hint) from None
    return proof


def _slim(answer: bytes) -> bytes:
    """Return a response in its one form: its certificates sorted, without roots, which a verifier has."""
    from asn1crypto import cms, tsp

    response = tsp.TimeStampResp.load(answer, strict=True)
    if (status := response["status"]["status"].native) != "granted":
        told = "; ".join(response["status"]["status_string"].native or ())
        raise InputError(f"the authority answered {status} {told[:200]}".strip())
    token = response["time_stamp_token"]
    signed = token["content"]
    signer = signed["signer_infos"][0]
    kept = _chain([it.chosen for it in signed["certificates"]], signer["sid"].chosen)
    certificates = sorted(it.dump() for it in kept if it.subject != it.issuer)
    form = cms.CMSVersion("v3")
    content = {
        "version": form,
        "digest_algorithms": [{"algorithm": signer["digest_algorithm"]["algorithm"].native}],
        "encap_content_info": signed["encap_content_info"],
        "certificates": cms.CertificateSet([cms.CertificateChoices.load(it) for it in certificates]),
        "signer_infos": [{"version": "v1"} | {name: signer[name] for name in _OF_SIGNER}],
    }
    slim = {"content_type": "signed_data", "content": cms.SignedData(content)}
    made: bytes = tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": slim}).dump()
    return made


def _chain(certificates: Sequence[Any], signer: Any) -> list[Any]:
    """Return the signer's certificate and those that issued it, as far as they are here, by their names."""
    wanted = signer["issuer"], signer["serial_number"].native
    chain = [it for it in certificates if (it.issuer, it.serial_number) == wanted][:1]
    while chain and len(chain) < _LONGEST_CHAIN and chain[-1].subject != chain[-1].issuer:
        above = next((it for it in certificates if it.subject == chain[-1].issuer and it not in chain), None)
        if above is None:
            break
        chain.append(above)
    return chain


class SignedToken:
    """A token whose own signature holds, over the digest that it should be of. By whom is not judged here.

    Args:
        proof: a response of RFC 3161 in its one form (`request_token` makes it).
        digest: the SHA-256 that it should be of.

    Raises:
        InputError: if it is no such response, or does not hold.
    """

    def __init__(self, proof: bytes, digest: str) -> None:
        require("asn1crypto.tsp", "witness")
        if len(proof) > MAX_PROOF:
            raise InputError(f"expected a token of at most {MAX_PROOF} bytes, got {len(proof)}")
        self.proof, self.digest = proof, digest
        _guarded(self._read)

    def _read(self) -> None:
        from asn1crypto import tsp
        from cryptography.x509 import load_der_x509_certificate
        from rfc3161_client import decode_timestamp_response

        # the stricter reader comes first: asn1crypto takes what is no DER, and may encode it without end
        decode_timestamp_response(self.proof)
        response = tsp.TimeStampResp.load(self.proof, strict=True)
        if _slim(self.proof) != self.proof:
            raise InputError("it is not in its one form, or holds more than a token needs")
        signed = response["time_stamp_token"]["content"]
        info = signed["encap_content_info"]
        if info["content_type"].native != "tst_info" or len(signed["signer_infos"]) != 1:
            raise InputError("expected a time stamp with one signer")
        signer = signed["signer_infos"][0]
        content: bytes = bytes(info["content"])
        self._read_stated(info["content"].parsed)
        certificates = [load_der_x509_certificate(it.chosen.dump()) for it in signed["certificates"]]
        serial, issuer = signer["sid"].chosen["serial_number"].native, signer["sid"].chosen["issuer"].dump()
        self.signer: Certificate = next(
            it for it in certificates if it.serial_number == serial and it.issuer.public_bytes() == issuer
        )
        self.others = [it for it in certificates if it is not self.signer]
        self._check_signature(signer, content)
        for it in certificates:
            _require_strong(it)
        for it in certificates:
            if next(
                (above for above in certificates if above.subject == it.issuer and not _is_issued(it, above)), None
            ):
                raise InputError("one of its certificates did not issue the next")

    def _read_stated(self, stated: Any) -> None:
        if stated["version"].native != "v1" or any(it["critical"] for it in stated["extensions"].native or ()):
            raise InputError("it is of another version, or has an extension that nobody may pass over")
        imprint = stated["message_imprint"]
        algorithm, value = imprint["hash_algorithm"]["algorithm"].native, imprint["hashed_message"].native
        if algorithm not in _HASHES:
            raise InputError(f"it is of a {algorithm} digest, which is refused")
        if (algorithm, value.hex()) != ("sha256", self.digest):
            raise InputError(f"it is of {algorithm} {value.hex()}, not of {self.digest}")
        self.policy: str = stated["policy"].dotted
        self.nonce: int | None = stated["nonce"].native
        self.ordered: bool = stated["ordering"].native
        self.generated: float = stated["gen_time"].native.timestamp()
        accuracy = stated["accuracy"].native
        parts = ((accuracy[name] or 0) for name in ("seconds", "millis", "micros")) if accuracy else ()
        self.accuracy: float | None = (
            sum(part * unit for part, unit in zip(parts, (1, 1e-3, 1e-6), strict=True)) if accuracy else None
        )

    def _check_signature(self, signer: Any, content: bytes) -> None:
        from cryptography.exceptions import InvalidSignature

        attributes = {it["type"].native: it["values"] for it in signer["signed_attrs"]}
        self.hashed: str = signer["digest_algorithm"]["algorithm"].native
        algorithm = self.hashed
        if algorithm not in _HASHES:
            raise InputError(f"it is signed over a {algorithm} digest, which is refused")
        if len(attributes) != len(signer["signed_attrs"]) or any(len(it) != 1 for it in attributes.values()):
            raise InputError("expected each signed attribute once")
        if attributes["content_type"][0].native != "tst_info":
            raise InputError("its signature is over something else than a time stamp")
        if attributes["message_digest"][0].native != new(algorithm, content).digest():
            raise InputError("its signature is over another time stamp")
        self._check_certificate_id(attributes)
        signed: bytes = signer["signed_attrs"].untag().dump()
        try:
            _verify(self.signer, signer, algorithm, signed)
        except InvalidSignature:
            raise InputError("its signature does not hold") from None

    def _check_certificate_id(self, attributes: dict[str, Any]) -> None:
        """Check that the signature names its certificate by a hash that is not SHA-1 (RFC 5816)."""
        from cryptography.hazmat.primitives.serialization import Encoding

        if "signing_certificate_v2" not in attributes:
            v1 = " but by its SHA-1 alone, which is refused" if "signing_certificate" in attributes else ""
            raise InputError(f"its signature does not name its certificate (ESSCertIDv2){v1}")
        named = attributes["signing_certificate_v2"][0]["certs"][0]
        algorithm = named["hash_algorithm"]["algorithm"].native
        if algorithm not in _HASHES:
            raise InputError(f"its signature names its certificate by {algorithm}, which is refused")
        if named["cert_hash"].native != new(algorithm, self.signer.public_bytes(Encoding.DER)).digest():
            raise InputError("its signature names another certificate")

    @property
    def who(self) -> str:
        """The name in its certificate: the word of whoever issued that."""
        from cryptography.x509.oid import NameOID

        names = self.signer.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(names[0].value)[:100] if names else self.signer.subject.rfc4514_string()[:100]

    def time(self, authorities: Sequence[TrustedAuthority]) -> WitnessTime:
        """Judge the token by the authorities that a verifier trusts."""
        who, stated = f"authority {self.who}", int(self.generated)
        if not authorities:
            return WitnessTime(who, TimeStanding.CONSISTENT, "you named no root certificate of an authority", stated)
        reached = [it for it in authorities if any(self._ends_at(root) for root in it.roots)]
        roots = {root.subject for it in authorities for root in it.roots}
        if not reached and any(it.issuer in roots for it in (self.signer, *self.others)):
            detail = "a root that you chose has the name of its issuer, and did not issue its certificate"
            return WitnessTime(who, TimeStanding.REFUSED, detail, stated)
        if not reached:
            detail = "its certificates end at none of the roots that you chose"
            return WitnessTime(who, TimeStanding.CONSISTENT, detail, stated)
        try:
            whys = _guarded(
                lambda: [self._why_not([root for root in it.roots if self._ends_at(root)]) for it in reached]
            )
        except InputError as error:
            # extensions are read late
            return WitnessTime(who, TimeStanding.REFUSED, error.message, stated)
        if whys[0] and all(whys):
            return WitnessTime(who, TimeStanding.REFUSED, whys[0], stated)
        accepting = [it for it, why in zip(reached, whys, strict=True) if not why]
        if not any(not it.policies or self.policy in it.policies for it in accepting):
            detail = f"it is under policy {self.policy}, which is none that you accept for this authority"
            return WitnessTime(who, TimeStanding.CONSISTENT, detail, stated)
        margin = "it states no accuracy" if self.accuracy is None else f"give or take {self.accuracy:g} s"
        detail = f"signed {when(stated)}, {margin}, under policy {self.policy}" + (", in order" if self.ordered else "")
        until = math.ceil(self.generated + (1 if self.accuracy is None else self.accuracy))
        return WitnessTime(who, TimeStanding.VERIFIED, detail, stated, until, frozenset({"sha256", self.hashed}))

    def _ends_at(self, root: Certificate) -> bool:
        current, left = self.signer, list(self.others)
        for _ in range(_LONGEST_CHAIN):
            if _is_issued(current, root):
                return True
            above = next((it for it in left if _is_issued(current, it)), None)
            if above is None:
                return False
            left.remove(above)
            current = above
        return False

    def _why_not(self, roots: list[Certificate]) -> str | None:
        """Say why the certificates do not hold at the token's time; None if they do."""
        from cryptography.x509 import ExtendedKeyUsage, ExtensionNotFound
        from cryptography.x509.oid import ExtendedKeyUsageOID
        from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

        try:
            purposes = self.signer.extensions.get_extension_for_class(ExtendedKeyUsage)
            if [*purposes.value] != [ExtendedKeyUsageOID.TIME_STAMPING] or not purposes.critical:
                return "its certificate is not one for time stamps alone (extended key usage)"
        except ExtensionNotFound:
            return "its certificate is not one for time stamps (no extended key usage)"
        for it in self.others:
            # an issuer that is limited to other certificates, of servers for example, makes no authority (as openssl
            # and browsers read RFC 5280, 4.2.1.12)
            with suppress(ExtensionNotFound):
                allowed = {*it.extensions.get_extension_for_class(ExtendedKeyUsage).value}
                if not allowed & {ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}:
                    return "a certificate of its chain may issue none for time stamps (extended key usage)"
        for it in (self.signer, *self.others):
            start, end = it.not_valid_before_utc.timestamp(), it.not_valid_after_utc.timestamp()
            if not start <= self.generated <= end:
                return f"a certificate of its chain is valid from {when(int(start))} to {when(int(end))}, and not then"
        try:
            response = decode_timestamp_response(self.proof)
            VerifierBuilder(roots=roots).build().verify(response, bytes.fromhex(self.digest))
        except (VerificationError, ValueError) as error:
            return next((words for start, words in _PROBLEMS if start in str(error)), str(error)[:120])
        return None


def _verify(certificate: Certificate, signer: Any, algorithm: str, signed: bytes) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    key, signature = certificate.public_key(), signer["signature"].native
    name, stated = signer["signature_algorithm"].signature_algo, signer["signature_algorithm"]["algorithm"].native
    if stated not in ("rsassa_pkcs1v15", f"{algorithm}_rsa", f"{algorithm}_ecdsa"):
        raise InputError(f"it is signed by {stated} over a {algorithm} digest, which is not read here")
    chosen = getattr(hashes, algorithm.upper())()
    if isinstance(key, rsa.RSAPublicKey) and name == "rsassa_pkcs1v15":
        key.verify(signature, signed, padding.PKCS1v15(), chosen)
    elif isinstance(key, ec.EllipticCurvePublicKey) and name == "ecdsa":
        key.verify(signature, signed, ec.ECDSA(chosen))
    else:
        raise InputError(f"it is signed by {name}, which is not read here")


def _require_strong(certificate: Certificate) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    hashed = certificate.signature_hash_algorithm
    if hashed is not None and hashed.name not in _HASHES:
        raise InputError(f"a certificate of its chain is signed over a {hashed.name} digest, which is refused")
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _RSA_BITS:
        raise InputError(f"a certificate of its chain has an RSA key of {key.key_size} bits, which is refused")


def _is_issued(certificate: Certificate, by: Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(by)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def _guarded(read: Callable[[], T]) -> T:
    """Read a stranger's bytes: whatever the libraries raise is one error."""
    try:
        return read()
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"expected a response of RFC 3161, got: {type(error).__name__} {str(error)[:100]}") from None
