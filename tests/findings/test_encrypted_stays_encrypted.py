"""What is recorded encrypted and leaks by another way, or is not what its author had committed to."""

import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import rfc8785

from blockchaintracer import MLTracer
from blockchaintracer.core.digest import digest_bytes
from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.core.manifest import Artifact, ContentPredicate, Encrypted, Manifest, parse_manifest
from blockchaintracer.core.record import Kind
from blockchaintracer.lab.lookup import read_manifest, required_record
from blockchaintracer.lab.private.age import decrypt, encrypt
from blockchaintracer.lab.private.decrypt import decrypt_private, decrypt_record
from blockchaintracer.lab.private.encrypt import context_of, keep_encrypted
from blockchaintracer.lab.private.field_tree import Context, FieldTree, new_salt
from blockchaintracer.lab.private.sealed_content import ContentOpening, decrypt_content
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.commit import commit
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.recording.keep import Keeping
from tests.support.labs import holding, second_lab, secret_file, typed, verb

pytestmark = pytest.mark.node

# -- what must not leak


@pytest.mark.parametrize("how", ["committed", "new"])
def test_what_git_has_in_the_open_is_not_encrypted(lab, reader, tmp_path, monkeypatch, how):
    """The commit and the difference are kept and published: encrypting a copy would only seem to hide it."""
    monkeypatch.chdir(tmp_path)
    data = secret_file(tmp_path)
    git(tmp_path, "init", "-q")
    (tmp_path / "train.py").write_text("print(1)\n")
    git(tmp_path, "add", "train.py" if how == "new" else ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    before = lab.chain.head().number
    if how == "committed":
        words = ["--dataset", str(data), "--encrypt-to", reader[1], "--param", "a=1"]
        done = typed("record", *words, home=lab.home.path)
        assert done.returncode == 2
        assert "git has the content in the open" in done.stderr
        assert "patients.csv" in done.stderr
    tracer = MLTracer(home=lab.home.path)
    run = tracer.start_run("leaks", encrypt_to=[reader[1]])
    run.begin()
    with pytest.raises(InputError, match="in the open"):
        run.log_input(data)
    with pytest.raises(InputError, match="in the open"):
        run.log_output(tmp_path)
    assert lab.chain.head().number == before


def test_a_new_file_given_to_the_verb_is_no_part_of_the_difference(lab, reader, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = secret_file(tmp_path)
    git(tmp_path, "init", "-q")
    (tmp_path / "train.py").write_text("print(1)\n")
    git(tmp_path, "add", "train.py")
    git(tmp_path, "commit", "-q", "-m", "first")
    document = tmp_path / "run.json"
    entry = {"path": "patients.csv", "encrypt_to": [reader[1]]}
    document.write_text(json.dumps({"schema": 1, "name": "hidden", "parameters": {"a": 1}, "inputs": [entry]}))
    done = typed("record", "--from", str(document), "--json", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    assert not holding(lab.store.folder, data.read_bytes())


def test_a_reproduction_neither_reads_nor_keeps_what_is_encrypted(lab, reader, tmp_path):
    data = secret_file(tmp_path)
    done = typed("record", "--dataset", str(data), "--encrypt-to", reader[1], "--param", "a=1", "--metric", "m=1", "--json", home=lab.home.path)  # fmt: skip  # noqa: E501
    run = json.loads(done.stdout)["id"]
    folder = tmp_path / "published"
    publish(lab, run, folder)
    second = second_lab(lab, tmp_path / "second")
    at = ["--rpc", lab.devnet.start().url, "--registry", lab.registry.address]
    done = typed("reproduce", run, "--yes", *at, "--from", str(folder), home=second.home.path)
    assert done.returncode == 2
    assert "can't be repeated" in done.stderr or "commitment" in done.stderr
    assert not holding(second.home.path, data.read_bytes())


def test_no_secret_is_in_a_text_that_python_shows(lab):
    opening = ContentOpening(context_of(lab), "file", "ab" * 32, "a.csv", new_salt())
    assert opening.salt not in repr(opening)
    with pytest.raises(InputError) as refused:
        ContentOpening.from_bytes(opening.to_bytes().replace(b"private-content", b"private-contents"))
    assert opening.salt not in str(refused.value)


# -- attacks: a ciphertext or commitment that isn't what it seems


def forged(lab, recipient: str, opening: bytes, content: bytes, subject_type: str = "file", commitment: str = ""):
    """A record by somebody who writes its parts by hand; the commitment is of `opening`."""
    hidden = [encrypt(part, [recipient]) for part in (content, opening)]
    for part in hidden:
        lab.store.put_bytes(part)
    artifact, key = (
        Artifact.of(f"{name}.age", digest_bytes(part))
        for name, part in zip(("content", "content.opening"), hidden, strict=True)
    )
    commitment = commitment or hashlib.sha256(opening).hexdigest()
    predicate = ContentPredicate(
        subject_type="commitment",
        artifact=artifact,
        encrypted=Encrypted(subject_type=subject_type, commitment=commitment, opening=key),
    )
    return commit(lab, Manifest.of(Kind.DATASET, predicate, commitment), ())


def test_content_that_is_not_what_was_committed_to(lab, reader, tmp_path):
    identity, recipient = reader
    opening = ContentOpening(context_of(lab), "file", hashlib.sha256(b"this").hexdigest(), "a", new_salt())
    recorded = forged(lab, recipient, opening.to_bytes(), b"that")
    with pytest.raises(NotVerified, match="not the file that was committed to"):
        decrypt_record(lab, recorded.id, tmp_path / "out", identities=[identity])
    assert list(tmp_path.iterdir()) == [], "nothing is left of it"


def test_an_opening_that_is_not_of_the_commitment(lab, reader, tmp_path):
    """An author who later shows other content than was committed to."""
    identity, recipient = reader
    first, later = (
        ContentOpening(context_of(lab), "file", hashlib.sha256(data).hexdigest(), "a", new_salt())
        for data in (b"first", b"later")
    )
    recorded = forged(lab, recipient, later.to_bytes(), b"later", commitment=first.commitment)
    with pytest.raises(NotVerified, match="does not open the commitment"):
        decrypt_record(lab, recorded.id, tmp_path / "out", identities=[identity])


def test_a_commitment_copied_from_another_author(lab, reader, tmp_path):
    identity, recipient = reader
    theirs = Context(str(lab.chain_id), lab.domain.registry.lower(), 1, "0x" + "22" * 20)
    opening = ContentOpening(theirs, "file", hashlib.sha256(b"this").hexdigest(), "a", new_salt())
    recorded = forged(lab, recipient, opening.to_bytes(), b"this")
    with pytest.raises(NotVerified, match="it was copied"):
        decrypt_record(lab, recorded.id, tmp_path / "out", identities=[identity])


@pytest.mark.parametrize("opening", [b"", b"{}", b"[1]", b"\xff", b'{"type":"x"}'])
def test_an_opening_that_is_none(lab, reader, tmp_path, opening):
    recorded = forged(lab, reader[1], opening, b"this" + opening)
    with pytest.raises(NotVerified):
        decrypt_record(lab, recorded.id, tmp_path / "out", identities=[reader[0]])


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry, data in members:
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, link
    return entry


def claims(size: int) -> bytes:
    """A pax header that claims to be of a size; what follows is zeros."""
    entry = tarfile.TarInfo("a")
    entry.type, entry.size = b"x", size
    return entry.tobuf(tarfile.GNU_FORMAT) + bytes(4096)


def bad_sparse() -> tarfile.TarInfo:
    entry = tarfile.TarInfo("big")
    entry.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "x"}
    return entry


SPARSE = tarfile.TarInfo("big")
SPARSE.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 50)}


@pytest.mark.parametrize(
    "content",
    [
        packed((member("../out"), b"x")),
        packed((member("/tmp/out"), b"x")),
        packed((member("a", tarfile.SYMTYPE, "/etc"), b""), (member("a/passwd"), b"x")),
        packed((member("a", tarfile.LNKTYPE, "/etc/passwd"), b"")),
        packed((member("a", tarfile.FIFOTYPE), b"")),
        packed((member("a", tarfile.DIRTYPE), b"")),
        packed((member("a"), b"x"), (member("a"), b"y")),
        packed((member("a"), b"x"), (member("A"), b"y")),
        packed((member("a"), b"x"), (member("a/b"), b"y")),
        packed((SPARSE, b"1\n0\n1\n" + bytes(506))),
        packed((member("a"), b"other content")),
        packed(),
        claims(1 << 62),
        claims(1 << 40),
        claims(1 << 70),
        claims(500 << 20),
        claims(-1),
        packed((bad_sparse(), b"x\n")),
        packed(*((member("/".join(["d"] * 2000)), b"x"),)),
        b"no tar at all",
        b"",
    ],
    ids=[
        "above",
        "absolute",
        "link",
        "hardlink",
        "fifo",
        "folder",
        "twice",
        "case",
        "file-and-folder",
        "sparse",
        "other",
        "empty",
        "huge-part",
        "large-part",
        "overflow",
        "half-a-gigabyte",
        "negative",
        "bad-sparse",
        "deep",
        "garbage",
        "nothing",
    ],
)
def test_a_folder_that_is_none(lab, reader, tmp_path, content):
    opening = ContentOpening(context_of(lab), "folder", hashlib.sha256(b"listing").hexdigest(), "a", new_salt())
    sealed = io.BytesIO(encrypt(content, [reader[1]]))
    with pytest.raises((NotVerified, InputError)):
        decrypt_content(sealed, opening, tmp_path / "out", [reader[0]])
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_ciphertext_writes_nothing(lab, reader, tmp_path):
    data = secret_file(tmp_path, size=200_000)
    kept = keep_encrypted(lab, data, [reader[1]])
    sealed = bytearray(lab.store.get_bytes(kept.artifact.sha256))
    opening = ContentOpening.from_bytes(decrypt(lab.store.get_bytes(kept.encrypted.opening.sha256), [reader[0]]))
    # of any byte of the header, some of which the library takes for another version
    for place in (0, *range(22, 140), len(sealed) // 2, len(sealed) - 1):
        damaged = sealed.copy()
        damaged[place] ^= 1
        with pytest.raises(NotVerified):
            decrypt_content(io.BytesIO(damaged), opening, tmp_path / "out", [reader[0]])
    with pytest.raises(NotVerified):
        decrypt_content(io.BytesIO(sealed[:-70_000]), opening, tmp_path / "out", [reader[0]])
    assert not (tmp_path / "out").exists()


def test_manifests_that_contradict_themselves(lab, reader, tmp_path):
    kept = keep_encrypted(lab, secret_file(tmp_path), [reader[1]])
    parts = kept.called("content")
    about = {"size": 1, "cid": kept.artifact.cid, "cid_profile": kept.artifact.cid_profile}
    with pytest.raises(InputError, match="an artifact and what it is the ciphertext of"):
        ContentPredicate(subject_type="commitment", encrypted=parts["encrypted"])
    with pytest.raises(InputError, match="an artifact and what it is the ciphertext of"):
        ContentPredicate(subject_type="commitment", artifact=parts["artifact"])
    with pytest.raises(InputError, match="nothing encrypted unless"):
        ContentPredicate(subject_type="file", **about, **parts)
    with pytest.raises(InputError, match="the commitment of what is encrypted"):
        Manifest.of(Kind.DATASET, ContentPredicate(subject_type="commitment", **parts), "ab" * 32)


# -- ways around what is refused


def repository(folder: Path) -> Path:
    """A repository with a new file in it that git knows nothing of; the file."""
    git(folder, "init", "-q")
    (folder / "train.py").write_text("print(1)\n")
    git(folder, "add", "train.py")
    git(folder, "commit", "-q", "-m", "first")
    return secret_file(folder)


def test_an_input_that_is_logged_before_the_run_begins(lab, reader, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = repository(tmp_path)
    run = MLTracer(home=lab.home.path).start_run("early", encrypt_to=[reader[1]])
    run.log_input(data)
    with run:
        pass
    assert run.recorded.state == "final" or run.recorded.block
    assert parse_manifest(lab.store.get_bytes(run.recorded.manifest)).predicate.code.diff is None
    assert not holding(lab.store.folder, data.read_bytes())


def test_a_run_that_ends_with_the_refusal_shows_nothing_either(lab, reader, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = repository(tmp_path)
    run = MLTracer(home=lab.home.path).start_run("refused", encrypt_to=[reader[1]])
    with pytest.warns(UserWarning, match="is not recorded"), pytest.raises(InputError, match="in the open"), run:
        run.log_input(data)
    assert run.recorded.state == "not-recorded"
    assert not holding(lab.store.folder, data.read_bytes())


def test_a_folder_that_the_repository_lies_in(lab, reader, tmp_path, monkeypatch):
    code = tmp_path / "project" / "code"
    code.mkdir(parents=True)
    repository(code)
    monkeypatch.chdir(code)
    done = typed("record", "--dataset", "..", "--encrypt-to", reader[1], "--param", "a=1", home=lab.home.path)
    assert done.returncode == 2
    assert "git has the content in the open" in done.stderr


@pytest.mark.parametrize("how", ["committed", "new"])
def test_a_copy_elsewhere_of_what_git_has(lab, reader, tmp_path, monkeypatch, how):
    code = tmp_path / "code"
    code.mkdir()
    data = repository(code)
    if how == "committed":
        git(code, "add", ".")
        git(code, "commit", "-q", "-m", "second")
    monkeypatch.chdir(code)
    copy = tmp_path / "copy.csv"
    copy.write_bytes(data.read_bytes())
    done = typed("record", "--dataset", str(copy), "--encrypt-to", reader[1], "--param", "a=1", home=lab.home.path)
    assert done.returncode == 2, done.stderr
    assert "patients.csv: git has the content in the open" in done.stderr


PROGRAM = """
import os, sys
from blockchaintracer import MLTracer
with MLTracer().start_run("told", encrypt_to=[sys.argv[1]]) as run:
    open("model.pkl", "ab").close()
    if "input" in sys.argv:
        run.log_input("patients.csv")
    run.log_output("model.pkl", role="model")
    run.log_metric("accuracy", 0.5, tolerance=0.1)
"""


def test_what_the_program_hides_and_the_command_line_names(lab, reader, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data, model = secret_file(tmp_path), secret_file(tmp_path, "model.pkl")
    Path("train.py").write_text(PROGRAM)
    words = ["--dataset", "patients.csv", "--model", "model.pkl", "--json", "--"]
    done = verb("record", *words, sys.executable, "train.py", reader[1], "input", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    recorded = json.loads(done.stdout)["records"]
    assert [one["kind"] for one in recorded] == ["dataset", "model", "run"]
    outputs = parse_manifest(lab.store.get_bytes(recorded[-1]["manifest"])).predicate.outputs
    assert [output.artifact.path for output in outputs] == ["model.pkl.age"]
    assert recorded[1]["subject"] == outputs[0].subject
    for file in (data, model):
        assert not holding(lab.store.folder, file.read_bytes())


def test_a_result_outlives_a_late_refusal(lab, reader, tmp_path, monkeypatch):
    """The program ran for a week, and only then it is known that git holds what it wants encrypted."""
    monkeypatch.chdir(tmp_path)
    data = repository(tmp_path)
    Path("train.py").write_text(PROGRAM)
    done = verb("record", "--", sys.executable, "train.py", reader[1], "input", home=lab.home.path)
    assert done.returncode == 2
    assert "git has the content in the open" in done.stderr
    file = re.search(r"record --from (\S+\.json)", done.stderr)[1]
    assert json.loads(Path(file).read_text())["metrics"]["accuracy"]["value"] == 0.5
    assert not holding(lab.store.folder, data.read_bytes())


@pytest.mark.parametrize("first", ["record", "seal", "batch", "output"])
def test_what_was_encrypted_is_not_recorded_in_the_open_by_and_by(lab, reader, tmp_path, monkeypatch, first):
    monkeypatch.chdir(tmp_path)
    data = secret_file(tmp_path)
    to = ["--encrypt-to", reader[1]]
    words = {
        "record": ["record", "--dataset", str(data), *to],
        "seal": ["seal", "record", "--dataset", str(data), *to],
        "batch": ["batch", "add", "--dataset", str(data), *to],
        "output": ["record", "--artifact", str(data), "--param", "a=1", *to],
    }[first]
    done = typed(*words, home=lab.home.path)
    assert done.returncode == 0, done.stderr
    for later in (["--kind", "document", "--artifact", str(data)], ["--model", str(data)], ["--dataset", str(data)]):
        done = typed("record", *later, home=lab.home.path)
        assert done.returncode == 2
        assert "was recorded encrypted before" in done.stderr
    done = typed("record", "--artifact", str(data), "--param", "a=2", home=lab.home.path)
    assert done.returncode == 2
    assert not holding(lab.store.folder, data.read_bytes())
    # a run is recorded in the open by the same word, whatever of it was encrypted
    words = ["--dataset", str(data), "--model", str(data), "--param", "a=3", "--in-the-open", "--json"]
    done = typed("record", *words, home=lab.home.path)
    assert done.returncode == 0, done.stderr
    digest = hashlib.sha256(data.read_bytes()).hexdigest()
    assert [one["subject"] for one in json.loads(done.stdout)["records"][:2]] == [digest, digest]
    assert holding(lab.store.folder, data.read_bytes())
    assert typed("record", "--model", str(data), home=lab.home.path).returncode == 0


def test_a_reproduction_of_a_run_that_names_a_key_of_its_lab(lab, tmp_path, monkeypatch):
    """The second lab has no such key: that is no finding about the run, and its files are not read by that name."""
    code = tmp_path / "code"
    code.mkdir()
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("of the reader")
    monkeypatch.setenv("BLOCKCHAINTRACER_PASSPHRASE_FILE", str(passphrase))
    typed("keys", "create", "reader", "--encryption", home=lab.home.path)
    git(code, "init", "-q")
    (code / "train.py").write_text(PROGRAM + "    run.log_param('x', 1, private=True)\n")
    git(code, "add", ".")
    git(code, "commit", "-q", "-m", "first")
    monkeypatch.chdir(code)
    done = verb("record", "--json", "--", sys.executable, "train.py", "reader", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)["id"]
    published = tmp_path / "published"
    publish(lab, run, published)
    second = second_lab(lab, tmp_path / "second")
    at = ["--rpc", lab.devnet.start().url, "--registry", lab.registry.address, "--python", sys.executable]
    done = verb("reproduce", run, "--yes", *at, "--from", str(published), home=second.home.path)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "REPRODUCED" in done.stdout.upper()


def test_a_file_name_is_public_only_if_it_is_given(lab, reader, tmp_path):
    data = secret_file(tmp_path, "john-smith.pdf")
    words = ["--artifact", str(data), "--kind", "document", "--encrypt-to", reader[1], "--json"]
    done = typed("record", *words, home=lab.home.path)
    [recorded] = json.loads(done.stdout)["records"]
    assert b"john-smith" not in lab.store.get_bytes(recorded["manifest"])


def test_a_message_of_an_error_is_not_public(lab, reader, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = MLTracer(home=lab.home.path).start_run("failing", encrypt_to=[reader[1]])
    with pytest.raises(ValueError, match="John"), run:
        float("John Smith")
    assert parse_manifest(lab.store.get_bytes(run.recorded.manifest)).predicate.error == "ValueError"


def test_nothing_to_encrypt_is_said(lab, reader):
    done = typed("record", "--param", "a=1", "--encrypt-to", reader[1], home=lab.home.path)
    assert done.returncode == 2
    assert "expected something to encrypt" in done.stderr
    with pytest.raises(InputError, match="expected a list of recipients"):
        MLTracer(home=lab.home.path).start_run(encrypt_to=reader[1])


def test_the_public_names_of_outputs_differ(lab, reader, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second, folder = secret_file(tmp_path, "a"), secret_file(tmp_path, "a.age"), tmp_path / "b"
    folder.mkdir()
    with MLTracer(home=lab.home.path).start_run("names", encrypt_to=[reader[1]]) as run:
        run.log_output(first)
        run.log_output(second)
        with pytest.raises(InputError, match="names that differ"):
            run.log_output(secret_file(folder, "a.age.age"), encrypt_to=())
    decrypt_record(lab, run.recorded.id, tmp_path / "x", output="a.age", identities=[reader[0]])
    assert (tmp_path / "x").read_bytes() == second.read_bytes()


def test_private_values_that_are_larger_than_the_record_says(lab, reader, tmp_path):
    """A tree of four million leaves takes a gigabyte to build: it's not built."""
    done = typed("record", "--private-param", "a=1", "--json", home=lab.home.path)
    run = json.loads(done.stdout)["records"][-1]
    root = parse_manifest(lab.store.get_bytes(run["manifest"])).predicate.private.root
    told = json.loads((lab.home.private / f"{root}.json").read_text())
    for change in ({"leaves": 1 << 22}, {"filler": "zz"}, {"filler": 5}, {"leaves": -1}):
        with pytest.raises((NotVerified, InputError)):
            opened(lab, run["id"], told | change, reader)


def opened(lab, run: str, told: dict, reader) -> dict:
    """What `decrypt_private` makes of a file that stands for the record's."""
    from blockchaintracer.lab.private import decrypt as decryption

    record = required_record(lab, run)
    manifest = read_manifest(lab.store, record)
    hidden = encrypt(rfc8785.dumps(told), [reader[1]])
    lab.store.put_bytes(hidden)
    private = manifest.predicate.private.model_copy(update={"encrypted": Artifact.of("a", digest_bytes(hidden))})
    changed = manifest.model_copy(update={"predicate": manifest.predicate.model_copy(update={"private": private})})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decryption, "_found", lambda *_: (record, changed))
        patch.setattr(FieldTree, "_levels", property(lambda _: pytest.fail("the tree was built")))
        return decrypt_private(lab, run, [reader[0]])


def test_a_decrypted_folder_is_its_owners_alone(lab, reader, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    secret_file(folder)
    recorded = record_content(lab, Kind.DATASET, folder, keeping=Keeping([reader[1]]))
    decrypt_record(lab, recorded.id, tmp_path / "out", identities=[reader[0]])
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "out", *(tmp_path / "out").iterdir())}
    assert modes == {0}


def test_the_ciphertext_is_part_of_the_archive(lab, reader, tmp_path):
    data = secret_file(tmp_path)
    recorded = record_content(lab, Kind.DATASET, data, keeping=Keeping([reader[1]]))
    done = typed("export", "-o", str(tmp_path / "all.tar"), "--artifacts", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    other = second_lab(lab, tmp_path / "other")
    done = typed("import", str(tmp_path / "all.tar"), home=other.home.path)
    assert done.returncode == 0, done.stderr
    decrypt_record(other, recorded.id, tmp_path / "out", identities=[reader[0]])
    assert (tmp_path / "out").read_bytes() == data.read_bytes()


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True)


def test_a_folder_with_a_file_that_was_encrypted(lab, reader, tmp_path):
    """The guard looks at each file: the listing of a folder has all digests, and the store gets all content."""
    folder = tmp_path / "data"
    folder.mkdir()
    data = secret_file(folder)
    (folder / "empty").touch()
    record_content(lab, Kind.DATASET, data, keeping=Keeping([reader[1]]))
    with pytest.raises(InputError, match="was recorded encrypted before"):
        record_content(lab, Kind.DATASET, folder)
    assert not holding(lab.store.folder, data.read_bytes())
    record_content(lab, Kind.DATASET, folder, keeping=Keeping(in_the_open=True))
    assert holding(lab.store.folder, data.read_bytes())
    record_content(lab, Kind.MODEL, folder)


def test_a_lock_or_checkpoint_that_was_encrypted(lab, reader, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = secret_file(tmp_path)
    record_content(lab, Kind.DATASET, data, keeping=Keeping([reader[1]]))
    done = typed("record", "--param", "a=1", "--lock", str(data), home=lab.home.path)
    assert done.returncode == 2
    assert "was recorded encrypted before" in done.stderr
    run = MLTracer(home=lab.home.path).start_run("states")
    for keep in (True, False):
        with pytest.raises(InputError, match="was recorded encrypted before"):
            run.log_checkpoint(data, 1, keep=keep)
    assert not holding(lab.store.folder, data.read_bytes())
