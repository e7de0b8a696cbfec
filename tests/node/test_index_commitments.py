"""Seals and batches in the index: as the chain has them, back on a reorganised one."""

import os
from typing import Any

import pytest

from blockchaintracer.core.manifest import Metric, Parent, RunPredicate
from blockchaintracer.core.record import GlobalId, Kind, Relation, Verdict
from blockchaintracer.extras.search import Index, query, verdicts
from blockchaintracer.lab.attest import attest_foreign
from blockchaintracer.lab.batches import anchor, batching, materialize
from blockchaintracer.lab.recording.content import record_content, record_reference, record_run
from blockchaintracer.lab.seals import holding_evidence, reveal, seal_verdict, sealing
from tests.support.labs import Lab, second_lab

ELSEWHERE = GlobalId(2**255 + 1, "0x" + "ab" * 20, "cd" * 32)


@pytest.fixture
def index(tmp_path):
    with Index(tmp_path / "index.sqlite") as index:
        yield index


def new(folder):
    file = folder / os.urandom(4).hex()
    file.write_bytes(os.urandom(20))
    return file


def run_of(lab: Lab, parent: str) -> Any:
    import uuid

    return record_run(
        lab,
        RunPredicate(
            run_id=str(uuid.uuid4()),
            name="again",
            status="completed",
            metrics={"accuracy": Metric(value=0.9)},
            parents=(Parent(record=parent, relation=Relation.REPRODUCES),),
        ),
    )


def everything(index: Index, lab: Lab) -> Any:
    rows = query(index, registry=lab.registry, limit=None)
    said = [verdicts(index, row.id) for row in rows]
    # a row that outlived its transaction shows up only when another takes the transaction's number
    tables = "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c ON c.name = 'block'"
    names = [
        row[0]
        for row in index.rows(
            tables + " WHERE m.type = 'table' AND m.name <> 'registries' AND m.name NOT LIKE 'texts%' ORDER BY 1"
        )
    ]
    assert {"records", "verdicts"} <= set(names)
    counts = [(name, index.rows(f"SELECT count(*) FROM {name}")[0][0]) for name in names]
    return rows, said, counts


def later(lab: Lab) -> None:
    lab.chain.ask("anvil_mine", "0x1", "0x64")


def story(lab: Lab, reviewer: Lab, folder: Any) -> dict[str, Any]:
    judged = record_content(lab, Kind.DATASET, new(folder))
    with sealing(lab):
        shown, hidden = (record_content(lab, Kind.DATASET, new(folder)) for _ in range(2))
    with holding_evidence(reviewer, judged.id) as held:
        run_of(reviewer, judged.id)
    blind = seal_verdict(reviewer, judged.id, Verdict.REPRODUCED, held[0])
    with batching(lab):
        one, two = (record_content(lab, Kind.DATASET, new(folder)) for _ in range(2))
    batch = anchor(lab)
    with batching(lab):
        record_content(lab, Kind.DATASET, new(folder))
    counted = anchor(lab, leaves=True)
    later(lab)
    reveal(lab, shown.id)
    reveal(reviewer, blind.commitment)
    materialize(lab, one.id)
    reference = record_reference(reviewer, ELSEWHERE)
    run = run_of(reviewer, reference.id)
    attest_foreign(reviewer, ELSEWHERE, Verdict.REVIEWED)
    attest_foreign(reviewer, ELSEWHERE, Verdict.NOT_REPRODUCED, evidence=run.id)
    return locals()


def test_the_index_says_what_the_chain_says_and_goes_back_with_it(lab, index, tmp_path):
    reviewer = second_lab(lab, tmp_path / "reviewer")
    index.sync(lab.registry, lab.store)
    before, kept = everything(index, lab), lab.chain.head().number
    rpc = lab.chain.ask
    snapshot = rpc("evm_snapshot")
    told = story(lab, reviewer, tmp_path)
    index.sync(lab.registry, lab.store)
    rows = {row.id: row for row in query(index, limit=None)}
    for row in rows.values():
        status = lab.registry.status(row.id)
        assert (row.time, row.sealed_at or 0) == (status.recorded_at, status.sealed_at)
        assert (row.batch is not None) == status.is_batched
        assert row.stored_at == lab.chain.block(row.block).timestamp
    one, shown, batch = told["one"], told["shown"], told["batch"]
    assert (rows[one.id].batch, rows[one.id].time) == (batch.root, batch.time)
    assert rows[one.id].stored_at > batch.time
    assert {row.id for row in query(index, status="batched")} == {one.id}
    assert {row.id for row in query(index, status="sealed")} == {shown.id, told["blind"].evidence}
    assert told["two"].id not in rows
    # a record counts from its batch's time on, not from its block's
    assert one.id in {row.id for row in query(index, until=batch.time, limit=None)}
    assert shown.id not in {row.id for row in query(index, until=batch.time, limit=None)}
    assert one.id not in {row.id for row in query(index, since=batch.time + 1, limit=None)}
    [verdict] = verdicts(index, told["judged"].id)
    assert (verdict.verdict, verdict.sealed_at, verdict.current) == ("reproduced", told["blind"].time, True)

    with Index(tmp_path / "anew.sqlite") as anew:
        anew.sync(lab.registry, lab.store)
        assert everything(anew, lab) == everything(index, lab)

    rpc("evm_revert", snapshot)
    while lab.chain.head().number <= kept + 2:
        rpc("anvil_mine", "0x1", "0x0")
    assert index.sync(lab.registry, lab.store).went_back_to == kept
    assert everything(index, lab) == before
