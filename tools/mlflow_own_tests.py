"""Run MLflow's own tests with plain stores and with anchored ones, and print each that passes plain and fails anchored.

    python tools/mlflow_own_tests.py FOLDER [FILE ...]

FOLDER holds MLflow's `tests` as its repository has them, of a version near the installed one; FILE names some of them,
the default is `FILES`. Each file is run plain; as `client`, where every tracking store that a test opens has the
prefix; and, if it starts servers, as `server`, where every server that a test starts has it. Runs are recorded for a
lab on a devnet of its own; tests do not see the tags of records. What differs is run once more, alone, before it is
printed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from functools import wraps
from pathlib import Path
from typing import Any

FILES = [
    "tests/tracking",
    "tests/store/tracking",
    "tests/store/model_registry",
    "tests/store/artifact",
    "tests/artifacts",
]
WAYS = ("plain", "client", "server")
PREFIX = "anchor+"
_WAY, _RESULTS = "MLFLOW_OWN_TESTS_WAY", "MLFLOW_OWN_TESTS_RESULTS"
_BACKEND = ("_MLFLOW_SERVER_FILE_STORE", "_MLFLOW_SERVER_REGISTRY_STORE")
_SERVES = ("ServerThread", "_init_server", "_launch_server")
_SCHEMES = ("sqlite:", "http:", "https:")
_LIMIT_S = 3_600


# -- as a plugin of pytest, in the process that runs the tests


def pytest_configure() -> None:
    way = os.environ.get(_WAY)
    if way == "client":
        _anchor_clients()
    if way == "server":
        _anchor_servers()
    _hide_own_tags()


def pytest_runtest_logreport(report: Any) -> None:
    if report.when == "call" or not report.passed:
        with open(os.environ[_RESULTS], "a") as file:
            file.write(json.dumps([report.nodeid, report.outcome, str(report.longrepr)[-1_500:]]) + "\n")


def _hide_own_tags() -> None:
    """Take the tags of records from what tests see: tests count a run's tags, and a recorded run has these more."""
    from mlflow.entities import RunData

    from blockchaintracer.extras.mlflow_reader.snapshot import OWN_TAGS

    make = RunData.__init__

    @wraps(make)
    def without_own(data: Any, metrics: Any = None, params: Any = None, tags: Any = None) -> None:
        make(data, metrics, params, [tag for tag in tags or () if not tag.key.startswith(OWN_TAGS)])

    RunData.__init__ = without_own  # type: ignore[method-assign]


def _with_prefix(uri: Any) -> Any:
    return f"{PREFIX}{uri}" if isinstance(uri, str) and uri.startswith(_SCHEMES) else uri


def _anchor_clients() -> None:
    import mlflow
    import pytest
    from mlflow.server import handlers
    from mlflow.store.tracking.rest_store import RestStore
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from mlflow.tracking._tracking_service import utils

    from blockchaintracer.extras.mlflow.anchored_uris import anchor
    from blockchaintracer.extras.mlflow.mlflow_tracer import anchored

    set_uri, set_variable, make = utils.set_tracking_uri, pytest.MonkeyPatch.setenv, mlflow.MlflowClient.__init__

    @wraps(set_uri)
    def set_tracking_uri(uri: Any) -> None:
        set_uri(_with_prefix(uri))

    def setenv(patch: Any, name: str, value: str, *more: Any, **named: Any) -> None:
        set_variable(patch, name, _with_prefix(value) if name == "MLFLOW_TRACKING_URI" else value, *more, **named)

    @wraps(make)
    def make_client(client: Any, tracking_uri: Any = None, *more: Any, **named: Any) -> None:
        make(client, _with_prefix(tracking_uri), *more, **named)

    for owner in (mlflow, mlflow.tracking, utils):
        owner.set_tracking_uri = set_tracking_uri  # type: ignore[attr-defined]
    pytest.MonkeyPatch.setenv = setenv  # type: ignore[method-assign]
    mlflow.MlflowClient.__init__ = make_client  # type: ignore[method-assign]

    def made(store: Any, *arguments: Any, original: Any, **named: Any) -> None:
        original(store, *arguments, **named)
        # a test that makes a store itself, not by MLflow's registry of stores; a server's own stays plain
        if type(store) in (SqlAlchemyStore, RestStore) and not serving:
            uri = getattr(store, "db_uri", None) or "http://made-by-a-test.invalid"
            anchor(_with_prefix(uri))
            anchored(store, uri)

    def serve(*arguments: Any, original: Any, **named: Any) -> Any:
        serving.append(True)
        try:
            return original(*arguments, **named)
        finally:
            serving.pop()

    serving: list[bool] = []
    handlers.initialize_backend_stores = _bound(serve, handlers.initialize_backend_stores)  # type: ignore[assignment]

    for of in (SqlAlchemyStore, RestStore):
        of.__init__ = _bound(made, of.__init__)  # type: ignore[misc]


def _bound(function: Any, original: Any) -> Any:
    @wraps(original)
    def call(*arguments: Any, **named: Any) -> Any:
        return function(*arguments, original=original, **named)

    return call


def _anchor_servers() -> None:
    from mlflow.server import handlers

    make, initialize = subprocess.Popen.__init__, handlers.initialize_backend_stores

    @wraps(initialize)
    def serve(*uris: Any, **named: Any) -> None:
        initialize(*map(_with_prefix, uris), **{name: _with_prefix(uri) for name, uri in named.items()})

    handlers.initialize_backend_stores = serve

    @wraps(make)
    def start(process: Any, command: Any, *arguments: Any, env: Any = None, **named: Any) -> None:
        if isinstance(command, list) and "--backend-store-uri" in command:
            place = command.index("--backend-store-uri") + 1
            command = [*command[:place], _with_prefix(command[place]), *command[place + 1 :]]
        if env and any(name in env for name in _BACKEND):
            env = {name: _with_prefix(value) if name in _BACKEND else value for name, value in env.items()}
        make(process, command, *arguments, env=env, **named)

    subprocess.Popen.__init__ = start  # type: ignore[method-assign]


# -- as a program


def run(folder: Path, tests: Iterable[str], way: str, home: Path) -> dict[str, tuple[str, str]]:
    """Run tests one way. Returns what became of each, and the end of its report."""
    with tempfile.NamedTemporaryFile("r", suffix=".jsonl") as results:
        paths = [str(folder), str(Path(__file__).parent), str(Path(__file__).parents[1])]
        named = {
            _WAY: way,
            _RESULTS: results.name,
            "BLOCKCHAINTRACER_HOME": str(home),
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        options = [
            "-q",
            "-c",
            os.devnull,
            "--rootdir",
            str(folder),
            "-p",
            "no:cacheprovider",
            "-p",
            Path(__file__).stem,
        ]
        subprocess.run(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **named},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_LIMIT_S,
            check=False,
        )
        became: dict[str, tuple[str, str]] = {}
        for line in results:
            name, outcome, report = json.loads(line)
            if became.get(name, ("passed",))[0] != "failed":
                became[name] = outcome, report
    return became


def compare(folder: Path, tests: Iterable[str], home: Path) -> tuple[dict[str, int], dict[str, str]]:
    """Run tests in all ways. Returns how many passed in each, and what passes plain and fails anchored."""
    tests = list(tests)
    texts = [(folder / test.partition("::")[0]).read_text() for test in tests]
    serves = any(word in text for text in texts for word in _SERVES)
    by_way = {way: run(folder, tests, way, home) for way in (WAYS if serves else WAYS[:2])}
    counts = {way: sum(outcome == "passed" for outcome, _ in became.values()) for way, became in by_way.items()}
    worse = {
        f"{name} ({way})": report
        for way in list(by_way)[1:]
        for name, (outcome, _) in by_way["plain"].items()
        for found, report in [by_way[way].get(name, ("missing", ""))]
        if outcome == "passed" and found != "passed"
    }
    return counts, worse


def main(arguments: list[str]) -> int:
    from blockchaintracer.lab.groups import create_group, deploy
    from blockchaintracer.lab.lab import Lab
    from blockchaintracer.lab.lab_folder import Home

    if not arguments or not Path(arguments[0], "tests").is_dir():
        raise SystemExit(
            "expected a folder that holds MLflow's tests: python tools/mlflow_own_tests.py FOLDER [FILE ...]"
        )
    folder = Path(arguments[0]).resolve()
    chosen = [folder / name for name in arguments[1:] or FILES]
    files = [file for path in chosen for file in (sorted(path.rglob("test_*.py")) if path.is_dir() else [path])]
    totals, differences = dict.fromkeys(WAYS, 0), 0
    with tempfile.TemporaryDirectory() as scratch:
        lab = Lab(Home(Path(scratch, "home")))
        try:
            deploy(lab, open_group_creation=True)
            create_group(lab, "The lab")
            for file in files:
                name = str(file.relative_to(folder))
                counts, worse = compare(folder, [name], lab.home.path)
                if worse:
                    # once more, alone: what depends on the machine or on the test before is no difference
                    again = list(dict.fromkeys(test.rpartition(" (")[0] for test in worse))
                    worse = {
                        key: value for key, value in compare(folder, again, lab.home.path)[1].items() if key in worse
                    }
                print(f"{name}: " + ", ".join(f"{way} {count}" for way, count in counts.items()), flush=True)
                for test, report in worse.items():
                    print(f"  passes plain, fails anchored: {test}\n{report}", flush=True)
                differences += len(worse)
                totals = {way: totals[way] + counts.get(way, 0) for way in WAYS}
        finally:
            lab.devnet.stop()
    print(f"{len(files)} files, passed: {', '.join(f'{way} {totals[way]}' for way in WAYS)}; {differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
