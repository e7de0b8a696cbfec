"""A DNS TXT record with the DNSSEC signatures that lead to it from the root zone, in one file of bytes that anybody can
verify offline (RFC 4034, 4035, 9364; the form is that of the chain of RFC 9102, section 4). What its text says is for
the caller.

A proof is a sequence of resource records in wire format, uncompressed, in canonical order (RFC 4034, section 6), each
with the TTL 0: first the TXT records, then for each zone from there to the root its DNSKEY and, below the root, its DS
records. The signatures of each set stand behind it. No record is free: each is signed, or is a signature that holds.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.dnssec
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import dns.rrset
import dns.wire
from dns.dnssecalgs.rsa import PublicRSASHA256
from dns.dnssectypes import Algorithm, DSDigest
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from dns.rdtypes.dnskeybase import Flag

from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified
from blockchaintracer.core.fetch import FetchError, fetch
from blockchaintracer.core.plain_json import parse_json

LABEL = "_blockchaintracer"
"""The TXT record of a domain D stands at this label below D, so that nobody who controls D's other records needs it."""
MAX_BYTES = 64 << 10
MAX_RECORDS = 256
MAX_OF_A_SET = 24
"""Keys, signatures or other records of one set: a zone with many keys of one tag would cost a verifier hours
(CVE-2023-50387)."""
MAX_OF_A_TAG = 2
"""Keys of one set that a signature may mean: each is tried."""
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 4096
_MAX_EXPONENT_BITS = 33
"""A signature by a key with a long exponent costs a thousand times as much to verify."""

_ALGORITHMS = {
    Algorithm.RSASHA256,
    Algorithm.RSASHA512,
    Algorithm.ECDSAP256SHA256,
    Algorithm.ECDSAP384SHA384,
    Algorithm.ED25519,
    Algorithm.ED448,
}
_DIGESTS = {DSDigest.SHA256, DSDigest.SHA384}
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_SECONDS = 10.0
_SECONDS_IN_ALL = 60.0

Ask = Callable[[dns.name.Name, dns.rdatatype.RdataType], dns.message.Message]
"""Asks a resolver for all records of a name and type, with their signatures."""


class NoRecord(NotVerified):
    """The domain has no such record."""


@dataclass(frozen=True)
class DnsProof:
    """What a proof shows: the texts that a name had, signed by its zone, while all signatures of the chain were valid.

    Args:
        valid_from, valid_until: seconds since 1970, both inside. The proof is evidence for a time inside if a witness
            shows that the proof existed then.
        zones: from the root to the zone that holds the text.
    """

    name: str
    texts: tuple[str, ...]
    valid_from: int
    valid_until: int
    zones: tuple[str, ...]

    def holds_at(self, moment: float) -> bool:
        """Return whether all signatures are valid at a time, in seconds since 1970."""
        return self.valid_from <= moment <= self.valid_until


def root_anchors() -> tuple[str, ...]:
    """Return the trust anchors of the root zone that this package carries, as the text of DS records."""
    file = Path(__file__).with_name("root_anchors.json")
    return tuple(parse_json(file.read_bytes(), file.name)["anchors"])


# -- collecting


def resolver(address: str | None = None, *, port: int = 53, seconds: float = _SECONDS, allow_local: bool = True) -> Ask:
    """Return what asks a resolver. It need not validate, and is not trusted: what it answers is verified.

    Args:
        address: IP address of a resolver, or the https:// address of one (RFC 8484). Default: that of this machine.
        seconds: for one answer.
        allow_local: whether an https:// address may be in a private network.
    """
    if address is None:
        try:
            address = str(dns.resolver.Resolver().nameservers[0])
        except (dns.exception.DNSException, IndexError):
            hint = "Name one: an IP address, or an https:// address of DNS over HTTPS."
            raise InputError("expected a resolver of this machine, got none", hint=hint) from None

    until = time.monotonic() + _SECONDS_IN_ALL

    def ask(name: dns.name.Name, kind: dns.rdatatype.RdataType) -> dns.message.Message:
        left = min(seconds, until - time.monotonic())
        # CD: a resolver that validates would hide what is wrong
        flags = dns.flags.RD | dns.flags.CD | dns.flags.AD
        query = dns.message.make_query(name, kind, want_dnssec=True, payload=1232, flags=flags)
        try:
            if left <= 0:
                raise TimeoutError
            if address.startswith("https://"):
                answer = _over_https(query, address, left, allow_local)
            else:
                answer, _ = dns.query.udp_with_fallback(query, address, timeout=left, port=port)
        except (dns.exception.DNSException, OSError, FetchError, ValueError) as error:
            reason = str(error) if isinstance(error, FetchError) else type(error).__name__
            hint = "Ask another: --resolver."
            raise ChainUnavailable(f"the resolver gave no answer about {name} ({reason})", hint=hint) from None
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            what = dns.rcode.to_text(answer.rcode())
            raise ChainUnavailable(f"the resolver answers {what} about {name}", hint="Ask another: --resolver.")
        return answer

    return ask


def _over_https(query: dns.message.Message, address: str, seconds: float, allow_local: bool) -> dns.message.Message:
    media_type = "application/dns-message"
    headers = {"Content-Type": media_type, "Accept": media_type}
    told = fetch(
        address,
        limit=MAX_BYTES,
        seconds=seconds,
        method="POST",
        data=query.to_wire(),
        headers=headers,
        public=not allow_local,
    )
    if told.status != 200:
        raise FetchError(f"answers with the HTTP status {told.status}")
    answer = dns.message.from_wire(told.body)
    if not query.is_response(answer):
        raise FetchError("answers something else")
    return answer


def collect(domain: str, ask: Ask, anchors: Sequence[str] | None = None, at: float | None = None) -> bytes:
    """Collect the proof of a domain's TXT records.

    Args:
        domain: in lower case, as A-labels.
        anchors: DS records of the root zone. Default: `root_anchors`.
        at: the time at which it must hold. Default: now.

    Raises:
        NotVerified: if there is no such record, or its chain does not verify.
        ChainUnavailable: if the resolver does not answer.
    """
    name = _name_of(domain)
    sets = [_asked(ask, name, dns.rdatatype.TXT)]
    zone = sets[0].signer
    for _ in range(len(name)):
        sets.append(_asked(ask, zone, dns.rdatatype.DNSKEY))
        if zone == dns.name.root:
            break
        sets.append(_asked(ask, zone, dns.rdatatype.DS))
        zone = _above(sets[-1].signer, zone)
    # of a set only the signatures that hold are kept: else a byte of the proof would be free
    kept = [*_checked(sets, name, _anchors(anchors), strict=False)]
    proof = b"".join(line for signed in reversed(kept) for line in signed.lines())
    now = time.time() if at is None else at
    if not verify(proof, domain, anchors, at=now).holds_at(now):
        raise NotVerified(f"the signatures of {domain} up to the root zone are not all valid now")
    return proof


def _asked(ask: Ask, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> _Signed:
    answer = ask(name, kind).answer
    what = f"the {dns.rdatatype.to_text(kind)} record of {name.to_text(omit_final_dot=True)}"
    if any(rrset.rdtype in (dns.rdatatype.CNAME, dns.rdatatype.DNAME) for rrset in answer):
        hint = "Set the record at the name itself: an alias gives the word to another domain."
        raise NotVerified(f"{what} is an alias of another name", hint=hint)
    of_name = [rrset for rrset in answer if rrset.name == name]
    records = next((rrset for rrset in of_name if rrset.rdtype == kind), None)
    signatures = next(
        (rrset for rrset in of_name if rrset.rdtype == dns.rdatatype.RRSIG and rrset.covers == kind), None
    )
    if records is None:
        raise (NoRecord if kind == dns.rdatatype.TXT else NotVerified)(f"{what} is not there")
    if signatures is None:
        hint = "Sign the zone with DNSSEC, or ask another resolver: some leave the signatures out."
        raise NotVerified(f"{what} comes without a DNSSEC signature", hint=hint)
    return _Signed(name, kind, [*records], [*signatures])


# -- verifying


def verify(proof: bytes, domain: str, anchors: Sequence[str] | None = None, *, at: float | None = None) -> DnsProof:
    """Verify a proof offline, and say from when until when its signatures are all valid.

    Args:
        anchors: DS records of the root zone. Default: `root_anchors`.
        at: a time that the interval must hold, in seconds since 1970. Default: the latest interval. Whether it holds
            now, or when a witness saw it, is for the caller to ask: `DnsProof.holds_at`.

    Raises:
        NotVerified: with the reason.
    """
    name = _name_of(domain)
    sets = [*_parsed(proof)]
    checked = [*_checked(sets, name, _anchors(anchors))]
    windows = [signed.windows for signed in checked]
    starts = {start for of_set in windows for start, _ in of_set} if at is None else {int(at)}
    for moment in sorted(starts, reverse=True):
        fitting = [[it for it in of_set if it[0] <= moment <= it[1]] for of_set in windows]
        if all(fitting):
            chosen = [max(of_set, key=lambda it: it[1] - it[0]) for of_set in fitting]
            # one record can have several strings: their limit is 255 bytes
            joined = (b"".join(record.strings) for record in checked[-1].records)
            texts = tuple(sorted(text.decode("utf-8", "backslashreplace") for text in joined))
            zones = tuple(it.name.to_text() for it in checked if it.kind == dns.rdatatype.DNSKEY)
            start, end = max(it[0] for it in chosen), min(it[1] for it in chosen)
            return DnsProof(name.to_text(omit_final_dot=True), texts, start, end, zones)
    when = "at one time" if at is None else f"at {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(at))}"
    raise NotVerified(f"the DNSSEC signatures of {domain} are not all valid {when}")


@dataclass(slots=True)
class _Signed:
    """The records of one name and type, and their signatures. `windows`: when each of these is valid."""

    name: dns.name.Name
    kind: dns.rdatatype.RdataType
    records: list[Any]
    signatures: list[Any]
    windows: Sequence[tuple[int, int]] = ()

    @property
    def signer(self) -> dns.name.Name:
        """The zone that signed them."""
        signers: set[dns.name.Name] = {signature.signer for signature in self.signatures}
        if len(signers) != 1:
            raise NotVerified(f"{self.what} are signed by several zones")
        return next(iter(signers))

    @property
    def what(self) -> str:
        return f"the {dns.rdatatype.to_text(self.kind)} records of {self.name}"

    def lines(self) -> Iterator[bytes]:
        """Yield each record as the proof has it, in canonical order."""
        for kind, records in ((self.kind, self.records), (dns.rdatatype.RRSIG, self.signatures)):
            for data in sorted(record.to_digestable() for record in records):
                head = self.name.to_digestable() + kind.to_bytes(2, "big") + b"\x00\x01" + bytes(4)
                yield head + len(data).to_bytes(2, "big") + data


def _checked(sets: Sequence[_Signed], name: dns.name.Name, anchors: Any, strict: bool = True) -> Iterator[_Signed]:
    """Check sets from the root on, each by the keys of the one before; yield each, with the windows of its signatures.

    Args:
        sets: from the TXT records up, as in a proof.
        strict: whether each signature must hold, or one of them.
    """
    if not sets or (sets[0].name, sets[0].kind) != (name, dns.rdatatype.TXT):
        raise NotVerified(f"the proof is not of the TXT records of {name.to_text(omit_final_dot=True)}")
    if not name.is_subdomain(sets[0].signer):
        raise NotVerified(f"{sets[0].what} are signed by {sets[0].signer}, which is no zone above")
    expected, zone = [(name, dns.rdatatype.TXT)], sets[0].signer
    while True:
        expected.append((zone, dns.rdatatype.DNSKEY))
        if zone == dns.name.root:
            break
        expected.append((zone, dns.rdatatype.DS))
        if len(sets) < len(expected):
            break
        zone = _above(sets[len(expected) - 1].signer, zone)
    if [(signed.name, signed.kind) for signed in sets] != expected:
        raise NotVerified("the proof is no chain of zones from the TXT records to the root, or has more than that")
    trusted, keys = anchors, list[DNSKEY]()
    for signed in reversed(sets):
        if signed.kind == dns.rdatatype.DNSKEY:
            keys = _trusted_keys(signed, trusted)
        signed.signatures, signed.windows = _valid(signed, keys, strict)
        if signed.kind == dns.rdatatype.DNSKEY:
            keys = [key for key in signed.records if _may_sign(key)]
        elif signed.kind == dns.rdatatype.DS:
            trusted = signed.records
        yield signed


def _above(signer: dns.name.Name, zone: dns.name.Name) -> dns.name.Name:
    if signer == zone or not zone.is_subdomain(signer):
        raise NotVerified(f"the DS records of {zone} are signed by {signer}, which is no zone above")
    return signer


def _may_sign(key: DNSKEY) -> bool:
    return bool(key.flags & Flag.ZONE) and not key.flags & Flag.REVOKE and key.protocol == 3


def _trusted_keys(signed: _Signed, trusted: Iterable[Any]) -> list[DNSKEY]:
    """Return the keys of a zone that a DS record of the zone above, or an anchor, names by a digest that counts."""
    if signed.signer != signed.name:
        raise NotVerified(f"{signed.what} are not signed by the zone itself")
    chosen = []
    for key in filter(_may_sign, signed.records):
        for ds in trusted:
            if (ds.key_tag, ds.algorithm) != (dns.dnssec.key_id(key), key.algorithm) or ds.digest_type not in _DIGESTS:
                continue
            if dns.dnssec.make_ds(signed.name, key, ds.digest_type, validating=True).digest == ds.digest:
                chosen.append(key)
    if not chosen:
        above = "trust anchor" if signed.name == dns.name.root else "DS record with SHA-256 or SHA-384"
        raise NotVerified(f"no {above} names a key of {signed.name}")
    return chosen


def _valid(signed: _Signed, keys: Sequence[DNSKEY], strict: bool) -> tuple[list[Any], tuple[tuple[int, int], ...]]:
    """Return the signatures that hold, and from when until when each does."""
    reason, kept = f"{signed.what} have no signature", []
    rrset = dns.rrset.from_rdata_list(signed.name, 0, signed.records)
    for signature in signed.signatures:
        try:
            _check_signature(signed, signature, rrset, keys)
            kept.append(signature)
        except NotVerified as error:
            reason = error.message
            if strict:
                raise
    if not kept:
        raise NotVerified(reason)
    return kept, tuple((signature.inception, signature.expiration) for signature in kept)


def _check_signature(signed: _Signed, signature: Any, rrset: Any, keys: Sequence[DNSKEY]) -> None:
    if signature.algorithm not in _ALGORITHMS:
        raise NotVerified(f"{signed.what} are signed by algorithm {int(signature.algorithm)}, which is too weak")
    if signature.labels != len(signed.name) - 1:
        raise NotVerified(f"{signed.what} come from a wildcard, which is no word about this name")
    fitting = [
        key for key in keys if (key.algorithm, dns.dnssec.key_id(key)) == (signature.algorithm, signature.key_tag)
    ]
    if len(fitting) > MAX_OF_A_TAG:
        raise NotVerified(
            f"{signed.what} are signed by one of {len(fitting)} keys with one tag: {MAX_OF_A_TAG} at most"
        )
    if wrong := next(filter(None, map(_rsa_problem, fitting)), None):
        raise NotVerified(f"{signed.what} are signed by an RSA key of {wrong}")
    zone_keys: Any = {signature.signer: dns.rrset.from_rdata_list(signature.signer, 0, fitting)} if fitting else {}
    try:
        dns.dnssec.validate_rrsig(rrset, signature, zone_keys, now=signature.inception)
    except (dns.exception.DNSException, ValueError) as error:
        raise NotVerified(f"a signature of {signed.what} does not hold ({error or type(error).__name__})") from None


def _rsa_problem(key: DNSKEY) -> str | None:
    if key.algorithm not in (Algorithm.RSASHA256, Algorithm.RSASHA512):
        return None
    try:
        as_sha256: Any = key.replace(algorithm=Algorithm.RSASHA256)
        numbers = PublicRSASHA256.from_dnskey(as_sha256).key.public_numbers()
    except (ValueError, dns.exception.DNSException):
        return "a form that cannot be read"
    if numbers.n.bit_length() < MIN_RSA_BITS:
        return f"less than {MIN_RSA_BITS} bits"
    if numbers.n.bit_length() > MAX_RSA_BITS or numbers.e.bit_length() > _MAX_EXPONENT_BITS:
        return f"more than {MAX_RSA_BITS} bits, or with an exponent of more than {_MAX_EXPONENT_BITS}"
    return None


# -- the bytes


def _name_of(domain: str) -> dns.name.Name:
    try:
        if _DOMAIN.fullmatch(domain):
            # a label of more than 63 bytes, or a name of more than 255, is refused
            return dns.name.Name((LABEL.encode(), *domain.encode().split(b"."), b""))
    except dns.exception.DNSException:
        pass
    raise InputError(f"expected a domain in lower case, without a dot at its end, got {domain[:100]!r}")


def _anchors(texts: Sequence[str] | None) -> list[Any]:
    given = root_anchors() if texts is None else texts
    try:
        return [dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.DS, text) for text in given]
    except (dns.exception.DNSException, ValueError) as error:
        raise InputError(f"expected trust anchors as DS records, got: {str(error)[:100]}") from None


def _parsed(proof: bytes) -> Iterator[_Signed]:
    """Read the sets of a proof, which has one form."""
    if len(proof) > MAX_BYTES:
        raise NotVerified(f"the DNSSEC proof has {len(proof):,} bytes, at most {MAX_BYTES:,} are read")
    sets = list[_Signed]()
    try:
        parser = dns.wire.Parser(proof)
        for number in range(MAX_RECORDS + 1):
            if not parser.remaining():
                break
            if number == MAX_RECORDS:
                raise NotVerified(f"the DNSSEC proof has more than {MAX_RECORDS} records")
            name, kind, data = _record(parser)
            if kind == dns.rdatatype.RRSIG and sets and (sets[-1].name, sets[-1].kind) == (name, data.type_covered):
                sets[-1].signatures.append(data)
            elif sets and (sets[-1].name, sets[-1].kind) == (name, kind) and not sets[-1].signatures:
                sets[-1].records.append(data)
            else:
                sets.append(_Signed(name, kind, [data], []))
    except (dns.exception.DNSException, ValueError, IndexError) as error:
        raise NotVerified(f"the DNSSEC proof cannot be read ({type(error).__name__})") from None
    if max((len(it) for signed in sets for it in (signed.records, signed.signatures)), default=0) > MAX_OF_A_SET:
        raise NotVerified(f"a set of the DNSSEC proof has more than {MAX_OF_A_SET} records")
    lines = [line for signed in sets for line in signed.lines()]
    if b"".join(lines) != proof or len(set(lines)) != len(lines):
        raise NotVerified("the DNSSEC proof is not in its one form")
    yield from sets


def _record(parser: Any) -> tuple[dns.name.Name, dns.rdatatype.RdataType, Any]:
    labels, start = list[bytes](), parser.current
    while size := parser.get_uint8():
        if size > 63 or parser.current - start > 255:
            raise ValueError("a compressed or long name")
        labels.append(parser.get_bytes(size))
    kind, class_, _, length = parser.get_struct("!HHIH")
    if class_ != dns.rdataclass.IN:
        raise ValueError("another class")
    with parser.restrict_to(length):
        data = dns.rdata.from_wire_parser(dns.rdataclass.IN, dns.rdatatype.RdataType.make(kind), parser)
    return dns.name.Name((*labels, b"")), dns.rdatatype.RdataType.make(kind), data
