"""Scores a run: gathers its evidence from the chain, the store and published copies, and records the report.

No place is trusted: copies are hashed where they lie, code is restored from its pack, and another run counts by its own
record.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import cast

from blockchaintracer.core.digest import Progress
from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable, InputError, NotVerified, StoreError
from blockchaintracer.core.manifest import ContentPredicate, RunPredicate, artifacts_of, is_listing
from blockchaintracer.core.record import Kind, Link, Relation, SubjectType
from blockchaintracer.core.verify import Check, Outcome
from blockchaintracer.core.verify.authorship import check_author
from blockchaintracer.core.verify.content_checks import read_listing
from blockchaintracer.core.verify.verdict_checks import check_verdicts
from blockchaintracer.extras.score.evidence import (
    READING,
    Finding,
    GroupVerdict,
    Needed,
    RunEvidence,
    failed,
    passed,
    unknown,
)
from blockchaintracer.extras.score.score_report import Score, assess
from blockchaintracer.extras.search import query
from blockchaintracer.extras.search.update import up_to_date
from blockchaintracer.lab.capture.environment import rebuild_environment, requirements_from
from blockchaintracer.lab.capture.git import restore_code
from blockchaintracer.lab.capture.program import installed_packages
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.gather import GatheredInput, GatheredRecord, Gatherer, runs_among
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lookup import required_record
from blockchaintracer.lab.recording.content import record_document
from blockchaintracer.lab.store.sources import is_url, public_name
from blockchaintracer.lab.store.store import Store
from blockchaintracer.lab.store.stored_copies import StoredCopies

_OWN_STORE = "the lab's store"


def score(
    lab: Lab, record_id: str, *, sources: Sequence[str] = (), rebuild: bool = False, progress: Progress | None = None
) -> Score:
    """Score a run, or the run that another record came from.

    Args:
        record_id: a run; or a model, result or other record whose lineage leads to one.
        sources: folders or addresses (as `Store.fetch`) that the run was published to.
        rebuild: whether to install what the run's lock file names into a temporary environment. Building a stranger's
            packages can run their code.
        progress: called with the number of bytes that were hashed.

    Raises:
        InputError: if the record is unknown or leads to no run, or to several.
        StoreError: if the run's manifest is not to be had.
        NotVerified: if it is not what was recorded.
        ChainUnavailable: if the chain is away.
    """
    with up_to_date(lab) as index:
        gatherer = _EvidenceGatherer(lab, sources, progress)
        asked = required_record(lab, record_id)
        group_runs = query(index, kind="run", group=asked.group, registry=lab.registry, limit=None)
        run = gatherer.run_of(asked.id, [row.id for row in group_runs])
        related = [
            row.id
            for ancestor in (run.id, *(link.parent for link in run.record.parents))
            for row in query(
                index, kind="run", registry=lab.registry, descendants_of=ancestor, descending=False, limit=None
            )
        ]
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        return assess(gatherer.evidence(run, related, Path(scratch), rebuild=rebuild), asked.id)


def record_score(lab: Lab, result: Score) -> Recorded:
    """Record a score as a Document that is derived from the run. The same score again costs nothing."""
    if result.documentation is None or result.evidence is None:
        raise NotVerified("there is no score to record: a digest is not what was recorded")
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        file = Path(scratch, "score.json")
        file.write_bytes(result.to_bytes())
        return record_document(
            lab,
            Kind.DOCUMENT,
            file,
            name="reproducibility score",
            values={
                "documentation": result.documentation,
                "evidence": result.evidence.level,
                "rubric": result.rubric,
                "run": result.run,
            },
            parents=[Link(result.run, Relation.DERIVED_FROM)],
        )


class _EvidenceGatherer(Gatherer):
    """Gathers the evidence of one run. `mismatches` holds what is not what its digest says."""

    def __init__(self, lab: Lab, sources: Sequence[str], progress: Progress | None) -> None:
        self._sources = _elsewhere(lab, sources)
        # reports are published: a folder is named without its path, which tells of this machine
        self._names = [
            f"{public_name(source) if is_url(source) else f'folder {Path(source).name}'} (source {number})"
            for number, source in enumerate(self._sources, 1)
        ]
        self._progress = progress
        self._mismatches: list[str] = []
        super().__init__(lab, self._sources, progress)

    def run_of(self, record_id: str, group_runs: Sequence[str]) -> GatheredRecord:
        """Return the run that a record is, came from, or is an output of."""
        asked = self.records([record_id])[record_id]
        if asked.record.kind == "run":
            return asked
        above = self._parents([asked])
        near = runs_among(above) or [run for run in self.runs_that_wrote(asked, sorted(group_runs)) if not run.problems]
        visited = {record_id}
        # what it was made from may itself have come from other runs: these are asked last
        while not near and above:
            visited |= {ancestor.id for ancestor in above}
            above = [parent for parent in self._parents(above) if parent.id not in visited]
            near = runs_among(above)
        if not near:
            raise InputError(
                f"expected a run, or a record that came from one, got {record_id}",
                hint="Name the run: `query --kind run` lists them.",
            )
        if len(near) > 1:
            raise InputError(
                f"{record_id} leads to {len(near)} runs: {', '.join(run.id for run in near)}",
                hint="Name the one to score.",
            )
        return near[0]

    def _parents(self, children: Iterable[GatheredRecord]) -> list[GatheredRecord]:
        ids = sorted({link.parent for child in children for link in child.record.parents})
        return list(self.records(ids).values())

    def evidence(self, scored: GatheredRecord, related: Iterable[str], scratch: Path, *, rebuild: bool) -> RunEvidence:
        """Gather everything that the checks look at."""
        _, standing = self.checks.standing(scored.record)
        run = scored.run
        if run is None:
            _, checks = self.checks.manifest(scored.record)
            problem = NotVerified if scored.problems else StoreError
            raise problem(
                f"the manifest of run {scored.id} can't be read: {'; '.join(check.detail for check in checks)}",
                hint="Name with --from where the run was published.",
            )
        self._mismatches += [f"run {scored.id}: {check.detail}" for check in standing if check.verdict is Outcome.FAIL]
        self._note(scored)
        inputs = tuple(self._inputs(scored, run))
        needed = tuple(self._needed(scored, run, inputs))
        copies, away = self._holders(needed, run)
        tree, code = self._restored_code(run, scratch)
        return RunEvidence(
            scored=scored,
            run=run,
            inputs=inputs,
            needed=needed,
            copies=copies,
            places=(_OWN_STORE, *self._names),
            away=tuple(away),
            open=self._open,
            tree=tree,
            code=code,
            rebuilt=self._rebuild(run, tree, scratch) if rebuild else None,
            others=tuple(_whole_run(other) for other in self.records(sorted({*related} - {scored.id})).values()),
            verdicts=tuple(self._verdicts(scored)),
            weights=tuple(self._weights(scored, run)),
            signed=_finding(check_author(self.registry, scored.record)),
            anchored=_final(standing),
            mismatches=tuple(dict.fromkeys(self._mismatches)),
        )

    @contextmanager
    def _open(self, sha256: str) -> Iterator[Path | None]:
        with self.copies.find_copy(sha256) as copy:
            yield copy.path

    def _note(self, gathered: GatheredRecord) -> None:
        self._mismatches += [f"{gathered.record.kind} {gathered.id}: {problem}" for problem in gathered.problems]

    def _inputs(self, scored: GatheredRecord, run: RunPredicate) -> Iterator[GatheredInput]:
        inputs = [entry for entry in self.inputs(scored) if entry.relation in READING or entry.entry]
        named = {link.parent for link in scored.record.parents if link.relation in READING}
        named |= {entry.record for entry in run.inputs}
        missing = named - {entry.read.id for entry in inputs}
        self._mismatches += [f"input {record_id} is not recorded" for record_id in sorted(missing)]
        for entry in inputs:
            if entry.entry and entry.entry.sha256 != entry.read.record.subject:
                self._mismatches.append(
                    f"input {entry.entry.name or entry.read.id} is {entry.entry.sha256}, "
                    f"recorded {entry.read.record.subject}"
                )
            self._note(entry.read)
            yield entry

    # -- copies

    def _needed(self, scored: GatheredRecord, run: RunPredicate, inputs: Iterable[GatheredInput]) -> Iterator[Needed]:
        outputs = {output.artifact.sha256 for output in run.outputs}
        objects = [("manifest", scored.record.manifest, False)]
        objects += [
            (
                ("output " if artifact.sha256 in outputs else "") + artifact.path,
                artifact.sha256,
                is_listing(artifact.path),
            )
            for artifact in artifacts_of(run)
        ]
        objects += [
            (
                f"input {entry.name or entry.read.id}",
                entry.read.record.subject,
                entry.read.record.key.subject_type == SubjectType.FOLDER,
            )
            for entry in inputs
            if entry.read.is_hashed
        ]
        digests: set[str] = set()
        for what, digest, is_folder in objects:
            files = (read_listing(self.copies, digest)[0] or ()) if is_folder else ()
            for name, sha256 in ((what, digest), *((f"{what} {name}", sha256) for name, sha256 in files)):
                if sha256 not in digests:
                    digests.add(sha256)
                    yield Needed(name, sha256)

    def _holders(self, needed: Sequence[Needed], run: RunPredicate) -> tuple[dict[str, tuple[str, ...]], list[str]]:
        """Who holds what whole, every byte of it hashed here; what is damaged is a mismatch."""
        nowhere = Store(self.lab.home.path / "no-store")
        places = [(_OWN_STORE, StoredCopies(self.lab.store, (), self._progress))]
        places += [
            (name, StoredCopies(nowhere, [source], self._progress))
            for name, source in zip(self._names, self._sources, strict=True)
        ]
        artifacts = {artifact.sha256: artifact for artifact in artifacts_of(run)}
        copies: dict[str, tuple[str, ...]] = {entry.sha256: () for entry in needed}
        away: dict[str, None] = {}
        for place, place_copies in places:
            for entry in needed:
                artifact = artifacts.get(entry.sha256)
                profile = artifact.cid_profile if artifact else None
                with place_copies.find_copy(entry.sha256, cid_profile=profile) as copy:
                    self._mismatches += [
                        f"{entry.what} in {place}: expected the SHA-256 {entry.sha256}, got {damaged.sha256}"
                        for damaged in copy.damaged
                    ]
                    away |= dict.fromkeys(f"{place} could not be asked" for _ in copy.unavailable)
                    if copy.digest is None:
                        continue
                    copies[entry.sha256] = (*copies[entry.sha256], place)
                    if artifact and (artifact.size, artifact.cid) != (copy.digest.size, copy.digest.cid):
                        self._mismatches.append(f"{entry.what}: size or CID are not what the manifest says")
        return copies, [*away]

    # -- code and environment

    def _restored_code(self, run: RunPredicate, scratch: Path) -> tuple[Path | None, Finding]:
        code = run.code
        if code.commit is None:
            return None, failed("no commit is recorded")
        if code.lacks_diff:
            return None, failed("the files differed from the commit, and the difference was not kept")
        if code.pack is None:
            return None, unknown(f"commit {code.commit} is named, and its files are not recorded")
        target = scratch / "code"
        with ExitStack() as opened:
            parts = [part for _, state in code.states() for part in (state.pack, state.diff) if part]
            files = {part.sha256: opened.enter_context(self._open(part.sha256)) for part in parts}
            if missing := [part.path for part in parts if files[part.sha256] is None]:
                what = "files of" if "commit.pack" in missing else "difference to"
                return None, unknown(f"the {what} commit {code.commit} are not here")
            try:
                restore_code(code, lambda digest: cast(Path, files[digest]), target)
            except NotVerified:
                return None, failed(
                    f"what is kept does not give commit {code.commit}, or its difference does not apply"
                )
        return target, passed(f"commit {code.commit}, restored{', with its difference' if code.diffs else '; clean'}")

    def _rebuild(self, run: RunPredicate, tree: Path | None, scratch: Path) -> Finding | None:
        lock = run.environment.lock
        if lock is None:
            return None
        place = scratch / "lock"
        place.mkdir()
        file = place / Path(lock.path).name
        with self._open(lock.sha256) as path:
            if path is None:
                return unknown("the lock file is not here")
            shutil.copyfile(path, file)
        self.lab.say(f"rebuilding the environment from {file.name}")
        folder = run.environment.lock_folder or "."
        try:
            wanted = requirements_from(file, tree, folder, installed_packages(run.environment))
            rebuild_environment(wanted, scratch / "environment", project=tree)
        except ChainUnavailable:
            return unknown("the packages can't be reached")
        except BlockchainTracerError as problem:
            self.lab.say(problem.message)
            return failed(f"{file.name} can't be installed here")
        return passed(f"{file.name} was installed here")

    # -- what others say

    def _verdicts(self, scored: GatheredRecord) -> Iterator[GroupVerdict]:
        for check in check_verdicts(self.registry, scored.id, self.registry.status(scored.id)):
            attester, evidence = check.values.get("attester"), check.values.get("evidence")
            if attester is None:
                continue
            runs = runs_among(self.records([evidence] if evidence else []).values())
            yield GroupVerdict(
                group=int(check.name.rpartition(" ")[2]),
                attester=str(attester).lower(),
                verdict=str(check.values["verdict"]),
                holds=check.verdict is Outcome.PASS,
                evidence=_whole_run(runs[0]) if runs else None,
            )

    def _weights(self, scored: GatheredRecord, run: RunPredicate) -> Iterator[ContentPredicate]:
        for output in run.outputs:
            if output.role != "model":
                continue
            records = self.registry.find_subject(output.subject)
            ids = [record.id for record in records if (record.kind, record.group) == ("model", scored.record.group)]
            for model in self.records(ids).values():
                self._note(model)
                if model.content:
                    yield model.content


def _whole_run(run: GatheredRecord) -> GatheredRecord:
    """Another run: a damaged manifest counts as absent, and is no mismatch of the scored run."""
    return GatheredRecord(run.record, None) if run.problems else run


def _elsewhere(lab: Lab, sources: Sequence[str]) -> list[str]:
    """The sources, each once, without folders of the lab itself: what lies there is no other place."""
    home = lab.home.path.resolve()
    places: dict[str, None] = {}
    for source in sources:
        place = source if is_url(source) else os.path.realpath(source)
        if not is_url(place) and Path(place).is_relative_to(home):
            lab.say(f"{source} lies in the lab's own folder: it counts as no other place")
            continue
        places[place] = None
    return [*places]


def _finding(check: Check) -> Finding:
    return {Outcome.PASS: passed, Outcome.FAIL: failed}.get(check.verdict, unknown)(check.detail)


def _final(standing: Sequence[Check]) -> Finding:
    if problems := [check.detail for check in standing if check.verdict is Outcome.FAIL]:
        return failed("; ".join(problems))
    final = next(check for check in standing if check.name == "finality")
    block = final.values.get("block")
    # how many blocks since is left out: the report of a record doesn't change with each block
    if final.verdict is Outcome.PASS:
        return passed(f"block {block} is final")
    return unknown(f"block {block} is not final yet, or the chain does not say")
