"""The Lens leaves a question unanswered where the gas for questions is spent. Nothing held that check: without it the
call ends in an arithmetic error, and what was read before is lost."""

from __future__ import annotations

import pytest

from tests.evm.test_registry_lens import EAT, REFUSED, Scene, lens_read, selector, tell

pytestmark = pytest.mark.evm


def outcome(scene: Scene, gas: int) -> str | set[int]:
    """What the questions were answered by, or why there is no answer."""
    try:
        answers = lens_read(scene.lens, "statusesOf", scene.hostile.address, [b"\1" * 32] * 40, gas=gas)
    except RuntimeError as error:
        return str(error).partition(" ")[0]
    return {reading for reading, _ in answers}


def test_a_call_with_little_gas_gives_what_it_has_or_runs_out_of_it() -> None:
    scene = Scene()
    tell(scene.hostile, selector("statusOf"), EAT)
    outcomes = [outcome(scene, gas) for gas in range(80_000, 240_000, 2_000)]
    # the first have too little even for the Lens itself
    answered = outcomes.index({REFUSED})
    assert (outcomes[:answered], outcomes[answered:]) == (["Halt"] * answered, [{REFUSED}] * (80 - answered))
