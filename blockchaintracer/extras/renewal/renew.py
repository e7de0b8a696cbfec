"""Renewing records: one hash tree over all that they commit to, recorded as their child."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from blockchaintracer.core.digest import digest_bytes
from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.manifest import Artifact, Manifest, RenewalPredicate, RenewalRoots
from blockchaintracer.core.record import Kind, Link, Relation, counted
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.extras.renewal.hash_tree import HashTree, hashed
from blockchaintracer.extras.renewal.parts import Evidence, Parts, parts_of
from blockchaintracer.extras.renewal.renewal_file import FOLDER, RenewalFile, read_renewals
from blockchaintracer.lab.chain.receipts import BlockReceipts, inclusion_of
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.files import write_kept
from blockchaintracer.lab.kept_proofs import anchored_proofs, find_proof
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lookup import stored_or_batched
from blockchaintracer.lab.outbox.transactions import RECORDS
from blockchaintracer.lab.recording.commit import commit, draft
from blockchaintracer.lab.recording.content import named_parents, not_before
from blockchaintracer.lab.store.stored_copies import StoredCopies

_TOGETHER = 1000
"""Records that one renewal has as parents: a record has at most 1,024."""
_LEAVES = 400_000
Progress = Callable[[int], None]
WitnessFiles = Callable[[str], Sequence[bytes]]
"""Gives the receipts of the witnesses of a record id, of a batch's root, or of the text of a renewal's roots."""


@dataclass(frozen=True, kw_only=True)
class Renewed:
    """A renewal that was recorded.

    Args:
        record: of the renewal itself.
        renews: ids of the records that it renews.
        leaves: of its tree.
        missing: what the records name and is not here: it is not renewed.
        text: what witnesses stamp.
        file: where it is kept.
    """

    record: Recorded
    renews: tuple[str, ...]
    leaves: int
    missing: tuple[str, ...]
    text: str
    file: str


def own_records(lab: Lab) -> list[str]:
    """List the records of this lab in the registry that are on the chain or in an anchored batch, without renewals."""
    entries = [it for it in lab.outbox.entries_in(lab.domain, *RECORDS) if it.is_on_chain and it.write.record_id]
    ids = [it.write["record_id"] for it in entries if it.write.key.kind != Kind.RENEWAL]
    return list(dict.fromkeys([*ids, *(proof.id for proof in anchored_proofs(lab))]))


def renew(
    lab: Lab,
    record_ids: Sequence[str],
    *,
    sources: Sequence[str] = (),
    witnesses: WitnessFiles = lambda record_id: (),
    again: bool = False,
    progress: Progress | None = None,
) -> tuple[list[Renewed], list[str]]:
    """Record renewals of records. Returns them, and the records that have nothing new to renew.

    Args:
        sources: published stores that may have what the lab's store does not.
        again: also renew what a kept renewal covers already.
        progress: called with the bytes read.

    Raises:
        InputError: if a record is unknown, or its manifest is not here.
    """
    copies = StoredCopies(lab.store, sources, progress)
    kept = kept_renewals(lab)
    blocks: dict[str, BlockReceipts] = {}
    done: list[Renewed] = []
    skipped: list[str] = []
    part, ids = Parts(), list[str]()
    for record_id in dict.fromkeys(lab.parse_id(record_id) for record_id in record_ids):
        record = stored_or_batched(lab, record_id)
        earlier = tuple(it for it in kept if record_id in it.renews)
        evidence = _evidence(lab, record, witnesses, blocks)
        parts = parts_of(lab.domain, record.key, copies, evidence)
        if (name := f"object/{record.key.manifest}") in parts.missing:
            raise InputError(
                f"expected the manifest of {record_id} to renew it, and {name} is not here",
                hint="Name a published store that has it: --from FOLDER|URL.",
            )
        covered = (it.id for it in earlier if parts.here.items() <= it.tree.leaves.items())
        # one that was kept, and refused or never sent, renews nothing
        if not again and any(lab.registry.status(it).exists or lab.outbox.entries_about(it) for it in covered):
            skipped.append(record_id)
            continue
        for it in earlier:
            with suppress(ChainUnavailable, InputError):  # an earlier one may wait, or be a stranger's
                parts.add(
                    Parts(_evidence(lab, stored_or_batched(lab, it.id), witnesses, blocks, it.root_text).leaves())
                )
            parts.add(Parts({name: hashed([data]) for name, data in it.parts.items()}))
        if ids and (len(ids) == _TOGETHER or len(part.here) + len(parts.here) > _LEAVES):
            done.append(_record(lab, part, ids))
            part, ids = Parts(), []
        part.add(parts)
        ids.append(record_id)
    return [*done, *([_record(lab, part, ids)] if ids else [])], skipped


def kept_renewals(lab: Lab) -> list[RenewalFile]:
    """Return the renewals that the lab's folder has of the registry."""
    return read_renewals([lab.home.path], lab.domain)[0]


def _evidence(
    lab: Lab, record: RecordView, witnesses: WitnessFiles, blocks: dict[str, BlockReceipts], *texts: str
) -> Evidence:
    transactions, batches = [record.transaction], []
    if proof := find_proof(lab, record.id):
        batches.append((proof.root, proof.path))
        anchored = lab.registry.anchored(record.group, record.author, proof.root)
        transactions.append(anchored.transaction if anchored else "")
    receipts = []
    for transaction in filter(None, transactions):
        # a node that gives no receipts takes away nothing else
        with suppress(ChainUnavailable, InputError):
            receipts.append(inclusion_of(lab.registry, transaction, blocks))
    told = [data for text in (record.id, *(root for root, _ in batches), *texts) for data in witnesses(text)]
    return Evidence(tuple(receipts), tuple(batches), tuple(told))


def _record(lab: Lab, parts: Parts, ids: Sequence[str]) -> Renewed:
    tree = HashTree(parts.here, tuple(parts.missing))
    data = tree.to_bytes()
    lab.store.put_bytes(data)
    # what is only in a batch is named by the leaf of its key: it can be no parent
    stored = [it for it, status in zip(ids, lab.registry.statuses(ids), strict=True) if status.exists]
    links = [Link(record_id, Relation.RENEWS) for record_id in stored]
    one, other = tree.roots
    predicate = RenewalPredicate(
        name=f"renewal of {counted(len(ids), 'record')}",
        roots=RenewalRoots(sha512=one.hex(), sha3_256=other.hex()),
        count=len(tree.leaves),
        missing=len(tree.missing),
        tree=Artifact.of("tree.txt", digest_bytes(data)),
        parents=named_parents(sorted(links)),
        not_before=not_before(lab),
    )
    manifest = Manifest.of(Kind.RENEWAL, predicate, other.hex())
    key = draft(lab, manifest, links).key
    file = RenewalFile(lab.chain_id, lab.domain.registry, key, manifest, tree)
    kept = file.to_bytes()
    path = lab.home.path / FOLDER / f"{hashlib.sha256(kept).hexdigest()}.json"
    lab.home.make()
    # kept first: a renewal that is recorded and not kept could not be verified
    write_kept(path, kept)
    record = commit(lab, manifest, links)
    return Renewed(
        record=record,
        renews=tuple(ids),
        leaves=len(tree.leaves),
        missing=tree.missing,
        text=file.root_text,
        file=str(path),
    )
