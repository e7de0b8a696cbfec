"""The registry's bytecode against the model, in this process: at least ten thousand operations a run.

`BLOCKCHAINTRACER_FUZZ=1000000 pytest tests/property/test_machine.py` runs as many as it is told.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.artifacts import artifact
from tests.property.machine import RegistryMachine

OPERATIONS = int(os.environ.get("BLOCKCHAINTRACER_FUZZ", "10000"))
UNREACHABLE = {
    "GroupCreationRestricted",  # the machine's registry is open to all: tests/unit
    "CounterExhausted",  # needs four million groups: tests/unit
    "VersionsExhausted",  # needs 254 verdicts of one group: tests/unit
    "UnknownGroup",  # of a view
    "OwnableInvalidOwner",  # of the constructor
    "InvalidShortString",  # of OpenZeppelin's EIP712, for long names
    "StringTooLong",
}


def test_the_bytecode_does_what_the_model_does() -> None:
    every_error = _names("error") - UNREACHABLE
    every_operation = _names("function")
    met = False
    while RegistryMachine.executed < OPERATIONS or not (met or RegistryMachine.executed > 4 * OPERATIONS):
        run_state_machine_as_test(
            RegistryMachine,
            settings=settings(
                max_examples=60,
                stateful_step_count=50,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=tuple(phase for phase in Phase if phase is not Phase.explain),
                print_blob=True,
                report_multiple_bugs=False,
            ),
        )
        met = every_error <= set(RegistryMachine.refused) and every_operation <= set(RegistryMachine.performed)
    print(f"{RegistryMachine.executed} operations", RegistryMachine.performed, RegistryMachine.refused)
    assert every_operation == set(RegistryMachine.performed), "an operation was never performed"
    assert every_error == set(RegistryMachine.refused) - {""}, "an error was never met"


def _names(kind: str) -> set[str]:
    """What the registry declares of a kind; of functions those that change something."""
    declared = [entry for entry in artifact("LabRegistry").abi if entry["type"] == kind]
    return {entry["name"] for entry in declared if entry.get("stateMutability", "nonpayable") == "nonpayable"}
