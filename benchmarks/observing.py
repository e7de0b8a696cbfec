"""What it costs a program that its reads are observed: it opens and reads ten thousand files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from blockchaintracer.lab.capture.reads import Observation

FILES = 10_000
_TRIES = 15
_PROGRAM = """
import csv, os, sys
total = 0.0
for name in sorted(os.listdir(sys.argv[1])):
    with open(os.path.join(sys.argv[1], name), newline="") as file:
        total += sum(float(row[1]) for row in csv.reader(file))
print(total)
"""


def measure_observing(folder: Path) -> tuple[float, float]:
    """Seconds of the quickest run of the program, observed and not; both are tried in turn."""
    data = folder / "data"
    data.mkdir()
    for number in range(FILES):
        (data / f"{number:05}.csv").write_text("".join(f"{line},{number / 7}\n" for line in range(100)))
    program = folder / "read.py"
    program.write_text(_PROGRAM)
    times: dict[bool, list[float]] = {True: [], False: []}
    for attempt in range(_TRIES):
        for is_observed, found in times.items():
            environment = dict(os.environ)
            if is_observed:
                environment = Observation(folder / f"reads-{attempt}").variables(environment)
            found.append(_cpu_seconds([sys.executable, str(program), str(data)], environment))
    return min(times[True]), min(times[False])


def _cpu_seconds(command: list[str], environment: dict[str, str]) -> float:
    """Of the process alone: what else the machine does is left out."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime
