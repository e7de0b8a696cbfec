"""What recording adds to a run of MLflow, beside the same run without it: the time of the program from start to end of
the run. The run logs metrics over its time and artifacts at its end, to a SQLite store; `FULL=1` is a minute with 1,000
metrics and 1 GB.
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
SECONDS, METRICS, SIZE = (60.0, 1000, 1 << 30) if FULL else (6.0, 100, 100 << 20)
_FILES = 10
_PROGRAM = """
import sys, time
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
began = time.perf_counter()
with mlflow.start_run():
    count, pause = int(metrics), float(seconds)
    for number in range(count):
        mlflow.log_metric(f"metric {number}", 1 / (number + 1))
        time.sleep(max(0, began + pause * (number + 1) / count - time.perf_counter()))
    mlflow.log_artifacts(folder)
print(time.perf_counter() - began)
"""


def measure_recording(
    seconds: float = SECONDS, metrics: int = METRICS, size: int = SIZE, repeats: int = 1 if FULL else 3
) -> tuple[float, float]:
    """Seconds of a run of MLflow alone, and of one that is recorded (medians).

    Args:
        seconds: that the training takes.
        metrics: logged meanwhile, each once.
        size: of the artifacts, in bytes.
    """
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Home(Path(folder, "home")))
        try:
            deploy(lab, open_group_creation=True)
            create_group(lab, "The lab")
            times: dict[str, list[float]] = {"alone": [], "recorded": []}
            for number in range(repeats):
                for how, found in times.items():
                    # others each time: what was hashed before would be known
                    found.append(_run(lab, Path(folder), how, f"{number}-{how}", seconds, metrics, size))
            if len(lab.flush()) != 2 * repeats:
                raise RuntimeError("expected every recorded run in the outbox")
            alone, recorded = (statistics.median(found) for found in times.values())
            return alone, recorded
        finally:
            lab.devnet.stop()


def _run(lab: Lab, folder: Path, how: str, name: str, seconds: float, metrics: int, size: int) -> float:
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
    return float(done.stdout.split()[-1])


if __name__ == "__main__":
    alone, recorded = measure_recording()
    print(f"MLflow alone {alone:.2f} s, recorded {recorded:.2f} s: {recorded - alone:.2f} s more")
