"""The Python of the pages that needs PyTorch, run as it stands there."""

import re
from pathlib import Path

import torch

from tests.support.labs import ROOT


def blocks(page):
    return re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)


def test_checkpoints(traced):
    model = torch.nn.Linear(2, 1)
    torch.save(model.state_dict(), "start.pt")
    [code] = blocks("checkpoints.md")
    known = {"tracer": traced.tracer, "torch": torch, "model": model}
    exec(code, known)
    said = traced.said(known["run"])
    assert said.checkpoints.count == 1000
    assert len(said.checkpoints.anchors) == 100


def test_frameworks(traced, monkeypatch):
    monkeypatch.setenv("BLOCKCHAINTRACER_HOME", str(traced.lab.home.path))
    model = torch.nn.Linear(2, 1)
    known = {"model": model, "optimizer": torch.optim.SGD(model.parameters(), 0.1), "Path": Path}
    started, logged, checked = blocks("frameworks.md")
    exec(
        started + "from blockchaintracer.integrations.torch import capture, log_model, log_checkpoint\n" + logged,
        known,
    )
    role, state = traced.outputs(known["run"])["model.state.json"]
    assert role == "state"
    Path("model.state.json").write_bytes(state)
    exec(checked, known)
