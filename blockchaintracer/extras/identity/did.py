"""Asks a domain by DIF's Well Known DID Configuration: ``https://D/.well-known/did-configuration.json`` names the
account as did:pkh, which holds its chain and address.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest.predicates import IdentityStatement
from blockchaintracer.extras.identity.identity_page import MAX_NAMES, read_object
from blockchaintracer.extras.identity.other_side import Asking, Named, get
from blockchaintracer.extras.identity.well_known import site

PATH = "/.well-known/did-configuration.json"
_WORD = "the domain's word: the proof of the credential is not checked, the signed claim takes its place"


class DidConfiguration:
    """A Domain Linkage Credential for the account's did:pkh. JWTs in the list are left alone."""

    name, proves = "did-configuration", False

    def address(self, statement: IdentityStatement) -> str:
        """Return what is asked, for people."""
        return f"https://{statement.identifier}{PATH}"

    def fetch(self, statement: IdentityStatement, asking: Asking) -> bytes | None:
        """Return the file, None if there is none."""
        return get(site(statement.identifier, asking) + PATH, asking)

    def names(self, data: bytes, statement: IdentityStatement, at: int) -> Named:
        """Say whether a credential links the domain and the account, and had not ended at a time."""
        if statement.group is not None:
            return Named(False, "a DID names an account, not a group")
        try:
            linked = read_object(data).get("linked_dids")
        except InputError as error:
            return Named(False, f"it is no such page: {error.message[:300]}")
        if not isinstance(linked, list) or len(linked) > MAX_NAMES:
            return Named(False, f"expected at most {MAX_NAMES} credentials in its list `linked_dids`")
        if any(_links(credential, statement, at) for credential in linked):
            return Named(True, f"it names the account as did:pkh ({_WORD})", "account")
        return Named(False, f"no credential links {did(statement)} and https://{statement.identifier}")


def did(statement: IdentityStatement) -> str:
    """Return did:pkh of the account."""
    return f"did:pkh:eip155:{statement.chain_id}:{statement.account}"


def _links(credential: Any, statement: IdentityStatement, at: int) -> bool:
    if not isinstance(credential, dict) or not isinstance(subject := credential.get("credentialSubject"), dict):
        return False
    kinds, dids = credential.get("type"), (credential.get("issuer"), subject.get("id"))
    return (
        isinstance(kinds, list)
        and "DomainLinkageCredential" in kinds
        and all(isinstance(it, str) and it.isascii() and it.lower() == did(statement) for it in dids)
        and subject.get("origin") == f"https://{statement.identifier}"
        and _time(credential.get("issuanceDate"), at) <= at <= _time(credential.get("expirationDate"), at - 1)
    )


def _time(text: Any, otherwise: int) -> float:
    """Return a time of the credential; `otherwise`, which makes it not count or count, if it has none that is one."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.timestamp() if moment.tzinfo else otherwise
    except (TypeError, ValueError, OverflowError):
        return otherwise


METHOD = DidConfiguration()
