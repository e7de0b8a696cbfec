"""What recording a run costs the process that trains: from the last line of its training to when it may exit.

A program of its own trains for a moment and hands over; a later process signs and sends. Hashing is left out: the run
has no files. The peer is the same run brought into a block by the process itself.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from blockchaintracer.lab.groups import create_group, deploy
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home

RUNS = 11
TRAINING_S = 1.0
_PROGRAM = """
import sys, time
from blockchaintracer import MLTracer
tracer = MLTracer(home=sys.argv[1], wait=sys.argv[2] == "wait")
for number in range(int(sys.argv[3])):
    with tracer.start_run(f"run {number}") as run:
        run.log_params({"lr": 0.1, "layers": 3})
        time.sleep(float(sys.argv[4]))
        run.log_metrics({"accuracy": 0.9, "loss": 0.1 + number})
        ended = time.perf_counter()
    print(1000 * (time.perf_counter() - ended), run.recorded.state)
"""


def measure_handover() -> tuple[float, float]:
    """Milliseconds after a training: handed over, and brought into a block by the process itself (medians)."""
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Home(Path(folder, "home")))
        try:
            deploy(lab, open_group_creation=True)
            create_group(lab, "The lab")
            _repository(Path(folder))
            ours = _median(lab, folder, "hand over", "stored")
            if len(lab.flush()) != RUNS:
                raise RuntimeError("expected all runs to be sent by this process")
            return ours, _median(lab, folder, "wait", "final")
        finally:
            lab.devnet.stop()


def _repository(folder: Path) -> None:
    """Code to be captured, as in any training."""
    (folder / "train.py").write_text(_PROGRAM)
    name = ("-c", "user.name=Lab", "-c", "user.email=lab@example.org")
    for command in (("init", "-q"), ("add", "train.py"), (*name, "commit", "-qm", "A training")):
        subprocess.run(["git", *command], cwd=folder, check=True)
    (folder / "train.py").write_text(f"{_PROGRAM}# changed since\n")


def _median(lab: Lab, folder: str, how: str, state: str) -> float:
    command = [sys.executable, "-c", _PROGRAM, str(lab.home.path), how, str(RUNS), str(TRAINING_S)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    if [line[1] for line in lines] != [state] * RUNS:
        raise RuntimeError(f"expected {RUNS} runs to be {state}, got {done.stdout}")
    return statistics.median(float(line[0]) for line in lines)


if __name__ == "__main__":
    handed, waited = measure_handover()
    print(f"handed over in {handed:.1f} ms; brought into a block in {waited:.1f} ms")
