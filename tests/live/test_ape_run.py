"""`ape run VERB` and `blockchaintracer VERB` are one implementation."""

import json
import os
import subprocess
import sys
from pathlib import Path

from blockchaintracer.cli import VERBS
from tests.support.labs import ROOT, verb

APE = Path(sys.executable).parent / "ape"


def ape(*arguments, home):
    return subprocess.run(
        [APE, "run", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"BLOCKCHAINTRACER_HOME": str(home)},
    )


def test_the_same_thing_has_the_same_id_by_either_door(lab, tmp_path):
    file = tmp_path / "data.csv"
    file.write_text("1,2\n3,4\n")
    by_ape = ape("record", "--dataset", str(file), "--json", home=lab.home.path)
    assert by_ape.returncode == 0, by_ape.stderr
    by_client = verb("record", "--dataset", str(file), "--json", home=lab.home.path)
    assert by_client.returncode == 0, by_client.stderr
    [first], [second] = json.loads(by_ape.stdout)["records"], json.loads(by_client.stdout)["records"]
    assert first["id"] == second["id"]
    assert first["manifest"] == second["manifest"]
    assert (first["existing"], second["existing"]) == (False, True)


def test_every_verb_is_a_script_with_examples_in_its_help(lab):
    listed = ape("--help", home=lab.home.path)
    assert listed.returncode == 0, listed.stderr
    for name in VERBS:
        assert f"  {name} " in listed.stdout, listed.stderr
        assert (ROOT / "scripts" / f"{name}.py").exists()
    helped = ape("attest", "--help", home=lab.home.path)
    assert "--account" in helped.stdout
    assert "--network" in helped.stdout
    assert "--rpc" not in helped.stdout


def test_an_ape_account_signs_on_a_network_of_apes(tmp_path):
    done = ape(
        "deploy",
        "--open",
        "--json",
        "--network",
        "ethereum:local:foundry",
        "--account",
        "TEST::0",
        home=tmp_path / "home",
    )
    assert done.returncode == 0, done.stderr
    deployed = json.loads(done.stdout)
    assert deployed["chainId"] == 31337
    assert not deployed["existing"]


def test_a_refusal_has_the_same_words_and_exit_code(lab):
    for done in (
        ape("attest", "ab" * 32, "reviewed", "--json", home=lab.home.path),
        verb("attest", "ab" * 32, "reviewed", "--json", home=lab.home.path),
    ):
        assert done.returncode == 2, done.stderr
        assert "is not stored in" in json.loads(done.stdout)["message"]
