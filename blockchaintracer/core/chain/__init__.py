"""One chain and one registry on it: blocks, calls, events and explained refusals. Writing is decided elsewhere."""

from blockchaintracer.core.chain.abi import DecodedEvent as DecodedEvent
from blockchaintracer.core.chain.abi import load_artifact as load_artifact
from blockchaintracer.core.chain.connection import Block as Block
from blockchaintracer.core.chain.connection import Chain as Chain
from blockchaintracer.core.chain.connection import TransactionReceipt as TransactionReceipt
from blockchaintracer.core.chain.known_code import KnownCode as KnownCode
from blockchaintracer.core.chain.known_code import factory_registry as factory_registry
from blockchaintracer.core.chain.known_code import known_code as known_code
from blockchaintracer.core.chain.registry import Attestation as Attestation
from blockchaintracer.core.chain.registry import Membership as Membership
from blockchaintracer.core.chain.registry import Registry as Registry
