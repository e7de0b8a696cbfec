"""People with keys, honest and not, and what they sign."""

from __future__ import annotations

from typing import NamedTuple

from coincurve import PrivateKey
from eth_hash.auto import keccak

from tests.model.registry import Signature

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class Actor(NamedTuple):
    """An account with its key."""

    name: str
    key: PrivateKey
    address: str

    @classmethod
    def named(cls, name: str) -> Actor:
        """The same account for the same name, on every chain."""
        key = PrivateKey(keccak(name.encode()))
        return cls(name, key, "0x" + keccak(key.public_key.format(compressed=False)[1:])[12:].hex())

    def sign(self, digest: bytes) -> Signature:
        """65 bytes of ECDSA (r, s, v), with s in the lower half as wallets make it."""
        compact = self.key.sign_recoverable(digest, hasher=None)
        return Signature(compact[:64] + bytes([27 + compact[64]]), self.address, digest)


def malleable_twin(signature: Signature) -> Signature:
    """The other valid point for the same message: (r, n - s, 55 - v). ecrecover itself accepts it."""
    r, s, v = signature.raw[:32], int.from_bytes(signature.raw[32:64]), signature.raw[64]
    return signature._replace(raw=r + (ORDER - s).to_bytes(32, "big") + bytes([55 - v]), plain=False)


def compact_form(signature: Signature) -> Signature:
    """The same signature in the 64 bytes of EIP-2098."""
    s_and_parity = int.from_bytes(signature.raw[32:64]) | (signature.raw[64] - 27) << 255
    return signature._replace(raw=signature.raw[:32] + s_and_parity.to_bytes(32, "big"), plain=False)


def parity_form(signature: Signature) -> Signature:
    """The same signature with v as 0 or 1."""
    return signature._replace(raw=signature.raw[:64] + bytes([signature.raw[64] - 27]), plain=False)


def longer_form(signature: Signature) -> Signature:
    """The same signature with a byte behind it."""
    return signature._replace(raw=signature.raw + b"\0", plain=False)


def altered(signature: Signature) -> Signature:
    """A signature with one bit flipped."""
    return signature._replace(raw=bytes([signature.raw[0] ^ 1]) + signature.raw[1:], plain=False)


def nothing(signature: Signature) -> Signature:
    """No bytes at all."""
    return signature._replace(raw=b"", plain=False)


FORGERIES = (malleable_twin, compact_form, parity_form, longer_form, altered, nothing)
