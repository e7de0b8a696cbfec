"""A verb that reads, and a program that imports the tracer, import no library that they do not use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from blockchaintracer.core.record import Kind
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.content import record_content

UNUSED = {"eth_abi", "eth_account", "web3", "cffi", "pycparser", "mlflow", "pandas", "numpy"}
"""What no verb that reads uses."""
HEAVY = UNUSED | {"pydantic", "eth_utils"}
OF_OTHER_TARGETS = {f"blockchaintracer.{it}" for it in ("core.verify.bundle", "lab.seals", "lab.private.encrypt")}
"""What no record needs: proof files, seals and what is encrypted."""
PROGRAM = """
import atexit, gc, runpy, sys
started = []
sys.addaudithook(lambda event, arguments: started.append(arguments[0]) if event == "subprocess.Popen" else None)
atexit.register(lambda: print(gc.get_freeze_count(), len(started), *sys.modules, file=sys.stderr))
runpy.run_module("blockchaintracer", run_name="__main__")
"""


@pytest.fixture(scope="module")
def record(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> str:
    file: Path = tmp_path_factory.mktemp("data") / "some.csv"
    file.write_text("1\n")
    return record_content(lab, Kind.DATASET, file).id


@pytest.mark.parametrize(
    ("verb", "not_used"),
    [
        ("status", HEAVY | {"rich.console"}),
        ("query", HEAVY | {"rich.console"}),
        ("lineage", HEAVY),
        ("verify", UNUSED | OF_OTHER_TARGETS | {"rich.console"}),
    ],
)
def test_a_verb_that_reads_imports_what_it_uses(lab: Lab, record: str, verb: str, not_used: set[str]) -> None:
    command = [sys.executable, "-c", PROGRAM, verb, *([record] if verb in ("lineage", "verify") else [])]
    environment = {**os.environ, "BLOCKCHAINTRACER_HOME": str(lab.home.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    frozen, started, *modules = done.stderr.splitlines()[-1].split()
    assert int(frozen) > 10_000, "no garbage is looked for among what the modules made"
    assert int(started) == 0, "reading starts no program"
    assert "requests" in modules, "it asked the node"
    assert not_used.intersection(modules) == set()


def test_the_tracer_is_imported_without_what_a_run_needs() -> None:
    program = "import sys; from blockchaintracer import BlockchainTracer, MLTracer; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert HEAVY.union({"requests"}).intersection(done.stdout.split()) == set()
