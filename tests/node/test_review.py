"""What waits for a group: others' records, as long as the group has no current verdict on them."""

import json
import os
from pathlib import Path

import pytest

from blockchaintracer.core.errors import ContractRevert, InputError
from blockchaintracer.core.record import Kind, Verdict
from blockchaintracer.extras.search import Index, query
from blockchaintracer.lab.attest import WITHDRAW_SIGNED, attest, give_verdict, retract, withdraw
from blockchaintracer.lab.recording.content import record_path
from tests.support.labs import again, second_lab, typed


@pytest.fixture(scope="module")
def labs(lab, tmp_path_factory):
    return (
        lab,
        second_lab(lab, tmp_path_factory.mktemp("second")),
        second_lab(lab, tmp_path_factory.mktemp("third"), "A third lab"),
    )


def made(lab, tmp_path: Path, kind=Kind.DATASET) -> str:
    file = tmp_path / f"{os.urandom(4).hex()}.bin"
    file.write_bytes(os.urandom(40))
    return record_path(lab, kind, file, name=f"made by {lab.group()}").id


def ids(lab, reviewer, tmp_path, **wanted):
    with Index(tmp_path / "index.sqlite") as index:
        index.sync(lab.registry, lab.store)
        return [row.id for row in query(index, registry=lab.registry, waiting_for=reviewer, descending=False, **wanted)]


def test_what_waits_and_what_does_not(labs, tmp_path):
    one, two, three = labs
    groups = [each.group() for each in labs]
    data, result = made(one, tmp_path), made(one, tmp_path, Kind.RESULT)
    others, own = made(three, tmp_path), made(two, tmp_path)
    gone = made(one, tmp_path)
    retract(one, gone, "a mistake")
    assert ids(two, groups[1], tmp_path) == [data, result, others]
    assert ids(one, groups[0], tmp_path) == [others, own]
    attest(two, data, Verdict.REVIEWED)
    attest(three, result, Verdict.DISPUTED)
    assert ids(two, groups[1], tmp_path) == [result, others]
    assert ids(three, groups[2], tmp_path) == [data, own]
    withdraw(two, data)
    with pytest.raises(ContractRevert, match="no verdict"):
        withdraw(two, data)
    # ends what was signed and not sent; a word without a verdict changes nothing else
    give_verdict(two, data, WITHDRAW_SIGNED)
    assert (two.registry.verdict(groups[1], data).verdict, two.registry.verdict(groups[1], data).version) == (0, 3)
    assert ids(two, groups[1], tmp_path) == [data, result, others]
    assert ids(two, groups[1], tmp_path, kind="result") == [result]
    assert ids(two, groups[1], tmp_path, group=groups[2]) == [others]
    assert ids(two, groups[1], tmp_path, author=one.signer.address, kind=Kind.DATASET) == [data]
    assert ids(two, groups[1], tmp_path, limit=1) == [data]
    assert ids(two, groups[1], tmp_path, author="0x" + "00" * 20) == []
    with pytest.raises(InputError, match="author's address"):
        ids(two, groups[1], tmp_path, author="0x12")
    with pytest.raises(InputError, match="kind"):
        ids(two, groups[1], tmp_path, kind="poem")

    home = {"home": two.home.path, "BLOCKCHAINTRACER_RPC": two.rpc}
    done = typed("query", "--waiting-for", str(groups[1]), "--ascending", "--json", **home)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [row["id"] for row in told["records"]] == [data, result, others]
    for record_id in (data, result, others):
        attest(again(two), record_id, Verdict.REVIEWED)
    assert ids(two, groups[1], tmp_path) == []
