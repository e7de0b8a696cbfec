"""Handing over and waiting: what a training process may leave to others, and how far a command goes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from blockchaintracer import MLTracer
from blockchaintracer.cli import main
from blockchaintracer.core.errors import ChainUnavailable
from blockchaintracer.core.record import Kind, Role
from blockchaintracer.lab.groups import create_group, deploy, invite, join
from blockchaintracer.lab.keys import KeyStore
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import EntryState
from blockchaintracer.lab.recording.content import record_content
from tests.node.test_deploy import lab_on
from tests.node.test_privacy_docs import Shell, commands
from tests.support.labs import ROOT, typed
from tests.support.node import anvil
from tests.support.proxy import proxied


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def data(folder: Path) -> Path:
    path = folder / f"{os.urandom(4).hex()}.bin"
    path.write_bytes(os.urandom(40))
    return path


def test_a_training_process_asks_the_chain_nothing_once_it_has_started_and_opens_no_key(lab, tmp_path, recwarn):
    with proxied(lab.devnet.start().url) as proxy:
        tracer = MLTracer(home=lab.home.path, rpc=proxy.url, wait=False)
        passphrase = lab.home.keys / "lab.passphrase"
        hidden = passphrase.rename(tmp_path / "hidden")
        with tracer.start_run("handed over") as run:
            asked = sum(proxy.asked.values())
            assert asked > 0
            run.log_metric("accuracy", 0.5)
            run.log_input(data(tmp_path))
            run.log_output(data(tmp_path), role="model")
        assert sum(proxy.asked.values()) == asked
        hidden.rename(passphrase)
    assert run.recorded.state == "stored"
    assert not recwarn.list
    entries = [entry for entry in lab.outbox.entries() if not entry.is_on_chain]
    assert {entry.state for entry in entries} == {EntryState.STORED}
    assert all(entry.raw is None for entry in entries)
    moved = Lab(lab.home).flush()
    assert [entry.seq for entry in moved] == [entry.seq for entry in entries]
    assert lab.registry.status(run.recorded.id).exists


def test_the_chain_may_go_away_while_a_training_runs(lab, tmp_path, monkeypatch):
    with proxied(lab.devnet.start().url) as proxy:
        tracer = MLTracer(home=lab.home.path, rpc=proxy.url, wait=False)
        run = tracer.start_run("alone")
        run.begin()
    run.log_metric("loss", 0.1)
    waited, sleep = [], time.sleep
    with monkeypatch.context() as patch:
        # shorter ones are Python's own, while it waits for a process such as git
        patch.setattr(time, "sleep", lambda seconds: waited.append(seconds) if seconds > 0.05 else sleep(seconds))
        run.finish()
    assert sum(waited) < 5
    assert run.recorded.state == "stored"
    Lab(lab.home).flush()
    assert lab.registry.status(run.recorded.id).exists


def test_records_of_a_process_that_handed_over_can_be_parents_of_the_next(lab, tmp_path):
    handing = Lab(lab.home, hand_over=True)
    parent = record_content(handing, Kind.DATASET, data(tmp_path))
    from blockchaintracer.core.record import Link, Relation

    child = record_content(Lab(lab.home), Kind.MODEL, data(tmp_path), parents=[Link(parent.id, Relation.TRAINED_ON)])
    assert child.state == "final"
    assert lab.registry.status(parent.id).exists


def test_the_states_are_shown_without_a_chain(lab, tmp_path):
    stored = typed("record", "--dataset", str(data(tmp_path)), "--wait", "stored", "--json", home=lab.home.path)
    assert stored.returncode == 0, stored.stderr
    [record] = json.loads(stored.stdout)["records"]
    away = {"BLOCKCHAINTRACER_RPC": "http://127.0.0.1:9"}
    listed = typed("outbox", "list", "--waiting", "--json", home=lab.home.path, **away)
    assert [(one["recordId"], one["state"]) for one in json.loads(listed.stdout)["writes"]] == [
        (record["id"], "stored")
    ]
    plain = typed("outbox", home=lab.home.path, **away)
    assert plain.returncode == 0, plain.stderr
    assert re.search(rf"record +{record['id'][:16]} +stored", plain.stdout)
    assert "final" in plain.stdout
    flushed = typed("outbox", "flush", "--wait", "final", "--json", home=lab.home.path)
    assert [one["state"] for one in json.loads(flushed.stdout)["moved"]] == ["final"]
    assert not json.loads(typed("outbox", "list", "--waiting", "--json", home=lab.home.path).stdout)["writes"]


@pytest.mark.parametrize("until", ["soon", "-1", "9999999", "1.5"])
def test_a_wait_that_is_none_is_wrong_use(lab, until):
    refused = typed("outbox", "flush", f"--wait={until}", home=lab.home.path)
    assert refused.returncode == 2
    assert "expected stored, included, final or a number of blocks" in refused.stderr


def test_waiting_for_blocks_on_top_and_for_finality(lab, tmp_path):
    client = Lab(lab.home, rpc=lab.devnet.start().url)
    ask = lab.chain.ask
    recorded = record_content(client, Kind.DATASET, data(tmp_path))
    assert recorded.state == "included"
    ask("evm_setIntervalMining", 1)
    try:
        client.reach(1)
        assert client.chain.head().number > recorded.block
        client.reach("final")
    finally:
        ask("evm_setIntervalMining", 0)
        ask("evm_setAutomine", True)
    assert client.outbox.entries_about(recorded.id)[0].state is EntryState.FINAL


def test_a_reorganisation_while_finality_is_awaited_is_sent_again(lab, tmp_path):
    client = Lab(lab.home, rpc=lab.devnet.start().url)
    ask = lab.chain.ask
    recorded = record_content(client, Kind.DATASET, data(tmp_path))
    ask("anvil_mine", "0x1")
    ask("anvil_reorg", 2, [])
    assert not lab.registry.status(recorded.id).exists
    ask("evm_setIntervalMining", 1)
    try:
        client.reach("final")
    finally:
        ask("evm_setIntervalMining", 0)
        ask("evm_setAutomine", True)
    [entry] = client.outbox.entries_about(recorded.id)
    assert entry.state is EntryState.FINAL
    assert lab.chain.block(entry.block.number).hash == entry.block.hash
    assert lab.registry.status(recorded.id).exists


def test_a_chain_that_does_not_say_what_is_final_is_told(lab, tmp_path):
    with proxied(lab.devnet.start().url) as proxy:
        client = Lab(lab.home, rpc=proxy.url)
        record_content(client, Kind.DATASET, data(tmp_path))

        def terse(request, ask):
            if request["params"] and request["params"][0] == "finalized":
                return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32602, "message": "unknown block"}}
            return ask()

        proxy.fault = terse
        with pytest.raises(ChainUnavailable, match="does not say which blocks are final"):
            client.reach("final")
    lab.flush()


@contextmanager
def watched(lab, *arguments):
    """A process that flushes what others hand over."""
    command = [sys.executable, "-u", "-m", "blockchaintracer", "outbox", "flush", "--watch", "--json", *arguments]
    watching = subprocess.Popen(
        [*command, "--home", str(lab.home.path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        yield watching
    finally:
        watching.kill()
        watching.communicate()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_watch_sends_what_others_hand_over_until_it_is_stopped(lab, tmp_path, end):
    with watched(lab) as watching:
        handed = [record_content(Lab(lab.home, hand_over=True), Kind.DATASET, data(tmp_path)) for _ in range(2)]
        told: dict[str, list[str]] = {}
        while len([1 for states in told.values() if "final" in states]) < len(handed):
            one = json.loads(watching.stdout.readline())
            told.setdefault(one["recordId"], []).append(one["state"])
        assert set(told) == {one.id for one in handed}
        assert all(lab.registry.status(one.id).exists for one in handed)
        watching.send_signal(end)
        assert watching.wait(20) == (130 if end == signal.SIGINT else -signal.SIGKILL)
    later = record_content(Lab(lab.home, hand_over=True), Kind.DATASET, data(tmp_path))
    assert [entry.write.record_id for entry in Lab(lab.home).flush()] == [later.id]


def test_what_waits_for_another_key_is_told_and_is_no_success(lab, tmp_path):
    alice = KeyStore(lab.home).create("alice", devnet=True)
    lab.devnet.fund(alice.address, 10**18)
    join(Lab(lab.home, key_name="alice"), invite(Lab(lab.home, key_name="lab"), 1, alice.address, Role.RECORDER))
    handing = Lab(lab.home, key_name="alice", group_number=1, hand_over=True)
    theirs = record_content(handing, Kind.DATASET, data(tmp_path))

    def outbox(*arguments, key="lab"):
        environment = {"BLOCKCHAINTRACER_KEY": key, "BLOCKCHAINTRACER_HOME": str(lab.home.path)}
        return CliRunner(mix_stderr=False, env=environment).invoke(main, ["outbox", *arguments])

    def flush(key, *more):
        return outbox("flush", "--wait", "final", *more, key=key)

    told = f"Not sent: 1 write of {alice.address}: `blockchaintracer outbox flush --key alice`\n"
    left = flush("lab")
    assert (left.exit_code, left.stdout) == (3, "")
    assert told in left.stderr
    left = flush("lab", "--json")
    waiting = [{"chainId": lab.chain_id, "sender": alice.address, "count": 1}]
    assert (left.exit_code, json.loads(left.stdout)["waiting"]) == (3, waiting)

    with watched(lab, "--key", "lab") as watching:
        ours = record_content(Lab(lab.home, key_name="lab", hand_over=True), Kind.DATASET, data(tmp_path))
        # after it was sent everything was looked at more than once
        while json.loads(watching.stdout.readline())["state"] != "final":
            pass
        watching.kill()
        assert watching.stderr.read().count(told) == 1
    assert lab.registry.status(ours.id).exists
    assert not lab.registry.status(theirs.id).exists

    unknown = lab.home.keys.joinpath("alice.json").rename(tmp_path / "alice.json")
    assert "flush --key NAME`; its key is not in this lab's keystore" in flush("lab").stderr
    unknown.rename(lab.home.keys / "alice.json")
    done = flush("alice")
    assert done.exit_code == 0, done.stderr
    assert theirs.id[:16] in done.stdout
    assert lab.registry.status(theirs.id).exists
    again = flush("alice")
    assert (again.exit_code, again.stdout) == (0, "Nothing waits.\n")
    waiting = outbox("list", "--waiting")
    assert (waiting.exit_code, waiting.stdout) == (0, "Nothing waits.\n")
    Lab(lab.home, key_name="lab").choose(key="lab")


def test_what_waits_on_another_chain_is_told(tmp_path):
    with anvil(chain_id=4242) as here, anvil(chain_id=11155111) as sepolia:
        lab, there = lab_on(here, tmp_path / "home"), lab_on(sepolia, tmp_path / "home")
        for each in (lab, there):
            deploy(each, open_group_creation=True)
            create_group(each, "Ours")
        waits = record_content(replace(there, hand_over=True), Kind.DATASET, data(tmp_path))

        def flush(*more):
            arguments = ["outbox", "flush", "--home", str(lab.home.path), "--key", "lab", "--rpc", here.url, *more]
            return CliRunner(mix_stderr=False).invoke(main, arguments)

        left = flush()
        # on this chain nothing waits
        assert (left.exit_code, left.stdout) == (0, ""), left.stderr
        assert " on Ethereum Sepolia: `blockchaintracer outbox flush --network sepolia`\n" in left.stderr
        assert json.loads(flush("--json").stdout)["waiting"] == [
            {"chainId": 11155111, "sender": lab.signer.address, "count": 1}
        ]
        there.flush()
        assert there.registry.status(waits.id).exists
        assert flush().stdout == "Nothing waits.\n"


def test_the_commands_of_the_page(lab, tmp_path):
    shell = Shell(lab.home.path, tmp_path)
    for line in commands("outbox.md"):
        shell.type(line)
    assert {entry.state for entry in Lab(lab.home).outbox.entries()} == {EntryState.FINAL}
