"""Asks ORCID's public record (API 3.0): websites and external identifiers that name the account, group or claim."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest.predicates import IdentityStatement
from blockchaintracer.extras.identity.identity_page import read_object
from blockchaintracer.extras.identity.other_side import Asking, Named, base_address, get, judge

VARIABLE, SERVICE = "BLOCKCHAINTRACER_ORCID", "https://pub.orcid.org"
_LISTS = {"researcher-urls": "researcher-url", "external-identifiers": "external-identifier"}


class Orcid:
    """The part of a public record that is about the person. Only what is public is given to a stranger."""

    name, proves = "orcid", False

    def address(self, statement: IdentityStatement) -> str:
        """Return what is asked, for people."""
        return f"{SERVICE}/v3.0/{statement.identifier}/person"

    def fetch(self, statement: IdentityStatement, asking: Asking) -> bytes | None:
        """Return the public record, None if there is none."""
        return get(f"{base_address(VARIABLE, SERVICE, asking)}/v3.0/{statement.identifier}/person", asking)

    def names(self, data: bytes, statement: IdentityStatement, at: int) -> Named:
        """Say whether a website or an identifier of the record names the claim, account or group."""
        try:
            person = read_object(data)
        except InputError as error:
            return Named(False, f"it is no ORCID record: {error.message[:300]}")
        if person.get("path") != (expected := f"/{statement.identifier}/person"):
            return Named(False, f"it is {ascii(person.get('path'))[:100]}, not {expected}")
        return judge(_texts(person), statement)


def _texts(person: dict[str, Any]) -> Iterator[str]:
    """Yield what the record names: a website's whole address or the part behind ``#``, an identifier's value or
    address."""
    for group, name in _LISTS.items():
        entries = person.get(group)
        listed = entries.get(name) if isinstance(entries, dict) else None
        for entry in listed if isinstance(listed, list) else ():
            if not isinstance(entry, dict) or str(entry.get("visibility")).lower() != "public":
                continue
            given = [entry.get("external-id-value")]
            given += [it.get("value") for key in ("url", "external-id-url") if isinstance(it := entry.get(key), dict)]
            for text in given:
                if isinstance(text, str):
                    # as it stands: a parser of addresses would leave characters out
                    yield from (text, text.partition("#")[2])


METHOD = Orcid()
