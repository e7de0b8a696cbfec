"""What one node recorded reads the same through every other: what a node lacks, adds or limits changes nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.chain import endpoints
from blockchaintracer.core.record import Kind, Link, Relation, Verdict
from blockchaintracer.lab.attest import attest
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.content import record_content
from tests.support.habits import KINDS
from tests.support.labs import second_lab, typed
from tests.support.proxy import Proxy, honest

LIMITS = {f"batches of {most}": most for most in (1, 3, 50)}
"""How many requests a node takes in one. Its logs have no times, so it is asked for many blocks."""


@pytest.fixture(scope="module")
def verbs(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, ...]]:
    """A dataset and a model trained on it that another group reviewed: what is asked about them."""
    folder = tmp_path_factory.mktemp("files")
    files = [folder / name for name in ("data", "model")]
    for file in files:
        file.write_bytes(os.urandom(40))
    data = record_content(lab, Kind.DATASET, files[0])
    model = record_content(lab, Kind.MODEL, files[1], parents=[Link(data.id, Relation.TRAINED_ON)])
    attest(second_lab(lab, folder / "other"), model.id, Verdict.REVIEWED)
    return {
        "verify a record": ("verify", model.id),
        "verify a file": ("verify", str(files[1])),
        "status": ("status", model.id),
        "query": ("query",),
        "query until 2020": ("query", "--until", "2020-01-01"),
        "lineage": ("lineage", model.id),
        "impact": ("impact", data.id),
        "score": ("score", model.id),
    }


def told(lab: Lab, home: Path, url: str, arguments: tuple[str, ...]) -> tuple[int, Any]:
    """What a verb answers through a node, without the node's address."""
    more = {"BLOCKCHAINTRACER_RPC": url, "BLOCKCHAINTRACER_KEY": ""}
    where = ("--registry", lab.registry.address, "--chain-id", str(lab.chain_id))
    done = typed(*arguments, *where, "--json", home=home, **more)
    return done.returncode, json.loads(done.stdout.replace(url, "NODE"))


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
    proxy.fault, proxy.batch = KINDS.get(kind, KINDS["logs without times"]), LIMITS.get(kind, 1000)
    for name, verb in verbs.items():
        assert told(lab, tmp_path, proxy.url, verb) == plain[name], name
