"""Asks ENS: the text record `blockchaintracer` of a name (ENSIP-5), read through the chain's registry and the name's
resolver. Names that a resolver looks up off chain (ERC-3668) are not read.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from blockchaintracer.core.errors import ChainUnavailable, ContractRevert, InputError
from blockchaintracer.core.manifest.predicates import IdentityStatement
from blockchaintracer.core.networks import DEVNET, when
from blockchaintracer.core.plain_json import canonical
from blockchaintracer.core.record import checksummed, keccak, to_hex, unsigned
from blockchaintracer.extras.identity.identifiers import ens_chain
from blockchaintracer.extras.identity.identity_page import judge_page, read_object
from blockchaintracer.extras.identity.other_side import LIMIT, Asking, Named
from blockchaintracer.lab.formats import IDENTITY_PAGE

if TYPE_CHECKING:
    from blockchaintracer.core.chain import Chain

KEY = "blockchaintracer"
"""Key of the text record: the names, with spaces between."""
REGISTRY = "0x00000000000C2E074eC69A0dFb2997BA6C7d2e1e"
"""ENS's registry on Ethereum and its test networks (docs.ens.domains, Deployments)."""
REGISTRY_VARIABLE, RPC_VARIABLE = "BLOCKCHAINTRACER_ENS_REGISTRY", "BLOCKCHAINTRACER_ENS_RPC"
"""Another registry, on a devnet alone; and a node of Ethereum, for registries on other chains."""


class Ens:
    """The text record, as a page that names the block's number and the resolver."""

    name, proves = "ens", False

    def address(self, statement: IdentityStatement) -> str:
        """Return what is asked, for people."""
        return f"the text record {KEY!r} of {statement.identifier}, ENS of chain {ens_chain(int(statement.chain_id))}"

    def fetch(self, statement: IdentityStatement, asking: Asking) -> bytes | None:
        """Return the text record as a page, None if the name has no resolver or no such text."""
        chain = _chain(statement, asking)
        registry = (
            os.environ.get(REGISTRY_VARIABLE) if chain.chain_id == DEVNET.chain_id and asking.allow_local else REGISTRY
        )
        if not registry or not chain.has_code(checksummed(registry)):
            raise InputError(f"expected ENS's registry on {chain.name}, got no contract at {registry}")
        node, head = namehash(statement.identifier), chain.head()
        resolver = _address(_call(chain, registry, "resolver(bytes32)", node))
        if not int(resolver, 16) or not chain.has_code(resolver):
            return None
        text = _text(_call(chain, resolver, "text(bytes32,string)", node, KEY))
        if not text:
            return None
        page = {"type": str(IDENTITY_PAGE), "of": f"ens:{statement.identifier}", "names": text.split()}
        page |= {"chainId": str(chain.chain_id), "block": str(head.number), "resolver": resolver}
        if (expires := _expires(chain, registry, statement.identifier)) is not None:
            page |= {"expires": str(expires), "time": str(head.timestamp)}
        return canonical(page)

    def names(self, data: bytes, statement: IdentityStatement, at: int) -> Named:
        """Say whether the text names the claim, account or group, and the name had not expired."""
        named = judge_page(data, statement)
        page = read_object(data) if named.says else {}
        if "expires" not in page:
            return named
        try:
            expires, time = (unsigned(int(page[name]), 256) for name in ("expires", "time"))
        except (InputError, KeyError, TypeError, ValueError):
            return Named(False, "it is no such page: it does not say when the name expires")
        if expires < time:
            return Named(False, f"the name expired on {when(expires)}: what it says is of its last owner")
        return named


def namehash(name: str) -> bytes:
    """Compute the node of a name in its one form (EIP-137)."""
    node = bytes(32)
    for label in reversed(name.split(".")):
        node = keccak(node + keccak(label.encode()))
    return node


def _chain(statement: IdentityStatement, asking: Asking) -> Chain:
    from blockchaintracer.core.chain import Chain

    expected, rpc = ens_chain(int(statement.chain_id)), os.environ.get(RPC_VARIABLE)
    chain = Chain.connect(rpc) if rpc else asking.chain() if asking.chain else None
    if chain is None or chain.chain_id != expected:
        where = f"got one of chain {chain.chain_id}" if chain else "got none"
        raise ChainUnavailable(
            f"expected a node of chain {expected}, whose ENS has the name, {where}", hint=f"Set ${RPC_VARIABLE}."
        )
    return chain


def _expires(chain: Chain, registry: str, name: str) -> int | None:
    """Return when a name below .eth expires, in Unix seconds, by the registrar; None of other names. Its text stays
    readable after that."""
    *_, label, top = name.split(".")
    if top != "eth":
        return None
    registrar = _address(_call(chain, registry, "owner(bytes32)", namehash(top)))
    token = int.from_bytes(keccak(label.encode()))
    answer = _call(chain, registrar, "nameExpires(uint256)", token)
    if len(answer) != 32:
        raise InputError(f"expected the time when {name} expires from the registrar {registrar}, got something else")
    return int.from_bytes(answer)


def _call(chain: Chain, to: str, signature: str, *values: object) -> bytes:
    from blockchaintracer.core.chain.coding import encode

    parts = [{"type": kind} for kind in signature.partition("(")[2].rstrip(")").split(",")]
    try:
        return chain.call(to, to_hex(keccak(signature.encode())[:4] + encode(parts, values)))
    except ContractRevert:
        raise InputError(f"the contract {to} refuses {signature}: the name is not read on chain") from None


def _address(answer: bytes) -> str:
    if len(answer) != 32:
        raise InputError("expected an address from ENS's registry, got something else")
    return checksummed(to_hex(answer[12:]))


def _text(answer: bytes) -> str:
    from blockchaintracer.core.chain.coding import decode

    if len(answer) > LIMIT:
        raise InputError(f"expected a text of at most {LIMIT} bytes, got more")
    try:
        return str(decode([{"type": "string"}], answer)[0])
    except ValueError as error:
        raise InputError(f"expected a text from the resolver, got something else ({error})") from None


METHOD = Ens()
