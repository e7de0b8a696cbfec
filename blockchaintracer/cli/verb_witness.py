"""`blockchaintracer witness`: times by others than the record's own chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial, wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from blockchaintracer.cli.options import FILE, FOLDER, VerbGroup, source_option
from blockchaintracer.cli.record_names import RECORD
from blockchaintracer.cli.render import Answer, hanging, plain, progress_bar, table
from blockchaintracer.cli.used_extras import extra
from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified
from blockchaintracer.core.formats import BUNDLE_BYTES, read_limited
from blockchaintracer.core.record import counted
from blockchaintracer.core.verify.outcomes import Conclusion
from blockchaintracer.lab.lab import Lab

_witness = partial(extra, "witness")
F = TypeVar("F", bound=Callable[..., Any])

_ids = click.argument("record_ids", type=RECORD, nargs=-1, metavar="[ID]...")
_roots = click.option("--root", "roots", multiple=True, metavar="ROOT", help="A batch by its root; repeatable.")
_files = click.option("--file", "files", multiple=True, type=FILE, help="A bundle or another file; repeatable.")
_texts = click.option(
    "--text", "texts", multiple=True, metavar="TEXT", help="A text, such as `renew` prints; repeatable."
)
_settings_option = click.option(
    "--settings", type=FILE, help="Which witnesses are asked and trusted. [default: witnesses.json of the lab]"
)
_calendars = click.option("--calendar", "calendars", multiple=True, metavar="URL", help="A calendar; repeatable.")
_AGAIN = "The same command later, with a network, asks those that did not answer."
_local = click.option("--allow-local", is_flag=True, help="Let services be http, and in a private network.")


def _things(function: F) -> F:
    """Add what a sub-verb is about; its function gets them as `things`."""

    @wraps(function)
    def with_things(
        lab: Lab,
        record_ids: Sequence[str],
        roots: Sequence[str],
        files: Sequence[Path],
        texts: Sequence[str],
        **given: Any,
    ) -> Any:
        return function(lab, _Things([lab.parse_id(it) for it in record_ids], roots, files, texts), **given)

    return _ids(_roots(_files(_texts(with_things))))  # type: ignore[return-value]


@dataclass(frozen=True)
class _Things:
    """What is stamped: records and batches of the lab's registry, files, and other texts."""

    ids: Sequence[str]
    roots: Sequence[str]
    files: Sequence[Path]
    texts: Sequence[str]

    def subjects(self, lab: Lab) -> list[Any]:
        """Return each once."""
        make = _witness().StampedSubject
        subjects = [make.of_record(lab.domain, it) for it in self.ids]
        subjects += [make.of_root(lab.domain, it) for it in self.roots]
        subjects += [make.of_bytes(read_limited(it, BUNDLE_BYTES, "a file to stamp")) for it in self.files]
        return [*dict.fromkeys([*subjects, *map(make.of_text, self.texts)])]


def _trust_options(function: F) -> F:
    for option in reversed(
        (
            click.option("--tsa-root", "tsa_roots", multiple=True, type=FILE, help="Root certificates that you trust."),
            click.option("--policy", "policies", multiple=True, metavar="OID", help="A policy that counts for them."),
            click.option("--bitcoin-block", "blocks", multiple=True, metavar="HASH", help="A block that you trust."),
            click.option("--bitcoin-headers", "headers", type=FILE, help="A file of headers that you trust."),
            click.option("--bitcoin-rpc", "node", metavar="URL", help="A Bitcoin node that you trust."),
            click.option("--bitcoin-regtest", "regtest", is_flag=True, help="Take headers of a test network."),
        )
    ):
        function = option(function)
    return function


@click.group(cls=VerbGroup)
def command() -> None:
    """Let others confirm a record's time: Bitcoin's calendars, time authorities, a second chain.

    What is stamped is the SHA-256 of the record's id with chain and registry, so that the tools of others check it, too
    (docs/time.md). Receipts are kept in the lab's folder; `publish`, `export-proof` and `export` take them along.

    \b
    Examples:
      blockchaintracer witness add ID
      blockchaintracer witness add ID --tsa https://tsa.example/tsr
      blockchaintracer witness add --all    # what has no witness yet
      blockchaintracer witness upgrade      # a day later
      blockchaintracer witness verify ID --tsa-root root.pem \\
        --bitcoin-headers headers.txt
    """


@command.lab_verb(writes=True)
@_things
@click.option("--all", "every", is_flag=True, help="Every record and batch of this lab that lacks one.")
@_calendars
@click.option("--tsa", "authorities", multiple=True, metavar="URL", help="An authority of RFC 3161; repeatable.")
@click.option("--no-chain", is_flag=True, help="Do not record on the second chains of the settings.")
@_settings_option
@click.option("--record", "to_record", is_flag=True, help="Record each new receipt as a Witness of its record.")
@_local
def add(
    lab: Lab,
    things: _Things,
    every: bool,
    calendars: tuple[str, ...],
    authorities: tuple[str, ...],
    no_chain: bool,
    settings: Path | None,
    to_record: bool,
    allow_local: bool,
) -> Answer:
    """Have records, batches or files stamped by every witness that has not stamped them yet.

    Several are put under one tree, and a second chain gets them as one batch. With --calendar or --tsa those alone are
    asked; else those of the settings; without settings the public calendars of OpenTimestamps.

    \b
    Examples:
      blockchaintracer witness add ID ID
      blockchaintracer witness add --root 0xROOT --tsa https://tsa.example/tsr
      blockchaintracer witness add --file result.proof
      blockchaintracer witness add --all --settings witnesses.json
    """
    if every == (things != _Things([], (), (), ())):
        raise InputError(
            "expected records, roots, files, texts or --all, and not both", hint="See `witness add --help`."
        )
    chosen = replace(_witness().WitnessSettings.of_home(lab.home, settings), allow_local=allow_local)
    if calendars or authorities:
        asked = tuple(_witness().AuthoritySetting(url) for url in authorities)
        chosen = replace(chosen, calendars=calendars, authorities=asked, chains=())
    elif not (chosen.calendars or any(it.url for it in chosen.authorities) or chosen.chains):
        chosen = replace(chosen, calendars=chosen.default_calendars)
    chosen = replace(chosen, chains=() if no_chain else chosen.chains).require_addresses()
    _witness().require_there(lab, things.ids, things.roots)
    subjects = _witness().own_subjects(lab) if every else things.subjects(lab)
    new, problems = list[Any](), list[str]()
    groups = _witness().lacking(lab.home, subjects, chosen)
    with progress_bar("stamping") as progress:
        for lacks, of in groups:
            done = _witness().stamp(of, lacks, [_witness().lab_of_chain(lab, it) for it in lacks.chains])
            _witness().keep_receipts(lab.home, done.receipts)
            new += done.receipts
            problems += done.problems
            progress(len(of))
    with_all = len(subjects) - sum(len(of) for _, of in groups)
    recorded = _witness().record_receipts(lab, new) if to_record else []
    data = {
        "subjects": [{"subject": str(it), "sha256": it.sha256} for it in subjects],
        "added": [{"subject": str(it.subject), "kind": it.kind.value} for it in new],
        "existing": with_all,
        "problems": problems,
        "records": recorded,
    }
    counts = {kind: sum(it.kind is kind for it in new) for kind in _witness().WitnessKind}
    named = ", ".join(f"{number} of {kind}" for kind, number in counts.items() if number)
    return Answer(
        data,
        f"Kept {counted(len(new), 'receipt')} for {counted(len({it.subject for it in new}), 'thing')}: {named}."
        if new
        else "No new receipt was kept.",
        *([f"{with_all} had every witness already."] if with_all else []),
        *(f"Recorded as {it.kind} {it.id}" for it in recorded),
        *(
            ["`blockchaintracer witness upgrade` asks the calendars later."]
            if counts[_witness().WitnessKind.OPENTIMESTAMPS]
            else []
        ),
        notes=[*(f"No receipt: {plain(problem)}" for problem in problems), *([_AGAIN] if problems else [])],
        exit_code=ChainUnavailable.exit_code if problems else 0,
    )


@command.lab_verb()
@_ids
@_calendars
@_settings_option
@click.option("--bitcoin-headers", "headers", type=FILE, help="A file of headers that you trust.")
@click.option("--bitcoin-rpc", "node", metavar="URL", help="A Bitcoin node that you trust.")
@_local
def upgrade(
    lab: Lab,
    record_ids: tuple[str, ...],
    calendars: tuple[str, ...],
    settings: Path | None,
    headers: Path | None,
    node: str | None,
    allow_local: bool,
) -> Answer:
    """Ask calendars what Bitcoin holds by now, for some records or for everything that is kept.

    With headers that you trust only the earliest block is kept, with its header. Exit code 3: one did not answer.

    \b
    Examples:
      blockchaintracer witness upgrade
      blockchaintracer witness upgrade ID --bitcoin-rpc http://127.0.0.1:8332
    """
    chosen = replace(_witness().WitnessSettings.of_home(lab.home, settings), allow_local=allow_local)
    chosen = replace(chosen, calendars=(*chosen.calendars, *calendars))
    trust = _witness().WitnessTrust.of(_with_bitcoin(chosen, headers, node), online=True)
    mine = [_witness().StampedSubject.of_record(lab.domain, lab.parse_id(it)) for it in record_ids]
    receipts, damaged = _kept(lab, mine)
    # what is complete is made short when headers are there that the user trusts
    can_shorten = bool(trust.bitcoin.by_height or trust.bitcoin.node)
    waiting = [it for it in receipts if _is_waiting(it) or (can_shorten and it.is_long)]
    done = _witness().upgrade_receipts(waiting, chosen, trust)
    changed = [it for it in done if it.new != it.old]
    _witness().keep_receipts(lab.home, [it.new for it in changed], instead=[it.old for it in changed])
    complete = sum(it.complete for it in done)
    problems = [*damaged, *dict.fromkeys(problem for it in done for problem in it.problems)]
    data = {"asked": len(done), "complete": complete, "waiting": len(done) - complete, "problems": problems}
    return Answer(
        data,
        f"{complete} of {counted(len(done), 'receipt')} of calendars are in Bitcoin now, {len(done) - complete} wait."
        if done
        else "No receipt of a calendar waits for Bitcoin.",
        notes=[plain(problem) for problem in problems],
        exit_code=ChainUnavailable.exit_code if problems else 0,
    )


@command.lab_verb("list")
@_things
@click.option("-o", "--output", type=FOLDER, help="Write each as plain files, for the tools of others.")
def list_receipts(lab: Lab, things: _Things, output: Path | None) -> Answer:
    """List the receipts that are kept, of some things or of all. Nothing is asked, and nothing is trusted.

    \b
    Examples:
      blockchaintracer witness list
      blockchaintracer witness list ID -o receipts    # for `ots` and `openssl ts`
    """
    receipts, damaged = _kept(lab, things.subjects(lab))
    written = _witness().plain_files(receipts, output) if output else []
    rows, data = list[list[str]](), list[dict[str, Any]]()
    for receipt in receipts:
        said = _witness().check_receipt(receipt, _witness().WitnessTrust())
        data.append({"subject": str(receipt.subject), "kind": receipt.kind.value, "from": receipt.source or None})
        data[-1] |= {"tree": receipt.branch.size if receipt.branch else None, "says": [it.as_json() for it in said]}
        rows += [[str(receipt.subject), receipt.kind.value, plain(it.who), it.standing.value] for it in said]
    return Answer(
        {"receipts": data, "written": written},
        table("Receipts", ["of", "kind", "witness", ""], rows)
        if rows
        else "No receipts are kept: `witness add` asks for some.",
        *(f"Wrote {name}" for name in written),
        notes=[plain(problem) for problem in damaged],
        exit_code=NotVerified.exit_code if damaged else 0,
    )


@command.lab_verb()
@_things
@_settings_option
@_trust_options
@source_option
@click.option("--offline", is_flag=True, help="Ask no node, also not those of the settings.")
def verify(
    lab: Lab, things: _Things, settings: Path | None, sources: tuple[str, ...], offline: bool, **trusted: Any
) -> Answer:
    """Check receipts by what you trust: certificates, Bitcoin headers, nodes of your settings.

    Whether the record itself holds, and since when by its own chain, `verify ID` says; it shows these times, too.
    Exit codes: 0 one is verified and none refused, 1 one is refused, 4 none is decided.

    \b
    Examples:
      blockchaintracer witness verify ID --tsa-root root.pem
      blockchaintracer witness verify ID --bitcoin-block HASH \\
        --from https://lab.example/published
      blockchaintracer witness verify --file result.proof \\
        --bitcoin-headers headers.txt --offline
    """
    subjects = things.subjects(lab)
    if not subjects:
        raise InputError("expected records, roots, files or texts, got none", hint="See `witness verify --help`.")
    chosen = _with_bitcoin(_witness().WitnessSettings.of_home(lab.home, settings), trusted["headers"], trusted["node"])
    chosen = replace(chosen, blocks=(*chosen.blocks, *trusted["blocks"]), regtest=chosen.regtest or trusted["regtest"])
    trust = _witness().WitnessTrust.of(
        chosen, online=not offline, roots=trusted["tsa_roots"], policies=trusted["policies"]
    )
    found = [_times(lab, subject, sources, trust) for subject in subjects]
    conclusion = _conclusion(found)
    data = {"outcome": conclusion.value, "verified": conclusion.verified, "times": [it.as_json() for it in found]}
    return Answer(data, *_lines(found, conclusion), exit_code=conclusion.exit_code)


def _times(lab: Lab, subject: Any, sources: Sequence[str], trust: Any) -> Any:
    start = _witness().RecordTimes(str(subject), None, None)
    if times := _witness().times_of_subjects(lab.home, [subject], sources, trust, start):
        return times
    raise InputError(
        f"expected receipts of {subject}, got none",
        hint="`witness add` asks for some; --from names a published store that has them.",
    )


def _kept(lab: Lab, subjects: Sequence[Any]) -> tuple[list[Any], list[str]]:
    """Return the receipts that are kept of some things, of everything if none is named, and which files are damaged."""
    if not subjects:
        every: tuple[list[Any], list[str]] = _witness().all_kept(lab.home)
        return every
    return [it for subject in subjects for it in _witness().kept_receipts(lab.home, subject)], []


def _conclusion(found: Sequence[Any]) -> Conclusion:
    said = [it for times in found for it in times.witnesses]
    if any(it.standing is _witness().TimeStanding.REFUSED for it in said) or any(it.failed for it in found):
        return Conclusion.NOT_VERIFIED
    if all(any(it.standing is _witness().TimeStanding.VERIFIED for it in times.witnesses) for times in found):
        return Conclusion.VERIFIED
    return Conclusion.UNAVAILABLE if any(it.unavailable for it in said) else Conclusion.CONSISTENT


def _lines(found: Sequence[Any], conclusion: Conclusion) -> Iterator[str]:
    from blockchaintracer.cli.render import verdict_line

    yield verdict_line(conclusion, f"{counted(len(found), 'thing')} with receipts.")
    for times in found:
        yield ""
        yield times.subject
        yield from (hanging("  ", plain(line)) for line in times.lines())
    yield ""
    yield "What this does not prove"
    yield "  That a record holds, or is right: a witness says when its id was there. `verify ID` checks the record."


def _with_bitcoin(settings: Any, headers: Path | None, node: str | None) -> Any:
    return replace(settings, headers=str(headers) if headers else settings.headers, node=node or settings.node)


def _is_waiting(receipt: Any) -> bool:
    return receipt.kind is _witness().WitnessKind.OPENTIMESTAMPS and any(
        it.standing is _witness().TimeStanding.PENDING
        for it in _witness().check_receipt(receipt, _witness().WitnessTrust())
    )
