"""Verifying records by an archive or a published folder alone: trust is the hash of a block that the verifier names.

No node is asked. Keys, receipts and files come from the folder, and all of them are the word of a stranger until the
block that holds the receipt is one that the verifier trusts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from typing_extensions import override

from blockchaintracer.core.chain import factory_registry
from blockchaintracer.core.chain.abi import DecodedEvent, interface
from blockchaintracer.core.chain.registry import key_of_abi
from blockchaintracer.core.digest import Progress
from blockchaintracer.core.errors import BlockchainTracerError, InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.core.networks import is_private, time_source, when
from blockchaintracer.core.record import GLOBAL_PREFIX, Domain, GlobalId, checksummed, from_hex, is_hash, to_hex
from blockchaintracer.core.record_key_file import KeyFile, Proof
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.core.trust import Trust
from blockchaintracer.core.verify.chain_shapes import Header, read_header
from blockchaintracer.core.verify.content_checks import (
    Shown,
    check_artifacts,
    check_private,
    check_subject,
    checked_manifest,
)
from blockchaintracer.core.verify.copies import Copies, FolderCopies
from blockchaintracer.core.verify.inclusion import Inclusion
from blockchaintracer.core.verify.outcomes import NEVER_PROVEN, Check, Conclusion, Outcome, Report, wrong_group
from blockchaintracer.core.verify.published_proofs import published_proofs, view_of
from blockchaintracer.core.verify.record_checks import name_of
from blockchaintracer.extras.archive.contents import Head, parse_head
from blockchaintracer.extras.archive.form import EVENTS, HEAD
from blockchaintracer.lab.known_keys import in_source

_ANCHORED = ("Anchored", "LeavesAnchored")
_NEEDED = ("block", "registry", "recorded")
"""Checks without which everything only fits together."""
_LINE = 1 << 20


@dataclass(frozen=True)
class OfflineReport(Report):
    """A report without a chain: consistent if nothing ties it to a block and a registry that the verifier chose."""

    @property
    @override
    def conclusion(self) -> Conclusion:
        if self.failed:
            return Conclusion.NOT_VERIFIED
        if not self.records:
            return Conclusion.UNAVAILABLE
        is_open = any(check.name in _NEEDED or check.values.get("told") for check in self.unknown)
        return Conclusion.CONSISTENT if is_open else Conclusion.VERIFIED


@dataclass(frozen=True)
class EventPlace:
    """A block that holds an event, by a receipt under its header."""

    header: Header
    event: DecodedEvent
    inclusion: Inclusion


def domain_of(target: str, sources: Sequence[str], trust: Trust) -> Domain:
    """Return chain and registry to look in: those that were chosen, or else those that the id or the folder names,
    which makes them no more trusted.

    Raises:
        InputError: if nothing names them.
    """
    chain_id, registry = trust.chain_id, trust.registry
    if target.startswith(GLOBAL_PREFIX):
        named = GlobalId.parse(target)
        chain_id, registry = chain_id or named.chain_id, registry or named.registry
    head = _head(sources)
    if head and not (chain_id and registry):
        chain_id, registry = chain_id or int(head.chain_id), registry or checksummed(head.registry)
    if not (chain_id and registry):
        raise InputError(
            "expected the chain and the registry of the record, got none",
            hint="Name them: --chain-id N and --registry ADDRESS; or a folder that `export` wrote: --from FOLDER.",
        )
    return Domain(chain_id, checksummed(registry))


def verify_offline(
    domain: Domain,
    target: str,
    sources: Sequence[str],
    trust: Trust,
    *,
    path: Path | None = None,
    progress: Progress | None = None,
) -> tuple[OfflineReport, list[KeyFile]]:
    """Verify a record, or the records of a file or folder, without a node. Returns the files of their keys, too.

    Args:
        domain: of the records.
        target: an id, or a path.
        sources: archives or published stores.
        trust: blocks that stand, and the registry and groups that count.
        path: a file or folder that must be what the record is of.
    """
    copies = copies_of(sources, progress)
    shown = Shown(path, copies) if path else None
    if not is_hash(target):
        if not Path(target).exists():
            raise InputError(f"expected a record's id or an existing file or folder, got {target!r}")
        shown = Shown(Path(target), copies)
    digest = domain.parse_id(target) if is_hash(target) else shown.sha256 if shown else ""
    files, problems, unavailable = published_proofs(domain, sources, digest, in_source)
    checks = [Check("proof", Outcome.UNKNOWN, problem) for problem in (*problems, *unavailable)]
    records: list[RecordView] = []
    proves: list[str] = []
    for file in files:
        record, found = _Offline(domain, file, trust, copies, sources).checked(shown)
        records.append(record)
        checks += found
        is_shown = all(it.verdict is Outcome.PASS for it in found if it.name in (*_NEEDED, "time"))
        if is_shown and record.time:
            proves.append(
                f"{record.author}, for group {record.group}, committed to {record.kind}, {record.subject_type}"
                f" {record.subject}, at {when(record.time)}, in block {record.block} of chain {domain.chain_id}."
            )
    if not files:
        where = ", ".join(sources)
        checks.append(Check("recorded", Outcome.UNKNOWN, f"no key of {target} in {where}: nothing is known of it"))
        checks = [replace(check, values={"unavailable": [check.detail]}) for check in checks]
    limits = (
        f"It does not prove {NEVER_PROVEN}.",
        "Whether a record, or one that it rests on, was retracted later: no node was asked.",
        f"A time is as good as its source: {time_source(domain.chain_id)}.",
    )
    looked = "record" if is_hash(target) else "path"
    report = OfflineReport(target, looked, tuple(checks), tuple(records), tuple(proves), limits)
    return replace(report, private=is_private(domain.chain_id)), files


def copies_of(sources: Sequence[str], progress: Progress | None = None) -> Copies:
    """Return the copies in folders: nothing is fetched from an address."""
    return FolderCopies([source for source in sources if "://" not in source], progress)


def standing_of(
    domain: Domain, sources: Sequence[str], trust: Trust
) -> Callable[[str], tuple[int, str, KeyFile] | None]:
    """Return what tells when a record was stored, by which block and by which file; None if no block that is trusted
    holds its receipt."""
    blocks = TrustedBlocks(domain.chain_id, trust)

    def standing(record_id: str) -> tuple[int, str, KeyFile] | None:
        files, _, _ = published_proofs(domain, sources, record_id, in_source)
        for file in (it for it in files if it.id == record_id):
            for place in places_of(file):
                if blocks.check(place).verdict is Outcome.PASS:
                    return place.header.timestamp, f"block {place.header.number}, which you trust", file
        return None

    return standing


def places_of(file: KeyFile, names: Sequence[str] = ("Recorded", *_ANCHORED)) -> Iterator[EventPlace]:
    """Yield where the receipts of a key file say that its record was stored, or that its batch was anchored; or where
    they have other events about it."""
    for inclusion in file.receipts:
        for log in inclusion.receipt().logs:
            if log.address != file.registry:
                continue
            with suppress(ValueError, BlockchainTracerError):
                event = interface().event(log)
                if event is not None and event.name in names and _is_about(event, file):
                    yield EventPlace(read_header(from_hex(inclusion.header)), event, inclusion)


def _is_about(event: DecodedEvent, file: KeyFile) -> bool:
    if event.name == "Retracted":
        return to_hex(event.args["id"]) == file.id
    if event.name == "Recorded":
        return to_hex(event.args["id"]) == file.id and key_of_abi(event.args) == file.key
    if event.name in _ANCHORED and isinstance(file, Proof):
        batch = (event.args["group"], event.args["author"].lower(), to_hex(event.args["root"]))
        return batch == (file.key.group, file.key.author, file.root)
    return False


class TrustedBlocks:
    """Which blocks stand, by what the verifier chose."""

    def __init__(self, chain_id: int, trust: Trust) -> None:
        self._chain_id, self._is_chosen, self._hashes = chain_id, bool(trust.chain_id), {*trust.blocks}
        points = [point for point in trust.checkpoints if point.chain_id == chain_id]
        self._points = {point.number: point.hash for point in points}

    def check(self, place: EventPlace) -> Check:
        """Check that a block is one that the verifier trusts, of a chain that the verifier or the event names."""
        header = place.header
        name, shown = "block", f"block {header.number} with hash {header.hash}"
        is_point = self._points.get(header.number) == header.hash
        if header.hash in self._hashes and not (is_point or self._is_chosen) and place.event.name in _ANCHORED:
            # ids of any chain can be under a root; that of a stored record was computed by its own
            detail = f"you trust {shown}; that it is of chain {self._chain_id} the folder says: --chain-id chooses it"
            return Check(name, Outcome.UNKNOWN, detail, {"hash": header.hash})
        if header.hash in self._hashes or is_point:
            return Check(name, Outcome.PASS, f"you trust {shown}", {"block": header.number, "hash": header.hash})
        if header.number in self._points:
            return Check(name, Outcome.FAIL, f"your checkpoints have {self._points[header.number]}, this is {shown}")
        return Check(name, Outcome.UNKNOWN, f"it says {shown}: you did not name it", {"hash": header.hash})


class _Offline:
    def __init__(self, domain: Domain, file: KeyFile, trust: Trust, copies: Copies, sources: Sequence[str]) -> None:
        self._domain, self._file, self._trust = domain, file, trust
        self._copies, self._sources = copies, sources

    def checked(self, shown: Shown | None) -> tuple[RecordView, list[Check]]:
        file, key = self._file, self._file.key
        blocks = TrustedBlocks(self._domain.chain_id, self._trust)
        # stored comes before batched, and a trusted block before one that is not
        places = sorted(places_of(file), key=lambda it: (blocks.check(it).verdict is not Outcome.PASS, it.event.name))
        record = view_of(file)
        checks = [
            Check("id", Outcome.PASS, f"computed from the key (EIP-712): {file.id}"),
            *wrong_group(key.group, self._trust.groups),
            self._registry(),
        ]
        if places:
            place = places[0]
            record = replace(record, time=place.header.timestamp, position=place.event.position)
            record = replace(record, transaction=place.inclusion.transaction, block_hash=place.header.hash)
            how = "stored it" if place.event.name == "Recorded" else f"anchored its batch {getattr(file, 'root', '')}"
            detail = f"its block {place.header.number} holds the event by which the registry {how}"
            checks += [Check("recorded", Outcome.PASS, detail), blocks.check(place), *self._author(place)]
            checks.append(Check("time", Outcome.PASS, when(place.header.timestamp), {"time": place.header.timestamp}))
        else:
            detail = "the folder has no receipt that shows when the registry stored it"
            checks.append(Check("recorded", Outcome.UNKNOWN, detail))
        manifest, found = checked_manifest(self._copies, key)
        checks += found
        if shown is None:
            checks += check_subject(self._copies, key, manifest)
        else:
            checks += [*shown.compare(key, manifest), *shown.check_executable(manifest)]
        if manifest is not None:
            checks += [*check_artifacts(self._copies, manifest), *check_private(manifest)]
            record = replace(record, name=name_of(manifest))
        checks.append(self._retraction(blocks))
        return record, [replace(check, record=file.id) for check in checks]

    def _registry(self) -> Check:
        address = self._domain.registry
        if self._trust.registry:
            return Check("registry", Outcome.PASS, f"{address}, which you chose")
        head = _head(self._sources)
        made = head.deployment if head and head.registry == address.lower() else None
        if made and factory_registry(made.owner, made.open_group_creation, made.salt) == address.lower():
            creators = "anyone" if made.open_group_creation else "its owner alone"
            detail = f"{address} is the address of what this version's factory makes: {creators} creates groups"
            return Check("registry", Outcome.PASS, detail)
        detail = f"the maker of {address} could have written anything into it: choose it by --registry"
        return Check("registry", Outcome.UNKNOWN, detail)

    def _author(self, place: EventPlace) -> Iterator[Check]:
        author = checksummed(self._file.key.author)
        if not place.inclusion.raw:
            return
        sent = place.inclusion.sent()
        # a receipt does not name its transaction: the author's own signature over this record, or its batch, counts
        asked = self._file.key.manifest if place.event.name == "Recorded" else getattr(self._file, "root", "0x")[2:]
        is_asked = sent.to == self._domain.registry and bytes.fromhex(asked) in sent.data
        is_own = sent.sender == author and is_asked
        how = "sent it, recovered from its signature" if is_own else "is named; who sent it is unknown"
        yield Check("author", Outcome.PASS if is_own else Outcome.UNKNOWN, f"{author} {how}")

    def _retraction(self, blocks: TrustedBlocks) -> Check:
        """Say what is known of a retraction: a receipt in a block that stands shows it, and anybody can write an event
        into an archive."""
        for place in places_of(self._file, ["Retracted"]):
            if blocks.check(place).verdict is Outcome.PASS:
                detail = f"block {place.header.number} has the event that retracted it"
                return Check("retraction", Outcome.FAIL, detail)
        topic = interface().filter("Retracted", {"id": from_hex(self._file.id)})
        words = [word.encode() for word in topic if isinstance(word, str)]
        for source in self._sources:
            events = Path(source, EVENTS)
            if events.is_file() and not events.is_symlink():
                with events.open("rb") as file:
                    # the line of a retraction is short, and one of a stranger may be as long as the disk
                    lines = iter(lambda file=file: file.readline(_LINE), b"")  # type: ignore[misc]
                    if any(all(word in line for word in words) for line in lines):
                        detail = f"the archive {source} says that it was retracted, and no receipt shows it: ask a node"
                        return Check("retraction", Outcome.UNKNOWN, detail, {"told": source})
        detail = "no event here tells of one; whether it was retracted later no node was asked"
        return Check("retraction", Outcome.UNKNOWN, detail)


def _head(sources: Sequence[str]) -> Head | None:
    """Return what the first archive among the sources says of itself."""
    for source in sources:
        if (file := Path(source, HEAD)).is_file():
            with suppress(BlockchainTracerError, ValueError):
                return parse_head(read_limited(file, 1 << 20, "the head of an archive"))
    return None


def as_of(report: OfflineReport, time: int) -> OfflineReport:
    """Return a report with a failed check for each record that was not there yet at a time, Unix seconds."""
    late: list[Any] = [it for it in report.records if it.time and it.time > time]
    checks = [
        Check("as-of", Outcome.FAIL, f"it was recorded {when(it.time)}, after {when(time)}", record=it.id)
        for it in late
    ]
    return replace(report, checks=(*report.checks, *checks))
