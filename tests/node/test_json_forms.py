"""Every verb prints names, ids and digests in the forms of docs/formats.md, and reads a global id where it reads an id.
`typed` checks the forms of each answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.cli import VERBS
from blockchaintracer.core.record import GlobalId
from tests.support.json_forms import problems, snake_names
from tests.support.labs import second_lab, typed

ELSEWHERE = {
    "bounty": "tests/node/test_bounty_verbs.py",
    "home": "prints no JSON of records",
    "identity": "tests/node/test_identity.py",
    "ipfs": "names content only; tests/live/test_ipfs.py",
    "mlflow": "tests/live/mlflow",
    "serve": "tests/node/test_serve.py",
    "reproduce": "tests/live/test_reproduce.py",
    "witness": "tests/node/test_witness.py",
}
"""Verbs whose answers other tests check, by `typed` too."""


def test_a_wrong_form_is_found() -> None:
    here, one = GlobalId(1, "0x" + "12" * 20, "ab" * 32), "0x" + "ab" * 32
    assert not [*problems({"id": one, "globalId": str(here), "subject": "ab" * 32, "author": "0x" + "12" * 20})]
    for wrong in (
        {"id": "ab" * 32},
        {"id": one},
        {"id": one, "globalId": str(GlobalId(1, here.registry, "cd" * 32))},
        {"transaction": "ab" * 32},
        {"subject": one},
        {"fileSha256": one},
        {"author": "12" * 20},
        {"roots": ["ab" * 32]},
        {"blockHash": "0x" + "AB" * 32},
    ):
        assert [*problems(wrong)], wrong
    assert not [*snake_names({"chainId": 1, "params": {"learning_rate": 1}, "rows": [{"params.learning_rate": 1}]})]
    assert [*snake_names({"rows": [{"chain_id": 1}]})] == [".rows[0].chain_id is not in camelCase"]


def test_every_verb(lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home, used = lab.home.path, set()

    def answer(*words: object, home: Path = home, code: int = 0) -> Any:
        used.add(words[0])
        done = typed(*map(str, words), "--json", home=home)
        assert done.returncode == code, (words, done.stdout, done.stderr)
        return json.loads(done.stdout)

    for name in ("data.csv", "model.bin", "sealed.csv", "batched.csv", "other.csv", "results.yaml"):
        Path(name).write_text(name)
    data = answer("record", "--dataset", "data.csv")
    run = answer(
        *("record", "--param", "lr=0.1", "--metric", "accuracy=0.9", "--private-param", "secret=1"),
        *("--dataset", "data.csv", "--model", "model.bin"),
    )
    assert run["globalId"] == lab.domain.global_id(run["id"])
    seal = answer("seal", "record", "--dataset", "sealed.csv")
    for words in (["status"], ["verify"], ["seal", "list"]):
        answer(*words, *([seal["commitment"]] if words[-1] != "list" else []))
    answer("reveal", seal["globalId"])
    batched = answer("batch", "add", "--dataset", "batched.csv")
    answer("batch", "list")
    proofs = answer("batch", "anchor")["proofs"]
    answer("verify", "--proof", f"{proofs}/{batched['id']}.json")
    answer("export-proof", run["globalId"], batched["id"], "-o", "some.proof")
    answer("verify", "--proof", "some.proof", code=4)
    answer("materialize", batched["globalId"])

    # each verb takes the global id where it takes the id, and refuses that of another registry with both
    Path("results.yaml").write_text(
        f"schema: 1\nresults:\n- {{record: '{run['globalId']}', metric: accuracy, value: 0.9}}\n"
    )
    Path("foreign.yaml").write_text(Path("results.yaml").read_text().replace(":77787:", ":5:"))
    other = second_lab(lab, tmp_path / "second")
    there = {"home": other.home.path}
    reading: list[tuple[tuple[object, ...], dict[str, Any]]] = [
        (("verify", run["globalId"]), {}),
        (("verify", "data.csv", "--record", data["globalId"]), {}),
        (("verify", "--before", data["globalId"], run["globalId"]), {}),
        (("status", run["globalId"], data["globalId"]), {}),
        (("query", "--ancestors-of", run["globalId"]), {}),
        (("query", "--where", f"descendants of {data['globalId']}"), {}),
        (("lineage", run["globalId"]), {}),
        (("impact", data["globalId"]), {}),
        (("score", run["globalId"]), {}),
        (("compare", run["globalId"], batched["globalId"]), {}),
        (("report", run["globalId"], "-o", "report", "--format", "json"), {}),
        (("report", "history", run["globalId"]), {}),
        (("export-as", "in-toto", run["globalId"], "-o", "in-toto.json"), {}),
        (("disclose", run["globalId"], "secret", "-o", "secret.json"), {}),
        (("publish", run["globalId"], "--to", "published"), {}),
        (("decrypt", run["globalId"], "--values"), {"code": 2}),
        (("signature", data["globalId"], "--signature", "data.csv", "--public-key", "data.csv"), {"code": 1}),
        (("record", "--dataset", "other.csv", "--parent", f"{data['globalId']}:derived-from"), {}),
        (("renew", data["globalId"]), {}),
        (("seal", "verdict", data["globalId"], "reviewed", "--rpc", other.rpc), there),
        (("attest", run["globalId"], "reviewed", "--rpc", other.rpc), there),
        (("check", "results.yaml"), {}),
        (("ci-token", "check", run["globalId"]), {"code": 2}),
        (("retract", run["globalId"], "--reason", "wrong", "--yes"), {}),
    ]
    for words, more in reading:
        foreign = [str(word).replace(":77787:", ":5:").replace("results.yaml", "foreign.yaml") for word in words]
        if words[0] != "attest":  # a verdict on a record of another registry is one of its verdicts
            refused = answer(*foreign, **{**more, "code": 2})
            assert "on chain 77787, got one of registry" in refused["message"], foreign
            assert "on chain 5" in refused["message"]
        answer(*words, **more)
    answer("verify", run["id"], code=1)
    answer("status", run["id"], code=1)

    elsewhere = run["globalId"].replace(":77787:", ":5:")
    assert answer("attest", elsewhere, "reviewed")["globalId"] == elsewhere
    assert answer("status", elsewhere)["globalId"] == elsewhere
    assert elsewhere in [write["globalId"] for write in answer("outbox", "list")["writes"]]
    answer("export", "-o", "all.tar")
    answer("import", "all.tar", home=tmp_path / "imported")
    for words in _small():
        answer(*words)
    for file in (*Path().rglob("*.json"), *home.rglob("*.json"), Path("some.proof")):
        if not {"devnet", "keys", "in-toto.json"} & {*file.parts}:  # others' standards
            assert not [*snake_names(json.loads(file.read_bytes()), file.name)]
    assert used | ELSEWHERE.keys() == VERBS.keys()


def _small() -> Iterator[tuple[str, ...]]:
    yield from (("store", "status"), ("group", "list"), ("group", "members"), ("keys", "list"), ("node", "status"))
    yield from (
        ("estimate", "--network", "devnet"),
        ("completion", "bash"),
        ("network", "list"),
        ("registry", "show"),
        ("new", "--list"),
        ("deploy", "--dry-run"),
        ("community", "list"),
        ("page", "-o", "check.html"),
    )
    yield "group", "invite", "0x" + "11" * 20, "--role", "reviewer"
