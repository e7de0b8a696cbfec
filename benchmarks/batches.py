"""What `batch add` costs a record, in bulk: files of 4 KB, each a dataset of its own.

    python -m benchmarks.batches [RECORDS]

Prints the CPU time of this process and the time that passed, for each record; the devnet's own work is not in it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from blockchaintracer.core.record import Kind
from blockchaintracer.lab.batches import anchor, batching, listed
from blockchaintracer.lab.groups import create_group, deploy
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.recording.content import record_content

RECORDS = 2_000
FILE_BYTES = 4096


def measure(folder: Path, count: int) -> dict[str, tuple[float, float]]:
    """Return milliseconds a record, of CPU and passed, of adding, adding again and anchoring."""
    lab = Lab(Home(folder / "home"))
    files = [folder / f"{number}.bin" for number in range(count)]
    for file in files:
        file.write_bytes(os.urandom(FILE_BYTES))
    told = {}
    try:
        deploy(lab, open_group_creation=True)
        create_group(lab, "The lab")

        def add() -> None:
            with batching(lab):
                for file in files:
                    record_content(lab, Kind.DATASET, file)

        for name, work in (("add", add), ("add again", add), ("anchor", lambda: anchor(lab))):
            started, began = time.process_time(), time.monotonic()
            work()
            cpu, passed = time.process_time() - started, time.monotonic() - began
            told[name] = cpu * 1e3 / count, passed * 1e3 / count
        assert [batch["count"] for batch in listed(lab)["batches"]] == [count]
    finally:
        lab.devnet.stop()
    return told


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        for what, (cpu, passed) in measure(Path(scratch), number).items():
            print(f"{what:10} {cpu:7.2f} ms of CPU a record, {passed:7.2f} ms passed ({number:,} records)")
