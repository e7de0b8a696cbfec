"""Prints how large proof bundles are and how long verifying them takes: `python -m benchmarks.bundle [RECORDS]`.

Records of a small dataset each, with their manifests: stored one by one, and under one batch's root.
"""

import sys
import tempfile
import time
from pathlib import Path

from blockchaintracer.core.record import Kind
from blockchaintracer.core.verify.bundle import read_bundle
from blockchaintracer.lab.batches import anchor, batching
from blockchaintracer.lab.bundle.export_proof import export_proof
from blockchaintracer.lab.groups import create_group, deploy
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.recording.content import record_content


def made(lab: Lab, folder: Path, count: int, what: str) -> list[str]:
    ids = []
    for number in range(count):
        file = folder / f"{what} {number}"
        file.write_text(f"{what} {number}\n")
        ids.append(record_content(lab, Kind.DATASET, file, name=file.name).id)
    return ids


def measure(lab: Lab, folder: Path, what: str, ids: list[str]) -> None:
    for count in (1, 10, 100, 1000):
        if count > len(ids):
            break
        bundle = folder / "bundle.proof"
        size = export_proof(lab, ids[:count], bundle).size
        began = time.perf_counter()
        read_bundle(bundle.read_bytes())
        took = 1000 * (time.perf_counter() - began)
        print(
            f"{what:<14}{count:>6} records {size:>12,} bytes {size / count:>10,.0f} a record {took:>8,.0f} ms to verify"
        )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        lab = Lab(Home(folder / "home"))
        try:
            deploy(lab, open_group_creation=True)
            create_group(lab, "benchmark")
            measure(lab, folder, "stored", made(lab, folder, count, "stored"))
            with batching(lab):
                ids = made(lab, folder, count, "batched")
            anchor(lab)
            measure(lab, folder, "under a root", ids)
        finally:
            lab.devnet.stop()


if __name__ == "__main__":
    main()
