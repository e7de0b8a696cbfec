"""The examples of seals, batches and privacy as they are typed, and the verbs by Ape's door."""

import json
import os
import re
import subprocess
import sys

import pytest

from tests.live.test_ape_run import ape
from tests.support.labs import ROOT, verb


def run(name, lab, folder):
    program = ["-m", name] if folder == ROOT else [str(ROOT / "examples" / name)]
    done = subprocess.run(
        [sys.executable, *program],
        cwd=folder,
        env=os.environ | {"BLOCKCHAINTRACER_HOME": str(lab.home.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_sealed_plan_is_shown_with_its_time(lab, tmp_path):
    printed = run("seal/analysis.py", lab, tmp_path)
    [record_id] = re.findall(r"^revealed  (0x[0-9a-f]{64})", printed, re.MULTILINE)
    assert re.search(r"^seals     1 by 0x[0-9a-fA-F]{40} for group 1, 0 unrevealed$", printed, re.MULTILINE)
    assert lab.registry.status(record_id).sealed_at
    assert verb("verify", record_id, home=lab.home.path).returncode == 0


def test_a_hundred_measurements_take_one_transaction(lab, tmp_path):
    before = lab.chain.nonce(lab.signer.address)
    printed = run("batch/measurements.py", lab, tmp_path)
    assert re.search(r"^anchored   100 records under 0x[0-9a-f]{64}", printed, re.MULTILINE)
    assert "with the batch's time: True" in printed
    assert lab.chain.nonce(lab.signer.address) == before + 2


def test_a_member_without_coin_joins_and_seals(lab):
    printed = run("examples.without_coin.join_and_seal", lab, ROOT)
    [member] = re.findall(r"^joined   (0x[0-9a-fA-F]{40}): True$", printed, re.MULTILINE)
    assert f"sealed   by {member}, paid by {lab.signer.address}" in printed
    assert "member   has 0 wei and sent 0 transactions" in printed


def test_a_reviewer_reads_what_nobody_else_can(lab, tmp_path):
    printed = run("privacy/encrypted.py", lab, tmp_path)
    assert "reviewer   reads patients.csv: True" in printed
    assert "'metrics.effect': 0.3" in printed
    assert "'parameters.dose': 9" in printed
    assert "metrics.effect = 0.3, and to no other value" in printed
    assert "dose = 9" not in printed


def test_a_stranger_sees_who_two_members_and_their_group_are(lab, tmp_path):
    printed = run("identity/two_holders.py", lab, tmp_path)
    for name, orcid in (("alice", "0000-0002-1825-0097"), ("bob", "0000-0002-1694-233X")):
        for state in ("seen", "confirmed now"):
            told = f"{name}'s record is verified; holders: ORCID {orcid} ({state}), domain lab.example ({state})"
            assert told in printed


def test_a_record_has_three_witnesses_of_its_time(lab):
    printed = run("examples.witness.witnesses", lab, ROOT)
    assert "asked      opentimestamps, rfc3161, registry" in printed
    assert len(re.findall(r"^verified   (authority|record|Bitcoin block)", printed, re.MULTILINE)) == 3


def test_a_folder_outlives_the_chain(lab, tmp_path):
    printed = run("archive/thirty_years.py", lab, tmp_path)
    assert re.findall(r"^(verified|consistent) ", printed, re.MULTILINE) == ["verified", "verified", "consistent"]


def test_the_verbs_are_the_same_by_apes_door(lab, tmp_path):
    file = tmp_path / "data.csv"
    file.write_text("1,2\n3,4\n")
    home = lab.home.path
    sealed = ape("seal", "record", "--dataset", str(file), "--json", home=home)
    assert sealed.returncode == 0, sealed.stderr
    commitment = json.loads(sealed.stdout)["commitment"]
    assert json.loads(verb("seal", "record", "--dataset", str(file), "--json", home=home).stdout)["commitment"] == (
        commitment
    )
    shown = ape("reveal", commitment, "--json", home=home)
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["commitment"] == commitment
    file.write_text("5,6\n")
    for arguments in (["batch", "add", "--dataset", str(file)], ["batch", "anchor"], ["batch", "list"]):
        done = ape(*arguments, "--json", home=home)
        assert done.returncode == 0, done.stderr
    root = json.loads(done.stdout)["batches"][-1]["root"]
    assert lab.registry.batch(1, lab.signer.address, root).exists


@pytest.mark.parametrize("name", ["seal", "batch", "reveal", "materialize"])
def test_a_wrong_use_is_told_with_a_way_out(lab, name):
    arguments = {"seal": ["send", "ab" * 32], "batch": ["anchor"]}.get(name, ["ab" * 32])
    done = verb(name, *arguments, "--json", home=lab.home.path)
    assert done.returncode == 2
    assert json.loads(done.stdout)["hint"]
