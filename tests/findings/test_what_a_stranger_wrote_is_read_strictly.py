"""A lock, a history, a split, a description or an invitation of a stranger was read by Python's own parsers: a field
that came twice had two meanings, deep nesting was a traceback, and a description that is a list ended `group list`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.extras.mlflow_reader.logged_content import model_details
from blockchaintracer.extras.mlflow_reader.snapshot import Hide
from blockchaintracer.extras.report.report_history import parse_history
from blockchaintracer.extras.score.data_rows import Unreadable, read_split
from blockchaintracer.extras.search.searchable import read_json
from blockchaintracer.lab import groups
from blockchaintracer.lab.capture.locks import unhashed
from blockchaintracer.lab.outbox import Op, Transaction
from tests.support.labs import second_lab, shared_lab, typed

DEEP = 100_000


@pytest.mark.fast
@pytest.mark.parametrize("name", ["uv.lock", "pylock.toml", "poetry.lock", "pdm.lock", "Pipfile.lock"])
def test_a_lock(name: str) -> None:
    for text in ("a = " + "[" * DEEP, ".".join("a" * 900) + " = 1", "a = " + "9" * 400):
        assert unhashed(name, text.encode()) is None


@pytest.mark.fast
def test_a_field_that_comes_twice(tmp_path: Path) -> None:
    assert parse_history(b'[{"value": 1, "value": 2}]') == []
    assert read_json(b'{"predicate": 1, "predicate": {}}') is None
    (tmp_path / "split.json").write_text('{"train": [1], "test": [2], "test": [1]}')
    with pytest.raises(Unreadable):
        read_split(tmp_path / "split.json")
    text = '{"uri": "a", "uri": "b"}'
    assert Hide(None).json("source", text) == text


@pytest.mark.fast
def test_deep_nesting(tmp_path: Path) -> None:
    text = "[" * DEEP + "]" * DEEP
    assert Hide(None).json("source", text) == text
    (tmp_path / "MLmodel").write_text(f"signature:\n  inputs: '{text}'\nflavors: {{}}\n")
    assert "inputs" not in model_details(tmp_path)
    (tmp_path / "MLmodel").write_text("flavors: " + text)
    assert "framework" not in model_details(tmp_path)


@pytest.mark.fast
def test_yaml_that_stands_for_billions(tmp_path: Path) -> None:
    lines = ["a0: &a0 {python_function: {loader_version: x}}"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (tmp_path / "conda.yaml").write_text("\n".join([*lines, "dependencies: [*a11]"]))
    assert "python" not in model_details(tmp_path)


@pytest.mark.node
def test_an_invitation_and_a_description(tmp_path: Path) -> None:
    with shared_lab(tmp_path) as lab:
        guest = second_lab(lab, tmp_path / "guest")
        invitation = groups.invite(lab, 1, guest.signer.address, groups.Role.RECORDER)
        text = json.dumps(invitation)
        for wrong in (
            text.replace('"roles": 2', '"roles": 2, "roles": 7'),
            text.replace('"roles": 2', '"roles": true'),
            text.replace('"group": 1', '"group": {}'),
            "[" * DEEP,
            "[]",
        ):
            assert wrong != text
            (tmp_path / "invitation.json").write_text(wrong)
            done = typed("group", "join", str(tmp_path / "invitation.json"), home=guest.home.path)
            assert done.returncode == InputError.exit_code, done.stderr
            assert "expected" in done.stderr
        for profile in (b"[1]", b'{"name": {"a": 1}}', b'{"name": "a", "name": "b"}', b"\xff", b"[" * DEEP):
            fields = {"owner": lab.signer.address, "manifest": lab.store.put_bytes(profile), "roles": 7}
            lab.write(Transaction(Op.CREATE_GROUP, lab.registry.address, **fields))
            group = lab.registry.last_group()
            assert groups.describe_group(lab, group)["manifest"] == fields["manifest"]
            assert groups.describe_group(lab, group)["name"] is None
        assert typed("group", "list", home=lab.home.path).returncode == 0
