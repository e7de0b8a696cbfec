"""Keras' own `fit`, on the backend that KERAS_BACKEND names: PyTorch, TensorFlow or JAX."""

import io
import json
import os
import zipfile

import keras
import numpy as np
import pytest

from blockchaintracer.extras.frameworks.keras import callback, digest_weights


def network(seed=0):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [keras.layers.Input((4,)), keras.layers.Dense(3, name="one"), keras.layers.Dense(1, name="two")], name="net"
    )
    model.compile(keras.optimizers.SGD(0.05), loss="mse", metrics=["mae"])
    return model


DATA = np.random.default_rng(0).normal(size=(32, 4)).astype("f4")


def test_a_training_is_recorded(traced, tmp_path):
    model = network()
    with traced.tracer.start_run("fit") as run:
        history = model.fit(DATA, DATA.sum(1), epochs=3, verbose=0, validation_split=0.25, callbacks=[callback(run)])
    said, outputs = traced.said(run), traced.outputs(run)
    assert said.parameters["keras"]["backend"] == os.environ["KERAS_BACKEND"]
    assert said.parameters["keras"]["fit"]["epochs"] == 3
    assert said.parameters["keras"]["optimizer"]["config"]["learning_rate"] == pytest.approx(0.05)
    assert said.parameters["keras"]["parameters"] == 4 * 3 + 3 + 3 + 1
    assert said.metrics["val_loss"].value == history.history["val_loss"][-1]
    assert traced.history(run, "val_loss") == dict(enumerate(history.history["val_loss"]))
    lines = [json.loads(line) for line in outputs["metrics.jsonl"][1].splitlines()]
    assert [line["metrics"]["loss"] for line in lines] == history.history["loss"]
    assert [line["epoch"] for line in lines] == [0, 1, 2]
    role, file = outputs["model.keras"]
    assert role == "model"
    assert zipfile.is_zipfile(io.BytesIO(file))
    path = tmp_path / "again.keras"
    path.write_bytes(file)
    again = keras.models.load_model(path)
    assert digest_weights(again).document == outputs["model.state.json"][1] == digest_weights(model).document


def test_the_weights_count_and_the_seed_decides_them():
    assert digest_weights(network()).sha256 == digest_weights(network()).sha256
    assert digest_weights(network()).sha256 != digest_weights(network(1)).sha256
    model = network()
    before = digest_weights(model)
    assert [tensor.name for tensor in before.tensors] == ["0/kernel", "1/bias", "2/kernel", "3/bias"]
    weights = model.get_weights()
    weights[0][0, 0] += 1e-6
    model.set_weights(weights)
    assert digest_weights(model).sha256 != before.sha256
