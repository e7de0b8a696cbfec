"""Follows the chain in the background, and says what the index knows and since when the node does not answer."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from blockchaintracer.core.errors import BlockchainTracerError
from blockchaintracer.extras.search import Index
from blockchaintracer.extras.serve.published import PublishedFolder
from blockchaintracer.lab.handover import registry_facts
from blockchaintracer.lab.lab import Lab

PROBLEM = "the chain can't be followed now: what is served is of the block named here"


@dataclass(frozen=True, slots=True)
class Following:
    """What the last reading of the chain gave.

    Args:
        generation: changes with everything that an answer may hold.
        is_settled: whether nothing is being written to the index.
        facts: who owns the registry, and its successor (`registry_facts`); None until a node has told.
        gap: why events may be missing; None if none are missing.
        has_followed: whether a node answered since this process began.
        silent_since: Unix seconds since which no node answers; None if one does.
        problem: why it does not, or what the node that answers does not know.
    """

    generation: int = 0
    is_settled: bool = True
    facts: dict[str, Any] | None = None
    gap: str | None = None
    has_followed: bool = False
    silent_since: int | None = None
    problem: str | None = None


@dataclass
class Follower:
    """Brings an index up to date, again and again, in a thread of its own.

    Args:
        open_index: opens the index to write to.
        every: seconds from one reading of the chain to the next.
        say: is told what a person should know.
    """

    lab: Lab
    open_index: Callable[[], Index]
    published: PublishedFolder
    every: float
    say: Callable[[str], None] = lambda message: None
    state: Following = Following()
    nonce: str = field(default_factory=lambda: secrets.token_hex(4))
    """Generations are counted by each process: tags of another process must not equal this one's."""

    def __post_init__(self) -> None:
        self._ends = threading.Event()
        self._mark: list[tuple[Any, ...]] = []
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self, seconds: float = 5) -> None:
        """End after the question that is being asked; a node that hangs is not waited for any longer."""
        self._ends.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._ends.is_set():
            self.follow()
            self._ends.wait(self.every)

    def follow(self) -> None:
        """Read once what the chain added."""
        before = self.state
        self.state = replace(before, is_settled=False)
        try:
            state = replace(self._read(), silent_since=None)
            if before.silent_since:
                self.say("The node answers again.")
        except Exception as error:  # the thread outlives what nobody expected, whose text may hold an address
            told = error.message if isinstance(error, BlockchainTracerError) else type(error).__name__
            if not before.silent_since:
                self.say(f"The chain can't be followed; what is known is served on: {told}")
            # where the node is concerns nobody who asks
            state = replace(self.state, silent_since=before.silent_since or int(time.time()), problem=PROBLEM)
            self.lab.reconnect()
        is_same = replace(state, generation=before.generation, is_settled=True) == before
        self.state = replace(state, generation=state.generation + (not is_same), is_settled=True)

    def _read(self) -> Following:
        with self.open_index() as index:
            try:
                report = index.sync(self.lab.registry, self.published.store)
            finally:
                # by this sync, also if it failed half-way, or by another server that writes to the same index
                if (mark := _mark(index)) != self._mark:
                    self._mark = mark
                    self.state = replace(self.state, generation=self.state.generation + 1)
        for message in [*report.unexpected, *([report.rebuilt] if report.rebuilt else [])]:
            self.say(message)
        return replace(
            self.state,
            facts=registry_facts(self.lab),
            gap=report.gap and report.gap.replace(self.lab.chain.address, "the node"),
            has_followed=True,
            problem=self.lab.chain.behind().replace(self.lab.chain.address, "the node") or None,
        )


def _mark(index: Index) -> list[tuple[Any, ...]]:
    """What changes with everything that is written to an index."""
    missing = "SELECT count(*), (SELECT max(pk) FROM documents) FROM documents WHERE json IS NULL AND problem IS NULL"
    with suppress(BlockchainTracerError):
        return [
            tuple(row)
            for select in (
                "SELECT r.pk, b.number, b.hash FROM registries r JOIN blocks b ON b.registry = r.pk"
                " AND b.number = r.block ORDER BY r.pk",
                missing,
            )
            for row in index.rows(select)
        ]
    return []
