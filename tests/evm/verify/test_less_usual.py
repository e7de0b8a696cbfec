"""What people seldom do: batches that end, groups that go to others, verdicts that change, calls through a contract.
And what is told of places, roles and lineage that no honest node shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from blockchaintracer.core.digest import digest_bytes, digest_folder
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import ContentPredicate, NotBefore, RunInput
from blockchaintracer.core.merkle import MerkleTree
from blockchaintracer.core.record import (
    GlobalId,
    Kind,
    Link,
    Relation,
    Role,
    SubjectType,
    Verdict,
    from_hex,
    record_commitment,
    verdict_commitment,
)
from blockchaintracer.core.record_view import Position
from blockchaintracer.core.verify import verdict_checks
from blockchaintracer.core.verify.commitments import Commitment
from blockchaintracer.core.verify.locate import member_at
from blockchaintracer.core.verify.outcomes import Check, Outcome
from blockchaintracer.core.verify.transaction_checks import check_transaction, sentences_of
from blockchaintracer.core.verify.verdict_checks import check_verdicts
from blockchaintracer.core.verify.verifier import Similar, Verifier
from tests.model import eip712
from tests.model.registry import NO_END
from tests.support.evm import START
from tests.support.revm_lab import ALICE, BOB, CAROL, MALLORY, RevmLab, Stranger, expect

from .conftest import FORWARDER, IMPOSTOR, SALT, THROUGH, block, file_of, run_of, statement_on_a_key
from .test_forgotten import forgetting

MEMBER = int(Role.RECORDER | Role.REVIEWER)


def through(lab: RevmLab, function: str, *arguments: Any) -> str:
    """Call the registry through the forwarder."""
    data = lab.interface.encode_call(function, *arguments)
    return lab.node.send(MALLORY, THROUGH, bytes.fromhex(lab.registry.address[2:]).rjust(32, b"\0") + data)


def groups(lab: RevmLab) -> None:
    """Invitations, roles that change and end, and a group that goes to somebody else."""
    versions = [lab.registry.read("membershipOf", 1, each.address)[3] for each in (ALICE, BOB)]
    invitation = eip712.Invitation(1, ALICE.address, BOB.address, MEMBER, NO_END, *versions, NO_END)
    lab.do(ALICE, "invite", invitation)
    lab.do(BOB, "join", invitation)
    lab.join(CAROL, MEMBER, until=START + 10**6)
    lab.join(CAROL, int(Role.REVIEWER))
    lab.do(CAROL, "removeMember", 1, CAROL.address)
    lab.do(ALICE, "removeMember", 1, BOB.address)
    lab.do(ALICE, "removeMember", 1, MALLORY.address)
    lab.do(ALICE, "describeGroup", 1, b"\xdd" * 32)
    lab.do(ALICE, "transferGroup", 1, BOB.address)
    lab.do(BOB, "acceptGroup", 1)
    lab.join(CAROL, MEMBER)
    lab.do(BOB, "removeMember", 1, CAROL.address)
    lab.do(CAROL, "announceSuccessor", 5, "0x" + "66" * 20)


def batches(lab: RevmLab) -> None:
    """A batch that ended, one that the registry counted and that a contract takes a record from."""
    ended = [file_of(lab, f"ended {number}") for number in (1, 2)]
    tree = MerkleTree([lab.id(key) for key in ended])
    lab.names[tree.root[2:]] = "<ended root>"
    lab.do(ALICE, "anchor", 1, from_hex(tree.root), 2, bytes(32))
    path = [from_hex(sibling) for sibling in tree.proof(lab.id(ended[0]))]
    lab.do(ALICE, "materialize", ended[0].as_abi(), from_hex(tree.root), path)
    lab.do(ALICE, "endBatch", 1, ALICE.address, from_hex(tree.root))
    counted = [file_of(lab, f"counted {number}") for number in (1, 2)]
    ids = sorted(lab.id(key) for key in counted)
    tree = MerkleTree(ids)
    lab.names[tree.root[2:]] = "<counted root>"
    lab.do(ALICE, "anchorLeaves", 1, [from_hex(each) for each in ids])
    path = [from_hex(sibling) for sibling in tree.proof(lab.id(counted[0]))]
    through(lab, "materialize", counted[0].as_abi(), from_hex(tree.root), path)


def seals(lab: RevmLab) -> None:
    """A seal of a contract's, and a verdict with evidence that was sealed."""
    sealed = file_of(lab, "sealed by a contract", author=THROUGH)
    commitment = record_commitment(lab.id(sealed), SALT)
    lab.names[commitment[2:]] = "<seal of a contract>"
    through(lab, "seal", 1, from_hex(commitment))
    through(lab, "reveal", sealed.as_abi(), from_hex(SALT))
    again = run_of(lab, "again", 2, {"run": Relation.REPRODUCES}, group=2, author=BOB.address)
    told = verdict_commitment(2, BOB.address, lab.id("run"), Verdict.REPRODUCED, lab.id(again), SALT)
    lab.names[told[2:]] = "<seal with evidence>"
    lab.do(BOB, "seal", 2, from_hex(told))
    about = (2, from_hex(lab.id("run")), int(Verdict.REPRODUCED))
    lab.do(BOB, "revealVerdictWithEvidence", *about, again.as_abi(), from_hex(SALT))


def verdicts(lab: RevmLab) -> None:
    """Verdicts that change, one on retracted evidence, and a foreign one that is withdrawn."""
    lab.do(CAROL, "createGroup", 7, bytes(32))
    run = from_hex(lab.id("run"))
    for verdict in (Verdict.DISPUTED, Verdict.REVIEWED):
        lab.do(CAROL, "attest", 3, run, int(verdict))
    review = file_of(lab, "review", group=3, author=CAROL.address)
    lab.record(review, CAROL)
    lab.do(CAROL, "attestWithEvidence", 3, run, int(Verdict.REVIEWED), review.as_abi())
    lab.do(CAROL, "retract", review.as_abi(), bytes(32))
    foreign = (1, "0x" + "99" * 20, b"\x88" * 32)
    lab.do(BOB, "attestForeign", 2, foreign, int(Verdict.REVIEWED))
    lab.do(BOB, "attestForeign", 2, foreign, int(Verdict.DISPUTED))


def lineages(lab: RevmLab) -> None:
    """Runs on runs, of which the first rests on what is retracted."""
    lab.record(file_of(lab, "wrong data"))
    lab.record(run_of(lab, "first", 11, {"wrong data": Relation.TRAINED_ON}))
    lab.record(run_of(lab, "second", 12, {"first": Relation.FINE_TUNED_FROM}))
    # that it reproduces a run says nothing of what it rests on; that it read its output does
    facts = {"inputs": (RunInput(record=lab.id("first"), relation=Relation.REPRODUCES, sha256="12" * 32),)}
    lab.record(run_of(lab, "reads it", 13, {"first": Relation.REPRODUCES}, **facts))
    lab.record(run_of(lab, "does not read it", 14, {"first": Relation.REPRODUCES}))
    lab.record(run_of(lab, "rests on who reads it", 15, {"reads it": Relation.USES}))
    lab.record(run_of(lab, "rests on who does not", 16, {"does not read it": Relation.USES}))
    lab.record(run_of(lab, "unread", 17, {"data": Relation.REPRODUCES}))
    lab.record(run_of(lab, "rests on what is unread", 18, {"unread": Relation.USES, "data": Relation.USES}))
    manifest = lab.folder / "objects" / lab.keys["unread"].manifest[:2] / lab.keys["unread"].manifest[2:]
    manifest.unlink()
    text = "r" * 500 + "s"
    for name, reason in (("wrong data", text[:500].encode()), ("long", text.encode()), ("bytes", b"\xff not text")):
        if name != "wrong data":
            lab.record(file_of(lab, name))
        lab.put(reason, f"<reason of {name}>")
        lab.do(ALICE, "retract", lab.keys[name].as_abi(), bytes.fromhex(digest_bytes(reason).sha256))
    for name, reason in (("too long", b"t" * ((64 << 10) + 1)), ("not here", b"n")):
        lab.record(file_of(lab, name))
        digest = lab.put(reason, f"<reason of {name}>")
        if name == "not here":
            (lab.folder / "objects" / digest[:2] / digest[2:]).unlink()
        lab.do(ALICE, "retract", lab.keys[name].as_abi(), bytes.fromhex(digest))


class Other(NamedTuple):
    lab: RevmLab
    stranger: Stranger


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Other]:
    lab = RevmLab(tmp_path_factory.mktemp("other"))
    lab.names |= {THROUGH[2:]: "FORWARDER"}
    lab.join(THROUGH, MEMBER)
    lab.node.place(THROUGH, FORWARDER)
    for key in (file_of(lab, "data"), run_of(lab, "run", 1)):
        lab.record(key)
    for part in (batches, seals, verdicts, lineages, groups):
        part(lab)
    lab.node.mine(3)
    with lab.node.serving() as url:
        yield Other(lab, Stranger(lab, url))


def test_every_transaction(other: Other, expected: Path) -> None:
    lab, stranger = other
    lines = []
    for each, transaction in lab.node.transactions.items():
        receipt = stranger.registry.chain.receipt(f"0x{each.hex()}")
        assert receipt is not None
        events = stranger.registry.events_of(receipt)
        if {event.name for event in events} <= {"Recorded", "OwnershipTransferred"}:
            continue
        checks = check_transaction(stranger.registry, f"0x{each.hex()}", receipt, events)
        lines += [f"block {transaction['blockNumber']}", lab.text(checks)]
        lines += [f"  PROVES {lab.text(sentence)}" for sentence in sentences_of(stranger.registry, checks)]
    expect(expected / "less usual, transactions.txt", "\n".join(lines))


def test_records(other: Other, expected: Path) -> None:
    lab, stranger = other
    names = ("ended 1", "counted 1", "sealed by a contract", "again", "run", "long", "bytes", "too long", "not here")
    told = [lab.text(stranger.verifier.hash(lab.id(name))) for name in names]
    for name in ("first", "second", "reads it", "does not read it", "rests on who reads it", "rests on who does not"):
        told += [name.upper(), lineage(other, name)]
    for name in ("unread", "rests on what is unread"):
        told += [name.upper(), lineage(other, name)]
    expect(expected / "less usual, records.txt", "\n".join(told))


def lineage(other: Other, name: str, **changed: Any) -> str:
    record = other.stranger.registry.find_record(other.lab.id(name))
    assert record is not None
    checks = other.stranger.verifier._checks
    return other.lab.text(list(checks._lineage(replace(record, **changed), checks.manifest(record)[0])))


def test_parents_are_recorded_and_earlier(other: Other) -> None:
    lab = other.lab
    first, position = lab.id("first"), other.stranger.registry.find_record(lab.id("first")).position  # type: ignore[union-attr]
    name = lab.text(first)
    earlier = "1 parent recorded, and earlier"
    for place, detail in (
        (position, earlier), (Position(position.block, 0, 1), earlier), (Position(position.block - 1, 9, 9),
         f"{name} is not earlier"), (Position(0, 0, 0), earlier),
    ):  # fmt: skip
        verdict = "PASS" if detail == earlier else "FAIL"
        assert lineage(other, "second", position=place).splitlines()[0] == f"  {verdict} parents: {detail}"
    none = ["0x" + "98" * 32, "0x" + "97" * 32]
    links = tuple(Link(parent, Relation.USES) for parent in none)
    key = replace(lab.keys["second"], parents=links)
    detail = f"{none[1]} is not recorded; {none[0]} is not recorded"
    assert lineage(other, "second", key=key).splitlines()[0] == f"  FAIL parents: {detail}"
    key = replace(lab.keys["second"], parents=(*links[:1], Link(lab.id("data"), Relation.USES)))
    assert lineage(other, "second", key=key).splitlines()[0] == f"  FAIL parents: {none[0]} is not recorded"
    twice = (Link(lab.id("data"), Relation.USES), Link(lab.id("data"), Relation.TRAINED_ON))
    key = replace(lab.keys["second"], parents=twice)
    assert lineage(other, "second", key=key).splitlines()[0] == f"  PASS parents: {earlier}"
    assert lineage(other, "data") == ""
    # only a run names in its manifest what it read
    for kind in Kind:
        rests = lineage(other, "unread", key=replace(lab.keys["unread"], kind=kind)).splitlines()[1]
        assert rests.startswith("  UNKNOWN" if kind is Kind.RUN else "  PASS"), kind


def test_when_a_run_began(other: Other, expected: Path) -> None:
    lab, stranger = other
    checks, told = stranger.verifier._checks, []
    right, head = block(lab, 7), lab.node.number - 1

    def look(what: str, committed: Commitment, stated: NotBefore | None, **more: Any) -> None:
        manifest = manifest_of(lab, stated, **more)
        told.append(f"{what.upper()}\n{lab.text(list(checks._not_before(committed, manifest)))}")

    def at(number: int, time: int = 0, root: str | None = None) -> Commitment:
        return Commitment(Position(number, 0, 0), None, "", time, root)

    look("in the block before", at(8), right)
    look("in the block before, of a batch", at(8, root="0x" + "11" * 32), right)
    look("in the very block", at(7), right)
    look("in the very block, of a batch", at(7, root="0x" + "11" * 32), right)
    look("in a later block", at(6), right)
    look("by the state, in the same second", at(0, int(right.timestamp)), right)
    look("by the state, before", at(0, int(right.timestamp) - 1), right)
    look("another hash", at(8), right.model_copy(update={"block_hash": "0x" + "ab" * 32}))
    look("a smaller hash", at(8), right.model_copy(update={"block_hash": "0x" + "00" * 32}))
    look("a larger hash", at(8), right.model_copy(update={"block_hash": "0x" + "ff" * 32}))
    look("another time", at(8), right.model_copy(update={"timestamp": str(int(right.timestamp) - 1)}))
    look("a later time", at(8), right.model_copy(update={"timestamp": str(int(right.timestamp) + 1)}))
    look("another chain", at(8), right.model_copy(update={"chain_id": "1"}))
    look("the newest block", at(head + 1), block(lab, head))
    look("a block to come", at(8), right.model_copy(update={"block_number": str(head + 1)}))
    look("none", at(8), None)
    lab.node.lie = lambda method, params, result: (
        None if method == "eth_getBlockByNumber" and params[0] == "0x7" else result
    )
    look("forgotten", at(8), right)
    lab.node.lie = lambda method, params, result: result
    expect(expected / "less usual, not before.txt", "\n".join(told))
    manifest, _ = checks.manifest(stranger.registry.find_record(lab.id("data")))  # type: ignore[arg-type]
    assert manifest is not None
    assert list(checks._not_before(at(8), manifest)) == []


def manifest_of(lab: RevmLab, stated: NotBefore | None, **more: Any) -> Any:
    """The manifest of a run that names a block from its start."""
    from blockchaintracer.core.manifest import Manifest, RunPredicate

    fields = {"run_id": "00000000-0000-4000-8000-000000000099", "name": "run", "status": "completed"} | more
    return Manifest.of(Kind.RUN, RunPredicate(not_before=stated, **fields))


def test_who_was_a_member_where(other: Other, expected: Path) -> None:
    lab, stranger = other
    told = []
    for who in (ALICE, BOB, CAROL, MALLORY):
        for number in (2, 3, *range(42, 55)):
            member = member_at(stranger.registry, 1, who.address, Position(number, 0, 0))
            time = lab.node.blocks[number]["timestamp"]
            problems = [member.problem(role, time) for role in Role]
            told.append(f"{who.name} in block {number}: {member.later or 'as it was'} {problems}")
    expect(expected / "less usual, members.txt", lab.text("\n".join(told)))


def test_verdicts(other: Other, expected: Path) -> None:
    lab, stranger = other
    told = []
    for name in ("run", "data"):
        status = stranger.registry.status(lab.id(name))
        told.append(lab.text(list(check_verdicts(stranger.registry, lab.id(name), status))))
        counts = (2, 2**22 - 2, 2**22 - 1)
        fields = [("reviewed", 0), *(("reviewed", count) for count in counts)]
        for field, count in [*fields, ("reproduced", 2), ("not_reproduced", 1), ("disputed", 1)]:
            changed = replace(status, **{field: count})
            checks = list(check_verdicts(stranger.registry, lab.id(name), changed))
            told.append(f"{field} {count}: {[check.detail for check in checks if check.name == 'verdict counts']}")
    expect(expected / "less usual, verdicts.txt", "\n".join(told))


def test_verdicts_that_were_forgotten(other: Other, monkeypatch: pytest.MonkeyPatch) -> None:
    lab, run = other.lab, other.lab.id("run")
    lab.node.lie = forgetting(lab.node.number - 1)
    registry = Stranger(lab, other.stranger.registry.chain.address).registry
    status = registry.status(run)
    gap = registry.history.gap
    of = "(state); who gave it, and on what evidence, is unknown"
    two, three = (
        Check(
            f"verdict of group {group}", Outcome.PASS, f"{verdict}, {at} UTC {of}: {gap}", {"verdict": verdict} | values
        )
        for group, verdict, at, values in (
            (2, "reproduced", "2025-06-15 15:09:40", {"attestedAt": START + 180, "sealedAt": START + 168}),
            (3, "reviewed", "2025-06-15 15:10:40", {"attestedAt": START + 240, "sealedAt": None}),
        )
    )
    counts = "the registry counts more (state) than the first {} groups gave: {}"
    reviewed, both = "reviewed: 1, not 0", "reviewed: 1, not 0; reproduced: 1, not 0"
    for most, expected in (
        (5000, [two, three]), (4, [two, three]), (3, [two, three]),
        (2, [two, Check("verdict counts", Outcome.UNKNOWN, counts.format(2, reviewed))]),
        (1, [Check("verdict counts", Outcome.UNKNOWN, counts.format(1, both))]),
    ):  # fmt: skip
        monkeypatch.setattr(verdict_checks, "_MOST_GROUPS", most)
        assert list(check_verdicts(registry, run, status)) == expected
    more = "the registry counts otherwise than its events tell: disputed: 1, not 0"
    monkeypatch.setattr(verdict_checks, "_MOST_GROUPS", 5000)
    told = list(check_verdicts(registry, run, replace(status, disputed=1)))
    assert told == [two, three, Check("verdict counts", Outcome.FAIL, more)]
    lab.node.lie = lambda method, params, result: result


def test_places_tell_which_was_first(other: Other, expected: Path) -> None:
    verifier, ids = other.stranger.verifier, ["0x" + "0a" * 32, "0x" + "0b" * 32]
    told = []
    places = [(5, 0, 1), (5, 1, 0), (7, 0, 0), (0, 0, 0)]
    for one in places:
        for another in places:
            for times in ((100, 100), (100, 140), (140, 100)):
                given = zip((one, another), times, strict=True)
                commitments = [Commitment(Position(*place), None, "", time) for place, time in given]
                check = verifier._order(ids, *commitments)
                told.append(f"{one} {another} {times}: {check.verdict} {check.detail} {check.values}")
    same = [Commitment(Position(5, 0, 0), None, "", 100, "0x" + "11" * 32)] * 2
    told.append(str(verifier._order(ids, *same)))
    told.append(str(verifier._order(ids[:1] * 2, *same)))
    expect(expected / "less usual, order.txt", "\n".join(told).replace(ids[0], "A").replace(ids[1], "B"))


def test_what_is_proven_by_which_checks(other: Other) -> None:
    lab, stranger = other
    checks, record = stranger.verifier._checks, stranger.registry.find_record(lab.id("data"))
    assert record is not None
    seen = replace(record, time=START, stored=stranger.registry.status(record.id))
    names = ("recorded", "id", "status", "time", "author", "role")
    passed = [Check(name, Outcome.PASS, name) for name in names]
    where = f"{seen.subject_type} {seen.subject}, at 2025-06-15 15:06:40 UTC"
    start = f"{seen.author}, for group 1, committed to dataset, {where}"
    plain = f"{start}, in block {seen.block} of chain 31337."
    assert checks._proven(seen, passed) == [plain]
    named = replace(seen, key=replace(seen.key, subject_type=SubjectType.IDENTIFIER))
    assert f"committed to dataset, identifier with SHA-256 {seen.subject}, at" in checks._proven(named, passed)[0]
    assert checks._proven(replace(seen, name="x"), passed) == [plain.replace("dataset,", "dataset 'x',")]
    for name in names:
        others = [check for check in passed if check.name != name]
        for instead in ([], [Check(name, Outcome.FAIL, "")], [Check(name, Outcome.UNKNOWN, "")]):
            assert checks._proven(seen, [*others, *instead]) == []
    # what the node has forgotten, the registry's code has checked
    forgotten = [Check("recorded", Outcome.PASS, "", {"forgotten": True}), *passed[1:4]]
    by_state = f"{start}, by the state of the registry {stranger.registry.address} of chain 31337."
    for author in Outcome:
        for role in Outcome:
            told = checks._proven(seen, [*forgotten, Check("author", author, ""), Check("role", role, "")])
            assert told == ([] if Outcome.FAIL in (author, role) else [by_state])
    assert checks._proven(seen, [*forgotten, Check("author", Outcome.UNKNOWN, "")]) == []
    assert checks._proven(seen, [*passed[:3], Check("time", Outcome.UNKNOWN, "", {"forgotten": True})]) == []
    # what else fails is told, and takes nothing of this back
    for name in ("agreement", "content", "finality", "lineage", "retraction", "verdict of group 9"):
        assert checks._proven(seen, [*passed, Check(name, Outcome.FAIL, "")]) == [plain]
    # a batch
    batched = replace(seen, batch="0x" + "11" * 32)
    in_batch = f"{start}, in the batch {batched.batch} of chain 31337."
    assert checks._proven(batched, passed) == []
    assert checks._proven(batched, [*passed, Check("batch", Outcome.UNKNOWN, "")]) == []
    assert checks._proven(batched, [*passed, Check("batch", Outcome.PASS, "")]) == [in_batch]
    unknown = [*forgotten, *passed[4:], Check("batch", Outcome.UNKNOWN, "")]
    assert checks._proven(batched, unknown) == [in_batch]
    alone = replace(batched, stored=None)
    assert alone.status == "batched"
    of_batch = [Check(name, Outcome.PASS, "") for name in ("id", "batch", "time", "author", "role")]
    known = "It is not stored: it is known by its key and its Merkle path alone."
    assert checks._proven(alone, of_batch) == [in_batch, known]
    for check in of_batch:
        assert checks._proven(alone, [each for each in of_batch if each is not check]) == []
    # a stolen key, the time of its start, its seal and its verdicts
    for verdict in Outcome:
        told = checks._proven(seen, [*passed, Check("key", verdict, "")])
        assert told == ([] if verdict is Outcome.FAIL else [plain])
    since = Check("not-before", Outcome.PASS, "", {"time": START - 60, "block": 1})
    older = "; its manifest is not older than 2025-06-15 15:05:40 UTC."
    assert checks._proven(seen, [*passed, since]) == [plain[:-1] + older]
    assert checks._proven(seen, [*passed, replace(since, values={})]) == [plain]
    seal = [Check("seal", verdict, f"sealed {verdict}") for verdict in Outcome]
    given = [Check("verdict of group 2", verdict, f"{verdict}ed", {"attester": "0xB0B"}) for verdict in Outcome]
    more = [*seal, *given, replace(given[0], values={}), Check("verdict counts", Outcome.PASS, "")]
    attested = "Verdict of group 2: passed."
    assert checks._proven(seen, [*passed, *more]) == [plain, "It was sealed pass.", attested]


def test_a_file_that_nobody_recorded_is_like_others(other: Other, tmp_path: Path) -> None:
    lab, stranger = other
    (tmp_path / "data").write_text("a copy")
    records = {name: stranger.registry.find_record(lab.id(name)) for name in ("data", "run", "again", "long")}
    same, changed = (Check("content x", verdict, "detail") for verdict in (Outcome.PASS, Outcome.FAIL))
    unknown = replace(changed, verdict=Outcome.UNKNOWN)

    def told(similar: dict[str, list[Check]], groups: Any = ()) -> tuple[str, list[tuple[str, str]], list[str]]:
        alike = [Similar(records[name], checks) for name, checks in similar.items()]  # type: ignore[arg-type]
        verifier = Verifier(stranger.registry, stranger.copies, lambda shown: alike)
        report = verifier.path(tmp_path / "data", groups=groups)
        lines = [(check.name, lab.text(check.record or "")) for check in report.checks if check.name in names]
        return str(report.conclusion), lines, [lab.text(each.id) for each in report.records]

    names = ("records", "content x", "recorded", "alike")
    none = ("recorded", "")
    assert told({}) == ("not verified", [none], [])
    assert told({"data": [changed], "run": [changed, changed]}) == (
        "not verified",
        [none, ("alike", "<data>"), ("content x", "<data>")],
        [],
    )
    assert told({"data": [unknown, same], "run": [changed]}) == (
        "not verified",
        [none, ("alike", "<data>"), ("content x", "<data>"), ("content x", "<data>"), ("alike", "<run>"),
         ("content x", "<run>")],
        [],
    )  # fmt: skip
    assert told({"data": [changed], "run": [changed]}, (2,)) == ("not verified", [none], [])
    assert told({"again": [changed], "run": [changed]}, (2,))[1] == [
        none,
        ("alike", "<again>"),
        ("content x", "<again>"),
    ]
    outcome, lines, seen = told({"data": [same], "run": [changed], "long": [same, same]})
    assert (lines[:4], seen) == (
        [("records", ""), ("content x", "<data>"), *[("content x", "<long>")] * 2],
        ["<data>", "<long>"],
    )
    assert outcome == "not verified", "one of them is retracted"
    assert told({"data": [same]})[0] == "verified"
    many = {name: [changed] for name in records}
    alike = [Similar(record, [changed]) for record in records.values() if record] * 2
    verifier = Verifier(stranger.registry, stranger.copies, lambda shown: alike)
    report = verifier.path(tmp_path / "data")
    assert [check.name for check in report.checks].count("alike") == 5
    assert len(many) == 4
    detail = f"it is like dataset {lab.id('data')} of group 1 by {records['data'].author}, but not the same:"  # type: ignore[union-attr]
    assert report.checks[1] == Check("alike", Outcome.FAIL, detail, record=lab.id("data"))
    digest = digest_bytes(b"a copy").sha256
    what = f"record of {tmp_path / 'data'}, whose digest is {digest}"
    assert report.checks[0].detail.endswith(f" has no {what}")
    assert report.checks[0].values == {"sha256": digest}
    of_groups = verifier.path(tmp_path / "data", groups=(4, 5)).checks
    assert of_groups[0].detail.endswith(f" has no {what.replace('record', 'record of group 4, 5', 1)}")


def test_what_a_stolen_key_signed_proves_nothing(tmp_path: Path, expected: Path) -> None:
    """On a chain of a network that is known, before and after the second from which on the key was in other hands."""
    lab = RevmLab(tmp_path / "published", 84532)
    lab.join(BOB, int(Role.MAINTAINER | Role.RECORDER))
    lab.record(file_of(lab, "theirs", group=2, author=BOB.address), BOB)
    tree = MerkleTree([lab.id(file_of(lab, f"batched {number}")) for number in (1, 2)])
    seals = ["0x" + "71" * 32, "0x" + "72" * 32]
    lab.names |= {tree.root[2:]: "<root>", seals[0][2:]: "<early seal>", seals[1][2:]: "<late seal>"}
    lab.do(ALICE, "seal", 1, from_hex(seals[0]))
    since = START + 12 * lab.node.number
    lab.do(ALICE, "seal", 1, from_hex(seals[1]))
    lab.do(ALICE, "anchor", 1, from_hex(tree.root), 2, bytes(32))
    attested = lab.do(ALICE, "attest", 1, from_hex(lab.id("theirs")), int(Verdict.REVIEWED))
    lab.record(statement_on_a_key(lab, "stolen", since=since, author=BOB.address), BOB)
    lab.node.mine(3)
    with lab.node.serving() as url:
        verifier = Stranger(lab, url).verifier
        told = [lab.text(verifier.hash(each)) for each in (*seals, tree.root, lab.id("theirs"))]
        told.append(lab.text(verifier.transaction(attested)))
        told.append(lab.text(verifier.batched(lab.keys["batched 1"], tree.root, tree.proof(lab.id("batched 1")))))
        told.append(lab.text(verifier.before(lab.id("theirs"), lab.id("stolen"))))
        one = eip712_id(lab, "theirs")
        assert lab.text(verifier.hash(one)) == told[3]
        with pytest.raises(InputError, match="expected a record id of registry"):
            verifier.hash(one.replace(":84532:", ":1:"))
    expect(expected / "less usual, a stolen key.txt", "\n".join(told))


def eip712_id(lab: RevmLab, name: str) -> str:
    """The id of a record with its chain and registry."""
    return str(GlobalId(lab.node.chain.chain_id, lab.registry.address, lab.id(name)))


def test_a_folder_and_its_listing_have_one_digest(tmp_path: Path) -> None:
    lab, folder, listing = RevmLab(tmp_path / "published"), tmp_path / "folder", tmp_path / "SHA256SUMS"
    folder.mkdir()
    (folder / "a").write_text("a")
    digest = digest_folder(folder)
    listing.write_bytes(digest.listing)
    cid = {"cid": digest_bytes(b"").cid, "cid_profile": digest_bytes(b"").cid_profile}
    of_folder = ContentPredicate(subject_type="folder", size=1, file_count=1, **cid)
    of_file = ContentPredicate(subject_type="file", size=len(digest.listing), **cid)
    with lab.node.serving() as url:
        told = []
        for name, predicate in (("folder", of_folder), ("listing", of_file)):
            lab.record(lab.key(name, predicate, digest.sha256))
            verifier = Stranger(lab, url).verifier
            told += [[lab.text(it.id) for it in verifier.path(path).records] for path in (folder, listing)]
        assert told == [["<folder>"], [], ["<folder>"], ["<listing>"]]
        records = [lab.text(record.id) for record in verifier.hash(digest.sha256).records]
        assert records == ["<folder>", "<listing>"]


def test_transactions_that_are_none_of_the_registrys(tmp_path: Path, expected: Path) -> None:
    lab = RevmLab(tmp_path)
    silent, low, high = "0x" + "f3" * 20, "0x" + "01" * 20, "0x" + "fe" * 20
    lab.names |= {silent[2:]: "SILENT", low[2:]: "LOW", high[2:]: "HIGH"}
    lens = lab.node.deploy(CAROL, "RegistryLens")
    lab.names[lens.address[2:]] = "LENS"
    lab.node.place(silent, bytes.fromhex("5f5fa000"))
    topic = next(key for key, entry in lab.interface._events.items() if entry["name"] == "Recorded")
    for address in (low, high):
        lab.node.place(address, IMPOSTOR)
        lab.node.send(MALLORY, address, topic + bytes(64))
        lab.node.send(MALLORY, address, bytes(96))
    lab.node.send(MALLORY, silent, b"")
    with lab.node.serving() as url:
        verifier = Stranger(lab, url).verifier
        told = [lab.text(verifier.transaction(f"0x{each.hex()}")) for each in list(lab.node.transactions)[3:]]
    expect(expected / "less usual, of others.txt", "\n".join(told))
