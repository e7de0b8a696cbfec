"""An author wrote a manifest by hand with `lr` 0.5 in the open and `lr` 0.1 among the private values. A disclosure of
0.1 was "verified": "its author had committed to parameters.lr = 0.1, and to no other value by these names"."""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.manifest import PrivateValues, RunPredicate
from blockchaintracer.core.manifest.predicates import Metric
from blockchaintracer.core.plain_json import canonical
from blockchaintracer.lab.private.disclose import DisclosedField, Disclosure, verify_disclosure
from blockchaintracer.lab.private.field_tree import Context, FieldTree
from blockchaintracer.lab.recording.run import record_run
from tests.support.memory_node import answering
from tests.support.registry_life import live

pytestmark = pytest.mark.evm

RUN = "0c4cd0d6-6b6c-4d5a-8d3c-222222222222"


@pytest.mark.parametrize(
    ("shown", "is_verified"),
    [
        ({}, True),
        ({"parameters": {"width": 8}}, True),
        ({"parameters": {"lr": 0.5}}, False),
        ({"parameters": {"lr": 0.1}}, False),
        ({"metrics": {"auc": Metric(value=0.5)}}, False),
    ],
)
def test_it_commits_to_two_values_by_one_name(tmp_path: Path, shown: dict[str, Any], is_verified: bool) -> None:
    life = live(tmp_path)
    with answering(full=life.node.answer):
        lab = life.lab
        subject = sha256(RUN.encode()).hexdigest()
        context = Context.of(lab.domain, 1, lab.signer.address)
        tree = FieldTree.of(context, subject, {"parameters.lr": 0.1, "metrics.auc": 0.9})
        private = PrivateValues(root=tree.root, leaves=tree.leaves)
        made = record_run(lab, RunPredicate(run_id=RUN, name="two", status="completed", private=private, **shown))
        disclosure = Disclosure(
            chain_id=str(lab.chain_id),
            registry=lab.domain.registry,
            record=made.id,
            manifest=json.loads(lab.store.get_bytes(made.manifest)),
            fields=tuple(
                DisclosedField(**asdict(tree.opening(name)), path=tuple(tree.path(name)))
                for name in ("parameters.lr", "metrics.auc")
            ),
        )
        file = tmp_path / "shown.json"
        file.write_bytes(canonical(disclosure.model_dump(mode="json", by_alias=True)))
        report = verify_disclosure(lab, file)
    assert report.verified is is_verified
    if not is_verified:
        [failed] = report.failed
        assert "commits to two by this name" in failed.detail
        assert not any("and to no other value" in sentence for sentence in report.proves)
