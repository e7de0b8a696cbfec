"""Asks ROR (API 2) which domains an institution has: the domain then names the group (docs/identity.md)."""

from __future__ import annotations

from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.identity.identifiers import ror
from blockchaintracer.extras.identity.identity_page import read_object
from blockchaintracer.extras.identity.other_side import Asking, Named, base_address, get

VARIABLE, SERVICE = "BLOCKCHAINTRACER_ROR", "https://api.ror.org"


def fetch(institution: str, asking: Asking) -> bytes | None:
    """Return the record of an institution, None if there is none. `institution` is a ROR id."""
    return get(f"{base_address(VARIABLE, SERVICE, asking)}/v2/organizations/{ror(institution)}", asking)


def names(data: bytes, institution: str, domain: str) -> Named:
    """Say whether the record of an institution has a domain, itself or as the parent of this one."""
    try:
        record = read_object(data)
    except InputError as error:
        return Named(False, f"it is no ROR record: {error.message[:300]}")
    if record.get("id") != f"https://ror.org/{ror(institution)}" or record.get("status") != "active":
        return Named(False, f"it is no active record of https://ror.org/{ror(institution)}")
    listed = record.get("domains")
    known = [it for it in listed if isinstance(it, str)] if isinstance(listed, list) else []
    parent = next((it for it in known if domain == it or domain.endswith(f".{it}")), None)
    name = _name(record.get("names"))
    if parent is None:
        return Named(False, f"ROR's record of {name} does not have the domain {domain}")
    return Named(True, f"ROR names {parent} as a domain of {name}", "domain")


def _name(names: object) -> str:
    for entry in names if isinstance(names, list) else ():
        if isinstance(entry, dict) and isinstance(kinds := entry.get("types"), list) and "ror_display" in kinds:
            return ascii(entry.get("value"))[:120]
    return "the institution"
