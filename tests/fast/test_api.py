"""The public API: what a verifier may trust, ids without a node, and what examples import."""

import ast

import pytest

import blockchaintracer
from blockchaintracer import Trust, record_id
from blockchaintracer.core.api import _by_trusted_groups
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.record import Domain, Kind, RecordKey, SubjectType
from blockchaintracer.core.record_view import RecordView
from blockchaintracer.core.verify import Check, Outcome, Report
from tests.support.labs import ROOT

REGISTRY = "0x" + "11" * 20
KEY = RecordKey(7, "0x" + "22" * 20, SubjectType.FILE, "aa" * 32, Kind.DATASET, "bb" * 32)


def test_a_network_names_chain_and_node():
    trust = Trust(registry=REGISTRY, network="base-sepolia")
    assert (trust.chain_id, trust.rpc) == (84532, "https://sepolia.base.org")
    assert Trust(registry=REGISTRY, network="base-sepolia", rpc="http://127.0.0.1:1").rpc == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    "wrong", [{}, {"network": "nowhere"}, {"network": "base", "chain_id": 1}, {"registry": "0x12", "chain_id": 1}]
)
def test_trust_in_no_chain_or_in_two_is_refused(wrong):
    with pytest.raises(InputError):
        Trust(**{"registry": REGISTRY, **wrong})


def test_a_node_with_a_key_in_its_address_is_not_shown():
    assert "secret" not in repr(Trust(registry=REGISTRY, chain_id=1, rpc="https://node.example/secret"))


def test_an_id_is_computed_from_a_key_or_its_json():
    trust = Trust(registry=REGISTRY, chain_id=5)
    assert record_id(KEY, trust) == record_id(KEY.as_json(), trust) == Domain(5, REGISTRY).record_id(KEY)


@pytest.mark.parametrize(("groups", "verified"), [((), True), ((7,), True), ((1, 2), False)])
def test_a_record_of_a_group_that_does_not_count_fails(groups, verified):
    view = RecordView(id="cc" * 32, key=KEY)
    report = Report(view.id, "record", (Check("id", Outcome.PASS, "ok"),), (view,), ("It follows.",))
    judged = _by_trusted_groups(report, groups)
    assert (judged.verified, bool(judged.proves)) == (verified, verified)


def test_the_view_of_a_record_tells_its_status_from_what_was_asked():
    view = RecordView(id="cc" * 32, key=KEY)
    assert (view.status, view.kind, view.sealed_at, view.block) == ("unknown", "dataset", None, 0)
    assert RecordView(id="cc" * 32, key=KEY, batch="dd" * 32).status == "batched"


def test_every_public_name_is_there():
    for name in blockchaintracer.__all__:
        assert getattr(blockchaintracer, name).__name__ == name
        assert f"`blockchaintracer.{name}`" in (page := (ROOT / "docs/api.md").read_text()) or f"`{name}`" in page


def test_examples_import_public_names_only():
    doors = {
        f"blockchaintracer.integrations.{file.stem}" for file in (ROOT / "blockchaintracer/integrations").glob("*.py")
    }
    doors |= {"blockchaintracer", "blockchaintracer.mlflow"}
    private = []
    for file in sorted((ROOT / "examples").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import):
                private += [(file.name, alias.name) for alias in node.names if alias.name not in doors]
            elif isinstance(node, ast.ImportFrom) and node.module == "blockchaintracer":
                public = {*blockchaintracer.__all__, "mlflow"}
                private += [
                    (file.name, f"blockchaintracer.{alias.name}") for alias in node.names if alias.name not in public
                ]
            elif isinstance(node, ast.ImportFrom) and node.module not in doors:
                private.append((file.name, str(node.module)))
    assert not [(file, name) for file, name in private if name.startswith("blockchaintracer")]
