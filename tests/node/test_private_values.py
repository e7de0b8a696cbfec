"""Private values: committed to when a run is recorded, shown one by one, and proven against the record."""

import hashlib
import json
import sys

import pytest
import rfc8785
from click.testing import CliRunner

from blockchaintracer import MLTracer
from blockchaintracer.cli import main
from blockchaintracer.core.errors import InputError, NotVerified, StoreError
from blockchaintracer.core.manifest import parse_manifest
from blockchaintracer.core.verify import Outcome
from blockchaintracer.lab.lookup import required_record
from blockchaintracer.lab.private.disclose import disclose, verify_disclosure
from tests.support.labs import typed, verb


@pytest.fixture(scope="module")
def run(lab):
    """A run with two private values, recorded by the verb."""
    private = ["--private-param", "lr=0.0123", "--private-metric", "auc=0.98765", "--private-param", "depth=7"]
    done = typed("record", "--name", "hidden", "--param", "epochs=3", *private, "--json", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["records"][-1]


def manifest(lab, run):
    return parse_manifest(lab.store.get_bytes(run["manifest"]))


def test_the_manifest_holds_the_root_alone(lab, run):
    private = manifest(lab, run).predicate.private
    assert private.leaves == 1024
    data = lab.store.get_bytes(run["manifest"]).decode()
    assert not any(word in data for word in ('"lr"', "parameters.lr", "0.0123", '"auc"', "0.98765", '"depth"'))
    kept = lab.home.private / f"{private.root}.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert {one["field"] for one in json.loads(kept.read_text())["fields"]} == {
        "parameters.lr",
        "parameters.depth",
        "metrics.auc",
    }


def test_one_value_is_shown_and_the_others_stay_hidden(lab, run, tmp_path):
    file = tmp_path / "lr.json"
    done = typed("disclose", run["id"], "lr", "-o", str(file), "--json", home=lab.home.path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["hidden"] == 2
    text = file.read_text()
    tree = json.loads((lab.home.private / f"{manifest(lab, run).predicate.private.root}.json").read_text())
    others = [one for one in tree["fields"] if one["field"] != "parameters.lr"]
    for secret in (tree["filler"], *(one["salt"] for one in others), "auc", "0.98765", "depth"):
        assert secret not in text
    # a stranger has the file, the chain and the registry's address, and nothing else
    stranger = tmp_path / "stranger"
    words = ["--rpc", lab.devnet.start().url, "--registry", lab.registry.address, "--chain-id", "77787"]
    done = typed("verify", "--proof", str(file), *words, home=stranger)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "parameters.lr = 0.0123" in done.stdout
    assert "no other value by these names" in done.stdout
    assert "nothing of the run's other private values" in done.stdout


def test_verify_of_the_run_says_that_it_tells_nothing_of_them(lab, run):
    done = typed("verify", run["id"], "--json", home=lab.home.path)
    told = json.loads(done.stdout)
    [check] = [one for one in told["checks"] if one["name"] == "private"]
    assert check["verdict"] == "unknown"
    assert told["verified"]
    assert any("private values" in sentence for sentence in told["doesNotProve"])
    assert typed("verify", run["id"], "--strict", home=lab.home.path).returncode == 1


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda data: data["fields"][0].update(value=0.5), "private parameters.lr"),
        (lambda data: data["fields"][0].update(field="parameters.depth"), "private parameters.depth"),
        (lambda data: data["fields"][0].update(salt="00" * 32), "private parameters.lr"),
        (lambda data: data["fields"][0]["path"].pop(), "private parameters.lr"),
        (lambda data: data["fields"][0]["path"].reverse(), "private parameters.lr"),
        (lambda data: data["fields"].append(data["fields"][0]), "disclosure"),
        (lambda data: data["manifest"]["predicate"].update(name="another"), "disclosure"),
        (lambda data: data["manifest"]["predicate"]["private"].update(root="00" * 32), "disclosure"),
        (lambda data: data.update(record="0x" + "00" * 32), "disclosure"),
    ],
)
def test_anything_that_is_changed_is_noticed(lab, run, tmp_path, change, check):
    disclose(lab, run["id"], ["lr"], tmp_path / "lr.json")
    data = json.loads((tmp_path / "lr.json").read_text())
    change(data)
    (tmp_path / "lr.json").write_text(json.dumps(data))
    report = verify_disclosure(lab, tmp_path / "lr.json")
    assert check in [one.name for one in report.failed]
    assert not any("committed to parameters" in sentence for sentence in report.proves)


def test_wrong_use_says_what_is_there(lab, run, tmp_path):
    with pytest.raises(InputError, match=r"parameters\.none") as refused:
        disclose(lab, run["id"], ["parameters.none"], tmp_path / "x")
    assert "metrics.auc" in refused.value.hint
    (tmp_path / "x").write_text("mine")
    with pytest.raises(InputError, match="no file"):
        disclose(lab, run["id"], ["lr"], tmp_path / "x")
    assert (tmp_path / "x").read_text() == "mine"
    done = typed("record", "--param", "lr=1", "--private-param", "lr=2", home=lab.home.path)
    assert done.returncode == 2
    assert "private.parameters.lr" in done.stderr
    done = typed("record", "--param", "only=shown", "--json", home=lab.home.path)
    with pytest.raises(InputError, match="no private values"):
        disclose(lab, json.loads(done.stdout)["id"], ["only"], tmp_path / "y")


def test_damaged_values_are_noticed_and_not_shown(lab, tmp_path):
    done = typed("record", "--private-param", "secret=hunter2", "--json", home=lab.home.path)
    run = json.loads(done.stdout)["records"][-1]
    path = lab.home.private / f"{manifest(lab, run).predicate.private.root}.json"
    path.write_text(path.read_text().replace("hunter2", "hunter3"))
    with pytest.raises(StoreError) as refused:
        disclose(lab, run["id"], ["secret"], tmp_path / "x")
    assert "hunter" not in str(refused.value)
    path.unlink()
    with pytest.raises(InputError, match="private values"):
        disclose(lab, run["id"], ["secret"], tmp_path / "x")


def test_from_python_and_around_a_program(lab, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tracer = MLTracer(home=lab.home.path)
    with tracer.start_run("traced") as run:
        run.log_param("epochs", 3)
        run.log_param("lr", 0.1, private=True)
        run.log_metric("loss", 0.25, private=True)
        for again in (lambda: run.log_param("lr", 0.2), lambda: run.log_metric("loss", 1.0)):
            with pytest.raises(InputError, match="private"):
                again()
        with pytest.raises(InputError, match="private"):
            run.log_param("epochs", 4, private=True)
        with pytest.raises(InputError, match="tolerance"):
            run.log_metric("other", 1.0, tolerance=0.1, private=True)
        with pytest.raises(InputError):
            run.log_metric("other", "high", private=True)
    disclose(lab, run.recorded.id, ["loss"], tmp_path / "loss.json")
    report = verify_disclosure(lab, tmp_path / "loss.json")
    assert report.verified
    assert any("metrics.loss = 0.25" in sentence for sentence in report.proves)
    program = "from blockchaintracer import MLTracer\nwith MLTracer().start_run('inner') as run:\n"
    (tmp_path / "train.py").write_text(program + "    run.log_param('width', [1, 2], private=True)\n")
    done = verb("record", "--json", "--", sys.executable, str(tmp_path / "train.py"), home=lab.home.path)
    assert done.returncode == 0, done.stderr
    recorded = json.loads(done.stdout)["records"][-1]
    disclose(lab, recorded["id"], ["width"], tmp_path / "width.json")
    assert verify_disclosure(lab, tmp_path / "width.json").verified


def test_private_values_count_for_a_template(lab):
    done = typed(
        "record",
        *("--param", "epochs=3", "--private-param", "lr=0.1", "--json"),
        home=lab.home.path,
    )
    run = json.loads(done.stdout)["id"]
    told = json.loads(typed("score", run, "--json", home=lab.home.path).stdout)
    items = json.dumps(told)
    assert "private: nothing tells which parameters" in items


def test_the_format_is_what_the_page_says(lab, run, tmp_path):
    """A few lines of nobody's library, from docs/formats.md alone."""
    disclose(lab, run["id"], ["lr"], tmp_path / "lr.json")
    data = json.loads((tmp_path / "lr.json").read_text())
    [one] = data["fields"]
    key = required_record(lab, run["id"]).key
    assert hashlib.sha256(rfc8785.dumps(data["manifest"])).hexdigest() == key.manifest
    private = data["manifest"]["predicate"]["private"]
    about = {
        "chainId": data["chainId"],
        "registry": data["registry"],
        "group": key.group,
        "author": key.author.lower(),
        "subject": key.subject,
        "field": one["field"],
    }
    place = {"type": "urn:blockchaintracer:private-place:v1", **about}
    index = int.from_bytes(hashlib.sha256(rfc8785.dumps(place)).digest(), "big") % private["leaves"]
    leaf = {"type": "urn:blockchaintracer:private-field:v1", **about, "value": one["value"], "salt": one["salt"]}
    node = hashlib.sha256(b"\0" + rfc8785.dumps(leaf)).digest()
    for sibling in map(bytes.fromhex, one["path"]):
        node = hashlib.sha256(b"\1" + (sibling + node if index & 1 else node + sibling)).digest()
        index >>= 1
    assert 2 ** len(one["path"]) == private["leaves"]
    assert node.hex() == private["root"]


def test_another_registry_or_chain_is_told(lab, run, tmp_path):
    disclose(lab, run["id"], ["lr"], tmp_path / "lr.json")
    data = json.loads((tmp_path / "lr.json").read_text())
    for change in ({"registry": "0x" + "33" * 20}, {"chainId": "1"}):
        (tmp_path / "lr.json").write_text(json.dumps(data | change))
        with pytest.raises(NotVerified, match="is of registry"):
            verify_disclosure(lab, tmp_path / "lr.json")


def test_outcomes_are_told_apart(lab, run, tmp_path):
    disclose(lab, run["id"], ["lr", "metrics.auc"], tmp_path / "two.json")
    data = json.loads((tmp_path / "two.json").read_text())
    data["fields"][1]["value"] = 1
    (tmp_path / "two.json").write_text(json.dumps(data))
    found = {one.name: one.verdict for one in verify_disclosure(lab, tmp_path / "two.json").checks}
    assert found["private parameters.lr"] is Outcome.PASS
    assert found["private metrics.auc"] is Outcome.FAIL


def test_what_a_disclosure_cannot_be_held_against_is_refused(lab, run, tmp_path):
    disclose(lab, run["id"], ["lr"], tmp_path / "lr.json")

    # somebody who has neither the run's files nor its values
    stranger = ["--home", str(tmp_path / "nobody"), "--rpc", lab.devnet.start().url, "--chain-id", "77787"]

    def shown(*arguments):
        command = [
            "verify",
            "--proof",
            str(tmp_path / "lr.json"),
            *arguments,
            "--registry",
            lab.registry.address,
            *stranger,
        ]
        return CliRunner(mix_stderr=False).invoke(main, command)

    before = ["--before", run["id"], run["id"]]
    path, block = ["--path", str(tmp_path / "lr.json")], ["--trust-block", "ab" * 32]
    for wrong in (path, block, ["--record", run["id"]], ["--group", "1"], before):
        refused = shown(*wrong)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert f"expected no {wrong[0]} beside" in refused.stderr
    assert shown().exit_code == 0
    strict = shown("--strict", "--json")
    told = json.loads(strict.stdout)
    assert (strict.exit_code, told["failed"], told["unknown"] > 0) == (1, 0, True)
