"""Content that was hidden once, and that another command would have shown; names that look like one another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.lab.private.disclose import disclose
from blockchaintracer.lab.private.encrypt import recipients_of
from blockchaintracer.lab.private.field_tree import FieldTree
from blockchaintracer.lab.private.identities import EncryptionKeys
from blockchaintracer.lab.recording.run import RunFacts, finish_run, start_run
from blockchaintracer.lab.recording.run_document import RunDocument
from tests.support.labs import typed

pytestmark = pytest.mark.node

if TYPE_CHECKING:
    from blockchaintracer.lab.lab import Lab


def document(**fields: Any) -> RunDocument:
    return RunDocument.from_plain({"schema": 1, "name": "run", **fields})


def test_a_private_parameter_has_one_value(lab: Lab) -> None:
    words = ["record", "--private-param", "lr=2", "--private-param", "lr=3"]
    done = typed(*words, home=lab.home.path)
    assert done.returncode == 2
    assert "expected one value for the parameter lr, got 2" in done.stderr


LOOK_ALIKE = ["u\u0308ber", "lr\u200b", "\u202elr", "lr\u2060", "l\u00adr", "lr\ufe0f", "lr\u034f"]


@pytest.mark.parametrize("name", LOOK_ALIKE)
def test_a_name_that_looks_like_another_is_refused(name: str) -> None:
    for fields in (
        {"parameters": {name: 1}},
        {"metrics": {name: 1}},
        {"seeds": {name: 1}},
        {"private": {"metrics": {name: 1}}},
    ):
        with pytest.raises(InputError, match="composed letters"):
            document(**fields)
    assert document(parameters={"\u00fcber": 1, "学習率": 2}).parameters


def test_a_disclosure_by_a_name_that_looks_like_another_does_not_verify(
    lab: Lab, tmp_path: Path, monkeypatch: Any
) -> None:
    """Its author wrote the tree with other software, which does not refuse the second name."""
    real = FieldTree.of
    twins = {"parameters.\u00fcber": 1, "parameters.u\u0308ber": 2}
    monkeypatch.setattr(FieldTree, "of", lambda context, subject, values: real(context, subject, twins))
    facts = RunFacts(document=document(private={"parameters": {"a": 1}}), folder=tmp_path)
    recorded = finish_run(lab, start_run(lab, tmp_path), facts)
    # the check of `verify --proof`, which `disclose` runs before it writes
    with pytest.raises(NotVerified, match="composed letters"):
        disclose(lab, recorded.id, ["u\u0308ber"], tmp_path / "twin.json")


def test_a_replaced_key_is_named_and_encrypts_nothing(lab: Lab, tmp_path: Path, monkeypatch: Any) -> None:
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("four words of a test\n")
    passphrase.chmod(0o600)
    monkeypatch.setenv("BLOCKCHAINTRACER_PASSPHRASE_FILE", str(passphrase))
    keys = EncryptionKeys(lab.home)
    keys.create("bob")
    keys.create("carol")
    assert typed("keys", "rotate", "bob", "bob2", "--encryption", home=lab.home.path).returncode == 0
    with pytest.raises(InputError, match="'bob', which was replaced by 'bob2'"):
        recipients_of(lab.home, ["bob"])
    assert recipients_of(lab.home, ["bob2"]) == (keys.recipient("bob2"),)
    listed = typed("keys", "list", home=lab.home.path).stdout
    assert "bob (encryption, replaced by bob2)" in listed
    assert "carol (encryption)" in listed
    shown = json.loads(typed("keys", "list", "--json", home=lab.home.path).stdout)["encryption"]
    assert {key["name"]: key["replacedBy"] for key in shown} == {"bob": "bob2", "bob2": None, "carol": None}
    assert keys.identities(["bob"]), "what was encrypted to it is still read"
