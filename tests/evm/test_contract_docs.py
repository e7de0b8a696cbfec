"""The contracts in docs/contracts.md compile against the interfaces as they are."""

import re

import pytest

from tools.compiler import ROOT, compile_standard_json, standard_json

EXAMPLES = re.findall(r"```solidity\n(.*?)```", (ROOT / "docs" / "contracts.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_compiles(number):
    request = standard_json("evm.bytecode.object")
    request["sources"] = {name: text for name, text in request["sources"].items() if name.startswith("interfaces/")}
    request["sources"]["Example.sol"] = {"content": EXAMPLES[number]}
    contracts = compile_standard_json(request)["contracts"]["Example.sol"]
    assert all(contract["evm"]["bytecode"]["object"] for contract in contracts.values())


def test_there_are_examples():
    assert len(EXAMPLES) == 4
