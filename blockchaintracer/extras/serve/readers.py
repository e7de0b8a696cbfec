"""Reading an index for many at once: a few threads with a connection each, a deadline, and a queue that ends."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from typing_extensions import override

from blockchaintracer.core.errors import BlockchainTracerError
from blockchaintracer.extras.search import Index

T = TypeVar("T")
_STEPS = 20_000
"""Steps of SQLite's machine from one look at the clock to the next: about a millisecond."""


class Unanswered(BlockchainTracerError):
    """More is asked than can be answered in time."""


def takes_long() -> Unanswered:
    """Return the error of a question that can't be answered in time."""
    return Unanswered(
        "expected a question that is answered in time, got one that takes longer",
        hint="Ask for less: a shorter time, a group, a kind, a subject or fewer words.",
    )


class ReadOnlyIndex(Index):
    """An index in an SQLite file, opened to read. It never makes, mends or replaces the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.gap = None
        self._inode, self._db = self._connect()

    def _connect(self) -> tuple[int, sqlite3.Connection]:
        try:
            inode = self.path.stat().st_ino
            db = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5)
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA query_only = ON")
            db.execute("PRAGMA cache_size = -65536")
            db.execute("PRAGMA mmap_size = 2147483648")
        except (OSError, sqlite3.Error) as error:
            reason = f"the index can't be read now ({type(error).__name__})"
            raise Unanswered(reason, hint="Try again in a moment.") from None
        return inode, db

    @override
    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
                raise takes_long() from None
            raise Unanswered("the index can't be read now", hint="Try again in a moment.") from None
        except sqlite3.DatabaseError:
            raise Unanswered("the index is damaged, and is built anew", hint="Try again in some minutes.") from None

    @contextmanager
    def snapshot(self, seconds: float) -> Iterator[None]:
        """Read one state of the index, for so many seconds."""
        try:
            if self.path.stat().st_ino != self._inode:
                self.close()
                self._inode, self._db = self._connect()
        except OSError:
            raise Unanswered("the index is built anew", hint="Try again in some minutes.") from None
        ends = time.monotonic() + seconds
        self._db.set_progress_handler(lambda: time.monotonic() > ends, _STEPS)
        try:
            with self._guarded():
                self._db.execute("BEGIN")
            yield
        finally:
            self._db.set_progress_handler(None, 0)
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


class Readers:
    """Threads that read an index.

    Args:
        open_index: opens the index to read, in the thread that reads.
        threads: how many read at once.
        seconds: that a question may take.
        waiting: questions that may wait.
    """

    def __init__(self, open_index: Callable[[], Any], *, threads: int, seconds: float, waiting: int = 200) -> None:
        self._open = open_index
        self._pool = ThreadPoolExecutor(threads, "reader")
        self._seconds = seconds
        self._most = threads + waiting
        self._asked = 0
        self._here = threading.local()

    async def ask(self, question: Callable[[Any], T]) -> T:
        """Ask a question of one state of the index.

        Raises:
            Unanswered: if too many wait, or the question takes too long.
        """
        if self._asked >= self._most:
            raise Unanswered("expected fewer questions at once, got more than can wait", hint="Try again in a moment.")
        self._asked += 1
        try:
            return await asyncio.wrap_future(self._pool.submit(self._answer, question))
        finally:
            self._asked -= 1

    def _answer(self, question: Callable[[Any], T]) -> T:
        index = getattr(self._here, "index", None)
        if index is None:
            index = self._here.index = self._open()
        try:
            with index.snapshot(self._seconds):
                return question(index)
        finally:
            if getattr(index, "is_lost", False):
                # the next question opens it again
                self._here.index = None

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)
