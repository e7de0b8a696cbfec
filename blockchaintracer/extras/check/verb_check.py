"""`blockchaintracer check`: results that a paper's repository states, held against their records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.common import Verb, lab_options, make_lab, plain, show
from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.check.claims import RESULTS, Checked, check_claims, read_claims


@click.command(cls=Verb)
@lab_options
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@click.option("--group", "groups", type=int, multiple=True, metavar="NUMBER", help="Only records of this group count.")
@click.option(
    "--from", "sources", multiple=True, metavar="FOLDER|URL", help="A published store to look for manifests in."
)
@click.option("--at-least", type=int, default=0, metavar="NUMBER", help="Fail if fewer results are stated.")
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Check results that files state: each record verifies, is not retracted, and says the number as it's rounded.

    results.yaml if no file is named. YAML lists results, Markdown marks them by a comment, LaTeX by a macro.

    \b
    Examples:
      blockchaintracer check
      blockchaintracer check README.md paper.tex --from https://lab.example/published
      blockchaintracer check results.yaml --group 3 --at-least 12

    Exit codes: 0 all hold, 1 one does not, 2 wrong use, 3 chain unavailable.
    """
    files, groups = options["files"] or (Path(RESULTS),), options.pop("groups")
    claims = [claim for file in files for claim in read_claims(file)]
    if len(claims) < options["at_least"]:
        raise InputError(f"expected at least {options['at_least']} results to be stated, got {len(claims)}")
    checked = check_claims(make_lab(ctx, options), claims, sources=options["sources"], groups=groups) if claims else []
    wrong = [one for one in checked if one.problem]
    show(ctx, {"verified": not wrong, "results": [asdict(one) for one in checked]}, *_lines(checked, len(wrong)))
    if wrong:
        ctx.exit(1)


def _lines(checked: list[Checked], wrong: int) -> Iterator[str]:
    for one in checked:
        verdict = click.style("fail", fg="red") if one.problem else click.style("pass", fg="green")
        yield f"  {verdict} {plain(one.claim.where)}: {plain(one.claim.metric)} = {plain(one.claim.value)}"
        if one.problem:
            yield f"       {plain(one.problem)} (record {one.claim.record})"
    if wrong:
        yield click.style(f"Not verified: {wrong} of {len(checked)} results do not hold.", fg="red", bold=True)
    elif checked:
        yield click.style(f"Verified: {len(checked)} results are what was recorded.", fg="green", bold=True)
    else:
        yield "No results are stated."
