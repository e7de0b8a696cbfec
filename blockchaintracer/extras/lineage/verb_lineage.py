"""`blockchaintracer lineage`: what a record came from and what came of it."""

from __future__ import annotations

from pathlib import Path

import click

from blockchaintracer.cli.holders_shown import known_holders
from blockchaintracer.cli.options import NEW_FILE, lab_verb, offline_option
from blockchaintracer.cli.record_names import RECORD
from blockchaintracer.cli.render import Answer, plain, tree
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import counted
from blockchaintracer.extras.lineage import lineage
from blockchaintracer.extras.search.update import up_to_date
from blockchaintracer.lab.files import write_output
from blockchaintracer.lab.lab import Lab

_ENDINGS = {".mmd": "mermaid", ".dot": "dot", ".svg": "svg"}


@lab_verb()
@click.argument("record_id", type=RECORD, metavar="ID")
@click.option("--depth", type=click.IntRange(1), help="Steps to follow in either direction. [default: all]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["tree", "mermaid", "dot", "svg"]),
    default="tree",
    show_default=True,
    help="How to show it.",
)
@click.option("-o", "--output", type=NEW_FILE, help="Write it to this file: .mmd, .dot or .svg.")
@offline_option
def command(lab: Lab, record_id: str, depth: int | None, form: str, output: Path | None, offline: bool) -> Answer:
    """Show what a record was made from and what was made from it; retracted ancestors are marked.

    \b
    Examples:
      blockchaintracer lineage ID
      blockchaintracer lineage ID --format mermaid
      blockchaintracer lineage ID -o lineage.svg
    """
    if output:
        if output.suffix not in _ENDINGS:
            raise InputError(f"expected a file that ends in {', '.join(_ENDINGS)}, got {output}")
        form = _ENDINGS[output.suffix]
    record_id = lab.parse_id(record_id)
    with up_to_date(lab, offline=offline) as index:
        registry = None if offline else lab.registry
        found = lineage(index, record_id, depth, registry=registry)
    who = () if offline else known_holders(lab, [found.nodes[record_id].row])
    data = found.as_json() | ({"holders": who} if who else {})
    if form == "tree":
        told = [plain(line) for it in who for line in it.lines()]
        return Answer(data, tree(found.named_here(lab.hashes).tree()), *told)
    picture = {"mermaid": found.mermaid, "dot": found.dot, "svg": found.svg}[form]()
    if output is None:
        return Answer(data, picture)
    write_output(output, picture.encode())
    return Answer({**data, "file": str(output)}, f"Wrote {output}: {counted(len(found.nodes), 'record')}.")
