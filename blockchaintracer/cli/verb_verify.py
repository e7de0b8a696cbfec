"""`blockchaintracer verify`: what was recorded, checked against what is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from blockchaintracer.cli import extra
from blockchaintracer.cli.options import PATH, Verb, connection_options, make_lab, source_option, tracking_option
from blockchaintracer.cli.render import Answer, plain, progress_bar, verdict_line, when
from blockchaintracer.cli.verb_export_proof import as_json, lines
from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.networks import network_by_name
from blockchaintracer.core.record import checksummed, counted
from blockchaintracer.core.verify import Check, Outcome, Report
from blockchaintracer.core.verify.bundle import ProvenBundle
from blockchaintracer.lab.bundle.export_proof import hold_against, is_bundle, verify_proof
from blockchaintracer.lab.private.disclose import is_disclosure, verify_disclosure
from blockchaintracer.lab.verify_here import verify, verify_order

_OF_A_PATH = ("path", "record", "of_group")
_OF_AN_ID = (*_OF_A_PATH, "author")
_COLOURS = {Outcome.PASS: "green", Outcome.FAIL: "red", Outcome.UNKNOWN: "yellow"}


@click.command(cls=Verb)
@connection_options
@click.argument("target", required=False, metavar="[ID|PATH|TRANSACTION|COMMITMENT|mlflow:RUN]")
@click.option("--path", type=PATH, help="Compare this file or folder with the record ID.")
@click.option("--record", metavar="ID", help="Compare PATH with this record alone.")
@click.option("--group", "of_group", type=int, metavar="NUMBER", help="Of a PATH, only records of this group count.")
@click.option("--author", metavar="ADDRESS", help="Who sealed the commitment ID for --group: needs no log.")
@click.option("--before", nargs=2, metavar="A B", help="Prove that record A came before record B.")
@source_option
@tracking_option
@click.option("--strict", is_flag=True, help="A check that cannot be made fails too.")
@click.pass_context
def command(ctx: click.Context, /, target: str | None, strict: bool, **options: Any) -> Answer:
    """Check a record, a file or folder, a seal, or a transaction: each check with its verdict, then what that proves.

    A record that is only in a batch is checked by its proof file: the one kept here, or one named instead of the id.

    Files are hashed again: one changed byte is found and the file named. A check whose material is not here is
    unknown, which fails only with --strict.

    \b
    Examples:
      blockchaintracer verify ID
      blockchaintracer verify data.csv
      blockchaintracer verify folder/ --record ID
      blockchaintracer verify ID --from https://lab.example/published
      blockchaintracer verify proof.json
      blockchaintracer verify --before ID_A ID_B
      blockchaintracer verify result.proof
      blockchaintracer verify result.proof --path data.csv
      blockchaintracer verify learning-rate.json    (what `disclose` wrote)
      blockchaintracer verify mlflow:RUN --tracking-uri sqlite:///mlflow.db

    An MLflow run is compared with what MLflow shows of it now: what was changed since is named.

    Exit codes: 0 verified, 1 not verified, 2 wrong use, 3 chain unavailable.
    """
    if target is not None and is_bundle(Path(target)):
        _refuse(ctx, "a proof bundle", "record", "of_group", "author", "before", "sources")
        _refuse(ctx, "a proof bundle", "strict", why=": its blocks can never be checked without a network")
        return _bundle_answer(verify_proof(Path(target)), options)
    lab, before, sources = make_lab(ctx, options), options["before"], options["sources"]
    if target is not None and is_disclosure(Path(target)):
        _refuse(ctx, "a disclosure", *_OF_AN_ID, "before")
        return _answer(verify_disclosure(lab, Path(target), sources), strict)
    if (target is None) == (before is None):
        raise InputError(
            "expected one thing to verify: an id, a path, a transaction, or --before A B", hint="See `verify --help`."
        )
    if target is None:
        _refuse(ctx, "--before", *_OF_AN_ID, "sources")
        return _answer(verify_order(lab, *before), strict)
    if target.startswith("mlflow:"):
        _refuse(ctx, "a run of MLflow", *_OF_AN_ID)
        run, uri = target.removeprefix("mlflow:"), options["tracking_uri"]
        checks = extra("mlflow", "run_checks")
        with progress_bar("hashing") as progress:
            return _answer(checks.verify_run(lab, run, uri, sources=sources, progress=progress), strict)
    path, record, group, author = (options[name] for name in _OF_AN_ID)
    with progress_bar("hashing", [file for file in (Path(target), path) if file and file.exists()]) as progress:
        about = {"path": path, "record": record, "group": group, "author": author}
        report = verify(lab, target, **about, sources=sources, progress=progress)
    return _answer(report, strict)


def _refuse(ctx: click.Context, what: str, *names: str, why: str = "") -> None:
    """Refuse options that do not apply to the target: an option that is not checked would read as checked."""
    for param in ctx.command.params:
        if param.name in names and ctx.get_parameter_source(param.name) is ParameterSource.COMMANDLINE:
            raise InputError(f"expected no {param.opts[0]} beside {what}{why}", hint="See `verify --help`.")


def _bundle_answer(proven: ProvenBundle, options: dict[str, Any]) -> Answer:
    """Check a bundle, which must be of the registry and network that were named, and a path against its records."""
    registry, network = options["registry"], options.get("network")
    if registry and checksummed(registry, "a registry's address").lower() != proven.registry:
        raise NotVerified(f"the bundle is of the registry {proven.registry}, and {registry} was asked")
    if network and network_by_name(network).chain_id != proven.chain_id:
        raise NotVerified(f"the bundle is of chain {proven.chain_id}, and {network} was asked")
    checks: list[Check] = []
    if path := options["path"]:
        with progress_bar("hashing", [path]) as progress:
            checks = hold_against(proven, path, progress)
    verified = all(check.verdict is Outcome.PASS for check in checks)
    given = f"{len(proven.records)} records, given the blocks above"
    if not verified:
        result = f"Not verified: {plain(str(path))} is of none of the {given}."
    elif path:
        records = ", ".join(dict.fromkeys(str(check.record) for check in checks))
        result = f"Verified without a network: {given}, and {plain(str(path))} is of {records}."
    else:
        result = f"Verified without a network: {given}."
    shown = [_line(check) if len(proven.records) == 1 else f"{_line(check)} ({check.record})" for check in checks]
    return Answer(
        {**as_json(proven), **({"checks": checks} if path else {}), "verified": verified},
        *(*lines(proven), "", *shown, verdict_line(result, passed=verified)),
        exit_code=0 if verified else 1,
    )


def _answer(report: Report, strict: bool) -> Answer:
    verified = report.verified and not (strict and report.unknown)
    data = {**report.as_json(), "verified": verified}
    return Answer(data, *_lines(report, verified), exit_code=0 if verified else 1)


def _lines(report: Report, verified: bool) -> Iterator[str]:
    yield from (_line(check) for check in report.checks if check.record is None)
    for record in report.records:
        named = f" {plain(record.name)!r}" if record.name else ""
        yield ""
        yield f"Record {record.id}"
        yield f"  {record.kind}{named} of group {record.group}, by {record.author}, {when(record.time)}"
        yield from (_line(check) for check in report.checks if check.record == record.id)
    known = {record.id for record in report.records}
    yield from (_line(check) for check in report.checks if check.record is not None and check.record not in known)
    yield ""
    yield "What this proves"
    yield from (f"  {plain(sentence)}" for sentence in report.proves or ["Nothing of who committed to what, and when."])
    yield "What this does not prove"
    yield from (f"  {plain(sentence)}" for sentence in report.does_not_prove)
    yield ""
    unknown = f"; {len(report.unknown)} could not be made" if report.unknown else ""
    if verified:
        passed = len(report.checks) - len(report.unknown)
        yield verdict_line(f"Verified: {counted(passed, 'check')} passed{unknown}.", passed=True)
    else:
        names = ", ".join(dict.fromkeys(plain(check.name) for check in report.failed))
        failed = (
            f"{counted(len(report.failed), 'check')} failed ({names})"
            if names
            else "no check failed, but --strict was asked"
        )
        yield verdict_line(f"Not verified: {failed}{unknown}.", passed=False)


def _line(check: Check) -> str:
    verdict = click.style(f"{check.verdict.value:<8}", fg=_COLOURS[check.verdict])
    return f"  {verdict} {plain(check.name):<16} {plain(check.detail)}"
