"""A step of the machine's clock made the lab's own running devnet "the devnet of another lab": the start of its
process, as psutil tells it, moves with the clock."""

from __future__ import annotations

import json
import os
import types
from pathlib import Path

import psutil
import pytest

from blockchaintracer.lab.devnet import node

pytestmark = pytest.mark.fast


class Process(psutil.Process):
    def __init__(self, pid: int) -> None:
        super().__init__(pid)
        # as psutil did before 7
        self.kept = super().create_time() + KNOWN[0]

    def cmdline(self) -> list[str]:
        return ["anvil", "8645", str(node.DEVNET.chain_id)]

    def create_time(self) -> float:
        return self.kept


STEP = [0.0]
KNOWN = [0.0]


@pytest.mark.parametrize("step", [-86_400.0, 86_400.0])
def test_the_process_is_still_this_labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: float) -> None:
    boot_time = psutil.boot_time
    monkeypatch.setattr(psutil, "Process", Process)

    def stepped() -> float:
        KNOWN[0] = STEP[0]
        return boot_time() + STEP[0]

    monkeypatch.setattr(psutil, "boot_time", stepped)
    devnet = node.Devnet(types.SimpleNamespace(devnet=tmp_path))  # type: ignore[arg-type]
    child = types.SimpleNamespace(pid=os.getpid(), poll=lambda: None)
    monkeypatch.setattr(node.Devnet, "_detached", lambda self, command: child)
    monkeypatch.setattr(node, "_listens", lambda pid, port: True)
    monkeypatch.setattr(node, "_tenant", lambda port: None)
    devnet._spawn(["anvil"], None, 8645)
    notes = json.loads((tmp_path / "node.json").read_text())
    STEP[0] = step
    try:
        assert devnet._process(notes) is not None
        assert devnet._process(notes | {"started": notes["started"] - 1000}) is None
    finally:
        STEP[0] = KNOWN[0] = 0.0
