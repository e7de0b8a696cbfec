"""Key files: a record's key with its chain and registry. Such a file and one read of the state prove a record.

>>> key = RecordKey(1, "0x" + "11" * 20, 1, "aa" * 32, 1, "bb" * 32)
>>> KeyFile.parse(KeyFile(1, "0x" + "12" * 20, key).to_bytes(), "it").key == key
True
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from typing_extensions import override

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.formats import BATCH_PROOF, RECORD_KEY, Format, read_limited
from blockchaintracer.core.merkle import TREE_KIND, leads_to
from blockchaintracer.core.plain_json import read_strictly
from blockchaintracer.core.record import Domain, RecordKey, checksummed, normal_id, unsigned
from blockchaintracer.core.verify.inclusion import Inclusion

MAX_KEY_FILE_BYTES = 1 << 20


@dataclass(frozen=True)
class KeyFile:
    """A record's key, and the chain and registry that its id is bound to. They are claims: `require` compares them.

    Args:
        receipts: of the transactions that stored it, or anchored its batch, with what proves them.
    """

    chain_id: int
    registry: str
    key: RecordKey
    receipts: tuple[Inclusion, ...] = field(default=(), kw_only=True)

    FORMAT: ClassVar[Format] = RECORD_KEY

    @property
    def id(self) -> str:
        """The record id, computed from the key."""
        return Domain(self.chain_id, self.registry).record_id(self.key)

    def require(self, domain: Domain) -> Self:
        """Return the file itself if it is for this registry, else raise NotVerified."""
        if (self.chain_id, self.registry.lower()) != (domain.chain_id, domain.registry.lower()):
            raise NotVerified(
                f"the {self.FORMAT.name} is for the registry {self.registry} on chain {self.chain_id}, not for"
                f" {domain.registry} on chain {domain.chain_id}",
                hint="Choose them with --registry and --network or --rpc.",
            )
        return self

    def as_json(self) -> dict[str, Any]:
        """Return JSON-ready values. `parse` takes them back."""
        place = {"chainId": str(self.chain_id), "registry": self.registry, "key": self.key.as_json()}
        receipts = {"receipts": [it.as_json() for it in self.receipts]} if self.receipts else {}
        return self.FORMAT.header() | place | receipts

    def to_bytes(self) -> bytes:
        """Return the bytes of the file."""
        return (json.dumps(self.as_json(), indent=2) + "\n").encode()

    @classmethod
    def read_file(cls, path: Path) -> Self:
        """Read a file of any origin, of at most 1 MiB."""
        return cls.parse(read_limited(path, MAX_KEY_FILE_BYTES, f"a {cls.FORMAT.name}"), str(path))

    @classmethod
    def parse(cls, content: bytes, path: str) -> Self:
        """Read the content of a file of any origin. Messages call it `path`.

        Raises:
            UnknownVersion: if its version is not read here.
            InputError: if it is no such file, or not in its one form.
        """
        return read_strictly(content, cls.FORMAT, path, cls._from_json, cls.as_json)

    @classmethod
    def _from_json(cls, data: dict[str, Any]) -> Self:
        place = unsigned(int(data["chainId"]), 256), checksummed(data["registry"])
        receipts = tuple(map(Inclusion.from_json, data.get("receipts", ())))
        return cls(*place, RecordKey.from_json(data["key"]), receipts=receipts)


@dataclass(frozen=True)
class Proof(KeyFile):
    """That a record is in a batch: all that is needed to check it and to store the record.

    Args:
        root: of the batch, 0x-hex.
        path: the siblings from the record's leaf to the root.
    """

    root: str
    path: tuple[str, ...]

    FORMAT: ClassVar[Format] = BATCH_PROOF

    @property
    def holds(self) -> bool:
        """Whether the path leads from the record to the root."""
        return leads_to(self.id, self.path) == self.root

    @override
    def as_json(self) -> dict[str, Any]:
        return super().as_json() | {"tree": TREE_KIND, "root": self.root, "proof": list(self.path)}

    @override
    @classmethod
    def _from_json(cls, data: dict[str, Any]) -> Self:
        file = KeyFile._from_json(data)
        path = tuple(normal_id(sibling, "sibling") for sibling in data["proof"])
        root = normal_id(data["root"], "root")
        proof = cls(file.chain_id, file.registry, file.key, root, path, receipts=file.receipts)
        if not proof.holds:
            raise InputError(f"the path doesn't lead from record {proof.id} to the root {proof.root}")
        return proof
