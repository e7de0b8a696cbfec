"""The rubric as data, what documents it, and the checks that read files."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import rfc8785

from blockchaintracer.cli import load
from blockchaintracer.extras.score.data_rows import Table, Unreadable, read_split
from blockchaintracer.extras.score.entry_point import entry_file, generators, is_inline
from blockchaintracer.extras.score.item_checks import CAPS, CHECKS
from blockchaintracer.extras.score.score_report import load_rubric
from blockchaintracer.extras.score.verb_score import commands_in
from blockchaintracer.lab.capture.locks import unhashed
from tests.support.labs import ROOT

FILE = ROOT / "blockchaintracer" / "extras" / "score" / "rubric-1.json"
PUBLISHED = "b3b348071838888c5d1b6e1733dd872fc26458b4ab71335baec2715810b42f07"


def test_weights_sum_to_100_and_every_item_and_cap_is_checked():
    rubric = load_rubric()
    assert sum(item.weight for item in rubric.items) == 100
    assert [item.id for item in rubric.items] == [*CHECKS]
    assert [cap.id for cap in rubric.caps] == [*CAPS]
    assert {cap.id: cap.limit for cap in rubric.caps} == {"no-data-digest": 60, "no-commit": 50}


def test_a_remedy_that_is_a_command_is_shown_as_it_is_typed():
    run = "0x" + "3f8a22c1" * 8
    commands = [command for item in load_rubric().items for command in commands_in(item.remedy, run)]
    assert "PYTHONHASHSEED=0 blockchaintracer record -- PROGRAM" in commands
    assert "blockchaintracer score 0x3f8a22c13f --from FOLDER" in commands
    assert len(commands) == 19
    assert not [command for command in commands if re.search(r"…|\||\bID\b", command)]
    for command in commands:
        words = command.removeprefix("PYTHONHASHSEED=0 ").split()
        if words[0] == "blockchaintracer":
            load(words[1]).make_context(words[1], words[2:], resilient_parsing=True)


def test_a_published_rubric_is_never_edited():
    assert hashlib.sha256(rfc8785.dumps(json.loads(FILE.read_bytes()))).hexdigest() == PUBLISHED
    assert load_rubric(1).digest == PUBLISHED


def test_the_page_has_every_item_with_its_weight_and_sources():
    page = (ROOT / "docs" / "score.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    wanted = [
        f"| `{item.id}` | {item.title} | {item.weight} | {', '.join(item.source)} |" for item in load_rubric().items
    ]
    assert [row[: len(want)] for row, want in zip(rows, wanted, strict=True)] == wanted
    assert "No study shows that the score predicts reproduction." in page
    assert PUBLISHED in page


# -- rows


def table(tmp_path: Path, name: str, text: str) -> Table:
    path = tmp_path / name
    path.write_text(text)
    return Table(path, name)


def test_rows_of_csv_are_equal_by_cells(tmp_path):
    one = table(tmp_path, "a.csv", 'x,y\n1,"a"\n\n2,b\n')
    other = table(tmp_path, "b.csv", "x,y\r\n1,a\r\n3,b\r\n")
    assert [row in [*other.rows(header=True)] for row in one.rows(header=True)] == [True, False]
    assert one.layout() == other.layout() == "2 columns"
    assert one.first_line() == ["x", "y"]
    tabs = table(tmp_path, "c.tsv", "x\ty\n1\ta\n")
    assert next(tabs.rows(header=True)) in [*one.rows()]


@pytest.mark.parametrize("dtype", ["<f8", ">i4", "|u1", "<U3", "|b1"])
def test_rows_of_npy_are_those_of_numpy(tmp_path, dtype):
    values = np.arange(12).reshape(4, 3).astype(dtype)
    for name, array in (("a.npy", values), ("b.npy", values[[2, 0]]), ("c.npy", values[:, 0])):
        np.save(tmp_path / name, array)
    one, other, flat = (Table(tmp_path / name, name) for name in ("a.npy", "b.npy", "c.npy"))
    rows = [*one.rows()]
    assert [*other.rows()] == [rows[2], rows[0]]
    assert one.layout() == other.layout() != flat.layout()
    assert len([*flat.rows()]) == 4
    assert one.first_line() is None


def test_what_cannot_be_compared_is_unreadable(tmp_path):
    np.save(tmp_path / "f.npy", np.asfortranarray(np.ones((3, 2))))
    np.save(tmp_path / "o.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    np.save(tmp_path / "cut.npy", np.ones((3, 2)))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "cut.npy").read_bytes()[:-1])
    (tmp_path / "bad.npy").write_bytes(b"\x93NUMPY\x01\x00\x05\x00[][][")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    (tmp_path / "bytes.csv").write_bytes(b"a,\xff\n")
    for name in ("f.npy", "o.npy", "cut.npy", "bad.npy", "picture.png", "bytes.csv"):
        with pytest.raises(Unreadable):
            [*Table(tmp_path / name, name).rows()]


def test_parquet_is_read_with_pyarrow_and_else_unreadable(tmp_path):
    path = tmp_path / "a.parquet"
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        path.write_bytes(b"PAR1")
        with pytest.raises(Unreadable, match="pyarrow"):
            [*Table(path, "a").rows()]
        return
    pyarrow.parquet.write_table(pyarrow.table({"x": [1, 2, 1], "y": ["a", "b", "a"]}), path)
    rows = [*Table(path, "a").rows()]
    assert (rows[0] == rows[2], rows[0] == rows[1]) == (True, False)
    assert Table(path, "a").layout() == "Parquet ['x', 'y']"
    path.write_bytes(b"PAR1PAR1")
    with pytest.raises(Unreadable):
        [*Table(path, "a").rows()]


@pytest.mark.parametrize(
    "text", ["", "[]", '{"train": [1]}', '{"train": [], "test": [1]}', '{"train": [1], "test": [-1]}', '{"train": 1}']
)
def test_a_split_is_row_numbers_on_two_sides(tmp_path, text):
    (tmp_path / "split.json").write_text(text)
    with pytest.raises(Unreadable):
        read_split(tmp_path / "split.json")
    (tmp_path / "split.json").write_text('{"train": [0, 2], "test": [1], "header": false}')
    assert read_split(tmp_path / "split.json") == {"train": [0, 2], "test": [1], "header": False}


# -- lock files


DIGEST = "a" * 64


def test_a_lock_is_pinned_by_hash_only_if_every_package_is():
    hashed = f"--hash=sha256:{'a' * 64}"
    assert unhashed("requirements.txt", f"# x\na==1 \\\n    {hashed}\nb==2 {hashed}\n".encode()) == (2, [])
    assert unhashed("requirements.lock", f"--index-url https://x\na==1 {hashed}\nb[c]==2\n".encode()) == (2, ["b"])
    assert unhashed("requirements.lock", b"") == (0, [])
    pylock = 'lock-version = "1.0"\n[[packages]]\nname = "a"\nwheels = [{hashes = {sha256 = "HASH"}}]\n'.replace(
        "HASH", "a" * 64
    )
    assert unhashed("pylock.toml", pylock.encode()) == (1, [])
    assert unhashed("pylock.toml", (pylock + '[[packages]]\nname = "b"\nvcs = {url = "x"}\n').encode()) == (2, ["b"])
    uv = '[[package]]\nname = "a"\nsource = {registry = "x"}\nsdist = {hash = "sha256:HASH"}\n'.replace(
        "HASH", "a" * 64
    )
    own = '[[package]]\nname = "me"\nsource = {editable = "."}\n'
    assert unhashed("uv.lock", (uv + own).encode()) == (1, [])
    assert unhashed("uv.lock", (uv + '[[package]]\nname = "b"\nsource = {git = "x"}\n').encode()) == (2, ["b"])
    assert unhashed("uv.lock", b"not toml") is None
    assert unhashed("uv.lock", b"\xff") is None


def test_the_locks_of_this_project_are_pinned():
    for name in ("bootstrap.txt", "dev.txt"):
        count, without = unhashed(name, (ROOT / "locks" / name).read_bytes()) or (0, ["unread"])
        assert count > 1
        assert without == []


# -- code


def test_the_entry_is_a_file_of_the_code_alone(tmp_path):
    code, outside = tmp_path / "code", tmp_path / "outside.py"
    (code / "package").mkdir(parents=True)
    for file in (code / "train.py", code / "package" / "__main__.py", code / "package" / "fit.py", outside):
        file.write_text("")
    assert entry_file(["python", "-u", "train.py"], code, code) == code / "train.py"
    assert entry_file(["python", "-m", "package.fit"], code, code) == code / "package" / "fit.py"
    assert entry_file(["python", "-m", "package"], code, code) == code / "package" / "__main__.py"
    assert entry_file(["./train.py"], code, code) == code / "train.py"
    for command in (["python", "../outside.py"], ["python", str(outside)], ["python", "-m", "os.path"], ["make", "\0"]):
        assert entry_file(command, code, code) is None
    assert is_inline(["python3", "-c", "print()"])
    assert not is_inline(["python", "train.py", "-c"])


def test_generators_are_those_that_the_script_and_its_own_modules_import(tmp_path):
    (tmp_path / "tools").mkdir()
    (tmp_path / "train.py").write_text("import json, tools.noise\n")
    (tmp_path / "tools" / "noise.py").write_text("from . import deep\n")
    (tmp_path / "tools" / "deep.py").write_text("def f():\n    import torch.nn\n    from sklearn import svm\n")
    (tmp_path / "unused.py").write_text("import jax, random\n")
    assert generators(tmp_path / "train.py", tmp_path, tmp_path) == {"torch", "numpy"}
    (tmp_path / "tools" / "deep.py").write_text("def")
    assert generators(tmp_path / "train.py", tmp_path, tmp_path) is None
    (tmp_path / "run.sh").write_text("python train.py")
    assert generators(tmp_path / "run.sh", tmp_path, tmp_path) is None
