"""What of a lab lacks which witness, and receipts as records and as plain files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from blockchaintracer.core.digest import digest_bytes
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import Artifact, Manifest, WitnessPredicate
from blockchaintracer.core.plain_json import canonical
from blockchaintracer.core.record import GLOBAL_PREFIX, Kind, Link, Relation, normal_id
from blockchaintracer.extras.witness.calendar_proof import whole_proof
from blockchaintracer.extras.witness.kept_receipts import kept_receipts
from blockchaintracer.extras.witness.witness_receipt import StampedSubject, WitnessKind, WitnessReceipt
from blockchaintracer.extras.witness.witness_settings import ChainSetting, WitnessSettings
from blockchaintracer.lab.drafts import Recorded
from blockchaintracer.lab.files import write_output
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.lookup import stored_or_batched
from blockchaintracer.lab.outbox import ANCHORS
from blockchaintracer.lab.outbox.transactions import RECORDS
from blockchaintracer.lab.recording.commit import commit
from blockchaintracer.lab.recording.content import named_parents, not_before


def require_there(lab: Lab, record_ids: Iterable[str], roots: Iterable[str]) -> None:
    """Refuse ids that the registry does not have and no batch of this lab holds, and roots of no batch of this lab: a
    mistyped one would be stamped as well.

    Raises:
        InputError: naming the first.
    """
    for record_id in record_ids:
        stored_or_batched(lab, record_id)
    known = {it.write["root"] for it in lab.outbox.entries_in(lab.domain, *ANCHORS)}
    if wrong := next((it for it in roots if normal_id(it, "root") not in known), None):
        raise InputError(f"expected the root of a batch of this lab, got {wrong}", hint="`batch list` shows them.")


def own_subjects(lab: Lab) -> list[StampedSubject]:
    """List what this lab has on the chain in the registry: its records, but for witnesses, and the roots of its
    batches, under which all records of a batch are."""
    entries = [it for it in lab.outbox.entries_in(lab.domain, *RECORDS) if it.is_on_chain and it.write.record_id]
    ids = [it.write["record_id"] for it in entries if it.write.key.kind != Kind.WITNESS]
    roots = [it.write["root"] for it in lab.outbox.entries_in(lab.domain, *ANCHORS) if it.is_on_chain]
    subjects = [StampedSubject.of_record(lab.domain, it) for it in ids]
    return [*dict.fromkeys([*subjects, *(StampedSubject.of_root(lab.domain, it) for it in roots)])]


def lacking(
    home: Home, subjects: Iterable[StampedSubject], settings: WitnessSettings
) -> list[tuple[WitnessSettings, list[StampedSubject]]]:
    """Group things by the witnesses that they lack: the settings with those alone, and the things."""
    groups: dict[WitnessSettings, list[StampedSubject]] = {}
    for subject in subjects:
        kept = kept_receipts(home, subject)
        has_calendar = any(it.kind is WitnessKind.OPENTIMESTAMPS for it in kept)
        asked = {it.source for it in kept if it.kind is WitnessKind.RFC3161}
        registries = {it.registry_of_record for it in kept if it.kind is WitnessKind.REGISTRY}
        lacks = replace(
            settings,
            calendars=() if has_calendar else settings.calendars,
            authorities=tuple(it for it in settings.authorities if it.url and it.source not in asked),
            chains=tuple(it for it in settings.chains if it.place not in registries) if subject.text else (),
        )
        if lacks.calendars or lacks.authorities or lacks.chains:
            groups.setdefault(lacks, []).append(subject)
    return [*groups.items()]


def lab_of_chain(lab: Lab, chain: ChainSetting) -> Lab:
    """Return the lab of a second chain, in the same folder."""
    chain_id, registry = chain.place
    return Lab(
        home=lab.home,
        rpc=chain.rpc,
        named_chain=chain_id,
        registry_address=registry,
        key_name=chain.key or None,
        group_number=chain.group or None,
        ask=lab.ask,
        say=lab.say,
    )


def record_receipts(lab: Lab, receipts: Sequence[WitnessReceipt]) -> list[Recorded]:
    """Record receipts of records as Witnesses of these; what else was stamped is passed over."""
    recorded = []
    for receipt in receipts:
        try:
            record_id = lab.parse_id(str(receipt.subject)) if str(receipt.subject).startswith(GLOBAL_PREFIX) else None
        except InputError:
            continue
        if record_id:
            recorded.append(_record(lab, receipt, record_id))
    return recorded


def _record(lab: Lab, receipt: WitnessReceipt, record_id: str) -> Recorded:
    data = canonical(receipt.as_json())
    lab.store.put_bytes(data)
    links = [Link(record_id, Relation.WITNESSES)]
    artifact = Artifact.of("receipt.json", digest_bytes(data))
    predicate = WitnessPredicate(
        name=f"receipt of {receipt.kind}",
        witness=receipt.kind.value,
        stamped=str(receipt.subject),
        receipt=artifact,
        parents=named_parents(links),
        not_before=not_before(lab),
    )
    return commit(lab, Manifest.of(Kind.WITNESS, predicate, artifact.sha256), links)


def plain_files(receipts: Sequence[WitnessReceipt], folder: Path) -> list[str]:
    """Write what was stamped and the proofs as the tools of others take them: ``NAME.txt`` with ``NAME.txt.ots`` and
    ``NAME.tsr``, where NAME is the SHA-256 of what was stamped. Returns the names."""
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, bytes] = {}
    for receipt in receipts:
        name = receipt.subject.sha256
        if receipt.subject.text is not None:
            files[f"{name}.txt"] = receipt.subject.text.encode()
        if receipt.kind is WitnessKind.OPENTIMESTAMPS:
            files[f"{name}.txt.ots"] = whole_proof(receipt.proof, receipt.subject.sha256, receipt.branch)
        elif receipt.kind is WitnessKind.RFC3161:
            number = sum(it.startswith(f"{name}-") for it in files)
            files[f"{name}-{number}.tsr"] = receipt.proof
        else:
            files[f"{name}.record.json"] = receipt.proof
    for name, data in files.items():
        write_output(folder / name, data)
    return sorted(files)
