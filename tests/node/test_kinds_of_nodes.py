"""What one node recorded reads the same through every other: what a node lacks, adds or limits changes nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.chain import endpoints
from blockchaintracer.core.manifest import RunPredicate
from blockchaintracer.core.manifest.predicates import Metric, RunInput
from blockchaintracer.core.record import Kind, Link, Relation, Verdict
from blockchaintracer.lab.attest import attest
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.recording.run import named_parents, record_run
from tests.support.habits import KINDS
from tests.support.labs import second_lab, typed
from tests.support.proxy import Proxy, honest

OUT = "OUT"
"""Stands for the folder that a verb writes to."""
LIMITS = {f"batches of {most}": most for most in (1, 3, 50)}
"""How many requests a node takes in one. Its logs have no times, so it is asked for many blocks."""


@pytest.fixture(scope="module")
def verbs(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, ...]]:
    """A dataset, a model trained on it that another group reviewed, and a run: what is asked about them."""
    folder = tmp_path_factory.mktemp("files")
    files = [folder / name for name in ("data", "model")]
    for file in files:
        file.write_bytes(os.urandom(40))
    data = record_content(lab, Kind.DATASET, files[0])
    model = record_content(lab, Kind.MODEL, files[1], parents=[Link(data.id, Relation.TRAINED_ON)])
    attest(second_lab(lab, folder / "other"), model.id, Verdict.REVIEWED)
    trained = (Link(data.id, Relation.TRAINED_ON),)
    run = record_run(
        lab,
        RunPredicate(
            run_id="0c4cd0d6-6b6c-4d5a-8d3c-333333333333",
            parents=named_parents(trained),
            inputs=(RunInput(record=data.id, relation=Relation.TRAINED_ON, sha256=data.subject),),
            name="training",
            status="completed",
            metrics={"accuracy": Metric(value=0.91)},
        ),
    )
    published = folder / "published"
    publish(lab, run.id, published)
    fields = ("model_version", "model_type", "preprocessing", "validation", "limitations")
    declared = [part for field in fields for part in ("--field", f"{field}=declared")]
    return {
        "verify a record": ("verify", model.id),
        "verify a file": ("verify", str(files[1])),
        "status": ("status", model.id),
        "query": ("query",),
        "query until 2020": ("query", "--until", "2020-01-01"),
        "lineage": ("lineage", model.id),
        "impact": ("impact", data.id),
        "score": ("score", model.id),
        "score of a run": ("score", run.id, "--from", str(published)),
        "report": ("report", run.id, "--from", str(published), "-o", OUT, *declared),
    }


def told(lab: Lab, home: Path, url: str, arguments: tuple[str, ...]) -> tuple[int, Any, dict[str, bytes]]:
    """What a verb answers and writes through a node, without the node's address."""
    out = home / "out"
    arguments = tuple(str(out) if argument == OUT else argument for argument in arguments)
    more = {"BLOCKCHAINTRACER_RPC": url, "BLOCKCHAINTRACER_KEY": ""}
    where = ("--registry", lab.registry.address, "--chain-id", str(lab.chain_id))
    done = typed(*arguments, *where, "--json", home=home, **more)
    files = {str(file.relative_to(out)): file.read_bytes() for file in sorted(out.rglob("*")) if file.is_file()}
    return done.returncode, json.loads(done.stdout.replace(url, "NODE").replace(str(out), OUT)), files


@pytest.fixture(scope="module")
def proxy(lab: Lab) -> Any:
    proxy = Proxy(lab.chain.address)
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def plain(lab: Lab, proxy: Proxy, verbs: dict[str, tuple[str, ...]], tmp_path_factory: pytest.TempPathFactory) -> Any:
    proxy.fault = honest
    home = tmp_path_factory.mktemp("plain")
    return {name: told(lab, home, proxy.url, verb) for name, verb in verbs.items()}


@pytest.mark.parametrize("kind", [*KINDS, *LIMITS])
def test_every_reading_verb_answers_the_same(
    kind: str, lab: Lab, proxy: Proxy, plain: Any, verbs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "_PAUSE_S", 0.001)
    assert (plain["verify a record"][0], plain["verify a record"][1]["outcome"]) == (0, "verified")
    assert plain["query until 2020"][1]["records"] == []
    assert (plain["report"][0], plain["report"][1]["status"]) == (0, "verified"), plain["report"]
    assert plain["report"][2], "files were written, which hold the same bytes through every node"
    proxy.fault, proxy.batch = KINDS.get(kind, KINDS["logs without times"]), LIMITS.get(kind, 1000)
    for name, verb in verbs.items():
        assert told(lab, tmp_path, proxy.url, verb) == plain[name], name
