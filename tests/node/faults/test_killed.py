"""Processes killed at any moment, and many with one key: every record once, none lost, none paid twice.

``FAULTS=1`` kills 200 times and records 400 in each way.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.record import Kind
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.recording.content import record_content
from tests.node.faults.lives import BOUNDARIES
from tests.support.labs import ROOT, running_lab

FULL = bool(os.environ.get("FAULTS"))
KILLS, RECORDS = (200, 100) if FULL else (10, 10)
LONGEST_S = 0.3
PROCESSES, SHARE = (8, 50) if FULL else (8, 2)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


def new_files(folder: Path, count: int) -> list[str]:
    paths = [folder / f"{number}.bin" for number in range(count)]
    for path in paths:
        path.write_bytes(os.urandom(40))
    return [str(path) for path in paths]


def live(lab: Lab, **given: Any) -> dict[str, Any]:
    given |= {"registry": lab.registry.address, "group": 1}
    done = subprocess.run(
        [sys.executable, "-m", "tests.node.faults.lives"],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    print(done.stderr[-3000:])
    return json.loads(done.stdout)


class Books:
    """What the chain holds of a lab's records, before and after."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.events, self.nonce = self._count()

    def _count(self) -> tuple[list[str], int]:
        nonce = self.lab.chain.nonce(self.lab.signer.address)
        return [event.id for event in self.lab.registry.recorded()], nonce

    def require(self, files: list[str], labs: list[Lab]) -> None:
        """Each file is recorded once, by one transaction each or several by one, and no other was made."""
        events, nonce = self._count()
        new = events[len(self.events) :]
        assert len(new) == len(set(new)) == len(files)
        assert nonce - self.nonce <= len(files)
        subjects = {event.key.subject for event in self.lab.registry.recorded() if event.id in new}
        assert len(subjects) == len(files)
        for one in labs:
            assert all(entry.is_on_chain for entry in one.outbox.entries())


def test_killed_at_random_moments(lab: Lab, tmp_path: Path) -> None:
    books, files = Books(lab), new_files(tmp_path, RECORDS)
    home = str(lab.home.path)
    told = live(
        lab, what="random", home=home, files=files, kills=KILLS, seed=int.from_bytes(os.urandom(4)), longest_s=LONGEST_S
    )
    print("the newest record's state when it was killed:", told["met"])
    assert sum(told["met"].values()) == KILLS
    after = Lab(lab.home)
    after.flush()
    for path in files:
        record_content(after, Kind.DATASET, Path(path))
    books.require(files, [after])


def test_killed_at_every_boundary(lab: Lab, tmp_path: Path) -> None:
    books, files = Books(lab), new_files(tmp_path, len(BOUNDARIES))
    told = live(lab, what="each", home=str(lab.home.path), files=files)
    assert [one["code"] for one in told.values()] == [-9] * len(BOUNDARIES), told
    assert [one["flushed"] for one in told.values()] == [0] * len(BOUNDARIES), told
    # once it was entered, a later flush alone brings it to the chain
    assert all(one["then"] == "final" for one in told.values() if one["state"]), told
    states = {one["state"] for one in told.values()}
    assert {None, "captured", "stored", "signed", "submitted", "included"} <= states
    for path in files:
        record_content(lab, Kind.DATASET, Path(path))
    books.require(files, [lab])


def test_processes_with_one_key_and_one_outbox(lab: Lab, tmp_path: Path) -> None:
    books, files = Books(lab), new_files(tmp_path, PROCESSES * SHARE)
    told = live(lab, what="together", homes=[str(lab.home.path)], files=files, processes=PROCESSES)
    assert told["codes"] == [0] * PROCESSES
    books.require(files, [Lab(lab.home)])


@pytest.mark.parametrize("mining", ["each", "interval"])
def test_machines_with_one_key(lab: Lab, tmp_path: Path, mining: str) -> None:
    """Every process has an outbox of its own: nothing but the chain tells them of each other."""
    books, files = Books(lab), new_files(tmp_path, PROCESSES * SHARE)
    homes = []
    for number in range(PROCESSES):
        home = Home(tmp_path / f"machine{number}")
        shutil.copytree(lab.home.keys, home.keys, dirs_exist_ok=True)
        homes.append(home)
    ask = lab.chain.ask
    if mining == "interval":
        ask("evm_setIntervalMining", 1)
    try:
        told = live(
            lab,
            what="together",
            homes=[str(home.path) for home in homes],
            files=files,
            processes=PROCESSES,
            rpc=lab.devnet.start().url,
            wait_s=60,
        )
    finally:
        ask("evm_setIntervalMining", 0)
        ask("evm_setAutomine", True)
    assert told["codes"] == [0] * PROCESSES
    books.require(files, [Lab(home) for home in homes])
