"""Batches: any number of records under one Merkle root, each with a proof file of its own.

Records are added to an open batch, of which nothing is sent. Anchoring it writes the proofs first and enters the one
transaction into the outbox then: a process may die anywhere in between, and the next one goes on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785

from blockchaintracer.core.batch_proof import Proof
from blockchaintracer.core.errors import ChainUnavailable, InputError, StoreError
from blockchaintracer.core.manifest import Manifest, parse_manifest
from blockchaintracer.core.merkle import TREE_KIND, MerkleTree
from blockchaintracer.core.record import Kind, RecordKey, Role, checksummed, label, normal_digest
from blockchaintracer.lab.drafts import Draft, Recorded
from blockchaintracer.lab.files import locked, sync_folder, write_whole
from blockchaintracer.lab.kept_proofs import (
    _ANCHOR_FIRST,
    _OPEN,
    _anchored_folders,
    _anchored_proof,
    _entry,
    _folder,
    _is_open,
    find_proof,
    required_here,
)
from blockchaintracer.lab.lab import Lab, role_problem
from blockchaintracer.lab.outbox import ANCHORS, Entry, Op, Transaction
from blockchaintracer.lab.recording.commit import described, progress_of, send

MANIFEST_TYPE = "urn:blockchaintracer:batch:v1"


@dataclass(frozen=True)
class Batched(Recorded):
    """A record in a batch. EntryState, transaction, block and time are the batch's; ``open`` is not anchored yet.

    Args:
        root: of the batch, 64 hex digits; None while it's open.
        proof: the record's proof file; None while the batch is open.
    """

    root: str | None
    proof: str | None


@dataclass(frozen=True)
class Anchored:
    """A batch and where it came to be.

    Args:
        root: 64 hex digits.
        manifest: SHA-256 of the batch's description, which is in the store; with `leaves` the chain doesn't name it.
        proofs: the folder with a proof file for each record.
        existing: whether it was anchored before and nothing was paid.
    """

    root: str
    count: int
    leaves: bool
    group: int
    author: str
    manifest: str
    proofs: str
    registry: str
    chain_id: int
    state: str
    transaction: str | None
    block: int | None
    time: int | None
    existing: bool


def batching(lab: Lab) -> AbstractContextManager[None]:
    """Inside, what would be recorded is added to the open batch instead."""
    return lab.committing(_add)


def _add(lab: Lab, made: Draft) -> Recorded:
    group = made.key.group
    try:
        if lab.registry.status(made.id).exists:
            return send(lab, made)
        if problem := role_problem(lab, group, Role.RECORDER):
            raise problem
    except ChainUnavailable:
        # nothing is sent now: what the chain says is asked again when the batch is anchored
        pass
    with _alone(lab):
        if proof := _anchored_proof(lab, made.id):
            return _batched(lab, made, proof)
        lab.store.put_bytes(made.manifest.to_bytes())
        file = _folder(lab, group) / _OPEN / f"{made.id}.json"
        existing = file.exists()
        if not existing:
            _write(file, made.key.as_json())
    return Batched(**described(lab, made), **_NOWHERE, existing=existing, root=None, proof=None)


_NOWHERE: dict[str, Any] = {"state": "open", "transaction": None, "block": None, "time": None}


def _batched(lab: Lab, made: Draft, proof: Path) -> Batched:
    read = Proof.read(proof)
    entry = _entry(lab, read.key.group, read.root)
    assert entry is not None  # noqa: S101 -- an anchored proof has one
    return Batched(**described(lab, made), **progress_of(entry), existing=True, root=read.root, proof=str(proof))


def listed(lab: Lab) -> dict[str, Any]:
    """The group's open batch and its anchored ones.

    Returns:
        ``open``: its records; ``batches``: root, count, state, time and the folder of the proofs of each.
    """
    group = lab.group(Role.RECORDER)
    with _alone(lab):
        keys = _open_keys(lab, group)
    rows = []
    for folder in _anchored_folders(lab, group):
        if (entry := _entry(lab, group, folder.name)) is None:
            continue
        rows.append(
            {
                "root": entry.write["root"],
                "count": entry.write["count"],
                "leaves": entry.write.op is Op.ANCHOR_LEAVES,
                **progress_of(entry),
                "proofs": str(folder),
            }
        )
    return {"group": group, "open": [_told(lab, record_id, key) for record_id, key in keys.items()], "batches": rows}


def _told(lab: Lab, record_id: str, key: RecordKey) -> dict[str, Any]:
    return {"id": record_id, "kind": label(key.kind, Kind), "name": manifest_of(lab, key).predicate.name}


def manifest_of(lab: Lab, key: RecordKey) -> Manifest:
    """The manifest that the store has of a key."""
    return parse_manifest(lab.store.get_bytes(key.manifest))


def anchor(lab: Lab, *, leaves: bool = False) -> Anchored:
    """Anchors the group's open batch: writes the proofs, then sends the root.

    Args:
        leaves: put the ids of all records on the chain too; the registry then counts them. Costs more with each.

    Raises:
        InputError: if nothing is in the open batch.
        ContractRevert: before anything is written, if the signer lacks the role.
        ChainUnavailable: if the chain is away; the proofs are written and the root waits in the outbox.
    """
    group = lab.group(Role.RECORDER)
    with _alone(lab):
        keys = _open_keys(lab, group)
        if not keys:
            raise InputError(
                "expected records in the open batch, got none",
                hint="Add some: `blockchaintracer batch add --dataset data.csv`. `batch list` shows what was anchored.",
            )
        away = None
        try:
            if problem := role_problem(lab, group, Role.RECORDER):
                raise problem
        except ChainUnavailable as error:
            away = error
        tree = MerkleTree(keys)
        description: dict[str, str | int] = {
            "type": MANIFEST_TYPE,
            "tree": TREE_KIND,
            "root": tree.root,
            "count": len(keys),
        }
        manifest = lab.store.put_bytes(rfc8785.dumps({**description}))
        fields: dict[str, Any] = {
            "group": group,
            "author": lab.signer.address,
            "root": tree.root,
            "count": len(keys),
            "manifest": manifest,
        }
        op, ids = (Op.ANCHOR_LEAVES, {"ids": tree.values}) if leaves else (Op.ANCHOR, {})
        write = Transaction(op, lab.domain.registry, **fields, **ids)
        existing = False
        if not away:
            existing = write.is_done(lab.chain)
            if not existing:
                lab.fund_on_devnet()
                write.check(lab.chain, lab.signer.address)
        proofs = _folder(lab, group) / tree.root
        _write_proofs(lab, proofs, tree, keys)
        entry = lab.outbox.add_transaction(lab.chain_id, write, lab.signer.address)
        _close(lab, group, keys)
    if away:
        raise ChainUnavailable(
            f"{away.message}\nThe proofs are in {proofs} and the root {tree.root} waits in the outbox.",
            hint="`blockchaintracer outbox flush` sends it.",
        )
    lab.flush()
    entry = lab.outbox.find_entry(lab.chain_id, write)
    return Anchored(
        root=tree.root,
        count=len(keys),
        leaves=leaves,
        group=group,
        author=lab.signer.address,
        manifest=manifest,
        proofs=str(proofs),
        registry=write.registry,
        chain_id=lab.chain_id,
        **progress_of(entry),
        existing=existing,
    )


def batched_keys(lab: Lab) -> Iterator[tuple[str, RecordKey]]:
    """Id and key of every record that this lab put into a batch, open or anchored, on whatever chain.

    Raises:
        StoreError: if a file of one is damaged.
    """
    roots = {entry.write["root"] for entry in lab.outbox.entries(None, *ANCHORS)}
    for file in sorted(lab.home.batches.glob("*/*/*.json")):
        if file.parent.name == _OPEN or file.parent.name in roots:
            try:
                data = json.loads(file.read_bytes())
                yield file.stem, RecordKey.from_json(data.get("key", data))
            except (OSError, ValueError, KeyError, TypeError, AttributeError, InputError) as error:
                raise StoreError(f"expected a record of a batch in {file}, got: {type(error).__name__}") from None


def materialize(lab: Lab, target: str) -> list[Recorded]:
    """Stores a record from its batch, and before it those parents that are in batches too.

    Args:
        target: the record's id, or the path of a proof file, from whomever.

    Returns:
        the records that were stored, parents first; the last is the one asked for.

    Raises:
        InputError: if no proof is here, or it's for another registry.
        ContractRevert: if the registry refuses one.
    """
    path = Path(target)
    first = Proof.read(path) if path.is_file() else _required_proof(lab, target)
    required_here(lab, first)
    proofs = list(_with_parents(lab, first, path.parent if path.is_file() else None))
    writes = [
        Transaction(
            Op.MATERIALIZE, proof.registry, record_id=proof.id, key=proof.key, root=proof.root, proof=proof.path
        )
        for proof in proofs
    ]
    existing = [write.is_done(lab.chain) for write in writes]
    entries = lab.write(*writes)
    return [_stored(lab, *each) for each in zip(proofs, entries, existing, strict=True)]


def _stored(lab: Lab, proof: Proof, entry: Entry, existing: bool) -> Recorded:
    from blockchaintracer.core.digest import cid_of_sha256

    key, status = proof.key, lab.registry.status(proof.id)
    name = manifest_of(lab, key).predicate.name if lab.store.has(key.manifest) else None
    return Recorded(
        id=proof.id,
        kind=label(key.kind, Kind),
        name=name,
        group=key.group,
        author=checksummed(key.author),
        subject=key.subject,
        manifest=key.manifest,
        cid=cid_of_sha256(key.manifest),
        registry=proof.registry,
        chain_id=proof.chain_id,
        # its time is the batch's, whenever it is stored
        **{**progress_of(entry), "time": status.recorded_at},
        existing=existing,
    )


def _required_proof(lab: Lab, target: str) -> Proof:
    record_id = normal_digest(target, "record id, or an existing proof file")
    if proof := find_proof(lab, record_id):
        return proof
    raise InputError(
        f"no proof of record {record_id} is kept here",
        hint=_ANCHOR_FIRST
        if _is_open(lab, record_id)
        else "Ask its author for the proof file, and name that instead of the id.",
    )


def _with_parents(lab: Lab, last: Proof, beside: Path | None) -> Iterator[Proof]:
    """A proof after those of its parents that aren't stored; proof files may lie beside the one that was given."""
    seen: set[str] = set()
    left: list[tuple[Proof, bool]] = [(last, False)]
    while left:
        proof, are_parents_done = left.pop()
        if are_parents_done:
            yield proof
            continue
        if proof.id in seen:
            continue
        seen.add(proof.id)
        left.append((proof, True))
        for link in proof.key.parents:
            if link.parent in seen or lab.registry.status(link.parent).exists:
                continue
            file = beside / f"{link.parent}.json" if beside else None
            found = Proof.read(file) if file and file.is_file() else find_proof(lab, link.parent)
            if found is None:
                raise InputError(
                    f"the parent {link.parent} of {proof.id} is not stored, and no proof of it is here",
                    hint="Record it, or put its proof file beside the other one.",
                )
            left.append((found, False))


# -- the folder


@contextmanager
def _alone(lab: Lab) -> Iterator[None]:
    """Two processes must not close one batch: a record would be in neither."""
    with locked(lab.home.batches / ".lock"):
        yield


def _open_keys(lab: Lab, group: int) -> dict[str, RecordKey]:
    """The records of the open batch by id. What a process that died had anchored already is closed first."""
    waiting = _folder(lab, group) / _OPEN
    for folder in _anchored_folders(lab, group):
        anchored = [file.stem for file in waiting.glob("*.json") if (folder / file.name).exists()]
        if anchored and _entry(lab, group, folder.name):
            _close(lab, group, anchored)
    keys = {}
    for file in sorted(waiting.glob("*.json")):
        try:
            keys[file.stem] = RecordKey.from_json(json.loads(file.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"expected a record of the open batch in {file}, got: {error}") from None
    return keys


def _write_proofs(lab: Lab, folder: Path, tree: MerkleTree, keys: dict[str, RecordKey]) -> None:
    domain = lab.domain
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        for record_id, key in keys.items():
            proof = Proof(domain.chain_id, domain.registry, key, tree.root, tuple(tree.proof(record_id)))
            (folder / f"{record_id}.json").write_text(json.dumps(proof.as_json(), indent=2) + "\n")
    except OSError as error:
        raise StoreError(
            f"the proofs can't be written to {folder}: {error.strerror}", hint="Nothing was sent."
        ) from None
    # one for all of them: a million files each by itself would take an hour
    os.sync()


def _close(lab: Lab, group: int, ids: Iterable[str]) -> None:
    for record_id in ids:
        (_folder(lab, group) / _OPEN / f"{record_id}.json").unlink(missing_ok=True)


def _write(file: Path, value: dict[str, Any]) -> None:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(file, json.dumps(value).encode())
        sync_folder(file.parent.parent)
    except OSError as error:
        raise StoreError(f"{file} can't be written: {error.strerror}", hint="Nothing was added.") from None
