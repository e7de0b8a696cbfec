"""Asks GitHub: the file ``blockchaintracer.json`` in the user's profile repository, which has the user's own name; and
the number of the account, for GitHub serves the file of a renamed user under the old name, which anyone can take then.
"""

from __future__ import annotations

from dataclasses import replace

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest.predicates import IdentityStatement
from blockchaintracer.core.plain_json import canonical
from blockchaintracer.extras.identity.identity_page import judge_page, read_object, read_page
from blockchaintracer.extras.identity.other_side import Asking, Named, base_address, get
from blockchaintracer.lab.formats import IDENTITY_PAGE

VARIABLE, SERVICE = "BLOCKCHAINTRACER_GITHUB", "https://raw.githubusercontent.com"
API_VARIABLE, API = "BLOCKCHAINTRACER_GITHUB_API", "https://api.github.com"
FILE = "blockchaintracer.json"


class GitHub:
    """The file in USER/USER, on the branch that is its default one."""

    name, proves = "github", False

    def address(self, statement: IdentityStatement) -> str:
        """Return what is asked, for people."""
        return f"{SERVICE}/{statement.identifier}/{statement.identifier}/HEAD/{FILE}"

    def fetch(self, statement: IdentityStatement, asking: Asking) -> bytes | None:
        """Return the file with the account that has the name now, None if there is no file."""
        user = statement.identifier
        data = get(f"{base_address(VARIABLE, SERVICE, asking)}/{user}/{user}/HEAD/{FILE}", asking)
        try:
            of, names = read_page(data or b"")
        except InputError:
            return data  # judged as it is: it is no such page
        about = get(f"{base_address(API_VARIABLE, API, asking)}/users/{user}", asking)
        known = read_object(about) if about else {}
        account = {name: str(known.get(name) or "") for name in ("login", "id")}
        account["login"] = account["login"].lower()
        return canonical({"type": str(IDENTITY_PAGE), "of": str(of), "names": names, "account": account})

    def names(self, data: bytes, statement: IdentityStatement, at: int) -> Named:
        """Say whether the file names the claim, account or group."""
        named = judge_page(data, statement)
        if not named.says or not isinstance(account := read_object(data).get("account"), dict):
            return named
        if account.get("login") != statement.identifier:
            return Named(False, "GitHub has no such user now: the file is that of a renamed one")
        return replace(named, who=f"GitHub account {ascii(account.get('id'))[:40]}")


METHOD = GitHub()
