"""Records that are only in batches, for `verify`: by the proofs that the lab keeps, and those in published stores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from blockchaintracer.core.batch_proof import Proof
from blockchaintracer.core.record import is_one_of
from blockchaintracer.core.verify import Check, Outcome, Report
from blockchaintracer.core.verify.verifier import Verifier
from blockchaintracer.lab.kept_proofs import find_proof
from blockchaintracer.lab.known_keys import proofs_naming
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.published_proofs import published_proofs
from blockchaintracer.lab.store.sources import is_url, public_name


def with_batched(
    lab: Lab,
    verifier: Verifier,
    report: Report,
    digest: str,
    sources: Sequence[str | os.PathLike[str]] = (),
    *,
    path: Path | None = None,
    group: int | None = None,
) -> Report:
    """Add to a report the batched records with this id, or of this content. Of a stored record its batch is added, if
    it is not the batch whose time the record has: that of a relayed signature is later.

    Args:
        path: a file or folder that each of them must be of.
        group: only records of this group count.
    """
    if report.looked_up_as in ("transaction", "seal", "root") or not digest:
        return report
    known = {record.id: record for record in report.records}
    files, problems, unavailable = ([], [], []) if digest in known else published_proofs(lab.domain, sources, digest)
    proofs = [file for file in files if isinstance(file, Proof)]
    named = (proof for proof in proofs_naming(lab.home, lab.domain, digest) if is_one_of(digest, proof.key.subject))
    proofs += [own] if (own := find_proof(lab, digest)) else named
    reports: dict[str, Report] = {}
    for proof in proofs:
        key = proof.key
        if stored := known.get(proof.id):
            # what a stranger's proof fails at says nothing of the record
            earlier = verifier.earlier_batch(stored, proof.root, proof.path)
            passed = [check for check in earlier if check.verdict is Outcome.PASS]
            report = replace(report, checks=(*report.checks, *passed))
            continue
        if group not in (None, key.group):
            continue
        if lab.registry.batch(key.group, key.author, proof.root).exists:
            reports[proof.id] = verifier.batched(key, proof.root, proof.path, [path] if path else [])
        else:
            problems.append(f"a proof of record {proof.id} names the batch {proof.root}, which is not anchored")
    outcome = Outcome.UNKNOWN if reports or known else Outcome.FAIL
    wrong = [Check("proof", outcome, problem) for problem in dict.fromkeys(problems)]
    addresses = [public_name(os.fspath(source)) for source in sources if is_url(os.fspath(source))]
    if addresses and not reports and not known:
        detail = f"a record in a batch is found by its file or digest in a folder alone, at {', '.join(addresses)} by"
        wrong.append(Check("proof", Outcome.UNKNOWN, f"{detail} its id: `verify ID --path FILE`"))
    if unavailable and not reports:
        detail = f"whether it is in a batch is not decided: {'; '.join(unavailable)}"
        wrong.append(Check("proof", Outcome.UNKNOWN, detail, {"unavailable": unavailable}))
    if not reports:
        # what the registry does not store may be in a batch whose proof is at a source that could not be asked
        open_question = unavailable and not known
        checks = [
            replace(check, verdict=Outcome.UNKNOWN) if open_question and check.name == "recorded" else check
            for check in report.checks
        ]
        return replace(report, checks=(*checks, *wrong))
    parts = [*([report] if report.records else []), *reports.values()]
    return Report(
        report.subject,
        report.looked_up_as if report.records else "batch",
        (*(check for part in parts for check in part.checks), *wrong),
        tuple(record for part in parts for record in part.records),
        tuple(sentence for part in parts for sentence in part.proves),
        tuple(dict.fromkeys(limit for part in parts for limit in part.does_not_prove)),
    )
