"""Verifying on a real chain: each check passes for the truth and fails for what was changed, forged or lied about."""

import json
import os
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from eth_account import Account

from blockchaintracer.cli import main
from blockchaintracer.core.chain import Registry, load_artifact
from blockchaintracer.core.chain.abi import interface
from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.core.manifest import (
    Artifact,
    ContentPredicate,
    Manifest,
    NotBefore,
    RunInput,
    RunOutput,
    RunPredicate,
)
from blockchaintracer.core.record import (
    Kind,
    Link,
    RecordKey,
    Relation,
    Role,
    SubjectType,
    Verdict,
    checksummed,
    from_hex,
    record_message,
)
from blockchaintracer.core.verify import Outcome, Report
from blockchaintracer.core.verify.verifier import Verifier
from blockchaintracer.lab.attest import attest, retract, withdraw
from blockchaintracer.lab.devnet.chain_state import call
from blockchaintracer.lab.groups import invite, join, remove_member
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.outbox import Op, Transaction
from blockchaintracer.lab.recording.commit import commit
from blockchaintracer.lab.recording.content import (
    named_parents,
    not_before,
    record_content,
    record_document,
    record_run,
)
from blockchaintracer.lab.store.store import Store
from blockchaintracer.lab.verify_here import lab_verifier, verify
from tests.support.labs import again, second_lab, shared_lab, verb
from tests.support.stores import published_store
from tests.support.telling import Ask, telling, web3_of

MIB = 1 << 20
STRANGER = "0x" + "11" * 20
# emits a log with the three topics and the data that it is called with
IMPOSTOR = "6060360360605f376040356020355f35606036035fa300"
# calls the address in the first word with the rest of what it is called with, and reverts if that fails
FORWARDER = "6020360360205f375f5f602036035f5f5f355af1601a575f5ffd5b00"
# an ERC-1271 wallet that takes anything for a signature
WALLET = "631626ba7e60e01b5f5260205ff3"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with shared_lab(tmp_path_factory.mktemp("lab")) as lab:
        lab.devnet.fund(STRANGER, 10**20)
        yield lab


@pytest.fixture(scope="module")
def other(lab, tmp_path_factory):
    return second_lab(lab, tmp_path_factory.mktemp("other"))


@pytest.fixture
def folder(tmp_path):
    """A folder of three files, one of 3 MiB."""
    path = tmp_path / "data"
    (path / "sub").mkdir(parents=True)
    (path / "a.txt").write_text(f"{uuid.uuid4()}\n")
    (path / "sub" / "b.csv").write_text("x,y\n1,2\n")
    (path / "sub" / "large.bin").write_bytes(os.urandom(3 * MIB))
    return path


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(os.urandom(100))
    return path


def verifier(lab: Lab, *sources: Any) -> Verifier:
    return lab_verifier(lab.registry, lab.store, sources)


def outcomes(report: Report, name: str) -> list[str]:
    return [check.verdict.value for check in report.checks if check.name == name]


def failures(report: Report) -> dict[str, str]:
    return {check.name: check.detail for check in report.failed}


def flip(path: Path, offset: int) -> None:
    """Changes one byte."""
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(offset)
        [byte] = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def run_of(lab: Lab, parents: tuple[Link, ...] = (), **more: Any) -> Any:
    """A run's record with these fields in its manifest."""
    given = {"not_before": not_before(lab), "name": "training", "status": "completed"} | more
    return record_run(lab, RunPredicate(run_id=str(uuid.uuid4()), parents=named_parents(parents), **given))


def kept(lab: Lab, name: str, data: bytes) -> Any:
    """A kept artifact."""
    from blockchaintracer.core.digest import digest_bytes

    lab.store.put_bytes(data)
    return Artifact.of(name, digest_bytes(data))


def port(lab: Lab) -> int:
    return lab.devnet.start().port


def send(lab: Lab, sender: str, **transaction: Any) -> Any:
    """A transaction of any sender, which a devnet's owner can forge; its receipt."""
    call(port(lab), "anvil_impersonateAccount", sender)
    identifier = call(port(lab), "eth_sendTransaction", {"from": sender, **transaction})
    return web3_of(lab.chain).eth.wait_for_transaction_receipt(identifier, timeout=600)


def relay(lab: Lab, to: str, data: str) -> str:
    """Sends a signed transaction of an account that has nothing to do with the record; the account."""
    account, eth = Account.create(), web3_of(lab.chain).eth
    lab.devnet.fund(account.address, 10**18)
    fields = {"to": to, "data": data, "nonce": 0, "gas": 500_000, "chainId": lab.chain_id, "value": 0}
    fees = {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 1}
    identifier = eth.send_raw_transaction(account.sign_transaction(fields | fees).raw_transaction)
    assert eth.wait_for_transaction_receipt(identifier, timeout=600)["status"] == 1
    return str(account.address)


def place(lab: Lab, code: str) -> str:
    """An account with this code and some coin."""
    address = checksummed("0x" + os.urandom(20).hex())
    call(port(lab), "anvil_setCode", address, "0x" + code)
    lab.devnet.fund(address, 10**18)
    return address


def authorized(lab: Lab, path: Path, author: str | None = None, signature: bytes | None = None) -> tuple[str, str]:
    """The id of a record of a file that is signed and not sent, and the calldata that relays it."""
    digest = lab.store.put_file(path)
    content = ContentPredicate(subject_type="file", size=digest.size, cid=digest.cid, cid_profile=digest.cid_profile)
    manifest = Manifest.of(Kind.DATASET, content, digest.sha256)
    lab.store.put_bytes(manifest.to_bytes())
    key = RecordKey(
        group=lab.group(),
        kind=Kind.DATASET,
        subject_type=SubjectType.FILE,
        author=author or lab.signer.address,
        subject=digest.sha256,
        manifest=manifest.digest(),
    )
    deadline = 2**40 - 1
    message = {"record": record_message(key), "deadline": deadline}
    document = lab.registry.domain.typed_data("RecordAuthorization", message)
    signature = signature or lab.signer.sign_typed_data(document)
    return lab.registry.domain.record_id(key), lab.registry.call_data("recordBySig", key.as_abi(), deadline, signature)


def raw_record(lab: Lab, key: RecordKey) -> str:
    """Records a key as it is; its id."""
    record_id = lab.registry.domain.record_id(key)
    lab.write(Transaction(Op.RECORD, lab.registry.address, record_id=record_id, key=key))
    return record_id


REFUSED = object()
NOTHING = object()


def lying_registry(lab: Lab, lie: Callable[[str, Any, Any], Any]) -> Registry:
    """The registry by a node that answers what `lie` makes of the truth: None leaves it, REFUSED is an error."""

    def tell(request: dict[str, Any], ask: Ask) -> dict[str, Any]:
        answer = ask(request)
        changed = lie(request["method"], request["params"], answer.get("result"))
        if changed is REFUSED:
            return {"error": {"code": -32601, "message": "no such method"}}
        return answer if changed is None else {"result": None if changed is NOTHING else changed}

    return Registry(telling(lab.devnet.start().url, tell), lab.registry.address)


def lied_to(lab: Lab, lie: Callable[[str, Any, Any], Any]) -> Verifier:
    """A verifier behind such a node."""
    return lab_verifier(lying_registry(lab, lie), lab.store)


def selector(name: str) -> str:
    entry = next(one for one in load_artifact()["abi"] if one.get("name") == name)
    from eth_utils.abi import function_abi_to_4byte_selector

    return "0x" + function_abi_to_4byte_selector(entry).hex()


def topic(name: str) -> str:
    from eth_utils.abi import event_abi_to_log_topic

    abi = load_artifact()["abi"]
    return "0x" + event_abi_to_log_topic(next(one for one in abi if one.get("name") == name)).hex()


# -- what is true


def test_a_run_with_data_and_model_passes_every_check_and_says_what_that_proves(lab, folder):
    data = record_content(lab, Kind.DATASET, folder)
    model = kept(lab, "model.bin", os.urandom(1000))
    run = run_of(
        lab,
        (Link(data.id, Relation.TRAINED_ON),),
        inputs=(RunInput(record=data.id, relation=Relation.TRAINED_ON, sha256=data.subject),),
        outputs=(RunOutput(role="model", artifact=model),),
    )
    report = verifier(lab).hash(run.id)
    assert [check.name for check in report.checks] == [
        *("recorded", "id", "status", "time", "finality", "author", "role", "manifest", "agreement", "parents"),
        *("lineage", "inputs", "not-before", "subject", "artifact model.bin", "retraction"),
    ]
    assert {check.verdict for check in report.checks} == {Outcome.PASS}
    assert report.looked_up_as == "record"
    assert report.verified
    [proven] = report.proves
    assert all(text in proven for text in (lab.signer.address, "group 1", run.subject, "run 'training'", "not older"))
    assert "that a result is right, that data are honest, or that a key's holder is who they say" in str(
        report.does_not_prove
    )
    assert "this machine's clock" in str(report.does_not_prove)


def test_a_folder_is_rehashed_file_by_file(lab, folder):
    record = record_content(lab, Kind.DATASET, folder)
    report = verifier(lab).hash(record.id)
    assert report.verified
    assert "3 of 3 files" in next(check.detail for check in report.checks if check.name == "subject")


# -- content


@pytest.mark.parametrize("offset", [0, 3 * MIB // 2, 3 * MIB - 1])
def test_one_changed_byte_of_a_large_file_in_a_folder_is_found_and_named_with_its_place(lab, folder, offset):
    record = record_content(lab, Kind.DATASET, folder)
    flip(folder / "sub" / "large.bin", offset)
    for report in (verify(lab, record.id, path=folder), verify(lab, str(folder), record=record.id)):
        [check] = report.failed
        assert check.name == "content sub/large.bin"
        assert check.values["differences"]["first"] == offset
        chunk = offset // MIB * MIB
        assert check.values["differences"]["ranges"] == ((chunk, chunk + MIB - 1),)
        assert check.values["expected"] in check.detail
        assert check.values["actual"] in check.detail
        assert f"from byte {offset} on, in 1 of 3 chunks" in check.detail


@pytest.mark.parametrize("offset", [0, 3 * MIB // 2, 3 * MIB - 1])
def test_one_changed_byte_of_a_kept_file_is_found_and_named(lab, folder, offset):
    record = record_content(lab, Kind.DATASET, folder)
    digest = Store(lab.home.store / ".." / "scratch").put_file(folder / "sub" / "large.bin").sha256
    damaged = lab.store.path_of(digest)
    flip(damaged, offset)
    [check] = verifier(lab).hash(record.id).failed
    assert check.name == "subject sub/large.bin"
    assert str(damaged) in check.detail
    assert check.values["expected"] == digest
    # with a whole copy elsewhere it's verified, and still told, and where they differ
    report = verifier(lab, lab.home.store / ".." / "scratch").hash(record.id)
    assert report.verified
    [check] = [check for check in report.checks if check.name == "subject"]
    assert f"passed over: the copy at {damaged} is damaged" in check.detail
    assert f"it differs from byte {offset} on" in check.detail
    flip(damaged, offset)
    assert verifier(lab).hash(record.id).verified


def test_missing_and_added_files_are_each_named(lab, folder):
    record = record_content(lab, Kind.DATASET, folder)
    (folder / "a.txt").rename(folder / "c.txt")
    found = failures(verify(lab, record.id, path=folder))
    assert found.keys() == {"content a.txt", "content c.txt"}
    assert "missing" in found["content a.txt"]
    assert "added" in found["content c.txt"]


def test_a_file_that_grew_or_shrank_is_named_with_both_sizes(lab, file):
    record = record_content(lab, Kind.DATASET, file)
    file.write_bytes(file.read_bytes()[:60])
    [check] = verify(lab, record.id, path=file).failed
    assert check.values["differences"]["first"] == 60
    assert "its size is 60 bytes, not 100" in check.detail


def test_a_changed_folder_that_nobody_recorded_is_held_against_the_one_it_is_like(lab, folder):
    record = record_content(lab, Kind.DATASET, folder)
    flip(folder / "sub" / "large.bin", 2 * MIB + 5)
    report = verify(lab, str(folder))
    assert list(failures(report)) == ["recorded", "alike", "content sub/large.bin"]
    assert report.failed[1].record == record.id
    assert report.failed[2].values["differences"]["first"] == 2 * MIB + 5


def test_a_file_of_a_recorded_folder_and_an_output_of_a_run_are_found_by_the_record_they_are_part_of(lab, folder):
    record = record_content(lab, Kind.DATASET, folder)
    report = verify(lab, str(folder / "a.txt"))
    assert report.verified
    assert [seen.id for seen in report.records] == [record.id]
    (folder / "weights.bin").write_bytes(data := os.urandom(50))
    run = run_of(lab, outputs=(RunOutput(role="model", artifact=kept(lab, "weights.bin", data)),))
    report = verify(lab, str(folder / "weights.bin"))
    assert report.verified
    assert [seen.id for seen in report.records] == [run.id]
    flip(folder / "weights.bin", 7)
    report = verify(lab, str(folder / "weights.bin"))
    assert {"recorded", "alike", "content weights.bin"} == failures(report).keys()
    report = verify(lab, run.id, path=folder / "weights.bin")
    assert list(failures(report)) == ["content weights.bin"]
    report = verify(lab, run.id, path=folder)
    assert list(failures(report)) == ["content weights.bin"]


def test_a_folder_that_a_run_wrote_is_rehashed_and_compared_file_by_file(lab, folder):
    listing = lab.store.put_folder(folder).listing
    run = run_of(lab, outputs=(RunOutput(role="plots", artifact=kept(lab, "data/SHA256SUMS", listing)),))
    report = verifier(lab).hash(run.id)
    assert "3 of 3" in next(check.detail for check in report.checks if check.name == "artifact data/SHA256SUMS")
    assert verify(lab, run.id, path=folder).verified
    assert [seen.id for seen in verify(lab, str(folder)).records] == [run.id]
    flip(folder / "a.txt", 0)
    assert list(failures(verify(lab, run.id, path=folder))) == ["content a.txt"]


def test_what_can_t_be_compared_says_why(lab, other, folder, file):
    whole, single = record_content(lab, Kind.DATASET, folder), record_content(lab, Kind.DATASET, file)
    run = run_of(lab, outputs=(RunOutput(role="model", artifact=kept(lab, "model.bin", b"weights")),))
    assert verify(lab, whole.id, path=folder).verified
    assert verify(lab, single.id, path=file).verified
    assert "is a folder" in failures(verify(lab, single.id, path=folder))["content"]
    assert "no file like" in failures(verify(lab, whole.id, path=file))["content"]
    assert "no file like" in failures(verify(lab, run.id, path=file))["content"]
    assert "has no record" in failures(verify(lab, "ab" * 32, path=file))["recorded"]
    assert verify(lab, whole.id, path=folder / "sub" / "b.csv").verified
    flip(folder / "a.txt", 0)
    # the other lab has neither listing nor manifest
    assert "which file is unknown" in failures(verify(other, whole.id, path=folder))["content"]
    assert outcomes(verify(other, run.id, path=file), "content") == ["unknown"]
    assert "where is unknown" in failures(verify(other, single.id, path=folder / "a.txt"))[f"content {folder}/a.txt"]


def test_files_of_a_folder_that_are_not_here_are_named(lab, folder):
    record = record_content(lab, Kind.DATASET, folder)
    digest = next(line for line in lab.store.get_bytes(record.subject).decode().splitlines() if "a.txt" in line)[:64]
    lab.store.path_of(digest).unlink()
    report = verifier(lab).hash(record.id)
    assert "1 of 3 files are not here: a.txt" in report.unknown[0].detail
    assert report.unknown[0].values["missing"] == {"a.txt": digest}


def test_a_subject_that_is_no_listing_fails_and_an_identifier_without_its_manifest_is_unknown(lab, tmp_path):
    bogus = lab.store.put_bytes(os.urandom(40))
    key = RecordKey(1, lab.signer.address, SubjectType.FOLDER, bogus, Kind.DATASET, os.urandom(32).hex())
    assert "is no folder" in failures(verifier(lab).hash(raw_record(lab, key)))["subject"]
    run = run_of(lab)
    report = lab_verifier(lab.registry, Store(tmp_path / "empty")).hash(run.id)
    assert [check.name for check in report.unknown] == ["manifest", "subject"]


def test_a_source_that_gives_more_than_a_manifest_can_be_is_not_followed(lab, file, tmp_path):
    record = record_content(lab, Kind.DATASET, file)
    published = published_store(lab.store, [record.manifest], tmp_path / "published")
    large = published.path_of(record.manifest)
    large.chmod(0o600)
    large.write_bytes(bytes(2 * MIB))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(published.folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        report = lab_verifier(lab.registry, Store(tmp_path / "empty"), [url]).hash(record.id)
        server.shutdown()
    assert "damaged: has more than the 1048576 bytes allowed" in failures(report)["manifest"]


def test_a_source_that_gives_more_of_a_file_than_is_ever_taken_is_not_followed(lab, file, tmp_path, monkeypatch):
    record = record_content(lab, Kind.DATASET, file)
    published = published_store(lab.store, [record.manifest, record.subject], tmp_path / "published")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(published.folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        for limit, outcome in ((file.stat().st_size, "pass"), (file.stat().st_size - 1, "unknown")):
            # 64 GiB are too many to serve here
            monkeypatch.setattr("blockchaintracer.lab.store.stored_copies.FETCH_LIMIT", limit)
            report = lab_verifier(lab.registry, Store(tmp_path / "empty"), [url]).hash(record.id)
            assert outcomes(report, "subject") == [outcome]
        server.shutdown()
    [subject] = [check for check in report.checks if check.name == "subject"]
    assert f"{url} has more than the {limit} bytes allowed" in subject.detail


def test_a_file_that_is_like_nothing_is_not_verified(lab, file):
    report = verify(lab, str(file))
    assert list(failures(report)) == ["recorded"]
    assert not report.proves


def test_a_file_is_shown_with_everybody_who_recorded_it_and_a_group_can_be_chosen(lab, other, file):
    mine, theirs = record_content(lab, Kind.DATASET, file), record_content(other, Kind.DATASET, file)
    report = verify(lab, str(file))
    assert report.verified
    assert [(seen.id, seen.group, seen.author) for seen in report.records] == [
        (mine.id, 1, lab.signer.address),
        (theirs.id, 2, other.signer.address),
    ]
    assert len(report.proves) == 2
    assert [seen.id for seen in verify(lab, str(file), group=2).records] == [theirs.id]
    assert not verify(lab, str(file), group=3).verified
    assert [seen.id for seen in verify(lab, mine.subject).records] == [mine.id, theirs.id]
    # whoever trusts one group isn't told by the other that all is well
    retract(lab, mine.id, "a wrong file")
    assert list(failures(verify(lab, str(file)))) == ["retraction"]
    assert verify(lab, str(file), group=2).verified


def test_what_is_not_here_is_unknown_and_found_in_a_published_store(lab, folder, tmp_path):
    record = record_content(lab, Kind.DATASET, folder)
    empty = Store(tmp_path / "empty")
    report = lab_verifier(lab.registry, empty).hash(record.id)
    assert report.verified
    assert [check.name for check in report.unknown] == ["manifest", "subject"]
    assert record.manifest in report.unknown[0].detail
    digests = [record.manifest, record.subject]
    digests += [line.split()[0].decode() for line in lab.store.get_bytes(record.subject).splitlines()]
    published = published_store(lab.store, digests, tmp_path / "published")
    handler = partial(_Quiet, directory=str(published.folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        for source in (published.folder, url):
            report = lab_verifier(lab.registry, empty, [source]).hash(record.id)
            assert report.verified
            assert not report.unknown
        assert not (tmp_path / "empty").exists()
        for digest in digests[0], digests[-1]:
            flip(published.path_of(digest), 3)
            for source in (published.folder, url):
                report = lab_verifier(lab.registry, empty, [source]).hash(record.id)
                [check] = report.failed
                assert check.name in {"manifest", "subject sub/large.bin"}
                assert str(source) in check.detail
            published.path_of(digest).chmod(0o600)
            flip(published.path_of(digest), 3)
        server.shutdown()
    report = lab_verifier(lab.registry, empty, [url]).hash(record.id)
    assert "can't be reached" in report.unknown[0].detail


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def test_a_tampered_manifest_is_found_and_named(lab, file):
    record = record_content(lab, Kind.DATASET, file)
    path = lab.store.path_of(record.manifest)
    flip(path, 40)
    [check] = verifier(lab).hash(record.id).failed
    assert check.name == "manifest"
    assert str(path) in check.detail
    flip(path, 40)


def test_a_manifest_that_is_not_canonical_or_says_otherwise_than_its_record_fails(lab, file, tmp_path):
    record = record_content(lab, Kind.DATASET, file)
    key = verifier(lab).hash(record.id).records[0]
    data = lab.store.get_bytes(record.manifest)
    base = RecordKey(1, key.author, SubjectType.FILE, record.subject, Kind.DATASET, record.manifest)
    spaced = raw_record(lab, replace(base, manifest=lab.store.put_bytes(data.replace(b'":', b'": ', 1))))
    assert failures(verifier(lab).hash(spaced)).keys() == {"manifest"}
    other_subject = raw_record(lab, replace(base, subject="ab" * 32))
    assert failures(verifier(lab).hash(other_subject)).keys() == {"agreement"}
    other_kind = raw_record(lab, replace(base, kind=Kind.MODEL))
    assert "kind" in failures(verifier(lab).hash(other_kind))["agreement"]


def test_a_size_or_cid_that_the_bytes_don_t_have_fails(lab, file):
    digest = lab.store.put_file(file)
    given = {"subject_type": "file", "size": digest.size, "cid": digest.cid, "cid_profile": digest.cid_profile}
    for change, said in (({"size": 101}, "says 101 bytes"), ({"cid": "b" + "a" * 58}, "says the CID b")):
        content = ContentPredicate(**{**given, **change})
        record = commit(lab, Manifest.of(Kind.DATASET, content, digest.sha256), ())
        assert said in failures(verifier(lab).hash(record.id))["subject"]
    artifact = kept(lab, "out.bin", b"some output").model_copy(update={"size": 3})
    run = run_of(lab, outputs=(RunOutput(role="result", artifact=artifact),))
    assert failures(verifier(lab).hash(run.id)).keys() == {"artifact out.bin"}


def test_inputs_that_are_not_what_their_records_are_of_fail(lab, file):
    data = record_content(lab, Kind.DATASET, file)
    entry = RunInput(record=data.id, relation=Relation.USES, sha256="cd" * 32)
    run = run_of(lab, (Link(data.id, Relation.USES),), inputs=(entry,))
    assert data.subject in failures(verifier(lab).hash(run.id))["inputs"]


# -- who


def test_a_record_relayed_by_a_signature_is_its_author_s(lab, file):
    record_id, data = authorized(lab, file)
    sender = relay(lab, lab.registry.address, data)
    report = verifier(lab).hash(record_id)
    assert report.verified
    check = next(check for check in report.checks if check.name == "author")
    assert check.values == {
        "author": lab.signer.address,
        "sender": sender,
        "how": "relayed",
    }


def test_a_transaction_that_its_author_did_not_sign_fails(lab, file):
    digest = lab.store.put_file(file).sha256
    key = RecordKey(1, lab.signer.address, SubjectType.FILE, digest, Kind.DATASET, "ab" * 32)
    # whoever runs a devnet can send in anybody's name, and the registry can't know
    send(lab, lab.signer.address, to=lab.registry.address, data=lab.registry.call_data("record", key.as_abi()))
    report = verifier(lab).hash(lab.registry.domain.record_id(key))
    assert "not signed by" in failures(report)["author"]
    assert not report.proves


def test_a_signature_of_somebody_else_fails(lab, file):
    record_id, data = authorized(lab, file)
    relay(lab, lab.registry.address, data)
    _, arguments = interface().called(from_hex(data))
    forged = bytes([arguments["signature"][5] ^ 1]).hex()
    at = data.index(arguments["signature"].hex()) + 10

    def lie(method: str, params: Any, result: Any) -> Any:
        if method == "eth_getTransactionByHash":
            return {**result, "input": data[:at] + forged + data[at + 2 :]}
        return REFUSED if method == "eth_getRawTransactionByHash" else None

    report = lied_to(lab, lie).hash(record_id)
    assert "expected a signature of" in failures(report)["author"]


@pytest.mark.parametrize("gives_raw", [False, True])
def test_a_transaction_that_is_told_otherwise_than_it_was_sent_fails(lab, file, gives_raw):
    record = record_content(lab, Kind.DATASET, file)
    another = record_content(lab, Kind.MODEL, file)
    swapped = "0x" + lab.chain.transaction(another.transaction).data.hex()
    changes = {
        "asks for another record": {"input": swapped},
        "calls nothing that records": {"input": "0x12345678"},
        "and without a signature": {"from": checksummed(STRANGER)},
    }
    for said, change in changes.items():

        def lie(method: str, params: Any, result: Any, change: Any = change) -> Any:
            if method == "eth_getRawTransactionByHash" and not gives_raw:
                return REFUSED
            return {**result, **change} if method == "eth_getTransactionByHash" else None

        detail = failures(lied_to(lab, lie).hash(record.id))["author"]
        assert ("is not signed by" if gives_raw else said) in detail


def test_a_node_that_gives_no_raw_transactions_is_taken_at_its_word_and_one_that_gives_none_is_not(lab, file):
    record = record_content(lab, Kind.DATASET, file)
    said = {}
    for name in ("eth_getRawTransactionByHash", "eth_getTransactionByHash"):

        def lie(method: str, params: Any, result: Any, name: str = name) -> Any:
            return (REFUSED if "Raw" in name else NOTHING) if method == name else None

        [check] = [check for check in lied_to(lab, lie).hash(record.id).checks if check.name == "author"]
        said[name] = check
    assert said["eth_getRawTransactionByHash"].verdict is Outcome.PASS
    assert "by the node's word" in said["eth_getRawTransactionByHash"].detail
    assert said["eth_getTransactionByHash"].verdict is Outcome.UNKNOWN


@pytest.mark.parametrize("delegated", [False, True])
def test_a_contract_that_records_by_itself_is_named_with_who_sent_for_it(lab, file, delegated):
    author = place(lab, FORWARDER)
    if delegated:
        # an account that runs the contract's code by EIP-7702
        author = place(lab, f"ef0100{author[2:].lower()}")
    to = "0x" + "00" * 12 + lab.registry.address[2:]
    offer = invite(lab, lab.group(), author, Role.RECORDER)
    joining = ("joinBySig", tuple(offer["invitation"].values()), from_hex(offer["signature"]))
    relay(lab, author, to + lab.registry.call_data(*joining)[2:])
    key = RecordKey(1, author, SubjectType.COMMITMENT, os.urandom(32).hex(), Kind.DATASET, "ab" * 32)
    sender = relay(lab, author, to + lab.registry.call_data("record", key.as_abi())[2:])
    report = verifier(lab).hash(lab.registry.domain.record_id(key))
    [check] = [check for check in report.checks if check.name == "author"]
    assert check.verdict is Outcome.PASS
    assert sender in check.detail
    assert f"{author} {'ran the code of' if delegated else 'is a contract'}" in check.detail
    assert [one.name for one in report.unknown if one.name != "finality"] == ["manifest", "subject"]
    assert "salted commitment" in report.unknown[-1].detail


def test_a_contract_wallet_s_record_says_what_that_means(lab, file):
    wallet = place(lab, WALLET)
    offer = invite(lab, lab.group(), wallet, Role.RECORDER)
    joining = ("joinBySig", tuple(offer["invitation"].values()), from_hex(offer["signature"]))
    send(lab, wallet, to=lab.registry.address, data=lab.registry.call_data(*joining))
    record_id, data = authorized(lab, file, author=wallet, signature=b"whatever")
    relay(lab, lab.registry.address, data)
    report = verifier(lab).hash(record_id)
    assert report.verified
    check = next(check for check in report.checks if check.name == "author")
    assert check.values["how"] == "contract wallet"
    assert "what the wallet's code accepted then" in check.detail


def test_a_signature_relayed_inside_another_contract_s_call_can_t_be_seen(lab, file):
    record_id, data = authorized(lab, file)
    forwarder = place(lab, FORWARDER)
    relay(lab, forwarder, "0x" + "00" * 12 + lab.registry.address[2:] + data[2:])
    report = verifier(lab).hash(record_id)
    assert outcomes(report, "author") == ["unknown"]
    assert not report.proves


def test_a_member_who_was_removed_later_was_a_recorder_then(lab, file, tmp_path):
    member = Lab(lab.home.__class__(tmp_path / "member"), rpc=lab.devnet.start().url)
    member.registry_address = lab.registry.address
    lab.devnet.fund(member.signer.address, 10**20)
    join(member, invite(lab, 1, member.signer.address, Role.RECORDER))
    record = record_content(member, Kind.DATASET, file)
    remove_member(lab, 1, member.signer.address)
    report = lab_verifier(lab.registry, member.store).hash(record.id)
    assert report.verified
    assert "its membership was ended" in next(check.detail for check in report.checks if check.name == "role")


@pytest.mark.parametrize(
    ("said", "problem"),
    [("none", "no member"), ("reviewer", "its roles were reviewer"), ("ended", "had ended")],
)
def test_an_author_without_the_role_at_that_time_fails(lab, file, said, problem):
    record = record_content(lab, Kind.DATASET, file)

    def lie(method: str, params: Any, result: Any) -> Any:
        if method != "eth_getLogs" or params[0]["topics"][0] != topic("MembershipChanged"):
            return None
        if said == "none":
            return []
        words = {"reviewer": (0, 4), "ended": (2, 5)}[said]
        return [_with_word(log, *words) for log in result]

    report = lied_to(lab, lie).hash(record.id)
    assert problem in failures(report)["role"]
    assert not report.proves


def _with_word(log: Any, index: int, value: int) -> Any:
    at = 2 + 64 * index
    return {**log, "data": log["data"][:at] + f"{value:064x}" + log["data"][at + 64 :]}


# -- what the chain holds


def test_a_changed_event_has_another_id(lab, file):
    record = record_content(lab, Kind.DATASET, file)

    def lie(method: str, params: Any, result: Any) -> Any:
        if method == "eth_getLogs" and params[0]["topics"][0] == topic("Recorded"):
            return [_with_word(log, 4, int("ab" * 32, 16)) for log in result]
        return None

    assert "but the key has the id" in failures(lied_to(lab, lie).hash(record.id))["id"]


@pytest.mark.parametrize(
    ("word", "value", "failing"), [(4, 12345, "time"), (0, 7, "status"), (4, 0, "recorded"), (7, 1, "verdict counts")]
)
def test_a_state_that_is_not_what_the_events_tell_fails(lab, file, word, value, failing):
    record = record_content(lab, Kind.DATASET, file)

    def lie(method: str, params: Any, result: Any) -> Any:
        if method == "eth_call" and params[0]["data"].startswith(selector("statusOf")):
            return _with_word({"data": result}, word, value)["data"]
        return None

    assert failing in failures(lied_to(lab, lie).hash(record.id))


def test_a_record_whose_block_or_receipt_is_gone_fails(lab, file):
    record = record_content(lab, Kind.DATASET, file)

    def reorganised(method: str, params: Any, result: Any) -> Any:
        is_its_own = method == "eth_getBlockByNumber" and int(result["number"], 16) == record.block
        return {**result, "hash": "0x" + "ab" * 32} if is_its_own else None

    def emptied(method: str, params: Any, result: Any) -> Any:
        return {**result, "logs": []} if method == "eth_getTransactionReceipt" else None

    def failed(method: str, params: Any, result: Any) -> Any:
        return {**result, "status": "0x0"} if method == "eth_getTransactionReceipt" else None

    assert "not one of the chain any more" in failures(lied_to(lab, reorganised).hash(record.id))["recorded"]
    for lie in (emptied, failed):
        assert "holds no such event" in failures(lied_to(lab, lie).hash(record.id))["recorded"]


def test_what_is_not_final_yet_is_unknown_and_says_how_deep_it_is(lab, file):
    record = record_content(lab, Kind.DATASET, file)

    def lie(method: str, params: Any, result: Any) -> Any:
        if method == "eth_getBlockByNumber" and params[0] == "finalized":
            return {**result, "number": hex(record.block - 1)}
        return None

    report = lied_to(lab, lie).hash(record.id)
    check = next(check for check in report.checks if check.name == "finality")
    assert check.verdict is Outcome.UNKNOWN
    assert "2 blocks since, not final yet" in check.detail
    assert report.verified


def test_where_the_chain_doesn_t_say_what_is_final_nobody_knows(lab, file):
    record = record_content(lab, Kind.DATASET, file)

    def lie(method: str, params: Any, result: Any) -> Any:
        return REFUSED if method == "eth_getBlockByNumber" and params[0] == "finalized" else None

    report = lied_to(lab, lie).hash(record.id)
    assert [check.name for check in report.unknown] == ["finality"]


def test_parents_that_are_missing_or_later_fail(lab, file):
    data = record_content(lab, Kind.DATASET, file)
    model = record_content(lab, Kind.MODEL, file, parents=[Link(data.id, Relation.TRAINED_ON)])

    def missing(method: str, params: Any, result: Any) -> Any:
        is_parent = method == "eth_getLogs" and data.id in str(params[0]["topics"])
        return [] if is_parent else None

    def later(method: str, params: Any, result: Any) -> Any:
        if method == "eth_getLogs" and data.id in str(params[0]["topics"]):
            return [{**log, "blockNumber": hex(model.block + 1)} for log in result]
        return None

    def unstored(method: str, params: Any, result: Any) -> Any:
        if method == "eth_call" and params[0]["data"].startswith(selector("statusOfRecords")):
            return result[:130].ljust(len(result), "0")
        return None

    # the state decides whether a parent is there; without its event only what it rests on is unknown
    report = lied_to(lab, missing).hash(model.id)
    assert not report.failed
    assert "lineage" in {check.name for check in report.unknown}
    assert "is not recorded" in failures(lied_to(lab, unstored).hash(model.id))["parents"]
    assert "is not earlier" in failures(lied_to(lab, later).hash(model.id))["parents"]


# -- time


def test_a_block_that_the_run_can_t_have_known_fails(lab):
    true = not_before(lab)
    head = lab.chain.head()
    wrong = {
        "there is another": true.model_copy(update={"block_hash": "0x" + "ab" * 32}),
        "another time": true.model_copy(update={"timestamp": str(int(true.timestamp) - 1)}),
        "not there yet": true.model_copy(update={"block_number": str(head.number + 1000)}),
    }
    for said in wrong.values():
        assert failures(verifier(lab).hash(run_of(lab, not_before=said).id)).keys() == {"not-before"}
    late = run_of(lab, not_before=true)

    def lie(method: str, params: Any, result: Any) -> Any:
        if method != "eth_getLogs" or topic("Recorded") != params[0]["topics"][0]:
            return None
        return [{**log, "blockNumber": hex(int(true.block_number))} for log in result]

    assert "is not before its own block" in failures(lied_to(lab, lie).hash(late.id))["not-before"]


def test_a_run_without_a_block_or_with_one_of_another_chain_has_no_earliest_time(lab):
    elsewhere = NotBefore(chain_id="1", block_number="5", block_hash="ab" * 32, timestamp="5")
    for said, detail in ((None, "not its earliest"), (elsewhere, "chain 1")):
        report = verifier(lab).hash(run_of(lab, not_before=said).id)
        [check] = report.unknown
        assert check.name == "not-before"
        assert detail in check.detail
        assert "not older" not in report.proves[0]


# -- what became of it


def test_a_retracted_record_fails_with_who_when_and_why_and_so_does_what_rests_on_it(lab, file, tmp_path):
    data = record_content(lab, Kind.DATASET, file)
    model = record_content(lab, Kind.MODEL, file, parents=[Link(data.id, Relation.TRAINED_ON)])
    result = record_document(lab, Kind.RESULT, file, name="result", parents=[Link(model.id, Relation.EVALUATED_ON)])
    newer = record_content(lab, Kind.SOFTWARE, file, parents=[Link(data.id, Relation.SUPERSEDES)])
    assert all(verifier(lab).hash(one.id).verified for one in (data, model, result, newer))
    retract(lab, data.id, "the detector was off")
    found = failures(verifier(lab).hash(data.id))
    assert found.keys() == {"retraction"}
    assert "the detector was off" in found["retraction"]
    assert lab.signer.address in found["retraction"]
    assert verifier(lab).hash(data.id).proves
    for one in (model, result):
        assert data.id in failures(verifier(lab).hash(one.id))["lineage"]
    assert verifier(lab).hash(newer.id).verified
    without_text = failures(lab_verifier(lab.registry, Store(tmp_path / "empty")).hash(data.id))["retraction"]
    assert "the reason's text is not here" in without_text


def test_a_verdict_is_told_with_its_group_attester_and_evidence(lab, other, file):
    record = record_content(lab, Kind.DATASET, file)
    evidence = run_of(other, (Link(record.id, Relation.REPRODUCES),))
    attest(other, record.id, Verdict.REPRODUCED, evidence=evidence.id)
    report = verifier(lab).hash(record.id)
    check = next(check for check in report.checks if check.name == "verdict of group 2")
    assert check.verdict is Outcome.PASS
    assert check.values["verdict"] == "reproduced"
    assert check.values["attester"] == other.signer.address
    assert check.values["evidence"] == evidence.id
    sentence = report.proves[1]
    assert all(text in sentence for text in ("reproduced", other.signer.address, "group 2", evidence.id))
    withdraw(other, record.id)
    report = verifier(lab).hash(record.id)
    assert report.verified
    assert "withdrawn" in next(check.detail for check in report.checks if check.name == "verdict of group 2")
    assert len(report.proves) == 1


def test_an_opinion_on_retracted_evidence_is_not_the_records_fault(lab, other, file):
    record = record_content(lab, Kind.DATASET, file)
    evidence = record_document(other, Kind.DOCUMENT, file, name="review")
    attest(other, record.id, Verdict.REVIEWED, evidence=evidence.id)
    assert verifier(lab).hash(record.id).verified
    retract(other, evidence.id, "a wrong review")
    report = verifier(lab).hash(record.id)
    check = next(check for check in report.checks if check.name == "verdict of group 2")
    assert report.verified
    assert check.verdict is Outcome.UNKNOWN
    assert check.detail.endswith("but that evidence is retracted")


@pytest.mark.parametrize(
    ("word", "value", "problem"),
    [(1, 5, "the registry holds"), (0, 4, "the registry holds"), (4, 9, "the registry holds"), (2, 5, "its time")],
)
def test_a_verdict_that_the_registry_does_not_hold_fails(lab, other, file, word, value, problem):
    record = record_content(lab, Kind.DATASET, file)
    attest(other, record.id, Verdict.REVIEWED)

    def lie(method: str, params: Any, result: Any) -> Any:
        if method == "eth_call" and params[0]["data"].startswith(selector("verdictOf")):
            return _with_word({"data": result}, word, value)["data"]
        return None

    assert problem in failures(lied_to(lab, lie).hash(record.id))["verdict of group 2"]


def test_a_verdict_of_no_reviewer_or_on_foreign_evidence_fails(lab, other, file):
    record = record_content(lab, Kind.DATASET, file)
    mine = run_of(lab)
    evidence = run_of(other, (Link(record.id, Relation.REPRODUCES),))
    attest(other, record.id, Verdict.REPRODUCED, evidence=evidence.id)

    def no_member(method: str, params: Any, result: Any) -> Any:
        is_asked = method == "eth_getLogs" and params[0]["topics"][0] == topic("MembershipChanged")
        return [] if is_asked and other.signer.address[2:].lower() in str(params[0]["topics"]).lower() else None

    def foreign(method: str, params: Any, result: Any) -> Any:
        if method == "eth_getLogs" and params[0]["topics"][0] == topic("Attested"):
            return [_with_word(log, 1, int(mine.id, 16)) for log in result]
        return None

    assert "was no reviewer" in failures(lied_to(lab, no_member).hash(record.id))["verdict of group 2"]
    found = failures(lied_to(lab, foreign).hash(record.id))["verdict of group 2"]
    assert "the evidence is of group 1" in found
    assert "does not" not in found
    assert "not a run that names the record" in found


def test_a_verdict_without_the_evidence_it_needs_fails(lab, other, file):
    record = record_content(lab, Kind.DATASET, file)
    evidence = run_of(other, (Link(record.id, Relation.REPRODUCES),))
    attest(other, record.id, Verdict.REPRODUCED, evidence=evidence.id)

    def unrecorded(method: str, params: Any, result: Any) -> Any:
        if method == "eth_call" and evidence.id[2:] in params[0]["data"]:
            # a list keeps its head: where it starts, and its length
            head = result[2:130] if params[0]["data"].startswith(selector("statusOfRecords")) else ""
            return "0x" + head.ljust(len(result) - 2, "0")
        return [] if method == "eth_getLogs" and evidence.id in str(params[0]["topics"]) else None

    def none(method: str, params: Any, result: Any) -> Any:
        if method == "eth_getLogs" and params[0]["topics"][0] == topic("Attested"):
            return [_with_word(log, 1, 0) for log in result]
        return None

    def another_key(method: str, params: Any, result: Any) -> Any:
        if method == "eth_getLogs" and evidence.id in str(params[0]["topics"]):
            return [_with_word(log, 3, 5) for log in result]
        return None

    for lie, said in ((unrecorded, "is not recorded"), (none, "needs evidence"), (another_key, "has another id")):
        assert said in failures(lied_to(lab, lie).hash(record.id))["verdict of group 2"]


def test_a_withdrawn_verdict_that_the_registry_holds_and_a_retraction_without_its_event_fail(lab, other, file):
    record = record_content(lab, Kind.DATASET, file)
    attest(other, record.id, Verdict.REVIEWED)
    withdraw(other, record.id)
    retract(lab, record.id, "wrong")

    def lie(method: str, params: Any, result: Any) -> Any:
        if method == "eth_call" and params[0]["data"].startswith(selector("verdictOf")):
            return _with_word({"data": result}, 0, 1)["data"]
        return [] if method == "eth_getLogs" and params[0]["topics"][0] == topic("Retracted") else None

    found = failures(lied_to(lab, lie).hash(record.id))
    assert "withdrawn by its event, but reviewed" in found["verdict of group 2"]
    assert "the node does not give its event" in found["retraction"]


# -- transactions


def test_a_transaction_leads_to_its_records(lab, file, tmp_path):
    record = record_content(lab, Kind.DATASET, file)
    for text in (record.transaction, record.transaction):
        report = verifier(lab).hash(text)
        assert report.looked_up_as == "transaction"
        assert [seen.id for seen in report.records] == [record.id]
        assert report.verified
    assert verifier(lab).hash(record.id).looked_up_as == "record"


def test_a_transaction_of_another_contract_and_one_that_was_refused_prove_nothing(lab, file):
    plain = send(lab, STRANGER, to=STRANGER)["transactionHash"].hex()
    assert "holds no event" in failures(verifier(lab).hash(plain))["transaction"]
    data = lab.registry.call_data("withdraw", 1, b"\0" * 32)
    refused = send(lab, STRANGER, to=lab.registry.address, data=data, gas=hex(200_000))["transactionHash"].hex()
    assert "was refused" in failures(verifier(lab).hash(refused))["transaction"]
    assert "has no record" in failures(verifier(lab).hash("ef" * 32))["recorded"]

    def pending(method: str, params: Any, result: Any) -> Any:
        return NOTHING if method == "eth_getTransactionReceipt" else None

    assert "is in no block" in failures(lied_to(lab, pending).hash(plain))["transaction"]


def test_an_impostor_s_event_counts_for_nothing_and_is_named(lab, file):
    record = record_content(lab, Kind.DATASET, file)
    log = lab.chain.receipt(record.transaction).logs[0]
    impostor = place(lab, IMPOSTOR)

    def emitted(topics: list[bytes]) -> str:
        data = b"".join(topics) + from_hex(log.data)
        receipt = send(lab, STRANGER, to=impostor, data="0x" + data.hex())
        assert [bytes(one) for one in receipt["logs"][0]["topics"]] == topics
        return str(receipt["transactionHash"].hex())

    topics = [from_hex(one) for one in log.topics]
    found = failures(verifier(lab).hash(emitted(topics)))
    assert impostor in found["transaction"]
    assert outcomes(verifier(lab).hash(record.id), "recorded") == ["pass"]
    emitted([topics[0], b"\xab" * 32, *topics[2:]])
    assert not verifier(lab).hash("ab" * 32).verified


# -- order


def test_the_order_of_two_records_holds_one_way_alone(lab, file):
    first, second = record_content(lab, Kind.DATASET, file), record_content(lab, Kind.MODEL, file)
    report = verifier(lab).before(first.id, second.id)
    assert report.verified
    order = report.checks[-1]
    assert order.values["first"] == first.id
    assert order.values["blocks"] == second.block - first.block
    assert order.values["seconds"] == second.time - first.time
    assert first.id in report.proves[0]
    wrong = verifier(lab).before(second.id, first.id)
    assert list(failures(wrong)) == ["order"]
    assert not wrong.proves
    assert list(failures(verifier(lab).before(first.id, first.id))) == ["order"]
    assert list(failures(verifier(lab).before(first.id, "ab" * 32))) == ["recorded"]


def test_two_records_of_one_transaction_are_ordered_by_their_place_in_it(lab, file):
    author = lab.signer.address
    keys = [RecordKey(1, author, SubjectType.FILE, os.urandom(32).hex(), kind, "ab" * 32) for kind in (4, 5)]
    send(
        lab, author, to=lab.registry.address, data=lab.registry.call_data("recordMany", [key.as_abi() for key in keys])
    )
    ids = [lab.registry.domain.record_id(key) for key in keys]
    assert "one transaction" in verifier(lab).before(*ids).checks[-1].detail
    assert verifier(lab).before(*ids).verified
    assert not verifier(lab).before(*reversed(ids)).verified


def test_two_records_of_one_block_are_ordered_by_their_transactions(lab, file):
    first, second = record_content(lab, Kind.DATASET, file), record_content(lab, Kind.MODEL, file)

    def lie(method: str, params: Any, result: Any) -> Any:
        if method != "eth_getLogs" or params[0]["topics"][0] != topic("Recorded"):
            return None
        number = {first.id: "0x4", second.id: "0x3"}
        return [{**log, "blockNumber": "0x9", "transactionIndex": number[log["topics"][1]]} for log in result]

    order = lied_to(lab, lie).before(second.id, first.id).checks[-1]
    assert order.verdict is Outcome.PASS
    assert "the block's maker chose" in order.detail


def test_a_record_that_is_not_canonical_has_no_order(lab, file):
    first, second = record_content(lab, Kind.DATASET, file), record_content(lab, Kind.MODEL, file)

    def lie(method: str, params: Any, result: Any) -> Any:
        is_its_own = method == "eth_getBlockByNumber" and int(result["number"], 16) == first.block
        return {**result, "hash": "0x" + "ab" * 32} if is_its_own else None

    report = lied_to(lab, lie).before(first.id, second.id)
    assert list(failures(report)) == ["recorded"]
    assert not report.proves


# -- the chain is away


def test_a_record_that_waits_while_the_chain_is_away_is_told_of(lab, file):
    record_content(lab, Kind.DATASET, file)
    away = again(lab)
    away.rpc = "http://127.0.0.1:1"
    file.write_bytes(os.urandom(30))
    waiting = record_content(away, Kind.DATASET, file)
    assert waiting.state == "stored"
    with pytest.raises(ChainUnavailable, match="is stored in this lab's outbox"):
        verify(again(away), waiting.id)
    with pytest.raises(ChainUnavailable):
        verify(again(away), "ab" * 32)
    # the chain is back, and the record was not sent yet
    report = verify(lab, waiting.id)
    assert not report.verified
    assert "outbox flush" in next(check.detail for check in report.checks if check.name == "outbox")
    lab.flush()
    assert verify(lab, waiting.id).verified


# -- the verb


def in_process(lab: Lab, *arguments: str) -> Any:
    """What the verb prints and returns; a process of its own would take longer to start than to verify."""
    return CliRunner().invoke(main, ["verify", *arguments, "--home", str(lab.home.path)])


def test_the_verb_prints_each_check_and_ends_with_the_code_of_its_verdict(lab, file):
    record = record_content(lab, Kind.DATASET, file, name="strain\x1b[31m".replace("\x1b[31m", ""))
    done = verb("verify", record.id, home=lab.home.path)
    assert done.returncode == 0, done.stderr
    assert all(
        text in done.stdout for text in ("pass     id", "What this proves", "What this does not prove", "Verified")
    )
    assert "strain" in done.stdout
    done = in_process(lab, str(file), "--json")
    report = json.loads(done.stdout)
    assert done.exit_code == 0
    assert report["verified"]
    assert report["lookedUpAs"] == "path"
    assert set(report) == {
        *(
            "target",
            "lookedUpAs",
            "outcome",
            "privateTestChain",
            "verified",
            "failed",
            "unknown",
            "checks",
            "records",
            "proves",
            "doesNotProve",
            "notes",
        )
    }
    assert set(report["checks"][0]) == {"name", "verdict", "detail", "values", "record"}
    assert report["records"][0]["id"] == record.id
    flip(file, 10)
    done = in_process(lab, record.id, "--path", str(file))
    assert done.exit_code == 1
    assert "from byte 10 on" in done.stdout
    assert "Not verified: 1 check failed (content" in done.stdout


def test_the_verb_fails_for_unknowns_only_if_strict(lab):
    run = run_of(lab, not_before=None)
    assert in_process(lab, run.id).exit_code == 0
    strict = in_process(lab, run.id, "--strict", "--json")
    assert strict.exit_code == 1
    assert json.loads(strict.stdout)["verified"] is False


def test_the_verb_s_order_wrong_use_and_absent_chain(lab, file):
    first, second = record_content(lab, Kind.DATASET, file), record_content(lab, Kind.MODEL, file)
    assert in_process(lab, "--before", first.id, second.id).exit_code == 0
    assert in_process(lab, "--before", second.id, first.id).exit_code == 1
    assert in_process(lab).exit_code == 2
    assert in_process(lab, "no such file").exit_code == 2
    for wrong in (["--path", str(file)], ["--record", first.id], ["--group", "1"], ["--from", "published"]):
        refused = in_process(lab, "--before", first.id, second.id, *wrong)
        assert (refused.exit_code, f"expected no {wrong[0]} beside --before" in refused.output) == (2, True)
        if wrong[0] != "--from":
            refused = in_process(lab, "mlflow:run", *wrong)
            assert (refused.exit_code, f"expected no {wrong[0]} beside a run of MLflow" in refused.output) == (2, True)
    assert in_process(lab, first.id, "--rpc", "http://127.0.0.1:1").exit_code == 3


def test_arguments_that_don_t_go_together_are_refused(lab, file):
    for wrong in ({"target": str(file), "path": file}, {"target": "ab" * 32, "record": "ab" * 32}):
        with pytest.raises(InputError, match="expected"):
            verify(lab, **wrong)
    with pytest.raises(InputError, match="existing file"):
        verify(lab, "ab" * 32, path=file.with_name("nowhere"))
