"""`blockchaintracer page`: the page that verifies in a browser."""

from __future__ import annotations

import hashlib
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
from typing_extensions import override

from blockchaintracer.cli.options import NEW_FILE, Verb
from blockchaintracer.cli.render import Answer
from blockchaintracer.core.errors import InputError
from blockchaintracer.lab.files import output as written
from blockchaintracer.lab.published_pages import PAGE


@click.command(cls=Verb)
@click.option("-o", "--output", type=NEW_FILE, help="The file to write.  [default: check.html]")
@click.option("--serve", is_flag=True, help="Serve it on this machine alone until Ctrl-C, and write nothing.")
@click.option("--port", type=click.IntRange(0, 65535), help="For --serve.  [default: a free one]")
def command(output: Path | None, serve: bool, port: int | None) -> Answer:
    """Write the page that verifies records in a browser, or serve it on this machine.

    It is one HTML file without a server: it works from disk, from any web server and from IPFS, and asks only the nodes
    that its reader names. Some nodes refuse a page that is opened from disk: --serve gives it an address. Everyone who
    hands it on can change it: compare its SHA-256 with the one that is printed here.

    \b
    Examples:
      blockchaintracer page
      blockchaintracer page -o for-the-editor/check.html
      blockchaintracer page --serve
    """
    if not serve and port is not None:
        raise InputError("expected --serve beside --port", hint="See `page --help`.")
    if serve and output is not None:
        raise InputError("expected either --serve or --output, got both", hint="See `page --help`.")
    page = PAGE.read_bytes()
    digest = hashlib.sha256(page).hexdigest()
    if serve:
        _serve(page, digest, port or 0)
        return Answer({"sha256": digest, "served": True}, "Stopped.")
    target = output or Path("check.html")
    if target.exists():
        raise InputError(f"expected the name of a new file, got {target}, which exists", hint="Name another by -o.")
    with written(target) as file:
        file.write(page)
    return Answer(
        {"file": str(target), "sha256": digest, "size": len(page)},
        f"Wrote {target}, {len(page):,} bytes.",
        "Open it in any browser, and drop a proof and its data on it.",
        f"SHA-256 {digest}",
    )


class _Handler(SimpleHTTPRequestHandler):
    """Gives the page at / and nothing else, to a browser that asked for this machine by its own name."""

    def __init__(self, page: bytes, *given: Any) -> None:
        self._page = page
        super().__init__(*given)

    @override
    def do_GET(self) -> None:
        host = (self.headers.get("Host") or "").rpartition(":")[0]
        found = self.path == "/" and host in ("127.0.0.1", "localhost")
        self.send_response(200 if found else 404)
        for name, value in (
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(self._page) if found else 0)),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if found and self.command == "GET":
            self.wfile.write(self._page)

    do_HEAD = do_GET  # noqa: N815 -- the name that http.server calls

    @override
    def log_message(self, format: str, *args: Any) -> None:
        pass


def _serve(page: bytes, digest: str, port: int) -> None:
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, page))
    except OSError as error:
        hint = "Choose another by --port, or leave it out for a free one."
        raise InputError(f"can't serve on port {port}: {error.strerror}", hint=hint) from None
    with server:
        click.echo(f"http://127.0.0.1:{server.server_port}/  (Ctrl-C stops it)", err=True)
        click.echo(f"SHA-256 {digest}", err=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("", err=True)
