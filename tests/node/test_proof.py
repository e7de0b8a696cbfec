"""Proof bundles: made on a real chain, verified without one, refused after any change."""

import hashlib
import json
import random
import subprocess
import sys
import tarfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rfc8785
import rlp
from click.testing import CliRunner, Result
from eth_utils import keccak
from trie import HexaryTrie

from blockchaintracer import verify_bundle
from blockchaintracer.cli import main
from blockchaintracer.cli.render import when
from blockchaintracer.cli.verb_export_proof import bundle_json, lines
from blockchaintracer.core import storage_layout as layout
from blockchaintracer.core.chain import KnownCode, Registry, known_code
from blockchaintracer.core.chain.known_code import registry_code
from blockchaintracer.core.errors import ChainUnavailable
from blockchaintracer.core.formats import BATCH_PROOF, BUNDLE
from blockchaintracer.core.manifest import Artifact, ContentPredicate, Manifest, Metric, RunOutput, RunPredicate
from blockchaintracer.core.record import Kind, RecordKey, Status, SubjectType, Verdict, from_hex, to_hex
from blockchaintracer.core.verify.bundle import BundleRefused, read_bundle
from blockchaintracer.core.verify.standing import genuine_code
from blockchaintracer.lab.attest import attest, retract
from blockchaintracer.lab.bundle.exporter import BatchPath, ProofRequest, export_bundle
from blockchaintracer.lab.chain.factory import Factory, settings_of
from blockchaintracer.lab.formats import DISCLOSURE
from blockchaintracer.lab.known_keys import kept_keys
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lookup import required_record
from blockchaintracer.lab.proof_file import ProofKind, proof_kind
from blockchaintracer.lab.recording.content import not_before, record_content, record_run
from tests.support.artifacts import ROOT, artifact
from tests.support.labs import second_lab, shared_lab, typed
from tests.support.telling import Ask, sent, telling


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with shared_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="module")
def recorded(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three datasets; another group says that the second is reviewed, and the third is retracted."""
    folder = tmp_path_factory.mktemp("data")
    ids = []
    for name in ("one", "two", "three"):
        (folder / name).write_text(name)
        ids.append(record_content(lab, Kind.DATASET, folder / name, name=name).id)
    attest(second_lab(lab, tmp_path_factory.mktemp("second")), ids[1], Verdict.REVIEWED)
    retract(lab, ids[2], "a mistake")
    return ids


@pytest.fixture(scope="module")
def small(lab: Lab, recorded: list[str]) -> bytes:
    """The bundle of the first record, as of a final block."""
    final = lab.chain.finalized()
    assert final is not None
    return export_bundle(lab.registry, [wanted(lab, recorded[0])], final.number, deployment=settings_of(lab.registry))


def wanted(lab: Lab, record_id: str) -> ProofRequest:
    found = required_record(lab, record_id)
    return ProofRequest(found.key, lab.store.get_bytes(found.key.manifest), found.transaction)


def refusal(data: bytes) -> str:
    """The place that the refusal names."""
    with pytest.raises(BundleRefused) as refused:
        verify_bundle(data)
    return refused.value.place


def changed(data: bytes, change: Any) -> bytes:
    """The bundle after a change of its JSON, in the canonical form again."""
    plain = json.loads(data)
    change(plain)
    return rfc8785.dumps(plain)


# what is proven


def test_the_receipts_that_the_lab_kept_make_the_same_bundle(lab: Lab, recorded: list[str]) -> None:
    """Through a node that has forgotten all receipts, and still has headers and state."""

    def forgets(request: dict[str, Any], ask: Ask) -> dict[str, Any]:
        if request["method"] in ("eth_getTransactionReceipt", "eth_getBlockReceipts", "eth_getTransactionByHash"):
            return {"error": {"code": 4444, "message": "pruned history unavailable"}}
        return ask(request)

    requests = [wanted(lab, record_id) for record_id in recorded]
    registry = Registry(telling(lab.chain.address, forgets), lab.registry.address)
    with pytest.raises(ChainUnavailable, match="pruned"):
        export_bundle(registry, requests)
    kept = registry.knowing(kept_keys(lab.home, lab.domain, lambda: lab.outbox))
    assert export_bundle(kept, requests) == export_bundle(lab.registry, requests)


def test_a_bundle_proves_key_manifest_time_and_status(lab: Lab, recorded: list[str]) -> None:
    proven = read_bundle(export_bundle(lab.registry, [wanted(lab, record_id) for record_id in recorded]))

    assert (proven.chain_id, proven.registry) == (lab.chain.chain_id, lab.registry.address.lower())
    assert proven.code_hash == to_hex(keccak(lab.chain.code(lab.registry.address)))
    assert [record.id for record in proven.records] == recorded
    assert [record.status for record in proven.records] == [Status.RECORDED, Status.RECORDED, Status.RETRACTED]
    for record in proven.records:
        status = lab.registry.status(record.id)
        assert record.stored is not None
        assert record.committed_at == status.recorded_at
        assert (record.stored.retracted_at, record.stored.reviewed) == (status.retracted_at, status.reviewed)
        assert record.manifest is not None
        assert record.manifest["predicate"]["name"] in ("one", "two", "three")
    assert proven.records[1].stored is not None
    assert proven.records[1].stored.reviewed == 1


def test_the_factory_made_the_registry_and_no_other_settings_did(lab: Lab, small: bytes) -> None:
    proven = read_bundle(small)
    assert genuine_code(proven) == KnownCode("1", True)
    assert registry_code(lab.chain.chain_id, lab.registry.address, True) == lab.chain.code(lab.registry.address)
    assert genuine_code(replace(proven, deployment=None)) is None
    owner, is_open, salt = proven.deployment or ("", False, "")
    for other in (
        replace(proven, code_hash=to_hex(keccak(b"another"))),
        replace(proven, chain_id=1),
        replace(proven, registry="0x" + "11" * 20),
        replace(proven, deployment=(owner, not is_open, salt)),
        replace(proven, deployment=(owner, is_open, "00" * 32)),
        replace(proven, deployment=("0x" + "11" * 20, is_open, salt)),
    ):
        with pytest.raises(BundleRefused, match="deployment"):
            genuine_code(other)


def test_a_registry_whose_owner_alone_creates_groups_is_genuine_too(lab: Lab) -> None:
    factory = Factory(lab.chain).require()
    owner, salt = lab.signer.address, "07" * 32
    transaction = {"from": owner, "to": factory.address, "data": factory.deployment(owner, False, salt)}
    lab.chain.ask("anvil_impersonateAccount", owner)
    sent = lab.chain.ask("eth_sendTransaction", transaction)
    while (receipt := lab.chain.receipt(sent)) is None:
        time.sleep(0.05)
    assert receipt.succeeded
    address = factory.registry_address(owner, False, salt)
    assert registry_code(lab.chain.chain_id, address, False) == lab.chain.code(address)
    code_hash = to_hex(keccak(lab.chain.code(address)))
    assert known_code(lab.chain.chain_id, address.lower(), code_hash) == KnownCode("1", False)


def test_an_older_state_is_proven_as_of_its_block(lab: Lab, recorded: list[str]) -> None:
    then = required_record(lab, recorded[2]).block
    (proven,) = read_bundle(export_bundle(lab.registry, [wanted(lab, recorded[2])], block=then)).records
    assert (proven.status, proven.as_of.number) == (Status.RECORDED, then)
    assert lab.registry.status(recorded[2]).status == Status.RETRACTED


def test_records_under_a_root_are_proven_stored_or_not(lab: Lab) -> None:
    keys = [
        RecordKey(lab.group(), lab.signer.address, SubjectType.FILE, f"{i:064x}", Kind.RESULT, f"{i + 9:064x}")
        for i in range(2)
    ]
    ids = [lab.domain.record_id(key) for key in keys]
    leaves = [keccak(keccak(from_hex(record_id))) for record_id in ids]
    root = keccak(min(leaves) + max(leaves))
    anchored = send(lab, "anchor", lab.group(), root, 2, bytes(32))
    stored = send(lab, "materialize", keys[1].as_abi(), root, [leaves[0]])
    paths = [BatchPath(to_hex(root), (to_hex(leaves[1 - i]),), anchored) for i in range(2)]

    data = export_bundle(
        lab.registry, [ProofRequest(keys[0], None, None, paths[0]), ProofRequest(keys[1], None, stored, paths[1])]
    )
    under, taken = read_bundle(data).records

    assert (under.status, under.stored, under.recorded) == (Status.UNKNOWN, None, None)
    assert (taken.status, taken.stored and taken.stored.is_batched) == (Status.RECORDED, True)
    assert under.batch is not None
    assert under.committed_at == taken.committed_at == under.batch.anchored.timestamp
    assert taken.recorded is not None
    assert taken.recorded.number > under.batch.anchored.number

    path = changed(data, lambda it: it["records"][0]["batched"]["path"].append("0x" + "00" * 32))
    assert refusal(path) == "records[0].batched.path"
    swapped = changed(data, lambda it: it["records"][1].update(recorded=None))
    assert refusal(swapped) == "records[1].recorded"


def test_many_records_share_their_parts(lab: Lab, recorded: list[str]) -> None:
    head = lab.chain.head().number
    together = export_bundle(lab.registry, [wanted(lab, record_id) for record_id in recorded], head)
    apart = [export_bundle(lab.registry, [wanted(lab, record_id)], head) for record_id in recorded]
    nodes = [json.loads(bundle)["nodes"] for bundle in apart]
    assert set(json.loads(together)["nodes"]) == set().union(*nodes)
    assert len(json.loads(together)["nodes"]) < sum(map(len, nodes))
    assert len(together) < sum(map(len, apart))


def test_a_hundred_records_take_little_more_than_half_of_a_hundred_bundles(lab: Lab) -> None:
    keys = []
    for number in range(100):
        content = ContentPredicate(subject_type="commitment", name=f"content {number:03}")
        manifest = Manifest.of(Kind.DATASET, content, f"{number:064x}")
        lab.store.put_bytes(manifest.to_bytes())
        author = lab.signer.address
        keys.append(
            RecordKey(lab.group(), author, SubjectType.COMMITMENT, f"{number:064x}", Kind.DATASET, manifest.digest())
        )
    stored = [send(lab, "record", key.as_abi()) for key in keys]
    each = [
        ProofRequest(key, lab.store.get_bytes(key.manifest), transaction)
        for key, transaction in zip(keys, stored, strict=True)
    ]
    together = export_bundle(lab.registry, each)
    alone = len(export_bundle(lab.registry, each[:1]))

    proven = read_bundle(together)
    assert [record.key for record in proven.records] == keys
    # a block of its own for each, but one state; docs/proof-bundle.md has 4,095 of 8,085 bytes a record
    assert len(together) / 100 < 0.6 * alone


def test_a_bundle_verifies_without_a_network(small: bytes, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.write_bytes(small)
    program = (
        "import socket, sys\n"
        "try:\n"
        "    socket.create_connection(('127.0.0.1', 9), timeout=1)\n"
        "except OSError as error:\n"
        "    print(error.errno)\n"
        "from blockchaintracer.core.verify.bundle import read_bundle\n"
        "print(read_bundle(open(sys.argv[1], 'rb').read()).records[0].id)\n"
    )
    alone = subprocess.run(
        ["unshare", "--net", "--map-root-user", sys.executable, "-c", program, bundle],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    network_is_unreachable = "101"
    assert alone.stdout.split() == [network_is_unreachable, json.loads(small)["records"][0]["id"]]


def test_a_bundle_written_from_the_documented_format_verifies(lab: Lab, recorded: list[str]) -> None:
    proven = read_bundle(written_by_hand(lab, recorded[0]))
    assert [record.id for record in proven.records] == [recorded[0]]


def written_by_hand(lab: Lab, record_id: str) -> bytes:
    """docs/formats.md, read by somebody who doesn't know the exporter."""

    def ask(method: str, *parameters: Any) -> Any:
        return lab.chain.ask(method, *parameters)

    def header(block: Any) -> bytes:
        fields = """parentHash sha3Uncles miner stateRoot transactionsRoot receiptsRoot logsBloom difficulty number
            gasLimit gasUsed timestamp extraData mixHash nonce baseFeePerGas withdrawalsRoot blobGasUsed excessBlobGas
            parentBeaconBlockRoot requestsHash"""
        numbers = {"difficulty", "number", "timestamp", "gasLimit", "gasUsed", "baseFeePerGas"}
        numbers |= {"blobGasUsed", "excessBlobGas"}
        return rlp.encode([int(block[n], 16) if n in numbers else bytes.fromhex(block[n][2:]) for n in fields.split()])

    found = required_record(lab, record_id)
    receipt = ask("eth_getTransactionReceipt", found.transaction)
    trie = HexaryTrie({})
    for index, each in enumerate(ask("eth_getBlockReceipts", receipt["blockHash"])):
        logs = [
            [bytes.fromhex(x["address"][2:]), [bytes.fromhex(t[2:]) for t in x["topics"]], bytes.fromhex(x["data"][2:])]
            for x in each["logs"]
        ]
        body = [int(each["status"], 16), int(each["cumulativeGasUsed"], 16), bytes.fromhex(each["logsBloom"][2:]), logs]
        trie[rlp.encode(index)] = bytes.fromhex(each["type"][2:].zfill(2)) + rlp.encode(body)
    index = int(receipt["transactionIndex"], 16)
    nodes = {to_hex(rlp.encode(node)) for node in trie.get_proof(rlp.encode(index))}
    state = ask("eth_getBlockByNumber", "latest", False)
    slot = "0x" + keccak(from_hex(record_id) + (8).to_bytes(32)).hex()
    proof = ask("eth_getProof", lab.registry.address, [slot], state["number"])
    nodes |= {*proof["accountProof"], *proof["storageProof"][0]["proof"]}
    inclusion = ask("eth_getBlockByHash", receipt["blockHash"], False)
    topic = keccak(text="Recorded(uint32,address,bytes32,uint8,bytes32,uint8,bytes32,(bytes32,uint8)[])").hex()
    return rfc8785.dumps(
        {
            **BUNDLE.header(),
            "chainId": str(lab.chain.chain_id),
            "registry": lab.registry.address.lower(),
            "blocks": {block["hash"]: to_hex(header(block)) for block in (state, inclusion)},
            "nodes": sorted(nodes),
            "records": [
                {
                    "id": record_id,
                    "key": found.key.as_json(),
                    "manifest": None,
                    "recorded": {
                        "block": receipt["blockHash"],
                        "transaction": index,
                        "log": [log["topics"][0][2:] for log in receipt["logs"]].index(topic),
                    },
                    "batched": None,
                    "state": state["hash"],
                }
            ],
        }
    )


def test_the_words_are_where_the_compiler_put_them() -> None:
    slots = artifact("LabRegistry").slots
    assert (slots["_records"], slots["_batches"]) == (layout.RECORDS_SLOT, layout.BATCHES_SLOT)


# what is refused


def test_every_single_byte_corruption_is_refused_with_its_place(small: bytes) -> None:
    choice = random.Random(20261123)
    for position in range(len(small)):
        damaged = bytearray(small)
        damaged[position] ^= choice.randrange(1, 256)
        assert refusal(bytes(damaged)), position


def test_a_damaged_node_is_named(small: bytes) -> None:
    nodes = json.loads(small)["nodes"]
    for index in range(len(nodes)):
        digit = "0" if nodes[index][-1] != "0" else "1"
        damaged = changed(small, lambda it, i=index, d=digit: it["nodes"].__setitem__(i, it["nodes"][i][:-1] + d))
        assert refusal(damaged) == f"nodes[{index}]"


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_a_truncated_bundle_is_refused(small: bytes, cut: int) -> None:
    assert refusal(small[:cut]).startswith("byte")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda it: it.update(format="blockchaintracer-proof-2"), "format"),
        (lambda it: it.update(note="hello"), "note"),
        (lambda it: it.update(chainId="1"), "records[0].key"),
        (lambda it: it.update(chainId="9" * 78), "chainId"),
        (lambda it: it.update(chainId=str(2**256)), "chainId"),
        (lambda it: it.update(registry="0x" + "11" * 20), "records[0].key"),
        (lambda it: it["nodes"].append("ff" * 40), "nodes["),
        (lambda it: it["nodes"].reverse(), "nodes"),
        (lambda it: it["records"].append(it["records"][0]), "records[1].id"),
        (lambda it: it["records"].clear(), "records"),
        (lambda it: it["records"][0]["key"].update(group=99), "records[0].key"),
        (lambda it: it["records"][0]["key"].update(author="0x" + "22" * 20), "records[0].key"),
        (lambda it: it["records"][0]["manifest"]["predicate"].update(name="another"), "records[0].manifest"),
        (lambda it: it["records"][0]["recorded"].update(log=5), "records[0].recorded.log"),
        (lambda it: it["records"][0]["recorded"].update(transaction=7), "records[0].recorded.transaction"),
        (lambda it: it["records"][0].update(state="00" * 32), "records[0].state"),
        (lambda it: it["records"][0].update(recorded=None), "records[0]"),
    ],
)
def test_a_lie_is_refused_where_it_is_told(small: bytes, change: Any, place: str) -> None:
    assert refusal(changed(small, change)).startswith(place)


def test_a_header_has_the_hash_that_it_is_named_by(small: bytes) -> None:
    def rename(plain: Any) -> None:
        name = plain["records"][0]["state"]
        plain["blocks"]["0x" + "ab" * 32] = plain["blocks"].pop(name)
        plain["records"][0]["state"] = "0x" + "ab" * 32

    assert refusal(changed(small, rename)) == "blocks.0x" + "ab" * 32


def test_whitespace_and_order_are_refused(small: bytes) -> None:
    assert refusal(small + b"\n").startswith("byte")
    assert refusal(json.dumps(json.loads(small)).encode()).startswith("byte")


# at the terminal


def test_a_lab_writes_a_bundle_that_a_stranger_verifies_by_blocks_without_a_network(
    lab: Lab, recorded: list[str], tmp_path: Path
) -> None:
    bundle, nobody = tmp_path / "paper.proof", tmp_path / "nobody"
    written = typed("export-proof", *recorded, "-o", str(bundle), "--json", home=lab.home.path)
    assert written.returncode == 0, written.stderr
    told = json.loads(written.stdout)
    assert (told["size"], [it["id"] for it in told["records"]]) == (bundle.stat().st_size, recorded)

    def alone(*more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "blockchaintracer", "verify", "--proof", str(bundle), *more]
        return subprocess.run(
            ["unshare", "--net", "--map-root-user", *command],
            capture_output=True,
            text=True,
            check=False,
            env={"BLOCKCHAINTRACER_HOME": str(nobody), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        )

    shown = alone()
    assert (shown.returncode, "Consistent: " in shown.stdout) == (4, True), shown.stderr
    shown = alone(*(word for block in told["blocks"] for word in ("--trust-block", block["hash"])))
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert all(record in shown.stdout for record in recorded)
    assert "Retracted on" in shown.stdout
    assert all(block["hash"] in shown.stdout for block in told["blocks"])
    assert not nobody.exists()

    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    bundle.write_bytes(data)
    refused = typed("verify", "--proof", str(bundle), "--json", home=nobody)
    assert refused.returncode == 1
    told = json.loads(refused.stdout)
    assert (told["error"], told["outcome"], told["verified"]) == ("BundleRefused", "not verified", False)
    assert told["place"]


def shown(*arguments: str | Path) -> Result:
    """What `verify` prints and returns in this process, which has no lab."""
    nowhere = {"BLOCKCHAINTRACER_HOME": "/dev/null/nowhere", "BLOCKCHAINTRACER_RPC": "http://127.0.0.1:9"}
    return CliRunner(mix_stderr=False, env=nowhere).invoke(main, ["verify", "--proof", *map(str, arguments)])


def test_it_is_said_what_was_committed_to_between_which_times_and_whose_time_that_is(
    lab: Lab, recorded: list[str], tmp_path: Path
) -> None:
    metrics = {f"metric{number}": Metric(value=number + 0.25) for number in range(7)}
    named = not_before(lab)
    assert named is not None
    runs = []
    for said in (named, named.model_copy(update={"chain_id": "1"}), None):
        run = {"run_id": str(uuid.uuid4()), "name": "a\u202erun", "status": "completed", "not_before": said}
        runs.append(record_run(lab, RunPredicate(**run, metrics=metrics)))
    bundle = tmp_path / "one"
    ids = [recorded[0], *(run.id for run in runs)]
    bundle.write_bytes(export_bundle(lab.registry, [wanted(lab, record_id) for record_id in ids]))
    told = shown(bundle)
    assert told.exit_code == 4, told.stderr
    _, _, data, first, other, without, _, rest, *_ = told.stdout.strip().split("\n\n")
    assert f"\n  dataset 'one' of group {lab.group()}, by " in data
    assert f"\n  file {hashlib.sha256(b'one').hexdigest()}\n" in data
    assert "not-before" not in data
    assert f"\n  run 'a\ufffdrun' of group {lab.group()}, by " in first
    assert f"  identifier with SHA-256 {runs[0].subject}\n" in first
    assert "  metrics: metric0 0.25, metric1 1.25, metric2 2.25, metric3 3.25, metric4 4.25 and 2 more\n" in first
    place = f"with hash {named.block_hash}, {when(int(named.timestamp))}, as its earliest time"
    place += ". That is its author's word: ask a node for this block, too"
    assert f"  names block {named.block_number} {place}\n" in first
    assert f"  names block {named.block_number} of chain 1 {place}\n" in other
    assert "  names no block as not-before" in without
    assert "A time is as good as its source: this machine's clock, which proves nothing to others." in rest

    proven = read_bundle(bundle.read_bytes())
    assert bundle_json(proven)["timeSource"] == "this machine's clock, which proves nothing to others"
    bare = [replace(record, manifest=None) for record in proven.records]
    assert "its manifest is not in the bundle" in "\n".join(lines(replace(proven, records=tuple(bare))))


def test_a_file_is_held_against_a_bundle(lab: Lab, recorded: list[str], tmp_path: Path) -> None:
    model = tmp_path / "model.bin"
    model.write_bytes(b"weights")
    output = RunOutput(role="model", artifact=Artifact.of("model.bin", lab.store.put_file(model)))
    run = record_run(
        lab, RunPredicate(run_id=str(uuid.uuid4()), name="training", status="completed", outputs=(output,))
    )
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "part").write_text("in a folder")
    whole = record_content(lab, Kind.DATASET, folder)
    bundle, one = tmp_path / "four.proof", tmp_path / "one"
    ids = [*recorded[:2], run.id, whole.id]
    bundle.write_bytes(export_bundle(lab.registry, [wanted(lab, record_id) for record_id in ids]))
    one.write_text("one")
    trusted = [word for block in json.loads(bundle.read_bytes())["blocks"] for word in ("--trust-block", block)]
    trusted += ["--registry", lab.registry.address]
    assert shown(bundle, one, model, folder, *trusted).exit_code == 0
    for path, record_id in ((one, ids[0]), (model, run.id), (folder, whole.id)):
        held = shown(bundle, path, *trusted)
        assert held.exit_code == 0, held.stdout
        told = json.loads(shown(bundle, path, "--json").stdout)
        assert (told["outcome"], told["verified"]) == ("consistent", None)
        checks = [check for check in told["checks"] if check["name"].startswith("content")]
        assert [(check["verdict"], check["record"]) for check in checks] == [("pass", record_id)]
    one.write_text("One")
    (folder / "part").write_text("changed")
    for path in (one, folder):
        held = shown(bundle, path, *trusted)
        assert (held.exit_code, "Not verified: " in held.stdout) == (1, True)
        assert f"expected {hashlib.sha256(b'one').hexdigest()}" in held.stdout or path == folder
        told = json.loads(shown(bundle, path, "--json").stdout)
        assert (told["outcome"], told["verified"]) == ("not verified", False)
    assert shown(bundle, one, model, *trusted).exit_code == 1
    nothing = shown(bundle, tmp_path / "nowhere")
    assert (nothing.exit_code, "existing file or folder" in nothing.stderr) == (2, True)


def test_options_that_say_nothing_beside_a_bundle_are_refused(lab: Lab, small: bytes, tmp_path: Path) -> None:
    bundle = tmp_path / "small.proof"
    bundle.write_bytes(small)
    ids = ["ab" * 32, "cd" * 32]
    for wrong in (
        *(["--record", ids[0]], ["--before", *ids], ["--strict"], ["--from", str(tmp_path)], ["--path", str(bundle)]),
        *(["--data", str(bundle)], ["--author", "0x" + "11" * 20], ["--key", "lab"]),
    ):
        refused = shown(bundle, *wrong)
        assert (refused.exit_code, refused.stdout) == (2, ""), wrong
        assert f"expected no {wrong[0]} beside" in refused.stderr
    for alone in (["--registry", lab.registry.address], ["--group", "1"], ["--rpc", "http://127.0.0.1:9"]):
        refused = shown(bundle, *alone)
        assert (refused.exit_code, "expected" in refused.stderr) == (2, True), alone
    trusted = [word for block in json.loads(small)["blocks"] for word in ("--trust-block", block)]
    assert shown(bundle, *trusted, "--registry", lab.registry.address).exit_code == 0
    for other in (["--registry", "0x" + "11" * 20], ["--chain-id", "1"], ["--group", "99"]):
        assert shown(bundle, *trusted, *other).exit_code == 1, other


def test_a_bundle_damaged_at_its_start_is_refused_as_one_without_a_network(small: bytes, tmp_path: Path) -> None:
    damaged = {f"bit {at}": small[:at] + bytes([small[at] ^ 1]) + small[at + 1 :] for at in range(16)}
    damaged |= {f"byte {at}": small[:at] + b"\xff" + small[at + 1 :] for at in range(16)}
    damaged |= {"mark": b"\xef\xbb\xbf" + small, "cut": small[1:], "line": b"\n" + small, "indented": indented(small)}
    named = {
        "empty.proof": b"",
        "half.proof": small[: len(small) // 2],
        "text.proof": b"hello",
        "end.proof": small[99:],
    }
    for name, data in (damaged | named).items():
        (tmp_path / name).write_bytes(data)
    # in one process: each would take longer to start than to refuse
    program = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from blockchaintracer.cli import main\n"
        "for file in sys.argv[1:]:\n"
        "    done = CliRunner(mix_stderr=False).invoke(main, ['verify', '--proof', file, '--json'])\n"
        "    print(done.exit_code, done.stdout.strip())\n"
    )
    files = [str(tmp_path / name) for name in damaged | named]
    alone = subprocess.run(
        ["unshare", "--net", "--map-root-user", sys.executable, "-c", program, *files],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"BLOCKCHAINTRACER_HOME": str(tmp_path / "nobody"), "PATH": "/usr/bin:/bin"},
    )
    for name, line in zip(damaged | named, alone.stdout.splitlines(), strict=True):
        assert line.startswith("1 "), (name, line)
        assert json.loads(line[2:])["error"] in ("BundleRefused", "NotVerified"), (name, line)


def indented(data: bytes) -> bytes:
    return json.dumps(json.loads(data), indent=1, separators=(",", ":")).encode()


def test_the_kind_of_a_proof_is_told_strictly(small: bytes, tmp_path: Path) -> None:
    bundle = tmp_path / "small.proof"
    bundle.write_bytes(small)
    with tarfile.open(tmp_path / "paper.tar", "w") as tar:
        tar.add(bundle, "small.proof")
    assert str(BUNDLE).encode() in (tmp_path / "paper.tar").read_bytes()
    (tmp_path / "empty.proof").write_bytes(b"")
    (tmp_path / "folder.proof").mkdir()
    (tmp_path / "batched").write_text(json.dumps({"type": str(BATCH_PROOF)}))
    (tmp_path / "shown").write_text("\ufeff  " + json.dumps({"fields": ["x" * 64], "type": str(DISCLOSURE)}))
    files = ["paper.tar", "empty.proof", "folder.proof", "nowhere.proof"]
    assert [name for name in files if proof_kind(tmp_path / name)] == []
    assert [page for page in (ROOT / "docs").glob("*.md") if proof_kind(page)] == []
    kinds = [proof_kind(tmp_path / name) for name in ("small.proof", "batched", "shown")]
    assert kinds == [*ProofKind]


def test_a_record_of_a_batch_is_proven_before_and_after_it_is_stored(lab: Lab, tmp_path: Path) -> None:
    ids = []
    for name in ("five", "six", "seven"):
        (tmp_path / name).write_text(name)
        added = typed("batch", "add", "--dataset", str(tmp_path / name), "--json", home=lab.home.path)
        assert added.returncode == 0, added.stderr
        ids.append(json.loads(added.stdout)["records"][0]["id"])
    anchored = typed("batch", "anchor", "--json", home=lab.home.path)
    assert anchored.returncode == 0, anchored.stderr
    bundle = tmp_path / "batched.proof"

    def proven() -> list[Status]:
        made = typed("export-proof", *ids, "-o", str(bundle), home=lab.home.path)
        assert made.returncode == 0, made.stderr
        return [record.status for record in read_bundle(bundle.read_bytes()).records]

    assert proven() == [Status.UNKNOWN] * 3
    stored = typed("materialize", ids[1], home=lab.home.path)
    assert stored.returncode == 0, stored.stderr
    assert proven() == [Status.UNKNOWN, Status.RECORDED, Status.UNKNOWN]


def test_what_cannot_be_proven_is_said_before_anything_is_written(
    lab: Lab, recorded: list[str], tmp_path: Path
) -> None:
    bundle = tmp_path / "none.proof"
    unknown = typed("export-proof", recorded[0], "ab" * 32, "-o", str(bundle), home=lab.home.path)
    assert (unknown.returncode, bundle.exists()) == (2, False)
    assert "ab" * 32 in unknown.stderr
    nowhere = typed("export-proof", recorded[0], "-o", str(tmp_path / "no" / "folder"), home=lab.home.path)
    assert nowhere.returncode == 2
    assert "expected a file that can be written" in nowhere.stderr


def send(lab: Lab, function: str, *arguments: Any) -> str:
    """Calls the registry as the lab's signer; the transaction's hash."""
    return sent(lab, function, *arguments)
