"""The code that a registry of this version has at its address, computed from this package without a network.

A registry keeps its address, chain and rule inside its code (OpenZeppelin's EIP712 caches its domain there), so every
registry has code of its own, and its Keccak-256 tells whether it is an unaltered LabRegistry. It tells nothing of the
members. The RegistryLens has the same code and address on every chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from blockchaintracer.core.chain.abi import load_artifact, shipped_code
from blockchaintracer.core.chain.coding import encode
from blockchaintracer.core.record import DOMAIN_NAME, DOMAIN_VERSION, checksummed, from_hex, keccak, to_hex

PROXY = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
"""The deterministic deployment proxy (github.com/Arachnid/deterministic-deployment-proxy): most chains have it."""
FACTORY_SALT = bytes(32)
LENS_SALT = (1).to_bytes(32)
"""The version of the RegistryLens."""

_DOMAIN = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"


@dataclass(frozen=True, slots=True)
class KnownCode:
    """Code that this package knows."""

    version: str
    open_group_creation: bool


def registry_code(chain_id: int, registry: str, open_group_creation: bool) -> bytes:
    """Compute the runtime code of a registry of this version at an address."""
    hashed_name, hashed_version = keccak(DOMAIN_NAME.encode()), keccak(DOMAIN_VERSION.encode())
    types = [{"type": kind} for kind in ("bytes32", "bytes32", "bytes32", "uint256", "address")]
    domain = keccak(encode(types, [keccak(_DOMAIN.encode()), hashed_name, hashed_version, chain_id, registry]))
    # ours, and OpenZeppelin's EIP712
    words = {
        "openGroupCreation": int(open_group_creation).to_bytes(32),
        "_name": _short_string(DOMAIN_NAME),
        "_version": _short_string(DOMAIN_VERSION),
        "_cachedThis": bytes.fromhex(registry[2:]).rjust(32, b"\0"),
        "_cachedDomainSeparator": domain,
        "_idDomain": domain,
        "_hashedName": hashed_name,
        "_hashedVersion": hashed_version,
        "_cachedChainId": chain_id.to_bytes(32),
    }
    code = bytearray(shipped_code(part="runtimeBytecode"))
    for name, places in load_artifact()["immutables"].items():
        for place in places:
            code[place : place + 32] = words[name]
    return bytes(code)


def known_code(chain_id: int, registry: str, code_hash: str) -> KnownCode | None:
    """Return the known contract version with this code hash (Keccak-256, 0x-hex) at an address, or None."""
    for is_open in (False, True):
        if to_hex(keccak(registry_code(chain_id, registry, is_open))) == code_hash:
            return KnownCode(DOMAIN_VERSION, is_open)
    return None


@cache
def factory_address() -> str:
    """Compute the address of this version's factory, the same on every chain that has the proxy (EIP-1014)."""
    return create2_address(PROXY, FACTORY_SALT, shipped_code("LabRegistryFactory"))


def create2_address(creator: str, salt: bytes, init_code: bytes) -> str:
    """Compute the address of a contract that `creator` makes by CREATE2 (EIP-1014)."""
    return checksummed("0x" + keccak(b"\xff" + bytes.fromhex(creator[2:]) + salt + keccak(init_code))[12:].hex())


def constructor_arguments(owner: str, open_group_creation: bool) -> bytes:
    """Encode what a registry's constructor takes."""
    return encode([{"type": "address"}, {"type": "bool"}], [owner, open_group_creation])


def factory_registry(owner: str, open_group_creation: bool, salt: str) -> str:
    """Compute the address (lower case) of the registry that the factory makes of these settings. `salt` is hex."""
    code = shipped_code() + constructor_arguments(owner, open_group_creation)
    return create2_address(factory_address(), from_hex(salt), code).lower()


@cache
def lens_address() -> str:
    """Return where this version's RegistryLens is on every chain that has it."""
    return create2_address(PROXY, LENS_SALT, shipped_code("RegistryLens"))


def _short_string(text: str) -> bytes:
    """Encode text as OpenZeppelin's ShortString: up to 31 bytes, and their number in the last."""
    return text.encode().ljust(31, b"\0") + bytes([len(text)])
