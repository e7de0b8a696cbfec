"""`blockchaintracer new`: a run document to start from."""

from __future__ import annotations

from pathlib import Path

import click

from blockchaintracer.cli.options import PATH, Verb
from blockchaintracer.cli.render import Answer, table
from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.recording.templates import list_templates, load_template, render_template


@click.command(cls=Verb)
@click.option("--template", "name", metavar="NAME", help="The template; --list shows them.")
@click.option("--version", "number", type=int, metavar="NUMBER", help="Of the template. [default: the newest]")
@click.option("-o", "--output", type=PATH, help="The file to write, never over another.")
@click.option("--list", "listed", is_flag=True, help="List the templates.")
def command(name: str | None, number: int | None, output: Path | None, listed: bool) -> Answer:
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
        rows = [[template.name, template.version, template.description] for template in templates]
        return Answer(
            {"templates": [template.to_json() for template in templates]},
            table(None, ["template", "version", "what it is for"], rows),
        )
    template = load_template(str(name), number)
    document = render_template(template.name, template.version)
    if output:
        _write(output, document)
    return Answer(
        {
            "template": template.name,
            "version": template.version,
            "output": str(output) if output else None,
            "document": document,
        },
        f"Fill in {output}, then: blockchaintracer record --from {output}" if output else document.rstrip("\n"),
    )


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(f"expected no file at {path}, got one", hint="Choose another --output.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}", hint="Choose another --output.") from None
