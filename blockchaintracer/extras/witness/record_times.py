"""The times of verified records: what their receipts say, beside their own chain and the block that they name."""

from __future__ import annotations

from collections.abc import Sequence

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import UnknownVersion
from blockchaintracer.core.record import Domain
from blockchaintracer.core.verify import Outcome, Report
from blockchaintracer.core.verify.bundle import ProvenBundle
from blockchaintracer.core.verify.standing import BundleReport
from blockchaintracer.extras.witness.kept_receipts import found_receipts
from blockchaintracer.extras.witness.stamping import check_receipt
from blockchaintracer.extras.witness.witness_receipt import (
    StampedSubject,
    WitnessReceipt,
    receipt_kind,
)
from blockchaintracer.extras.witness.witness_settings import WitnessTrust
from blockchaintracer.extras.witness.witness_time import RecordTimes, TimeStanding, WitnessTime
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home


def times(
    lab: Lab, report: Report, sources: Sequence[str] = (), trust: WitnessTrust | None = None
) -> tuple[RecordTimes, ...]:
    """Return the times of each record of a report of which receipts are kept or published.

    Args:
        sources: published stores.
        trust: what the verifier trusts of witnesses; without it no receipt is more than consistent.
    """
    found = []
    for record in report.records:
        passed = {
            check.name: check.values.get("time")
            for check in report.checks
            if check.record == record.id and check.verdict is Outcome.PASS
        }
        subjects = _subjects(lab.domain, record.id, record.batch)
        receipts, problems = _receipts(lab.home, subjects, sources)
        if receipts or problems:
            witnesses = tuple(it for receipt in receipts for it in check_receipt(receipt, trust or WitnessTrust()))
            bounds = passed.get("not-before"), passed.get("time")
            found.append(RecordTimes(record.id, *bounds, witnesses, problems))
    return tuple(found)


def bundle_times(
    report: BundleReport, home: Home | None = None, data: bytes = b"", trust: WitnessTrust | None = None
) -> tuple[RecordTimes, ...]:
    """Return the times of each record of a bundle that has receipts, in it or kept here, and of the bundle itself.

    Args:
        home: where receipts of the bundle's own bytes, `data`, are kept.
    """
    trust, bundle = trust or WitnessTrust(), report.bundle
    domain, found = Domain(bundle.chain_id, bundle.registry), []
    given, problems = bundle_receipts(bundle)
    for record in bundle.records:
        subjects = _subjects(domain, record.id, record.batch.root if record.batch else None)
        mine = [it for it in given if it.subject in subjects]
        given = [it for it in given if it not in mine]
        if mine:
            witnesses = tuple(it for receipt in mine for it in check_receipt(receipt, trust))
            own = record.committed_at if report.verified else None
            found.append(RecordTimes(record.id, None, own, witnesses))
    wrong = [WitnessTime(f"a receipt of {it.subject}", TimeStanding.REFUSED, "it is of no record here") for it in given]
    wrong += [WitnessTime("a receipt", TimeStanding.REFUSED, problem) for problem in problems]
    if wrong:
        found.append(RecordTimes("the bundle", None, None, tuple(wrong)))
    if home and data and (kept := found_receipts(home, StampedSubject.of_bytes(data))[0]):
        witnesses = tuple(it for receipt in kept for it in check_receipt(receipt, trust))
        found.append(RecordTimes("the file of the bundle", None, None, witnesses))
    return tuple(found)


def bundle_receipts(bundle: ProvenBundle) -> tuple[list[WitnessReceipt], list[str]]:
    """Return the receipts in a bundle, and what is wrong with others of a type that is read here."""
    receipts, problems = list[WitnessReceipt](), list[str]()
    for what, item in bundle.evidence:
        if what != "witness" or receipt_kind(item) is None:
            continue
        try:
            receipts.append(WitnessReceipt.from_json(item, "a receipt in the bundle"))
        except UnknownVersion:
            continue
        except InputError as error:
            problems.append(error.message)
    return receipts, problems


def _subjects(domain: Domain, record_id: str, root: str | None) -> list[StampedSubject]:
    roots = [StampedSubject.of_root(domain, root)] if root else []
    return [StampedSubject.of_record(domain, record_id), *roots]


def _receipts(
    home: Home, subjects: Sequence[StampedSubject], sources: Sequence[str]
) -> tuple[list[WitnessReceipt], tuple[str, ...]]:
    found = [found_receipts(home, subject, sources) for subject in subjects]
    return [it for receipts, _ in found for it in receipts], tuple(it for _, problems in found for it in problems)
