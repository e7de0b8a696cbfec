"""Witnesses of a record, from asking them to what a stranger sees: a real authority by `openssl ts`, calendars by a
simulator, and a registry on a real second chain."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.networks import when
from blockchaintracer.core.plain_json import canonical
from blockchaintracer.core.record import Kind
from blockchaintracer.extras.witness import StampedSubject, TimeStanding, WitnessSettings, WitnessTrust, check_receipt
from blockchaintracer.extras.witness.add_witnesses import own_subjects
from blockchaintracer.extras.witness.kept_receipts import kept_receipts
from blockchaintracer.extras.witness.witness_receipt import WitnessKind
from blockchaintracer.lab.batches import anchor, batching
from blockchaintracer.lab.groups import create_group, deploy
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.content import record_path
from tests.support.authority import OpensslAuthority, authority
from tests.support.calendar_simulator import Simulator, calendars
from tests.support.labs import typed
from tests.support.node import NodeChain, anvil

SECOND = 31999


@dataclass
class World:
    """A lab, and the witnesses that it has."""

    lab: Lab
    calendars: Simulator
    authority: OpensslAuthority
    second: NodeChain
    registry: str
    folder: Path

    @property
    def settings(self) -> Path:
        return self.folder / "settings.json"

    def write(self, **changed: Any) -> Path:
        plain: dict[str, Any] = {
            "type": "urn:blockchaintracer:witness-settings:v1",
            "calendars": [f"{self.calendars.url}/a", f"{self.calendars.url}/b"],
            "authorities": [{"url": self.authority.url, "certificate": str(self.authority.root)}],
            "chains": [{"registry": self.registry, "rpc": self.rpc, "key": "lab"}],
            "bitcoin": {"regtest": True, "node": f"{self.calendars.url}/node"},
        }
        self.settings.write_bytes(canonical(plain | changed))
        return self.settings

    @property
    def rpc(self) -> str:
        return str(self.second.provider.endpoint_uri)

    def call(self, *words: object, code: int = 0) -> dict[str, Any]:
        done = typed(*map(str, words), "--json", home=self.lab.home.path)
        assert done.returncode == code, done.stdout + done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def record(self, name: str) -> str:
        file = self.folder / name
        file.write_text(name)
        return record_path(self.lab, Kind.DATASET, file).id


@pytest.fixture(scope="module")
def world(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    with calendars() as simulator, authority(folder / "tsa") as real, anvil(chain_id=SECOND) as second:
        rpc = str(second.provider.endpoint_uri)
        there = Lab(lab.home, rpc=rpc, named_chain=SECOND, key_name="lab")
        second.rpc("anvil_setBalance", [lab.signer.address, hex(10**20)])
        deploy(there, open_group_creation=True)
        create_group(there, "The same lab")
        place = f"eip155:{SECOND}:{there.registry.address.lower()}"
        world = World(lab, simulator, real, second, place, folder)
        world.write()
        yield world


def subject(world: World, record: str) -> StampedSubject:
    return StampedSubject.of_record(world.lab.domain, record)


def test_a_record_with_every_witness(world: World) -> None:
    """Asked once, completed, verified, published, and in a bundle: a stranger sees the same interval."""
    record = world.record("first")
    add = ("witness", "add", record, "--settings", world.settings, "--allow-local")
    told = world.call(*add)
    assert sorted(it["kind"] for it in told["added"]) == ["opentimestamps", "registry", "rfc3161"]
    assert told["problems"] == []
    asked = world.authority.asked, len(world.calendars.asked)
    again = world.call(*add)
    assert (again["added"], again["existing"]) == ([], 1)
    assert (world.authority.asked, len(world.calendars.asked)) == asked

    world.second.rpc("anvil_mine", ["0x80"])
    checking = ("--witness-settings", world.settings)
    before = world.call("verify", record, *checking)
    assert before["outcome"] == "verified"
    [times] = before["times"]
    standing = {it["who"].split()[0]: it["standing"] for it in times["witnesses"]}
    assert standing == {"calendar": "pending", "authority": "verified", "record": "consistent"}

    world.calendars.mine()
    told = world.call("witness", "upgrade", "--settings", world.settings, "--allow-local")
    assert (told["complete"], told["waiting"], told["problems"]) == (1, 0, [])
    [times] = world.call("verify", record, *checking, "--check-witness")["times"]
    assert {it["standing"] for it in times["witnesses"]} == {"verified"}
    assert len(times["witnesses"]) == 3
    assert times["notAfter"] == min(it["notAfter"] for it in [*times["witnesses"], {"notAfter": times["ownChain"]}])
    text = typed("verify", record, *map(str, checking), "--check-witness", home=world.lab.home.path).stdout
    assert "\nWhen\n" in text
    assert "Not after" in text

    published = world.folder / "published"
    world.call("publish", record, "--to", published)
    assert (published / "witnesses" / f"{subject(world, record).sha256}.json").is_file()
    node = ("--rpc", world.lab.devnet.start().url, "--chain-id", world.lab.chain_id)
    seen = ("verify", record, "--from", published, *node, "--registry", world.lab.registry.address, *checking, "--json")
    for more, verified in (((), 1), (("--check-witness",), 3)):
        stranger = typed(*map(str, (*seen, *more)), home=world.folder / "nobody")
        told = json.loads(stranger.stdout)
        assert (told["outcome"], stranger.returncode) == ("verified", 0)
        assert [it["standing"] for it in told["times"][0]["witnesses"]].count("verified") == verified


def test_searches_and_reports_say_what_witnesses_say(world: World) -> None:
    record, other = world.record("asked for"), world.record("without a witness")
    world.call("witness", "add", record, "--settings", world.settings, "--allow-local")
    trusted = world.lab.home.path / "witnesses.json"
    trusted.write_bytes(world.settings.read_bytes())
    try:
        found = world.call("query", "--kind", "dataset")
        assert {record, other} <= {it["id"] for it in found["records"]}
        [times] = [it for it in found["times"] if it["of"] == record]
        assert other not in {it["of"] for it in found["times"]}
        [verified] = [it for it in times["witnesses"] if it["standing"] == "verified"]
        assert times["notAfter"] == min(verified["notAfter"], times["ownChain"])
        text = typed("query", "--kind", "dataset", home=world.lab.home.path).stdout
        assert f"{record[:12]}… not after {when(verified['notAfter'])}: {verified['who']}" in text
        world.call("report", record, "--format", "html", "--format", "pdf", "-o", world.folder / "report")
        page = html.unescape((world.folder / "report" / "report.html").read_text())
        assert f"not after {when(verified['notAfter'])}: {verified['who']}" in page
        assert "pending: calendar" in page
    finally:
        trusted.unlink()


def test_a_bundle_with_every_witness_is_small(world: World) -> None:
    record = world.record("bundled")
    with authority(world.folder / "large", bits=4096) as second:
        two = [{"url": it.url, "certificate": str(it.root)} for it in (world.authority, second)]
        settings = world.write(authorities=two, calendars=[f"{world.calendars.url}/{name}" for name in ("a", "b", "c")])
        told = world.call("witness", "add", record, "--settings", settings, "--allow-local")
        assert len(told["added"]) == 4
    world.calendars.mine()
    bundle = world.folder / "with-all.proof"
    # three calendars whole, and then the way to the earliest block alone
    for node in ({"bitcoin": {"regtest": True}}, {}):
        told = world.call(
            "witness",
            "upgrade",
            record,
            "--settings",
            world.write(**node),
            "--calendar",
            f"{world.calendars.url}/c",
            "--allow-local",
        )
        assert (told["complete"], told["waiting"], told["problems"]) == (1, 0, [])
        size = world.call("export-proof", record, "-o", bundle)["size"]
        print(f"a bundle of one record with all witnesses: {size:,} bytes")
        assert size <= 25_000
    world.write(authorities=two)
    world.second.rpc("anvil_mine", ["0x80"])
    chain = ("--network", "devnet", "--home", world.lab.home.path)
    told = world.call("verify", "--proof", bundle, *chain, "--witness-settings", settings, "--check-witness")
    assert told["outcome"] == "verified"
    [times] = told["times"]
    assert sorted(it["standing"] for it in times["witnesses"]) == ["verified"] * 4
    assert not [check for check in told["checks"] if check["name"] == "not checked"]

    # a receipt of another record, an altered one and one that is no receipt: each is a failed check
    plain = json.loads(bundle.read_bytes())
    stamp = next(it for it in plain["witnesses"] if "rfc3161" in it["type"])
    foreign = stamp | {"subject": str(subject(world, "ee" * 32))}
    altered = stamp | {
        "proof": stamp["proof"][:400] + ("A" if stamp["proof"][400] != "A" else "B") + stamp["proof"][401:]
    }
    for wrong in (foreign, altered, stamp | {"more": 1}):
        other = world.folder / "other.proof"
        other.write_bytes(canonical(plain | {"witnesses": [*plain["witnesses"], wrong]}))
        told = world.call("verify", "--proof", other, *chain, "--witness-settings", settings, code=1)
        assert [check["name"] for check in told["checks"] if check["verdict"] == "fail"] == ["witness"]
    world.write()


def test_others_check_the_plain_files(world: World) -> None:
    """`openssl ts -verify` takes what is written for it: the text of the record's id, and the authority's response."""
    record = world.record("plain")
    world.call("witness", "add", record, "--tsa", world.authority.url, "--allow-local")
    told = world.call("witness", "list", record, "-o", world.folder / "plain-files")
    name = subject(world, record).sha256
    assert told["written"] == [f"{name}-0.tsr", f"{name}.txt"]
    text = world.folder / "plain-files" / f"{name}.txt"
    assert text.read_text() == world.lab.domain.global_id(record)
    assert world.authority.verify(text.with_name(f"{name}-0.tsr"), text)
    text.write_text("another")
    assert not world.authority.verify(text.with_name(f"{name}-0.tsr"), text)


def test_all_that_lacks_one_by_cron(world: World) -> None:
    """Many under one tree, and one batch on the second chain; what fails is told by the exit code and asked again."""
    records = [world.record(f"many {number}") for number in range(3)]
    with batching(world.lab):
        batched = world.record("batched")
    root = anchor(world.lab).root
    world.authority.down = True
    every = ("witness", "add", "--all", "--settings", world.settings, "--allow-local")
    told = world.call(*every, code=3)
    assert "answered 503" in told["problems"][0]
    world.authority.down = False
    asked = world.authority.asked
    told = world.call(*every)
    assert {it["kind"] for it in told["added"]} == {"rfc3161"}
    # those that lack the same are under one tree: one token is enough
    assert world.authority.asked <= asked + 2
    told = world.call(*every)
    assert told["added"] == []
    world.second.rpc("anvil_mine", ["0x80"])
    settings = WitnessSettings.read(world.settings)
    trust = WitnessTrust.of(settings, online=True)
    for record in records:
        receipts = kept_receipts(world.lab.home, subject(world, record))
        assert {it.kind for it in receipts} == {*WitnessKind}
        said = [it for receipt in receipts for it in check_receipt(receipt, trust, subject(world, record))]
        assert [it.standing for it in said].count(TimeStanding.VERIFIED) == 2, said
    # a record of a batch has what its root has
    [times] = world.call("verify", batched, "--witness-settings", world.settings, code=0)["times"]
    assert [it["standing"] for it in times["witnesses"]].count("verified") >= 1
    world.call("witness", "verify", "--root", root, "--settings", world.settings)


def test_receipts_are_judged_by_what_the_user_names(world: World) -> None:
    record = world.record("judged")
    world.call("witness", "add", record, "--settings", world.settings, "--allow-local", "--no-chain")
    check = ("witness", "verify", record, "--offline")
    assert world.call(*check, code=4)["outcome"] == "consistent"
    assert world.call(*check, "--tsa-root", world.authority.root)["outcome"] == "verified"
    assert world.call(*check, "--tsa-root", world.authority.root, "--policy", "1.2.3", code=4)["verified"] is None
    world.calendars.mine()
    world.call("witness", "upgrade", record, "--settings", world.settings, "--allow-local")
    headers = world.folder / "headers.txt"
    headers.write_text(world.calendars.header_lines())
    regtest = ("--bitcoin-regtest", "--bitcoin-headers", headers)
    assert world.call(*check, *regtest)["outcome"] == "verified"
    assert world.call(*check, "--bitcoin-headers", headers, code=2)["message"].count("easier than Bitcoin allows") == 1
    first = next(iter(world.calendars.headers))
    headers.write_text(f"{[*world.calendars.headers][-1]} {world.calendars.headers[first].hex()}\n")
    told = world.call(*check, *regtest, code=1 if _height(world, record) == [*world.calendars.headers][-1] else 4)
    assert told["verified"] is not True


def _height(world: World, record: str) -> int:
    said = [
        it
        for receipt in kept_receipts(world.lab.home, subject(world, record))
        for it in check_receipt(receipt, WitnessTrust())
    ]
    return next(int(it.who.split()[2]) for it in said if it.who.startswith("Bitcoin block"))


def test_a_receipt_can_be_recorded_itself(world: World) -> None:
    record = world.record("recorded")
    told = world.call("witness", "add", record, "--tsa", world.authority.url, "--allow-local", "--record")
    [witness] = told["records"]
    assert witness["kind"] == "witness"
    report = world.call("verify", witness["id"])
    assert report["outcome"] == "verified"
    found = world.lab.registry.find_record(witness["id"])
    assert found
    [link] = found.key.parents
    assert (link.parent, link.relation) == (record, 13)
    [receipt] = kept_receipts(world.lab.home, subject(world, record))
    assert found.key.subject == sha256(canonical(receipt.as_json())).hexdigest()
    # what only bears witness is not stamped again by --all
    assert str(subject(world, witness["id"])) not in map(str, own_subjects(world.lab))


def test_a_file_of_its_own(world: World) -> None:
    """A bundle is stamped by its bytes: its receipts are kept here, and `verify --proof` shows them."""
    record = world.record("stamped bundle")
    bundle = world.folder / "stamped.proof"
    world.call("export-proof", record, "-o", bundle)
    told = world.call("witness", "add", "--file", bundle, "--settings", world.settings, "--allow-local")
    assert {it["kind"] for it in told["added"]} == {"opentimestamps", "rfc3161"}
    told = world.call(
        "verify",
        "--proof",
        bundle,
        "--network",
        "devnet",
        "--home",
        world.lab.home.path,
        "--witness-settings",
        world.settings,
    )
    assert told["times"][0]["of"] == "the file of the bundle"
    assert "verified" in [it["standing"] for it in told["times"][0]["witnesses"]]


def test_what_a_stranger_published_is_a_failed_check(world: World) -> None:
    record = world.record("attacked")
    other = world.record("honest")
    for each in (record, other):
        world.call("witness", "add", each, "--tsa", world.authority.url, "--allow-local")
    published = world.folder / "attacked-published"
    world.call("publish", record, "--to", published)
    file = published / "witnesses" / f"{subject(world, record).sha256}.json"
    foreign = kept_receipts(world.lab.home, subject(world, other))[0].as_json() | {
        "subject": str(subject(world, record))
    }
    plain = json.loads(file.read_bytes())
    for data in (
        canonical(plain | {"receipts": [foreign]}),
        canonical(plain | {"receipts": []}),
    ):
        file.write_bytes(data)
        told = world.call("verify", record, "--from", published, code=1)
        failed = [check for check in told["checks"] if check["verdict"] == "fail"]
        assert [check["name"] for check in failed] == ["witness"], data[:80]
        assert failed[0]["record"] == record
    # what a web server answers for a name that it does not have is no file of receipts, and says nothing
    for data in (b"no receipts", b"<!doctype html>" + b" " * (1 << 20)):
        file.write_bytes(data)
        assert world.call("verify", record, "--from", published)["outcome"] == "verified"
    told = world.call("verify", record)
    assert told["outcome"] == "verified"


def test_what_cannot_be_asked_is_refused_before_anything_is_sent(world: World) -> None:
    record = world.record("refused")
    asked = world.authority.asked
    told = world.call("witness", "add", record, "--tsa", world.authority.url, code=2)
    assert "https address" in told["message"]
    assert world.authority.asked == asked
    assert "expected records" in world.call("witness", "add", code=2)["message"]
    assert "expected receipts" in world.call("witness", "verify", record, code=2)["message"]
    tsa = ("--tsa", world.authority.url, "--allow-local")
    assert "record" in world.call("witness", "add", "ee" * 32, *tsa, code=2)["message"]
    assert "root" in world.call("witness", "add", "--root", "ee" * 32, *tsa, code=2)["message"]
    assert world.authority.asked == asked
    # a calendar that a stranger's proof names is not asked
    world.call("witness", "add", record, "--calendar", f"{world.calendars.url}/x", "--allow-local")
    before = len(world.calendars.asked)
    told = world.call("witness", "upgrade", record, "--allow-local", code=3)
    assert "was not asked" in told["problems"][0]
    assert len(world.calendars.asked) == before
    world.calendars.down = True
    told = world.call(
        "witness", "add", world.record("down"), "--calendar", f"{world.calendars.url}/x", "--allow-local", code=3
    )
    assert told["added"] == []
    world.calendars.down = False


def test_no_receipt_is_told_in_words(world: World) -> None:
    listed = typed("witness", "list", world.record("none yet"), home=world.lab.home.path)
    assert listed.stdout.strip() == "No receipts are kept: `witness add` asks for some."


def test_a_renewal_that_was_witnessed(world: World) -> None:
    """A renewal counts from the time that its witnesses show, and takes the receipts of its records along."""
    record = world.record("renewed")
    add = ("--tsa", world.authority.url, "--allow-local")
    world.call("witness", "add", record, *add)
    [renewal] = world.call("renew", record)["renewals"]
    world.call("witness", "add", "--text", renewal["text"], *add)
    [told] = world.call("verify", record, "--witness-settings", world.settings)["renewals"]
    assert [time["source"].split()[0] for time in told["times"]].count("authority") == 1


def test_an_archive_brings_receipts_and_replaces_none(world: World) -> None:
    record = world.record("archived")
    add = ("witness", "add", record, "--allow-local")
    world.call(*add, "--tsa", world.authority.url)
    archive = world.folder / "all.tar"
    world.call("export", "-o", archive)
    file = world.lab.home.path / "witnesses" / f"{subject(world, record).sha256}.json"
    first = file.read_bytes()
    done = typed("import", str(archive), "--offline", home=world.folder / "imported")
    assert done.returncode == 0, done.stderr
    assert (world.folder / "imported" / "witnesses" / file.name).read_bytes() == first
    world.call(*add, "--calendar", f"{world.calendars.url}/a")
    more = file.read_bytes()
    assert more != first
    world.call("import", archive)
    assert file.read_bytes() == more
