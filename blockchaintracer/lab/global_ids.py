"""Global ids in answers for programs: each object that names a record says of which chain and registry."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from blockchaintracer.core.record import Domain

_ID = re.compile(r"0x[0-9a-f]{64}")
_RECORD_IDS = ("id", "recordId", "record")
_VERBATIM = {"manifest", "params", "metrics", "values", "arguments"}
"""What authors wrote, and what checks and reverts say, maybe of other registries: it is shown as it is."""


def with_global_ids(value: Any, domain: Callable[[], Domain | None]) -> Any:
    """Add `globalId` to each object that names a record: the id with its chain and registry, as other places need it.

    Args:
        domain: gives the registry of an object that names none itself.
    """
    if isinstance(value, list):
        return [with_global_ids(item, domain) for item in value]
    if not isinstance(value, dict):
        return value
    chain_id, registry = value.get("chainId"), value.get("registry")
    if chain_id is not None and isinstance(registry, str):
        domain = partial(Domain, int(chain_id), registry)
    answer = {key: item if key in _VERBATIM else with_global_ids(item, domain) for key, item in value.items()}
    record = next((value[name] for name in _RECORD_IDS if name in value), None)
    if isinstance(record, str) and _ID.fullmatch(record) and record != value.get("commitment"):
        where = domain()
        answer.setdefault("globalId", where and where.global_id(record))
    return answer
