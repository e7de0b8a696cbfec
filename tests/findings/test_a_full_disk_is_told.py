"""A disk that fills up while a verb writes: a file that was open already gave a traceback, since the system names no
file then; and the outbox said that nothing was sent when it could not enter what had just been sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from click import command
from click.testing import CliRunner

from blockchaintracer.cli.options import Verb
from blockchaintracer.core.errors import StoreError
from blockchaintracer.lab.outbox import Outbox
from blockchaintracer.lab.outbox.journal import EntryState
from blockchaintracer.lab.outbox.transactions import Op, Transaction
from tests.findings.test_a_full_disk_is_read import REGISTRY, SENDER, no_room

pytestmark = pytest.mark.fast


def test_a_file_that_is_open_gives_no_traceback(tmp_path: Path) -> None:
    @command(cls=Verb)
    def verb() -> None:
        with (tmp_path / "archive.tar").open("xb", buffering=0) as file, no_room():
            file.write(b"a,b")

    ended = CliRunner().invoke(verb)
    assert (ended.exit_code, ended.output.splitlines()[0]) == (2, "Error: can't use a file: File too large")


def test_what_was_sent_and_could_not_be_entered_is_not_told_as_unsent(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    write = Transaction(Op.ACCEPT_GROUP, REGISTRY, group=1, owner=SENDER, seen=0)
    entry = outbox.add_transaction(1, write, SENDER)
    with no_room(), pytest.raises(StoreError, match="can't be written") as refused:
        outbox._update([entry], EntryState.SUBMITTED)
    assert "outbox list" in str(refused.value.hint)
    assert "Nothing was sent" not in str(refused.value.hint)
