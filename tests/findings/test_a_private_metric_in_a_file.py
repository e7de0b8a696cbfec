"""A file of metrics became an output of its run, in the open, though it showed a private metric: also a file of which a
run document asks for another number alone. And `--metrics` showed a private metric itself: no disclosure of it could be
verified, for its author had committed to two values by one name."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from blockchaintracer.core.manifest import RunPredicate, parse_manifest
from blockchaintracer.lab.lab import Lab
from tests.support.studies import Study, typed

pytestmark = pytest.mark.node

FIT = 'import json\njson.dump({"acc": 0.5, "auc": 0.98}, open("m.json", "w"))\n'
SOURCE = {"kind": "file", "path": "m.json", "key": "acc"}


@pytest.mark.parametrize("by_document", [True, False])
@pytest.mark.parametrize("private", [{"auc": 0.98}, {}])
def test_it_is_shown_nowhere(lab: Lab, tmp_path: Path, by_document: bool, private: dict[str, float]) -> None:
    study = Study.of(lab, tmp_path / "study", {"fit.py": FIT})
    asked = [*(f"--private-metric={name}={value}" for name, value in private.items()), "--metrics=m.json"]
    if by_document:
        document = {"schema": 1, "name": "run", "metrics": {"acc": {"source": SOURCE}}, "private": {"metrics": private}}
        (tmp_path / "run.json").write_text(json.dumps(document))
        asked = ["--from", str(tmp_path / "run.json")]
    done = typed(*("record", "--json", *asked, "--", sys.executable, "fit.py"), home=lab.home.path, folder=study.folder)
    assert done.returncode == 0, done.stderr
    predicate = parse_manifest(lab.store.get_bytes(json.loads(done.stdout)["records"][-1]["manifest"])).predicate
    assert isinstance(predicate, RunPredicate)
    assert bool(predicate.private) is bool(private)
    is_whole = not (by_document or private)
    assert {*predicate.metrics} == ({"acc", "auc"} if is_whole else {"acc"})
    assert [it.artifact.path for it in predicate.outputs] == (["m.json"] if is_whole else [])
    if private and not by_document:
        assert "the program tells metrics that are private, and so not shown: auc" in done.stderr
        assert "the files of metrics are not kept" in done.stderr
