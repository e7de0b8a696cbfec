"""`record --sandbox -- PROGRAM`: the user's own program, shut in as a stranger's is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from blockchaintracer.lab.lab import Lab
from tests.support.labs import run_predicate
from tests.support.studies import typed

PROGRAM = """
import json, os, pathlib, sys
reached = []
for path in sys.argv[2:]:
    try:
        reached.append(pathlib.Path(path).read_text())
    except OSError as error:
        reached.append(type(error).__name__)
try:
    pathlib.Path(".git/hooks/post-commit").write_text("x")
    reached.append("wrote a hook")
except OSError as error:
    reached.append(type(error).__name__)
pathlib.Path("reached.json").write_text(json.dumps([*reached, sorted(os.environ)]))
rows = pathlib.Path(sys.argv[1]).read_text().split()
document = {"schema": 1, "name": "count", "metrics": {"rows": len(rows)}}
pathlib.Path(os.environ["BLOCKCHAINTRACER_RUN_FILE"]).write_text(json.dumps(document))
"""


def test_a_program_of_ones_own_is_shut_in(lab: Lab, tmp_path: Path) -> None:
    folder, data, other = tmp_path / "project", tmp_path / "data" / "rows.txt", tmp_path / "other.txt"
    for place in (folder, data.parent):
        place.mkdir()
    data.write_text("1 2 3\n")
    other.write_text("not declared")
    (folder / "count.py").write_text(PROGRAM)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    program = ("--", sys.executable, "count.py", str(data), str(other), str(lab.home.path / "settings.json"))
    done = typed("record", "--json", "--sandbox", "--dataset", str(data), *program, home=lab.home.path, folder=folder)
    assert done.returncode == 0, done.stderr
    run = run_predicate(lab, json.loads(done.stdout)["id"])
    sandbox = (run.environment.model_extra or {})["sandbox"]
    assert (sandbox["tool"].split()[0], sandbox["network"]) == ("bubblewrap", False)
    assert run.metrics["rows"].value == 3
    undeclared, settings, hook, variables = json.loads((folder / "reached.json").read_text())
    assert (undeclared, settings, hook) == ("FileNotFoundError", "FileNotFoundError", "OSError")
    assert not any("BLOCKCHAINTRACER_HOME" in name for name in variables)
    shown = typed("verify", json.loads(done.stdout)["id"], home=lab.home.path, folder=folder)
    assert "without a network, as the manifest says" in shown.stdout

    # nothing is shut in unasked, and a failure is a failed run
    done = typed("record", "--json", "--dataset", str(data), *program, home=lab.home.path, folder=folder)
    assert json.loads((folder / "reached.json").read_text())[0] == "not declared"
    wrong = typed("record", "--allow-network", *program, home=lab.home.path, folder=folder)
    assert "expected --sandbox" in wrong.stderr
