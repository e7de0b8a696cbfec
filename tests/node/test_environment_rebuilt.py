"""Environments as pip and uv rebuild them from a lock."""

import base64
import hashlib
import json
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from blockchaintracer.core.errors import ChainUnavailable, InputError, NotVerified
from blockchaintracer.lab.capture import environment
from blockchaintracer.lab.capture.environment import rebuild_environment


def test_the_command_is_told_as_it_can_be_run_again(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg/__init__.py").write_text("")
    code = "import json, pathlib; from blockchaintracer.lab.capture.program import command_line\n"
    code += "print(json.dumps(command_line(pathlib.Path.cwd())))\n"
    for name in ("sub/train.py", "pkg/__main__.py"):
        (tmp_path / name).write_text(code)

    def run(*command: str) -> list[str] | None:
        out = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout
        line = json.loads(out)
        return line and line[1:]

    assert run("sub/train.py", "--epochs", "3") == ["sub/train.py", "--epochs", "3"]
    assert run(str(tmp_path / "sub/train.py")) == ["sub/train.py"]
    assert run("-m", "pkg", "x") == ["-m", "pkg", "x"]
    assert run("-c", code) is None


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
    if request.param == "uv" and not environment.find_uv():
        pytest.skip("uv is not installed")
    if request.param == "pip":
        monkeypatch.setattr(environment, "find_uv", lambda: None)
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
    monkeypatch.setattr(environment, "find_uv", lambda: None)
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
    uv = environment.find_uv()
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
    monkeypatch.setattr(environment, "find_uv", lambda: None)
    (tmp_path / "uv.lock").write_text("")
    with pytest.raises(InputError, match="expected uv"):
        rebuild_environment(tmp_path / "uv.lock", tmp_path / "env")
    wheels = f'wheels = [{{url = "https://host.example/a.whl", hashes = {{sha256 = "{"0" * 64}"}}}}]'
    (tmp_path / "pylock.toml").write_text(f'[[packages]]\nname = "a"\n{wheels}\n')
    with pytest.raises(InputError, match="expected uv"):
        rebuild_environment(tmp_path / "pylock.toml", tmp_path / "env")
    with pytest.raises(InputError, match="can't run"):
        rebuild_environment(lock, tmp_path / "env", python=tmp_path / "no-python")


@pytest.mark.parametrize(
    "lines",
    [
        "-e .",
        "./evil",
        "evil @ git+https://evil.example/evil",
        "evil @ file:///tmp/evil",
        "https://evil.example/evil.whl",
        "-r other.txt",
        "--find-links /tmp\nlocked==1.0",
        "--index-url https://evil.example/simple\nlocked==1.0",
        "--no-binary :all:\nlocked==1.0",
        "locked",
        "locked>=1.0",
    ],
)
def test_a_lock_names_packages_and_no_place(installer: str, tmp_path: Path, lines: str):
    """A lock could install a folder of this machine, or whatever another index had under the name."""
    lock = tmp_path / "requirements.lock"
    wheel(tmp_path / "wheels", "locked")
    lock.write_text(f"{lines}\n")
    with pytest.raises(InputError, match="packages of a version each"):
        rebuild_environment(lock, tmp_path / "env")
    assert not (tmp_path / "env").exists()


def test_another_index_may_be_named_beside_hashes(tmp_path: Path):
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"--extra-index-url https://wheels.example/cpu\nlocked==1.0 --hash=sha256:{'0' * 64}\n")
    environment._require_packages(lock.read_text())


@pytest.mark.parametrize("kind", ["vcs", "directory", "archive"])
def test_a_pylock_names_no_place_either(tmp_path: Path, kind: str):
    lock = tmp_path / "pylock.toml"
    lock.write_text(f'lock-version = "1.0"\n[[packages]]\nname = "evil"\n{kind} = {{path = "."}}\n')
    with pytest.raises(InputError, match=r"evil|version each in the lock, got '"):
        rebuild_environment(lock, tmp_path / "env")


def test_nothing_of_the_working_folder_takes_part(installer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`python -m venv` took modules from the working folder, and uv its settings."""
    work = tmp_path / "work"
    work.mkdir()
    for module in ("venv", "ensurepip", "pip", "json"):
        (work / f"{module}.py").write_text(f"open({str(tmp_path / 'planted')!r}, 'w')\n")
    (work / "uv.toml").write_text('no-index = "neither true nor false"\n')
    monkeypatch.delenv("UV_NO_CONFIG")
    monkeypatch.chdir(work)
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"locked==1.0 --hash=sha256:{wheel(tmp_path / 'wheels', 'locked')}\n")
    assert rebuild_environment(lock, tmp_path / "env").exists()
    assert not (tmp_path / "planted").exists()
