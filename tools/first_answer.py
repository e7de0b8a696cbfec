"""Asks two solvers a question of SMT-LIB at once and prints the answer that comes first: `first_answer.py FILE`.

What takes one of them minutes takes the other a tenth of a second, and nobody knows before which is which.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed

SOLVERS = ("yices-smt2 --smt2-model-format --bvconst-in-decimal", "z3 -smt2")


def main(question: str) -> int:
    asked = [subprocess.Popen([*solver.split(), question], stdout=subprocess.PIPE, text=True) for solver in SOLVERS]
    with ThreadPoolExecutor() as pool:
        answers = as_completed([pool.submit(lambda process=process: process.communicate()[0]) for process in asked])
        answer = ""
        for done in answers:
            answer = done.result()
            if answer.startswith(("sat\n", "unsat\n")):
                break
        for process in asked:
            process.kill()
    print(answer, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
