"""Processes that share one lab's folder and start at the same time, or die while they make a key."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from threading import Event, Thread

import pytest

from blockchaintracer.core.networks import DEVNET
from blockchaintracer.lab.files import locked
from blockchaintracer.lab.keys import KeyStore
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home

pytestmark = pytest.mark.node

PROCESSES, CHOICES, KEYS = 4, 25, 5


class Known(Lab):
    """A lab that knows its chain's id, so that choosing needs no chain."""

    @property
    def chain_id(self) -> int:
        return DEVNET.chain_id


def choose(folder: Path, process: int) -> None:
    for number in range(CHOICES):
        Known(Home(folder)).choose(**{f"{process}-{number}": number})


def addresses(folder: Path) -> list[str]:
    return [Known(Home(folder), key_name=f"key{number}").signer.address for number in range(KEYS)]


def pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn"))


def test_no_choice_of_another_process_is_lost(tmp_path: Path) -> None:
    with pool() as processes:
        for done in [processes.submit(choose, tmp_path, process) for process in range(PROCESSES)]:
            done.result()
    assert len(Lab(Home(tmp_path)).choices(DEVNET.chain_id)) == PROCESSES * CHOICES


def test_processes_that_need_a_key_first_get_the_same(tmp_path: Path) -> None:
    with pool() as processes:
        found = [done.result() for done in [processes.submit(addresses, tmp_path) for _ in range(PROCESSES)]]
    assert all(one == found[0] for one in found)


def take(path: Path) -> None:
    with locked(path):
        pass


def test_a_process_that_is_forked_while_a_thread_holds_a_lock_gets_it_in_turn(tmp_path: Path) -> None:
    """It had the lock's file open, too, and so waited for itself: for ever."""
    held, forked = Event(), Event()

    def hold() -> None:
        with locked(tmp_path / "lock"):
            held.set()
            forked.wait(60)

    thread = Thread(target=hold)
    thread.start()
    held.wait(60)
    process = get_context("fork").Process(target=take, args=(tmp_path / "lock",))
    process.start()
    forked.set()
    thread.join()
    process.join(60)
    try:
        assert process.exitcode == 0
    finally:
        process.kill()


def test_a_key_that_was_not_made_to_the_end_is_made_again(tmp_path: Path) -> None:
    keys = KeyStore(Home(tmp_path))
    (Home(tmp_path).keys / "lab.passphrase").write_text("of a key that never came to be")
    keys.create("lab", devnet=True)
    assert keys.signer("lab").sign_transaction(
        {"to": "0x" + "00" * 20, "nonce": 0, "gas": 21000, "gasPrice": 1, "value": 0, "chainId": 1}
    )
