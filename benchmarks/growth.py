"""How the cost of each verb grows with the records of a lab: `python -m benchmarks.growth`.

Homes of 100, 1,000 and 10,000 records on devnets of their own; a smaller one first compiles what is imported. Each verb
runs in a process of its own; the exponent is the slope of its CPU seconds, and of its peak memory, over the number of
records on logarithmic scales. Work on all records may grow as they do, work on one must not. What the node does is not
counted.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from benchmarks import compiling_once
from blockchaintracer.core.digest import digest_bytes
from blockchaintracer.core.manifest import ContentPredicate, Manifest
from blockchaintracer.core.record import Kind, Link, Relation
from blockchaintracer.lab.groups import create_group, deploy
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.recording.commit import commit

SIZES = (100, 1_000, 10_000)
ALL, ONE = 1.1, 0.2
"""What the exponent of work on all records, and of work on one, may be."""
REPEATS = 3
_FIRST = 20


@dataclass
class Growth:
    """Cost of one verb at each size.

    Args:
        limit: what its exponents may be.
    """

    verb: str
    limit: float
    seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)

    @property
    def exponents(self) -> tuple[float, float]:
        """Of CPU seconds and of peak memory."""
        return _slope(self.seconds), _slope(self.megabytes)

    @property
    def met(self) -> bool:
        """Whether neither is above the limit."""
        return max(self.exponents) <= self.limit


def measure_growth(sizes: Sequence[int] = SIZES) -> list[Growth]:
    """Measure every verb at each size."""
    grown: dict[str, Growth] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for size in (_FIRST, *sizes):
            folder = Path(scratch, str(size))
            folder.mkdir()
            for verb, limit, seconds, megabytes in _costs(folder, size, compiling_once(Path(scratch))):
                print(f"{size:,} records: {verb} {seconds:.2f} s, {megabytes:.0f} MB", file=sys.stderr)
                if size != _FIRST:
                    growth = grown.setdefault(verb, Growth(verb, limit))
                    growth.seconds.append(seconds)
                    growth.megabytes.append(megabytes)
            shutil.rmtree(folder)
    return list(grown.values())


def _costs(folder: Path, size: int, environment: dict[str, str]) -> Iterator[tuple[str, float, float, float]]:
    lab = Lab(Home(folder / "home"))
    environment["BLOCKCHAINTRACER_HOME"] = str(lab.home.path)
    try:
        deploy(lab, open_group_creation=True)
        create_group(lab, "The lab")
        ids = _waiting(lab, size)
        file, new = folder / "some.csv", folder / "new.csv"
        file.write_bytes(_content(size // 2))
        names = {"flush": ["outbox", "flush"], "index": ["query", "--limit", "1"]}
        names |= {
            "export": ["export", "-o", str(folder / "all.tar")],
            "outbox": ["outbox", "list", "--limit", str(size)],
        }
        for name, verb in names.items():
            yield (name, ALL, *_run(environment, verb))
        one = {
            "record": ["record", "--dataset", str(new)],
            "verify": ["verify", ids[size // 2]],
            "verify FILE": ["verify", str(file)],
            "lineage": ["lineage", ids[size // 2]],
            "query by id": ["query", "--ancestors-of", ids[size // 2]],
            "status": ["status"],
        }
        for name, verb in one.items():
            costs = []
            for _ in range(REPEATS):
                new.write_bytes(os.urandom(40))
                costs.append(_run(environment, verb))
            yield (name, ONE, *map(min, zip(*costs, strict=True)))
    finally:
        lab.devnet.stop()


def _content(number: int) -> bytes:
    return b"%d\n" % number


def _waiting(lab: Lab, size: int) -> list[str]:
    """Hand records over; each but the first ten has one of those before as its parent, never more than five deep."""
    lab.hand_over = True
    ids: list[str] = []
    lab.outbox._db.execute("PRAGMA synchronous = OFF")
    with patch("os.fsync"):
        for number in range(size):
            content = digest_bytes(_content(number))
            about = ContentPredicate(
                subject_type="file",
                size=content.size,
                cid=content.cid,
                cid_profile=content.cid_profile,
                name=f"data {number}",
            )
            parents = [Link(ids[number // 10], Relation.DERIVED_FROM)] if number >= 10 else []
            ids.append(commit(lab, Manifest.of(Kind.DATASET, about, content.sha256), parents).id)
    return ids


_PROGRAM = """
import atexit, pathlib, re, runpy, sys
peak = lambda: re.search(r"VmHWM:\\s*(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]
atexit.register(lambda place: pathlib.Path(place).write_text(peak()), sys.argv.pop(1))
runpy.run_module("blockchaintracer", run_name="__main__")
"""
"""The command, which tells its peak memory when it ends: the system would tell that of the process that started it."""


def _run(environment: dict[str, str], verb: Sequence[str]) -> tuple[float, float]:
    """CPU seconds and peak memory in MB."""
    with tempfile.TemporaryDirectory() as folder, Path(folder, "told").open("w+b") as told:
        command = [sys.executable, "-c", _PROGRAM, f"{folder}/peak", *verb, "--json"]
        process = subprocess.Popen(command, env=environment, stdout=told, stderr=told)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            told.seek(0)
            raise RuntimeError(f"{' '.join(verb)} ended with {process.returncode}: {told.read()[-2000:].decode()}")
        return used.ru_utime + used.ru_stime, int(Path(folder, "peak").read_text()) / 1024


def _slope(costs: Sequence[float]) -> float:
    """Of the straight line through what was measured, both scales logarithmic."""
    places = [math.log(size) for size in SIZES[: len(costs)]]
    values = [math.log(cost) for cost in costs]
    middle, mean = sum(places) / len(places), sum(values) / len(values)
    square = sum((place - middle) ** 2 for place in places)
    return sum((place - middle) * (value - mean) for place, value in zip(places, values, strict=True)) / square


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    print(f"{'':14} CPU seconds at {SIZES}    exponent   MB at {SIZES}    exponent  at most")
    grown = measure_growth()
    for growth in grown:
        cpu, memory = growth.exponents
        seconds, megabytes = (" ".join(f"{it:8.2f}" for it in row) for row in (growth.seconds, growth.megabytes))
        met = "" if growth.met else "  NOT MET"
        print(f"{growth.verb:14} {seconds} {cpu:9.2f} {megabytes} {memory:9.2f} {growth.limit:8.1f}{met}")
    return 0 if all(growth.met for growth in grown) else 1


if __name__ == "__main__":
    sys.exit(main())
