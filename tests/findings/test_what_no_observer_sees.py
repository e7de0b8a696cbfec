"""What a run depends on and its record does not hold is known when it is recorded, and refutes nothing later.

Settings of the author's shell, files that a shell pipeline read, packages that the lock lacks, the time zone of the
machine and the rows on standard input each made an honest run NotReproduced.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from blockchaintracer.lab.capture import interpreter, reads, unseen
from blockchaintracer.lab.capture.unseen import told_of
from blockchaintracer.lab.capture.used_packages import loaded_packages, named_packages, with_needs
from tests.fast.test_made_lock import install

pytestmark = pytest.mark.fast


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root, tools = tmp_path / "repo", tmp_path / "tools"
    root.mkdir()
    tools.mkdir()
    for name in ("Rscript", "bash", "awk", "wc", "make", "python"):
        (tools / name).write_text("a program\n")
        (tools / name).chmod(0o755)
    (tmp_path / "rows.csv").write_text("1\n")
    (root / "ignored.csv").write_text("1\n")
    monkeypatch.setenv("PATH", str(tools))
    return root


@pytest.mark.parametrize(
    ("text", "paths", "unknown"),
    [
        ("# Rscript\nset -e\nawk '{ n += $1 } END { print n }' held.csv > \"$1\"\n", (), ()),
        ("wc -l < {beside}/rows.csv\n", ("rows.csv",), ()),
        ("wc -l ../rows.csv\n", ("rows.csv",), ()),
        ("for f in *.csv; do wc $f; done\n", ("ignored.csv",), ()),
        ("X=1 Rscript fit.R\n", (), ("Rscript",)),
        ("if true; then time Rscript fit.R; fi\n", (), ("Rscript",)),
        ("n=$(Rscript fit.R)\n", (), ("Rscript",)),
        ("R=Rscript\n$R fit.R\n", (), ("R", "Rscript")),
        ("source settings\n", (), ("source",)),
        ("source .venv/bin/activate\npython fit.py\n", (), ()),
        ("python -I fit.py\n", (), ("python",)),
        ("PYTHONPATH=src python fit.py\n", (), ("python",)),
        ("PYTHONPATH=src:$PYTHONPATH python fit.py\n", (), ()),
    ],
)
def test_what_the_text_of_a_script_tells(
    text: str, paths: tuple[str, ...], unknown: tuple[str, ...], repo: Path
) -> None:
    (repo / "run.sh").write_text(text.format(beside=repo.parent) if "{beside}" in text else text)
    (repo / "held.csv").write_text("1\n")
    held = {"run.sh", "held.csv"}
    told = told_of([("bash", "run.sh", "out.txt")], repo, repo, held)
    names = {os.path.basename(path) for path in told.paths if os.path.relpath(path, repo) not in held}
    assert (names, told.unknown) == ({*paths}, {*unknown})
    assert "bash" in told.tools


def test_a_pattern_walks_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that named /*/*/*/* had every folder of the machine read: only matches were counted."""
    for folder in range(30):
        (tmp_path / f"{folder}").mkdir()
        for file in range(10):
            (tmp_path / f"{folder}" / f"{file}.csv").write_text("1")
    assert len([*unseen._matches(f"{tmp_path}/*/[1-3].csv")]) == 90
    assert [*unseen._matches(f"{tmp_path}/7/*.txt")] == []
    monkeypatch.setattr(unseen, "_MOST_ENTRIES", 100)
    assert len([*unseen._matches(f"{tmp_path}/*/*.csv")]) == 70


def test_what_a_makefile_builds_is_read_from_its_source(repo: Path) -> None:
    (repo / "Makefile").write_text("out: count.c\n\t$(CC) -o count count.c && ./count > out\n")
    (repo / "count.c").write_text(
        f'#include <stdio.h>\nint main() {{ return !fopen("{repo.parent}/rows.csv", "r"); }}\n'
    )
    told = told_of([("make", "out")], repo, repo, {"Makefile", "count.c"})
    assert str(repo.parent / "rows.csv") in told.paths
    assert told.unknown == set()


@pytest.mark.parametrize(
    ("command", "unknown"),
    [
        (("python", "fit.py"), ()),
        (("python", "-I", "fit.py"), ("python",)),
        (("Rscript", "fit.R"), ("Rscript",)),
        (("env", "-i", "python", "fit.py"), ("python",)),
        (("git", "rev-parse", "HEAD"), ()),
    ],
)
def test_what_a_command_tells(command: tuple[str, ...], unknown: tuple[str, ...], repo: Path) -> None:
    assert told_of([command], repo, repo, set()).unknown == {*unknown}


def test_variables_are_named_and_their_values_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fit.py").write_text('import os\nseed = os.environ.get("FIT_SEED", 7)\nzone = os.environ.get("TZ")\n')
    (tmp_path / "modules").mkdir()
    for name in ("PYTHONOPTIMIZE", "PYTHONPATH", "FIT_SEED", "TZ"):
        monkeypatch.setenv(name, "8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))
    assert reads.set_variables(tmp_path, ["fit.py"]) == {"FIT_SEED", "PYTHONOPTIMIZE"}
    loaded = [str(tmp_path / "modules" / "helper.py")]
    assert "PYTHONPATH" in reads.set_variables(tmp_path, ["fit.py"], (), loaded)
    assert "PYTHONPATH" not in reads.set_variables(tmp_path, ["fit.py"], (), loaded, (f"{tmp_path}/modules/",))
    monkeypatch.delenv("FIT_SEED")
    assert "FIT_SEED" not in reads.set_variables(tmp_path, ["fit.py"])


@pytest.mark.parametrize(("program", "named"), [("make", ("MAKEFLAGS",)), ("true", ())])
def test_what_make_sets_for_what_it_starts_is_only_told_of_another_make(
    program: str, named: tuple[str, ...], repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAKEFLAGS", "SEED=8")
    seen = reads.Seen(0, frozenset(), frozenset(), (), frozenset(), frozenset(), frozenset(), since_ns=0)
    assert reads.undeclared(seen, repo, None, [], command=[program]).reads.variables == named


def test_the_time_zone_is_that_of_the_machine_if_no_variable_says_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setattr(interpreter.os.path, "realpath", lambda path: "/usr/share/zoneinfo/Asia/Tokyo")
    monkeypatch.setattr(interpreter.os.path, "exists", lambda path: True)
    assert interpreter._time_zone() == {"TZ": "Asia/Tokyo"}
    monkeypatch.setattr(interpreter.os.path, "exists", lambda path: False)
    assert interpreter._time_zone() == {"TZ": "UTC"}


def test_standard_input_of_a_program_that_records_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tmp_path / "rows"
    rows.write_text("a\nb\n")
    kept = os.dup(0)
    try:
        for size, files in ((0, ()), (2, ("standard input",))):
            descriptor = os.open(rows, os.O_RDONLY)
            os.read(descriptor, size)
            os.dup2(descriptor, 0)
            os.close(descriptor)
            assert reads.reads_of_this(tmp_path, ["numpy"]).files == files
        into, out = os.pipe()
        os.dup2(into, 0)
        assert reads.reads_of_this(tmp_path, []).files == ()
        (tmp_path / "fit.py").write_text("import sys\nrows = sys.stdin.read()\n")
        monkeypatch.setattr(sys, "modules", {"fit": type(sys)("fit")})
        sys.modules["fit"].__file__ = str(tmp_path / "fit.py")
        assert reads.reads_of_this(tmp_path, []).files == ("standard input",)
        os.close(into)
        os.close(out)
    finally:
        os.dup2(kept, 0)
        os.close(kept)


def test_the_packages_that_a_run_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock of an interpreter with hundreds of packages was made of all of them."""
    site = tmp_path / ".venv" / "lib" / "python3.12" / "site-packages"
    needed = {"fitting": ("numpy>=2", "plots; extra == 'all'")}
    for name in ("numpy", "fitting", "plots", "other"):
        info = install(site, name, "1.0", f"name = {name!r}\n")
        lines = "".join(f"Requires-Dist: {one}\n" for one in needed.get(name, ()))
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{lines}\nText\n")
    installed = {name: info for name, (_, info) in interpreter.packages_in([str(site)]).items()}
    opened = [str(site / "__pycache__" / "fitting.cpython-312.pyc"), str(site / "other-1.0.dist-info" / "METADATA")]
    assert loaded_packages(opened, installed, {}) == {"fitting"}
    assert with_needs({"fitting", "absent"}, installed) == {"fitting", "numpy"}
    # what lies in the environment of a project is not the project's own
    origin = {"url": tmp_path.as_uri(), "dir_info": {"editable": True}}
    assert loaded_packages(opened, installed, {"plots": origin}) == {"fitting"}
    assert loaded_packages([str(tmp_path / "src" / "x.py")], installed, {"plots": origin}) == {"plots"}
    (tmp_path / "requirements.txt").write_text("Plots\n")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "study"\ndependencies = ["other[all]>=1"]\n')
    assert named_packages(tmp_path / "requirements.txt", [tmp_path]) == {"plots", "study", "other"}
