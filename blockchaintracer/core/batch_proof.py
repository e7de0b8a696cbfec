"""The proof that a record is in a batch: a file from anywhere, and whether it holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.formats import BATCH_PROOF, UnknownVersion
from blockchaintracer.core.manifest.base import canonical, parse_json
from blockchaintracer.core.merkle import TREE_KIND, leads_to
from blockchaintracer.core.record import Domain, RecordKey, checksummed, normal_id


@dataclass(frozen=True)
class Proof:
    """That a record is in a batch: all that is needed to check it and to store the record.

    Args:
        root: of the batch, 0x-hex.
        path: the siblings from the record's leaf to the root.
    """

    chain_id: int
    registry: str
    key: RecordKey
    root: str
    path: tuple[str, ...]

    @property
    def id(self) -> str:
        """The record id, computed from the key."""
        return Domain(self.chain_id, self.registry).record_id(self.key)

    @property
    def holds(self) -> bool:
        """Whether the path leads from the record to the root."""
        return leads_to(self.id, self.path) == self.root

    def require(self, domain: Domain) -> Proof:
        """Return the proof itself if it is for this registry.

        Raises:
            NotVerified: if it is for another one.
        """
        if (self.chain_id, self.registry.lower()) != (domain.chain_id, domain.registry.lower()):
            raise NotVerified(
                f"the proof is for the registry {self.registry} on chain {self.chain_id}, not for"
                f" {domain.registry} on chain {domain.chain_id}",
                hint="Choose them with --registry and --network or --rpc.",
            )
        return self

    def as_json(self) -> dict[str, Any]:
        """Return JSON-ready values. `parse` takes them back."""
        return {
            **BATCH_PROOF.header(),
            "tree": TREE_KIND,
            "chainId": str(self.chain_id),
            "registry": self.registry,
            "group": self.key.group,
            "author": checksummed(self.key.author),
            "root": self.root,
            "proof": list(self.path),
            "key": self.key.as_json(),
        }

    @classmethod
    def read_file(cls, path: Path) -> Proof:
        """Read a proof file of any origin."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"expected a batch's proof file in {path}: {error.strerror}") from None
        return cls.parse(content, str(path))

    @classmethod
    def parse(cls, content: bytes, path: str) -> Proof:
        """Read the content of a proof file of any origin. Messages call it `path`."""
        try:
            data = parse_json(content, "a batch's proof")
            BATCH_PROOF.check_header(data, path)
            if data["tree"] != TREE_KIND:
                raise ValueError(f"tree {data['tree']!r}")
            proof = cls(
                int(data["chainId"]),
                checksummed(data["registry"]),
                RecordKey.from_json(data["key"]),
                normal_id(data["root"], "root"),
                tuple(normal_id(sibling, "sibling") for sibling in data["proof"]),
            )
            # no field is free: what the proof says again of its key must be the key's
            if canonical(proof.as_json()) != canonical(data):
                raise ValueError("a field that is not the proof's own, or not in its one form")
            held = proof.holds
        except UnknownVersion:
            raise
        except Exception as error:
            # a stranger chose the numbers: encoding them for the id may fail in many ways
            raise InputError(
                f"expected a batch's proof file in {path}, got: {type(error).__name__} {str(error)[:200]}",
                hint="`batch anchor` writes one for each record.",
            ) from None
        if not held:
            raise InputError(f"the proof in {path} doesn't lead from record {proof.id} to its root {proof.root}")
        return proof
