"""The process beside a devnet that saves its chain within seconds of every new block and keeps its log short.

`Devnet` runs it as ``python -m blockchaintracer.lab.devnet.keeper FOLDER PID PORT`` and hands over the keeper's lock.
It ends with the node, and ends the node when the lab's folder no longer names it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from blockchaintracer.lab.devnet.chain_state import ChainState
from blockchaintracer.lab.devnet.rpc import call

INTERVAL_SECONDS = 1.0
LONGEST_LOG = 1_000_000


def keep(folder: Path, pid: int, port: int) -> None:
    """Saves the chain of process `pid` on `port` until it ends."""
    import psutil

    try:
        node = psutil.Process(pid)
        saved = None
        while node.status() != psutil.STATUS_ZOMBIE:
            if not _is_named(folder, pid):
                node.terminate()
                return
            began = time.monotonic()
            try:
                head = call(port, "eth_getBlockByNumber", "latest", False)["hash"]
                if head != saved:
                    ChainState(folder).save(port)
                    saved = head
            except (OSError, ValueError) as error:
                print(time.strftime("%Y-%m-%d %H:%M:%S"), f"the chain was not saved: {error}", flush=True)
            log = folder / "node.log"
            if log.exists() and log.stat().st_size > LONGEST_LOG:
                log.write_bytes(log.read_bytes()[-LONGEST_LOG // 2 :])
            # saving a large chain must not keep a core busy
            pause = max(INTERVAL_SECONDS, 10 * (time.monotonic() - began))
            try:
                node.wait(pause)
            except psutil.TimeoutExpired:
                continue
            return
    except psutil.NoSuchProcess:
        return


def _is_named(folder: Path, pid: int) -> bool:
    try:
        return bool(json.loads((folder / "node.json").read_bytes())["pid"] == pid)
    except (OSError, ValueError, KeyError):
        return False


if __name__ == "__main__":
    keep(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
