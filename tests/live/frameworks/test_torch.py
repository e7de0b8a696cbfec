"""PyTorch's own tensors, modules, optimizers and files."""

import hashlib
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.record import Kind
from blockchaintracer.extras.frameworks.torch import (
    capture,
    check_state,
    digest_state_dict,
    log_checkpoint,
    log_model,
)
from blockchaintracer.extras.frameworks.torch import settings as torch_settings
from blockchaintracer.extras.frameworks.training_state import array_tensor, digest_state
from tests.support.labs import ROOT, verb

DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.int64, torch.int8,
    torch.uint8, torch.bool, torch.complex64,
]  # fmt: skip


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2))


def sha(state):
    return digest_state_dict(state).sha256


def test_the_digest_does_not_depend_on_the_file():
    model = network()
    digests = {sha(model), sha(model.state_dict())}
    for options in ({}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 4}):
        file = io.BytesIO()
        torch.save(model.state_dict(), file, **options)
        file.seek(0)
        digests.add(sha(torch.load(file, weights_only=False)))
    digests.add(sha(dict(reversed(model.state_dict().items()))))
    other = network(1)
    other.load_state_dict(model.state_dict())
    digests.add(sha(other))
    assert len(digests) == 1
    assert sha(network(1)) not in digests


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(DTYPES), st.lists(st.integers(1, 4), min_size=1, max_size=3), st.data())
def test_layout_does_not_count_and_each_bit_does(dtype, shape, data):
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**32 - 1)))
    values = torch.randint(0, 2, shape, generator=generator).to(dtype)
    state = {"w": values}
    columns_first = values.transpose(0, -1).contiguous().transpose(0, -1)
    strided = torch.empty([2, *shape], dtype=dtype)
    strided[1] = values
    for same in (columns_first, strided[1], nn.Parameter(values, requires_grad=False)):
        assert sha({"w": same}) == sha(state)
    changed = values.clone()
    at = tuple(data.draw(st.integers(0, size - 1)) for size in shape)
    changed[at] = (
        torch.zeros((), dtype=dtype) if values[at].to(torch.complex64).abs() > 0 else torch.ones((), dtype=dtype)
    )
    assert sha({"w": changed}) != sha(state)
    assert sha({"w": values.reshape(1, *shape)}) != sha(state)
    assert sha({"v": values}) != sha(state)


def test_types_of_equal_bytes_differ():
    zeros = [sha({"w": torch.zeros(3, dtype=dtype)}) for dtype in (*DTYPES, torch.int16, torch.int32)]
    assert len(set(zeros)) == len(zeros)


def test_views_that_conjugate_or_negate_are_what_they_show():
    values = torch.tensor([1 + 2j, 3 - 4j])
    assert sha({"w": values.conj()}) == sha({"w": values.conj().resolve_conj()}) != sha({"w": values})
    negative = values.conj().imag
    assert negative.is_neg()
    assert sha({"w": negative}) == sha({"w": negative.resolve_neg()}) != sha({"w": values.imag})


def test_bfloat16_bytes_are_its_own():
    [tensor] = digest_state_dict({"w": torch.tensor([1.0, -2.0], dtype=torch.bfloat16)}).tensors
    assert (tensor.dtype, tensor.shape) == ("bfloat16", (2,))
    assert tensor.sha256 == hashlib.sha256(bytes.fromhex("803f00c0")).hexdigest()


def test_tied_weights_count_by_their_values():
    model = nn.ModuleDict({"a": nn.Linear(2, 2, bias=False), "b": nn.Linear(2, 2, bias=False)})
    model["b"].weight = model["a"].weight
    tied = sha(model)
    model["b"].weight = nn.Parameter(model["a"].weight.detach().clone())
    assert sha(model) == tied


def test_numpy_weights_of_equal_names_have_the_equal_digest():
    weights = {name: tensor.numpy() for name, tensor in network().state_dict().items()}
    assert digest_state(weights, array_tensor).sha256 == sha(network())


def test_an_optimizers_state_counts_with_its_numbers():
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    model(torch.randn(8, 4)).sum().backward()
    before = sha(optimizer.state_dict())
    optimizer.step()
    after = optimizer.state_dict()
    assert sha(after) != before
    other = {**after, "param_groups": [{**after["param_groups"][0], "lr": 0.2}]}
    assert sha(other) != sha(after)
    assert {"state/0/exp_avg", "state/0/step"} <= {one.name for one in digest_state_dict(after).tensors}
    assert sha({"lr": float("inf")}) != sha({"lr": float("nan")}) != sha({"lr": None})
    assert sha({"n": 2**60}) != sha({"n": 2**60 + 1})


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (torch.eye(2).to_sparse(), "sparse"),
        (torch.eye(2).to_sparse_csr(), "sparse"),
        (torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), "quantised"),
        (torch.empty(2, device="meta"), "meta"),
        (torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]), "nested"),
        (object(), "builtins.object"),
        (b"bytes", "builtins.bytes"),
    ],
)
def test_what_has_no_defined_encoding_is_refused_by_name(value, named):
    with pytest.raises(InputError, match="layer/weight") as refused:
        digest_state_dict({"layer": {"weight": value}})
    assert named in str(refused.value)


def test_a_subclass_that_may_hold_more_is_refused():
    class Scaled(torch.Tensor):
        pass

    with pytest.raises(InputError, match="Scaled"):
        digest_state_dict({"w": torch.ones(2).as_subclass(Scaled)})
    with pytest.raises(InputError, match="state dict"):
        digest_state_dict([1])
    with pytest.raises(InputError, match="once"):
        digest_state_dict({"a/b": torch.ones(1), "a": {"b": torch.ones(1)}})


def test_settings_follow_what_is_set():
    before = torch_settings()
    assert before["deterministicAlgorithms"] is False
    assert before["cuda"] is None or before["cudaAvailable"] in (True, False)
    torch.manual_seed(2**60 + 1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("medium")
    try:
        after = torch_settings()
    finally:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.benchmark = False
        torch.set_float32_matmul_precision("highest")
    assert after["initialSeed"] == str(2**60 + 1)
    assert (after["deterministicAlgorithms"], after["warnOnly"], after["cudnnBenchmark"]) == (True, True, True)
    assert (before["matmulPrecision"], after["matmulPrecision"]) == ("highest", "medium")


def test_a_model_and_a_checkpoint_in_a_run(traced):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with traced.tracer.start_run("fit") as run:
        capture(run)
        digest = log_model(run, model)
        for epoch in (1, 2):
            log_checkpoint(run, {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch})
    said, outputs = traced.said(run), traced.outputs(run)
    assert said.seeds["torch"]["initialSeed"] == "0"
    assert {path: role for path, (role, _) in outputs.items()} == {
        "model.pt": "model",
        "model.state.json": "state",
        "checkpoint.pt": "checkpoint",
        "checkpoint.state.json": "state",
        "checkpoint-2.pt": "checkpoint",
        "checkpoint-2.state.json": "state",
    }
    file = outputs["model.pt"][1]
    assert sha(torch.load(io.BytesIO(file), weights_only=True)) == digest.sha256
    document = outputs["model.state.json"][1]
    assert hashlib.sha256(document).hexdigest() == digest.sha256
    [recorded] = traced.lab.registry.find_subject(hashlib.sha256(file).hexdigest())
    assert recorded.key.kind == Kind.MODEL
    for epoch, name in ((1, "checkpoint"), (2, "checkpoint-2")):
        assert json.loads(outputs[f"{name}.state.json"][1])["values"]["epoch"] == epoch
    assert verb("verify", run.recorded.id, home=traced.lab.home.path).returncode == 0

    check_state(network(), document)
    with torch.no_grad():
        model[3].bias[0] += 1e-6
    with pytest.raises(NotVerified, match=r"3\.bias") as changed:
        check_state(model, document)
    assert changed.value.values["names"] == ["3.bias"]
    with pytest.raises(InputError, match="expected urn:blockchaintracer:training-state:v1"):
        check_state(model.state_dict() | {"n": 1}, b"{}")


def test_big_tensors_are_hashed_in_blocks(monkeypatch):
    values = torch.arange(100_000, dtype=torch.float32)
    whole = sha({"w": values})
    monkeypatch.setattr("blockchaintracer.extras.frameworks.torch._BLOCK", 1000)
    assert sha({"w": values}) == whole
    assert digest_state({"w": np.arange(100_000, dtype="f4")}, array_tensor).sha256 == whole


def test_the_example_runs_and_its_seed_decides_the_weights(lab, tmp_path):
    def run():
        done = subprocess.run(
            [sys.executable, ROOT / "examples" / "pytorch" / "train.py"],
            env=os.environ | {"BLOCKCHAINTRACER_HOME": str(lab.home.path), "PYTHONPATH": str(ROOT)},
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return dict(line.split() for line in done.stdout.splitlines())

    one, other = run(), run()
    assert one["state"] == other["state"]
    assert one["run"] != other["run"]
    assert lab.registry.find_record(one["run"]).key.kind == Kind.RUN
