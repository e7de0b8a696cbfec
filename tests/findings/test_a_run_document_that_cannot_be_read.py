"""What a program had computed was lost when its run document could not be read, and a question that nobody could answer
ended as "not verified"."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blockchaintracer.core.record import Kind
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.content import record_content
from tests.support.labs import shared_lab, typed, verb

pytestmark = pytest.mark.node


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with shared_lab(tmp_path) as lab:
        yield lab


def test_it_is_kept_and_recorded_once_it_is_mended(lab: Lab, tmp_path: Path) -> None:
    told = {"name": "fit", "metrics": {"accuracy": 0.93}}
    (tmp_path / "train.py").write_text(
        f"import os\nopen(os.environ['BLOCKCHAINTRACER_RUN_FILE'], 'w').write({json.dumps(told)!r})\n"
    )
    done = verb("record", "--", sys.executable, str(tmp_path / "train.py"), home=lab.home.path)
    assert (done.returncode, "schema: expected 1" in done.stderr) == (2, True), done.stderr
    found = re.search(r"record --from (\S+\.json)`", done.stderr)
    assert found, done.stderr
    kept = Path(found[1])
    assert json.loads(kept.read_text()) == told
    kept.write_text(json.dumps({"schema": 1, **told}))
    mended = typed("record", "--from", str(kept), home=lab.home.path)
    assert (mended.returncode, "run fit" in mended.stdout) == (0, True), mended.stderr


def test_a_question_that_nobody_can_answer_is_wrong_use(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a")
    record = record_content(lab, Kind.DATASET, tmp_path / "data.csv")
    for more in ((), ("--json",)):
        done = verb("retract", record.id, "--reason", "an error", *more, home=lab.home.path)
        assert (done.returncode, "pass --yes" in done.stderr + done.stdout) == (2, True), done.stderr
    assert not lab.registry.status(record.id).retracted_at
