"""Reports as files, and as records: a Document derived from the record, each superseding the one before."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from blockchaintracer.core.errors import InputError, StoreError
from blockchaintracer.core.manifest import MAX_BYTES, Manifest, RecordPredicate
from blockchaintracer.core.record import Kind, Link, Relation, Role
from blockchaintracer.extras.lineage import lineage
from blockchaintracer.extras.report import card, page, sheet
from blockchaintracer.extras.report.fields import require_declarable
from blockchaintracer.extras.report.plain_values import plain_values
from blockchaintracer.extras.report.report_facts import ReportFacts, gather
from blockchaintracer.extras.search import query
from blockchaintracer.extras.search.update import up_to_date
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.files import write_whole
from blockchaintracer.lab.gather import REPORT, Gatherer, report_of
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lookup import read_manifest, required_record
from blockchaintracer.lab.plain_text import json_text
from blockchaintracer.lab.recording.commit import commit
from blockchaintracer.lab.recording.content import commit_document

Maker = Callable[[ReportFacts, "Path | None"], bytes]
FORMATS: dict[str, tuple[str, Maker]] = {
    "html": ("report.html", page.html),
    "pdf": ("report.pdf", page.pdf),
    "csv": ("experiments.csv", lambda facts, _: sheet.csv(facts)),
    "xlsx": ("experiments.xlsx", lambda facts, _: sheet.xlsx(facts)),
    "parquet": ("experiments.parquet", lambda facts, _: sheet.parquet(facts)),
    "json": ("report.json", lambda facts, _: json_text(plain_values(facts))),
    "model-card": ("model-card.md", card.whole_model_card),
    "dataset-card": ("dataset-card.md", lambda facts, templates: str(card.dataset_card(facts, templates)).encode()),
}
"""By name: the file, and what makes it of the facts and the folder of the user's templates."""


@dataclass(frozen=True)
class WrittenReport:
    """A report that was recorded.

    Args:
        subject: digest of the folder of its files.
        supersedes: id of the report that it replaced; None for the first.
        current: whether no other report of its group and author replaced it.
    """

    id: str
    of: str
    group: int
    author: str
    time: int
    subject: str
    supersedes: str | None
    current: bool
    files: tuple[str, ...]
    status: str


def formats_for(facts: ReportFacts) -> list[str]:
    """List what is made of a record without a choice: a card that lacks no field, the page, and the sheet."""
    cards = ["model-card"] if facts.has_card else ["dataset-card"] if facts.asked.record.kind == "dataset" else []
    return [*([] if facts.has_card and facts.missing else cards), "html", *(["csv"] if facts.runs else [])]


def make(facts: ReportFacts, formats: Iterable[str], templates: Path | None = None) -> dict[str, bytes]:
    """Make the files of a report, by name. The same facts give the same bytes."""
    names = list(dict.fromkeys(formats))
    _require_formats(names)
    return {FORMATS[name][0]: FORMATS[name][1](facts, templates) for name in names}


def write(files: dict[str, bytes], folder: Path) -> list[Path]:
    """Write a report's files, each whole or not at all, over older ones of the same name."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            write_whole(folder / name, data, 0o666)
    except OSError as error:
        raise StoreError(f"can't write the report to {folder}: {error.strerror}") from error
    return [folder / name for name in files]


def record_report(lab: Lab, facts: ReportFacts, files: dict[str, bytes]) -> Recorded:
    """Record a report as a Document: derived from the record, superseding the group's former report of it.

    The report that is current already costs nothing.
    """
    facts.verification.require_verified(facts.asked.id, "no report of it is recorded")
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        write(files, Path(scratch))
        subject = lab.store.put_folder(Path(scratch)).sha256
    return _commit_report(lab, facts.asked.id, subject, sorted(files))


def set_reports(lab: Lab, formats: Sequence[str] | None, declared: Mapping[str, str] | None = None) -> None:
    """Choose what report every run gets once it's recorded, on this chain; None for no report.

    Args:
        formats: names in `FORMATS`; empty for what `formats_for` says.
        declared: fields of the model card that hold for every run.
    """
    _require_formats(formats or ())
    for name in declared or ():
        require_declarable(name)
    lab.choose(reports=None if formats is None else {"formats": [*formats], "fields": dict(declared or {})})


def report_by_setting(lab: Lab, record_id: str) -> Recorded | None:
    """Make and record the report that `set_reports` chose; None if none was chosen."""
    chosen = lab.choices(lab.chain_id).get("reports")
    if not isinstance(chosen, dict):
        return None
    facts = gather(lab, record_id, chosen.get("fields") or {})
    return record_report(lab, facts, make(facts, chosen.get("formats") or formats_for(facts)))


def history(lab: Lab, record_id: str) -> list[WrittenReport]:
    """List the recorded reports of a record whose manifests are at hand, oldest first."""
    record_id = lab.parse_id(record_id)
    with up_to_date(lab) as index:
        lineage(index, record_id, 0, registry=lab.registry)
        rows = query(
            index, registry=lab.registry, kind="document", descendants_of=record_id, descending=False, limit=None
        )
    reports = []
    for gathered in Gatherer(lab).records(row.id for row in rows).values():
        manifest, record = gathered.manifest, gathered.record
        if manifest is None or gathered.problems or report_of(manifest) != record_id:
            continue
        former = [link.parent for link in record.parents if link.relation == Relation.SUPERSEDES]
        reports.append(
            WrittenReport(
                id=record.id,
                of=record_id,
                group=record.group,
                author=record.key.author,
                time=record.time,
                subject=record.subject,
                supersedes=former[0] if former else None,
                current=gathered.stands,
                files=tuple(_files_of(manifest)),
                status=record.status,
            )
        )
    replaced = {(report.supersedes, report.group, report.author) for report in reports if report.current}
    return [
        replace(report, current=report.current and (report.id, report.group, report.author) not in replaced)
        for report in reports
    ]


def restore(
    lab: Lab, report_id: str, folder: Path, *, record: bool = False, sources: Sequence[str] = ()
) -> Recorded | None:
    """Bring a recorded report back: its files, byte by byte, into an empty folder."""
    document = required_record(lab, report_id)
    lab.store.fetch(document.manifest, sources, MAX_BYTES)
    manifest = read_manifest(lab.store, document)
    reported = report_of(manifest)
    if reported is None:
        raise InputError(
            f"expected a recorded report, got {report_id}, which is none",
            hint="`blockchaintracer report history ID` lists the reports of a record.",
        )
    lab.store.restore_folder(document.subject, folder, sources)
    return _commit_report(lab, reported, document.subject, _files_of(manifest)) if record else None


def _commit_report(lab: Lab, reported: str, subject: str, files: list[str]) -> Recorded:
    group, author = lab.group(Role.RECORDER), lab.signer.address.lower()
    own = [report for report in history(lab, reported) if report.current]
    own = [report for report in own if (report.group, report.author) == (group, author)]
    former = own[-1] if own else None
    if former and former.subject == subject:
        document = required_record(lab, former.id)
        return commit(lab, read_manifest(lab.store, document), document.parents)
    parents = [Link(reported, Relation.DERIVED_FROM), *([Link(former.id, Relation.SUPERSEDES)] if former else [])]
    values = {REPORT: reported, "files": files}
    return commit_document(lab, Kind.DOCUMENT, subject, parents, name=REPORT, subject_type="folder", values=values)


def _files_of(report: Manifest) -> list[str]:
    files = report.predicate.values.get("files") if isinstance(report.predicate, RecordPredicate) else None
    return [str(name) for name in files] if isinstance(files, list) else []


def _require_formats(names: Iterable[str]) -> None:
    for name in names:
        if name not in FORMATS:
            raise InputError(f"expected a format of {', '.join(FORMATS)}, got {name!r}")
