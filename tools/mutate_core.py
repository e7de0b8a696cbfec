"""Changes the verifier in small ways, one at a time, and asks whether a test notices: `make mutate-core`.

Cosmic Ray makes the mutants of blockchaintracer/core/verify. It is installed on demand, by hash, into an environment of
its own, and works on a copy of this folder. A mutant meets the fast tests of its file first, then those on a node.
docs/mutation.md says what is left out, and what the figures mean.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from locked import install

ROOT = Path(__file__).resolve().parents[1]
CORE = Path("blockchaintracer", "core", "verify")
LOCK = ROOT / "locks" / "mutate.txt"
ENVIRONMENT = ROOT / ".toolchain" / "mutate"
BUILD = ROOT / ".build" / "mutate-core"
LEAST = 0.95
TIMEOUT_S = 900
"""A test that does not end has noticed the mutant. The tests of a file take a few minutes on a busy machine."""

FAST = {
    "bundle.py": ["tests/fast/test_hostile_bundles.py", "tests/findings/test_a_bundle_from_nothing.py"],
    "chain_shapes.py": ["tests/fast/test_hostile_bundles.py", "tests/findings/test_a_bundle_from_nothing.py"],
    "standing.py": ["tests/findings/test_a_bundle_from_nothing.py"],
    "content_checks.py": ["tests/fast/test_content_checks.py"],
    "copies.py": ["tests/fast/test_copies.py"],
    "outcomes.py": ["tests/fast/test_copies.py"],
}
"""Tests that notice most, by file."""
SLOW = {
    "bundle.py": ["tests/node/test_proof.py"],
    "chain_shapes.py": ["tests/node/test_proof.py"],
    "standing.py": ["tests/findings/test_what_a_node_says_of_a_bundle.py"],
    "checkpoint_checks.py": ["tests/node/test_checkpoints.py"],
    "commitments.py": ["tests/node/test_verify_commitments.py"],
    "seal_checks.py": ["tests/node/test_verify_commitments.py", "tests/node/test_seals.py"],
    "seed_checks.py": ["tests/node/test_seeds_from_chain.py"],
}
"""Tests on a node, for what the fast ones let through; tests/node/test_verify.py for every file that is not named."""


def copy_tree(folder: Path) -> None:
    """Copy what git tracks, as it is now; environments are shared."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True)
    for name in listed.stdout.decode().splitlines():
        if (ROOT / name).is_file() and not (ROOT / name).is_symlink():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for name in (".venv", "node_modules", ".toolchain"):
        if not (folder / name).exists():
            (folder / name).symlink_to((ROOT / name).resolve(), target_is_directory=True)


def never_run(file: Path) -> list[tuple[int, int, int, int]]:
    """Ranges of a file where a change is none, or none that a test can notice: annotations, which are not evaluated,
    decorators, and the heads of functions, where Cosmic Ray takes a star for a multiplication."""
    ranges = []
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min((part.lineno for part in node.decorator_list), default=node.lineno)
            ranges.append((first, 0, node.body[0].lineno, 0))
        elif isinstance(node, ast.AnnAssign):
            part = node.annotation
            ranges.append((part.lineno, part.col_offset, part.end_lineno or 0, part.end_col_offset or 0))
    return ranges


def sample(session: Path, file: Path, one_in: int) -> int:
    """Leave one mutant in so many in a session, always the same ones."""
    skipped = never_run(file)
    with sqlite3.connect(session) as db:
        columns = "job_id, operator_name, occurrence, start_pos_row, start_pos_col"
        mutants = db.execute(f"SELECT {columns} FROM mutation_specs").fetchall()
        kept = []
        for job, operator, occurrence, row, column in mutants:
            inside = any((a, b) <= (row, column) < (c, d) for a, b, c, d in skipped)
            chosen = int.from_bytes(hashlib.sha256(f"{file.name} {operator} {occurrence}".encode()).digest()[:4])
            if not inside and chosen % one_in == 0:
                kept.append(job)
        for table in ("mutation_specs", "work_items"):
            db.executemany(f"DELETE FROM {table} WHERE job_id = ?", [(job,) for job, *_ in mutants if job not in kept])
    return len(kept)


def judge(tree: Path, name: str, one_in: int, fast: bool) -> tuple[int, list[dict[str, Any]]]:
    """Run the mutants of a file; return how many there were, and the survivors."""

    def cosmic_ray(*arguments: str | Path, capture: bool = True) -> str:
        command = [ENVIRONMENT / "bin" / "cosmic-ray", *arguments]
        done = subprocess.run(command, cwd=tree, env=environment, check=True, capture_output=capture, text=True)
        return done.stdout or ""

    session, config, environment = (
        tree / f"{name}.sqlite",
        tree / f"{name}.toml",
        os.environ | {"PYTHONPATH": str(tree)},
    )
    pytest = f"{shlex.quote(str(ROOT / '.venv/bin/python'))} -m pytest -x -q -p no:cacheprovider"
    stages = [FAST.get(name, []), [] if fast else SLOW.get(name, ["tests/node/test_verify.py"])]
    command = " && ".join(f"{pytest} {' '.join(stage)}" for stage in stages if stage)
    config.write_text(
        f'[cosmic-ray]\nmodule-path = "{CORE / name}"\ntimeout = {TIMEOUT_S}.0\nexcluded-modules = []\n'
        f"test-command = {json.dumps(f'sh -c {shlex.quote(command)}')}\n"
        '[cosmic-ray.distributor]\nname = "local"\n'
    )
    cosmic_ray("init", config, session)
    count = sample(session, tree / CORE / name, one_in)
    if not count or not command:
        return 0, []
    alone = subprocess.run(
        ["sh", "-c", command], cwd=tree, env=environment, check=False, capture_output=True, text=True
    )
    if alone.returncode:
        raise SystemExit(f"mutate-core: the tests of {name} fail without a mutant:\n{alone.stdout[-2000:]}")
    cosmic_ray("exec", config, session, capture=False)
    results = [json.loads(line)[1] for line in cosmic_ray("dump", session).splitlines()]
    return count, [result for result in results if result["test_outcome"] == "survived"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="*", metavar="FILE", help="of core/verify; all if none is named")
    parser.add_argument("--sample", type=int, default=40, metavar="N", help="one mutant in N (40)")
    parser.add_argument("--fast", action="store_true", help="leave out the tests on a node, and files that need them")
    options = parser.parse_args()
    install("mutate-core", ENVIRONMENT, LOCK)
    tree = BUILD / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    copy_tree(tree)
    names = [Path(file).name for file in options.files]
    names = names or sorted(file.name for file in (ROOT / CORE).glob("*.py") if file.name != "__init__.py")
    total, survived = 0, 0
    for name in names:
        count, survivors = judge(tree, name, options.sample, options.fast)
        total, survived = total + count, survived + len(survivors)
        for survivor in survivors:
            print(f"\nSURVIVED {name}\n{survivor['diff']}")
        print(f"{name:24} {count - len(survivors):4} of {count:4} killed", flush=True)
    if not total:
        raise SystemExit("mutate-core: no mutant is in the sample: choose a smaller --sample")
    rate = 1 - survived / total
    print(f"{'all':24} {total - survived:4} of {total:4} killed, {rate:.1%}, at least {LEAST:.0%} are asked for")
    return rate < LEAST


if __name__ == "__main__":
    sys.exit(main())
