"""The receipts that a lab keeps, and those that others publish: one file for each thing that was stamped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.formats import UnknownVersion, read_limited
from blockchaintracer.extras.witness.witness_receipt import (
    MAX_FILE,
    StampedSubject,
    WitnessReceipt,
    read_receipts_file,
    receipts_file,
)
from blockchaintracer.lab.files import locked, write_kept
from blockchaintracer.lab.formats import WITNESSES
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.store.sources import public_name, read_page

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


def all_kept(home: Home) -> tuple[list[WitnessReceipt], list[str]]:
    """Return every receipt that is kept, and which files are damaged."""
    receipts, problems = list[WitnessReceipt](), list[str]()
    for file in sorted((home.path / FOLDER).glob("*.json")):
        try:
            receipts += read_receipts_file(read_limited(file, MAX_FILE, "receipts"), str(file))
        except InputError as error:
            problems.append(error.message)
    return receipts, problems


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


@dataclass
class FoundReceipts:
    """The receipts of a thing.

    Args:
        kept: those in the lab's folder.
        given: those that sources have, without what is kept, too.
        problems: what could not be read, in sentences.
        damaged: files of sources that are no receipts of the thing, in sentences.
    """

    kept: tuple[WitnessReceipt, ...] = ()
    given: tuple[WitnessReceipt, ...] = ()
    problems: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    @property
    def any(self) -> bool:
        """Whether anything was found."""
        return bool(self.kept or self.given or self.problems or self.damaged)


def found_receipts(home: Home, subject: StampedSubject, sources: Sequence[str] = ()) -> FoundReceipts:
    """Look up the receipts of a thing that are kept or published."""
    found, given = FoundReceipts(), dict[WitnessReceipt, None]()
    try:
        found.kept = kept_receipts(home, subject)
    except InputError as error:
        found.problems.append(error.message)
    for source in sources:
        name, data = receipts_name(subject), None
        try:
            if (data := read_page(source, name, MAX_FILE, WITNESSES)) is not None:
                given |= dict.fromkeys(read_receipts_file(data, f"{public_name(source)}/{name}", subject))
        except (UnknownVersion, ChainUnavailable) as error:
            found.problems.append(error.message)
        except InputError as error:
            # a file of another form may be what a server answered for a name that it does not have
            is_damaged = data is not None and WITNESSES.prefix.encode() in data
            (found.damaged if is_damaged else found.problems).append(error.message)
    found.given = tuple(it for it in given if it not in found.kept)
    return found
