"""`blockchaintracer ci-token`: tokens of CI jobs beside the records that they made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.options import (
    FOLDER,
    VerbGroup,
    agreed_option,
    group_option,
    require_consent,
    source_option,
    yes_option,
)
from blockchaintracer.cli.record_names import RECORD
from blockchaintracer.cli.render import Answer, hanging, plain, record_lines, verdict_line
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.plain_json import as_json
from blockchaintracer.core.record import Kind
from blockchaintracer.core.verify.outcomes import Conclusion
from blockchaintracer.extras.tokens import kept_tokens
from blockchaintracer.extras.tokens.issuers import issuers
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Op

_MOST = 10_000
_NOT_PROVEN = "that the job computed the result, or that its runner and its provider are honest"


def issuer_options(function: Any) -> Any:
    """Add the options that name further issuers; the verb gets them as ``chosen``."""
    for name, what in (("gitlab", "GitLab"), ("github", "GitHub Enterprise")):
        text = f"Address of an issuer of a {what} server that you trust; repeatable."
        function = click.option(f"--{name}-issuer", f"{name}_issuers", multiple=True, metavar="URL", help=text)(
            function
        )
    text = "Let issuers be in a private network, and without TLS."
    return click.option("--allow-local", is_flag=True, help=text)(function)


@click.group(cls=VerbGroup)
def command() -> None:
    """Tokens of CI jobs (OpenID Connect): which workflow, at which commit, asked for a record.

    A token holds personal data, such as who started the job. It is shown before it is kept, published only after it
    expired, and can be deleted.

    \b
    Examples:
      blockchaintracer ci-token add ID
      blockchaintracer ci-token check ID --check-identity
    """


@command.lab_verb("add", writes=True)
@click.argument("record_ids", nargs=-1, type=RECORD, metavar="[ID]...")
@click.option("--all", "all_runs", is_flag=True, help="All runs and results that this home recorded.")
@click.option("--wait", is_flag=True, help="Wait until the tokens have expired, so that the job can publish them.")
@issuer_options
@group_option
@yes_option
def add(
    lab: Lab,
    record_ids: tuple[str, ...],
    all_runs: bool,
    wait: bool,
    github_issuers: tuple[str, ...],
    gitlab_issuers: tuple[str, ...],
    allow_local: bool,
) -> Answer:
    """Ask the provider of this job for a token that names the record, and record the token beside it.

    \b
    Examples:
      blockchaintracer ci-token add ID
      blockchaintracer ci-token add --all --yes --wait
    """
    if all_runs == bool(record_ids):
        raise InputError("expected ids of records, or --all")
    ids = list(record_ids)
    if all_runs:
        writes = [it.write for it in lab.outbox.newest(_MOST) if it.chain_id == lab.chain_id and it.is_on_chain]
        writes = [it for it in writes if it.op is Op.RECORD and it.registry == lab.domain.registry]
        ids = [it["record_id"] for it in writes if it.key.kind in (Kind.RUN, Kind.RESULT)]
    chosen, done = issuers(github_issuers, gitlab_issuers), []
    for record_id in ids:
        agree = partial(_agree, record_id)
        done.append(kept_tokens.add_token(lab, record_id, chosen, agree, allow_local=allow_local))
    if wait and done:
        kept_tokens.wait_until_expired(max(report.expires_at for _, report in done), lab.say)
    data = {"tokens": [{"recorded": as_json(made), **report.as_json()} for made, report in done]}
    lines = [line for made, report in done for line in (plain(report.says), *record_lines(made))]
    return Answer(data, *(lines or ["No run or result was recorded from this home."]))


def _agree(record_id: str, claims: Mapping[str, str]) -> None:
    for name, value in claims.items():
        click.echo(f"  {plain(name)}: {plain(value)}", err=True)
    require_consent(f"Keep this token beside {record_id}? It is public once you publish it.")


@command.lab_verb("check")
@click.argument("record_id", type=RECORD, metavar="ID")
@source_option
@click.option("--check-identity", is_flag=True, help="Ask the issuer for its key now.")
@click.option(
    "--witness-group",
    "witnesses",
    type=int,
    multiple=True,
    metavar="NUMBER",
    help="Trust this group's record of the issuer's key; repeatable.",
)
@issuer_options
@agreed_option
def check(
    lab: Lab,
    record_id: str,
    sources: tuple[str, ...],
    check_identity: bool,
    witnesses: tuple[int, ...],
    github_issuers: tuple[str, ...],
    gitlab_issuers: tuple[str, ...],
    allow_local: bool,
) -> Answer:
    """Verify the tokens of a record against its commit, repository, branch and job.

    The key of an issuer counts if it shows it now (--check-identity), or if a group that you name recorded it. Without
    that a token is at most consistent.

    \b
    Examples:
      blockchaintracer ci-token check ID --check-identity
      blockchaintracer ci-token check ID --witness-group 5 \\
        --from https://lab.example/published

    Exit codes: 0 verified, 1 not verified, 2 wrong use, 3 unavailable, 4 consistent.
    """
    chosen = issuers(github_issuers, gitlab_issuers)
    documents = kept_tokens.tokens_of(lab, record_id, sources=sources)
    if not documents:
        raise InputError(f"record {record_id} has no CI token", hint="`ci-token add` records one.")
    reports = [
        kept_tokens.check_token(
            lab,
            document,
            chosen,
            sources=sources,
            ask=check_identity,
            witness_groups=witnesses,
            allow_local=allow_local,
        )
        for document in documents
    ]
    order = (Conclusion.NOT_VERIFIED, Conclusion.VERIFIED, Conclusion.CONSISTENT, Conclusion.UNAVAILABLE)
    # anybody can put a token beside a record: those of its own group decide, if there are any
    decisive = [report for report in reports if report.own] or reports
    worst = min((report.conclusion for report in decisive), key=order.index)
    data = {"outcome": worst.value, "verified": worst.verified, "tokens": [report.as_json() for report in reports]}
    return Answer(data, *_lines(lab, reports), exit_code=worst.exit_code)


def _lines(lab: Lab, reports: list[kept_tokens.TokenReport]) -> Iterator[str]:
    for report in reports:
        says = report.says or f"the token of document {report.document}"
        yield verdict_line(report.conclusion, plain(says) + ".", private=lab.on_devnet)
        for it in report.checks:
            yield hanging(f"  {it.verdict.value:<8} {it.name:<16} ", plain(it.detail))
    yield "What this does not prove"
    yield hanging("  ", f"It does not prove {_NOT_PROVEN}.")


@command.lab_verb("witness", writes=True)
@click.argument("document_id", type=RECORD, metavar="DOCUMENT")
@source_option
@issuer_options
@group_option
@agreed_option
def witness(
    lab: Lab,
    document_id: str,
    sources: tuple[str, ...],
    github_issuers: tuple[str, ...],
    gitlab_issuers: tuple[str, ...],
    allow_local: bool,
) -> Answer:
    """Fetch the key of another group's token from its issuer, and record it in your group's name.

    Issuers replace their keys. Those who trust your group can verify the token later.

    \b
    Example:
      blockchaintracer ci-token witness DOCUMENT --group 5
    """
    chosen = issuers(github_issuers, gitlab_issuers)
    made = kept_tokens.witness_key(lab, document_id, chosen, sources=sources, allow_local=allow_local)
    return Answer({"recorded": as_json(made)}, *record_lines(made))


@command.lab_verb("delete")
@click.argument("document_id", type=RECORD, metavar="DOCUMENT")
@click.option("--published", "folders", type=FOLDER, multiple=True, help="A published folder to delete it from, too.")
@yes_option
def delete(lab: Lab, document_id: str, folders: tuple[Path, ...]) -> Answer:
    """Delete a token from this lab and from what it published. Copies of others stay; the chain has only its digest.

    \b
    Example:
      blockchaintracer ci-token delete DOCUMENT --published published/
    """
    require_consent(f"Delete the token of {document_id}? Nobody can verify it from here then.")
    places = kept_tokens.delete_token(lab, document_id, folders)
    lines = [f"Deleted {place}" for place in places]
    return Answer({"deleted": places}, *(lines or ["It was not here any more."]))
