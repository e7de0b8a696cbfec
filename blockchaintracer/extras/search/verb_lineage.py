"""`blockchaintracer lineage`: what a record came from and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.common import Verb, lab_options, make_lab, show
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import normal_digest
from blockchaintracer.extras.search import impact, lineage
from blockchaintracer.extras.search.update import up_to_date
from blockchaintracer.lab.files import write_whole

_ENDINGS = {".mmd": "mermaid", ".dot": "dot", ".svg": "svg"}


@click.command(cls=Verb)
@lab_options
@click.argument("record_id", metavar="ID")
@click.option("--depth", type=click.IntRange(1), help="Steps to follow in either direction. [default: all]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["tree", "mermaid", "dot", "svg"]),
    default="tree",
    show_default=True,
    help="How to show it.",
)
@click.option(
    "--impact", "only_impact", is_flag=True, help="Only list what stands on the record, as if it were retracted."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file: .mmd, .dot or .svg."
)
@click.option("--offline", is_flag=True, help="Follow what was read before, without the chain.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    record_id: str,
    depth: int | None,
    form: str,
    only_impact: bool,
    output: Path | None,
    offline: bool,
    **options: Any,
) -> None:
    """Show what a record was made from and what was made from it; retracted ancestors are marked.

    \b
    Examples:
      blockchaintracer lineage ID
      blockchaintracer lineage ID --format mermaid
      blockchaintracer lineage ID -o lineage.svg
      blockchaintracer lineage ID --impact
    """
    if output:
        if output.suffix not in _ENDINGS:
            raise InputError(f"expected a file that ends in {', '.join(_ENDINGS)}, got {output}")
        form = _ENDINGS[output.suffix]
    record_id = normal_digest(record_id, "record id")
    lab = make_lab(ctx, options)
    with up_to_date(lab, offline=offline) as index:
        registry = None if offline else lab.registry
        if only_impact:
            rows = impact(index, record_id, registry=registry)
            show(
                ctx,
                {"impact": [row.as_json() for row in rows]},
                *[f"{row.id}  {row.kind}  {row.name or ''}".rstrip() for row in rows],
            )
            return
        found = lineage(index, record_id, depth, registry=registry)
    if output:
        picture = {"mermaid": found.mermaid, "dot": found.dot, "svg": found.svg}[form]()
        try:
            write_whole(output, picture.encode(), 0o666)
        except OSError as error:
            raise InputError(f"expected a file that can be written, got {output}: {error.strerror}") from None
        show(ctx, {**found.as_json(), "file": str(output)}, f"Wrote {output}: {len(found.nodes)} records.")
        return
    show(ctx, found.as_json())
    if ctx.params["as_json"]:
        return
    if form == "tree":
        from rich.console import Console

        Console(highlight=False).print(found.tree())
    else:
        click.echo({"mermaid": found.mermaid, "dot": found.dot, "svg": found.svg}[form]())
