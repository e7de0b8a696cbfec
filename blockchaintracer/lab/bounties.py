"""Bounties for reproducing a record: fund one, enter with a sealed verdict, claim a share, take back what is left.

The contract is ReplicationBounty (docs/consumers.md). Each registry has one, at an address that follows from its code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from blockchaintracer.core.chain.abi import interface, load_artifact, shipped_code
from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.plain_json import canonical, fields_json, read_strictly
from blockchaintracer.core.record import Verdict, checksummed, from_hex, keccak, to_hex, unsigned
from blockchaintracer.lab.chain import bounty_calls
from blockchaintracer.lab.chain.bounty_calls import NO_TOKEN
from blockchaintracer.lab.files import write_output
from blockchaintracer.lab.formats import BOUNTY
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Entry, Op, Transaction
from blockchaintracer.lab.seals import kept_seal

CLAIM_WINDOW_S = 30 * 86400
"""How long groups can claim after the last verdict (interfaces/IReplicationBounty.sol)."""
PAID = (Verdict.REPRODUCED, Verdict.NOT_REPRODUCED)
_MOST_BYTES = 1 << 16
_MOST_GROUPS = 32
_ETHER_DECIMALS = 18


@dataclass(frozen=True)
class Terms:
    """The contract's ``Bounty``. Amounts are in the token's smallest unit, times in Unix seconds.

    Args:
        token: address of the ERC-20 token of the shares; `NO_TOKEN` is ether.
        share: what each group gets.
    """

    sponsor: str
    record: str
    groups: list[int]
    token: str
    share: int
    entry_until: int
    verdict_until: int

    @property
    def total(self) -> int:
        """What the sponsor pays in."""
        return self.share * len(self.groups)

    @property
    def claim_until(self) -> int:
        """Until when groups can claim; then the sponsor takes what is left."""
        return self.verdict_until + CLAIM_WINDOW_S


def contract_of(lab: Lab) -> str:
    """Return the address of the registry's ReplicationBounty, whether or not it is there yet."""
    return bounty_calls.bounty_address(lab.registry.address)


def id_of(lab: Lab, terms: Terms) -> str:
    """Return the id of terms, funded or not: the hash of their ABI encoding."""
    return to_hex(keccak(from_hex(bounty_calls.data("idOf", asdict(terms), []))[4:]))


def amount_of(lab: Lab, text: str, token: str) -> int:
    """Read an amount in whole coins, such as 0.5, in the smallest unit of ether or a token."""
    decimals = _decimals(lab, token)
    try:
        amount = Decimal(text).scaleb(decimals)
    except InvalidOperation:
        amount = Decimal(0)
    if not 0 < amount < 2**128 or amount != int(amount):
        raise InputError(f"expected a share above 0 with at most {decimals} digits after the point, got {text[:80]!r}")
    return int(amount)


def shown_amount(lab: Lab, amount: int, token: str) -> str:
    """Return an amount in whole coins, with the token's address or ETH, the chain's own coin."""
    whole = format(Decimal(amount).scaleb(-_decimals(lab, token)).normalize(), "f")
    return f"{whole} ETH" if token == NO_TOKEN else f"{whole} of token {token}"


def _decimals(lab: Lab, token: str) -> int:
    return _ETHER_DECIMALS if token == NO_TOKEN else int(bounty_calls.token(lab.chain, token, "decimals"))


def write_terms(lab: Lab, terms: Terms, path: Path) -> None:
    """Write terms to a file, which everybody who enters, claims or takes back needs where nodes forget events."""
    write_output(path, canonical(_document(lab, terms)) + b"\n")


def _document(lab: Lab, terms: Terms) -> dict[str, Any]:
    return BOUNTY.header() | {"chainId": str(lab.chain_id), "registry": lab.registry.address} | _as_json(terms)


def read_terms(lab: Lab, text: str) -> Terms:
    """Return the terms of a bounty from their file, or by their id from the event that funded them.

    Raises:
        InputError: if they are of another registry, or no such event is found.
    """
    if Path(text).is_file():
        data = read_limited(Path(text), _MOST_BYTES, "the terms of a bounty")
        return read_strictly(
            data, BOUNTY, text, lambda found: _required(lab, found), lambda terms: _document(lab, terms)
        )
    if not text.startswith("0x"):
        raise InputError(
            f"expected the file of a bounty or its id, 0x and 64 hex digits, got {text[:80]!r}, which is no file here",
            hint="`bounty fund` writes bounty.json; its id is enough where the node knows the event.",
        )
    identifier = lab.parse_id(text, "file or id of a bounty")
    code = interface("ReplicationBounty")
    topics = code.filter("Funded", {"id": from_hex(identifier)})
    question = {"address": contract_of(lab), "topics": topics, "fromBlock": hex(lab.registry.first_block)}
    try:
        events = [code.event(log) for log in lab.chain.logs(question)]
    except ChainUnavailable as error:
        error.hint = "Ask the sponsor for the file with the terms, and give it in place of the id."
        raise
    if not events or events[0] is None:
        raise InputError(
            f"the node shows no bounty {identifier} at {contract_of(lab)}",
            hint="Check id, chain and registry; a node may have forgotten the event: give the file with the terms.",
        )
    values = list(events[0].args["bounty"].values())
    terms = Terms(values[0], to_hex(values[1]), list(values[2]), *values[3:])
    if id_of(lab, terms) != identifier:
        raise InputError(f"the node shows terms of another bounty than {identifier}")
    return terms


def _as_json(terms: Terms) -> dict[str, Any]:
    return fields_json(terms, share=str(terms.share))


def _required(lab: Lab, found: Mapping[str, Any]) -> Terms:
    if (found["chainId"], found["registry"]) != (str(lab.chain_id), lab.registry.address):
        raise InputError(f"a bounty of registry {str(found['registry'])[:60]} on chain {str(found['chainId'])[:20]}")
    groups = [unsigned(group, 32) for group in found["groups"]]
    if len(groups) > _MOST_GROUPS:
        raise InputError(f"expected at most {_MOST_GROUPS} groups, got {len(groups)}")
    return Terms(
        checksummed(found["sponsor"]),
        lab.parse_id(found["record"]),
        groups,
        checksummed(found["token"]),
        unsigned(int(found["share"]), 128),
        unsigned(found["entryUntil"], 40),
        unsigned(found["verdictUntil"], 40),
    )


def facts(lab: Lab, terms: Terms) -> dict[str, Any]:
    """Return what the chain holds of a bounty: money, entries, and what can be done now."""
    identifier, contract = id_of(lab, terms), contract_of(lab)
    is_there, now = lab.chain.has_code(contract), lab.chain.head().timestamp
    held = bounty_calls.read(lab.chain, contract, "held", identifier) if is_there else 0
    entries = []
    for group in terms.groups if is_there else ():
        attester, commitment, sealed_at, paid = bounty_calls.read(lab.chain, contract, "entryOf", identifier, group)
        if int(attester, 16):
            entries.append(
                {
                    "group": group,
                    "attester": attester,
                    "commitment": to_hex(commitment),
                    "sealedAt": sealed_at,
                    "paid": paid,
                }
            )
    ends = {"enter": terms.entry_until, "reveal": terms.verdict_until, "claim": terms.claim_until}
    phase = next((name for name, end in ends.items() if now <= end), "refund") if held else "over"
    return _as_json(terms) | {
        "bounty": identifier,
        "contract": contract,
        "held": str(held),
        "entries": entries,
        "claimUntil": terms.claim_until,
        "next": phase,
    }


def check_funding(lab: Lab, terms: Terms) -> bool:
    """Ask before anything is paid whether the contract would take terms; return whether the contract is there.

    Raises:
        ContractRevert, InputError: if it would not, or the sponsor lacks the money.
    """
    contract, sponsor = contract_of(lab), lab.signer.address
    lab.fund_on_devnet()
    is_there = lab.chain.has_code(contract)
    if terms.token == NO_TOKEN:
        has = lab.chain.balance(sponsor)
    else:
        has = bounty_calls.token(lab.chain, terms.token, "balanceOf", sponsor)
    if has < terms.total:
        raise InputError(
            f"expected {shown_amount(lab, terms.total, terms.token)} to pay in, {sponsor} has "
            f"{shown_amount(lab, has, terms.token)}"
        )
    # in ether, whoever is to pay: all but the token's own transfer is asked
    twin = replace(terms, token=NO_TOKEN)
    given = {sponsor: {"balance": hex(2 * terms.total + 10**24)}}
    if not is_there:
        given[contract] = {"code": to_hex(_runtime(lab.registry.address))}
    call = bounty_calls.data("fund", asdict(twin), [])
    bounty_calls.simulate(lab.chain, sponsor, contract, call, terms.total, given)
    return is_there


def _runtime(registry: str) -> bytes:
    code = bytearray(shipped_code("ReplicationBounty", "runtimeBytecode"))
    for place in load_artifact("ReplicationBounty")["immutables"]["registry"]:
        code[place : place + 32] = bytes.fromhex(registry[2:]).rjust(32, b"\0")
    return bytes(code)


def fund(lab: Lab, terms: Terms) -> Entry:
    """Pay all shares in. The contract is put in its place first if it is missing."""
    registry = lab.registry.address
    if not check_funding(lab, terms):
        lab.write(Transaction(Op.DEPLOY_BOUNTY, registry))
    if terms.token != NO_TOKEN:
        allowed = {"token": terms.token, "owner": lab.signer.address, "amount": terms.total}
        lab.write(Transaction(Op.APPROVE_BOUNTY, registry, **allowed))
    return _write(lab, "fund", terms, [], terms.total if terms.token == NO_TOKEN else 0)


def enter(lab: Lab, terms: Terms, group: int, commitment: str) -> Entry:
    """Commit a group to a verdict that is sealed in this folder, or by `commitment` and the signer's own seal."""
    seal = kept_seal(lab, commitment)
    if seal and (seal.verdict not in PAID or seal.record_id != terms.record or seal.group != group):
        raise InputError(
            f"expected a seal of group {group}'s verdict on {terms.record}, reproduced or not reproduced, got one of "
            f"{seal.what} on {seal.record_id} for group {seal.group}",
            hint="`blockchaintracer seal verdict` makes one.",
        )
    attester = seal.author if seal else lab.signer.address
    sealed = seal.commitment if seal else lab.parse_id(commitment, "commitment")
    return _write(lab, "enter", terms, [group, attester, sealed])


def claim(lab: Lab, terms: Terms, group: int, to: str) -> Entry:
    """Take a group's share for the verdict that it entered with, which is revealed and sealed in this folder."""
    contract, identifier = contract_of(lab), id_of(lab, terms)
    _, commitment, _, _ = bounty_calls.read(lab.chain, contract, "entryOf", identifier, group)
    if not any(commitment):
        raise InputError(f"group {group} never entered the bounty {identifier}")
    seal = kept_seal(lab, to_hex(commitment))
    if seal is None or seal.verdict is None:
        raise InputError(
            f"the seal {to_hex(commitment)} that group {group} entered with is not kept in {lab.home.path}",
            hint="Claim from the folder (--home) in which the verdict was sealed: its salt is nowhere else.",
        )
    evidence = lab.domain.record_id(seal.key) if seal.key else "0x" + "00" * 32
    opening = [seal.verdict, evidence, seal.salt]
    return _write(lab, "claim", terms, [group, opening, checksummed(to, "who gets the money")])


def refund(lab: Lab, terms: Terms, to: str) -> Entry:
    """Take back what no group claimed, as the sponsor."""
    return _write(lab, "refund", terms, [checksummed(to, "who gets the money")])


def require_money(lab: Lab, terms: Terms, group: int | None = None) -> int:
    """Return what is held of a bounty, in the token's smallest unit.

    Raises:
        InputError: if nothing is held, or `group` has had its share: nothing is paid twice.
    """
    state = facts(lab, terms)
    if any(entry["paid"] and entry["group"] == group for entry in state["entries"]):
        raise InputError(f"group {group} has had its share of the bounty {state['bounty']}")
    if state["held"] == "0":
        raise InputError(f"the contract holds nothing of the bounty {state['bounty']}: it was paid, or never funded")
    return int(state["held"])


def _write(lab: Lab, function: str, terms: Terms, more: list[Any], wei: int = 0) -> Entry:
    if not lab.chain.has_code(contract_of(lab)):
        raise InputError(f"there is no bounty on {lab.registry}: nobody has funded one")
    given = {"id": id_of(lab, terms), "function": function, "bounty": asdict(terms), "more": more, "wei": wei}
    [entry] = lab.write(Transaction(Op.BOUNTY, lab.registry.address, **given))
    return entry
