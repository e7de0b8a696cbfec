"""The other sides of identity claims, on this machine: a simulator of ORCID, domains, GitHub and ROR, which can't be
had here. It serves what a test puts there, as those services do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.serving import serving

VARIABLES = {
    "BLOCKCHAINTRACER_ORCID": "",
    "BLOCKCHAINTRACER_GITHUB": "",
    "BLOCKCHAINTRACER_GITHUB_API": "",
    "BLOCKCHAINTRACER_ROR": "",
    "BLOCKCHAINTRACER_WELL_KNOWN": "/{domain}",
}


class OtherSides:
    """Pages by their paths, and the addresses to set in the environment."""

    def __init__(self, address: str, pages: dict[str, bytes | str]) -> None:
        self.address, self.pages = address, pages
        self.variables = {name: address + path for name, path in VARIABLES.items()}

    def orcid(self, orcid: str, *urls: str, **changed: Any) -> None:
        """Write a public ORCID record with these websites."""
        entries = [{"url-name": "lab", "url": {"value": url}, "visibility": "public"} for url in urls]
        person = {"researcher-urls": {"researcher-url": entries, "path": f"/{orcid}/researcher-urls"}}
        self.pages[f"/v3.0/{orcid}/person"] = json.dumps({**person, "path": f"/{orcid}/person", **changed}).encode()

    def domain(self, domain: str, page: dict[str, Any], path: str = "blockchaintracer.json") -> None:
        """Write a file of a domain."""
        self.pages[f"/{domain}/.well-known/{path}"] = json.dumps(page).encode()

    def github(self, user: str, page: dict[str, Any], number: int = 583231) -> None:
        """Write the file of a GitHub user whose account has this number."""
        self.pages[f"/users/{user}"] = json.dumps({"login": user.title(), "id": number, "type": "User"}).encode()
        self.pages[f"/{user}/{user}/HEAD/blockchaintracer.json"] = json.dumps(page).encode()


@contextmanager
def other_sides() -> Iterator[OtherSides]:
    """Serve pages on this machine. A page that is text is a redirect to it."""
    pages: dict[str, bytes | str] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path)
            self.send_response(404 if page is None else 302 if isinstance(page, str) else 200)
            if isinstance(page, str):
                self.send_header("Location", page)
            body = page if isinstance(page, bytes) else b""
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with serving(Handler) as address:
        yield OtherSides(address, pages)
