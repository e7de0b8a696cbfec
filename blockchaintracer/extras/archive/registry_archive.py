"""A whole registry to one file, and back into any home: everything checked before anything is kept."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

from blockchaintracer.core.chain import Block, Chain, Registry, known_code
from blockchaintracer.core.digest import LISTING_LIMIT, parse_listing
from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified, StoreError
from blockchaintracer.core.formats import CHECKPOINT_BATCH, Format
from blockchaintracer.core.manifest import (
    MAX_BYTES,
    Code,
    Manifest,
    RecordPredicate,
    RunPredicate,
    artifacts_of,
    is_listing,
    parse_manifest,
)
from blockchaintracer.core.networks import DEVNET, network_by_chain_id
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.core.record import Domain, Link, RecordKey, SubjectType, checksummed, from_hex, keccak, to_hex
from blockchaintracer.core.record_key_file import MAX_KEY_FILE_BYTES, KeyFile, Proof
from blockchaintracer.core.verify.copies import object_name
from blockchaintracer.core.verify.inclusion import Inclusion
from blockchaintracer.core.verify.published_proofs import parse_key_file
from blockchaintracer.extras.archive.contents import (
    ArchivedBlock,
    Deployment,
    Head,
    block_lines,
    event_lines,
    parse_blocks,
    parse_events,
    parse_head,
)
from blockchaintracer.extras.archive.form import BLOCKS, EVENTS, HEAD, proof_name
from blockchaintracer.extras.archive.reader import LIMIT, Archive, ArchiveRefused, refusing
from blockchaintracer.extras.archive.self_description import describing
from blockchaintracer.extras.archive.writer import ArchiveFile, Member, write_archive, write_folder
from blockchaintracer.extras.search import Index
from blockchaintracer.extras.search.database import EVENTS as INDEXED
from blockchaintracer.lab.bundle.export_proof import factory_settings
from blockchaintracer.lab.chain.batching import connect
from blockchaintracer.lab.chain.logs import Event, Log, Span, decoded, raw_spans
from blockchaintracer.lab.chain.receipts import BlockReceipts, inclusion_of
from blockchaintracer.lab.deployments import KnownRegistry, registries, remember_registry
from blockchaintracer.lab.files import output, placing, write_kept
from blockchaintracer.lab.formats import BATCH, GROUP
from blockchaintracer.lab.kept_evidence import kept_evidence
from blockchaintracer.lab.kept_identities import FOLDER as IDENTITIES
from blockchaintracer.lab.kept_identities import recorded_alone
from blockchaintracer.lab.kept_proofs import keep_proof, kept_proofs
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox.transactions import RECORDS
from blockchaintracer.lab.publish import require_apart
from blockchaintracer.lab.published_secrets import TOKEN_VALUE, Found, require_no_secrets, token_withheld
from blockchaintracer.lab.recording.keep import hidden_content

Progress = Callable[[int], None]

_DECODED = (*INDEXED, "Sealed", "Anchored", "LeavesAnchored", "ForeignAttested")
_SPAN = 10_000
_EVIDENCE_LIMIT = 256 << 20
_EVENTS_LIMIT = 1 << 30
"""Bytes of events, and of blocks: they are read into memory. An event takes 400 to 1,000."""


@dataclass(frozen=True)
class ExportedRegistry:
    """An archive that was written.

    Args:
        file: where.
        size: in bytes.
        registry, chain_id: of which registry.
        block: number of the block of its last event.
        events, objects, proofs: how many are in it; proofs are those of records in batches.
        missing: digests that events or manifests name and the lab's store doesn't have.
        not_searched: files that were not searched for secrets, and why.
    """

    file: str
    size: int
    registry: str
    chain_id: int
    block: int
    events: int
    objects: int
    proofs: int
    missing: tuple[str, ...]
    not_searched: tuple[str, ...]


@dataclass(frozen=True)
class ImportedRegistry:
    """A registry that was taken in.

    Args:
        registry, chain_id, block: of which registry, and the block up to which.
        records, events, objects, proofs: how many.
        checked: whether every event was compared with the chain.
        trust: what remains to be trusted, in sentences.
        indexed: whether the events went into the index; False if it had the registry already.
    """

    registry: str
    chain_id: int
    block: int
    records: int
    events: int
    objects: int
    proofs: int
    checked: bool
    trust: tuple[str, ...]
    indexed: bool


def export_registry(
    lab: Lab,
    file: Path,
    *,
    artifacts: bool = False,
    with_diffs: bool = False,
    allowed: Collection[str] = (),
    progress: Progress | None = None,
) -> ExportedRegistry:
    """Writes the lab's registry to one file: all events up to the last, the manifests that the store has, and the
    proofs of records in batches. The same state of chain and store gives the same bytes.

    Args:
        file: written whole or not at all: one tar if its name ends so, else a folder with the same members.
        artifacts: whether to add the data, models, code and other files of records that the store has.
        with_diffs: whether to add the differences between runs' files and their commits, too.
        allowed: ``PATH:LINE`` of what looks like a secret and is none.
        progress: called with the bytes written.

    Raises:
        InputError: if the registry has no event, a file seems to hold a secret, or `file` can't be written.
        StoreError: if an object in the store is damaged.
        ChainUnavailable: if the chain is unavailable.
    """
    try:
        registry = lab.registry
    except ChainUnavailable as away:
        told = _imported(lab, away)
    else:
        told = _on_chain(lab, registry)
    head, logs, proofs = told.head, told.logs, told.proofs
    keys = _keys(logs)
    ids = {*keys, *(name for proof in proofs for name in (proof.id, proof.root))}
    own = {it.write.key for it in lab.outbox.entries_in(_domain(head), *RECORDS) if it.write.key}
    own |= {proof.key for proof in proofs}
    objects = _Objects(lab, own, artifacts=artifacts or with_diffs, diffs=with_diffs)
    for event, digest in _named(logs):
        objects.add_document(event, digest)
    for key in [*keys.values(), *(proof.key for proof in proofs)]:
        objects.add_record(key)
    not_searched = require_no_secrets(lab.store, objects.files, allowed, hidden_content(lab))
    members: dict[str, Member] = {
        **told.members,
        **{name: file.read_bytes() for name, file in kept_evidence(lab.home.path, ids).items()},
        **{object_name(digest): ArchiveFile(lab.store.where(digest), digest) for digest in objects.present},
    }
    members |= describing(head, set(members))
    if file.suffix == ".tar":
        with output(file) as target:
            size = write_archive(target, members, progress)
    else:
        require_apart(lab.home, file)
        with placing(file, over_empty=True) as partial:
            partial.mkdir()
            size = write_folder(partial, members, progress)
    return ExportedRegistry(
        file=str(file),
        size=size,
        registry=checksummed(head.registry),
        chain_id=int(head.chain_id),
        block=head.block.number,
        events=head.events,
        objects=len(objects.present),
        proofs=len(proofs),
        missing=tuple(sorted(objects.missing)),
        not_searched=tuple(not_searched),
    )


@dataclass(frozen=True)
class _Told:
    """What is exported beside evidence and objects: from the chain, or as it was imported.

    Args:
        members: head, events, blocks, and the files of keys and proofs.
    """

    head: Head
    members: Mapping[str, Member]
    logs: list[Log]
    proofs: list[Proof]


def _on_chain(lab: Lab, registry: Registry) -> _Told:
    _require_history(registry)
    events, blocks = _read_chain(registry, registry.chain.head())
    if not events:
        raise InputError(f"expected events of {registry.address} on {registry.chain.name}, got none")
    made = factory_settings(lab)
    head = Head(
        chain_id=str(registry.chain.chain_id),
        registry=registry.address.lower(),
        version=str(registry.read_function("eip712Domain")[2]),
        code_hash=_code_hash(registry),
        events=len(events),
        block=blocks[-1],
        deployment=Deployment(owner=made[0], open_group_creation=made[1], salt=made[2]) if made else None,
    )
    logs = _decode(events, blocks)
    transactions = _transactions(logs)
    proofs = [proof for proof in kept_proofs(lab) if _named_in_event(proof) in transactions]
    members: dict[str, Member] = {
        HEAD: head.to_bytes(),
        EVENTS: b"".join(event_lines(events)),
        BLOCKS: b"".join(block_lines(blocks)),
        **dict(_key_files(lab, _keys(logs), proofs, transactions)),
    }
    return _Told(head, members, logs, proofs)


def _imported(lab: Lab, away: ChainUnavailable) -> _Told:
    """Return what was imported of the registry that is named, or of the only one that was."""
    wanted = (lab.registry_address or "").lower()
    kept = [head.parent for head in lab.home.archives.glob(f"*{wanted}/{HEAD}")]
    if len(kept) != 1:
        raise away
    files = sorted(file for file in kept[0].rglob("*") if file.is_file())
    members = {file.relative_to(kept[0]).as_posix(): file.read_bytes() for file in files}
    head = parse_head(members[HEAD])
    logs = _checked_logs(head, parse_events(members[EVENTS]), parse_blocks(members[BLOCKS]))
    files_of_keys = [parse_key_file(data, name) for name, data in members.items() if name not in (HEAD, EVENTS, BLOCKS)]
    lab.say(f"no chain is asked: what was imported is exported, up to block {head.block.number}")
    return _Told(head, members, logs, [file for file in files_of_keys if isinstance(file, Proof)])


def import_registry(
    lab: Lab,
    file: Path,
    *,
    offline: bool = False,
    limit: int = LIMIT,
    progress: Progress | None = None,
    check_evidence: Callable[[str, bytes], object] = lambda name, data: None,
) -> ImportedRegistry:
    """Takes a registry in from one file: its objects into the store, its events into the index, its proofs.

    Every digest, id and proof is checked first, and with a chain at hand every event: then nothing of the archive has
    to be trusted. Without one the index holds what the archive says until the chain can be asked.

    Args:
        offline: ask no chain.
        limit: bytes that the archive may have.
        progress: called with the bytes hashed.
        check_evidence: reads a file of witnesses, identities or renewals by its name, and raises InputError if it is
            none: kept in the home, it would stop what the lab itself keeps there.

    Raises:
        ArchiveRefused: if it is damaged or contradicts itself; nothing was kept.
        NotVerified: if the chain holds something else; nothing was kept.
        InputError: if the file can't be read, or the lab's chain is another.
        ChainUnavailable: if the chain that was named is unavailable.
    """
    with Archive.open(file, limit, progress) as archive:
        head = archive.head
        with refusing(EVENTS):
            events = parse_events(archive.read(EVENTS, _EVENTS_LIMIT))
        with refusing(BLOCKS):
            blocks = parse_blocks(archive.read(BLOCKS, _EVENTS_LIMIT))
        logs = _checked_logs(head, events, blocks)
        told = _transactions(logs), {block.hash for block in blocks}
        files = [_checked_file(archive, name, *told) for name in archive.proofs]
        proofs = [file for file in files if isinstance(file, Proof)]
        for name in archive.evidence:
            with refusing(name):
                check_evidence(name, archive.read(name, _EVIDENCE_LIMIT))
        chain = None if offline else _chain_of(lab, int(head.chain_id))
        if chain is not None:
            _require_on_chain(chain, archive)
        with Index(lab.home.index) as index:
            for digest in archive.objects:
                lab.store.put_blocks(digest, archive.object_blocks(digest))
            for proof in proofs:
                keep_proof(lab.home, proof)
            for name in archive.evidence:
                # what the lab keeps itself is not replaced by a stranger's
                if (lab.home.path / name).exists():
                    continue
                data: bytes | None = archive.read(name, _EVIDENCE_LIMIT)
                if data and name.startswith(f"{IDENTITIES}/"):
                    ids = {*_keys(logs), *(proof.id for proof in proofs)}
                    data = recorded_alone(data, name, _domain(head), ids)
                if data is not None:
                    write_kept(lab.home.path / name, data)
            indexed = index.restore(
                int(head.chain_id),
                checksummed(head.registry),
                _spans(logs, blocks),
                lab.store,
                source=str(file),
                checked=chain is not None,
            )
            kept = lab.home.archives / f"{head.chain_id}-{head.registry}"
            for name in (EVENTS, BLOCKS, *archive.proofs, HEAD):
                write_kept(kept / name, archive.read(name))
        _remember(lab, head, events)
    return ImportedRegistry(
        registry=checksummed(head.registry),
        chain_id=int(head.chain_id),
        block=head.block.number,
        records=sum(log.event == "Recorded" for log in logs),
        events=len(events),
        objects=len(archive.objects),
        proofs=len(proofs),
        checked=chain is not None,
        trust=_trust(head, chain),
        indexed=indexed,
    )


# -- events


def _read_chain(registry: Registry, head: Block) -> tuple[list[Event], list[ArchivedBlock]]:
    """All events up to a block, and the blocks that hold one."""
    events: list[Event] = []
    blocks: dict[int, ArchivedBlock] = {}
    for span in raw_spans(registry.chain, registry.address, registry.history.start, head):
        events += span.logs
        for number, block_hash in sorted(span.hashes.items()):
            blocks[number] = ArchivedBlock(number=number, hash=to_hex(block_hash), timestamp=span.times[number])
    return events, list(blocks.values())


def _decode(events: Sequence[Event], blocks: Sequence[ArchivedBlock]) -> list[Log]:
    """Give the events that the index or a batch proof needs; ValueError if one is not what the ABI says."""
    hashes = {block.number: from_hex(block.hash) for block in blocks}
    return [log for event in events if (log := decoded(event, _DECODED, hashes[event.block]))]


def _checked_logs(head: Head, events: Sequence[Event], blocks: Sequence[ArchivedBlock]) -> list[Log]:
    if [block.number for block in blocks] != [
        number for number, _ in itertools.groupby(event.block for event in events)
    ]:
        raise ArchiveRefused(BLOCKS, "expected exactly the blocks that hold an event")
    if len(events) != head.events or blocks[-1] != head.block:
        raise ArchiveRefused(
            HEAD, f"expected {head.events} events up to block {head.block.number}, got {len(events)} up to another"
        )
    with refusing(EVENTS):
        logs = _decode(events, blocks)
        domain = _domain(head)
        for record_id, key in _keys(logs).items():
            if domain.record_id(key) != record_id:
                raise ArchiveRefused(EVENTS, f"expected the key of record {record_id}, got that of another")
    return logs


def _domain(head: Head) -> Domain:
    return Domain(int(head.chain_id), checksummed(head.registry))


def _is_of(data: bytes, forms: Iterable[Format]) -> bool:
    """Whether bytes are a document of one of these formats, in any version."""
    with suppress(InputError):
        plain = parse_json(data, "a document")
        return isinstance(plain, dict) and any(form.names(plain.get("type")) for form in forms)
    return False


def _keys(logs: Iterable[Log]) -> dict[str, RecordKey]:
    """The keys of the records by their ids."""
    keys = {}
    for log in logs:
        if log.event == "Recorded":
            record_id, subject, group, author, subject_type, kind, manifest, parents = log.values
            links = tuple(Link(to_hex(parent), relation) for parent, relation in parents)
            author = checksummed(to_hex(author))
            keys[to_hex(record_id)] = RecordKey(group, author, subject_type, subject.hex(), kind, manifest.hex(), links)
    return keys


_DOCUMENT_AT = {"GroupCreated": 2, "GroupDescribed": 1, "Anchored": 4, "Retracted": 3}
"""Which value of an event is the digest of a description or a reason."""


_FORMS = {"GroupCreated": (GROUP,), "GroupDescribed": (GROUP,), "Anchored": (BATCH, CHECKPOINT_BATCH), "Retracted": ()}
"""What such a document is; a reason is any text."""


def _named(logs: Iterable[Log]) -> Iterator[tuple[str, str]]:
    """The documents that events name, besides manifests of records, each with the name of its event."""
    for log in logs:
        place = _DOCUMENT_AT.get(log.event)
        if place is not None and any(log.values[place]):
            yield log.event, log.values[place].hex()


def _spans(logs: Sequence[Log], blocks: Sequence[ArchivedBlock]) -> Iterator[Span[Log]]:
    """The logs in portions of whole blocks."""
    by_block = {number: list(those) for number, those in itertools.groupby(logs, key=lambda log: log.block)}
    part: list[Log] = []
    times: dict[int, int] = {}
    first = blocks[0].number
    for block in blocks:
        part += by_block.get(block.number, [])
        times[block.number] = block.timestamp
        if len(part) >= _SPAN or block is blocks[-1]:
            yield Span(first, Block(block.number, block.hash, block.timestamp), part, times)
            part, times, first = [], {}, block.number + 1


# -- keys


def _key_files(
    lab: Lab, keys: Mapping[str, RecordKey], proofs: Sequence[Proof], transactions: Mapping[Any, str]
) -> Iterator[tuple[str, Member]]:
    """The key of each record with what proves that a block holds it; of a batched one for each of its batches."""
    where = lab.chain_id, lab.domain.registry
    blocks: dict[str, BlockReceipts] = {}

    @cache
    def included(transaction: str) -> Inclusion | None:
        # a node that gives no receipts takes away nothing else
        with suppress(ChainUnavailable, InputError):
            return inclusion_of(lab.registry, transaction, blocks)
        return None

    by_id: dict[str, list[KeyFile]] = {}
    for proof in sorted(proofs, key=lambda it: (it.id, it.root)):
        by_id.setdefault(proof.id, []).append(proof)
    for record_id, key in keys.items():
        by_id.setdefault(record_id, []).append(KeyFile(*where, key))
    for record_id, files in sorted(by_id.items()):
        for number, file in enumerate(files):
            names = dict.fromkeys((record_id, _named_in_event(file)))
            receipts = tuple(filter(None, (included(transactions[name]) for name in names if name in transactions)))
            yield proof_name(record_id, number), partial(_to_bytes, replace(file, receipts=receipts))


def _to_bytes(file: KeyFile) -> bytes:
    data = file.to_bytes()
    return data if len(data) <= MAX_KEY_FILE_BYTES else replace(file, receipts=()).to_bytes()


def _transactions(logs: Sequence[Log]) -> dict[Any, str]:
    """The transaction that stored each record, and the first that anchored each batch, by `_named_in_event`."""
    named: dict[str, Callable[[Log], Any]] = {"Recorded": lambda log: to_hex(log.values[0])}
    named |= dict.fromkeys(("Anchored", "LeavesAnchored"), lambda log: tuple(log.values[:3]))
    return {named[log.event](log): to_hex(log.transaction) for log in reversed(logs) if log.event in named}


def _named_in_event(file: KeyFile) -> Any:
    if isinstance(file, Proof):
        return bytes.fromhex(file.key.author[2:]), from_hex(file.root), file.key.group
    return file.id


# -- objects


class _Objects:
    """The objects of the store that go into an archive.

    Anyone may name any digest in an event. So what goes without being asked for is what the event says that it is: else
    a stranger who knows the digest of a file would take the file along.

    Args:
        own: keys of the lab's own records.
    """

    def __init__(self, lab: Lab, own: Collection[RecordKey], *, artifacts: bool, diffs: bool) -> None:
        self._lab = lab
        self._store = lab.store
        self._own = own
        self._artifacts = artifacts
        self._diffs = diffs
        self.present: set[str] = set()
        self.missing: set[str] = set()
        self.files: list[Found] = []

    def add(self, digest: str) -> bool:
        """Adds an object if the store has it, and it is no difference of a run of the lab that was not asked for."""
        has = self._store.has(digest) and digest not in self._withheld
        (self.present if has else self.missing).add(digest)
        return has

    def add_document(self, event: str, digest: str) -> None:
        """Adds what an event names: a description in its form, or a reason that is no file of the lab's records."""
        if self._is_small(digest) and digest not in self._withheld:
            forms = _FORMS[event]
            if _is_of(self._store.get_bytes(digest, MAX_BYTES), forms) if forms else digest not in self._content:
                self.present.add(digest)
                return
        self.missing.add(digest)

    def add_record(self, key: RecordKey) -> None:
        """Adds a record's manifest, and the files that belong to it as far as they were asked for."""
        if (manifest := self._manifest(key)) is None:
            self.missing.add(key.manifest)
            return
        self.present.add(key.manifest)
        if not self._artifacts:
            return
        predicate = manifest.predicate
        is_token = isinstance(predicate, RecordPredicate) and TOKEN_VALUE in predicate.values
        if is_token and token_withheld(self._lab, key.subject):
            self.missing.add(key.subject)
        elif key.subject_type == SubjectType.FILE and self.add(key.subject):
            self.files.append(("token" if is_token else "content", key.subject, key.subject))
        elif key.subject_type == SubjectType.FOLDER and self.add(key.subject):
            self._add_listed(key.subject)
        code = predicate.code if isinstance(predicate, RunPredicate) else Code()
        packs = {state.pack.sha256: state.commit for _, state in code.states() if state.pack}
        for artifact in artifacts_of(predicate):
            if (artifact in code.diffs and not self._diffs) or not self.add(artifact.sha256):
                continue
            if commit := packs.get(artifact.sha256):
                self.files.append(("code", f"commit {commit}", artifact.sha256))
            elif is_listing(artifact.path):
                self._add_listed(artifact.sha256)
            else:
                what = "encrypted" if artifact.path.endswith(".age") else "attachment"
                self.files.append(("diff" if artifact in code.diffs else what, artifact.path, artifact.sha256))

    def _is_small(self, digest: str) -> bool:
        return self._store.has(digest) and self._store.where(digest).stat().st_size <= MAX_BYTES

    def _manifest(self, key: RecordKey) -> Manifest | None:
        """The manifest that a key names; None if the store has none, or anything else of this digest."""
        if not self._is_small(key.manifest):
            return None
        with suppress(InputError):
            return parse_manifest(self._store.get_bytes(key.manifest, MAX_BYTES))
        return None

    @cached_property
    def _withheld(self) -> frozenset[str]:
        """The differences of the lab's runs to their commits, if they were not asked for."""
        if self._diffs:
            return frozenset()
        read = (manifest.predicate for key in self._own if (manifest := self._manifest(key)))
        runs = [predicate for predicate in read if isinstance(predicate, RunPredicate)]
        return frozenset(diff.sha256 for predicate in runs for diff in predicate.code.diffs)

    @cached_property
    def _content(self) -> frozenset[str]:
        """What the lab's own records are of, and the files that they name."""
        listings = [key.subject for key in self._own if key.subject_type == SubjectType.FOLDER]
        found = {key.subject for key in self._own}
        for manifest in filter(None, map(self._manifest, self._own)):
            artifacts = artifacts_of(manifest.predicate)
            found.update(artifact.sha256 for artifact in artifacts)
            listings += [artifact.sha256 for artifact in artifacts if is_listing(artifact.path)]
        for listing in listings:
            with suppress(InputError, StoreError):
                found.update(digest for _, digest in parse_listing(self._store.get_bytes(listing, LISTING_LIMIT)))
        return frozenset(found)

    def _add_listed(self, listing: str) -> None:
        try:
            files = parse_listing(self._store.get_bytes(listing, LISTING_LIMIT))
        except (InputError, StoreError):
            return
        self.files += [("listed", name, digest) for name, digest in files if self.add(digest)]


def _checked_file(archive: Archive, name: str, transactions: Mapping[Any, str], blocks: set[str]) -> KeyFile | Proof:
    with refusing(name):
        data = archive.read(name, MAX_KEY_FILE_BYTES)
        file = parse_key_file(data, name)
        where = (str(file.chain_id), file.registry.lower())
        if where != (archive.head.chain_id, archive.head.registry):
            raise ValueError("expected a proof of this registry, got one of another")
        if not name.startswith(f"proofs/{file.id}"):
            raise ValueError(f"expected the key of the record that it is named by, got that of {file.id}")
        if _named_in_event(file) not in transactions:
            if isinstance(file, Proof):
                raise ValueError(f"expected a batch that an event of the archive anchored, got {file.root}")
            raise ValueError(f"expected the key of a record that an event of the archive stored, got {file.id}")
        if wrong := [it for it in file.receipts if it.receipt().block_hash not in blocks]:
            raise ValueError(f"expected receipts of the archive's blocks, got one of {wrong[0].receipt().block_hash}")
        if file.to_bytes() != data:
            raise ValueError("expected the one form of a key file")
    return file


# -- the chain


def _chain_of(lab: Lab, chain_id: int) -> Chain | None:
    """The chain to hold an archive against: the one named, else this lab's devnet if it is of that chain, else the
    network's public node; None if none is to be had."""
    if not lab.is_embedded:
        chain = lab.chain
    elif chain_id == DEVNET.chain_id:
        # one that is only started to be asked knows nothing
        state = lab.home.path / "devnet"
        if not state.is_dir() or not any(state.iterdir()):
            return None
        chain = lab.chain
    else:
        network = network_by_chain_id(chain_id)
        if network is None or network.rpc is None:
            return None
        try:
            chain = connect(network.rpc)
        except ChainUnavailable as away:
            lab.say(f"not held against the chain: {away.message}")
            return None
    if chain.chain_id != chain_id:
        raise InputError(
            f"expected an archive of chain {chain.chain_id}, got one of {chain_id}",
            hint="Choose its chain with --network or --rpc, or --offline to ask none.",
        )
    return chain


def _require_on_chain(chain: Chain, archive: Archive) -> None:
    """Compare every event with the chain; NotVerified if one is not there, or one is left out."""
    head = archive.head
    block = chain.remembered(lambda: chain.block(head.block.number))
    if block.hash != head.block.hash if block else head.block.number > chain.head().number:
        raise NotVerified(
            f"{chain.name} has no block {head.block.number} with the hash {head.block.hash}: the archive is of"
            " another chain, or a reorganisation dropped the block",
            hint="Name the archive's own chain (--rpc, --network), or take its word (--offline). Nothing was kept.",
        )
    registry = Registry(chain, head.registry)
    if _code_hash(registry) != head.code_hash:
        raise NotVerified(f"the code at {head.registry} on {chain.name} is not what the archive says: nothing was kept")
    registry.require()
    _require_history(registry)
    end = Block(head.block.number, head.block.hash, head.block.timestamp)
    events, blocks = _read_chain(registry, end)
    for name, lines in ((BLOCKS, block_lines(blocks)), (EVENTS, event_lines(events))):
        theirs = archive.read(name).splitlines(keepends=True)
        for number, (ours, archived) in enumerate(itertools.zip_longest(lines, theirs), 1):
            if ours != archived:
                raise NotVerified(
                    f"line {number} of {name} is not what {chain.name} holds: the archive is forged, or the node leaves"
                    " out logs. Nothing was kept.",
                    hint="Ask another node (--rpc).",
                    expected=(ours or b"").decode(),
                    actual=(archived or b"").decode(),
                )


def _require_history(registry: Registry) -> None:
    """Refuse a node that lacks events: an archive has all, and is compared with all."""
    if gap := registry.history.gap:
        raise ChainUnavailable(gap, hint="Ask a node that keeps all history (--rpc).")


def _code_hash(registry: Registry) -> str:
    return to_hex(keccak(registry.chain.code(registry.address)))


def _trust(head: Head, chain: Chain | None) -> tuple[str, ...]:
    if chain is not None:
        code = known_code(int(head.chain_id), head.registry, head.code_hash)
        known = f"a LabRegistry of version {code.version}, unaltered" if code else "none that this version knows"
        return (
            f"That {chain.address} tells what {chain.name} holds, which every event was held against.",
            f"That {checksummed(head.registry)} is the registry of those you take it for. Its code is {known}.",
        )
    return (
        f"That the events are those of {checksummed(head.registry)} on chain {head.chain_id} up to block"
        f" {head.block.number} with the hash {head.block.hash}: ids, manifests, artifacts and batch proofs were"
        " checked, but who recorded, attested and retracted what and when is the archive's word.",
        "They are read anew from the chain by the next command that reaches it; --rpc or --network checks them now.",
    )


# -- the home


def _remember(lab: Lab, head: Head, events: Sequence[Event]) -> None:
    """Notes the registry where none is known of its chain: a stranger's must not become what commands use."""
    chain_id = int(head.chain_id)
    if registries(chain_id, lab.home):
        return
    first = events[0]
    owner = "0x" + (first.topics[2][26:] if len(first.topics) > 2 else "00" * 20)
    remember_registry(
        chain_id,
        lab.home,
        KnownRegistry(
            address=checksummed(head.registry),
            owner=checksummed(owner),
            transaction=first.transaction,
            block=first.block,
            version=head.version,
            code_hash=head.code_hash,
        ),
    )
