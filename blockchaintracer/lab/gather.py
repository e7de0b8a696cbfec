"""Records with their manifests, as scores and reports need them: each is looked up once and re-hashed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from blockchaintracer.core.digest import Progress
from blockchaintracer.core.manifest import (
    ContentPredicate,
    Encrypted,
    Manifest,
    RecordPredicate,
    RunInput,
    RunPredicate,
)
from blockchaintracer.core.record import Relation, SubjectType
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.core.verify import Outcome
from blockchaintracer.core.verify.locate import locate
from blockchaintracer.core.verify.record_checks import RecordChecks, name_of
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.store.stored_copies import StoredCopies

_ABOUT = (Relation.SUPERSEDES, Relation.REPRODUCES)
"""Relations of a run to what it speaks of. By every other relation it read the parent."""


@dataclass(frozen=True)
class GatheredRecord:
    """A record with its manifest.

    Args:
        record: the record by its event, with what the registry stores and the name in the manifest.
        manifest: None if no whole copy is at hand, or if it cannot be read.
        problems: why what is at hand is not what was recorded.
    """

    record: RecordView
    manifest: Manifest | None
    problems: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The record id."""
        return self.record.id

    @property
    def name(self) -> str:
        """Name in the manifest, or the start of the id."""
        return self.record.name or f"{self.record.kind} {self.id[:12]}"

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
    """A record that a run read.

    Args:
        read: the record.
        relation: number of the relation.
        entry: the input in the manifest of the run; None if there is none.
    """

    read: GatheredRecord
    relation: int
    entry: RunInput | None

    @property
    def name(self) -> str | None:
        """Name in the manifest of the run, or in the manifest of the record; None if neither has one."""
        return (self.entry.name if self.entry else None) or self.read.record.name


class Gatherer:
    """Gathers the records of a lab's registry and keeps their manifests.

    Args:
        sources: folders or addresses, as `Store.fetch` takes, to look for manifests in after the lab's store.
        progress: called with the number of bytes that were hashed.
    """

    def __init__(self, lab: Lab, sources: Sequence[str] = (), progress: Progress | None = None) -> None:
        self.registry = lab.registry
        self.copies = StoredCopies(lab.store, sources, progress)
        self.checks = RecordChecks(lab.registry, self.copies)
        self._gathered: dict[str, GatheredRecord] = {}

    def records(self, ids: Iterable[str]) -> dict[str, GatheredRecord]:
        """Gather records by id. What is not stored is left out."""
        wanted = list(dict.fromkeys(ids))
        missing = locate(self.registry, (record_id for record_id in wanted if record_id not in self._gathered))
        statuses = self.registry.statuses(list(missing))
        for record, stored in zip(missing.values(), statuses, strict=True):
            manifest, checks = self.checks.manifest(record)
            view = replace(record, stored=stored, time=stored.recorded_at, name=name_of(manifest))
            problems = tuple(check.detail for check in checks if check.verdict is Outcome.FAIL)
            self._gathered[record.id] = GatheredRecord(view, manifest, problems)
        return {record_id: self._gathered[record_id] for record_id in wanted if record_id in self._gathered}

    def inputs(self, run: GatheredRecord) -> Iterator[GatheredInput]:
        """Gather what a run read, by its key and by its manifest."""
        entries = {(entry.record, entry.relation): entry for entry in run.run.inputs} if run.run else {}
        links = [(link.parent, link.relation) for link in run.record.parents if link.relation not in _ABOUT]
        links += sorted(entries.keys() - set(links))
        read = self.records(parent for parent, _ in links)
        for link in links:
            if link[0] in read:
                yield GatheredInput(read[link[0]], link[1], entries.get(link))


def runs_among(records: Iterable[GatheredRecord]) -> list[GatheredRecord]:
    """Return the runs among records."""
    return [gathered for gathered in records if gathered.record.kind == "run"]
