"""A faulty proxy between client and node: every answer can be dropped, delayed, cut, swapped or false."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = dict[str, Any] | bytes | int | None
"""What the client gets: JSON, bytes as they are, an HTTP status, or a connection that ends without an answer."""
Ask = Callable[[], dict[str, Any]]
Fault = Callable[[dict[str, Any], Ask], Answer]


def honest(request: dict[str, Any], ask: Ask) -> Answer:
    """The node's own answer."""
    return ask()


class Proxy:
    """A JSON-RPC endpoint that passes questions on to a node, as its `fault` wants it.

    Attributes:
        url: of the proxy.
        fault: is given each request and a function that asks the node.
        batch: how many requests it takes in one.
        asked: how often each method came.
    """

    def __init__(self, node: str) -> None:
        self.fault: Fault = honest
        self.batch = 1000
        self.asked: Counter[str] = Counter()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # an answer goes out in one piece, at once
            wbufsize = -1
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = json.loads(body)
                answer: Any = proxy.answer(request)
                if isinstance(request, list):
                    # what is no JSON ends all
                    answer = next((each for each in answer if not isinstance(each, dict)), answer)
                if answer is None:
                    self.close_connection = True
                    return
                status = answer if isinstance(answer, int) else 200
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
                self.wfile.flush()

            def log_message(self, *given: Any) -> None:
                pass

        self._node = node
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, request: Any) -> Any:
        """What the client gets for a request, or for several in one."""
        if isinstance(request, list):
            if len(request) > self.batch:
                refused = {"code": -32600, "message": f"batch limit {self.batch} exceeded"}
                return [{"jsonrpc": "2.0", "id": None, "error": refused}]
            return [self.answer(each) for each in request]
        self.asked[request["method"]] += 1

        def ask() -> dict[str, Any]:
            data = json.dumps(request).encode()
            passed_on = urllib.request.Request(self._node, data, {"Content-Type": "application/json"})
            with urllib.request.urlopen(passed_on, timeout=600) as response:
                return json.loads(response.read())

        return self.fault(request, ask)

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def proxied(node: str) -> Iterator[Proxy]:
    """A proxy before a node, for the time of a block."""
    proxy = Proxy(node)
    try:
        yield proxy
    finally:
        proxy.close()
