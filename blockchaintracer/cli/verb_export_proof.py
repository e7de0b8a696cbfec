"""`blockchaintracer export-proof`: a file that proves records to somebody who has nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.options import NEW_FILE, lab_verb
from blockchaintracer.cli.record_names import RECORD
from blockchaintracer.cli.render import Answer, plain, progress_bar, when
from blockchaintracer.core.manifest import Manifest, RunPredicate
from blockchaintracer.core.networks import time_source
from blockchaintracer.core.plain_json import fields_json
from blockchaintracer.core.record import Kind, SubjectType, counted, label
from blockchaintracer.core.verify.bundle import ProvenBundle, ProvenRecord
from blockchaintracer.core.verify.standing import BundleReport, manifest_in
from blockchaintracer.lab.bundle.export_proof import export_proof
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.plain_text import named

_METRICS = 5
"""How many metrics of a run are shown; `--json` has all."""


@lab_verb()
@click.argument("record_ids", type=RECORD, metavar="ID...", nargs=-1, required=True)
@click.option("-o", "--output", type=NEW_FILE, required=True, help="The file to write.")
@click.option(
    "--block",
    type=click.IntRange(0),
    help="Prove the state of this block. [default: the newest final one; if it can't prove all records, the newest]",
)
def command(lab: Lab, record_ids: tuple[str, ...], output: Path, block: int | None) -> Answer:
    """Write a proof bundle: `verify --proof FILE` checks it anywhere, by a node or the hashes of blocks.

    It holds the records' keys and manifests, the events that stored them with the proofs of their receipts, their
    storage words with the proofs of the state, and the headers of the blocks. What is left to trust is that the chain
    has blocks with these hashes: it is printed.

    \b
    Examples:
      blockchaintracer export-proof ID -o result.proof
      blockchaintracer export-proof ID ID ID -o paper.proof --network base
    """
    with progress_bar("proving") as progress:
        result = export_proof(lab, record_ids, output, block=block, progress=lambda _: progress(1))
    missing = result.without_manifest
    return Answer(
        {"file": result.file, "size": result.size, "withoutManifest": missing, **bundle_json(result.proven)},
        f"Wrote {result.file}: {counted(len(result.proven.records), 'record')} in {result.size:,} bytes.",
        *(f"Without its manifest, which is not in this lab: {record}" for record in missing),
        *lines(result.proven),
        "",
        "What is left to trust: that the chain has these blocks (number: hash)",
        *(f"  {block.number}: {block.hash}" for block in result.proven.blocks),
    )


def bundle_json(proven: ProvenBundle) -> dict[str, Any]:
    """Return what a bundle says as JSON-ready values: the word of its maker, until its blocks stand."""
    return {
        **fields_json(proven, "chain_id", "registry", "code_hash"),
        "blocks": [fields_json(it, "number", "hash", "timestamp", "unknown_fields") for it in proven.blocks],
        "records": [_record(record) for record in proven.records],
        "timeSource": time_source(proven.chain_id),
    }


def lines(proven: ProvenBundle, report: BundleReport | None = None) -> Iterator[str]:
    """Describe what a bundle says, and what came of verifying it."""
    forgotten = report.forgotten if report else frozenset()
    for record in proven.records:
        yield ""
        yield f"Record {record.id}"
        manifest = manifest_in(record)
        name = getattr(manifest.predicate, "name", None) if manifest else None
        what = label(record.key.kind, Kind) + (f" {plain(name)!r}" if name else "")
        yield f"  {what} of group {record.key.group}, by {record.key.author}, {when(record.committed_at)}"
        about = label(record.key.subject_type, SubjectType).replace("identifier", "identifier with SHA-256")
        yield f"  {about} {record.key.subject}"
        yield from (f"  {line}" for line in _statements(proven, manifest))
        yield f"  {_place(record, forgotten)}"
        if record.as_of.hash not in forgotten:
            yield f"  {_standing(record)}"
        else:
            yield f"  what it was at block {record.as_of.number} is unknown: the node has forgotten it"
        if report and record.id in report.since:
            yield f"  {report.since[record.id]}"


def _place(record: ProvenRecord, forgotten: Collection[str]) -> str:
    block = record.recorded or (record.batch.anchored if record.batch else None)
    if block is None or block.hash in forgotten:
        return "the block and transaction that hold it are unknown"
    return f"in block {block.number} with hash {block.hash}, {when(block.timestamp)}"


def _statements(proven: ProvenBundle, manifest: Manifest | None) -> Iterator[str]:
    """Describe a record's values and its earliest time."""
    if manifest is None:
        yield "its manifest is not in the bundle: what it says, a name, metrics or an earliest time, is not known"
        return
    if isinstance(manifest.predicate, RunPredicate) and (metrics := manifest.predicate.metrics):
        shown = [f"{plain(name)} {metric.value:.6g}" for name, metric in metrics.items()]
        yield f"metrics: {named(shown, _METRICS)}"
    if not hasattr(manifest.predicate, "not_before"):
        return
    block = manifest.predicate.not_before
    if block is None:
        yield "names no block as not-before: only its latest time is known, not its earliest"
        return
    chain = "" if int(block.chain_id) == proven.chain_id else f" of chain {block.chain_id}"
    yield (
        f"names block {block.block_number}{chain} with hash {block.block_hash}, {when(int(block.timestamp))}, as its"
        " earliest time. That is its author's word: ask a node for this block, too"
    )


def _standing(record: ProvenRecord) -> str:
    as_of = f"as of block {record.as_of.number}, {when(record.as_of.timestamp)}"
    if record.stored is None and record.batch and (why := record.batch.batch.disowns(record.status)):
        return f"{why}, {as_of}"
    if record.stored is None:
        return f"committed to in a batch and not stored, {as_of}"
    sealed = f", sealed {when(record.stored.sealed_at)}" if record.stored.sealed_at else ""
    if record.stored.retracted_at:
        return f"retracted {when(record.stored.retracted_at)}{sealed}, {as_of}"
    counts = f"{counted(record.stored.reproduced, 'group')} reproduced it, {record.stored.not_reproduced} did not"
    return f"stands{sealed}; {counts}, {as_of}"


def _record(record: ProvenRecord) -> dict[str, Any]:
    return {
        **fields_json(record, "id", "key", "committed_at", "stored", "manifest"),
        "status": label(record.status),
        "batch": record.batch.root if record.batch else None,
        "asOf": fields_json(record.as_of, "number", "timestamp"),
    }
