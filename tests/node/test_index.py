"""The index follows a real registry on a real node: forwards, back on a reorganised chain, and anew from nothing."""

import json
import os
import re
import socket
import sqlite3
import uuid
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blockchaintracer.core.chain import Registry
from blockchaintracer.core.chain.answers import WrongAnswer
from blockchaintracer.core.digest import cid_of_sha256
from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified, StoreError
from blockchaintracer.core.manifest import (
    Artifact,
    Code,
    ContentPredicate,
    Manifest,
    Metric,
    Parent,
    RunOutput,
    RunPredicate,
)
from blockchaintracer.core.record import Kind, Link, RecordKey, Relation, Role, SubjectType, Verdict, from_hex
from blockchaintracer.extras.lineage import downstream, lineage
from blockchaintracer.extras.search import Index, query, verdicts
from blockchaintracer.extras.search.schema import RECORD_INDEXES
from blockchaintracer.lab.chain import logs as reading
from blockchaintracer.lab.chain.batching import connect
from blockchaintracer.lab.chain.logs import spans
from blockchaintracer.lab.devnet import Devnet
from blockchaintracer.lab.keys import KeyStore
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import Op, Outbox, Transaction, deployment, factory_steps
from blockchaintracer.lab.store.store import Store
from tests.support.telling import Ask, telling

ROLES = int(Role.MAINTAINER | Role.RECORDER | Role.REVIEWER)
REASON = sha256(b"wrong calibration").hexdigest()


class Lab:
    """A devnet with a registry of two groups: `one` records, `two` reproduces."""

    def __init__(self, folder: Path) -> None:
        self.devnet = Devnet(Home(folder / "home"), notify=lambda message: None)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.chain = connect(self.devnet.start(port).url)
        keys = KeyStore(Home(folder / "home"))
        self.outbox = Outbox(folder / "outbox.sqlite")
        self.store = Store(folder / "store")
        self.one, self.two = (keys.create(name, devnet=True) for name in ("one", "two"))
        for signer in (self.one, self.two):
            self.devnet.fund(signer.address, 10**20)
        self.registry = self.deploy("ours")
        self.groups = {}
        for number, signer in enumerate((self.one, self.two), 1):
            profile = self.store.put_bytes(b'{"type":"urn:blockchaintracer:group:v1","name":"group %d"}' % number)
            self.write(
                Transaction(
                    Op.CREATE_GROUP, self.registry.address, owner=signer.address, manifest=profile, roles=ROLES
                ),
                signer,
            )
            self.groups[signer.address] = number

    def deploy(self, name: str) -> Registry:
        write = deployment(
            self.chain, self.one.address, open_group_creation=True, salt=sha256(name.encode()).hexdigest()
        )
        for step in (*factory_steps(self.chain), write):
            self.write(step, self.one)
        return Registry(self.chain, write.registry)

    def write(self, write: Transaction, signer: Any) -> None:
        self.outbox.add_transaction(self.chain.chain_id, write, signer.address)
        self.outbox.flush(self.chain, signer)

    def key(self, manifest: Manifest, signer: Any, *links: tuple[str, int]) -> RecordKey:
        is_run = isinstance(manifest.predicate, RunPredicate)
        return RecordKey(
            group=self.groups[signer.address],
            kind=Kind.RUN if is_run else Kind.DATASET,
            subject_type=SubjectType.IDENTIFIER if is_run else SubjectType.COMMITMENT,
            author=signer.address,
            subject=subject_of(manifest),
            manifest=digest_of(manifest),
            parents=tuple(Link(*link) for link in links),
        )

    def record(
        self, manifest: Manifest, signer: Any, *links: tuple[str, int], keep: bool = True
    ) -> tuple[str, RecordKey]:
        key = self.key(manifest, signer, *links)
        if keep:
            self.store.put_bytes(manifest.to_bytes())
        record_id = self.registry.domain.record_id(key)
        self.write(Transaction(Op.RECORD, self.registry.address, record_id=record_id, key=key), signer)
        return record_id, key

    def attest(self, record_id: str, signer: Any, verdict: Verdict, evidence: RecordKey | None = None) -> None:
        group = self.groups[signer.address]
        version = self.registry.verdict(group, record_id).version
        write = Transaction(
            Op.ATTEST,
            registry=self.registry.address,
            record_id=record_id,
            group=group,
            verdict=int(verdict),
            evidence=evidence,
            version=version,
        )
        self.write(write, signer)

    def rpc(self, method: str, *values: Any) -> Any:
        return self.chain.ask(method, *values)


def digest_of(manifest: Manifest) -> str:
    return sha256(manifest.to_bytes()).hexdigest()


def subject_of(manifest: Manifest) -> str:
    return str(manifest.subject[0].digest.sha256)


def dataset(name: str = "strain", **fields: Any) -> Manifest:
    predicate = ContentPredicate(subject_type="commitment", name=name, **fields)
    return Manifest.of(Kind.DATASET, predicate, os.urandom(32).hex())


def run(name: str, *links: tuple[str, int], accuracy: float = 0.9, **fields: Any) -> Manifest:
    run_id = str(uuid.uuid4())
    predicate = RunPredicate(
        run_id=run_id,
        name=name,
        status="completed",
        parameters={"lr": 0.01, "optimizer": "adam", "model": {"depth": 3}, "shuffle": True},
        metrics={"accuracy": Metric(value=accuracy)},
        parents=[Parent(record=parent, relation=relation) for parent, relation in sorted(links)],
        **fields,
    )
    return Manifest.of(Kind.RUN, predicate, sha256(run_id.encode()).hexdigest())


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.devnet.stop()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index(tmp_path / "index.sqlite") as index:
        yield index


@pytest.fixture(scope="module")
def story(lab: Lab) -> SimpleNamespace:
    """A dataset, two runs on it, the first reproduced, another dataset that is retracted."""
    data, data_key = lab.record(dataset(), lab.one)
    code = Code(commit="ab" * 20, branch="main", dirty=False)
    address = cid_of_sha256("cd" * 32)
    model = Artifact(path="out/net.pkl", size=1, sha256="cd" * 32, cid=address, cid_profile="unixfs-v1-2025")
    output = RunOutput(role="model", artifact=model)
    link = (data, Relation.TRAINED_ON)
    first, _ = lab.record(
        run("baseline", link, code=code, outputs=[output], description="ringdown search"), lab.one, link
    )
    second, _ = lab.record(run("tuned", link, accuracy=0.95), lab.one, link)
    again = (first, Relation.REPRODUCES)
    evidence, evidence_key = lab.record(run("again", again), lab.two, again)
    lab.attest(first, lab.two, Verdict.REPRODUCED, evidence_key)
    lab.attest(second, lab.two, Verdict.REVIEWED)
    lab.attest(second, lab.two, Verdict.DISPUTED)
    lab.attest(data, lab.two, Verdict.REVIEWED)
    lab.write(Transaction(Op.WITHDRAW, registry=lab.registry.address, record_id=data, group=2, version=1), lab.two)
    bad, bad_key = lab.record(dataset("bad"), lab.one)
    lab.write(Transaction(Op.RETRACT, lab.registry.address, record_id=bad, key=bad_key, reason=REASON), lab.one)
    return SimpleNamespace(data=data, first=first, second=second, evidence=evidence, bad=bad, data_key=data_key)


def everything(index: Index, registry: Registry) -> Any:
    """All that can be asked of one registry."""
    rows = query(index, registry=registry, limit=None)
    return [(row, verdicts(index, row.id, registry=registry), lineage(index, row.id).as_json()) for row in rows]


def test_rows_say_what_the_chain_says_and_where_to_check_it(lab, story, index):
    report = index.sync(lab.registry, lab.store)
    head = lab.chain.head()
    assert (report.block, report.block_hash) == (head.number, head.hash)
    rows = {row.id: row for row in query(index)}
    assert len(rows) == report.records
    assert set(vars(story).values()) - {story.data_key} <= set(rows)
    for record_id, row in rows.items():
        event, status = lab.registry.find_record(record_id), lab.registry.status(record_id)
        assert event is not None
        assert (row.transaction, row.block, row.block_hash) == (event.transaction, event.block, event.block_hash)
        assert (row.chain_id, row.registry) == (lab.chain.chain_id, lab.registry.address)
        assert (row.group, row.author, row.subject, row.manifest) == (
            event.key.group,
            event.key.author,
            event.key.subject,
            event.key.manifest,
        )
        assert (row.time, row.retracted_at or 0) == (status.recorded_at, status.retracted_at)
        counts = (status.reviewed, status.reproduced, status.not_reproduced, status.disputed)
        assert (row.reviewed, row.reproduced, row.not_reproduced, row.disputed) == counts
        links = {(edge.parent, edge.relation) for edge in lineage(index, record_id).edges if edge.child == record_id}
        assert {parent for parent, _ in links} == {link.parent for link in event.key.parents}
    first = rows[story.first]
    assert (first.name, first.kind, first.group_name, first.subject_type) == (
        "baseline",
        "run",
        "group 1",
        "identifier",
    )
    assert first.params == {"lr": 0.01, "optimizer": "adam", "model.depth": 3, "shuffle": "true"}
    assert first.metrics == {"accuracy": 0.9}
    assert rows[story.bad].status == "retracted"
    assert first.as_json()["timeUtc"].endswith("Z")


def test_verdicts_have_their_history(lab, story, index):
    index.sync(lab.registry, lab.store)
    [reproduced] = verdicts(index, story.first)
    assert (reproduced.verdict, reproduced.group, reproduced.evidence, reproduced.current) == (
        "reproduced",
        2,
        story.evidence,
        True,
    )
    assert reproduced.account == lab.two.address.lower()
    assert [(one.verdict, one.current) for one in verdicts(index, story.second)] == [
        ("reviewed", False),
        ("disputed", True),
    ]
    assert [(one.verdict, one.current) for one in verdicts(index, story.data)] == [("reviewed", False), ("none", False)]


def test_manifests_are_searched_as_people_would(lab, story, index):
    index.sync(lab.registry, lab.store)

    def found(**conditions: Any) -> set[str]:
        return {row.id for row in query(index, **conditions)}

    assert found(text="baseline") == found(text="RINGDOWN search") == found(text="net.pkl") == {story.first}
    assert found(text="abababa") == found(text="base* adam") == {story.first}
    assert found(text="baseline tuned") == set()
    assert found(where="params.model.depth = 3 and params.shuffle = true and metrics.accuracy >= 0.95") >= {
        story.second
    }
    assert story.first not in found(where="metrics.accuracy >= 0.95")
    assert found(status="reproduced") == {story.first}
    assert found(status="retracted") == {story.bad}
    assert found(status="disputed", descendants_of=story.data) == {story.second}
    assert found(subject=story.data_key.subject) == {story.data}
    manifest_cid = next(row for row in query(index, subject=story.data_key.subject)).manifest
    assert found(cid=cid_of_sha256(manifest_cid)) == found(cid=cid_of_sha256(story.data_key.subject)) == {story.data}


def test_a_second_sync_reads_only_what_is_new_and_a_rebuilt_index_is_equal(lab, story, index, tmp_path):
    index.sync(lab.registry, lab.store)
    record_id, key = lab.record(dataset("later"), lab.one)
    report = index.sync(lab.registry, lab.store)
    assert (report.events, report.manifests, report.went_back_to, report.rebuilt) == (1, 1, None, None)
    assert index.sync(lab.registry, lab.store).events == 0
    lab.attest(record_id, lab.two, Verdict.DISPUTED)
    lab.write(Transaction(Op.RETRACT, lab.registry.address, record_id=record_id, key=key, reason=REASON), lab.one)
    assert index.sync(lab.registry, lab.store).events == 2
    with Index(tmp_path / "fresh.sqlite") as fresh:
        fresh.sync(lab.registry, lab.store)
        assert everything(fresh, lab.registry) == everything(index, lab.registry)
        assert [row.id for row in query(fresh, text="later")] == [record_id]


def test_a_manifest_is_picked_up_when_it_appears(lab, index, tmp_path):
    manifest = dataset("shy", description="hidden until now")
    record_id, _ = lab.record(manifest, lab.one, keep=False)
    before = index.sync(lab.registry, lab.store)
    [row] = query(index, subject=subject_of(manifest))
    assert (row.id, row.name, row.has_manifest, row.params) == (record_id, None, False, {})
    assert query(index, text="hidden") == []
    lab.store.put_bytes(manifest.to_bytes())
    after = index.sync(lab.registry, lab.store)
    assert (after.manifests, after.missing_manifests) == (1, before.missing_manifests - 1)
    [row] = query(index, text="hidden")
    assert (row.id, row.name, row.has_manifest) == (record_id, "shy", True)


def test_a_damaged_manifest_is_told_and_not_believed(lab, index):
    manifest = dataset("whole")
    _record_id, _ = lab.record(manifest, lab.one)
    path = lab.store.path_of(digest_of(manifest))
    path.chmod(0o600)
    path.write_bytes(manifest.to_bytes().replace(b"whole", b"wrong"))
    report = index.sync(lab.registry, lab.store)
    assert report.damaged_manifests == [digest_of(manifest)]
    assert query(index, subject=subject_of(manifest))[0].name is None
    lab.store.put_bytes(manifest.to_bytes())
    assert index.sync(lab.registry, lab.store).damaged_manifests == []
    assert query(index, subject=subject_of(manifest))[0].name == "whole"


def test_what_is_no_manifest_is_left_empty_for_good(lab, index):
    deep = b'{"predicate":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001
    odd = b'{"predicate":{"name":"odd\\ud800\\u0000name","metrics":{"big":1e999,"huge":' + b"9" * 400 + b',"ok":1}}}'
    rows = {}
    for data in (b"\xff\xfe", b"[1]", b"{", deep, odd):
        digest = lab.store.put_bytes(data)
        key = RecordKey(1, lab.one.address, SubjectType.FILE, os.urandom(32).hex(), 1, digest)
        record_id = lab.registry.domain.record_id(key)
        lab.write(Transaction(Op.RECORD, lab.registry.address, record_id=record_id, key=key), lab.one)
        rows[data] = key.subject
    assert index.sync(lab.registry, lab.store).manifests >= 5
    assert index.sync(lab.registry, lab.store).manifests == 0
    for subject in rows.values():
        [row] = query(index, subject=subject)
        assert (row.name, row.metrics) == (None, {})


def test_a_reorganised_chain_takes_back_what_it_lost(lab, story, index):
    index.sync(lab.registry, lab.store)
    before = everything(index, lab.registry)
    kept = lab.chain.head().number
    snapshot = lab.rpc("evm_snapshot")
    lost, lost_key = lab.record(dataset("lost"), lab.one)
    lab.attest(story.first, lab.two, Verdict.DISPUTED)
    lab.write(
        Transaction(Op.RETRACT, lab.registry.address, record_id=story.data, key=story.data_key, reason=REASON), lab.one
    )
    index.sync(lab.registry, lab.store)
    assert {row.id for row in query(index, status="retracted")} >= {story.data}
    assert [row.id for row in query(index, text="lost")] == [lost]
    assert query(index, subject=story.data_key.subject)[0].status == "retracted"
    lab.rpc("evm_revert", snapshot)
    # else the outbox would bring back what was lost
    lab.outbox.forget_chain(lab.chain.chain_id)
    other, _ = lab.record(dataset("other"), lab.one)
    while lab.chain.head().number <= kept + 3:
        lab.rpc("anvil_mine", "0x1", "0x0")
    report = index.sync(lab.registry, lab.store)
    assert report.went_back_to == kept
    assert query(index, subject=lost_key.subject) == query(index, text="lost") == []
    [row] = query(index, text="other")
    assert row.id == other
    assert [row, *[old for old, _, _ in before]] == query(index, limit=None)
    assert [entry for entry in everything(index, lab.registry) if entry[0].id != other] == before


def test_a_node_that_reorganises_blocks_of_its_own_is_followed(lab, index):
    lab.record(dataset("early"), lab.one)
    lab.rpc("anvil_mine", "0x4", "0x0")
    index.sync(lab.registry, lab.store)
    before = everything(index, lab.registry)
    lab.rpc("anvil_reorg", 3, [])
    assert index.sync(lab.registry, lab.store).went_back_to is not None
    assert everything(index, lab.registry) == before
    head = lab.chain.head()
    assert index.sync(lab.registry, lab.store).block_hash == head.hash


def test_an_impostor_at_another_address_is_not_heard(lab, index):
    """A contract with the registry's code, and one that repeats the registry's own event word for word."""
    [event] = lab.chain.logs({"address": lab.registry.address, "fromBlock": "0x0", "toBlock": "latest"})[-1:]
    impostor = lab.deploy("impostor")
    assert impostor.address != lab.registry.address
    lab.write(
        Transaction(Op.CREATE_GROUP, impostor.address, owner=lab.one.address, manifest="00" * 32, roles=ROLES), lab.one
    )
    key = lab.key(dataset("forged"), lab.one)
    record_id = impostor.domain.record_id(key)
    lab.write(Transaction(Op.RECORD, impostor.address, record_id=record_id, key=key), lab.one)
    logger = _echo(lab, event)
    index.sync(lab.registry, lab.store)
    assert len(query(index, limit=None)) == index.rows("SELECT count(*) FROM records")[0][0]
    assert query(index, subject=key.subject) == []
    logs = lab.chain.logs({"address": logger, "fromBlock": "0x0", "toBlock": "latest"})
    assert [log.topics for log in logs] == [event.topics]

    # also where a node sends more than it was asked for
    def generous(request: dict[str, Any], ask: Ask) -> dict[str, Any]:
        if request["method"] == "eth_getLogs":
            request["params"] = [{name: value for name, value in request["params"][0].items() if name != "address"}]
        return ask(request)

    wide = telling(lab.chain.address, generous)
    found = [log for span in spans(wide, lab.registry.address, ("Recorded",), 0, lab.chain.head()) for log in span.logs]
    assert len(found) == sum(1 for _ in lab.registry.recorded())


def _echo(lab: Lab, event: Any) -> str:
    """A contract whose creation emits the event given, topics and data."""
    data = from_hex(event.data)
    topics = b"".join(b"\x7f" + from_hex(topic) for topic in reversed(event.topics))
    tail = b"\x61" + len(data).to_bytes(2, "big") + b"\x60\x00" + bytes([0xA0 + len(event.topics)]) + b"\x00"
    size = 9 + len(topics) + len(tail)
    head = b"\x61" + len(data).to_bytes(2, "big") + b"\x61" + size.to_bytes(2, "big") + b"\x60\x00\x39"
    lab.rpc("anvil_impersonateAccount", lab.one.address)
    code = "0x" + (head + topics + tail + data).hex()
    sent = lab.rpc("eth_sendTransaction", {"from": lab.one.address, "data": code})
    receipt = next(filter(None, (lab.chain.receipt(sent) for _ in range(10_000))))
    assert receipt.succeeded
    return str(receipt.contract)


def test_several_registries_share_a_file_and_one_that_is_read_from_earlier_is_read_anew(lab, story, index):
    other = lab.deploy("second")
    lab.write(
        Transaction(Op.CREATE_GROUP, other.address, owner=lab.one.address, manifest="00" * 32, roles=ROLES), lab.one
    )
    key = lab.key(dataset("elsewhere"), lab.one)
    record_id = other.domain.record_id(key)
    lab.write(Transaction(Op.RECORD, other.address, record_id=record_id, key=key), lab.one)
    index.sync(lab.registry, lab.store)
    late = Registry(lab.chain, other.address, first_block=lab.chain.head().number + 1)
    assert index.sync(late, lab.store).records == 0
    assert index.sync(other, lab.store).records == 1
    assert [row.id for row in query(index, registry=other)] == [record_id]
    ours = query(index, registry=lab.registry, limit=None)
    assert record_id not in {row.id for row in ours}
    together = query(index, limit=None)
    assert len(together) == len(ours) + 1
    assert [row.time for row in together] == sorted((row.time for row in together), reverse=True)
    assert query(index, limit=2, offset=1) == together[1:3]
    with pytest.raises(InputError, match="expected the registry"):
        query(index, registry=Registry(lab.chain, "0x" + "11" * 20))


@pytest.mark.parametrize("damage", ["text", "middle"])
def test_a_damaged_file_is_built_anew_and_that_is_said(lab, story, tmp_path, damage):
    path = tmp_path / "index.sqlite"
    with Index(path) as index:
        index.sync(lab.registry, lab.store)
        expected = everything(index, lab.registry)
    if damage == "text":
        path.write_bytes(b"this is no database, whatever its name")
    else:
        data = bytearray(path.read_bytes())
        data[4096 : len(data)] = os.urandom(len(data) - 4096)
        path.write_bytes(data)
    with Index(path) as index:
        report = index.sync(lab.registry, lab.store)
        assert report.rebuilt is not None
        assert "damaged" in report.rebuilt
        assert everything(index, lab.registry) == expected
        assert index.sync(lab.registry, lab.store).rebuilt is None


def test_damage_met_by_a_query_is_told_and_mended_by_the_next_sync(lab, story, tmp_path):
    path = tmp_path / "index.sqlite"
    with Index(path) as index:
        index.sync(lab.registry, lab.store)
        [[page]] = index.rows("SELECT rootpage FROM sqlite_master WHERE name = 'records'")
    data = bytearray(path.read_bytes())
    data[4096 * (page - 1) : 4096 * page] = bytes(4096)
    path.write_bytes(data)
    with Index(path) as index:
        with pytest.raises(StoreError, match="damaged"):
            query(index)
        assert index.sync(lab.registry, lab.store).rebuilt
        assert query(index, status="reproduced")[0].id == story.first


def test_an_index_of_another_version_is_built_anew_and_another_programs_file_is_left_alone(lab, tmp_path):
    path = tmp_path / "index.sqlite"
    Index(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    with Index(path) as index:
        assert "version" in str(index.sync(lab.registry, lab.store).rebuilt)
    lab.outbox.entries()
    before = Path(lab.outbox._path).read_bytes()
    with pytest.raises(InputError, match="another program"):
        Index(lab.outbox._path)
    assert Path(lab.outbox._path).read_bytes() == before


def test_without_full_text_words_are_still_found(lab, story, tmp_path, monkeypatch):
    monkeypatch.setattr("blockchaintracer.extras.search.schema.has_fts5", lambda db: False)
    with Index(tmp_path / "index.sqlite") as index:
        index.sync(lab.registry, lab.store)
        assert not index.has_full_text
        assert [row.id for row in query(index, text="BASELINE adam")] == [story.first]


@pytest.mark.parametrize("time", [None, 0, 1_700_000_000, "0x0", "0x65000000", "later", {}, "absent"])
def test_the_header_of_a_block_decides_its_time_and_not_what_logs_tell(lab, story, index, time):
    answers = []

    def terse(request: dict[str, Any], ask: Ask) -> dict[str, Any]:
        answer = ask(request)
        if request["method"] == "eth_getLogs":
            answers.append(len(answer["result"]))
            for log in answer["result"]:
                log["blockTimestamp"] = time
                if time == "absent":
                    del log["blockTimestamp"]
        return answer

    chain = telling(lab.chain.address, terse)
    index.sync(Registry(chain, lab.registry.address), lab.store)
    assert sum(answers) > 0
    for row in query(index):
        block = lab.chain.block(row.block)
        assert block is not None
        assert (row.block_hash, row.time) == (block.hash, block.timestamp)


def test_a_node_that_refuses_wide_spans_is_asked_for_narrow_ones(lab, story, index):
    refused = []

    def narrow(request: dict[str, Any], ask: Ask) -> dict[str, Any]:
        params = request["params"]
        last = params[0]["toBlock"] if request["method"] == "eth_getLogs" else ""
        if last == "latest" or (last and int(last, 16) - int(params[0]["fromBlock"], 16) > 2):
            refused.append(params)
            return {"error": {"code": -32005, "message": "query exceeds max block range 3"}}
        return ask(request)

    chain = telling(lab.chain.address, narrow)
    report = index.sync(Registry(chain, lab.registry.address), lab.store)
    assert refused
    assert report.records == sum(1 for _ in lab.registry.recorded())

    def without_logs(request: dict[str, Any], ask: Ask) -> dict[str, Any]:
        return {"error": {"message": "no logs here"}} if request["method"] == "eth_getLogs" else ask(request)

    silent = telling(lab.chain.address, without_logs)
    with pytest.raises(ChainUnavailable, match="no logs here"):
        list(spans(silent, lab.registry.address, ("Recorded",), 0, lab.chain.head()))


def test_a_node_that_leaves_out_a_parent_is_caught_and_nothing_of_the_span_stays(lab, story, index):
    def forgetful(request: dict[str, Any], ask: Ask) -> dict[str, Any]:
        answer = ask(request)
        if request["method"] == "eth_getLogs":
            answer["result"] = [log for log in answer["result"] if story.data not in log["topics"][1]]
        return answer

    chain = telling(lab.chain.address, forgetful)
    with pytest.raises(NotVerified, match=story.data):
        index.sync(Registry(chain, lab.registry.address), lab.store)
    assert query(index) == []
    index.sync(lab.registry, lab.store)
    assert story.first in {row.id for row in query(index)}


def leaving_out(lab, *hidden: str) -> Registry:
    """The registry by a node that leaves out logs that hold one of these words, but not the receipts that hold them."""

    def fault(request: dict[str, Any], ask: Ask) -> dict[str, Any]:
        answer = ask(request)
        if request["method"] == "eth_getLogs":
            logs = answer["result"]
            answer["result"] = [log for log in logs if not any(word in json.dumps(log) for word in hidden)]
        return answer

    return Registry(telling(lab.chain.address, fault), lab.registry.address)


@pytest.mark.parametrize("receipts", ["at once", "one by one"])
def test_a_hole_that_logs_left_is_closed_by_the_receipts(lab, story, index, tmp_path, receipts):
    lossy = leaving_out(lab, story.bad)
    index.sync(lossy, lab.store)
    assert story.bad not in {row.id for row in query(index)}
    index.sync(lab.registry, lab.store)
    assert story.bad not in {row.id for row in query(index)}, "what was read is not read again"

    def without(request: dict[str, Any], ask: Ask) -> dict[str, Any]:
        is_missing = receipts == "one by one" and request["method"] == "eth_getBlockReceipts"
        return {"error": {"code": -32601, "message": "no such method"}} if is_missing else ask(request)

    index.sync(Registry(telling(lab.chain.address, without), lab.registry.address), lab.store, rescan=True)
    with Index(tmp_path / "whole.sqlite") as whole:
        whole.sync(lab.registry, lab.store)
        assert everything(index, lab.registry) == everything(whole, lab.registry)


def test_a_rescan_that_ends_early_drops_nothing(lab, story, index):
    index.sync(lab.registry, lab.store)
    before = everything(index, lab.registry)

    def dying(request: dict[str, Any], ask: Ask) -> dict[str, Any]:
        if request["method"] in ("eth_getBlockReceipts", "eth_getTransactionReceipt"):
            raise WrongAnswer("gone")
        return ask(request)

    with pytest.raises(ChainUnavailable, match="gone"):
        index.sync(Registry(telling(lab.chain.address, dying), lab.registry.address), lab.store, rescan=True)
    assert everything(index, lab.registry) == before


def test_a_node_that_gives_so_many_logs_and_no_more_is_asked_for_less(lab, story, index, monkeypatch):
    monkeypatch.setattr(reading, "_ROUND", 3)

    def cut(request: dict[str, Any], ask: Ask) -> dict[str, Any]:
        answer = ask(request)
        if request["method"] == "eth_getLogs":
            del answer["result"][3:]
        return answer

    report = index.sync(Registry(telling(lab.chain.address, cut), lab.registry.address), lab.store)
    assert report.records == sum(1 for _ in lab.registry.recorded())


def test_a_node_that_gave_more_is_not_asked_for_less_again(lab, story, index, monkeypatch):
    monkeypatch.setattr(reading, "_ROUND", 1)
    asked = []

    def counted(request: dict[str, Any], ask: Ask) -> dict[str, Any]:
        # what ends at the newest block or asks for one block looks for where the history begins
        of_span = request["method"] == "eth_getLogs" and request["params"][0]["toBlock"] not in (
            *("latest", request["params"][0]["fromBlock"]),
        )
        asked.extend([request] * of_span)
        return ask(request)

    report = index.sync(Registry(telling(lab.chain.address, counted), lab.registry.address), lab.store)
    assert report.records == sum(1 for _ in lab.registry.recorded())
    assert len(asked) < report.block / 4


def test_what_was_read_before_the_node_went_away_stays(lab, story, index):
    """The first reading is one transaction, without the records' indexes until its end."""
    asked = []

    def dying(request: dict[str, Any], ask: Ask) -> dict[str, Any]:
        params = request["params"]
        # the question for the registry's first event ends at the newest block, that for where history begins is for one
        of_span = request["method"] == "eth_getLogs" and params[0]["toBlock"] not in ("latest", params[0]["fromBlock"])
        if of_span:
            asked.append(params)
            if len(asked) > 3:
                raise WrongAnswer("gone")
            first = int(params[0]["fromBlock"], 16)
            if int(params[0]["toBlock"], 16) > first + 3:
                return {"error": {"code": -32005, "message": "too many"}}
        return ask(request)

    chain = telling(lab.chain.address, dying, "dying")
    with pytest.raises(ChainUnavailable, match="dying"):
        index.sync(Registry(chain, lab.registry.address), lab.store)
    [cursor] = index.rows("SELECT block FROM registries")
    assert cursor[0] is not None
    assert cursor[0] < lab.chain.head().number
    made = {row[0] for row in index.rows("SELECT name FROM sqlite_master WHERE type = 'index'")}
    assert made >= set(re.findall(r"INDEX (\w+)", RECORD_INDEXES))
    index.sync(lab.registry, lab.store)
    assert len(query(index, limit=None)) == sum(1 for _ in lab.registry.recorded())


def test_retractions_reach_what_stands_on_them(lab, index):
    root, root_key = lab.record(dataset("root"), lab.one)
    link = (root, Relation.TRAINED_ON)
    child, _ = lab.record(run("child", link), lab.one, link)
    further = (child, Relation.USES)
    grandchild, _ = lab.record(run("grandchild", further), lab.one, further)
    newer = (root, Relation.SUPERSEDES)
    fixed, _ = lab.record(dataset("fixed"), lab.one, newer)
    index.sync(lab.registry, lab.store)
    assert list(downstream(index, root).nodes) == [root, child, grandchild]
    assert not any(node.is_affected for node in lineage(index, grandchild).nodes.values())
    lab.write(Transaction(Op.RETRACT, lab.registry.address, record_id=root, key=root_key, reason=REASON), lab.one)
    index.sync(lab.registry, lab.store)
    seen = lineage(index, grandchild)
    assert [node.row.id for node in seen.nodes.values() if node.row.status == "retracted"] == [root]
    affected = {node.row.id: node.retracted_ancestors for node in seen.nodes.values() if node.is_affected}
    assert affected == {child: (root,), grandchild: (root,)}
    assert not any(node.is_affected for node in lineage(index, fixed).nodes.values())
    assert list(downstream(index, root).nodes) == [root, child, grandchild]
