"""`python -m benchmarks.reproduction [NAME...]`: reproduces programs as they are and counts right verdicts.

Each program is judged as it is, with a byte of the published copy changed, and with claims that one byte of data, one
seed, one line of code or one library version makes false. Results are kept in `.build/reproduction.json` by the digest
of program, harness and package, so that a run that was ended goes on. The exit code is 1 if a verdict is wrong.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.reproduction.harness import AS_IT_IS, ROOT, World, judged
from benchmarks.reproduction.programs import PROGRAMS, Program

RESULTS = ROOT / ".build" / "reproduction.json"


def main(names: list[str]) -> int:
    """Judge the named programs, or all of them. Returns the exit code."""
    if unknown := {*names} - {program.name for program in PROGRAMS}:
        print(f"no program {', '.join(sorted(unknown))}; there are {', '.join(it.name for it in PROGRAMS)}")
        return 2
    return 1 if run([program for program in PROGRAMS if not names or program.name in names]) else 0


def run(programs: list[Program], results: Path = RESULTS) -> int:
    """Judge programs, print a line for each, and return the number of wrong verdicts."""
    head = f"{'program':<20}{'right':>7}{'commands':>10}{'author':>9}{'other':>9}{'published':>11}   (as it is)"
    print(head, flush=True)
    wrong: list[str] = []
    total = right = 0
    world = None
    with tempfile.TemporaryDirectory(prefix="reproduction-bench-") as scratch:
        try:
            for program in programs:
                key, kept = _digest(program), _kept(results)
                if key not in kept:
                    world = world or World(Path(scratch))
                    cases = judged(world, program)
                    kept = _kept(results) | {key: cases}
                    results.parent.mkdir(parents=True, exist_ok=True)
                    results.write_text(json.dumps(kept, indent=1))
                cases = kept[key]
                total, right = total + len(cases), right + sum(case["right"] for case in cases)
                wrong += [
                    f"{program.name}, {case['name']}: {case['verdict']}, not {case['expected']}: {case['note']}"
                    for case in cases
                    if not case["right"]
                ]
                _print_line(program, cases)
        finally:
            if world:
                world.end()
    print(f"{right} of {total} verdicts are right")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return len(wrong)


def _print_line(program: Program, cases: list[dict[str, Any]]) -> None:
    first = next((case for case in cases if case["name"] == AS_IT_IS), cases[0])
    commands = f"{len(first['author'])} + {len(first['reproducer'])}"
    author, other = first["seconds"]
    print(
        f"{program.name:<20}{sum(case['right'] for case in cases):>3} / {len(cases):<2}{commands:>9}"
        f"{author:>7.1f} s{other:>7.1f} s{first['disk'][0] / 1e6:>8.2f} MB   {program.world}",
        flush=True,
    )


def _kept(results: Path) -> dict[str, list[dict[str, Any]]]:
    return json.loads(results.read_text()) if results.exists() else {}


def _digest(program: Program) -> str:
    """Digest of a program and of all code that judges it."""
    state = hashlib.sha256(repr(program).encode())
    code = [*sorted((ROOT / "blockchaintracer").rglob("*.py")), Path(__file__).with_name("harness.py")]
    for path in [*program.sources().values(), *code]:
        state.update(hashlib.sha256(path.read_bytes()).digest())
    return f"{program.name} {state.hexdigest()[:16]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
