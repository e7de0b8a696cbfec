"""The renewals in a proof bundle: compared with its records and the files that are shown with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from blockchaintracer.cli.shown_times import roots_in_bundle
from blockchaintracer.cli.used_extras import extra
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import RENEWAL
from blockchaintracer.core.plain_json import canonical
from blockchaintracer.core.record import Domain
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.core.verify import Check, Outcome
from blockchaintracer.core.verify.copies import Copies, FolderCopies, GivenFiles, object_name
from blockchaintracer.core.verify.standing import BundleReport
from blockchaintracer.lab.files import entries_below
from blockchaintracer.lab.lab_folder import Home


def bundle_with_renewals(
    report: BundleReport, shown: Sequence[Path], options: dict[str, Any], home: Home | None
) -> tuple[BundleReport, list[Any]]:
    """Add what the renewals in a bundle say of its records, and whether these count if a hash is broken.

    Args:
        shown: files and folders that are given with the bundle: the bundle itself has manifests alone.
    """
    bundle = report.bundle
    items = [item for what, item in bundle.evidence if what == "renewal" and item["type"] == str(RENEWAL)]
    if not (items or options["broken"]):
        return report, []
    judge, read = extra("renewal", "judge"), extra("renewal", "renewal_file").RenewalFile
    broken, domain = judge.parse_broken(options["broken"]), Domain(bundle.chain_id, bundle.registry)
    ids, files, checks = {record.id for record in bundle.records}, list[Any](), list[Check]()
    for item in items:
        try:
            file = read.parse(canonical(item), "a renewal in the bundle")
            if (file.chain_id, file.registry.lower()) != (bundle.chain_id, bundle.registry) or not ids & file.renews:
                raise InputError("a renewal in the bundle is of none of its records")
            files.append(file)
        except InputError as error:
            checks.append(Check("renewal", Outcome.FAIL, error.message))
    stands = {it.id: it for it in bundle.records if report.verified and it.stored}

    def standing(renewal: Any) -> Any:
        proven = stands.get(renewal.id)
        if proven is None or proven.stored is None:
            return None
        return judge.Standing(proven.committed_at, proven.stored.retracted_at, "its block, which the bundle proves")

    witnessed, found = roots_in_bundle(report, options, home), list[Any]()
    with _copies(report, shown) as copies:
        for record in bundle.records:
            if record.id in {file.id for file in files}:
                continue  # it is there to show when the renewal was
            view = RecordView(id=record.id, key=record.key)
            about = judge.compare(domain, view, files, copies, standing, lambda it: witnessed(it.root_text))
            found += about
            checks += judge.checks_of(view, about, broken)
    return report.beside(checks, {str(RENEWAL)}), found


@contextmanager
def _copies(report: BundleReport, shown: Sequence[Path]) -> Iterator[Copies]:
    """Give the manifests of a bundle, and the files that are shown with it."""
    files = [file for path in shown for file in ([path] if path.is_file() else sorted(map(Path, entries_below(path))))]
    with TemporaryDirectory(prefix="blockchaintracer-") as folder:
        for record in report.bundle.records:
            if record.manifest is not None:
                (path := Path(folder, object_name(record.key.manifest))).parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(canonical(record.manifest))
        yield GivenFiles(files, FolderCopies([folder]))
