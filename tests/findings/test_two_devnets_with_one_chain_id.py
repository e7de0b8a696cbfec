"""Every devnet has the same chain id: what a lab chose on another lab's is not taken for a choice on its own.

A second lab had written to another's devnet by --rpc. `query` asked its own and told "expected a registry at 0x… on the
lab's devnet, got no contract", and `status` showed the chain of one devnet with the registry of the other.

What it had written to the one was then called lost by the other, and signed again for it: its own devnet could not be
used any more ("no LabRegistry answers at 0x…"), and final records were shown as signed.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blockchaintracer.core.networks import DEVNET
from blockchaintracer.core.record import Kind
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.open_lab import open_lab
from blockchaintracer.lab.recording.content import record_content
from tests.support.labs import second_lab, typed

pytestmark = pytest.mark.node


def test_what_was_chosen_on_one_is_not_used_on_the_other(lab: Lab, tmp_path: Path) -> None:
    other = second_lab(lab, tmp_path / "other")
    url, home = lab.devnet.start().url, other.home.path
    (tmp_path / "data.csv").write_text("1\n")
    given = ("record", str(tmp_path / "data.csv"), "--json")
    done = typed(*given, "--rpc", url, home=home)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)["id"]
    found = typed("query", "--json", home=home)
    assert record in found.stdout, "without --rpc the devnet is asked that was written to last"
    state = json.loads(typed("status", "--json", home=home).stdout)
    assert (state["chain"]["address"], state["registry"]) == (url, lab.registry.address)
    (tmp_path / "more.csv").write_text("2\n")
    told = typed("record", str(tmp_path / "more.csv"), home=home)
    assert f"another lab's devnet at {url}" in told.stderr
    assert open_lab(home).rpc == url, "Python goes on there, too"
    listed = json.loads(typed("network", "list", "--json", home=home).stdout)["networks"]
    assert [it["rpc"] for it in listed if it["inUse"]] == [url], "not the lab's own"
    # the command of before named the lab's own; the one that wrote last did not
    with other.changed_settings() as settings:
        settings["network"] = DEVNET.name
    assert typed("record", str(tmp_path / "more.csv"), "--name", "more", "--rpc", url, home=home).returncode == 0
    assert json.loads(typed("status", "--json", home=home).stdout)["chain"]["address"] == url
    own = json.loads(typed("status", "--network", "devnet", "--json", home=home).stdout)
    assert (own["chain"]["reachable"], own["registry"], own["group"]) == (False, None, None)
    again = Lab(Home(lab.home.path), rpc=url)
    assert again.choices(DEVNET.chain_id) == lab.choices(DEVNET.chain_id), "by its address, its own devnet is its own"


def test_what_was_written_to_one_is_not_lost_on_the_other(lab: Lab, tmp_path: Path) -> None:
    other = second_lab(lab, tmp_path / "other")
    home, own, theirs = other.home.path, Lab(Home(other.home.path)), ("--rpc", lab.devnet.start().url)
    try:
        for number, where in enumerate([theirs, ("--network", "devnet"), theirs, ("--network", "devnet")]):
            (tmp_path / "data.csv").write_text(f"{number}\n")
            done = typed("record", str(tmp_path / "data.csv"), "--json", *where, home=home)
            assert (done.returncode, "lost" in done.stderr) == (0, False), done.stderr
        entries = other.outbox.entries()
        assert len([entry for entry in entries if entry.write.record_id]) == 4
        assert all(entry.is_on_chain for entry in entries), entries
        own.reach("final")
    finally:
        own.devnet.stop()


def test_without_a_group_the_way_to_make_one_leads_to_the_same_node(lab: Lab, tmp_path: Path) -> None:
    """The hint made a group on the reader's own devnet."""
    url, home = lab.devnet.start().url, tmp_path / "home"
    (tmp_path / "data.csv").write_text("1\n")
    where = ("--rpc", url, "--registry", lab.registry.address)
    record = record_content(lab, Kind.DATASET, tmp_path / "data.csv").id
    done = typed("attest", record, "reviewed", "--yes", *where, home=home)
    assert done.returncode == 2
    assert f"group create NAME --rpc {url}" in done.stderr
