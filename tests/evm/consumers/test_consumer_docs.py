"""The contract in docs/consumers.md compiles against the contracts as they are; its figures and names are theirs."""

from __future__ import annotations

import re

from tests.support.artifacts import artifact
from tests.support.market import CLAIM_WINDOW, DAY, MIN_VERDICT_WINDOW
from tools.compiler import ROOT, compile_standard_json, standard_json

PAGE = (ROOT / "docs" / "consumers.md").read_text()
EXAMPLES = re.findall(r"```solidity\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_compiles() -> None:
    (example,) = EXAMPLES
    request = standard_json("evm.bytecode.object")
    names = ("interfaces/", "contracts/consumers/ProvenanceConsumer.sol")
    request["sources"] = {name: text for name, text in request["sources"].items() if name.startswith(names)}
    request["sources"]["Example.sol"] = {"content": example}
    # the oldest that the page names, quickly
    request["settings"] |= {"evmVersion": "paris", "viaIR": False, "optimizer": {"enabled": False}}
    # as a project that installed the npm package
    request["settings"]["remappings"] = ["@blockchaintracer/contracts/=", *request["settings"]["remappings"]]
    request["settings"]["outputSelection"] = {"Example.sol": {"*": ["evm.bytecode.object"]}}
    contracts = compile_standard_json(request)["contracts"]["Example.sol"]
    assert contracts["ModelGate"]["evm"]["bytecode"]["object"]


def test_the_figures_are_those_of_the_contracts() -> None:
    source = (ROOT / "interfaces" / "IReplicationBounty.sol").read_text()
    constants = dict(re.findall(r"constant (\w+) = (\w+(?: days)?);", source))
    assert constants == {
        "MAX_ELIGIBLE_GROUPS": "32",
        "MIN_VERDICT_WINDOW": f"{MIN_VERDICT_WINDOW // DAY} days",
        "GROUP_AGE": "1 days",
        "CLAIM_WINDOW": f"{CLAIM_WINDOW // DAY} days",
        "MAX_DURATION": "1826 days",
    }
    assert "at most 32 groups" in PAGE
    assert f"at least {constants['MIN_VERDICT_WINDOW']}" in PAGE
    assert f"+ {constants['CLAIM_WINDOW']}" in PAGE


def test_functions_and_errors_that_are_named_exist() -> None:
    names = {
        entry.get("name")
        for name in ("ReplicationBounty", "RecordResolver", "LabRegistry")
        for entry in artifact(name).abi
    }
    expected = "fund|enter|claim|refund|seal|revealVerdictWithEvidence|registry|RecordNotStanding|Funded"
    named = set(re.findall(rf"`({expected})\b", PAGE))
    assert len(named) == 9
    assert named <= names
    questions = set(re.findall(r"`(_require\w+)\(", PAGE))
    source = (ROOT / "contracts" / "consumers" / "ProvenanceConsumer.sol").read_text()
    assert questions == set(re.findall(r"function (_require\w+)\(", source)) - {"_requireStanding"}
