"""The registry's bytecode against the model, in this process: at least six thousand operations a run.

`make fuzz` makes it a million, by tools/fuzz.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.evm.property.machine import ALICE, BOB, ELSEWHERE, RegistryMachine, Seen, in_process, run_on
from tests.model import merkle
from tests.model.eip712 import Key, record_commitment
from tests.model.registry import NOBODY, REPRODUCED, REPRODUCES, RETRACTED, RUN, ZERO, ForeignRecord
from tests.support.artifacts import artifact

OPERATIONS = 6_000
"""From seed 0 on. Hypothesis also looks at the constants of the modules that are loaded, so that histories differ
a little from run to run, and some of what has to be met may need a few more of them."""
UNREACHABLE = {
    "GroupCreationRestricted",  # the machine's registry is open to all: tests/node/contracts
    "ParentRecordedLater",  # once in ten thousand: tests/evm/property/test_invariants.py, tests/node/contracts
    "TooManyParents",  # needs 1,025 of them: test_invariants
    "OwnerNeeded",  # of a restricted registry: tests/findings/test_nobody_owns_nothing.py
    "OwnableInvalidOwner",  # of the constructor: tests/node/contracts
    "InvalidShortString",  # of OpenZeppelin's EIP712, for names of another length
    "StringTooLong",
}
ANSWERS = {"batchedAt 0", "batchedAt 1", *(f"lineageStatus {lineage}" for lineage in range(4))}
"""Of the views that the machine asks beside looking at all state: whether a leaf is in, and each Lineage."""


def test_the_bytecode_does_what_the_model_does() -> None:
    machine = run_on(in_process, OPERATIONS)
    missing = missed([*machine.performed, *machine.refused, *machine.answered])
    for more in range(1, 50):
        if not missing:
            break
        further = run_on(in_process, OPERATIONS // 5, more * 1_000)
        missing -= set(further.performed) | set(further.refused) | set(further.answered)
        machine.executed += further.executed
    print(f"{machine.executed} operations", machine.performed, machine.refused, machine.answered)
    assert not missing, "operations that never succeeded, errors that were never met, answers that were never given"


def broken(field: str, change: Callable[[Any], Any]) -> Callable[[Seen], Seen]:
    """The same with every value of one field changed."""
    return lambda seen: seen._replace(
        **{field: {place: change(value) for place, value in getattr(seen, field).items()}}
    )


@pytest.mark.parametrize(
    ("invariant", "damage"),
    [
        ("chain_equals_model", broken("memberships", lambda held: (*held[:3], held[3] + 1))),
        ("chain_equals_model", broken("seals", lambda time: time + 1)),
        ("chain_equals_model", broken("batches", lambda batch: (batch[0], batch[1] + 1, batch[2]))),
        ("chain_equals_model", broken("foreign_verdicts", lambda said: (*said[:3], said[3] + 1))),
        ("records_are_written_once", broken("records", lambda was: was._replace(recorded_at=was.recorded_at + 1))),
        ("records_are_written_once", broken("records", lambda was: was._replace(sealed_at=was.sealed_at + 1))),
        ("records_are_written_once", broken("records", lambda was: was._replace(flags=was.flags ^ 1))),
        ("records_are_written_once", broken("records", lambda was: was._replace(retracted_at=0))),
        ("seals_and_batches_are_written_once", broken("seals", lambda time: time + 1)),
        ("seals_and_batches_are_written_once", broken("batches", lambda batch: (batch[0] + 1, *batch[1:]))),
        ("nothing_is_sealed_after_it_is_shown", broken("records", lambda was: was._replace(sealed_at=2**40 - 1))),
        ("nothing_is_sealed_after_it_is_shown", broken("verdicts", lambda said: (*said[:2], 1, 2, said[4]))),
        ("every_group_has_an_owner", broken("groups", lambda group: (NOBODY, *group[1:]))),
        (
            "parents_precede_children",
            broken("records", lambda was: was._replace(recorded_at=0 if was.kind == 1 else 9)),
        ),
        ("counters_count_current_verdicts", broken("records", lambda was: was._replace(reviewed=was.reviewed + 1))),
        ("findings_stand_on_an_unretracted_run", broken("records", lambda was: was._replace(status=RETRACTED))),
        (
            "findings_on_foreign_records_stand_on_an_unretracted_run",
            broken("records", lambda was: was._replace(status=RETRACTED)),
        ),
        ("no_group_judges_itself", broken("records", lambda was: was._replace(group=2))),
    ],
)
def test_each_invariant_can_fail(invariant: str, damage: Callable[[Seen], Seen]) -> None:
    """It holds of an eventful history, and no more when the chain says one thing differently."""
    machine = RegistryMachine()
    machine.found_two_labs()
    here = machine.domain
    (data,) = machine.keys.values()
    plan = Key(1, ALICE.address, 1, b"\3" * 32, 5, ZERO)
    record, foreign = here.record_id(data), ForeignRecord(5, ELSEWHERE, ZERO)
    run = Key(2, BOB.address, 4, b"\4" * 32, RUN, ZERO, ((record, REPRODUCES),))
    for key in (plan, run):
        machine._remember(key)
    machine.seal_places.add((1, ALICE.address, record_commitment(here.record_id(plan), ZERO)))
    machine.batch_places.add((1, ALICE.address, merkle.root((record,))))
    machine.foreign_places.add((2, foreign))
    for caller, function, *arguments in (
        (ALICE, "seal", 1, record_commitment(here.record_id(plan), ZERO)),
        (ALICE, "reveal", plan, ZERO),
        (ALICE, "anchorLeaves", 1, (record,)),
        (BOB, "record", run),
        (BOB, "attestWithEvidence", 2, record, REPRODUCED, run),
        (ALICE, "retract", data, ZERO),
    ):
        machine.step(caller.address, function, *arguments)
    evidence = machine._foreign_evidence(foreign, 2, BOB.address)
    machine.step(BOB.address, "attestForeignWithEvidence", 2, foreign, REPRODUCED, *evidence)
    check = getattr(machine, invariant)
    check()
    machine.seen = damage(machine.seen)
    with pytest.raises(AssertionError):
        check()


def missed(met: Iterable[str]) -> set[str]:
    """Return what the registry can do, refuse and answer, beside what was met."""
    changing = {"function": "nonpayable", "error": None}
    declared = {
        entry["name"]
        for entry in artifact("LabRegistry").abi
        if entry["type"] in changing and entry.get("stateMutability") == changing[entry["type"]]
    }
    return (declared | ANSWERS) - UNREACHABLE - set(met)
