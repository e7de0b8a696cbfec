"""Records with their manifests, as scores and reports need them: each is looked up once and re-hashed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from blockchaintracer.core.digest import Progress
from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified, StoreError
from blockchaintracer.core.manifest import (
    ContentPredicate,
    Encrypted,
    Manifest,
    RecordPredicate,
    RunInput,
    RunPredicate,
)
from blockchaintracer.core.record import ABOUT, Kind, Relation, SubjectType, label
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.core.verify import Check, Outcome, Report
from blockchaintracer.core.verify.outcomes import PRIVATE_CHAIN, Conclusion
from blockchaintracer.core.verify.record_checks import RecordChecks, name_of
from blockchaintracer.lab.drafts import command_for_others
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.plain_text import called
from blockchaintracer.lab.store.stored_copies import StoredCopies
from blockchaintracer.lab.verify_here import Sources, verify

REPORT = "report"
"""Name of the Document of a report, and of the value in its manifest that holds the id of the reported record."""


@dataclass(frozen=True)
class GatheredRecord:
    """A record with its manifest."""

    record: RecordView
    manifest: Manifest | None
    problems: tuple[str, ...] = ()
    unavailable: tuple[str, ...] = ()
    """Why a source that may have the manifest could not be asked."""

    @property
    def id(self) -> str:
        """The record id."""
        return self.record.id

    @property
    def name(self) -> str:
        """Name in the manifest, or the start of the id."""
        return called(self.record.kind, self.id, self.record.name)

    @property
    def file_name(self) -> str | None:
        """Name of the file that was recorded, if the manifest has it."""
        return getattr(self.manifest and self.manifest.predicate, "file_name", None)

    @property
    def description(self) -> str:
        """Description in the manifest; empty without."""
        return getattr(self.manifest and self.manifest.predicate, "description", None) or ""

    @property
    def run(self) -> RunPredicate | None:
        """The content of the manifest of a run."""
        predicate = self.manifest.predicate if self.manifest else None
        return predicate if isinstance(predicate, RunPredicate) else None

    @property
    def content(self) -> ContentPredicate | None:
        """The content of the manifest of a dataset, model or software."""
        predicate = self.manifest.predicate if self.manifest else None
        return predicate if isinstance(predicate, ContentPredicate) else None

    @property
    def encrypted(self) -> Encrypted | None:
        """How the content is encrypted; None if it is in the open."""
        predicate = self.manifest.predicate if self.manifest else None
        return predicate.encrypted if isinstance(predicate, ContentPredicate | RecordPredicate) else None

    @property
    def is_hashed(self) -> bool:
        """Whether the subject is the digest of the bytes."""
        return self.record.key.subject_type in (SubjectType.FILE, SubjectType.FOLDER)

    @property
    def stands(self) -> bool:
        """Whether the record is stored and not retracted."""
        return self.record.status == "recorded"


@dataclass(frozen=True)
class GatheredInput:
    """A record that a run read."""

    read: GatheredRecord
    relation: int
    entry: RunInput | None

    @property
    def name(self) -> str | None:
        """Name in the manifest of the run, or in the manifest of the record; None if neither has one."""
        return (self.entry.name if self.entry else None) or self.read.record.name

    @property
    def relation_name(self) -> str:
        """Name of the relation, or the lab's own number as text."""
        return label(self.relation, Relation)


@dataclass(frozen=True)
class Verification:
    """The checks of a record, and of the run that it came from.

    Args:
        conclusion: the outcome, as `verify` has it.
        private: whether the chain is a private test chain.
    """

    checks: tuple[Check, ...]
    conclusion: Conclusion
    command: str
    private: bool = False

    @property
    def status(self) -> str:
        """The word of the outcome."""
        return self.conclusion.value

    @property
    def colour(self) -> str:
        """The colour of the outcome: ``green``, ``red``, or ``yellow`` on a private test chain."""
        return self.conclusion.colour(private=self.private)

    @property
    def note(self) -> str:
        """What is to be said beside the word; empty if nothing is."""
        if self.conclusion is Conclusion.UNAVAILABLE:
            return "a source that may have what a check needs could not be asked"
        return PRIVATE_CHAIN if self.private and self.conclusion.verified else ""

    def require_verified(self, record_id: str, consequence: str) -> None:
        """Refuse to build on a record that did not verify."""
        if self.conclusion is Conclusion.NOT_VERIFIED:
            raise NotVerified(
                f"record {record_id} did not verify: {consequence}", hint=f"`{self.command}` tells what is wrong."
            )


class Gatherer:
    """Gathers the records of a lab's registry and keeps their manifests."""

    def __init__(self, lab: Lab, sources: Sources = (), progress: Progress | None = None) -> None:
        self.lab = lab
        self.registry = lab.registry
        self.copies = StoredCopies(lab.store, sources, progress)
        self.checks = RecordChecks(lab.registry, self.copies)
        self._verify = partial(verify, lab, sources=sources, progress=progress)
        self._gathered: dict[str, GatheredRecord] = {}

    def records(self, ids: Iterable[str], *, whole: bool = False) -> dict[str, GatheredRecord]:
        """Gather records by id. What is not stored is left out.

        Args:
            whole: whether a manifest that is not what was recorded is refused, unless a whole copy is at hand too.
        """
        ids = list(dict.fromkeys(ids))
        missing = self.registry.find_records(record_id for record_id in ids if record_id not in self._gathered)
        statuses = self.registry.statuses(list(missing))
        for record, stored in zip(missing.values(), statuses, strict=True):
            manifest, checks = self.checks.manifest(record)
            view = replace(record, stored=stored, time=stored.recorded_at, name=name_of(manifest))
            problems = tuple(check.detail for check in checks if check.verdict is Outcome.FAIL)
            unavailable = tuple(check.detail for check in checks if check.values.get("unavailable"))
            self._gathered[record.id] = GatheredRecord(view, manifest, problems, unavailable)
        records = {record_id: self._gathered[record_id] for record_id in ids if record_id in self._gathered}
        for gathered in records.values() if whole else ():
            if gathered.manifest is None and gathered.problems:
                raise NotVerified(
                    f"the manifest {gathered.record.manifest} is not what was recorded: {'; '.join(gathered.problems)}"
                )
        return records

    def required(self, record_id: str) -> GatheredRecord:
        """Gather a record that is to be at hand with its manifest."""
        gathered = self.records([record_id], whole=True).get(record_id)
        if gathered is None:
            raise InputError(f"record {record_id} is not stored in {self.registry.address} any more")
        if gathered.unavailable:
            raise ChainUnavailable(f"the manifest of record {record_id} is {gathered.unavailable[0]}")
        if gathered.manifest is None:
            raise StoreError(
                f"the manifest {gathered.record.manifest} of record {record_id} is not here",
                hint="Name with --from where it was published.",
            )
        return gathered

    def runs_above(self, asked: GatheredRecord) -> list[GatheredRecord]:
        """Gather the runs among the parents of a record."""
        return runs_among(self.records(link.parent for link in asked.record.parents).values())

    def runs_that_wrote(self, asked: GatheredRecord, ids: Iterable[str]) -> list[GatheredRecord]:
        """Gather the runs, of those named, that are of the record's group and have its subject as an output."""
        return [
            run
            for run in runs_among(self.records(ids).values())
            if run.record.group == asked.record.group
            and run.run
            and any(output.subject == asked.record.subject for output in run.run.outputs)
        ]

    def verification(self, asked: GatheredRecord, run: GatheredRecord | None) -> Verification:
        """Verify a record, and the run that it came from."""
        ids = dict.fromkeys([asked.id, *([run.id] if run else [])])
        checks = tuple(check for record_id in ids for check in self._verify(record_id).checks)
        conclusion = Report(asked.id, "record", checks).conclusion
        return Verification(checks, conclusion, command_for_others(self.lab.domain, asked.id), self.lab.on_devnet)

    def inputs(self, run: GatheredRecord) -> Iterator[GatheredInput]:
        """Gather what a run read, by its key and by its manifest."""
        entries = {(entry.record, entry.relation): entry for entry in run.run.inputs} if run.run else {}
        links = [(link.parent, link.relation) for link in run.record.parents if link.relation not in ABOUT]
        links += sorted(entries.keys() - set(links))
        read = self.records(parent for parent, _ in links)
        for link in links:
            if link[0] in read:
                yield GatheredInput(read[link[0]], link[1], entries.get(link))


def runs_among(records: Iterable[GatheredRecord]) -> list[GatheredRecord]:
    """Return the runs among records."""
    return [gathered for gathered in records if gathered.record.kind == "run"]


def report_of(manifest: Manifest | None) -> str | None:
    """Return the id of the record that a Document is a report of; None if it is no report."""
    predicate = manifest.predicate if manifest and manifest.kind == Kind.DOCUMENT else None
    value = predicate.values.get(REPORT) if isinstance(predicate, RecordPredicate) else None
    return value if isinstance(value, str) else None
