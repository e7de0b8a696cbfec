"""Many memberships at once: by the RegistryLens where the chain has it."""

from __future__ import annotations

from collections.abc import Sequence

from blockchaintracer.core.chain.lens import each
from blockchaintracer.core.chain.registry import Membership, Registry
from blockchaintracer.core.record import checksummed


def in_groups(registry: Registry, groups: Sequence[int], account: str) -> list[Membership]:
    """Return the last membership of an account in each group."""
    return each(
        registry,
        groups,
        lambda part: ("membershipsOf", part, [checksummed(account)]),
        Membership.of_abi,
        lambda group: registry.membership(group, account),
    )


def of_accounts(registry: Registry, group: int, accounts: Sequence[str]) -> list[Membership]:
    """Return the last membership of each account in a group."""
    return each(
        registry,
        accounts,
        lambda part: ("membershipsOf", [group], [checksummed(account) for account in part]),
        Membership.of_abi,
        lambda account: registry.membership(group, account),
    )
