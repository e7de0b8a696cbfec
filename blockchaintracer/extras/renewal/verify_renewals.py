"""The renewals of the records of a report: found in the lab's folder and in sources, compared, and judged."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from blockchaintracer.core.errors import ChainUnavailable
from blockchaintracer.core.record import Domain, Kind
from blockchaintracer.core.verify.copies import Copies, SourceError
from blockchaintracer.core.verify.outcomes import Check, Outcome, Report
from blockchaintracer.extras.renewal.judge import Broken, Renewal, Standing, WitnessedTime, checks_of, compare
from blockchaintracer.extras.renewal.parts import Evidence
from blockchaintracer.extras.renewal.renewal_file import FOLDER, MAX_FILE_BYTES, RenewalFile, read_renewals
from blockchaintracer.lab.kept_evidence import renewals_list
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.store.sources import limited, public_name, read_source
from blockchaintracer.lab.store.stored_copies import StoredCopies

_MOST, _MOST_BYTES = 32, 1 << 28
"""Records whose renewals are looked for at an address, and renewals of each; and bytes of all."""
_ABSENT = "does not have it"
_LIST = re.compile(rb"([0-9a-f]{64}\n)+")
R = TypeVar("R", bound=Report)
Known = Callable[[RenewalFile], Standing | None]
"""Tells of a renewal's own record; None if it is not recorded, or that is not known."""


@dataclass(frozen=True)
class Question:
    """What is asked of renewals.

    Args:
        broken: algorithms, and since when each is broken.
        as_of: what came later does not count, Unix seconds.
        witnessed: gives what witnesses say of the text of a renewal's roots.
    """

    broken: Broken = field(default_factory=dict)
    as_of: int | None = None
    witnessed: Callable[[str], Sequence[WitnessedTime]] = lambda text: ()


def with_renewals(
    report: R,
    domain: Domain,
    folders: Sequence[Path],
    copies: Copies,
    standing: Known,
    question: Question,
    evidence: Mapping[str, Evidence] | None = None,
) -> tuple[R, list[Renewal]]:
    """Add to a report what renewals say of its records. Returns it with the renewals.

    Args:
        folders: that may have renewals: the lab's, and those of sources.
        copies: where content is found.
        evidence: what else proves a record and must be renewed, by its id, where no chain is asked.
    """
    found: list[Renewal] = []
    checks: list[Check] = []
    renewed = [link.parent for it in report.records if it.key.kind == Kind.RENEWAL for link in it.parents]
    made = {it.id: it for it in read_renewals(folders, domain, renewed)[0]} if renewed else {}
    for record in report.records:
        # a damaged file is a failed check of the record that it names
        files, problems = read_renewals(folders, domain, [record.id])
        more = (evidence or {}).get(record.id, Evidence())
        witnessed = lambda it: question.witnessed(it.root_text)  # noqa: E731
        about = compare(domain, record, files, copies, standing, witnessed, question.as_of, more)
        found += about
        checks += checks_of(record, about, question.broken, question.as_of)
        checks += [Check("renewal", Outcome.FAIL, problem, record=record.id) for problem in problems]
    seen = [_root(check, made[check.record]) if check.record in made else check for check in report.checks]
    return replace(report, checks=(*seen, *checks)), found


def of_lab(lab: Lab, report: R, sources: Sequence[str], question: Question) -> tuple[R, list[Renewal]]:
    """Add what renewals say, by what the lab's folder and the sources have, and by the lab's registry."""

    def standing(renewal: RenewalFile) -> Standing | None:
        try:
            status = lab.registry.status(renewal.id)
        except ChainUnavailable:
            return None
        return Standing(status.recorded_at, status.retracted_at, str(lab.registry)) if status.exists else None

    with TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        (fetched := Path(scratch) / FOLDER).mkdir()
        report = _fetched(report, [source for source in sources if "://" in source], fetched)
        folders = [lab.home.path, *folders_of(sources), fetched.parent]
        return with_renewals(report, lab.domain, folders, StoredCopies(lab.store, sources), standing, question)


def _fetched(report: R, addresses: Sequence[str], folder: Path) -> R:
    """Fetch the renewals that are listed at addresses for the records of a report. What can't be read is noted."""
    notes, left = list(report.notes), _MOST_BYTES
    for address in addresses:
        for record in report.records[:_MOST]:
            try:
                listed = _read(address, renewals_list(record.id), 65 * _MOST)
                # many servers answer any name with a page of theirs, which says nothing
                for name in listed.decode().split() if _LIST.fullmatch(listed) else ():
                    data = _read(address, f"{FOLDER}/{name}.json", min(MAX_FILE_BYTES, left))
                    left -= len(data)
                    # another address may have others under that name
                    (folder / f"{sha256(data).hexdigest()}.json").write_bytes(data)
            except SourceError as error:
                if str(error) != _ABSENT:
                    notes.append(f"Renewals of {record.id} at {public_name(address)} were not read: it {error}.")
    return replace(report, notes=tuple(notes))


def _read(address: str, name: str, most: int) -> bytes:
    return b"".join(limited(read_source(address, name), most, wrong=True))


def folders_of(sources: Sequence[str]) -> list[Path]:
    """Return the sources that are folders."""
    return [Path(source) for source in sources if "://" not in source]


def _root(check: Check, renewal: RenewalFile) -> Check:
    """Say of a renewal what its subject is: the tree that was read has this root."""
    if check.name != "subject":
        return check
    leaves, missing = len(renewal.tree.leaves), len(renewal.tree.missing)
    detail = f"computed again: the root by SHA3-256 of a tree of {leaves} leaves, which leaves out {missing}"
    return replace(check, verdict=Outcome.PASS, detail=detail)
