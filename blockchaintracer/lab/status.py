"""The state of a lab, and of one record: where it stands on the chain and in the outbox."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from blockchaintracer.core.chain import Registry
from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable
from blockchaintracer.core.networks import DEVNET, network_by_chain_id
from blockchaintracer.core.plain_json import fields_json
from blockchaintracer.core.record import GlobalId, Kind, Relation, Status, checksummed, from_hex, label, to_hex
from blockchaintracer.core.record_view import RecordStatus, RecordView
from blockchaintracer.lab.handover import told_successor
from blockchaintracer.lab.keys import COMMAND, KEY, PRIVATE_KEY, KeyStore
from blockchaintracer.lab.lab import DEVNET_KEY, Lab
from blockchaintracer.lab.lookup import read_manifest
from blockchaintracer.lab.outbox import Entry


def lab_status(lab: Lab) -> dict[str, Any]:
    """Where the lab works: its folder, chain, registry, group and key's address, its devnet, and what waits.

    Starts no devnet and makes no key. What can't be told without the chain is None, and ``chain.error`` says why.
    """
    devnet = lab.devnet.status() if lab.is_embedded else None
    chain: dict[str, Any] = dict.fromkeys(("id", "name", "address", "reachable", "block", "error"))
    chain["reachable"] = False
    if lab.is_embedded and devnet is None:
        chain |= {"id": DEVNET.chain_id, "name": DEVNET.title}
        lab = replace(lab, connect=_not_running)
    else:
        try:
            chain |= {"block": lab.chain.head().number, "reachable": True, "address": lab.chain.address}
            chain |= {"id": lab.chain.chain_id, "name": lab.chain.name}
        except ChainUnavailable as error:
            chain["error"] = error.message
            with suppress(ChainUnavailable):
                chain["id"] = lab.chain_id
                network = network_by_chain_id(lab.chain_id)
                chain["name"] = network.title if network else None
    chosen = lab.choices(chain["id"])
    return {
        "home": str(lab.home.path),
        "chain": chain,
        "registry": (registry := _registry(lab, chosen)),
        "successor": told_successor(lab) if registry and chain["reachable"] else None,
        "group": lab.group_number or chosen.get("group"),
        "key": _key(lab, chosen, on_devnet=chain["id"] == DEVNET.chain_id),
        "devnet": {"running": devnet is not None, "url": devnet.url if devnet else None} if lab.rpc is None else None,
        "outbox": lab.outbox.states(),
    }


def record_status(lab: Lab, record_id: str) -> dict[str, Any]:
    """What the registry and the outbox say of a record, or of a seal by its commitment.

    Raises:
        InputError: if it is no id, or no registry is known.

    Returns:
        ``id``, ``status`` (unknown, cancelled, recorded, retracted; ``batched``, ``sealed`` or ``revealed`` if it's not
        stored but known to be; None while the chain is away), ``chainError``, ``outbox`` (writes about it with their
        states), and once it's recorded its key's fields, times, links and verdicts, and of a run
        ``runStatus``, as its manifest says; of one from a batch ``batch``, and
        of a revealed one ``seals``: how many its author made for the group, and how many are unrevealed. Of a seal what
        `seal_state` returns.
    """
    return record_statuses(lab, [record_id])[0]


def record_statuses(lab: Lab, record_ids: Sequence[str]) -> list[dict[str, Any]]:
    """`record_status` of many records, with a few requests for all of them."""
    ids = [lab.parse_id(record_id) for record_id in record_ids]
    answers: list[dict[str, Any]] = [{"id": each, "status": None, "chainError": None} for each in ids]
    unanswered = len(answers)
    try:
        statuses = lab.registry.statuses(ids)
        records = lab.registry.find_records((each for each, status in zip(ids, statuses, strict=True) if status.exists))
        for answer, status in zip(answers, statuses, strict=True):
            answer["status"] = label(status.status)
            if record := records.get(answer["id"]):
                lab.registry.require_id(record, answer["id"])
                answer.update(_of_record(lab.registry, record) | _of_status(lab.registry, record, status))
                answer["runStatus"] = _run_status(lab, record)
            elif status.status is Status.UNKNOWN:
                answer.update(_elsewhere(lab, answer["id"]))
            unanswered -= 1
    except ChainUnavailable as error:
        for answer in answers[len(answers) - unanswered :]:
            answer["chainError"] = error.message
    for answer in answers:
        answer["outbox"] = [entry_json(entry) for entry in lab.outbox.entries_about(answer["id"])]
    return answers


def _run_status(lab: Lab, record: RecordView) -> str | None:
    """How a run ended, by its manifest; None if it is no run, or the manifest is not here."""
    if record.key.kind == Kind.RUN and lab.store.has(record.key.manifest):
        from blockchaintracer.core.manifest import RunPredicate

        # what is damaged here is for `verify` to tell
        with suppress(BlockchainTracerError):
            predicate = read_manifest(lab.store, record).predicate
            return predicate.status if isinstance(predicate, RunPredicate) else None
    return None


def _of_status(registry: Registry, record: RecordView, status: RecordStatus) -> dict[str, Any]:
    from blockchaintracer.lab.attest import verdicts
    from blockchaintracer.lab.seals import sealed_by

    key = record.key
    is_judged = status.reviewed or status.reproduced or status.not_reproduced or status.disputed
    rows = verdicts(registry, record.id) if is_judged else []
    return {
        "recordedAt": status.recorded_at,
        "retractedAt": status.retracted_at or None,
        "sealedAt": status.sealed_at or None,
        "batch": _batch_of(registry, record) if status.is_batched else None,
        "seals": sealed_by(registry, key.group, key.author) if status.sealed_at else None,
        "verdicts": [
            {**row, "seals": sealed_by(registry, row["group"], row["attester"]) if row["sealedAt"] else None}
            for row in rows
        ],
    }


def foreign_status(registry: Registry, foreign: GlobalId) -> dict[str, Any]:
    """What the registry's groups say of a record of another registry, which this one can't see."""
    from blockchaintracer.lab.attest import foreign_verdicts

    return {
        "chainId": foreign.chain_id,
        "registry": foreign.registry,
        "id": foreign.record_id,
        "saidIn": registry.address,
        "verdicts": foreign_verdicts(registry, foreign),
    }


def _batch_of(registry: Registry, record: RecordView) -> str | None:
    event = next(registry.events("Materialized", id=from_hex(record.id)), None)
    return to_hex(event.args["root"]) if event else record.batch


def _elsewhere(lab: Lab, record_id: str) -> dict[str, Any]:
    """What this lab knows of a record that isn't stored: its proof of a batch, or its seal."""
    from blockchaintracer.lab.kept_proofs import find_proof
    from blockchaintracer.lab.seals import seal_state

    if proof := find_proof(lab, record_id):
        batch = lab.registry.batch(proof.key.group, proof.key.author, proof.root)
        if batch.exists:
            committed = {"root": proof.root, "anchoredAt": batch.anchored_at, "group": proof.key.group}
            committed |= {"endedAt": batch.ended_at} if batch.ended_at else {}
            return {"status": "batched", "committed": {**committed, "author": checksummed(proof.key.author)}}
    return seal_state(lab, record_id)


def _of_record(registry: Registry, record: RecordView) -> dict[str, Any]:
    key, network = record.key, registry.chain.network
    return {
        "registry": registry.address,
        "chainId": registry.chain.chain_id,
        **fields_json(record, "kind", "group", "author", "subject", "manifest", "transaction", "block"),
        "parents": [{"id": link.parent, "relation": label(link.relation, Relation)} for link in key.parents],
        "page": f"{network.explorer}/tx/{record.transaction}" if network and network.explorer else None,
    }


def entry_json(entry: Entry) -> dict[str, Any]:
    """Return how far a write has come, for JSON."""
    return {
        "operation": entry.write.op,
        **fields_json(entry, "state", "chain_id", "transaction", "error"),
        "block": entry.block.number if entry.block else None,
    }


def _not_running() -> Any:
    raise ChainUnavailable("the devnet does not run", hint="Any verb that needs it starts it.")


def _registry(lab: Lab, chosen: dict[str, Any]) -> str | None:
    if lab.registry_address or chosen.get("registry"):
        return str(lab.registry_address or chosen["registry"])
    try:
        return lab.domain.registry
    except BlockchainTracerError:
        return None


def _key(lab: Lab, chosen: dict[str, Any], *, on_devnet: bool) -> dict[str, Any] | None:
    """Name and address of the key that would sign; nothing is made or opened."""
    if lab.signer_given:
        return {"name": lab.signer_given.source, "address": lab.signer_given.address}
    given = lab.key_name or os.environ.get(KEY)
    if (given and given.startswith(COMMAND)) or (given is None and PRIVATE_KEY in os.environ):
        return {"name": lab.signer.source, "address": lab.signer.address}
    keys = KeyStore(lab.home)
    name = given or chosen.get("key") or (DEVNET_KEY if on_devnet else None)
    if name is None or (name not in keys.names() and "/" not in name):
        return None
    return {"name": name, "address": keys.signer(name).address}
