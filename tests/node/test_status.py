"""Where a lab and its records stand, as far as it can be told."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from blockchaintracer.cli import main
from blockchaintracer.core.networks import DEVNET, network_by_name
from blockchaintracer.core.record import Kind, Link, Relation, Verdict
from blockchaintracer.lab.attest import attest, retract
from blockchaintracer.lab.devnet import Devnet
from blockchaintracer.lab.lab import Lab
from blockchaintracer.lab.lab_folder import Home
from blockchaintracer.lab.recording.content import record_content
from blockchaintracer.lab.status import lab_status, record_status
from tests.support.labs import again, running_lab, second_lab, typed

NOWHERE = "http://127.0.0.1:1"


def status(lab: Lab, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, JSON and text of the verb."""
    given = ["status", *arguments, "--home", str(lab.home.path)]
    done, text = CliRunner().invoke(main, [*given, "--json"]), CliRunner().invoke(main, given)
    assert done.exit_code == text.exit_code
    return done.exit_code, json.loads(done.stdout), text.stdout


def test_an_empty_home_is_told_of_and_stays_as_it_is(tmp_path):
    lab = Lab(Home(tmp_path / "home"))
    code, state, text = status(lab)
    assert code == 0
    assert state["chain"]["id"] == DEVNET.chain_id
    assert (state["registry"], state["group"], state["key"], state["outbox"]) == (None, None, None, {})
    assert state["devnet"] == {"running": False, "url": None}
    assert "blockchaintracer deploy" in text
    assert Devnet(lab.home).status() is None
    assert not list(lab.home.keys.iterdir())


def test_a_lab_says_chain_registry_group_key_and_what_waits(lab, file):
    record_content(lab, Kind.DATASET, file)
    code, state, text = status(lab)
    assert code == 0
    assert state["home"] == str(lab.home.path)
    assert state["chain"]["reachable"]
    assert state["chain"]["block"] == lab.chain.head().number
    assert state["chain"]["address"] == lab.devnet.start().url == state["devnet"]["url"]
    assert state["registry"] == lab.registry.address
    assert state["group"] == 1
    assert state["key"] == {"name": "lab", "address": lab.signer.address}
    assert state["outbox"]["final"] == len(lab.outbox.entries())
    assert all(value in text for value in (lab.signer.address, lab.registry.address, str(lab.home.path)))
    secret = (lab.home.keys / "lab.passphrase").read_text()
    assert secret not in text + json.dumps(state)


def test_what_is_known_without_the_chain_is_told_when_it_is_away(lab, file):
    away = Lab(lab.home, rpc=NOWHERE)
    waiting = record_content(away, Kind.DATASET, file)
    code, state, text = status(lab, "--rpc", NOWHERE)
    assert code == 3
    assert NOWHERE in state["chain"]["error"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(network_by_name("sepolia").rpc_env, f"{NOWHERE}/sepolia")
        far = lab_status(Lab(Home(lab.home.path), rpc=f"{NOWHERE}/sepolia"))
    assert (far["chain"]["name"], far["chain"]["reachable"]) == ("Ethereum Sepolia", False)
    assert state["registry"] == lab.registry.address
    assert state["outbox"]["stored"] == 1
    assert "1 stored" in text
    code, state, text = status(lab, waiting.id, "--rpc", NOWHERE)
    assert code == 3
    assert state["status"] is None
    assert [write["state"] for write in state["outbox"]] == ["stored"]
    assert "record is stored" in text
    assert record_status(lab, waiting.id)["status"] == "unknown"
    assert status(lab, waiting.id)[0] == 1
    lab.flush()
    assert status(lab, waiting.id)[0] == 0


def test_a_stopped_devnet_is_not_started_for_the_lab_s_status(tmp_path):
    with running_lab(tmp_path) as lab:
        lab.devnet.stop()
        state = lab_status(again(lab))
        assert lab.devnet.status() is None
    assert state["chain"] == {
        "id": DEVNET.chain_id,
        "name": DEVNET.title,
        "address": None,
        "reachable": False,
        "block": None,
        "error": None,
    }
    assert state["registry"] == lab.registry.address
    assert state["key"]["address"] == lab.signer.address
    assert state["group"] == 1


def test_a_record_s_status_has_its_key_parents_verdicts_and_retraction(lab, file, tmp_path):
    other = second_lab(lab, tmp_path / "other")
    data = record_content(lab, Kind.DATASET, file)
    model = record_content(lab, Kind.MODEL, file, parents=[Link(data.id, Relation.TRAINED_ON)])
    attest(other, model.id, Verdict.REVIEWED)
    code, state, text = status(lab, model.id)
    assert code == 0
    assert state["status"] == "recorded"
    parent = {"id": data.id, "relation": "trained-on", "globalId": lab.domain.global_id(data.id)}
    assert state["parents"] == [parent]
    assert state["recordedAt"] == model.time
    assert (state["transaction"], state["block"]) == (model.transaction, model.block)
    [verdict] = state["verdicts"]
    assert (verdict["group"], verdict["verdict"], verdict["attester"]) == (2, "reviewed", other.signer.address)
    assert f"reviewed, says {other.signer.address} for group 2" in text
    retract(lab, model.id, "wrong")
    code, state, text = status(lab, model.id)
    assert code == 1
    assert state["status"] == "retracted"
    assert state["retractedAt"] >= model.time
    assert [write["operation"] for write in state["outbox"]] == ["record", "retract"]


def test_an_unknown_record_and_no_id_are_told_apart(lab):
    assert status(lab, "ab" * 32)[0] == 1
    assert CliRunner().invoke(main, ["status", "no id", "--home", str(lab.home.path)]).exit_code == 2


def test_that_nothing_is_lost_is_said_where_something_waits(lab, file, tmp_path):
    for home, said in ((tmp_path / "empty", False), (lab.home.path, True)):
        if said:
            record_content(Lab(lab.home, rpc=NOWHERE), Kind.DATASET, file)
        done = typed("query", "--rpc", NOWHERE, "--chain-id", str(DEVNET.chain_id), home=home)
        assert done.returncode == 3
        assert ("Nothing is lost" in done.stderr) is said
    lab.flush()
