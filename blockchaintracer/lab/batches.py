"""Batches: any number of records under one Merkle root, each with a proof file of its own.

Records are added to an open batch, of which nothing is sent: many at once are brought to the disk together, and are
named in the batch after that. Anchoring it writes the proofs first and enters the one transaction into the outbox then.
A process may die anywhere in between, and the next one goes on.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785

from blockchaintracer.core.errors import ChainUnavailable, InputError, StoreError
from blockchaintracer.core.manifest import parse_manifest
from blockchaintracer.core.merkle import TREE_KIND, MerkleTree
from blockchaintracer.core.record import Domain, Kind, RecordKey, Role, checksummed, label, normal_id
from blockchaintracer.core.record_key_file import KeyFile, Proof
from blockchaintracer.lab.drafts import Draft, Recorded, Submission
from blockchaintracer.lab.files import locked, make_private, private, sync_folder
from blockchaintracer.lab.formats import BATCH
from blockchaintracer.lab.kept_proofs import (
    ANCHOR_FIRST,
    OPEN,
    batch_entries,
    batch_hint,
    batches_folder,
    find_proof,
    is_open,
)
from blockchaintracer.lab.lab import Lab, require_role
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import ANCHORS, Entry, Op, Transaction
from blockchaintracer.lab.outbox.transactions import RECORDS
from blockchaintracer.lab.recording.commit import described, progress_of, send
from blockchaintracer.lab.store.store import Store

MANIFEST_TYPE = str(BATCH)
_AT_ONCE = 10_000
"""Records that are brought to the disk together."""


@dataclass(frozen=True, kw_only=True)
class Batched(Recorded):
    """A record in a batch. State, transaction, block and time are the batch's; ``open`` is not anchored yet.

    Args:
        root: of the batch, 64 hex digits; None while it is open.
    """

    root: str | None
    proof: str | None


@dataclass(frozen=True, kw_only=True)
class Anchored(Submission):
    """A batch and its place on the chain.

    Args:
        manifest: SHA-256 of the batch's description, which is in the store; with `leaves` the chain does not name it.
    """

    root: str
    count: int
    leaves: bool
    group: int
    author: str
    manifest: str
    proofs: str
    existing: bool


@contextmanager
def batching(lab: Lab) -> Iterator[Adding]:
    """Inside, what would be recorded is added to the open batch instead. What was added whole stays, also after an
    error; what a killed process had not yet brought to the disk is not in the batch."""
    before, lab.group_number = lab.group_number, lab.group(Role.RECORDER)
    adding = Adding(lab, lab.group_number)
    try:
        with lab.committing(adding.add, adding.has), lab.store.synced_later(), closing(adding):
            yield adding
    finally:
        lab.group_number = before


class Adding:
    """Records on their way into the open batch of a group.

    Attributes:
        stored: ids of those that turned out to be on the chain already, recorded from elsewhere: they are left out.
    """

    def __init__(self, lab: Lab, group: int) -> None:
        self.stored: set[str] = set()
        self._lab, self._group = lab, group
        self._folder = batches_folder(lab, group)
        self._anchored: dict[Path, Entry] | None = None
        self._waiting: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def add(self, lab: Lab, made: Draft) -> Recorded:
        """Add a draft, or return what is recorded or batched of it already."""
        if any(entry.is_on_chain for entry in lab.outbox.entries_about(made.id, *RECORDS)):
            return send(lab, made)
        if self._anchored is None:
            # what the chain says is asked again when the batch is anchored
            with suppress(ChainUnavailable):
                require_role(lab, self._group, Role.RECORDER)
            self._anchored = dict(_anchored(lab, self._group))
        about, name = described(lab, made.id, made.key, made.name), f"{made.id}.json"
        for batch, entry in self._anchored.items():
            if (file := batch / name).exists():
                return Batched(**about, **progress_of(entry), existing=True, root=batch.name, proof=str(file))
        lab.store.put_bytes(made.manifest.to_bytes())
        with self._lock:
            existing = made.id in self._waiting or (self._folder / OPEN / name).exists()
            if not existing:
                self._waiting[made.id] = KeyFile(lab.chain_id, lab.domain.registry, made.key).to_bytes()
        # content can be added again; a run that is not on the disk would be lost
        if made.key.kind == Kind.RUN or len(self._waiting) >= _AT_ONCE:
            self.close()
        return Batched(**about, **progress_of(None, "open"), existing=existing, root=None, proof=None)

    def has(self, record: str) -> bool:
        """Return whether a record is in a batch of this lab, also in an open one."""
        return record in self._waiting or batch_hint(self._lab, record) is not None

    def close(self) -> None:
        """Bring to the disk what waits, and name it in the open batch then."""
        with self._lock, _alone(self._lab.home):
            ids = list(self._waiting)
            with suppress(ChainUnavailable):
                statuses = self._lab.registry.statuses(ids)
                self.stored |= {it for it, status in zip(ids, statuses, strict=True) if status.exists}
            # another process may have anchored some meanwhile
            batches = [batch for batch, _ in _anchored(self._lab, self._group)]
            known = {it for it in ids if any((batch / f"{it}.json").exists() for batch in batches)} | self.stored
            new = [(it, data) for it, data in self._waiting.items() if it not in known]
            _write_together(self._folder / OPEN, new)
            self._waiting.clear()


def listed(lab: Lab) -> dict[str, Any]:
    """List the group's open batch and its anchored ones.

    Returns:
        ``open``: its records; ``batches``: root, count, state, time and the folder of the proofs of each.
    """
    group = lab.group(Role.RECORDER)
    with _alone(lab.home):
        keys = _open_keys(lab, group)
    waiting = [
        {
            "id": record_id,
            "kind": label(key.kind, Kind),
            "name": manifest_name(lab.store, key) or lab.hashes.name_of(key.subject),
        }
        for record_id, key in keys.items()
    ]
    rows = []
    for folder, entry in _anchored(lab, group):
        batch = {name: entry.write[name] for name in ("root", "count")}
        leaves = entry.write.op is Op.ANCHOR_LEAVES
        rows.append({**batch, "leaves": leaves, **progress_of(entry), "proofs": str(folder)})
    return {"group": group, "open": waiting, "batches": rows}


def manifest_name(store: Store, key: RecordKey) -> str | None:
    """Return the name in the store's manifest of a key."""
    return parse_manifest(store.get_bytes(key.manifest)).predicate.name


def anchor(lab: Lab, *, leaves: bool = False) -> Anchored:
    """Anchor the group's open batch: write the proofs, then send the root.

    Args:
        leaves: put the ids of all records on the chain too; the registry then counts them. Costs more with each.

    Raises:
        InputError: if nothing is in the open batch.
        ContractRevert: before anything is written, if the signer lacks the role.
        ChainUnavailable: the proofs are written and the root waits in the outbox.
    """
    group = lab.group(Role.RECORDER)
    folder = batches_folder(lab, group)
    with _alone(lab.home):
        keys = _open_keys(lab, group)
        if not keys:
            raise InputError(
                "expected records in the open batch, got none",
                hint="Add some: `blockchaintracer batch add --dataset data.csv`. `batch list` shows what was anchored.",
            )
        away = None
        try:
            require_role(lab, group, Role.RECORDER)
        except ChainUnavailable as error:
            away = error
        tree = MerkleTree(keys)
        description = {"type": MANIFEST_TYPE, "tree": TREE_KIND, "root": tree.root, "count": len(keys)}
        batch: dict[str, Any] = {
            "group": group,
            "author": lab.signer.address,
            "root": tree.root,
            "count": len(keys),
            "manifest": lab.store.put_bytes(rfc8785.dumps(description)),  # type: ignore[arg-type]
        }
        op, ids = (Op.ANCHOR_LEAVES, {"ids": tree.values}) if leaves else (Op.ANCHOR, {})
        write = Transaction(op, lab.domain.registry, **batch, **ids)
        existing = False
        if not away:
            existing = write.is_done(lab.chain)
            if not existing:
                lab.fund_on_devnet()
                write.check(lab.chain, lab.signer.address)
        proofs = folder / tree.root
        _write_together(proofs, _proofs(lab.domain, tree, keys))
        lab.enter(write)
        _close(folder, keys)
    if away:
        raise ChainUnavailable(
            f"{away.message}\nThe proofs are in {proofs} and the root {tree.root} waits in the outbox.",
            hint="`blockchaintracer outbox flush` sends it.",
        )
    lab.send()
    progress = progress_of(lab.outbox.find_entry(lab.chain_id, write))
    where: dict[str, Any] = {"registry": write.registry, "chain_id": lab.chain_id}
    return Anchored(**batch, **where, **progress, leaves=leaves, proofs=str(proofs), existing=existing)


def batched_keys(lab: Lab) -> Iterator[tuple[str, RecordKey]]:
    """List id and key of every record that this lab put into a batch, open or anchored, on any chain."""
    roots = {entry.write["root"] for entry in lab.outbox.entries(None, *ANCHORS)}
    for file in sorted(lab.home.batches.glob("*/*/*.json")):
        if file.parent.name == OPEN or file.parent.name in roots:
            yield file.stem, (KeyFile if file.parent.name == OPEN else Proof).read_file(file).key


def materialize(lab: Lab, target: str) -> list[Recorded]:
    """Store a record from its batch, and before it those parents that are in batches too.

    Args:
        target: the record's id, or the path of a proof file, from anyone.

    Returns:
        the records that were stored, parents first; the last is the one asked for.
    """
    path, first = Path(target), _required_proof(lab, target)
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


def cancel(lab: Lab, target: str) -> Entry:
    """Refuse a record that is only in a batch, for good, as its author or a maintainer of its group.

    Args:
        target: the record's id, or the path of a proof file, from anyone.
    """
    proof = _required_proof(lab, target)
    [entry] = lab.write(Transaction(Op.CANCEL, proof.registry, record_id=proof.id, key=proof.key))
    return entry


def end(lab: Lab, root: str, author: str | None = None) -> Entry:
    """End a batch of the group, for good: what is not stored of it never will be from it.

    Args:
        author: who anchored it; the signer if not given. A maintainer ends any of the group.
    """
    about = {"author": checksummed(author or lab.signer.address), "root": normal_id(root, "root")}
    [entry] = lab.write(Transaction(Op.END_BATCH, lab.domain.registry, group=lab.group(), **about))
    return entry


def _stored(lab: Lab, proof: Proof, entry: Entry, existing: bool) -> Recorded:
    name = manifest_name(lab.store, proof.key) if lab.store.has(proof.key.manifest) else None
    # its time is the batch's, whenever it is stored
    progress = {**progress_of(entry), "time": lab.registry.status(proof.id).recorded_at}
    return Recorded(**described(lab, proof.id, proof.key, name), **progress, existing=existing)


def _required_proof(lab: Lab, target: str) -> Proof:
    if Path(target).is_file():
        proof = Proof.read_file(Path(target))
        proof.require(lab.domain)
        return proof
    record_id = lab.parse_id(target, "record id, or an existing proof file")
    if kept := find_proof(lab, record_id):
        return kept
    other = "Ask its author for the proof file, and name that instead of the id."
    raise InputError(
        f"no proof of record {record_id} is kept here", hint=ANCHOR_FIRST if is_open(lab, record_id) else other
    )


def _with_parents(lab: Lab, last: Proof, beside: Path | None) -> Iterator[Proof]:
    """A proof after those of its parents that are not stored; proof files may lie beside the one that was given."""
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
            parent = Proof.read_file(file) if file and file.is_file() else find_proof(lab, link.parent)
            if parent is None:
                raise InputError(
                    f"the parent {link.parent} of {proof.id} is not stored, and no proof of it is here",
                    hint="Record it, or put its proof file beside the other one.",
                )
            left.append((parent, False))


# -- the folder


def _alone(home: Home) -> AbstractContextManager[None]:
    """Two processes must not close one batch: a record would be in neither."""
    return locked(home.batches / ".lock")


def _anchored(lab: Lab, group: int) -> Iterator[tuple[Path, Entry]]:
    """The folders of the signer's batches of a group that were entered in the outbox."""
    entered = batch_entries(lab, group)
    for folder in sorted(batches_folder(lab, group).glob("0x*")):
        if entry := entered.get(folder.name):
            yield folder, entry


def _open_keys(lab: Lab, group: int) -> dict[str, RecordKey]:
    """The records of the open batch by id. What a process that died had anchored already is closed first."""
    folder = batches_folder(lab, group)
    waiting = folder / OPEN
    for batch, _ in _anchored(lab, group):
        if anchored := [file.stem for file in waiting.glob("*.json") if (batch / file.name).exists()]:
            _close(folder, anchored)
    return {file.stem: KeyFile.read_file(file).key for file in sorted(waiting.glob("*.json"))}


def _write_together(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write a file for each record. What was written before is on the disk, too, when the first gets its name."""
    try:
        make_private(folder)
        for left in folder.glob("*.partial"):
            left.unlink()
        for record_id, data in files:
            with open(folder / f"{record_id}.partial", "wb", opener=private) as file:
                file.write(data)
        # one for all of them: a million files each by itself would take an hour
        os.sync()
        for partial in list(folder.glob("*.partial")):
            partial.rename(partial.with_suffix(".json"))
        sync_folder(folder)
    except OSError as error:
        raise StoreError(f"{folder} can't be written: {error.strerror}", hint="Nothing was sent.") from None


def _proofs(domain: Domain, tree: MerkleTree, keys: dict[str, RecordKey]) -> Iterator[tuple[str, bytes]]:
    for record_id, key in keys.items():
        path = tuple(tree.proof(record_id))
        yield record_id, Proof(domain.chain_id, domain.registry, key, tree.root, path).to_bytes()


def _close(folder: Path, ids: Iterable[str]) -> None:
    for record_id in ids:
        (folder / OPEN / f"{record_id}.json").unlink(missing_ok=True)
