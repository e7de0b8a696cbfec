"""What the lab's own folder knows of a seal: its author, and what it hides. None of it is ever sent."""

from __future__ import annotations

from typing import Any

from blockchaintracer.core.record import checksummed, is_one_of, record_commitment, verdict_commitment
from blockchaintracer.core.verify import Check, Outcome
from blockchaintracer.core.verify.seal_checks import check_commitment
from blockchaintracer.lab.batches import manifest_name
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.seals import KeptSeal, kept_seals


def own_seals(lab: Lab, digest: str) -> list[KeptSeal]:
    """Return the kept seals with this commitment, or that hide this record or a record of this content."""
    return [
        seal
        for seal in kept_seals(lab)
        if is_one_of(digest, seal.commitment, *([seal.record_id] if seal.verdict is None else []))
        or (seal.key and is_one_of(digest, seal.key.subject, lab.domain.record_id(seal.key)))
    ]


def check_own(lab: Lab, digest: str, *, with_seal: bool) -> list[Check]:
    """Check what each kept seal hides against its commitment; `with_seal` also what the registry says of the seal."""
    checks: list[Check] = []
    for seal in own_seals(lab, digest):
        checks.append(_hides(lab, seal))
        if with_seal:
            on_chain = check_commitment(lab.registry, seal.commitment, known=[(seal.group, seal.author)])
            hint = f"it is not on the chain: `blockchaintracer seal send {seal.commitment}`"
            checks += on_chain or [Check("seal", Outcome.FAIL, hint)]
    return checks


def seal_state(lab: Lab, digest: str) -> dict[str, Any]:
    """Return what is known of a commitment, or of the id of a record that is sealed here; empty if nothing is.

    Returns:
        ``status`` (``sealed``, or ``revealed`` if every seal is), ``sealedBy`` (the values of each seal's check),
        ``commitment`` and ``hides`` (a sentence, if this folder knows). Or ``why``, if the node may have forgotten.
    """
    own = own_seals(lab, digest)
    commitment = own[0].commitment if own else digest
    known = [(seal.group, seal.author) for seal in own]
    checks = check_commitment(lab.registry, commitment, known=known)
    rows = [check.values | {"problem": None if check.verdict is Outcome.PASS else check.detail} for check in checks]
    rows = [row for row, check in zip(rows, checks, strict=True) if check.name == "seal"]
    if not rows:
        return {"why": gap} if (gap := lab.registry.history.gap) else {}
    status = "revealed" if all(row.get("revealedAs") for row in rows) else "sealed"
    hides = _hides(lab, own[0]).detail if own else None
    return {"status": status, "commitment": commitment, "sealedBy": rows, "hides": hides}


def _hides(lab: Lab, seal: KeptSeal) -> Check:
    key, record_id = seal.key, seal.record_id
    name = manifest_name(lab.store, key) if key and lab.store.has(key.manifest) else None
    named = f" {name!r}" if name else ""
    if seal.verdict is None:
        computed, what = record_commitment(record_id, seal.salt), f"record {record_id}{named}"
    else:
        evidence = lab.domain.record_id(key) if key else None
        author = checksummed(seal.author)
        computed = verdict_commitment(seal.group, author, record_id, seal.verdict, evidence, seal.salt)
        what = f"the verdict {seal.what} on record {record_id}"
    if computed != seal.commitment:
        return Check(
            "kept here", Outcome.FAIL, f"what is kept here has the commitment {computed}, not {seal.commitment}"
        )
    detail = f"{seal.commitment} hides {what}: computed from the salt kept in this lab's folder, and sent to nobody"
    return Check("kept here", Outcome.PASS, detail, {"commitment": seal.commitment, "record": record_id})
