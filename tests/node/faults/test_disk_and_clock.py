"""Disks that are full or read-only, and clocks that are wrong by a year. The disks are real ones of a few hundred
kilobytes, mounted where only the test's own processes see them."""

from __future__ import annotations

import json
import os
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
from tests.support.labs import ROOT, running_lab

YEAR_S = 366 * 86400


def can_mount() -> bool:
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=64k", "none", "/mnt"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


needs_mount = pytest.mark.skipif(not can_mount(), reason="this machine lets nobody mount a disk of their own")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


def in_a_namespace(lab: Lab, script: str, **variables: str) -> list[dict[str, Any]]:
    """Runs a shell script that may mount; gives the JSON lines that it prints."""
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ
        | {
            "LAB": str(lab.home.path),
            "BT": f"{sys.executable} -m blockchaintracer",
            "BLOCKCHAINTRACER_RPC": lab.devnet.start().url,
            **variables,
        },
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert lines, done.stderr
    return lines


def count(lab: Lab) -> int:
    return len(list(lab.registry.recorded()))


@needs_mount
def test_a_store_on_a_full_disk_takes_nothing_and_goes_on_once_there_is_room(lab: Lab, tmp_path: Path) -> None:
    data, before, entries = tmp_path / "data.bin", count(lab), len(lab.outbox.entries())
    data.write_bytes(os.urandom(400_000))
    refused, kept = in_a_namespace(
        lab,
        """mount -t tmpfs -o size=300k none $LAB/store
        $BT record --json --home $LAB --dataset $DATA
        mount -o remount,size=8m $LAB/store
        $BT record --json --home $LAB --dataset $DATA""",
        DATA=str(data),
    )
    assert refused["error"] == "StoreError"
    assert "No space left" in refused["message"]
    assert kept["records"][0]["state"] == "included"
    assert count(lab) == before + 1
    assert len(lab.outbox.entries()) == entries + 1


@needs_mount
def test_a_manifest_that_finds_no_room_waits_as_captured(lab: Lab, tmp_path: Path) -> None:
    """A run without files: its manifest is all that there is to store."""
    before = count(lab)
    refused, listed, moved = in_a_namespace(
        lab,
        """mount -t tmpfs -o size=256k none $LAB/store
        cd $WHERE
        $BT record --home $LAB --metric loss=1 --wait stored > /dev/null
        for i in $(seq 100); do head -c 4096 /dev/zero >> $LAB/store/full 2> /dev/null || break; done
        $BT record --json --home $LAB --metric loss=2 --wait stored
        $BT outbox list --waiting --json --home $LAB
        rm $LAB/store/full
        $BT outbox flush --json --home $LAB""",
        WHERE=str(tmp_path),
    )
    assert refused["error"] == "StoreError"
    assert [one["state"] for one in listed["writes"]] == ["stored", "captured"]
    assert [one["state"] for one in moved["moved"]] == ["included", "included"]
    assert count(lab) == before + 2


@needs_mount
def test_an_outbox_on_a_full_disk_is_told_and_nothing_is_sent(lab: Lab, tmp_path: Path) -> None:
    data, before = tmp_path / "data.bin", count(lab)
    data.write_bytes(os.urandom(4000))
    found, refused, kept = in_a_namespace(
        lab,
        """mkdir $WHERE/home
        mount -t tmpfs -o size=700k none $WHERE/home
        cp -r $LAB/keys $LAB/settings.json $WHERE/home/
        $BT outbox list --home $WHERE/home > /dev/null
        head -c 2000000 /dev/zero > $WHERE/home/full 2> /dev/null
        $BT query --json --home $WHERE/home --registry $REGISTRY
        $BT record --json --home $WHERE/home --group 1 --registry $REGISTRY --dataset $DATA
        rm $WHERE/home/full
        $BT record --json --home $WHERE/home --group 1 --registry $REGISTRY --dataset $DATA""",
        DATA=str(data),
        WHERE=str(tmp_path),
        REGISTRY=lab.registry.address,
    )
    assert len(found["records"]) == before
    assert refused["error"] in ("StoreError", "InputError")
    assert kept["records"][0]["state"] == "included"
    assert not kept["records"][0]["existing"]
    assert count(lab) == before + 1


@needs_mount
@pytest.mark.parametrize("part", ["store", ""])
def test_a_read_only_disk_is_told_and_nothing_is_sent(lab: Lab, tmp_path: Path, part: str) -> None:
    data, before = tmp_path / "data.bin", count(lab)
    data.write_bytes(os.urandom(4000))
    found, listed, refused = in_a_namespace(
        lab,
        """mount --bind $LAB/$PART $LAB/$PART && mount -o remount,bind,ro $LAB/$PART
        $BT query --json --home $LAB
        $BT outbox list --json --home $LAB
        $BT record --json --home $LAB --dataset $DATA""",
        DATA=str(data),
        PART=part,
    )
    assert len(found["records"]) == before
    assert len(listed["writes"]) == len(lab.outbox.entries())
    assert refused["error"] in ("StoreError", "InputError")
    assert "ead-only" in refused["message"] or "readonly" in refused["message"]
    assert count(lab) == before


_SHIFTED = """
import sys, time, datetime
shift = int(sys.argv.pop(1))
real = time.time
time.time = lambda: real() + shift
class Shifted(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)
datetime.datetime = Shifted
from blockchaintracer.cli import main
main()
"""


@pytest.mark.parametrize("shift", [-YEAR_S, YEAR_S])
def test_a_clock_that_is_wrong_by_a_year_changes_nothing_that_the_chain_says(
    lab: Lab, tmp_path: Path, shift: int
) -> None:
    data = tmp_path / "data.bin"
    data.write_bytes(os.urandom(40))

    def run(*arguments: str) -> dict[str, Any]:
        command = [sys.executable, "-c", _SHIFTED, str(shift), *arguments, "--json", "--home", str(lab.home.path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    told = run("record", "--dataset", str(data), "--metric", "accuracy=0.5")
    for one in told["records"]:
        block = lab.chain.block(one["block"])
        assert block is not None
        assert one["time"] == block.timestamp
        assert lab.registry.status(one["id"]).recorded_at == block.timestamp
    assert {one["state"] for one in told["records"]} == {"final"}
    assert run("verify", str(data))["verified"]


def test_a_chain_whose_clock_leaps_a_year_is_believed_and_goes_on(lab: Lab, tmp_path: Path) -> None:
    ask = lab.chain.ask
    times = []
    for number in range(2):
        data = tmp_path / f"{number}.bin"
        data.write_bytes(os.urandom(40))
        recorded = record_content(Lab(Home(lab.home.path)), Kind.DATASET, data)
        assert recorded.state == "final"
        times.append(recorded.time or 0)
        ask("evm_increaseTime", hex(YEAR_S))
        ask("evm_mine")
    assert times[1] - times[0] >= YEAR_S
