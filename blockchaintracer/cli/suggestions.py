"""What a group of commands says of a command that it does not have."""

from __future__ import annotations

from difflib import get_close_matches

import click
from typing_extensions import override

_FEW = 15
"""Commands that an error lists."""


class SuggestingGroup(click.Group):
    """Names what was meant, or what there is, if it has no such command."""

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            commands = self.list_commands(ctx)
            if close := get_close_matches(args[0], commands):
                error.message += f" Did you mean {' or '.join(close)}?"
            elif len(commands) <= _FEW:
                error.message += f" There are {', '.join(commands)}."
            raise
