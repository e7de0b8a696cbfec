"""`ape run deploy` as a person types it, and what a block explorer is given."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from eth_abi import decode

from blockchaintracer.core.chain import load_artifact
from blockchaintracer.core.record import from_hex
from blockchaintracer.lab.chain import factory as factories
from tests.support.labs import ROOT, verb
from tests.support.node import anvil
from tools.compiler import compile_standard_json

APE = Path(sys.executable).parent / "ape"
LOCAL = ("--network", "ethereum:local:foundry", "--account", "TEST::0")


def ape_deploy(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [APE, "run", "deploy", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"BLOCKCHAINTRACER_HOME": str(home)},
    )


def test_ape_tells_what_a_deployment_would_cost_and_does_nothing(tmp_path):
    done = ape_deploy("--dry-run", "--json", *LOCAL, home=tmp_path / "home")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["chainId"] == 31337
    steps = [(step["name"], step["exists"]) for step in plan["steps"]]
    assert steps[1:] == [("factory", False), ("lens", False), ("registry", False)]
    assert all(step["gas"] > 1_000_000 for step in plan["steps"][1:])
    assert plan["factory"] == factories.factory_address()
    assert not (tmp_path / "home" / "deployments").exists()


def test_ape_on_the_devnet_agrees_with_the_client(lab):
    registry = lab.registry.address
    by_ape = ape_deploy("--open", "--dry-run", home=lab.home.path)
    assert by_ape.returncode == 0, by_ape.stderr
    assert registry in by_ape.stdout
    assert "there is nothing to pay" in by_ape.stdout
    again = ape_deploy("--open", "--json", home=lab.home.path)
    assert (json.loads(again.stdout)["registry"], json.loads(again.stdout)["existing"]) == (registry, True)


@pytest.mark.parametrize("network", ["ethereum:sepolia:node", "ethereum:devnet:node"])
def test_without_an_explorer_verify_is_refused_before_anything_is_done(tmp_path, network):
    done = ape_deploy("--verify", "--json", "--network", network, home=tmp_path / "home")
    assert done.returncode == 2, done.stderr
    answer = json.loads(done.stdout)
    assert "no block explorer" in answer["message"]
    assert "--verification-input" in answer["hint"]
    assert not (tmp_path / "home").exists()


def test_what_an_explorer_is_given_compiles_to_what_is_on_the_chain(tmp_path):
    file, home = tmp_path / "input.json", tmp_path / "home"
    with anvil(chain_id=4242) as node:
        secret = tmp_path / "passphrase"
        secret.write_text("correct horse battery staple")
        secret.chmod(0o600)
        more = {"BLOCKCHAINTRACER_PASSPHRASE_FILE": str(secret)}
        made = verb("keys", "create", "lab", home=home, **more)
        assert made.returncode == 0, made.stderr
        options = ["--rpc", node.url, "--key", "lab", "--json", "--verification-input", str(file)]
        planned = verb("deploy", *options, "--dry-run", home=home, **more)
        assert planned.returncode == 0, planned.stderr
        node.rpc("anvil_setBalance", [json.loads(planned.stdout)["payer"], hex(10**18)])
        done = verb("deploy", *options, home=home, **more)
        assert done.returncode == 0, done.stderr
        deployed = json.loads(done.stdout)
        transaction = node.rpc("eth_getTransactionByHash", [deployed["transaction"]])
        trace = node.rpc("debug_traceTransaction", [transaction["hash"], {"tracer": "callTracer"}])
    shown = deployed["verification"]
    request = json.loads(file.read_text())
    # nothing of this machine, and nothing that only this folder has
    assert str(ROOT) not in file.read_text()
    assert all(set(source) == {"content"} for source in request["sources"].values())
    contracts = compile_standard_json(request)["contracts"]
    compiled = {name: contracts[source][name] for name, source in shown["contracts"].items()}
    assert set(compiled) == {"LabRegistry", "LabRegistryFactory", "RegistryLens"}
    for name, output in compiled.items():
        shipped = load_artifact(name)
        assert "0x" + output["evm"]["bytecode"]["object"] == shipped["bytecode"]
        metadata = json.loads(output["metadata"])
        assert "v" + metadata["compiler"]["version"] == shown["compiler"]
        # or else the compiler would have read what is missing from this folder
        assert metadata["sources"].keys() <= request["sources"].keys()
    arguments = shown["constructorArguments"][deployed["registry"]]
    assert decode(["address", "bool"], from_hex(arguments)) == (deployed["owner"].lower(), False)
    [created] = [call for call in trace["calls"] if call["type"] == "CREATE2"]
    assert created["input"] == "0x" + compiled["LabRegistry"]["evm"]["bytecode"]["object"] + arguments


def test_the_compiler_s_input_has_no_place_for_its_version(tmp_path):
    request = load_artifact("verification")["input"] | {"compiler": "0.8.37"}
    with pytest.raises(RuntimeError, match="Unknown key"):
        compile_standard_json(request)
