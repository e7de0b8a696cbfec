"""Changes the verifier in small ways, one at a time, and asks whether a test notices: `make mutate-core`.

Cosmic Ray makes the mutants, installed on demand, by hash, into an environment of its own. A mutant is judged in a fork
of this process, which has imported the libraries before, on a copy of this folder. Results are kept in tests/results
and are used again as long as the mutant and its tests are the same, so a run that was ended goes on where it was.
docs/mutation.md says what is left out, and what the figures mean.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import yaml
from compiler import ROOT
from locked import install
from results import Results, digest, imports

CORE = Path("blockchaintracer", "core")
LOCK = ROOT / "locks" / "mutate.txt"
ENVIRONMENT = ROOT / ".toolchain" / "mutate"
BUILD = ROOT / ".build" / "mutate-core"
TREE = BUILD / "tree"
EXPLAINED = ROOT / "tests" / "mutation" / "core.yaml"
LIBRARIES = (
    "pytest",
    "hypothesis",
    "web3",
    "eth_account",
    "pydantic",
    "requests",
    "rfc8785",
    "trie",
    "pyrevm",
    "click",
)
"""What is imported once, before a mutant: nothing of this package."""
LEAST = 0.95
WALL_S = 1200
"""Seconds after which a mutant counts as killed even if it only waits. The time of the processor is limited, too."""

_REPORTS = "tests/evm/verify/test_reports.py"
_SELDOM = "tests/evm/verify/test_less_usual.py"
_FORGOTTEN = "tests/evm/verify/test_forgotten.py"


def _lies(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/evm/verify/test_lies.py::test_lies[{name}]" for name in names)


_BUNDLES = ("tests/fast/test_bundle_refusals.py", "tests/findings/test_what_no_chain_makes.py")
TESTS: dict[str, tuple[str, ...]] = {
    "merkle.py": ("tests/fast/test_merkle.py",),
    "record_key_file.py": ("tests/fast/test_batch_proof.py", "tests/fast/test_record_key_file.py"),
    "trust.py": ("tests/fast/test_trust.py",),
    "verify/authorship.py": (
        *_lies("author who sent it", "author of several", "author who signed it", "author with a wallet"),
        *_lies("author through a contract", "author of a batch"),
        f"{_REPORTS}::test_a_batch_that_somebody_else_sent",
    ),
    "verify/bundle.py": _BUNDLES,
    "verify/chain_shapes.py": ("tests/fast/test_chain_shapes.py", *_BUNDLES),
    "verify/checkpoint_checks.py": ("tests/evm/verify/test_runs.py::test_checkpoints",),
    "verify/commitments.py": (
        *(f"{_SELDOM}::test_records", f"{_SELDOM}::test_verdicts"),
        *_lies("batch", "seal of a record", "a sealed verdict"),
        *(_FORGOTTEN, "tests/findings/test_a_proof_beside_a_key.py", _REPORTS),
    ),
    "verify/content_checks.py": (
        *("tests/fast/test_content_checks.py", "tests/findings/test_a_subject_that_is_no_identifier.py"),
    ),
    "verify/copies.py": ("tests/fast/test_copies.py",),
    "verify/inclusion.py": ("tests/fast/test_inclusion.py", "tests/evm/test_kept_receipts.py"),
    "verify/locate.py": (
        *("tests/evm/verify/test_runs.py::test_keys", f"{_SELDOM}::test_who_was_a_member_where", _SELDOM, _FORGOTTEN),
        *(*_lies("verdicts"), _REPORTS),
    ),
    "verify/outcomes.py": ("tests/fast/test_outcomes.py",),
    "verify/record_checks.py": (
        "tests/findings/test_a_review_is_no_reproduction.py",
        _SELDOM,
        *_lies("standing", "lineage"),
        _REPORTS,
        _FORGOTTEN,
    ),
    "verify/seal_checks.py": (
        f"{_REPORTS}::test_what_did_not_pass_proves_nothing",
        *_lies("a hidden seal", "a revealed seal", "a seal of a verdict"),
    ),
    "verify/seed_checks.py": (
        *("tests/evm/verify/test_runs.py::test_seeds", "tests/evm/verify/test_runs.py::test_who_could_choose_a_hash"),
    ),
    "verify/standing.py": ("tests/evm/verify/test_standing.py",),
    "verify/transaction_checks.py": (
        f"{_SELDOM}::test_every_transaction",
        *(f"{_REPORTS}::test_{name}" for name in ("every_transaction", "a_transaction", "what_is_looked_up")),
        f"{_REPORTS}::test_what_did_not_pass_proves_nothing",
        *_lies("event GroupCreated", "event Retracted", "event Anchored", "event ForeignAttested", "event Revealed"),
        *_lies("event Materialized", "event VerdictRevealed", "event VerdictWithdrawn", "event MembershipChanged"),
    ),
    "verify/verdict_checks.py": (
        *(f"{_SELDOM}::test_verdicts", f"{_SELDOM}::test_verdicts_that_were_forgotten"),
        *_lies("a sealed verdict", "verdicts"),
        _FORGOTTEN,
    ),
    "verify/verifier.py": (_SELDOM, _REPORTS, _FORGOTTEN, "tests/findings/test_a_proof_beside_a_key.py"),
}
"""The tests that concern a file, the nearest first: they take seconds in this process, and start no node."""


class Mutant(NamedTuple):
    """A changed file: its code, the operator that changed it, the first line that differs, and the change as text."""

    code: str
    operator: str
    line: int
    change: str


def copy_tree() -> None:
    """Copy what git tracks, as it is now; environments are shared."""
    shutil.rmtree(TREE, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True)
    for name in listed.stdout.decode().splitlines():
        if (ROOT / name).is_file() and not (ROOT / name).is_symlink():
            (TREE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, TREE / name)
    for name in (".venv", "node_modules", ".toolchain", ".build/tests"):
        (TREE / name).parent.mkdir(exist_ok=True)
        (TREE / name).symlink_to((ROOT / name).resolve(), target_is_directory=True)


def mutants(file: Path, count: int, seed: str) -> tuple[int, list[Mutant]]:
    """Return how many mutants a file has, and a random sample of so many: the same one for the same seed."""
    command = [ENVIRONMENT / "bin" / "python", ROOT / "tools" / "cosmic_mutants.py", file, str(count), seed]
    made = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    source = file.read_text().splitlines()
    return made["all"], [
        Mutant(code, operator, *_change(source, code.splitlines())) for code, operator in made["mutants"].items()
    ]


def _change(source: list[str], changed: list[str]) -> tuple[int, str]:
    first = next(number for number, pair in enumerate(zip_longest(source, changed), 1) if pair[0] != pair[1])
    lines = [line for line in difflib.unified_diff(source, changed, n=0, lineterm="") if line[:3] not in ("---", "+++")]
    before, after = (" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
    return first, f"{before} -> {after}"


def judge(tests: tuple[str, ...], cpu_s: int) -> tuple[bool, float]:
    """Run tests in a fork. Return whether all passed, and the seconds of processor that they took."""
    child = os.fork()
    if child == 0:
        os.setsid()
        log = os.open(BUILD / "last.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
        import pytest
        from hypothesis import HealthCheck, Phase, settings

        # the same examples for each mutant, and none made shorter after it failed
        quick = {"derandomize": True, "database": None, "phases": [Phase.explicit, Phase.generate]}
        settings.register_profile("mutants", deadline=None, suppress_health_check=[HealthCheck.too_slow], **quick)
        settings.load_profile("mutants")
        os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])))
    end = time.monotonic() + WALL_S
    while True:
        ended, status, usage = os.wait4(child, os.WNOHANG)
        if ended:
            return status == 0, usage.ru_utime + usage.ru_stime
        if time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.02)


def rests_on(tests: tuple[str, ...]) -> list[Path]:
    """Return the files of tests, what they import from tests, and the texts that they expect."""
    files = {ROOT / test.partition("::")[0] for test in tests}
    expected = (text for file in files for text in (file.parent / "expected").rglob("*") if text.is_file())
    return [*expected, *set().union(*map(imports, files))]


def run_file(name: str, options: argparse.Namespace, results: Results, known: dict[str, str]) -> tuple[int, int, int]:
    """Judge the sample of a file; return how many of its mutants were killed, how many survived without an explanation,
    and how many are still to be judged."""
    tests, target = TESTS[name], TREE / CORE / name
    total, sample = mutants(ROOT / CORE / name, options.count, options.seed)
    sample = [mutant for mutant in sample if mutant.change not in known]
    names = {f"{name}:{mutant.line} {mutant.change}": mutant for mutant in sample}
    digests = {key: digest(rests_on(tests), mutant.code) for key, mutant in names.items()}
    judged = results.of_today(digests)
    start, limit = time.monotonic(), 0
    for key, mutant in names.items():
        if key in judged or time.monotonic() - start > options.seconds:
            continue
        if not limit:
            passed, cpu_s = judge(tests, WALL_S)
            if not passed:
                print(f"{name}: its tests fail without a mutant: {BUILD / 'last.log'}", flush=True)
                break
            limit = int(5 * cpu_s) + 10
        whole = target.read_text()
        for compiled in target.parent.glob(f"__pycache__/{target.stem}.*.pyc"):
            compiled.unlink()
        target.write_text(mutant.code)
        try:
            judged[key] = ["survived" if judge(tests, limit)[0] else "killed"]
            results.add(key, *judged[key], digests[key])
        finally:
            target.write_text(whole)
    survivors = [mutant for key, mutant in names.items() if judged.get(key) == ["survived"]]
    survived, left = len(survivors), len(names) - len(judged)
    killed = len(judged) - survived
    for mutant in survivors:
        print(f"SURVIVED {name}, {mutant.operator}: {mutant.change}")
    more = f", {left} not judged in {options.seconds} s" if left else ""
    print(f"{name:28}{killed:5} of {killed + survived:4} killed, of {total:5} mutants{more}", flush=True)
    return killed, survived, left


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="*", metavar="FILE", help="such as verify/bundle.py; all if none is named")
    parser.add_argument("--count", type=int, default=40, metavar="N", help="mutants of a file (40)")
    parser.add_argument("--seed", default="1", help="of the random sample (1)")
    parser.add_argument("--seconds", type=int, default=90, help="for a file; the next run goes on (90)")
    options = parser.parse_args()
    install("mutate-core", ENVIRONMENT, LOCK)
    os.nice(15)
    copy_tree()
    os.chdir(TREE)
    sys.path.insert(0, str(TREE))
    os.environ["PYTHONPATH"] = str(TREE)
    for library in LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(library)
    explained = yaml.safe_load(EXPLAINED.read_text()) if EXPLAINED.exists() else {}
    results, counts = Results("mutate-core"), []
    for name in options.files or TESTS:
        counts.append(run_file(name, options, results, explained.get(name, {})))
    killed, survived, left = map(sum, zip(*counts, strict=True))
    rate = killed / max(killed + survived, 1)
    more = f"; {left} are not judged: run it again" if left else ""
    print(f"{'all':28}{killed:5} of {killed + survived:4} killed, {rate:.1%}; {LEAST:.0%} are asked for{more}")
    return rate < LEAST or left > 0


if __name__ == "__main__":
    sys.exit(main())
