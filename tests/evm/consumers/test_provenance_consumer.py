"""What a contract learns from its registry through ProvenanceConsumer, and what it refuses to be told."""

from __future__ import annotations

import pytest
from eth_hash.auto import keccak

from tests.findings.conftest import refusal
from tests.model.eip712 import Key
from tests.model.registry import CANCELLED, DISPUTED, NOT_REPRODUCED, REPRODUCED, RETRACTED, UNKNOWN
from tests.support.artifacts import artifact
from tests.support.evm import Chain, Contract
from tests.support.market import AUTHOR, BOB, DAVE, ERIN, OWN_GROUP, REPRODUCERS, RESULT, STRANGER, Market, run_by

CONSUMERS = ("ReplicationBounty", "RecordResolver", "Asker")
CODE_SIZE_LIMIT, INITCODE_SIZE_LIMIT = 24_576, 49_152
INCOMPLETE, FOREIGN, RETRACTED_PATH = 2, 1, 3
DERIVED_FROM = 4
REFERENCE = 10


@pytest.fixture
def asker(market: Market) -> Contract:
    return market.chain.deploy("Asker", market.registry.address)


def attest(market: Market, group: int, verdict: int, record: bytes | None = None) -> Key:
    """The group's verdict, on a Run of its own."""
    record = record or market.record
    reviewer = REPRODUCERS[group].address
    run = run_by(group, reviewer, record, keccak(b"run of %d" % group))
    market.registry.send(reviewer, "record", run)
    market.registry.send(reviewer, "attestWithEvidence", group, record, verdict, run)
    return run


def store_verdict(market: Market, group: int, verdict: int) -> None:
    """Writes a verdict into the registry's storage that the registry itself would refuse."""
    slot = artifact("LabRegistry").slots["_attestations"].to_bytes(32, "big")
    at = keccak(group.to_bytes(32, "big") + keccak(market.record + slot))
    market.registry.store(int.from_bytes(at), verdict | 1 << 224)


# the registry


def test_the_registry_is_pinned(market: Market, asker: Contract) -> None:
    assert asker.read("registry") == market.registry.address


@pytest.mark.parametrize("candidate", ["nothing", "another contract", "one that supports something else"])
@pytest.mark.parametrize("consumer", CONSUMERS)
def test_what_is_no_registry_is_refused(consumer: str, candidate: str) -> None:
    chain = Chain()
    address = {
        "nothing": STRANGER.address,
        "another contract": chain.deploy("Token").address,
        "one that supports something else": chain.deploy("OtherERC165").address,
    }[candidate]
    arguments = (address, address) if consumer == "RecordResolver" else (address,)
    with pytest.raises(RuntimeError) as failed:
        chain.deploy(consumer, *arguments)
    selector = keccak(b"NotALabRegistry(address)")[:4].hex()
    assert f"{selector}{address[2:]:0>64}" in str(failed.value)


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_a_later_registry_with_more_functions_will_do(market: Market, consumer: str) -> None:
    """Only the interfaces that a consumer calls are asked for, each by itself."""
    chain = market.chain
    later = chain.deploy("LaterRegistry", market.registry.address)
    arguments = (later.address, later.address) if consumer == "RecordResolver" else (later.address,)
    made = chain.deploy(consumer, *arguments)
    assert made.read("registry") == later.address
    if consumer == "Asker":
        assert made.read("recorded", RESULT) == market.record


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_consumers_fit_into_a_contract(consumer: str) -> None:
    compiled = artifact(consumer)
    assert 0 < len(compiled.runtime) <= CODE_SIZE_LIMIT
    assert len(compiled.bytecode) <= INITCODE_SIZE_LIMIT


# recorded


def test_a_record_that_stands(market: Market, asker: Contract) -> None:
    assert asker.read("recorded", RESULT) == market.record


def test_a_record_that_does_not_stand(market: Market, asker: Contract) -> None:
    other = RESULT._replace(subject=b"\x09" * 32)
    other_id = market.domain.record_id(other)

    def status() -> object:
        return refusal(lambda: asker.send(STRANGER.address, "recorded", other))

    assert status() == ("RecordNotStanding", (other_id, UNKNOWN))
    market.registry.send(AUTHOR.address, "cancel", other)
    assert status() == ("RecordNotStanding", (other_id, CANCELLED))
    market.registry.send(AUTHOR.address, "record", other)
    assert asker.send(STRANGER.address, "recorded", other)[0] == other_id
    market.registry.send(AUTHOR.address, "retract", other, bytes(32))
    assert status() == ("RecordNotStanding", (other_id, RETRACTED))


# reproduced


def test_named_groups_that_reproduced_it_are_counted(market: Market, asker: Contract) -> None:
    attest(market, 2, REPRODUCED)
    attest(market, 3, NOT_REPRODUCED)
    market.registry.send(ERIN.address, "attest", 4, market.record, DISPUTED)
    assert asker.read("reproducedBy", RESULT, (2, 3, 4), 1) == market.record
    too_few = ("TooFewReproductions", (market.record, 1, 2))
    assert refusal(lambda: asker.read("reproducedBy", RESULT, (2, 3, 4), 2)) == too_few
    attest(market, 4, REPRODUCED)
    assert asker.read("reproducedBy", RESULT, (2, 3, 4), 2) == market.record


def test_groups_that_were_not_named_do_not_count(market: Market, asker: Contract) -> None:
    attest(market, 2, REPRODUCED)
    assert refusal(lambda: asker.read("reproducedBy", RESULT, (3, 4), 1))[1] == (market.record, 0, 1)
    assert refusal(lambda: asker.read("reproducedBy", RESULT, (), 1))[1] == (market.record, 0, 1)


@pytest.mark.parametrize("groups", [(2, 2), (2, 3, 2), (3, 2, 4, 2, 2)])
def test_a_group_named_twice_counts_once(market: Market, asker: Contract, groups: tuple[int, ...]) -> None:
    attest(market, 2, REPRODUCED)
    assert asker.read("reproducedBy", RESULT, groups, 1) == market.record
    assert refusal(lambda: asker.read("reproducedBy", RESULT, groups, 2))[1] == (market.record, 1, 2)


def test_the_records_own_group_never_counts(market: Market, asker: Contract) -> None:
    """Not even if a registry had let it attest."""
    attest(market, 2, REPRODUCED)
    store_verdict(market, OWN_GROUP, REPRODUCED)
    assert market.registry.send(STRANGER.address, "verdictOf", OWN_GROUP, market.record)[0][0] == REPRODUCED
    assert refusal(lambda: asker.read("reproducedBy", RESULT, (OWN_GROUP, 2), 2))[1] == (market.record, 1, 2)


def test_asking_for_nothing_is_refused(market: Market, asker: Contract) -> None:
    assert refusal(lambda: asker.read("reproducedBy", RESULT, (2,), 0)) == ("NoMinimum", ())


def test_a_retracted_record_is_not_reproduced(market: Market, asker: Contract) -> None:
    attest(market, 2, REPRODUCED)
    market.registry.send(AUTHOR.address, "retract", RESULT, bytes(32))
    assert refusal(lambda: asker.read("reproducedBy", RESULT, (2,), 1))[0] == "RecordNotStanding"


def test_a_verdict_falls_with_its_evidence(market: Market, asker: Contract) -> None:
    run = attest(market, 2, REPRODUCED)
    assert asker.read("reproducedBy", RESULT, (2,), 1) == market.record
    market.registry.send(BOB.address, "retract", run, bytes(32))
    assert refusal(lambda: asker.send(STRANGER.address, "reproducedBy", RESULT, (2,), 1))[0] == "TooFewReproductions"


# batched

BATCHED = RESULT._replace(subject=b"\x0b" * 32)


def anchored(market: Market, group: int = OWN_GROUP, by: str = AUTHOR.address) -> tuple[bytes, tuple[bytes, ...]]:
    """A batch of BATCHED and one more, anchored for this group by this account: its root, and the path of BATCHED."""
    batched = market.domain.record_id(BATCHED)
    other = market.domain.record_id(BATCHED._replace(subject=b"\x0c" * 32))
    root, _ = market.registry.send(by, "anchorLeaves", group, sorted((batched, other)))
    return root, (keccak(keccak(other)),)


def test_a_batched_record_is_known_without_being_stored(market: Market, asker: Contract) -> None:
    root, proof = anchored(market)
    at = market.chain.now
    market.chain.now += 50
    expected = (market.domain.record_id(BATCHED), at)
    assert asker.read("batched", BATCHED, root, proof) == expected
    market.registry.send(STRANGER.address, "materialize", BATCHED, root, proof)
    assert asker.send(STRANGER.address, "batched", BATCHED, root, proof)[0] == expected


def test_a_record_in_somebody_elses_batch_is_nobodys_word(market: Market, asker: Contract) -> None:
    """Dave puts the author's record into a batch of his; asked by the key, it is in none."""
    root, proof = anchored(market, group=3, by=DAVE.address)
    batched = market.domain.record_id(BATCHED)
    assert market.registry.read("batchedAt", 3, DAVE.address, batched, root, proof) == (market.chain.now, 0)
    assert refusal(lambda: asker.read("batched", BATCHED, root, proof)) == ("NotBatched", (batched, root))


def test_a_path_that_leads_elsewhere(market: Market, asker: Contract) -> None:
    root, proof = anchored(market)
    for key, path in ((BATCHED, ()), (BATCHED, (b"\1" * 32,)), (RESULT, proof)):
        record = market.domain.record_id(key)
        assert refusal(lambda key=key, path=path: asker.read("batched", key, root, path)) == (
            "NotBatched",
            (record, root),
        )


@pytest.mark.parametrize("stored_first", [False, True])
def test_who_takes_a_batched_record_back_is_heard(market: Market, asker: Contract, stored_first: bool) -> None:
    root, proof = anchored(market)
    if stored_first:
        market.registry.send(STRANGER.address, "materialize", BATCHED, root, proof)
        market.registry.send(AUTHOR.address, "retract", BATCHED, bytes(32))
    else:
        market.registry.send(AUTHOR.address, "cancel", BATCHED)
    status = RETRACTED if stored_first else CANCELLED
    expected = ("RecordNotStanding", (market.domain.record_id(BATCHED), status))
    assert refusal(lambda: asker.read("batched", BATCHED, root, proof)) == expected


# lineage


def test_a_clean_lineage_is_that_of_the_last_key(market: Market, asker: Contract) -> None:
    child = RESULT._replace(subject=b"\x0d" * 32, parents=((market.record, DERIVED_FROM),))
    child_id, _ = market.registry.send(AUTHOR.address, "record", child)
    assert asker.read("cleanLineage", (RESULT, child), (0,)) == child_id
    assert asker.read("cleanLineage", (RESULT,), ()) == market.record


def test_a_lineage_that_is_not_clean(market: Market, asker: Contract) -> None:
    child = RESULT._replace(subject=b"\x0d" * 32, parents=((market.record, DERIVED_FROM),))
    child_id, _ = market.registry.send(AUTHOR.address, "record", child)
    reference = RESULT._replace(kind=REFERENCE)
    reference_id, _ = market.registry.send(AUTHOR.address, "record", reference)

    def lineage(*path: Key) -> object:
        places = [0 for key in path for _ in key.parents]
        return refusal(lambda: asker.send(STRANGER.address, "cleanLineage", path, places))

    assert lineage() == ("LineageNotClean", (INCOMPLETE, bytes(32)))
    assert lineage(child) == ("LineageNotClean", (INCOMPLETE, child_id))
    assert lineage(reference) == ("LineageNotClean", (FOREIGN, reference_id))
    market.registry.send(AUTHOR.address, "retract", RESULT, bytes(32))
    assert lineage(RESULT, child) == ("LineageNotClean", (RETRACTED_PATH, market.record))
