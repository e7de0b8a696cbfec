"""Lightning's own Trainer with the callback."""

import json
import math

import lightning.pytorch as L
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from blockchaintracer import RecordingWarning
from blockchaintracer.extras.frameworks.lightning import callback
from blockchaintracer.extras.frameworks.torch import digest_state_dict


class Module(L.LightningModule):
    def __init__(self, lr=0.1, fail_at=None):
        super().__init__()
        self.save_hyperparameters()
        self.layer = nn.Linear(3, 1)

    def training_step(self, batch, index):
        x, y = batch
        if self.hparams.fail_at == self.current_epoch:
            raise RuntimeError("diverged")
        loss = nn.functional.mse_loss(self.layer(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, index):
        x, y = batch
        self.log("val_loss", nn.functional.mse_loss(self.layer(x), y))
        self.log("odd", torch.tensor(float("nan")))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)


def loader():
    x = torch.randn(16, 3, generator=torch.Generator().manual_seed(0))
    return DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=8)


def trainer(folder, run, **more):
    checkpoint = L.callbacks.ModelCheckpoint(dirpath=folder / "kept", monitor="val_loss", save_last=True)
    return L.Trainer(
        max_epochs=3, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        log_every_n_steps=1, callbacks=[callback(run), checkpoint], default_root_dir=folder, **more
    )  # fmt: skip


def test_a_training_is_recorded(traced, tmp_path):
    L.seed_everything(3, verbose=False)
    module = Module(lr=0.05)
    with traced.tracer.start_run("fit") as run:
        fitted = trainer(tmp_path, run)
        fitted.fit(module, loader(), loader())
    said, outputs = traced.said(run), traced.outputs(run)
    assert said.status == "completed"
    assert said.parameters["trainer"]["max_epochs"] == 3
    assert said.parameters["model"]["lr"] == 0.05
    assert said.seeds["torch"]["initialSeed"] == "3"
    assert said.metrics["val_loss"].value == pytest.approx(fitted.callback_metrics["val_loss"].item())
    assert math.isnan(said.metrics["odd"].value)
    lines = [json.loads(line) for line in outputs["metrics.jsonl"][1].splitlines()]
    values = [line["metrics"]["val_loss"] for line in lines if "val_loss" in line["metrics"]]
    assert len(set(values)) == 3
    assert values[0] > values[-1] == said.metrics["val_loss"].value
    assert lines[0]["metrics"]["odd"] == "nan"
    by_step = {line["step"]: line["metrics"]["val_loss"] for line in lines if "val_loss" in line["metrics"]}
    assert traced.history(run, "val_loss") == by_step
    checkpoints = {path for path, (role, _) in outputs.items() if role == "checkpoint"}
    assert "last.ckpt" in checkpoints
    assert len(checkpoints) == 2
    assert outputs["model.state.json"][1] == digest_state_dict(module).document


def test_a_training_that_fails_is_recorded_as_failed_with_what_it_reached(traced, tmp_path):
    with pytest.raises(RuntimeError, match="diverged"), traced.tracer.start_run("fit") as run:
        trainer(tmp_path, run).fit(Module(fail_at=1), loader(), loader())
    said = traced.said(run)
    assert (said.status, said.error) == ("failed", "RuntimeError: diverged")
    assert "val_loss" in said.metrics
    assert "metrics.jsonl" in traced.outputs(run)


def test_what_cannot_be_logged_does_not_end_the_training(traced, tmp_path, monkeypatch):
    def broken(*_args, **_more):
        raise OSError("disk full")

    module = Module()
    with traced.tracer.start_run("fit") as run:
        monkeypatch.setattr(run, "place", broken)
        fitted = trainer(tmp_path, run)
        with pytest.warns(RecordingWarning, match="disk full"):
            fitted.fit(module, loader(), loader())
    assert fitted.current_epoch == 3
    assert traced.said(run).status == "completed"
