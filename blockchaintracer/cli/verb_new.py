"""`blockchaintracer new`: a run document to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.common import Verb, show, table
from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.recording.templates import list_templates, load_template, render_template


@click.command(cls=Verb)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@click.option("--template", "name", metavar="NAME", help="The template; --list shows them.")
@click.option("--version", "number", type=int, metavar="NUMBER", help="Of the template. [default: the newest]")
@click.option("--output", type=click.Path(path_type=Path), help="The file to write, never over another.")
@click.option("--list", "listed", is_flag=True, help="List the templates.")
@click.pass_context
def command(
    ctx: click.Context, /, name: str | None, number: int | None, output: Path | None, listed: bool, **options: Any
) -> None:
    """Start a run document from a template: what an experiment of a kind states, with a comment on each value.

    A run that names a template is checked against it before anything of the run is written.

    \b
    Examples:
      blockchaintracer new --list
      blockchaintracer new --template classification --output run.yaml
      blockchaintracer record --from run.yaml
    """
    if listed == (name is not None):
        raise InputError("expected either --template NAME or --list", hint="`blockchaintracer new --list` shows them.")
    if listed:
        templates = list_templates()
        show(ctx, {"templates": [template.to_json() for template in templates]})
        if not options["as_json"]:
            rows = [[template.name, str(template.version), template.description] for template in templates]
            table(None, ["template", "version", "what it is for"], rows)
        return
    template = load_template(str(name), number)
    text = render_template(template.name, template.version)
    if output:
        _write(output, text)
    data = {"template": template.name, "version": template.version, "output": str(output) if output else None}
    said = f"Fill in {output}, then: blockchaintracer record --from {output}" if output else text.rstrip("\n")
    show(ctx, data | {"document": text}, said)


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(f"expected no file at {path}, got one", hint="Choose another --output.") from None
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}", hint="Choose another --output.") from None
