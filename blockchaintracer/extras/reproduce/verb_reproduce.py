"""`blockchaintracer reproduce`: repeats another group's run and attests what was found."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from blockchaintracer.cli.options import FOLDER, group_option, lab_verb, limit_options, source_option
from blockchaintracer.cli.record_names import RECORD
from blockchaintracer.cli.render import Answer, byte_size, hanging, plain, require_agreement, say, when
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest.metric_comparison import compare_metrics
from blockchaintracer.core.verify.outcomes import Conclusion
from blockchaintracer.extras.reproduce.reproduce import Reproduction, reproduce
from blockchaintracer.extras.reproduce.rerun import Plan
from blockchaintracer.lab.capture.locks import PINNED
from blockchaintracer.lab.lab import Lab


@lab_verb(writes=True)
@group_option
@click.argument("record_id", type=RECORD, metavar="ID")
@source_option
@click.option("--yes", is_flag=True, help="Run the recorded code without asking.")
@click.option("--workspace", "folder", type=FOLDER, help="Run in this empty folder, and keep it.")
@click.option("--keep", is_flag=True, help="Keep the temporary folder it ran in.")
@click.option("--python", metavar="PATH", help="Use this interpreter instead of rebuilding the recorded environment.")
@limit_options
@click.option("--allow-network", is_flag=True, help="Let the program use the network.")
@click.option("--allow-build-network", "build_network", is_flag=True, help="Let a package that is built use it, too.")
@click.option("--unsandboxed", is_flag=True, help="Run the program with your rights. Only where nothing else is.")
@click.option("--no-attest", is_flag=True, help="Only compare: record nothing and attest nothing.")
@click.option("--attest-anyway", type=click.Choice(["not-reproduced"]), help="Attest that if it's inconclusive.")
@click.option("--reason", metavar="TEXT", help="Why, in your words, for --attest-anyway: it is recorded.")
def command(
    lab: Lab,
    record_id: str,
    sources: tuple[str, ...],
    yes: bool,
    unsandboxed: bool,
    allow_network: bool,
    build_network: bool,
    no_attest: bool,
    attest_anyway: str | None,
    reason: str | None,
    **options: Any,
) -> Answer:
    """Repeat a run that another group recorded, compare every metric, and attest what you found.

    Everything is fetched by digest; commit, difference and inputs are restored, the environment is rebuilt from the
    recorded lock file, and the recorded command is run. Your group then records the repeated run and attests
    `reproduced` if every metric lies within its recorded tolerance, `not-reproduced` if one differs.

    A program that fails or tells no metric shows nothing, nor does a metric that differs in another environment
    (--python): that is inconclusive, and nothing is attested unless you say so with --attest-anyway and a --reason.

    The program runs in a sandbox (bubblewrap): no network, none of your files or secrets, and limits. If none can be
    made here, nothing is run unless you say --unsandboxed: it then has your rights.

    Exit code 0 if reproduced, 1 if not, 5 if inconclusive.

    \b
    Examples:
      blockchaintracer reproduce ID --from published
      blockchaintracer reproduce ID --from https://lab.example/published --yes
      blockchaintracer reproduce ID --from ipfs://CID
      blockchaintracer reproduce ID --from published --no-attest --keep
    """
    if bool(attest_anyway) != bool(reason and reason.strip()) or (attest_anyway and no_attest):
        raise InputError("expected --attest-anyway with a --reason and without --no-attest, or neither of them")
    if unsandboxed and allow_network:
        raise InputError("expected --unsandboxed or --allow-network, got both: without a sandbox there is a network")
    options |= {"record": not no_attest, "attest_anyway": reason}
    options |= {"sandboxed": not unsandboxed, "network": allow_network}
    options["build_network"] = build_network or (not yes and sys.stdin.isatty() and _may_use_network)
    result = reproduce(lab, record_id, sources, agree=_agree(lab, yes), **options)
    undecided = result.verdict == Conclusion.INCONCLUSIVE
    exit_code = 0 if result.reproduced else Conclusion.INCONCLUSIVE.exit_code if undecided else 1
    return Answer(result, *_lines(result), exit_code=exit_code)


def _may_use_network() -> bool:
    return click.confirm("A package's own code failed to build without a network. Give it one?", err=True)


def _agree(lab: Lab, yes: bool) -> Callable[[Plan], bool]:
    def ask(plan: Plan) -> bool:
        for line in _plan_lines(plan):
            say(line)
        size = (plan.run.environment.model_extra or {}).get("size")
        if plan.lock and isinstance(size, int):
            free = byte_size(shutil.disk_usage(lab.home.path).free)
            say(f"  disk         {byte_size(size)} for its packages, unless they are here; {free} free")
        if yes:
            return True
        if not sys.stdin.isatty():
            raise InputError(
                "nothing was run: it takes your consent to run another's code, and nobody can be asked",
                hint="Look at what is to be run, then pass --yes.",
            )
        require_agreement("Run it?", "Look at what is to be run, then pass --yes.")
        return True

    return ask


def _plan_lines(plan: Plan) -> Iterator[str]:
    key, inputs = plan.record.key, plan.run.inputs
    yield f"Run {plain(plan.run.name)}, recorded by {key.author} for group {key.group}."
    yield from _confinement(plan)
    yield f"  code         commit {plan.commit}{' with the recorded difference applied' if plan.run.code.diffs else ''}"
    folder = plain(plan.run.code.working_folder or "the root of the code")
    yield f"  command      {plain(shlex.join(plan.command))}   (in {folder})"
    if plan.lock:
        packages = plain(f"{plan.lock.path} (SHA-256 {plan.lock.sha256})")
        made = ", which was made from what was installed" if plan.run.environment.lock_from == "made" else ""
        yield f"  environment  packages of {packages}{made}, Python {plain(plan.python or 'of this machine')}"
    else:
        yield f"  environment  {plain(plan.interpreter or '')}, as it is"
    if plan.loose:
        yield "  of which are not packages of one version with a hash, so that they can be anything:"
        # what can be more than another build of a version is seen at once, also among hundreds of them
        versions = [line for line in plan.loose if PINNED.fullmatch(line)]
        yield from (f"    {plain(line)}" for line in plan.loose if line not in versions)
        yield from [hanging("    ", plain(", ".join(versions)))] if versions else []
    for index, entry in enumerate(inputs):
        yield f"  input {index:<6} {plain(entry.name or entry.path or 'input')} (SHA-256 {entry.sha256})"
    for row in compare_metrics(plan.run.metrics, {}):
        yield f"  metric       {plain(row.metric)} = {row.recorded!r}, {row.required}"


def _confinement(plan: Plan) -> Iterator[str]:
    limits = plan.limits
    if plan.sandboxed:
        rights = "with the network of this machine" if plan.network else "without a network"
        gpus = " and the graphics processors" if plan.gpus else ""
        yield (
            f"Reproducing it runs THEIR code in a sandbox, {rights}, seeing the system's programs{gpus} and its own"
            " workspace, and none of your files:"
        )
    else:
        yield "Reproducing it runs THEIR code with YOUR rights: it can read your files and use your network:"
    seconds = "any time" if limits.seconds is None else f"{limits.seconds:,.0f} s"
    yield f"  at most      {byte_size(limits.memory)} of memory, {limits.processes:,} processes and threads, {seconds}"


def _lines(result: Reproduction) -> Iterator[str]:
    found = {True: "within", False: "DIFFERS", None: ""}
    yield from (f"{found[row.within]:8}{plain(str(row))}" for row in result.comparisons)
    states = {True: "the same bytes", False: "other bytes", None: "not written"}
    for output in result.outputs:
        yield f"{plain(output.role)} {plain(output.path)}: {states[output.same]} (for information)"
    yield f"{result.verdict.upper()}: {plain(result.reason) if result.reason else 'every metric was found again.'}"
    if result.run and result.attestation:
        at = result.attestation
        yield f"Recorded as run {result.run.id}"
        yield f"Attested by group {at.group}: {at.what}, on {at.record_id}, block {at.block}, {when(at.time)}"
    else:
        yield "Nothing was recorded or attested."
        if result.verdict == Conclusion.INCONCLUSIVE:
            yield "If you know better, say so with --attest-anyway not-reproduced --reason TEXT."
    if result.standing:
        taken_back = f"`blockchaintracer attest {result.record_id} withdraw` takes it back"
        yield f"What your group says of it on the chain: {result.standing}; {taken_back}."
    if result.workspace:
        yield f"It ran in {result.workspace}"
