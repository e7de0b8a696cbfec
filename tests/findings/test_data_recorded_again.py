"""The same file recorded again, under another manifest or by another group, has a later time: two contracts of the docs
took it for new data, or for the dataset that a licence is about. And a parent that was retracted was a parent still."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.findings.conftest import ALICE, BOB, CAROL, DATA, MALLORY, domain, refusal
from tests.model.eip712 import Key, record_commitment
from tests.model.merkle import root
from tests.model.registry import ALL_ROLES, CANCELLED, RETRACTED, UNKNOWN
from tests.support.evm import Contract

pytestmark = pytest.mark.evm

OURS, SOURCE = 1, 2
TRAINED_ON, EVALUATED_ON, DERIVED_FROM, USES = 1, 3, 4, 7
PLAN, MODEL, RUN = 5, 2, 3
SALT, FILE = b"\x5a" * 32, b"\x0d" * 32
DATASET = Key(SOURCE, BOB.address, 1, FILE, 1, b"\2" * 32)


class Study:
    """Alice's plan, sealed; Bob's group takes the data; then Alice's run on both."""

    def __init__(self, registry: Contract, plan: Key | None = None) -> None:
        self.registry, self.id = registry, domain(registry).record_id
        self.plan = plan or DATA._replace(kind=PLAN)
        self.send(ALICE, "seal", 1, record_commitment(self.id(self.plan), SALT))
        self.sealed_at = registry.chain.now
        self.wait()

    def send(self, caller, function: str, *arguments: object) -> object:
        return self.registry.send(caller.address, function, *arguments)[0]

    def wait(self) -> None:
        self.registry.chain.now += 100

    def run(self, data: Key, relation: int = EVALUATED_ON, **other: object) -> Key:
        links = tuple(sorted([(self.id(self.plan), USES), (self.id(data), relation)]))
        run = Key(OURS, ALICE.address, 4, b"\x0e" * 32, RUN, b"\4" * 32, links)._replace(**other)
        self.send(ALICE, "record", run)
        return run

    def done(self, data: Key = DATASET) -> Key:
        """The plan is shown, the data are there: the run."""
        self.send(ALICE, "reveal", self.plan, SALT)
        return self.run(data)


@pytest.fixture
def study(registry: Contract) -> Study:
    return Study(registry)


@pytest.fixture
def judge(registry: Contract) -> Contract:
    return registry.chain.deploy("Preregistered", registry.address, SOURCE)


def refused(judge: Contract, run: Key, plan: Key, data: Key) -> tuple[str, tuple[object, ...]]:
    return refusal(lambda: judge.read("requirePreregistered", run, plan, data))


def test_data_that_came_after_the_plan(study: Study, judge: Contract) -> None:
    study.send(BOB, "record", DATASET)
    judge.read("requirePreregistered", study.done(), study.plan, DATASET)


def test_an_old_file_recorded_again_under_another_manifest(study: Study, judge: Contract) -> None:
    """By the lab that made the plan: its own word for its own data counts for nothing."""
    again = DATASET._replace(group=OURS, author=ALICE.address, manifest=b"\7" * 32)
    study.send(ALICE, "record", again)
    met = refused(judge, study.done(again), study.plan, again)
    assert met == ("NotFromSource", (study.id(again), OURS, SOURCE))


def test_a_judge_that_names_the_labs_own_group(study: Study) -> None:
    own = DATASET._replace(group=OURS, author=ALICE.address)
    study.send(ALICE, "record", own)
    run = study.done(own)
    judge = study.registry.chain.deploy("Preregistered", study.registry.address, OURS)
    assert refused(judge, run, study.plan, own) == ("NotFromSource", (study.id(own), OURS, OURS))


@pytest.mark.parametrize("retracted", [False, True])
@pytest.mark.parametrize("by", [(OURS, ALICE), (SOURCE, BOB), (3, MALLORY)])
def test_an_old_file_that_the_source_recorded_again(registry, judge, by, retracted) -> None:
    """Whoever shows the earlier record, of any group, retracted or not, proves it."""
    group, author = by
    registry.send(MALLORY.address, "createGroup", ALL_ROLES, bytes(32))
    earlier = DATASET._replace(group=group, author=author.address, manifest=b"\7" * 32)
    registry.send(author.address, "record", earlier)
    if retracted:
        registry.send(author.address, "retract", earlier, bytes(32))
    registry.chain.now += 100
    study = Study(registry)
    study.send(BOB, "record", DATASET)
    run = study.done()
    judge.read("requirePreregistered", run, study.plan, DATASET)
    judge.send(CAROL.address, "show", earlier)
    assert refused(judge, run, study.plan, DATASET) == ("Error", ("somebody had the data before",))
    judge.send(CAROL.address, "show", DATASET)
    assert refused(judge, run, study.plan, DATASET)[0] == "Error", "a later record doesn't undo it"


def test_nobody_makes_data_look_older(study: Study, judge: Contract) -> None:
    """What is not stored, was cancelled, or came later shows nothing."""
    study.send(BOB, "record", DATASET)
    run = study.done()
    study.wait()
    registry = study.registry
    registry.send(MALLORY.address, "createGroup", ALL_ROLES, bytes(32))
    later = DATASET._replace(group=3, author=MALLORY.address)
    judge.send(MALLORY.address, "show", later)
    registry.send(MALLORY.address, "cancel", later)
    judge.send(MALLORY.address, "show", later)
    assert judge.read("knownSince", FILE) == 0
    registry.send(MALLORY.address, "record", later)
    judge.send(MALLORY.address, "show", later)
    judge.read("requirePreregistered", run, study.plan, DATASET)


@pytest.mark.parametrize("how", ["in one block", "sealed before", "in a batch before", "in a batch after"])
def test_since_when_data_are_known(registry, judge, how: str) -> None:
    """Since they were sealed or batched, not since they were shown."""
    dataset_id = domain(registry).record_id(DATASET)
    known = registry.chain.now
    if how == "sealed before":
        registry.send(BOB.address, "seal", SOURCE, record_commitment(dataset_id, SALT))
    if how == "in a batch before":
        registry.send(BOB.address, "anchorLeaves", SOURCE, (dataset_id,))
    if how != "in one block":
        registry.chain.now += 100
    study = Study(registry)
    if how == "in one block":
        registry.chain.now = study.sealed_at
        study.send(BOB, "record", DATASET)
    elif how == "sealed before":
        study.send(BOB, "reveal", DATASET, SALT)
    else:
        if how == "in a batch after":
            study.send(BOB, "anchorLeaves", SOURCE, (dataset_id,))
            study.wait()
        study.send(MALLORY, "materialize", DATASET, root((dataset_id,)), ())
    run = study.done()
    if how == "in a batch after":
        judge.read("requirePreregistered", run, study.plan, DATASET)
        return
    met = refused(judge, run, study.plan, DATASET)
    assert met == ("DataKnownBefore", (dataset_id, known, study.sealed_at))


def test_data_that_were_batched_before_and_stored_by_themselves_after(registry, judge) -> None:
    """Their slot has the later time. Their source, or whoever has the Merkle path, shows the batch."""
    dataset_id = domain(registry).record_id(DATASET)
    registry.send(BOB.address, "anchorLeaves", SOURCE, (dataset_id,))
    anchored_at = registry.chain.now
    registry.chain.now += 100
    study = Study(registry)
    study.send(BOB, "record", DATASET)
    run = study.done()
    judge.read("requirePreregistered", run, study.plan, DATASET)
    judge.send(CAROL.address, "showBatched", DATASET, root((dataset_id,)), (bytes(32),))
    judge.send(CAROL.address, "showBatched", DATASET._replace(author=ALICE.address), root((dataset_id,)), ())
    assert judge.read("knownSince", FILE) == 0, "another path, or another's batch, shows nothing"
    judge.send(CAROL.address, "showBatched", DATASET, root((dataset_id,)), ())
    assert judge.read("knownSince", FILE) == anchored_at
    assert refused(judge, run, study.plan, DATASET) == ("Error", ("somebody had the data before",))


@pytest.mark.parametrize("kind", [PLAN, 1])
def test_a_plan_that_was_not_sealed_or_is_none(registry, judge, kind: int) -> None:
    study = Study(registry, DATA._replace(kind=kind))
    if kind == PLAN:
        study.send(ALICE, "record", study.plan)
    else:
        study.send(ALICE, "reveal", study.plan, SALT)
    study.wait()
    study.send(BOB, "record", DATASET)
    met = refused(judge, study.run(DATASET), study.plan, DATASET)
    assert met == ("NotASealedPlan", (study.id(study.plan), OURS))


def test_the_plan_of_another_group(registry, judge) -> None:
    """One of the many that others sealed and showed."""
    study = Study(registry)
    registry.send(MALLORY.address, "createGroup", ALL_ROLES, bytes(32))
    study.send(BOB, "record", DATASET)
    study.send(ALICE, "reveal", study.plan, SALT)
    links = tuple(sorted([(study.id(study.plan), USES), (study.id(DATASET), EVALUATED_ON)]))
    run = Key(3, MALLORY.address, 4, b"\x0e" * 32, RUN, b"\4" * 32, links)
    registry.send(MALLORY.address, "record", run)
    assert refused(judge, run, study.plan, DATASET) == ("NotASealedPlan", (study.id(study.plan), 3))


@pytest.mark.parametrize("relation", [TRAINED_ON, DERIVED_FROM])
def test_data_in_another_relation(study: Study, judge: Contract, relation: int) -> None:
    study.send(BOB, "record", DATASET)
    study.send(ALICE, "reveal", study.plan, SALT)
    run = study.run(DATASET, relation)
    met = refused(judge, run, study.plan, DATASET)
    assert met == ("NotAParent", (study.id(run), study.id(DATASET), EVALUATED_ON))


@pytest.mark.parametrize("which", ["run", "plan", "data"])
def test_what_was_retracted_since(study: Study, judge: Contract, which: str) -> None:
    study.send(BOB, "record", DATASET)
    run = study.done()
    key = {"run": run, "plan": study.plan, "data": DATASET}[which]
    study.registry.send(key.author, "retract", key, bytes(32))
    assert refused(judge, run, study.plan, DATASET) == ("RecordNotStanding", (study.id(key), RETRACTED))


# the licence


@pytest.fixture
def licence(registry: Contract) -> Contract:
    registry.send(BOB.address, "record", DATASET)
    return registry.chain.deploy("Licence", registry.address, domain(registry).record_id(DATASET))


def model_on(registry: Contract, data: Key, **other: object) -> Key:
    parents = ((domain(registry).record_id(data), TRAINED_ON),)
    return Key(OURS, ALICE.address, 1, b"\x0f" * 32, MODEL, b"\5" * 32, parents)._replace(**other)


def test_a_licence_holds_while_both_stand(registry, licence) -> None:
    model = model_on(registry, DATASET)
    registry.send(ALICE.address, "record", model)
    assert not licence.read("isLicensed", model, CAROL.address)
    licence.send(ALICE.address, "grant", model, CAROL.address)
    assert licence.read("isLicensed", model, CAROL.address)
    assert not licence.read("isLicensed", model, MALLORY.address)
    registry.send(BOB.address, "retract", DATASET, bytes(32))
    gone = ("RecordNotStanding", (domain(registry).record_id(DATASET), RETRACTED))
    assert refusal(lambda: licence.read("isLicensed", model, CAROL.address)) == gone
    assert registry.read("isParent", model, domain(registry).record_id(DATASET), TRAINED_ON), "a link stays"


def test_a_model_on_the_same_file_recorded_again(registry, licence) -> None:
    again = DATASET._replace(manifest=b"\7" * 32)
    registry.send(BOB.address, "record", again)
    model = model_on(registry, again)
    registry.send(ALICE.address, "record", model)
    met = refusal(lambda: licence.send(ALICE.address, "grant", model, CAROL.address))
    assert met[0] == "NotAParent"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda model: model._replace(kind=RUN), "Error"),
        (lambda model: model._replace(author=BOB.address, group=SOURCE), "Error"),
        (lambda model: model._replace(parents=((model.parents[0][0], DERIVED_FROM),)), "NotAParent"),
    ],
)
def test_what_is_no_model_of_the_caller_on_that_dataset(
    registry, licence, change: Callable[[Key], Key], expected: str
) -> None:
    model = change(model_on(registry, DATASET))
    registry.send(model.author, "record", model)
    assert refusal(lambda: licence.send(ALICE.address, "grant", model, CAROL.address))[0] == expected


@pytest.mark.parametrize("status", [UNKNOWN, CANCELLED, RETRACTED])
def test_a_model_that_does_not_stand(registry, licence, status: int) -> None:
    model = model_on(registry, DATASET)
    for function in {UNKNOWN: (), CANCELLED: ("cancel",), RETRACTED: ("record", "retract")}[status]:
        registry.send(ALICE.address, function, model, *([bytes(32)] if function == "retract" else []))
    met = refusal(lambda: licence.send(ALICE.address, "grant", model, CAROL.address))
    assert met == ("RecordNotStanding", (domain(registry).record_id(model), status))
