"""What is recorded encrypted and leaks by another way, or is not what its author had committed to."""

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from blockchaintracer import MLTracer
from blockchaintracer.errors import InputError, NotVerified
from blockchaintracer.manifest import ContentPredicate, Encrypted, Manifest
from blockchaintracer.model import Kind
from blockchaintracer.operations.encryption import (
    context_of,
    decrypt_record,
    keep_encrypted,
)
from blockchaintracer.operations.publish import publish
from blockchaintracer.operations.record import commit
from blockchaintracer.privacy.age import decrypt, encrypt, new_identity
from blockchaintracer.privacy.commitments import Context, new_salt
from blockchaintracer.privacy.contents import ContentOpening, decrypt_content
from tests.client.labs import holding, second_lab, secret_file, verb


@pytest.fixture(scope="module")
def reader():
    """Who is encrypted to: identity and recipient."""
    return new_identity()


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
        done = verb("record", *words, home=lab.home.path)
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
    done = verb("record", "--from", str(document), "--json", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    assert not holding(lab.store.folder, data.read_bytes())


def test_a_reproduction_neither_reads_nor_keeps_what_is_encrypted(lab, reader, tmp_path):
    data = secret_file(tmp_path)
    done = verb("record", "--dataset", str(data), "--encrypt-to", reader[1], "--param", "a=1", "--metric", "m=1", "--json", home=lab.home.path)  # fmt: skip  # noqa: E501
    run = json.loads(done.stdout)["id"]
    folder = tmp_path / "published"
    publish(lab, run, folder)
    second = second_lab(lab, tmp_path / "second")
    at = ["--rpc", lab.devnet.ensure().url, "--registry", lab.registry.address]
    done = verb("reproduce", run, "--yes", *at, "--from", str(folder), home=second.home.path)
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
    from blockchaintracer.digest import digest_bytes
    from blockchaintracer.manifest import Artifact

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
    for place in (0, 100, len(sealed) // 2, len(sealed) - 1):
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


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True)
