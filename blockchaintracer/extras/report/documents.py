"""Reports as files, and as records: a Document derived from the record, each superseding the one before."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from blockchaintracer.core.errors import InputError, NotVerified, StoreError
from blockchaintracer.core.manifest import MAX_BYTES, Manifest, RecordPredicate, parse_manifest
from blockchaintracer.core.record import Kind, Link, Relation, Role, normal_digest
from blockchaintracer.extras.report import card, page, sheet
from blockchaintracer.extras.report.fields import require_declarable
from blockchaintracer.extras.report.gather import REPORT, Facts, gather, report_of, view
from blockchaintracer.extras.search import query
from blockchaintracer.extras.search.lineage import lineage
from blockchaintracer.extras.search.update import up_to_date
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.files import write_whole
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.commit import commit
from blockchaintracer.lab.recording.content import named_parents

Maker = Callable[[Facts, "Path | None"], bytes]
FORMATS: dict[str, tuple[str, Maker]] = {
    "html": ("report.html", page.html),
    "pdf": ("report.pdf", page.pdf),
    "csv": ("experiments.csv", lambda facts, _: sheet.csv(facts)),
    "xlsx": ("experiments.xlsx", lambda facts, _: sheet.xlsx(facts)),
    "parquet": ("experiments.parquet", lambda facts, _: sheet.parquet(facts)),
    "json": ("report.json", lambda facts, _: (json.dumps(view(facts), indent=1, sort_keys=True) + "\n").encode()),
    "model-card": ("model-card.md", lambda facts, templates: str(card.model_card(facts, templates)).encode()),
    "dataset-card": ("dataset-card.md", lambda facts, templates: str(card.dataset_card(facts, templates)).encode()),
}
"""By name: the file, and what makes it of the facts and the folder of the user's templates."""
_NAME = "report"


@dataclass(frozen=True)
class Report:
    """A report that was recorded.

    Args:
        of: id of the record that it is about.
        subject: digest of the folder of its files.
        supersedes: id of the report that it replaced; None for the first.
        current: whether no other report of its group and author replaced it.
        files: their names, by its manifest.
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


def formats_for(facts: Facts) -> list[str]:
    """What is made of a record if nothing is said: its card if there is one for it, the page, and the sheet."""
    cards = ["model-card"] if facts.has_card else ["dataset-card"] if facts.asked.row.kind == "dataset" else []
    return [*cards, "html", *(["csv"] if facts.runs else [])]


def make(facts: Facts, formats: Iterable[str], templates: Path | None = None) -> dict[str, bytes]:
    """The files of a report by name: the same facts give the same bytes.

    Raises:
        InputError: if a format is unknown or not for this kind of record, a required field or a package is missing, or
            a template is none.
    """
    files = {}
    for name in dict.fromkeys(formats):
        if name not in FORMATS:
            raise InputError(f"expected a format of {', '.join(FORMATS)}, got {name!r}")
        file, maker = FORMATS[name]
        files[file] = maker(facts, templates)
    return files


def write(files: dict[str, bytes], folder: Path) -> list[Path]:
    """Writes a report's files, each whole or not at all, over older ones of the same name.

    Raises:
        StoreError: if they can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            write_whole(folder / name, data, 0o666)
    except OSError as error:
        raise StoreError(f"can't write the report to {folder}: {error.strerror}") from error
    return [folder / name for name in files]


def record_report(lab: Lab, facts: Facts, files: dict[str, bytes]) -> Recorded:
    """Records a report as a Document: derived from the record, superseding the group's former report of it.

    The report that is current already costs nothing.

    Raises:
        NotVerified: if the record did not verify: nothing is built on it.
    """
    if facts.status == "not verified":
        raise NotVerified(
            f"record {facts.asked.row.id} did not verify: no report of it is recorded",
            hint=f"`{facts.verify_with}` tells what is wrong.",
        )
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        write(files, Path(scratch))
        subject = lab.store.put_folder(Path(scratch)).sha256
    return _committed(lab, facts.asked.row.id, subject, sorted(files))


def set_reports(lab: Lab, formats: Sequence[str] | None, declared: Mapping[str, str] | None = None) -> None:
    """Chooses what report every run gets once it's recorded, on this chain; None for no report.

    Args:
        formats: names in `FORMATS`; empty for what `formats_for` says, without a card that lacks fields.
        declared: fields of the model card that hold for every run.

    Raises:
        InputError: if a format or field is unknown.
    """
    for name in formats or ():
        if name not in FORMATS:
            raise InputError(f"expected a format of {', '.join(FORMATS)}, got {name!r}")
    for name in declared or ():
        require_declarable(name)
    lab.choose(reports=None if formats is None else {"formats": [*formats], "fields": dict(declared or {})})


def report_by_setting(lab: Lab, record_id: str) -> Recorded | None:
    """Makes and records the report that `set_reports` chose; None if none was chosen.

    Raises:
        InputError: if a chosen card lacks a field.
    """
    chosen = lab.choices(lab.chain_id).get("reports")
    if not isinstance(chosen, dict):
        return None
    facts = gather(lab, record_id, chosen.get("fields") or {})
    usual = [name for name in formats_for(facts) if name != "model-card" or not facts.missing]
    return record_report(lab, facts, make(facts, chosen.get("formats") or usual))


def history(lab: Lab, record_id: str) -> list[Report]:
    """The recorded reports of a record whose manifests are at hand, oldest first.

    Raises:
        InputError: if there is no such record.
    """
    record_id = normal_digest(record_id, "record id")
    with up_to_date(lab) as index:
        lineage(index, record_id, 0, registry=lab.registry)
        rows = query(
            index, registry=lab.registry, kind="document", descendants_of=record_id, descending=False, limit=None
        )
    found = []
    for row in rows:
        manifest = _manifest(lab, row.manifest) if row.has_manifest else None
        if manifest is None or report_of(manifest) != record_id or manifest.parents is None:
            continue
        former = [link.parent for link in manifest.parents if link.relation == Relation.SUPERSEDES]
        files = manifest.predicate.values.get("files") if isinstance(manifest.predicate, RecordPredicate) else None
        names = tuple(str(name) for name in files) if isinstance(files, list) else ()
        found.append((row, former[0] if former else None, names))
    replaced = {(former, row.group, row.author) for row, former, _ in found if former and row.status == "recorded"}
    return [
        Report(
            id=row.id,
            of=record_id,
            group=row.group,
            author=row.author,
            time=row.time,
            subject=row.subject,
            supersedes=former,
            current=row.status == "recorded" and (row.id, row.group, row.author) not in replaced,
            files=names,
            status=row.status,
        )
        for row, former, names in found
    ]


def restore(
    lab: Lab, report_id: str, folder: Path, *, record: bool = False, sources: Sequence[str] = ()
) -> Recorded | None:
    """Brings a recorded report back: its files, byte by byte, into an empty folder.

    Args:
        report_id: of the report's Document.
        record: also record it as the current report again, superseding the one that is.
        sources: folders or http(s) addresses that it was published to.

    Returns:
        the new record, if one was asked for.

    Raises:
        InputError: if it is no report, or the folder holds something.
        StoreError, ChainUnavailable: if its files can't be had.
    """
    found = lab.registry.find_record(normal_digest(report_id, "report's id"))
    if found is None:
        raise InputError(f"record {report_id} is not stored in {lab.registry.address} on {lab.chain.name}")
    if not lab.store.has(found.key.manifest):
        lab.store.fetch(found.key.manifest, sources, MAX_BYTES)
    manifest = parse_manifest(lab.store.get_bytes(found.key.manifest, MAX_BYTES))
    of = report_of(manifest)
    if of is None or not isinstance(manifest.predicate, RecordPredicate):
        raise InputError(
            f"expected a recorded report, got {report_id}, which is none",
            hint="`blockchaintracer report history ID` lists the reports of a record.",
        )
    lab.store.restore_folder(found.key.subject, folder, sources)
    if not record:
        return None
    files = manifest.predicate.values.get("files")
    return _committed(lab, of, found.key.subject, list(files) if isinstance(files, list) else [])


def _committed(lab: Lab, of: str, subject: str, files: list[str]) -> Recorded:
    group, author = lab.group(Role.RECORDER), lab.signer.address.lower()
    mine = [one for one in history(lab, of) if one.current and (one.group, one.author) == (group, author)]
    former = mine[-1] if mine else None
    if former and former.subject == subject and (known := _manifest(lab, _manifest_of(lab, former.id))):
        return commit(lab, known, known.parents or ())
    parents = [Link(of, Relation.DERIVED_FROM), *([Link(former.id, Relation.SUPERSEDES)] if former else [])]
    parents.sort(key=lambda link: (link.parent, link.relation))
    document = RecordPredicate(
        name=_NAME,
        subject_type="folder",
        values={REPORT: of, "files": files},
        parents=named_parents(parents),
    )
    return commit(lab, Manifest.of(Kind.DOCUMENT, document, subject), parents)


def _manifest_of(lab: Lab, record_id: str) -> str:
    found = lab.registry.find_record(record_id)
    if found is None:
        raise InputError(f"record {record_id} is not stored in {lab.registry.address} any more")
    return found.key.manifest


def _manifest(lab: Lab, digest: str) -> Manifest | None:
    try:
        return parse_manifest(lab.store.get_bytes(digest, MAX_BYTES))
    except (StoreError, InputError):
        return None
