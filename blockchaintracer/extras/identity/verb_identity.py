"""`blockchaintracer identity`: who an account or a group is, by claims that point both ways."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.options import NEW_FILE, VerbGroup, group_option, source_option
from blockchaintracer.cli.record_names import RECORD
from blockchaintracer.cli.render import Answer, plain, state_line, when
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.plain_json import as_json, fields_json
from blockchaintracer.extras.identity.confirm import CheckedClaim, chosen, keep_claim, revoke
from blockchaintracer.extras.identity.confirm import check as ask_other_sides
from blockchaintracer.extras.identity.holders import CONFIRMED
from blockchaintracer.extras.identity.identifiers import SCHEMES
from blockchaintracer.extras.identity.identity_claims import claim as make_claim
from blockchaintracer.extras.identity.identity_claims import names, title
from blockchaintracer.extras.identity.identity_page import page
from blockchaintracer.extras.identity.other_side import Asking, methods
from blockchaintracer.lab.files import write_output
from blockchaintracer.lab.lab import Lab

local_option = click.option("--allow-local", is_flag=True, help="Let http and addresses that are not public be asked.")


@click.group(cls=VerbGroup)
def command() -> None:
    """Say who an account or a group is, so that the other side (ORCID, a domain, GitHub, ENS) says so, too.

    A claim alone proves nothing. It counts when the other side names the claim, the account or the group. What was
    fetched is the word of who fetched it.

    \b
    Examples:
      blockchaintracer identity claim --orcid 0000-0002-1825-0097
      blockchaintracer identity claim --domain example.org --for-group \\
        -o blockchaintracer.json
      blockchaintracer identity check
      blockchaintracer identity check ID \\
        --from https://lab.example/published --record
      blockchaintracer identity list
      blockchaintracer identity revoke ID --reason "left the lab"
    """


@command.lab_verb(writes=True)
@group_option
@click.option("--orcid", metavar="ID", help="An ORCID iD, such as 0000-0002-1825-0097.")
@click.option("--domain", metavar="NAME", help="A domain, such as example.org.")
@click.option("--github", metavar="USER", help="A GitHub user or organisation.")
@click.option("--ens", metavar="NAME", help="An ENS name, such as name.eth.")
@click.option("--for-group", is_flag=True, help="It is the group's. [default: the own account's]")
@click.option("--supersedes", type=RECORD, metavar="ID", help="The claim that this one takes the place of.")
@click.option("-o", "--output", type=NEW_FILE, help="Write the file that a domain or GitHub user publishes.")
def claim(lab: Lab, for_group: bool, supersedes: str | None, output: Path | None, **given: str | None) -> Answer:
    """Sign and record that your account, or your group, is known elsewhere by a name.

    It prints what the other side has to publish.
    """
    told = [(scheme, text) for scheme in SCHEMES if (text := given[scheme])]
    if len(told) != 1:
        raise InputError(
            f"expected one of {', '.join(f'--{scheme}' for scheme in SCHEMES)}, got {len(told) or 'none'}",
            hint="One claim has one identifier: make several claims.",
        )
    [(scheme, text)] = told
    recorded = make_claim(lab, scheme, text, for_group=for_group, supersedes=supersedes)
    said = keep_claim(lab, recorded).manifest.predicate.statement  # type: ignore[union-attr]
    shown, holder = names(said)
    file = json.dumps(page(said, shown), indent=2) + "\n"
    if output:
        write_output(output, file.encode())
    data = {**as_json(recorded), "claim": f"0x{said.digest()}", "title": title(said), "names": [shown, holder]}
    return Answer(
        data | {"page": page(said, shown)},
        f"Claimed in record {recorded.id}: {title(said)}.",
        f"  {state_line(recorded, 'recorded')}",
        "It counts when the other side names the claim:",
        f"  {shown}",
        *_how(said, shown, file),
        "Then: blockchaintracer identity check",
        exit_code=3 if recorded.state == "stored" else 0,
    )


def _how(said: Any, shown: str, file: str) -> Iterator[str]:
    address = methods(said.scheme)[0].address(said)
    if said.scheme == "orcid":
        yield "On orcid.org, under Websites & social links, visible to everyone, add this address:"
        yield f"  https://orcid.org/{said.identifier}#{shown}"
    elif said.scheme == "ens":
        yield f"Set {address} to that text."
    else:
        yield f"Publish {address} with:"
        yield from (f"  {line}" for line in file.splitlines())


@command.lab_verb(writes=True)
@group_option
@click.argument("claims", nargs=-1, metavar="[ID|orcid:…|domain:…|github:…|ens:…]...")
@source_option
@local_option
@click.option("--ror", "institution", metavar="ID", help="Ask ROR whether this institution has the claimed domain.")
@click.option("--record", "record_it", is_flag=True, help="Record what names a claim, as the word of your group.")
def check(
    lab: Lab,
    claims: tuple[str, ...],
    sources: tuple[str, ...],
    allow_local: bool,
    institution: str | None,
    record_it: bool,
) -> Answer:
    """Ask the other sides of claims now: all that are known here, or those that are named.

    Exit codes: 0 all are confirmed, 1 one is not, 3 one could not be asked.
    """
    asking = Asking(allow_local, lambda: lab.chain)
    done = ask_other_sides(lab, claims, asking, sources=sources, institution=institution, record_it=record_it)
    denied = [it for it in done if it.holder.state != CONFIRMED or (it.institution and not it.institution.says)]
    away = [it for it in denied if it.holder.asked.startswith("could not be asked")]
    return Answer(
        {"claims": [it.holder.as_json() | fields_json(it, "recorded", "institution") for it in done]},
        *(line for it in done for line in _lines(it)),
        notes=["What could not be asked: run the same command again when the other side can be reached."]
        if away
        else [],
        exit_code=(3 if len(away) == len(denied) else 1) if denied else 0,
    )


def _lines(done: CheckedClaim) -> Iterator[str]:
    yield from map(_indented, done.holder.lines())
    if done.holder.state == CONFIRMED:
        yield f"  {plain(done.holder.asked)}"
    if done.institution:
        yield f"  {plain(done.institution.reason)}"
    if done.recorded:
        yield f"  recorded in {done.recorded.id}: the word of group {done.recorded.group}"


def _indented(line: str) -> str:
    return f"{'  ' * line.startswith('  ')}{plain(line)}"


@command.lab_verb("list")
@source_option
def list_claims(lab: Lab, sources: tuple[str, ...]) -> Answer:
    """List the claims that are known here, without asking the other sides."""
    try:
        known = [holder for holder, _ in chosen(lab, (), sources)]
    except InputError:
        known = []
    lines = [line for holder in known for line in (*holder.lines(), f"  claim {holder.record}")]
    return Answer({"claims": [it.as_json() for it in known]}, *map(_indented, lines or ["No claim is known here."]))


@command.lab_verb("revoke", writes=True)
@group_option
@click.argument("record_id", type=RECORD, metavar="ID")
@click.option("--reason", required=True, metavar="TEXT", help="Why, for people. It is kept; its SHA-256 goes on chain.")
@click.option("--lost-since", metavar="DATE", help="Since when the key is in other hands, ISO 8601, in UTC.")
@source_option
def revoke_claim(lab: Lab, record_id: str, reason: str, lost_since: str | None, sources: tuple[str, ...]) -> Answer:
    """Retract a claim, once and for good: the author, or a maintainer of the group.

    With --lost-since a maintainer of the group, by another key, also states that the author's key was lost or stolen
    (as `keys report`): records of the key after that date are not verified any more.
    """
    written, stated = revoke(lab, lab.parse_id(record_id), reason, lost_since, sources)
    more = [f"Stated in record {stated.id}: the key was lost or stolen since {lost_since}."] if stated else []
    return Answer(
        {**as_json(written), "statement": as_json(stated)},
        f"Revoked the claim {written.record_id} on {when(written.time)}.",
        *more,
    )
