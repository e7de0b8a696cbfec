"""The receipts that a lab keeps, and those that others publish: one file for each thing that was stamped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from blockchaintracer.core.errors import BlockchainTracerError, InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.verify.copies import SourceError
from blockchaintracer.extras.witness.witness_receipt import (
    MAX_FILE,
    StampedSubject,
    WitnessKind,
    WitnessReceipt,
    read_receipts_file,
    receipts_file,
)
from blockchaintracer.lab.files import locked, write_kept
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.store.sources import limited, public_name, read_source

FOLDER = "witnesses"


def receipts_name(subject: StampedSubject) -> str:
    """Return the name of the file of a subject's receipts, in a home and in what is published."""
    return f"{FOLDER}/{subject.sha256}.json"


def kept_receipts(home: Home, subject: StampedSubject) -> tuple[WitnessReceipt, ...]:
    """Return the receipts that are kept of a subject. Nothing of them was checked since they were kept.

    Raises:
        InputError: if the file is damaged.
    """
    file = home.path / receipts_name(subject)
    if not file.is_file():
        return ()
    return read_receipts_file(read_limited(file, MAX_FILE, "receipts"), str(file), subject)


def all_kept(home: Home) -> Iterator[tuple[Path, tuple[WitnessReceipt, ...]]]:
    """List every file of receipts that is kept, with its receipts."""
    for file in sorted((home.path / FOLDER).glob("*.json")):
        yield file, read_receipts_file(read_limited(file, MAX_FILE, "receipts"), str(file))


def keep_receipts(home: Home, receipts: Iterable[WitnessReceipt], *, instead: Iterable[WitnessReceipt] = ()) -> int:
    """Keep receipts beside those that are there. Returns how many files changed.

    Args:
        instead: receipts that the new ones replace.
    """
    subjects: dict[StampedSubject, list[WitnessReceipt]] = {}
    for receipt in receipts:
        subjects.setdefault(receipt.subject, []).append(receipt)
    gone, changed = [*instead], 0
    with locked(home.witnesses / ".lock"):
        for subject, new in subjects.items():
            old = kept_receipts(home, subject)
            every = [*(it for it in old if it not in gone), *new]
            data = receipts_file(subject, [*dict.fromkeys(every)])
            file = home.path / receipts_name(subject)
            if not (old and file.read_bytes() == data):
                write_kept(file, data)
                changed += 1
    return changed


def found_receipts(
    home: Home, subject: StampedSubject, sources: Sequence[str] = ()
) -> tuple[tuple[WitnessReceipt, ...], tuple[str, ...]]:
    """Return the receipts of a subject that are kept or published, and what is wrong with files of others."""
    found, problems = dict.fromkeys(kept_receipts(home, subject)), []
    for source in sources:
        try:
            data = b"".join(limited(read_source(source, receipts_name(subject)), MAX_FILE))
            found |= dict.fromkeys(read_receipts_file(data, f"{public_name(source)}/{receipts_name(subject)}", subject))
        except SourceError as error:
            if error.unavailable or error.wrong:
                problems.append(f"{public_name(source)} {error}")
        except BlockchainTracerError as error:
            problems.append(error.message)
    return tuple(found), tuple(problems)


def has_kind(receipts: Iterable[WitnessReceipt], kind: WitnessKind) -> bool:
    """Return whether one of the receipts is of a kind."""
    return any(it.kind is kind for it in receipts)


def require_subject(data: bytes, where: str) -> StampedSubject:
    """Return the subject of a file's bytes, which must not be empty."""
    if not data:
        raise InputError(f"expected a file with content, got {where}, which is empty")
    return StampedSubject.of_bytes(data)
