"""Many questions in one request: who indexes a chain, or exports of it, asks for thousands of blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from blockchaintracer.core.chain.answers import WrongAnswer, question, result_of
from blockchaintracer.core.chain.connection import Chain
from blockchaintracer.core.chain.endpoints import SECONDS, Endpoints
from blockchaintracer.core.errors import NodeError
from blockchaintracer.core.fetch import FetchError

_BATCH = 50
"""Questions sent at once, until an endpoint refuses so many."""


def connect(url: str) -> Chain:
    """Connect as `Chain.connect` does, to endpoints that are asked many questions at once."""
    return Chain.connect(url, Batching)


class Batching(Endpoints):
    """Endpoints that are asked many questions at once, until one refuses so many."""

    _batch = _BATCH

    @override
    def ask_many(self, questions: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        results: list[Any] = []
        while len(results) < len(questions):
            part = questions[len(results) : len(results) + self._batch]
            answers = self._at_once(part) if len(part) > 1 else {}
            if len(answers) < len(part):
                # a node may refuse so many, or answer some alone: what is missing is asked singly
                self._batch = max(len(answers) or len(part) // 4, 1)
            results += [
                answers[index] if index in answers else self.ask(method, *params)
                for index, (method, params) in enumerate(part)
            ]
        return results

    def _at_once(self, questions: Sequence[tuple[str, Sequence[Any]]]) -> dict[int, Any]:
        """Ask one endpoint many questions in one request; return the results that came, by index."""
        requests = [question(method, params) for method, params in questions]
        url = self._urls[self._current]
        try:
            self._require_chain(url)
            answers, status = self._post(url, requests, SECONDS)
        except (FetchError, WrongAnswer, NodeError):
            return {}
        indices = {request["id"]: index for index, request in enumerate(requests)}
        results = {}
        for answer in answers if isinstance(answers, list) else ():
            number = answer.get("id") if isinstance(answer, dict) else None
            if isinstance(number, int) and (index := indices.get(number)) is not None:
                try:
                    results[index] = result_of(answer, requests[index], self.address, status)
                except (WrongAnswer, NodeError):
                    continue
        return results
