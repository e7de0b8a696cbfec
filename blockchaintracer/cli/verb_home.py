"""`blockchaintracer home`: which folders of a lab this user trusts."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path

import click

from blockchaintracer.cli.options import VerbGroup, require_consent, yes_option
from blockchaintracer.cli.render import Answer, plain
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import read_limited
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.trusted_homes import trust

_LIMIT = 1 << 30


@click.group(cls=VerbGroup)
def command() -> None:
    """A lab's folder: its chain, registry, key and waiting transactions.

    A folder .blockchaintracer that is found from where you work is used only if you created it or trust it.

    \b
    Examples:
      blockchaintracer home trust .blockchaintracer
    """


@command.command("trust")
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
@yes_option
def trust_home(path: Path) -> Answer:
    """Show what is in a home, and use it from now on where it is found.

    Its chain decides what is "verified", and its waiting transactions are signed with your key. Trust it again after
    you moved it.

    \b
    Examples:
      blockchaintracer home trust .blockchaintracer
      blockchaintracer home trust moved/.blockchaintracer --yes
    """
    home = path.resolve()
    lines = _content(home)
    require_consent("\n".join((f"{home} holds:", *lines, "Trust it?")))
    try:
        trust(home)
    except OSError as error:
        raise InputError(f"{plain(str(home))} can't be listed: {error.strerror}") from error
    return Answer({"home": str(home), "content": lines}, f"Trusted: {home}", *lines)


def _content(home: Path) -> list[str]:
    """Say what is in a home that may be a stranger's: copies are read, and nothing in it is changed or made."""
    with tempfile.TemporaryDirectory(prefix="blockchaintracer-") as scratch:
        for name in ("settings.json", "outbox.sqlite", "outbox.sqlite-wal"):
            if os.path.lexists(home / name):
                Path(scratch, name).write_bytes(read_limited(home / name, _LIMIT, "a file of a home", os.O_NOFOLLOW))
        if os.path.lexists(home / "outbox.sqlite-journal"):
            raise InputError(
                f"expected no unfinished change beside the outbox, got {plain(str(home))}/outbox.sqlite-journal",
                hint="It can delete any file of yours when the outbox is opened. Remove it.",
            )
        lab = Lab(Home(scratch))
        chains = lab.settings().get("chains", {})
        lines = [
            f"chain {number}: " + ", ".join(f"{name} {value}" for name, value in values.items())
            for number, values in chains.items()
        ]
        waiting = Counter(entry.write.op for entry in lab.outbox.pending())
        lab.outbox.close()
    lines += [f"registries of: {file.stem}" for file in sorted(home.glob("deployments/*.json"))]
    lines += [f"community: {file.stem}" for file in sorted(home.glob("communities/*.json"))]
    lines += [f"key: {file.stem}" for file in sorted(home.glob("keys/*.json"))]
    lines += [f"waiting: {count} x {op.value}" for op, count in waiting.items()]
    return [plain(line) for line in lines] or ["no settings, no key, nothing that waits"]
