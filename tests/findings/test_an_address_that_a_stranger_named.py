"""A published folder could point anywhere, and the password of ~/.netrc for that host went along. One that sends a byte
now and then held up `verify --from`, a node of IPFS and a pinning service for ever."""

from __future__ import annotations

import hashlib
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import requests

from blockchaintracer.core.fetch import FetchError, fetch
from blockchaintracer.core.verify.copies import SourceError, object_name
from blockchaintracer.lab.store import sources
from blockchaintracer.lab.store.sources import read_source
from tests.support.serving import serving

pytestmark = pytest.mark.node
CONTENT = b"what was published"
NAME = object_name(hashlib.sha256(CONTENT).hexdigest())


class Handler(BaseHTTPRequestHandler):
    """Gives the content, and keeps who asked."""

    seen: list[str | None]
    target: str = ""

    def do_GET(self) -> None:
        self.seen.append(self.headers.get("Authorization"))
        self.send_response(302 if self.target else 200)
        if self.target:
            self.send_header("Location", self.target)
        self.send_header("Content-Length", "0" if self.target else str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(b"" if self.target else CONTENT)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def passwords(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine localhost login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def handler(target: str = "") -> type[Handler]:
    return type("Asked", (Handler,), {"seen": [], "target": target})


@pytest.mark.usefixtures("passwords")
def test_no_password_goes_where_a_source_points() -> None:
    inner = handler()
    with serving(inner) as address:
        outer = handler(f"{address.replace('127.0.0.1', 'localhost')}/elsewhere")
        with serving(outer) as source:
            assert b"".join(read_source(source, NAME)) == CONTENT
    assert inner.seen == [None]


@pytest.mark.usefixtures("passwords")
def test_the_address_that_the_user_names_gets_its_own() -> None:
    asked = handler()
    with serving(asked) as address:
        assert b"".join(read_source(address.replace("127.0.0.1", "localhost"), NAME)) == CONTENT
        assert b"".join(read_source(address.replace("127.0.0.1", "you:open@127.0.0.1"), NAME)) == CONTENT
    assert asked.seen == [requests.auth._basic_auth_str("me", "secret"), requests.auth._basic_auth_str("you", "open")]


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/a"])
def test_a_source_points_to_the_web_alone(target: str) -> None:
    with serving(handler(target)) as source, pytest.raises(SourceError, match="where nothing is fetched from") as error:
        b"".join(read_source(source, NAME))
    assert error.value.wrong


def test_a_byte_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_BLOCK_S", 0.3)

    class Slow(Handler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(100):
                    self.wfile.write(b"x")
                    time.sleep(0.05)
            except OSError:
                pass

    with serving(Slow) as source:
        with pytest.raises(SourceError) as error:
            b"".join(read_source(source, NAME))
        assert error.value.unavailable
        with pytest.raises(FetchError, match=r"in 0\.3 s"):
            fetch(source, limit=1 << 20, seconds=0.3)
