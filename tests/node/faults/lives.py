"""Processes that die or work side by side, as forks of one that has imported everything: no time is lost between two
kills. `python -m tests.node.faults.lives` with a JSON object on stdin; it prints what happened as JSON."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import eth_account  # noqa: F401 -- what every process needs is imported once, before any of them starts
import psutil  # noqa: F401

import blockchaintracer.lab.chain.batching  # noqa: F401
from blockchaintracer.core.record import Kind
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import Outbox
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.store.store import Store

BOUNDARIES = [
    *((Outbox, "add_transaction", when) for when in ("before", "after")),
    *((Store, "put_bytes", when) for when in ("before", "after")),
    *((Outbox, "store_captured", when) for when in ("before", "after")),
    *((Outbox, "_sign", when) for when in ("before", "after")),
    *((Outbox, "_send", when) for when in ("before", "after")),
    *((Outbox, "_wait", when) for when in ("before", "after")),
    *((Outbox, "_held", when) for when in ("before", "after")),
    *((Outbox, "settle", when) for when in ("before", "after")),
]


def open_lab(given: dict[str, Any], home: str) -> Lab:
    lab = Lab(Home(home), rpc=given.get("rpc"), registry_address=given["registry"], group_number=given["group"])
    if "wait_s" in given:
        lab.__dict__["outbox"] = Outbox(lab.home.outbox, wait_s=given["wait_s"])
    return lab


def child(work: Callable[[], object]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def states(home: str) -> list[str]:
    """Of all records in the journal, read by nobody's code but SQLite's."""
    with sqlite3.connect(f"file:{home}/outbox.sqlite?mode=ro", uri=True, timeout=30) as db:
        return [row[0] for row in db.execute("SELECT state FROM entries WHERE op = 'record' ORDER BY seq")]


def record_all(given: dict[str, Any], home: str, files: Sequence[str], done: Path | None = None) -> None:
    lab = open_lab(given, home)
    for path in files:
        record_content(lab, Kind.DATASET, Path(path))
        if done:
            with done.open("a") as file:
                file.write(f"{path}\n")


def random_moments(given: dict[str, Any]) -> dict[str, Any]:
    """Kills a process at random moments while records flow, each time starting another that goes on."""
    home, files, kills = given["home"], given["files"], given["kills"]
    chance, done = random.Random(given["seed"]), Path(given["home"], "done")
    done.touch()
    met: Counter[str] = Counter()

    def work(left: list[str]) -> None:
        record_all(given, home, left, done)
        while True:
            open_lab(given, home).flush()

    for killed in range(kills):
        # as many records are due as kills have been: the flow lasts as long as they do
        due = files[: -(-len(files) * (killed + 1) // kills)]
        left = [path for path in due if path not in done.read_text().splitlines()]
        pid = child(lambda left=left: work(left))
        time.sleep(chance.uniform(0, given["longest_s"]))
        os.kill(pid, signal.SIGKILL)
        if (code := ended(pid)) != -signal.SIGKILL:
            raise SystemExit(f"a process failed with {code}")
        met[states(home)[-1] if states(home) else "none"] += 1
    return {"met": met}


def every_boundary(given: dict[str, Any]) -> dict[str, Any]:
    """Kills a process at each boundary; another one then only flushes."""
    home, met = given["home"], {}
    for (owner, name, moment), path in zip(BOUNDARIES, given["files"], strict=True):
        before = len(states(home))

        def dying(owner: type = owner, name: str = name, moment: str = moment, path: str = path) -> None:
            step = getattr(owner, name)

            def killed(*values: Any, **more: Any) -> None:
                if moment == "after":
                    step(*values, **more)
                os.kill(os.getpid(), signal.SIGKILL)

            setattr(owner, name, killed)
            record_all(given, home, [path])

        code = ended(child(dying))
        known = states(home)
        flushed = ended(child(lambda: open_lab(given, home).flush()))
        met[f"{moment} {name}"] = {
            "code": code,
            "state": known[-1] if len(known) > before else None,
            "flushed": flushed,
            "then": states(home)[-1] if len(known) > before else None,
        }
    return met


def together(given: dict[str, Any]) -> dict[str, Any]:
    """Records shares of the files in processes side by side, each in one of the homes."""
    homes, files, count = given["homes"], given["files"], given["processes"]
    running = [
        child(lambda number=number: record_all(given, homes[number % len(homes)], files[number::count]))
        for number in range(count)
    ]
    return {"codes": [ended(pid) for pid in running]}


if __name__ == "__main__":
    given = json.load(sys.stdin)
    print(json.dumps({"random": random_moments, "each": every_boundary, "together": together}[given["what"]](given)))
