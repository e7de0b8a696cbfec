"""The client asks a RegistryLens where the chain has one, and says the same without it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from web3 import HTTPProvider

from blockchaintracer.core.chain import Chain, Registry, lens
from blockchaintracer.core.chain.abi import shipped_code
from blockchaintracer.core.chain.known_code import PROXY, lens_address
from blockchaintracer.core.record import Kind, Link, Relation, Role, Verdict
from blockchaintracer.lab.attest import attest, verdicts
from blockchaintracer.lab.chain.questions import in_groups, of_accounts
from blockchaintracer.lab.groups import create_group, invite, join, members
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.status import record_statuses
from blockchaintracer.lab.verify_here import verify
from tests.support.artifacts import artifact
from tests.support.labs import again, running_lab, second_lab
from tests.support.node import NodeChain
from tests.support.proxy import Proxy

GROUPS = 12
PARENTS = 10


class Here:
    """A record with parents that several groups judged, and what the node was asked."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        paths = [folder / f"{number}" for number in range(PARENTS)]
        for path in paths:
            path.write_text(path.name)
        self.parents = [record_content(lab, Kind.DATASET, path).id for path in paths]
        (folder / "child").write_text("child")
        links = [Link(parent, Relation.DERIVED_FROM) for parent in self.parents]
        self.record = record_content(lab, Kind.MODEL, folder / "child", parents=links).id
        self.other = second_lab(lab, folder / "other", "Lab 2")
        for number in range(2, GROUPS + 1):
            if number > 2:
                self.other.group_number = create_group(self.other, f"Lab {number}").group
            attest(self.other, self.record, Verdict.REVIEWED if number % 2 else Verdict.DISPUTED)
        join(self.other, invite(lab, 1, self.other.signer.address, Role.REVIEWER))
        self.node = NodeChain(HTTPProvider(lab.chain.address))
        self.proxy = Proxy(lab.chain.address)

    def counted(self) -> Registry:
        """The registry behind the counting proxy, by a new connection."""
        self.proxy.asked.clear()
        return Registry(Chain.connect(self.proxy.url), self.lab.registry.address)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    folder = tmp_path_factory.mktemp("lab")
    with running_lab(folder) as lab:
        made = Here(lab, folder)
        yield made
        made.proxy.close()


@pytest.fixture
def code(here: Here) -> Iterator[Any]:
    """Puts other code at the address of the Lens, until the test ends."""

    def put(code: bytes) -> None:
        here.node.rpc("anvil_setCode", [lens_address(), "0x" + code.hex()])

    yield put
    put(shipped_code("RegistryLens", "runtimeBytecode"))


def everything(registry: Registry, here: Here) -> list[Any]:
    groups = range(GROUPS + 3)
    accounts = [here.lab.signer.address, here.other.signer.address, PROXY]
    return [
        lens.verdicts(registry, groups, here.record),
        lens.verdicts(registry, groups, "00" * 32),
        in_groups(registry, groups, here.other.signer.address),
        of_accounts(registry, 1, accounts),
    ]


def singly(registry: Registry, here: Here) -> list[Any]:
    groups = range(GROUPS + 3)
    accounts = [here.lab.signer.address, here.other.signer.address, PROXY]
    return [
        [registry.verdict(group, here.record) for group in groups],
        [registry.verdict(group, "00" * 32) for group in groups],
        [registry.membership(group, here.other.signer.address) for group in groups],
        [registry.membership(1, account) for account in accounts],
    ]


def test_the_devnet_has_it_where_its_code_says(here: Here) -> None:
    assert shipped_code("RegistryLens") == artifact("RegistryLens").bytecode
    assert (
        here.lab.chain.code(lens_address())
        == shipped_code("RegistryLens", "runtimeBytecode")
        == artifact("RegistryLens").runtime
    )


def test_the_answers_are_those_of_single_calls_in_a_few_requests(here: Here) -> None:
    registry = here.counted()
    expected = singly(registry, here)
    assert here.proxy.asked["eth_call"] == 3 * (GROUPS + 3) + 3
    registry = here.counted()
    assert everything(registry, here) == expected
    assert (here.proxy.asked["eth_call"], here.proxy.asked["eth_getCode"]) == (4, 1)


@pytest.mark.parametrize("lost", ["none", "a byte more", "a byte changed", "returns what it likes"])
def test_without_it_the_answers_are_the_same(here: Here, code: Any, lost: str) -> None:
    own = shipped_code("RegistryLens", "runtimeBytecode")
    code(
        {
            "none": b"",
            "a byte more": own + b"\0",
            "a byte changed": own[:-1] + bytes([own[-1] ^ 1]),
            # 32 words of 3
            "returns what it likes": bytes.fromhex("5f5b600381526020018061040011600157506104005ff3"),
        }[lost]
    )
    registry = here.counted()
    assert everything(registry, here) == singly(here.lab.registry, here)
    assert here.proxy.asked["eth_call"] == 3 * (GROUPS + 3) + 3


@pytest.mark.parametrize("refusal", ["an error", "nothing", "half of it"])
def test_a_node_that_does_not_run_it_is_asked_singly(here: Here, refusal: str) -> None:
    expected = singly(here.lab.registry, here)

    def fault(request: dict[str, Any], ask: Any) -> Any:
        if request["method"] != "eth_call" or request["params"][0]["to"].lower() != lens_address().lower():
            return ask()
        if refusal == "an error":
            return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32000, "message": "out of gas"}}
        result = "0x" if refusal == "nothing" else ask()["result"][: -64 * 20]
        return {"jsonrpc": "2.0", "id": request["id"], "result": result}

    here.proxy.fault = fault
    try:
        assert everything(here.counted(), here) == expected
    finally:
        here.proxy.fault = lambda request, ask: ask()


def test_what_it_could_not_read_is_asked_singly(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = singly(here.lab.registry, here)
    asked = lens._ask

    def some_unread(*arguments: Any) -> Any:
        return [(1, (0,) * 5) if number % 3 == 0 else reading for number, reading in enumerate(asked(*arguments))]

    monkeypatch.setattr(lens, "_ask", some_unread)
    registry = here.counted()
    assert everything(registry, here) == expected
    assert here.proxy.asked["eth_call"] == 4 + 3 * 5 + 1


def test_a_few_questions_are_not_worth_it(here: Here) -> None:
    registry = here.counted()
    lens.verdicts(registry, [1, 2], here.record)
    assert (here.proxy.asked["eth_call"], here.proxy.asked["eth_getCode"]) == (2, 0)


def lab_behind(here: Here) -> Lab:
    here.proxy.asked.clear()
    return Lab(here.lab.home, rpc=here.proxy.url, registry_address=here.lab.registry.address)


@pytest.mark.parametrize("with_lens", [True, False])
def test_verify_and_status_say_the_same_with_it_and_without(here: Here, code: Any, with_lens: bool) -> None:
    expected = verify(again(here.lab), here.record)
    if not with_lens:
        code(b"")
    report = verify(lab_behind(here), here.record)
    # the node's address and the depth are in the words
    assert [(check.name, check.verdict) for check in report.checks] == [
        (check.name, check.verdict) for check in expected.checks
    ]
    assert len(verdicts(here.lab.registry, here.record)) == GROUPS - 1
    assert {row["account"] for row in members(here.lab, 1)} == {here.lab.signer.address, here.other.signer.address}


def test_verify_of_a_record_with_ten_parents_takes_few_requests(here: Here) -> None:
    verify(lab_behind(here), here.record)
    singly_asked = GROUPS - 1
    # each verdict also has its block and its reviewer's membership looked up
    assert here.proxy.asked["eth_call"] <= 6 < singly_asked
    verify(lab_behind(here), here.parents[0])
    assert sum(here.proxy.asked.values()) <= 20, here.proxy.asked


def test_the_status_of_a_hundred_records_takes_as_many_requests_as_of_ten(here: Here) -> None:
    few = record_statuses(lab_behind(here), here.parents)
    requests = sum(here.proxy.asked.values())
    many = record_statuses(lab_behind(here), here.parents * 10)
    assert sum(here.proxy.asked.values()) == requests <= 12
    assert many == few * 10
    assert {row["status"] for row in many} == {"recorded"}
