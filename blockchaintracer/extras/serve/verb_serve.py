"""`blockchaintracer serve`: answers others' questions about the registry over HTTP, read-only."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from blockchaintracer.cli.options import FOLDER, lab_verb
from blockchaintracer.cli.render import Answer
from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.serve.published import PublishedFolder, published_folder
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.optional import require

PORT = 8710
DATABASE = "BLOCKCHAINTRACER_DATABASE"


@lab_verb()
@click.option(
    "--folder", type=FOLDER, metavar="PUBLISHED", help="The published folder. [default: where records are published to]"
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen at: this machine's only, unless you say so.",
)
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 for any.")
@click.option(
    "--every",
    default=15.0,
    show_default=True,
    type=click.FloatRange(1),
    metavar="SECONDS",
    help="How often the chain is read.",
)
@click.option(
    "--database",
    envvar=DATABASE,
    metavar="URL",
    help="A PostgreSQL database, postgresql://USER@HOST/NAME, that several servers share. A password comes by "
    f"$PGPASSWORD, ~/.pgpass or the variable. [default: SQLite in the lab's folder] [env: {DATABASE}]",
)
def command(lab: Lab, folder: Path | None, host: str, port: int, every: float, database: str | None) -> Answer:
    """Answer questions about the registry over HTTP, read-only, until Ctrl-C.

    Shown is what is on the chain and what the published folder holds: no name, manifest or path that only the lab has.
    Nothing can be written through it. Put a web server with TLS before it where others can reach it.

    \b
    Examples:
      blockchaintracer serve
      blockchaintracer serve --folder published --port 8080
      blockchaintracer serve --folder published \\
        --database postgresql://ligo@db.example/records
      curl http://127.0.0.1:8710/v1/records?kind=run
    """
    require("fastapi", "serve")
    require("uvicorn", "serve")
    from blockchaintracer.extras.serve.server import IndexPlace, serve

    if database is not None:
        _check_database(database, click.get_current_context().get_parameter_source("database"))
    published = PublishedFolder(published_folder(lab, folder), lab.home.served / "nothing")
    place = IndexPlace(published, lab.home.served, database)
    # a port that is taken is told before anything is read
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise InputError(
            f"expected an address to listen at, got {host}:{port}: {error.strerror}", hint="Choose another --port."
        ) from None
    with listener:
        name = f"[{host}]" if ":" in host else host
        address = f"http://{name}:{listener.getsockname()[1]}"

        def ready() -> None:
            shown = published.folder
            where = {"registry": lab.domain.registry, "chainId": lab.domain.chain_id}
            Answer(
                {"listening": address, **where, "folder": str(shown) if shown else None},
                f"Serving {lab.domain.registry} on chain {lab.domain.chain_id} at {address}/v1/registry",
                f"  from {f'the published folder {shown}' if shown else 'the chain alone: no --folder was given'}",
            ).show()
            sys.stdout.flush()

        serve(lab, place, listener, every, ready)
    return Answer({"stopped": True}, "Stopped.")


def _check_database(url: str, source: ParameterSource | None) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres"):
        raise InputError("expected the address of a database as postgresql://USER@HOST/NAME, got another")
    if source is ParameterSource.COMMANDLINE and (parts.password or "password" in parts.query):
        raise InputError(
            "expected an address without a password, got one with it: others see what is typed",
            hint=f"Give it by $PGPASSWORD, ~/.pgpass or ${DATABASE}.",
        )
