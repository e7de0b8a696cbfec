"""`verify data.csv` of a file that is a bundle checked it as a bundle: whoever gave the file decided what is checked. A
tampered proof or disclosure ended with exit code 2, and one with a byte-order mark was looked up as data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from blockchaintracer.cli import main
from blockchaintracer.core.formats import BATCH_PROOF
from blockchaintracer.core.merkle import MerkleTree
from blockchaintracer.core.record import Domain, Kind, RecordKey, SubjectType
from blockchaintracer.core.record_key_file import Proof
from blockchaintracer.lab.formats import DISCLOSURE
from tests.support.forged_bundles import Forged
from tests.support.mutations import changes

pytestmark = pytest.mark.fast


def typed(*words: str | Path) -> Result:
    environment = {"BLOCKCHAINTRACER_HOME": "/dev/null/nowhere", "BLOCKCHAINTRACER_RPC": ""}
    return CliRunner(mix_stderr=False, env=environment).invoke(main, ["verify", *map(str, words)])


def batch_proof() -> bytes:
    domain = Domain(1, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
    keys = [RecordKey(7, "0x" + "22" * 20, SubjectType.FILE, f"{it:064x}", Kind.DATASET, "bb" * 32) for it in range(3)]
    tree = MerkleTree([domain.record_id(key) for key in keys])
    path = tuple(tree.proof(domain.record_id(keys[0])))
    return json.dumps(Proof(1, domain.registry, keys[0], tree.root, path).as_json(), indent=2).encode()


PROOFS = {
    "bundle": Forged().data(),
    "batch": batch_proof(),
    "disclosure": json.dumps({**DISCLOSURE.header(), "fields": []}).encode(),
}


@pytest.mark.parametrize("name", PROOFS)
@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"  \n"])
def test_a_bare_file_that_is_a_proof_is_no_question(name: str, before: bytes, tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_bytes(before + PROOFS[name])
    shown = typed(file)
    assert shown.exit_code == 2
    assert f"verify --proof {file}" in shown.stderr
    assert f"verify --data {file}" in shown.stderr
    assert json.loads(typed(file, "--json").stdout)["outcome"] == "wrong use"


@pytest.mark.parametrize("name", PROOFS)
@pytest.mark.parametrize(("before", "word"), [(b"\xef\xbb\xbf", "byte-order mark"), (b" ", "white space"), (b"x", "")])
def test_a_proof_behind_something_else_is_damaged(name: str, before: bytes, word: str, tmp_path: Path) -> None:
    file = tmp_path / "some.proof"
    file.write_bytes(before + PROOFS[name])
    shown = typed("--proof", file, "--json")
    told = json.loads(shown.stdout)
    assert (shown.exit_code, told["outcome"], told["verified"]) == (1, "not verified", False)
    assert "is damaged, or is no proof" in told["message"]
    assert word in told["message"]


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"{}", b"[]", b'{"type": []}', b"{" * 9000, b"\xff" * 99, b'{"a":1']
)
def test_what_is_no_proof_is_not_verified(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "some.proof"
    file.write_bytes(content)
    assert typed("--proof", file).exit_code == 1


def test_a_missing_file_is_wrong_use(tmp_path: Path) -> None:
    assert typed("--proof", tmp_path / "nowhere").exit_code == 2
    assert typed("--proof", tmp_path).exit_code == 2


@pytest.mark.parametrize(
    "words", [["DATA"], ["--from", "."], ["--group", "9"], ["--registry", "0x" + "11" * 20], ["--strict"]]
)
def test_what_is_not_compared_without_a_chain_is_refused(words: list[str], tmp_path: Path) -> None:
    """Another file, another group and another registry were passed over: "consistent"."""
    file, data = tmp_path / "some.proof", tmp_path / "DATA"
    file.write_bytes(PROOFS["batch"])
    data.write_text("not what the record is of")
    shown = typed("--proof", file, *(str(data) if word == "DATA" else word for word in words))
    assert shown.exit_code == 2, shown.stdout
    assert f"expected no {words[0]} beside the proof of a batched record without a chain" in shown.stderr


def test_a_proof_of_a_batch_is_consistent_without_a_chain_and_never_after_a_change(tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    file.write_bytes(PROOFS["batch"])
    shown = typed("--proof", file, "--json")
    told = json.loads(shown.stdout)
    assert (shown.exit_code, told["outcome"], told["verified"]) == (4, "consistent", None)
    plain = json.loads(PROOFS["batch"])
    for name, changed in changes(plain):
        file.write_text(json.dumps(changed))
        if changed != plain:
            newer = (
                isinstance(changed, dict)
                and BATCH_PROOF.names(changed.get("type"))
                and changed["type"] != plain["type"]
            )
            assert typed("--proof", file).exit_code == (2 if newer else 1), name


def test_what_is_not_used_is_refused(tmp_path: Path) -> None:
    for words in (["--trust-block", "ab" * 32], ["--checkpoints", __file__]):
        assert typed("ab" * 32, *words).exit_code == 2
    (tmp_path / "proof.json").write_bytes(PROOFS["batch"])
    assert typed("--proof", tmp_path / "proof.json", "--trust-block", "ab" * 32).exit_code == 2
