"""How fast the index reads events from a node; how fast it finds records among a million, and in how much memory.

python -m benchmarks.index sync  --events 100000
python -m benchmarks.index query --records 1000000
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import requests

from blockchaintracer.core.chain import Block, Registry, load_artifact
from blockchaintracer.core.record import from_hex, to_hex
from blockchaintracer.extras.compare.compare_records import MOST
from blockchaintracer.extras.search import Index, query
from blockchaintracer.extras.search.database import Describer, Writer
from blockchaintracer.lab.chain.batching import connect
from blockchaintracer.lab.chain.logs import Log, Span
from blockchaintracer.lab.store.store import Store

ADDRESS = "0x" + "ab" * 20
START = 1_700_000_000
"""Time of the first block; each later one is twelve seconds after the one before."""
_PER_BLOCK = 20
_SPAN = 10_000
_BATCH = 487
"""Records of a block: of a round number of logs a node is asked twice, as it may have left some out."""
_WORDS = ("strain", "whitened", "template", "glitch", "detector", "noise", "merger", "ringdown", "injection", "veto")


def fill(index: Index, count: int, seed: int = 0) -> list[str]:
    """Fills an empty index with made-up records of one registry, with manifests and up to two parents each; their ids.

    Record number n is of group 1 + n % 10; every thousandth is retracted, every hundredth reproduced by group 11.
    """
    rng = random.Random(seed)
    db = index._db
    db.execute("INSERT INTO registries (pk, chain_id, address, first_block) VALUES (1, 1, ?, 0)", (ADDRESS,))
    ids: list[str] = []
    for first in range(0, count, _SPAN):
        logs, manifests = [], []
        for number in range(first, min(first + _SPAN, count)):
            made, manifest = _made_up(rng, number, ids)
            ids.append(to_hex(made[0].values[0]))
            logs += made
            manifests.append(manifest)
        last = logs[-1]
        end = Block(last.block, to_hex(last.block_hash), _time(last.block))
        span = Span(logs[0].block, end, logs, {log.block: _time(log.block) for log in logs})
        with index._transaction():
            Writer(db, 1, "a benchmark").write(span)
            describer = Describer(db)
            for manifest in manifests:
                describer.take_up(sha256(manifest).digest(), manifest)
    index.analyze()
    return ids


def _made_up(rng: random.Random, number: int, ids: list[str]) -> tuple[list[Log], bytes]:
    manifest = json.dumps(
        {
            "predicate": {
                "name": f"run {number} {rng.choice(_WORDS)}",
                "description": " ".join(rng.choices(_WORDS, k=8)),
                "parameters": {
                    "lr": 10 ** rng.uniform(-5, -1),
                    "optimizer": rng.choice(["adam", "sgd"]),
                    "layers": number % 7,
                },
                "metrics": {"accuracy": {"value": rng.random()}, "loss": {"value": rng.expovariate(1)}},
                "code": {"commit": rng.randbytes(20).hex()},
            }
        }
    ).encode()
    parents = sorted({ids[rng.randrange(max(0, number - 1000), number)] for _ in range(rng.randrange(3)) if number})
    # all records of a span's last block are in it, because spans are whole blocks
    block = number // _PER_BLOCK
    where = (block, sha256(b"%d" % block).digest(), sha256(b"tx %d" % number).digest())
    record_id = rng.randbytes(32)
    author = sha256(b"%d" % rng.randrange(50)).digest()[:20]
    values = (record_id, rng.randbytes(32), 1 + number % 10, author, 1, rng.choice((1, 2, 3, 3, 3, 4)),
              sha256(manifest).digest(), [(from_hex(parent), 7) for parent in parents])  # fmt: skip
    logs = [Log("Recorded", values, *where, 4 * number)]
    if number % 250 == 0:
        # from a batch of half an hour before
        logs.append(Log("Materialized", (record_id, bytes(32), _time(block) - 1800), *where, 4 * number + 1))
    if number % 100 == 0:
        logs.append(Log("Attested", (11, author, record_id, 2, rng.randbytes(32), 1), *where, 4 * number + 2))
    if number % 1000 == 0:
        logs.append(Log("Retracted", (values[2], author, record_id, bytes(32)), *where, 4 * number + 3))
    return logs, manifest


def _time(block: int) -> int:
    return START + 12 * block


def searches(ids: list[str], seed: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """What people ask, with values drawn at random."""
    rng = random.Random(seed)
    while True:
        day = START + 12 * rng.randrange(max(len(ids) // _PER_BLOCK, 1))
        author = "0x" + sha256(b"%d" % rng.randrange(50)).hexdigest()[:40]
        word, other = rng.sample(_WORDS, 2)
        asked: dict[str, dict[str, Any]] = {
            "newest": {},
            "page 200": {"offset": 10_000},
            "kind": {"kind": rng.choice(["dataset", "run", "result"])},
            "kind that is not there": {"kind": "deployment"},
            "group and kind": {"group": rng.randrange(1, 11), "kind": "model"},
            "author": {"author": author},
            "author, group and kind": {"author": author, "group": rng.randrange(1, 11), "kind": "run"},
            "a day": {"since": day, "until": day + 86_400},
            "retracted": {"status": "retracted"},
            "reproduced runs of a group": {"status": ("recorded", "reproduced"), "kind": "run", "group": 1},
            "a common word": {"text": word},
            "two common words": {"text": f"{word} {other}", "kind": "result", "group": 3},
            "a rare word": {"text": f"run {rng.randrange(len(ids))}"},
            "metric, common": {"where": "metrics.accuracy > 0.5"},
            "metric, rare": {"where": "metrics.accuracy > 0.9999"},
            "metric range": {"where": "metrics.accuracy > 0.5 and metrics.accuracy < 0.5001"},
            "metric and parameters": {"where": "metrics.accuracy > 0.9 and params.lr < 1e-4 and params.layers = 3"},
            "words and metric": {"text": word, "where": "metrics.accuracy > 0.99"},
            "best accuracy": {"sort": "metrics.accuracy"},
            "least loss of some models": {"sort": "metrics.loss", "descending": False, "kind": "model", "group": 2},
            "ancestors of a young record": {"ancestors_of": ids[rng.randrange(min(len(ids), 3000))]},
            "descendants of a young record": {"descendants_of": ids[-1 - rng.randrange(min(len(ids), 2000))]},
        }  # fmt: skip
        yield from asked.items()


def measure_searching(records: int, rounds: int, say: Callable[[str], None] = print) -> tuple[float, dict[str, float]]:
    """Print median and 95th percentile of each search in milliseconds. Return the 95th percentile of all, and the peak
    memory in MB of processes that index the records, search among them, and choose those to compare."""
    peaks = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "index.sqlite")
        for what in ("index", "search", "compare"):
            start = time.perf_counter()
            program = f"from benchmarks.index import peak_of; print(peak_of({what!r}, {records}, {str(path)!r}))"
            done = subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE)
            peaks[what] = float(done.stdout)
            took = time.perf_counter() - start
            say(f"{what} {records:,} records: {took:.0f} s, at most {peaks[what]:.0f} MB of memory")
        say(f"{path.stat().st_size / 1e6:.0f} MB of disk")
        times: dict[str, list[float]] = {}
        with Index(path) as index:
            for _, (name, search) in zip(range(rounds * 22), searches(_ids(index)), strict=False):
                start = time.perf_counter()
                query(index, **search)
                times.setdefault(name, []).append(1000 * (time.perf_counter() - start))
    everything = [each for taken in times.values() for each in taken]
    for name, taken in (*times.items(), ("all", everything)):
        say(f"{name:32} median {statistics.median(taken):8.2f} ms   p95 {_p95(taken):8.2f} ms")
    return _p95(everything), peaks


def peak_of(what: str, records: int, path: str) -> float:
    """Peak memory of this process in MB, without the ids of the made-up records."""
    ids: list[str] = []
    with Index(Path(path)) as index:
        if what == "index":
            ids = fill(index, records)
        elif what == "search":
            ids = _ids(index)
            for _, (_, search) in zip(range(22), searches(ids), strict=False):
                query(index, **search)
        else:
            query(index, kind="run", where="metrics.accuracy > 0", descending=False, limit=MOST)
    peak = int(re.findall(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[0]) << 10
    return (peak - sum(map(sys.getsizeof, ids)) - sys.getsizeof(ids)) / 1e6


def _ids(index: Index) -> list[str]:
    return [to_hex(row[0]) for row in index._db.execute("SELECT id FROM records ORDER BY pk")]


def _p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1))]


def read_bare(rpc: str, address: str, head: int) -> int:
    """The peer: ``eth_getLogs`` over plain HTTP and the words of each log as bytes, and nothing else; how many logs."""
    found, step = [], 30
    with requests.Session() as session:
        for first in range(0, head + 1, step):
            wanted = {"address": address, "fromBlock": hex(first), "toBlock": hex(min(first + step - 1, head))}
            call = {"jsonrpc": "2.0", "id": 1, "method": "eth_getLogs", "params": [wanted]}
            for log in session.post(rpc, json=call, timeout=60).json()["result"]:
                raw = bytes.fromhex("".join([topic[2:] for topic in log["topics"]]) + log["data"][2:])
                words = tuple(raw[place : place + 32] for place in range(0, len(raw), 32))
                found.append((words, int(log["blockNumber"], 16), log["transactionHash"]))
    return len(found)


def measure_sync(events: int, say: Callable[[str], None] = print) -> tuple[float, float]:
    """Prints events a second from a node to the index, beside reading and decoding them alone, and web3's decoding;
    the best of the first two."""
    from benchmarks.chain import TRANSACTION_GAS_LIMIT
    from benchmarks.chain import Chain as Node

    rng = random.Random(0)
    with Node() as node, tempfile.TemporaryDirectory() as folder:
        contract, _ = node.deploy(load_artifact()["abi"], load_artifact()["bytecode"], node.accounts[0].address, True)
        node.send(contract.functions.createGroup(7, bytes(32)))
        sender = node.accounts[0].address
        sent = []
        for _ in range(0, events, _BATCH):
            keys: list[Any] = [(1, sender, 1, rng.randbytes(32), 3, rng.randbytes(32), []) for _ in range(_BATCH)]
            options: Any = {"from": sender, "gas": TRANSACTION_GAS_LIMIT, "gasPrice": 0}
            sent.append(contract.functions.recordMany(keys).transact(options))
        if any(node.w3.eth.wait_for_transaction_receipt(transaction)["status"] != 1 for transaction in sent):
            raise RuntimeError("expected every batch to be recorded")
        chain = connect(node.w3.provider.endpoint_uri)  # type: ignore[attr-defined]
        registry = Registry(chain, contract.address)
        best = (0.0, 0.0)
        for _ in range(3):
            start = time.perf_counter()
            bare = read_bare(chain.address, registry.address, chain.head().number) / (time.perf_counter() - start)
            path = Path(folder) / f"{time.monotonic_ns()}.sqlite"
            with Index(path) as index:
                start = time.perf_counter()
                report = index.sync(registry, Store(Path(folder) / "store"))
                ours = report.events / (time.perf_counter() - start)
            say(f"{ours:8.0f} events/s to the index; {bare:8.0f}/s by eth_getLogs alone; {ours / bare:.2f} of it")
            best = (max(best[0], ours), max(best[1], bare))
        start = time.perf_counter()
        few = sum(1 for _ in registry.recorded(1, 12))
        say(f"{few / (time.perf_counter() - start):8.0f} events/s as web3 decodes them")
        return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("sync", "query"))
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    if arguments.what == "sync":
        measure_sync(arguments.events)
    else:
        measure_searching(arguments.records, arguments.rounds)


if __name__ == "__main__":
    main()
