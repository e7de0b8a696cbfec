"""Who stands behind what a verb shows, by claims that are kept or published. Without one the extra is not imported."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from blockchaintracer.core.errors import BlockchainTracerError, InputError
from blockchaintracer.lab.formats import IDENTITIES
from blockchaintracer.lab.kept_identities import holders_of, kept_files
from blockchaintracer.lab.lab import Lab

if TYPE_CHECKING:
    from blockchaintracer.core.verify.standing import BundleReport

_HOLDERS, _IDENTIFIERS = "blockchaintracer.extras.identity.holders", "blockchaintracer.extras.identity.identifiers"
"""Imported by name, as all extras are, when they are needed."""


def has_claims(lab: Lab, names: Iterable[str], sources: Sequence[str] = ()) -> bool:
    """Return whether a claim of one of these accounts and groups is kept or published."""
    return next((it for name in names for it in kept_files(lab.home, sources, name)), None) is not None


def known_holders(lab: Lab, records: Sequence[Any], sources: Sequence[str] = ()) -> tuple[Any, ...]:
    """Return the holders of the authors and groups of records or rows, without asking the other sides. What can't be
    found out is left out: the verb shows something else."""
    try:
        names = holders_of(lab.domain, records)
        if not has_claims(lab, names, sources):
            return ()
        groups = {it.group for it in records}
        holders: tuple[Any, ...] = import_module(_HOLDERS).of_names(lab, names, groups, sources=sources)
        return holders
    except BlockchainTracerError as error:
        lab.say(f"Who author and group are was not found out: {error.message}")
        return ()


def claimants(lab: Lab, by: str, sources: Sequence[str], ask: bool, allow_local: bool) -> tuple[Any, ...]:
    """Return the confirmed claims to an identifier that are known here: by the other side if it is asked now, else by
    the word of another group, which is shown with them."""
    scheme, identifier = import_module(_IDENTIFIERS).parse_identifier(by)
    holders = import_module(_HOLDERS)
    asking = holders.Asking(allow_local, lambda: lab.chain) if ask else None
    who: tuple[Any, ...] = holders.by_identifier(lab, scheme, identifier, sources, asking)
    if not who:
        told = "that the other side confirms" if ask else "that another group saw confirmed"
        raise InputError(
            f"expected a claim to {scheme}:{identifier} that is known here and {told}, got none",
            hint="Ask now: --check-identity. Take a claim in: `identity check ID --from FOLDER|URL`. `identity list` "
            "shows those that are known.",
        )
    return who


def bundle_with_holders(report: BundleReport) -> tuple[BundleReport, list[Any]]:
    """Return the report of a bundle with the claims that it holds, and the holders that these name."""
    if not any(what == "identity" and IDENTITIES.names(item["type"]) for what, item in report.bundle.evidence):
        return report, []
    checks, holders = import_module("blockchaintracer.extras.identity.in_bundle").judged(report.bundle)
    return report.beside(checks, {str(IDENTITIES)}), holders
