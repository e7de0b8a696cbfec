"""Whether the blocks of a bundle stand, by what the verifier chose to trust, and what holds today.

Each thing that a bundle states, chain and registry included, is the word of a stranger until its blocks stand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from blockchaintracer.core.chain import Chain, KnownCode, Registry, factory_registry, known_code
from blockchaintracer.core.digest import Progress
from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.manifest import Manifest, parse_manifest
from blockchaintracer.core.networks import is_private, when
from blockchaintracer.core.plain_json import canonical, fields_json
from blockchaintracer.core.record import Status, counted, keccak, to_hex
from blockchaintracer.core.record_view import RecordStatus
from blockchaintracer.core.trust import Trust
from blockchaintracer.core.verify.bundle import BundleRefused, ProvenBundle, ProvenRecord
from blockchaintracer.core.verify.chain_shapes import Header
from blockchaintracer.core.verify.content_checks import Shown
from blockchaintracer.core.verify.copies import FolderCopies
from blockchaintracer.core.verify.outcomes import NEVER_PROVEN, Check, Conclusion, Outcome, wrong_group

Connect = Callable[[], Chain]
_FORGOTTEN = "forgotten"
_UNCHECKED = "not checked"
_SEPARATE = ("node", _FORGOTTEN, _UNCHECKED)
"""Checks that decide nothing by being unknown: what they leave open is unknown by a check of its own."""


@dataclass(frozen=True, kw_only=True)
class BundleReport:
    """What came of verifying a bundle.

    Args:
        checks: all of them; those of a record carry its id.
        code: the known code of the registry; None if it is not known, or its block does not stand.
        today: what the registry stores now, by record id; empty if no node was asked.
        forgotten: hashes of the blocks that the node has forgotten; what they tell is unknown.
        private: whether the chain is a private test chain, which proves nothing to others.
    """

    bundle: ProvenBundle
    conclusion: Conclusion
    checks: tuple[Check, ...]
    code: KnownCode | None
    today: dict[str, RecordStatus]
    forgotten: frozenset[str]
    private: bool
    does_not_prove: tuple[str, ...] = (f"It does not prove {NEVER_PROVEN}.",)

    @property
    def verified(self) -> bool | None:
        """Whether it is verified; None if it is not decided."""
        return self.conclusion.verified

    @property
    def as_of(self) -> Header | None:
        """The oldest block whose state was read; None if the node has forgotten one: then today's state was read."""
        blocks = [record.as_of for record in self.bundle.records]
        return None if self.forgotten & {block.hash for block in blocks} else min(blocks, key=lambda it: it.number)

    @property
    def since(self) -> dict[str, str]:
        """What became of a record since its block, by record id: retracted, cancelled or stored."""
        changes = {}
        for record in self.bundle.records:
            now = self.today.get(record.id)
            if now and now.status is not record.status and now.status is not Status.UNKNOWN:
                at = now.retracted_at or now.recorded_at
                word = {Status.RETRACTED: "retracted", Status.CANCELLED: "cancelled"}.get(now.status, "stored")
                changes[record.id] = word + (f" since, on {when(at)}" if word == "retracted" else " since")
        return changes

    def beside(self, checks: Sequence[Check], types: Collection[str]) -> BundleReport:
        """Return the report with checks of its other evidence: one that failed decides, none makes it verified.

        Args:
            types: of the evidence that was checked.
        """
        left = [it for it in self.checks if it.name != _UNCHECKED or it.values["type"] not in types]
        failed = any(check.verdict is Outcome.FAIL for check in checks)
        conclusion = Conclusion.NOT_VERIFIED if failed else self.conclusion
        return replace(self, checks=(*left, *checks), conclusion=conclusion)

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as JSON-ready values, without what the bundle holds."""
        start = {"outcome": self.conclusion.value, "verified": self.verified, "privateTestChain": self.private}
        shown = fields_json(self, "checks", "since", "today", forgotten=sorted(self.forgotten))
        return start | shown | {"doesNotProve": list(self.does_not_prove)}


def stand(
    bundle: ProvenBundle,
    trust: Trust | None = None,
    connect: Connect | None = None,
    files: Sequence[Path] = (),
    progress: Progress | None = None,
) -> BundleReport:
    """Check a bundle against what the verifier trusts, and files or folders against its records.

    Args:
        connect: connects to a node of the chain in `trust`; without it no node is asked.

    Raises:
        BundleRefused: if the bundle says of its registry what does not lead to its address.
        InputError: if the node is of another chain than `trust` says, or a file is missing.
    """
    judged = _Standing(bundle, trust, connect)
    checks = [*judged.checks()]
    for file in files:
        checks += hold_against(bundle, file, progress)
    return judged.report(checks)


def hold_against(bundle: ProvenBundle, path: Path, progress: Progress | None = None) -> list[Check]:
    """Compare a file or folder with what the records of a bundle commit to. Return the checks of the records that it is
    of, all of which pass, or if it is of none the checks of all records.
    """
    if not path.exists():
        raise InputError(f"expected an existing file or folder, got {str(path)!r}")
    same: list[Check] = []
    other: list[Check] = []
    shown = Shown(path, FolderCopies((), progress))
    for record in bundle.records:
        checks = shown.compare(record.key, manifest_in(record))
        held = all(check.verdict is Outcome.PASS for check in checks)
        (same if held else other).extend(replace(check, record=record.id) for check in checks)
    return same or other


def manifest_in(record: ProvenRecord) -> Manifest | None:
    """Return the manifest of a record in a bundle; None if the bundle does not hold it."""
    return None if record.manifest is None else parse_manifest(canonical(record.manifest))


def genuine_code(bundle: ProvenBundle) -> KnownCode | None:
    """Return the known code of a registry that the factory of this version made, None if the bundle does not show that.

    The address binds the code that made the registry (EIP-1014). The code at an address says less: whoever deployed it
    otherwise could write records into it before.
    """
    code = known_code(bundle.chain_id, bundle.registry, bundle.code_hash)
    if bundle.deployment is None:
        return None
    owner, is_open, salt = bundle.deployment
    if code is None or code.open_group_creation != is_open or factory_registry(owner, is_open, salt) != bundle.registry:
        raise BundleRefused("deployment", f"expected what this version's factory made {bundle.registry} of")
    return code


@dataclass
class _Standing:
    bundle: ProvenBundle
    trust: Trust | None
    connect: Connect | None
    forgotten: set[str] = field(default_factory=set)
    today: dict[str, RecordStatus] = field(default_factory=dict)
    unavailable: bool = False
    behind: str = ""

    def __post_init__(self) -> None:
        self.genuine = genuine_code(self.bundle)

    def checks(self) -> Iterator[Check]:
        count = f"{counted(len(self.bundle.records), 'record')} and {counted(len(self.bundle.blocks), 'block')}"
        yield Check("bundle", Outcome.PASS, f"{count}: everything fits together, by hashes that were computed here")
        for (what, kind), times in Counter(self.bundle.unchecked).items():
            detail = f"{times} of {what}, type {kind}: this version does not check it, and nothing rests on it"
            yield Check(_UNCHECKED, Outcome.UNKNOWN, detail, {"type": kind})
        chosen = [*self._chosen()]
        yield from chosen
        for record in self.bundle.records:
            if record.stored is None and record.batch and (why := record.batch.batch.disowns(record.status)):
                yield Check("record", Outcome.FAIL, why, record=record.id)
        if any(check.verdict is Outcome.FAIL for check in chosen):
            return
        chain, blocks = None, []
        if self.connect:
            try:
                chain = self.connect()
                self.behind = chain.behind()
                blocks = [*self._blocks(chain)]
            except ChainUnavailable as error:
                self._lose()
                chain = None
                yield Check("node", Outcome.UNKNOWN, error.message)
        blocks = blocks or [*self._blocks(None)]
        yield from blocks
        if chain and self.behind:
            yield Check("node", Outcome.UNKNOWN, self.behind)
        if any(check.verdict is not Outcome.PASS and check.name != _FORGOTTEN for check in blocks):
            yield Check("registry", Outcome.UNKNOWN, "what it is stands with its blocks, and these do not stand yet")
            return
        try:
            registry = self._registry(chain)
            yield registry
            if chain and registry.verdict is Outcome.PASS:
                yield from self._now(Registry(chain, self.bundle.registry))
        except ChainUnavailable as error:
            name = "today's state" if self.forgotten else "node"
            self._lose()
            yield Check(name, Outcome.UNKNOWN, error.message)

    def _lose(self) -> None:
        self.unavailable = True
        self.forgotten.clear()
        self.today.clear()

    def report(self, checks: Sequence[Check]) -> BundleReport:
        failed = any(check.verdict is Outcome.FAIL for check in checks)
        open_ = any(check.verdict is Outcome.UNKNOWN and check.name not in _SEPARATE for check in checks)
        conclusion = Conclusion.UNAVAILABLE if self.unavailable else Conclusion.CONSISTENT
        if failed:
            conclusion = Conclusion.NOT_VERIFIED
        elif not open_:
            conclusion = Conclusion.VERIFIED
        return BundleReport(
            bundle=self.bundle,
            conclusion=conclusion,
            checks=tuple(checks),
            code=self.genuine if conclusion is Conclusion.VERIFIED else None,
            today=self.today,
            forgotten=frozenset(self.forgotten),
            private=is_private(self.bundle.chain_id),
        )

    def _chosen(self) -> Iterator[Check]:
        """Compare what the bundle says of itself with what was chosen."""
        trust, bundle = self.trust, self.bundle
        if trust is None:
            return
        if trust.chain_id not in (0, bundle.chain_id):
            yield Check("chain", Outcome.FAIL, f"the bundle is of chain {bundle.chain_id}, not of {trust.chain_id}")
        if trust.registry and trust.registry.lower() != bundle.registry:
            yield Check("registry", Outcome.FAIL, f"the bundle is of {bundle.registry}, not of {trust.registry}")
        for record in bundle.records:
            yield from wrong_group(record.key.group, trust.groups, record.id)

    def _blocks(self, chain: Chain | None) -> Iterator[Check]:
        """Check each block: by what is trusted, else by the node: canonical and final."""
        head = final = None
        for block in self.bundle.blocks:
            name, hint = f"block {block.number}", f"with hash {block.hash}"
            later = f"; its header has {counted(block.unknown_fields, 'field')} of a later fork"
            later = later if block.unknown_fields else ""
            if (trusted := self._by_trust(name, block)) is not None:
                yield replace(trusted, detail=trusted.detail + later)
                continue
            if chain is None:
                yield Check(name, Outcome.UNKNOWN, f"{hint}: nothing that you chose says that a chain has it")
                continue
            if head is None:
                head, final = chain.head(), chain.finalized()
            verdict, detail = self._by_node(chain, block, head.number, final.number if final else None)
            yield Check(_FORGOTTEN if verdict is None else name, verdict or Outcome.UNKNOWN, detail + later)

    def _by_trust(self, name: str, block: Header) -> Check | None:
        if self.trust is None:
            return None
        if block.hash in self.trust.blocks:
            return Check(name, Outcome.PASS, f"you trust the block with hash {block.hash}")
        for point in self.trust.checkpoints:
            if (point.chain_id, point.number) == (self.bundle.chain_id, block.number):
                if point.hash == block.hash:
                    return Check(name, Outcome.PASS, f"your checkpoints have {block.hash}")
                return Check(name, Outcome.FAIL, f"your checkpoints have {point.hash}, the bundle {block.hash}")
        return None

    def _by_node(self, chain: Chain, block: Header, head: int, final: int | None) -> tuple[Outcome | None, str]:
        """Return what a node says of a block. The verdict is None if it has forgotten the block."""
        if block.number > head:
            self.unavailable |= bool(self.behind)
            lacks = Outcome.UNKNOWN if self.behind else Outcome.FAIL
            return lacks, f"{chain.address} has no such block: its newest is {head}"
        try:
            found = chain.block(block.number)
        except ChainUnavailable:
            # a node that still tells its newest block refuses this one because it has forgotten it
            chain.head()
            found = None
        if found is None:
            self.forgotten.add(block.hash)
            return None, f"{chain.address} has forgotten block {block.number}: today's state is asked instead"
        if found.hash != block.hash:
            return Outcome.FAIL, f"{chain.address} has {found.hash} at this height, the bundle {block.hash}"
        if final is None:
            return Outcome.UNKNOWN, f"on {chain.name}, which does not say which blocks are final"
        if block.number > final:
            return Outcome.UNKNOWN, f"on {chain.name} and not final yet: final is up to block {final}"
        return Outcome.PASS, f"on {chain.name} and final, by {chain.address}"

    def _registry(self, chain: Chain | None) -> Check:
        """Check that the registry is one that the verifier chose, or that the factory made. Its blocks stand."""
        name, trust, bundle = "registry", self.trust, self.bundle
        if self.forgotten and chain and to_hex(keccak(chain.code(bundle.registry))) != bundle.code_hash:
            return Check(name, Outcome.FAIL, f"{bundle.registry} has other code today than in the bundle")
        code = known_code(bundle.chain_id, bundle.registry, bundle.code_hash)
        if self.genuine:
            creators = "anyone" if self.genuine.open_group_creation else "its owner alone"
            detail = f"made by the factory, LabRegistry version {self.genuine.version}: {creators} creates groups"
            return Check(name, Outcome.PASS, f"{bundle.registry}, {detail}")
        knows = "code of a LabRegistry" if code else f"code that is not known here (Keccak-256 {bundle.code_hash})"
        points = {(bundle.chain_id, block.number, block.hash) for block in bundle.blocks}
        is_chain_chosen = bool(trust and (trust.chain_id or points <= {*trust.checkpoints}))
        if trust and trust.registry and (is_chain_chosen or code):
            return Check(name, Outcome.PASS, f"{bundle.registry}, which you chose, with {knows}")
        need = "its registry and its chain" if trust and trust.registry else "its registry"
        detail = f"{bundle.registry} has {knows}, and its maker could write anything into it: choose {need}"
        return Check(name, Outcome.UNKNOWN, detail)

    def _now(self, registry: Registry) -> Iterator[Check]:
        """Ask for today's state, which must go on from the bundle's."""
        try:
            statuses = registry.statuses([record.id for record in self.bundle.records])
        except InputError as error:
            if not self.behind:
                yield Check("registry", Outcome.FAIL, error.message)
                return
            statuses = []
        for record, now in zip(self.bundle.records, statuses, strict=bool(statuses)):
            problem = self._contradiction(registry, record, now)
            if self.behind and not (problem or now.retracted_at or now.status is Status.CANCELLED):
                continue  # what became of it since, this node does not know
            self.today[record.id] = now
            detail = problem or f"today's state goes on from the bundle's: it is {_standing(now)}"
            yield Check("today", Outcome.FAIL if problem else Outcome.PASS, detail, record=record.id)
        if self.behind and self.forgotten and len(self.today) < len(self.bundle.records):
            self.unavailable = True
            yield Check("today's state", Outcome.UNKNOWN, self.behind)

    def _contradiction(self, registry: Registry, record: ProvenRecord, now: RecordStatus) -> str | None:
        then, key = record.stored, record.key
        if then is not None:
            if self.behind and not now.exists:
                return None
            kept = (now.group, now.kind, now.recorded_at, now.sealed_at)
            if kept != (key.group, key.kind, then.recorded_at, then.sealed_at):
                return "today's state has no such record of this time"
            if then.retracted_at not in (0, now.retracted_at) and (now.retracted_at or not self.behind):
                return "it is retracted in the bundle and not in today's state"
        elif record.batch is not None:
            batch = registry.batch(key.group, key.author, record.batch.root)
            if self.behind and not batch.exists:
                return None
            if batch.anchored_at != record.batch.batch.anchored_at:
                return f"today's state has no batch {record.batch.root} of this time"
            return None if now.exists else batch.disowns(now.status)
        return None


def _standing(now: RecordStatus) -> str:
    if now.status is Status.UNKNOWN:
        return "only in its batch"
    if now.retracted_at:
        return f"retracted, on {when(now.retracted_at)}"
    return f"recorded, and {counted(now.reproduced, 'group')} reproduced it, {now.not_reproduced} did not"
