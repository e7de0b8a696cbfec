"""What witnesses of time say of what `verify` checks: read only where receipts are kept, published or in a bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from blockchaintracer.cli.options import FILE
from blockchaintracer.cli.used_extras import extra
from blockchaintracer.core.errors import BlockchainTracerError, InputError
from blockchaintracer.core.plain_json import canonical
from blockchaintracer.core.record import Domain, is_hash
from blockchaintracer.core.verify import Check, Outcome, Report
from blockchaintracer.lab.kept_evidence import global_root, receipts_names
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home

if TYPE_CHECKING:
    from blockchaintracer.core.verify.standing import BundleReport

_FOLDER = "witnesses"

witness_settings_option = click.option(
    "--witness-settings", type=FILE, help="Which witnesses of time you trust. [default: witnesses.json of the lab]"
)
check_witness_option = click.option(
    "--check-witness", is_flag=True, help="Ask the nodes of these settings, for Bitcoin and second chains."
)


def with_times(
    lab: Lab, report: Report, sources: Sequence[str], options: dict[str, Any]
) -> tuple[Report, dict[str, Any]]:
    """Add what witnesses say of the records of a report. A receipt of a source that is refused is a failed check."""
    domain = lab.domain if report.records else None
    if domain is None or not any(_may_have(lab.home.path, sources, domain, it.id, it.batch) for it in report.records):
        return report, {}
    try:
        times = extra("witness").times(lab, report, sources, _trust(lab.home, options))
    except BlockchainTracerError as error:
        detail = f"what witnesses of its time say was not found out: {error.message}"
        return replace(report, checks=(*report.checks, Check("witness", Outcome.UNKNOWN, detail))), {}
    if (time := options.get("as_of")) is not None:
        times = _until(times, extra("renewal", "as_of").read_date(time))
    return replace(report, checks=(*report.checks, *_failed(times))), {"times": times} if times else {}


def kept_times(lab: Lab, records: Iterable[Any], sources: Sequence[str] = ()) -> list[Any]:
    """Return what witnesses say of records or rows beside their own chain: of those that have receipts. What can't be
    found out is left out: the verb shows something else."""
    if not (sources or (lab.home.path / _FOLDER).is_dir()):
        return []
    try:
        domain, found = lab.domain, list[Any]()
        for it in records:
            root = getattr(it, "batch", None)
            if not _may_have(lab.home.path, sources, domain, it.id, root):
                continue
            witness = extra("witness")
            subjects = [witness.StampedSubject.of_record(domain, it.id)]
            subjects += [witness.StampedSubject.of_root(domain, root)] if root else []
            start = witness.RecordTimes(it.id, None, it.time)
            times = witness.times_of_subjects(lab.home, subjects, sources, _trust(lab.home, {}), start)
            found += [times] if times else []
    except BlockchainTracerError as error:
        lab.say(f"What witnesses of time say was not found out: {error.message}")
        return []
    return found


def _until(times: Sequence[Any], time: int) -> tuple[Any, ...]:
    """Leave out the witnesses that spoke after a time: then nobody could know what they say."""
    return tuple(
        replace(it, witnesses=tuple(one for one in it.witnesses if one.not_after is None or one.not_after <= time))
        for it in times
    )


def bundle_with_times(
    report: BundleReport, content: bytes, options: dict[str, Any], home: Home | None
) -> tuple[BundleReport, tuple[Any, ...]]:
    """Add what the witnesses in a bundle say of its records, and those that are kept of the file itself."""
    digest = sha256(content).hexdigest()
    is_kept = home is not None and (home.path / _FOLDER / f"{digest}.json").is_file()
    if not (is_kept or any(what == "witness" for what, _ in report.bundle.evidence)):
        return report, ()
    witness = extra("witness")
    try:
        times = witness.bundle_times(report, home, content, _trust(home, options))
    except InputError as error:
        return report.beside([Check("witness", Outcome.UNKNOWN, error.message)], ()), ()
    return report.beside(_failed(times), witness.receipt_types()), times


def receipts_of(lab: Lab, name: str) -> list[bytes]:
    """Return the receipts that are kept of a record, of a batch's root, or of a text, as renewals hash them."""
    domain = lab.domain
    texts = [domain.global_id(name), global_root(domain, name)] if is_hash(name) else [name]
    if not any((lab.home.path / _FOLDER / f"{sha256(text.encode()).hexdigest()}.json").is_file() for text in texts):
        return []
    witness = extra("witness")
    receipts = [it for text in texts for it in witness.kept_receipts(lab.home, witness.StampedSubject.of_text(text))]
    return [canonical(it.as_json()) for it in receipts]


def witnessed_by(lab: Lab, sources: Sequence[str], options: dict[str, Any]) -> Callable[[str], Sequence[Any]]:
    """Return what gives the verified times of a text, each with the leaf that its receipt is in a later renewal."""

    def witnessed(text: str) -> Sequence[Any]:
        name = f"{_FOLDER}/{sha256(text.encode()).hexdigest()}.json"
        if not any("://" in source or Path(source, name).is_file() for source in (str(lab.home.path), *sources)):
            return ()
        subject = extra("witness").StampedSubject.of_text(text)
        receipts = extra("witness", "kept_receipts").found_receipts(lab.home, subject, sources)
        return _judged((*receipts.kept, *receipts.given), subject, _trust(lab.home, options))

    return witnessed


def roots_in_bundle(report: BundleReport, options: dict[str, Any], home: Home | None) -> Callable[[str], Sequence[Any]]:
    """Return what gives the verified times of the roots of a renewal, by the receipts in a bundle."""
    if not any(what == "witness" for what, _ in report.bundle.evidence):
        return lambda text: ()
    receipts, _ = extra("witness", "record_times").bundle_receipts(report.bundle)

    def witnessed(text: str) -> Sequence[Any]:
        subject = extra("witness").StampedSubject.of_text(text)
        return _judged([it for it in receipts if it.subject == subject], subject, _trust(home, options))

    return witnessed


def _judged(receipts: Sequence[Any], subject: Any, trust: Any) -> list[Any]:
    """Return the verified times of receipts as renewals take them, each with the leaf that the receipt is."""
    judge, found = extra("renewal", "judge"), list[Any]()
    for receipt in receipts:
        leaves = judge.Evidence(witnesses=(canonical(receipt.as_json()),)).leaves()
        for it in extra("witness").check_receipt(receipt, trust, subject):
            if it.standing == "verified" and it.not_after is not None:
                # what is stamped is a SHA-256, whatever else the witness uses
                found.append(judge.WitnessedTime(it.not_after, it.algorithms | {"sha256"}, it.who, proofs=leaves))
    return found


def home_of(chosen: str | None) -> Home | None:
    """Return a lab's folder that is there and may be used; None if there is none."""
    try:
        home = Home(chosen)
    except InputError:
        return None
    return home if home.path.is_dir() else None


def _trust(home: Home | None, options: dict[str, Any]) -> Any:
    module, file = extra("witness", "witness_settings"), options.get("witness_settings")
    settings = module.WitnessSettings.read(file) if file else module.WitnessSettings()
    if home and not file:
        settings = module.WitnessSettings.of_home(home)
    return module.WitnessTrust.of(settings, online=options.get("check_witness", False))


def _failed(times: Sequence[Any]) -> list[Check]:
    return [
        Check("witness", Outcome.FAIL, problem, record=it.subject if it.subject.startswith("0x") else None)
        for it in times
        for problem in it.failed
    ]


def _may_have(home: Path, sources: Sequence[str], domain: Domain, record_id: str, root: str | None) -> bool:
    """Whether receipts of a record may be here: a source at an address has to be asked."""
    if any("://" in source or Path(source).is_file() for source in sources):
        return True
    names = receipts_names(domain, record_id, root)
    return any((folder / name).is_file() for folder in (home, *map(Path, sources)) for name in names)
