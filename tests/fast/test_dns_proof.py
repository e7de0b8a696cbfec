"""A TXT record's chain of DNSSEC signatures, made, kept and verified without a network."""

from __future__ import annotations

import dns.rdatatype
import pytest
from dns.dnssectypes import Algorithm, DSDigest

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.extras.identity import dns_proof
from blockchaintracer.extras.identity.dns_proof import collect, root_anchors, verify
from tests.support.dns_zones import DAY, NOW, Zone, Zones, name

pytestmark = pytest.mark.fast
OWNER = "_blockchaintracer.example.org."


def proof_of(zones: Zones, at: int = NOW) -> bytes:
    return collect("example.org", zones.ask, zones.anchors, at=at)


@pytest.fixture(scope="module")
def zones() -> Zones:
    return Zones('"group 3" " of ours"')


def test_a_chain_is_collected_and_verified_offline(zones: Zones) -> None:
    shown = verify(proof_of(zones), "example.org", zones.anchors, at=NOW)
    assert shown.texts == ("group 3 of ours",)
    assert shown.zones == (".", "org.", "example.org.")
    assert (shown.valid_from, shown.valid_until) == (NOW - DAY, NOW + 13 * DAY)


def test_a_proof_stays_evidence_for_its_own_time(zones: Zones) -> None:
    proof = proof_of(zones)
    shown = verify(proof, "example.org", zones.anchors)
    assert shown.holds_at(NOW)
    assert not shown.holds_at(NOW + 14 * DAY)
    with pytest.raises(NotVerified, match="not all valid at 2026-10"):
        verify(proof, "example.org", zones.anchors, at=NOW + 14 * DAY)


def test_the_interval_is_that_of_all_signatures() -> None:
    zones = Zones(start=NOW - 10, end=NOW + 20)
    zones.top.end = NOW + 7
    zones.top.add("example.org.", "DS", zones.leaf.ds())
    # the older signature of the same DS records is valid for longer
    assert verify(proof_of(zones), "example.org", zones.anchors).valid_until == NOW + 20
    zones.top.sets[name("example.org."), dns.rdatatype.DS][1].pop(0)
    shown = verify(proof_of(zones), "example.org", zones.anchors)
    assert (shown.valid_from, shown.valid_until) == (NOW - 10, NOW + 7)


def test_the_anchors_of_the_root_are_those_of_iana() -> None:
    assert [text.split()[:3] for text in root_anchors()] == [["20326", "8", "2"], ["38696", "8", "2"]]
    zones = Zones()
    with pytest.raises(NotVerified, match=r"no trust anchor names a key of \."):
        verify(proof_of(zones), "example.org", at=NOW)


def test_another_domain_another_root_and_one_zone_for_all(zones: Zones) -> None:
    proof = proof_of(zones)
    for domain in ("example.com", "xample.org", "www.example.org"):
        with pytest.raises(NotVerified, match="is not of the TXT records of"):
            verify(proof, domain, zones.anchors, at=NOW)
    with pytest.raises(NotVerified, match="no trust anchor names"):
        verify(proof, "example.org", Zones().anchors, at=NOW)


@pytest.mark.parametrize(
    "domain", ["Example.org", "example.org.", "", "org", "*.org", "a..org", "exämple.org", "a\\.b.org"]
)
def test_a_domain_has_one_form(domain: str) -> None:
    with pytest.raises(InputError, match="expected a domain in lower case"):
        verify(b"", domain, [], at=NOW)


def test_expired_and_future_signatures_are_refused() -> None:
    for start, end in ((NOW - 2 * DAY, NOW - DAY), (NOW + DAY, NOW + 2 * DAY)):
        with pytest.raises(NotVerified, match="not all valid"):
            proof_of(Zones(start=start, end=end))


@pytest.mark.parametrize(
    ("of_leaf", "reason"),
    [
        ({"algorithm": Algorithm.RSASHA1}, "algorithm 5, which is too weak"),
        ({"algorithm": Algorithm.RSASHA256, "rsa_bits": 1024}, "RSA key of less than 2048 bits"),
        ({"ds_digest": DSDigest.SHA1}, "no DS record with SHA-256 or SHA-384 names a key of example.org"),
    ],
)
def test_weak_algorithms_are_refused(of_leaf: dict[str, object], reason: str) -> None:
    with pytest.raises(NotVerified, match=reason):
        proof_of(Zones(**of_leaf))


def test_ed25519_and_sha384_are_taken() -> None:
    zones = Zones(algorithm=Algorithm.ED25519, ds_digest=DSDigest.SHA384)
    assert verify(proof_of(zones), "example.org", zones.anchors, at=NOW).texts == ("hello",)


def test_a_wildcard_says_nothing_of_the_name() -> None:
    zones = Zones()
    zones.leaf.add(OWNER, "TXT", '"of anybody"', signed_as="*.example.org.")
    with pytest.raises(NotVerified, match="wildcard"):
        proof_of(zones)


def test_an_alias_is_refused() -> None:
    zones = Zones()
    del zones.leaf.sets[name(OWNER), dns.rdatatype.TXT]
    zones.leaf.add(OWNER, "CNAME", "elsewhere.example.org.")
    with pytest.raises(NotVerified, match="alias of another name"):
        proof_of(zones)


def test_no_record_and_no_signature_are_named() -> None:
    zones = Zones()
    key = name(OWNER), dns.rdatatype.TXT
    rrset, _ = zones.leaf.sets.pop(key)
    with pytest.raises(NotVerified, match="is not there"):
        proof_of(zones)
    zones.leaf.sets[key] = rrset, []
    with pytest.raises(NotVerified, match="comes without a DNSSEC signature"):
        proof_of(zones)


def test_a_zone_signs_nothing_beside_itself() -> None:
    """Another zone below the same parent, with a valid chain of its own, signs a text of this name."""
    zones = Zones()
    other = Zone("evil.org.")
    zones.top.add("evil.org.", "DS", other.ds())
    other.add(OWNER, "TXT", '"stolen"')
    zones.leaf.sets |= other.sets
    with pytest.raises(NotVerified, match="no zone above"):
        proof_of(zones)


def test_a_key_that_the_zone_above_does_not_name_is_refused() -> None:
    zones = Zones()
    zones.leaf = Zone("example.org.")
    zones.leaf.add(OWNER, "TXT", '"stolen"')
    with pytest.raises(NotVerified, match="no DS record"):
        proof_of(zones)


def test_a_zone_beside_it_names_no_keys_of_another() -> None:
    """Whoever has evil.org signs a DS record of example.org with it: the zone is no one above."""
    zones = Zones()
    evil, zones.leaf = Zone("evil.org."), Zone("example.org.")
    zones.leaf.add(OWNER, "TXT", '"stolen"')
    zones.top.add("evil.org.", "DS", evil.ds())
    del zones.top.sets[name("example.org."), dns.rdatatype.DS]
    evil.add("example.org.", "DS", zones.leaf.ds())
    zones.root.sets |= evil.sets
    with pytest.raises(NotVerified, match="which is no zone above"):
        proof_of(zones)


def test_revoked_keys_and_keys_that_another_zone_signed_are_refused() -> None:
    with pytest.raises(NotVerified, match="no DS record"):
        proof_of(Zones(flags=257 | 0x80))
    with pytest.raises(NotVerified, match="no DS record"):
        proof_of(Zones(flags=1))
    zones = Zones()
    zones.leaf.sets.pop((name("example.org."), dns.rdatatype.DNSKEY))
    zones.leaf.add("example.org.", "DNSKEY", zones.leaf.key, signer="org.")
    with pytest.raises(NotVerified, match="not signed by the zone itself"):
        proof_of(zones)


def test_a_set_that_the_chain_does_not_need_is_refused() -> None:
    zones = Zones()
    zones.root.add("evil.", "DS", Zone("evil.").ds())
    sets = [*dns_proof._parsed(proof_of(zones))]
    records, signatures = zones.root.sets[name("evil."), dns.rdatatype.DS]
    sets.insert(5, dns_proof._Signed(name("evil."), dns.rdatatype.DS, [*records], signatures))
    with pytest.raises(NotVerified, match="has more than that"):
        verify(b"".join(line for signed in sets for line in signed.lines()), "example.org", zones.anchors, at=NOW)


def test_each_byte_of_a_proof_is_bound(zones: Zones) -> None:
    proof = proof_of(zones)
    for at in range(0, len(proof), 7):
        changed = bytearray(proof)
        changed[at] ^= 1 << at % 8
        with pytest.raises(NotVerified):
            verify(bytes(changed), "example.org", zones.anchors, at=NOW)


def test_what_is_left_out_added_or_doubled_is_refused(zones: Zones) -> None:
    sets = [*dns_proof._parsed(proof_of(zones))]
    lines = [[*signed.lines()] for signed in sets]
    for without in range(len(lines)):
        part = b"".join(line for at, of_set in enumerate(lines) for line in of_set if at != without)
        with pytest.raises(NotVerified):
            verify(part, "example.org", zones.anchors, at=NOW)
    whole = [line for of_set in lines for line in of_set]
    for changed in ([*whole, *lines[0]], [whole[0], *whole], whole[::-1], [], [*whole, b"\x00"]):
        with pytest.raises(NotVerified):
            verify(b"".join(changed), "example.org", zones.anchors, at=NOW)


def test_large_proofs_are_not_read(zones: Zones) -> None:
    with pytest.raises(NotVerified, match="at most 65,536"):
        verify(bytes(70_000), "example.org", zones.anchors, at=NOW)
    many = Zones()
    records = [f'"{number}"' for number in range(30)]
    many.leaf.add(OWNER, "TXT", *records)
    with pytest.raises(NotVerified, match="more than 24 records"):
        proof_of(many)
