"""The keys of records in published stores, ``proofs/ID.json`` beside the objects: with a Merkle path if in a batch."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from blockchaintracer.core.chain.abi import interface
from blockchaintracer.core.chain.registry import KeySource, Registry
from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.formats import BATCH_PROOF, read_limited
from blockchaintracer.core.networks import redact_url
from blockchaintracer.core.record import Domain, from_hex, is_one_of, normal_digest, normal_id
from blockchaintracer.core.record_key_file import MAX_KEY_FILE_BYTES, KeyFile, Proof
from blockchaintracer.core.record_view import Batch, RecordView
from blockchaintracer.core.verify.inclusion import Inclusion
from blockchaintracer.core.verify.outcomes import Check, Outcome, Report

if TYPE_CHECKING:
    from blockchaintracer.core.verify.verifier import Verifier

FOLDER = "proofs"
_RECEIPTS = 4
"""Read of a source about a record: of its own transaction and of its batch's. A node is asked about each."""
_FILES = 64
_REST = "the others were not read. Name the one that counts by --key-file"
Sources = Sequence[str | os.PathLike[str]]
Reader = Callable[[str, str], Iterator[tuple[str, Callable[[], bytes | None]]]]
"""Lists the key files of a source that may be about a digest, and reads each: None if it is not there."""
Found = tuple[list[KeyFile], list[str], list[str]]
"""Key files, what is wrong with others, and why a source could not be asked."""


def proof_name(record_id: str) -> str:
    """Return the name of a record's proof in a published store."""
    return f"{FOLDER}/{normal_id(record_id)}.json"


def content_name(subject: str) -> str:
    """Return the name that the proof of a batched record has there by its content."""
    return f"{FOLDER}/{normal_digest(subject)}.json"


def in_folder(source: str, digest: str) -> Iterator[tuple[str, Callable[[], bytes | None]]]:
    """List the key files of a published folder, as a `Reader`."""
    folder, names = Path(source, FOLDER), list[str]()
    try:
        names = sorted(os.listdir(folder), key=lambda name: (normal_digest(digest) not in name, name))
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        yield FOLDER, partial(_unlisted, folder, error.strerror)
    for name in names:
        if name.endswith(".json"):
            yield f"{FOLDER}/{name}", partial(read_limited, folder / name, MAX_KEY_FILE_BYTES, "a proof")


def _unlisted(folder: Path, reason: str | None) -> bytes:
    raise ChainUnavailable(f"{folder} can't be read: {reason}")


def published_proofs(domain: Domain, sources: Sources, digest: str, reader: Reader = in_folder) -> Found:
    """Look up the key files in published stores of a record id, or of records of a content."""
    files: dict[str, KeyFile] = {}
    problems: list[str] = []
    unavailable: list[str] = []
    names = (proof_name(digest), content_name(digest))
    for source in [os.fspath(source) for source in sources]:
        unread: list[str] = []
        before, count, given = len(files), 0, Counter[str]()
        for name, read in reader(source, digest):
            where = f"{redact_url(source)}/{name}"
            try:
                data = read() or b""
                if name not in names and normal_digest(digest).encode() not in data:
                    continue
                file = parse_key_file(data, where) if data else None
            except ChainUnavailable as error:
                unavailable.append(error.message)
            except (InputError, OSError) as error:
                text = error.message if isinstance(error, InputError) else f"{where}: {error.strerror}"
                (problems if name in names else unread).append(text)
            else:
                if file is None or (file.chain_id, file.registry) != (domain.chain_id, domain.registry):
                    continue
                if is_one_of(digest, file.id, file.key.subject):
                    if (count := count + 1) > _FILES:
                        unavailable.append(f"{redact_url(source)} has more than {_FILES} files about it: {_REST}")
                        break
                    place = f"{file.id} {getattr(file, 'root', '')}"
                    # what one source has of it hides nothing of another
                    others = files[place].receipts if place in files else ()
                    more = [it for it in file.receipts if it not in others][: _RECEIPTS - given[file.id]]
                    given[file.id] += len(more)
                    files[place] = replace(file, receipts=(*others, *more))
                elif name in names:
                    problems.append(f"the proof {where} is of another record, {file.id}")
        # any of these may be what was looked for
        problems += unread if len(files) == before else []
    return [*files.values()], problems, unavailable


def parse_key_file(data: bytes, path: str) -> KeyFile:
    """Read a key file or the proof of a batched record, of any origin. Messages call it `path`."""
    return (Proof if BATCH_PROOF.prefix.encode() in data else KeyFile).parse(data, path)


def view_of(file: KeyFile) -> RecordView:
    """Return the record that a key file or the proof of a batched record is of."""
    view = RecordView(id=file.id, key=file.key)
    recorded = interface().filter("Recorded", {"id": from_hex(view.id)})[:2]
    for log in (log for inclusion in file.receipts for log in inclusion.receipt().logs):
        if log.address == file.registry and [*log.topics[:2]] == recorded:
            view = replace(view, transaction=log.transaction, block_hash=log.block_hash, position=log.position)
    return replace(view, batch=file.root, path=file.path) if isinstance(file, Proof) else view


def of_files(files: Sequence[KeyFile]) -> Iterator[RecordView | Inclusion]:
    """Yield the records that key files are of, with the place that each receipt tells, and the receipts."""
    for file in files:
        # a subject can be the hash of a transaction: that no receipt here is of
        kept = [it for it in file.receipts if it.transaction[2:] != file.key.subject]
        yield from (view_of(replace(file, receipts=receipts)) for receipts in ((), *((it,) for it in kept)))
        yield from kept


def published_keys(domain: Domain, sources: Sources, reader: Reader = in_folder) -> KeySource:
    """Return the source of the keys in published stores. What is wrong with one is told where proofs are looked up."""
    return lambda digest: of_files(published_proofs(domain, sources, digest, reader)[0])


def with_batched(
    registry: Registry,
    verifier: Verifier,
    report: Report,
    digest: str,
    published: Callable[[], Found],
    kept: Callable[[], Iterator[Proof]] = lambda: iter(()),
    *,
    path: Path | None = None,
    groups: Sequence[int] = (),
) -> Report:
    """Add to a report the batched records with this id, or of this content. Of a stored record its batch is added, if
    it is not the batch whose time the record has: that of a relayed signature is later.

    Args:
        published: looks for proofs in published stores.
        kept: gives the proofs that the verifier has.
        path: a file or folder that each of them must be of.
        groups: only records of these groups count; empty if all count.
    """
    if report.looked_up_as in ("transaction", "seal", "root") or not digest:
        return report
    known = {record.id: record for record in report.records}
    files, problems, unavailable = ([], [], []) if digest in known else published()
    batches: dict[str, tuple[Batch, Proof]] = {}
    for proof in (*(file for file in files if isinstance(file, Proof)), *kept()):
        key = proof.key
        if stored := known.get(proof.id):
            # what a stranger's proof fails at says nothing of the record
            earlier = verifier.earlier_batch(stored, proof.root, proof.path)
            passed = [check for check in earlier if check.verdict is Outcome.PASS]
            report = replace(report, checks=(*report.checks, *passed))
        elif groups and key.group not in groups:
            continue
        elif not (batch := registry.batch(key.group, key.author, proof.root)).exists:
            problems.append(f"a proof of record {proof.id} names the batch {proof.root}, which is not anchored")
        elif proof.id not in batches or (batches[proof.id][0].ended_at and not batch.ended_at):
            # a batch that was ended says less than one that was not
            batches[proof.id] = batch, proof
    paths = [path] if path else []
    reports = [verifier.batched(proof.key, proof.root, proof.path, paths) for _, proof in batches.values()]
    # a file of a stranger decides nothing: it is named beside what the state says
    missing = any(check.name == "recorded" and check.verdict is Outcome.FAIL for check in report.checks)
    outcome = Outcome.FAIL if missing and not reports and not known else Outcome.UNKNOWN
    wrong = [Check("proof", outcome, problem) for problem in dict.fromkeys(problems)]
    if unavailable:
        detail = f"whether {'others are' if reports else 'it is'} in a batch is not decided: {'; '.join(unavailable)}"
        wrong.append(Check("proof", Outcome.UNKNOWN, detail, {} if reports else {"unavailable": unavailable}))
    if not reports:
        # what the registry does not store may be in a batch whose proof is at a source that could not be asked
        open_question = unavailable and not known
        checks = [
            replace(check, verdict=Outcome.UNKNOWN) if open_question and check.name == "recorded" else check
            for check in report.checks
        ]
        return replace(report, checks=(*checks, *wrong))
    parts = [*([report] if report.records else []), *reports]
    return Report(
        report.subject,
        report.looked_up_as if report.records else "batch",
        (*(check for part in parts for check in part.checks), *wrong),
        tuple(record for part in parts for record in part.records),
        tuple(sentence for part in parts for sentence in part.proves),
        tuple(dict.fromkeys(limit for part in parts for limit in part.does_not_prove)),
    )
