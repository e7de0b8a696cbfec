"""What the communities that a user trusts say of a registry and its groups. Without one the extra is not imported."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

from blockchaintracer.core.errors import BlockchainTracerError, InputError, NotVerified
from blockchaintracer.core.networks import network_by_name
from blockchaintracer.core.record import Domain
from blockchaintracer.core.verify import Check, Outcome, Report
from blockchaintracer.lab.lab_folder import Home

_BOOKS = "blockchaintracer.extras.community.kept_books"


def community_words(home: Home, domain: Domain, groups: Collection[int]) -> tuple[Sequence[Any], list[str]]:
    """Return what communities say of a registry and its groups, and why it could not be read, if so."""
    if not any((home.path / "communities").glob("*.json")):
        return (), []
    try:
        return import_module(_BOOKS).words(home, domain, groups), []
    except BlockchainTracerError as error:
        return (), [f"What communities say could not be read: {error.message}"]


def with_communities(home: Home, domain: Domain, report: Report, chosen: str | None) -> tuple[Report, dict[str, Any]]:
    """Add what communities say of a report's registry and groups. Those of a chosen one alone count."""
    said, notes = community_words(home, domain, {it.group for it in report.records})
    checks = list(report.checks)
    if chosen:
        records = [(it.id, it.group) for it in report.records]
        checks += import_module(_BOOKS).group_checks(home, chosen, domain, records)
        if not records:
            checks.append(Check("community", Outcome.UNKNOWN, "there is no record whose group could be compared"))
    report = replace(report, checks=tuple(checks), notes=(*report.notes, *notes))
    return report, {"communities": said} if said else {}


def registry_of_community(home: Home, chosen: str, network: str | None, chain_id: int | None) -> str | None:
    """Return the one registry that a community names on a chain; None if no chain is named here.

    Raises:
        InputError: if it names none there, or several.
    """
    chain = chain_id or (network_by_name(network).chain_id if network else None)
    if chain is None:
        return None
    book = import_module(_BOOKS).find_book(home, chosen).book
    there = [it for it in book.registries if it.chain_id == chain]
    if len(there) != 1:
        named = ", ".join(f"{it.registry} ({it.name})" for it in there) or "none"
        raise InputError(
            f"expected one registry of {chosen} on chain {chain}, got {named}", hint="Name one: --registry ADDRESS."
        )
    return str(there[0].registry)


def groups_that_count(home: Home, chosen: str | None, domain: Domain) -> tuple[int, ...]:
    """Return the groups of a registry that a community trusts; none named: all, or `with_communities` fails."""
    registry = import_module(_BOOKS).trusted(home, chosen, domain) if chosen else None
    return tuple(it.group for it in registry.groups or ()) if registry else ()


def groups_of_bundle(home: Home, chosen: str, domain: Domain) -> tuple[int, ...]:
    """Return the groups that count of a bundle's registry; none named: all.

    Raises:
        NotVerified: if the community does not trust that registry, or no group of it.
    """
    registry = import_module(_BOOKS).trusted(home, chosen, domain)
    if registry is None or registry.groups == ():
        where = f"registry {domain.registry} on chain {domain.chain_id}"
        raise NotVerified(f"{chosen} names no group of {where} that counts")
    return tuple(it.group for it in registry.groups or ())
