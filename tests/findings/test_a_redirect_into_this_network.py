"""A published folder or a gateway on the public internet could point to a server of this machine or of a private
network, and it was asked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from ipaddress import IPv4Address, IPv6Address

import pytest

from blockchaintracer.core import fetch as fetching
from blockchaintracer.core.verify.copies import SourceError, object_name
from blockchaintracer.lab.store import redirects
from blockchaintracer.lab.store.sources import read_source
from tests.support.serving import serving

pytestmark = pytest.mark.node
CONTENT = b"what was published"
NAME = object_name(hashlib.sha256(CONTENT).hexdigest())


def server(target: str = "") -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        seen: list[str] = []  # noqa: RUF012 -- of this class alone

        def do_GET(self) -> None:
            self.seen.append(self.path)
            self.send_response(302 if target else 200)
            if target:
                self.send_header("Location", target)
            self.send_header("Content-Length", "0" if target else str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(b"" if target else CONTENT)

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler


def only(public: str) -> Callable[[IPv4Address | IPv6Address], bool]:
    """Take one address of this machine for one on the public internet."""
    return lambda address: str(address) == public


@pytest.mark.parametrize("public", ["127.0.0.1", "none"])
def test_it_is_asked_only_if_the_first_is_in_this_network_too(monkeypatch: pytest.MonkeyPatch, public: str) -> None:
    monkeypatch.setattr(fetching, "is_public", only(public))
    monkeypatch.setattr(redirects, "is_public", only(public))
    inner = server()
    with serving(inner) as inside:
        with serving(server(f"{inside.replace('127.0.0.1', '127.0.0.2')}/elsewhere")) as source:
            if public == "none":
                # nothing listens at 127.0.0.2: it was asked, though
                with pytest.raises(SourceError, match="can't be reached") as error:
                    b"".join(read_source(source, NAME))
                assert error.value.unavailable
            else:
                with pytest.raises(SourceError, match=r"127\.0\.0\.2, which is no public address") as error:
                    b"".join(read_source(source, NAME))
                assert error.value.wrong
        with serving(server(f"{inside}/elsewhere")) as source:
            assert b"".join(read_source(source, NAME)) == CONTENT
