"""The page that verifies, used in Firefox where Debian's is installed (`apt install firefox-esr`)."""

from __future__ import annotations

import hashlib
import shutil
from typing import Any

import pytest

from blockchaintracer.lab.published_pages import PAGE
from tests.live.browser.chromium import drive
from tests.live.browser.test_check_page import history_of, hostile_proof, run_of
from tests.support.forged_bundles import Forged, blocks_of

FIREFOX = shutil.which("firefox-esr")
LARGE = bytes(32 << 20)
OF_LARGE = hashlib.sha256(LARGE).hexdigest()
pytestmark = pytest.mark.skipif(not FIREFOX, reason="Firefox is not installed: apt install firefox-esr")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("firefox")
    (folder / "profile").mkdir()
    honest = Forged().data()
    changed = bytearray(honest)
    changed[500] ^= 1
    histories = {f"run {number}.json": history_of(number) for number in (1, 2)}
    runs = {f"run {number}.proof": run_of(number, history_of(number)) for number in (1, 2)}
    files = {"good.proof": honest, "changed.proof": bytes(changed), "hostile.proof": hostile_proof()}
    for name, data in (files | histories | runs).items():
        (folder / name).write_bytes(data)
    (folder / "large.bin").write_bytes(LARGE)
    visits: dict[str, dict[str, Any]] = {
        "good": {"files": ["good.proof"], "expects": "It fits together"},
        "trusted": {
            "files": ["good.proof"],
            "fields": {"block": " ".join(blocks_of(honest))},
            "press": True,
            "expects": "Every check passed",
        },
        "changed": {"files": ["changed.proof"], "expects": "damaged or forged"},
        "hostile": {"files": ["hostile.proof"], "expects": "Its life"},
        "runs": {"files": [*histories, *runs], "expects": "loss, step by step"},
        "large": {"files": ["large.bin"], "expects": OF_LARGE},
    }
    for visit in visits.values():
        visit["files"] = [str(folder / name) for name in visit["files"]]
    asked = {
        "firefox": FIREFOX,
        "profile": str(folder / "profile"),
        "page": PAGE.as_uri(),
        "visits": [*visits.values()],
    }
    return dict(zip(visits, drive("firefox.mjs", asked, folder), strict=True))


@pytest.mark.parametrize(
    ("visit", "words"),
    [
        ("good", "It fits together, and no more"),
        ("trusted", "Every check passed"),
        ("changed", "This proof is damaged or forged"),
        ("hostile", "It fits together, and no more"),
        ("runs", "A: run 1"),
        ("large", OF_LARGE),
    ],
)
def test_it_says_the_same_in_firefox(seen: dict[str, dict[str, Any]], visit: str, words: str) -> None:
    assert words in seen[visit]["text"]
    assert [it for it in seen[visit]["messages"] if it.startswith("error")] == []


def test_plots_are_drawn(seen: dict[str, dict[str, Any]]) -> None:
    assert "loss, step by step" in seen["runs"]["drawings"]
