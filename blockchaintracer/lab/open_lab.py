"""The lab from Python: deploy a registry, create groups, and record files and programs with their parents.

>>> lab = open_lab()  # doctest: +SKIP
>>> lab.deploy(), lab.create_group("My lab")  # doctest: +SKIP
>>> data = lab.record("data.csv")  # doctest: +SKIP
>>> model = lab.record("model.bin", "model", parents=[(data.id, "trained-on")])  # doctest: +SKIP
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import Kind, Link, Relation, Verdict, parse_number
from blockchaintracer.lab import attest, groups, publish
from blockchaintracer.lab.capture.notebook import as_program
from blockchaintracer.lab.chosen_network import choose_network
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.recording.content import record_path
from blockchaintracer.lab.recording.keep import run_keeping
from blockchaintracer.lab.recording.run import RunFacts, Used, finish_run, run_command, start_run

PathLike = str | os.PathLike[str]
Parents = Iterable[tuple[str, str]]
"""Pairs of a record id and a relation, such as ``trained-on``."""

_DEVNET_WEI = 100 * 10**18


class OpenLab(Lab):
    """A lab opened by `open_lab`. Public are the members below, `registry`, and the use as a `lab` argument.

    All methods that write raise ChainUnavailable if the chain does not answer (what was recorded waits in the outbox)
    and ContractRevert if the registry refuses.
    """

    @property
    def folder(self) -> Path:
        """The lab's working folder."""
        return self.home.path

    @property
    def address(self) -> str:
        """Address of the lab's signing key."""
        return self.signer.address

    def deploy(self, *, open_group_creation: bool = False) -> str:
        """Deploy the lab's registry, or find it if it is there.

        Args:
            open_group_creation: whether anyone may create groups, or only the owner.
        """
        return groups.deploy(self, open_group_creation=open_group_creation).registry

    def create_group(self, name: str) -> int:
        """Create a group, or find the group of this name, and record for it from now on. Returns its number."""
        return groups.create_group(self, name).group

    def record(
        self,
        path: PathLike,
        kind: str = "dataset",
        *,
        name: str | None = None,
        parents: Parents = (),
        values: Mapping[str, Any] | None = None,
        **described: Any,
    ) -> Recorded:
        """Record a file or folder. Recording the same content again is free: you get the existing record.

        Args:
            path: the file or folder. The lab keeps a copy.
            kind: ``dataset``, ``model``, ``software``, ``environment``, ``result``, ``plan``, ``document``, ...
            name: what the manifest calls it; the file name if not given.
            parents: the records it comes from.
            values: of a result: what it says, as JSON-ready values.
            described: ``description``; of content also ``version``, ``license``, ``source``, ``framework``, and
                ``exclude``, names inside a folder to leave out.

        Raises:
            InputError: if a name is not one, or the path can't be read.
        """
        more = described if values is None else {**described, "values": dict(values)}
        number = parse_number(kind, Kind)
        return record_path(self, number, Path(path), name=name, parents=_links(parents), **more)

    def record_program(
        self,
        command: Sequence[str],
        *,
        folder: PathLike,
        inputs: Iterable[tuple[Recorded, str, PathLike]] = (),
        parents: Parents = (),
        lock: PathLike | None = None,
    ) -> Recorded:
        """Run a program that writes a run document (docs/tracer.md), and record the run.

        Args:
            inputs: what it reads: the record, the relation, and the path.

        Raises:
            InputError: if the program fails or writes no run document.
        """
        base = Path(folder)
        with as_program(command, base) as program:
            start = start_run(self, base)
            code, document, seen = run_command(program, base, self.home)
            if code or document is None:
                raise InputError(f"expected a run document from {command}, got exit code {code}")
            facts = RunFacts(
                document=document.model_copy(update={"inputs": ()}),
                inputs=[
                    Used(record, parse_number(relation, Relation), Path(path)) for record, relation, path in inputs
                ],
                outputs=[(output.role, base / output.path) for output in document.outputs],
                parents=_links(parents),
                command=command,
                observed="program",
                folder=base,
                lock=Path(lock) if lock else None,
                keeping=run_keeping(self, document, base, start.git),
                seen=seen,
            )
            return finish_run(self, start, facts)

    def attest(self, record_id: str, verdict: str, *, evidence: str | None = None) -> None:
        """Give the group's verdict on another group's record.

        Args:
            verdict: ``reviewed``, ``reproduced``, ``not-reproduced`` or ``disputed``.
            evidence: id of the group's own run that reproduces the record.
        """
        attest.attest(self, record_id, Verdict(parse_number(verdict, Verdict)), evidence=evidence)

    def publish(self, record_id: str, to: PathLike) -> str:
        """Copy what others need to check a record to a folder, an IPFS node or a file system. Returns its address."""
        return publish.publish(self, record_id, to).folder

    def open_colleague(self, home: PathLike) -> OpenLab:
        """Open another lab on the same node and registry. On this lab's own devnet its key gets test coin."""
        colleague = open_lab(home, rpc=self.node_url(), registry=self.registry.address)
        if self.is_embedded:
            self.devnet.fund(colleague.signer.address, _DEVNET_WEI)
        return colleague

    def node_url(self) -> str:
        """Return the address of the node. The lab's own devnet is started if needed."""
        return self.rpc or self.devnet.start().url

    def stop_devnet(self) -> None:
        """Stop the lab's own devnet. The next command starts it again."""
        self.devnet.stop()


def open_lab(
    home: PathLike | None = None,
    *,
    rpc: str | None = None,
    registry: str | None = None,
    key: str | None = None,
    group: int | None = None,
    say: Callable[[str], None] = lambda message: None,
) -> OpenLab:
    """Open a lab. Nothing is written before the first method that writes.

    Args:
        home: the lab's working folder; None for the one that the command line uses here.
        rpc: address of a node; None for what the command line would take: ``$BLOCKCHAINTRACER_RPC``, the network in
            use, or the devnet of another that was written to last; else the lab's own devnet, which is installed and
            started when it is needed.
        registry: address of the registry; None for the one chosen before.
        key: name of the signing key; None for the one chosen before, and on a devnet for a new one.
        group: number of the group to record for; None for the one chosen before.
        say: is told what a person would want to know while it happens.

    Returns:
        The lab. It is also what `blockchaintracer.mlflow` takes as `lab`.
    """
    lab = OpenLab(Home(home), rpc=rpc, registry_address=registry, key_name=key, group_number=group, say=say)
    if chosen := choose_network(lab):
        say(chosen)
    return lab


def _links(parents: Parents) -> list[Link]:
    return [Link(record_id, parse_number(relation, Relation)) for record_id, relation in parents]
