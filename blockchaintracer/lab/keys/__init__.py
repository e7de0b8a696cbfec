"""Signing keys: who can sign, and the check that whoever does signs what was asked. Encryption keys are something else.

A key never comes by an argument and never reaches a log or an exception.
"""

from blockchaintracer.lab.keys.command_signer import COMMAND, PROTOCOL, CommandSigner
from blockchaintracer.lab.keys.environment_signer import PRIVATE_KEY, EnvironmentSigner, without_secrets
from blockchaintracer.lab.keys.key_folder import PASSPHRASE_FILE, passphrase_of
from blockchaintracer.lab.keys.keystore import KeyStore, KeystoreSigner
from blockchaintracer.lab.keys.signer import CheckedSigner, Signer

KEY = "BLOCKCHAINTRACER_KEY"
"""Environment variable: which key signs where ``--key`` doesn't say it."""

__all__ = [
    "COMMAND",
    "KEY",
    "PASSPHRASE_FILE",
    "PRIVATE_KEY",
    "PROTOCOL",
    "CheckedSigner",
    "CommandSigner",
    "EnvironmentSigner",
    "KeyStore",
    "KeystoreSigner",
    "Signer",
    "passphrase_of",
    "without_secrets",
]
