"""An outage, a lying source, an absent copy and a wrong claim are told apart, by every reader that takes sources.

All four read "is not here"; a damaged copy at one source failed what another had whole; an archive of blocks, and a
folder that does not exist, were taken for empty ones.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import chdir
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler
from pathlib import Path

import fsspec
import pytest

from blockchaintracer import MLTracer
from blockchaintracer.core.errors import ChainUnavailable, NotVerified, SourceWarning, StoreError
from blockchaintracer.core.verify import Outcome, Report
from blockchaintracer.core.verify.copies import VERSION_FILE, FolderCopies
from blockchaintracer.extras.exports.exported_files import Content, ExportedFile
from blockchaintracer.lab.gather import Gatherer
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.publish import publish
from blockchaintracer.lab.store.ipfs.dag import Tree
from blockchaintracer.lab.store.ipfs.download import download
from blockchaintracer.lab.store.ipfs.gateway import Address
from blockchaintracer.lab.store.store import Store
from blockchaintracer.lab.store.stored_copies import StoredCopies
from blockchaintracer.lab.verify_here import verify
from tests.findings.test_hostile_gateways import gateway, honest
from tests.support.labs import free_port, typed
from tests.support.serving import serving

pytestmark = pytest.mark.node


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


class Lying(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"a lie")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def run(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("run") / "out"
    out.mkdir()
    (out / "a").write_bytes(b"one file")
    (out / "b").write_bytes(b"another" * 200_000)
    # outside a repository: the difference to a commit is not published
    with chdir(out.parent), MLTracer(lab.home.path).start_run("run") as traced:
        traced.log_metrics({"accuracy": 0.9345})
        traced.log_output(out)
    return str(traced.recorded.id)


@pytest.fixture(scope="module")
def sources(lab: Lab, run: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Sources by what they do. Each damages or lacks everything that a record needs."""
    folder = tmp_path_factory.mktemp("sources")
    publish(lab, run, folder / "whole")
    publish(lab, run, folder / "whole.car")
    shutil.copytree(folder / "whole", folder / "damaged")
    for file in (folder / "damaged" / "objects").rglob("*"):
        if file.is_file():
            file.chmod(0o600)
            file.write_bytes(file.read_bytes()[:-1])
    (folder / "empty" / "objects").mkdir(parents=True)
    (folder / "cut.car").write_bytes((folder / "whole.car").read_bytes()[:-1])
    (folder / "none.car").write_bytes(b"no archive at all")
    with serving(Lying) as lying, serving(partial(Quiet, directory=str(folder))) as web:
        yield {
            "whole": str(folder / "whole"),
            "web": f"{web}/whole",
            "car": str(folder / "whole.car"),
            "damaged": str(folder / "damaged"),
            "damaged web": f"{web}/damaged",
            "lying": lying,
            "cut": str(folder / "cut.car"),
            "no car": str(folder / "none.car"),
            "empty": str(folder / "empty"),
            "nowhere": str(folder / "nowhere"),
            "no such name": f"{web}/nothing",
            "car of the web": f"{web}/whole.car",
            "down": f"http://127.0.0.1:{free_port()}/pub",
            "down ipfs": f"http://127.0.0.1:{free_port()}/ipfs/bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e",
        }


WHOLE, WRONG = ("whole", "web", "car"), ("damaged", "damaged web", "lying", "cut", "no car")
ABSENT, DOWN = ("empty", "nowhere", "no such name", "car of the web"), ("down", "down ipfs")


@pytest.fixture
def stranger(lab: Lab, tmp_path: Path) -> Lab:
    return Lab(Home(tmp_path / "stranger"), rpc=lab.devnet.start().url, registry_address=lab.registry.address)


def content(report: Report) -> dict[str, tuple[Outcome, str]]:
    return {
        c.name: (c.verdict, c.detail) for c in report.checks if c.name == "manifest" or c.name.startswith("artifact")
    }


@pytest.mark.parametrize("other", [*WRONG, *ABSENT, "down"])
def test_one_right_source_is_enough_and_a_wrong_one_before_it_is_named(
    stranger: Lab, run: str, sources: dict[str, str], other: str
) -> None:
    for right in WHOLE:
        report = verify(stranger, run, sources=[sources[other], sources[right]])
        assert report.verified
        assert not report.unavailable
        assert {verdict for verdict, _ in content(report).values()} == {Outcome.PASS}
        assert len(content(report)) > 1
        for _, detail in content(report).values():
            assert (f"passed over: the copy at {sources[other]}" in detail) is (other in WRONG)


@pytest.mark.parametrize("name", [*WRONG, *ABSENT, *DOWN])
def test_a_source_alone_is_told_for_what_it_is(stranger: Lab, run: str, sources: dict[str, str], name: str) -> None:
    report = verify(stranger, run, sources=[sources["empty"], sources[name]])
    verdict, detail = content(report)["manifest"]
    assert sources[name].partition("/ipfs/")[0] in detail
    if name in WRONG:
        assert verdict is Outcome.FAIL
        assert "is damaged" in detail
    else:
        assert verdict is Outcome.UNKNOWN
        assert detail.startswith("unavailable: " if name in DOWN else "not here: ")
    assert bool(report.unavailable) is (name in DOWN)


def test_while_one_source_is_down_a_lying_one_decides_nothing(stranger: Lab, run: str, sources: dict[str, str]) -> None:
    report = verify(stranger, run, sources=[sources["lying"], sources["down"]])
    verdict, detail = content(report)["manifest"]
    assert verdict is Outcome.UNKNOWN
    assert "is damaged" in detail
    assert "can't be reached" in detail
    assert report.unavailable


def test_files_of_a_folder_too(lab: Lab, stranger: Lab, run: str, sources: dict[str, str], tmp_path: Path) -> None:
    """Manifest and listing are here, the files are not."""
    published = Store(tmp_path / "published", public=True)
    for entry in Store(Path(sources["whole"])).objects():
        published.take(entry.sha256, lab.store)
    files = [e for e in published.objects() if published.get_bytes(e.sha256)[:7] in (b"one fil", b"another")]
    assert len(files) == 2
    for entry in files:
        published.path_of(entry.sha256).unlink()
    states = {"down": "2 of 2 files are unavailable", "empty": "2 of 2 files are not here", "lying": "is damaged"}
    for name, told in states.items():
        report = verify(stranger, run, sources=[published.folder, sources[name]])
        assert told in " ".join(detail for _, detail in content(report).values())
        assert bool(report.unavailable) is (name == "down")
        assert report.verified is {"lying": False, "down": None, "empty": True}[name]


@pytest.mark.parametrize(("names", "code", "told"), [
    (("lying", "whole"), 0, "Verified"), (("down", "car"), 0, "Verified"), (("down",), 3, "Unavailable"),
    (("lying",), 1, "is damaged"), (("lying", "down"), 3, "Unavailable"), (("empty",), 1, "is not here"),
])  # fmt: skip
def test_the_verbs(
    lab: Lab, run: str, sources: dict[str, str], tmp_path: Path, names: tuple[str, ...], code: int, told: str
) -> None:
    (tmp_path / "r.yaml").write_text(f"schema: 1\nresults:\n - {{value: 0.93, record: {run}, metric: accuracy}}\n")
    options = ["--home", str(tmp_path / "home"), "--registry", lab.registry.address, "--chain-id", "77787"]
    options += [part for name in names for part in ("--from", sources[name])]
    rpc = {"BLOCKCHAINTRACER_RPC": lab.devnet.start().url}
    done = typed("check", str(tmp_path / "r.yaml"), *options, home=tmp_path, **rpc)
    assert done.returncode == code, done.stdout + done.stderr
    assert told in done.stdout
    done = typed("verify", run, *options, "--json", home=tmp_path, **rpc)
    # what no source has is unknown, and fails nothing
    assert done.returncode == (0 if names == ("empty",) else code), done.stdout + done.stderr
    assert json.loads(done.stdout)["verified"] is {0: True, 1: names == ("empty",), 3: None}[code]
    # a wrong claim is wrong, whatever else a source does
    if code == 0:
        (tmp_path / "r.yaml").write_text(f"schema: 1\nresults:\n - {{value: 0.5, record: {run}, metric: accuracy}}\n")
        done = typed("check", str(tmp_path / "r.yaml"), *options, home=tmp_path, **rpc)
        assert done.returncode == 1
        assert "the record says 0.9345" in done.stdout


@pytest.mark.parametrize("name", [*WRONG, *ABSENT, *DOWN, *WHOLE])
def test_the_store_tells_them_apart_as_well(
    lab: Lab, run: str, sources: dict[str, str], name: str, tmp_path: Path
) -> None:
    """So `reproduce`, `decrypt`, `record://` and all others that fetch do."""
    store = Store(tmp_path / "store")
    version = hashlib.sha256(Path(sources["whole"], VERSION_FILE).read_bytes()).hexdigest()
    for entry in Store(Path(sources["whole"])).objects():
        if entry.sha256 == version:
            continue
        if name in WHOLE:
            store.fetch(entry.sha256, [sources["empty"], sources[name]])
            store.verify(entry.sha256)
            continue
        error = NotVerified if name in WRONG else ChainUnavailable if name in DOWN else StoreError
        with pytest.raises(error) as caught:
            store.fetch(entry.sha256, [sources["empty"], sources[name]])
        assert type(caught.value) is error
        assert caught.value.exit_code == (1 if name in WRONG else 3 if name in DOWN else 2)
        assert not store.has(entry.sha256)


def test_whoever_reads_is_warned_of_a_wrong_source(lab: Lab, run: str, sources: dict[str, str], tmp_path: Path) -> None:
    digest = next(Store(Path(sources["whole"])).objects()).sha256
    with pytest.warns(SourceWarning, match=sources["damaged"]):
        Store(tmp_path / "store").fetch(digest, [sources["damaged"], sources["whole"]])
    (tmp_path / "file").write_bytes(b"on IPFS")
    tree = Tree.of(tmp_path / "file")
    with gateway(honest(tree)) as (good, _):
        with pytest.warns(SourceWarning, match=sources["lying"]):
            download(Address(tree.root(), (), (sources["lying"], good)), tmp_path / "got", limit=99)
        files = fsspec.filesystem("ipfs", gateways=[sources["lying"], good], skip_instance_cache=True)
        with pytest.warns(SourceWarning, match=sources["lying"]):
            assert files.cat_file(str(tree.root())) == b"on IPFS"
        variables = {"BLOCKCHAINTRACER_IPFS_GATEWAYS": f"{sources['lying']} {good}"}
        done = typed(
            "ipfs", "fetch", str(tree.root()), "-o", str(tmp_path / "two"), home=tmp_path / "home", **variables
        )
    assert done.returncode == 0, done.stderr
    assert f"warning: passed over: {sources['lying']}" in done.stderr
    assert ".py" not in done.stderr


def test_the_core_alone_takes_no_archive_for_an_empty_folder(sources: dict[str, str]) -> None:
    with FolderCopies([sources["car"], sources["nowhere"]]).find_copy("ab" * 32) as copy:
        assert copy.told == [f"{sources[name]} is no published folder" for name in ("car", "nowhere")]


def test_what_may_be_in_a_batch_is_open_while_its_source_is_down(stranger: Lab, sources: dict[str, str]) -> None:
    for name, verdict in (("down", Outcome.UNKNOWN), ("empty", Outcome.FAIL)):
        report = verify(stranger, "ab" * 32, sources=[sources[name]])
        assert next(check.verdict for check in report.checks if check.name == "recorded") is verdict
        assert bool(report.unavailable) is (name == "down")


def test_reports_and_scores_tell_them_apart(stranger: Lab, run: str, sources: dict[str, str]) -> None:
    for names, kind in (("down", ChainUnavailable), ("empty", StoreError), ("lying", NotVerified)):
        with pytest.raises(kind) as caught:
            Gatherer(stranger, [sources[names]]).required(run)
        assert type(caught.value) is kind
    assert Gatherer(stranger, [sources["lying"], sources["down"], sources["car"]]).required(run).manifest


def test_a_file_that_changes_while_it_is_copied_is_not_written(
    lab: Lab, run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = StoredCopies(lab.store)
    digest = lab.store.put_bytes(b"as it was recorded")
    content = Content((), (), copies)
    file = ExportedFile("a", digest, "content", run)
    assert content.copy(file, tmp_path / "good").read_bytes() == b"as it was recorded"
    monkeypatch.setattr("shutil.copyfile", lambda source, target: Path(target).write_bytes(b"as it is by then"))
    with pytest.raises(NotVerified, match="changed while"):
        content.copy(file, tmp_path / "bad")
    assert not (tmp_path / "bad" / "a").exists()
