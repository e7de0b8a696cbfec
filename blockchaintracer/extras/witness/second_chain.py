"""A registry on a second chain as a witness: what was stamped is recorded or anchored there by a key of the lab.

Two chains are seldom wrong, halted or rewritten together. The time is that of the second chain's block, read from the
registry's state by a node that the verifier chose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from blockchaintracer.core.chain import Chain, Registry
from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable, InputError, NotVerified
from blockchaintracer.core.manifest import Manifest, RecordPredicate
from blockchaintracer.core.manifest.predicates import ReferencePredicate
from blockchaintracer.core.networks import is_private, when
from blockchaintracer.core.plain_json import canonical
from blockchaintracer.core.record import GlobalId, Kind, Status, label
from blockchaintracer.core.record_key_file import KeyFile, Proof
from blockchaintracer.core.verify.published_proofs import parse_key_file
from blockchaintracer.extras.witness.witness_receipt import StampedSubject, WitnessKind, WitnessReceipt
from blockchaintracer.extras.witness.witness_time import TimeStanding, WitnessTime
from blockchaintracer.lab.batches import anchor, batching
from blockchaintracer.lab.chain.factory import Factory
from blockchaintracer.lab.chain.receipts import inclusion_of
from blockchaintracer.lab.kept_proofs import find_proof, is_open
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.commit import commit


@dataclass(frozen=True, kw_only=True)
class TrustedChains:
    """What a verifier trusts of other chains.

    Args:
        connect: gives a chain by its id, at a node that the verifier chose, or None.
        registries: addresses (``eip155:CHAIN:REGISTRY``, lower case) that the verifier chose. Others count only if the
            factory made them, as the chain's own factory says.
    """

    connect: Callable[[int], Chain | None] = field(default=lambda chain_id: None, repr=False)
    registries: frozenset[str] = frozenset()


def record_elsewhere(lab: Lab, subjects: Sequence[StampedSubject]) -> list[WitnessReceipt]:
    """Record what is stamped in the registry of a lab, which is on another chain: several as one batch. What is there
    already costs nothing.

    Args:
        lab: of the second chain: its key, group and registry. What the home's later commands choose stays as it is.

    Raises:
        InputError: if it is the chain of one of them, or a file is among them.
        ChainUnavailable: what was written waits in the outbox, and there is no receipt yet.
    """
    for subject in subjects:
        require_other_chain(lab.chain_id, subject)
        if subject.text is None:
            hint = "Record the file there itself: `blockchaintracer record --artifact FILE --kind document`."
            raise InputError("expected a record or a batch for a second chain, got a file", hint=hint)
    before = lab.settings().get("last")
    try:
        if len(subjects) == 1:
            ids = [commit(lab, _manifest(str(subjects[0])), ()).id]
        else:
            with batching(lab):
                ids = [commit(lab, _manifest(str(subject)), ()).id for subject in subjects]
            if any(is_open(lab, it) for it in ids):
                anchor(lab)
    finally:
        with lab.changed_settings() as settings:
            settings["last"] = before
    return [_receipt_of(lab, it, subject) for it, subject in zip(ids, subjects, strict=True)]


def _manifest(text: str) -> Manifest:
    try:
        foreign = GlobalId.parse(text)
    except InputError:
        named = RecordPredicate(name="stamped", subject_type="identifier", identifier=text)
        return Manifest.of(Kind.DOCUMENT, named)
    reference = ReferencePredicate(
        name=text, chain_id=str(foreign.chain_id), registry=foreign.registry.lower(), record_id=foreign.record_id
    )
    return Manifest.of(Kind.REFERENCE, reference)


def _receipt_of(lab: Lab, record_id: str, subject: StampedSubject) -> WitnessReceipt:
    """Return the receipt of a record of the second chain, with the proof that a block holds it, if a node gives it."""
    file: KeyFile | None = find_proof(lab, record_id)
    view, transaction = lab.registry.find_record(record_id), None
    if view is not None:
        file, transaction = KeyFile(lab.chain_id, lab.domain.registry, view.key), view.transaction
    elif isinstance(file, Proof):
        event = lab.registry.anchored(file.key.group, file.key.author, file.root)
        transaction = event.transaction if event else None
    if file is None or not transaction:
        hint = "`blockchaintracer outbox flush` sends it; then add the witness again."
        raise ChainUnavailable(f"record {record_id} waits for chain {lab.chain_id}", hint=hint)
    # the state proves it without
    with suppress(ChainUnavailable, InputError):
        file = replace(file, receipts=(inclusion_of(lab.registry, transaction),))
    return WitnessReceipt(WitnessKind.REGISTRY, subject, canonical(file.as_json()))


def require_other_chain(chain_id: int, subject: StampedSubject) -> None:
    """Refuse the chain of the record itself as its second witness."""
    if subject.name.startswith(f"eip155:{chain_id}:"):
        raise InputError(f"expected a witness on another chain than {chain_id}, which holds {subject} itself")


def read_record_elsewhere(proof: bytes, stamped: str, subject: StampedSubject) -> KeyFile:
    """Read the record of a second chain from a receipt, of any origin.

    Raises:
        InputError: if it is none, or of something else than what was stamped.
    """
    file = parse_key_file(proof, "a record of a second chain")
    if file.key.subject != stamped:
        raise InputError(f"expected a record of {stamped}, got one of {file.key.subject}")
    require_other_chain(file.chain_id, subject)
    return file


def time_elsewhere(file: KeyFile, trust: TrustedChains) -> WitnessTime:
    """Judge the record of a second chain by a node of that chain."""
    who = f"record {file.id} in registry {file.registry} on chain {file.chain_id}"
    private = is_private(file.chain_id)
    try:
        chain = trust.connect(file.chain_id)
        if chain is None:
            detail = f"you named no node of chain {file.chain_id} to ask"
            return WitnessTime(who, TimeStanding.CONSISTENT, detail, is_private=private)
        if chain.chain_id != file.chain_id:
            raise InputError(f"expected a node of chain {file.chain_id}, got one of chain {chain.chain_id}")
        if f"eip155:{file.chain_id}:{file.registry.lower()}" not in trust.registries and not _is_genuine(chain, file):
            detail = "the factory did not make this registry, and you did not choose it: it can say any time"
            return WitnessTime(who, TimeStanding.CONSISTENT, detail, is_private=private)
        return _stored(Registry(chain, file.registry), file, who, private)
    except ChainUnavailable as error:
        return WitnessTime(who, TimeStanding.CONSISTENT, error.message, is_private=private, unavailable=True)


def _is_genuine(chain: Chain, file: KeyFile) -> bool:
    try:
        return Factory(chain).require().is_genuine(file.registry)
    except ChainUnavailable:
        raise
    except (BlockchainTracerError, NotVerified):
        return False


def _stored(registry: Registry, file: KeyFile, who: str, private: bool) -> WitnessTime:
    status, at = registry.status(file.id), 0
    if status.exists:
        at = status.recorded_at
    elif isinstance(file, Proof):
        batch = registry.batch(file.key.group, file.key.author, file.root)
        at = 0 if batch.disowns(status.status) else batch.anchored_at
    if not at:
        return WitnessTime(who, TimeStanding.REFUSED, "the registry has no such record", is_private=private)
    final = registry.chain.finalized()
    if final is None or at > final.timestamp:
        detail = f"recorded {when(at)}, and not final yet"
        return WitnessTime(who, TimeStanding.CONSISTENT, detail, at, is_private=private)
    since = f", and {label(status.status)} since" if status.status is Status.RETRACTED else ""
    detail = f"recorded {when(at)}{since}, by {registry.chain.address}"
    hashes = frozenset({"keccak256", "sha256"})
    return WitnessTime(who, TimeStanding.VERIFIED, detail, at, at, hashes, is_private=private)
