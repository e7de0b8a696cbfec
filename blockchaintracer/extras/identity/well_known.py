"""Asks a domain: its file ``https://D/.well-known/blockchaintracer.json`` (RFC 8615)."""

from __future__ import annotations

from blockchaintracer.core.manifest.predicates import IdentityStatement
from blockchaintracer.extras.identity.identity_page import judge_page
from blockchaintracer.extras.identity.other_side import Asking, Named, base_address, get

VARIABLE = "BLOCKCHAINTRACER_WELL_KNOWN"
"""Names where domains are asked instead, for tests and mirrors: ``{domain}`` in it is replaced."""
PATH = "/.well-known/blockchaintracer.json"


def site(domain: str, asking: Asking) -> str:
    """Return the address of a domain's site."""
    return base_address(VARIABLE, "https://{domain}", asking).replace("{domain}", domain)


class WellKnown:
    """The file of the domain."""

    name, proves = "well-known", False

    def address(self, statement: IdentityStatement) -> str:
        """Return what is asked, for people."""
        return f"https://{statement.identifier}{PATH}"

    def fetch(self, statement: IdentityStatement, asking: Asking) -> bytes | None:
        """Return the file, None if there is none."""
        return get(site(statement.identifier, asking) + PATH, asking)

    def names(self, data: bytes, statement: IdentityStatement, at: int) -> Named:
        """Say whether the file names the claim, account or group."""
        return judge_page(data, statement)


METHOD = WellKnown()
