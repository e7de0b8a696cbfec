"""The page read a key file again for each question about it, so that the SDK read it anew; and many files of a stranger
beside the lab's hid the lab's own. A history whose step is an object stopped what the page shows of a record's life."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.labs import ROOT
from tools import npm

pytestmark = pytest.mark.node
SCRIPT = """
import { copiesIn, useOf } from "%s/web/src/given.ts";
const { text, id } = %s;
let reads = 0;
class Counted extends File {
  text() {
    reads++;
    return super.text();
  }
}
const paths = ["lab/0.json", `lab/proofs/${id}.json`, "stranger/0.json", "stranger/1.json", "loose.json"];
const given = await Promise.all(paths.map(async (path) => {
  const file = new Counted([JSON.stringify({ ...JSON.parse(text), path })], path);
  return { file, path, sha256: "", ...(await useOf({ file, path }, "", new Uint8Array(await file.arrayBuffer()))) };
}));
const copies = copiesIn(given);
const [first, again] = [await copies.keys({ id }), await copies.keys({ id })];
const sources = await Promise.all(copies.sources.map((source) => source.keys({ id })));
const pathsOf = (files) => files.map(({ path }) => path);
const isSame = first.every((file, at) => file === again[at]) && sources.flat().every((file) => first.includes(file));
console.log(JSON.stringify({ reads, isSame, first: pathsOf(first), sources: sources.map(pathsOf) }));
"""


HISTORY = """
import { readHistory } from "%s/web/src/metrics.ts";
console.log(JSON.stringify(%s.map((text) => readHistory(text, "loss"))));
"""


def answer_of(script: str, folder: Path) -> Any:
    """What a script of the page's sources prints."""
    (folder / "entry.ts").write_text(script)
    esbuild = next((ROOT / "node_modules" / "@esbuild").glob("*/bin/esbuild"))
    sdk = f"--alias:@blockchaintracer/sdk={ROOT}/packages/sdk/src/index.ts"
    command = [esbuild, folder / "entry.ts", "--bundle", "--format=esm", sdk, f"--outfile={folder / 'made.mjs'}"]
    subprocess.run(command, check=True, capture_output=True)
    done = subprocess.run([npm.NODE, folder / "made.mjs"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def test_a_value_that_no_number_can_be_made_of_is_none(tmp_path: Path) -> None:
    odd = {"toString": 1, "valueOf": 1}
    points = [{"step": odd, "value": 1}, {"step": 1, "value": odd}, [odd, odd], odd, {"step": 2, "value": 0.5}]
    told = answer_of(HISTORY % (ROOT, json.dumps([json.dumps(points)])), tmp_path)
    assert told == [{"points": [[2, 0.5]], "others": 4}]


def test_each_is_read_once_and_hides_none_of_another_folder(tmp_path: Path) -> None:
    cases = json.loads((ROOT / "conformance" / "key-files.json").read_text())["cases"]
    case = next(case for case in cases if "id" in case)
    about = json.dumps({"text": json.dumps(case["file"]), "id": case["id"]})
    told = answer_of(SCRIPT % (ROOT, about), tmp_path)
    named = f"lab/proofs/{case['id']}.json"
    others = ["stranger/0.json", "stranger/1.json"]
    assert told == {
        "reads": 5,
        "isSame": True,
        # what a lab calls by the record's id comes first
        "first": [named, "lab/0.json", *others, "loose.json"],
        "sources": [[named, "lab/0.json"], others, ["loose.json"]],
    }
