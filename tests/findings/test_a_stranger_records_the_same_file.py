"""Somebody outside of a community recorded the file, too: then `verify FILE --community` failed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blockchaintracer.core.record import Kind
from blockchaintracer.extras.community.kept_books import add_book
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.content import record_content
from tests.node.test_community import Keepers
from tests.support.labs import second_lab, typed

pytestmark = pytest.mark.node


def test_only_records_of_the_community_count(
    lab: Lab, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = record_content(lab, Kind.DATASET, file)
    stranger = second_lab(lab, tmp_path / "stranger")
    theirs = record_content(stranger, Kind.DATASET, file)
    registry = {"chainId": str(lab.chain_id), "registry": lab.registry.address.lower(), "name": "LIGO"}
    keepers = Keepers(tmp_path, monkeypatch)
    for name, group in (("ours", lab.group()), ("nobody", 99)):
        content = {"name": name, "registries": [registry | {"groups": [{"group": group, "name": "Hanford"}]}]}
        keepers.new("alice", content=content, threshold=1)
        keepers.sign("alice")
        add_book(lab.home, str(keepers.file), lambda book, warnings: None)
        keepers.file.unlink()
    done = typed("verify", str(file), "--community", "ours", "--json", home=lab.home.path)
    answer = json.loads(done.stdout)
    assert (done.returncode, [it["id"] for it in answer["records"]]) == (0, [own.id])
    for what in (str(file), own.subject):
        done = typed("verify", what, "--community", "ours", home=lab.home.path)
        assert (done.returncode, theirs.id in done.stdout) == (0, False), done.stdout
        assert typed("verify", what, "--community", "nobody", home=lab.home.path).returncode == 1
    assert typed("verify", theirs.id, "--community", "ours", home=lab.home.path).returncode == 1
