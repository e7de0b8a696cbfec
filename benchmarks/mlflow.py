"""What recording adds to a run of MLflow, beside the same run without it.

Printed are the time from the start to the end of the run, and CPU seconds of the program and of those it starts. What
is spent beside MLflow's own calls, in threads and at the run's end, is printed too: on a virtual machine the system's
part of MLflow's own copies differs by seconds from run to run.

The run logs metrics and artifacts over its time, to a SQLite store. Each artifact is written right before it is logged,
as a checkpoint is. Each second pair begins with the recorded run. `FULL=1` is a minute with 1,000 metrics and 1 GB,
`PAIRS=10` ten pairs of runs.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from blockchaintracer.lab.groups import create_group, deploy
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home

FULL = bool(os.environ.get("FULL"))
PAIRS = int(os.environ.get("PAIRS") or (1 if FULL else 3))
SECONDS, METRICS, SIZE = (60.0, 1000, 1 << 30) if FULL else (6.0, 100, 100 << 20)
_FILES = 10
_Times = tuple[float, float, float]
_PROGRAM = """
import os, resource, sys, time
import mlflow
how, uri, artifacts, folder, seconds, metrics, size, files = sys.argv[1:]
mlflow.set_tracking_uri(uri)
# what is paid once a program, not once a run
import blockchaintracer.mlflow as recording
if how == "recorded":
    recording.autolog(background=False)
if mlflow.get_experiment_by_name("bench") is None:
    mlflow.create_experiment("bench", artifact_location=artifacts)
mlflow.set_experiment("bench")
with mlflow.start_run():
    mlflow.log_metric("warm", 1)

def spent():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(it.ru_utime + it.ru_stime for it in used)

def beside():
    return spent() - time.thread_time()

began, before, apart = time.perf_counter(), spent(), beside()
block, files, size = os.urandom(1 << 20), int(files), int(size)
with mlflow.start_run():
    count, pause = int(metrics), float(seconds)
    for number in range(count):
        mlflow.log_metric(f"metric {number}", 1 / (number + 1))
        for file in range(number * files // count, (number + 1) * files // count):
            path = os.path.join(folder, f"{file}.bin")
            with open(path, "wb") as written:
                for start in range(0, size // files, len(block)):
                    written.write((file * size + start).to_bytes(8, "big") + block[8 : size // files - start])
            mlflow.log_artifact(path)
        time.sleep(max(0, began + pause * (number + 1) / count - time.perf_counter()))
    end = time.thread_time()
print(time.perf_counter() - began, spent() - before, beside() - apart + time.thread_time() - end)
"""


def measure_recording(
    seconds: float = SECONDS, metrics: int = METRICS, size: int = SIZE, pairs: int = PAIRS
) -> dict[str, list[_Times]]:
    """Seconds of each run of MLflow ``alone`` and of each that is ``recorded``: passed, of CPU, and of CPU beside
    MLflow's own calls.

    Args:
        seconds: that the training takes.
        metrics: logged meanwhile, each once.
        size: of the artifacts that are logged meanwhile, in bytes.
        pairs: of runs, one after the other.
    """
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Home(Path(folder, "home")))
        try:
            deploy(lab, open_group_creation=True)
            create_group(lab, "The lab")
            times: dict[str, list[_Times]] = {"alone": [], "recorded": []}
            for number in range(pairs):
                for how, found in list(times.items())[:: -1 if number % 2 else 1]:
                    # others each time: what was hashed before would be known
                    found.append(_run(lab, Path(folder), how, f"{number}-{how}", seconds, metrics, size))
            if len(lab.flush()) != 2 * pairs:
                raise RuntimeError("expected every recorded run in the outbox")
            return times
        finally:
            lab.devnet.stop()


def added(times: dict[str, list[_Times]]) -> tuple[float, float, float, float]:
    """Return what recording adds, medians of the pairs: seconds, their noise (the middle half of the differences),
    seconds of CPU, and of these what is beside MLflow's own calls."""
    passed, cpu, beside = zip(
        *([one - it for one, it in zip(*pair, strict=True)] for pair in _pairs(times)), strict=True
    )
    quarters = statistics.quantiles(passed) if len(passed) > 1 else [0.0, 0.0, 0.0]
    return statistics.median(passed), quarters[2] - quarters[0], statistics.median(cpu), statistics.median(beside)


def _pairs(times: dict[str, list[_Times]]) -> list[tuple[_Times, _Times]]:
    return list(zip(times["recorded"], times["alone"], strict=True))


def _run(lab: Lab, folder: Path, how: str, name: str, seconds: float, metrics: int, size: int) -> _Times:
    artifacts = folder / name
    artifacts.mkdir()
    arguments = [how, f"sqlite:///{folder}/mlflow.db", f"file://{folder}/artifacts", str(artifacts)]
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *arguments, *map(str, (seconds, metrics, size, _FILES))],
        env=os.environ | {"BLOCKCHAINTRACER_HOME": str(lab.home.path), "MLFLOW_DISABLE_TELEMETRY": "true"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=folder,
    )
    passed, cpu, beside = map(float, done.stdout.split()[-3:])
    return passed, cpu, beside


if __name__ == "__main__":
    found = measure_recording()
    for ours, its in _pairs(found):
        print(f"MLflow alone {its[0]:.2f} s ({its[1]:.2f} s of CPU), recorded {ours[0]:.2f} s ({ours[1]:.2f} s of CPU)")
    passed, noise, cpu, beside = added(found)
    print(f"{passed:.2f} s more (half of the differences within {noise:.2f} s), {cpu:.2f} s of CPU more")
    print(f"{beside:.2f} s of CPU more beside MLflow's own calls")
