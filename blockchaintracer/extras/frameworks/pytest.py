"""A pytest plugin that records a session as a Result: outcomes of tests, and metrics that tests choose.

It records only with ``--record``, or with the setting ``blockchaintracer_record`` and ``$BLOCKCHAINTRACER_RECORD``:
what a cloned project sets makes nobody sign. pytest imports it in every session where this package is installed, so
everything else is imported when it is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from blockchaintracer.lab.formats import TEST_REPORT

if TYPE_CHECKING:
    import pytest

    from blockchaintracer.lab.drafts import Recorded

METRIC = "blockchaintracer:metric"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("blockchaintracer", "recording with BlockchainTracer")
    group.addoption("--record", action="store_true", help="record outcomes and metrics of this session on the chain")
    group.addoption("--record-name", metavar="NAME", help="what the record is called; the project's folder if not said")
    parser.addini("blockchaintracer_record", "whether to record every session", type="bool", default=False)
    parser.addini("blockchaintracer_name", "what records of sessions are called", default="")
    parser.addini("blockchaintracer_registry", "address of the registry; the one used last if not said", default="")
    parser.addini("blockchaintracer_group", "number of the group; the one used last if not said", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Register the recorder if the user wants a record; with pytest-xdist in the process that has all reports."""
    config.pluginmanager.register(_fixtures(), "blockchaintracer-fixtures")
    record = config.getoption("--record") or config.getini("blockchaintracer_record")
    if record and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Recorder(config), "blockchaintracer-recorder")


def _is_typed(config: pytest.Config, option: str) -> bool:
    """Whether the user gave an option: on the command line or by a variable, not by the settings of the project."""
    import os
    import shlex

    given = [*config.invocation_params.args, *shlex.split(os.environ.get("PYTEST_ADDOPTS", ""))]
    return bool(os.environ.get("BLOCKCHAINTRACER_RECORD")) or any(option in str(argument) for argument in given)


def _fixtures() -> Any:
    """Make the plugin of the fixtures here: this module must be importable without pytest."""
    import pytest

    class Fixtures:
        @pytest.fixture
        def record_result(self, record_property: Callable[[str, object], None]) -> Callable[[str, float], None]:
            """Record a number with the session: ``record_result("accuracy", 0.93)``.

            Use each name once a session. Without ``--record`` the number is only checked.
            """

            def record(name: str, value: float) -> None:
                from blockchaintracer.core.errors import InputError
                from blockchaintracer.core.plain_json import NOT_FINITE, plain

                number = plain(value, f"metrics.{name}")
                is_number = isinstance(number, int | float) or number in NOT_FINITE.values()
                if isinstance(number, bool) or not is_number:
                    raise InputError(f"metrics.{name}: expected a number, got {type(value).__name__}")
                record_property(METRIC, [name, number])

            return record

    return Fixtures()


class _Recorder:
    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._tests: dict[str, dict[str, Any]] = {}
        self._properties: dict[str, int] = {}
        self._chosen: dict[str, list[Any]] = {}
        self._metrics: dict[str, Any] = {}
        self._message: str | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a phase of a test: the worst of its phases is its outcome. Of a test that is run again, the last run."""
        test = self._tests.setdefault(report.nodeid, {"outcome": "passed", "seconds": 0.0})
        if report.when == "setup" and report.nodeid in self._properties:
            test |= {"outcome": "passed", "reruns": test.get("reruns", 0) + 1}
        test["seconds"] += report.duration
        outcome: str = "error" if report.failed and report.when != "call" else report.outcome
        if hasattr(report, "wasxfail"):
            outcome = "xfailed" if report.skipped else "xpassed"
        if outcome != "passed":
            test["outcome"] = outcome
        if report.when == "teardown":
            # it has the properties of all phases, and of the runs before
            new = report.user_properties[self._properties.get(report.nodeid, 0) :]
            self._properties[report.nodeid] = len(report.user_properties)
            self._chosen[report.nodeid] = [value for key, value in new if key == METRIC]

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Record the session. A failure to record does not change the outcome of the tests."""
        if self._config.getoption("collectonly"):
            return
        try:
            tests: dict[str, list[str]] = {}
            for test, chosen in self._chosen.items():
                for name, value in chosen:
                    self._metrics[name] = value
                    tests.setdefault(name, []).append(test)
            twice = {name: named for name, named in sorted(tests.items()) if len(named) > 1}
            for name in twice:
                # which of them is meant is for nobody here to say
                del self._metrics[name]
            if not _is_typed(self._config, "--record"):
                raise ValueError("the project's settings ask for it: type --record, or set $BLOCKCHAINTRACER_RECORD=1")
            if not self._tests:
                raise ValueError("no test ran")
            recorded = self._record(int(exitstatus))
            self._message = f"recorded as {recorded.id} ({recorded.state})"
            for name, named in twice.items():
                self._message += f"\nNOT RECORDED: the metric {name}, named more than once: {', '.join(named)}"
        except Exception as error:
            self._message = f"NOT RECORDED: {type(error).__name__}: {error}"

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the record."""
        if self._message:
            terminalreporter.write_sep("-", "BlockchainTracer")
            terminalreporter.write_line(self._message)

    def _record(self, exit_status: int) -> Recorded:
        import platform
        import tempfile
        from collections import Counter
        from pathlib import Path

        import pytest

        from blockchaintracer.core.plain_json import canonical, plain
        from blockchaintracer.core.record import Kind
        from blockchaintracer.lab.capture.git import capture_git
        from blockchaintracer.lab.capture.interpreter import ci_job
        from blockchaintracer.lab.chosen_network import choose_network
        from blockchaintracer.lab.deployments import registries
        from blockchaintracer.lab.lab import Lab
        from blockchaintracer.lab.lab_folder import Home
        from blockchaintracer.lab.recording.commit import require_recorder
        from blockchaintracer.lab.recording.content import not_before, record_document

        group = str(self._config.getini("blockchaintracer_group"))
        lab = Lab(
            home=Home(),
            registry_address=str(self._config.getini("blockchaintracer_registry")) or None,
            group_number=int(group) if group else None,
        )
        choose_network(lab)
        address = lab.registry_address
        known = [entry.address for entry in registries(lab.chain_id, lab.home)]
        known.append(str(lab.choices(lab.chain_id).get("registry")))
        is_known = address is None or address.lower() in map(str.lower, known)
        if not (is_known or _is_typed(self._config, "blockchaintracer_registry")):
            raise ValueError(
                f"the project's settings name registry {address}, where this lab has recorded nothing yet: if it is "
                "yours, set $BLOCKCHAINTRACER_RECORD=1"
            )
        require_recorder(lab)
        code = capture_git(self._config.rootpath, exclude=[lab.home.path])
        summary = {
            "exitStatus": exit_status,
            "outcomes": dict(Counter(test["outcome"] for test in self._tests.values())),
            "metrics": self._metrics,
            "commit": code.commit if code else None,
            "dirty": code.dirty if code else None,
            "ci": ci_job() or None,
            "python": platform.python_version(),
            "pytest": pytest.__version__,
        }
        tests = [{"id": name, **self._tests[name]} for name in sorted(self._tests)]
        data = canonical(plain({"type": str(TEST_REPORT), **summary, "tests": tests}))
        name = self._config.getoption("--record-name") or self._config.getini("blockchaintracer_name")
        with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
            path = Path(scratch, "pytest-results.json")
            path.write_bytes(data)
            return record_document(
                lab,
                Kind.RESULT,
                path,
                name=name or f"tests of {self._config.rootpath.name}",
                values={key: value for key, value in summary.items() if value is not None},
                not_before=not_before(lab),
            )
