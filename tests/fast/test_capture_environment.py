"""Capturing the software of a run without its secrets, and rebuilding it from a lock with real wheels."""

import base64
import hashlib
import importlib.metadata
import json
import re
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified
from blockchaintracer.lab.capture import environment
from blockchaintracer.lab.capture.environment import capture_environment, find_lock, rebuild_environment
from blockchaintracer.lab.capture.secret_masking import mask_arguments


def test_python_and_packages_are_those_that_run():
    found = capture_environment()
    assert json.loads(json.dumps(found)) == found
    assert found["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    told = {
        re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower(): distribution.version
        for distribution in reversed(list(importlib.metadata.distributions()))
    }
    assert found["packages"] == told
    assert list(found["packages"]) == sorted(found["packages"])
    assert found["conda"] is None


def test_packages_of_every_layout_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("First_Part.one-1.0.dist-info", "second-2.0-py3.11.egg-info", "third.egg-info"):
        (tmp_path / name).mkdir()
    (tmp_path / "third.egg-info/PKG-INFO").write_text("Metadata-Version: 2.1\nName: third\nVersion: 3.0\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / "missing.zip")])
    assert capture_environment()["packages"] == {"first-part-one": "1.0", "second": "2.0", "third": "3.0"}


def test_only_variables_that_change_results_are_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("TZ", "https://me:hunter2@host.example")
    found = capture_environment()
    assert found["variables"]["OMP_NUM_THREADS"] == "2"
    assert set(found["variables"]) <= set(environment.VARIABLES)
    assert "hunter2" not in json.dumps(found)


def test_the_blas_in_use_is_told():
    numpy = pytest.importorskip("numpy")
    assert numpy.ones(2).sum() == 2
    (library, *_) = capture_environment()["blas"]
    assert library["internal_api"]
    assert library["version"]
    assert "/" not in json.dumps(library)
    assert environment._numpy_blas(numpy)[0]["internal_api"]


def test_the_command_is_told_as_it_can_be_run_again(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg/__init__.py").write_text("")
    code = "import json; from blockchaintracer.lab.capture.environment import capture_environment as c; r = c()\n"
    code += "print(json.dumps([r['entryPoint'], r['arguments']]))\n"
    for name in ("sub/train.py", "pkg/__main__.py"):
        (tmp_path / name).write_text(code)

    def run(*command: str) -> list[object]:
        out = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout
        told: list[object] = json.loads(out)
        return told

    assert run("sub/train.py", "--epochs", "3", "--token=hunter2") == ["sub/train.py", ["--epochs", "3", "--token=***"]]
    assert run(str(tmp_path / "sub/train.py"))[0] == "sub/train.py"
    assert run("-m", "pkg", "x") == ["-m pkg", ["x"]]
    assert run("-c", code) == ["interactive", []]


def test_paths_do_not_tell_who(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/alice")
    found = capture_environment(arguments=["/home/alice/elsewhere/train.py", "--data=/home/alice/data"])
    assert (found["entryPoint"], found["arguments"]) == ("train.py", ["--data=~/data"])


@pytest.mark.parametrize(
    ("arguments", "masked"),
    [
        (["--token=hunter2"], ["--token=***"]),
        (["--password", "hunter2", "x"], ["--password", "***", "x"]),
        (["--wandb-api-key", "hunter2"], ["--wandb-api-key", "***"]),
        (["wandb.api_key=hunter2"], ["wandb.api_key=***"]),
        (["--db", "postgres://app:hunter2@db/x"], ["--db", "postgres://db/x"]),
        (["--db=https://hunter2@host/x?y"], ["--db=https://host/x?y"]),
        (["ghp_" + "a1" * 18], ["***"]),
        (["--auth", "--verbose", "x"], ["--auth", "--verbose", "x"]),
        (["--lr=0.1", "--max-tokens", "512", "--tokenizer=bert", "--author", "me"],) * 2,
    ],
)
def test_secrets_in_arguments_are_masked(arguments: list[str], masked: list[str]):
    assert mask_arguments(arguments) == masked


@pytest.fixture
def conda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    meta = tmp_path / "envs/gw/conda-meta"
    meta.mkdir(parents=True)
    monkeypatch.setenv("CONDA_PREFIX", str(meta.parent))
    return meta


def test_conda_is_told_without_tokens(conda: Path):
    entry = {"name": "numpy", "version": "1.26.4", "build": "py311_0", "subdir": "linux-64", "sha256": "ab" * 32}
    for number, channel in enumerate(
        ("https://conda.anaconda.org/conda-forge/linux-64", "https://me:hunter2@conda.example/t/tk-secret/lab/noarch")
    ):
        (conda / f"{number}.json").write_text(json.dumps(entry | {"name": f"p{number}", "channel": channel}))
    (conda / "broken.json").write_text("{")
    (conda / "history").write_text("")
    found = capture_environment()["conda"]
    assert found["name"] == "gw"
    assert found["channels"] == ["https://conda.anaconda.org/conda-forge", "https://conda.example/lab"]
    assert found["packages"][0] == {
        "package": "p0-1.26.4-py311_0",
        "channel": "https://conda.anaconda.org/conda-forge",
        "subdir": "linux-64",
        "sha256": "ab" * 32,
    }
    assert len(found["packages"]) == 2
    assert not re.search("hunter2|tk-secret", json.dumps(found))


def test_the_lock_is_told_by_its_digest(tmp_path: Path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("a==1\n")
    found = capture_environment(lock)
    assert found["lock"] == {"name": "requirements.lock", "sha256": hashlib.sha256(b"a==1\n").hexdigest()}
    with pytest.raises(InputError, match=r"missing\.lock"):
        capture_environment(tmp_path / "missing.lock")


def test_the_first_lock_that_can_be_used_is_found(tmp_path: Path):
    assert find_lock(tmp_path) is None
    requirements = tmp_path / "requirements.txt"
    for text in ("numpy>=1\n", "numpy\n", "a==1\nb\n", "a==1.*\n", "", "# none\n", "-e .\n"):
        requirements.write_text(text)
        assert find_lock(tmp_path) is None, text
    for text in (
        "a==1\nb[x]==2 ; python_version > '3'\n",
        f"# made\n--no-binary :all:\na==1 \\\n    --hash=sha256:{'a' * 64}\n",
    ):
        requirements.write_text(text)
        assert find_lock(tmp_path) == requirements, text
    for name in ("uv.lock", "requirements.lock", "pylock.toml"):
        (tmp_path / name).write_text("")
        assert find_lock(tmp_path) == tmp_path / name


def wheel(folder: Path, name: str) -> str:
    """A real wheel with one module; its SHA-256."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": f"VALUE = {name!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        record += f"{path},sha256={digest},{len(text)}\n"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for entry, text in (files | {f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}).items():
            archive.writestr(entry, text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(params=["uv", "pip"])
def installer(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Each installer with a folder of wheels as the only place to find packages."""
    if request.param == "uv" and not environment._uv():
        pytest.skip("uv is not installed")
    if request.param == "pip":
        monkeypatch.setattr(environment, "_uv", lambda: None)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for prefix in ("UV", "PIP"):
        monkeypatch.setenv(f"{prefix}_NO_INDEX", "1")
        monkeypatch.setenv(f"{prefix}_FIND_LINKS", str(wheels))
        monkeypatch.delenv(f"{prefix}_REQUIRE_HASHES", raising=False)
    # no file of this machine says otherwise
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return request.param


def test_an_environment_is_rebuilt_from_its_lock(installer: str, tmp_path: Path):
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"locked==1.0 \\\n    --hash=sha256:{wheel(tmp_path / 'wheels', 'locked')}\n")
    python = rebuild_environment(lock, tmp_path / "env")
    out = subprocess.run(
        [python, "-c", "import locked, sys; print(locked.VALUE, sys.prefix)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stdout.split() == ["locked", str(tmp_path / "env")]
    with pytest.raises(InputError, match="empty folder"):
        rebuild_environment(lock, tmp_path / "env")


def test_a_package_that_is_not_the_locked_one_is_refused(installer: str, tmp_path: Path):
    lock = tmp_path / "requirements.lock"
    wheel(tmp_path / "wheels", "locked")
    lock.write_text(f"locked==1.0 \\\n    --hash=sha256:{'0' * 64}\n")
    with pytest.raises(NotVerified, match="not the one that was locked"):
        rebuild_environment(lock, tmp_path / "env")
    assert not (tmp_path / "env").exists()


@pytest.mark.parametrize("installer", ["uv"], indirect=True)
def test_with_hashes_every_package_needs_one(installer: str, tmp_path: Path):
    lock = tmp_path / "requirements.lock"
    wheel(tmp_path / "wheels", "other")
    lock.write_text(f"locked==1.0 --hash=sha256:{wheel(tmp_path / 'wheels', 'locked')}\nother==1.0\n")
    with pytest.raises(InputError, match="can't be installed"):
        rebuild_environment(lock, tmp_path / "env")


@pytest.mark.parametrize("installer", ["uv"], indirect=True)
def test_a_package_that_does_not_exist_is_named(installer: str, tmp_path: Path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("locked==1.0\n")
    with pytest.raises(InputError, match="locked"):
        rebuild_environment(lock, tmp_path / "env")


def test_packages_out_of_reach_are_told_from_wrong_ones(
    installer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    lock = tmp_path / "requirements.lock"
    lock.write_text("locked==1.0\n")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://me:hunter2@127.0.0.1:{unused.getsockname()[1]}/simple"
        for prefix in ("UV", "PIP"):
            monkeypatch.delenv(f"{prefix}_NO_INDEX")
            monkeypatch.delenv(f"{prefix}_FIND_LINKS")
        for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
            monkeypatch.setenv(name, address)
        monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
        monkeypatch.setenv("PIP_RETRIES", "1")
        with pytest.raises(ChainUnavailable) as caught:
            rebuild_environment(lock, tmp_path / "env")
    assert "hunter2" not in str(caught.value)
    assert not (tmp_path / "env").exists()


def test_what_the_installer_says_is_told_without_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(environment, "_uv", lambda: None)
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho 'no such place: https://me:hunter2@host.example/simple' >&2; exit 1\n")
    script.chmod(0o755)
    (tmp_path / "requirements.lock").write_text("a==1\n")
    with pytest.raises(InputError, match=r"https://host\.example/simple") as caught:
        rebuild_environment(tmp_path / "requirements.lock", tmp_path / "env", python=script)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("installer", ["uv"], indirect=True)
def test_the_locks_of_uv_are_installed(installer: str, tmp_path: Path):
    wheel(tmp_path / "wheels", "locked")
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "p"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["locked"]\n'
    )
    uv = environment._uv()
    assert uv
    for command in (["lock"], ["export", "--format", "pylock.toml", "-o", "pylock.toml"]):
        subprocess.run([uv, *command], cwd=tmp_path, check=True, capture_output=True)
    for name in ("uv.lock", "pylock.toml"):
        python = rebuild_environment(tmp_path / name, tmp_path / f"env-{name}")
        subprocess.run([python, "-c", "import locked"], check=True)


def test_what_cannot_be_rebuilt_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(InputError, match="expected a lock file"):
        rebuild_environment(tmp_path / "missing", tmp_path / "env")
    lock = tmp_path / "requirements.lock"
    lock.write_text("a==1\n")
    with pytest.raises(InputError):
        rebuild_environment(lock, tmp_path / "env", python=tmp_path / "no-python")
    monkeypatch.setattr(environment, "_uv", lambda: None)
    (tmp_path / "pylock.toml").write_text("")
    with pytest.raises(InputError, match="expected uv"):
        rebuild_environment(tmp_path / "pylock.toml", tmp_path / "env")
    with pytest.raises(InputError, match="can't run"):
        rebuild_environment(lock, tmp_path / "env", python=tmp_path / "no-python")
