"""A claim: the statement of a member who they are, its names, and whether it holds against its record. No I/O but that
of the lab that records it.
"""

from __future__ import annotations

import secrets
from contextlib import suppress

from blockchaintracer.core.errors import ChainUnavailable, InputError, NodeError
from blockchaintracer.core.manifest import Manifest, Parent
from blockchaintracer.core.manifest.predicates import IdentityClaimPredicate, IdentityStatement
from blockchaintracer.core.record import (
    GLOBAL_PREFIX,
    Domain,
    Kind,
    RecordKey,
    Relation,
    Role,
    checksummed,
    from_hex,
    to_hex,
)
from blockchaintracer.extras.identity.identifiers import TITLES, ens_chain, normal
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.kept_identities import holder_name, is_signed_by_key
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.commit import commit, require_recorder
from blockchaintracer.lab.recording.content import not_before

_ERC_1271 = bytes.fromhex("1626ba7e")
_CLOCKS_S = 300
"""How far the clock of who signs may be ahead of the chain's."""


def names(statement: IdentityStatement) -> dict[str, str]:
    """Return the texts by which the other side may name a claim, its account or its group; and which of them each is.

    Each holds chain and registry, so that what is written for one registry means nothing in another.
    """
    where = f"{GLOBAL_PREFIX}{statement.chain_id}:{statement.registry}"
    told = {f"{where}/claim/0x{statement.digest()}": "claim"}
    if statement.group is None:
        return told | {f"{where}/account/{statement.account}": "account"}
    return told | {f"{where}/group/{statement.group}": "group"}


def holder_of(domain: Domain, statement: IdentityStatement) -> str:
    """Return the name of the account or group of a registry that a statement is about."""
    return holder_name(domain, account=None if statement.group else statement.account, group=statement.group)


def title(statement: IdentityStatement) -> str:
    """Return how people call the identifier: ``ORCID 0000-0002-1825-0097``."""
    # letters beyond ASCII are shown as numbers, too, so that nobody takes them for others
    name = statement.identifier
    if not name.isascii():
        name = f"{name} ({name!a})" if statement.scheme == "ens" else ascii(name)
    told = f"{TITLES[statement.scheme]} {name}"
    of = ens_chain(int(statement.chain_id)) if statement.scheme == "ens" else 1
    return told if of == 1 else f"{told} (of chain {of}: a test network)"


def check_claim(manifest: Manifest, key: RecordKey, domain: Domain) -> IdentityClaimPredicate:
    """Return the claim that a record commits to, if its statement is of this registry, group and author, and signed.

    Raises:
        InputError: with the first reason why it is none: nothing of it counts.
    """
    claim = manifest.predicate
    if not isinstance(claim, IdentityClaimPredicate) or key.kind != Kind.IDENTITY_CLAIM:
        raise InputError("expected the record of an identity claim, got another kind")
    said = claim.statement
    if key.manifest != manifest.digest() or key.subject != said.digest():
        raise InputError("the record is not of this statement: another digest")
    pairs = [
        ("chain", said.chain_id, str(domain.chain_id)),
        ("registry", said.registry, domain.registry.lower()),
        ("account", said.account, key.author),
        ("group", said.group, key.group if said.group is not None else None),
    ]
    for what, ours, theirs in pairs:
        if ours != theirs:
            raise InputError(
                f"the statement is for {what} {ours}, and its record is of {what} {theirs}: it is replayed"
            )
    if normal(said.scheme, said.identifier) != said.identifier:
        raise InputError(f"{said.identifier!r} is not the one form of this {TITLES[said.scheme]}")
    require_signed(said, claim.signature)
    return claim


class NotSigned(InputError):
    """The key of the account did not sign a statement; if the account is a contract, its code can say that it did."""


def check_on_chain(lab: Lab, manifest: Manifest, key: RecordKey) -> tuple[IdentityStatement, bool, str]:
    """Return the statement of a claim as `check_claim` does. If the account's key did not sign it, ask the code that
    the account had in the block of the record (ERC-1271), and return whether that was so and why it is not known.

    Raises:
        InputError: as `check_claim`, also if the code refuses the signature.
    """
    try:
        return check_claim(manifest, key, lab.domain).statement, False, ""
    except NotSigned:
        claim = manifest.predicate
        assert isinstance(claim, IdentityClaimPredicate)  # noqa: S101 -- `check_claim` looked
        record = None
        with suppress(ChainUnavailable):  # it is stored, and nothing tells its place
            record = lab.registry.find_record(lab.domain.record_id(key))
        if record is None and not lab.registry.status(lab.domain.record_id(key)).exists:
            raise
        if record is None or not record.block:
            return claim.statement, True, "its block is not known, and so not whether its account's code signed it then"
        try:
            if lab.chain.code(key.author, record.block) and _accepts(lab, claim, record.block):
                return claim.statement, True, ""
        except ChainUnavailable as error:
            why = f"the node doesn't tell whether the account's code signed it in block {record.block}: {error.message}"
            return claim.statement, True, why
        raise


def _accepts(lab: Lab, claim: IdentityClaimPredicate, block: int) -> bool:
    """Ask ``isValidSignature`` of the account. The answer that accepts is the function's own selector (ERC-1271)."""
    signature = from_hex(claim.signature)
    words = bytes.fromhex(claim.statement.digest()) + (64).to_bytes(32) + len(signature).to_bytes(32)
    question = {
        "to": checksummed(claim.statement.account),
        "data": to_hex(_ERC_1271 + words + signature.ljust(96, b"\0")),
    }
    try:
        return from_hex(lab.chain.ask("eth_call", question, hex(block)))[:32] == _ERC_1271.ljust(32, b"\0")
    except NodeError as error:
        if error.is_revert:
            return False
        raise


def require_signed(statement: IdentityStatement, signature: str) -> None:
    """Refuse a statement that the key of its account did not sign."""
    if not is_signed_by_key(statement, signature):
        raise NotSigned(f"the statement is not signed by {checksummed(statement.account)}")


def require_timely(statement: IdentityStatement, recorded_at: int) -> None:
    """Refuse a statement that says to be signed after it was recorded."""
    if int(statement.signed_at) > recorded_at + _CLOCKS_S:
        raise InputError("the statement says to be signed after its record")


def claim(lab: Lab, scheme: str, identifier: str, *, for_group: bool, supersedes: str | None = None) -> Recorded:
    """Sign and record that the signer, or the group, is known elsewhere by an identifier.

    Args:
        for_group: it is the group's identifier. Only a maintainer or the owner may say so.
        supersedes: id of the claim that this one takes the place of.

    Raises:
        InputError: before anything is written, if the identifier has no one form or the signer may not speak.
    """
    identifier = normal(scheme, identifier)
    require_recorder(lab)
    group = lab.group(Role.RECORDER)
    if for_group and not speaks_for(lab, group, lab.signer.address, lab.chain.head().timestamp):
        raise InputError(
            f"expected a maintainer or the owner of group {group} to say who it is, got {lab.signer.address}",
            hint="Claim it for your own account (leave --for-group out), or choose another --key.",
        )
    statement = IdentityStatement(
        chain_id=str(lab.domain.chain_id),
        registry=lab.domain.registry,
        account=lab.signer.address,
        group=group if for_group else None,
        scheme=scheme,  # type: ignore[arg-type]  # `normal` knows it
        identifier=identifier,
        signed_at=str(lab.chain.head().timestamp),
        nonce="0x" + secrets.token_hex(32),
    )
    signature = bytearray(lab.signer.sign_typed_data(statement.typed_data()))
    signature[64] += 27 if signature[64] < 2 else 0
    require_signed(statement, f"0x{signature.hex()}")
    parents = (Parent(record=supersedes, relation=Relation.SUPERSEDES),) if supersedes else ()
    predicate = IdentityClaimPredicate(
        name=f"{TITLES[scheme]} {identifier}",
        subject_type="statement",
        statement=statement,
        signature=f"0x{signature.hex()}",
        parents=parents,
        not_before=not_before(lab),
    )
    return commit(lab, Manifest.of(Kind.IDENTITY_CLAIM, predicate), predicate.links())


def speaks_for(lab: Lab, group: int, account: str, time: int) -> bool:
    """Return whether an account owns a group, or is its maintainer at a time (Unix seconds)."""
    owns = lab.registry.group(group).owner.lower() == account.lower()
    return owns or lab.registry.membership(group, account).holds(Role.MAINTAINER, time)
