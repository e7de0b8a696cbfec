"""RecordResolver behind the real Ethereum Attestation Service, from the bytecode of its npm package."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak

from benchmarks.peers import install, read_package
from tests.findings.conftest import refusal
from tests.model.registry import CANCELLED, NOBODY, RETRACTED, UNKNOWN, Refused
from tests.support.artifacts import artifact
from tests.support.evm import DEPLOYER, Contract, Interface
from tests.support.market import AUTHOR, BOB, RESULT, RICH, STRANGER, Market

SCHEMA = "bytes32 record,uint8 grade"
ZERO = bytes(32)


class Service:
    """EAS and its SchemaRegistry, with one schema that the resolver guards."""

    def __init__(self, market: Market) -> None:
        install()
        self.market = market
        self.schemas = self._deploy("SchemaRegistry", b"")
        self.eas = self._deploy("EAS", encode(["address"], [self.schemas.address]))
        self.resolver = market.chain.deploy("RecordResolver", market.registry.address, self.eas.address)
        self.schema, _ = self.schemas.send(BOB.address, "register", SCHEMA, self.resolver.address, True)

    def _deploy(self, name: str, arguments: bytes) -> Contract:
        path = f"@ethereum-attestation-service/eas-contracts/artifacts/contracts/{name}.sol/{name}.json"
        compiled = read_package(path)
        code = bytes.fromhex(compiled["bytecode"].removeprefix("0x"))
        address = self.market.chain.evm.deploy(DEPLOYER, code + arguments).lower()
        # EAS passes a resolver's errors on
        errors = [entry for entry in artifact("RecordResolver").abi if entry["type"] == "error"]
        return Contract(self.market.chain, Interface(compiled["abi"] + errors), address)

    def request(self, record: bytes, value: int = 0) -> tuple[Any, ...]:
        return (NOBODY, 0, True, ZERO, encode(["bytes32", "uint8"], [record, 5]), value)

    def attest(self, record: bytes) -> bytes:
        return self.eas.send(BOB.address, "attest", (self.schema, self.request(record)))[0]

    def attest_many(self, *records: bytes) -> tuple[bytes, ...]:
        requests = [self.request(record) for record in records]
        return self.eas.send(BOB.address, "multiAttest", [(self.schema, requests)])[0]


@pytest.fixture
def service(market: Market) -> Service:
    return Service(market)


def states(market: Market) -> dict[int, bytes]:
    """A record that is unknown, one cancelled and one retracted."""
    keys = {state: RESULT._replace(subject=bytes([state + 50]) * 32) for state in (UNKNOWN, CANCELLED, RETRACTED)}
    market.registry.send(AUTHOR.address, "cancel", keys[CANCELLED])
    market.registry.send(AUTHOR.address, "record", keys[RETRACTED])
    market.registry.send(AUTHOR.address, "retract", keys[RETRACTED], ZERO)
    return {state: market.domain.record_id(key) for state, key in keys.items()}


def test_eas_is_the_real_one(service: Service) -> None:
    assert service.eas.read("version") == service.schemas.read("version") == "1.4.0"
    assert service.eas.read("getSchemaRegistry") == service.schemas.address
    assert service.resolver.read("eas") == service.eas.address
    assert service.schemas.read("getSchema", service.schema)[1] == service.resolver.address


def test_a_standing_record_is_attested(service: Service, market: Market) -> None:
    uid = service.attest(market.record)
    attestation = service.eas.read("getAttestation", uid)
    assert attestation[0] == uid
    assert attestation[-1][:32] == market.record


@pytest.mark.parametrize("state", [UNKNOWN, CANCELLED, RETRACTED])
def test_a_record_that_does_not_stand_is_refused(service: Service, market: Market, state: int) -> None:
    record = states(market)[state]
    expected = ("RecordNotStanding", (record, state))
    assert refusal(lambda: service.attest(record)) == expected
    assert refusal(lambda: service.attest_many(market.record, record)) == expected
    assert refusal(lambda: service.attest_many(record)) == expected


def test_many_are_attested_at_once(service: Service, market: Market) -> None:
    second, _ = market.registry.send(AUTHOR.address, "record", RESULT._replace(subject=b"\x09" * 32))
    uids = service.attest_many(market.record, second, market.record)
    assert len(set(uids)) == 3
    assert [service.eas.read("getAttestation", uid)[-1][:32] for uid in uids] == [market.record, second, market.record]


def test_what_was_attested_can_be_revoked(service: Service, market: Market) -> None:
    """Also after the record was retracted: whoever vouched for it takes that back."""
    uids = [service.attest(market.record), *service.attest_many(market.record, market.record)]
    market.registry.send(AUTHOR.address, "retract", RESULT, ZERO)
    service.eas.send(BOB.address, "revoke", (service.schema, (uids[0], 0)))
    service.eas.send(BOB.address, "multiRevoke", [(service.schema, [(uid, 0) for uid in uids[1:]])])
    assert all(service.eas.read("getAttestation", uid)[4] == market.chain.now for uid in uids)


@pytest.mark.parametrize("length", [0, 31])
def test_data_without_a_record_are_refused(service: Service, market: Market, length: int) -> None:
    request = (NOBODY, 0, True, ZERO, market.record[:length], 0)
    attest = (service.schema, request)
    assert refusal(lambda: service.eas.send(BOB.address, "attest", attest)) == ("RecordMissing", (length,))


def test_the_id_alone_is_enough(service: Service, market: Market) -> None:
    request = (NOBODY, 0, True, ZERO, market.record, 0)
    assert service.eas.send(BOB.address, "attest", (service.schema, request))


def test_payments_are_refused(service: Service, market: Market) -> None:
    market.chain.evm.set_balance(BOB.address, RICH)
    assert service.resolver.read("isPayable") is False
    request = service.request(market.record, value=7)

    def paid(function: str, argument: object) -> object:
        market.chain.value = 7
        return refusal(lambda: service.eas.send(BOB.address, function, argument))

    assert paid("attest", (service.schema, request)) == ("NotPayable", ())
    assert paid("multiAttest", [(service.schema, [request, service.request(market.record)])]) == ("NotPayable", ())
    for data in (b"", service.resolver.interface.encode_call("isPayable")):
        market.chain.value = 7
        with pytest.raises(Refused):
            service.resolver.send_raw(BOB.address, data)
    assert market.ether(service.resolver.address) == 0


def test_only_eas_may_ask(service: Service, market: Market) -> None:
    attestation = (ZERO, ZERO, 0, 0, 0, ZERO, NOBODY, BOB.address, True, market.record)
    for function, arguments in {
        "attest": (attestation,),
        "multiAttest": ((attestation,), (0,)),
        "revoke": (attestation,),
        "multiRevoke": ((attestation,), (0,)),
    }.items():
        call = service.resolver.interface.encode_call(function, *arguments)
        assert refusal(lambda call=call: service.resolver.send_raw(BOB.address, call)) == ("NotEAS", (BOB.address,))


def test_eas_is_a_contract(market: Market) -> None:
    with pytest.raises(RuntimeError) as failed:
        market.chain.deploy("RecordResolver", market.registry.address, STRANGER.address)
    assert keccak(b"NoEAS(address)")[:4].hex() in str(failed.value)
