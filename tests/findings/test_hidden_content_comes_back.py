"""Content that was hidden once, and that another command would have shown; names that look like one another."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.manifest import parse_manifest
from blockchaintracer.core.record import Kind
from blockchaintracer.extras.archive.registry_archive import export_registry
from blockchaintracer.lab.private.decrypt import decrypt_record
from blockchaintracer.lab.private.disclose import disclose
from blockchaintracer.lab.private.encrypt import keep_encrypted, recipients_of
from blockchaintracer.lab.private.field_tree import FieldTree
from blockchaintracer.lab.private.identities import EncryptionKeys
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.recording.keep import Keeping
from blockchaintracer.lab.recording.run import RunFacts, finish_run, start_run
from blockchaintracer.lab.recording.run_document import RunDocument
from tests.support.labs import holding, secret_file, typed

pytestmark = pytest.mark.node

if TYPE_CHECKING:
    from blockchaintracer.lab.lab import Lab


def git(folder: Path, *words: str) -> None:
    """git with a name, which this machine may not have."""
    named = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *named, *words], cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture
def code(tmp_path: Path, monkeypatch: Any) -> Path:
    """A repository with a commit, the working folder."""
    folder = tmp_path / "code"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "train.py").write_text("print(1)\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    monkeypatch.chdir(folder)
    return folder


def recorded(lab: Lab, folder: Path) -> Any:
    return finish_run(lab, start_run(lab, folder), RunFacts(document=document(parameters={"a": 1}), folder=folder))


@pytest.mark.parametrize("how", ["a file", "a file of a folder", "decrypted", "a run document"])
def test_no_later_record_keeps_what_was_hidden(lab: Lab, reader: Any, code: Path, how: str) -> None:
    data = secret_file(code)
    content = data.read_bytes()
    if how == "a file":
        keep_encrypted(lab, data, [reader[1]])
    elif how == "a file of a folder":
        (code / "all").mkdir()
        data.rename(code / "all/patients.csv")
        keep_encrypted(lab, code / "all", [reader[1]])
    elif how == "decrypted":
        run = record_content(lab, Kind.DATASET, data, keeping=Keeping([reader[1]]))
        (lab.home.private / "hidden-content").unlink()
        data.unlink()
        decrypt_record(lab, run.id, code / "copy.csv", identities=[reader[0]])
    else:
        data.unlink()
        content = json.dumps({"schema": 1, "name": "run", "private": {"parameters": {"dose": content.hex()}}}).encode()
        (code / "run.json").write_bytes(content)
        done = typed("record", "--from", "run.json", home=lab.home.path)
        assert done.returncode == 0, done.stderr
        assert not holding(lab.store.folder, content)
    (code / "new.py").write_text("print(2)\n")
    run = recorded(lab, code)
    diff = parse_manifest(lab.store.get_bytes(run.manifest)).predicate.code.diff
    assert b"new.py" in lab.store.get_bytes(diff.sha256)
    assert content.splitlines()[0] not in lab.store.get_bytes(diff.sha256)
    git(code, "add", ".")
    git(code, "commit", "-q", "-m", "second")
    with pytest.raises(InputError, match="no hidden content in the recorded code"):
        recorded(lab, code)


def test_what_is_hidden_later_is_not_published(lab: Lab, reader: Any, code: Path, tmp_path: Path) -> None:
    secret_file(code)
    git(code, "add", ".")
    git(code, "commit", "-q", "-m", "second")
    run = recorded(lab, code)
    (tmp_path / "copy.csv").write_bytes((code / "patients.csv").read_bytes())
    keep_encrypted(lab, tmp_path / "copy.csv", [reader[1]])
    with pytest.raises(InputError, match=r"was hidden before: patients\.csv"):
        publish(lab, run.id, tmp_path / "published")
    with pytest.raises(InputError, match="was hidden before"):
        export_registry(lab, tmp_path / "all.tar", artifacts=True)
    assert not (tmp_path / "published").exists()


@pytest.mark.parametrize("how", ["new", "changed"])
def test_a_difference_that_holds_what_was_hidden_later_is_not_published(
    lab: Lab, reader: Any, code: Path, tmp_path: Path, how: str
) -> None:
    data = secret_file(code)
    if how == "changed":
        content = data.read_bytes()
        data.write_bytes(content.partition(b"\n")[2])
        git(code, "add", ".")
        git(code, "commit", "-q", "-m", "second")
        data.write_bytes(content)
    run = recorded(lab, code)
    (tmp_path / "copy.csv").write_bytes(data.read_bytes())
    keep_encrypted(lab, tmp_path / "copy.csv", [reader[1]])
    with pytest.raises(InputError, match=r"was hidden before: patients\.csv"):
        publish(lab, run.id, tmp_path / "published", with_diff=True)
    with pytest.raises(InputError, match="was hidden before"):
        export_registry(lab, tmp_path / "all.tar", with_diffs=True)
    assert not (tmp_path / "published").exists()
    assert publish(lab, run.id, tmp_path / "published").objects


def test_a_folder_with_a_hidden_file_is_refused(lab: Lab, reader: Any, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    data = secret_file(tmp_path / "data")
    (tmp_path / "data/other.csv").write_text("a\n")
    keep_encrypted(lab, data, [reader[1]])
    with pytest.raises(InputError, match="recorded encrypted before"):
        record_content(lab, Kind.DATASET, tmp_path / "data")


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
