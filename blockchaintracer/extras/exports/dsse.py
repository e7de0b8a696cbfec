"""The manifest as what it is, an in-toto Statement, and in a DSSE envelope (secure-systems-lab/dsse, version 1)."""

from __future__ import annotations

from pathlib import Path

from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.exports.export_facts import ExportFacts
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.plain_text import json_text

PAYLOAD_TYPE = "application/vnd.in-toto+json"
_MAX_KEY = 1 << 16


def statement(facts: ExportFacts) -> bytes:
    """Return the bytes of the manifest: an in-toto Statement v1. Their SHA-256 is what the chain holds."""
    if facts.asked.manifest is None:
        raise InputError(f"the manifest of {facts.asked.id} is not here")
    return facts.asked.manifest.to_bytes()


def envelope(facts: ExportFacts, key: Path | None = None) -> bytes:
    """Put the statement into an envelope, signed with a key if there is one.

    Args:
        key: PEM (PKCS #8) of an Ed25519, ECDSA or RSA key, without a passphrase. A record's own key is no such key: it
            signs transactions and EIP-712 documents, and a signature of DSSE is over other bytes.

    Raises:
        InputError: if it is no such key. Nothing of the file is shown.
    """
    dsse = require("securesystemslib.dsse", "exports")
    made = dsse.Envelope(payload=statement(facts), payload_type=PAYLOAD_TYPE, signatures={})
    if key is not None:
        signer = require("securesystemslib.signer", "exports")
        serialization = require("cryptography.hazmat.primitives.serialization", "exports")
        try:
            with key.open("rb") as file:
                private = serialization.load_pem_private_key(file.read(_MAX_KEY), None)
            made.sign(signer.CryptoSigner(private))
        except Exception:  # whatever the parser says may show the key
            raise InputError(
                f"expected a PEM file with an unencrypted Ed25519, ECDSA or RSA key at {key}, got none that can sign"
            ) from None
    return json_text(made.to_dict())
