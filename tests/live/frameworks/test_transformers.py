"""Transformers' own Trainer on a BERT of a few hundred weights, made here: nothing is fetched."""

import json

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

from blockchaintracer.extras.frameworks.torch import digest_state_dict
from blockchaintracer.extras.frameworks.transformers import callback


@pytest.fixture
def training(tmp_path):
    config = BertConfig(
        vocab_size=16, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
        max_position_embeddings=8, num_labels=2,
    )  # fmt: skip
    torch.manual_seed(0)
    data = [{"input_ids": [i % 16, (3 * i) % 16, 1], "labels": i % 2} for i in range(16)]
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "private-place"), num_train_epochs=2, per_device_train_batch_size=8, logging_steps=1,
        eval_strategy="epoch", save_strategy="epoch", report_to=[], disable_tqdm=True, use_cpu=True, seed=5,
        hub_token="hf_" + "a" * 34,
    )  # fmt: skip

    def make(run):
        return Trainer(
            BertForSequenceClassification(config), arguments, train_dataset=data, eval_dataset=data,
            callbacks=[callback(run)],
        )  # fmt: skip

    return make


def test_a_training_is_recorded_without_what_is_personal(traced, training):
    with traced.tracer.start_run("fine-tune") as run:
        trainer = training(run)
        trainer.train()
    said, outputs = traced.said(run), traced.outputs(run)
    arguments = said.parameters["training_arguments"]
    assert (arguments["seed"], arguments["num_train_epochs"]) == (5, 2)
    assert said.parameters["model"]["hidden_size"] == 8
    manifest = traced.lab.store.get_bytes(run.recorded.manifest)
    assert b"private-place" not in manifest
    assert b"hf_aaa" not in manifest
    assert said.seeds["torch"]["initialSeed"] == "5"
    assert {"loss", "eval_loss", "train_loss"} <= said.metrics.keys()
    lines = [json.loads(line) for line in outputs["metrics.jsonl"][1].splitlines()]
    losses = [line["metrics"]["loss"] for line in lines if "loss" in line["metrics"]]
    assert len(losses) == 4
    assert losses[-1] == said.metrics["loss"].value
    assert list(traced.history(run, "loss").values()) == losses
    assert outputs["checkpoint-4/SHA256SUMS"][0] == "checkpoint"
    assert b"model.safetensors" in outputs["checkpoint-4/SHA256SUMS"][1]
    assert outputs["model.state.json"][1] == digest_state_dict(trainer.model).document


def test_a_trainer_without_a_run_is_unchanged(training, traced):
    """The callback is added to those that Transformers has, and takes none away."""
    run = traced.tracer.start_run("r")
    names = {type(one).__name__ for one in training(run).callback_handler.callbacks}
    assert {"DefaultFlowCallback", "BlockchainTracerCallback"} <= names
