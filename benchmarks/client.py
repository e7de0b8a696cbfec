"""Speed of the client beside its peers, measured in one run: `make bench`.

Writes benchmarks/client.json: ``{row: {ours, peer, ratio, target}}``. The machine decides the figures; the ratios and
limits are what is held. Nothing fails here because a machine is slow.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import compiling_once
from benchmarks.growth import measure_growth
from benchmarks.handover import measure_handover
from benchmarks.index import measure_searching, measure_sync
from benchmarks.mlflow import SIZE, added, measure_recording
from benchmarks.observing import FILES, measure_observing
from benchmarks.outbox import COUNT, LARGE, count_transactions, measure_flush
from benchmarks.reading import measure_reading
from blockchaintracer.core.digest import digest_file, digest_folder, sha256_file

FILE = Path(__file__).with_suffix(".json")
LARGE_BYTES = 512 << 20
MANY = 400
MANY_BYTES = 1 << 20
EVENTS = 40_000
RECORDS = 1_000_000
LEAVES = 1_000_000
TABLE_ROWS = 200_000
REPEATS = 3
LIMIT_CPU_S = 0.5
"""Of a verb that reads."""
LIMIT_MB = 250
"""Memory of a process that indexes a million records, or searches among them."""
BUSY = 0.2
"""Part of the machine that others may take. A devnet that runs by itself is counted to them."""
LIMIT_ADDED_S = 0.9
"""CPU seconds that recording may add to a run of MLflow."""


@dataclass
class Row:
    """A figure beside its peer or limit.

    Args:
        unit: of `ours` and `peer`.
        peer: the peer's figure in this run, or the limit.
        ratio: ours divided by peer.
        target: what the ratio should be, in words.
        others: the part of the machine that other processes took meanwhile, from 0 to 1.
    """

    name: str
    unit: str
    ours: float
    peer: float
    target: str
    met: bool
    others: float = 0.0

    @property
    def is_useless(self) -> bool:
        """Whether the machine was too busy for the figure to say anything."""
        return self.others > BUSY

    @property
    def ratio(self) -> float:
        return self.ours / self.peer if self.peer else 0.0


def best(work: Callable[[], object]) -> float:
    """Seconds of the quickest of a few tries: what else the machine did is left out."""
    times = []
    for _ in range(REPEATS):
        times.append(_seconds(work))
    return min(times)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def hashing(folder: Path) -> list[Row]:
    large = folder / "large"
    with large.open("wb") as file:
        for _ in range(LARGE_BYTES >> 20):
            file.write(os.urandom(1 << 20))

    def peer() -> str:
        with large.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    size = LARGE_BYTES / 1e6
    theirs, alone, both = best(peer), best(lambda: sha256_file(large)), best(lambda: digest_file(large))
    rows = [
        Row("SHA-256 of one large file", "MB/s", size / alone, size / theirs, "at least 0.95", alone <= theirs / 0.95),
        Row("SHA-256 and CID in one reading", "MB/s", size / both, size / theirs, "at least 0.8", both <= theirs / 0.8),
    ]
    large.unlink()
    many = folder / "many"
    many.mkdir()
    for number in range(MANY):
        (many / str(number)).write_bytes(os.urandom(MANY_BYTES))
    one = best(lambda: [digest_file(path) for path in sorted(many.iterdir())])
    ours = best(lambda: digest_folder(many))
    rows.append(
        Row("many files, two cores beside one", "files/s", MANY / ours, MANY / one, "at least 1.8", one >= 1.8 * ours)
    )
    return rows


def memory(folder: Path) -> Row:
    """In a process of its own: what hashing a large file adds to the memory of an idle one."""
    large = folder / "large"
    with large.open("wb") as file:
        file.truncate(LARGE_BYTES)
    # getrusage would give the peak of the process that started this one, too
    code = (
        "import re, sys; from pathlib import Path; from blockchaintracer.core.digest import digest_file\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s*(\\d+)', Path('/proc/self/status').read_text())[1])\n"
        "idle = peak(); digest_file(sys.argv[1]); print(peak() - idle)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(large)], capture_output=True, text=True, check=True)
    used = int(done.stdout) / 1024
    large.unlink()
    return Row("memory while hashing, above idle", "MB", used, 16, "at most 16 MB", used <= 16)


def dataset_digests() -> list[Row]:
    """Digest all of a frame, of floats and of mixed columns, beside MLflow's digest of the same frame."""
    from mlflow.data import from_pandas

    from blockchaintracer.lab.datasets import digest_dataset

    rows = []
    for kind, frame in frames(TABLE_ROWS).items():
        theirs, ours = best(lambda: from_pandas(frame).digest), best(lambda: digest_dataset(frame))  # noqa: B023
        before = from_pandas(frame).digest, digest_dataset(frame).sha256
        frame.iloc[-1, 0] += 1
        blind, seen = from_pandas(frame).digest == before[0], digest_dataset(frame).sha256 != before[1]
        sees = f"sees the last row (ours: {'yes' if seen else 'no'}, MLflow: {'no' if blind else 'yes'})"
        name = f"dataset digest of {TABLE_ROWS:,} x {frame.shape[1]} {kind}, MLflow's beside"
        rows.append(Row(name, "s", ours, theirs, f"never slower; {sees}", seen and ours <= theirs))
    return rows


def frames(rows: int) -> dict[str, Any]:
    """Frames of ten columns: of floats, and of floats, integers, texts, times, truth values and missing values."""
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(0)
    numbers = random.random((rows, 10))
    mixed: dict[str, Any] = {f"float{column}": numbers[:, column] for column in range(3)}
    mixed |= {f"integer{column}": random.integers(0, 1 << 40, rows) for column in range(2)}
    mixed |= {f"text{column}": random.integers(0, 1000, rows).astype(str).astype(object) for column in range(2)}
    mixed["time"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(random.integers(0, 1 << 20, rows), unit="s")
    mixed["true"] = numbers[:, 3] > 0.5
    mixed["missing"] = np.where(numbers[:, 4] > 0.9, np.nan, numbers[:, 5])
    return {
        "floats": pd.DataFrame(numbers, columns=[f"float{column}" for column in range(10)]),
        "mixed": pd.DataFrame(mixed),
    }


def tree() -> Row:
    """A Merkle tree beside the hashing that it can't do without: two for a leaf, one for each node above."""
    from eth_hash.auto import keccak

    from blockchaintracer.core.merkle import MerkleTree

    values = [os.urandom(32).hex() for _ in range(LEAVES)]

    def bare() -> None:
        hashed, leaf, pair = keccak.hasher, bytes(32), bytes(64)
        for _ in range(2 * LEAVES):
            hashed(leaf)
        for _ in range(LEAVES - 1):
            hashed(pair)

    keccak(b"")
    times = [(_seconds(bare), _seconds(lambda: MerkleTree(values))) for _ in range(2)]
    theirs, ours = (min(column) for column in zip(*times, strict=True))
    return Row(
        f"Merkle tree of {LEAVES:,}, bare keccak beside", "s", ours, theirs, "at most 1.15", ours <= 1.15 * theirs
    )


def proof(folder: Path) -> Row:
    """A bundle of one record of a real registry, verified without a network; the imports are made before."""
    from blockchaintracer.core.record import Kind
    from blockchaintracer.core.verify.bundle import read_bundle
    from blockchaintracer.lab.bundle.export_proof import export_proof
    from blockchaintracer.lab.groups import create_group, deploy
    from blockchaintracer.lab.lab import Lab
    from blockchaintracer.lab.lab_folder import Home
    from blockchaintracer.lab.recording.content import record_path

    lab = Lab(Home(folder / "home"))
    try:
        deploy(lab, open_group_creation=True)
        create_group(lab, "Benchmark")
        file = folder / "data.bin"
        file.write_bytes(os.urandom(1000))
        record = record_path(lab, Kind.DATASET, file)
        bundle = folder / "record.proof"
        export_proof(lab, [record.id], bundle)
    finally:
        lab.devnet.stop()
    ours = 1000 * best(lambda: read_bundle(bundle.read_bytes()))
    return Row("verify a proof bundle offline", "ms", ours, 5, "under 5 ms", ours < 5)


def importing() -> list[Row]:
    """In fresh processes, Python's start aside."""
    return [
        Row(f"import of {name}", "CPU s", ours := _statement(statement), most, f"at most {most} s", ours <= most)
        for name, statement, most in (
            ("blockchaintracer", "import blockchaintracer", 0.25),
            ("`MLTracer`", "from blockchaintracer import MLTracer", 0.25),
        )
    ]


def _statement(statement: str) -> float:
    program = f"import time; began = time.process_time(); {statement}; print(time.process_time() - began)"
    command = [sys.executable, "-c", program]
    with tempfile.TemporaryDirectory() as scratch:
        environment = compiling_once(Path(scratch))
        runs = [subprocess.run(command, env=environment, check=True, capture_output=True) for _ in range(6)]
    return min(float(run.stdout) for run in runs)


def reading() -> list[Row]:
    """CPU seconds of the verbs that read, beside `git log` and, if it is installed, `dvc status`."""
    seconds = measure_reading()
    peers = {name: seconds.pop(name) for name in ("git log", "dvc status") if name in seconds}
    told = "; ".join(f"{name} takes {peer:.2f} s" for name, peer in peers.items())
    return [
        Row(f"CPU of `{verb}`", "s", ours, LIMIT_CPU_S, f"at most {LIMIT_CPU_S} s; {told}", ours <= LIMIT_CPU_S)
        for verb, ours in seconds.items()
    ]


def syncing() -> list[Row]:
    ours, bare = measure_sync(EVENTS, lambda message: None)
    return [
        Row("events from node to index, bare read beside", "events/s", ours, bare, "at least 0.6", ours >= 0.6 * bare)
    ]


def searching() -> list[Row]:
    slowest, peaks = measure_searching(RECORDS, 5, lambda message: None)
    rows = [Row("search among a million records, p95", "ms", slowest, 20, "under 20 ms", slowest < 20)]
    return rows + [
        Row(f"memory with a million records: {what}", "MB", peak, LIMIT_MB, f"at most {LIMIT_MB} MB", peak <= LIMIT_MB)
        for what, peak in peaks.items()
    ]


def flushing() -> list[Row]:
    ours, plain = measure_flush()
    sent = count_transactions()
    name = f"flush of {COUNT:,} waiting records, plain web3 beside"
    return [
        Row(name, "records/s", ours, plain, "at least 0.8", ours >= 0.8 * plain),
        Row(f"transactions for {LARGE:,} waiting records", "", sent, 30, "at most 30", sent <= 30),
    ]


def growing() -> list[Row]:
    return [
        Row(
            f"growth of `{growth.verb}`, CPU",
            "exponent",
            cpu,
            growth.limit,
            f"at most; memory {memory:.2f}",
            growth.met,
        )
        for growth in measure_growth()
        for cpu, memory in (growth.exponents,)
    ]


def handing_over() -> list[Row]:
    handed, waited = measure_handover()
    target = "under 20 ms; beside: brought into a block"
    return [Row("cost of recording a run to its process", "ms", handed, waited, target, handed < 20)]


def observing() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        watched, bare = measure_observing(Path(folder))
    target = "at most 1.03 of the program alone"
    return [Row(f"CPU of a program that reads {FILES:,} files", "s", watched, bare, target, watched <= 1.03 * bare)]


def mlflow_runs() -> list[Row]:
    runs = measure_recording()
    passed, noise, cpu, beside = added(runs)
    alone = statistics.median(seconds for seconds, _, _ in runs["alone"])
    told = f"with {SIZE >> 20:,} MB of artifacts"
    wall = f"more by at most the noise of the pairs, {noise:.2f} s, {told}"
    target = f"at most {LIMIT_ADDED_S} s, {told}"
    return [
        Row("a run of MLflow, recorded", "s", alone + passed, alone, wall, passed <= noise),
        Row("CPU added to a run of MLflow", "s", cpu, LIMIT_ADDED_S, target, cpu <= LIMIT_ADDED_S),
        Row("the same beside MLflow's own calls", "s", beside, LIMIT_ADDED_S, target, beside <= LIMIT_ADDED_S),
    ]


def in_a_folder(step: Callable[[Path], Row | list[Row]]) -> Callable[[], Row | list[Row]]:
    def work() -> Row | list[Row]:
        with tempfile.TemporaryDirectory() as scratch:
            return step(Path(scratch))

    return work


STEPS: dict[str, Callable[[], Row | list[Row]]] = {
    "hashing": in_a_folder(hashing),
    "memory": in_a_folder(memory),
    "digests": dataset_digests,
    "imports": importing,
    "tree": tree,
    "proof": in_a_folder(proof),
    "events": syncing,
    "search": searching,
    "reading": reading,
    "flush": flushing,
    "growth": growing,
    "handover": handing_over,
    "observing": observing,
    "mlflow": mlflow_runs,
}


def _processor_seconds() -> tuple[float, float]:
    """Of the whole machine since it started, and of this process and its children that have ended."""
    ticks = [int(value) for value in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    # idle and waiting for a disk are no work; the last two are counted in the first two already
    machine = (sum(ticks[:8]) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return machine, sum(each.ru_utime + each.ru_stime for each in used)


def measured(step: Callable[[], Row | list[Row]]) -> list[Row]:
    """The rows of a step, with the part of the machine that other processes took meanwhile."""
    began, (machine, own) = time.perf_counter(), _processor_seconds()
    rows = step()
    machine, own = (now - before for now, before in zip(_processor_seconds(), (machine, own), strict=True))
    others = max(0.0, machine - own) / (time.perf_counter() - began) / (os.cpu_count() or 1)
    rows = rows if isinstance(rows, list) else [rows]
    for row in rows:
        row.others = others
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "steps", nargs="*", metavar="STEP", help=f"only these of: {', '.join(STEPS)}; nothing is written"
    )
    chosen = parser.parse_args().steps
    if unknown := set(chosen) - STEPS.keys():
        parser.error(f"expected steps of {', '.join(STEPS)}, got {', '.join(sorted(unknown))}")
    console = Console(width=None if sys.stdout.isatty() else 140)
    rows: list[Row] = []
    failed: list[str] = []
    for name in chosen or STEPS:
        console.print(f"{name} ...")
        try:
            rows += measured(STEPS[name])
        except Exception:
            # the other rows took minutes
            console.print_exception()
            failed.append(name)

    table = Table("", "unit", "ours", "peer or limit", "ratio", "target", "met", "others")
    for row in rows:
        met = "busy" if row.is_useless else "yes" if row.met else "no"
        figures = (f"{row.ours:,.2f}", f"{row.peer:,.2f}", f"{row.ratio:.2f}")
        table.add_row(row.name, row.unit, *figures, row.target, met, f"{row.others:.0%}")
    console.print(table)
    if any(row.is_useless for row in rows):
        console.print(f"busy: other processes took more than {BUSY:.0%} of the machine. Those rows say nothing: again.")
    if failed:
        console.print(f"Ended in an error: {', '.join(failed)}.")
    elif not chosen:
        written = {
            row.name: {
                **{name: round(getattr(row, name), 3) for name in ("ours", "peer", "ratio", "others")},
                "target": row.target,
            }
            for row in rows
        }
        FILE.write_text(json.dumps(written, indent=1) + "\n")
        console.print(f"Wrote {FILE.name}.")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    console.print(f"Peak of this process: {peak} MB.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
