"""`blockchaintracer ipfs`: files and folders on IPFS, addressed here and checked against what nodes say."""

from __future__ import annotations

from pathlib import Path

import click

from blockchaintracer.cli.options import PATH, VerbGroup, profile_option
from blockchaintracer.cli.render import Answer, plain, progress_bar, table
from blockchaintracer.core.errors import BlockchainTracerError, ChainUnavailable, InputError
from blockchaintracer.lab.files import entries_below
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.publish import write_archive
from blockchaintracer.lab.store.ipfs.blocks import Cid
from blockchaintracer.lab.store.ipfs.dag import Tree
from blockchaintracer.lab.store.ipfs.download import download
from blockchaintracer.lab.store.ipfs.gateway import GATEWAYS_VARIABLE, SCHEME, Address
from blockchaintracer.lab.store.ipfs.kubo import RPC_VARIABLE, Kubo
from blockchaintracer.lab.store.ipfs.pinning import Pin, add_service, pin, services, status, unpin
from blockchaintracer.lab.store.store import FETCH_LIMIT

_path_argument = click.argument("path", type=click.Path(exists=True, path_type=Path))
_cid_argument = click.argument("cid", metavar="CID")
_node_option = click.option(
    "--node", metavar="URL", help=f"RPC of the node. [env: {RPC_VARIABLE}; else 127.0.0.1:5001]"
)
_services_option = click.option("--service", "names", multiple=True, metavar="NAME", help="A service; repeatable.")


@click.group(cls=VerbGroup)
def command() -> None:
    """Files on IPFS. What is fetched is trusted for its hashes alone; what is sent keeps the CID computed here.

    \b
    Examples:
      blockchaintracer publish ID --to ipfs    # what others need of a record
      blockchaintracer ipfs add data.csv
      blockchaintracer ipfs fetch ipfs://CID/data.csv -o data.csv
      blockchaintracer ipfs service mine --endpoint https://pins.example/psa \\
        --token-env PINS_TOKEN
      blockchaintracer ipfs pin CID --wait 600
    """


@command.lab_verb()
@_path_argument
@profile_option
@_node_option
@click.option(
    "--blocks", is_flag=True, help="Send blocks (dag/import) and not the file, so that the node cannot cut it."
)
def add(lab: Lab, path: Path, profile: str, node: str | None, blocks: bool) -> Answer:
    """Give a node a file or folder, and have it pinned. Fails if the node names another CID. Folders go as blocks."""
    kubo = Kubo(node)
    with progress_bar("sending") as progress:
        if blocks or path.is_dir():
            cid = kubo.send(Tree.of(path, profile), progress)
        else:
            cid = kubo.add(path, profile, progress)
    data = {"cid": str(cid), "profile": profile, "node": kubo.name, "emptyFolders": _empty_folders(path)}
    return Answer(data, f"{SCHEME}{cid} ({profile}), pinned by {kubo.name}", notes=_left_out(path))


@command.lab_verb("car")
@_path_argument
@click.option("-o", "--output", "file", required=True, type=PATH, help="The archive to make.")
@profile_option
def make_archive(lab: Lab, path: Path, file: Path, profile: str) -> Answer:
    """Write a file or folder as an archive of its blocks (CARv1), which every node imports."""
    with progress_bar("writing") as progress:
        root = write_archive(Tree.of(path, profile), file, progress)
    data = {"cid": str(root), "profile": profile, "file": str(file), "emptyFolders": _empty_folders(path)}
    return Answer(data, f"{SCHEME}{root} ({profile}) in {file}", notes=_left_out(path))


@command.lab_verb()
@click.argument("source", metavar="CID[/PATH]|URL")
@click.option("-o", "--output", "target", required=True, type=PATH, help="New file or folder to write.")
@click.option("--limit", type=click.IntRange(min=0), default=FETCH_LIMIT, metavar="BYTES", help="Bytes at most.")
def fetch(lab: Lab, source: str, target: Path, limit: int) -> Answer:
    """Fetch a file or folder from gateways, each block verified: whole, or not at all.

    \b
    Examples:
      blockchaintracer ipfs fetch ipfs://CID/data.csv -o data.csv
      blockchaintracer ipfs fetch https://gateway.example/ipfs/CID -o folder
    """
    address = Address.parse(source if source.startswith((SCHEME, "http://", "https://")) else SCHEME + source)
    if address is None:
        raise InputError(
            f"expected an address on IPFS, got {source!r}",
            hint=f"ipfs://CID/path asks the gateways in ${GATEWAYS_VARIABLE}; https://GATEWAY/ipfs/CID/path that one.",
        )
    with progress_bar("fetching") as progress:
        size = download(address, target, limit=limit, progress=progress)
    data = {"address": str(address), "path": str(target), "size": size}
    return Answer(data, f"{target}: {size} bytes of {address}, verified")


@command.lab_verb()
@click.argument("name")
@click.option("--endpoint", required=True, metavar="URL", help="The address that /pins follows.")
@click.option("--token-env", metavar="VARIABLE", help="Environment variable that holds its token.")
@click.option("--token-file", type=PATH, help="File that holds its token.")
def service(lab: Lab, name: str, endpoint: str, token_env: str | None, token_file: Path | None) -> Answer:
    """Note a pinning service (IPFS Pinning Service API) and where its token is; the token itself is not kept."""
    file = lab.home.pinning
    add_service(file, name, endpoint, token_env=token_env, token_file=token_file)
    return Answer({"service": name, "file": str(file)}, f"Noted the pinning service {name} in {file}.")


@command.lab_verb("pin")
@_cid_argument
@_services_option
@click.option("--name", metavar="TEXT", help="The name that the services show.")
@click.option(
    "--wait", "wait_s", type=click.FloatRange(min=0), default=0, metavar="SECONDS", help="Wait until it is done."
)
def pin_content(lab: Lab, cid: str, names: tuple[str, ...], name: str | None, wait_s: float) -> Answer:
    """Ask all pinning services, or some, to keep what is below a CID. Exit code 3 if one did not take it."""
    return _pins(cid, pin(services(lab.home.pinning, names), _parsed(cid), name=name, wait_s=wait_s))


@command.lab_verb("unpin")
@_cid_argument
@_services_option
def unpin_content(lab: Lab, cid: str, names: tuple[str, ...]) -> Answer:
    """Ask pinning services to forget a CID."""
    return _pins(cid, unpin(services(lab.home.pinning, names), _parsed(cid)))


@command.lab_verb("status")
@_cid_argument
@_services_option
@_node_option
def pin_status(lab: Lab, cid: str, names: tuple[str, ...], node: str | None) -> Answer:
    """Who keeps a CID: the node, and each pinning service."""
    file, content, kubo = lab.home.pinning, _parsed(cid), Kubo(node)
    try:
        own = Pin(kubo.name, "pinned" if kubo.is_pinned(content) else "absent", None, f"version {kubo.version()}")
    except BlockchainTracerError as error:
        own = Pin(kubo.name, "error", None, error.message)
    return _pins(cid, [own, *(status(services(file, names), content) if names or file.exists() else [])])


def _empty_folders(path: Path) -> list[str]:
    return sorted(
        str(it.relative_to(path)) for it in map(Path, entries_below(path)) if it.is_dir() and not any(it.iterdir())
    )


def _left_out(path: Path) -> list[str]:
    return [f"Left out, because it is empty: {plain(folder)}" for folder in _empty_folders(path)]


def _parsed(cid: str) -> Cid:
    return Cid.parse(cid.removeprefix(SCHEME))


def _pins(cid: str, pins: list[Pin]) -> Answer:
    return Answer(
        {"cid": cid, "pins": pins},
        table(None, ["where", "status", ""], [[entry.service, entry.status, entry.detail or ""] for entry in pins]),
        exit_code=ChainUnavailable.exit_code if any(entry.status in ("error", "failed") for entry in pins) else 0,
    )
