"""A renewal as a file: the record's key, its manifest and its hash tree, which prove each other's digests."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import RENEWAL, read_limited
from blockchaintracer.core.manifest import Manifest, RenewalPredicate, check_against_key, parse_manifest
from blockchaintracer.core.plain_json import canonical, read_strictly
from blockchaintracer.core.record import Domain, Kind, RecordKey, Relation, checksummed, unsigned
from blockchaintracer.extras.renewal.hash_tree import MAX_TREE_BYTES, HashTree, root_text

FOLDER = "renewals"
MAX_FILE_BYTES = MAX_TREE_BYTES + (4 << 20)
_MAX_BYTES = 1 << 30
"""Of all files that are read together."""


@dataclass(frozen=True)
class RenewalFile:
    """A renewal of any origin whose parts fit together. That a chain holds it is for the caller to check."""

    chain_id: int
    registry: str
    key: RecordKey
    manifest: Manifest
    tree: HashTree

    @property
    def domain(self) -> Domain:
        """Chain and registry that the record's id is bound to."""
        return Domain(self.chain_id, self.registry)

    @cached_property
    def id(self) -> str:
        """The id of the renewal's record."""
        return self.domain.record_id(self.key)

    @cached_property
    def renews(self) -> frozenset[str]:
        """The records that it renews: its parents, and those whose keys are leaves. What is only in a batch can be no
        parent of what is stored."""
        links = (link.parent for link in self.key.parents if link.relation == Relation.RENEWS)
        return frozenset([*links, *(name[4:] for name in self.tree.leaves if name.startswith("key/"))])

    @property
    def root_text(self) -> str:
        """What witnesses stamp."""
        return root_text(self.tree.roots)

    @cached_property
    def parts(self) -> dict[str, bytes]:
        """What the renewal itself commits to, by the names that leaves of a later renewal have."""
        data, tree = self.manifest.to_bytes(), self.tree.to_bytes()
        return {
            f"key/{self.id}": key_bytes(self.domain, self.key),
            f"object/{hashlib.sha256(data).hexdigest()}": data,
            f"object/{hashlib.sha256(tree).hexdigest()}": tree,
        }

    def as_json(self) -> dict[str, Any]:
        """Return JSON-ready values. `parse` takes them back."""
        return RENEWAL.header() | {
            "chainId": str(self.chain_id),
            "registry": self.registry.lower(),
            "key": self.key.as_json(),
            "manifest": self.manifest.to_json(),
            "tree": self.tree.to_bytes().decode(),
        }

    def to_bytes(self) -> bytes:
        """Return the bytes of the file (RFC 8785)."""
        return canonical(self.as_json())

    @classmethod
    def parse(cls, data: bytes, where: str) -> RenewalFile:
        """Read a file of any origin.

        Raises:
            InputError: if it is none, or key, manifest, tree and roots do not fit together.
        """
        file: RenewalFile = read_strictly(data, RENEWAL, where, cls.from_json, cls.as_json)
        if file.to_bytes() != data:
            raise InputError(f"{where}: expected the canonical form of JSON (RFC 8785)")
        return file

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RenewalFile:
        """Read what `as_json` returns. Raises InputError or ValueError if its parts do not fit together."""
        manifest = parse_manifest(canonical(data["manifest"]))
        key, tree = RecordKey.from_json(data["key"]), HashTree.parse(data["tree"].encode())
        file = cls(unsigned(int(data["chainId"]), 256), checksummed(data["registry"]), key, manifest, tree)
        if problems := file.problems():
            raise InputError("; ".join(problems))
        return file

    def problems(self) -> list[str]:
        """Say where key, manifest and tree contradict each other."""
        predicate = self.manifest.predicate
        if self.key.kind != Kind.RENEWAL or not isinstance(predicate, RenewalPredicate):
            return [f"expected a record of the kind renewal, got {self.key.kind}"]
        told = (predicate.roots.sha512, predicate.roots.sha3_256)
        sha256 = hashlib.sha256(self.tree.to_bytes()).hexdigest()
        pairs = {
            "manifest": (self.key.manifest, self.manifest.digest()),
            "roots": (told, tuple(root.hex() for root in self.tree.roots)),
            "count": (predicate.count, len(self.tree.leaves)),
            "missing": (predicate.missing, len(self.tree.missing)),
            "tree": (predicate.tree.sha256, sha256),
        }
        problems = [f"expected the {name} {one}, got {other}" for name, (one, other) in pairs.items() if one != other]
        return problems + check_against_key(self.manifest, self.key)


def key_bytes(domain: Domain, key: RecordKey) -> bytes:
    """Return the bytes of the leaf of a record's key: all its fields, with chain and registry."""
    place = {"chainId": str(domain.chain_id), "registry": domain.registry.lower()}
    return canonical(place | {"key": key.as_json()})


def read_renewals(
    folders: Iterable[Path], domain: Domain, ids: Collection[str] | None = None
) -> tuple[list[RenewalFile], list[str]]:
    """Read the renewals of a registry in folders (each the one that has `FOLDER`), each once; and what is wrong with
    damaged files.

    Args:
        ids: only files that name one of these records are read; None for all.

    Raises:
        InputError: if there are more bytes than are read.
    """
    renewals: dict[str, RenewalFile] = {}
    problems: list[str] = []
    names, left = [record_id.encode() for record_id in ids or ()], _MAX_BYTES
    for file in _files(folders):
        try:
            data = read_limited(file, min(MAX_FILE_BYTES, left), "renewals")
            left -= len(data)
            if ids is not None and not any(name in data for name in names):
                continue
            renewal = RenewalFile.parse(data, str(file))
        except InputError as error:
            if left < MAX_FILE_BYTES:
                raise
            problems.append(error.message)
            continue
        if (renewal.chain_id, renewal.registry.lower()) == (domain.chain_id, domain.registry.lower()):
            renewals[renewal.id] = renewal
    return [*renewals.values()], problems


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        if (inside := folder / FOLDER).is_dir():
            yield from sorted(inside.glob("*.json"))
