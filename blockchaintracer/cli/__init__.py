"""The command line: `blockchaintracer VERB`. Each verb is one file here and calls one operation."""

from __future__ import annotations

from importlib import import_module

import click

from blockchaintracer import __version__

VERBS = {
    "attest": "Say in your group's name what you found of another group's record.",
    "batch": "Commit to any number of records with one transaction.",
    "check": "Results that a paper states, held against their records.",
    "compare": "What differs between runs, and what repeated runs say.",
    "decrypt": "Open what was recorded encrypted to you.",
    "deploy": "Deploy your lab's registry.",
    "disclose": "Show one private value of a run, provably.",
    "estimate": "What recording costs on each network.",
    "export": "Write the whole registry to one file.",
    "export-as": "Write a record as RO-Crate, PROV, DSSE, Croissant and others.",
    "export-proof": "Write a file that proves records without a network.",
    "group": "Create groups, invite members, list both.",
    "impact": "What stands on a record, and so on its retraction.",
    "import": "Take a whole registry in from one file.",
    "ipfs": "Files on IPFS: add, fetch, pin, archive.",
    "keys": "Keys that sign and keys that decrypt.",
    "lineage": "What a record came from and what came of it.",
    "materialize": "Store a record from its batch.",
    "mlflow": "Record MLflow runs and models, and rebuild runs.",
    "new": "Start a run document from a template.",
    "node": "The embedded devnet: start, stop, status, log, reset.",
    "outbox": "What still waits to reach the chain.",
    "publish": "Copy what others need to reproduce a record.",
    "query": "Search the registry's records.",
    "record": "Record datasets, models, software, results or a run.",
    "report": "Write cards, sheets and pages of a record.",
    "reproduce": "Re-run somebody's run from its record, compare, and attest.",
    "retract": "Retract a record, once and for good.",
    "reveal": "Show what was sealed: a record or a verdict.",
    "review": "The records that wait for your group's verdict.",
    "score": "What a run documents, and what evidence there is.",
    "seal": "Commit to a record or a verdict now, and show it later.",
    "signature": "Check a signature of a model, and record it.",
    "status": "The state of your lab, or of one record.",
    "store": "What lies in the lab's store; remove what nothing needs.",
    "verify": "Check a record, a file or a transaction.",
}
"""Each verb and what it does in one line."""

EXTRAS = {
    "check": "check",
    "compare": "compare",
    "export": "archive",
    "export-as": "report",
    "impact": "search",
    "import": "archive",
    "lineage": "search",
    "mlflow": "mlflow",
    "query": "search",
    "report": "report",
    "reproduce": "reproduce",
    "review": "search",
    "score": "score",
    "signature": "report",
}
"""The extra that a verb belongs to; every other verb is the lab's, in this folder."""


class _Verbs(click.Group):
    """Imports a verb's module when it's called, so that one verb doesn't wait for what another needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return load(cmd_name) if cmd_name in VERBS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(sorted(VERBS.items()))


def load(verb: str) -> click.Command:
    """The click command of a verb."""
    folder = f"extras.{EXTRAS[verb]}" if verb in EXTRAS else "cli"
    command = import_module(f"blockchaintracer.{folder}.verb_{verb.replace('-', '_')}").command
    assert isinstance(command, click.Command)  # noqa: S101 -- a slip in this package, not in what a user gave
    return command


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Record datasets, models, runs and results so that anyone can check who committed to what, and when.

    The chain proves who committed to which digests and when: never that a result is true.

    \b
    Start here:
      blockchaintracer deploy --open
      blockchaintracer group create "My lab"
      blockchaintracer record --dataset data.csv
      blockchaintracer verify data.csv

    Exit codes: 0 done, 1 not verified, 2 wrong use, 3 chain or network unavailable.
    """
