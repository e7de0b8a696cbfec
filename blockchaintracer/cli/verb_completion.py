"""`blockchaintracer completion`: what a shell needs to complete verbs, options, ids and names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from blockchaintracer.cli.options import Verb
from blockchaintracer.cli.render import Answer

_NAME = "blockchaintracer"
_VARIABLE = "_BLOCKCHAINTRACER_COMPLETE"


@click.command(cls=Verb)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> Answer:
    """Print the completion for a shell: of verbs, options, networks, and of the ids and names that are known here.

    \b
    Examples:
      eval "$(blockchaintracer completion bash)"                 in ~/.bashrc
      eval "$(blockchaintracer completion zsh)"                  in ~/.zshrc
      blockchaintracer completion fish \\
        > ~/.config/fish/completions/blockchaintracer.fish
    """
    from blockchaintracer.cli import main

    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 -- the three shells are those of click
    # click asks bash for its version; the script needs no bash here
    script = found.source_template % found(main, {}, _NAME, _VARIABLE).source_vars()
    return Answer({"shell": shell, "script": script}, script)
