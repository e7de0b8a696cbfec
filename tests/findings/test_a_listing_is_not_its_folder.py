"""A folder's digest is that of its listing. The file with the bytes of the listing was verified by the record of the
folder, and the folder by a record of that file; a file with the text of a run's UUID by the record of the run."""

from pathlib import Path

import pytest

from blockchaintracer import MLTracer
from blockchaintracer.core.digest import digest_folder
from blockchaintracer.core.record import Kind
from blockchaintracer.core.verify import Outcome
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.verify_here import verify

pytestmark = pytest.mark.node


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text(f"{tmp_path}\n")
    (tmp_path / "SHA256SUMS").write_bytes(digest_folder(tmp_path / "data").listing)
    return tmp_path / "data"


@pytest.mark.parametrize("recorded", ["data", "SHA256SUMS"])
def test_only_what_was_recorded_is_verified(lab: Lab, tmp_path: Path, folder: Path, recorded: str) -> None:
    record_content(lab, Kind.DATASET, tmp_path / recorded)
    for shown in ("data", "SHA256SUMS"):
        report = verify(lab, str(tmp_path / shown))
        assert bool(report.verified and report.records) is (shown == recorded)


def test_the_text_of_an_identifier_is_no_run(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with MLTracer(home=lab.home.path).start_run("identified") as run:
        run.log_metric("loss", 0.5)
    manifest = lab.store.get_bytes(run.recorded.manifest)
    uuid = next(part for part in manifest.decode().split('"') if part.count("-") == 4 and len(part) == 36)
    (tmp_path / "uuid").write_text(uuid)
    report = verify(lab, str(tmp_path / "uuid"))
    assert not report.verified
    report = verify(lab, str(tmp_path / "uuid"), record=run.recorded.id)
    assert any(check.verdict is Outcome.FAIL for check in report.checks)
