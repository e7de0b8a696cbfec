"""`blockchaintracer verify`: what was recorded, checked against what is there."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from blockchaintracer.cli.communities_shown import (
    community_words,
    groups_of_bundle,
    groups_that_count,
    registry_of_community,
    with_communities,
)
from blockchaintracer.cli.holders_shown import bundle_with_holders, has_claims
from blockchaintracer.cli.options import (
    FILE,
    GIVEN,
    PATH,
    Verb,
    connection_options,
    make_lab,
    source_option,
    verbose_option,
)
from blockchaintracer.cli.options import tracking_option as mlflow_option
from blockchaintracer.cli.record_names import RECORD, full_id
from blockchaintracer.cli.render import (
    Answer,
    command_lines,
    folded,
    hanging,
    plain,
    progress_bar,
    verdict_line,
    when,
)
from blockchaintracer.cli.shown_times import (
    bundle_with_times,
    check_witness_option,
    home_of,
    with_times,
    witness_settings_option,
    witnessed_by,
)
from blockchaintracer.cli.used_extras import extra
from blockchaintracer.cli.verified_offline import verified_offline
from blockchaintracer.core.errors import BlockchainTracerError, InputError
from blockchaintracer.core.networks import DEVNET, network_by_chain_id, network_by_name, time_source
from blockchaintracer.core.plain_json import as_json
from blockchaintracer.core.record import Domain, counted, is_hash
from blockchaintracer.core.record_key_file import Proof
from blockchaintracer.core.trust import Trust, read_checkpoints
from blockchaintracer.core.verify import Check, Outcome, Report
from blockchaintracer.core.verify.outcomes import Conclusion
from blockchaintracer.lab.drafts import command_for_others
from blockchaintracer.lab.kept_identities import holders_of
from blockchaintracer.lab.known_keys import given_keys, read_key_file
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import Op
from blockchaintracer.lab.proof_file import ProofKind, damaged, proof_kind, read_proof
from blockchaintracer.lab.verify_here import verify, verify_batch_proof, verify_order

if TYPE_CHECKING:
    from blockchaintracer.core.verify.standing import BundleReport, Connect

_OF_A_PATH = ("path", "record", "of_group")
_OF_AN_ID = (*_OF_A_PATH, "author")
_SHOWN_HOLDERS = 32
"""Records whose holders are looked up: anyone may record another's file, and a source is asked for each."""
_OF_IDENTITY = ("check_identity", "allow_local")
_OF_NODES = ("targets", "sources", "of_group", "registry", "key_files", "strict")
_OF_A_DATE = ("as_of", "broken")
_OF_A_NODE = ("rpc", "key", "record", "author", "before", "tracking_uri", "key_files", *_OF_IDENTITY)
_OF_BLOCKS = ("trusted_blocks", "checkpoints")
_OF_WITNESSES = ("witness_settings", "check_witness")
_COLOURS = {Outcome.PASS: "green", Outcome.FAIL: "red", Outcome.UNKNOWN: "yellow"}


@click.command(cls=Verb)
@connection_options
@click.argument("targets", nargs=-1, metavar="[ID|PATH|TRANSACTION|COMMITMENT|mlflow:RUN | DATA...]")
@click.option("--proof", type=PATH, metavar="FILE", help="Check this proof, and each DATA against it.")
@click.option("--data", type=PATH, metavar="PATH", help="Look this file or folder up, whatever it looks like.")
@click.option(
    "--trust-block",
    "trusted_blocks",
    multiple=True,
    metavar="HASH",
    help="A block that you trust: for --proof, or for --from FOLDER without a node.",
)
@click.option("--checkpoints", type=FILE, help="A file of blocks that you trust.")
@click.option("--path", type=PATH, help="Compare this file or folder with the record ID.")
@click.option("--record", type=RECORD, metavar="ID", help="Compare PATH with this record alone.")
@click.option("--group", "of_group", type=int, metavar="NUMBER", help="Only records of this group count.")
@click.option("--community", metavar="NAME", help="Only the registries and groups count that it trusts: `community`.")
@click.option("--author", metavar="ADDRESS", help="Who sealed the commitment ID for --group: needs no log.")
@click.option("--key-file", "key_files", type=FILE, multiple=True, help="Has the key of a record; repeatable.")
@click.option("--as-of", metavar="DATE", help="Judge by what held at this day (to its end, UTC) or time.")
@click.option("--broken", multiple=True, metavar="HASH:DATE", help="sha256, keccak256, sha512 or sha3-256 is broken.")
@click.option("--before", nargs=2, metavar="A B", help="Prove that record A came before record B.")
@source_option
@mlflow_option
@verbose_option
@click.option("--check-identity", is_flag=True, help="Ask ORCID, domains, GitHub and ENS now who author and group are.")
@click.option("--allow-local", is_flag=True, help="With --check-identity: also http and addresses that are not public.")
@witness_settings_option
@check_witness_option
@click.option("--strict", is_flag=True, help="A check that cannot be made fails too.")
@click.pass_context
def command(ctx: click.Context, /, targets: tuple[str, ...], strict: bool, **options: Any) -> Answer:
    """Check a record, a file or folder, a seal, a transaction, or a proof: the outcome, then each check.

    Files are hashed again: one changed byte is found and the file named. A check whose material is not here is
    unknown, which fails only with --strict.

    A proof is the file of a stranger. A bundle is verified by a node that you name (--network, or --rpc and --chain-id)
    or by blocks that you trust (--trust-block, --checkpoints). Without them it is at most consistent.

    \b
    Examples:
      blockchaintracer verify ID
      blockchaintracer verify data.csv
      blockchaintracer verify folder/ --record ID
      blockchaintracer verify ID --from https://lab.example/published
      blockchaintracer verify ID --check-identity
      blockchaintracer verify --before ID_A ID_B
      blockchaintracer verify --proof result.proof data.csv --network base
      blockchaintracer verify --proof result.proof --trust-block HASH
      blockchaintracer verify --proof proof.json    # what `batch anchor` wrote
      blockchaintracer verify --proof learning-rate.json    # of `disclose`
      blockchaintracer verify mlflow:RUN --tracking-uri sqlite:///mlflow.db
      blockchaintracer verify ID --from archive --registry ADDRESS \\
        --trust-block HASH    # needs no network
      blockchaintracer verify ID --community ligo
      blockchaintracer verify ID --as-of 2031-05-01
      blockchaintracer verify ID --broken sha256:2041-01-01

    An MLflow run is compared with what MLflow shows of it now: what was changed since is named.

    Exit codes: 0 verified, 1 not verified, 2 wrong use, 3 unavailable, 4 consistent, but with no chain of yours.
    """
    if options["proof"] is not None:
        _refuse(
            ctx, "--proof", "data", "path", "record", "author", "before", "tracking_uri", "key", "as_of", *_OF_IDENTITY
        )
        return _proof(ctx, options["proof"], [*map(Path, targets)], strict, options)
    is_data = options["data"] is not None
    target = _one_target(ctx, targets, options)
    if options["trusted_blocks"] or options["checkpoints"]:
        _refuse(ctx, "blocks that you trust", *_OF_A_NODE, "community")
        if target is None or target.startswith("mlflow:"):
            raise InputError("expected a record, a file or a folder beside blocks that you trust, got neither")
        report, more, lab = verified_offline(ctx, target, options["sources"], options)
        report, times = with_times(lab, report, options["sources"], options)
        return _answer(report, more | times, strict, lab)
    community, before, sources = options["community"], options["before"], options["sources"]
    lab = _lab(ctx, options)
    renewing = _Renewing(lab, sources, options)
    if target is None:
        _refuse(
            ctx, "--before", *_OF_AN_ID, "sources", "tracking_uri", "broken", "community", *_OF_IDENTITY, *_OF_WITNESSES
        )
        return _answer(*renewing.judged(verify_order(lab, *before)), strict, lab)
    if target.startswith("mlflow:"):
        _refuse(ctx, "a run of MLflow", *_OF_AN_ID, *_OF_A_DATE, "community", *_OF_IDENTITY, *_OF_WITNESSES)
        run, uri = target.removeprefix("mlflow:"), options["tracking_uri"]
        checks = extra("mlflow", "run_checks")
        with progress_bar("hashing") as progress:
            return _answer(checks.verify_run(lab, run, uri, sources=sources, progress=progress), {}, strict, lab)
    _refuse(ctx, "what is no run of MLflow", "tracking_uri")
    if not (is_data or is_hash(target) or Path(target).exists()):
        target = full_id(lab, target)
    path, record, group, author = (options[name] for name in _OF_AN_ID)
    files = [file for file in (Path(target), path) if file and file.exists()]
    for entry in lab.outbox.entries_about(target, Op.RECORD) if is_hash(target) and not path else ():
        files += [Path(place.path) for place in lab.hashes.places(entry.write.key.subject)[:1]]
    with progress_bar("hashing", files) as progress:
        counting = groups_that_count(lab.home, community, lab.domain)
        about = {"path": path, "record": record, "group": group, "author": author, "groups": counting}
        report = verify(lab, target, **about, sources=sources, progress=progress)
    report, more = renewing.judged(report)
    report, holders = _with_holders(lab, report, sources, options)
    report, times = with_times(lab, report, sources, options)
    report, tokens = _with_tokens(lab, report)
    report, said = with_communities(lab.home, lab.domain, report, community)
    return _answer(report, more | holders | times | tokens | said, strict, lab)


def _with_tokens(lab: Lab, report: Report) -> tuple[Report, dict[str, Any]]:
    """Add which CI tokens support the runs of a report, as far as this lab knows: nothing of them was judged here."""
    tokens = {it.id: it.id for it in report.records if (it.kind, it.name) == ("document", "CI token")}
    for run in (it for it in report.records if it.kind == "run"):
        if lab.outbox.entries_naming(lab.chain_id, run.id[2:]) or lab.home.index.is_file():
            tokens |= dict.fromkeys(extra("tokens", "kept_tokens").known_tokens(lab, run.id, run.group), run.id)
    limits = [
        f"What the CI token in {it} says: `ci-token check {record}` verifies that." for it, record in tokens.items()
    ]
    report = replace(report, does_not_prove=(*report.does_not_prove, *limits))
    return report, {"ciTokens": list(tokens)} if tokens else {}


def _with_holders(
    lab: Lab, report: Report, sources: Sequence[str], options: dict[str, Any]
) -> tuple[Report, dict[str, Any]]:
    """Add who author and group are, by claims that are kept or published. One of a source that is forged fails."""
    asked, records = options["check_identity"], report.records[:_SHOWN_HOLDERS]
    try:
        if not asked and not has_claims(lab, holders_of(lab.domain, records), sources):
            return report, {}
        asking = extra("identity", "other_side").Asking(options["allow_local"], lambda: lab.chain) if asked else None
        who = extra("identity", "holders").holders(lab, records, sources=sources, asking=asking)
    except BlockchainTracerError as error:
        detail = f"who author and group are was not found out: {error.message}"
        return replace(report, checks=(*report.checks, Check("identity", Outcome.UNKNOWN, detail))), {}
    if len(records) < len(report.records):
        left = f"Who stands behind all but the first {len(records)} records was not looked up: verify them by id."
        report = replace(report, notes=(*report.notes, left))
    if not who:
        report = replace(report, notes=(*report.notes, "No claim about the author or the group is known here."))
    forged = [it for it in who if it.forged and it.where]
    failed = [Check("identity", Outcome.FAIL, f"a claim in {it.where} is refused: {it.reason}") for it in forged]
    return replace(report, checks=(*report.checks, *failed)), {"holders": who}


def _typed(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _refuse(ctx: click.Context, what: str, *names: str, why: str = "") -> None:
    """Refuse options that do not apply to the target: an option that is not checked would read as checked."""
    for param in ctx.command.params:
        if param.name in names and _typed(ctx, param.name) and ctx.params.get(param.name) != ():
            given = "DATA" if param.name == "targets" else param.opts[0]
            raise InputError(f"expected no {given} beside {what}{why}", hint="See `verify --help`.")


def _one_target(ctx: click.Context, targets: Sequence[str], options: dict[str, Any]) -> str | None:
    """Return what to look up, None for an order. A proof is never taken for one by its looks."""
    data = options.pop("data")
    given = [*targets, *([str(data)] if data else [])]
    if len(given) != (0 if options["before"] else 1):
        raise InputError(
            "expected one thing to verify: an id, a path, a transaction, --proof FILE, or --before A B",
            hint="See `verify --help`.",
        )
    if not data and given and (kind := proof_kind(Path(given[0]))):
        name = shlex.quote(given[0])
        raise InputError(
            f"{given[0]} is {kind}: say what to check",
            hint=f"As a proof: `blockchaintracer verify --proof {name}`. As data, looked up by its digest: "
            f"`blockchaintracer verify --data {name}`.",
        )
    return given[0] if given else None


def _lab(ctx: click.Context, options: dict[str, Any]) -> Lab:
    """Return the lab to verify for. Somebody who has no lab names chain and registry, and gets one in a folder that is
    deleted: no node is started, and no home is made."""
    community = options.pop("community", None)
    if community and not options.get("registry"):
        of_chain = (options.get("network"), options.get("chain_id"))
        options["registry"] = registry_of_community(Home(options.get("home")), community, *of_chain)
    if not Home(options.get("home")).path.is_dir():
        network, rpc = options.get("network"), options.get("rpc")
        is_devnet = network is not None and network_by_name(network).is_devnet
        if not ("connect" in ctx.meta.get(GIVEN, {}) or rpc or (network and not is_devnet)):
            own = " (the devnet is each lab's own: name another's by --rpc)" if is_devnet else ""
            raise InputError(f"expected a chain to ask, for there is no lab of yours here{own}", hint=_CHOOSE_NODE)
        if not options.get("registry"):
            raise InputError("expected the registry that you trust, got none", hint="Name it: --registry ADDRESS.")
        options["home"] = ctx.with_resource(TemporaryDirectory(prefix="blockchaintracer-"))
    lab = make_lab(ctx, options, reads=True)
    if files := options.pop("key_files", ()):
        keys = [read_key_file(file).require(lab.domain) for file in files]
        lab.keys.append(lambda domain: given_keys(keys))
    return lab


_CHOOSE_NODE = (
    "Name it: --network NAME, or --rpc URL with --chain-id N; and --registry ADDRESS. An archive "
    "needs no chain: --from FOLDER with --trust-block HASH."
)


# -- proofs


def _proof(ctx: click.Context, file: Path, data: Sequence[Path], strict: bool, options: dict[str, Any]) -> Answer:
    kind, content = read_proof(file)
    if kind is ProofKind.BUNDLE:
        _refuse(ctx, "a proof bundle", "sources", "strict", "key_files")
        return _bundle(ctx, file, content, data, options)
    _refuse(ctx, str(kind), *_OF_BLOCKS, *_OF_WITNESSES, "community", "broken")
    sources, group = options["sources"], options["of_group"]
    if kind is ProofKind.BATCH and not _chooses_chain(ctx, options):
        _refuse(ctx, f"{kind} without a chain", *_OF_NODES, why=": it is compared with what the node says")
        return _unanchored(damaged(file, lambda: Proof.parse(content, str(file))))
    lab = _lab(ctx, options)
    if kind is ProofKind.DISCLOSURE:
        _refuse(ctx, "a disclosure", "of_group", "targets")
        from blockchaintracer.lab.private.disclose import verify_disclosure

        return _answer(verify_disclosure(lab, file, sources), {}, strict, lab)
    with progress_bar("hashing", data) as progress:
        report = verify_batch_proof(lab, file, content, files=data, group=group, sources=sources, progress=progress)
    return _answer(report, {}, strict, lab)


def _chooses_chain(ctx: click.Context, options: dict[str, Any]) -> bool:
    """Whether a chain was named, or there is a lab of this user to ask."""
    if any(options.get(name) for name in ("rpc", "network", "chain_id", "home")) or GIVEN in ctx.meta:
        return True
    return Home().path.is_dir()


def _unanchored(proof: Proof) -> Answer:
    where = f"registry {proof.registry} on chain {proof.chain_id}"
    text = f"record {proof.id} is under the root {proof.root}. Whether {where} holds that root was not asked."
    data: dict[str, Any] = {"outcome": Conclusion.CONSISTENT.value, "verified": None, "record": proof.id}
    data |= {"root": proof.root, "chainId": proof.chain_id, "registry": proof.registry}
    hint = "Name a node to ask: --network NAME, or --rpc URL with --chain-id N; and --registry ADDRESS."
    return Answer(data, verdict_line(Conclusion.CONSISTENT, text), hint, exit_code=Conclusion.CONSISTENT.exit_code)


def _bundle(ctx: click.Context, file: Path, content: bytes, data: Sequence[Path], options: dict[str, Any]) -> Answer:
    from blockchaintracer.cli.bundle_renewals import bundle_with_renewals
    from blockchaintracer.cli.verb_export_proof import bundle_json
    from blockchaintracer.core.verify.bundle import read_bundle
    from blockchaintracer.core.verify.standing import stand

    bundle, home = read_bundle(content), home_of(options.get("home"))
    domain = Domain(bundle.chain_id, bundle.registry)
    if options["community"]:
        _refuse(ctx, "--community", "of_group")
        options["groups"] = groups_of_bundle(home or Home(options.get("home")), options["community"], domain)
        options["registry"] = options["registry"] or bundle.registry
    trust, ask = _trust(ctx, options)
    with progress_bar("hashing", data) as progress:
        report = stand(bundle, trust, ask, data, progress)
    report, times = bundle_with_times(report, content, options, home)
    report, renewals = bundle_with_renewals(report, data, options, home)
    report, holders = bundle_with_holders(report)
    groups = {record.key.group for record in bundle.records}
    said, notes = community_words(home, domain, groups) if home else ((), [])
    who = [*(line for it in holders for line in it.lines()), *(line for word in said for line in word.lines()), *notes]
    beside = {"times": times, "holders": holders, "communities": said, "renewals": renewals}
    more = {name: as_json(shown) for name, shown in beside.items() if shown}
    return Answer(
        {**bundle_json(bundle), **report.as_json(), **more, "code": report.code, "file": str(file)},
        *_bundle_lines(report, file, times, who, [line for it in renewals for line in it.lines()]),
        exit_code=report.conclusion.exit_code,
    )


def _trust(ctx: click.Context, options: dict[str, Any]) -> tuple[Trust | None, Connect | None]:
    """Return what the user chose to trust, and how to reach a node of that chain. Nothing is taken from the bundle."""
    from blockchaintracer.core.api import connect

    network, rpc, chain_id = options.get("network"), options.get("rpc"), options["chain_id"] or 0
    groups = options.get("groups", ()) if options["of_group"] is None else (options["of_group"],)
    checkpoints = read_checkpoints(options["checkpoints"]) if options["checkpoints"] else ()
    chosen = {
        "registry": options["registry"],
        "groups": groups,
        "blocks": options["trusted_blocks"],
        "checkpoints": checkpoints,
    }
    if ask := ctx.meta.get(GIVEN, {}).get("connect"):
        return Trust(chain_id=ask().chain_id, **chosen), ask
    if options.get("home") and not (network or rpc or chain_id):
        network = DEVNET.name
    if network and network_by_name(network).is_devnet and not rpc:
        home = Home(options.get("home"))
        if not (home.path / "devnet").is_dir():
            raise InputError(f"expected the devnet of a lab of yours in {home.path}, got none", hint="Name a network.")
        lab = make_lab(ctx, {**options, "network": network, "rpc": None})
        return Trust(network=DEVNET.name, **chosen), lambda: lab.chain
    _refuse(ctx, "a network that is not this lab's devnet", "home")
    if network:
        trust = Trust(network=network, chain_id=chain_id, rpc=rpc, **chosen)
        if trust.rpc is None:
            known = network_by_name(network)
            raise InputError(f"no RPC address is known for {known.title}", hint=f"Set ${known.rpc_env}.")
        return trust, lambda: connect(trust)
    if chain_id:
        trust = Trust(chain_id=chain_id, rpc=rpc, **chosen)
        return trust, (lambda: connect(trust)) if rpc else None
    if _typed(ctx, "rpc"):
        raise InputError(
            "expected the chain of the node beside --rpc, got none", hint="Give --chain-id N or --network."
        )
    if chosen["blocks"] or checkpoints:
        return Trust(**chosen), None
    for name, value in (("--registry", chosen["registry"]), ("--group", groups)):
        if value:
            raise InputError(f"expected a chain or a block that you trust beside {name}, got none", hint=_CHOOSE)
    return None, None


_CHOOSE = "Name one: --network NAME, --rpc URL with --chain-id N, --trust-block HASH, or --checkpoints FILE."


def _bundle_lines(
    report: BundleReport, file: Path, times: Sequence[Any], who: Sequence[str], renewed: Sequence[str]
) -> Iterator[str]:
    bundle, is_decided = report.bundle, report.conclusion is Conclusion.VERIFIED
    yield verdict_line(report.conclusion, _summary(report), private=report.private)
    if not is_decided:
        yield ""
        yield "What the file says (the word of its maker)"
    from blockchaintracer.cli.verb_export_proof import lines as described

    yield from described(bundle, report)
    yield ""
    yield "Checks"
    for check in report.checks:
        yield _line(check) + (f" ({check.record})" if check.record and len(bundle.records) > 1 else "")
    yield from _who(who)
    lines = [(it, line) for it in times for line in it.lines()]
    if lines or renewed:
        yield from ("", "When", *(hanging("  ", plain(line)) for line in renewed))
        yield from (hanging("  ", plain(f"{it.subject}: {line}" if len(times) > 1 else line)) for it, line in lines)
    yield ""
    yield "What this does not prove"
    yield from (hanging("  ", plain(sentence)) for sentence in report.does_not_prove)
    yield folded(f"  A time is as good as its source: {time_source(bundle.chain_id)}.", 2)
    yield "  Whether a record that it rests on was retracted: `verify ID` says that."
    if len(report.today) < len(bundle.records):
        yield "  Whether a record was retracted since: no node told."
    if report.conclusion is Conclusion.CONSISTENT:
        known = network_by_chain_id(bundle.chain_id)
        yield ""
        yield "To verify it"
        network = f"--network {known.name}" if known else f"--rpc URL --chain-id {bundle.chain_id}"
        yield f"  blockchaintracer verify --proof {shlex.quote(str(file))} {network}"
        yield "  or --trust-block with the hash of each block, from a source that you trust"


def _summary(report: BundleReport) -> str:
    records = counted(len(report.bundle.records), "record")
    if report.conclusion is Conclusion.NOT_VERIFIED:
        failed = dict.fromkeys(plain(check.name) for check in report.checks if check.verdict is Outcome.FAIL)
        return f"{', '.join(failed)} failed."
    if report.conclusion is not Conclusion.VERIFIED:
        missing = next(check for check in report.checks if check.verdict is Outcome.UNKNOWN)
        node = "no node tells all of it, and " if report.conclusion is Conclusion.UNAVAILABLE else ""
        return f"{node}the file fits together, but its {plain(missing.name)} is not decided ({plain(missing.detail)})."
    since = [f"{word[0].upper()}{word[1:]}" for word in dict.fromkeys(report.since.values())]
    then = [
        f"Retracted on {when(record.stored.retracted_at)}"
        for record in report.bundle.records
        if record.stored and record.stored.retracted_at
    ]
    block = f"as of block {report.as_of.number}" if report.as_of else "by today's state"
    return ". ".join(f"{sentence}" for sentence in (f"{records} {block}", *then, *since)) + "."


# -- reports


class _Renewing:
    """What was asked of a date and of broken hashes, and the renewals that answer it."""

    def __init__(self, lab: Lab, sources: Sequence[str], options: dict[str, Any]) -> None:
        self._lab, self._sources, as_of, broken = lab, sources, options["as_of"], options["broken"]
        self._witnessed = witnessed_by(lab, sources, options)
        self._time = extra("renewal", "as_of").read_date(as_of) if as_of else None
        self._broken = extra("renewal", "judge").parse_broken(broken) if broken else {}
        if self._time is not None:
            lab.__dict__["registry"] = extra("renewal", "as_of").registry_as_of(lab.registry, self._time)

    def judged(self, report: Report) -> tuple[Report, dict[str, Any]]:
        """Return the report with what renewals say, and what stands beside its checks."""
        renewals: list[Any] = []
        folders = [str(self._lab.home.path), *self._sources]
        has_some = any("://" in folder or Path(folder, "renewals").is_dir() for folder in folders)
        if self._broken or has_some:
            judge = extra("renewal", "verify_renewals")
            report, renewals = judge.of_lab(
                self._lab, report, self._sources, judge.Question(self._broken, self._time, self._witnessed)
            )
        more: dict[str, Any] = {"renewals": renewals} if renewals else {}
        if self._time is not None:
            limit = f"It was judged by what held at {when(self._time)}: the files are those that are here today."
            report = replace(report, does_not_prove=(*report.does_not_prove, limit))
            more["asOf"] = self._time
        return report, more


def _answer(report: Report, more: dict[str, Any], strict: bool, lab: Lab) -> Answer:
    conclusion = report.conclusion
    if strict and report.unknown and conclusion is Conclusion.VERIFIED:
        conclusion = Conclusion.NOT_VERIFIED
    data = {**report.as_json(), **as_json(more), "outcome": conclusion.value, "verified": conclusion.verified}
    return Answer(data, *_lines(report, more, conclusion, lab), exit_code=conclusion.exit_code)


def _yourself(lab: Lab, record_id: str) -> Iterator[str]:
    """Say how anybody else checks the same: with an empty folder, by a node of their own choice."""
    yield "Check it yourself"
    yield "  pip install blockchaintracer"
    yield command_lines(command_for_others(lab.domain, record_id))


def _lines(report: Report, more: dict[str, Any], conclusion: Conclusion, lab: Lab) -> Iterator[str]:
    yield verdict_line(conclusion, _outcome(report, conclusion), private=report.private)
    yield from (hanging("  ", plain(note)) for note in report.notes)
    general = [_line(check) for check in report.checks if check.record is None]
    yield from ("", *general) if general else ()
    for record in report.records:
        named = f" {plain(record.name)!r}" if record.name else ""
        yield ""
        yield f"Record {record.id}"
        yield f"  {record.kind}{named} of group {record.group}, by {record.author}, {when(record.time)}"
        yield from (_line(check) for check in report.checks if check.record == record.id)
    known = {record.id for record in report.records}
    yield from (_line(check) for check in report.checks if check.record is not None and check.record not in known)
    who = [line for holder in more.get("holders", ()) for line in holder.lines(report.records)]
    who += [line for word in more.get("communities", ()) for line in word.lines()]
    yield from _who(who)
    if times := [line for it in (*more.get("times", ()), *more.get("renewals", ())) for line in it.lines()]:
        yield from ("", "When", *(hanging("  ", plain(line)) for line in times))
    yield ""
    yield "What this proves"
    proven = report.proves or ["Nothing of who committed to what, and when."]
    yield from (hanging("  ", plain(sentence)) for sentence in proven)
    yield "What this does not prove"
    yield from (hanging("  ", plain(sentence)) for sentence in report.does_not_prove)
    if report.records:
        yield ""
        yield from _yourself(lab, report.records[0].id)


def _who(lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield from ("", "Who", *(hanging("    " if line[0] == " " else "  ", plain(line)) for line in lines))


def _outcome(report: Report, conclusion: Conclusion) -> str:
    batched = sum(check.name == "stored" for check in report.unknown)
    left = len(report.unknown) - batched
    unknown = ("; committed to in a batch, not stored" if batched else "") + (
        f"; {left} could not be made" if left else ""
    )
    of_checks = f"; {counted(len(report.unknown), 'check')} could not be made" if report.unknown else ""
    if conclusion is Conclusion.VERIFIED:
        said = Counter(check.values.get("verdict") for check in report.checks if check.verdict is not Outcome.FAIL)
        against = "".join(
            f"; {it} by {counted(said[it], 'group')}" for it in ("not-reproduced", "disputed") if said[it]
        )
        return f"{counted(len(report.checks) - len(report.unknown), 'check')} passed{unknown}{against}."
    if conclusion is Conclusion.CONSISTENT:
        return f"everything fits together{of_checks}, and nothing that you chose vouches for its block and registry."
    if conclusion is Conclusion.UNAVAILABLE:
        names = ", ".join(dict.fromkeys(plain(check.name) for check in report.unavailable))
        return f"no check failed{of_checks}, and a source that may have what they need could not be asked ({names})."
    names = ", ".join(dict.fromkeys(plain(check.name) for check in report.failed))
    failed = f"{counted(len(report.failed), 'check')} failed ({names})"
    return f"{failed if names else 'no check failed, but --strict was asked'}{unknown}."


def _line(check: Check) -> str:
    verdict = click.style(f"{check.verdict.value:<8}", fg=_COLOURS[check.verdict])
    return hanging(f"  {verdict} {plain(check.name):<16} ", plain(check.detail))
