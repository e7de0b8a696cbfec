"""How fast `serve` answers from an index of a million records: 100 open connections, one request a second each, and as
fast as they can.

python -m benchmarks.serve --records 1000000
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil

from benchmarks.index import ADDRESS, fill, searches
from blockchaintracer.core.record import Domain, to_hex
from blockchaintracer.extras.search import Index
from blockchaintracer.extras.search.rows import utc
from blockchaintracer.extras.serve.app import make_app
from blockchaintracer.extras.serve.follower import Follower, Following
from blockchaintracer.extras.serve.published import PublishedFolder
from blockchaintracer.extras.serve.readers import Readers, ReadOnlyIndex
from blockchaintracer.extras.serve.registry_answers import Answers
from blockchaintracer.extras.serve.server import SECONDS, THREADS, settings

CONNECTIONS = 100
_CAMEL = {"ancestors_of": "ancestorsOf", "descendants_of": "descendantsOf"}


def run_server(path: Path, listener: socket.socket) -> None:
    """Serve the made-up records as the verb does; no chain is followed."""
    import uvicorn

    published = PublishedFolder(None, path.parent / "nothing")
    lab: Any = None
    follower = Follower(lab, lambda: Index(path), published, 1)
    follower.state = Following(has_followed=True)
    readers = Readers(lambda: ReadOnlyIndex(path), threads=THREADS, seconds=SECONDS)
    app = make_app(Answers(Domain(1, ADDRESS), published), readers, follower, lambda line: None)
    uvicorn.Server(settings(app)).run([listener])


def questions(path: Path, seed: int = 0) -> Iterator[tuple[str, str]]:
    """What a page, a script and people ask, with values drawn at random: half of it is about one record or file."""
    rng = random.Random(seed)
    with Index(path) as index:
        most = index.rows("SELECT max(pk) FROM records")[0][0]
        numbers = [rng.randrange(1, most + 1) for _ in range(2_000)]
        select = "SELECT id, subject FROM records WHERE pk = ?"
        known = [tuple(row) for number in numbers for row in index.rows(select, (number,))]
        newest = "SELECT id FROM records ORDER BY pk DESC LIMIT 3000"
        oldest = [to_hex(row[0]) for row in index.rows("SELECT id FROM records ORDER BY pk LIMIT 3000")]
        ids = [*oldest, *reversed([to_hex(row[0]) for row in index.rows(newest)])]
    made = searches(ids, seed)
    while True:
        record, subject = rng.choice(known)
        draw = rng.random()
        if draw < 0.3:
            yield "a record", f"records/{to_hex(record)}"
        elif draw < 0.5:
            yield "a file", f"files/{subject.hex()}"
        elif draw < 0.6:
            yield "the newest 20", "records?limit=20"
        elif draw < 0.7:
            yield "a lineage of 2", f"records/{to_hex(record)}/lineage?depth=2"
        elif draw < 0.8:
            yield "the registry", "registry"
        else:
            _, search = next(made)
            fields = {_CAMEL.get(name, name): value for name, value in search.items()}
            fields |= {name: utc(fields[name]) for name in ("since", "until") if name in fields}
            fields["order"] = "descending" if fields.pop("descending", True) else "ascending"
            fields.pop("offset", None)
            yield "a search, 20 of a page", f"records?{urlencode({**fields, 'limit': 20}, doseq=True)}"


class _Client:
    """One open connection, which asks one question after the other."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 22)

    async def ask(self, path: str) -> tuple[int, float]:
        """Return status and seconds."""
        start = time.perf_counter()
        request = f"GET /v1/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip\r\n\r\n"
        self._writer.write(request.encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        await self._reader.readexactly(length)
        return int(head.split(b" ")[1]), time.perf_counter() - start


async def _measure(port: int, path: Path, seconds: float, pause: float) -> list[tuple[str, int, float]]:
    """Ask by all connections; each waits `pause` seconds from the beginning of one question to the next."""
    asked, taken, ends = questions(path), [], time.perf_counter() + seconds

    async def one(number: int) -> None:
        client = _Client(port)
        await client.open()
        at = time.perf_counter() + pause * number / CONNECTIONS
        while at < ends or not pause:
            if pause:
                await asyncio.sleep(max(0, at - time.perf_counter()))
                at += pause
            elif time.perf_counter() > ends:
                return
            name, question = next(asked)
            taken.append((name, *await client.ask(question)))

    await asyncio.gather(*map(one, range(CONNECTIONS)))
    return taken


@contextmanager
def serving(path: Path) -> Iterator[tuple[int, psutil.Process]]:
    """The server in a process of its own; yields port and process."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    with listener:
        command = [sys.executable, "-m", "benchmarks.serve", "--listen", str(listener.fileno()), "--index", str(path)]
        process = subprocess.Popen(command, pass_fds=[listener.fileno()])
        try:
            yield listener.getsockname()[1], psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(20)


def measure(path: Path, seconds: float, say: Callable[[str], None] = print) -> float:
    """Print the times at one request a second and connection, and how many a second are answered at most.

    Returns:
        The 95th percentile of the first, in milliseconds.
    """
    with serving(path) as (port, process):
        asyncio.run(_measure(port, path, 5, 1.0))
        before = process.cpu_times()
        taken = asyncio.run(_measure(port, path, seconds, 1.0))
        after = process.cpu_times()
        cpu = 1000 * (after.user + after.system - before.user - before.system) / len(taken)
        for name in sorted({name for name, *_ in taken}):
            say(_line(name, [time for it, _, time in taken if it == name]))
        wrong = [status for _, status, _ in taken if status != 200]
        p95 = _p95([time for *_, time in taken])
        say(_line(f"all, {len(taken) / seconds:.0f} a second", [time for *_, time in taken]))
        say(
            f"{cpu:.1f} ms of the server's CPU a request; {len(wrong)} not answered with 200 {sorted(set(wrong)) or ''}"
        )
        say(f"load of this machine meanwhile: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        full = asyncio.run(_measure(port, path, 10, 0))
        say(_line(f"as fast as it can: {len(full) / 10:.0f} a second", [time for *_, time in full]))
    return 1000 * p95


def _line(name: str, times: list[float]) -> str:
    return f"{name:32} median {1000 * statistics.median(times):8.1f} ms   p95 {1000 * _p95(times):8.1f} ms"


def _p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument(
        "--index", type=Path, help="An index that `benchmarks.index.fill` filled, kept; made if not there."
    )
    parser.add_argument("--listen", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.listen is not None:
        run_server(arguments.index, socket.socket(fileno=arguments.listen))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.index or Path(folder) / "index.sqlite"
        if not path.exists():
            with Index(path) as index:
                fill(index, arguments.records)
        p95 = measure(path.resolve(), arguments.seconds)
        print(f"p95 {p95:.1f} ms, at most 50 ms")


if __name__ == "__main__":
    main()
