"""Data in memory as a lab records them."""

import hashlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest

from blockchaintracer import MLTracer
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import parse_manifest
from blockchaintracer.core.record import Kind
from blockchaintracer.lab.datasets import digest_dataset, log_dataset
from tests.support.labs import typed


def sha(data):
    return digest_dataset(data).sha256


def test_a_dataset_in_memory_is_an_input_of_a_run(lab, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    path = tmp_path / "data.csv"
    frame.to_csv(path)
    with MLTracer(lab.home.path).start_run("fit") as run:
        digest = log_dataset(run, frame, "train", keep=True)
        log_dataset(run, np.zeros(3), "weights", relation="uses", keep=True)
        log_dataset(run, path, "file")
    said = parse_manifest(lab.store.get_bytes(run.recorded.manifest)).predicate
    [train, weights, file] = said.inputs
    assert train.sha256 == digest.sha256
    assert (weights.sha256, file.sha256) == (sha(np.zeros(3)), hashlib.sha256(path.read_bytes()).hexdigest())
    [record] = lab.registry.find_subject(digest.sha256)
    assert record.key.kind == Kind.DATASET
    assert lab.store.get_bytes(digest.sha256) == digest.document
    copies = {one.artifact.path: lab.store.get_bytes(one.artifact.sha256) for one in said.outputs}
    assert sha(pa.ipc.open_file(copies["train.arrow"]).read_all()) == digest.sha256
    assert sorted(copies) == ["train.arrow", "weights.npy"]
    assert not list((lab.home.path / "placed").iterdir())
    assert typed("verify", run.recorded.id, home=lab.home.path).returncode == 0
    with pytest.raises(InputError, match="copy"):
        log_dataset(MLTracer(lab.home.path).start_run("r"), {"x": frame}, "both", keep=True)


def test_the_names_of_placed_files_stay_in_the_labs_folder(lab):
    run = MLTracer(lab.home.path).start_run("r")
    for name in ("../x", "/x", "..", ""):
        with pytest.raises(InputError, match="name of a file"):
            run.place(name)
