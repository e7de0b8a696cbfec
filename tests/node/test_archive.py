"""A whole registry to one file and back: the same bytes each time, nothing lost, nothing kept that isn't proven."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from click.testing import CliRunner, Result

from blockchaintracer import MLTracer
from blockchaintracer.cli import main
from blockchaintracer.core.chain import Registry
from blockchaintracer.core.errors import InputError, NotVerified, StoreError
from blockchaintracer.core.networks import DEVNET
from blockchaintracer.core.record import Domain, Kind, RecordKey, Verdict
from blockchaintracer.core.record_key_file import Proof
from blockchaintracer.core.verify.inclusion import Inclusion
from blockchaintracer.extras.archive import registry_archive
from blockchaintracer.extras.archive.reader import Archive, ArchiveRefused
from blockchaintracer.extras.archive.registry_archive import export_registry, import_registry
from blockchaintracer.extras.archive.writer import write_archive
from blockchaintracer.extras.lineage import downstream
from blockchaintracer.extras.search import Index, query, verdicts
from blockchaintracer.lab.attest import attest, retract
from blockchaintracer.lab.batches import anchor, batching
from blockchaintracer.lab.chain.receipts import inclusion_of, prove_inclusion
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.outbox import Op
from blockchaintracer.lab.published_pages import PAGE
from blockchaintracer.lab.recording.content import record_content
from tests.support import reader_of_2056
from tests.support.labs import again, running_lab, second_lab, shared_lab


@dataclass
class Story:
    lab: Lab
    data: str
    run: str
    folder: str
    batched: list[str]
    secret: bytes


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Data, a run on them that another group reviewed, a folder, two records of a batch; the data are retracted."""
    with shared_lab(tmp_path_factory.mktemp("lab")) as lab:
        here = tmp_path_factory.mktemp("files")
        (here / "data.csv").write_text("x\n1\n")
        (here / "folder").mkdir()
        (here / "folder" / "part").write_text("part")
        data = record_content(lab, Kind.DATASET, here / "data.csv", name="the data").id
        folder = record_content(lab, Kind.DATASET, here / "folder").id
        tracer = MLTracer(home=str(lab.home.path))
        # the code of this repository would be searched for secrets in each archive
        with contextlib.chdir(here), tracer.start_run("the run") as run:
            run.log_param("lr", 0.1)
            run.log_input(record=data, relation="trained-on")
            run.log_metric("accuracy", 0.9)
        assert run.recorded is not None
        attest(second_lab(lab, tmp_path_factory.mktemp("second")), run.recorded.id, Verdict.REVIEWED)
        batched = []
        with batching(lab):
            for name in ("one", "two"):
                (here / name).write_text(name)
                batched.append(record_content(lab, Kind.DATASET, here / name, name=name).id)
        anchor(lab)
        retract(lab, data, "a sensor was broken")
        (factory, *_) = lab.outbox.entries(lab.chain_id, Op.DEPLOY_FACTORY)
        assert factory.transaction
        other = prove_inclusion(lab.chain, factory.transaction)
        global FOREIGN  # noqa: PLW0603
        FOREIGN = other.header, other.index, other.nodes
        secret = b"what no record names"
        lab.store.put_bytes(secret)
        yield Story(lab, data, run.recorded.id, folder, batched, secret)


@pytest.fixture(scope="module")
def everything(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("archive") / "everything.tar"
    export_registry(story.lab, file, artifacts=True)
    return file


def home(folder: Path) -> Lab:
    return Lab(Home(folder / "home"))


def on_chain(story: Story, folder: Path) -> Lab:
    """An empty home on the chain of the story."""
    return Lab(Home(folder / "home"), rpc=story.lab.devnet.start().url)


def invoke(lab: Lab, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--home", str(lab.home.path)])


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_same_state_gives_the_same_bytes_also_after_a_round_trip(story: Story, everything: Path, tmp_path: Path):
    more = tmp_path / "again.tar"
    # blocks without events of the registry change nothing
    story.lab.chain.ask("evm_mine")
    told = export_registry(again(story.lab), more, artifacts=True)
    assert more.read_bytes() == everything.read_bytes()
    # the other lab's description of its group lies in the other lab
    assert (told.size, len(told.missing), told.proofs) == (more.stat().st_size, 1, 2)

    other = on_chain(story, tmp_path)
    taken = import_registry(other, everything)
    assert (taken.checked, taken.indexed, taken.records, taken.proofs) == (True, True, 3, 2)
    back = tmp_path / "back.tar"
    export_registry(again(other), back, artifacts=True)
    assert back.read_bytes() == everything.read_bytes()


def test_a_transaction_is_proven_once_for_all_its_records(story: Story, tmp_path: Path, monkeypatch):
    """The receipt of one that stored hundreds of records has hundreds of kilobytes."""
    proven: list[str] = []

    def counted(registry: Registry, transaction: str, known: Any) -> Inclusion:
        proven.append(transaction)
        return inclusion_of(registry, transaction, known)

    monkeypatch.setattr(registry_archive, "inclusion_of", counted)
    export_registry(again(story.lab), tmp_path / "it.tar")
    assert len(proven) == len(set(proven)) == 4, "three records, and the batch of two"


def test_any_tar_reads_it_and_sha256sum_checks_it(everything: Path, tmp_path: Path):
    subprocess.run(["tar", "-xf", everything, "-C", tmp_path], check=True)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=tmp_path, check=True)
    with tarfile.open(everything) as tar:
        names = tar.getnames()
    assert names == ["SHA256SUMS", *sorted(names[1:])]
    assert set(names) == files_of(tmp_path)


def test_it_holds_what_records_name_and_nothing_else(story: Story, everything: Path, tmp_path: Path):
    small = tmp_path / "small.tar"
    export_registry(story.lab, small)
    with Archive.open(everything) as full, Archive.open(small) as manifests:
        assert hashlib.sha256(b"x\n1\n").hexdigest() in full.objects
        assert hashlib.sha256(b"part").hexdigest() in full.objects
        # the reason of a retraction is a document that the chain names
        assert hashlib.sha256(b"a sensor was broken").hexdigest() in manifests.objects
        assert hashlib.sha256(b"x\n1\n").hexdigest() not in manifests.objects
        assert set(manifests.objects) < set(full.objects)
        assert hashlib.sha256(story.secret).hexdigest() not in full.objects
    content = everything.read_bytes()
    assert story.secret not in content
    own = [*story.lab.home.keys.glob("*.json"), story.lab.home.settings]
    assert len(own) > 1
    assert not any(file.read_bytes() in content for file in own)


def test_a_home_without_a_chain_searches_what_it_was_given(story: Story, everything: Path, tmp_path: Path):
    lab = home(tmp_path)
    taken = import_registry(lab, everything)
    assert (taken.checked, taken.registry, taken.chain_id) == (False, story.lab.registry.address, DEVNET.chain_id)
    assert story.lab.chain.block(taken.block).hash in taken.trust[0]  # type: ignore[union-attr]
    with Index(lab.home.index) as index, Index(story.lab.home.index) as original:
        original.sync(story.lab.registry, story.lab.store)
        assert query(index, limit=None) == query(original, registry=story.lab.registry, limit=None)
        assert verdicts(index, story.run) == verdicts(original, story.run)
        assert list(downstream(index, story.data).nodes) == [story.data, story.run]
    found = json.loads(invoke(lab, "query", "--where", "metrics.accuracy > 0.5", "--offline", "--json").output)
    assert [row["id"] for row in found["records"]] == [story.run]

    shown = invoke(lab, "impact", story.data, "--offline").output
    assert shown.startswith("Retracted 2")
    assert "the run" in shown
    assert "reviewed by 1 group" in shown
    assert "1 record stands on it (group 1: 1); 0 retracted, 0 reproduced" in shown
    plain = json.loads(invoke(lab, "impact", story.data, "--offline", "--json").output)
    assert [row["id"] for row in plain["impact"]] == [story.run]
    assert plain["retraction"]["reason"] == hashlib.sha256(b"a sensor was broken").hexdigest()
    stands = invoke(lab, "impact", story.run, "--offline").output
    assert "Not retracted" in stands
    assert "Nothing stands on it" in stands

    # what was imported is exported again, byte by byte, and no node is started for it
    done = invoke(lab, "export", "-o", str(tmp_path / "again.tar"), "--artifacts")
    assert (done.exit_code, "no chain is asked" in done.output) == (0, True), done.output
    assert (tmp_path / "again.tar").read_bytes() == everything.read_bytes()
    assert lab.devnet.status() is None
    assert invoke(lab, "export", "-o", str(tmp_path / "other.tar"), "--registry", "0x" + "12" * 20).exit_code == 3

    proofs = sorted(lab.home.batches.glob("*/*/*.json"))
    assert sorted(Proof.read_file(proof).id for proof in proofs) == sorted(story.batched)
    assert not lab.home.path.joinpath("keys").exists() or not list(lab.home.keys.iterdir())


def test_what_nobody_checked_is_read_anew_from_the_chain(story: Story, everything: Path, tmp_path: Path):
    """An event that an archive made up in a block that exists would else stay in the index for ever."""
    forged = changed(everything, tmp_path / "forged.tar", swap_verdict)
    lab = home(tmp_path)
    import_registry(lab, forged)
    with Index(lab.home.index) as index:
        assert [one.verdict for one in verdicts(index, story.run)] == ["disputed"]
        report = index.sync(story.lab.registry, lab.store)
        assert [one.verdict for one in verdicts(index, story.run)] == ["reviewed"]
        assert report.events > 0
        assert index.sync(story.lab.registry, lab.store).events == 0


def test_a_second_import_changes_nothing(story: Story, everything: Path, tmp_path: Path):
    lab = home(tmp_path)
    import_registry(lab, everything)
    before = files_of(lab.home.path)
    assert import_registry(lab, everything).indexed is False
    assert files_of(lab.home.path) == before


# what is refused


def members(file: Path) -> dict[str, bytes]:
    with tarfile.open(file) as tar:
        found = {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]
    del found["SHA256SUMS"], found["SHA512SUMS"]
    return found


def changed(file: Path, target: Path, change: Any) -> Path:
    """The archive after a change of its members, with right digests again: by somebody who knows the format."""
    content = members(file)
    change(content)
    with target.open("wb") as out:
        write_archive(out, content)
    return target


def swap_verdict(content: dict[str, bytes]) -> None:
    """Reviewed (1) becomes disputed (4)."""
    lines = content["events.jsonl"].splitlines(keepends=True)
    topic = attested_topic()
    (place,) = (number for number, line in enumerate(lines) if topic in line)
    event = json.loads(lines[place])
    words = [event["data"][i : i + 64] for i in range(2, len(event["data"]), 64)]
    assert words[0] == f"{1:064x}"
    words[0] = f"{4:064x}"
    event["data"] = "0x" + "".join(words)
    lines[place] = json.dumps(event, separators=(",", ":")).encode() + b"\n"
    content["events.jsonl"] = b"".join(lines)


def attested_topic() -> bytes:
    from eth_utils.abi import event_abi_to_log_topic

    from blockchaintracer.core.chain import load_artifact

    (entry,) = (one for one in load_artifact()["abi"] if one["type"] == "event" and one["name"] == "Attested")
    return event_abi_to_log_topic(entry).hex().encode()


def drop_last_event(content: dict[str, bytes]) -> None:
    content["events.jsonl"] = b"".join(content["events.jsonl"].splitlines(keepends=True)[:-1])


def drop_an_event_and_count_again(content: dict[str, bytes]) -> None:
    """The verdict is left out, and everything else made to fit."""
    topic = attested_topic()
    lines = [line for line in content["events.jsonl"].splitlines(keepends=True) if topic not in line]
    numbers = {json.loads(line)["block"] for line in lines}
    content["events.jsonl"] = b"".join(lines)
    content["blocks.jsonl"] = b"".join(
        line for line in content["blocks.jsonl"].splitlines(keepends=True) if json.loads(line)["number"] in numbers
    )
    head = json.loads(content["registry.json"])
    head["events"] = len(lines)
    content["registry.json"] = json.dumps(head, separators=(",", ":"), sort_keys=True).encode()


@pytest.mark.parametrize("change", [swap_verdict, drop_an_event_and_count_again])
def test_a_forgery_is_told_by_the_chain_and_nothing_is_kept(
    story: Story, everything: Path, tmp_path: Path, change: Any
):
    forged = changed(everything, tmp_path / "forged.tar", change)
    lab = on_chain(story, tmp_path)
    with pytest.raises(NotVerified, match=r"line \d+ of (events|blocks).jsonl is not what"):
        import_registry(lab, forged)
    assert not list(lab.home.store.rglob("*"))
    assert not lab.home.index.exists()


def other_key(content: dict[str, bytes]) -> None:
    """A record's key is changed, its id stays."""
    lines = content["events.jsonl"].splitlines(keepends=True)
    for number, line in enumerate(lines):
        event = json.loads(line)
        if len(event["topics"]) == 3 and len(event["data"]) >= 7 * 64:
            event["data"] = event["data"][: 2 + 4 * 64] + "ab" * 32 + event["data"][2 + 5 * 64 :]
            lines[number] = json.dumps(event, separators=(",", ":")).encode() + b"\n"
            break
    content["events.jsonl"] = b"".join(lines)


def rename_object(content: dict[str, bytes]) -> None:
    name = next(name for name in content if name.startswith("objects/"))
    content[f"objects/00/{'0' * 62}"] = content.pop(name)


def rename_proof(content: dict[str, bytes]) -> None:
    content[f"proofs/0x{'0' * 64}.json"] = content.pop(first_name(content))


def as_proof(content: dict[str, bytes], data: bytes) -> None:
    """In the place of the proof of a batched record."""
    content[first_name(content)] = data


def first_name(content: dict[str, bytes]) -> str:
    return next(name for name, data in content.items() if name.startswith("proofs/") and b'"root"' in data)


def first_proof(content: dict[str, bytes]) -> dict[str, Any]:
    return json.loads(content[first_name(content)])


def damage_proof(content: dict[str, bytes]) -> None:
    as_proof(content, rfc8785.dumps({**first_proof(content), "proof": ["00" * 32]}))


def foreign_proof(content: dict[str, bytes]) -> None:
    """Of the same record in a registry of another chain: the path doesn't lead from its id there."""
    as_proof(content, rfc8785.dumps({**first_proof(content), "chainId": "1"}))


def endless_proof(content: dict[str, bytes]) -> None:
    as_proof(content, rfc8785.dumps({**first_proof(content), "chainId": str(2**256)}))


def loose_proof(content: dict[str, bytes]) -> None:
    as_proof(content, json.dumps(first_proof(content), indent=1).encode())


def foreign_receipt(content: dict[str, bytes]) -> None:
    """A good receipt, of a block that has no event of the registry: the archive does not name it."""
    from blockchaintracer.core.record_key_file import Proof

    proof = Proof.parse(content[first_name(content)], "it")
    (header, index, nodes) = FOREIGN
    receipt = replace(proof.receipts[0], header=header, index=index, nodes=nodes, raw="")
    as_proof(content, replace(proof, receipts=(receipt,)).to_bytes())


FOREIGN: tuple[Any, ...] = ()
"""Header, index and nodes of the receipt of a transaction without an event of the registry."""


def lone_leaf(content: dict[str, bytes]) -> None:
    """A root of its own for a record, which nobody anchored."""
    from blockchaintracer.core.merkle import MerkleTree

    proof = first_proof(content)
    record_id = Domain(DEVNET.chain_id, proof["registry"]).record_id(RecordKey.from_json(proof["key"]))
    as_proof(content, rfc8785.dumps({**proof, "root": MerkleTree([record_id]).root, "proof": []}))


def no_batch_event(content: dict[str, bytes]) -> None:
    """The events of the batch are of another registry's archive: the proofs hang on nothing."""
    from eth_utils.crypto import keccak

    topic = keccak(text="Anchored(uint32,address,bytes32,uint48,bytes32)").hex().encode()
    assert topic in content["events.jsonl"]
    content["events.jsonl"] = content["events.jsonl"].replace(topic, b"ab" * 32)


def count_wrongly(content: dict[str, bytes]) -> None:
    head = json.loads(content["registry.json"])
    head["events"] += 1
    content["registry.json"] = rfc8785.dumps(head)


def other_registry(content: dict[str, bytes]) -> None:
    head = json.loads(content["registry.json"])
    head["registry"] = "0x" + "11" * 20
    content["registry.json"] = json.dumps(head, separators=(",", ":"), sort_keys=True).encode()


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (other_key, "events.jsonl"),
        (drop_last_event, "blocks.jsonl"),
        (other_registry, "events.jsonl"),
        (rename_object, "objects/00/"),
        (rename_proof, "proofs/0x00"),
        (damage_proof, "proofs/"),
        (foreign_proof, "proofs/"),
        (loose_proof, "proofs/"),
        (foreign_receipt, "proofs/"),
        (endless_proof, "proofs/"),
        (lone_leaf, "proofs/"),
        (no_batch_event, "proofs/"),
        (count_wrongly, "registry.json"),
        (lambda content: content.pop("events.jsonl"), "SHA256SUMS"),
        (lambda content: content.update({"registry.json": b"{}"}), "registry.json"),
        (lambda content: content.update({"registry.json": content["registry.json"] + b"\n"}), "registry.json"),
        (lambda content: content.update({"events.jsonl": b"\xff\n"}), "events.jsonl"),
        (lambda content: content.update({"blocks.jsonl": content["blocks.jsonl"][:-1]}), "blocks.jsonl"),
    ],
)
def test_what_contradicts_itself_is_refused_without_a_chain(everything: Path, tmp_path: Path, change: Any, place: str):
    forged = changed(everything, tmp_path / "forged.tar", change)
    lab = home(tmp_path)
    with pytest.raises(ArchiveRefused) as refused:
        import_registry(lab, forged, offline=True)
    assert refused.value.place.startswith(place)
    assert not lab.home.path.exists() or not list(lab.home.path.rglob("*/objects"))


@pytest.mark.parametrize(
    ("folder", "data"),
    [
        ("identities", b"{}"),
        ("witnesses", b"{}"),
        ("renewals", b"{}"),
        ("witnesses", rfc8785.dumps({"type": "urn:blockchaintracer:witnesses:v1", "subject": "a", "receipts": []})),
    ],
)
def test_evidence_that_is_none_is_not_kept(everything: Path, tmp_path: Path, folder: str, data: bytes):
    """It was kept under a name that the lab itself uses, and stopped what reads and writes there."""
    name = f"{folder}/{'5' * 64}.json"
    forged = changed(everything, tmp_path / "forged.tar", lambda content: content.update({name: data}))
    lab = home(tmp_path)
    done = invoke(lab, "import", str(forged), "--offline")
    assert (done.exit_code, name in done.output) == (1, True), done.output
    assert not (lab.home.path / name).exists()


def test_another_chain_is_refused(story: Story, everything: Path, tmp_path: Path):
    with running_lab(tmp_path / "other") as other:
        lab = Lab(Home(tmp_path / "home"), rpc=other.devnet.start().url)
        with pytest.raises(NotVerified, match="of another chain, or a reorganisation"):
            import_registry(lab, everything)


def test_a_damaged_object_does_not_travel(story: Story, tmp_path: Path):
    home = shutil.copytree(story.lab.home.path, tmp_path / "home", symlinks=True)
    lab = Lab(Home(home), rpc=story.lab.devnet.start().url, registry_address=story.lab.registry.address)
    path = lab.store.path_of(hashlib.sha256(b"x\n1\n").hexdigest())
    path.chmod(0o600)
    path.write_text("x\n2\n")
    with pytest.raises(StoreError, match="damaged"):
        export_registry(lab, tmp_path / "registry.tar", artifacts=True)
    assert not list(tmp_path.glob("*registry.tar*"))


def test_the_verbs_tell_what_they_did_and_what_to_trust(story: Story, everything: Path, tmp_path: Path):
    file = tmp_path / "registry.tar"
    written = CliRunner().invoke(main, ["export", "-o", str(file), "--home", str(story.lab.home.path)])
    assert written.exit_code == 0, written.output
    assert "2 batch proofs" in written.output
    lab = home(tmp_path)
    taken = invoke(lab, "import", str(file), "--offline")
    assert taken.exit_code == 0, taken.output
    assert "not checked against a chain" in taken.output
    assert "archive's word" in taken.output
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    refused = invoke(lab, "import", str(file), "--offline", "--json")
    assert refused.exit_code == 1
    assert json.loads(refused.output)["error"] == "ArchiveRefused"
    assert invoke(lab, "import", str(tmp_path / "nothing"), "--json").exit_code == 2
    with pytest.raises(InputError, match="can be written"):
        export_registry(story.lab, tmp_path / "no" / "folder.tar")


# -- the folder that outlives us


@pytest.fixture(scope="module")
def outlives(everything: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    subprocess.run(["tar", "-xf", everything, "-C", folder], check=True)
    return folder


def test_a_folder_has_the_members_of_the_tar_and_both_listings_hold(story: Story, outlives: Path, tmp_path: Path):
    export_registry(story.lab, tmp_path / "small.tar")
    told = export_registry(story.lab, tmp_path / "small")
    folder = {name: (tmp_path / "small" / name).read_bytes() for name in files_of(tmp_path / "small")}
    assert {"SHA256SUMS", "SHA512SUMS"} == folder.keys() - members(tmp_path / "small.tar").keys()
    assert {**folder, **members(tmp_path / "small.tar")} == folder
    assert told.size == sum(map(len, folder.values()))
    with pytest.raises(InputError, match="expected nothing at"):
        export_registry(story.lab, tmp_path / "small")
    with pytest.raises(InputError, match="the lab's own"):
        export_registry(story.lab, story.lab.home.path / "store" / "archive")
    for program, listing in (("sha256sum", "SHA256SUMS"), ("sha512sum", "SHA512SUMS")):
        subprocess.run([program, "--check", "--strict", "--quiet", listing], cwd=outlives, check=True)
    crate = json.loads((outlives / "ro-crate-metadata.json").read_text())
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    assert all((outlives / part["@id"]).exists() for part in entities["./"]["hasPart"])
    assert (outlives / "page.html").read_bytes() == PAGE.read_bytes()
    source = json.loads((outlives / "contract" / "compiler-input.json").read_text())
    assert "contracts/LabRegistry.sol" in source["input"]["sources"]


def test_a_folder_is_taken_in_as_the_tar_is(story: Story, outlives: Path, tmp_path: Path):
    lab = home(tmp_path)
    taken = import_registry(lab, outlives, offline=True)
    assert (taken.records, taken.proofs, taken.checked) == (3, 2, False)
    assert lab.store.get_bytes(hashlib.sha256(b"x\n1\n").hexdigest()) == b"x\n1\n"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("registry.json", "a byte"),
        ("README.txt", "a byte"),
        ("SHA512SUMS", "a byte"),
        ("SHA256SUMS", "a byte"),
        ("events.jsonl", "gone"),
        ("README.txt", "a link"),
        ("proofs", "a folder that is a link"),
        ("objects", "a folder that is a link"),
    ],
)
def test_a_damaged_folder_is_refused(outlives: Path, tmp_path: Path, name: str, what: str):
    folder = shutil.copytree(outlives, tmp_path / "copy")
    place = folder / name
    if what == "a byte":
        data = bytearray(place.read_bytes())
        data[len(data) // 2] ^= 1
        place.write_bytes(data)
    elif place.is_dir():
        place.rename(tmp_path / "elsewhere")
        place.symlink_to(tmp_path / "elsewhere")
    else:
        place.rename(tmp_path / "elsewhere")
        if what == "a link":
            place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArchiveRefused):
        import_registry(home(tmp_path), folder, offline=True)


def test_the_second_listing_is_compared_too(outlives: Path, tmp_path: Path):
    """Somebody who can make files of the same SHA-256 changes one, and not its SHA-512."""
    folder = shutil.copytree(outlives, tmp_path / "copy")
    lines = (folder / "SHA512SUMS").read_text().splitlines(keepends=True)
    lines[0] = ("1" if lines[0][0] != "1" else "2") + lines[0][1:]
    (folder / "SHA512SUMS").write_text("".join(lines))
    sums = (folder / "SHA256SUMS").read_text().splitlines(keepends=True)
    digest = hashlib.sha256((folder / "SHA512SUMS").read_bytes()).hexdigest()
    fitting = [f"{digest}  SHA512SUMS\n" if line.endswith("  SHA512SUMS\n") else line for line in sums]
    (folder / "SHA256SUMS").write_text("".join(fitting))
    with pytest.raises(ArchiveRefused, match="SHA-512 of every other member"):
        import_registry(home(tmp_path), folder, offline=True)


def test_a_reader_without_our_code_checks_it_by_its_own_text(story: Story, outlives: Path, tmp_path: Path):
    """What README.txt tells is enough: the checker in tests/support uses nothing of this package."""
    trusted = {json.loads(line)["hash"] for line in (outlives / "blocks.jsonl").read_text().splitlines()}
    for record in (story.data, story.run, story.folder, *story.batched):
        shown = reader_of_2056.check(outlives, record, trusted)
        assert shown["author"] == story.lab.signer.address.lower()
        with pytest.raises(AssertionError, match="whom I trust"):
            reader_of_2056.check(outlives, record, set())
    assert reader_of_2056.check(outlives, story.data, trusted)["subject"] == hashlib.sha256(b"x\n1\n").hexdigest()
    for change in ("key", "receipt", "manifest"):
        folder = shutil.copytree(outlives, tmp_path / change)
        file = folder / f"proofs/{story.data}.json"
        proof = json.loads(file.read_text())
        if change == "key":
            proof["key"]["group"] += 1
        elif change == "receipt":
            proof["receipts"][0]["nodes"][-1] = proof["receipts"][0]["nodes"][-1][:-2] + "01"
        else:
            digest = proof["key"]["manifest"]
            (folder / f"objects/{digest[:2]}/{digest[2:]}").write_bytes(b"{}")
        file.write_text(json.dumps(proof))
        with pytest.raises(AssertionError):
            reader_of_2056.check(folder, story.data, trusted)


def test_the_text_tells_the_hashes_rightly(outlives: Path):
    """Each example value in README.txt is what the function gives that is written from the same text."""
    text = re.sub(r"\n +(?=[0-9a-f]{32}\n)", "", (outlives / "README.txt").read_text())
    told = {(name, data): value for name, data, value in re.findall(r'(\S+)\("(\w*)"\) += ([0-9a-f]+)', text)}
    functions = {
        "SHA-256": lambda data: hashlib.sha256(data).digest(),
        "SHA-512": lambda data: hashlib.sha512(data).digest(),
        "Keccak-256": reader_of_2056.keccak,
        "SHA3-256": lambda data: reader_of_2056.keccak(data, 0x06),
    }
    assert {name for name, _ in told} == functions.keys()
    for (name, data), value in told.items():
        assert functions[name](data.encode()).hex() == value
    assert len(Path(reader_of_2056.__file__).read_text().splitlines()) < 150
    assert "blockchaintracer" not in {line.split()[1].split(".")[0] for line in
        Path(reader_of_2056.__file__).read_text().splitlines() if line.startswith(("import ", "from "))}  # fmt: skip


# -- verified from the folder alone


@pytest.fixture
def without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> Any:
        raise AssertionError("no network is there")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def alone(folder: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """What a reader gets who has the folder, and no node, no home and no network."""
    done = CliRunner().invoke(main, ["verify", *arguments, "--from", str(folder), "--json"])
    return done.exit_code, json.loads(done.output.splitlines()[-1])


def blocks_of(folder: Path, record: str) -> list[str]:
    from blockchaintracer.lab.known_keys import read_key_file

    file = read_key_file(folder / f"proofs/{record}.json")
    return [word for it in file.receipts for word in ("--trust-block", it.receipt().block_hash)]


@pytest.mark.usefixtures("without_network")
def test_a_record_is_verified_from_the_folder_alone(story: Story, outlives: Path, tmp_path: Path):
    for record in (story.run, story.folder, *story.batched):
        # a batch's root names no chain: the verifier does
        chain = ["--chain-id", str(DEVNET.chain_id)] if record in story.batched else []
        code, told = alone(outlives, record, *blocks_of(outlives, record), *chain)
        assert (code, told["outcome"], told["privateTestChain"]) == (0, "verified", True), told
        assert told["proves"][0].startswith(story.lab.signer.address)
        # nothing says that the block is one of a chain
        assert alone(outlives, record, "--trust-block", "ab" * 32)[0] == 4
        registry = ["--registry", story.lab.registry.address, "--chain-id", str(DEVNET.chain_id)]
        assert alone(outlives, record, *blocks_of(outlives, record), *registry)[0] == 0
        assert alone(outlives, record, *blocks_of(outlives, record))[0] == (4 if chain else 0)
    code, told = alone(outlives, story.data, *blocks_of(outlives, story.data))
    # the archive itself tells that it was retracted, which no receipt shows
    assert (code, told["outcome"]) == (4, "consistent")
    [retraction] = [check for check in told["checks"] if check["name"] == "retraction"]
    assert retraction["verdict"] == "unknown"
    assert "no receipt shows it" in retraction["detail"]
    (tmp_path / "one").write_text("one")
    found = alone(outlives, str(tmp_path / "one"), *blocks_of(outlives, story.batched[0]), *chain)
    assert (found[0], [it["id"] for it in found[1]["records"]]) == (0, [story.batched[0]])


@pytest.mark.usefixtures("without_network")
def test_what_the_verifier_chose_counts_and_not_the_folder(story: Story, outlives: Path, tmp_path: Path):
    blocks = blocks_of(outlives, story.run)
    assert alone(outlives, story.run, *blocks, "--group", "7")[0] == 1
    assert alone(outlives, story.run, *blocks, "--registry", "0x" + "11" * 20)[0] == 3
    assert alone(outlives, "0x" + "ab" * 32, *blocks)[0] == 3
    assert alone(outlives, story.run, *blocks, "--as-of", "2001-01-01")[0] == 1
    assert alone(outlives, story.run, *blocks, "--rpc", "http://127.0.0.1:1")[0] == 2
    # a folder that says to be of the factory's making, and is not
    folder = shutil.copytree(outlives, tmp_path / "forged")
    head = json.loads((folder / "registry.json").read_text())
    (folder / "registry.json").write_bytes(
        rfc8785.dumps({**head, "deployment": {**head["deployment"], "salt": "0x" + "00" * 32}})
    )
    assert alone(folder, story.run, *blocks)[0] == 4
    checkpoints = tmp_path / "blocks.json"
    number = next(json.loads(line)["number"] for line in (outlives / "blocks.jsonl").read_text().splitlines()
                  if json.loads(line)["hash"] == blocks[1])  # fmt: skip
    for block_hash, code in ((blocks[1], 0), ("0x" + "ab" * 32, 1)):
        point = {"chainId": str(DEVNET.chain_id), "number": str(number), "hash": block_hash}
        checkpoints.write_text(
            json.dumps(
                {"type": "urn:blockchaintracer:trusted-blocks:v1", "algorithms": ["keccak-256"], "blocks": [point]}
            )
        )
        assert alone(outlives, story.run, "--checkpoints", str(checkpoints))[0] == code


@pytest.mark.usefixtures("without_network")
@pytest.mark.parametrize("part", ["key", "nodes", "header", "transaction", "manifest", "content"])
def test_no_part_of_the_folder_can_be_changed(story: Story, outlives: Path, tmp_path: Path, part: str):
    folder = shutil.copytree(outlives, tmp_path / "forged")
    blocks = blocks_of(outlives, story.batched[0])
    file = folder / f"proofs/{story.batched[0]}.json"
    proof = json.loads(file.read_text())
    if part == "key":
        proof["key"]["group"] = 2
    elif part in ("nodes", "header"):
        text = proof["receipts"][0][part]
        changed = [*text[:-1], text[-1][:-2] + "ff"] if part == "nodes" else text[:-2] + "ff"
        proof["receipts"][0][part] = changed
    elif part == "transaction":
        # that of another record, in a block that the reader trusts
        proof["receipts"] = json.loads((folder / f"proofs/{story.run}.json").read_text())["receipts"]
        blocks += blocks_of(outlives, story.run)
    elif part == "manifest":
        digest = proof["key"]["manifest"]
        (folder / f"objects/{digest[:2]}/{digest[2:]}").write_bytes(b"{}")
    else:
        digest = proof["key"]["subject"]
        (folder / f"objects/{digest[:2]}/{digest[2:]}").write_bytes(b"two")
    file.write_text(json.dumps(proof))
    assert alone(folder, story.batched[0], *blocks)[0] in (1, 3, 4)
