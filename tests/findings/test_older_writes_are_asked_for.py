"""What waited in a planted outbox was signed, paid and mined by an ordinary `record`, without a word."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blockchaintracer.core.record import Kind
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import EntryState, Op, Transaction
from blockchaintracer.lab.recording.content import record_content
from tests.support.labs import shared_lab, typed

pytestmark = pytest.mark.node
THEIRS = "0x" + "11" * 20


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with shared_lab(tmp_path) as lab:
        yield lab


def plant(lab: Lab) -> None:
    """Enter a transfer of the group, as another process or a stranger's copy of a folder brings it."""
    code = f"""
from blockchaintracer.lab.outbox import Op, Outbox, Transaction
from pathlib import Path
write = Transaction(Op.TRANSFER_GROUP, {lab.registry.address!r}, group=1, to={THEIRS!r}, seen=1)
Outbox(Path({str(lab.home.outbox)!r})).add_transaction({lab.chain_id}, write, {lab.signer.address!r})
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def states(lab: Lab, op: Op) -> list[EntryState]:
    return [entry.state for entry in lab.outbox.entries(lab.chain_id, op)]


def data(tmp_path: Path, text: str) -> str:
    (tmp_path / f"{text}.csv").write_text(text)
    return str(tmp_path / f"{text}.csv")


def test_a_planted_transfer_is_told_and_stays(lab: Lab, tmp_path: Path) -> None:
    plant(lab)
    done = typed("record", "--dataset", data(tmp_path, "mine"), home=lab.home.path)
    assert done.returncode == 0, done.stderr
    assert f"1 older write of {lab.signer.address} waits for " in done.stderr
    assert "transfer-group  of group 1: up to 0.000" in done.stderr
    assert "--flush-all sends them" in done.stderr
    assert states(lab, Op.RECORD)[-1] is not EntryState.STORED
    assert states(lab, Op.TRANSFER_GROUP) == [EntryState.STORED]
    assert lab.registry.group(1).owner == lab.signer.address


@pytest.mark.parametrize(
    "command",
    [
        ["seal", "record", "--dataset", "FILE"],
        ["group", "create", "Another lab"],
        ["batch", "anchor"],
    ],
)
def test_no_other_command_sends_it_either(lab: Lab, tmp_path: Path, command: list[str]) -> None:
    plant(lab)
    file = data(tmp_path, "sealed")
    if command[0] == "batch":
        assert typed("batch", "add", "--dataset", file, home=lab.home.path).returncode == 0
    done = typed(*[file if part == "FILE" else part for part in command], home=lab.home.path)
    assert done.returncode == 0, done.stderr
    assert "older write" in done.stderr
    assert states(lab, Op.TRANSFER_GROUP) == [EntryState.STORED]


def test_flush_all_and_outbox_flush_send_it(lab: Lab, tmp_path: Path) -> None:
    plant(lab)
    done = typed("record", "--dataset", data(tmp_path, "mine"), "--flush-all", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    assert "older write" in done.stderr
    assert states(lab, Op.TRANSFER_GROUP) == [EntryState.FINAL]


def test_at_a_terminal_it_is_asked_once(lab: Lab, tmp_path: Path) -> None:
    plant(lab)
    asked: list[str] = []

    def confirm(answer: bool):
        return lambda question: bool(asked.append(question)) or answer

    told: list[str] = []
    no = Lab(Home(lab.home.path), confirm=confirm(False), say=told.append)
    record_content(no, Kind.DATASET, Path(data(tmp_path, "one")))
    record_content(no, Kind.DATASET, Path(data(tmp_path, "two")))
    assert len(asked) == 1
    assert states(lab, Op.TRANSFER_GROUP) == [EntryState.STORED]
    yes = Lab(Home(lab.home.path), confirm=confirm(True))
    record_content(yes, Kind.DATASET, Path(data(tmp_path, "three")))
    assert len(asked) == 2
    assert states(lab, Op.TRANSFER_GROUP) == [EntryState.FINAL]


def test_what_a_record_needs_goes_with_it(lab: Lab, tmp_path: Path) -> None:
    """A parent that another process handed over."""
    done = typed("record", "--dataset", data(tmp_path, "parent"), "--wait", "stored", "--json", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    [parent] = [entry for entry in lab.outbox.pending() if entry.write.op is Op.RECORD]
    plant(lab)
    link = f"{parent.write.record_id}:derived-from"
    done = typed("record", "--dataset", data(tmp_path, "child"), "--parent", link, home=lab.home.path)
    assert done.returncode == 0, done.stderr
    assert [entry.write.op for entry in lab.outbox.pending()] == [Op.TRANSFER_GROUP]


def test_what_was_signed_for_something_else_signs_nothing_new(lab: Lab, tmp_path: Path) -> None:
    """A planted write came with a genuine signed transaction of the key, as the chain shows them to everyone."""
    record_content(lab, Kind.DATASET, Path(data(tmp_path, "genuine")))
    genuine = lab.outbox.entries(lab.chain_id, Op.RECORD)[-1]
    assert genuine.raw
    plant(lab)
    [planted] = lab.outbox.entries(lab.chain_id, Op.TRANSFER_GROUP)
    lab.outbox._update([planted], EntryState.SIGNED, raw=genuine.raw, nonce=genuine.nonce, tx=genuine.transaction)
    done = typed("record", "--dataset", data(tmp_path, "mine"), home=lab.home.path)
    assert done.returncode == 0, done.stderr
    assert states(lab, Op.TRANSFER_GROUP) == [EntryState.SIGNED]


def test_what_this_key_signed_already_is_sent_again(lab: Lab, tmp_path: Path) -> None:
    """A process died between signing and sending: the next command finishes that, and asks nothing."""
    write = Transaction(Op.CREATE_GROUP, lab.registry.address, **_group(lab))
    code = f"""
import os
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import Op, Transaction, Outbox
lab = Lab(Home({str(lab.home.path)!r}))
Outbox._send = lambda *_: os._exit(0)
lab.write(Transaction(Op.CREATE_GROUP, {lab.registry.address!r}, **{write.fields!r}))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    [signed] = lab.outbox.pending()
    assert signed.state is EntryState.SIGNED
    done = typed("record", "--dataset", data(tmp_path, "mine"), home=lab.home.path)
    assert done.returncode == 0, done.stderr
    assert "older write" not in done.stderr
    assert lab.outbox.pending() == []


def _group(lab: Lab) -> dict[str, object]:
    [created] = lab.outbox.entries(lab.chain_id, Op.CREATE_GROUP)
    return {**created.write.fields, "manifest": "12" * 32}
