"""The histories of tests/evm/property, the same in every run, for telling a changed contract from the original.

Not collected by itself: tests/evm/property/test_machine.py makes more histories, and new ones each time.
"""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.evm.property.machine import RegistryMachine


def test_fixed_histories() -> None:
    run_state_machine_as_test(
        RegistryMachine,
        settings=settings(
            max_examples=60,
            stateful_step_count=50,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert len(RegistryMachine.performed) > 15, "histories in which little succeeds tell little"
