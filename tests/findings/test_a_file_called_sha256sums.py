"""A run that wrote a file called SHA256SUMS of its own could not be published or read: it was taken for a folder's
listing."""

from hashlib import sha256
from pathlib import Path

import fsspec
import pytest

from blockchaintracer import MLTracer
from blockchaintracer.extras.exports.export import export
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.store.repair import repair_store
from blockchaintracer.lab.store.store import Store

pytestmark = pytest.mark.node


@pytest.mark.parametrize("text", ["checked by hand\n", f"{'ab' * 32}  elsewhere.bin\n"])
def test_it_is_the_file_that_it_is(lab, tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    with MLTracer(home=lab.home.path).start_run("sums") as run:
        Path("SHA256SUMS").write_text(text)
        run.log_output("SHA256SUMS", role="log")
    record, digest = run.recorded.id, sha256(text.encode()).hexdigest()
    publish(lab, record, tmp_path / "published")
    assert Store(tmp_path / "published").get_bytes(digest) == text.encode()
    with fsspec.open(f"record://{record}/SHA256SUMS", "r", home=lab.home.path) as file:
        assert file.read() == text
    assert repair_store(lab).found == [], "nothing that the file names is a part of the record"
    export(lab, record, "sha256sums", tmp_path / "sums")
    assert f"{digest}  outputs/SHA256SUMS" in (tmp_path / "sums").read_text().splitlines()
