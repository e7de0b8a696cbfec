"""The commands of docs/keys.md and docs/privacy.md, typed one after the other."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account import Account

from tests.support.labs import ROOT

_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def commands(page: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text()
    lines = "".join(_BLOCK.findall(text)).replace("\\\n", " ").splitlines()
    return [line.partition("  #")[0].rstrip() for line in lines if line.strip()]


class Shell:
    """Types commands as a person would, in one folder; what they print in JSON's place of ids is remembered."""

    def __init__(self, home: Path, folder: Path, **variables: str) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        wrapper = folder / "bin" / "blockchaintracer"
        wrapper.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m blockchaintracer "$@"\n')
        wrapper.chmod(0o755)
        self.environment = os.environ | {
            "BLOCKCHAINTRACER_HOME": str(home),
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTHON": sys.executable,
            "PROJECT": str(ROOT),
            **variables,
        }

    def type(self, line: str) -> str:
        done = subprocess.run(
            line, shell=True, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def shell(lab, tmp_path):
    lab.choose(key="lab")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "passphrase").write_text("correct horse\n")
    return Shell(lab.home.path, folder, BLOCKCHAINTRACER_PASSPHRASE_FILE=str(folder / "passphrase"))


def test_keys(shell, lab):
    keystore = Account.encrypt(Account.create().key, "theirs", iterations=2**12)
    (shell.folder / "keystore.json").write_text(json.dumps(keystore))
    lines = commands("keys.md")
    assert len(lines) > 8
    for line in lines:
        shell.type(line)


def test_privacy(shell, lab):
    lines = commands("privacy.md")
    assert len(lines) > 2
    for line in lines:
        if " record " in line:
            shell.environment["ID"] = json.loads(shell.type(f"{line} --json"))["id"]
        else:
            shell.type(line)
