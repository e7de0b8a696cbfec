"""Seeds from a block that nobody knew when a plan was sealed."""

from __future__ import annotations

import os
import time
from typing import Any

from blockchaintracer.core.chain import Registry
from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.manifest import RecordPredicate, SeedDerivation, parse_manifest
from blockchaintracer.core.plain_json import parse_json
from blockchaintracer.core.record import Role, from_hex, to_hex
from blockchaintracer.core.seed_derivation import SEED_BLOCK, derive_seeds
from blockchaintracer.lab.chain.questions import final_block
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.seals import KeptSeal, kept_seal

DERIVATION_VARIABLE = "BLOCKCHAINTRACER_SEED_DERIVATION"
"""Environment variable: a recorded derivation as JSON, for a program that is run again without a chain."""
_POLL_S = 2.0


def seeds_from_chain(lab: Lab, plan: str, wait_s: float = 0) -> SeedDerivation:
    """The seeds that follow from a sealed plan and the first block after its seal, or the block that the plan names.

    Only a final block counts: from another, a reorganisation would make other seeds.

    Args:
        plan: commitment of the seal, or id of the record that was sealed.

    Raises:
        InputError: if nothing of that commitment was sealed, or the plan names a block that was there already.
        ChainUnavailable: if the chain is away, or the block isn't final in time.
    """
    digest = lab.parse_id(plan, "sealed plan's commitment or record id")
    if recorded := os.environ.get(DERIVATION_VARIABLE):
        return _recorded(recorded)
    lab.send()
    kept = kept_seal(lab, digest)
    commitment = kept.commitment if kept else _revealed_commitment(lab.registry, digest) or digest
    sealed = _sealed(lab, commitment, kept)
    named = _named_block(lab, commitment, kept)
    if named is not None and named <= sealed.block:
        raise InputError(
            f"expected the plan to name a block after that of its seal, {sealed.block}, got {named}",
            hint="The hash of an earlier block was known when it was sealed. Seal another plan.",
        )
    number = sealed.block + 1 if named is None else named
    block_hash = _final_hash(lab, number, wait_s)
    return SeedDerivation(
        chain_id=str(lab.chain_id),
        group=sealed.args["group"],
        author=sealed.args["author"],
        commitment=commitment,
        rule="first-after-seal" if named is None else "named-by-plan",
        block_number=str(number),
        block_hash=block_hash,
        seeds=derive_seeds(lab.chain_id, block_hash, commitment),
    )


def seed_block(values: Any) -> int | None:
    """The block that a plan's values name for its seeds; None if they name none."""
    named = values.get(SEED_BLOCK)
    if named is None:
        return None
    text = str(named)
    if isinstance(named, bool) or not text.isascii() or not text.isdecimal():
        raise InputError(f"expected the plan's {SEED_BLOCK} to be a block's number, got {text[:40]!r}")
    return int(text)


def _recorded(text: str) -> SeedDerivation:
    derivation = SeedDerivation.from_plain(parse_json(text.encode(), DERIVATION_VARIABLE))
    derived = derive_seeds(int(derivation.chain_id), derivation.block_hash, derivation.commitment)
    if derivation.seeds != derived:
        raise InputError(f"the seeds in ${DERIVATION_VARIABLE} don't follow from its block and commitment")
    return derivation


def _sealed(lab: Lab, commitment: str, kept: KeptSeal | None) -> Any:
    """The event of the seal: the lab's own, else the first of the group, for anybody can copy a commitment."""
    group = kept.group if kept else lab.group(Role.RECORDER)
    about: dict[str, Any] = {"commitment": from_hex(commitment), "group": group}
    if kept:
        about["author"] = kept.author
    event = next(lab.registry.events("Sealed", **about), None)
    if event is None:
        raise InputError(
            f"nothing of the commitment {commitment} was sealed for group {group} in {lab.registry.address}",
            hint='Seal the plan first: `blockchaintracer seal record --artifact plan.md --kind plan`. "seal list" shows'
            " what is sealed.",
        )
    return event


def _revealed_commitment(registry: Registry, record_id: str) -> str | None:
    event = next(registry.events("Revealed", id=from_hex(record_id)), None)
    return to_hex(event.args["commitment"]) if event else None


def _named_block(lab: Lab, commitment: str, kept: KeptSeal | None) -> int | None:
    """From the plan's manifest, as the lab keeps it or as it was revealed."""
    if kept and kept.key:
        digest = kept.key.manifest
    else:
        event = next(lab.registry.events("Revealed", commitment=from_hex(commitment)), None)
        record = lab.registry.find_record(to_hex(event.args["id"])) if event else None
        if record is None or not lab.store.has(record.key.manifest):
            raise InputError(
                f"the plan sealed as {commitment} is not here, and it could name the block of its seeds",
                hint="Use the lab's folder that it was sealed in, or reveal it and fetch its manifest.",
            )
        digest = record.key.manifest
    predicate = parse_manifest(lab.store.get_bytes(digest)).predicate
    return seed_block(predicate.values) if isinstance(predicate, RecordPredicate) else None


def _final_hash(lab: Lab, number: int, wait_s: float) -> str:
    deadline = time.monotonic() + wait_s
    while True:
        final, _ = final_block(lab.chain)
        if lab.is_embedded and (final is None or final.number < number <= lab.chain.head().number + 1):
            # a chain that makes a block only when it is asked to
            lab.devnet.finalize()
            lab.devnet.finalize()
            lab.devnet.persist()
            final, _ = final_block(lab.chain)
        block = lab.chain.block(number) if final and final.number >= number else None
        if block:
            return block.hash
        if time.monotonic() + _POLL_S > deadline:
            until = f"final is up to block {final.number}" if final else "the chain does not say which are final"
            raise ChainUnavailable(
                f"the seeds are from block {number}, which is not final yet: {until}",
                hint="Try again later, or let it wait: `seed_everything(from_chain=True, plan=…, wait_s=1800)`.",
            )
        time.sleep(_POLL_S)
