"""What the pages of docs/ tell to type and to run, typed and run one after the other in one lab."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from string import Template
from threading import Event, Thread
from typing import Any

import pytest
from click.testing import CliRunner

from blockchaintracer import MLTracer
from blockchaintracer.cli import main
from blockchaintracer.lab.lab import Lab
from tests.node.test_privacy_docs import Shell, commands
from tests.support.labs import ROOT

_PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
TRAIN = """
import json, os, pathlib, sys
rows = pathlib.Path(sys.argv[2]).read_text().splitlines()
out = pathlib.Path(sys.argv[4])
out.mkdir()
(out / "model.json").write_text(json.dumps(len(rows)))
document = {"schema": 1, "name": "cells", "metrics": {"cells": len(rows) - 1},
            "outputs": [{"path": str(out.resolve() / "model.json"), "role": "model"}]}
pathlib.Path(os.environ["BLOCKCHAINTRACER_RUN_FILE"]).write_text(json.dumps(document))
"""


@pytest.fixture(scope="module")
def shell(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A folder with what the pages speak of, and a lab that has recorded it; `$ID` and others name the records."""
    folder = tmp_path_factory.mktemp("folder")
    shell = Shell(lab.home.path, folder)
    (folder / "data.csv").write_text("x,y\n1,2\n3,4\n")
    (folder / "cells.csv").write_text("cell\n1\n2\n")
    (folder / "model.bin").write_bytes(b"a model")
    (folder / "folder").mkdir()
    (folder / "folder" / "one.txt").write_text("one\n")
    (folder / "train.py").write_text(TRAIN)
    (folder / "requirements.lock").write_text("")
    identity = ("-c", "user.name=A", "-c", "user.email=a@lab.example")
    (folder / ".gitignore").write_text("*\n!train.py\n!requirements.lock\n")
    for arguments in (("init", "-q"), ("add", "train.py", "requirements.lock"), ("commit", "-qm", "a program")):
        subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)

    def record(*arguments: str) -> dict[str, Any]:
        with chdir(folder):
            done = CliRunner().invoke(main, ["record", *arguments, "--json", "--home", str(lab.home.path)])
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)["records"][-1]
        return found

    folders = record("--dataset", "folder")
    data = record("--dataset", "data.csv", "--name", "breast cancer")
    runs = [
        record(
            *("--dataset", "data.csv", "--param", "model=cnn", "--param", f"lr={rate}", "--seed", f"main={seed}"),
            *("--metric", f"accuracy={0.9 + seed / 100}"),
        )
        for seed, rate in ((1, 0.1), (2, 0.1), (3, 0.01))
    ]
    shell.environment |= {
        **dict(zip(("ID", "OTHER", "THIRD"), (one["id"] for one in runs), strict=True)),
        "DATASET": data["id"],
        "FOLDER": folders["id"],
        "CID": data["cid"],
        "TRANSACTION": "0x" + runs[0]["transaction"].removeprefix("0x"),
    }
    return shell


def typed(shell: Shell, line: str) -> str:
    """Types a line of a page; what it made is what the next ones mean by `$ID`, `$COMMITMENT` or `$PROOFS`."""
    made: dict[str, Callable[[dict[str, Any]], dict[str, str]]] = {
        " record ": lambda told: {"ID": told["records"][-1]["id"]},
        " batch add ": lambda told: {"ID": told["records"][-1]["id"]},
        " batch anchor": lambda told: {"PROOFS": told["proofs"]},
        " seal record ": lambda told: {"COMMITMENT": told["seals"][-1]["commitment"]},
    }
    for verb in sorted(made, key=len, reverse=True):
        if f"blockchaintracer{verb}" in line:
            before, program, after = line.partition(" -- ")
            told = _typed(shell, f"{before} --json{program}{after}")
            shell.environment |= made[verb](json.loads(told))
            return told
    return _typed(shell, line)


def _typed(shell: Shell, line: str) -> str:
    """What a line prints. One that needs no shell and starts no program is run in this process: that takes no time."""
    words = [Template(word).substitute(shell.environment) for word in shlex.split(line, comments=True)]
    if words[0] != "blockchaintracer" or {">", "--"} & {*words}:
        return shell.type(line)
    with chdir(shell.folder):
        done = CliRunner().invoke(main, words[1:], env=shell.environment)
    assert done.exit_code == 0, f"{line}\n{done.output}"
    return done.stdout


@pytest.fixture(autouse=True)
def _the_same_names(shell: Shell) -> Iterator[None]:
    before = dict(shell.environment)
    yield
    shell.environment.clear()
    shell.environment |= before


def test_query(shell: Shell) -> None:
    printed = [typed(shell, line) for line in commands("query.md")]
    assert len(printed) == 11
    assert shell.environment["DATASET"] in printed[0]
    assert shell.environment["DATASET"] in printed[3]
    assert len(json.loads(printed[2])["records"]) == 5
    assert (shell.folder / "runs.csv").read_text().count("\n") == 4
    assert (shell.folder / "runs.parquet").read_bytes()[:4] == b"PAR1"
    assert (shell.folder / "lineage.svg").read_text().startswith("<svg")


def test_compare(shell: Shell) -> None:
    printed = [typed(shell, line) for line in commands("compare.md")]
    assert len(printed) == 4
    assert "metrics.accuracy" in printed[0]
    assert (shell.folder / "lr.svg").exists()


def test_batches_proof_bundle_and_verify(shell: Shell) -> None:
    """In this order: what one page makes, the next one reads."""
    dataset = shell.environment["DATASET"]
    (shell.folder / "data.csv").rename(shell.folder / "kept.csv")
    (shell.folder / "data.csv").write_text("x\n1\n")
    lines = commands("batches.md")
    assert len(lines) == 9
    run = shell.environment["ID"]
    for line in lines:
        if "materialize" in line:
            batched = shell.environment["ID"]
            shutil.copy(Path(shell.environment["PROOFS"]) / f"{batched}.json", shell.folder / "proof.json")
        typed(shell, line)
    (shell.folder / "kept.csv").replace(shell.folder / "data.csv")

    shell.environment["ID"] = dataset
    lines = commands("proof-bundle.md")
    assert len(lines) == 3
    for line in lines:
        typed(shell, line)

    shell.environment["ID"] = run
    printed = [typed(shell, line) for line in commands("verify.md")]
    assert len(printed) == 7


def test_archive(shell: Shell) -> None:
    # the two with a trusted block are what examples/archive/thirty_years.py shows
    lines = [line for line in commands("archive.md") if " HASH" not in line and "blocks.json" not in line]
    printed = [typed(shell, line) for line in lines]
    assert len(printed) == 6
    assert shell.environment["ID"] in printed[-1]


def test_page(shell: Shell) -> None:
    """What the example gives away fits together, by the verifier of a reader."""
    [line] = [line for line in commands("page.md") if "hand_over" in line]
    line = line.replace("python examples", "$PYTHON $PROJECT/examples").replace("ID", "$DATASET")
    assert "drops the folder on it" in shell.type(line)
    folder = shell.folder / "for-the-editor"
    assert {it.name for it in folder.iterdir()} == {"check.html", "record.proof", "data.csv"}
    typed(shell, f"blockchaintracer verify --proof {folder / 'record.proof'} --network devnet")


def test_seals(shell: Shell) -> None:
    printed = [typed(shell, line) for line in commands("seals.md")]
    assert len(printed) == 5


def test_groups(shell: Shell) -> None:
    """Without the lines for two accounts, which tests/node/test_review.py types."""
    printed = [typed(shell, line) for line in commands("groups.md")]
    assert len(printed) == 5
    assert "retracted" in printed[-2]


def test_storage(shell: Shell, lab: Lab, tmp_path: Path) -> None:
    """In a home of its own: garbage is collected only where no other process uses the store, as this one does."""
    typed(shell, "blockchaintracer export -o all.tar --artifacts")
    shell.environment |= {"BLOCKCHAINTRACER_HOME": str(tmp_path), "BLOCKCHAINTRACER_RPC": lab.devnet.start().url}
    # the reader chose this chain before: a node alone does not
    (tmp_path / "settings.json").write_text('{"version": 1, "chains": {"77787": {}}}')
    shell.type("blockchaintracer import all.tar")
    printed = [shell.type(line) for line in commands("storage.md")]
    assert len(printed) == 9
    assert (shell.folder / "record.car").exists()


def test_reproduce_and_score(shell: Shell) -> None:
    """A run that others could repeat, published and scored."""
    for page, count in (("reproduce.md", 4), ("score.md", 3)):
        printed = [typed(shell, line) for line in commands(page)]
        assert len(printed) == count, page
    assert "E1, machine-captured" in printed[0]


def test_deploy(shell: Shell) -> None:
    printed = [typed(shell, line) for line in commands("deploy.md")]
    assert len(printed) == 3
    assert json.loads((shell.folder / "registry.json").read_text())


@contextmanager
def _blocks_becoming_final(lab: Lab) -> Iterator[None]:
    """What other chains do by themselves."""
    over = Event()

    def go_on() -> None:
        while not over.wait(1):
            lab.devnet.finalize()

    going = Thread(target=go_on)
    going.start()
    try:
        yield
    finally:
        over.set()
        going.join()


@pytest.mark.parametrize("page", ["batches.md", "hashing.md", "query.md", "compare.md", "tracer.md", "seeds.md"])
def test_python(shell: Shell, lab: Lab, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOCKCHAINTRACER_HOME", str(lab.home.path))
    names = {"lab": lab, "home": lab.home, "registry": lab.registry, "store": lab.store}
    names["tracer"] = MLTracer(home=lab.home.path)
    names["ids"] = [shell.environment[name] for name in ("ID", "OTHER", "THIRD")]
    found = _PYTHON.findall((ROOT / "docs" / page).read_text())
    assert found
    (shell.folder / "plan.md").write_text(f"what is done for {page}\n")
    with chdir(shell.folder), _blocks_becoming_final(lab):
        for block in found:
            exec(compile(block, page, "exec"), names)
