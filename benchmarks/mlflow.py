"""What recording adds to a run of MLflow, beside the same run without it.

Printed are the time from the start to the end of the run, and CPU seconds of the program and of those it starts. The
run logs metrics and artifacts over its time, to a SQLite store. `FULL=1` is a minute with 1,000 metrics and 1 GB,
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
_PROGRAM = """
import os, resource, sys, time
import mlflow
how, uri, artifacts, folder, seconds, metrics = sys.argv[1:]
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

began, before = time.perf_counter(), spent()
files = sorted(os.listdir(folder))
with mlflow.start_run():
    count, pause = int(metrics), float(seconds)
    for number in range(count):
        mlflow.log_metric(f"metric {number}", 1 / (number + 1))
        for file in files[number * len(files) // count : (number + 1) * len(files) // count]:
            mlflow.log_artifact(os.path.join(folder, file))
        time.sleep(max(0, began + pause * (number + 1) / count - time.perf_counter()))
print(time.perf_counter() - began, spent() - before)
"""


def measure_recording(
    seconds: float = SECONDS, metrics: int = METRICS, size: int = SIZE, pairs: int = PAIRS
) -> dict[str, list[tuple[float, float]]]:
    """Seconds of each run of MLflow ``alone`` and of each that is ``recorded``: passed, and of CPU.

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
            times: dict[str, list[tuple[float, float]]] = {"alone": [], "recorded": []}
            for number in range(pairs):
                for how, found in times.items():
                    # others each time: what was hashed before would be known
                    found.append(_run(lab, Path(folder), how, f"{number}-{how}", seconds, metrics, size))
            if len(lab.flush()) != 2 * pairs:
                raise RuntimeError("expected every recorded run in the outbox")
            return times
        finally:
            lab.devnet.stop()


def added(times: dict[str, list[tuple[float, float]]]) -> tuple[float, float, float]:
    """Return what recording adds, medians of the pairs: seconds, their noise (the middle half of the differences), and
    seconds of CPU."""
    passed, cpu = zip(*[(ours[0] - its[0], ours[1] - its[1]) for ours, its in _pairs(times)], strict=True)
    quarters = statistics.quantiles(passed) if len(passed) > 1 else [0.0, 0.0, 0.0]
    return statistics.median(passed), quarters[2] - quarters[0], statistics.median(cpu)


def _pairs(times: dict[str, list[tuple[float, float]]]) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    return list(zip(times["recorded"], times["alone"], strict=True))


def _run(lab: Lab, folder: Path, how: str, name: str, seconds: float, metrics: int, size: int) -> tuple[float, float]:
    artifacts = folder / name
    artifacts.mkdir()
    for number in range(_FILES):
        with (artifacts / f"{number}.bin").open("wb") as file:
            for start in range(0, size // _FILES, 1 << 20):
                file.write(os.urandom(min(1 << 20, size // _FILES - start)))
    arguments = [how, f"sqlite:///{folder}/mlflow.db", f"file://{folder}/artifacts", str(artifacts)]
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *arguments, str(seconds), str(metrics)],
        env=os.environ | {"BLOCKCHAINTRACER_HOME": str(lab.home.path), "MLFLOW_DISABLE_TELEMETRY": "true"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=folder,
    )
    passed, cpu = map(float, done.stdout.split()[-2:])
    return passed, cpu


if __name__ == "__main__":
    found = measure_recording()
    for ours, its in _pairs(found):
        print(f"MLflow alone {its[0]:.2f} s ({its[1]:.2f} s of CPU), recorded {ours[0]:.2f} s ({ours[1]:.2f} s of CPU)")
    passed, noise, cpu = added(found)
    print(f"{passed:.2f} s more (half of the differences within {noise:.2f} s), {cpu:.2f} s of CPU more")
