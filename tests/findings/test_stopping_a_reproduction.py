"""Ctrl-C while an environment is built, or while the program runs, leaves nothing half-made and records nothing.

SIGTERM left a stranger's program running, past every limit: it has a session of its own, and only its parent ends it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from blockchaintracer.core.record import Verdict
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.publish import publish
from tests.findings.test_a_lock_that_installs_a_folder import BACKEND, PROJECT
from tests.findings.test_no_false_verdict_against_an_honest_author import AGAIN
from tests.support.labs import second_lab
from tests.support.studies import LIMIT_S, TELL, Study

pytestmark = pytest.mark.node
SLOW = "import time\ntime.sleep(100)\n"


@pytest.mark.parametrize(
    ("during", "stop"),
    [
        ("building the project", signal.SIGINT),
        ("running it", signal.SIGINT),
        ("running it", signal.SIGTERM),
        ("running it", signal.SIGHUP),
    ],
)
def test_nothing_is_left(during: str, stop: signal.Signals, lab: Lab, tmp_path: Path) -> None:
    is_build = during.startswith("building")
    program = TELL + AGAIN + ("" if is_build else f"if again:\n    {SLOW.replace(chr(10), '; ')}\n") + "tell(total=5)\n"
    files = {"run.py": program, "src/study_code.py": ""}
    if is_build:
        files |= {"pyproject.toml": PROJECT, "backend.py": SLOW + BACKEND, "requirements.lock": "-e .\n"}
    study = Study.of(lab, tmp_path / "study", files)
    run = study.record(program=(sys.executable, "run.py"))
    published = publish(lab, run, tmp_path / "published").folder
    other = second_lab(lab, tmp_path / "other")
    before = len(other.outbox.entries())
    (tmp_path / "tmp").mkdir()
    where = ("--from", published, "--registry", lab.registry.address, "--rpc", lab.devnet.start().url, "--yes")
    with subprocess.Popen(
        [sys.executable, "-m", "blockchaintracer", "reproduce", run, *where, "--timeout", str(LIMIT_S)],
        cwd=tmp_path,
        env=os.environ | {"BLOCKCHAINTRACER_HOME": str(other.home.path), "TMPDIR": str(tmp_path / "tmp")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # under nohup all that the tests start would ignore SIGHUP
        preexec_fn=lambda: signal.signal(stop, signal.SIG_DFL),  # noqa: PLW1509 -- it takes no lock
    ) as process:
        assert process.stderr
        said = ""
        for line in process.stderr:
            said += line
            if during in line:
                break
        else:
            pytest.fail(said)
        process.send_signal(stop)
        assert process.wait(timeout=LIMIT_S) == 128 + stop
    assert [path.name for path in (tmp_path / "tmp").iterdir()] == []
    assert not [path for path in other.home.environments.glob("*") if path.is_dir() and is_build]
    assert len(other.outbox.entries()) == before
    assert other.registry.verdict(other.group(), run).verdict is Verdict.NONE
    here = str(tmp_path / "tmp")
    assert not [one.info for one in psutil.process_iter(["cmdline"]) if here in " ".join(one.info["cmdline"] or ())]
