"""Whether a run's seeds are those that follow from its plan's seal and a block, and what that is worth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from blockchaintracer.core.chain import Registry
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import MAX_BYTES, RecordPredicate, RunPredicate, SeedDerivation, parse_manifest
from blockchaintracer.core.networks import when
from blockchaintracer.core.record import checksummed, from_hex
from blockchaintracer.core.seed_derivation import GENERATORS, SEED_BLOCK, derive_seeds
from blockchaintracer.core.verify.commitments import seals_of
from blockchaintracer.core.verify.copies import Copies
from blockchaintracer.core.verify.outcomes import Check, Outcome

_INFLUENCE = {
    "l1": "who made the block could choose among the hashes that it could give it, or leave it out at the price of its"
    " reward",
    "op-stack": "the sequencer made the block and could choose its hash",
    "arbitrum": "the sequencer made the block and could choose its hash",
    "devnet": "the operator of this chain chooses its blocks: it proves nothing to others",
}


def check_seeds(registry: Registry, copies: Copies, run: RunPredicate, group: int) -> Iterator[Check]:
    """Check the plan, which must be of the run's own `group`, the block, the seeds and the choice that the author had.
    Yields nothing for seeds without a block."""
    derivation = run.seed_derivation
    if derivation is None:
        return
    if int(derivation.chain_id) != registry.chain.chain_id:
        detail = f"they are from a block of chain {derivation.chain_id}: ask a node of that one"
        yield Check("seeds", Outcome.UNKNOWN, detail)
        return
    about: dict[str, Any] = {"group": derivation.group, "author": checksummed(derivation.author)}
    sealed = next(registry.events("Sealed", **about, commitment=from_hex(derivation.commitment)), None)
    if derivation.group != group:
        yield Check("seed plan", Outcome.FAIL, f"it is a plan of group {derivation.group}, the run is of group {group}")
    elif sealed is None and registry.sealed_at(**about, commitment=derivation.commitment):
        detail = f"{derivation.commitment} was sealed (state); whether its block determines these seeds is unknown"
        yield Check("seed plan", Outcome.UNKNOWN, f"{detail}: {registry.history.reason}")
    elif sealed is None:
        detail = f"{about['author']} never sealed {derivation.commitment} for group {derivation.group}"
        yield Check("seed plan", Outcome.FAIL, detail)
    else:
        yield _plan(registry, copies, derivation, sealed.block)
    yield _block(registry, derivation)
    yield _values(run, derivation)
    yield _choice(registry, derivation)


def _plan(registry: Registry, copies: Copies, derivation: SeedDerivation, sealed: int) -> Check:
    """Check that the block is the one that the plan's seal determines."""
    name, number = "seed plan", int(derivation.block_number)
    if number <= sealed:
        return Check(name, Outcome.FAIL, f"block {number} was there when the plan was sealed, in block {sealed}")
    if derivation.rule == "first-after-seal" and number != sealed + 1:
        detail = f"the first block after that of the seal is {sealed + 1}, the manifest says {number}"
        return Check(name, Outcome.FAIL, detail)
    seals = seals_of(registry, derivation.group, derivation.author)
    seal = next((each for each in seals if each.commitment == derivation.commitment), None)
    if seal is None or seal.revealed_as is None:
        detail = f"the plan is not revealed: whether it names block {number} for its seeds is not known"
        if derivation.rule == "first-after-seal":
            detail = f"block {number} is the first after the seal; the plan is not revealed and may name another"
        return Check(name, Outcome.UNKNOWN, detail)
    try:
        named = _named(registry, copies, seal.record_id or "")
    except InputError as problem:
        return Check(name, Outcome.FAIL, problem.message)
    if named == "":
        return Check(name, Outcome.UNKNOWN, f"the plan {seal.record_id} is revealed, but its manifest is not here")
    expected = named or str(sealed + 1)
    if str(number) != expected:
        how = "its plan names" if named else "is the first after the seal, and its plan names no other"
        return Check(name, Outcome.FAIL, f"they are from block {number}, but block {expected} {how}")
    how = "named by the plan" if named else "the first after the seal"
    return Check(name, Outcome.PASS, f"block {number} is {how} {seal.record_id}, sealed in block {sealed}")


def _named(registry: Registry, copies: Copies, record_id: str) -> str | None:
    """Return the block that a revealed plan names: None if it names none, empty if its manifest is missing."""
    record = registry.find_records([record_id]).get(record_id)
    data = copies.read_bytes(record.key.manifest, MAX_BYTES)[0] if record else None
    if data is None:
        return ""
    predicate = parse_manifest(data).predicate
    value = predicate.values.get(SEED_BLOCK) if isinstance(predicate, RecordPredicate) else None
    return None if value is None else str(value)


def _block(registry: Registry, derivation: SeedDerivation) -> Check:
    name, number = "seed block", int(derivation.block_number)
    chain = registry.chain
    block, final = chain.remembered(lambda: chain.block(number)), chain.finalized()
    if block is None and number <= chain.head().number:
        detail = f"this node has forgotten block {number}: whether it is {derivation.block_hash} is unknown"
        return Check(name, Outcome.UNKNOWN, detail)
    if block is None or block.hash != derivation.block_hash:
        there = f"has {block.hash}" if block else "has no such block"
        return Check(
            name, Outcome.FAIL, f"the manifest says that block {number} is {derivation.block_hash}; the chain {there}"
        )
    values = {"block": number, "hash": block.hash, "time": block.timestamp}
    if final is None or final.number < number:
        return Check(name, Outcome.UNKNOWN, f"block {number} is not final: a reorganisation would change it", values)
    network = registry.chain.network
    influence = _INFLUENCE.get(
        network.kind if network else "", "who makes this chain's blocks could choose their hashes"
    )
    detail = f"block {number} is final; nobody knew its hash before {when(block.timestamp)}, but {influence}"
    return Check(name, Outcome.PASS, detail, values)


def _values(run: RunPredicate, derivation: SeedDerivation) -> Check:
    """Recompute every seed that the manifest states for a generator."""
    derived = derive_seeds(
        int(derivation.chain_id), derivation.block_hash, derivation.commitment, {*GENERATORS, *derivation.seeds}
    )
    each = run.seeds.get("seeds")
    stated = [*derivation.seeds.items(), *(each.items() if isinstance(each, dict) else ())]
    stated += [(name, run.seeds[name]) for name in GENERATORS if name in run.seeds]
    wrong = [
        f"{name}: expected {derived.get(name, 'none')}, the manifest says {value}"
        for name, value in dict.fromkeys((name, str(value)) for name, value in stated)
        if str(derived.get(name)) != value
    ]
    if not derivation.seeds:
        wrong.append("the manifest states none")
    if wrong:
        return Check("seeds", Outcome.FAIL, "; ".join(wrong))
    detail = f"recomputed from block and seal: {', '.join(f'{name} {seed}' for name, seed in derivation.seeds.items())}"
    return Check(
        "seeds", Outcome.PASS, f"{detail}. That the program used them is what the run says", dict(derivation.seeds)
    )


def _choice(registry: Registry, derivation: SeedDerivation) -> Check:
    """Count the plans that the author sealed: with many, the author could show the one with the best seeds."""
    seals = seals_of(registry, derivation.group, derivation.author)
    others = [seal for seal in seals if seal.commitment != derivation.commitment]
    hidden = [seal for seal in others if seal.revealed_as is None]
    values = {"seals": len(seals), "unrevealed": len(hidden)}
    whose = f"{checksummed(derivation.author)} for group {derivation.group}"
    if hidden:
        detail = (
            f"{len(hidden)} other seals of {whose} are unrevealed: each would have given other seeds, so that these can"
            " have been chosen among them"
        )
        return Check("seed choice", Outcome.UNKNOWN, detail, values)
    if gap := registry.history.gap:
        return Check("seed choice", Outcome.UNKNOWN, f"whether {whose} sealed others before is unknown: {gap}", values)
    detail = f"all {len(others)} other seals of {whose} are revealed" if others else f"it is the only seal of {whose}"
    return Check("seed choice", Outcome.PASS, detail, values)
