"""The proof that a record is in a batch: a file from anywhere, and whether it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from typing_extensions import override

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import BATCH_PROOF, Format
from blockchaintracer.core.merkle import TREE_KIND, leads_to
from blockchaintracer.core.record import normal_id
from blockchaintracer.core.record_key_file import KeyFile


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
