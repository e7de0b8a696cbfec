"""The registry's bytecode against the model, in this process: at least ten thousand operations a run.

`make fuzz`, or the variable FUZZ, makes it a million.
"""

from __future__ import annotations

import os

from tests.artifacts import artifact
from tests.property.machine import RegistryMachine, in_process, run_on

OPERATIONS = 1_000_000 if os.environ.get("FUZZ") else 10_000
UNREACHABLE = {
    "GroupCreationRestricted",  # the machine's registry is open to all: tests/unit
    "TooManyParents",  # needs 1,025 of them: test_invariants
    "UnknownGroup",  # of a view: tests/unit
    "OwnableInvalidOwner",  # of the constructor: tests/unit
    "InvalidShortString",  # of OpenZeppelin's EIP712, for names of another length
    "StringTooLong",
    "StringsInsufficientHexLength",  # of OpenZeppelin's Strings, for lengths that the registry doesn't ask for
}
ANSWERS = {"verifyBatched 0", "verifyBatched 1", *(f"lineageStatus {lineage}" for lineage in range(4))}
"""Of the views that the machine asks beside looking at all state: whether a leaf is in, and each Lineage."""


def test_the_bytecode_does_what_the_model_does() -> None:
    machine = run_on(in_process, OPERATIONS)
    missing = missed(machine)
    while missing and machine.executed < 12 * OPERATIONS:
        more = run_on(in_process, OPERATIONS // 5)
        missing -= set(more.performed) | set(more.refused) | set(more.answered)
        machine.executed += more.executed
    print(f"{machine.executed} operations", machine.performed, machine.refused, machine.answered)
    assert not missing, "operations that never succeeded, errors that were never met, answers that were never given"


def missed(machine: type[RegistryMachine]) -> set[str]:
    """What the registry can do, refuse and answer, and the machine has not met."""
    changing = {"function": "nonpayable", "error": None}
    declared = {
        entry["name"]
        for entry in artifact("LabRegistry").abi
        if entry["type"] in changing and entry.get("stateMutability") == changing[entry["type"]]
    }
    met = set(machine.performed) | set(machine.refused) | set(machine.answered)
    return (declared | ANSWERS) - UNREACHABLE - met
