"""The search for gravitational waves, recorded by three groups."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from blockchaintracer.core.record import Kind, Verdict
from blockchaintracer.extras.lineage import lineage
from blockchaintracer.extras.search import Index
from blockchaintracer.lab.attest import verdicts
from blockchaintracer.lab.devnet import Devnet
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from tests.support.labs import ROOT, clone

DATA = Path(os.environ.get("BLOCKCHAINTRACER_GW_DATA") or ROOT.parent / "shared" / "data" / "gw150914")
H1 = "H-H1_LOSC_4_V2-1126259446-32.hdf5"
H1_SHA256 = "fa170ebc577652bfeb5c4b9d2a2d713eef8a4b2996b198b749692446fa7a163c"
H1_CID = "bafkreih2c4hlyv3wkk76wxcltuvc24j656fewkmwwgmlosljerdpu6qwhq"

pytestmark = pytest.mark.skipif(not (DATA / H1).exists(), reason=f"the strain is not in {DATA}")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    home = tmp_path_factory.mktemp("gw150914")
    project = clone(tmp_path_factory.mktemp("clone") / "project", "gravitational-waves")
    program = [sys.executable, str(project / "examples" / "gravitational-waves" / "record.py")]
    done = subprocess.run(
        [*program, "--data", str(DATA), "--home", str(home), "--json"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        yield json.loads(done.stdout), Lab(Home(home / "analysis"))
    finally:
        Devnet(Home(home / "analysis")).stop()


def manifest(lab, record_id):
    return json.loads(lab.store.get_bytes(lab.registry.find_record(record_id).key.manifest))


def test_the_strain_is_recorded_as_sha256sum_and_ipfs_name_it(recorded):
    result, lab = recorded
    found = lab.registry.find_record(result["records"]["raw H1"])
    assert found.key.subject == H1_SHA256
    assert found.key.kind == Kind.DATASET
    content = manifest(lab, found.id)["predicate"]
    assert (content["cid"], content["cidProfile"]) == (H1_CID, "unixfs-v1-2025")


def test_the_published_ratios_are_in_the_record(recorded):
    result, lab = recorded
    metrics = manifest(lab, result["records"]["search run"])["predicate"]["metrics"]
    assert metrics["snr_H1"]["value"] == pytest.approx(18.56, abs=0.05)
    assert metrics["snr_L1"]["value"] == pytest.approx(13.21, abs=0.05)


def test_a_second_group_reproduced_and_a_third_reviewed(recorded):
    result, lab = recorded
    assert result["verdicts"] == ["reproduced", "reproduced"]
    for name in ("search run", "classifier run"):
        [verdict] = verdicts(lab.registry, result["records"][name])
        assert (verdict["group"], verdict["verdict"]) == (2, "reproduced")
        assert lab.registry.find_record(verdict["evidence"]).key.group == 2
    for record_id in result["reviewed"]:
        assert lab.registry.verdict(3, record_id).verdict is Verdict.REVIEWED


def test_the_lineage_leads_from_the_model_to_the_strain(recorded):
    result, lab = recorded
    with Index(lab.home.index) as index:
        index.sync(lab.registry, lab.store)
        found = lineage(index, result["records"]["model"])
    for name in ("raw H1", "raw L1", "raw template", "code", "environment", "classifier run"):
        assert result["records"][name] in found.nodes
    assert result["records"]["whitened strain"] not in {edge.parent for edge in found.edges if edge.child == found.root}
