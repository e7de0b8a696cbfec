"""Credentials that a lab typed, logged or had in its files, and that were kept and published without a word."""

from __future__ import annotations

import hashlib
import json
import subprocess
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from blockchaintracer.core.errors import InputError
from blockchaintracer.core.manifest import parse_manifest
from blockchaintracer.core.record import Kind
from blockchaintracer.lab.capture.environment import find_uv
from blockchaintracer.lab.capture.secret_masking import mask_lock
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.recording.run import RunFacts, finish_run, start_run
from blockchaintracer.lab.recording.run_document import RunDocument
from tests.findings.test_versions_that_a_lock_leaves_open import wheel
from tests.support.labs import holding

pytestmark = pytest.mark.node

if TYPE_CHECKING:
    from blockchaintracer.lab.lab import Lab

PASSWORD = "-".join(("hunter2", "correct", "staple"))
SIGNATURE = "sig=" + hashlib.sha256(b"lab").hexdigest()[:43] + "%3D"
NODE_KEY = hashlib.md5(b"node", usedforsecurity=False).hexdigest()
PRIVATE_KEY = "0x" + hashlib.sha256(b"key").hexdigest()


def git(folder: Path, *words: str) -> None:
    """git with a name, which this machine may not have."""
    named = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *named, *words], cwd=folder, check=True, capture_output=True, timeout=60)


def repository(folder: Path, **files: str) -> Path:
    """A repository with a commit of some files, whose names have no point."""
    folder.mkdir(exist_ok=True)
    git(folder, "init", "-q")
    for name, text in files.items():
        (folder / name).write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def recorded(lab: Lab, folder: Path, *, lock: Path | None = None, command: Any = None, **document: Any) -> Any:
    """A run that is recorded from a folder; its record and its manifest."""
    about = RunDocument.from_plain({"schema": 1, "name": "run", **document})
    facts = RunFacts(document=about, folder=folder, lock=lock, command=command)
    record = finish_run(lab, start_run(lab, folder), facts)
    return record, parse_manifest(lab.store.get_bytes(record.manifest)).predicate


def test_no_secret_of_a_command_or_a_document_is_kept(lab: Lab, tmp_path: Path) -> None:
    command = [
        "train",
        "--rpc",
        f"https://mainnet.infura.io/v3/{NODE_KEY}",
        "--key",
        PRIVATE_KEY,
        "-u",
        f"me:{PASSWORD}",
    ]
    _, run = recorded(
        lab,
        tmp_path,
        command=command,
        parameters={"extra": f"--password {PASSWORD}", "lr": 0.1},
        description=f"from https://lab.blob.core.windows.net/x.csv?sv=1&{SIGNATURE}",
    )
    assert run.code.arguments == ("--rpc", "https://mainnet.infura.io/v3/***", "--key", "***", "-u", "***")
    assert run.parameters == {"extra": "***", "lr": 0.1}
    assert run.description == "from https://lab.blob.core.windows.net/x.csv?***"
    for secret in (PASSWORD, SIGNATURE, NODE_KEY, PRIVATE_KEY):
        assert not holding(lab.store.folder, secret.encode()), secret


def test_a_signed_source_of_a_dataset_is_recorded_without_its_signature(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a,b\n")
    source = f"https://lab.blob.core.windows.net/data.csv?sv=2024-11-04&{SIGNATURE}"
    record_content(lab, Kind.DATASET, tmp_path / "data.csv", name="data", source=source)
    assert not holding(lab.store.folder, SIGNATURE.encode())


LOCK = """\
--extra-index-url https://me:{password}@pypi.example.org/simple
--index-url=https://${{USER}}:${{TOKEN}}@pypi.example.org/simple
six==1.17.0 --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274
wheel @ https://pypi.example.org/wheel-1.0-py3-none-any.whl?token={password}#sha256=4721f391
"""


def test_a_lock_with_a_password_is_recorded_without_it(lab: Lab, tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text(LOCK.format(password=PASSWORD))
    _, run = recorded(lab, tmp_path, lock=lock)
    assert run.environment.lock
    assert lab.store.get_bytes(run.environment.lock.sha256).decode().splitlines() == [
        "--extra-index-url https://pypi.example.org/simple",
        "--index-url=https://${USER}:${TOKEN}@pypi.example.org/simple",
        "six==1.17.0 --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274",
        "wheel @ https://pypi.example.org/wheel-1.0-py3-none-any.whl#sha256=4721f391",
    ]
    assert not holding(lab.store.folder, PASSWORD.encode())


def test_a_lock_still_resolves_without_its_credentials(tmp_path: Path) -> None:
    index = tmp_path / "simple" / "study"
    index.mkdir(parents=True)
    wheel(index, "study", "1.0")
    (index / "index.html").write_text('<a href="study-1.0-py3-none-any.whl">study-1.0-py3-none-any.whl</a>')
    digest = hashlib.sha256((index / "study-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"me:{PASSWORD}@127.0.0.1:{server.server_port}/simple"
        lock = tmp_path / "requirements.txt"
        lock.write_text(mask_lock(f"--index-url http://{address}\nstudy==1.0 --hash=sha256:{digest}\n"))
        assert PASSWORD not in lock.read_text()
        options = ("--dry-run", "--no-deps", "--no-cache", "--require-hashes", "--target", str(tmp_path / "target"))
        command = [str(find_uv()), "pip", "install", *options, "--requirement", str(lock)]
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        server.shutdown()
    assert " + study==1.0" in told.stderr


def test_a_lock_without_credentials_is_kept_as_it_is() -> None:
    text = (Path(__file__).parents[2] / "locks").glob("*.txt")
    for lock in text:
        assert mask_lock(lock.read_text()) == lock.read_text()


def test_every_file_of_the_commit_is_searched_before_it_is_published(lab: Lab, tmp_path: Path) -> None:
    code = repository(tmp_path / "code", train="print(1)\n", settings=f"a = 1\npassword = '{PASSWORD}'\n")
    run, _ = recorded(lab, code, parameters={"lr": 1})
    with pytest.raises(InputError) as refused:
        publish(lab, run.id, tmp_path / "published")
    assert "settings:2 password or token" in str(refused.value)
    assert PASSWORD not in json.dumps(refused.value.values)
    assert not (tmp_path / "published").exists()
    with pytest.raises(InputError, match="settings:2"):
        publish(lab, run.id, tmp_path / "published", allowed=["settings:1", "train:2"])
    done = publish(lab, run.id, tmp_path / "published", allowed=["settings:2"])
    assert not done.not_searched
    assert holding(tmp_path / "published", b"PACK")


def test_outputs_and_attachments_are_searched_and_what_was_not_is_named(lab: Lab, tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    (outputs / "log.txt").write_text(f"epoch 1\nexport WANDB_API_KEY={PRIVATE_KEY[2:42]}\n")
    (outputs / "model.bin").write_bytes(b"\0" * 100)
    (outputs / "large.txt").write_text("a harmless line\n" * 300_000)
    about = RunDocument.from_plain({"schema": 1, "name": "run", "parameters": {"a": 1}})
    facts = RunFacts(document=about, folder=tmp_path, outputs=[("logs", outputs)])
    run = finish_run(lab, start_run(lab, tmp_path), facts)
    with pytest.raises(InputError, match=r"log\.txt:2"):
        publish(lab, run.id, tmp_path / "published")
    done = publish(lab, run.id, tmp_path / "published", allowed=["log.txt:2"])
    assert {"large.txt", "model.bin"} == {name.rpartition("/")[2].partition(" ")[0] for name in done.not_searched}
