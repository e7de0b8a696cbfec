"""The command line: `blockchaintracer VERB`. Each verb is one file here and calls one function."""

from __future__ import annotations

import gc
import os
import signal
import sys
from functools import cache
from importlib import import_module
from typing import Any

import click
from typing_extensions import override

from blockchaintracer import __version__
from blockchaintracer.cli.suggestions import SuggestingGroup
from blockchaintracer.cli.used_extras import extra

VERBS = {
    "attest": (None, "Say in your group's name what you found of another group's record."),
    "batch": (None, "Commit to any number of records with one transaction."),
    "bounty": (None, "Pay for reproducing a record: fund, enter, claim."),
    "check": ("check", "Results that a paper states, held against their records."),
    "ci-token": ("tokens", "Which CI job asked for a record, by its provider's token."),
    "community": ("community", "Registries and groups that a community trusts, as a signed file."),
    "compare": ("compare", "What differs between runs, and what repeated runs say."),
    "completion": (None, "Complete verbs, options, ids and names in your shell."),
    "decrypt": (None, "Open what was recorded encrypted to you."),
    "deploy": (None, "Deploy your lab's registry."),
    "disclose": (None, "Show one private value of a run, provably."),
    "estimate": (None, "What recording costs on each network."),
    "export": ("archive", "Write the whole registry to one folder or file."),
    "export-as": (None, "Write a record as RO-Crate, PROV, DSSE, Croissant and others."),
    "export-proof": (None, "Write a file that proves records without a network."),
    "group": (None, "Create groups, invite members, list both."),
    "home": (None, "The lab's folders that you trust."),
    "identity": ("identity", "Say who you are, and check who others are."),
    "impact": ("lineage", "What stands on a record, and so on its retraction."),
    "import": ("archive", "Take a whole registry in from one folder or file."),
    "ipfs": (None, "Files on IPFS: add, fetch, pin, archive."),
    "keys": (None, "Keys that sign and keys that decrypt."),
    "lineage": ("lineage", "What a record came from and what came of it."),
    "materialize": (None, "Store a record from its batch."),
    "mlflow": ("mlflow", "Record MLflow runs and models, and rebuild runs."),
    "network": (None, "The chain that commands use: choose one, add your own."),
    "new": (None, "Start a run document from a template."),
    "node": (None, "The embedded devnet: start, stop, status, log, reset."),
    "outbox": (None, "What still waits to reach the chain."),
    "page": (None, "The page that verifies in a browser: write it, or serve it here."),
    "publish": (None, "Copy what others need to reproduce a record."),
    "query": ("search", "Search the registry's records."),
    "record": (None, "Record datasets, models, software, results or a run."),
    "registry": (None, "Who owns the registry, and which takes its place."),
    "renew": (None, "Hash records again before their hashes can be broken."),
    "report": ("report", "Write cards, sheets and pages of a record."),
    "reproduce": ("reproduce", "Re-run somebody's run from its record, compare, and attest."),
    "retract": (None, "Retract a record, once and for good."),
    "reveal": (None, "Show what was sealed: a record or a verdict."),
    "score": ("score", "What a run documents, and what evidence there is."),
    "seal": (None, "Commit to a record or a verdict now, and show it later."),
    "serve": ("serve", "Answer others' questions over HTTP, read-only."),
    "signature": ("report", "Check a signature of a model, and record it."),
    "status": (None, "The state of your lab, or of one record."),
    "store": (None, "What lies in the lab's store; remove what nothing needs."),
    "verify": (None, "Check a record, a file or a transaction."),
    "witness": (None, "Let others confirm the time of a record."),
}
"""Each verb: the extra that it belongs to, or None for a verb of the lab in this folder; and what it does."""


SECTIONS = {
    "Start": "deploy group keys identity node network estimate status",
    "Record": "record new mlflow seal reveal batch materialize attest reproduce bounty retract renew witness",
    "Check": "verify check compare score signature ci-token community",
    "Find": "query lineage impact",
    "Share": "publish page serve report disclose decrypt export-as export-proof ipfs",
    "Advanced": "completion registry home outbox store export import",
}
"""The verbs as the help shows them."""


class _Verbs(SuggestingGroup):
    """Imports a verb's module when it is called: one verb does not wait for what another needs."""

    @override
    def main(self, *args: Any, **more: Any) -> Any:
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:
                # as Ctrl-C does: a program that a verb started, in a session of its own, would outlive its limits
                signal.signal(number, lambda got, frame: sys.exit(128 + got))
        try:
            return super().main(*args, **more)
        except SystemExit as ended:
            # outside a verb click ends both with 1, which reads as an answer
            for cause, code in ((click.Abort, 130), (BrokenPipeError, 141)):
                if isinstance(ended.__context__, cause):
                    ended.code = code
            raise

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(VERBS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return load(cmd_name) if cmd_name in VERBS else None

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, verbs in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(verb, VERBS[verb][1]) for verb in verbs.split()])


@cache
def load(verb: str) -> click.Command:
    """Return the click command of a verb."""
    _load_keccak()
    owner, file = VERBS[verb][0], f"verb_{verb.replace('-', '_')}"
    module = extra(owner, file) if owner else import_module(f"blockchaintracer.cli.{file}")
    gc.freeze()  # modules stay: to look for garbage among what they made, at the end, would take a tenth of the time
    assert isinstance(module.command, click.Command)  # noqa: S101 -- a slip in this package, not in what a user gave
    return module.command


_VERSION = """%(prog)s, version %(version)s
Whether a version gave a wrong outcome: CHANGELOG.md and the security advisories of its repository say."""


def _load_keccak() -> None:
    """Let pycryptodome load its code by ctypes. By cffi, which first parses C, each verb would take a tenth longer."""
    if not {"cffi", "Crypto.Util._raw_api"} & sys.modules.keys():
        sys.modules["cffi"] = None  # type: ignore[assignment]
        try:
            library = import_module("Crypto.Util._raw_api")
            # it would start the program `file` for what it needs for a name without a path alone
            getattr(library, "cached_architecture", [])[:] = "", ""
        finally:
            del sys.modules["cffi"]


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message=_VERSION)
def main() -> None:
    """Record datasets, models, runs and results so that anyone can check who committed to what, and when.

    The chain proves who committed to which digests and when: never that a result is true.

    \b
    Start here, on a private test chain that starts by itself:
      blockchaintracer record data.csv
      blockchaintracer verify data.csv

    \b
    For others to rely on:
      blockchaintracer network use sepolia
      blockchaintracer keys create lab
      blockchaintracer deploy --open
      blockchaintracer group create "My lab"

    Exit codes: 0 done, 1 not verified, 2 wrong use, 3 chain or network unavailable, 4 consistent (`verify --help`),
    5 inconclusive (`reproduce --help`), 6 you said no, 130 stopped (143 by SIGTERM), 141 nobody
    read what it printed.
    """
    # a shell can close it (`<&-`): then there is nothing to read, as from a pipe
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115 -- open until the process ends
