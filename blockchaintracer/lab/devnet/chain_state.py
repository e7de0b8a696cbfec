"""The chain on disk: written whole or not at all, with the copy before it kept.

anvil can write its state by itself (``--state-interval``), but it truncates the file first, so that a crash leaves half
of it, and it writes the whole chain at every interval, changed or not. Here the state (accounts, blocks, transactions,
receipts) is asked for by ``anvil_dumpState`` and put in place by renaming; it's gzip, whose checksum shows damage.
"""

from __future__ import annotations

import gzip
import json
import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from blockchaintracer.core.errors import ChainUnavailable
from blockchaintracer.lab.devnet.rpc import call
from blockchaintracer.lab.files import locked, write_whole

DUMP_SECONDS = 300.0


class ChainState:
    """The saved chain in a folder: ``state.json.gz`` and ``state.previous.json.gz``."""

    def __init__(self, folder: Path) -> None:
        self.current = folder / "state.json.gz"
        self.previous = folder / "state.previous.json.gz"
        self._lock = folder / "state.lock"

    def save(self, port: int) -> None:
        """Writes the chain of the node on `port` as of now."""
        # asked for inside the lock: an older dump must not replace a newer one
        with locked(self._lock):
            data = bytes.fromhex(call(port, "anvil_dumpState", timeout=DUMP_SECONDS).removeprefix("0x"))
            if self.current.exists():
                spare = self.previous.with_suffix(".new")
                spare.unlink(missing_ok=True)
                os.link(self.current, spare)
                spare.replace(self.previous)
            write_whole(self.current, data)

    def load(self, notify: Callable[[str], None]) -> bytes | None:
        """The newest chain that can be read, as anvil's JSON; None if none was ever saved."""
        damaged = []
        for path in (self.current, self.previous):
            if not path.exists():
                continue
            try:
                data = gzip.decompress(path.read_bytes())
                head = json.loads(data)["best_block_number"]
            except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
                damaged.append(f"{path} ({error})")
                continue
            if damaged:
                # out of the way: the next save must not make it the copy before
                self.current.replace(self.current.with_name("state.damaged.json.gz"))
                saved = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(path.stat().st_mtime))
                notify(
                    f"The devnet's state is damaged: {damaged[0]}. It goes on from the copy before it, block {head}, "
                    f"saved {saved}; what was recorded later has to be submitted again."
                )
            return data
        if damaged:
            raise ChainUnavailable(
                f"expected the devnet's saved chain, got damaged files: {', '.join(damaged)}",
                hint="Put a good copy in their place, or begin a new chain with `blockchaintracer node reset`; "
                "what was recorded is still in the store and can be recorded on the new chain.",
                files=[str(self.current), str(self.previous)],
            )
        return None

    def delete(self) -> None:
        """Forgets the chain."""
        with locked(self._lock):
            self.current.unlink(missing_ok=True)
            self.previous.unlink(missing_ok=True)
