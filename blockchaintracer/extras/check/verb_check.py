"""`blockchaintracer check`: results that a paper's repository states, held against their records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from blockchaintracer.cli.options import PATH, lab_verb, source_option
from blockchaintracer.cli.render import Answer, plain, verdict_line
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import counted
from blockchaintracer.core.verify.outcomes import Conclusion
from blockchaintracer.extras.check.claims import RESULTS, Checked, check_claims, read_claims
from blockchaintracer.lab.lab import Lab


@lab_verb()
@click.argument("files", nargs=-1, type=PATH, metavar="[FILE]...")
@click.option("--group", "groups", type=int, multiple=True, metavar="NUMBER", help="Only records of this group count.")
@source_option
@click.option("--at-least", type=int, default=0, metavar="NUMBER", help="Fail if fewer results are stated.")
def command(
    lab: Lab, files: tuple[Path, ...], groups: tuple[int, ...], sources: tuple[str, ...], at_least: int
) -> Answer:
    """Check results that files state: each record verifies, is not retracted, and states the number as it is rounded.

    results.yaml if no file is named. YAML lists results, Markdown marks them by a comment, LaTeX by a macro.

    \b
    Examples:
      blockchaintracer check
      blockchaintracer check README.md paper.tex \\
        --from https://lab.example/published
      blockchaintracer check results.yaml --group 3 --at-least 12

    Exit codes: 0 all hold, 1 one does not, 2 wrong use, 3 chain or source unavailable.
    """
    claims = [claim for file in files or (Path(RESULTS),) for claim in read_claims(file)]
    if len(claims) < at_least:
        raise InputError(f"expected at least {at_least} results to be stated, got {len(claims)}")
    checked = check_claims(lab, claims, sources=sources, groups=groups) if claims else []
    unavailable = sum(result.unavailable for result in checked)
    wrong = sum(result.problem is not None for result in checked) - unavailable
    conclusion = Conclusion.UNAVAILABLE if unavailable else Conclusion.VERIFIED
    conclusion, private = Conclusion.NOT_VERIFIED if wrong else conclusion, bool(checked and lab.on_devnet)
    verified = conclusion.verified
    data = {"outcome": conclusion.value, "verified": verified, "privateTestChain": private, "results": checked}
    return Answer(data, *_lines(checked, wrong, unavailable, private), exit_code=conclusion.exit_code)


def _lines(checked: list[Checked], wrong: int, unavailable: int, private: bool) -> Iterator[str]:
    for result in checked:
        verdict = click.style("fail", fg="red") if result.problem else click.style("pass", fg="green")
        verdict = click.style("unavailable", fg="yellow") if result.unavailable else verdict
        yield f"  {verdict} {plain(result.claim.where)}: {plain(result.claim.metric)} = {plain(result.claim.value)}"
        if result.problem:
            yield f"       {plain(result.problem)} (record {result.claim.record})"
        elif result.note:
            yield f"       {plain(result.note)}"
    stated = counted(len(checked), "result")
    if wrong:
        yield verdict_line(Conclusion.NOT_VERIFIED, f"{wrong} of {stated} {'does' if wrong == 1 else 'do'} not hold.")
    elif unavailable:
        text = f"{unavailable} of {stated} could not be checked; the others hold."
        yield verdict_line(Conclusion.UNAVAILABLE, text)
    elif checked:
        yield verdict_line(
            Conclusion.VERIFIED, f"{stated} {'is' if len(checked) == 1 else 'are'} what was recorded.", private=private
        )
    else:
        yield "No results are stated. docs/ci.md says how to list them in YAML and mark them in a text."
