"""What is said of bundles that fit together: by blocks that are trusted, and by a node, which has them or has not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrevm
import pytest
import rfc8785

from blockchaintracer.core.chain import Chain
from blockchaintracer.core.chain.known_code import registry_code
from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable, InputError
from blockchaintracer.core.record import Status, checksummed
from blockchaintracer.core.storage_layout import CANCELLED, batch_slot, record_slot
from blockchaintracer.core.trust import Checkpoint, Trust
from blockchaintracer.core.verify.bundle import BundleRefused, ProvenBundle, read_bundle
from blockchaintracer.core.verify.outcomes import Conclusion
from blockchaintracer.core.verify.standing import BundleReport, stand
from tests.support.evm import START
from tests.support.forged_bundles import AUTHOR, Forged, blocks_of
from tests.support.revm_lab import expect
from tests.support.revm_node import REFUSED, RevmNode

CHAIN, NUMBER = 31337, 5
ROUND: dict[str, Any] = {"chain_id": CHAIN, "number": NUMBER, "time": START + 12 * NUMBER, "word": 0}
Change = Callable[["Place"], None]


class Place:
    """A node whose chain has the blocks and the state of a bundle."""

    def __init__(self, forged: Forged) -> None:
        self.forged, self.node = forged, RevmNode(CHAIN)
        self.data = forged.data()
        self.bundle = read_bundle(self.data)
        self.node.mine(9)
        for block in self.bundle.blocks:
            self.node.blocks[block.number]["hash"] = bytes.fromhex(block.hash[2:])
        registry = self.bundle.registry
        code = registry_code(CHAIN, registry, True) if forged.code is None else forged.code
        self.node.place(registry, code)
        self.node.codes[registry] = [(0, code)]
        for record in self.bundle.records:
            word = 2 << 160 if forged.cancelled else 0 if forged.batched else self.word
            self.store(record_slot(record.id), word)
            if record.batch:
                self.store(batch_slot(7, AUTHOR, record.batch.root), forged.time | forged.count << 40)

    @property
    def word(self) -> int:
        return self.forged.time | 7 << 120 | 1 << 152 | self.forged.word

    def store(self, slot: bytes, word: int) -> None:
        self.node.chain.evm.insert_account_storage(self.bundle.registry, int.from_bytes(slot), word)

    def store_records(self, word: int) -> None:
        for record in self.bundle.records:
            self.store(record_slot(record.id), word)


def without(method: str, *which: str, answer: Any = REFUSED) -> Change:
    """A node that refuses a method, for some first parameters."""

    def change(place: Place) -> None:
        def lie(its: str, params: list[Any], true: Any) -> Any:
            return answer if its == method and (not which or params[0] in which) else true

        place.node.lie = lie

    return change


def other_block(place: Place) -> None:
    place.node.blocks[NUMBER]["hash"] = b"\x07" * 32


def not_final(behind: int | None) -> Change:
    return lambda place: setattr(place.node, "behind", behind)


def short(place: Place) -> None:
    del place.node.blocks[NUMBER + 1 :]


def today(change: Callable[[int], int]) -> Change:
    return lambda place: place.store_records(change(place.word))


def batch_at(later: int) -> Change:
    def change(place: Place) -> None:
        for record in place.bundle.records:
            assert record.batch
            place.store(batch_slot(7, AUTHOR, record.batch.root), (place.forged.time + later) | 1 << 40)

    return change


def other_code(place: Place) -> None:
    info = pyrevm.AccountInfo(code=b"\x60\x00")
    place.node.chain.evm.insert_account_info(place.bundle.registry, info)
    place.node.codes[place.bundle.registry] = [(0, b"\x60\x00")]


def forgotten(place: Place) -> None:
    numbers = [hex(block.number) for block in place.bundle.blocks]
    without("eth_getBlockByNumber", *numbers)(place)


def forgotten_and(change: Change) -> Change:
    def both(place: Place) -> None:
        change(place)
        forgotten(place)

    return both


def nothing(place: Place) -> None:
    pass


NODE: dict[str, tuple[dict[str, Any], Change]] = {
    "has it": ({}, nothing),
    "has three": ({"count": 3}, nothing),
    "has a batch": ({"batched": True, "count": 2}, nothing),
    "has what is cancelled": ({"batched": True, "cancelled": True}, nothing),
    "has a registry that anybody made": ({"is_genuine": False}, nothing),
    "has unknown fields": ({"fields": 8, "more_fields": [b"\x01"]}, nothing),
    "has another block": ({}, other_block),
    "has no such block": ({}, short),
    "has it not final": ({}, not_final(4)),
    "has it just final": ({}, not_final(3)),
    "says nothing of final": ({}, not_final(None)),
    "refuses all": ({}, without("eth_getBlockByNumber")),
    "refuses calls": ({}, without("eth_call")),
    "has no contract any more": ({}, lambda place: place.node.codes.pop(place.bundle.registry) and None),
    "has forgotten the blocks": ({}, forgotten),
    "has forgotten one block": ({}, without("eth_getBlockByNumber", hex(NUMBER), answer=None)),
    "has forgotten and has other code": ({}, forgotten_and(other_code)),
    "has forgotten and refuses calls": ({}, forgotten_and(lambda place: setattr(place.node, "_eth_call", None))),
    "has other code": ({}, other_code),
    "has it retracted": ({}, today(lambda word: word | (START + 80) << 40)),
    "has it with counts": ({}, today(lambda word: word | 3 << 190 | 2 << 212)),
    "has no such record": ({}, today(lambda word: 0)),
    "has it of a later time": ({}, today(lambda word: word + 1)),
    "has it of an earlier time": ({}, today(lambda word: word - 1)),
    "has it of another group": ({}, today(lambda word: word ^ 15 << 120)),
    "has it of another kind": ({}, today(lambda word: word ^ 3 << 152)),
    "has it sealed": ({}, today(lambda word: word | (START + 1) << 80)),
    "has it not retracted any more": ({"word": (START + 66) << 40}, today(lambda word: word & ~(2**40 - 1 << 40))),
    "has it retracted as then": ({"word": (START + 66) << 40}, nothing),
    "has the batch of a later time": ({"batched": True}, batch_at(1)),
    "has the batch of an earlier time": ({"batched": True}, batch_at(-1)),
    "has it stored since": ({"batched": True}, today(lambda word: word | 1 << 160)),
    "has it cancelled since": ({"batched": True}, today(lambda word: CANCELLED)),
}


def text(bundle: ProvenBundle, report: BundleReport) -> str:
    """What is said, with names for hashes and ids."""
    as_of = report.as_of
    lines = [f"{report.conclusion}, verified {report.verified}, private {report.private}, code {report.code}"]
    lines.append(f"as of {as_of.number if as_of else None}, forgotten {len(report.forgotten)}, since {report.since}")
    told = report.as_json()
    lines += [f"{it['verdict']} {it['name']} of {it['record']}: {it['detail']}" for it in told["checks"]]
    lines += [f"today {record_id}: {now}" for record_id, now in told["today"].items()]
    said = "\n".join(lines)
    for block in bundle.blocks:
        said = said.replace(block.hash, f"(block {block.number})")
    for number, record in enumerate(bundle.records):
        said = said.replace(record.id, f"(record {number})")
        said = said.replace(record.batch.root, "(its root)") if record.batch else said
    said = said.replace(checksummed(bundle.registry), "REGISTRY").replace(bundle.registry, "REGISTRY")
    return said.replace(bundle.code_hash, "(its code)")


def told_by(name: str) -> str:
    kind, change = NODE[name]
    place = Place(Forged(**{**ROUND, **kind}))
    change(place)
    with place.node.serving() as url:

        def connect() -> Chain:
            chain = Chain.connect(url)
            chain.node.address = "the node"
            return chain

        report = stand(place.bundle, Trust(chain_id=CHAIN), connect)
    # the words of a failed connection are the connection's
    lines = text(place.bundle, report).splitlines()
    return "\n".join(line.partition(":")[0] if "did not answer" in line else line for line in lines)


def test_what_a_node_tells(expected: Path) -> None:
    told = [f"A NODE {name.upper()}\n{told_by(name)}\n" for name in NODE]
    expect(expected / "bundles and nodes.txt", "\n".join(told))


def points(bundle: ProvenBundle) -> list[Checkpoint]:
    return [Checkpoint(bundle.chain_id, block.number, block.hash) for block in bundle.blocks]


def choices(bundle: ProvenBundle) -> dict[str, Trust | None]:
    blocks, right = tuple(block.hash for block in bundle.blocks), points(bundle)
    wrong = [right[0], right[1]._replace(hash=right[0].hash)]
    registry, other = bundle.registry, "0x" + "11" * 20
    return {
        "nothing": None,
        "its blocks": Trust(blocks=blocks),
        "one block": Trust(blocks=blocks[:1]),
        "its checkpoints": Trust(checkpoints=tuple(right)),
        "one checkpoint": Trust(checkpoints=tuple(right[1:])),
        "checkpoints of another chain": Trust(checkpoints=tuple(it._replace(chain_id=7) for it in right)),
        "another checkpoint": Trust(checkpoints=tuple(wrong)),
        "its chain": Trust(chain_id=bundle.chain_id),
        "another chain": Trust(chain_id=7, blocks=blocks),
        "its registry": Trust(registry=registry, blocks=blocks),
        "its registry and chain": Trust(registry=registry, chain_id=bundle.chain_id, blocks=blocks),
        "its registry and checkpoints": Trust(registry=registry, checkpoints=tuple(right)),
        "another registry": Trust(registry=other, blocks=blocks),
        "its group": Trust(groups=(3, 7), blocks=blocks),
        "other groups": Trust(groups=(3, 8), blocks=blocks),
    }


TRUSTED: dict[str, dict[str, Any]] = {
    "a bundle": {},
    "a bundle of two": {"count": 2, "number": 18_000_000},
    "a registry that anybody made": {"is_genuine": False},
    "a registry of unknown code": {"is_genuine": False, "code": b"evil"},
}


def test_what_is_trusted(expected: Path) -> None:
    told = []
    for name, kind in TRUSTED.items():
        bundle = read_bundle(Forged(**{**ROUND, **kind}).data())
        for who, trust in choices(bundle).items():
            told.append(f"{name.upper()}, TRUST IN {who.upper()}\n{text(bundle, stand(bundle, trust))}\n")
    expect(expected / "bundles and trust.txt", "\n".join(told))


def test_the_settings_that_made_a_registry_are_those_of_its_address() -> None:
    plain = Forged(**ROUND)
    for field, value in (("owner", "0x" + "78" * 20), ("salt", "0x" + "ab" * 32), ("openGroupCreation", False)):
        document = plain.plain()
        document["deployment"][field] = value
        with pytest.raises(BundleRefused, match="deployment"):
            stand(read_bundle(rfc8785.dumps(document)))


def test_a_file_is_compared_with_each_record(tmp_path: Path) -> None:
    bundle = read_bundle(Forged(**ROUND, count=2).data())
    trust = Trust(blocks=tuple(block.hash for block in bundle.blocks))
    (tmp_path / "other").write_text("another")
    report = stand(bundle, trust, files=[tmp_path / "other"])
    assert [check.record for check in report.checks if check.name.startswith("content")]
    assert report.conclusion is Conclusion.NOT_VERIFIED
    with pytest.raises(InputError, match="missing"):
        stand(bundle, trust, files=[tmp_path / "missing"])


def test_a_chain_that_is_private_is_said_to_be() -> None:
    for chain_id, private in ((77787, True), (1, False), (CHAIN, False)):
        forged = Forged(**{**ROUND, "chain_id": chain_id})
        report = stand(read_bundle(forged.data()), Trust(blocks=blocks_of(forged.data())))
        assert report.private is private
        assert report.as_json()["privateTestChain"] is private


def test_without_a_node_nothing_is_said_of_today() -> None:
    def connect() -> Chain:
        raise ChainUnavailable("no node answers")

    bundle = read_bundle(Forged(**ROUND).data())
    report = stand(bundle, Trust(chain_id=CHAIN), connect)
    assert (report.conclusion, report.verified, report.today) == (Conclusion.UNAVAILABLE, None, {})
    blocks = tuple(block.hash for block in bundle.blocks)
    report = stand(bundle, Trust(chain_id=CHAIN, blocks=blocks), connect)
    assert report.conclusion is Conclusion.VERIFIED or report.conclusion is Conclusion.UNAVAILABLE
    assert Status.RECORDED is bundle.records[0].status
    assert issubclass(BundleRefused, BlockchainTracerError)
