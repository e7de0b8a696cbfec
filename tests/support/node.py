"""Contracts on a real node: anvil by itself, or the one that Ape started. The same face as tests/support/evm.py."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from eth_account import Account
from web3 import HTTPProvider

from tests.model.registry import Event

from .artifacts import ROOT, artifact
from .evm import Interface, interface_of

ANVIL = ROOT / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
DEPLOYER = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
"""The first account of the mnemonic that anvil and Ape share."""
GAS = 6_000_000


@contextmanager
def anvil(*options: str, chain_id: int = 31337) -> Iterator[NodeChain]:
    """A node of our own, on a free port of loopback, gone afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [ANVIL, "--port", port, "--chain-id", str(chain_id), "--silent", *options]
    node = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield NodeChain(HTTPProvider(f"http://127.0.0.1:{port}"), wait_for=node)
    finally:
        node.terminate()
        node.wait(10)


class NodeChain:
    """A chain behind JSON-RPC. Every transaction is a block of its own, at the time the clock shows.

    Args:
        provider: web3's, or the one that Ape has made.
        wait_for: the node's process, if it has just been started.
    """

    def __init__(self, provider: HTTPProvider, wait_for: subprocess.Popen[bytes] | None = None) -> None:
        self.provider = provider
        while True:
            try:
                self.chain_id = int(self.rpc("eth_chainId", []), 16)
                break
            except OSError:
                if not wait_for or wait_for.poll() is not None:
                    raise
                time.sleep(0.01)
        self.rpc("anvil_autoImpersonateAccount", [True])
        latest = self.block("latest")
        if "baseFeePerGas" in latest:
            # so that nobody needs money
            self.rpc("anvil_setNextBlockBaseFeePerGas", ["0x0"])
        self.now = int(latest["timestamp"], 16)

    @property
    def url(self) -> str:
        return str(self.provider.endpoint_uri)

    def rpc(self, method: str, params: list[Any]) -> Any:
        return _result(method, self.provider.make_request(method, params))

    def rpc_batch(self, calls: list[tuple[str, list[Any]]]) -> list[Any]:
        """Many calls in one request, answered in order."""
        answers = self.provider.make_batch_request(calls)
        by_id = sorted(answers, key=lambda answer: answer["id"])
        return [_result(method, answer) for (method, _), answer in zip(calls, by_id, strict=True)]

    def block(self, number: str) -> dict[str, Any]:
        return dict(self.rpc("eth_getBlockByNumber", [number, False]))

    def tick(self) -> None:
        """Two blocks of anvil never have the same time."""
        self.now += 1

    def transact(self, caller: str, to: str | None, data: bytes, **more: Any) -> dict[str, Any]:
        """Mines a transaction at the clock's time, refused or not: its receipt."""
        self.rpc("evm_setNextBlockTimestamp", [self.now])
        transaction = {"from": caller, "data": "0x" + data.hex(), "gas": hex(GAS), "gasPrice": "0x0", **more}
        return self.receipt(self.rpc("eth_sendTransaction", [transaction | ({"to": to} if to else {})]))

    def receipt(self, transaction: str) -> dict[str, Any]:
        for _ in range(300_000):
            if found := self.rpc("eth_getTransactionReceipt", [transaction]):
                return dict(found)
            time.sleep(0.001)
        raise TimeoutError(f"{transaction} was not mined")

    def deploy(self, name: str, *arguments: Any) -> NodeContract:
        code, interface = artifact(name), interface_of(name)
        self.tick()
        receipt = self.transact(DEPLOYER, None, code.bytecode + interface.encode_constructor(*arguments))
        return NodeContract(self, interface, receipt["contractAddress"].lower())

    def at(self, name: str, address: str) -> NodeContract:
        return NodeContract(self, interface_of(name), address.lower())

    def send_signed(self, account_key: bytes, transaction: dict[str, Any]) -> dict[str, Any]:
        """Signs as a wallet does and sends the raw bytes: the receipt."""
        account = Account.from_key(account_key)
        nonce = int(self.rpc("eth_getTransactionCount", [account.address, "latest"]), 16)
        fees = {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 0, "gas": GAS, "value": 0}
        raw = account.sign_transaction({"chainId": self.chain_id, "nonce": nonce, **fees, **transaction})
        return self.receipt(self.rpc("eth_sendRawTransaction", ["0x" + raw.raw_transaction.hex()]))


class NodeContract:
    """A contract on a node, called by name."""

    def __init__(self, chain: NodeChain, interface: Interface, address: str) -> None:
        self.chain, self.interface, self.address = chain, interface, address

    def send(self, caller: str, function: str, *arguments: Any) -> tuple[Any, list[Event]]:
        """Runs a function as a transaction at the clock's time: what it returns and emits, or `Refused`."""
        data = self.interface.encode_call(function, *arguments)
        receipt = self.chain.transact(caller, self.address, data)
        tracer = {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}}
        trace = self.chain.rpc("debug_traceTransaction", [receipt["transactionHash"], tracer])
        output = bytes.fromhex(trace.get("output", "0x")[2:])
        if int(receipt["status"], 16) == 0:
            raise self.interface.decode_error(output)
        return self.interface.decode_result(data[:4], output), self.decode(receipt["logs"])

    def decode(self, logs: list[dict[str, Any]]) -> list[Event]:
        """The contract's own among these logs."""
        return [
            self.interface.decode_event(
                [bytes.fromhex(topic[2:]) for topic in log["topics"]], bytes.fromhex(log["data"][2:])
            )
            for log in logs
            if log["address"].lower() == self.address
        ]

    def history(self) -> list[tuple[int, Event]]:
        """All its events with the times of their blocks."""
        logs = self.chain.rpc("eth_getLogs", [{"address": self.address, "fromBlock": "0x0", "toBlock": "latest"}])
        times = {
            number: int(self.chain.block(number)["timestamp"], 16) for number in {log["blockNumber"] for log in logs}
        }
        return [(times[log["blockNumber"]], event) for log, event in zip(logs, self.decode(logs), strict=True)]

    def read(self, function: str, *arguments: Any) -> Any:
        """Calls a view at the latest block."""
        return self.read_all([(function, *arguments)])[0]

    def read_all(self, calls: list[tuple[Any, ...]]) -> list[Any]:
        """Calls many views at once."""
        encoded = [self.interface.encode_view(*call) for call in calls]
        requests = [("eth_call", [{"to": self.address, "data": "0x" + data.hex()}, "latest"]) for data in encoded]
        answers = [bytes.fromhex(answer[2:]) for answer in self.chain.rpc_batch(requests)]
        return [self.interface.decode_result(data[:4], answer) for data, answer in zip(encoded, answers, strict=True)]


def _result(method: str, answer: Any) -> Any:
    if "error" in answer:
        raise RuntimeError(f"{method}: {answer['error']}")
    return answer["result"]
