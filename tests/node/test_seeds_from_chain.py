"""Seeds from a block after a sealed plan: the same for everybody who looks, and every way to pick them is told."""

import hashlib
import json
import os
import random
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from blockchaintracer import MLTracer
from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.manifest import SeedDerivation, parse_manifest
from blockchaintracer.core.seed_derivation import GENERATORS, derive_seeds
from blockchaintracer.core.verify import Outcome
from blockchaintracer.lab.capture.program import RUN_FILE
from blockchaintracer.lab.chain_seeds import DERIVATION_VARIABLE, seeds_from_chain
from blockchaintracer.lab.recording.content import record_run
from blockchaintracer.lab.verify_here import verify
from tests.support.labs import running_lab

numpy = pytest.importorskip("numpy")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(RUN_FILE, raising=False)
    monkeypatch.delenv(DERIVATION_VARIABLE, raising=False)
    return tmp_path


def plan(name="plan.md") -> Path:
    Path(name).write_text(f"threshold 8 {os.urandom(8).hex()}\n")
    return Path(name)


def checks(lab, record_id):
    return {check.name: check for check in verify(lab, record_id).checks}


def said_of(lab, run):
    return parse_manifest(lab.store.get_bytes(run.recorded.manifest)).predicate


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A lab whose author seals nothing but what a test seals here."""
    with running_lab(tmp_path_factory.mktemp("fresh")) as lab:
        yield lab


def test_seeds_follow_from_the_block_after_the_seal_and_are_verified(fresh):
    tracer = MLTracer(fresh.home.path)
    seal = tracer.seal(plan())
    told = tracer.seed_everything(from_chain=True, plan=seal)
    drawn = random.random(), float(numpy.random.random())
    block = fresh.chain.block(seal.block + 1)

    def by_hand(name):
        text = f"blockchaintracer:seed:v1:{fresh.chain_id}:{block.hash}:{seal.commitment}:{name}"
        return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)

    assert told["seed"] == by_hand("seed")
    assert {name: told["seeds"][name] for name in ("random", "numpy")} == {
        name: by_hand(name) for name in ("random", "numpy")
    }
    random.seed(by_hand("random"))
    numpy.random.seed(by_hand("numpy"))
    assert drawn == (random.random(), float(numpy.random.random()))
    # again, by the commitment and by the record's id, also before anything is revealed
    for name in (seal.commitment, seal.id):
        assert MLTracer(fresh.home.path).seed_everything(from_chain=True, plan=name)["seeds"] == told["seeds"]

    with tracer.start_run("fit") as run:
        pass
    said = said_of(fresh, run)
    assert (said.seed_derivation.rule, said.seed_derivation.block_hash) == ("first-after-seal", block.hash)
    assert set(said.seed_derivation.seeds) == set(GENERATORS)
    found = checks(fresh, run.recorded.id)
    assert found["seeds"].verdict is found["seed block"].verdict is found["seed choice"].verdict is Outcome.PASS
    assert "the plan is not revealed" in found["seed plan"].detail
    assert found["seed plan"].verdict is Outcome.UNKNOWN
    assert "it proves nothing to others" in found["seed block"].detail

    tracer.reveal(seal.commitment)
    found = checks(fresh, run.recorded.id)
    assert found["seed plan"].verdict is Outcome.PASS
    assert MLTracer(fresh.home.path).seed_everything(from_chain=True, plan=seal.id)["seeds"] == told["seeds"]


def test_seeds_chosen_among_several_seals_are_told(lab):
    """Ten plans are sealed, each gives other seeds, and the one with the best is shown."""
    tracer = MLTracer(lab.home.path)
    seals = [tracer.seal(plan(f"plan{number}.md")) for number in range(4)]
    drawn = [tracer.seed_everything(from_chain=True, plan=seal)["seed"] for seal in seals]
    assert len(set(drawn)) == len(drawn)
    best = seals[drawn.index(min(drawn))]
    tracer.seed_everything(from_chain=True, plan=best)
    tracer.reveal(best.commitment)
    with tracer.start_run("best of four") as run:
        pass
    choice = checks(lab, run.recorded.id)["seed choice"]
    assert choice.verdict is Outcome.UNKNOWN
    assert choice.values["unrevealed"] >= 3
    assert "chosen among them" in choice.detail


def _reseeded(said, derivation):
    seeds = {**derivation.seeds, "numpy": 7}
    return {"seed_derivation": derivation.model_copy(update={"seeds": seeds})}, "seeds", "numpy: expected"


def _other_seed_used(said, derivation):
    return {"seeds": {**said.seeds, "random": 7}}, "seeds", "random: expected"


def _earlier_block(said, derivation):
    number = int(derivation.block_number) - 1
    return {"seed_derivation": _from_block(derivation, number)}, "seed plan", "was there when the plan was sealed"


def _later_block(said, derivation):
    number = int(derivation.block_number) + 1
    return {"seed_derivation": _from_block(derivation, number)}, "seed plan", "the first block after that of the seal"


def _claimed_as_named(said, derivation):
    number = int(derivation.block_number) + 1
    other = _from_block(derivation, number).model_copy(update={"rule": "named-by-plan"})
    return {"seed_derivation": other}, "seed plan", "its plan names no other"


def _made_up_hash(said, derivation):
    made = derivation.model_copy(update={"block_hash": "0x" + "ab" * 32})
    made = made.model_copy(update={"seeds": derive_seeds(int(made.chain_id), made.block_hash, made.commitment)})
    return {"seed_derivation": made, "seeds": {}}, "seed block", "the chain has"


def _never_sealed(said, derivation):
    made = derivation.model_copy(update={"commitment": "0x" + "cd" * 32})
    made = made.model_copy(update={"seeds": derive_seeds(int(made.chain_id), made.block_hash, made.commitment)})
    return {"seed_derivation": made, "seeds": {}}, "seed plan", "never sealed"


def _from_block(derivation: SeedDerivation, number: int) -> SeedDerivation:
    block_hash = HASHES[number]
    seeds = derive_seeds(int(derivation.chain_id), block_hash, derivation.commitment)
    return derivation.model_copy(update={"block_number": str(number), "block_hash": block_hash, "seeds": seeds})


HASHES: dict[int, str] = {}


@pytest.fixture(scope="module")
def honest(lab, tmp_path_factory):
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("honest"))
    try:
        tracer = MLTracer(lab.home.path)
        seal = tracer.seal(plan())
        tracer.seed_everything(from_chain=True, plan=seal)
        with tracer.start_run("honest") as run:
            pass
        tracer.reveal(seal.commitment)
        lab.devnet.finalize()
    finally:
        os.chdir(before)
    HASHES.update({number: lab.chain.block(number).hash for number in range(seal.block - 1, seal.block + 4)})
    return said_of(lab, run)


ATTACKS = [
    _reseeded,
    _other_seed_used,
    _earlier_block,
    _later_block,
    _claimed_as_named,
    _made_up_hash,
    _never_sealed,
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_seed_that_does_not_follow_is_named(lab, honest, attack):
    changed, check, says = attack(honest, honest.seed_derivation)
    forged = honest.model_copy(update={"run_id": str(uuid.uuid4()), **changed})
    found = checks(lab, record_run(lab, forged).id)
    assert found[check].verdict is Outcome.FAIL, found
    assert says in found[check].detail


def test_a_plan_may_name_its_block_beforehand(lab):
    tracer = MLTracer(lab.home.path)
    number = lab.chain.head().number + 5
    seal = tracer.seal(plan(), seed_block=number)
    lab.devnet.finalize()
    lab.devnet.finalize()
    lab.devnet.finalize()
    tracer.seed_everything(from_chain=True, plan=seal)
    with tracer.start_run("named") as run:
        pass
    assert said_of(lab, run).seed_derivation.block_number == str(number)
    found = checks(lab, run.recorded.id)["seed plan"]
    assert found.verdict is Outcome.UNKNOWN
    tracer.reveal(seal.commitment)
    found = checks(lab, run.recorded.id)["seed plan"]
    assert (found.verdict, "named by the plan" in found.detail) == (Outcome.PASS, True)


def test_blocks_that_were_known_or_are_not_final_give_no_seeds(lab):
    tracer = MLTracer(lab.home.path)
    known = tracer.seal(plan("known.md"), seed_block=lab.chain.head().number)
    with pytest.raises(InputError, match="expected the plan to name a block after"):
        tracer.seed_everything(from_chain=True, plan=known)
    far = tracer.seal(plan("far.md"), seed_block=lab.chain.head().number + 10_000)
    before = random.getstate()
    with pytest.raises(ChainUnavailable, match="not final yet"):
        tracer.seed_everything(from_chain=True, plan=far)
    assert random.getstate() == before
    with pytest.raises(InputError, match="nothing of the commitment"):
        tracer.seed_everything(from_chain=True, plan="12" * 32)


@pytest.mark.parametrize("wrong", [{}, {"seed": 1, "plan": "12" * 32}, {"from_chain": True}, {"plan": "12" * 32}])
def test_a_seed_or_a_plan_and_not_both(lab, wrong):
    with pytest.raises(InputError, match="from_chain=True with the sealed plan"):
        MLTracer(lab.home.path).seed_everything(**wrong)


def test_a_program_that_is_run_again_gets_the_recorded_seeds_without_a_chain(honest, tmp_path):
    derivation = honest.seed_derivation
    script = (
        "import json, sys; from blockchaintracer import MLTracer\n"
        "t = MLTracer(sys.argv[1], rpc='http://127.0.0.1:9')\n"
        "told = t.seed_everything(from_chain=True, plan=sys.argv[2])\n"
        "with t.start_run('again'): pass\n"
        "print(json.dumps(told['seeds']))"
    )

    def again(told):
        return subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "home"), derivation.commitment],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {DERIVATION_VARIABLE: told, RUN_FILE: str(tmp_path / "run.json")},
        )

    done = again(derivation.model_dump_json(by_alias=True))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["numpy"] == derivation.seeds["numpy"]
    assert json.loads((tmp_path / "run.json").read_text())["seed_derivation"]["blockHash"] == derivation.block_hash
    wrong = derivation.model_copy(update={"seeds": {**derivation.seeds, "numpy": 1}})
    assert "don't follow" in again(wrong.model_dump_json(by_alias=True)).stderr


def test_what_a_plan_names_is_a_number(lab, honest):
    from blockchaintracer.lab.chain_seeds import seed_block

    assert [seed_block(values) for values in ({}, {"seedBlock": 5}, {"seedBlock": "7"})] == [None, 5, 7]
    for value in ("0x5", "", "-1", True, 1.5, "٣"):
        with pytest.raises(InputError, match="seedBlock"):
            seed_block({"seedBlock": value})
    assert seeds_from_chain(lab, honest.seed_derivation.commitment) == honest.seed_derivation
