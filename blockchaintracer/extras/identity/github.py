"""Asks GitHub: the file ``blockchaintracer.json`` in the user's profile repository, which has the user's own name."""

from __future__ import annotations

from blockchaintracer.core.manifest.predicates import IdentityStatement
from blockchaintracer.extras.identity.identity_page import judge_page
from blockchaintracer.extras.identity.other_side import Asking, Named, base_address, get

VARIABLE, SERVICE = "BLOCKCHAINTRACER_GITHUB", "https://raw.githubusercontent.com"
FILE = "blockchaintracer.json"


class GitHub:
    """The file in USER/USER, on the branch that is its default one."""

    name, proves = "github", False

    def address(self, statement: IdentityStatement) -> str:
        """Return what is asked, for people."""
        return f"{SERVICE}/{statement.identifier}/{statement.identifier}/HEAD/{FILE}"

    def fetch(self, statement: IdentityStatement, asking: Asking) -> bytes | None:
        """Return the file, None if there is none."""
        user = statement.identifier
        return get(f"{base_address(VARIABLE, SERVICE, asking)}/{user}/{user}/HEAD/{FILE}", asking)

    def names(self, data: bytes, statement: IdentityStatement, at: int) -> Named:
        """Say whether the file names the claim, account or group."""
        return judge_page(data, statement)


METHOD = GitHub()
