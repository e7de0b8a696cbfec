"""Searching a registry and following lineage: the index, brought up to date first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.extras.search import Index
from blockchaintracer.lab.kept_proofs import batch_hint
from blockchaintracer.lab.lab import Lab


@contextmanager
def up_to_date(lab: Lab, *, offline: bool = False) -> Iterator[Index]:
    """The lab's index, with what the chain has added; the caller is told where it had to be built anew.

    Args:
        offline: ask no chain; what the index holds is what there is.

    Raises:
        ChainUnavailable: if the chain is away and `offline` wasn't said.
    """
    with Index(lab.home.index) as index:
        if not offline:
            try:
                report = index.sync(lab.registry, lab.store)
            except ChainUnavailable as away:
                raise ChainUnavailable(
                    away.message, hint="--offline searches what was read before; or try again when the chain is back."
                ) from None
            if report.rebuilt:
                lab.say(f"the index was built anew: {report.rebuilt}")
            for digest in report.damaged_manifests:
                lab.say(f"the manifest {digest} in the store is damaged: fetch it again from where it was published")
        try:
            yield index
        except InputError as problem:
            unknown = problem.values.get("record")
            if unknown and not offline:
                problem.hint = batch_hint(lab, unknown) or problem.hint
            raise
