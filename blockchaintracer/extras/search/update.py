"""Searching a registry and following lineage: the index, brought up to date first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.plain_json import MAX_BYTES
from blockchaintracer.extras.search import Index
from blockchaintracer.extras.search.database import HOLE
from blockchaintracer.lab.kept_proofs import batch_hint
from blockchaintracer.lab.lab import Lab

_LACKING = "SELECT digest FROM documents WHERE json IS NULL AND problem IS NULL ORDER BY pk DESC LIMIT 1000"


@contextmanager
def up_to_date(
    lab: Lab, *, offline: bool = False, rescan: bool = False, sources: Sequence[str] = ()
) -> Iterator[Index]:
    """Open the lab's index, with the events that the chain has added. The user is told if it had to be built anew.

    Args:
        offline: do not ask the chain; use what the index holds.
        rescan: read all events anew, from receipts.
        sources: published stores that may have manifests which the lab's store lacks. What is found stays in the store.
    """
    with Index(lab.home.index) as index:
        if not offline:
            try:
                report = index.sync(lab.registry, lab.store, rescan=rescan)
                lacking = index.rows(_LACKING) if sources else []
                if lab.store.fetch_some([row["digest"].hex() for row in lacking], sources, MAX_BYTES):
                    index.sync(lab.registry, lab.store)
            except ChainUnavailable as error:
                hint = f"{error.hint or 'Try again when the chain is back.'} --offline searches what was read before."
                raise ChainUnavailable(error.message, hint=hint) from None
            if report.gap:
                index.gap = report.gap
                lab.say(f"what is older may be missing in the index: {report.gap}")
            if report.rebuilt:
                lab.say(f"the index was built anew: {report.rebuilt}")
            for event in report.unexpected:
                lab.say(f"the registry emitted what no registry of this package emits: {event}")
            if not report.gap and (groups := lab.registry.last_group()) > (known := index.groups(lab.registry)):
                lab.say(f"the registry has {groups} groups, and the node told of {known}. {HOLE}")
            for digest in report.damaged_manifests:
                lab.say(f"the manifest {digest} in the store is damaged: fetch it again from where it was published")
        try:
            yield index
        except InputError as problem:
            unknown = problem.values.get("record")
            if unknown and index.gap:
                raise ChainUnavailable(
                    f"whether {unknown} is recorded is not known to the index: {index.gap}",
                    hint="Ask an archive node (--rpc), or import the registry (`blockchaintracer import`).",
                ) from None
            if unknown and not offline:
                problem.hint = batch_hint(lab, unknown) or problem.hint
            raise
