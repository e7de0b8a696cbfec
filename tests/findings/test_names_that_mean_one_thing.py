"""Names of things elsewhere, and numbers to come. A successor was an address alone, which is another contract on
another chain; the logs of foreign verdicts could not be asked for by group; no digest but SHA-256 could ever be a
subject."""

from __future__ import annotations

import pytest
from eth_hash.auto import keccak

from tests.findings.conftest import ALICE, BOB, CAROL, DATA, refusal
from tests.model.registry import NOBODY, REVIEWED
from tests.support.artifacts import artifact

pytestmark = pytest.mark.evm

ELSEWHERE = "0x" + "ab" * 20


def test_a_successor_is_on_a_chain(registry) -> None:
    _, (event,) = registry.send(CAROL.address, "announceSuccessor", 8453, ELSEWHERE)
    assert event == ("SuccessorAnnounced", (8453, ELSEWHERE))
    assert registry.read("successor") == (8453, ELSEWHERE)
    registry.send(CAROL.address, "announceSuccessor", 0, NOBODY)
    assert registry.read("successor") == (0, NOBODY)


def test_foreign_verdicts_are_asked_for_by_group_attester_and_record(registry) -> None:
    foreign = (1, ELSEWHERE, keccak(b"a record elsewhere"))
    _, (event,) = registry.send(BOB.address, "attestForeign", 2, foreign, REVIEWED)
    assert event.arguments[:5] == (2, BOB.address, foreign[2], 1, ELSEWHERE)
    [declared] = [entry for entry in artifact("LabRegistry").abi if entry.get("name") == "ForeignAttested"]
    assert [field["name"] for field in declared["inputs"] if field["indexed"]] == ["group", "attester", "recordId"]


@pytest.mark.parametrize("subject_type", [*range(1, 7), 128, 255])
def test_a_lab_has_subject_types_of_its_own(registry, subject_type) -> None:
    registry.send(ALICE.address, "record", DATA._replace(subject_type=subject_type))


@pytest.mark.parametrize("subject_type", [0, 7, 127])
def test_the_others_stay_reserved(registry, subject_type) -> None:
    key = DATA._replace(subject_type=subject_type)
    assert refusal(lambda: registry.send(ALICE.address, "record", key)) == ("InvalidSubjectType", (subject_type,))


def test_a_group_that_does_not_exist_is_answered_with_zeros_as_all_else_is(registry) -> None:
    assert registry.read("groupOf", 77) == (NOBODY, NOBODY, 0)
