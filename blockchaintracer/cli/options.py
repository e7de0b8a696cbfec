"""The options that verbs share, each written once, and the command class of all verbs."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import fields
from functools import partial, wraps
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem
from typing_extensions import override

from blockchaintracer.cli.record_names import RECORD_AND_RELATION, YES, name_records
from blockchaintracer.cli.render import (
    JSON,
    LAB,
    VERBOSE,
    Answer,
    Declined,
    folded,
    hide_bar,
    plain,
    require_agreement,
    say,
    show_error,
)
from blockchaintracer.cli.suggestions import SuggestingGroup
from blockchaintracer.core.digest import DEFAULT_PROFILE, PROFILES
from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable, InputError, SourceWarning
from blockchaintracer.core.networks import NETWORKS
from blockchaintracer.core.record import Domain, Verdict, label
from blockchaintracer.lab.chosen_network import RPC_VARIABLE, choose_network
from blockchaintracer.lab.chosen_network import VARIABLE as NETWORK_VARIABLE
from blockchaintracer.lab.files import FULL
from blockchaintracer.lab.keys import KEY, PASSPHRASE_FILE
from blockchaintracer.lab.lab import Lab, Until
from blockchaintracer.lab.lab_folder import VARIABLE, Home

if TYPE_CHECKING:
    from blockchaintracer.core.chain.registry import KeySource
    from blockchaintracer.core.record_view import RecordView
    from blockchaintracer.core.verify.inclusion import Inclusion

DASHES = "blockchaintracer.dashes"
"""Key in a click context's meta: whether ``--`` was given."""
GIVEN = "blockchaintracer.given"
"""Key in a click context's meta under which Ape's scripts leave connection and signer."""
PASSPHRASE_EPILOG = f"Without a terminal the passphrase is read from the file that ${PASSPHRASE_FILE} names."
VERDICTS = [label(verdict) for verdict in Verdict if verdict is not Verdict.NONE]

F = TypeVar("F", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)
NEW_FILE = click.Path(path_type=Path, dir_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
FOLDER = click.Path(path_type=Path, file_okay=False)


class Verb(click.Command):
    """A command that shows its `Answer`, or its error, and ends with the exit code of either."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("context_settings", {"help_option_names": ["-h", "--help"]})
        super().__init__(*args, **kwargs)
        self.params.append(
            click.Option(
                ["--json"],
                is_flag=True,
                expose_value=False,
                callback=lambda ctx, param, value: ctx.meta.update({JSON: value}),
                help="Print one JSON object on stdout.",
            )
        )

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[DASHES] = "--" in args
        return super().parse_args(ctx, args)

    @override
    def invoke(self, ctx: click.Context) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always", SourceWarning)
                shown = warnings.showwarning
                warnings.showwarning = lambda told, kind, *more, **named: (
                    click.echo(f"warning: {plain(str(told))}", err=True)
                    if issubclass(kind, SourceWarning)
                    else shown(told, kind, *more, **named)
                )
                answer = super().invoke(ctx)
            if isinstance(answer, Answer):
                try:
                    answer.show()
                    sys.stdout.flush()
                except OSError as error:
                    _print_no_more()
                    if isinstance(error, BrokenPipeError):
                        raise
                    click.echo(f"Error: the answer can't be printed: {error.strerror}", err=True)
                    ctx.exit(2)
                ctx.exit(answer.exit_code)
            return answer
        except BlockchainTracerError as error:
            lab = ctx.meta.get(LAB)
            if isinstance(error, ChainUnavailable) and lab and lab.home.outbox.exists() and lab.outbox.waiting():
                kept = "Nothing is lost: what was stored is sent by `blockchaintracer outbox flush`."
                error.hint = f"{error.hint or ''} {kept}".strip()
            show_error(error)
            ctx.exit(error.exit_code)
        except Declined:
            click.echo("Nothing was done: you said no.", err=True)
            ctx.exit(Declined.exit_code)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except (BrokenPipeError, SystemExit) as error:
            if not isinstance(error.__context__ if isinstance(error, SystemExit) else error, BrokenPipeError):
                raise
            # as SIGPIPE ends a program: the 1 of click and rich would read as an answer
            _print_no_more()
            ctx.exit(141)
        except (KeyboardInterrupt, click.Abort):
            click.echo("\nStopped. What was stored is kept and goes on with the next command.", err=True)
            ctx.exit(130)
        except Exception as error:
            # of a file that is open already, a full disk gives no name
            if isinstance(error, OSError) and (error.filename or error.errno in FULL) and error.strerror:
                show_error(
                    InputError(
                        f"can't use {error.filename or 'a file'}: {error.strerror}",
                        hint="Check that there is room, and that you may read and write there.",
                    )
                )
                ctx.exit(InputError.exit_code)
            # Python's own exit code 1 would read as an answer: not verified, not reproduced
            import traceback

            traceback.print_exc()
            if ctx.meta.get(JSON):
                show_error(BlockchainTracerError(f"unexpected: {type(error).__name__}", hint="stderr tells more."))
            ctx.exit(2)

    @override
    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        lines: dict[bool, list[tuple[str, str]]] = {False: [], True: []}
        for param in self.get_params(ctx):
            if line := param.get_help_record(ctx):
                lines[isinstance(param, Shared)].append(line)
        for is_shared, title in ((False, "Options"), (True, "Lab, network and key")):
            if lines[is_shared]:
                with formatter.section(title):
                    formatter.write_dl(lines[is_shared])


def _print_no_more() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class VerbGroup(SuggestingGroup):
    """A verb with sub-verbs."""

    command_class = Verb

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("context_settings", {"help_option_names": ["-h", "--help"]})
        super().__init__(*args, **kwargs)

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            # click's own cuts each summary to the width that is left; here it is folded
            formatter.write_dl([(name, verb.get_short_help_str(2**10)) for name, verb in sorted(self.commands.items())])

    def lab_verb(
        self, name: str | None = None, *, writes: bool = False, starts: bool = False, **more: Any
    ) -> Callable[[F], click.Command]:
        """Add a sub-verb of the lab, as `lab_verb`; `starts` is one that writes nothing new and starts the devnet."""
        return lambda function: self.command(name, **more)(lab_options(function, writes=writes, starts=starts))


def lab_verb(*, writes: bool = False, **more: Any) -> Callable[[F], click.Command]:
    """Make a verb of the lab: it has `lab_options`, and its function gets a `Lab` as its first argument.

    Args:
        writes: the verb may send transactions.
    """
    return lambda function: click.command(cls=Verb, **more)(lab_options(function, writes=writes))


class NetworkName(click.ParamType):
    """The name of a network, which a shell completes."""

    name = "network"

    @override
    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(it.name, help=it.title) for it in NETWORKS if it.name.startswith(incomplete)]


class Shared(click.Option):
    """An option of every verb of the lab: the help shows them last."""


class Connection(Shared):
    """An option that chooses chain or signer: the scripts under Ape have Ape's own options in its place."""


def _bundle(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Join options to one decorator, in the order in which the help shows them."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


# -- the lab

home_option = click.option(
    "--home", cls=Shared, type=click.Path(file_okay=False), help=f"The lab's folder. [env: {VARIABLE}]"
)
group_option = click.option(
    "--group", type=int, metavar="NUMBER", help="The group to act for. [default: created, joined or chosen last]"
)
connection_options = _bundle(
    click.option(
        "--rpc",
        cls=Connection,
        metavar="URL",
        envvar=RPC_VARIABLE,
        help="JSON-RPC of an EVM chain, or several of one chain with commas between. Give an address with a key in it "
        f"only by the variable. [env: {RPC_VARIABLE}]",
    ),
    click.option(
        "--network",
        cls=Connection,
        type=NetworkName(),
        metavar="NAME",
        help=f"{', '.join(network.name for network in NETWORKS)}, or one that was added. "
        f"[default: the one in use: `network --help`] [env: {NETWORK_VARIABLE}]",
    ),
    click.option(
        "--key",
        cls=Connection,
        metavar="NAME",
        envvar=KEY,
        help=f"Key in the keystore, path of a keystore file, or command:/path/to/program. [env: {KEY}]",
    ),
    click.option(
        "--chain-id",
        cls=Shared,
        type=click.IntRange(1),
        metavar="N",
        help="The chain that you choose; the node must be of it.",
    ),
    click.option("--registry", cls=Shared, metavar="ADDRESS", help="The registry. [default: the one written to last]"),
    home_option,
)
"""The options of which `make_lab` makes a lab."""


flush_all_option = click.option(
    "--flush-all", is_flag=True, help="Send older writes that wait in the outbox, too. [default: ask, or leave them]"
)


def lab_options(function: F, *, writes: bool = False, starts: bool = False) -> F:
    """Add the options that choose folder, chain, registry and key, of which a verb's `Lab` is made."""

    @wraps(function)
    def with_lab(**options: Any) -> Any:
        lab = make_lab(click.get_current_context(), options, reads=not writes)
        lab.starts_devnet |= starts
        return function(lab, **options)

    return connection_options(flush_all_option(with_lab) if writes else with_lab)  # type: ignore[return-value]


def make_lab(ctx: click.Context, options: dict[str, Any], *, reads: bool = False) -> Lab:
    """Return the lab of a verb's options, and take them out of `options`.

    Args:
        reads: the verb reads only: of a node it takes no chain that was not chosen.
    """
    home, rpc, network, chain_id, registry, key, group = (
        options.pop(name, None) for name in ("home", "rpc", "network", "chain_id", "registry", "key", "group")
    )
    folder = Home(home)
    lab = ctx.meta[LAB] = Lab(
        home=folder,
        rpc=rpc,
        named_chain=chain_id,
        only_known=reads,
        starts_devnet=not reads,
        registry_address=registry,
        key_name=key,
        group_number=group,
        hand_over=options.get("until") == "stored",
        ask=ask if sys.stdin.isatty() else None,
        confirm=_confirmed if sys.stdin.isatty() else None,
        flush_all=options.pop("flush_all", False),
        say=say,
        keys=[partial(_index_keys, folder.index)],
        **ctx.meta.get(GIVEN, {}),
    )
    if GIVEN not in ctx.meta and (chosen := choose_network(lab, network)) and not reads:
        lab.say(chosen)
    name_records(ctx, lab, options, signs=not reads)
    return lab


_INDEX_KEYS = "blockchaintracer.extras.search.rows"


def _index_keys(index: Path, domain: Domain) -> KeySource:
    """Return the source of the keys in the index, which is imported by name, as all extras are, when one is needed."""

    def known(digest: str) -> Iterable[RecordView | Inclusion]:
        keys: KeySource = import_module(_INDEX_KEYS).index_keys(index, domain)
        return keys(digest)

    return known


def _confirmed(question: str) -> bool:
    hide_bar()
    return click.confirm(folded(question, err=True), err=True)


def ask(question: str) -> str:
    """Ask for a passphrase at the terminal, unseen."""
    hide_bar()
    return str(click.prompt(question, hide_input=True, err=True))


def require_consent(question: str) -> None:
    """Ask at the terminal, or read the answer, unless --yes was given. Without an answer nothing is done."""
    if click.get_current_context().meta.get(YES):
        return
    require_agreement(question, "Answer the question, or pass --yes.")


# -- options of several verbs


def _noted(*names: str, key: str, text: str) -> Callable[[F], F]:
    """Make a flag that is kept in the context's meta, where what asks and what shows looks for it."""
    note = partial(_note, key)
    return click.option(*names, is_flag=True, expose_value=False, callback=note, help=text)


def _note(key: str, ctx: click.Context, param: click.Parameter, value: bool) -> None:
    ctx.meta[key] = value


source_option = click.option(
    "--from", "sources", multiple=True, metavar="FOLDER|URL", help="A published store to fetch from; repeatable."
)
record_it_option = click.option(
    "--record", "to_record", is_flag=True, help="Record it as a document derived from the record."
)
offline_option = click.option("--offline", is_flag=True, help="Use what was read before, without the chain.")
agreed_option = _noted(
    "--yes", key=YES, text="Do not ask whether a name or the first digits of an id mean the right record."
)
verbose_option = _noted("-v", "--verbose", key=VERBOSE, text="Show hashes in full at a terminal, too.")
yes_option = _noted("--yes", key=YES, text="Do not ask.")
csv_option = click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
profile_option = click.option(
    "--profile", type=click.Choice(list(PROFILES)), default=DEFAULT_PROFILE, show_default=True, help="CID profile."
)
allow_secret_option = click.option(
    "--allow-secret",
    "allowed",
    multiple=True,
    metavar="PATH:LINE",
    help="Let pass what looks like a secret there and is none. May be repeated.",
)
tracking_option = click.option(
    "--tracking-uri",
    metavar="URI",
    envvar="MLFLOW_TRACKING_URI",
    help="MLflow's server or store; one with a password only by the variable. [env: MLFLOW_TRACKING_URI]",
)


class _Until(click.ParamType):
    name = "until"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Until:
        if isinstance(value, int) or value in ("stored", "included", "final"):
            return value  # type: ignore[no-any-return]
        if isinstance(value, str) and value.isdecimal() and len(value) < 7:
            return int(value)
        self.fail(f"expected stored, included, final or a number of blocks, got {value!r}", param, ctx)


wait_option = click.option(
    "--wait",
    "until",
    type=_Until(),
    default="included",
    metavar="UNTIL",
    help="Wait until it is included in a block (the default), final, or has a NUMBER of blocks on top. With stored, "
    "nothing is sent: `blockchaintracer outbox flush` does it.",
)

# -- what is recorded


def _values(option: str, name: str, text: str) -> Callable[[F], F]:
    return click.option(option, name, multiple=True, metavar="K=V", help=text)


_request_options = _bundle(
    click.option(
        "--dataset",
        "datasets",
        multiple=True,
        metavar="PATH|URL",
        help="A file or folder to record as a dataset; or an address (https://, s3://, gs://, hf://datasets/…), hashed "
        "as it comes and kept only with --copy.",
    ),
    click.option("--model", "models", multiple=True, type=PATH, help="A file or folder to record as a model."),
    click.option("--artifact", "artifacts", multiple=True, type=PATH, help="A file that the run wrote; see --kind."),
    click.option(
        "--kind", help="Record each FILE and --artifact as this kind: result, software, document, 128 to 255, …."
    ),
    click.option("--name", help="Name of the run, or of the one thing that is recorded."),
    click.option("--description", help="A description for people."),
    click.option("--license", help="Licence of a dataset, model or software: an SPDX identifier."),
    click.option("--source", help="Where a dataset, model or software comes from."),
    click.option("--citation", help="How a dataset, model or software is cited."),
    click.option("--allow-local", is_flag=True, help="Let the address of a --dataset be in a private network."),
    _values("--param", "params", "A parameter of the run."),
    _values("--metric", "metrics", "A metric that you declare: nobody can compare it with a repeated run."),
    click.option(
        "--metrics",
        "metric_files",
        multiple=True,
        metavar="FILE",
        help="A file in which the program writes metrics: JSON, YAML, TOML, CSV, dvc.yaml, MLflow's mlruns or "
        "database; or a pattern such as 'lightning_logs/*/metrics.csv'. All but MLflow's become outputs of "
        "the run, unless it has private values.",
    ),
    click.option(
        "--metric-from",
        "metric_from",
        multiple=True,
        metavar="NAME=SOURCE:REGEX",
        help="A metric in what the program prints to stdout or stderr, or in a file: group 1 of the last match.",
    ),
    click.option(
        "--tolerance",
        "tolerances",
        multiple=True,
        metavar="NAME=VALUE",
        help="How far a metric may be off in a repeated run: 0.01, 1%, count (exactly) or none (it is not compared).",
    ),
    _values("--private-param", "private_params", "A parameter that is not shown."),
    _values("--private-metric", "private_metrics", "A metric that is not shown."),
    click.option(
        "--encrypt-to",
        multiple=True,
        metavar="RECIPIENT",
        help="Record files and private values encrypted to age1…, an SSH public key, an encryption key of this lab, or "
        "those in a file.",
    ),
    click.option(
        "--in-place/--copy",
        "in_place",
        default=None,
        envvar="BLOCKCHAINTRACER_IN_PLACE",
        help="Leave what is read where it lies, and keep its place and digest instead of a copy. [default: copy; large "
        "files are asked about once] [env: BLOCKCHAINTRACER_IN_PLACE]",
    ),
    click.option("--in-the-open", is_flag=True, help="Record files in the open that were recorded encrypted before."),
    _values("--seed", "seeds", "A seed of the run."),
    click.option("--from", "document", type=PATH, help="A run document, YAML or JSON (`new` writes one)."),
    click.option(
        "--parent",
        "parents",
        type=RECORD_AND_RELATION,
        multiple=True,
        metavar="ID:RELATION",
        help="A parent, such as ID:supersedes.",
    ),
    click.option(
        "--reproduces",
        metavar="eip155:CHAIN:REGISTRY/ID",
        help="A record of another registry that the run reproduces; a reference to it is recorded with it.",
    ),
    click.option(
        "--lock",
        type=PATH,
        help="Lock file of the run's environment. [default: the one of the folder or repository; else one is made "
        "from what is installed]",
    ),
    click.option("--image", metavar="NAME@DIGEST", help="Container image that the run is in, by name@sha256:DIGEST."),
    click.option("--look-up-hashes", is_flag=True, help="Ask the package index for the hashes of a lock that is made."),
    click.option("--with-host-name", is_flag=True, help="Record this machine's name."),
    agreed_option,
    click.option("--with-user-name", is_flag=True, help="Record your user name."),
    click.option("--sandbox", "sandboxed", is_flag=True, help="Run the program shut in, as `reproduce` does."),
    click.option("--allow-network", is_flag=True, help="Let a program in --sandbox use the network."),
    click.argument("program", nargs=-1, type=click.UNPROCESSED, metavar="[FILE... | -- PROGRAM [ARGUMENT]...]"),
    group_option,
)


limit_options = _bundle(
    click.option("--timeout", "timeout_s", type=click.FloatRange(min=0), metavar="SECONDS", help="Give up after that."),
    click.option(
        "--memory",
        type=click.FloatRange(min=0.01),
        metavar="GIB",
        callback=lambda ctx, param, value: value and int(value * 2**30),
        help="Memory of the program and all that it starts. [default: three quarters of this machine's]",
    ),
    click.option("--processes", type=click.IntRange(min=1), metavar="N", help="Processes and threads. [default: 4096]"),
)


def _files_without_dashes(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with the files that were given without ``--`` as datasets: ``record data.csv``."""
    words = options["program"]
    if not words or click.get_current_context().meta.get(DASHES):
        return {}
    paths = [Path(word) for word in words]
    if not paths[0].exists() or (paths[0].is_file() and os.access(paths[0], os.X_OK)):
        return {}
    if missing := next((path for path in paths if not path.exists()), None):
        raise InputError(
            f"expected files and folders to record, got {str(missing)!r}, which is not there",
            hint="A program is given after --, as in `record --dataset data.csv -- python train.py`.",
        )
    # of a kind that was chosen
    what = "artifacts" if options["kind"] else "datasets"
    return {what: (*options[what], *paths), "program": ()}


def _ask_about_others(options: dict[str, Any]) -> None:
    """Ask under which licence others' data are, and how they are cited: it is republished with them."""
    from blockchaintracer.lab.recording.address import require_readable

    wanted = {"license": "Licence of these data (SPDX identifier)", "citation": "How they are cited"}
    missing = [name for name in wanted if not options[name]] if options["addresses"] and sys.stdin.isatty() else []
    for address in options["addresses"] if missing else ():
        require_readable(address, private=options["allow_local"])
    for name in missing:
        options[name] = click.prompt(f"{wanted[name]}, if known", "", show_default=False, err=True) or None
    if options["addresses"] and not options["license"]:
        click.echo("Under which licence these data are is not recorded: --license says it.", err=True)


def record_options(function: F) -> F:
    """Add the options of `record`. The verb gets them as its `Request`, and acts for a group."""
    from blockchaintracer.lab.recording.request import Request

    @wraps(function)
    def with_request(*args: Any, **options: Any) -> Any:
        addresses = tuple(text for text in options["datasets"] if "://" in text)
        options["datasets"] = tuple(Path(text) for text in options["datasets"] if text not in addresses)
        options |= _files_without_dashes(options) | {"addresses": addresses}
        _ask_about_others(options)
        request = Request(**{field.name: options.pop(field.name) for field in fields(Request)})
        return function(*args, request=request, **options)

    return _request_options(with_request)  # type: ignore[return-value]
