"""Receipts of witnesses: what each kind needs to count, and every way in which one is refused or not decided."""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, PendingAttestation
from opentimestamps.core.op import OpAppend, OpHexlify, OpSHA1, OpSHA256
from opentimestamps.core.timestamp import DetachedTimestampFile, Timestamp

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.plain_json import canonical
from blockchaintracer.core.record import Domain, RecordKey
from blockchaintracer.core.record_key_file import KeyFile
from blockchaintracer.extras.witness.authority_token import TrustedAuthority
from blockchaintracer.extras.witness.bitcoin_headers import AHEAD_S, BitcoinHeader, TrustedHeaders, headers_of_file
from blockchaintracer.extras.witness.calendar_proof import pruned, whole_proof
from blockchaintracer.extras.witness.second_chain import TrustedChains
from blockchaintracer.extras.witness.service import require_address
from blockchaintracer.extras.witness.stamping import check_receipt
from blockchaintracer.extras.witness.witness_receipt import (
    MAX_PROOF,
    StampedBranch,
    StampedSubject,
    WitnessKind,
    WitnessReceipt,
    read_receipts_file,
    receipts_file,
    stamped_tree,
)
from blockchaintracer.extras.witness.witness_settings import WitnessSettings, WitnessTrust
from blockchaintracer.extras.witness.witness_time import RecordTimes, TimeStanding, WitnessTime
from tests.support.authority import AUTHORITY, NOW, POLICY, ROOT, Issuer, token
from tests.support.calendar_simulator import REGTEST, block_hash, complete, into_block, mined, written

DOMAIN = Domain(1, "0x" + "12" * 20)
SUBJECT = StampedSubject.of_record(DOMAIN, "0x" + "ab" * 32)
OTHER = StampedSubject.of_record(DOMAIN, "0x" + "cd" * 32)
HEIGHT, MINED = 800_000, 1_700_000_000
PROOF, HEADER = complete(SUBJECT.sha256, HEIGHT, MINED)
CALENDAR = WitnessReceipt(WitnessKind.OPENTIMESTAMPS, SUBJECT, PROOF)
TOKEN = WitnessReceipt(WitnessKind.RFC3161, SUBJECT, token(SUBJECT.sha256))
KEY = RecordKey(1, "0x" + "22" * 20, 4, SUBJECT.sha256, 10, "bb" * 32)
RECORD = WitnessReceipt(WitnessKind.REGISTRY, SUBJECT, canonical(KeyFile(5, "0x" + "34" * 20, KEY).as_json()))


def headers(**known: BitcoinHeader | bytes) -> TrustedHeaders:
    """A file of headers with one of them."""
    header = BitcoinHeader(known.get("header", HEADER))  # type: ignore[arg-type]
    return TrustedHeaders(by_height={HEIGHT: header}.get, regtest=True)


TRUST = WitnessTrust(bitcoin=headers(), authorities=(TrustedAuthority((ROOT.certificate,)),))


def judged(receipt: WitnessReceipt, trust: WitnessTrust = TRUST, subject: StampedSubject = SUBJECT) -> WitnessTime:
    [time] = check_receipt(receipt, trust, subject)
    return time


def calendar(change: Callable[[Timestamp], object]) -> WitnessTime:
    """What comes of a proof that is made by hand."""
    stamp = Timestamp(bytes.fromhex(SUBJECT.sha256))
    change(stamp)
    return judged(replace(CALENDAR, proof=written(stamp)))


def authority(signer: Issuer = AUTHORITY, trust: WitnessTrust = TRUST, **given: Any) -> WitnessTime:
    return judged(replace(TOKEN, proof=token(SUBJECT.sha256, signer, **given)), trust)


# -- receipts and their files


@pytest.mark.parametrize("receipt", [CALENDAR, TOKEN, RECORD])
def test_a_receipt_has_one_form(receipt: WitnessReceipt) -> None:
    data = receipt.as_json()
    assert WitnessReceipt.from_json(data) == receipt
    for wrong in (
        data | {"more": 1},
        data | {"subject": "two words"},
        data | {"type": "urn:blockchaintracer:bundle:v1"},
        {key: value for key, value in data.items() if key != "algorithms"},
        data | {"tree": {"index": 0, "size": 1, "path": []}},
        data | {"tree": {"index": 5, "size": 4, "path": ["ab" * 32] * 2}},
        data | {"tree": {"index": 0, "size": 4, "path": ["ab" * 32]}},
        data | {"tree": {"index": 0, "size": 4, "path": ["ab" * 32] * 3}},
        data | {"from": "x" * 201},
        None,
        [],
    ):
        with pytest.raises(InputError):
            WitnessReceipt.from_json(wrong)


def test_a_proof_has_a_limit() -> None:
    data = CALENDAR.as_json() | {"proof": b64encode(bytes(MAX_PROOF + 1)).decode()}
    with pytest.raises(InputError, match=f"at most {MAX_PROOF} bytes"):
        WitnessReceipt.from_json(data)


def test_a_file_has_the_receipts_of_one_thing() -> None:
    data = receipts_file(SUBJECT, [TOKEN, CALENDAR])
    assert {*read_receipts_file(data, "it", SUBJECT)} == {TOKEN, CALENDAR}
    with pytest.raises(InputError, match="expected receipts of"):
        read_receipts_file(data, "it", OTHER)
    with pytest.raises(InputError, match="expected receipts of"):
        read_receipts_file(receipts_file(SUBJECT, [TOKEN, replace(CALENDAR, subject=OTHER)]), "it")
    with pytest.raises(InputError, match="1 to 64 receipts"):
        read_receipts_file(receipts_file(SUBJECT, []), "it")


@pytest.mark.parametrize("size", [2, 3, 5, 8, 13])
def test_each_leaf_leads_to_the_root_and_no_other_does(size: int) -> None:
    digests = [sha256(bytes([number])).hexdigest() for number in range(size)]
    root, branches = stamped_tree(digests)
    for digest, branch in zip(digests, branches, strict=True):
        assert branch
        assert branch.root(digest) == root
        assert branch.root("00" * 32) != root
        moved = StampedBranch((branch.index + 1) % size, size, branch.path)
        with suppress(InputError):
            assert moved.root(digest) != root
    # the tree of RFC 9162, section 2.1.1, written down again: k is the largest power of two below n
    assert root == tree([bytes.fromhex(digest) for digest in digests]).hex()


def tree(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + tree(leaves[:half]) + tree(leaves[half:])).digest()


def test_other_tools_check_a_leaf_by_one_proof() -> None:
    """The branch as operations of OpenTimestamps: a whole file for the leaf itself."""
    digests = [SUBJECT.sha256, OTHER.sha256, "ee" * 32]
    root, branches = stamped_tree(digests)
    proof, header = complete(root, HEIGHT, MINED)
    for digest, branch in zip(digests, branches, strict=True):
        receipt = WitnessReceipt(WitnessKind.OPENTIMESTAMPS, StampedSubject(f"sha256:{digest}"), proof, branch)
        assert judged(receipt, WitnessTrust(bitcoin=headers(header=header)), receipt.subject).not_after
        alone = replace(receipt, proof=whole_proof(proof, digest, branch), branch=None)
        assert judged(alone, WitnessTrust(bitcoin=headers(header=header)), receipt.subject).not_after


def test_what_is_of_another_thing_is_refused() -> None:
    for receipt in (CALENDAR, TOKEN, RECORD):
        assert judged(receipt, subject=OTHER).standing is TimeStanding.REFUSED
        said = judged(replace(receipt, subject=OTHER), subject=OTHER)
        assert said.standing is TimeStanding.REFUSED
        assert OTHER.sha256 in said.detail or SUBJECT.sha256 in said.detail


@pytest.mark.parametrize(
    ("receipt", "module"), [(CALENDAR, "opentimestamps"), (TOKEN, "asn1crypto"), (TOKEN, "rfc3161_client")]
)
def test_a_package_that_is_missing_refuses_no_receipt(
    receipt: WitnessReceipt, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=f"this needs {module}, which is not installed") as refused:
        check_receipt(receipt, TRUST, SUBJECT)
    assert "blockchaintracer[witness]" in str(refused.value.hint)


# -- calendars and Bitcoin


def test_a_proof_counts_by_a_header_that_the_verifier_trusts() -> None:
    said = judged(CALENDAR)
    assert (said.standing, said.time, said.not_after) == (TimeStanding.VERIFIED, MINED, MINED + AHEAD_S)
    assert said.is_private
    shown = replace(CALENDAR, headers=(HEADER.hex(),))
    by_hash = WitnessTrust(bitcoin=TrustedHeaders(hashes=frozenset([block_hash(HEADER)]), regtest=True))
    assert judged(shown, by_hash).standing is TimeStanding.VERIFIED
    for receipt, trust in ((CALENDAR, by_hash), (shown, WitnessTrust()), (CALENDAR, WitnessTrust())):
        assert judged(receipt, trust).standing is TimeStanding.CONSISTENT


def test_a_header_that_does_not_hold_it_or_has_no_work_is_refused() -> None:
    other = judged(CALENDAR, WitnessTrust(bitcoin=headers(header=mined(b"\1" * 32))))
    assert (other.standing, "Merkle root is another" in other.detail) == (TimeStanding.REFUSED, True)
    lazy = next(
        it
        for it in (HEADER[:76] + bytes([n, 0, 0, 0]) for n in range(256))
        if BitcoinHeader(it).why_no_work(regtest=True)
    )
    assert "no work" in judged(CALENDAR, WitnessTrust(bitcoin=headers(header=lazy))).detail
    strict = WitnessTrust(bitcoin=replace(headers(), regtest=False))
    assert judged(CALENDAR, strict).standing is TimeStanding.REFUSED
    assert "easier than Bitcoin allows" in judged(CALENDAR, strict).detail


def test_the_first_block_of_bitcoin_has_work() -> None:
    genesis = bytes.fromhex(
        "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c"
    )
    assert BitcoinHeader(genesis).why_no_work() is None
    assert BitcoinHeader(genesis).hash == "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
    assert BitcoinHeader(genesis[:-1] + b"\0").why_no_work() == "its hash shows no work"


def test_a_file_of_headers_is_checked(tmp_path: Path) -> None:
    first = mined(b"\1" * 32)
    second = mined(b"\2" * 32, previous=sha256(sha256(first).digest()).digest())
    lines, chain = tmp_path / "lines", tmp_path / "chain"
    lines.write_text(f"5 {first.hex()}\n6 {second.hex()}\n")
    chain.write_bytes(first + second)
    assert headers_of_file(lines, regtest=True)(6) == headers_of_file(chain, regtest=True)(1) == BitcoinHeader(second)
    assert headers_of_file(lines, regtest=True)(7) is headers_of_file(chain, regtest=True)(2) is None
    for text in (f"5 {second.hex()}\n6 {first.hex()}\n", "no headers", "", f"5 {first.hex()[2:]}"):
        lines.write_text(text)
        with pytest.raises(InputError):
            headers_of_file(lines, regtest=True)
    lines.write_text(f"5 {first.hex()}\n")
    with pytest.raises(InputError, match="easier than Bitcoin allows"):
        headers_of_file(lines)
    chain.write_bytes(first + first)
    with pytest.raises(InputError, match="follows no other"):
        headers_of_file(chain, regtest=True)(1)


def test_a_promise_proves_nothing() -> None:
    said = calendar(lambda stamp: stamp.attestations.add(PendingAttestation("https://calendar.example")))
    assert (said.standing, said.not_after) == (TimeStanding.PENDING, None)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (lambda stamp: into_block(stamp.ops.add(OpSHA1()), HEIGHT, depth=1), "sha1"),
        (lambda stamp: into_block(stamp.ops.add(OpHexlify()), HEIGHT, depth=1), "hexlify"),
        (lambda stamp: stamp.attestations.add(BitcoinBlockHeaderAttestation(1 << 40)), "a number that none has"),
    ],
)
def test_broken_hashes_and_odd_operations_are_refused(what: Callable[[Timestamp], object], reason: str) -> None:
    said = calendar(what)
    assert (said.standing, reason in said.detail) == (TimeStanding.REFUSED, True)


def test_huge_and_deep_proofs_are_refused() -> None:
    deep = PROOF[: len(DetachedTimestampFile.HEADER_MAGIC) + 34] + b"\x08" * 5000
    long = PROOF[: len(DetachedTimestampFile.HEADER_MAGIC) + 34] + b"\xf0\xff\xff\xff\xff\xff\x7f"
    doubling = PROOF[: len(DetachedTimestampFile.HEADER_MAGIC) + 34] + b"\xf3" * 200
    endless = PROOF[: len(DetachedTimestampFile.HEADER_MAGIC) + 34] + b"\xff\x08" * 5000
    number = PROOF[: len(DetachedTimestampFile.HEADER_MAGIC)] + b"\xff" * 15_000
    # the height in four bytes where three do
    other_form = PROOF.replace(b"\x03\x80\xea\x30", b"\x04\x80\xea\xb0\x00")
    assert other_form != PROOF
    for proof in (
        other_form,
        deep,
        long,
        doubling,
        endless,
        number,
        b"",
        bytes(MAX_PROOF + 1),
        PROOF + b"\0",
        PROOF[:-1],
    ):
        said = judged(replace(CALENDAR, proof=proof))
        assert said.standing is TimeStanding.REFUSED, proof[:80]
        assert said.detail


def test_no_changed_byte_of_a_proof_is_believed() -> None:
    for at in range(len(PROOF)):
        for bit in (1, 0x80):
            data = bytearray(PROOF)
            data[at] ^= bit
            for said in check_receipt(replace(CALENDAR, proof=bytes(data)), TRUST, SUBJECT):
                assert said.standing is not TimeStanding.VERIFIED, at
                assert said.detail


def test_a_completed_proof_is_kept_short() -> None:
    stamp = Timestamp(bytes.fromhex(SUBJECT.sha256))
    _, header = (
        into_block(stamp.ops.add(OpAppend(os.urandom(8))).ops.add(OpSHA256()), it) for it in (HEIGHT + 1, HEIGHT)
    )
    stamp.attestations.add(PendingAttestation("https://calendar.example"))
    short, kept = pruned(written(stamp), SUBJECT.sha256, headers(header=header))
    assert kept == (header.hex(),)
    assert len(short) < len(written(stamp)) / 2 + 50
    receipt = replace(CALENDAR, proof=short, headers=kept)
    assert judged(receipt, WitnessTrust(bitcoin=headers(header=header))).standing is TimeStanding.VERIFIED
    # without a header that is trusted nothing is thrown away: a calendar may have lied
    assert pruned(written(stamp), SUBJECT.sha256, headers()) == (written(stamp), ())


# -- authorities


def test_a_token_counts_by_a_root_that_the_verifier_chose() -> None:
    said = authority(at=NOW, accuracy={"seconds": 2, "millis": 500})
    at = int(NOW.timestamp())
    assert (said.standing, said.time, said.not_after) == (TimeStanding.VERIFIED, at, at + 3)
    assert authority(accuracy={}).detail.count("states no accuracy") == 1
    assert authority(trust=WitnessTrust()).standing is TimeStanding.CONSISTENT
    another = WitnessTrust(authorities=(TrustedAuthority((Issuer.made("Another root", ca=True).certificate,)),))
    said = authority(trust=another)
    assert (said.standing, "none of the roots that you chose" in said.detail) == (TimeStanding.CONSISTENT, True)


def test_a_chain_may_have_certificates_between() -> None:
    between = Issuer.made("Between", ROOT, ca=True)
    signer = Issuer.made("Authority", between)
    assert authority(signer, between=(between,)).standing is TimeStanding.VERIFIED
    assert authority(signer).standing is TimeStanding.CONSISTENT
    no_ca = Issuer.made("Between", ROOT, usages=None)
    assert authority(Issuer.made("Authority", no_ca), between=(no_ca,)).standing is TimeStanding.REFUSED


def test_an_issuer_of_other_certificates_makes_no_authority() -> None:
    """A root can be that of many issuers, and most of them may only certify servers."""
    usages = {
        ExtendedKeyUsageOID.SERVER_AUTH: TimeStanding.REFUSED,
        ExtendedKeyUsageOID.TIME_STAMPING: TimeStanding.VERIFIED,
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: TimeStanding.VERIFIED,
    }
    for usage, standing in usages.items():
        between = Issuer.made("Between", ROOT, ca=True, ca_usages=(usage,))
        said = authority(Issuer.made("Authority", between), between=(between,))
        assert said.standing is standing, said


def test_a_policy_that_is_not_accepted_decides_nothing() -> None:
    def trusting(*policies: str) -> WitnessTrust:
        return WitnessTrust(authorities=(TrustedAuthority((ROOT.certificate,), policies),))

    assert authority(trust=trusting(POLICY)).standing is TimeStanding.VERIFIED
    said = authority(trust=trusting("1.2.3.4.9"))
    assert (said.standing, "under policy" in said.detail) == (TimeStanding.CONSISTENT, True)


def by_sha1() -> Issuer:
    """An authority whose certificate says that it is signed over a SHA-1, which the library signs no more."""
    made = Issuer.made("A", ROOT)
    certificate = asn1.Certificate.load(made.der)
    certificate["tbs_certificate"]["signature"] = certificate["signature_algorithm"] = {"algorithm": "sha1_ecdsa"}
    return replace(made, certificate=x509.load_der_x509_certificate(certificate.dump(force=True)))


LOOKALIKE = Issuer.made("Root of tests", ca=True)
WRONG: dict[str, tuple[Callable[[], WitnessTime], str]] = {
    "a certificate that had expired": (
        lambda: authority(Issuer.made("A", ROOT, end=NOW - timedelta(days=1))),
        "and not then",
    ),
    "a certificate of later": (
        lambda: authority(Issuer.made("A", ROOT, start=NOW + timedelta(days=1))),
        "and not then",
    ),
    "no extended key usage": (lambda: authority(Issuer.made("A", ROOT, usages=None)), "no extended key usage"),
    "another key usage": (
        lambda: authority(Issuer.made("A", ROOT, usages=(ExtendedKeyUsageOID.CODE_SIGNING,))),
        "time stamps alone",
    ),
    "more key usages": (
        lambda: authority(
            Issuer.made("A", ROOT, usages=(ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING))
        ),
        "time stamps alone",
    ),
    "a key usage that is not critical": (
        lambda: authority(Issuer.made("A", ROOT, critical=False)),
        "time stamps alone",
    ),
    "a digest by SHA-1": (lambda: authority(algorithm="sha1"), "of a sha1 digest, which is refused"),
    "a certificate named by SHA-1": (lambda: authority(named_by="v1"), "SHA-1 alone, which is refused"),
    "another certificate that is named": (lambda: authority(names=ROOT), "names another certificate"),
    "a certificate by SHA-1": (lambda: authority(by_sha1()), "signed over a sha1 digest, which is refused"),
    "a certificate that is not named": (lambda: authority(named_by=""), "does not name its certificate"),
    "a refusal": (lambda: authority(status="rejection"), "answered rejection"),
    "a root of the same name": (lambda: authority(Issuer.made("A", LOOKALIKE)), "did not issue its certificate"),
    "itself as an issuer": (lambda: authority(Issuer.made("Root of tests")), ""),
}


@pytest.mark.parametrize("what", WRONG)
def test_an_authority_has_to_be_one(what: str) -> None:
    made, reason = WRONG[what]
    said = made()
    assert said.standing is not TimeStanding.VERIFIED
    if reason:
        assert (said.standing, reason in said.detail) == (TimeStanding.REFUSED, True), said


ECDSA = bytes.fromhex("06082a8648ce3d040302")
OUTSIDE = {
    "the algorithm of the signature": TOKEN.proof.rindex(ECDSA) + len(ECDSA) - 1,
    "the version of the signer": TOKEN.proof.rindex(ROOT.certificate.subject.public_bytes()) - 3,
}
"""What stands outside of what is signed."""


@pytest.mark.parametrize("what", OUTSIDE)
def test_what_is_not_signed_has_one_form(what: str) -> None:
    for bit in range(8):
        data = bytearray(TOKEN.proof)
        data[OUTSIDE[what]] ^= 1 << bit
        assert judged(replace(TOKEN, proof=bytes(data))).standing is TimeStanding.REFUSED


def test_a_signature_is_checked_whoever_is_trusted() -> None:
    """Without a root that fits, too: a forged token is refused, and not left undecided."""
    stated = TOKEN.proof.index(b"20260501120000Z") + 3
    for at in (stated, len(TOKEN.proof) - 1):
        data = bytearray(TOKEN.proof)
        data[at] ^= 1
        said = judged(replace(TOKEN, proof=bytes(data)), WitnessTrust())
        assert (said.standing, "signature" in said.detail) == (TimeStanding.REFUSED, True), said


def test_no_changed_byte_of_a_token_is_believed() -> None:
    """Each byte: `python -m benchmarks.hostile witnesses`."""
    counts = dict.fromkeys(TimeStanding, 0)
    for at in (*range(0, 60), *range(60, len(TOKEN.proof), 9)):
        data = bytearray(TOKEN.proof)
        data[at] ^= 1 << at % 8
        counts[judged(replace(TOKEN, proof=bytes(data))).standing] += 1
    assert counts[TimeStanding.VERIFIED] == counts[TimeStanding.PENDING] == 0
    assert counts[TimeStanding.REFUSED] > 0.9 * sum(counts.values())


# -- a second chain


def test_a_second_chain_is_another_one_and_has_to_be_asked() -> None:
    said = judged(RECORD)
    assert (said.standing, "no node of chain 5" in said.detail) == (TimeStanding.CONSISTENT, True)
    same = replace(RECORD, proof=canonical(KeyFile(1, "0x" + "34" * 20, KEY).as_json()))
    assert "another chain" in judged(same, replace(TRUST, chains=TrustedChains())).detail
    assert judged(same).standing is TimeStanding.REFUSED


# -- the interval


def witness(who: str, not_after: int | None, standing: TimeStanding = TimeStanding.VERIFIED) -> WitnessTime:
    return WitnessTime(who, standing, "says so", not_after, not_after)


def test_the_tightest_bounds_of_what_is_verified_count() -> None:
    times = RecordTimes(
        "it", 100, 300, (witness("a", 250), witness("b", 400), witness("c", 50, TimeStanding.CONSISTENT))
    )
    assert (times.not_before, times.not_after, times.disagreements) == (100, 250, ())
    told = [*times.lines()]
    assert told[0].startswith("Not before 1970-01-01 00:01:40 UTC, and not after 1970-01-01 00:04:10 UTC")
    assert any("consistent" in line or "not after" in line for line in told)
    assert RecordTimes("it", None, None, ()).not_after is None


def test_a_disagreement_is_shown_and_gives_no_interval() -> None:
    times = RecordTimes("it", 1000, 1500, (witness("an authority", 900), witness("another", 2000)))
    assert len(times.disagreements) == 1
    assert "an authority says that it was there by" in times.disagreements[0]
    assert next(iter(times.lines())) == "The witnesses disagree: no interval fits all of them."
    assert times.as_json()["notAfter"] is None


# -- settings and addresses


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example",
        "https://user:x@a.example",
        "https://a.example/?q=1",
        "https://a.example/#x",
        "a.example",
        "https://",
        "ftp://a.example",
        "https://[::1",
    ],
)
def test_a_service_has_an_https_address(url: str) -> None:
    with pytest.raises(InputError, match="https address of a service"):
        require_address(url, allow_local=False)


def test_settings_are_read_strictly(tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_bytes(ROOT.pem)
    file = tmp_path / "witnesses.json"
    plain: dict[str, Any] = {
        "type": "urn:blockchaintracer:witness-settings:v1",
        "calendars": ["https://calendar.example"],
        "authorities": [{"url": "https://tsa.example", "certificate": "root.pem", "policy": POLICY}],
        "chains": [{"registry": f"eip155:10:0x{'34' * 20}", "rpc": "https://node.example", "group": 2}],
        "bitcoin": {"blocks": ["ab" * 32]},
    }
    file.write_bytes(canonical(plain))
    settings = WitnessSettings.read(file)
    assert settings.chains[0].place[0] == 10
    trust = WitnessTrust.of(settings)
    assert trust.authorities == (TrustedAuthority((ROOT.certificate,), (POLICY,)),)
    assert trust.bitcoin.hashes == {"ab" * 32}
    assert settings.may_ask("https://calendar.example/")
    assert settings.may_ask("https://alice.btc.calendar.opentimestamps.org")
    assert not settings.may_ask("https://evil.example")
    assert not settings.may_ask("http://alice.btc.calendar.opentimestamps.org")
    for wrong in (
        plain | {"more": 1},
        plain | {"calendars": [1]},
        plain | {"authorities": [{"uri": "x"}]},
        plain | {"chains": [{"registry": "x", "rpc": 1}]},
        plain | {"bitcoin": []},
    ):
        file.write_bytes(canonical(wrong))
        with pytest.raises(InputError):
            WitnessSettings.read(file)


def test_regtest_is_never_the_default() -> None:
    assert REGTEST != 0x1D00FFFF
    assert not TrustedHeaders().regtest
    assert not WitnessSettings().regtest
