"""`lineageStatus` called a correction Retracted because it names what it corrects, and a critic's run because it
names what it failed to reproduce. So an author could taint whatever contradicted a record, by retracting it."""

from __future__ import annotations

import pytest

from blockchaintracer.core.record import ABOUT, Relation
from tests.findings.conftest import ALICE, BOB, DATA, RUN, domain, refusal, run_reproducing
from tests.model.registry import CLEAN, INCOMPLETE, LINEAGE_RETRACTED, NOT_REPRODUCED

pytestmark = pytest.mark.evm

OWN = (128, 255)


@pytest.mark.parametrize("relation", [*Relation, *OWN])
def test_client_and_contract_agree_which_relations_carry_a_retraction(registry, relation) -> None:
    record, _ = registry.send(ALICE.address, "record", DATA)
    kind = RUN if relation == Relation.REPRODUCES else 1
    second = DATA._replace(subject=b"\7" * 32, kind=kind, parents=((record, int(relation)),))
    second_id, _ = registry.send(ALICE.address, "record", second)
    model = DATA._replace(kind=2, parents=((second_id, Relation.TRAINED_ON),))
    registry.send(ALICE.address, "record", model)
    registry.send(ALICE.address, "retract", DATA, bytes(32))
    asker = registry.chain.deploy("Asker", registry.address)
    if relation in ABOUT:
        # what it speaks about has no place in the path, and the place named for it is not looked at
        assert registry.read("lineageStatus", (second, model), (9, 0)) == (CLEAN, bytes(32))
        assert asker.read("cleanLineage", (second, model), (9, 0)) == domain(registry).record_id(model)
    else:
        assert registry.read("lineageStatus", (second, model), (9, 0)) == (INCOMPLETE, second_id)
        assert registry.read("lineageStatus", (DATA, second, model), (0, 1)) == (LINEAGE_RETRACTED, record)
        assert refusal(lambda: asker.read("cleanLineage", (DATA, second, model), (0, 1)))[0] == "LineageNotClean"


def test_the_relations_are_these() -> None:
    """A Renewal has no content but its parent's commitment; what a lab's own relation means is unknown."""
    assert sorted(ABOUT) == [8, 9, 10, 11, 12, 13]


def test_no_author_taints_who_contradicts_it(registry) -> None:
    record, _ = registry.send(ALICE.address, "record", DATA)
    run = run_reproducing(record)
    run_id, _ = registry.send(BOB.address, "record", run)
    registry.send(BOB.address, "attestWithEvidence", 2, record, NOT_REPRODUCED, run)
    later = run._replace(subject_type=1, subject=b"\x33" * 32, kind=2, parents=((run_id, Relation.GENERATED_BY),))
    registry.send(BOB.address, "record", later)
    registry.send(ALICE.address, "retract", DATA, bytes(32))
    assert registry.read("lineageStatus", (run, later), (0, 0)) == (CLEAN, bytes(32))


def test_a_clean_lineage_says_nothing_of_what_is_only_spoken_about(registry) -> None:
    """A consumer that wants the measured model to stand asks for it by its relation."""
    model, _ = registry.send(ALICE.address, "record", DATA._replace(kind=2))
    evaluation = DATA._replace(kind=14, parents=((model, Relation.EVALUATES),))
    registry.send(ALICE.address, "record", evaluation)
    asker = registry.chain.deploy("Asker", registry.address)
    asked = (evaluation, model, int(Relation.EVALUATES))
    assert asker.read("standingParent", *asked) == registry.read("idOf", evaluation)
    registry.send(ALICE.address, "retract", DATA._replace(kind=2), bytes(32))
    assert asker.read("cleanLineage", (evaluation,), (0,)) == registry.read("idOf", evaluation)
    assert refusal(lambda: asker.read("standingParent", *asked))[0] == "RecordNotStanding"
