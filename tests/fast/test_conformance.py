"""The vectors of conformance/, run through what everyone can import. `python -m tools.conformance` writes them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from blockchaintracer import Trust, verify, verify_bundle
from blockchaintracer.core.digest import digest_bytes, format_listing, parse_listing
from blockchaintracer.core.errors import InputError
from blockchaintracer.core.formats import UnknownVersion
from blockchaintracer.core.manifest import parse_manifest
from blockchaintracer.core.manifest.predicates import IdentityStatement
from blockchaintracer.core.merkle import MerkleTree, leads_to
from blockchaintracer.core.record import Domain, GlobalId, RecordKey, record_commitment, verdict_commitment
from blockchaintracer.core.verify.bundle import BundleRefused
from blockchaintracer.core.verify.published_proofs import parse_key_file
from blockchaintracer.extras.identity import ror
from blockchaintracer.extras.identity.identity_claims import check_claim
from blockchaintracer.extras.identity.other_side import method
from blockchaintracer.extras.renewal.renewal_file import RenewalFile
from blockchaintracer.extras.witness.authority_token import TrustedAuthority, read_certificates
from blockchaintracer.extras.witness.bitcoin_headers import TrustedHeaders
from blockchaintracer.extras.witness.stamping import check_receipt
from blockchaintracer.extras.witness.witness_receipt import WitnessReceipt
from blockchaintracer.extras.witness.witness_settings import WitnessTrust
from blockchaintracer.lab.kept_identities import IdentityRecord
from blockchaintracer.lab.private.field_tree import Context, Opening, root_of
from blockchaintracer.lab.private.sealed_content import ContentOpening
from tests.support.bundle_evidence import stands, told

pytestmark = pytest.mark.fast
FOLDER = Path(__file__).resolve().parents[2] / "conformance"
Case = dict[str, Any]


def vectors(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def each(name: str) -> Any:
    cases = vectors(name)["cases"]
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


def refused(read: Callable[[], Any], why: object = True) -> None:
    with pytest.raises(UnknownVersion if why == "version" else InputError):
        read()


@each("ids")
def test_an_id(case: Case) -> None:
    if "refused" in case:
        return refused(lambda: RecordKey.from_json(case["given"]))
    domain, key = Domain(int(case["chainId"]), case["registry"]), RecordKey.from_json(case["given"])
    assert RecordKey.from_json(case["key"]).as_json() == key.as_json() == RecordKey.from_json(key.as_json()).as_json()
    assert (domain.record_id(key), domain.global_id(case["id"])) == (case["id"], case["globalId"])
    assert GlobalId.parse(case["globalId"]).record_id == case["id"]


@each("commitments")
def test_a_commitment(case: Case) -> None:
    match case["of"]:
        case "record":
            assert record_commitment(case["record"], case["salt"]) == case["commitment"]
        case "verdict":
            shown = [case[name] for name in ("group", "attester", "record", "verdict", "evidence", "salt")]
            assert verdict_commitment(*shown) == case["commitment"]
        case "content":
            assert ContentOpening.from_bytes(case["opening"].encode()).commitment == case["commitment"]
        case _:
            context, opening = Context.from_json(case["context"]), Opening(case["field"], case["value"], case["salt"])
            assert root_of(context, case["subject"], opening, case["path"]) == case["root"]


@each("digests")
def test_a_digest(case: Case) -> None:
    pattern = bytes.fromhex(case["pattern"])
    data = (pattern * (case["size"] // len(pattern) + 1))[: case["size"]]
    assert hashlib.sha256(data).hexdigest() == case["sha256"]
    for profile, cid in case["cids"].items():
        found = digest_bytes(data, profile)
        assert (found.sha256, found.cid) == (case["sha256"], cid)


@each("listings")
def test_a_listing(case: Case) -> None:
    listing = case["listing"].encode()
    if "refused" in case:
        return refused(lambda: parse_listing(listing))
    files = [(file["path"], file["sha256"]) for file in case["files"]]
    assert format_listing(files) == listing
    assert sorted(parse_listing(listing)) == sorted(files)
    assert hashlib.sha256(listing).hexdigest() == case["sha256"]


@each("manifests")
def test_a_manifest(case: Case) -> None:
    data = case["text"].encode()
    if "refused" in case:
        return refused(lambda: parse_manifest(data), case["refused"])
    manifest = parse_manifest(data)
    links = manifest.parents
    parents = None if links is None else [{"parent": it.parent, "relation": it.relation} for it in links]
    assert (manifest.digest(), manifest.cid(), manifest.to_bytes()) == (case["sha256"], case["cid"], data)
    found = (manifest.kind, manifest.subject_type, manifest.subject_digest, parents)
    assert found == tuple(case[name] for name in ("kind", "subjectType", "subject", "parents"))


@each("trees")
def test_a_tree(case: Case) -> None:
    leaves = [hashlib.sha256(f"leaf {number}".encode()).hexdigest() for number in range(case.get("leaves", 0))]
    tree = MerkleTree(case.get("values") or leaves)
    assert tree.root == case["root"]
    for shown in case["paths"]:
        assert tree.proof(shown["value"]) == shown["path"]
        assert leads_to(shown["value"], shown["path"]) == case["root"]


def trust_of(given: Any) -> Trust | None:
    if given is None:
        return None
    chosen = {"chain_id": int(given.get("chainId", "0")), "registry": given.get("registry")}
    return Trust(**chosen, groups=tuple(given.get("groups", ())), blocks=tuple(given.get("blocks", ())))


BUNDLES = {case["name"]: case["bundle"] for case in vectors("bundles")["cases"] if "bundle" in case}


def bundle_in(case: Case) -> bytes:
    """The bytes that a case is about: as it has them, or those of another case, with one field set."""
    if "base64" in case:
        return base64.b64decode(case["base64"])
    text = case.get("bundle") or BUNDLES[case["same"]]
    if "set" not in case:
        return str(text).encode()
    whole = json.loads(text)
    *parts, last = case["set"]["path"]
    place = whole
    for part in parts:
        place = place[part]
    if "value" in case["set"]:
        place[last] = case["set"]["value"]
    else:
        del place[last]
    return rfc8785.dumps(whole)


@each("bundles")
def test_a_bundle(case: Case) -> None:
    try:
        found = {"outcome": verify_bundle(bundle_in(case), trust_of(case["trust"])).conclusion.value}
    except BundleRefused as error:
        found = {"refused": error.code}
    except UnknownVersion:
        found = {"refused": "version"}
    assert found == {name: case[name] for name in ("outcome", "refused") if name in case}


OUTCOMES = vectors("outcomes")
COMPARED = {"author", "batch", "finality", "key", "role", "stored", "time"}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the vectors say that the lab published, as a folder."""
    folder = tmp_path_factory.mktemp("published")
    for digest, data in OUTCOMES["objects"].items():
        path = folder / "objects" / digest[:2] / digest[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(data))
    (folder / "proofs").mkdir()
    for key in reversed(OUTCOMES["keys"]):
        domain = Domain(int(key["chainId"]), key["registry"])
        name = domain.record_id(RecordKey.from_json(key["key"]))
        file = folder / "proofs" / f"{name}.json"
        # of several of a record, the first is read first
        (file.with_name(f"0-{file.name}") if file.exists() else file).write_text(json.dumps(key, indent=2) + "\n")
    return folder


def node_of(name: str) -> AbstractContextManager[None]:
    """A node of the vectors, at http://table/. Without pyrevm, which not every Python has, nothing can be asked."""
    node = pytest.importorskip("tests.support.memory_node")
    return node.answering(table=answers_of(name, node.RpcError))


def answers_of(node: str, error: type[Exception]) -> Callable[[str, list[Any]], Any]:
    rows = OUTCOMES["nodes"][node]
    table = {json.dumps([row["method"], row["params"]], sort_keys=True): row["answer"] for row in rows}

    def answer(method: str, params: list[Any]) -> Any:
        place = table.get(json.dumps([method, params], sort_keys=True))
        told = {"error": {"code": -32601, "message": "not found"}} if place is None else OUTCOMES["answers"][place]
        if "error" in told:
            raise error(told["error"]["code"], told["error"]["message"], told["error"].get("data"))
        return told["result"]

    return answer


@each("outcomes")
def test_an_outcome(case: Case, published: Path) -> None:
    trust = trust_of(case["trust"])
    assert trust is not None
    with node_of(case["node"]):
        copies = published if case.get("copies", True) else None
        report = verify(case["target"], replace(trust, rpc="http://table/"), copies=copies)
    assert report.conclusion.value == case["outcome"]
    assert sorted({check.name for check in report.failed}) == case["failed"]
    assert sorted(record.id for record in report.records) == case["records"]
    compared = COMPARED | {f"verdict of group {group}" for group in trust.groups}
    checks = {check.name: check.verdict.value for check in report.checks if check.name in compared}
    assert checks == case.get("checks", checks)


@pytest.mark.parametrize("case", OUTCOMES["claims"], ids=lambda case: case["name"])
def test_a_claim_by_its_registry(case: Case, published: Path) -> None:
    with node_of(case["node"]):
        found = stands(case["trust"], IdentityRecord.from_json(case["record"]), published)
    assert found == {name: case[name] for name in found}


@each("key-files")
def test_a_key_file(case: Case) -> None:
    data = rfc8785.dumps(case["file"])
    if "refused" in case:
        return refused(lambda: parse_key_file(data, "it"), case["refused"])
    file = parse_key_file(data, "it")
    senders = [it.sent().sender.lower() if it.raw else None for it in file.receipts]
    assert (file.id, getattr(file, "root", None), senders) == (case["id"], case["root"], case["senders"])


@each("identities")
def test_a_claim(case: Case) -> None:
    domain, key = Domain(int(case["chainId"]), case["registry"]), RecordKey.from_json(case["key"])
    manifest = parse_manifest(rfc8785.dumps(case["manifest"]))
    if "refused" in case:
        return refused(lambda: check_claim(manifest, key, domain))
    said = check_claim(manifest, key, domain).statement
    found = f"0x{said.digest()}", said.account, said.group or 0
    assert found == tuple(case[name] for name in ("claim", "account", "group"))


@each("identity-pages")
def test_a_page_of_the_other_side(case: Case) -> None:
    if "institution" in case:
        assert ror.names(case["page"].encode(), case["institution"], case["domain"]).says == case["says"]
        return
    about = {name: case[name] for name in ("chainId", "registry", "account", "scheme", "identifier")}
    # no part of what is judged, but for the digest
    rest = {"signedAt": "1438270000", "nonce": "0x" + "ab" * 32}
    group = {"group": case["group"]} if case["group"] else {}
    said = IdentityStatement.from_plain(about | group | rest)
    assert f"0x{said.digest()}" == case["claim"]
    way = method(case["scheme"], case["method"])
    assert way is not None
    named = way.names(case["page"].encode(), said, case["at"])
    assert (named.says, named.by) == (case["says"], case["by"])


@each("witnesses")
def test_a_receipt_of_a_witness(case: Case) -> None:
    if "refused" in case:
        return refused(lambda: WitnessReceipt.from_json(case["receipt"]), case["refused"])
    receipt = WitnessReceipt.from_json(case["receipt"])
    trust = WitnessTrust(bitcoin=TrustedHeaders(hashes=frozenset(case["bitcoinBlocks"])))
    told = [{"standing": it.standing.value, "notAfter": it.not_after} for it in check_receipt(receipt, trust)]
    assert receipt.stamped == case["stamped"]
    assert sorted(told, key=lambda it: it["standing"]) == case["says"]


def authorities_in(case: Case) -> tuple[TrustedAuthority, ...]:
    trusted = [it for it in (case, *case.get("also", ())) if it["roots"]]
    return tuple(
        TrustedAuthority(read_certificates(it["roots"].encode(), "roots"), tuple(it["policies"])) for it in trusted
    )


@each("rfc3161")
def test_a_token_of_an_authority(case: Case) -> None:
    receipt = WitnessReceipt.from_json(case["receipt"])
    [told] = check_receipt(receipt, WitnessTrust(authorities=authorities_in(case)))
    said = (receipt.stamped, told.standing.value, told.not_after)
    assert said == (case["stamped"], case["standing"], case["notAfter"])


@each("renewals")
def test_a_renewal(case: Case) -> None:
    data = rfc8785.dumps(case["file"])
    if "refused" in case:
        return refused(lambda: RenewalFile.parse(data, "it"), case["refused"])
    file = RenewalFile.parse(data, "it")
    assert (file.id, file.root_text, sorted(file.renews)) == (case["id"], case["rootText"], case["renews"])


@each("evidence")
def test_a_bundle_with_evidence(case: Case) -> None:
    trust = case["trust"] or {}
    witnesses = trust.get("bitcoinBlocks", ()), [it["roots"] for it in trust.get("authorities", ())]
    # what witnesses are trusted for stands beside
    chain = trust_of(trust) if trust.keys() - {"bitcoinBlocks", "authorities"} else None
    said = told(case["bundle"].encode(), chain, *witnesses)
    assert said == {name: case[name] for name in said}
