"""What comes from outside and has no test of its own elsewhere: a node's answers, a journal's rows, the lab's settings,
lists of registries, events. Whatever it is, it's read or refused with an error in words."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blockchaintracer.core.chain import Chain, Registry
from blockchaintracer.core.chain.answers import Node, WrongAnswer, result_of
from blockchaintracer.core.errors import BlockchainTracerError, NodeError
from blockchaintracer.core.networks import DEVNET
from blockchaintracer.core.record import RecordKey
from blockchaintracer.lab.deployments import registries
from blockchaintracer.lab.formats import DEPLOYMENTS
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import Op, Outbox, Transaction

QUICK = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
ADDRESS, DIGEST = "0x" + "11" * 20, "ab" * 32

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["0x", "0x0", "0x1", "0xzz", "0x" + "f" * 64, "0x" + "0" * 64, ADDRESS, "0x" + "ff" * 600])
)
names = st.text(max_size=8) | st.sampled_from(
    [
        "number",
        "hash",
        "timestamp",
        "baseFeePerGas",
        "status",
        "blockHash",
        "blockNumber",
        "transactionHash",
        "logs",
        "address",
        "topics",
        "data",
        "logIndex",
        "transactionIndex",
        "gasUsed",
        "from",
        "error",
        "message",
        "code",
    ]
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6), max_leaves=12
)


def valid(method: str) -> dict[str, Any]:
    """An answer as a node gives it, to be changed a little."""
    block = {"number": "0x5", "hash": "0x" + DIGEST, "timestamp": "0x5f5e100", "baseFeePerGas": "0x7"}
    log = {
        "address": ADDRESS,
        "topics": ["0x" + DIGEST],
        "data": "0x" + "00" * 64,
        "blockNumber": "0x5",
        "blockHash": "0x" + DIGEST,
        "transactionHash": "0x" + DIGEST,
        "transactionIndex": "0x0",
        "logIndex": "0x0",
        "removed": False,
    }
    receipt = {name: log[name] for name in ("blockNumber", "blockHash", "transactionHash", "transactionIndex")}
    found: dict[str, Any] = {
        "eth_getBlockByNumber": block,
        "eth_getTransactionReceipt": {**receipt, "status": "0x1", "gasUsed": "0x5208", "logs": [log]},
        "eth_getLogs": [log],
        "eth_call": "0x" + "00" * 31 + "01" + "00" * 352,
    }
    return found.get(method, "0x1")


class Answering(Node):
    """A node that says what the test wants."""

    def __init__(self, result: Any) -> None:
        super().__init__("a strange node")
        self._result = result

    def post(self, request: dict[str, Any]) -> Any:
        # through JSON, as from the wire
        return json.loads(json.dumps({"jsonrpc": "2.0", "id": request["id"], **self._result}))


ASKED: dict[str, Callable[[Chain], object]] = {
    "eth_chainId": lambda chain: chain.chain_id,
    "eth_getBlockByNumber": lambda chain: chain.head(),
    "eth_getTransactionReceipt": lambda chain: chain.receipt(DIGEST),
    "eth_getTransactionByHash": lambda chain: chain.transaction(DIGEST),
    "eth_getCode": lambda chain: chain.code(ADDRESS),
    "eth_getBalance": lambda chain: chain.balance(ADDRESS),
    "eth_call": lambda chain: Registry(chain, ADDRESS).status(DIGEST),
    "eth_getLogs": lambda chain: list(Registry(chain, ADDRESS).recorded(0, 5)),
}


@st.composite
def changed(draw: st.DrawFn, method: str) -> Any:
    """A valid result with one of its parts replaced, or anything at all."""
    result = valid(method)
    if draw(st.booleans()):
        return draw(values)
    target = result[0] if isinstance(result, list) else result
    if isinstance(target, dict):
        name = draw(st.sampled_from(sorted(target)))
        if draw(st.booleans()):
            del target[name]
        else:
            target[name] = draw(values)
        return result
    return draw(st.text("0123456789abcdefx", max_size=200).map(lambda text: "0x" + text))


@pytest.mark.parametrize("method", ASKED)
def test_any_answer_of_a_node_is_read_or_refused_in_words(method: str) -> None:
    @QUICK
    @given(changed(method))
    def holds(result: Any) -> None:
        chain = Chain(Answering({"result": result}))
        with suppress(BlockchainTracerError):
            ASKED[method](chain)

    holds()


@QUICK
@given(values)
def test_any_error_of_a_node_is_told_in_words(error: Any) -> None:
    chain = Chain(Answering({"error": error}))
    for question in ASKED.values():
        with suppress(BlockchainTracerError):
            question(chain)


@QUICK
@given(st.text(max_size=20) | st.binary(max_size=80).map(lambda data: "0x" + data.hex()) | values, st.booleans())
def test_any_refusal_is_told_in_words(data: Any, known: bool) -> None:
    if known and isinstance(data, str):
        # UnknownGroup(uint32)'s selector, and something behind it
        data = "0x" + keccak(text="UnknownGroup(uint32)")[:4].hex() + data.removeprefix("0x")
    error = {"code": 3, "message": "execution reverted", "data": data}
    with suppress(BlockchainTracerError):
        ASKED["eth_call"](Chain(Answering({"error": error})))


@QUICK
@given(values, st.sampled_from(sorted(ASKED)), st.integers(100, 599))
def test_only_an_answer_to_the_question_is_one(answer: Any, method: str, status: int) -> None:
    request = {"jsonrpc": "2.0", "id": 3, "method": method, "params": ["0x1"]}
    with suppress(WrongAnswer, NodeError):
        found = result_of(answer, request, "a strange node", status)
        assert found is answer["result"]
        assert (answer["id"], status) == (3, 200)


def change_settings(lab: Lab) -> None:
    with lab.changed_settings() as settings:
        settings["nodes"] = {"a": 5}


@QUICK
@given(values | st.binary(max_size=60), st.binary(max_size=40))
def test_any_settings_are_read_or_refused_in_words(content: Any, raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        written = (json.dumps(one, default=str).encode() for one in (content, {"chains": content}, {"nodes": content}))
        for data in (raw, *written):
            lab = Lab(Home(folder))
            lab.home.settings.write_bytes(data)
            for work in (lambda lab=lab: lab.choices(DEVNET.chain_id), lambda lab=lab: change_settings(lab)):
                with suppress(BlockchainTracerError):
                    work()


@QUICK
@given(values)
def test_any_list_of_registries_is_read_or_refused_in_words(content: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(folder)
        file = home.deployments / "devnet.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        for data in (content, DEPLOYMENTS.header() | {"chainId": DEVNET.chain_id, "registries": content}):
            file.write_text(json.dumps(data, default=str))
            with suppress(BlockchainTracerError):
                registries(DEVNET.chain_id, home)


COLUMNS = ("chain_id", "op", "payload", "sender", "state", "raw", "nonce", "tx", "block_number", "error", "replaced")
cells = st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20) | st.binary(max_size=20)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("journal") / "outbox.sqlite"
    outbox = Outbox(path)
    key = RecordKey(1, ADDRESS, 1, DIGEST, 1, DIGEST)
    outbox.add_transaction(5, Transaction(Op.RECORD, ADDRESS, record_id=DIGEST, key=key), ADDRESS)
    outbox.close()
    return path


@QUICK
@given(st.sampled_from(COLUMNS), cells | values.map(lambda value: json.dumps(value, default=str)))
def test_any_row_of_a_journal_is_read_or_refused_in_words(journal: Path, column: str, cell: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "outbox.sqlite")
        copy.write_bytes(journal.read_bytes())
        with suppress(sqlite3.Error, UnicodeEncodeError), sqlite3.connect(copy) as db:
            db.execute(f"UPDATE entries SET {column} = ?", (cell,))
        db.close()
        with suppress(BlockchainTracerError):
            outbox = Outbox(copy)
            for entry in outbox.entries():
                repr(entry)
            outbox.pending(5)
            outbox.unsettled(5)
        outbox.close()


@QUICK
@given(st.binary(max_size=200), st.integers(0, 4000))
def test_any_file_in_the_journals_place_is_read_or_refused_in_words(journal: Path, junk: bytes, place: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "outbox.sqlite")
        whole = journal.read_bytes()
        copy.write_bytes(whole[:place] + junk + whole[place + len(junk) :])
        with suppress(BlockchainTracerError):
            outbox = Outbox(copy)
            try:
                outbox.entries()
            finally:
                outbox.close()
