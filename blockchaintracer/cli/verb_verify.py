"""`blockchaintracer verify`: what was recorded, checked against what is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from blockchaintracer.cli.common import Verb, lab_options, make_lab, plain, progress_bar, show, when
from blockchaintracer.cli.verb_export_proof import as_json, lines
from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.networks import network_by_name
from blockchaintracer.core.record import checksummed
from blockchaintracer.core.verify import Check, Outcome, Report
from blockchaintracer.core.verify.bundle import ProvenBundle
from blockchaintracer.lab.bundle.export_proof import hold_against, is_bundle, verify_proof
from blockchaintracer.lab.private.disclose import is_disclosure, verify_disclosure
from blockchaintracer.lab.verify_here import verify, verify_order

_OF_A_PATH = ("path", "record", "group")
_COLOURS = {Outcome.PASS: "green", Outcome.FAIL: "red", Outcome.UNKNOWN: "yellow"}


@click.command(cls=Verb)
@lab_options
@click.argument("target", required=False, metavar="[ID|PATH|TRANSACTION|mlflow:RUN]")
@click.option("--path", type=click.Path(path_type=Path), help="Hold this file or folder against the record ID.")
@click.option("--record", metavar="ID", help="Hold PATH against this record alone.")
@click.option("--group", type=int, metavar="NUMBER", help="Of a PATH, only records of this group count.")
@click.option("--before", nargs=2, metavar="A B", help="Prove that record A came before record B.")
@click.option(
    "--from", "sources", multiple=True, metavar="FOLDER|URL", help="A published store to look for content in."
)
@click.option(
    "--tracking-uri",
    metavar="URI",
    envvar="MLFLOW_TRACKING_URI",
    help="Where MLflow keeps the run mlflow:RUN; one with a password only by the variable. [env: MLFLOW_TRACKING_URI]",
)
@click.option("--strict", is_flag=True, help="What can't be checked fails too.")
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Check a record, a file or folder, or a transaction: each check with its verdict, then what that proves.

    A record that is only in a batch is checked by its proof file: the one kept here, or one named instead of the id.

    What is there is re-hashed: one changed byte is found and the file named. A check whose material is not here is
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

    An MLflow run is held against what MLflow shows of it now: what was changed since is named.

    Exit codes: 0 verified, 1 not verified, 2 wrong use, 3 chain unavailable.
    """
    target, before, strict = options["target"], options["before"], options["strict"]
    if target is not None and is_bundle(Path(target)):
        _bundle(ctx, Path(target), options)
        return
    lab = make_lab(ctx, {**options, "group": None})
    if target is not None and is_disclosure(Path(target)):
        _refuse(ctx, "a disclosure", *_OF_A_PATH, "before")
        report = verify_disclosure(lab, Path(target), options["sources"])
        _show(ctx, report, strict)
        return
    if (target is None) == (before is None):
        raise InputError(
            "expected one thing to verify: an id, a path, a transaction, or --before A B", hint="See `verify --help`."
        )
    if target and target.startswith("mlflow:"):
        _refuse(ctx, "a run of MLflow", *_OF_A_PATH)
        from blockchaintracer.extras.mlflow.run_checks import verify_run

        with progress_bar(ctx, "hashing") as progress:
            report = verify_run(
                lab,
                target.removeprefix("mlflow:"),
                options["tracking_uri"],
                sources=options["sources"],
                progress=progress,
            )
    elif before:
        _refuse(ctx, "--before", *_OF_A_PATH, "sources")
        report = verify_order(lab, *before)
    else:
        wanted = {name: options[name] for name in ("path", "record", "group", "sources")}
        shown = [path for path in (Path(target), options["path"]) if path and path.exists()]
        with progress_bar(ctx, "hashing", shown) as progress:
            report = verify(lab, target, **wanted, progress=progress)
    _show(ctx, report, strict)


def _refuse(ctx: click.Context, what: str, *names: str, why: str = "") -> None:
    """Refuses options that were given and mean nothing here: what is asked for and not checked reads as checked."""
    for param in ctx.command.params:
        if param.name in names and ctx.get_parameter_source(param.name) is ParameterSource.COMMANDLINE:
            raise InputError(f"expected no {param.opts[0]} beside {what}{why}", hint="See `verify --help`.")


def _bundle(ctx: click.Context, file: Path, options: dict[str, Any]) -> None:
    """Verifies a proof bundle, and a file or folder against its records."""
    _refuse(ctx, "a proof bundle", "record", "group", "before", "sources")
    _refuse(ctx, "a proof bundle", "strict", why=": its blocks can never be checked without a network")
    proven = verify_proof(file)
    _require_asked(proven, options)
    checks: list[Check] = []
    if path := options["path"]:
        with progress_bar(ctx, "hashing", [path]) as progress:
            checks = hold_against(proven, path, progress)
    verified = all(check.verdict is Outcome.PASS for check in checks)
    given = f"{len(proven.records)} records, given the blocks above"
    if verified:
        held = (
            f", and {plain(str(path))} is of {', '.join(dict.fromkeys(str(it.record) for it in checks))}"
            if path
            else ""
        )
        found = click.style(f"Verified without a network: {given}{held}.", fg="green", bold=True)
    else:
        found = click.style(f"Not verified: {plain(str(path))} is of none of the {given}.", fg="red", bold=True)
    shown = [_line(check) if len(proven.records) == 1 else f"{_line(check)} ({check.record})" for check in checks]
    told = {"checks": [asdict(check) for check in checks]} if path else {}
    show(ctx, {**as_json(proven), **told, "verified": verified}, *lines(proven), "", *shown, found)
    if not verified:
        ctx.exit(1)


def _require_asked(proven: ProvenBundle, options: dict[str, Any]) -> None:
    """The registry and network that were named are the bundle's own."""
    registry, network = options.get("registry"), options.get("network")
    if registry and checksummed(registry, "a registry's address").lower() != proven.registry:
        raise NotVerified(f"the bundle is of the registry {proven.registry}, and {registry} was asked")
    if network and network_by_name(network).chain_id != proven.chain_id:
        raise NotVerified(f"the bundle is of chain {proven.chain_id}, and {network} was asked")


def _show(ctx: click.Context, report: Report, strict: bool) -> None:
    verified = report.verified and not (strict and report.unknown)
    show(ctx, {**report.as_json(), "verified": verified}, *_lines(report, verified))
    if not verified:
        ctx.exit(1)


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
        yield click.style(f"Verified: {passed} checks passed{unknown}.", fg="green", bold=True)
    else:
        names = ", ".join(dict.fromkeys(plain(check.name) for check in report.failed))
        failed = f"{len(report.failed)} checks failed ({names})" if names else "no check failed, but --strict was asked"
        yield click.style(f"Not verified: {failed}{unknown}.", fg="red", bold=True)


def _line(check: Check) -> str:
    verdict = click.style(f"{check.verdict.value:<8}", fg=_COLOURS[check.verdict])
    return f"  {verdict} {plain(check.name):<16} {plain(check.detail)}"
