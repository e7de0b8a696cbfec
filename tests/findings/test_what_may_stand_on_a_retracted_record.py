"""The page called a run "recorded" that names a retracted record and whose manifest, which is not here, may name it as
an input; and so what a server of `serve` says nothing firm of. So did the report."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from blockchaintracer.core.manifest import Manifest, RunPredicate
from blockchaintracer.core.record import Domain, Kind, Link, RecordKey, Relation
from tests.findings.test_files_that_the_page_reads import answer_of
from tests.support.labs import ROOT

pytestmark = pytest.mark.node
SCRIPT = """
import { around } from "%s/web/src/around.ts";
import { toldBy } from "%s/web/src/home.ts";
const { domain, keys, manifest, ids, told } = %s;
const standing = { recordedAt: 3, retractedAt: 5 };
const roots = [{ id: ids[0], key: keys[0], manifest: null, standing, verdicts: {} }];
const states = async (data) => {
  const copies = { all: () => keys.slice(1).map((key) => ({ key })), read: async () => data };
  const { entries } = await around(roots, { domain, copies, registry: undefined });
  return ids.map((id) => entries.get(id).state);
};
globalThis.fetch = async (url) => new Response(JSON.stringify(told[new URL(url).pathname.split("/").at(-1)]));
const { near } = await toldBy(new URL("http://server/"), domain, ids[0]);
const by = ids.map((id) => near.entries.get(id).state);
console.log(JSON.stringify([await states(null), await states(new TextEncoder().encode(manifest)), by]));
"""


def test_it_is_not_called_recorded(tmp_path: Path) -> None:
    domain = Domain(1, "0x" + "12" * 20)
    first = RecordKey(1, "0x" + "34" * 20, 1, "11" * 32, int(Kind.MODEL), "22" * 32)
    link = Link(domain.record_id(first), Relation.REPRODUCES)
    said = RunPredicate(run_id="0c4cd0d6-6b6c-4d5a-8d3c-111111111111", name="again", status="completed")
    manifest = Manifest.of(Kind.RUN, said)
    about = manifest.subject_type, manifest.subject_digest, int(Kind.RUN), manifest.digest()
    run = replace(
        first, parents=(link,), **dict(zip(("subject_type", "subject", "kind", "manifest"), about, strict=True))
    )
    made = replace(first, manifest="33" * 32, parents=(Link(domain.record_id(run), Relation.DERIVED_FROM),))
    keys = [first, run, made]
    ids = [domain.record_id(key) for key in keys]
    statuses = zip(ids, ("retracted", "recorded", "recorded"), ([], [], [ids[0]]), (False, None, False), strict=True)
    nodes = [
        {"id": it, "status": status, "retractedAncestors": above, "moreRetracted": more, "depth": place}
        for place, (it, status, above, more) in enumerate(statuses)
    ]
    place = {"chainId": 1, "registry": domain.registry}
    told = {"registry": place, "groups": {"groups": []}, "lineage": {"nodes": nodes, "edges": [], "isComplete": True}}
    shown = {"domain": place, "keys": [key.as_json() for key in keys], "ids": ids, "told": told}
    script = SCRIPT % (ROOT, ROOT, json.dumps(shown | {"manifest": manifest.to_bytes().decode()}))
    assert answer_of(script, tmp_path) == [
        ["retracted", "perhaps", "perhaps"],
        ["retracted", "unknown", "unknown"],
        ["retracted", "perhaps", "affected"],
    ]


def test_the_report_tells_of_each_of_the_three() -> None:
    jinja2 = pytest.importorskip("jinja2")
    text = (ROOT / "blockchaintracer/extras/report/templates/report.html.j2").read_text()
    [row] = re.findall(r"<tr>.*standsOnRetracted.*</tr>", text)
    template = jinja2.Environment(autoescape=True).from_string(row)
    for above, more, words in ((["0x1"], False, "stands on"), ([], None, "may stand on"), ([], False, "")):
        one = {"id": "0x", "status": "recorded", "standsOnRetracted": above, "standsOnMoreRetracted": more}
        told = re.search(r"recorded(, (.*) what is retracted)?</td>", template.render(one=one))
        assert told
        assert (told[2] or "") == words
