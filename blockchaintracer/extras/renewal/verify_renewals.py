"""The renewals of the records of a report: found in the lab's folder and in sources, compared, and judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from blockchaintracer.core.errors import ChainUnavailable
from blockchaintracer.core.verify.outcomes import Check, Outcome, Report
from blockchaintracer.extras.renewal.judge import Broken, Renewal, Standing, WitnessedTime, checks_of, compare
from blockchaintracer.extras.renewal.renewal_file import FOLDER, RenewalFile, read_renewals
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.store.stored_copies import StoredCopies

Witnessed = Callable[[str], Sequence[WitnessedTime]]
"""Gives what witnesses say of a text, such as that of a renewal's roots."""


def has_any(lab: Lab, sources: Sequence[str]) -> bool:
    """Whether the lab's folder or a source has a renewal."""
    return any((folder / FOLDER).is_dir() for folder in _folders(lab, sources))


def with_renewals(
    lab: Lab,
    report: Report,
    *,
    sources: Sequence[str] = (),
    broken: Broken | None = None,
    as_of: int | None = None,
    witnessed: Witnessed = lambda text: (),
) -> tuple[Report, list[Renewal]]:
    """Add to a report what renewals say of its records. Returns it with the renewals.

    Args:
        broken: algorithms, and since when each is broken.
        as_of: what came later does not count, Unix seconds.
    """
    files, problems = read_renewals(_folders(lab, sources), lab.domain)
    copies = StoredCopies(lab.store, sources)

    @cache
    def standing(renewal_id: str) -> Standing | None:
        try:
            status = lab.registry.status(renewal_id)
        except ChainUnavailable:
            return None
        return Standing(status.recorded_at, status.retracted_at, str(lab.registry)) if status.exists else None

    def of_file(renewal: RenewalFile) -> Standing | None:
        return standing(renewal.id)

    found: list[Renewal] = []
    checks: list[Check] = []
    for record in report.records:
        of_it = compare(lab.domain, record, files, copies, of_file, lambda it: witnessed(it.root_text), as_of)
        found += of_it
        checks += checks_of(record, of_it, broken or {}, as_of)
        # a damaged file is a failed check of what it says to be about
        told = [problem for ids, problem in problems if record.id in ids]
        checks += [Check("renewal", Outcome.FAIL, problem, record=record.id) for problem in told]
    return replace(report, checks=(*report.checks, *checks)), found


def _folders(lab: Lab, sources: Sequence[str]) -> list[Path]:
    return [lab.home.path, *(Path(source) for source in sources if "://" not in str(source))]
