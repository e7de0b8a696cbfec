"""A fresh anvil on which every run of the same transactions costs the same, and the bare protocol cost of one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_account.signers.local import LocalAccount
from hexbytes import HexBytes
from web3 import Web3
from web3.contract import Contract
from web3.exceptions import ContractLogicError, Web3RPCError
from web3.types import RPCEndpoint, TxParams, Wei

from blockchaintracer.core.errors import ChainUnavailable
from blockchaintracer.lab.devnet.install import find_anvil

ROOT = Path(__file__).resolve().parent.parent
MNEMONIC = "test test test test test test test test test test test junk"
CHAIN_ID = 31337
GENESIS = 1_750_000_000
DEADLINE = 2_000_000_000
HARDFORK = "osaka"
TRANSACTION_GAS_LIMIT = 16_777_216  # EIP-7825
CODE_SIZE_LIMIT = 24_576  # EIP-170
INITCODE_SIZE_LIMIT = 49_152  # EIP-3860
POOL_SIZE_LIMIT = 131_072  # bytes of one signed transaction that geth's pool takes

BASE = 21_000
NEW_SLOT = 22_100  # EIP-2929 and EIP-3529: 20,000 to set, 2,100 for the first access
CHANGED_SLOT = 5_000
COLD_READ = 2_100
ECRECOVER = 3_000
SLOT_SET = 20_000
"""of NEW_SLOT the part that pays for the new state"""
STATE_BYTE, SLOT_BYTES = 1_530, 64
"""the announced repricing (EIP-8037, "Glamsterdam"): gas a byte of new state, and bytes that a new slot counts for"""
SLOT_SET_REPRICED = STATE_BYTE * SLOT_BYTES
LOG, LOG_TOPIC, LOG_BYTE = 375, 375, 8
TOKEN, FLOOR_TOKEN = 4, 10  # EIP-7623: a zero byte is one token, any other byte four


@dataclass(frozen=True)
class Work:
    """What an operation has to do whatever the code: storage touched for the first time in the transaction, and
    signatures checked."""

    new_slots: int = 0
    changed_slots: int = 0
    cold_reads: int = 0
    signatures: int = 0

    def gas(self) -> int:
        return (
            self.new_slots * NEW_SLOT
            + self.changed_slots * CHANGED_SLOT
            + self.cold_reads * COLD_READ
            + self.signatures * ECRECOVER
        )


def floor(data: bytes, logs: Iterable[Mapping[str, Any]], work: Work) -> int:
    """The least gas that a transaction with this calldata and these logs can use for this work: what the protocol
    charges, without any gas for computing, memory or hashing."""
    tokens = sum(4 if byte else 1 for byte in data)
    logged = sum(LOG + LOG_TOPIC * len(log["topics"]) + LOG_BYTE * len(log["data"]) for log in logs)
    return BASE + max(tokens * TOKEN + work.gas() + logged, tokens * FLOOR_TOKEN)


@dataclass(frozen=True)
class Sent:
    """A transaction that was mined and did not revert."""

    gas: int
    data: bytes
    logs: list[Mapping[str, Any]]
    address: Any

    def floor(self, work: Work) -> int:
        return floor(self.data, self.logs, work)


class Chain:
    """anvil with a fixed mnemonic, chain id and clock, on a free port of the loopback interface.

    Args:
        repriced: whether the gas of a transaction is what it would be if each slot that it fills from zero had the
            announced price. Nothing else of that repricing is counted.

    >>> with Chain() as chain:
    ...     chain.transfer(b"").gas
    21000
    """

    def __init__(self, *, repriced: bool = False) -> None:
        self.repriced = repriced
        Account.enable_unaudited_hdwallet_features()
        self.accounts: list[LocalAccount] = [
            Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{i}") for i in range(5)
        ]

    def __enter__(self) -> Self:
        options = {
            "--host": "127.0.0.1",
            "--port": "0",
            "--chain-id": str(CHAIN_ID),
            "--mnemonic": MNEMONIC,
            "--timestamp": str(GENESIS),
            "--hardfork": HARDFORK,
            "--block-base-fee-per-gas": "0",
        }
        anvil = find_anvil()
        if anvil is None:
            raise ChainUnavailable("expected anvil on PATH or in the project, found none", hint="Type `make setup`.")
        command = [str(anvil), "--enable-tx-gas-limit", *(word for option in options.items() for word in option)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            self.w3 = Web3(Web3.HTTPProvider(f"http://{self._listening_on()}"))
            self._ask("anvil_setBlockTimestampInterval", 1)
            self._ask("anvil_setLoggingEnabled", False)  # nobody reads the pipe from here on
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    def send(self, function: Any, sender: int = 0) -> Sent:
        """Sends a call (or a constructor) as its own transaction and waits for its receipt.

        Raises:
            ContractLogicError, RuntimeError: if it reverts or needs more gas than one transaction may use.
        """
        return self._mined(function.transact(self._options(sender)))

    def send_all(self, items: Sequence[Any], function: Callable[[Sequence[Any]], Any]) -> list[tuple[int, Sent]]:
        """Sends the items in as few transactions as may be, all but the last one as large as may be.

        Args:
            function: the call that takes some of the items.

        Returns:
            each transaction and how many items it took.
        """
        count = self.most(items, function)
        parts = [items[start : start + count] for start in range(0, len(items), count)]
        return [(len(part), self.send(function(part))) for part in parts]

    def most(
        self, items: Sequence[Any], function: Callable[[Sequence[Any]], Any], size_limit: int = POOL_SIZE_LIMIT
    ) -> int:
        """How many of the items one transaction takes: within the gas limit of a transaction and, in bytes, within
        `size_limit`.

        Raises:
            ContractLogicError, Web3RPCError: if a single one doesn't pass.
        """

        def fits(count: int) -> bool:
            call = function(items[:count])
            data = call._encode_transaction_data()
            if self.size(call.address, data) > size_limit:
                return False
            try:
                self.w3.eth.call({"to": call.address, "data": data} | self._options(0))
            except (ContractLogicError, Web3RPCError):  # behind a proxy, running out of gas is a bare revert
                if count == 1:
                    raise
                return False
            return True

        if fits(len(items)):
            return len(items)
        least, too_many = int(fits(1)), len(items)
        while too_many - least > 1:
            middle = (least + too_many) // 2
            least, too_many = (middle, too_many) if fits(middle) else (least, middle)
        return least

    def size(self, to: Any, data: Any) -> int:
        """Bytes of the signed EIP-1559 transaction, its gas limit the largest and its fees 30 and 1 gwei."""
        fields = {
            "to": to,
            "data": data,
            "nonce": 1000,
            "chainId": CHAIN_ID,
            "gas": TRANSACTION_GAS_LIMIT,
            "maxFeePerGas": 30 * 10**9,
            "maxPriorityFeePerGas": 10**9,
        }
        return len(self.accounts[0].sign_transaction(fields).raw_transaction)

    def executed(self, function: Any) -> int:
        """Gas that the code of a view uses, its storage not yet read in the transaction, from a trace of the call. A
        contract that calls pays this, and for the call itself 100, or 2,600 if it is the first to that address."""
        call = {"to": function.address, "data": function._encode_transaction_data()}
        silent = {"disableStack": True, "disableStorage": True, "enableMemory": False, "enableReturnData": False}
        trace = self._ask("debug_traceCall", call, "latest", silent)
        if trace["failed"]:
            raise RuntimeError(f"expected {function.fn_name} to return, it reverted")
        first, last = trace["structLogs"][0], trace["structLogs"][-1]
        return int(first["gas"] - last["gas"] + last["gasCost"])

    def transfer(self, data: bytes) -> Sent:
        """Sends data to an account without code, which runs nothing."""
        call: TxParams = {"to": self.accounts[1].address, "data": HexBytes(data)}
        return self._mined(self.w3.eth.send_transaction(call | self._options(0)))

    def deploy(self, abi: list[Any], bytecode: str, *arguments: Any) -> tuple[Contract, Sent]:
        """Deploys a contract from its creation code."""
        sent = self.send(self.w3.eth.contract(abi=abi, bytecode=bytecode).constructor(*arguments))
        return self.at(sent.address, abi), sent

    def at(self, address: Any, abi: list[Any]) -> Contract:
        """A contract that is deployed already."""
        contract: Contract = self.w3.eth.contract(address=address, abi=abi)
        return contract

    def sign(self, signer: int, domain: Mapping[str, Any], types: str, message: Mapping[str, Any]) -> bytes:
        """An EIP-712 signature, made by eth-account.

        Args:
            types: the structs as ``Name(type field,...)``, one a line, the signed one first.
        """
        structs = dict(line.strip().rstrip(")").split("(") for line in types.strip().splitlines())
        fields = {
            name: [dict(zip(("type", "name"), field.split(), strict=True)) for field in members.split(",")]
            for name, members in structs.items()
        }
        return self.sign_message(signer, encode_typed_data(dict(domain), fields, dict(message)))

    def sign_message(self, signer: int, message: SignableMessage) -> bytes:
        return bytes(self.accounts[signer].sign_message(message).signature)

    def new_slots(self, transaction: str) -> int:
        """How many slots were zero before a transaction and are not after it, from a trace of its state."""
        changes = self._ask(
            "debug_traceTransaction", transaction, {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
        )
        before, after = changes["pre"], changes["post"]
        return sum(
            int(value, 16) != 0 and int(before.get(address, {}).get("storage", {}).get(slot, "0x0"), 16) == 0
            for address, account in after.items()
            for slot, value in account.get("storage", {}).items()
        )

    def _ask(self, method: str, *values: Any) -> Any:
        response = self.w3.provider.make_request(RPCEndpoint(method), list(values))
        if "error" in response:
            raise ChainUnavailable(f"anvil refused {method}: {response['error']}")
        return response["result"]

    def _options(self, sender: int) -> TxParams:
        return {"from": self.accounts[sender].address, "gas": TRANSACTION_GAS_LIMIT, "gasPrice": Wei(0)}

    def _mined(self, transaction: Any) -> Sent:
        receipt = self.w3.eth.wait_for_transaction_receipt(transaction)
        sent = self.w3.eth.get_transaction(transaction)
        if receipt["status"] != 1:
            replayed: TxParams = {"from": sent["from"], "to": sent["to"], "data": sent["input"], "gas": sent["gas"]}
            self.w3.eth.call(replayed, receipt["blockNumber"] - 1)  # raises the contract's own error
            raise RuntimeError(f"expected a transaction to pass, it failed after {receipt['gasUsed']:,} gas")
        gas = receipt["gasUsed"]
        if self.repriced:
            gas += self.new_slots("0x" + receipt["transactionHash"].hex()) * (SLOT_SET_REPRICED - SLOT_SET)
        return Sent(gas, bytes(sent["input"]), list(receipt["logs"]), receipt["contractAddress"])

    def _listening_on(self) -> str:
        assert self._process.stdout
        said = []
        for line in self._process.stdout:
            said.append(line)
            if line.startswith("Listening on "):
                return str(line.removeprefix("Listening on ").strip())
        raise ChainUnavailable("expected anvil to listen on a port, it ended instead", hint="".join(said))

    def _stop(self) -> None:
        self._process.terminate()
        self._process.communicate()
