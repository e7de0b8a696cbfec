"""What a verb that reads costs: CPU seconds of a process of its own, on a devnet where nothing else happens.

Beside it stand `git log` in a repository of the same files, and `dvc status` where DVC is installed. Waiting for the
node is not counted, nor is what the node itself does.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import compiling_once
from blockchaintracer.core.record import Kind
from blockchaintracer.lab.groups import create_group, deploy
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.recording.content import record_content

FILES = 20
REPEATS = 5


def measure_reading() -> dict[str, float]:
    """Return the least CPU seconds of each verb, and of its peers that are installed."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        lab = Lab(Home(folder / "home"))
        try:
            deploy(lab, open_group_creation=True)
            create_group(lab, "The lab")
            files = [folder / f"{number}.bin" for number in range(FILES)]
            for number, file in enumerate(files):
                file.write_bytes(number.to_bytes(1000))
            record = [record_content(lab, Kind.DATASET, file) for file in files][-1].id
            verbs = {"verify ID": ["verify", record], "query": ["query"], "lineage": ["lineage", record]}
            verbs["status"] = ["status"]
            environment = compiling_once(folder, BLOCKCHAINTRACER_HOME=str(lab.home.path))
            # what people type; `python -m` takes some 50 ms more
            program = str(Path(sys.executable).with_name("blockchaintracer"))
            ours = {name: _cpu_seconds([program, *verb], folder, environment) for name, verb in verbs.items()}
            return ours | _peers(folder, files)
        finally:
            lab.devnet.stop()


def _peers(folder: Path, files: list[Path]) -> dict[str, float]:
    name = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    _run(["git", "init", "-q"], folder)
    tools = {"git log": ["git", "log", "--stat"]}
    if shutil.which("dvc"):
        _run(["dvc", "init", "-q"], folder)
        _run(["dvc", "add", "-q", *map(str, files)], folder)
        tools["dvc status"] = ["dvc", "status"]
    for file in files:
        _run(["git", "add", "-f", str(file)], folder)
        _run(["git", *name, "commit", "-q", "-m", file.name], folder)
    return {tool: _cpu_seconds(command, folder) for tool, command in tools.items()}


def _run(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> None:
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)


def _cpu_seconds(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> float:
    # once to compile what it imports and to read the index anew
    _run(command, folder, environment)
    times = []
    for _ in range(REPEATS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        _run(command, folder, environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)
