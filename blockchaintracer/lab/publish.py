"""Copies what others need to check and reproduce a record to where anyone may read it, and nothing else."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from blockchaintracer.core.digest import DEFAULT_PROFILE, LISTING_LIMIT, Progress, parse_listing
from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable, InputError, NotVerified, StoreError
from blockchaintracer.core.formats import PUBLISHED, read_limited
from blockchaintracer.core.manifest import (
    MAX_BYTES,
    ContentPredicate,
    Predicate,
    RecordPredicate,
    RenewalPredicate,
    RunOutput,
    RunPredicate,
    WitnessPredicate,
    artifacts_of,
    is_listing,
)
from blockchaintracer.core.plain_json import canonical
from blockchaintracer.core.record import Kind, SubjectType, label
from blockchaintracer.core.record_key_file import MAX_KEY_FILE_BYTES, KeyFile
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.core.verify.copies import VERSION_FILE, check_layout, object_name
from blockchaintracer.core.verify.published_proofs import content_name, proof_name
from blockchaintracer.lab.chain.receipts import inclusion_of
from blockchaintracer.lab.files import placing, write_whole
from blockchaintracer.lab.groups import known_profile
from blockchaintracer.lab.kept_evidence import kept_evidence, renewals_lists
from blockchaintracer.lab.kept_identities import LIMIT, file_name, holders_of
from blockchaintracer.lab.kept_proofs import find_proof
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.lookup import read_manifest, stored_or_batched
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.published_pages import write_pages
from blockchaintracer.lab.published_secrets import TOKEN_VALUE, require_no_secrets, token_withheld
from blockchaintracer.lab.recording.keep import hidden_content
from blockchaintracer.lab.recording.repeatable import what_lacks
from blockchaintracer.lab.store.ipfs.blocks import Cid
from blockchaintracer.lab.store.ipfs.car import car
from blockchaintracer.lab.store.ipfs.dag import Tree
from blockchaintracer.lab.store.ipfs.gateway import SCHEME
from blockchaintracer.lab.store.ipfs.kubo import Kubo
from blockchaintracer.lab.store.sources import is_url, public_name
from blockchaintracer.lab.store.store import NEW, REPAIR, REPAIRED, SAME_SIZE, UNCHANGED, WHOLE, Store

_SECRET = re.compile(r"//[^/]*:[^/]*@|[?#]")
"""The part of an address that may let in: a password, or what follows the path. A user alone can be a container."""


@dataclass(frozen=True)
class PublishedObject:
    """One object of the published store.

    Args:
        what: what it is to the record: ``manifest``, ``group``, ``input``, ``output``, ``code``, ``lock``,
            ``requirements``, ``diff``, ``encrypted``, ….
        state: what became of its copy: ``new``, ``repaired`` (it was damaged), ``re-hashed``, ``not read
            again``, or ``sent again`` to a node.
    """

    what: str
    name: str
    sha256: str
    size: int
    state: str


@dataclass(frozen=True)
class Published:
    """What was published of a record.

    Args:
        folder: the published store, or its address: what `reproduce --from` takes.
        left_out: what others might miss, in words.
        not_searched: files that were not searched for secrets, and why.
        lacks: what keeps others from repeating it, in words, if it is a run.
        repeatable: whether it is a run that others can repeat from there; else `verify` finds it there.
        cid: what the whole has on IPFS; None in a folder or at an address, where nothing was made for it.
    """

    record_id: str
    folder: str
    objects: list[PublishedObject]
    left_out: list[str]
    not_searched: list[str]
    lacks: list[str]
    repeatable: bool
    cid: str | None

    @property
    def size(self) -> int:
        """Bytes of all objects together."""
        return sum(entry.size for entry in self.objects)


def publish(
    lab: Lab,
    record_id: str,
    to: str | os.PathLike[str],
    *,
    with_diff: bool = False,
    allowed: Collection[str] = (),
    quick: bool = False,
    profile: str = DEFAULT_PROFILE,
    progress: Progress | None = None,
) -> Published:
    """Copy to a published store: the manifests of a record and of its ancestors, the record's content, its group's
    description, and for a run its inputs, outputs, code, lock file and requirements. Only the manifests of ancestors
    are copied, never their content. Of what is only in a batch the proof is copied, too: key, Merkle path and batch.

    Args:
        to: a folder, made if it isn't there, which any web server can show; ``ipfs`` or the http(s) address of a node's
            RPC; the name of an archive to be made (``.car``); or an address of any file system of fsspec.
        with_diff: whether to copy the difference between a run's files and its commit, too.
        allowed: ``PATH:LINE`` of what looks like a secret and is none.
        quick: whether to leave unread what is there: in a folder what did not change since it was hashed, at an address
            what has the right size, on a node what it says to keep. Else all that is there is hashed again.

    Raises:
        InputError: if the record is unknown, `to` is the lab's own, or something seems to hold a secret.
        StoreError: if something of the record isn't in the lab's store; then nothing was copied.
        NotVerified: if the node names another CID than the one computed here.
        ChainUnavailable: if the node can't be reached.
    """
    put = _target(lab, os.fspath(to), profile, quick, progress)
    record = stored_or_batched(lab, record_id)
    manifest = read_manifest(lab.store, record)
    needed, left_out = [("manifest", label(record.key.kind, Kind), record.key.manifest)], []
    proofs, lacks = dict(_proof(lab, record)), list[str]()
    needed += _subject(lab.store, record, "content")
    if isinstance(manifest.predicate, RecordPredicate):
        needed += [("attachment", it.path, it.sha256) for it in manifest.predicate.attachments]
        if TOKEN_VALUE in manifest.predicate.values:
            needed = [it for it in needed if it[2] != record.key.subject]
            if reason := token_withheld(lab, record.key.subject):
                left_out.append(reason)
            else:
                needed.append(("token", manifest.predicate.name, record.key.subject))
    if isinstance(manifest.predicate, RenewalPredicate | WitnessPredicate):
        needed += [("attachment", it.path, it.sha256) for it in artifacts_of(manifest.predicate)]
    if isinstance(manifest.predicate, RunPredicate):
        needed += _of_run(lab, manifest.predicate)
        lacks = what_lacks(manifest.predicate)
        code = manifest.predicate.code
        if with_diff:
            needed += [("diff", diff.path, diff.sha256) for diff in code.diffs]
        if code.lacks_diff or (code.diffs and not with_diff):
            left_out.append(
                "the difference between the run's files and its commit, without which nobody can reproduce it"
                + ("; it was not recorded" if code.lacks_diff else ": --with-diff publishes it")
            )
    ids = [record.id, *([record.batch] if record.batch else [])]
    for parent in _ancestors(lab, record):
        ids.append(parent.id)
        proofs |= _proof(lab, parent)
        # whoever recorded it could name any digest: nothing but a manifest is taken along as one
        if _has_manifest(lab.store, parent):
            needed.append(("manifest", label(parent.key.kind, Kind), parent.key.manifest))
        else:
            left_out.append(f"the manifest of {parent.id}, which is not in this lab's store")
    kept = kept_evidence(lab.home.path, ids)
    proofs |= {name: lab.store.put_bytes(file.read_bytes()) for name, file in kept.items()}
    proofs |= {name: lab.store.put_bytes(data) for name, data in renewals_lists(kept, ids).items()}
    for holder in holders_of(lab.domain, [record]):
        if (identities := lab.home.path / file_name(holder)).is_file():
            proofs[file_name(holder)] = lab.store.put_bytes(read_limited(identities, LIMIT, "a file of identities"))
    needed += [*_group(lab, record, left_out), *(("proof", name, digest) for name, digest in proofs.items())]
    away = {it[2]: address for it in needed if not lab.store.has(it[2]) and (address := lab.hashes.address_of(it[2]))}
    left_out += [f"the data {digest}, of which no copy is kept: {address} has them" for digest, address in away.items()]
    needed = [it for it in needed if it[2] not in away]
    unique = {digest: (what, name) for what, name, digest in reversed(needed)}
    missing = [
        f"{what} {name} ({digest}, {lab.store.where(digest)})"
        for digest, (what, name) in unique.items()
        if not lab.store.has(digest)
    ]
    if missing:
        raise StoreError(
            f"expected everything that is to be published in {lab.store.folder}, missed {'; '.join(missing[:5])}",
            hint=f"Nothing was copied. {REPAIR} Or run `publish` in the lab that recorded it.",
        )
    not_searched = require_no_secrets(lab.store, needed, allowed, hidden_content(lab))
    version = {VERSION_FILE: lab.store.put_bytes(canonical(PUBLISHED.header()))}
    address, states, root = put({object_name(digest): digest for digest in unique} | proofs | version)
    objects = [
        PublishedObject(what, name, digest, lab.store.where(digest).stat().st_size, states[digest])
        for digest, (what, name) in reversed(unique.items())
    ]
    repeatable = record.key.kind == Kind.RUN and not (lacks or away) and record.batch is None
    return Published(record.id, address, objects, left_out, not_searched, lacks, repeatable, root)


Files = Mapping[str, str]
"""The objects to publish: the name that each gets, and its SHA-256."""
Done = tuple[str, dict[str, str], str | None]
Target = Callable[[Files], Done]
"""Publishes objects; returns the address to find them at, what became of each, and the CID of the whole."""


def publish_by_setting(lab: Lab, record_ids: Iterable[str]) -> list[str]:
    """Publish records to where the lab's setting ``publishTo`` says. Returns what happened, in sentences: a failure
    changes nothing of the records."""
    to, told = lab.settings().get("publishTo"), []
    for record_id in record_ids if to else ():
        try:
            told.append(f"{record_id} is published to {publish(lab, record_id, str(to), quick=True).folder}.")
        except Exception as problem:  # what a storage's library raises
            told.append(f"{record_id} is recorded, and not published: {problem}")
    return told


def _target(lab: Lab, to: str, profile: str, quick: bool, progress: Progress | None) -> Target:
    store = lab.store
    if to == "ipfs" or to.startswith(("http://", "https://")):
        kubo = Kubo(None if to == "ipfs" else to)
        return lambda files: _to_node(_tree(store, files, profile), files, kubo, quick, progress)
    folder = to
    if to.startswith(("file://", "local://")):
        # a folder has its own way to write: whole, and brought to the disk
        folder = require("fsspec", "fsspec").core.strip_protocol(to)
    if is_url(folder):
        # what is told is shown to others
        told = public_name(to) if _SECRET.search(to) else to
        return lambda files: (told, _to_file_system(store, files, to.rstrip("/"), quick), None)
    require_apart(lab.home, Path(folder))
    if to.endswith(".car"):
        return lambda files: _to_archive(_tree(store, files, profile), files, Path(folder), progress)
    return lambda files: (to, _to_folder(store, files, Path(folder), quick), None)


def _to_folder(store: Store, files: Files, folder: Path, quick: bool) -> dict[str, str]:
    check_layout(folder)
    places = (str(place) for name in files for place in PurePath(name).parents if place.name)
    if link := next((folder / place for place in places if (folder / place).is_symlink()), None):
        raise InputError(
            f"expected a folder at {link}, got a link, which leads out of what is published",
            hint="Nothing was copied. Remove the link, or publish to another folder.",
        )
    published = store.published(folder)
    states = {digest: published.take(digest, store, quick=quick) for digest in dict.fromkeys(files.values())}
    for name, digest in files.items():
        if name != object_name(digest):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(folder / name, store.get_bytes(digest), 0o644)
    write_pages(folder)
    return states


def _to_node(tree: Tree, files: Files, kubo: Kubo, quick: bool, progress: Progress | None) -> Done:
    """One folder with the layout of a store; its CID is the address."""
    root = tree.root()
    there = kubo.is_pinned(root)
    if not (there and quick):
        # a node writes a block again that it has damaged
        kubo.send(tree, progress)
    state = NEW if not there else UNCHANGED if quick else "sent again"
    return f"{SCHEME}{root}", dict.fromkeys(files.values(), state), str(root)


def _to_archive(tree: Tree, files: Files, file: Path, progress: Progress | None) -> Done:
    root = write_archive(tree, file, progress)
    return str(file), dict.fromkeys(files.values(), NEW), str(root)


def _to_file_system(store: Store, files: Files, url: str, quick: bool) -> dict[str, str]:
    fsspec = require("fsspec", "fsspec")
    states = {}
    try:
        filesystem, root = fsspec.core.url_to_fs(url)
        for name, digest in files.items():
            path, size = f"{root}/{name}", store.where(digest).stat().st_size
            states[digest] = NEW
            if filesystem.exists(path):
                whole = filesystem.info(path)["size"] == size and (quick or _hashed(filesystem, path) == digest)
                states[digest] = (SAME_SIZE if quick else WHOLE) if whole else REPAIRED
                if whole:
                    continue
            filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)
            # the object appears when it is whole
            with filesystem.transaction, filesystem.open(path, "wb") as file:
                store.copy(digest, file.write)
    except BlockchainTracerError:
        raise
    except Exception as error:
        # any exception of the file system; its text may hold credentials
        raise StoreError(
            f"can't write to {public_name(url)} ({type(error).__name__})",
            hint="Check the address, the package that fsspec needs for it, and that you may write there.",
        ) from None
    return states


def _hashed(filesystem: Any, path: str) -> str:
    with filesystem.open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tree(store: Store, files: Files, profile: str) -> Tree:
    return Tree([(name, store.where(digest)) for name, digest in files.items()], profile, files)


def write_archive(tree: Tree, file: Path, progress: Progress | None = None) -> Cid:
    """Write a file or folder as an archive of its blocks (CARv1); return its root."""
    try:
        with placing(file) as partial, partial.open("xb") as archive:
            root = tree.root()
            for piece in car(root, tree.blocks(root, progress)):
                archive.write(piece)
            archive.flush()
            os.fsync(archive.fileno())
    except OSError as error:
        raise InputError(f"can't write {file}: {error.strerror}") from error
    return root


def require_apart(lab_home: Home, folder: Path) -> None:
    """Refuse a folder of the lab itself as one that others may read."""
    chosen, home = folder.resolve(), lab_home.path
    own = (home / "store", home / "keys", home / "private", home / "devnet", home / "environments")
    if chosen == home or any(chosen == part or part in chosen.parents for part in own):
        raise InputError(
            f"expected a folder for others to read, got the lab's own {folder}",
            hint="Choose another: keys and unpublished files lie there.",
        )


def _ciphertext(predicate: Predicate | RunOutput) -> Iterator[tuple[str, str, str]]:
    """What is published of something encrypted: content and opening, which only its recipients can read."""
    if isinstance(predicate, ContentPredicate | RecordPredicate | RunOutput) and predicate.encrypted:
        for artifact in (predicate.artifact, predicate.encrypted.opening):
            assert artifact  # noqa: S101 -- the manifest's model sees to it
            yield "encrypted", artifact.path, artifact.sha256


def _of_run(lab: Lab, run: RunPredicate) -> Iterator[tuple[str, str, str]]:
    for entry in run.inputs:
        yield from _subject(lab.store, stored_or_batched(lab, entry.record), "input")
    for output in run.outputs:
        artifact = output.artifact
        yield from _ciphertext(output)
        yield output.role, artifact.path, artifact.sha256
        if is_listing(artifact.path):
            yield from _listed(lab.store, artifact.sha256, output.role)
    for name, metric in run.metrics.items():
        if metric.history:
            yield "history", name, metric.history.sha256
    if run.private and run.private.encrypted:
        yield "encrypted", run.private.encrypted.path, run.private.encrypted.sha256
    for _, state in run.code.states():
        if state.pack:
            yield "code", f"commit {state.commit}", state.pack.sha256
    if run.environment.lock:
        yield "lock", run.environment.lock.path, run.environment.lock.sha256
    # whoever repeated another's run names what it asked for, and need not have it
    if (asked := run.environment.requirements) and lab.store.has(asked.sha256):
        yield "requirements", asked.path, asked.sha256


def _subject(store: Store, record: RecordView, what: str) -> Iterator[tuple[str, str, str]]:
    if record.key.subject_type in (SubjectType.FILE, SubjectType.FOLDER):
        yield what, label(record.key.kind, Kind), record.key.subject
    if record.key.subject_type == SubjectType.FOLDER:
        yield from _listed(store, record.key.subject, what)
    if record.key.subject_type == SubjectType.COMMITMENT:
        yield from _ciphertext(read_manifest(store, record).predicate)


def _listed(store: Store, listing: str, what: str) -> Iterator[tuple[str, str, str]]:
    for name, digest in parse_listing(store.get_bytes(listing, LISTING_LIMIT)):
        yield what, name, digest


def _group(lab: Lab, record: RecordView, left_out: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the description of the record's group; say it if the node has forgotten which one that is."""
    try:
        profile, why = known_profile(lab, record.group), lab.registry.history.gap
    except ChainUnavailable as error:
        # it takes away nothing else
        profile, why = None, error.message
    if profile:
        yield "group", str(record.group), profile
    elif why:
        left_out.append(f"the description of group {record.group}: {why}")


def _proof(lab: Lab, record: RecordView) -> dict[str, str]:
    """Put the key of a record, with its Merkle path if it is in a batch, into the store; return its SHA-256 by the
    names that it gets. What is only in a batch is found by its content, too."""
    key, transactions = KeyFile(lab.chain_id, lab.domain.registry, record.key), [record.transaction]
    if proof := find_proof(lab, record.id):
        anchored = lab.registry.anchored(record.group, record.author, proof.root)
        key, transactions = proof, [*transactions, anchored.transaction if anchored else ""]
    receipts = []
    for transaction in filter(None, transactions):
        # a node that gives no receipts takes away nothing else
        with suppress(ChainUnavailable, InputError):
            receipts.append(inclusion_of(lab.registry, transaction))
    data = replace(key, receipts=tuple(receipts)).to_bytes()
    data = data if len(data) <= MAX_KEY_FILE_BYTES else key.to_bytes()
    names = [proof_name(record.id), *([content_name(record.key.subject)] if record.batch else [])]
    return dict.fromkeys(names, lab.store.put_bytes(data))


def _has_manifest(store: Store, record: RecordView) -> bool:
    """Whether the store has the manifest of a record: what its key names can be anything else that the lab has."""
    digest = record.key.manifest
    if store.has(digest) and store.where(digest).stat().st_size <= MAX_BYTES:
        with suppress(InputError, NotVerified):
            return bool(read_manifest(store, record))
    return False


def _ancestors(lab: Lab, record: RecordView) -> Iterator[RecordView]:
    """All ancestors, each once. This ends, because an ancestor's id is part of its child's."""
    seen, waiting = {record.id}, [record]
    while waiting:
        for link in waiting.pop().key.parents:
            if link.parent not in seen:
                seen.add(link.parent)
                parent = stored_or_batched(lab, link.parent)
                waiting.append(parent)
                yield parent
