"""The factory by itself: one address for the same settings whoever sends them, and nothing else is genuine."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak

from blockchaintracer.core.chain.abi import load_artifact
from tests.model.registry import Refused
from tests.support.actors import Actor
from tests.support.artifacts import artifact
from tests.support.evm import Chain, Contract

OWNER, ATTACKER = Actor.named("owner"), Actor.named("attacker")
ZERO = "0x" + "00" * 20
SALT = b"\x05" * 32
CODE_LIMIT = 24_576
"""EIP-170"""
INIT_CODE_LIMIT = 2 * CODE_LIMIT
"""EIP-3860"""


def create2(factory: str, owner: str, is_open: bool, salt: bytes) -> str:
    """EIP-1014, from the compiler's output alone."""
    code = artifact("LabRegistry").bytecode + encode(["address", "bool"], [owner, is_open])
    return "0x" + keccak(b"\xff" + bytes.fromhex(factory[2:]) + salt + keccak(code))[12:].hex()


def code_of(chain: Chain, address: str) -> bytes:
    """The code at an address, without the 33 bytes of STOP that revm appends to run it."""
    code = bytes(chain.evm.get_code(address) or b"")
    return code.removesuffix(bytes(33)) if len(code) > 33 else b""


@pytest.fixture
def factory() -> Contract:
    return Chain().deploy("LabRegistryFactory")


def deploy(factory: Contract, by: str, owner: str, is_open: bool = False, salt: bytes = SALT) -> Contract:
    address, _ = factory.send(by, "deploy", owner, is_open, salt)
    return factory.chain.at("LabRegistry", address)


@pytest.mark.parametrize("is_open", [False, True])
def test_a_registry_is_where_eip_1014_says_and_is_as_it_was_asked_for(factory: Contract, is_open: bool) -> None:
    expected = create2(factory.address, OWNER.address, is_open, SALT)
    assert factory.read("addressOf", OWNER.address, is_open, SALT) == expected
    assert not factory.read("isGenuine", expected)
    address, [event] = factory.send(ATTACKER.address, "deploy", OWNER.address, is_open, SALT)
    assert address == expected
    assert event.name == "RegistryDeployed"
    assert event.arguments == (expected, OWNER.address, is_open, SALT)
    registry = factory.chain.at("LabRegistry", address)
    assert registry.read("owner") == OWNER.address
    assert registry.read("openGroupCreation") == is_open
    assert factory.read("isGenuine", address)


def test_the_code_is_the_same_as_of_a_registry_deployed_by_itself(factory: Contract) -> None:
    made = code_of(factory.chain, deploy(factory, OWNER.address, OWNER.address).address)
    plain = code_of(factory.chain, factory.chain.deploy("LabRegistry", OWNER.address, False).address)
    # they differ where the address and the two domain separators stand, and nowhere else
    assert len(made) == len(plain) == len(artifact("LabRegistry").runtime)
    immutables = load_artifact()["immutables"]
    sizes = {"_cachedThis": 20, "_cachedDomainSeparator": 32, "_idDomain": 32}
    places = [size * len(immutables[name]) for name, size in sizes.items()]
    assert sum(one != other for one, other in zip(made, plain, strict=True)) <= sum(places)


def test_an_attacker_who_is_first_gets_another_address_or_deploys_for_the_owner(factory: Contract) -> None:
    theirs = deploy(factory, ATTACKER.address, ATTACKER.address)
    same = deploy(factory, ATTACKER.address, OWNER.address)
    assert theirs.address != same.address
    again, events = factory.send(OWNER.address, "deploy", OWNER.address, False, SALT)
    assert (again, events) == (same.address, []), "the owner's own deployment must not fail, nor tell of another"
    same.send(OWNER.address, "announceSuccessor", 1, ATTACKER.address)
    with pytest.raises(Refused, match="OwnableUnauthorizedAccount"):
        same.send(ATTACKER.address, "announceSuccessor", 1, ATTACKER.address)


def test_a_registry_that_has_been_used_and_handed_on_is_still_the_answer(factory: Contract) -> None:
    registry = deploy(factory, OWNER.address, OWNER.address)
    registry.send(OWNER.address, "transferOwnership", ATTACKER.address)
    registry.send(ATTACKER.address, "acceptOwnership")
    registry.send(ATTACKER.address, "createGroup", 7, b"\x01" * 32)
    assert deploy(factory, OWNER.address, OWNER.address).address == registry.address
    assert registry.read("owner") == ATTACKER.address
    assert factory.read("isGenuine", registry.address), "it says nothing about the owner"


def test_every_part_of_the_settings_is_in_the_address(factory: Contract) -> None:
    settings = [
        (owner, is_open, bytes([salt]) * 32)
        for owner in (OWNER.address, ATTACKER.address)
        for is_open in (False, True)
        for salt in (0, 1, 255)
    ]
    made = [deploy(factory, OWNER.address, *one).address for one in settings]
    assert len(set(made)) == len(settings)
    assert made == [create2(factory.address, *one) for one in settings]


def test_nothing_else_is_genuine(factory: Contract) -> None:
    chain = factory.chain
    registry = deploy(factory, OWNER.address, OWNER.address)
    other = chain.deploy("LabRegistryFactory")
    code = code_of(chain, registry.address)
    # PUSH2 size, DUP1, PUSH1 10, PUSH0, CODECOPY, PUSH0, RETURN: whatever follows becomes the code
    look_alike = chain.evm.deploy(
        ATTACKER.address, b"\x61%b\x80\x60\x0a\x5f\x39\x5f\xf3" % len(code).to_bytes(2) + code
    )
    assert code_of(chain, look_alike) == code
    others = {
        "an account": OWNER.address,
        "nobody": ZERO,
        "the factory": factory.address,
        "half of its creation code": factory.read("creationCode")[0],
        "the other half": factory.read("creationCode")[1],
        "a registry made elsewhere": chain.deploy("LabRegistry", OWNER.address, False).address,
        "another factory's": deploy(other, OWNER.address, OWNER.address).address,
        "the same code at another address": look_alike,
        "one that is not there yet": factory.read("addressOf", OWNER.address, True, SALT),
    }
    assert {what for what, address in others.items() if factory.read("isGenuine", address)} == set()
    assert factory.read("isGenuine", registry.address)
    assert other.read("isGenuine", others["another factory's"])


def test_nobody_owns_nothing(factory: Contract) -> None:
    with pytest.raises(Refused) as refused:
        factory.send(OWNER.address, "deploy", ZERO, True, SALT)
    assert refused.value.args == Refused("OwnableInvalidOwner", ZERO).args
    assert not factory.read("isGenuine", factory.read("addressOf", ZERO, True, SALT))


@pytest.mark.parametrize(
    ("word", "value"), [(0, b"\x01" + bytes(11) + b"\xaa" * 20), (1, (2).to_bytes(32)), (1, b"\x80" + bytes(31))]
)
@pytest.mark.parametrize("function", ["deploy", "addressOf"])
def test_one_setting_has_one_encoding(factory: Contract, function: str, word: int, value: bytes) -> None:
    data = factory.interface.encode_call(function, "0x" + "aa" * 20, True, SALT)
    start = 4 + 32 * word
    with pytest.raises(Refused) as refused:
        factory.send_raw(OWNER.address, data[:start] + value + data[start + 32 :])
    assert refused.value.args == Refused("").args


def test_creation_code_is_data_that_nobody_can_run_or_change(factory: Contract) -> None:
    evm, halves, kept = factory.chain.evm, factory.read("creationCode"), b""
    for number, address in enumerate(halves, start=1):
        # RLP of [factory, number]: the first and the second contract that it created
        rlp = b"\xd6\x94" + bytes.fromhex(factory.address[2:]) + bytes([number])
        assert address == "0x" + keccak(rlp)[12:].hex()
        code = code_of(factory.chain, address)
        assert code[0] == 0
        kept += code[1:]
        for data in (b"", b"\xff" * 4, artifact("LabRegistry").bytecode[:64]):
            assert evm.message_call(ATTACKER.address, address, data) == b""
        assert code_of(factory.chain, address) == code
    assert kept == artifact("LabRegistry").bytecode


def test_all_stays_below_the_limits_of_every_chain() -> None:
    registry, factory = artifact("LabRegistry"), artifact("LabRegistryFactory")
    sizes = {
        "registry": len(registry.runtime),
        "factory": len(factory.runtime),
        "the larger half of the registry's creation code, with its STOP": 1 + (len(registry.bytecode) + 1) // 2,
        "the bounty": len(artifact("ReplicationBounty").runtime),
        "the resolver": len(artifact("RecordResolver").runtime),
    }
    assert {what: size for what, size in sizes.items() if size > CODE_LIMIT} == {}
    arguments = 64
    sizes = {"registry": len(registry.bytecode) + arguments, "factory": len(factory.bytecode)}
    assert {what: size for what, size in sizes.items() if size > INIT_CODE_LIMIT} == {}


def test_the_factory_takes_no_argument_and_no_money() -> None:
    abi = artifact("LabRegistryFactory").abi
    assert [entry for entry in abi if entry["type"] == "constructor" and entry["inputs"]] == []
    assert [entry for entry in abi if entry.get("stateMutability") == "payable"] == []
    changing = [
        entry["name"] for entry in abi if entry["type"] == "function" and entry["stateMutability"] == "nonpayable"
    ]
    assert changing == ["deploy"], "nobody has any other power"


def test_too_little_gas_leaves_nothing_behind(factory: Contract) -> None:
    evm, data = factory.chain.evm, factory.interface.encode_call("deploy", OWNER.address, True, SALT)
    outcomes = set()
    for gas in (100_000, 500_000, 2_000_000, 4_000_000):
        try:
            evm.message_call(OWNER.address, factory.address, data, gas=gas)
        except RuntimeError as error:
            outcomes.add(str(error).split(" ")[0])
    assert outcomes <= {"Halt", "Revert"}
    address = factory.read("addressOf", OWNER.address, True, SALT)
    assert not factory.read("isGenuine", address)
    assert code_of(factory.chain, address) == b""
    assert deploy(factory, OWNER.address, OWNER.address, True).address == address
