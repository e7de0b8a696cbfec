"""Artifacts are hashed and kept in the background while their run goes on, by a thread that gives way to the others.

At the run's end only what has changed since, as the cache of digests knows, is read again.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from blockchaintracer.lab.capture.secret_masking import error_text
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.keep import Keeping, keep
from blockchaintracer.lab.store.hashcache import SETTLED_NS

_LARGE = 1 << 20
_log = logging.getLogger(__name__)


class Beforehand:
    """Keeps large files that were logged, each once a run: one that is written again and again waits for the end."""

    def __init__(self) -> None:
        self._restart()
        # threads do not survive a fork
        os.register_at_fork(after_in_child=self._restart)

    def _restart(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._jobs: dict[Path, Future[None]] = {}
        self._ended = threading.Event()

    def add(self, open_lab: Callable[[], Lab], files: Iterable[Path]) -> None:
        """Keep files for a lab in the background."""
        for file in files:
            if file not in self._jobs and file.is_file() and file.stat().st_size >= _LARGE:
                self._pool = self._pool or ThreadPoolExecutor(1, initializer=_give_way)
                self._jobs[file] = self._pool.submit(_keep, open_lab, file, self._ended)

    def end(self) -> None:
        """Wait for the file that is being read, and leave all others to what ends a run."""
        self._ended.set()
        jobs, self._jobs, self._ended = self._jobs, {}, threading.Event()
        wait([job for job in jobs.values() if not job.cancel()])


def _keep(open_lab: Callable[[], Lab], file: Path, ended: threading.Event) -> None:
    try:
        stat = file.stat()
        # of a file that changed just before, the cache notes nothing
        settled = (max(stat.st_mtime_ns, stat.st_ctime_ns) + SETTLED_NS) / 1e9 + 0.01
        if not ended.wait(settled - time.time()):
            keep(open_lab(), file, Keeping(listed=True))
    except Exception as error:
        # the end of the run keeps it, or says why not
        _log.debug("%s is not kept beforehand: %s", file, error_text(error))


def _give_way() -> None:
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
