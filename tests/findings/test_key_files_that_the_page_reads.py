"""The page read a key file again for each question about it, so that the SDK read it anew; and many files of a stranger
beside the lab's hid the lab's own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

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


def test_each_is_read_once_and_hides_none_of_another_folder(tmp_path: Path) -> None:
    cases = json.loads((ROOT / "conformance" / "key-files.json").read_text())["cases"]
    case = next(case for case in cases if "id" in case)
    about = json.dumps({"text": json.dumps(case["file"]), "id": case["id"]})
    (tmp_path / "entry.ts").write_text(SCRIPT % (ROOT, about))
    made = tmp_path / "made.mjs"
    subprocess.run(
        [
            next((ROOT / "node_modules" / "@esbuild").glob("*/bin/esbuild")),
            tmp_path / "entry.ts",
            "--bundle",
            "--format=esm",
            f"--alias:@blockchaintracer/sdk={ROOT}/packages/sdk/src/index.ts",
            f"--outfile={made}",
        ],
        check=True,
        capture_output=True,
    )
    done = subprocess.run([npm.NODE, made], check=True, capture_output=True, text=True)
    told = json.loads(done.stdout)
    named = f"lab/proofs/{case['id']}.json"
    others = ["stranger/0.json", "stranger/1.json"]
    assert told == {
        "reads": 5,
        "isSame": True,
        # what a lab calls by the record's id comes first
        "first": [named, "lab/0.json", *others, "loose.json"],
        "sources": [[named, "lab/0.json"], others, ["loose.json"]],
    }
