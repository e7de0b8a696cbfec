"""What is recorded encrypted: only its recipients read it, everyone can check its copies, and nothing else is kept."""

import hashlib
import io
import json
import os
import subprocess
import sys

import pytest

from blockchaintracer import MLTracer
from blockchaintracer.core.digest import digest_folder
from blockchaintracer.core.errors import BlockchainTracerError, InputError, NotVerified
from blockchaintracer.core.manifest import Manifest, parse_manifest
from blockchaintracer.core.record import Kind
from blockchaintracer.extras.score.gather_evidence import score
from blockchaintracer.lab.private.age import new_identity
from blockchaintracer.lab.private.decrypt import decrypt_private, decrypt_record
from blockchaintracer.lab.private.encrypt import context_of, keep_encrypted, kept_commitments, recipients_of
from blockchaintracer.lab.private.field_tree import new_salt
from blockchaintracer.lab.private.sealed_content import ContentOpening, encrypt_content
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import known_record, record_content
from blockchaintracer.lab.recording.keep import Keeping
from blockchaintracer.lab.store.store import Store
from blockchaintracer.lab.verify_here import verify
from tests.support.labs import holding, secret_file, typed


@pytest.fixture(scope="module")
def other():
    return new_identity()


def manifest(lab, recorded) -> Manifest:
    return parse_manifest(lab.store.get_bytes(recorded.manifest))


# -- by the verbs, as a lab and a stranger would


def test_record_publish_decrypt_by_the_verbs(lab, tmp_path):
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("of the reader")
    stranger, published, data = tmp_path / "stranger", tmp_path / "published", secret_file(tmp_path)
    words = {"BLOCKCHAINTRACER_PASSPHRASE_FILE": str(passphrase)}
    made = typed("keys", "create", "mine", "--encryption", "--json", home=stranger, **words)
    assert made.returncode == 0, made.stderr
    recipient = json.loads(made.stdout)["recipient"]

    done = typed("record", "--dataset", str(data), "--encrypt-to", recipient, "--json", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    [recorded] = json.loads(done.stdout)["records"]
    again = typed("record", "--dataset", str(data), "--encrypt-to", recipient, "--json", home=lab.home.path)
    assert json.loads(again.stdout)["records"][0]["existing"], "the same for the same recipients costs nothing"
    assert typed("publish", recorded["id"], "--to", str(published), home=lab.home.path).returncode == 0

    at = ["--rpc", lab.devnet.start().url, "--registry", lab.registry.address, "--from", str(published)]
    at += ["--chain-id", "77787"]
    told = typed("verify", recorded["id"], *at, "--json", home=stranger)
    checks = {one["name"]: one["verdict"] for one in json.loads(told.stdout)["checks"]}
    assert checks["artifact content.age"] == checks["artifact content.opening.age"] == "pass"
    assert checks["subject"] == "unknown"
    out = tmp_path / "read.csv"
    done = typed("decrypt", recorded["id"], "-o", str(out), *at, home=stranger, **words)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == data.read_bytes()
    assert "patients.csv" in done.stdout
    refused = typed("decrypt", recorded["id"], "-o", str(out), *at, home=stranger, **words)
    assert refused.returncode == 2
    assert "expected no file" in refused.stderr

    digest = hashlib.sha256(data.read_bytes()).hexdigest()
    # of what was decrypted its reader's own home notes the digest, so that no later record shows it
    (stranger / "private/hidden-content").unlink()
    for folder in (published, stranger, lab.store.folder):
        assert not holding(folder, data.read_bytes()), "a copy in the open was kept"
        assert not holding(folder, digest.encode()), "the digest of the content would let it be guessed"
        assert not holding(folder, b"patients.csv")


def test_private_values_are_read_by_those_they_are_encrypted_to(lab, reader, other, tmp_path):
    identity, recipient = reader
    private = ["--private-param", "lr=0.0123", "--private-metric", "auc=0.98765"]
    done = typed("record", *private, "--encrypt-to", recipient, "--json", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)["id"]
    file = tmp_path / "identity"
    file.write_text(f"{identity}\n")
    shown = typed("decrypt", run, "--values", "--identity", str(file), "--json", home=lab.home.path)
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["values"] == {"parameters.lr": 0.0123, "metrics.auc": 0.98765}
    with pytest.raises(NotVerified, match="none of the given keys"):
        decrypt_private(lab, run, [other[0]])
    both = typed("decrypt", run, "--values", "-o", "x", home=lab.home.path)
    assert both.returncode == 2
    assert "expected -o" in both.stderr


def test_a_run_with_everything_encrypted(lab, reader, tmp_path, monkeypatch):
    identity, recipient = reader
    monkeypatch.chdir(tmp_path)
    data, model = secret_file(tmp_path), tmp_path / "model.pkl"
    tracer = MLTracer(home=lab.home.path)
    with tracer.start_run("all of it", encrypt_to=[recipient]) as run:
        run.log_input(data, relation="trained-on")
        secret_file(tmp_path, "model.pkl")
        run.log_output(model, role="model")
        run.log_param("lr", 0.1, private=True)
        (tmp_path / "plot.txt").write_text("in the open")
        run.log_output(tmp_path / "plot.txt", encrypt_to=())
    predicate = manifest(lab, run.recorded).predicate
    hidden, shown = predicate.outputs
    assert (hidden.artifact.path, hidden.encrypted.opening.path) == ("model.pkl.age", "model.pkl.opening.age")
    assert shown.encrypted is None
    assert not holding(lab.store.folder, data.read_bytes())
    assert not holding(lab.store.folder, model.read_bytes())
    decrypt_record(lab, run.recorded.id, tmp_path / "again.pkl", output="model.pkl", identities=[identity])
    assert (tmp_path / "again.pkl").read_bytes() == model.read_bytes()
    assert decrypt_private(lab, run.recorded.id, [identity]) == {"parameters.lr": 0.1}
    # the model's own record is of the same ciphertext, and trained on the commitment to the data
    [used] = predicate.inputs
    assert used.sha256 in kept_commitments(lab, hashlib.sha256(data.read_bytes()).hexdigest())
    [at] = kept_commitments(lab, hashlib.sha256(model.read_bytes()).hexdigest())
    assert hidden.encrypted.commitment == at
    items = {one.id: one.status for one in score(lab, run.recorded.id).items}
    assert items["inputs-hashed"] == "unknown"


def test_a_later_run_names_the_encrypted_record_of_what_it_reads(lab, reader, tmp_path):
    data = secret_file(tmp_path)
    recorded = record_content(lab, Kind.DATASET, data, keeping=Keeping([reader[1]]))
    assert known_record(lab, Kind.DATASET, data).id == recorded.id
    done = typed("record", "--dataset", str(data), "--param", "a=1", "--json", home=lab.home.path)
    assert next(one["id"] for one in json.loads(done.stdout)["records"]) == recorded.id
    assert not holding(lab.store.folder, data.read_bytes())


# -- the way there and back


def test_a_folder_comes_back_as_it_was(lab, reader, tmp_path):
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "größe.txt").write_bytes(b"1" * 512)
    (folder / "empty").write_bytes(b"")
    long = folder / ("x" * 120) / ("y" * 120)
    long.parent.mkdir()
    long.write_bytes(b"2" * 1000)
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    recorded = record_content(lab, Kind.DATASET, folder, keeping=Keeping([reader[1]]), name="hidden data")
    # the bit is in the tar: in the open it would name the file
    assert b"run.sh" not in lab.store.get_bytes(recorded.manifest)
    done = decrypt_record(lab, recorded.id, tmp_path / "back", identities=[reader[0]])
    assert done.subject_type == "folder"
    assert done.sha256 == digest_folder(tmp_path / "back").sha256 == digest_folder(folder).sha256
    assert os.access(tmp_path / "back" / "run.sh", os.X_OK)
    assert not os.access(tmp_path / "back" / "empty", os.X_OK)


def test_each_of_several_recipients_reads_it_and_nobody_else(lab, reader, other, tmp_path):
    data = secret_file(tmp_path)
    recorded = record_content(lab, Kind.MODEL, data, keeping=Keeping([reader[1], other[1]]))
    for number, identity in enumerate((reader[0], other[0])):
        out = tmp_path / str(number)
        decrypt_record(lab, recorded.id, out, identities=[identity])
        assert out.read_bytes() == data.read_bytes()
    with pytest.raises(NotVerified, match="none of the given keys"):
        decrypt_record(lab, recorded.id, tmp_path / "nobody", identities=[new_identity()[0]])
    with pytest.raises(InputError, match="expected a key"):
        decrypt_record(lab, recorded.id, tmp_path / "nobody", identities=[])


def test_the_same_content_twice_has_two_commitments_for_other_recipients(lab, reader, other, tmp_path):
    """Nobody can tell that two records have the same content."""
    data = secret_file(tmp_path)
    one, two = (keep_encrypted(lab, data, [who[1]]) for who in (reader, other))
    assert one.encrypted.commitment != two.encrypted.commitment
    assert one.artifact.sha256 != two.artifact.sha256
    assert keep_encrypted(lab, data, [reader[1]]) == one


def test_recipients_by_name_by_file_and_by_ssh_key(lab, reader, other, tmp_path):
    key = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    listed = tmp_path / "recipients"
    listed.write_text(f"# the reviewers\n{reader[1]}\n\n{other[1]}\n")
    public = key.with_suffix(".pub").read_text().strip()
    known = " ".join(public.split()[:2])
    assert set(recipients_of(lab.home, [str(listed), public, known, reader[1]])) == {reader[1], other[1], known}
    data = secret_file(tmp_path)
    recorded = record_content(lab, Kind.DATASET, data, keeping=Keeping(recipients_of(lab.home, [public])))
    out = tmp_path / "out"
    done = typed("decrypt", recorded.id, "-o", str(out), "--identity", str(key), home=lab.home.path)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == data.read_bytes()


@pytest.mark.parametrize("given", ["nobody", "age1xyz", "AGE-SECRET-KEY-1QQQQ", "", "ssh-rsa nonsense"])
def test_what_is_no_recipient_is_refused_before_anything_is_kept(lab, tmp_path, given):
    data, before = secret_file(tmp_path), lab.chain.head().number
    done = typed("record", "--dataset", str(data), "--encrypt-to", given, home=lab.home.path)
    assert done.returncode == 2
    assert "expected a recipient" in done.stderr
    assert "AGE-SECRET-KEY-1QQQQ" not in done.stderr
    assert lab.chain.head().number == before
    with pytest.raises(InputError, match="expected a recipient"):
        MLTracer(home=lab.home.path).start_run(encrypt_to=[given])


def test_nothing_to_decrypt(lab, reader, tmp_path, file):
    plain = record_content(lab, Kind.DATASET, file)
    with pytest.raises(InputError, match="is not encrypted"):
        decrypt_record(lab, plain.id, tmp_path / "out", identities=[reader[0]])
    with pytest.raises(InputError, match="no private values that are encrypted"):
        decrypt_private(lab, plain.id, [reader[0]])
    done = typed("record", "--param", "a=1", "--artifact", str(file), "--json", home=lab.home.path)
    run = json.loads(done.stdout)["id"]
    with pytest.raises(InputError, match="encrypted are: none"):
        decrypt_record(lab, run, tmp_path / "out", identities=[reader[0]])
    with pytest.raises(InputError, match="encrypted are: none"):
        decrypt_record(lab, run, tmp_path / "out", output="data.bin", identities=[reader[0]])


def test_a_full_disk_is_not_taken_for_a_damaged_file(lab, reader, tmp_path):
    data = secret_file(tmp_path, size=1 << 20)
    sealed = io.BytesIO()
    encrypt_content(data, sealed, [reader[1]])
    digest = hashlib.sha256(data.read_bytes()).hexdigest()
    opening = ContentOpening(context_of(lab), "file", digest, "a", new_salt())
    script = """
import io, pathlib, resource, signal, sys
from blockchaintracer.lab.private.age import identity_of
from blockchaintracer.lab.private.sealed_content import ContentOpening, decrypt_content, encrypt_content
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
identities = identity_of(pathlib.Path(sys.argv[3]).read_text(), "a test")
opening = ContentOpening.from_bytes(pathlib.Path(sys.argv[2]).read_bytes())
sealed = io.BytesIO(pathlib.Path(sys.argv[1]).read_bytes())
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    decrypt_content(sealed, opening, pathlib.Path(sys.argv[4]), identities)
except Exception as error:
    print(type(error).__name__, error)
try:
    encrypt_content(pathlib.Path(sys.argv[1]), open(sys.argv[4], "wb", buffering=0), [sys.argv[5]])
except Exception as error:
    print(type(error).__name__, error)
"""
    names = [tmp_path / name for name in ("sealed", "opening", "identity")]
    for name, content in zip(names, (sealed.getvalue(), opening.to_bytes(), str(reader[0]).encode()), strict=True):
        name.write_bytes(content)
    words = [sys.executable, "-c", script, *map(str, names), str(tmp_path / "out"), reader[1]]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    first, second = done.stdout.strip().split("\n")[:2]
    assert first.startswith("InputError")
    assert "can't be written: File too large" in first
    assert second.startswith("StoreError")
    assert "can't be written" in second


def test_a_note_that_is_damaged_is_named(lab, reader, tmp_path):
    data = secret_file(tmp_path)
    keep_encrypted(lab, data, [reader[1]])
    newest = max(lab.home.private.glob("*.content.json"), key=lambda path: path.stat().st_mtime_ns)
    assert newest.stat().st_mode & 0o777 == 0o600
    kept = newest.read_bytes()
    newest.write_bytes(kept[:-10])
    with pytest.raises(BlockchainTracerError, match="expected a note of what was encrypted"):
        keep_encrypted(lab, data, [reader[1]])
    newest.write_bytes(kept)


def test_shown_in_the_open_it_is_not_said_to_be_another(lab, reader, tmp_path):
    data = secret_file(tmp_path)
    recorded = record_content(lab, Kind.DATASET, data, keeping=Keeping([reader[1]]))
    report = verify(lab, str(data), record=recorded.id)
    assert not any(check.verdict.value == "fail" for check in report.checks), report.checks


def test_what_is_published_decrypts_without_the_lab(lab, reader, tmp_path):
    """The format is age's and a hash: a few lines read it, and none of them are the client's."""
    import pyrage

    data = secret_file(tmp_path)
    recorded = record_content(lab, Kind.DATASET, data, keeping=Keeping([reader[1]]))
    publish(lab, recorded.id, tmp_path / "published")
    published = Store(tmp_path / "published")
    predicate = json.loads(published.path_of(recorded.manifest).read_bytes())["predicate"]
    opening = pyrage.decrypt(published.path_of(predicate["encrypted"]["opening"]["sha256"]).read_bytes(), [reader[0]])
    assert hashlib.sha256(opening).hexdigest() == predicate["encrypted"]["commitment"] == recorded.subject
    content = pyrage.decrypt(published.path_of(predicate["artifact"]["sha256"]).read_bytes(), [reader[0]])
    assert hashlib.sha256(content).hexdigest() == json.loads(opening)["sha256"]
    assert content == data.read_bytes()
