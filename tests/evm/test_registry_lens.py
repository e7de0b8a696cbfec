"""The Lens gives the answers of the single calls, whatever else it is asked and whoever answers."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_hash.auto import keccak
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.evm.consumers.test_provenance_consumer import DERIVED_FROM, attest
from tests.model.eip712 import Key
from tests.model.registry import DISPUTED, REPRODUCED
from tests.support.artifacts import artifact
from tests.support.evm import DEPLOYER, Chain, Contract, abi_type, interface_of
from tests.support.market import AUTHOR, BOB, DAVE, ERIN, OWN_GROUP, RESULT, STRANGER, Market

NO_CONTRACT, REFUSED, MALFORMED, READ = range(4)
PASS, GIVE, THROW, BOMB, REVERT_BOMB, EAT, WRITE, NOTHING = range(8)
CODE_SIZE_LIMIT = 24_576
CALL_GAS = 30_000_000
"""what a node gives a call: less than geth's 50,000,000"""
ENUMS = {"Status": 3, "Verdict": 4, "Lineage": 3}
QUESTIONS = ("statusOf", "verdictOf", "batchOf", "lineageStatus", "membershipOf")


class Scene:
    """A registry with a bit of everything, a Lens, and a contract that passes for the registry."""

    def __init__(self) -> None:
        self.market = market = Market()
        self.chain, self.registry = market.chain, market.registry
        child = RESULT._replace(subject=b"\x0d" * 32, parents=((market.record, DERIVED_FROM),))
        child_id, _ = self.registry.send(AUTHOR.address, "record", child)
        gone = RESULT._replace(subject=b"\x0e" * 32)
        gone_id, _ = self.registry.send(AUTHOR.address, "record", gone)
        self.registry.send(AUTHOR.address, "retract", gone, bytes(32))
        attest(market, 2, REPRODUCED)
        self.registry.send(DAVE.address, "attest", 3, child_id, DISPUTED)
        root, _ = self.registry.send(AUTHOR.address, "anchorLeaves", OWN_GROUP, sorted([b"\1" * 32, b"\2" * 32]))
        declared = keccak(b"declared")
        self.registry.send(AUTHOR.address, "anchor", OWN_GROUP, declared, 7, bytes(32))
        self.registry.send(AUTHOR.address, "removeMember", OWN_GROUP, AUTHOR.address)
        self.ids = [market.record, child_id, gone_id, b"\x99" * 32, bytes(32)]
        self.groups = [0, 1, 2, 3, 4, 5, 2**32 - 1]
        self.batches = [
            (group, author.address, root_)
            for group in (OWN_GROUP, 2)
            for author in (AUTHOR, STRANGER)
            for root_ in (root, declared, bytes(32))
        ]
        self.paths: list[tuple[tuple[Key, ...], tuple[int, ...]]] = [
            ((), ()),
            ((RESULT,), ()),
            ((RESULT, child), (0,)),
            ((gone,), ()),
            ((child,), ()),
            ((RESULT, child), (2**256 - 1,)),
        ]
        self.accounts = [actor.address for actor in (AUTHOR, BOB, DAVE, ERIN, STRANGER)]
        self.lens = self.chain.deploy("RegistryLens")
        self.hostile = self.chain.deploy("HostileRegistry", self.registry.address)

    def questions(self) -> tuple[Any, ...]:
        """All there are, as `ask` takes them."""
        return (self.ids, self.groups, self.ids, self.batches, self.paths, self.groups, self.accounts)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


def lens_read(lens: Contract, function: str, *arguments: Any, gas: int = CALL_GAS) -> Any:
    """The answer, with as much gas as a node gives."""
    data = lens.interface.encode_call(function, *arguments)
    answer = lens.chain.evm.message_call(DEPLOYER, lens.address, data, gas=gas, is_static=True)
    return lens.interface.decode_result(data[:4], answer)


def single(registry: Contract, function: str, *arguments: Any) -> Any:
    answer = registry.read(function, *arguments)
    return answer if isinstance(answer, tuple) else (answer,)


def singles(registry: Contract, questions: tuple[Any, ...]) -> tuple[Any, ...]:
    """What `ask` answers, by single calls."""
    ids, groups, judged, batches, paths, member_of, accounts = questions
    return (
        tuple((READ, single(registry, "statusOf", id_)) for id_ in ids),
        tuple(tuple((READ, single(registry, "verdictOf", group, id_)) for id_ in judged) for group in groups),
        tuple((READ, *single(registry, "batchOf", *batch)) for batch in batches),
        tuple((READ, *single(registry, "lineageStatus", *path)) for path in paths),
        tuple(tuple((READ, single(registry, "membershipOf", group, it)) for it in accounts) for group in member_of),
    )


def readings(answers: tuple[Any, ...]) -> set[int]:
    statuses, verdicts, batches, lineages, memberships = answers
    parts = (statuses, *verdicts, batches, lineages, *memberships)
    return {answer[0] for part in parts for answer in part}


# the same as the single calls


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_all_answers_are_those_of_the_single_calls(scene: Scene, data: st.DataObject) -> None:
    def some(pool: list[Any]) -> st.SearchStrategy[list[Any]]:
        return st.lists(st.sampled_from(pool), max_size=6)

    pools = (scene.ids, scene.groups, scene.ids, scene.batches, scene.paths, scene.groups, scene.accounts)
    questions = ids, groups, judged, batches, paths, member_of, accounts = tuple(data.draw(some(it)) for it in pools)
    expected = singles(scene.registry, questions)
    address = scene.registry.address
    assert lens_read(scene.lens, "ask", address, questions) == expected
    assert lens_read(scene.lens, "statusesOf", address, ids) == expected[0]
    assert lens_read(scene.lens, "verdictsOf", address, groups, judged) == expected[1]
    assert lens_read(scene.lens, "batchesOf", address, batches) == expected[2]
    assert lens_read(scene.lens, "lineagesOf", address, paths) == expected[3]
    assert lens_read(scene.lens, "membershipsOf", address, member_of, accounts) == expected[4]


def test_the_scene_has_something_of_everything(scene: Scene) -> None:
    statuses, verdicts, batches, lineages, memberships = singles(scene.registry, scene.questions())
    assert {status[2] for _, status in statuses} == {0, 2, 3}
    assert {verdict[0] for row in verdicts for _, verdict in row} == {0, REPRODUCED, DISPUTED}
    assert {counted for _, time, _, counted, _ in batches if time} == {True, False}
    assert {lineage for _, lineage, _ in lineages} == {0, 2, 3}
    assert len({membership for row in memberships for _, membership in row}) > 2


def test_five_hundred_records_fit_into_one_call(scene: Scene) -> None:
    ids = [keccak(bytes([i % 256, i // 256])) for i in range(499)] + [scene.ids[0]]
    answers = lens_read(scene.lens, "statusesOf", scene.registry.address, ids)
    assert len(answers) == 500
    assert {reading for reading, _ in answers} == {READ}
    assert answers[-1] == (READ, single(scene.registry, "statusOf", scene.ids[0]))


# nothing there, or something else


@pytest.mark.parametrize("what", ["an account", "nobody", "a precompile"])
def test_where_no_contract_is_nothing_is_read(scene: Scene, what: str) -> None:
    address = {"an account": STRANGER.address, "nobody": "0x" + "77" * 20, "a precompile": "0x" + "00" * 19 + "04"}[
        what
    ]
    answers = lens_read(scene.lens, "ask", address, scene.questions())
    assert readings(answers) == {NO_CONTRACT}
    assert not any(any(status[1:]) for _, status in answers[0])


@pytest.mark.parametrize("name", ["Token", "RegistryLens", "OtherERC165"])
def test_another_contract_is_refused_and_not_misread(scene: Scene, name: str) -> None:
    other = scene.chain.deploy(name)
    assert readings(lens_read(scene.lens, "ask", other.address, scene.questions())) <= {REFUSED, MALFORMED}


@pytest.mark.parametrize("missing", QUESTIONS)
def test_a_registry_without_one_function_answers_the_others(scene: Scene, missing: str) -> None:
    hostile = scene.chain.deploy("HostileRegistry", scene.registry.address)
    tell(hostile, selector(missing), THROW)
    expected = singles(scene.registry, scene.questions())
    answers = lens_read(scene.lens, "ask", hostile.address, scene.questions())
    for i, (name, answer) in enumerate(zip(QUESTIONS, answers, strict=True)):
        if name == missing:
            assert {it[0] for row in answer for it in (row if i in (1, 4) else [row])} == {REFUSED}
        else:
            assert answer == expected[i]


# a hostile registry


def selector(function: str) -> bytes:
    return next(data for (name, _), (data, _) in interface_of("LabRegistry")._calls.items() if name == function)


def tell(hostile: Contract, question: bytes, way: int, data: bytes = b"") -> None:
    hostile.send(STRANGER.address, "told", question, way, data)


@pytest.mark.parametrize("way", [THROW, BOMB, REVERT_BOMB, EAT, WRITE, NOTHING])
@pytest.mark.parametrize("which", [0, 2, 4])
def test_one_hostile_answer_spoils_no_other(scene: Scene, way: int, which: int) -> None:
    hostile = scene.chain.deploy("HostileRegistry", scene.registry.address)
    tell(hostile, scene.registry.interface.encode_call("statusOf", scene.ids[which]), way)
    expected = list(singles(scene.registry, scene.questions()))
    answers = lens_read(scene.lens, "ask", hostile.address, scene.questions())
    assert answers[0][which][0] in (REFUSED, MALFORMED)
    assert not any(answers[0][which][1])
    assert answers[0][:which] + answers[0][which + 1 :] == expected[0][:which] + expected[0][which + 1 :]
    assert answers[1:] == tuple(expected[1:])


@pytest.mark.parametrize("way", [THROW, BOMB, REVERT_BOMB, EAT, WRITE, NOTHING])
@pytest.mark.parametrize("gas", [3_000_000, CALL_GAS])
def test_where_every_answer_is_hostile_the_call_still_returns(scene: Scene, way: int, gas: int) -> None:
    hostile = scene.chain.deploy("HostileRegistry", scene.registry.address)
    for function in QUESTIONS:
        tell(hostile, selector(function), way)
    answers = lens_read(scene.lens, "ask", hostile.address, scene.questions(), gas=gas)
    assert readings(answers) <= {REFUSED, MALFORMED}


def test_a_registry_that_wastes_its_share_leaves_the_others_theirs(scene: Scene) -> None:
    """The last of 500 is read although all before ate whatever they got."""
    hostile = scene.chain.deploy("HostileRegistry", scene.registry.address)
    ids = [bytes([i % 256, i // 256]) + bytes(30) for i in range(499)] + [scene.ids[0]]
    for id_ in ids[:-1]:
        tell(hostile, scene.registry.interface.encode_call("statusOf", id_), EAT)
    answers = lens_read(scene.lens, "statusesOf", hostile.address, ids)
    assert {reading for reading, _ in answers[:-1]} == {REFUSED}
    assert answers[-1] == (READ, single(scene.registry, "statusOf", scene.ids[0]))


def returned_by(function: str) -> tuple[list[str], list[int | None]]:
    """The words that a function returns, by the ABI: their types, and the largest value of those that are enums."""
    [entry] = [entry for entry in artifact("LabRegistry").abi if entry.get("name") == function]
    outputs = entry["outputs"]
    fields = outputs[0].get("components") or outputs
    enums = [field["internalType"].rpartition(".")[2] for field in fields]
    return [abi_type(field) for field in fields], [ENUMS.get(name) for name in enums]


def strictly(function: str, data: bytes) -> tuple[Any, ...] | None:
    """The answer as a strict decoder reads it, or None."""
    types, enums = returned_by(function)
    try:
        values = decode(types, data, strict=True)
    except (DecodingError, OverflowError):
        return None
    fits = all(largest is None or value <= largest for value, largest in zip(values, enums, strict=True))
    return values if fits and len(data) == 32 * len(types) else None


words = st.one_of(
    st.integers(0, 8), st.sampled_from([8, 32, 40, 48, 136]).flatmap(lambda bits: st.integers(2**bits - 1, 2**bits))
).map(lambda value: value.to_bytes(32)) | st.binary(min_size=32, max_size=32)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(QUESTIONS), st.lists(words, max_size=12), st.binary(max_size=2))
@example("verdictOf", [(5).to_bytes(32)] + [bytes(32)] * 4, b"")
@example("statusOf", [bytes(32)] * 2 + [(4).to_bytes(32)] + [bytes(32)] * 8, b"")
@example("lineageStatus", [(4).to_bytes(32), b"\xff" * 32], b"")
@example("batchOf", [bytes(32)] * 2 + [(2).to_bytes(32)], b"")
def test_only_a_well_formed_answer_is_read(scene: Scene, function: str, parts: list[bytes], more: bytes) -> None:
    size = len(returned_by(function)[0])
    # most have the right size: else hardly any would be looked at
    data = b"".join((parts + [bytes(32)] * size)[:size] if len(parts) < 11 else parts) + more
    tell(scene.hostile, selector(function), GIVE, data)
    address = scene.hostile.address
    ask = lambda name, *arguments: lens_read(scene.lens, name, address, *arguments)  # noqa: E731
    answer = {
        "statusOf": lambda: ask("statusesOf", [bytes(32)])[0],
        "verdictOf": lambda: ask("verdictsOf", [1], [bytes(32)])[0][0],
        "batchOf": lambda: flat(ask("batchesOf", scene.batches[:1])[0]),
        "lineageStatus": lambda: flat(ask("lineagesOf", scene.paths[:1])[0]),
        "membershipOf": lambda: ask("membershipsOf", [1], [AUTHOR.address])[0][0],
    }[function]()
    expected = strictly(function, data)
    assert answer[0] == (MALFORMED if expected is None else READ)
    assert answer[1] == expected if expected else not any(any(v) if isinstance(v, bytes) else v for v in answer[1])


def flat(answer: tuple[Any, ...]) -> tuple[int, tuple[Any, ...]]:
    return answer[0], answer[1:]


def test_every_size_but_the_right_one_is_malformed(scene: Scene) -> None:
    for size in (0, 1, 31, 32, 351, 353, 384):
        tell(scene.hostile, selector("statusOf"), GIVE, bytes(size))
        [(reading, status)] = lens_read(scene.lens, "statusesOf", scene.hostile.address, [bytes(32)])
        assert (reading, any(status)) == (MALFORMED, False)


# itself


def test_it_has_no_storage_owner_or_argument() -> None:
    compiled = artifact("RegistryLens")
    assert compiled.slots == {}
    assert {entry["stateMutability"] for entry in compiled.abi if entry["type"] == "function"} <= {"view", "pure"}
    assert {entry["type"] for entry in compiled.abi} == {"function"}
    assert 0 < len(compiled.runtime) <= CODE_SIZE_LIMIT


def test_it_says_what_it_is() -> None:
    lens = Chain().deploy("RegistryLens")
    functions = [entry for entry in artifact("IRegistryLens").abi if entry["type"] == "function"]
    own = 0
    for entry in functions:
        own ^= int.from_bytes(keccak(f"{entry['name']}({','.join(map(abi_type, entry['inputs']))})".encode())[:4])
    ids = {"own": own.to_bytes(4), "ERC-165": bytes.fromhex("01ffc9a7"), "none": b"\xff" * 4}
    assert {name: lens.read("supportsInterface", id_) for name, id_ in ids.items()} == {
        "own": True,
        "ERC-165": True,
        "none": False,
    }
    assert lens.read("version") == 1
