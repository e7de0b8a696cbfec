"""Having things stamped, completing what was promised, and judging receipts: what other parts call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from blockchaintracer.core.errors import BlockchainTracerError, InputError
from blockchaintracer.extras.witness.authority_token import SignedToken, request_token
from blockchaintracer.extras.witness.calendar_proof import pruned, read_calendar_proof, submit, times_of, upgrade
from blockchaintracer.extras.witness.second_chain import read_record_elsewhere, record_elsewhere, time_elsewhere
from blockchaintracer.extras.witness.witness_receipt import StampedSubject, WitnessKind, WitnessReceipt, stamped_tree
from blockchaintracer.extras.witness.witness_settings import WitnessSettings, WitnessTrust
from blockchaintracer.extras.witness.witness_time import TimeStanding, WitnessTime
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.optional import require

_NEEDS = {
    WitnessKind.OPENTIMESTAMPS: ("opentimestamps",),
    WitnessKind.RFC3161: ("asn1crypto", "cryptography", "rfc3161_client"),
}
"""The packages that read a receipt. Without them it is not judged: that is no fault of the receipt."""


@dataclass(frozen=True)
class Stamped:
    """What came of asking witnesses.

    Args:
        problems: witnesses that did not give one, and why, in sentences.
    """

    receipts: tuple[WitnessReceipt, ...]
    problems: tuple[str, ...]


def stamp(subjects: Sequence[StampedSubject], settings: WitnessSettings, second: Sequence[Lab] = ()) -> Stamped:
    """Ask witnesses for receipts of things. Several are put under one tree, whose root calendars and authorities stamp.

    Args:
        second: labs of registries on second chains, in which each thing is recorded.

    Returns:
        the receipts of all that answered. `keep_receipts` keeps them.

    Raises:
        InputError: if nothing is to be stamped, or no witness is named.
    """
    unique = [*dict.fromkeys(subjects)]
    settings.require_addresses()
    asked = [it for it in settings.authorities if it.url]
    if not unique or not (settings.calendars or asked or second):
        raise InputError("expected something to stamp, and a witness, got none", hint="See `witness add --help`.")
    root, branches = stamped_tree([it.sha256 for it in unique])
    receipts, problems = list[WitnessReceipt](), list[str]()

    def add(kind: WitnessKind, ask: Callable[[], bytes], source: str = "") -> None:
        try:
            proof = ask()
        except BlockchainTracerError as error:
            problems.append(error.message)
            return
        pairs = zip(unique, branches, strict=True)
        receipts.extend(WitnessReceipt(kind, it, proof, branch, source=source) for it, branch in pairs)

    def from_calendars() -> bytes:
        proof, wrong = submit(root, settings.calendars, allow_local=settings.allow_local)
        problems.extend(wrong)
        return proof

    if settings.calendars:
        add(WitnessKind.OPENTIMESTAMPS, from_calendars)
    for it in asked:
        token = partial(request_token, root, it.url, policy=it.policy or None, allow_local=settings.allow_local)
        add(WitnessKind.RFC3161, token, it.source)
    for lab in second:
        try:
            receipts += record_elsewhere(lab, unique)
        except BlockchainTracerError as error:
            problems.append(error.message)
    return Stamped(tuple(receipts), tuple(dict.fromkeys(problems)))


@dataclass(frozen=True)
class Upgraded:
    """A receipt of calendars after they were asked.

    Args:
        complete: whether it leads to a block of Bitcoin.
    """

    old: WitnessReceipt
    new: WitnessReceipt
    complete: bool
    problems: tuple[str, ...]


def upgrade_receipts(
    receipts: Iterable[WitnessReceipt], settings: WitnessSettings, trust: WitnessTrust
) -> list[Upgraded]:
    """Ask the calendars of receipts whether Bitcoin holds them by now. Each proof is asked about once.

    With headers that the user trusts, only the way to the earliest block is kept, and its header.
    """
    done: dict[bytes, tuple[bytes, tuple[str, ...], bool, tuple[str, ...]]] = {}
    upgraded = []
    for receipt in (it for it in receipts if it.kind is WitnessKind.OPENTIMESTAMPS):
        if receipt.proof not in done:
            digest = receipt.stamped
            proof, problems, complete = upgrade(
                receipt.proof, digest, settings.may_ask, allow_local=settings.allow_local
            )
            proof, headers = pruned(proof, digest, trust.bitcoin) if complete else (proof, ())
            done[receipt.proof] = proof, headers, complete, tuple(problems)
        proof, headers, complete, wrong = done[receipt.proof]
        new = replace(receipt, proof=proof, headers=headers or receipt.headers)
        upgraded.append(Upgraded(receipt, new, complete, wrong))
    return upgraded


def check_receipt(
    receipt: WitnessReceipt, trust: WitnessTrust, subject: StampedSubject | None = None
) -> tuple[WitnessTime, ...]:
    """Judge a receipt by what the verifier trusts. Asks only the nodes in `trust`.

    Args:
        subject: what the receipt should be of, if something says so.

    Raises:
        InputError: if a package that reads it is not installed.
    """
    for module in _NEEDS.get(receipt.kind, ()):
        require(module, "witness")
    who = {WitnessKind.OPENTIMESTAMPS: "OpenTimestamps", WitnessKind.RFC3161: "an authority"}
    if subject is not None and subject != receipt.subject:
        detail = f"it is of {receipt.subject}, not of {subject}"
        return (WitnessTime(who.get(receipt.kind, "a second chain"), TimeStanding.REFUSED, detail),)
    try:
        if receipt.kind is WitnessKind.OPENTIMESTAMPS:
            proof = read_calendar_proof(receipt.proof, receipt.stamped)
        elif receipt.kind is WitnessKind.RFC3161:
            token = SignedToken(receipt.proof, receipt.stamped)
        else:
            file = read_record_elsewhere(receipt.proof, receipt.stamped, receipt.subject)
    except InputError as error:
        return (WitnessTime(who.get(receipt.kind, "a second chain"), TimeStanding.REFUSED, error.message),)
    if receipt.kind is WitnessKind.OPENTIMESTAMPS:
        return tuple(times_of(proof, receipt.headers, trust.bitcoin))
    if receipt.kind is WitnessKind.RFC3161:
        return (token.time(trust.authorities),)
    return (time_elsewhere(file, trust.chains),)
