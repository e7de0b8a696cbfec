"""The networks that are configured by name, what their time and finality are worth, and which registries are on them.

>>> from blockchaintracer.core.networks import network_by_name
>>> network_by_name("base-sepolia").chain_id
84532
>>> network_by_name("base-sepolia").rpc_env
'BLOCKCHAINTRACER_RPC_BASE_SEPOLIA'
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from blockchaintracer.core.errors import InputError

MAX_TIME = 253_402_300_800
"""The year 10,000, Unix seconds: a later time cannot be printed."""
_TOKEN = re.compile(r"[A-Za-z0-9_\-.~%]{16,}")
_HOST_TOKEN = re.compile(r"[a-z0-9]{20,}")


@dataclass(frozen=True, slots=True)
class Network:
    """A network by name.

    Args:
        name: as it is typed after ``--network``.
        ape: Ape's choice of it, ``ecosystem:network``.
        kind: ``l1``, ``op-stack``, ``arbitrum`` or ``devnet``.
        block_time_s: seconds from block to block; 0 if a block is made for each transaction.
        finality: text on when a block is final, and who says so.
        time_source: text on where a block's time comes from.
        public_rpc: address of a JSON-RPC endpoint that needs no key.
    """

    name: str
    title: str
    ape: str
    chain_id: int
    kind: str
    block_time_s: float
    finality: str
    time_source: str
    explorer: str | None = None
    public_rpc: str | None = None

    @property
    def is_devnet(self) -> bool:
        """Whether it is a private test chain, which can be reset."""
        return self.kind == "devnet"

    @property
    def rpc_env(self) -> str:
        """Environment variable that overrides the RPC address. An address with a key is given only this way."""
        return f"BLOCKCHAINTRACER_RPC_{self.name.upper().replace('-', '_')}"

    @property
    def rpc(self) -> str | None:
        """The RPC address of the environment, else the public one. None for the devnet, whose home holds its port."""
        return os.environ.get(self.rpc_env) or self.public_rpc


_DATA = json.loads(Path(__file__).with_suffix(".json").read_bytes())
NETWORKS = tuple(Network(**_DATA["kinds"][entry["kind"]], **entry) for entry in _DATA["networks"])
DEVNET = NETWORKS[-1]


def network_by_chain_id(chain_id: int) -> Network | None:
    """Return the built-in network of a chain id, or None."""
    return next((network for network in NETWORKS if network.chain_id == chain_id), None)


def is_private(chain_id: int) -> bool:
    """Return whether a chain is a private test chain, which proves nothing to others."""
    network = network_by_chain_id(chain_id)
    return network is not None and network.is_devnet


def time_source(chain_id: int) -> str:
    """Describe where the time of a chain's blocks comes from."""
    network = network_by_chain_id(chain_id)
    return network.time_source if network else "the maker of this chain's blocks: it is not a configured network"


def when(timestamp: int) -> str:
    """Write a time of a chain (Unix seconds) as text, in UTC. A chain may say a time that no calendar has.

    >>> when(1_700_000_000), when(2**39)
    ('2023-11-14 22:13:20 UTC', 'second 549755813888, after the year 9999')
    """
    if timestamp >= MAX_TIME:
        return f"second {timestamp}, after the year 9999"
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def network_by_name(name: str, known: Sequence[str] = ()) -> Network:
    """Return the network of a name (``base-sepolia``) or of Ape's choice (``base:sepolia``, a provider may follow). The
    error lists the names in `known`, by default the built-in ones."""
    choice = name.strip().lower()
    for network in NETWORKS:
        if choice == network.name or f"{choice}:".startswith(f"{network.ape}:"):
            return network
    names = ", ".join(known or (network.name for network in NETWORKS))
    raise InputError(
        f"expected the name of a network, got {name!r}", hint=f"Use one of {names}; or any other EVM chain by --rpc."
    )


def redact_url(url: str) -> str:
    """Shorten a URL for messages: without user, password, query and fragment, and with ``…`` for what may be a key in
    its host or path.

    >>> redact_url("https://me:secret@rpc.example.org/v2/AbCdEfGhIjKlMnOpQrSt?key=1")
    'https://rpc.example.org/v2/…'
    """
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "…"
    host = ".".join(_HOST_TOKEN.sub("…", label) for label in (parts.hostname or "").split("."))
    path = "/".join(_TOKEN.sub("…", token) for token in parts.path.split("/"))
    scheme = f"{parts.scheme}:{'//' * ('://' in url)}" if parts.scheme else ""
    return f"{scheme}[{host}]{port}{path}" if ":" in host else f"{scheme}{host}{port}{path}"
