"""A token's claims against what the record says: repository, commit, branch, run and workflow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from blockchaintracer.core.manifest import Predicate, RecordPredicate, RunPredicate
from blockchaintracer.core.networks import when
from blockchaintracer.core.verify.outcomes import Check, Outcome
from blockchaintracer.extras.tokens.issuers import AUDIENCE, Issuer
from blockchaintracer.extras.tokens.token_signature import Token

SKEW_S = 300
"""How far the clocks of a chain and an issuer may differ."""
MAX_LIFE_S = 86_400
"""A token that is valid for longer is none of a job."""
_REMOTE = re.compile(r"(?:[a-z+]+://(?:[^@/]+@)?|(?:[^@/]+@)?)([^/:]+(?::[0-9]+(?=/))?)[:/](.+?)(?:\.git)?/?")


@dataclass(frozen=True)
class Facts:
    """What a record says of its code and its job. Its author wrote it."""

    commit: str | None = None
    dirty: bool = False
    branch: str | None = None
    remote: str | None = None
    ci: Mapping[str, Any] = field(default_factory=dict)


def facts_of(predicate: Predicate) -> Facts:
    """Return what a record says of its code and its job."""
    if isinstance(predicate, RunPredicate):
        code, ci = predicate.code, (predicate.environment.model_extra or {}).get("ci")
        known = ci if isinstance(ci, Mapping) else {}
        return Facts(code.commit, code.dirty or bool(code.diffs), code.branch, code.remote, known)
    if isinstance(predicate, RecordPredicate):
        commit, ci = predicate.values.get("commit"), predicate.values.get("ci")
        known = ci if isinstance(ci, Mapping) else {}
        return Facts(commit if isinstance(commit, str) else None, predicate.values.get("dirty") is True, ci=known)
    return Facts()


def claim_checks(
    token: Token, issuer: Issuer, record_id: str, facts: Facts, *, recorded_at: int | None, same_group: bool
) -> Iterator[Check]:
    """Compare a token whose signature holds with a record.

    Args:
        record_id: with chain and registry, as the audience has it.
        recorded_at: when the document that commits to the token was recorded, by the chain; None if it is not yet.
        same_group: whether that document is of the record's group.
    """
    audience, names_record = token.claims.get("aud"), issuer.names_record
    expected = record_id if names_record else AUDIENCE
    if audience == expected:
        detail = "the job asked for it with this record's id"
        detail = detail if names_record else "it names no record: commit and job bind it, which is weaker"
        yield Check("audience", Outcome.PASS, detail)
    else:
        yield Check("audience", Outcome.FAIL, f"expected {expected}, got {str(audience)[:200]!r}")
    yield _time(token, recorded_at, names_record)
    if not names_record and not same_group:
        yield Check(
            "group", Outcome.FAIL, "another group recorded this token, which anybody can copy that names no record"
        )
    yield _commit(token, facts, names_record)
    yield from _repository(token, issuer, facts)
    yield from _branch(token, issuer, facts)
    yield from _job(token, issuer, facts, names_record)


def _time(token: Token, recorded_at: int | None, names_record: bool) -> Check:
    issued, ends = token.moment("iat"), token.moment("exp")
    span = f"issued {when(issued)}, valid until {when(ends)}"
    if not 0 < ends - issued <= MAX_LIFE_S:
        return Check("time", Outcome.FAIL, f"{span}: no token of a job")
    if recorded_at is None:
        return Check("time", Outcome.PASS, span)
    if recorded_at < issued - SKEW_S:
        return Check("time", Outcome.FAIL, f"{span}, but committed to {when(recorded_at)}, before it was issued")
    if recorded_at <= ends + SKEW_S:
        return Check("time", Outcome.PASS, f"{span}, committed to {when(recorded_at)}")
    late = f"{span}, committed to {when(recorded_at)}, when others could have had it"
    return Check("time", Outcome.UNKNOWN if names_record else Outcome.FAIL, late)


def _commit(token: Token, facts: Facts, names_record: bool) -> Check:
    sha = token.text("sha").lower()
    if facts.commit is None:
        outcome = Outcome.UNKNOWN if names_record else Outcome.FAIL
        return Check("commit", outcome, "the record names no commit")
    if not sha or sha != facts.commit:
        return Check(
            "commit", Outcome.FAIL, f"the job was at {sha[:40] or 'no commit'}, the record names {facts.commit}"
        )
    differed = "; the record says that files differed from it" if facts.dirty else ""
    return Check("commit", Outcome.PASS, f"{facts.commit}{differed}")


def _repository(token: Token, issuer: Issuer, facts: Facts) -> Iterator[Check]:
    name = token.text(issuer.claim("repository"))
    ours = f"{issuer.host}/{name}".lower()
    if facts.remote:
        match = _REMOTE.fullmatch(facts.remote)
        theirs = f"{match[1]}/{match[2]}".lower() if match else facts.remote
        fits = bool(name) and theirs == ours
        yield Check(
            "repository", Outcome.PASS if fits else Outcome.FAIL, ours if fits else f"{ours}, not {theirs[:200]}"
        )
    elif "repository" not in facts.ci:
        yield Check("repository", Outcome.UNKNOWN, f"the record names none; the token names {ours}")


def _branch(token: Token, issuer: Issuer, facts: Facts) -> Iterator[Check]:
    ref = token.text("ref")
    if issuer.provider == "gitlab" and token.text("ref_type") == "branch":
        ref = f"refs/heads/{ref}"
    if facts.branch and not ref.startswith("refs/heads/"):
        # a job of a tag or a pull request can check a branch out
        yield Check("branch", Outcome.UNKNOWN, f"the job was of {ref[:200]!r}, the record names {facts.branch!r}")
    elif facts.branch:
        branch = ref.removeprefix("refs/heads/")
        fits = branch == facts.branch
        detail = branch if fits else f"{branch[:200]!r}, not {facts.branch!r}"
        yield Check("branch", Outcome.PASS if fits else Outcome.FAIL, detail)


def _job(token: Token, issuer: Issuer, facts: Facts, names_record: bool) -> Iterator[Check]:
    names = {
        "repository": issuer.claim("repository"),
        "runId": issuer.claim("run_id"),
        "runAttempt": "run_attempt",
        "workflowRef": issuer.claim("workflow_ref"),
        "jobId": "job_id",
    }
    both = {name: (str(facts.ci[name]), token.text(claim)) for name, claim in names.items() if name in facts.ci}
    for name, (ours, theirs) in both.items():
        if ours != theirs:
            yield Check("job", Outcome.FAIL, f"{name} is {theirs[:200]!r}, the record says {ours[:200]!r}")
            return
    if both:
        yield Check("job", Outcome.PASS, ", ".join(f"{name} {ours}" for name, (ours, _) in both.items()))
    if not names_record and "jobId" not in both:
        yield Check("job", Outcome.FAIL, "the record names no job, and the token no record: nothing binds them")


def shown_claims(token: Token) -> dict[str, str]:
    """Return all claims of a token as text, for a person to read before it is kept."""
    return {name: str(value)[:300] for name, value in sorted(token.claims.items())}
