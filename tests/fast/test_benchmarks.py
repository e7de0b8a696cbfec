"""What `make bench` says of its own figures."""

from __future__ import annotations

import pytest

pytest.importorskip("web3", reason="what the client is compared with")

from benchmarks import client
from benchmarks.growth import ALL, ONE, Growth

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(("machine", "useless"), [(2.0, False), (1000.0, True)])
def test_a_row_says_that_others_used_the_machine(
    monkeypatch: pytest.MonkeyPatch, machine: float, useless: bool
) -> None:
    """Seconds of the whole machine beside the two that this process took; the step takes ten seconds on two cores."""
    seconds, clock = iter([(0.0, 0.0), (machine, 2.0)]), iter([100.0, 110.0])
    monkeypatch.setattr(client, "_processor_seconds", lambda: next(seconds))
    monkeypatch.setattr(client.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(client.os, "cpu_count", lambda: 2)
    [row] = client.measured(lambda: client.Row("a row", "s", 1, 2, "at most 1", met=True))
    assert row.is_useless is useless


def test_the_exponent_is_that_of_the_cost() -> None:
    linear = Growth("flush", ALL, [0.1, 1.0, 10.0], [50.0, 50.0, 50.0])
    assert linear.exponents == pytest.approx((1.0, 0.0))
    assert linear.met
    assert not Growth("record", ONE, [0.1, 0.3, 1.0], [50.0, 50.0, 50.0]).met
    assert not Growth("record", ONE, [0.1, 0.1, 0.1], [50.0, 90.0, 200.0]).met
