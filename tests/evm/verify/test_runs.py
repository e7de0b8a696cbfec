"""What is said of a run's seeds, of its checkpoints, and of keys that were reported stolen: one change at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.digest import digest_bytes
from blockchaintracer.core.manifest import Artifact, CheckpointAnchor, Checkpoints, RunPredicate, SeedDerivation
from blockchaintracer.core.manifest.checkpoint_list import CheckpointList, root_of
from blockchaintracer.core.manifest.predicates import RecordPredicate, State
from blockchaintracer.core.record import Kind, Role, from_hex, record_commitment
from blockchaintracer.core.record_view import Position
from blockchaintracer.core.seed_derivation import derive_seeds
from blockchaintracer.core.verify.checkpoint_checks import check_checkpoints
from blockchaintracer.core.verify.commitments import Commitment, commitment_of
from blockchaintracer.core.verify.copies import FolderCopies
from blockchaintracer.core.verify.locate import check_key
from blockchaintracer.core.verify.outcomes import Check
from blockchaintracer.core.verify.seed_checks import check_seeds
from blockchaintracer.lab.recording.checkpoint_log import batch_from, extended
from tests.support.evm import START
from tests.support.revm_lab import ALICE, BOB, CAROL, RevmLab, Stranger, expect

from .conftest import SALT, block, file_of, number, statement_on_a_key

CHAIN = 31337


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[tuple[RevmLab, Stranger]]:
    lab = RevmLab(tmp_path / "published")
    with lab.node.serving() as url:
        yield lab, Stranger(lab, url)


def told(lab: RevmLab, name: str, checks: Iterable[Check]) -> str:
    return f"{name.upper()}\n{lab.text(list(checks))}\n"


# -- seeds


def plan(lab: RevmLab, name: str, **values: Any) -> str:
    """Seal a plan that is recorded later; its commitment."""
    key = lab.key(name, RecordPredicate(name=name, subject_type="commitment", values=values), "ab" * 32, kind=Kind.PLAN)
    commitment = record_commitment(lab.id(key), SALT)
    lab.names[commitment[2:]] = f"<seal of {name}>"
    lab.do(ALICE, "seal", 1, from_hex(commitment))
    lab.node.mine(3)
    return commitment


def derivation(lab: RevmLab, commitment: str, at: int, **changed: Any) -> SeedDerivation:
    given = block(lab, at)
    fields = {
        "chain_id": str(CHAIN),
        "group": 1,
        "author": ALICE.address,
        "commitment": commitment,
        "rule": "first-after-seal",
        "block_number": str(at),
        "block_hash": given.block_hash,
        "seeds": derive_seeds(CHAIN, given.block_hash, commitment, ("numpy", "torch")),
    }
    return SeedDerivation(**fields | changed)


def run(**fields: Any) -> RunPredicate:
    return RunPredicate(**{"run_id": number(9), "name": "run", "status": "completed"} | fields)


def seeds_by(lab: RevmLab, commitment: str, at: int, **changed: Any) -> RunPredicate:
    stated = changed.pop("stated", {})
    return run(seed_derivation=derivation(lab, commitment, at, **changed), seeds=stated)


def test_seeds(runs: tuple[RevmLab, Stranger], expected: Path) -> None:
    lab, stranger = runs
    sealed = plan(lab, "plan")
    at = lab.node.number - 3
    right = seeds_by(lab, sealed, at).seed_derivation
    assert right is not None
    honest = dict(right.seeds)
    cases: dict[str, RunPredicate] = {
        "no seeds from a block": run(),
        "right, the plan not revealed": seeds_by(lab, sealed, at),
        "right, and stated": seeds_by(
            lab, sealed, at, stated={"numpy": honest["numpy"], "seeds": {"torch": honest["torch"]}}
        ),
        "right, and text": seeds_by(lab, sealed, at, stated={"numpy": str(honest["numpy"]), "seeds": 7, "other": 1}),
        "another seed stated": seeds_by(lab, sealed, at, stated={"numpy": 1, "seeds": {"torch": 2, "mine": 3}}),
        "another seed": seeds_by(lab, sealed, at, seeds={**honest, "numpy": 7}),
        "a seed of its own name": seeds_by(lab, sealed, at, seeds={"mine": 7}),
        "no seed": seeds_by(lab, sealed, at, seeds={}),
        "another chain": seeds_by(lab, sealed, at, chain_id="1"),
        "another author": seeds_by(lab, sealed, at, author=BOB.address),
        "another group": seeds_by(lab, sealed, at, group=2),
        "the block of the seal": seeds_by(lab, sealed, at - 1),
        "a block before the seal": seeds_by(lab, sealed, at - 2),
        "a later block": seeds_by(lab, sealed, at + 1),
        "a later block, said to be named": seeds_by(lab, sealed, at + 1, rule="named-by-plan"),
        "another hash": seeds_by(lab, sealed, at, block_hash="0x" + "77" * 32),
        "no such block": seeds_by(lab, sealed, at, block_number="99"),
    }
    lab.node.behind = 0
    lines = [
        told(lab, name, check_seeds(stranger.registry, stranger.copies, given, 1)) for name, given in cases.items()
    ]

    def again(name: str, given: RunPredicate) -> None:
        lines.append(told(lab, name, check_seeds(stranger.registry, stranger.copies, given, 1)))

    for behind in (1, 2, 3, None):
        lab.node.behind = behind
        again(f"{behind} blocks are not final", cases["right, the plan not revealed"])
    lab.node.behind = 0
    named = plan(lab, "plan that names a block", seedBlock=lab.node.number + 2)
    named_at = lab.node.number - 2
    again("another plan is sealed", cases["right, the plan not revealed"])
    for name in ("plan", "plan that names a block"):
        lab.do(ALICE, "reveal", lab.keys[name].as_abi(), from_hex(SALT))
    again("revealed", cases["right, the plan not revealed"])
    again("revealed, and another block", cases["a later block, said to be named"])
    again("named", seeds_by(lab, named, named_at, rule="named-by-plan"))
    again("named, and another block", seeds_by(lab, named, named_at + 1, rule="named-by-plan"))
    again("named, and called the first", seeds_by(lab, named, named_at - 1))
    manifest = lab.keys["plan"].manifest
    path = lab.folder / "objects" / manifest[:2] / manifest[2:]
    whole = path.read_bytes()
    path.unlink()
    again("revealed, and its manifest is not here", cases["right, the plan not revealed"])
    path.write_bytes(whole)
    key = lab.key("no plan", RecordPredicate(name="x", subject_type="commitment"), "ab" * 32, kind=Kind.PLAN)
    bad = digest_bytes(b"{}").sha256
    lab.put(b"{}")
    key = type(key)(key.group, key.author, key.subject_type, key.subject, key.kind, bad)
    commitment = record_commitment(lab.id(key), SALT)
    lab.do(ALICE, "seal", 1, from_hex(commitment))
    at = lab.node.number
    lab.do(ALICE, "reveal", key.as_abi(), from_hex(SALT))
    lab.names |= {commitment[2:]: "<seal of no plan>", lab.id(key)[2:]: "<no plan>"}
    again("revealed, and its manifest is none", seeds_by(lab, commitment, at))
    expect(expected / "seeds.txt", "\n".join(lines))


@pytest.mark.parametrize(
    ("chain_id", "kind"),
    [(1, "could choose among"), (8453, "sequencer"), (42161, "sequencer"), (77787, "operator of this chain")],
)
def test_who_could_choose_a_hash(tmp_path: Path, chain_id: int, kind: str) -> None:
    lab = RevmLab(tmp_path, chain_id)
    with lab.node.serving() as url:
        stranger = Stranger(lab, url)
        sealed = plan(lab, "plan")
        lab.node.behind = 0
        given = seeds_by(lab, sealed, lab.node.number - 3, chain_id=str(chain_id))
        [told] = [it for it in check_seeds(stranger.registry, stranger.copies, given, 1) if it.name == "seed block"]
        assert kind in told.detail


# -- checkpoints


class Checkpointed:
    """A list of five checkpoints, of which two and two were anchored while it went on."""

    def __init__(self, lab: RevmLab) -> None:
        self.lab = lab
        self.whole = CheckpointList(series=number(1), initial_state=self.state("init"))
        self.anchors: list[CheckpointAnchor] = []
        for step in (10, 20, 30, 40, 50):
            self.whole = self.then(self.whole, step)
            if step in (20, 40):
                self.anchors.append(self.anchor(self.whole, step // 10 - 2))

    @staticmethod
    def state(name: str) -> State:
        data = name.encode()
        return State(subject_type="file", sha256=digest_bytes(data).sha256, size=len(data))

    def then(self, whole: CheckpointList, step: int, name: str = "") -> CheckpointList:
        made = extended(whole, self.state(f"{name}{step}"), step, f"{name}{step}.pt", "2025-06-15T15:00:00Z")
        self.lab.names[made.checkpoints[-1].sha256] = f"<state {name}{step}>"
        return made

    def anchor(self, whole: CheckpointList, first: int, count: int | None = None) -> CheckpointAnchor:
        part = batch_from(whole, first)
        data = part.to_bytes()
        digest = self.lab.put(data, f"<description {len(self.lab.node.blocks)}>")
        self.lab.names[part.root[2:]] = f"<root {len(self.lab.node.blocks)}>"
        self.lab.do(ALICE, "anchor", 1, from_hex(part.root), count or part.count, bytes.fromhex(digest))
        return CheckpointAnchor(
            root=part.root, count=part.count, description=Artifact.of("anchor.json", digest_bytes(data))
        )

    def run(self, whole: CheckpointList, anchors: list[CheckpointAnchor] | None = None, **changed: Any) -> RunPredicate:
        links = dict.fromkeys(whole.checkpoints)
        data = whole.to_bytes()
        self.lab.put(data, "<list>")
        fields = {
            "series": whole.series,
            "count": len(whole.checkpoints),
            "head": whole.head,
            "root": root_of([*links]) if links else None,
            "initial_state": whole.initial_state,
            "listing": Artifact.of("checkpoints.json", digest_bytes(data)),
            "anchors": tuple(self.anchors if anchors is None else anchors),
        }
        more = {"not_before": changed.pop("not_before")} if "not_before" in changed else {}
        return run(checkpoints=Checkpoints(**fields | changed), **more)


def test_checkpoints(runs: tuple[RevmLab, Stranger], expected: Path) -> None:
    lab, stranger = runs
    made = Checkpointed(lab)
    whole, [one, other] = made.whole, made.anchors
    lab.record(file_of(lab, "run"))
    record = stranger.registry.find_record(lab.id("run"))
    assert record is not None
    place = stranger.registry.chain.block(record.block)
    assert place is not None
    committed = Commitment(record.position, place, record.transaction, place.timestamp)

    def relisted(*entries: Any) -> CheckpointList:
        return whole.model_copy(update={"checkpoints": tuple(entries)})

    def remade(*steps: int, name: str = "") -> CheckpointList:
        again = CheckpointList(series=whole.series, initial_state=whole.initial_state)
        for step in steps:
            again = made.then(again, step, name)
        return again

    a, b, c, d, e = whole.checkpoints
    unknown = CheckpointAnchor(root="0x" + "99" * 32, count=2, description=one.description)
    other_count = CheckpointAnchor(root=one.root, count=3, description=one.description)
    cases: dict[str, RunPredicate] = {
        "none": run(),
        "right": made.run(whole),
        "right, of four": made.run(relisted(a, b, c, d)),
        "without anchors": made.run(whole, []),
        "one of its anchors": made.run(whole, [one]),
        "the other of its anchors": made.run(whole, [other]),
        "anchors in the other order": made.run(whole, [other, one]),
        "an anchor that is none": made.run(whole, [one, unknown]),
        "an anchor of another count": made.run(whole, [other_count, other]),
        "a dropped checkpoint": made.run(remade(10, 30, 40, 50)),
        "an inserted one": made.run(remade(10, 15, 20, 30, 40, 50)),
        "one after the anchors": made.run(remade(10, 20, 30, 40, 45, 50)),
        "other ones": made.run(remade(10, 20, 30, 40, 50, name="other ")),
        "reordered": made.run(relisted(b, a, c, d, e)),
        "swapped states": made.run(
            relisted(a.model_copy(update={"sha256": b.sha256}), b.model_copy(update={"sha256": a.sha256}), c, d, e)
        ),
        "a broken chain": made.run(relisted(a, c, d, e)),
        "an empty list": made.run(CheckpointList(series=whole.series), []),
        "an empty list with anchors": made.run(CheckpointList(series=whole.series)),
        "an entry twice": made.run(relisted(a, a, b), [], root=root_of([a, b])),
        "other names": made.run(relisted(*(it.model_copy(update={"name": "x"}) for it in whole.checkpoints))),
        "another series": made.run(whole, series=number(2)),
        "another number": made.run(whole, count=4),
        "another link": made.run(whole, head="77" * 32),
        "another root": made.run(whole, root="0x" + "77" * 32),
        "another initial state": made.run(whole, initial_state=made.state("x")),
        "no initial state": made.run(whole, initial_state=None),
        "a list that is not here": made.run(whole, listing=Artifact.of("x", digest_bytes(b"not here"))),
        "a list that is none": made.run(whole, listing=lab.artifact("x", b"[]")),
        "not before its first anchor": made.run(whole, [other], not_before=block(lab, 4)),
        "not before its second anchor": made.run(whole, [other], not_before=block(lab, 5)),
        "not before a block of another chain": made.run(
            whole, [other], not_before=block(lab, 5).model_copy(update={"chain_id": "1"})
        ),
    }

    def check(given: RunPredicate, by: Commitment = committed, copies: Any = stranger.copies) -> Iterator[Check]:
        assert record is not None
        return check_checkpoints(stranger.registry, copies, record, given, by)

    lines = [told(lab, name, check(given)) for name, given in cases.items()]
    fifth = stranger.registry.chain.block(5)
    assert fifth is not None
    early = Commitment(Position(5, 0, 0), fifth, record.transaction, fifth.timestamp)
    lines.append(told(lab, "committed before the second anchor", check(cases["right"], early)))
    lines.append(told(lab, "without descriptions", check(cases["right"], copies=FolderCopies([]))))
    many = remade(*range(1, 24), name="many ")
    lines.append(told(lab, "twenty-three others", check(made.run(many))))
    for series in (0, 2):
        again = CheckpointList(series=number(series))
        made.anchor(made.then(again, 10, f"of series {series} "), 0)
    lab.node.mine()
    newest = stranger.registry.chain.head()
    late = Commitment(Position(newest.number, 0, 0), newest, record.transaction, newest.timestamp)
    lines.append(told(lab, "lists of other series are anchored", check(cases["right"], late)))
    tail = made.anchor(whole, 4, count=2).model_copy(update={"count": 2})
    lines.append(told(lab, "an anchor of fewer than it says", check(made.run(whole, [*made.anchors, tail]))))
    for anchor in made.anchors[::-1]:
        digest = anchor.description.sha256
        (lab.folder / "objects" / digest[:2] / digest[2:]).unlink()
        lines.append(told(lab, "without a description", check(cases["right"])))
        lines.append(told(lab, "without a description, of another anchor", check(cases["one of its anchors"])))
    made.anchor(remade(10, 20, 30, 40, 50, name="later "), 0, count=9)
    lines.append(told(lab, "anchored after the run", check(cases["right"])))
    expect(expected / "checkpoints.txt", "\n".join(lines))


# -- keys


def test_keys(runs: tuple[RevmLab, Stranger], expected: Path) -> None:
    lab, stranger = runs
    lab.join(BOB, int(Role.MAINTAINER | Role.RECORDER))
    lab.join(CAROL, int(Role.RECORDER))
    lab.record(file_of(lab, "before"))
    lab.record(file_of(lab, "late"))
    lab.record(file_of(lab, "of Bob", author=BOB.address), BOB)
    time = START + 12 * (lab.node.number - 2)
    statements: dict[str, tuple[Any, Any]] = {
        "by a maintainer": (BOB, {"since": time}),
        "by a recorder": (CAROL, {"since": time}),
        "by herself": (ALICE, {"since": time}),
        "without a time": (BOB, {"since": None}),
        "with a text": (BOB, {"since": "yesterday"}),
        "with a time to come": (BOB, {"since": 2**40}),
        "of another": (ALICE, {"since": time, "of": BOB.address}),
        "of another group": (BOB, {"since": time, "group": 2}),
    }
    lines = []

    stands = stranger.registry, stranger.copies

    def look(name: str) -> None:
        for of in ("before", "late", "of Bob"):
            record = stranger.registry.find_record(lab.id(of))
            assert record is not None
            committed = commitment_of(stranger.registry, record, stranger.registry.status(record.id))
            lines.append(told(lab, f"{name}: {of}", check_key(*stands, [record.group], record.author, committed.time)))

    look("nothing stated")
    for name, (who, fields) in statements.items():
        key = statement_on_a_key(lab, f"stolen, {name}", author=who.address, **fields)
        lab.record(key, who)
        look(name)
        lab.do(who, "retract", key.as_abi(), bytes(32))
    look("all retracted")
    key = statement_on_a_key(lab, "stolen, without a manifest", since=time, author=BOB.address)
    (lab.folder / "objects" / key.manifest[:2] / key.manifest[2:]).unlink()
    lab.record(key, BOB)
    look("without a manifest")
    record = stranger.registry.find_record(lab.id("late"))
    assert record is not None
    gone = Commitment(Position(0, 0, 0), None, "", time)
    lines.append(told(lab, "its block is gone", check_key(*stands, [record.group], record.author, gone.time)))
    expect(expected / "keys.txt", "\n".join(lines))
