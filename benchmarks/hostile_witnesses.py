"""Receipts of witnesses that lie: the row `witnesses` of `python -m benchmarks.hostile`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.verify.bundle import read_bundle
from blockchaintracer.extras.witness.authority_token import TrustedAuthority
from blockchaintracer.extras.witness.bitcoin_headers import BitcoinHeader, TrustedHeaders
from blockchaintracer.extras.witness.stamping import check_receipt
from blockchaintracer.extras.witness.witness_receipt import (
    StampedSubject,
    WitnessKind,
    WitnessReceipt,
    stamped_tree,
)
from blockchaintracer.extras.witness.witness_settings import WitnessTrust
from blockchaintracer.extras.witness.witness_time import TimeStanding
from tests.support.authority import AUTHORITY, POLICY, ROOT, Issuer, token
from tests.support.calendar_simulator import complete, mined
from tests.support.mutations import changes

if TYPE_CHECKING:
    from benchmarks.hostile import Honest

Case = tuple[str, Callable[[], str]]


def witnesses(honest: Honest) -> Iterator[Case]:
    """Change each field and each byte of receipts of a calendar and of an authority, exchange what they are of, and
    forge headers, tokens and trees. What is still verified must have the honest time."""
    domain = honest.lab.domain
    first, second = (StampedSubject.of_record(domain, it.id) for it in read_bundle(honest.bundle).records[:2])
    root, branches = stamped_tree([first.sha256, second.sha256, "ab" * 32])
    proof, header = complete(root, 5, 1_700_000_000)
    calendar = WitnessReceipt(WitnessKind.OPENTIMESTAMPS, first, proof, branches[0], (header.hex(),))
    authority = WitnessReceipt(WitnessKind.RFC3161, first, token(root), branches[0], source="https://tsa.example")
    bitcoin = TrustedHeaders(hashes=frozenset({BitcoinHeader(header).hash}), regtest=True)
    trust = WitnessTrust(bitcoin=bitcoin, authorities=(TrustedAuthority((ROOT.certificate,), (POLICY,)),))
    true = {it for receipt in (calendar, authority) for it in check_receipt(receipt, trust, first)}
    assert {it.standing for it in true} == {TimeStanding.VERIFIED}, "what is true must verify, else nothing is shown"

    def judged(receipt: WitnessReceipt | dict[str, Any], by: WitnessTrust = trust) -> str:
        try:
            read = receipt if isinstance(receipt, WitnessReceipt) else WitnessReceipt.from_json(receipt)
            said = check_receipt(read, by, first)
        except InputError:
            return "not verified"
        standing = [it for it in said if it.standing is TimeStanding.VERIFIED]
        return "not verified" if not standing else "as true" if {*standing} <= true else "verified"

    for receipt in (calendar, authority):
        for name, changed in changes(receipt.as_json()):
            yield f"{receipt.kind}: {name}", lambda changed=changed: judged(changed)
        for at in range(len(receipt.proof)):
            for bit in (1 << at % 8, 0x80 >> at % 8):
                data = bytearray(receipt.proof)
                data[at] ^= bit
                forged = replace(receipt, proof=bytes(data))
                yield f"{receipt.kind}: byte {at}", lambda forged=forged: judged(forged)
        for branch in (None, *branches[1:], replace(branches[0], size=4), replace(branches[0], index=2)):
            forged = replace(receipt, branch=branch)
            yield f"{receipt.kind}: branch {branch}", lambda forged=forged: judged(forged)
        forged = replace(receipt, subject=second, branch=branches[1])
        yield f"{receipt.kind}: of another record", lambda forged=forged: judged(forged)
    for name, other in {
        "another root": mined(b"\1" * 32),
        "no work": header[:76] + bytes(4),
        "short": header[:79],
    }.items():
        forged = replace(calendar, headers=(other.hex(),))
        by = replace(trust, bitcoin=TrustedHeaders(hashes=frozenset({BitcoinHeader(other).hash}), regtest=True))
        yield f"header: {name}", lambda forged=forged, by=by: judged(forged, by)
    by = replace(trust, bitcoin=replace(bitcoin, regtest=False))
    yield "header: of a test network", lambda: judged(calendar, by)
    expired = Issuer.made("A", ROOT, end=datetime(2026, 4, 30, tzinfo=UTC))
    other_root = Issuer.made("Root of tests", ca=True)
    tokens: dict[str, dict[str, Any]] = {
        "expired": {"signer": expired},
        "without the usage": {"signer": Issuer.made("A", ROOT, usages=None)},
        "a usage that is not critical": {"signer": Issuer.made("A", ROOT, critical=False)},
        "by another root": {"signer": Issuer.made("A", other_root)},
        "with another root": {"signer": Issuer.made("A", other_root), "between": (other_root,)},
        "by a certificate of no authority": {"signer": Issuer.made("B", AUTHORITY), "between": (AUTHORITY,)},
        "signed by itself": {"signer": Issuer.made("Root of tests")},
        "another policy": {"policy": "1.2.3.4.9"},
        "SHA-1": {"algorithm": "sha1"},
        "SHA-1 of the certificate": {"named_by": "v1"},
        "no name of the certificate": {"named_by": ""},
        "refused": {"status": "rejection"},
    }
    for name, given in tokens.items():
        forged = replace(authority, proof=token(root, **given))
        yield f"token: {name}", lambda forged=forged: judged(forged)
