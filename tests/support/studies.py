"""A small study in git, recorded as its author would and repeated by another group, by real programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blockchaintracer.extras.reproduce.reproduce import Reproduction, reproduce
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.publish import publish

LIMIT_S = 120
TELL = """
import json, os
def tell(**metrics):
    with open(os.environ["BLOCKCHAINTRACER_RUN_FILE"], "w") as file:
        json.dump({"schema": 1, "name": "study", "metrics": metrics}, file)
"""
"""Begins a program that tells its metrics with the standard library alone."""


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@lab.example")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, timeout=LIMIT_S)


@dataclass
class Study:
    """A repository with a lock file that needs no package."""

    lab: Lab
    folder: Path

    @classmethod
    def of(cls, lab: Lab, folder: Path, files: Mapping[str, str]) -> Study:
        study = cls(lab, folder)
        for name, text in {"requirements.lock": "# nothing\n", **files}.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        git(folder, "init", "-q")
        study.commit()
        return study

    def commit(self) -> None:
        git(self.folder, "add", "-A")
        git(self.folder, "commit", "-qm", "a study")

    def record(self, *options: str, program: tuple[str, ...], within: str = ".") -> str:
        """The id of the run that `record OPTIONS -- PROGRAM` records in a folder of the repository."""
        done = typed("record", "--json", *options, "--", *program, home=self.lab.home.path, folder=self.folder / within)
        assert done.returncode == 0, done.stderr
        return str(json.loads(done.stdout)["id"])

    def repeat(self, other: Lab, run: str, **options: Any) -> Reproduction:
        """What another group's reproduction gives, from what was published of the run."""
        with chdir(self.folder.parent):
            published = publish(self.lab, run, self.folder.parent / f"published-{run[:8]}").folder
            more = {"agree": lambda plan: True, "timeout_s": LIMIT_S} | options
            return reproduce(other, run, [published], **more)


def typed(*arguments: str, home: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """A verb in a process and a folder of its own."""
    return run_program(sys.executable, "-m", "blockchaintracer", *arguments, home=home, folder=folder)


def run_program(*command: str, home: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """A program as a person of that lab starts it."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"BLOCKCHAINTRACER_HOME": str(home), "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
