"""Verifying for a lab: what to look up, and what its outbox knows of what the chain doesn't show."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from blockchaintracer.core.chain import Registry
from blockchaintracer.core.digest import Progress
from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.networks import when
from blockchaintracer.core.record import is_hash, is_one_of
from blockchaintracer.core.record_key_file import Proof
from blockchaintracer.core.verify import Check, Outcome, Report
from blockchaintracer.core.verify.content_checks import Shown
from blockchaintracer.core.verify.published_proofs import published_keys, published_proofs, with_batched
from blockchaintracer.core.verify.verifier import Verifier, as_told
from blockchaintracer.lab.kept_proofs import find_proof
from blockchaintracer.lab.known_keys import in_source, proofs_naming
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Entry, EntryState, Op, Outbox
from blockchaintracer.lab.proof_file import damaged
from blockchaintracer.lab.store.hashcache import digest_of
from blockchaintracer.lab.store.similar_content import similar_records
from blockchaintracer.lab.store.store import Store
from blockchaintracer.lab.store.stored_copies import StoredCopies

Sources = Sequence[str | os.PathLike[str]]

_PLACES = 5
"""How many places of the same content are looked at, the newest first."""


def lab_verifier(registry: Registry, store: Store, sources: Sources = (), progress: Progress | None = None) -> Verifier:
    """Make a verifier that looks for content in a store first, then in the sources."""
    copies = StoredCopies(store, sources, progress)
    return Verifier(registry, copies, lambda shown: similar_records(registry, store, copies, shown))


def verify(
    lab: Lab,
    target: str,
    *,
    path: Path | None = None,
    record: str | None = None,
    group: int | None = None,
    author: str | None = None,
    groups: Collection[int] = (),
    sources: Sources = (),
    progress: Progress | None = None,
) -> Report:
    """Verifies a record, a transaction, a recorded digest, a seal, or a file or folder.

    A record that is only in a batch is verified by a proof that the lab keeps of it, or that a source has.

    Args:
        target: an id, a hash or a SHA-256, or the path of a file or folder.
        path: a file or folder to hold against the record that `target` is.
        record: id of the record to hold the file or folder against that `target` is.
        group: of a file or folder, only records of this group count; beside `author` the group that a seal is for.
        author: who sealed the commitment `target` for `group`: the registry's state is asked, which no node forgets.
        groups: of a file, a folder or a digest, only what is of these groups counts, if `group` names none.
    """
    digest = lab.parse_id(target, "record id, transaction hash or SHA-256") if is_hash(target) else None
    if author is not None and (group is None or digest is None or path is not None or record is not None):
        raise InputError("expected --author beside a seal's commitment and --group NUMBER", hint="See `verify --help`.")
    record = None if record is None else lab.parse_id(record)
    counting = tuple(groups) if group is None else (group,)
    if digest is None:
        if path is not None:
            raise InputError(f"expected a record's id beside --path, got {target!r}")
        path = _existing(Path(target))
    elif path is not None:
        record = digest
        path = _existing(path)
    elif record is not None or (group is not None and author is None):
        given = "--record" if record is not None else "--group"
        raise InputError(
            f"expected a file or folder beside {given}, got {target!r}",
            hint="`verify ID --path PATH` compares a file with one record; --group goes with a PATH, or with --author.",
        )
    keeps_seals = any(lab.home.seals.glob("*.json"))
    try:
        registry = lab.registry.knowing(published_keys(lab.domain, sources, in_source)) if sources else lab.registry
        verifier = lab_verifier(registry, lab.store, sources, progress)
        if path is not None:
            shown = Shown(path, StoredCopies(lab.store, sources, progress))
            report = verifier.path(shown, record, counting)
            asked = record or shown.sha256
        else:
            asked = digest or ""
            sealers = [(group, author)] if group is not None and author is not None else []
            if keeps_seals:
                from blockchaintracer.lab.seals import own_seals

                sealers += [(seal.group, seal.author) for seal in own_seals(lab, asked) if seal.commitment == asked]
            report = verifier.hash(asked, counting if author is None else (), sealers)
        report = with_batched(
            lab.registry,
            verifier,
            report,
            asked,
            lambda: published_proofs(lab.domain, sources, asked, in_source),
            lambda: _kept(lab, asked),
            path=path,
            groups=counting,
        )
        sealed = any(check.name == "seal" for check in report.checks)
        if (sealed or not report.records) and keeps_seals:
            from blockchaintracer.lab.seals import check_own

            report = replace(report, checks=(*report.checks, *check_own(lab, asked, with_seal=not sealed)))
    except ChainUnavailable as away:
        if waiting := _entry(lab.outbox, digest or record):
            raise ChainUnavailable(
                f"record {waiting.write.record_id} is {waiting.state} in this lab's outbox, and the chain can't be"
                f" asked. {away.message}",
                hint=f"When the chain is back: {_next_step(waiting)}.",
                record=waiting.write.record_id,
                state=str(waiting.state),
            ) from None
        raise
    if not report.records and (waiting := _entry(lab.outbox, digest)):
        said = f" (it was in block {waiting.block.number})" if waiting.block else ""
        detail = f"in this lab's outbox it is {waiting.state}{said}: {_next_step(waiting)}"
        report = replace(report, checks=(*report.checks, Check("outbox", Outcome.UNKNOWN, detail)))
    notes = [_before(lab, path, asked)] if path and not report.records else []
    subjects = {record.key.subject for record in report.records} if path is None else ()
    notes += [_since(lab, it, progress) for it in subjects]
    return as_told(replace(report, notes=tuple(filter(None, notes))), lab.chain)


def _before(lab: Lab, path: Path, digest: str) -> str | None:
    """Say what this lab recorded of a path that has no record as it is now; None if it recorded nothing there."""
    last = next(iter(lab.hashes.recorded_at(path)), None)
    if last is None or last.sha256 == digest:
        return None
    entries = [it for it in lab.outbox.entries_naming(lab.chain_id, last.sha256) if it.write.op is Op.RECORD]
    record = f"record {entries[-1].write.record_id}" if entries else f"SHA-256 {last.sha256}"
    return f"It has changed since you recorded it on {when(last.noted)}: it had other bytes then ({record})."


def _since(lab: Lab, subject: str, progress: Progress | None) -> str | None:
    """Say that what this lab recorded does not lie any more where it lay then; None if it does."""
    if not (places := lab.hashes.places(subject)) or lab.hashes.address_of(subject):
        return None
    for place in places[:_PLACES]:
        with suppress(InputError):
            if digest_of(lab.hashes, Path(place.path), progress=progress).sha256 == subject:
                return None
    what = "has changed since" if Path(places[0].path).exists() else "is gone"
    return f"The file or folder you recorded {what}: {places[0].path}, recorded on {when(places[0].noted)}."


def verify_batch_proof(
    lab: Lab,
    path: Path,
    data: bytes,
    *,
    files: Sequence[Path] = (),
    group: int | None = None,
    sources: Sources = (),
    progress: Progress | None = None,
) -> Report:
    """Verify the proof of a record in a batch, and files or folders against that record.

    Args:
        path: what messages call the proof.
        data: its bytes, from a stranger.
        group: only a record of this group counts.

    Raises:
        NotVerified: if it is damaged, or of another registry or chain than the lab's.
    """
    proof = damaged(path, lambda: Proof.parse(data, str(path))).require(lab.domain)
    verifier = lab_verifier(lab.registry, lab.store, sources, progress)
    groups = () if group is None else (group,)
    return as_told(verifier.batched(proof.key, proof.root, proof.path, [*map(_existing, files)], groups), lab.chain)


def verify_order(lab: Lab, first: str, second: str) -> Report:
    """Verifies that one record came before another."""
    return as_told(lab_verifier(lab.registry, lab.store).before(first, second), lab.chain)


def _kept(lab: Lab, digest: str) -> Iterator[Proof]:
    if own := find_proof(lab, digest):
        return iter([own])
    return (it for it in proofs_naming(lab.home, lab.domain, digest) if is_one_of(digest, it.key.subject))


def _existing(path: Path) -> Path:
    if not path.exists():
        raise InputError(
            f"expected a record's id, a transaction's hash, or an existing file or folder, got {str(path)!r}",
            hint="An id is 0x and 64 hex digits, or eip155:CHAIN:REGISTRY/ID.",
        )
    return path


def _next_step(entry: Entry) -> str:
    if entry.state is EntryState.FAILED:
        return f"it was refused ({entry.error or 'see `blockchaintracer outbox list`'}) and is not sent again"
    if entry.is_on_chain:
        return "`blockchaintracer outbox flush` looks for it, and sends it again if the chain has lost it"
    return "`blockchaintracer outbox flush` sends it"


def _entry(outbox: Outbox, record_id: str | None) -> Entry | None:
    return next(iter(outbox.entries_about(record_id, Op.RECORD)), None) if record_id else None
