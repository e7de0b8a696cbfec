"""JSON-RPC to a node on this machine, by the standard library alone: the keeper runs for as long as the node does, and
must stay small. Calls of a registry belong to blockchaintracer.core.chain."""

from __future__ import annotations

import http.client
import json
from typing import Any

HOST = "127.0.0.1"
ANSWER_SECONDS = 10.0
"""A node that takes longer for a small question hangs."""


def call(port: int, method: str, *params: Any, timeout: float | None = None) -> Any:
    """The result of one JSON-RPC call."""
    # not urllib: it would send the call to the proxy of the environment
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout or ANSWER_SECONDS)
    request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    try:
        connection.request("POST", "/", request, {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
        if "result" not in answer:
            raise ValueError(f"{method}: {answer['error']['message']}")
        return answer["result"]
    except ConnectionError:  # of which one kind is an HTTPException too
        raise
    except (http.client.HTTPException, KeyError, TypeError) as error:
        raise ValueError(f"{method}: no JSON-RPC answer on port {port}") from error
    finally:
        connection.close()
