"""JSON-RPC over HTTP to one or several endpoints of one chain: the first that answers as a node does is asked."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from typing_extensions import override

from blockchaintracer.core.chain.answers import Busy, Node, WrongAnswer, question, result_of
from blockchaintracer.core.errors import HistoryPruned, InputError, NodeError
from blockchaintracer.core.fetch import FetchError, fetch, new_session
from blockchaintracer.core.networks import redact_url
from blockchaintracer.core.plain_json import loads_shallow

SECONDS = 60
"""For a whole answer; an endpoint that takes longer is not asked again for the same question."""
_PROBE_S = 5
_MOST_BYTES = 1 << 25
"""Of an answer, decompressed."""
_ROUNDS = 3
_PAUSE_S = 0.25
_PATIENCE_S = 60.0
"""How long endpoints that ask to wait are waited for, in growing pauses."""
_TOLD_S = 1.0
"""Of pauses from here on the user is told."""
_BEHIND = 20
"""Blocks that an endpoint may be behind another before it is asked last."""
_NOT_FOUND = (
    *("eth_getBlockByNumber", "eth_getBlockByHash", "eth_getTransactionReceipt", "eth_getTransactionByHash"),
    "eth_getLogs",
)
"""Of these null, or no log, is an answer, and another endpoint may have what this one lacks or has forgotten."""
_NO_METHOD = (-32601, -32004)
_log = logging.getLogger(__name__)


class _TooLarge(NodeError):
    """What was asked for is more than is read."""

    _hint = "Ask for less at once."


class Endpoints(Node):
    """JSON-RPC over HTTP at one or more addresses of one chain.

    A question goes to the endpoint that answered last. One that can't be reached, refuses (429, 5xx), answers wrongly
    or has forgotten makes way for the next; after the last, all are tried again, a little later each time.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        super().__init__(", ".join(redact_url(url) for url in urls))
        self._urls = list(urls)
        self.is_several = len(urls) > 1
        self._session = new_session()
        self._checked: set[str] = set()
        self._silent: set[str] = set()
        self._chain_id: int | None = None
        self._current = 0

    def open(self) -> int:
        """Ask all endpoints for their chain and return its id. An endpoint that is far behind the others is asked last
        from now on."""
        if len(self._urls) == 1:
            try:
                chain_id = int(self._question(self._urls[0], "eth_chainId", (), SECONDS), 16)
            except Busy:
                chain_id = int(self.ask("eth_chainId"), 16)
            except (FetchError, WrongAnswer) as error:
                raise self.unavailable(error) from None
            self._learn(self._urls[0], chain_id)
            return chain_id
        with ThreadPoolExecutor(len(self._urls)) as pool:
            answers = list(pool.map(self._probe, self._urls))
        heads = {}
        for url, answer in zip(self._urls, answers, strict=True):
            if isinstance(answer, tuple):
                self._learn(url, answer[0])
                heads[url] = answer[1]
        if self._chain_id is None:
            raise self.unavailable(answers[0])
        newest = max(heads.values())
        self._urls.sort(key=lambda url: newest - heads.get(url, -1) > _BEHIND)
        return self._chain_id

    @override
    def ask(self, method: str, *params: Any) -> Any:
        problem: Exception | None = None
        is_missing, missing, done, attempt, left = False, None, set[str](), 0, _PATIENCE_S
        while True:
            pause = _PAUSE_S * 2**attempt
            busy: Busy | None = None
            for at in [(self._current + offset) % len(self._urls) for offset in range(len(self._urls))]:
                url = self._urls[at]
                if url in done:
                    continue
                try:
                    self._require_chain(url)
                    result = self._question(url, method, params, SECONDS)
                except Busy as error:
                    problem = busy = error
                except WrongAnswer as error:
                    problem = error
                except FetchError as error:
                    problem = error
                    if error.slow:
                        done.add(url)
                except NodeError as error:
                    if not isinstance(error, HistoryPruned | _TooLarge) and error.code not in _NO_METHOD:
                        raise
                    problem = error
                    done.add(url)
                else:
                    if len(self._urls) > 1 and (result is None or result == []) and method in _NOT_FOUND:
                        is_missing, missing = True, result
                        done.add(url)
                        continue
                    self._current = at
                    return result
            attempt += 1
            pause = max(pause, busy.wait_s) if busy else pause
            if is_missing or len(done) == len(self._urls) or (attempt >= _ROUNDS and not busy) or pause > left:
                break
            if busy and pause >= _TOLD_S:
                _log.warning("%s asks to wait (%s): asking again in %.0f s", self.address, busy, pause)
            time.sleep(pause)
            left -= pause
        if isinstance(problem, NodeError) and not (is_missing and isinstance(problem, HistoryPruned)):
            raise problem
        if is_missing:
            return missing
        raise self.unavailable(problem)

    @override
    def ask_each(self, method: str, *params: Any) -> list[Any]:
        found = super().ask_each(method, *params)
        for at, url in enumerate(self._urls):
            if at == self._current or url in self._silent:
                continue
            try:
                self._require_chain(url)
                found += self._question(url, method, params, SECONDS)
            except NodeError:
                pass  # too wide a question for it, for example
            except (FetchError, WrongAnswer):
                # one that is away is not waited for again and again
                self._silent.add(url)
        return found

    def _learn(self, url: str, chain_id: int) -> None:
        if self._chain_id is None:
            self._chain_id = chain_id
        if chain_id != self._chain_id:
            raise InputError(
                f"expected endpoints of one chain, got chain {self._chain_id} and chain {chain_id} at "
                f"{redact_url(url)}",
                hint="Name endpoints of the same chain, separated by commas.",
            )
        self._checked.add(url)

    def _require_chain(self, url: str) -> None:
        """Refuse an endpoint of another chain before it is asked for the first time."""
        if url not in self._checked and self._chain_id is not None:
            self._learn(url, int(self._question(url, "eth_chainId", (), SECONDS), 16))

    def _probe(self, url: str) -> tuple[int, int] | Exception:
        try:
            chain_id, head = (self._question(url, name, (), _PROBE_S) for name in ("eth_chainId", "eth_blockNumber"))
            return int(chain_id, 16), int(head, 16)
        except (FetchError, WrongAnswer, NodeError) as error:
            return error

    def _question(self, url: str, method: str, params: Sequence[Any], seconds: float) -> Any:
        request = question(method, params)
        try:
            answer, status = self._post(url, request, seconds)
        except FetchError as error:
            if error.too_large:
                raise _TooLarge(self.address, method, str(error)) from None
            raise
        return result_of(answer, request, self.address, status)

    def _post(self, url: str, request: Any, seconds: float) -> tuple[Any, int]:
        """Return the JSON of an answer, and its HTTP status."""
        headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip"}
        answer = fetch(
            url,
            method="POST",
            data=json.dumps(request).encode(),
            headers=headers,
            session=self._session,
            limit=_MOST_BYTES,
            seconds=seconds,
        )
        if answer.status in (429, 503):
            wait = answer.headers.get("Retry-After", "")
            raise Busy(f"HTTP {answer.status}", float(wait) if re.fullmatch(r"\d{1,4}", wait) else 0.0)
        try:
            return loads_shallow(answer.body), answer.status
        except (ValueError, RecursionError):
            raise WrongAnswer(f"HTTP {answer.status} and no JSON") from None
