"""A real node behind a proxy that has forgotten: a record, its file and its order hold as before the node itself,
and nothing is sent again. Every block and way is in tests/evm/test_nodes_that_forget.py."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.record import Kind
from blockchaintracer.lab.devnet.chain_state import call
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content
from tests.support.labs import typed
from tests.support.proxy import Answer, Ask, proxied

_BLOCKS = ("eth_getBlockByNumber", "eth_getBlockReceipts")
_BY_TRANSACTION = ("eth_getTransactionReceipt", "eth_getTransactionByHash", "eth_getRawTransactionByHash")


def forgetful(lab: Lab, cut: int, code: int) -> Any:
    """A fault: everything before a block is refused with this code, and the state is there."""

    def number(tag: Any) -> int:
        return int(tag, 16) if isinstance(tag, str) and tag.startswith("0x") else 1 << 62

    def fault(request: dict[str, Any], ask: Ask) -> Answer:
        method, params = request["method"], request["params"]
        old = method == "eth_getLogs" and number(params[0].get("fromBlock")) < cut
        old |= method in _BLOCKS and 0 < number(params[0]) < cut
        if method in _BY_TRANSACTION:
            answer = call(lab.devnet.start().port, "eth_getTransactionReceipt", params[0])
            old = answer is not None and int(answer["blockNumber"], 16) < cut
        words = "pruned history unavailable" if code == 4444 else "history not available"
        return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": words}} if old else ask()

    return fault


@pytest.mark.parametrize(("place", "code"), [(0, 4444), (1, -32000), (2, 4444)])
def test_what_is_recorded_stays_verified(lab: Lab, tmp_path: Path, place: int, code: int) -> None:
    files, records = [], []
    for name in ("one", "two"):
        files.append(tmp_path / name)
        files[-1].write_bytes(os.urandom(30))
        records.append(record_content(lab, Kind.DATASET, files[-1], name=name))
    published = tmp_path / "published"
    for record in records:
        publish(lab, record.id, published)
    call(lab.devnet.start().port, "anvil_mine", "0x4")
    cut = [records[0].block, records[1].block, records[1].block + 1][place]
    with proxied(lab.devnet.start().url) as proxy:
        proxy.fault = forgetful(lab, cut, code)
        where = ("--rpc", proxy.url, "--registry", lab.registry.address, "--chain-id", str(lab.chain_id))
        stranger, known = tmp_path / "none", ("--from", str(published))
        for record, file in zip(records, files, strict=True):
            is_old = record.block < cut
            for words in ((record.id, *known), (str(file), *known)):
                done = typed("verify", *words, *where, home=stranger)
                assert done.returncode == 0, done.stdout + done.stderr
                assert ("recorded (state)" in done.stdout) == is_old
            for words in ((record.id,), (str(file),)):
                done = typed("verify", *words, *where, home=stranger)
                assert done.returncode == (3 if is_old else 0), done.stdout + done.stderr
            own = typed("verify", record.id, *where, home=lab.home.path)
            assert own.returncode == 0, own.stdout + own.stderr
            assert "outbox flush" not in own.stdout
            assert record.transaction in own.stdout
        done = typed("verify", "--before", records[0].id, records[1].id, *where, home=lab.home.path)
        assert done.returncode == 0, done.stdout + done.stderr
        again = Lab(lab.home, rpc=proxy.url, registry_address=lab.registry.address)
        assert again.outbox.recheck(again.chain) == []
