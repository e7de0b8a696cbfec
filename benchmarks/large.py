"""What large data cost: seconds and peak memory of recording in place and of verifying, each in a process of its own.

    python -m benchmarks.large            # folders of 2,000, 20,000 and 200,000 files, and a sparse file of 20 GB
    python -m benchmarks.large --small    # 200, 2,000 and 20,000 files, and 1 GB

The devnet runs, and its own memory is not counted.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from blockchaintracer.lab.groups import create_group, deploy
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home

COUNTS, SPARSE = (2_000, 20_000, 200_000), 20 * 10**9


def measure(folder: Path, *arguments: str) -> tuple[float, float, str]:
    """Return seconds, peak memory in MB and what a verb prints."""
    command = [sys.executable, "-m", "blockchaintracer", *arguments, "--json"]
    output = folder / "printed.json"
    began = time.monotonic()
    with output.open("wb") as file:
        process = os.posix_spawn(
            command[0],
            command,
            {**os.environ, "BLOCKCHAINTRACER_HOME": str(folder / "home")},
            file_actions=[(os.POSIX_SPAWN_DUP2, file.fileno(), 1)],
        )
        _, status, used = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{' '.join(arguments)} ended with {os.waitstatus_to_exitcode(status)}: {output.read_text()}")
    return time.monotonic() - began, used.ru_maxrss / 1000, output.read_text()


def make_folder(folder: Path, count: int) -> Path:
    """Make a folder of small files, a thousand in each inner folder."""
    for number in range(count):
        inner = folder / f"part-{number // 1000:03}"
        if number % 1000 == 0:
            inner.mkdir(parents=True)
        (inner / f"sample-{number:06}.txt").write_text(str(number))
    return folder


def make_sparse(file: Path, size: int) -> Path:
    """Make a file that takes no space, with some bytes at its end."""
    with file.open("wb") as opened:
        opened.truncate(size)
        opened.seek(size - 5)
        opened.write(b"ended")
    return file


def large(counts: tuple[int, ...], size: int) -> dict[str, dict[str, float]]:
    """Record and verify each; print as it goes."""
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        lab = Lab(Home(folder / "home"))
        try:
            deploy(lab, open_group_creation=True)
            create_group(lab, "The lab")
            made = [(f"{count:,} files", make_folder(folder / str(count), count)) for count in counts]
            made.append((f"{size / 1e9:g} GB sparse", make_sparse(folder / "sparse", size)))
            # what was changed just now is hashed again the next time
            time.sleep(4)
            for name, path in made:
                seconds, memory, printed = measure(folder, "record", "--in-place", str(path))
                again = measure(folder, "record", "--in-place", str(path))
                verified = measure(folder, "verify", json.loads(printed)["id"])
                results[name] = {"record s": seconds, "record MB": memory, "again s": again[0]}
                results[name] |= {"verify s": verified[0], "verify MB": verified[1]}
                print(name, *(f"{what} {value:.1f}" for what, value in results[name].items()), sep="  ", flush=True)
        finally:
            lab.devnet.stop()
    return results


if __name__ == "__main__":
    if "--small" in sys.argv:
        large(tuple(count // 10 for count in COUNTS), SPARSE // 20)
    else:
        large(COUNTS, SPARSE)
