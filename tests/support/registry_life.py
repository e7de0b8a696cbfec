"""The life of a small registry on a node in this process: what is recorded, judged, sealed, batched and retracted."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_account import Account

from blockchaintracer.core.manifest import RunPredicate
from blockchaintracer.core.record import Kind, Link, Relation, Verdict
from blockchaintracer.lab.attest import attest, retract
from blockchaintracer.lab.batches import anchor, batching, materialize
from blockchaintracer.lab.groups import create_group
from blockchaintracer.lab.keys.environment_signer import AccountSigner
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.recording.run import named_parents, record_run
from blockchaintracer.lab.seals import reveal, sealing
from tests.support.memory_node import MemoryNode, answering

FULL = "http://full/"


class KeptSigner(AccountSigner):
    """A key in memory."""

    source = "memory"

    def __init__(self, name: str) -> None:
        self._account = Account.create(name)
        self.address = self._account.address

    def account(self) -> Any:
        return self._account


@dataclass
class Life:
    """What came of it.

    Attributes:
        ids: of the records by name.
        files: what they are of.
        published: a store with everything of theirs.
    """

    node: MemoryNode
    lab: Lab
    other: Lab
    published: Path
    ids: dict[str, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    transactions: dict[str, str] = field(default_factory=dict)
    commitment: str = ""

    def open_lab(self, home: Path, rpc: str) -> Lab:
        """A lab of a stranger, or of a later process of this one."""
        return Lab(Home(home), rpc=rpc, registry_address=self.lab.registry_address, group_number=1)


def live(folder: Path) -> Life:
    """Live it: each step is a block."""
    folder.mkdir(exist_ok=True)
    node = MemoryNode()
    node.mine()
    owner = KeptSigner("owner")
    address = node.deploy("LabRegistry", owner.address, True)
    with answering(full=node.answer):
        labs = []
        for name in ("lab", "other"):
            signer = owner if name == "lab" else KeptSigner(name)
            lab = Lab(Home(folder / name), rpc=FULL, registry_address=address, signer_given=signer)
            create_group(lab, name)
            labs.append(lab)
        life = Life(node, *labs, folder / "published")
        _record(life, folder)
        node.mine(4)
        for name in ("late", "run", "sealed", "stored", "child", "batched"):
            publish(life.lab if name != "run" else life.other, life.ids[name], life.published)
    return life


def _record(life: Life, folder: Path) -> None:
    lab, other = life.lab, life.other

    def data(name: str, kind: Kind = Kind.DATASET, *parents: Link) -> str:
        life.files[name] = folder / f"{name}.bin"
        life.files[name].write_bytes(os.urandom(40))
        made = record_content(lab, kind, life.files[name], name=name, parents=list(parents))
        life.ids[name] = made.id
        if getattr(made, "transaction", None):
            life.transactions[name] = made.transaction
        return made

    first = data("data")
    model = data("model", Kind.MODEL, Link(first.id, Relation.TRAINED_ON))
    predicate = RunPredicate(
        run_id="0c4cd0d6-6b6c-4d5a-8d3c-111111111111",
        parents=named_parents((Link(model.id, Relation.REPRODUCES),)),
        name="again",
        status="completed",
    )
    life.ids["run"] = record_run(other, predicate).id
    attest(other, model.id, Verdict.REPRODUCED, evidence=life.ids["run"])
    with sealing(lab):
        seal = data("sealed")
    life.commitment = seal.commitment
    reveal(lab, seal.commitment)
    with batching(lab):
        data("batched"), data("stored")
    anchor(lab)
    materialize(lab, life.ids["stored"])
    wrong = data("wrong")
    data("child", Kind.MODEL, Link(wrong.id, Relation.TRAINED_ON))
    retract(lab, wrong.id, "a sensor was broken")
    data("late", Kind.MODEL, Link(model.id, Relation.DERIVED_FROM))
