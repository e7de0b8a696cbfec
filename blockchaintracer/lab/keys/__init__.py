"""Signing keys: who can sign, and the check that they sign what was asked. Encryption keys are something else.

A key never comes by an argument and never reaches a log or an exception.
"""

from blockchaintracer.lab.keys.command_signer import COMMAND as COMMAND
from blockchaintracer.lab.keys.command_signer import CommandSigner as CommandSigner
from blockchaintracer.lab.keys.environment_signer import PRIVATE_KEY as PRIVATE_KEY
from blockchaintracer.lab.keys.environment_signer import EnvironmentSigner as EnvironmentSigner
from blockchaintracer.lab.keys.environment_signer import without_secrets as without_secrets
from blockchaintracer.lab.keys.key_folder import PASSPHRASE_FILE as PASSPHRASE_FILE
from blockchaintracer.lab.keys.key_folder import chosen_passphrase as chosen_passphrase
from blockchaintracer.lab.keys.key_folder import passphrase_of as passphrase_of
from blockchaintracer.lab.keys.keystore import KeyStore as KeyStore
from blockchaintracer.lab.keys.signer import CheckedSigner as CheckedSigner
from blockchaintracer.lab.keys.signer import Signer as Signer

KEY = "BLOCKCHAINTRACER_KEY"
"""Environment variable: which key signs without ``--key``."""
