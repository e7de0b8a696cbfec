"""What programs that are really started read, and what of it no record holds."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from blockchaintracer.core.manifest import Reads
from blockchaintracer.lab.capture.git import capture_git
from blockchaintracer.lab.capture.reads import Observation, Seen, undeclared

PROGRAM = """
import os, subprocess, sys
import helper
open("../data/wine.csv").read()
open("ignored.csv").read()
open("made.csv", "w").write("1")
open("made.csv").read()
open("/etc/hostname").read()
os.chdir("..")
open("data/moved.csv").read()
"""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    root.mkdir()
    (tmp_path / "data").mkdir()
    for name in ("wine", "moved", "child", "fork", "spawn", "stdin", "exec"):
        (tmp_path / "data" / f"{name}.csv").write_text("1\n")
    (root / "train.py").write_text(PROGRAM)
    (root / "helper.py").write_text("import random\n")
    (root / "child.py").write_text("import sys\nopen(sys.argv[1]).read()\n")
    (root / "ignored.csv").write_text("1\n")
    (root / ".gitignore").write_text("*.csv\n__pycache__\n")
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@lab.example"]
    for arguments in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "one")):
        subprocess.run([*git, *arguments], cwd=root, check=True)
    return root


def observed(root: Path, *command: str, given: str = "", **more: str) -> Seen:
    observation = Observation(root.parent / "reads")
    environment = {"PATH": os.environ["PATH"], "HOME": str(root.parent), **more}
    variables = observation.variables(environment)
    subprocess.run(command, cwd=root, check=True, env=variables, input=given, text=True, timeout=120)
    return observation.seen()


def reads(root: Path, *command: str, declared: tuple[Path, ...] = (), given: str = "") -> Reads:
    return undeclared(observed(root, *command, given=given), root, capture_git(root), declared).reads


def test_what_lies_outside_of_commit_inputs_and_environment_is_named(repo: Path):
    found = reads(repo, sys.executable, "train.py", declared=(repo.parent / "data" / "moved.csv",))
    assert found == Reads(
        processes=1, files=("ignored.csv", "…/wine.csv"), file_count=2, code=("helper.py", "train.py")
    )
    # a second run reads the compiled helper
    assert "__pycache__" in {path.name for path in repo.iterdir()}
    (repo.parent / "reads").rename(repo.parent / "before")
    assert reads(repo, sys.executable, "train.py", declared=(repo.parent / "data",)).code == ("helper.py", "train.py")


CHILDREN = f"""
import multiprocessing, os, subprocess, sys

def read(name):
    open(name).read()
    return os.getpid()

if __name__ == "__main__":
    assert "PYTHONPATH" not in os.environ and "sitecustomize" not in sys.modules
    assert not any(place.endswith("/reads") for place in sys.path)
    subprocess.run([sys.executable, "child.py", "../data/child.csv"], check=True, env={{"A": "1"}})
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            pool.map(read, [f"../data/{{method}}.csv"])
    subprocess.run([sys.executable], input="open('../data/stdin.csv')", text=True, check=True)
    subprocess.run(["true"], check=True)
    subprocess.run([sys.executable, "-I", "child.py", "child.py"], check=True)
    os.environ["PYTHONPATH"] = "elsewhere"
    os.execve({sys.executable!r}, ["python", "child.py", "../data/exec.csv"], dict(os.environ))
"""


def test_each_python_that_a_program_starts_is_seen_and_what_cannot_be_is_named(repo: Path):
    (repo / "train.py").write_text(CHILDREN)
    found = reads(repo, "bash", "-c", f"{sys.executable} train.py && cat < child.py > made.txt")
    assert found.files == tuple(f"…/{name}.csv" for name in ("child", "exec", "fork", "spawn", "stdin"))
    assert found.processes >= 6
    assert found.programs == (Path(sys.executable).name, "true")
    assert found.code == ("child.py", "train.py")


def test_the_program_sees_nothing_of_it(repo: Path):
    """The environment's own `sitecustomize` is imported, and what PYTHONPATH held is there."""
    place = repo.parent / "python"
    venv.create(place, symlinks=True)
    [packages] = place.glob("lib/*/site-packages")
    (packages / "sitecustomize.py").write_text("OURS = 1\n")
    (repo / "modules").mkdir()
    look = "import os, sys; print(sys.path, dict(os.environ), sorted(sys.modules), sys.modules['sitecustomize'].OURS)"
    (repo / "look.py").write_text(look)
    command = [str(place / "bin" / "python"), "look.py"]
    for variables in ({}, {"PYTHONPATH": str(repo / "modules")}, {"PYTHONPATH": ""}):
        environment = {"PATH": os.environ["PATH"], **variables}
        observation = Observation(repo.parent / f"reads{len(os.listdir(repo.parent))}")
        told = [
            subprocess.run(command, cwd=repo, env=given, check=True, capture_output=True, text=True)
            for given in (environment, observation.variables(environment))
        ]
        words = [set(one.stdout.replace("'", " ").replace(",", " ").split()) for one in told]
        # what writes the records; a program sees no name of it, and no place
        assert words[1] - words[0] <= {"mmap", "_posixsubprocess"}
        assert told[1].stderr == ""
        assert observation.seen().processes == 1


def test_hosts_and_addresses_are_named_without_what_may_be_secret(repo: Path):
    (repo / "train.py").write_text(
        "import socket, urllib.request\n"
        "def refused(*given, **more): raise OSError\n"
        "socket.socket.connect = refused\n"
        "real, socket.getaddrinfo = socket.getaddrinfo, refused\n"
        "for host in ('data.invalid', 'localhost', '127.0.0.1', socket.gethostname()):\n"
        "    try: real(host, 80)\n"
        "    except OSError: pass\n"
        "import http.client\n"
        "for kind, host in (('HTTPSConnection', 'a.invalid'), ('HTTPConnection', 'b.invalid:81')):\n"
        "    connection = getattr(http.client, kind)(host)\n"
        "    connection.sock = type('Sink', (), {'sendall': lambda self, data: None, 'close': lambda self: None})()\n"
        "    connection.request('GET', '/wine.csv?token=hunter2')\n"
    )
    found = reads(repo, sys.executable, "train.py")
    assert found.addresses == ("data.invalid", "http://b.invalid:81/wine.csv", "https://a.invalid/wine.csv")


def test_many_files_of_a_folder_are_named_together(repo: Path):
    (repo / "train.py").write_text("for number in range(9): open(f'../data/{number}.png').close()\n")
    for number in range(9):
        (repo.parent / "data" / f"{number}.png").touch()
    found = reads(repo, sys.executable, "train.py")
    assert (found.files, found.file_count) == (("…/data/ (9 files)",), 9)
