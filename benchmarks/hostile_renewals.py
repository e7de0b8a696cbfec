"""Renewals of strangers: the row `renewals` of `python -m benchmarks.hostile`.

SHA-256 counts as broken from a day after the honest renewal on, so that a record without it does not count.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import rfc8785
from typing_extensions import override

from blockchaintracer.core.digest import digest_bytes
from blockchaintracer.core.manifest import Artifact, Manifest, RenewalRoots
from blockchaintracer.core.record import Kind, RecordKey
from blockchaintracer.core.verify.copies import Copy, FolderCopies
from blockchaintracer.extras.renewal.hash_tree import HashTree
from blockchaintracer.extras.renewal.judge import Standing, WitnessedTime
from blockchaintracer.extras.renewal.renew import Renewed, renew
from blockchaintracer.extras.renewal.renewal_file import FOLDER, RenewalFile
from blockchaintracer.extras.renewal.verify_renewals import Question, with_renewals
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.store.stored_copies import StoredCopies
from blockchaintracer.lab.verify_here import verify
from tests.support.mutations import changes

Case = tuple[str, Callable[[], str]]
_DAY = 86_400


class Forgery(StoredCopies):
    """Copies in a world where SHA-256 is broken: one digest has other bytes."""

    def __init__(self, lab: Lab, digest: str, forged: Path) -> None:
        super().__init__(lab.store)
        self._digest_of, self._forged = digest, forged

    @override
    @contextmanager
    def find_copy(self, sha256: str, **more: Any) -> Iterator[Copy]:
        with super().find_copy(sha256, **more) as copy:
            yield replace(copy, path=self._forged) if sha256 == self._digest_of else copy

    @override
    def read_bytes(self, sha256: str, limit: int) -> tuple[bytes | None, Copy]:
        data, copy = super().read_bytes(sha256, limit)
        return (self._forged.read_bytes() if sha256 == self._digest_of else data), copy


class Judge:
    """A lab whose records were renewed whole, without a file, or not at all."""

    def __init__(self, lab: Lab, here: Path) -> None:
        self.lab, self.here = lab, here
        names = ("renewed", "another", "lacking", "late")
        for name in names:
            (here / name).mkdir()
            for part in ("x", "y"):
                (here / name / part).write_text(f"{name} {part}")
        ids = {name: record_content(lab, Kind.DATASET, here / name).id for name in names}
        self.reports = {name: verify(lab, record_id) for name, record_id in ids.items()}
        lost = hashlib.sha256(b"lacking x").hexdigest()
        kept = lab.store.get_bytes(lost)
        lab.store.path_of(lost).unlink()
        self.files = {name: _read(_renewed(lab, ids[name])) for name in names[:3]}
        lab.store.put_bytes(kept)
        self.until = lab.chain.head().timestamp + _DAY
        self.standing = cache(self._standing)

    def _standing(self, record_id: str) -> Standing | None:
        status = self.lab.registry.status(record_id)
        return Standing(status.recorded_at, status.retracted_at, "the registry") if status.exists else None

    def case(self, title: str, data: bytes, name: str = "renewed", **more: Any) -> Case:
        """A case: the file of a renewal is given for a record."""
        return title, lambda: self.outcome(data, name, **more)

    def outcome(
        self,
        data: bytes,
        name: str = "renewed",
        broken: dict[str, int] | None = None,
        copies: FolderCopies | None = None,
        witness: WitnessedTime | None = None,
    ) -> str:
        folder = self.here / "given"
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        (folder / FOLDER / "one.json").write_bytes(data)
        question = Question(broken or {"sha256": self.until}, None, lambda text: [witness] if witness else [])
        found, _ = with_renewals(
            self.reports[name],
            self.lab.domain,
            [folder],
            copies or StoredCopies(self.lab.store),
            lambda it: self.standing(it.id),
            question,
        )
        return str(found.conclusion)


def renewals(lab: Lab, here: Path) -> Iterator[Case]:
    """Alter trees, swap leaves, leave something out, give the renewal of another record, renew after the break."""
    judge = Judge(lab, here)
    honest, data = judge.files["renewed"], judge.files["renewed"].to_bytes()
    assert judge.outcome(data) == "verified", "what is true must verify, else nothing is shown"
    yield from _altered(judge, data)
    for title, tree in _trees(honest.tree, judge.files["another"].tree):
        yield judge.case(f"its tree alone: {title}", _with_text(honest, tree))
        if forged := _forged(honest, tree):
            yield judge.case(f"its tree and all that follows, which nobody recorded: {title}", forged)
    for name in ("another", "lacking", "late"):
        for other, file in judge.files.items():
            if name != other or name == "lacking":
                yield judge.case(f"the renewal of {other} for {name}", file.to_bytes(), name)
    yield from _late(judge, data)
    digests = hashlib.sha256(b"renewed x").hexdigest(), judge.reports["renewed"].records[0].manifest
    for number, digest in enumerate(digests):
        (forgery := here / f"forged {number}").write_bytes(b"another content of the same SHA-256")
        copies = Forgery(lab, digest, forgery)
        yield judge.case(f"a forged content {number}", data, copies=copies)
        yield judge.case(f"a forged content {number}, by who knows no break", data, copies=copies, broken={"sha512": 1})


def _altered(judge: Judge, data: bytes) -> Iterator[Case]:
    for name, changed in changes(json.loads(data)):
        try:
            other = rfc8785.dumps(changed)
        except (ValueError, UnicodeError):
            continue
        if other != data:
            yield judge.case(f"a field: {name}", other)
    for at in range(0, len(data), 7):
        flipped = bytearray(data)
        flipped[at] ^= 1 << at % 8
        yield judge.case(f"byte {at}", bytes(flipped))


def _late(judge: Judge, data: bytes) -> Iterator[Case]:
    """Renewals after the break, and witnesses that rest on what is broken or came too late."""
    standing = judge.standing(judge.files["renewed"].id)
    assert standing
    before, until = {"sha256": standing.recorded_at}, judge.until
    yield judge.case("renewed after the break", data, broken=before)
    yield judge.case("the chain breaks, too", data, broken=dict.fromkeys(("sha256", "keccak256", "sha3-256"), until))
    stamp = WitnessedTime(1, frozenset({"sha256"}), "an authority")
    yield judge.case("stamped by a broken hash", data, broken=before, witness=stamp)
    yield judge.case(
        "stamped too late", data, broken=before, witness=replace(stamp, time=until, algorithms=frozenset())
    )


def _renewed(lab: Lab, record_id: str) -> Renewed:
    ((renewal,), _) = renew(lab, [record_id])
    return renewal


def _read(renewal: Renewed) -> RenewalFile:
    return RenewalFile.parse(Path(renewal.file).read_bytes(), renewal.file)


def _trees(tree: HashTree, other: HashTree) -> Iterator[tuple[str, str]]:
    """Yield texts of altered trees."""
    head, *lines = tree.to_bytes().decode().splitlines()
    texts = {f"without line {at}": [*lines[:at], *lines[at + 1 :]] for at in range(len(lines))}
    for at in range(len(lines) - 1):
        one, two = lines[at].split(" ", 2), lines[at + 1].split(" ", 2)
        swapped = [" ".join([*two[:2], one[2]]), " ".join([*one[:2], two[2]])]
        texts[f"the hashes of lines {at} and {at + 1} swapped"] = [*lines[:at], *swapped, *lines[at + 2 :]]
        texts[f"lines {at} and {at + 1} swapped"] = [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]
        texts[f"line {at} twice"] = [*lines[:at], lines[at], *lines[at:]]
        half = [" ".join([two[0], *one[1:]])]
        texts[f"the SHA-512 of line {at + 1} in line {at}"] = [*lines[:at], *half, *lines[at + 1 :]]
        missing = f"missing {one[2]}"
        texts[f"line {at} called missing"] = [*lines[:at], *lines[at + 1 :], missing]
    texts["of another record"] = other.to_bytes().decode().splitlines()[1:]
    texts["with a leaf of another record"] = sorted({*lines, *other.to_bytes().decode().splitlines()[1:]}, key=_name)
    for name, altered in texts.items():
        yield name, "\n".join([head, *altered]) + "\n"


def _name(line: str) -> str:
    return line.rsplit(" ", 1)[1]


def _with_text(file: RenewalFile, tree: str) -> bytes:
    return rfc8785.dumps({**file.as_json(), "tree": tree})


def _forged(file: RenewalFile, text: str) -> bytes | None:
    """Make manifest and key anew for another tree; None if the text is no tree."""
    try:
        tree = HashTree.parse(text.encode())
    except Exception:
        return None
    data, roots = tree.to_bytes(), tree.roots
    predicate = file.manifest.predicate.model_copy(
        update={
            "roots": RenewalRoots(sha512=roots[0].hex(), sha3_256=roots[1].hex()),
            "count": len(tree.leaves),
            "missing": len(tree.missing),
            "tree": Artifact.of("tree.txt", digest_bytes(data)),
        }
    )
    manifest = Manifest.of(Kind.RENEWAL, predicate, roots[1].hex())
    key: RecordKey = replace(file.key, subject=roots[1].hex(), manifest=manifest.digest())
    return replace(file, key=key, manifest=manifest, tree=tree).to_bytes()
