"""A record before and after somebody commits to it. Data only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from blockchaintracer.core.manifest import Manifest
from blockchaintracer.core.networks import network_by_chain_id
from blockchaintracer.core.record import Domain, RecordKey

Progress = Callable[[int], None]
UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A transaction of the lab: how far it has come, and where it is.

    Args:
        transaction: 64 hex digits; None, as block number and time (Unix seconds by the chain), until it is included.
    """

    registry: str
    chain_id: int
    state: str
    transaction: str | None
    block: int | None
    time: int | None


@dataclass(frozen=True, kw_only=True)
class Recorded(Submission):
    """A record of the lab. What stands for a run without one has the id `UNKNOWN`, and is false."""

    id: str
    kind: str
    name: str | None
    group: int
    author: str
    subject: str
    manifest: str
    cid: str
    existing: bool

    def __bool__(self) -> bool:
        return self.id != UNKNOWN

    def _repr_html_(self) -> str:
        """What a notebook shows. A name may be a stranger's: it is escaped."""
        from html import escape

        when = "waits for the chain" if self.block is None else f"{self.state}, block {self.block}"
        rows = [("record", self.id), ("state", when), ("author", f"{self.author} for group {self.group}")]
        rows.append(("check it", command_for_others(Domain(self.chain_id, self.registry), self.id)))
        cells = "".join(f"<tr><td>{escape(one)}</td><td><code>{escape(text)}</code></td></tr>" for one, text in rows)
        return f"<b>{escape(f'{self.kind} {self.name or str()}'.strip())}</b><table>{cells}</table>"


@dataclass(frozen=True)
class Draft:
    """A record that nobody is committed to yet."""

    manifest: Manifest
    key: RecordKey
    id: str

    @property
    def name(self) -> str | None:
        """What its manifest calls it."""
        return self.manifest.predicate.name


def command_for_others(domain: Domain, record_id: str) -> str:
    """Return the command by which anybody verifies a record, by a node of their own choice."""
    return f"blockchaintracer verify {domain.global_id(record_id)} {registry_for_others(domain)}"


def registry_for_others(domain: Domain) -> str:
    """Return the options by which anybody names a registry, and a node of its chain of their own choice."""
    network = network_by_chain_id(domain.chain_id)
    node = f"--rpc URL --chain-id {domain.chain_id}"
    if network and not network.is_devnet:
        node = f"--network {network.name}"
    return f"{node} --registry {domain.registry}"
