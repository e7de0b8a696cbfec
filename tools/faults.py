"""Kill, reorganise, lie and fill the disk, in full: `make faults`.

A test that passed is kept in tests/results and counts as long as the package, the contracts and the test are the same,
so a run that was ended goes on where it was. Arguments go to pytest.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest
from compiler import ROOT
from results import Results, contracts, digest, imports

TESTS = ("tests/node/faults", "tests/evm/test_verbs_of_nodes_that_forget.py")


class Kept:
    """A pytest plugin: leaves out what passed before, and keeps what passes."""

    def __init__(self) -> None:
        self._results = Results("faults")
        self._source = digest((ROOT / "blockchaintracer").rglob("*.py"))
        self._digests: dict[str, str] = {}

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        self._digests = {
            item.nodeid: digest([*(its := imports(item.path)), *contracts(its)], self._source) for item in items
        }
        passed = self._results.of_today(self._digests)
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in passed])
        items[:] = [item for item in items if item.nodeid not in passed]
        print(f"faults: {len(passed)} of {len(self._digests)} tests passed before")

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" and report.passed:
            self._results.add(report.nodeid, "passed", round(report.duration), self._digests[report.nodeid])


if __name__ == "__main__":
    os.environ["FAULTS"] = "1"
    os.chdir(ROOT)
    code = pytest.main(["-q", *(sys.argv[1:] or TESTS)], plugins=[Kept()])
    # 5: nothing was left to run
    sys.exit(0 if code == pytest.ExitCode.NO_TESTS_COLLECTED else code)
