"""MLflow's store in a cloned repository names files anywhere: `mlflow import` kept and recorded ~/.ssh as the artifacts
of a run. A tracking server gave a file or a listing without end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import mlflow
import pytest

from blockchaintracer.core.errors import ChainUnavailable, InputError
from blockchaintracer.extras.mlflow_reader import answers, artifact_files
from blockchaintracer.extras.mlflow_reader.artifact_files import places_of
from blockchaintracer.extras.mlflow_reader.snapshot import Hide, files_at, get_run, require_places_of, take_snapshot
from tests.support.labs import holding, secret_file, shared_lab, typed
from tests.support.serving import serving

pytestmark = pytest.mark.node
LIST = "/api/2.0/mlflow-artifacts/artifacts"


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # the store that a repository can hold with the least of MLflow's work
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    (tmp_path / "clone").mkdir()
    (tmp_path / "private").mkdir()
    return tmp_path / "clone"


def planted(clone: Path, location: str, source: str | None = None) -> tuple[mlflow.MlflowClient, str]:
    """A run of a stranger's store that ended, with artifacts there and a dataset read from there."""
    client = mlflow.MlflowClient(f"file://{clone}/mlruns")
    run = client.create_run(client.create_experiment("planted")).info
    run_id, meta = run.run_id, clone / "mlruns" / run.experiment_id / run.run_id / "meta.yaml"
    meta.write_text(meta.read_text().replace(run.artifact_uri, location))
    if source:
        dataset = mlflow.entities.Dataset("data", "0", "local", json.dumps({"uri": source}))
        client.log_inputs(run_id, [mlflow.entities.DatasetInput(dataset)])
    client.set_terminated(run_id)
    return client, run_id


def test_an_id_that_the_store_does_not_have_is_told_with_its_newest_runs(clone: Path) -> None:
    """The first screen said `verify mlflow:RUN`, and nothing said which runs there are."""
    client, run_id = planted(clone, str(clone))
    with pytest.raises(InputError, match="MLflow has no run 'RUN'") as refused:
        get_run(client, "RUN")
    assert f"Its newest runs: {run_id} (" in str(refused.value.hint)


def places(tmp_path: Path) -> Iterator[str]:
    private = tmp_path / "private"
    yield from (
        f"file://{private}",
        str(private),
        f"file://{tmp_path}/clone/../private",
        f"file://{tmp_path}/clone/link",
    )
    yield f"{tmp_path}/clone/%2e%2e/private"
    yield from (
        "https://elsewhere.example/a",
        "mlflow-artifacts://elsewhere.example/a",
        "s3://bucket/private",
        "runs:/a/b",
    )


def test_a_run_that_names_files_elsewhere(clone: Path, tmp_path: Path) -> None:
    (clone / "link").symlink_to(tmp_path / "private")
    for number, location in enumerate(places(tmp_path)):
        (clone / str(number)).mkdir()
        client, run_id = planted(clone / str(number), location)
        run = take_snapshot(client, run_id, Hide(None))
        with pytest.raises(InputError, match="--files-in"):
            require_places_of(run, [clone])
    for source in (str(tmp_path / "private"), f"file://{clone}/../private", f"{clone}/link"):
        client, run_id = planted(clone / source.replace("/", "-"), f"file://{clone}/artifacts", source)
        with pytest.raises(InputError, match="private"):
            require_places_of(take_snapshot(client, run_id, Hide(None)), [clone])


def test_what_a_store_may_name_without_a_question(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert places_of(f"sqlite:///{clone}/mlflow.db") == places_of(f"file://{clone}/mlruns") == [clone]
    monkeypatch.setenv("HOME", str(clone))
    assert places_of(f"sqlite:///{clone}/mlflow.db") == [clone / "mlruns", clone / "mlartifacts"]
    monkeypatch.setenv("HOME", str(clone / "me"))
    assert places_of(str(clone / "mlruns")) == [clone / "mlruns", clone / "mlartifacts"]
    assert places_of("postgresql://host/db") == []
    client, run_id = planted(clone, f"file://{clone}/artifacts")
    require_places_of(take_snapshot(client, run_id, Hide(None)), [clone])


def test_nothing_private_is_kept(clone: Path, tmp_path: Path) -> None:
    content = secret_file(tmp_path / "private").read_bytes()
    client, run_id = planted(clone, f"file://{tmp_path}/private")
    with shared_lab(tmp_path) as lab:
        command = ("mlflow", "import", "--tracking-uri", client.tracking_uri)
        done = typed(*command, home=lab.home.path)
        assert done.returncode == 2
        assert f"{run_id} " in done.stdout + done.stderr
        assert "--files-in" in done.stdout + done.stderr
        assert not holding(lab.home.path, content)
        done = typed(*command, "--files-in", str(tmp_path / "private"), home=lab.home.path)
        assert done.returncode == 0, done.stderr
        assert holding(lab.home.path, content)


class Server(BaseHTTPRequestHandler):
    """A tracking server that gives `names` as its artifacts, folders at their ends with a '/'."""

    names: tuple[str, ...]

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        self.send_response(200)
        self.end_headers()
        try:
            if address.path == LIST:
                below = parse_qs(address.query)["path"][0].count("/")
                files = [{"path": name.strip("/"), "is_dir": name.endswith("/"), "file_size": 1} for name in self.names]
                self.wfile.write(json.dumps({"files": files if below < 300 else []}).encode())
                return
            while self.wfile.write(b"\0" * (1 << 16)):
                pass
        except OSError:
            pass

    def log_message(self, *arguments: object) -> None:
        pass


def opened(*names: str) -> None:
    with serving(type("Hostile", (Server,), {"names": names})) as uri, files_at("mlflow-artifacts:/1", uri):
        pass


class Endless(Server):
    """A tracking server whose answers, or pages of answers, have no end: `first` and then `more`, again and again."""

    first: bytes
    more: bytes = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(self.first)
            while self.more:
                self.wfile.write(self.more * (1 << 16))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()


@pytest.mark.parametrize(
    ("first", "more"),
    [(b'{"run": "', b"x"), (b'{"run": {"info": {"experiment_id": "1"}}, "next_page_token": "x", "models": []}', b"")],
)
def test_answers_without_end(first: bytes, more: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "ANSWER_LIMIT", 1 << 16)
    with serving(type("Hostile", (Endless,), {"first": first, "more": more})) as uri:
        client = mlflow.MlflowClient(uri)
        with pytest.raises(InputError, match="at most 65,536 bytes"):
            take_snapshot(client, "0" * 32, Hide(None))
        # what the program itself asks of its server is its own
        if not more:
            assert client.get_run("0" * 32).info.experiment_id == "1"


def test_a_file_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifact_files, "FETCH_LIMIT", 3 << 20)
    with pytest.raises(InputError, match="at most 3145728 bytes"):
        opened("weights.bin")
    # a limit still: were the time not kept, the disk would be full
    monkeypatch.setattr(artifact_files, "FETCH_LIMIT", 1 << 30)
    monkeypatch.setattr(artifact_files, "_BLOCK_S", 0)
    with pytest.raises(ChainUnavailable, match="not more in 0 s"):
        opened("weights.bin")


def test_a_folder_without_end() -> None:
    with pytest.raises(InputError, match="64 deep"):
        opened("deeper/")


def test_names_that_mlflow_does_not_tell_apart() -> None:
    # the client decodes what it lists: both are listed as 'a b.csv'
    for names in (("a b.csv", "a%20b.csv"), ("a b.csv", quote(quote("a b.csv"))), ("a?b.csv",)):
        with pytest.raises(InputError, match="tells apart"):
            opened(*names)
