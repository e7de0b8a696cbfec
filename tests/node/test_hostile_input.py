"""The benchmark of hostile input counts each wrong verdict, and finds none among forged bundles."""

from pathlib import Path

import pytest

from benchmarks import hostile
from blockchaintracer.lab.lab import Lab


def test_forged_bundles_are_never_verified_and_a_wrong_verdict_is_counted(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    honest = hostile.honest_files(lab, tmp_path)

    def wrong(honest: hostile.Honest) -> hostile.Iterator[hostile.Case]:
        yield "believed", lambda: "verified"
        yield "broken", lambda: str(1 / 0)
        yield "refused", lambda: "not verified"

    assert hostile.run(honest, ["bundle, forged", "bundle, impossible"]) == 0
    monkeypatch.setitem(hostile.ROWS, "planted", wrong)
    capsys.readouterr()
    assert hostile.run(honest, ["planted"]) == 2
    printed = capsys.readouterr().out
    assert "planted: believed: verified" in printed
    assert "planted: broken: ZeroDivisionError" in printed
