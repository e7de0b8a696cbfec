"""The times of verified records: what their receipts say, beside their own chain and the block that they name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import UnknownVersion
from blockchaintracer.core.record import Domain
from blockchaintracer.core.verify import Outcome, Report
from blockchaintracer.core.verify.bundle import ProvenBundle
from blockchaintracer.core.verify.standing import BundleReport
from blockchaintracer.extras.witness.kept_receipts import found_receipts
from blockchaintracer.extras.witness.stamping import check_receipt
from blockchaintracer.extras.witness.witness_receipt import StampedSubject, WitnessKind, WitnessReceipt, receipt_kind
from blockchaintracer.extras.witness.witness_settings import WitnessTrust
from blockchaintracer.extras.witness.witness_time import RecordTimes, TimeStanding, WitnessTime
from blockchaintracer.lab.kept_evidence import RENEWAL_ROOT
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
    trust, found = trust or WitnessTrust(), []
    for record in report.records:
        passed = {
            check.name: check.values.get("time")
            for check in report.checks
            if check.record == record.id and check.verdict is Outcome.PASS
        }
        subjects = _subjects(lab.domain, record.id, record.batch)
        bounds = passed.get("not-before"), passed.get("time")
        if times := times_of_subjects(lab.home, subjects, sources, trust, RecordTimes(record.id, *bounds)):
            found.append(times)
    return tuple(found)


def times_of_subjects(
    home: Home, subjects: Sequence[StampedSubject], sources: Sequence[str], trust: WitnessTrust, start: RecordTimes
) -> RecordTimes | None:
    """Return times with what the receipts of some subjects say, None if there is no receipt.

    Args:
        start: what else is known of these times.
    """
    looked = [(subject, found_receipts(home, subject, sources)) for subject in subjects]
    if not any(it.any for _, it in looked):
        return None
    said, failed = list[WitnessTime](), [problem for _, it in looked for problem in it.damaged]
    for subject, receipts in looked:
        for receipt in (*receipts.kept, *receipts.given):
            times = check_receipt(receipt, trust, subject)
            said += times
            if receipt in receipts.given:
                failed += [refusal(it) for it in times if it.standing is TimeStanding.REFUSED]
    problems = (problem for _, it in looked for problem in it.problems)
    return replace(start, witnesses=tuple(said), problems=tuple(problems), failed=tuple(failed))


def refusal(time: WitnessTime) -> str:
    """Say why a receipt is refused."""
    return f"the receipt of {time.who} is refused: {time.detail}"


def bundle_times(
    report: BundleReport, home: Home | None = None, data: bytes = b"", trust: WitnessTrust | None = None
) -> tuple[RecordTimes, ...]:
    """Return the times of each record of a bundle that has receipts in it, and of the bundle's own bytes.

    Args:
        home: where receipts of the bundle's own bytes, `data`, are kept.
    """
    trust, bundle = trust or WitnessTrust(), report.bundle
    domain, found = Domain(bundle.chain_id, bundle.registry), []
    given, problems = bundle_receipts(bundle)
    waiting, used = dict[StampedSubject, list[WitnessReceipt]](), set[StampedSubject]()
    for it in given:
        # those of renewals are judged with them
        if not str(it.subject).startswith(RENEWAL_ROOT):
            waiting.setdefault(it.subject, []).append(it)
    for record in bundle.records:
        subjects = _subjects(domain, record.id, record.batch.root if record.batch else None)
        # several records can be in one batch, whose receipts are of each of them
        mine = [it for subject in subjects for it in waiting.get(subject, ())]
        used.update(subjects)
        if mine:
            witnesses = tuple(it for receipt in mine for it in check_receipt(receipt, trust))
            failed = tuple(refusal(it) for it in witnesses if it.standing is TimeStanding.REFUSED)
            own = record.committed_at if report.verified else None
            found.append(RecordTimes(record.id, None, own, witnesses, failed=failed))
    others = [it for subject, receipts in waiting.items() if subject not in used for it in receipts]
    wrong = [*(f"a receipt is of {it.subject}, which is no record of the bundle" for it in others), *problems]
    if wrong:
        found.append(RecordTimes("the bundle", None, None, (), failed=tuple(wrong)))
    if home and data:
        itself = RecordTimes("the file of the bundle", None, None)
        found += filter(None, [times_of_subjects(home, [StampedSubject.of_bytes(data)], (), trust, itself)])
    return tuple(found)


def receipt_types() -> frozenset[str]:
    """Return the types of the receipts that are checked here."""
    return frozenset(str(kind.form) for kind in WitnessKind)


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
