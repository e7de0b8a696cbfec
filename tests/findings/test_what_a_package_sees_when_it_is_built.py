"""A stranger's package was built with the variables, the files and the network of whoever rebuilt its environment."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.lab.capture import environment
from blockchaintracer.lab.capture.environment import rebuild_environment

pytestmark = pytest.mark.node

BACKEND = """
import json, os, socket, zipfile

def reach(what):
    try:
        return what()
    except OSError as error:
        return type(error).__name__

def build_wheel(out, *_):
    seen = {
        "variables": dict(os.environ),
        "key": reach(lambda: open(KEY).read()),
        "server": reach(lambda: str(socket.create_connection(("127.0.0.1", PORT), 5))),
    }
    info = "curious-1.0.dist-info"
    name = "curious-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(out, name), "w") as wheel:
        wheel.writestr("curious.py", "import json\\nSEEN = json.loads(%r)\\n" % json.dumps(seen))
        wheel.writestr(info + "/METADATA", "Metadata-Version: 2.1\\nName: curious\\nVersion: 1.0\\n")
        wheel.writestr(info + "/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "/RECORD", "")
    return name

build_editable = build_wheel
"""
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
PROJECT += '[project]\nname = "curious"\nversion = "1.0"\n'


class Place:
    """A folder of packages, a key, and a server of this machine."""

    def __init__(self, root: Path, port: int) -> None:
        self.root, self.packages, self.key = root, root / "packages", root / "home" / "key.json"
        self.backend = f"KEY, PORT = {str(self.key)!r}, {port}\n{BACKEND}"
        self.packages.mkdir()
        self.key.parent.mkdir()
        self.key.write_text("secret")

    def source(self, backend: str) -> str:
        """Add the source of a package; its SHA-256."""
        path = self.packages / "curious-1.0.tar.gz"
        described = "Metadata-Version: 2.1\nName: curious\nVersion: 1.0\n"
        with tarfile.open(path, "w:gz") as tar:
            for name, text in {"pyproject.toml": PROJECT, "backend.py": backend, "PKG-INFO": described}.items():
                entry = tarfile.TarInfo(f"curious-1.0/{name}")
                entry.size = len(text)
                tar.addfile(entry, io.BytesIO(text.encode()))
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def rebuilt(self, line: str, project: Path | None = None, **options: Any) -> dict[str, Any]:
        """Rebuild an environment of one line; what the build saw."""
        lock = self.root / "requirements.lock"
        lock.write_text(f"{line}\n")
        python = rebuild_environment(lock, self.root / "env", project=project, **options)
        code = "import curious, json; print(json.dumps(curious.SEEN))"
        seen: dict[str, Any] = json.loads(subprocess.run([python, "-c", code], check=True, capture_output=True).stdout)
        return seen


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    if not environment.find_uv():
        pytest.skip("uv is not installed")
    with socket.create_server(("127.0.0.1", 0)) as server:
        made = Place(tmp_path, server.getsockname()[1])
        monkeypatch.setenv("HOME", str(made.key.parent))
        monkeypatch.setenv("UV_NO_INDEX", "1")
        monkeypatch.setenv("UV_FIND_LINKS", str(made.packages))
        monkeypatch.setenv("UV_INDEX_LAB_PASSWORD", "secret")
        monkeypatch.setenv("BLOCKCHAINTRACER_RPC", "https://node.example/secret")
        yield made


@pytest.mark.parametrize("form", ["hashed", "pinned", "folder", "editable"])
def test_a_build_sees_nothing_of_whoever_installs(form: str, place: Place) -> None:
    digest, project = place.source(place.backend), place.root / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(PROJECT)
    (project / "backend.py").write_text(place.backend)
    lines = {"hashed": f"curious==1.0 --hash=sha256:{digest}", "pinned": "curious==1.0"}
    seen = place.rebuilt(lines.get(form, "-e ." if form == "editable" else "."), project)
    assert set(seen["variables"]) <= {"GIT_TERMINAL_PROMPT", "HOME", "LANG", "LC_CTYPE", "PATH", "PWD"}
    assert "secret" not in str(seen)
    assert (seen["key"], seen["server"]) == ("FileNotFoundError", "ConnectionRefusedError")


def test_without_the_sandbox_it_would_see_more(place: Place) -> None:
    place.source(place.backend)
    seen = place.rebuilt("curious==1.0", sandboxed=False)
    assert seen["key"] == "secret"
    assert "socket" in seen["server"]
    assert "secret" not in str(seen["variables"])


def test_a_build_may_be_given_the_network(place: Place) -> None:
    place.source(place.backend)
    assert "socket" in place.rebuilt("curious==1.0", build_network=True)["server"]


def test_whoever_sits_there_is_asked_once_a_build_failed_for_want_of_a_network(place: Place) -> None:
    """The error only named an option, after minutes; and nothing showed how an installation went on."""
    reaching = (
        "\n\ndef build_wheel(out, *_, plain=build_wheel):\n    socket.create_connection(('127.0.0.1', PORT), 5)\n"
    )
    place.source(f"{place.backend}{reaching}    return plain(out)\n")
    with pytest.raises(InputError, match="ConnectionRefusedError"):
        place.rebuilt("curious==1.0", build_network=lambda: False)
    asked: list[str] = []
    said: list[str] = []
    seen = place.rebuilt("curious==1.0", build_network=lambda: not asked.append("once"), say=said.append)
    assert (asked, "socket" in seen["server"]) == (["once"], True)
    told = "\n".join(said)
    assert "building curious-1.0.tar.gz" in told
    assert "ConnectionRefusedError" in told
    assert "Installed 1 package" in told


def test_a_source_that_is_not_the_locked_one_is_not_built(place: Place) -> None:
    place.source(place.backend)
    with pytest.raises(NotVerified):
        place.rebuilt(f"curious==1.0 --hash=sha256:{'0' * 64}")
    assert not (place.root / "env").exists()


def test_a_build_that_fails_is_told(place: Place) -> None:
    place.source("def build_wheel(out, *_): raise OSError('no network for you')")
    with pytest.raises(InputError, match="no network for you") as caught:
        place.rebuilt("curious==1.0")
    assert "--allow-build-network" in str(caught.value.hint)


def test_no_package_runs_while_another_is_installed(place: Place) -> None:
    """An installer asks the environment's Python about itself, which starts whatever a package left for its start."""
    started = place.root / "started"
    where = place.root / "made" / "bin"
    where.mkdir(parents=True)
    (where / "python").symlink_to("/usr/bin/true")
    (where.parent / "pyvenv.cfg").write_text("")
    packages = where.parent / "lib" / "python3" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "evil.pth").write_text(f"import pathlib; pathlib.Path({str(started)!r}).touch()\n")
    made = environment._starts(where.parent)
    with environment._asleep(where.parent, made):
        assert not list(packages.glob("*.pth"))
    assert (packages / "evil.pth").exists()
    (where / "python").unlink()
    (where / "python").symlink_to("/usr/bin/false")
    with pytest.raises(NotVerified, match="replaces the interpreter"), environment._asleep(where.parent, made):
        pass


@pytest.mark.parametrize("left", ["bin/pyvenv.cfg", "bin/python"])
def test_what_stands_beside_the_interpreter(left: str, tmp_path: Path) -> None:
    """Python reads its settings beside itself first: a package could name another standard library there."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to("/usr/bin/true")
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\n")
    made = environment._starts(tmp_path)
    with environment._asleep(tmp_path, made):
        pass
    (tmp_path / left).unlink(missing_ok=True)
    (tmp_path / left).write_text(f"home = {tmp_path}\n")
    with pytest.raises(NotVerified, match="replaces the interpreter"), environment._asleep(tmp_path, made):
        pass
