"""The proof of a batched record: it reads back, and each field of it is bound."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blockchaintracer.core.errors import BlockchainTracerError, InputError, NotVerified
from blockchaintracer.core.merkle import MerkleTree
from blockchaintracer.core.record import Domain, Kind, Link, RecordKey, Relation, SubjectType
from blockchaintracer.core.record_key_file import Proof
from tests.support.mutations import changes

DOMAIN = Domain(5, "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB")
KEYS = [
    RecordKey(
        7,
        "0x" + "cd" * 20,
        SubjectType.FILE,
        f"{count:064x}",
        Kind.RUN,
        "ee" * 32,
        (Link("11" * 32, Relation.DERIVED_FROM),),
    )
    for count in range(3)
]
TREE = MerkleTree([DOMAIN.record_id(key) for key in KEYS])
PROOF = Proof(5, DOMAIN.registry, KEYS[1], TREE.root, tuple(TREE.proof(DOMAIN.record_id(KEYS[1]))))


def test_it_reads_back_and_holds(tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    file.write_text(json.dumps(PROOF.as_json()))
    read = Proof.read_file(file)
    assert (read.chain_id, read.key, read.root, read.path) == (5, KEYS[1], TREE.root, PROOF.path)
    assert read.registry == DOMAIN.registry
    assert read.holds
    assert read.id == DOMAIN.record_id(KEYS[1])
    assert read.as_json() == Proof.parse(file.read_bytes(), "again").as_json()


def test_each_change_of_a_field_is_refused() -> None:
    plain = Proof.parse(json.dumps(PROOF.as_json()).encode(), "x").as_json()
    refused = 0
    for name, changed in changes(plain):
        data = json.dumps(changed).encode()
        if changed != plain:
            with pytest.raises(BlockchainTracerError):
                raise AssertionError(f"{name} was taken: {Proof.parse(data, 'x')}")
            refused += 1
    assert refused > 100


def test_a_path_that_leads_elsewhere_does_not_hold() -> None:
    assert PROOF.holds
    assert not Proof(5, DOMAIN.registry, KEYS[0], TREE.root, PROOF.path).holds
    assert not Proof(5, DOMAIN.registry, KEYS[1], TREE.root, PROOF.path[:-1]).holds
    assert not Proof(6, DOMAIN.registry, KEYS[1], TREE.root, PROOF.path).holds
    with pytest.raises(BlockchainTracerError, match=r"doesn't lead|not lead"):
        Proof.parse(json.dumps(Proof(6, PROOF.registry, KEYS[1], TREE.root, PROOF.path).as_json()).encode(), "x")


def test_it_is_of_one_registry_on_one_chain() -> None:
    assert PROOF.require(Domain(5, DOMAIN.registry.lower())) is PROOF
    for other in (Domain(6, DOMAIN.registry), Domain(5, "0x" + "ac" * 20), Domain(4, "0x" + "aa" * 20)):
        with pytest.raises(NotVerified, match="not for"):
            PROOF.require(other)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing"):
        Proof.read_file(tmp_path / "nothing")
    for data in (b"", b"[]", b"{}", b"null", b"\xff", json.dumps({**PROOF.as_json(), "tree": "another"}).encode()):
        with pytest.raises(BlockchainTracerError, match="this file"):
            Proof.parse(data, "this file")
