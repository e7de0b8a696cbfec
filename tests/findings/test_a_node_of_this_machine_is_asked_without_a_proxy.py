"""With $HTTP_PROXY set, as in many institutes, the devnet of this machine was asked through the proxy: nothing could be
recorded or verified, and the proxy could answer in its place."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler

import pytest

from blockchaintracer.core.fetch import FetchError, fetch
from tests.support.serving import serving

pytestmark = pytest.mark.node


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"itself" if self.path == "/here" else b"a proxy"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


def test_what_listens_here_answers_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Answer) as here, serving(Answer) as proxy:
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, proxy)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        for address in (here, here.replace("127.0.0.1", "localhost")):
            assert fetch(f"{address}/here", limit=100, seconds=5).body == b"itself"
        # all else goes through it
        assert fetch("http://node.example/here", limit=100, seconds=5).body == b"a proxy"
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        with pytest.raises(FetchError, match="ProxyError"):
            fetch("http://node.example/here", limit=100, seconds=5)
