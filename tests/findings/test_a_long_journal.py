"""What a command about one record costs must not grow with the number of records that were made before."""

import json
import sqlite3
from pathlib import Path

import pytest

from blockchaintracer.core.record import Kind
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Op, Outbox
from blockchaintracer.lab.recording.content import known_record
from blockchaintracer.lab.recording.keep import _recorded
from tests.support.labs import typed

pytestmark = pytest.mark.node


def test_a_known_dataset_is_found_without_reading_the_whole_journal(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data.csv"
    data.write_text("1\n")
    done = typed("record", "--dataset", str(data), "--json", home=lab.home.path)
    record = json.loads(done.stdout)["id"]
    [first] = lab.outbox.entries_about(record, Op.RECORD)
    with sqlite3.connect(lab.home.outbox) as db:
        rows = [(number, first.write.identity[:-8] + f"{number:08x}") for number in range(1000, 3000)]
        payload = json.dumps(first.write.payload()).replace(first.write.key.subject, "SUBJECT")
        db.executemany(
            "INSERT INTO entries (seq, chain_id, identity, op, payload, record_id, sender, state)"
            f" SELECT ?, {lab.chain_id}, ?, 'record', ?, '0x' || ?, '{first.sender}', 'final'",
            [
                (number, identity, payload.replace("SUBJECT", f"{number:064x}"), f"{number:064x}")
                for number, identity in rows
            ],
        )
    db.close()
    decoded: list[int] = []
    whole = Outbox._entry
    monkeypatch.setattr(Outbox, "_entry", lambda self, row: decoded.append(row["seq"]) or whole(self, row))
    known = known_record(lab, Kind.DATASET, data)
    assert known
    assert known.id == record
    # what guards hidden content asks for its digests alone
    assert _recorded(lab, [first.write.key.subject, "ab" * 32]) == {first.write.key.subject}
    assert len(decoded) < 20
    decoded.clear()
    shown = json.loads(typed("outbox", "list", "--json", home=lab.home.path).stdout)
    assert (len(shown["writes"]), shown["more"], shown["writes"][-1]["seq"]) == (50, True, 2999)
    assert len(decoded) < 100
    assert json.loads(typed("outbox", "list", "--waiting", "--json", home=lab.home.path).stdout)["writes"] == []
