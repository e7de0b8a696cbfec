"""Scores a run: gathers what can be seen of it from the chain, the store and published copies, and records the report.

Nothing of a place is taken on trust: copies are re-hashed where they lie, code is restored from its pack, and another
run counts by its own record.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from blockchaintracer.core.digest import Progress
from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable, InputError, NotVerified, StoreError
from blockchaintracer.core.manifest import ContentPredicate, Manifest, RunPredicate, artifacts_of, is_listing
from blockchaintracer.core.record import Kind, Link, Relation, Status, SubjectType, label
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.core.verify import Check, Outcome
from blockchaintracer.core.verify.authorship import check_author
from blockchaintracer.core.verify.content_checks import read_listing
from blockchaintracer.core.verify.locate import locate
from blockchaintracer.core.verify.record_checks import RecordChecks
from blockchaintracer.core.verify.verdict_checks import check_verdicts
from blockchaintracer.extras.score import Case, Finding, Input, Needed, Said, Score, Seen, assess
from blockchaintracer.extras.score.evidence import READING
from blockchaintracer.extras.search import query
from blockchaintracer.extras.search.update import up_to_date
from blockchaintracer.lab.capture.environment import rebuild_environment
from blockchaintracer.lab.capture.git import apply_diff, restore_commit
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lookup import required_record
from blockchaintracer.lab.recording.content import record_document
from blockchaintracer.lab.store.store import Store, is_url, public_name
from blockchaintracer.lab.store.stored_copies import StoredCopies

_OWN_STORE = "the lab's store"


def score(
    lab: Lab,
    record_id: str,
    *,
    sources: Sequence[str] = (),
    rebuild: bool = False,
    progress: Progress | None = None,
) -> Score:
    """Scores a run, or the run that another record came from.

    Args:
        record_id: a run; or a model, result or other record whose lineage leads to one.
        sources: folders or addresses (as `Store.fetch`) that the run was published to.
        rebuild: whether to install what the run's lock file names into a temporary environment. Building a stranger's
            packages can run their code.
        progress: told of the bytes hashed.

    Raises:
        InputError: if the record is unknown or leads to no run, or to several.
        StoreError: if the run's manifest is not to be had.
        NotVerified: if it is not what was recorded.
        ChainUnavailable: if the chain is away.
    """
    with up_to_date(lab) as index:
        gathering = _Gathering(lab, sources, progress)
        asked = required_record(lab, record_id)
        located = gathering.run_of(
            asked.id, [row.id for row in query(index, kind="run", registry=lab.registry, limit=None)]
        )
        related = [
            row.id
            for ancestor in (located.id, *(link.parent for link in located.key.parents))
            for row in query(
                index, kind="run", registry=lab.registry, descendants_of=ancestor, descending=False, limit=None
            )
        ]
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        return assess(gathering.case(located, related, Path(scratch), rebuild=rebuild), asked.id)


def record_score(lab: Lab, found: Score) -> Recorded:
    """Records a report as a Document that is derived from the run. The same report again costs nothing.

    Raises:
        NotVerified: if the score is withheld.
    """
    if found.documentation is None or found.evidence is None:
        raise NotVerified("there is no score to record: a digest is not what was recorded")
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        file = Path(scratch, "score.json")
        file.write_bytes(found.to_bytes())
        return record_document(
            lab,
            Kind.DOCUMENT,
            file,
            name="reproducibility score",
            values={
                "documentation": found.documentation,
                "evidence": found.evidence.level,
                "rubric": found.rubric,
                "run": found.run,
            },
            parents=[Link(found.run, Relation.DERIVED_FROM)],
        )


class _Gathering:
    """What is looked up for one score. `mismatches` collects what is not what its digest says."""

    def __init__(self, lab: Lab, sources: Sequence[str], progress: Progress | None) -> None:
        self._lab = lab
        self._registry = lab.registry
        self._sources = _elsewhere(lab, sources)
        self._names = [_named(source, number) for number, source in enumerate(self._sources, 1)]
        self._progress = progress
        self._copies = StoredCopies(lab.store, self._sources, progress)
        self._checks = RecordChecks(lab.registry, self._copies)
        self.mismatches: list[str] = []

    # -- which run

    def run_of(self, record_id: str, runs: Sequence[str]) -> RecordView:
        """The run that a record is, came from, or is an output of; `runs` are all that are known.

        Raises:
            InputError: if there is none, or several are equally near.
        """
        asked = locate(self._registry, [record_id])[record_id]
        if asked.key.kind == Kind.RUN:
            return asked
        above = locate(self._registry, [link.parent for link in asked.key.parents])
        near = _runs(above) or self._wrote(asked, runs)
        seen = {record_id}
        # what it was made from may itself have come from other runs: these are asked last
        while not near and above:
            seen |= above.keys()
            further = {link.parent for one in above.values() for link in one.key.parents} - seen
            above = locate(self._registry, sorted(further))
            near = _runs(above)
        if not near:
            raise InputError(
                f"expected a run, or a record that came from one, got {record_id}",
                hint="Name the run: `query --kind run` lists them.",
            )
        if len(near) > 1:
            raise InputError(
                f"{record_id} leads to {len(near)} runs: {', '.join(one.id for one in near)}",
                hint="Name the one to score.",
            )
        return near[0]

    def _wrote(self, asked: RecordView, runs: Sequence[str]) -> list[RecordView]:
        """The runs of the record's group that name its subject as an output."""
        key = asked.key
        return [
            one
            for one in _runs(locate(self._registry, runs))
            if one.key.group == key.group
            if (run := self._run(one)) and any(output.subject == key.subject for output in run.outputs)
        ]

    # -- what is seen of it

    def case(self, record: RecordView, related: Iterable[str], scratch: Path, *, rebuild: bool) -> Case:
        """Everything that the checks look at."""

        _, standing = self._checks.standing(record)
        manifest, checks = self._checks.manifest(record)
        run = manifest.predicate if manifest else None
        if not isinstance(run, RunPredicate):
            wrong = [check.detail for check in checks if check.verdict is Outcome.FAIL]
            problem = NotVerified if wrong else StoreError
            raise problem(
                f"the manifest of run {record.id} can't be read: {'; '.join(check.detail for check in checks)}",
                hint="Name with --from where the run was published.",
            )
        self._note(f"run {record.id}", [*standing, *checks])
        inputs = tuple(self._inputs(record, run))
        needed = list(self._needed(record.key.manifest, run, inputs))
        copies, away = self._holders(needed, run)
        tree, code = self._code(run, scratch)
        status = self._registry.status(record.id)
        rebuilt = self._rebuild(run, tree, scratch) if rebuild else None
        return Case(
            record=record.id,
            group=record.key.group,
            author=record.key.author,
            run=run,
            inputs=inputs,
            needed=tuple(needed),
            copies=copies,
            places=(_OWN_STORE, *self._names),
            away=tuple(away),
            open=self._open,
            tree=tree,
            code=code,
            others=tuple(self._others(record.id, related)),
            verdicts=tuple(self._verdicts(record.id)),
            weights=tuple(self._weights(record.key.group, run)),
            signed=_finding(check_author(self._registry, record)),
            anchored=_final(standing),
            rebuilt=rebuilt,
            retracted=status.status is Status.RETRACTED,
            mismatches=tuple(dict.fromkeys(self.mismatches)),
        )

    @contextmanager
    def _open(self, sha256: str) -> Iterator[Path | None]:
        with self._copies.find(sha256) as found:
            yield found.path

    def _note(self, what: str, checks: Iterable[Check]) -> None:
        self.mismatches += [f"{what}: {check.detail}" for check in checks if check.verdict is Outcome.FAIL]

    def _manifest(self, record: RecordView) -> Manifest | None:
        manifest, checks = self._checks.manifest(record)
        self._note(f"{label(record.key.kind, Kind)} {record.id}", checks)
        return manifest

    def _run(self, record: RecordView) -> RunPredicate | None:
        """Another run's manifest; one that is damaged counts as absent and is no mismatch of the scored run."""
        manifest, checks = self._checks.manifest(record)
        damaged = any(check.verdict is Outcome.FAIL for check in checks)
        run = manifest.predicate if manifest and not damaged else None
        return run if isinstance(run, RunPredicate) else None

    def _inputs(self, record: RecordView, run: RunPredicate) -> Iterator[Input]:
        links = [link for link in record.key.parents if link.relation in READING]
        entries = {(entry.record, entry.relation): entry for entry in run.inputs}
        links += [Link(*pair) for pair in sorted(entries.keys() - {(link.parent, link.relation) for link in links})]
        parents = locate(self._registry, [link.parent for link in links])
        for link in links:
            parent, entry = parents.get(link.parent), entries.get((link.parent, link.relation))
            if parent is None:
                self.mismatches.append(f"input {link.parent} is not recorded")
                continue
            key = parent.key
            if entry and entry.sha256 != key.subject:
                self.mismatches.append(f"input {entry.name or link.parent} is {entry.sha256}, recorded {key.subject}")
            manifest = self._manifest(parent)
            content = manifest.predicate if manifest else None
            yield Input(
                record=link.parent,
                kind=key.kind,
                relation=link.relation,
                subject=key.subject,
                subject_type=key.subject_type,
                name=(entry.name if entry else None) or (content.name if content else None),
                content=content if isinstance(content, ContentPredicate) else None,
            )

    # -- copies

    def _needed(self, manifest: str, run: RunPredicate, inputs: Iterable[Input]) -> Iterator[Needed]:
        outputs = {output.artifact.sha256 for output in run.outputs}
        wanted = [("manifest", manifest, False)]
        wanted += [
            (f"{'output ' if one.sha256 in outputs else ''}{one.path}", one.sha256, is_listing(one.path))
            for one in artifacts_of(run)
        ]
        wanted += [
            (f"input {one.name or one.record}", one.subject, one.subject_type == SubjectType.FOLDER)
            for one in inputs
            if one.is_hashed
        ]
        seen: set[str] = set()
        for what, digest, is_folder in wanted:
            files = (read_listing(self._copies, digest)[0] or ()) if is_folder else ()
            for name, sha256 in ((what, digest), *((f"{what} {name}", sha256) for name, sha256 in files)):
                if sha256 not in seen:
                    seen.add(sha256)
                    yield Needed(name, sha256)

    def _holders(self, needed: Sequence[Needed], run: RunPredicate) -> tuple[dict[str, tuple[str, ...]], list[str]]:
        """Who holds what whole, every byte of it hashed here; what is damaged is a mismatch."""
        nowhere = Store(self._lab.home.path / "no-store")
        places = [(_OWN_STORE, StoredCopies(self._lab.store, (), self._progress))]
        places += [
            (name, StoredCopies(nowhere, [one], self._progress))
            for name, one in zip(self._names, self._sources, strict=True)
        ]
        said = {artifact.sha256: artifact for artifact in artifacts_of(run)}
        copies: dict[str, tuple[str, ...]] = {one.sha256: () for one in needed}
        away: dict[str, None] = {}
        for place, place_copies in places:
            for one in needed:
                artifact = said.get(one.sha256)
                with place_copies.find(one.sha256, cid_profile=artifact.cid_profile if artifact else None) as found:
                    self.mismatches += [
                        f"{one.what} in {place}: expected the SHA-256 {one.sha256}, got {bad.sha256}"
                        for bad in found.damaged
                    ]
                    away |= dict.fromkeys(f"{place} could not be asked" for _ in found.told)
                    if found.digest is None:
                        continue
                    copies[one.sha256] = (*copies[one.sha256], place)
                    if artifact and (artifact.size, artifact.cid) != (found.digest.size, found.digest.cid):
                        self.mismatches.append(f"{one.what}: size or CID are not what the manifest says")
        return copies, [*away]

    # -- what is done

    def _code(self, run: RunPredicate, scratch: Path) -> tuple[Path | None, Finding]:
        code = run.code
        if code.commit is None:
            return None, Finding("fail", "no commit is recorded")
        if code.dirty and code.diff is None:
            return None, Finding("fail", "the files differed from the commit, and the difference was not kept")
        if code.pack is None:
            return None, Finding("unknown", f"commit {code.commit} is named, and its files are not recorded")
        target = scratch / "code"
        with self._open(code.pack.sha256) as pack:
            if pack is None:
                return None, Finding("unknown", f"the files of commit {code.commit} are not here")
            try:
                restore_commit(pack, code.commit, target)
            except NotVerified:
                return None, Finding("fail", f"what is kept does not give commit {code.commit}")
        if code.diff is None:
            return target, Finding("pass", f"commit {code.commit}, restored; clean")
        with self._open(code.diff.sha256) as diff:
            if diff is None:
                return None, Finding("unknown", f"the difference to commit {code.commit} is not here")
            try:
                apply_diff(diff.read_bytes(), target)
            except NotVerified:
                return None, Finding("fail", f"the difference does not apply to commit {code.commit}")
        return target, Finding("pass", f"commit {code.commit}, restored, with its difference")

    def _rebuild(self, run: RunPredicate, tree: Path | None, scratch: Path) -> Finding | None:
        lock = run.environment.lock
        if lock is None:
            return None
        place = scratch / "lock"
        place.mkdir()
        file = place / Path(lock.path).name
        with self._open(lock.sha256) as path:
            if path is None:
                return Finding("unknown", "the lock file is not here")
            shutil.copyfile(path, file)
        project = tree / (run.code.working_folder or ".") / "pyproject.toml" if tree else None
        if file.name == "uv.lock" and project and project.is_file():
            shutil.copyfile(project, place / "pyproject.toml")
        self._lab.say(f"rebuilding the environment from {file.name}")
        try:
            rebuild_environment(file, scratch / "environment")
        except ChainUnavailable:
            return Finding("unknown", "the packages can't be reached")
        except BlockchainTracerError as problem:
            self._lab.say(problem.message)
            return Finding("fail", f"{file.name} can't be installed here")
        return Finding("pass", f"{file.name} was installed here")

    # -- what others say

    def _others(self, run_id: str, related: Iterable[str]) -> list[Seen]:
        found = locate(self._registry, sorted({*related} - {run_id}))
        return [self._seen(run_id, found[one]) for one in sorted(found)]

    def _seen(self, run_id: str, record: RecordView) -> Seen:
        return Seen(
            record=record.id,
            group=record.key.group,
            author=record.key.author,
            run=self._run(record),
            reproduces=Link(run_id, Relation.REPRODUCES) in record.key.parents,
            stands=self._registry.status(record.id).status is Status.RECORDED,
        )

    def _verdicts(self, run_id: str) -> Iterator[Said]:
        for check in check_verdicts(self._registry, run_id, self._registry.status(run_id)):
            attester, evidence = check.values.get("attester"), check.values.get("evidence")
            if attester is None:
                continue
            located = locate(self._registry, [evidence]).get(evidence) if evidence else None
            yield Said(
                group=int(check.name.rpartition(" ")[2]),
                attester=str(attester).lower(),
                verdict=str(check.values["verdict"]),
                holds=check.verdict is Outcome.PASS,
                evidence=self._seen(run_id, located) if located and located.key.kind == Kind.RUN else None,
            )

    def _weights(self, group: int, run: RunPredicate) -> Iterator[ContentPredicate]:
        for output in run.outputs:
            if output.role != "model":
                continue
            for record in self._registry.find_subject(output.subject):
                if (record.key.kind, record.key.group) != (Kind.MODEL, group):
                    continue
                manifest, checks = self._checks.manifest(record)
                self._note(f"model {record.id}", checks)
                if manifest and isinstance(manifest.predicate, ContentPredicate):
                    yield manifest.predicate


def _runs(located: dict[str, RecordView]) -> list[RecordView]:
    return [located[one] for one in sorted(located) if located[one].key.kind == Kind.RUN]


def _elsewhere(lab: Lab, sources: Sequence[str]) -> list[str]:
    """The sources, each once, without folders of the lab itself: what lies there is no other place."""
    home = lab.home.path.resolve()
    found: dict[str, None] = {}
    for source in sources:
        place = source if is_url(source) else os.path.realpath(source)
        if not is_url(place) and Path(place).is_relative_to(home):
            lab.say(f"{source} lies in the lab's own folder: it counts as no other place")
            continue
        found[place] = None
    return [*found]


def _named(source: str, number: int) -> str:
    """A place as a report names it: a folder by its name alone, for where it lies tells of a machine."""
    return f"{public_name(source) if is_url(source) else f'folder {Path(source).name}'} (source {number})"


def _finding(check: Check) -> Finding:
    outcomes = {Outcome.PASS: "pass", Outcome.FAIL: "fail"}
    return Finding(outcomes.get(check.verdict, "unknown"), check.detail)  # type: ignore[arg-type]


def _final(standing: Sequence[Check]) -> Finding:
    wrong = [check.detail for check in standing if check.verdict is Outcome.FAIL]
    if wrong:
        return Finding("fail", "; ".join(wrong))
    final = next(check for check in standing if check.name == "finality")
    block = final.values["block"]
    # how many blocks since is left out: the report of a record doesn't change with each block
    if final.verdict is Outcome.PASS:
        return Finding("pass", f"block {block} is final")
    return Finding("unknown", f"block {block} is not final yet, or the chain does not say")
