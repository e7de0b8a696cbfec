"""A shell can close standard input (`retract ID <&-`): each verb ended with a traceback. Now the error has `--yes`."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest

from blockchaintracer.core.record import Kind
from blockchaintracer.lab.lab import Lab
from tests.support.labs import typed

pytestmark = pytest.mark.node


def test_a_verb_that_asks_says_how_to_agree(lab: Lab) -> None:
    (file := lab.home.path.parent / "closed.csv").write_text("1\n")
    typed("record", str(file), home=lab.home.path)
    [record] = lab.registry.find_subject(lab.store.put_file(file).sha256)
    assert record.key.kind == Kind.DATASET
    words = ["-m", "blockchaintracer", "retract", record.id, "--reason", "wrong", "--home", str(lab.home.path)]
    done = subprocess.run(
        ["sh", "-c", f"exec {shlex.join([sys.executable, *words])} <&-"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "pass --yes" in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr
    assert lab.registry.status(record.id).retracted_at == 0
