"""Drive the registry and its model through random histories, a million steps: `make fuzz`.

What a round met is kept in tests/results and counts as long as the contracts, the machine and the model are the same,
so a run that was ended goes on where it was. A round that fails ends the run and is not kept.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed

from compiler import ROOT, SOLIDITY
from results import Results, contracts, digest, imports

STEPS = 10_000
MACHINE = ROOT / "tests" / "evm" / "property" / "test_machine.py"

sys.path.insert(0, str(ROOT))


def play(number: int) -> tuple[int, dict[str, int]]:
    """Play a round. Return its steps, and how often each operation succeeded and each error and answer came.

    Raises:
        AssertionError: if the registry did something else than the model, or broke a rule.
    """
    from tests.evm.property.machine import in_process, run_on

    machine = run_on(in_process, STEPS, number * STEPS)
    return machine.executed, machine.performed | machine.refused | machine.answered


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=1_000_000, metavar="N", help="how many (1,000,000)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes (one a core)")
    parser.add_argument("--known", action="store_true", help="only report what was played before")
    options = parser.parse_args()
    from tests.evm.property.test_machine import missed

    tests = imports(MACHINE)
    kept, of = Results("fuzz"), digest([*tests, *contracts(tests)], SOLIDITY)
    rounds = {f"round {number:04}": number for number in range(1, -(-options.steps // STEPS) + 1)}
    played = kept.of_today(dict.fromkeys(rounds, of))
    waiting = {} if options.known else {name: number for name, number in rounds.items() if name not in played}
    with ProcessPoolExecutor(options.jobs) as pool:
        running = {pool.submit(play, number): name for name, number in waiting.items()}
        for future in as_completed(running):
            name = running[future]
            try:
                played[name] = list(future.result())
            except BaseException:
                print(f"fuzz: {name} failed; histories from seed {rounds[name] * STEPS} on", flush=True)
                pool.shutdown(cancel_futures=True)
                raise
            kept.add(name, *played[name], of)
            print(f"fuzz: {name}, {len(played)} of {len(rounds)} rounds", flush=True)
    steps, met = (
        sum(steps for steps, _ in played.values()),
        sum((Counter(met) for _, met in played.values()), Counter()),
    )
    never = sorted(missed(met))
    print(
        f"fuzz: {steps:,} of {options.steps:,} steps, all as in the model; never met: {', '.join(never) or 'nothing'}"
    )
    return 1 if never or steps < options.steps else 0


if __name__ == "__main__":
    sys.exit(main())
