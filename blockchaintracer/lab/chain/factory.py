"""Where registries come from: the factory, the proxy that gives it one address everywhere, and an EVM that runs it."""

from __future__ import annotations

from blockchaintracer.core.chain.abi import interface, load_artifact, shipped_code
from blockchaintracer.core.chain.connection import Chain
from blockchaintracer.core.chain.known_code import (
    FACTORY_SALT,
    PROXY,
    constructor_arguments,
    create2_address,
    factory_address,
    factory_registry,
)
from blockchaintracer.core.chain.registry import Registry
from blockchaintracer.core.chain.reverts import in_words
from blockchaintracer.core.errors import ChainUnavailable, InputError, NodeError, NotVerified
from blockchaintracer.core.record import checksummed, from_hex, keccak, to_hex
from blockchaintracer.lab.chain.gas_price import gas_price
from blockchaintracer.lab.chain.questions import estimate_gas, send

__all__ = ["FACTORY_SALT", "PROXY", "Factory", "constructor_arguments", "factory_address"]

PROXY_SIGNER = "0x3fAB184622Dc19b6109349B94811493BF2a45362"
"""Nobody has its key: its only transaction was made by choosing a signature, so that every chain accepts the same."""
PROXY_GAS = 100_000
PROXY_GAS_PRICE_WEI = 100 * 10**9
PROXY_COST_WEI = PROXY_GAS * PROXY_GAS_PRICE_WEI
"""What the transaction below demands that its signer has."""
PROXY_INIT_CODE = bytes.fromhex(
    "604580600e600039806000f350fe7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe0"
    "3601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
)
PROXY_CODE = PROXY_INIT_CODE[14:]
PROXY_TRANSACTION = bytes.fromhex(
    f"f8a58085174876e800830186a08080b853{PROXY_INIT_CODE.hex()}1ba0{'22' * 32}a0{'22' * 32}"
)
"""Creates the proxy: nonce 0, no chain id (so before EIP-155), 100 gwei, 100,000 gas."""

_UNPROTECTED = ("protected", "eip-155", "eip155", "chainid is required")
"""Words in which nodes refuse a transaction that names no chain."""


Settings = tuple[str, bool, str]
"""Of which the factory makes a registry: owner (lower case), whether anyone creates groups, salt (0x-hex)."""


def settings_of(registry: Registry) -> Settings | None:
    """Return of which settings the factory made a registry, by its event; None if no event tells."""
    code = interface("LabRegistryFactory")
    topics = code.filter("RegistryDeployed", {"registry": registry.address})
    try:
        logs = registry.chain.logs({"address": factory_address(), "topics": topics, "fromBlock": "0x0"})
        found = [code.event(log) for log in logs]
    except (ChainUnavailable, ValueError):
        return None  # many nodes tell only of some blocks at once
    for event in found:
        if event is None:
            continue
        owner, is_open, salt = (event.args[name] for name in ("owner", "openGroupCreation", "salt"))
        settings = (owner.lower(), is_open, to_hex(salt))
        if factory_registry(*settings) == registry.address.lower():
            return settings
    return None


class Factory:
    """The factory on one chain.

    Args:
        address: another one than this version's usual, where a chain couldn't have it there.
    """

    def __init__(self, chain: Chain, address: str | None = None) -> None:
        self.chain = chain
        self.address = factory_address() if address is None else checksummed(address, "the factory's address")

    def _created(self, number: int) -> str:
        """Address of the contract that the factory created as its first or second: they hold the creation code."""
        # RLP of [address, number]
        rlp = b"\xd6\x94" + bytes.fromhex(self.address[2:]) + bytes([number])
        return checksummed("0x" + keccak(rlp)[12:].hex())

    def code(self) -> dict[str, bytes]:
        """What the chain has to hold, by address: the factory, and each half of the creation code after a STOP."""
        artifact = load_artifact("LabRegistryFactory")
        runtime = bytearray.fromhex(artifact["runtimeBytecode"][2:])
        code = shipped_code()
        middle = len(code) // 2
        first, second = self._created(1), self._created(2)
        for name, holder in (("_firstHalf", first), ("_secondHalf", second)):
            for start in artifact["immutables"][name]:
                runtime[start : start + 32] = bytes(12) + bytes.fromhex(holder[2:])
        halves = {first: b"\x00" + code[:middle], second: b"\x00" + code[middle:]}
        return {self.address: bytes(runtime), **halves}

    def exists(self) -> bool:
        """Whether a contract is at its address."""
        return self.chain.has_code(self.address)

    def require(self) -> Factory:
        """Itself, if the chain holds exactly this version's code there."""
        if not self.exists():
            raise InputError(f"expected a factory at {self.address} on {self.chain.name}, got no contract")
        for address, expected in self.code().items():
            if self.chain.code(address) != expected:
                raise NotVerified(
                    f"the code at {address} on {self.chain.name} is not what this version's factory has",
                    hint="Another version made it, or the chain doesn't run the EVM: its registries aren't genuine.",
                )
        return self

    def registry_address(self, owner: str, open_group_creation: bool, salt: str) -> str:
        """Where its registry of these settings is, or would be."""
        code = shipped_code() + constructor_arguments(owner, open_group_creation)
        return create2_address(self.address, from_hex(salt), code)

    def deployment(self, owner: str, open_group_creation: bool, salt: str) -> str:
        """Calldata (0x-hex) that deploys the registry of these settings."""
        return interface("LabRegistryFactory").call("deploy", owner, open_group_creation, from_hex(salt))

    def is_genuine(self, registry: str) -> bool:
        """Whether it deployed the contract at this address."""
        code = interface("LabRegistryFactory")
        try:
            return code.result("isGenuine", self.chain.call(self.address, code.call("isGenuine", registry))) is True
        except ValueError:
            raise InputError(f"no factory answers at {self.address} on {self.chain.name}") from None


def require_owner(owner: str) -> None:
    """Refuses the owner whom the registry would refuse, before anything is paid."""
    if int(owner, 16) == 0:
        raise in_words("OwnableInvalidOwner", {"owner": owner})


def proxy_problem(chain: Chain) -> str | None:
    """Why the proxy's transaction would fail on this chain as it is now; None if nothing is known against it."""
    base_fee = gas_price(chain).base_fee or 0
    gas = estimate_gas(chain, {"from": PROXY, "data": to_hex(PROXY_INIT_CODE)})
    if base_fee > PROXY_GAS_PRICE_WEI:
        return f"a unit of gas costs {base_fee / 10**9:.0f} gwei now, and the transaction pays 100: wait"
    if gas > PROXY_GAS:
        return f"creating the proxy takes {gas} units of gas here, and its transaction has {PROXY_GAS}"
    return None


def offer_proxy_transaction(chain: Chain) -> None:
    """Hands the proxy's transaction to the node, which takes it only if its signer was paid already."""
    try:
        send(chain, PROXY_TRANSACTION)
    except NodeError as error:
        if any(word in error.reason.lower() for word in _UNPROTECTED):
            raise InputError(
                f"{chain.address} takes no transaction without a chain id (EIP-155), and only such a one can put the "
                f"deployment proxy at {PROXY}",
                hint="Try another node of this chain (geth: --rpc.allow-unprotected-txs). If none takes it, deploy the "
                "contract LabRegistryFactory by an ordinary transaction (docs/deploy.md) and name it: --factory "
                "ADDRESS. Factory and registry then have other addresses than on other chains.",
            ) from None
        # before its signer is paid a node should say that it has too little; anything else is told when it's sent


_RETURN = "60006000f3"
_PROBES = {"PUSH0 (EIP-3855, Shanghai)": "5f50", "MCOPY (EIP-5656, Cancun)": "6000600060005e"}
"""Code that runs one instruction, which the contracts need and chains before Cancun lack."""


def missing_instructions(chain: Chain) -> list[str]:
    """Return the instructions that the contracts need and the chain's EVM refuses. None are if it runs them all, or
    the node runs no code for a question."""
    if _runs(chain, "".join(_PROBES.values())) or not _runs(chain, ""):
        return []
    return [name for name, code in _PROBES.items() if not _runs(chain, code)]


def require_cancun(chain: Chain) -> None:
    """Refuse a chain whose EVM cannot run the contracts.

    Raises:
        InputError: if it lacks an instruction.
    """
    if missing := missing_instructions(chain):
        raise InputError(
            f"expected a chain whose EVM knows the rules of Cancun, but {chain.name} lacks {' and '.join(missing)}: "
            "the contracts cannot run there",
            hint="Nothing was sent and nothing was paid. Use another chain, or wait for this one's upgrade.",
        )


def _runs(chain: Chain, code: str) -> bool:
    try:
        chain.ask("eth_call", {"data": f"0x{code}{_RETURN}"}, "latest")
    except NodeError:
        return False
    return True
