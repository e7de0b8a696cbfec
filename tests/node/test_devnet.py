"""The devnet from start to reset, with real nodes on ports of their own."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.networks import DEVNET
from blockchaintracer.lab.deployments import KnownRegistry, registries, remember_registry
from blockchaintracer.lab.devnet import Devnet, node
from blockchaintracer.lab.devnet.node import NodeInfo
from blockchaintracer.lab.devnet.rpc import call
from blockchaintracer.lab.lab_folder import Home
from tests.support.labs import free_port

SENDER = "0x" + "11" * 20
# stores 1 in slot 0 and logs nothing but itself, on deployment and whenever it's called
LOGGER = "0x600a600c600039600a6000f3600160005560006000a000"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Callable[[str], Devnet]]:
    """Devnets of labs by name; what they said is in ``.said``."""
    devnets: dict[str, Devnet] = {}

    def make(name: str = "home") -> Devnet:
        if name not in devnets:
            said: list[str] = []
            devnets[name] = Devnet(Home(tmp_path / name), said.append)
            devnets[name].said = said  # type: ignore[attr-defined]
        return devnets[name]

    yield make
    for devnet in devnets.values():
        devnet.stop()


def send(port: int, **transaction: Any) -> str:
    call(port, "anvil_impersonateAccount", SENDER)
    return str(call(port, "eth_sendTransaction", {"from": SENDER, **transaction}))


def receipt(port: int, transaction: str) -> dict[str, Any]:
    for _ in range(60_000):
        if found := call(port, "eth_getTransactionReceipt", transaction):
            return dict(found)
        time.sleep(0.01)
    raise AssertionError(f"{transaction} was not mined")


def test_a_new_devnet_answers_on_loopback_alone_with_a_true_clock_and_no_known_keys(lab):
    info = lab().start(free_port())
    assert lab().status() == info
    assert info.chain_id == DEVNET.chain_id == int(call(info.port, "eth_chainId"), 16)
    assert info.url == f"http://127.0.0.1:{info.port}"
    listening = [c for c in psutil.Process(info.pid).net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert [(c.laddr.ip, c.laddr.port) for c in listening] == [("127.0.0.1", info.port)]
    assert call(info.port, "eth_accounts") == []
    head = call(info.port, "eth_getBlockByNumber", "latest", False)
    assert abs(int(head["timestamp"], 16) - time.time()) < 60
    assert lab().log_file.exists()


def test_it_is_reused_and_asked_for_another_port_refuses(lab, tmp_path):
    info = lab().start(free_port())
    assert lab().start() == info
    assert Devnet(Home(tmp_path / "home")).start() == info
    with pytest.raises(InputError, match=f"port {info.port}"):
        lab().start(free_port())
    assert lab().stop()
    assert not lab().stop()
    assert lab().status() is None
    assert lab().start().port == info.port


def test_a_restart_keeps_blocks_receipts_logs_and_state(lab):
    port = lab().start(free_port()).port
    lab().fund(SENDER, 10**20)
    created = receipt(port, send(port, data=LOGGER))
    called = receipt(port, send(port, to=created["contractAddress"]))
    before = [call(port, "eth_getBlockByNumber", hex(number), True) for number in range(5)]
    genesis = lab().start().genesis
    assert before[1]["hash"] == genesis

    lab().stop()
    assert lab().start().genesis == genesis

    assert [call(port, "eth_getBlockByNumber", hex(number), True) for number in range(5)] == before
    assert receipt(port, called["transactionHash"]) == called
    filter_ = {"address": created["contractAddress"], "fromBlock": "0x0", "toBlock": "latest"}
    assert [log["transactionHash"] for log in call(port, "eth_getLogs", filter_)] == [called["transactionHash"]]
    # what is final can be read and proven at once, not only what comes after
    slot = "0x" + "00" * 32
    proof = call(port, "eth_getProof", created["contractAddress"], [slot], "finalized")
    assert int(proof["storageProof"][0]["value"], 16) == 1
    # and the clock goes on from now
    later = receipt(port, send(port, to=created["contractAddress"]))
    head = call(port, "eth_getBlockByNumber", later["blockNumber"], False)
    assert abs(int(head["timestamp"], 16) - time.time()) < 60
    assert lab().said == []


def test_finalize_makes_the_head_final_and_the_clock_does_not_run_ahead(lab):
    port = lab().start(free_port()).port
    lab().fund(SENDER, 10**20)
    for _ in range(20):
        block = int(receipt(port, send(port, to=SENDER))["blockNumber"], 16)
        assert lab().finalize() >= block
    final = call(port, "eth_getBlockByNumber", "finalized", False)
    assert int(final["number"], 16) >= block
    assert int(call(port, "eth_getBlockByNumber", "latest", False)["timestamp"], 16) <= time.time() + 1


def test_fund_sets_a_balance_that_a_crash_keeps(lab):
    info = lab().start(free_port())
    lab().fund(SENDER, 12345)
    psutil.Process(info.pid).kill()
    assert int(call(lab().start().port, "eth_getBalance", SENDER, "latest"), 16) == 12345


def test_a_reset_begins_another_chain_on_the_same_port_without_its_registries(lab, tmp_path):
    home = Home(tmp_path / "home")
    info = lab().start(free_port())
    remember_registry(DEVNET.chain_id, home, KnownRegistry(SENDER, SENDER, "0x" + "22" * 32, 3, "1"))
    lab().fund(SENDER, 5)
    lab().reset()
    assert lab().status() is None
    again = lab().start()
    assert again.port == info.port
    assert again.genesis != info.genesis
    assert int(call(again.port, "eth_getBalance", SENDER, "latest"), 16) == 0
    assert registries(DEVNET.chain_id, home) == []
    assert lab().said == []


def test_two_chains_begun_in_the_same_second_differ_in_their_first_block(lab):
    markers = {lab(name).start(free_port()).genesis for name in "abcd"}
    assert len(markers) == 4


def test_what_needs_the_node_says_so_when_it_does_not_run(lab):
    for use in (lab().persist, lab().finalize, lambda: lab().fund(SENDER, 1)):
        with pytest.raises(ChainUnavailable, match="blockchaintracer node start"):
            use()


def test_a_transaction_over_the_gas_limit_of_one_transaction_is_refused(lab):
    port = lab().start(free_port()).port
    lab().fund(SENDER, 10**20)
    assert receipt(port, send(port, to=SENDER, gas=hex(16_777_216)))["status"] == "0x1"
    with pytest.raises(ValueError, match="gas too high"):
        send(port, to=SENDER, gas=hex(16_777_217))


def test_a_second_lab_takes_the_next_port_and_keeps_it(lab, monkeypatch):
    monkeypatch.setattr(node, "DEFAULT_PORT", free_port())
    first, second = lab("one").start(), lab("two").start()
    assert first.port != second.port
    assert first.genesis != second.genesis
    assert f"this one is on port {second.port}" in lab("two").said[0]
    lab("one").stop()
    lab("two").stop()
    assert lab("two").start().port == second.port


def test_it_outlives_the_process_that_started_it_and_sees_none_of_its_secrets(lab, tmp_path):
    code = (
        "from blockchaintracer.lab.devnet import Devnet; from blockchaintracer.lab.lab_folder import Home\n"
        f"print(Devnet(Home({str(tmp_path / 'home')!r})).start({free_port()}).pid)"
    )
    environment = os.environ | {"BLOCKCHAINTRACER_PASSPHRASE": "hunter2"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    info = lab().status()
    assert isinstance(info, NodeInfo)
    assert info.pid == int(done.stdout)
    assert os.getsid(info.pid) != os.getsid(0)
    assert "hunter2" not in psutil.Process(info.pid).environ().values()


def test_no_page_in_a_browser_may_call_it(lab):
    port = lab().start(free_port()).port
    body = '{"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}'
    origin = {"Origin": "https://page.example.org"}
    for method, headers in (
        ("OPTIONS", {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}),
        ("POST", {"Content-Type": "text/plain"}),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        connection.request(method, "/", body if method == "POST" else None, origin | headers)
        answer = connection.getresponse()
        assert answer.getheader("Access-Control-Allow-Origin") is None
        assert str(hex(DEVNET.chain_id)) not in answer.read().decode()
        connection.close()
