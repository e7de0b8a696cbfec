"""Contracts run by revm in this process, about a thousand times faster than by a node, and the ABI they speak."""

from __future__ import annotations

import re
from collections.abc import Hashable
from functools import cache, lru_cache
from typing import Any

import pyrevm
from eth_abi.abi import decode, encode
from eth_hash.auto import keccak

from tests.model.registry import Event, Refused, Signature

from .artifacts import artifact

START = 1_750_000_000
CHAIN_ID = 31337
DEPLOYER = "0x" + "d0" * 20
STANDARD_ERRORS = (
    {"type": "error", "name": "Error", "inputs": [{"type": "string"}]},
    {"type": "error", "name": "Panic", "inputs": [{"type": "uint256"}]},
)
_REVERT = re.compile(r"Revert \{ gas_used: \d+, output: 0x([0-9a-f]*) \}")


def abi_type(entry: dict[str, Any]) -> str:
    """The canonical type of an ABI parameter, tuples spelt out."""
    if entry["type"].startswith("tuple"):
        return f"({','.join(map(abi_type, entry['components']))}){entry['type'].removeprefix('tuple')}"
    return entry["type"]


def _types(entry: dict[str, Any]) -> list[str]:
    return [abi_type(item) for item in entry["inputs"]]


def _hash(entry: dict[str, Any]) -> bytes:
    return keccak(f"{entry['name']}({','.join(_types(entry))})".encode())


def _selector(entry: dict[str, Any]) -> bytes:
    return _hash(entry)[:4]


class Interface:
    """Encodes calls and decodes what comes back. Overloads are told apart by their number of arguments."""

    def __init__(self, abi: list[dict[str, Any]]) -> None:
        self._constructor = next((entry for entry in abi if entry["type"] == "constructor"), {"inputs": []})
        functions = [entry for entry in abi if entry["type"] == "function"]
        self._calls = {(entry["name"], len(entry["inputs"])): (_selector(entry), _types(entry)) for entry in functions}
        self._results = {_selector(entry): [abi_type(item) for item in entry["outputs"]] for entry in functions}
        errors = [entry for entry in (*abi, *STANDARD_ERRORS) if entry["type"] == "error"]
        self._errors = {_selector(entry): (entry["name"], _types(entry)) for entry in errors}
        self._events = {_hash(entry): entry for entry in abi if entry["type"] == "event"}

    def encode_call(self, function: str, *arguments: Any) -> bytes:
        selector, types = self._calls[function, len(arguments)]
        raw = [argument.raw if isinstance(argument, Signature) else argument for argument in arguments]
        return selector + encode(types, raw)

    @lru_cache(maxsize=2**16)  # noqa: B019, interfaces live as long as the tests
    def encode_view(self, function: str, *arguments: Hashable) -> bytes:
        """`encode_call`, remembered."""
        return self.encode_call(function, *arguments)

    def encode_constructor(self, *arguments: Any) -> bytes:
        return encode(_types(self._constructor), arguments)

    # the same answers come over and over, and decoding them costs more than the EVM takes to give them
    @lru_cache(maxsize=2**16)  # noqa: B019, interfaces live as long as the tests
    def decode_result(self, selector: bytes, data: bytes) -> Any:
        values = decode(self._results[selector], data)
        return values[0] if len(values) == 1 else (values or None)

    def decode_error(self, data: bytes) -> Refused:
        """The error in revert data; without data its name is empty, as when calldata is malformed."""
        if not data:
            return Refused("")
        name, types = self._errors[data[:4]]
        return Refused(name, *decode(types, data[4:]))

    def decode_event(self, topics: list[bytes], data: bytes) -> Event:
        entry = self._events[topics[0]]
        inputs = entry["inputs"]
        plain = iter(decode([abi_type(item) for item in inputs if not item["indexed"]], data))
        indexed = iter(topics[1:])
        values = (decode([item["type"]], next(indexed))[0] if item["indexed"] else next(plain) for item in inputs)
        return Event(entry["name"], tuple(values))


@cache
def interface_of(name: str) -> Interface:
    """The interface of a compiled contract."""
    return Interface(artifact(name).abi)


class Chain:
    """A chain in this process. Its time stands still until it is set.

    Args:
        fork_url: fork the chain behind this RPC address at its latest block.
        now: time of the next transactions.
    """

    def __init__(self, chain_id: int = CHAIN_ID, fork_url: str | None = None, now: int = START) -> None:
        self.chain_id = chain_id
        env = pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=chain_id))
        self.evm = pyrevm.EVM(env=env, spec_id="CANCUN", **({"fork_url": fork_url} if fork_url else {}))
        self.now = now
        self._wallets: dict[str, Interface] = {}

    @property
    def now(self) -> int:
        return self._now

    @now.setter
    def now(self, time: int) -> None:
        self._now = time
        self.evm.set_block_env(pyrevm.BlockEnv(number=1, timestamp=time))

    def tick(self) -> None:
        """Any number of transactions share a time here, as those of one block do."""

    def deploy(self, name: str, *arguments: Any, by: str = DEPLOYER) -> Contract:
        code, interface = artifact(name), interface_of(name)
        address = self.evm.deploy(by, code.bytecode + interface.encode_constructor(*arguments)).lower()
        return self.at(name, address)

    def at(self, name: str, address: str) -> Contract:
        interface, address = interface_of(name), address.lower()
        if name == "Wallet":
            self._wallets[address] = interface
        return Contract(self, interface, address)

    def call(self, caller: str, to: str, data: bytes, *, static: bool) -> bytes:
        """Sends calldata, or asks without changing anything: the raw answer, or `Reverted`."""
        if wallet := self._wallets.get(caller):
            # an account with code sends no transactions (EIP-3607)
            execute = wallet.encode_call("execute", to, data)
            return wallet.decode_result(execute[:4], self.call(DEPLOYER, caller, execute, static=static))
        try:
            return self.evm.message_call(caller, to, data, is_static=static)
        except RuntimeError as error:
            if match := _REVERT.match(str(error)):
                raise Reverted(bytes.fromhex(match[1])) from None
            raise


class Reverted(Exception):
    """A call was reverted with this data."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data.hex())
        self.data = data


class Contract:
    """A contract on a chain, called by name."""

    def __init__(self, chain: Chain, interface: Interface, address: str) -> None:
        self.chain = chain
        self.interface = interface
        self.address = address

    def send(self, caller: str, function: str, *arguments: Any) -> tuple[Any, list[Event]]:
        """Runs a function as a transaction: what it returns and emits.

        Raises:
            Refused: the contract's error by name, with its arguments.
        """
        return self.send_raw(caller, self.interface.encode_call(function, *arguments))

    def send_raw(self, caller: str, data: bytes) -> tuple[Any, list[Event]]:
        """`send` of calldata as it is."""
        try:
            returned = self.chain.call(caller, self.address, data, static=False)
        except Reverted as error:
            raise self.interface.decode_error(error.data) from None
        logs = self.chain.evm.result.logs
        events = [self.interface.decode_event(*log.data) for log in logs if log.address.lower() == self.address]
        return self.interface.decode_result(data[:4], returned), events

    def read(self, function: str, *arguments: Any) -> Any:
        """Calls a view.

        Raises:
            Refused: as `send`.
        """
        data = self.interface.encode_view(function, *arguments)
        try:
            returned = self.chain.call(DEPLOYER, self.address, data, static=True)
        except Reverted as error:
            raise self.interface.decode_error(error.data) from None
        return self.interface.decode_result(data[:4], returned)

    def read_all(self, calls: list[tuple[Any, ...]]) -> list[Any]:
        """Calls many views."""
        return [self.read(*call) for call in calls]

    def load(self, slot: int) -> int:
        """One word of storage."""
        return self.chain.evm.storage(self.address, slot)

    def store(self, slot: int, value: int) -> None:
        """Overwrites one word of storage."""
        self.chain.evm.insert_account_storage(self.address, slot, value)
