"""`blockchaintracer ipfs`: files and folders on IPFS, addressed here and checked against what nodes say."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from blockchaintracer.cli.common import Verb, VerbGroup, lab_options, make_lab, progress_bar, show, table
from blockchaintracer.core.digest import DEFAULT_PROFILE, PROFILES
from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable, InputError
from blockchaintracer.lab.publish import write_archive
from blockchaintracer.lab.store.ipfs.blocks import Cid
from blockchaintracer.lab.store.ipfs.dag import Tree
from blockchaintracer.lab.store.ipfs.download import download
from blockchaintracer.lab.store.ipfs.gateway import GATEWAYS_VARIABLE, SCHEME, Address
from blockchaintracer.lab.store.ipfs.kubo import RPC_VARIABLE, Kubo
from blockchaintracer.lab.store.ipfs.pinning import Pin, add_service, pin, services, status, unpin
from blockchaintracer.lab.store.store import FETCH_LIMIT

_profile = click.option(
    "--profile", type=click.Choice(list(PROFILES)), default=DEFAULT_PROFILE, show_default=True, help="CID profile."
)
_rpc = click.option("--node", metavar="URL", help=f"RPC of the node. [env: {RPC_VARIABLE}; else 127.0.0.1:5001]")
_services = click.option("--service", "names", multiple=True, metavar="NAME", help="One of the services; repeatable.")


@click.group(cls=VerbGroup)
def command() -> None:
    """Files on IPFS. What is fetched is trusted for its hashes alone; what is sent keeps the CID computed here.

    \b
    Examples:
      blockchaintracer publish ID --to ipfs           # what others need of a record
      blockchaintracer ipfs add data.csv
      blockchaintracer ipfs fetch ipfs://CID/data.csv -o data.csv
      blockchaintracer ipfs service mine --endpoint https://pins.example/psa --token-env PINS_TOKEN
      blockchaintracer ipfs pin CID --wait 600
    """


@command.command(cls=Verb)
@lab_options
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@_profile
@_rpc
@click.option(
    "--blocks", is_flag=True, help="Send blocks (dag/import) and not the file, so that the node can't cut it."
)
@click.pass_context
def add(ctx: click.Context, /, path: Path, profile: str, node: str | None, blocks: bool, **options: Any) -> None:
    """Give a node a file or folder, and have it pinned. Fails if the node names another CID. Folders go as blocks."""
    kubo = Kubo(node)
    with progress_bar(ctx, "sending") as progress:
        if blocks or path.is_dir():
            cid = kubo.send(Tree.of(path, profile), progress)
        else:
            cid = kubo.add(path, profile, progress)
    show(
        ctx,
        {"cid": str(cid), "profile": profile, "node": kubo.name},
        f"{SCHEME}{cid} ({profile}), pinned by {kubo.name}",
    )


@command.command("car", cls=Verb)
@lab_options
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--output", "file", required=True, type=click.Path(path_type=Path), help="The archive to make.")
@_profile
@click.pass_context
def car_(ctx: click.Context, /, path: Path, file: Path, profile: str, **options: Any) -> None:
    """Write a file or folder as an archive of its blocks (CARv1), which every node imports."""
    with progress_bar(ctx, "writing") as progress:
        root = write_archive(Tree.of(path, profile), file, progress)
    show(ctx, {"cid": str(root), "profile": profile, "file": str(file)}, f"{SCHEME}{root} ({profile}) in {file}")


@command.command(cls=Verb)
@lab_options
@click.argument("source", metavar="CID[/PATH]|URL")
@click.option("-o", "--output", "target", required=True, type=click.Path(path_type=Path), help="Where nothing is yet.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=FETCH_LIMIT, metavar="BYTES", help="Take no more than that."
)
@click.pass_context
def fetch(ctx: click.Context, /, source: str, target: Path, limit: int, **options: Any) -> None:
    """Fetch a file or folder from gateways, each block verified: whole, or not at all.

    \b
    Examples:
      blockchaintracer ipfs fetch ipfs://CID/data.csv -o data.csv
      blockchaintracer ipfs fetch https://gateway.example/ipfs/CID -o folder
    """
    address = Address.parse(source if "://" in source else SCHEME + source)
    if address is None:
        raise InputError(
            f"expected an address on IPFS, got {source!r}",
            hint=f"ipfs://CID/path asks the gateways in ${GATEWAYS_VARIABLE}; https://GATEWAY/ipfs/CID/path that one.",
        )
    with progress_bar(ctx, "fetching") as progress:
        size = download(address, target, limit=limit, progress=progress)
    show(
        ctx,
        {"address": str(address), "path": str(target), "size": size},
        f"{target}: {size} bytes of {address}, verified",
    )


@command.command(cls=Verb)
@lab_options
@click.argument("name")
@click.option("--endpoint", required=True, metavar="URL", help="The address that /pins follows.")
@click.option("--token-env", metavar="VARIABLE", help="Environment variable that holds its token.")
@click.option("--token-file", type=click.Path(path_type=Path), help="File that holds its token.")
@click.pass_context
def service(
    ctx: click.Context, /, name: str, endpoint: str, token_env: str | None, token_file: Path | None, **options: Any
) -> None:
    """Note a pinning service (IPFS Pinning Service API) and where its token is; the token itself is not kept."""
    file = make_lab(ctx, options).home.pinning
    add_service(file, name, endpoint, token_env=token_env, token_file=token_file)
    show(ctx, {"service": name, "file": str(file)}, f"Noted the pinning service {name} in {file}.")


@command.command("pin", cls=Verb)
@lab_options
@click.argument("cid", metavar="CID")
@_services
@click.option("--name", metavar="TEXT", help="What the services shall call it.")
@click.option(
    "--wait", "wait_s", type=click.FloatRange(min=0), default=0, metavar="SECONDS", help="Wait until it's done."
)
@click.pass_context
def pin_(
    ctx: click.Context, /, cid: str, names: tuple[str, ...], name: str | None, wait_s: float, **options: Any
) -> None:
    """Ask all pinning services, or some, to keep what is below a CID. Exit code 3 if one did not take it."""
    chosen = services(make_lab(ctx, options).home.pinning, names)
    _pins(ctx, cid, pin(chosen, _cid(cid), name=name, wait_s=wait_s))


@command.command("unpin", cls=Verb)
@lab_options
@click.argument("cid", metavar="CID")
@_services
@click.pass_context
def unpin_(ctx: click.Context, /, cid: str, names: tuple[str, ...], **options: Any) -> None:
    """Ask pinning services to forget a CID."""
    _pins(ctx, cid, unpin(services(make_lab(ctx, options).home.pinning, names), _cid(cid)))


@command.command("status", cls=Verb)
@lab_options
@click.argument("cid", metavar="CID")
@_services
@_rpc
@click.pass_context
def status_(ctx: click.Context, /, cid: str, names: tuple[str, ...], node: str | None, **options: Any) -> None:
    """Who keeps a CID: the node, and each pinning service."""
    file, wanted, kubo = make_lab(ctx, options).home.pinning, _cid(cid), Kubo(node)
    try:
        found = [Pin(kubo.name, "pinned" if kubo.is_pinned(wanted) else "absent", None, f"version {kubo.version()}")]
    except BlockchainTracerError as error:
        found = [Pin(kubo.name, "error", None, error.message)]
    _pins(ctx, cid, found + (status(services(file, names), wanted) if names or file.exists() else []))


def _cid(text: str) -> Cid:
    return Cid.parse(text.removeprefix(SCHEME))


def _pins(ctx: click.Context, cid: str, pins: list[Pin]) -> None:
    show(ctx, {"cid": cid, "pins": [asdict(one) for one in pins]})
    if not ctx.params["as_json"]:
        table(None, ["where", "status", ""], [[one.service, one.status, one.detail or ""] for one in pins])
    if any(one.status in ("error", "failed") for one in pins):
        ctx.exit(ChainUnavailable.exit_code)
