"""The networks by name that a lab can use: the built-in ones and those that were added, and which one is in use."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from blockchaintracer.core.chain import Chain
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.networks import DEVNET, NETWORKS, Network, network_by_chain_id, network_by_name, redact_url
from blockchaintracer.lab.lab import Lab

VARIABLE = "BLOCKCHAINTRACER_NETWORK"
"""Environment variable: the network to use where a command names none."""
RPC_VARIABLE = "BLOCKCHAINTRACER_RPC"
"""Environment variable: address of the node to use where nothing names one."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


def networks(lab: Lab) -> Iterator[Network]:
    """Yield the networks that can be named: the built-in ones, then those that were added."""
    yield from NETWORKS
    for name, known in lab.settings().get("networks", {}).items():
        yield _added(name, known["chainId"], known["rpc"])


def find_network(lab: Lab, name: str) -> Network:
    """Return the network of a name.

    Raises:
        InputError: if there is none.
    """
    known = [*networks(lab)]
    if found := next((network for network in known if network.name == name), None):
        return found
    return network_by_name(name, [network.name for network in known])


def use_network(lab: Lab, name: str) -> None:
    """Connect a lab to the network of a name, or to the node that was named beside it.

    Raises:
        InputError: if there is none of that name, no address of it is known, or another chain was named, too.
    """
    network = find_network(lab, name)
    if lab.named_chain not in (None, network.chain_id):
        raise InputError(f"expected one chain, got {network.name} and --chain-id {lab.named_chain}")
    if not (lab.rpc or network.rpc or network.is_devnet):
        raise InputError(f"no RPC address is known for {network.title}", hint=f"Set ${network.rpc_env}.")
    lab.network_name, lab.named_chain = network.name, network.chain_id
    lab.rpc = lab.rpc or (None if network.is_devnet else network.rpc)


def choose_network(lab: Lab, name: str | None = None) -> str:
    """Connect a lab to the network of a name. Without one, and where no node was named, either: to the network in use,
    or to the devnet of another lab that was written to last. Return which it is, if nobody named it here.

    Raises:
        InputError: as `use_network`.
    """
    lab.rpc = lab.rpc or os.environ.get(RPC_VARIABLE) or None
    if name is None and (lab.rpc or lab.connect):
        return ""
    used, source = (name, "") if name else network_in_use(lab)
    if name or source:
        use_network(lab, used)
    elif _use_last_devnet(lab):
        used, source = f"another lab's devnet at {lab.rpc}", "written to last; --network devnet is your own"
    return f"on {used}, chain {lab.named_chain} ({source})" if source and lab.rpc else ""


def network_in_use(lab: Lab) -> tuple[str, str]:
    """Return the network for commands that name none, and what says so."""
    if named := os.environ.get(VARIABLE):
        return named, f"${VARIABLE} says so"
    kept = lab.settings().get("network")
    return (kept, "the one in use; `network use` changes it") if isinstance(kept, str) else (DEVNET.name, "")


def _use_last_devnet(lab: Lab) -> bool:
    last = lab.settings().get("devnet")
    is_address = isinstance(last, str) and last.startswith(("http://", "https://"))
    if is_address and lab.named_chain in (None, DEVNET.chain_id):
        lab.rpc, lab.named_chain = last, DEVNET.chain_id
        return True
    return False


def add_network(lab: Lab, name: str, chain_id: int, rpc: str) -> Network:
    """Keep a network of one's own in the lab's settings; return it.

    Raises:
        InputError: if the name is taken or no name, or the address holds a key.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"expected a name of small letters, digits and dashes, got {name!r}")
    if any(one.name == name for one in NETWORKS):
        raise InputError(f"expected a name of your own, got {name}, which is a built-in network")
    network = _added(name, chain_id, rpc)
    if redact_url(rpc) not in (rpc, rpc.rstrip("/")):
        raise InputError(
            f"expected an address without a key or password, got {redact_url(rpc)}",
            hint=f"Add it without, and give the whole address by ${network.rpc_env}.",
        )
    if known := network_by_chain_id(chain_id):
        raise InputError(f"chain {chain_id} is {known.title}", hint=f"Use --network {known.name}.")
    with lab.changed_settings() as settings:
        settings.setdefault("networks", {})[name] = {"chainId": chain_id, "rpc": rpc}
    return network


def network_at(rpc: str) -> Network:
    """Return the network of a node, a built-in one if it is of its chain, with the node's address."""
    chain = Chain.connect(rpc)
    known = network_by_chain_id(chain.chain_id)
    return (
        replace(known, name=redact_url(rpc), public_rpc=rpc)
        if known
        else _added(f"chain {chain.chain_id}", chain.chain_id, rpc)
    )


def remember_network(lab: Lab, name: str) -> None:
    """Use a network for all commands that name none."""
    find_network(lab, name)
    with lab.changed_settings() as settings:
        settings["network"] = name


def _added(name: str, chain_id: Any, rpc: Any) -> Network:
    is_address = isinstance(rpc, str) and rpc.startswith(("http://", "https://"))
    if type(chain_id) is not int or chain_id < 1 or not is_address:
        raise InputError(f"expected a chain id and an http(s) address for the network {name!r}")
    source = "the maker of this chain's blocks: it is not a built-in network"
    return replace(
        DEVNET,
        name=name,
        title=name,
        ape="",
        chain_id=chain_id,
        kind="added",
        block_time_s=12,
        finality="the node's word",
        time_source=source,
        public_rpc=rpc,
    )
