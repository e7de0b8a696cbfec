"""What does not run as the author's program did refutes nothing: it is inconclusive, and nothing is attested.

A program that failed, a metric that was not told, and a metric that differs in another environment were each attested
as NotReproduced, against authors whose results were right.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from blockchaintracer.core.digest import sha256_file
from blockchaintracer.core.manifest import Code, Metric, Reads, RunEnvironment, RunPredicate, Tolerance
from blockchaintracer.core.manifest.metric_comparison import compare_metrics
from blockchaintracer.core.record import Verdict
from blockchaintracer.extras.reproduce import reproduce as module
from blockchaintracer.extras.reproduce.rerun import Plan, Rerun, Workspace
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.run_document import RunDocument
from blockchaintracer.lab.sandbox import SEARCHED
from tests.support.labs import second_lab
from tests.support.studies import TELL, Study, typed

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def other(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return second_lab(lab, tmp_path_factory.mktemp("other"))


def verdict_of(other: Lab, run: str) -> Verdict:
    return other.registry.verdict(other.group(), run).verdict


ONLY_HERE = (
    TELL
    + """
import json
import sys
from pathlib import Path
tell(total=5)
if not Path(sys.argv[1]).exists():
    raise SystemExit("what only its author has")
"""
)


def test_a_program_that_fails_elsewhere(lab: Lab, other: Lab, tmp_path: Path) -> None:
    beside = tmp_path / "beside.txt"
    beside.write_text("read and never recorded")
    study = Study.of(lab, tmp_path / "study", {"sum.py": ONLY_HERE})
    run = study.record(program=(sys.executable, "sum.py", str(beside)))
    beside.unlink()
    result = study.repeat(other, run)
    assert (result.verdict, result.reason) == ("inconclusive", "the program ended with exit code 1")
    assert (result.run, result.attestation, result.standing) == (None, None, None)
    assert verdict_of(other, run) is Verdict.NONE

    # a person may say otherwise, with a reason, and take it back by the command that is named
    source = str(next(study.folder.parent.glob("published-*")))
    where = ("--registry", lab.registry.address, "--rpc", lab.devnet.start().url, "--yes")
    asked = ("reproduce", run, "--from", source, *where)
    plain = typed(*asked, home=other.home.path, folder=tmp_path)
    assert plain.returncode == 5, plain.stderr
    assert "INCONCLUSIVE: the program ended with exit code 1" in plain.stdout
    assert "--attest-anyway" in plain.stdout
    without = typed(*asked, "--attest-anyway", "not-reproduced", home=other.home.path, folder=tmp_path)
    assert without.returncode == 2
    said = ("--attest-anyway", "not-reproduced", "--reason", "It needs a file that nobody has.")
    anyway = typed(*asked, *said, home=other.home.path, folder=tmp_path)
    assert anyway.returncode == 5, anyway.stderr
    assert verdict_of(other, run) is Verdict.NOT_REPRODUCED
    withdraw = f"blockchaintracer attest {run} withdraw"
    assert withdraw in anyway.stdout
    assert study.repeat(other, run).standing == "not-reproduced"
    back = typed(*withdraw.split()[1:], *where[:4], home=other.home.path, folder=tmp_path)
    assert back.returncode == 0, back.stderr
    assert verdict_of(other, run) is Verdict.NONE


def decided(metrics: dict[str, float], plan: Plan, packages: dict[str, str]) -> tuple[str, str | None]:
    """What follows of metrics that were found in an environment with these packages."""
    python = {"version": plan.python or "3.12.1", "implementation": "CPython"}
    environment = {"python": python, "packages": packages}
    document = RunDocument.from_plain({"schema": 1, "name": "fit", "metrics": metrics})
    done = Rerun(Workspace(Path("nowhere")), Path("nowhere"), None, environment, document, None)  # type: ignore[arg-type]
    return module._decided(plan, done, compare_metrics(plan.run.metrics, metrics))


SHELL = sha256_file(Path(shutil.which("sh", path=SEARCHED) or ""))


@pytest.mark.parametrize(
    ("metrics", "changed", "packages", "verdict", "because"),
    [
        ({"a": 1.0, "b": 2.0}, {}, {"numpy": "2.1"}, "reproduced", None),
        (
            {"a": 1.5, "b": 2.0},
            {},
            {"numpy": "2.1", "pip": "25"},
            "not-reproduced",
            "1 of 2 metrics out of tolerance: a was 1.0",
        ),
        ({"a": 1.0}, {}, {"numpy": "2.1"}, "inconclusive", "told nothing of 1 metric: b"),
        # the first rule that fits: what was not told leaves open what else would have been
        ({"a": 1.5}, {}, {"numpy": "2.1"}, "inconclusive", "told nothing of 1 metric: b"),
        ({"a": 1.0, "b": 2.0}, {"lock": None, "interpreter": "mine"}, {"numpy": "1.9"}, "reproduced", None),
        ({"a": 1.5, "b": 2.0}, {"lock": None, "interpreter": "mine"}, {"numpy": "2.1"}, "inconclusive", "of yours"),
        # the author's lock file was not what the author's run ran in
        ({"a": 1.5, "b": 2.0}, {}, {"numpy": "1.9"}, "inconclusive", "had numpy 2.1, and its own lock file gives 1.9"),
        ({"a": 1.5, "b": 2.0}, {"python": ""}, {"numpy": "2.1"}, "inconclusive", "are not known"),
        ({"a": 1.5, "b": 2.0}, {"architecture": "m68k"}, {"numpy": "2.1"}, "inconclusive", "on m68k, this one on"),
        # PyPy has other hashes, another order and another garbage collector
        ({"a": 1.5, "b": 2.0}, {"implementation": "PyPy"}, {"numpy": "2.1"}, "inconclusive", "PyPy, this one on CPyt"),
        ({"a": 1.5, "b": 2.0}, {"os": {"system": "Plan 9"}}, {"numpy": "2.1"}, "inconclusive", "Plan 9, this one on"),
        ({"a": 1.5, "b": 2.0}, {"os": "Plan 9"}, {"numpy": "2.1"}, "not-reproduced", "a was 1.0"),
        # what bash reads is not seen: a run that went on from what its last one left was attested as NotReproduced
        ({"a": 1.5, "b": 2.0}, {"leftovers": ("runs.txt",)}, {"numpy": "2.1"}, "inconclusive", "not hold: runs.txt"),
        ({"a": 1.5, "b": 2.0}, {"reads": ("https://lab.example/x",)}, {"numpy": "2.1"}, "inconclusive", "lab.example"),
        ({"a": 1.0, "b": 2.0}, {"reads": ("https://lab.example/x",)}, {"numpy": "2.1"}, "reproduced", None),
        # what the author's run had, and its record does not hold or this machine does not have
        ({"a": 1.5, "b": 2.0}, {"seen": {"variables": ["SEED"]}}, {"numpy": "2.1"}, "inconclusive", "hold: SEED"),
        (
            {"a": 1.5, "b": 2.0},
            {"seen": {"unknown": ["Rscript"]}},
            {"numpy": "2.1"},
            "inconclusive",
            "what Rscript read",
        ),
        ({"a": 1.5, "b": 2.0}, {"seen": {"programs": ["bash"]}}, {"numpy": "2.1"}, "not-reproduced", "a was 1.0"),
        ({"a": 1.5, "b": 2.0}, {"seen": {"tools": {"awk": "0" * 64}}}, {"numpy": "2.1"}, "inconclusive", "another awk"),
        ({"a": 1.5, "b": 2.0}, {"seen": {"tools": {"sh": SHELL}}}, {"numpy": "2.1"}, "not-reproduced", "a was 1.0"),
        ({"a": 1.5, "b": 2.0}, {"seen": {"packages": ["numba"]}}, {"numpy": "2.1"}, "inconclusive", "loaded numba"),
        ({"a": 1.5, "b": 2.0}, {"seen": {"packages": ["numpy"]}}, {"numpy": "2.1"}, "not-reproduced", "a was 1.0"),
        ({"a": 1.5, "b": 2.0}, {"variables": {"TZ": "Mars/Base"}}, {"numpy": "2.1"}, "inconclusive", "zone Mars/Base"),
    ],
)
def test_the_first_rule_that_fits(
    metrics: dict[str, float], changed: dict[str, object], packages: dict[str, str], verdict: str, because: str | None
) -> None:
    recorded = {"a": Metric(value=1.0, tolerance=Tolerance()), "b": Metric(value=2.0, tolerance=Tolerance())}
    changed = dict(changed)
    python = {"version": "3.12.1", "implementation": changed.pop("implementation", "CPython")}
    environment = RunEnvironment.from_plain({"python": python, "packages": {"numpy": "2.1", "pip": "24"}})
    hardware = {name: changed.pop(name) for name in ("architecture", "os") if name in changed}
    code = Code.from_plain({"leftovers": list(changed.pop("leftovers", ()))})  # type: ignore[call-overload]
    seen: dict[str, object] = changed.pop("seen", {})  # type: ignore[assignment]
    reads = Reads.from_plain({"processes": 1, "addresses": list(changed.pop("reads", ())), **seen})  # type: ignore[call-overload]
    run = RunPredicate(
        run_id="00000000-0000-4000-8000-000000000000",
        name="fit",
        status="completed",
        metrics=recorded,
        environment=environment,
        hardware=hardware,
        code=code,
        reads=reads,
    )
    plan = Plan(None, run, "0" * 40, None, ("python",), object(), None, "3.12.1", {})  # type: ignore[arg-type]
    found, reason = decided(metrics, replace(plan, **changed), packages)  # type: ignore[arg-type]
    assert found == verdict
    assert because is None if reason is None else because and because in reason


@pytest.mark.parametrize(("ends", "code", "words"), [("exit 3", 3, "exit code 3"), ("kill -TERM $$", 143, "SIGTERM")])
def test_record_passes_the_exit_code_on(ends: str, code: int, words: str, lab: Lab, tmp_path: Path) -> None:
    """`record -- false` ended with 0, so that a pipeline went on with what had failed."""
    done = typed("record", "--", "bash", "-c", ends, home=lab.home.path, folder=tmp_path)
    assert done.returncode == code, done.stderr
    assert words in done.stderr


def test_what_keeps_others_from_repeating_a_run_is_said_when_it_is_recorded(lab: Lab, tmp_path: Path) -> None:
    """`publish` named a command that could not work, and whoever tried learned it from an error."""
    home = lab.home.path
    done = typed("record", "--metric", "accuracy=0.5", home=home, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    told = "Others can't repeat this run: it states no metric that is to be compared"
    assert told in done.stdout
    assert "Declared, so that nobody can compare it: accuracy." in done.stdout
    assert "it names no commit of its code; it names no command" in done.stdout
    assert "no lock file" in done.stdout
    made = json.loads(typed("record", "--metric", "accuracy=0.6", "--json", home=home, folder=tmp_path).stdout)
    assert "no commit" in made["lacks"][1]
    published = typed("publish", made["id"], "--to", "published", home=home, folder=tmp_path)
    assert told in published.stdout
    assert "Others verify it with" in published.stdout
    study = Study.of(lab, tmp_path / "study", {"run.py": TELL + "tell(total=1)\n"})
    run = study.record(program=(sys.executable, "run.py"))
    published = typed("publish", run, "--to", str(tmp_path / "again"), home=home, folder=tmp_path)
    assert "Others reproduce it with" in published.stdout


def test_a_rounded_metric_on_the_command_line_is_not_held_against_the_program(
    lab: Lab, other: Lab, tmp_path: Path
) -> None:
    """`--metric` took the place of what the program told: others found another number and attested NotReproduced."""
    study = Study.of(lab, tmp_path / "study", {"run.py": TELL + "tell(accuracy=0.9312)\n"})
    run = study.record("--metric", "accuracy=0.93", program=(sys.executable, "run.py"))
    result = study.repeat(other, run)
    assert (result.verdict, result.comparisons[0].recorded) == ("reproduced", 0.9312)
