"""The page of examples/dapp, built and opened in a Chromium: it asks a devnet about files, and nobody else."""

from __future__ import annotations

import functools
import hashlib
import http.server
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.findings.conftest import ALICE, BOB, CAROL, DATA, domain, found, run_reproducing
from tests.live.browser.chromium import drive
from tests.model.registry import REPRODUCED
from tests.support.artifacts import ROOT
from tests.support.node import anvil
from tests.support.serving import serving

PAGE = ROOT / "examples" / "dapp"

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="the Chromium of npm is for Linux on x86-64"
)


def built(folder: Path) -> Path:
    """The page as its README builds it."""
    shutil.copytree(PAGE, folder)
    program = next((ROOT / "node_modules" / "@esbuild").glob("*/bin/esbuild"))
    sdk = f"--alias:@blockchaintracer/sdk={ROOT / 'packages' / 'sdk' / 'src' / 'index.ts'}"
    options = ("--bundle", "--minify", "--format=esm", "--conditions=browser", sdk)
    subprocess.run([program, PAGE / "app.js", *options, f"--outfile={folder / 'app.built.js'}"], check=True)
    return folder


def test_a_visitor_asks(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("good", "retracted", "unknown")}
    for name, file in files.items():
        file.write_text(f"<b>{name}</b>")
    page = built(tmp_path / "page")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(page))
    with anvil() as chain, serving(handler) as url:
        registry = found(chain.deploy("LabRegistry", CAROL.address, True))
        ids = {}
        for name in ("good", "retracted"):
            key = DATA._replace(subject=hashlib.sha256(files[name].read_bytes()).digest())
            ids[name] = domain(registry).record_id(key)
            evidence = run_reproducing(ids[name], subject=len(ids))
            for author, *act in (
                (ALICE, "record", key),
                (BOB, "record", evidence),
                (BOB, "attestWithEvidence", 2, ids[name], REPRODUCED, evidence),
            ):
                chain.tick()
                registry.send(author.address, *act)
        chain.tick()
        registry.send(ALICE.address, "retract", key, bytes(32))
        known = {"node": chain.url, "chain": str(chain.chain_id), "registry": registry.address}
        questions = [
            {"file": str(files[name]), "fields": known | more}
            for name, more in (
                ("good", {"groups": "2, 3"}),
                ("good", {"groups": "3"}),
                ("retracted", {"groups": "2"}),
                ("unknown", {"groups": "2"}),
                ("good", {"node": "http://127.0.0.1:1/", "groups": "2"}),
            )
        ]
        answers = drive("ask.mjs", {"url": f"{url}/index.html", "questions": questions}, tmp_path)
    said = [{kind: text for kind, text in answer["lines"] if kind != "limit"} for answer in answers]
    assert said[0]["pass"] == "Reproduced by group 2, and not retracted."
    assert said[0]["record"].startswith(f"Record 0x{ids['good'].hex()} of group 1")
    assert "pass" not in said[1]
    assert "none of the groups" in said[1]["unknown"]
    assert "pass" not in said[2]
    assert said[2]["fail"].startswith("retracted")
    assert said[3]["fail"].startswith("no record of ")
    assert said[4].keys() == {"unknown"}
    for answer in answers[:4]:
        assert answer["asked"] == sorted([url, chain.url])
        assert not answer["messages"]
    assert not any(answer["isWide"] for answer in answers)
