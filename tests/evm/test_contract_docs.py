"""The contracts in docs/contracts.md compile against the contracts as they are; two of them are tried in
tests/findings/test_data_recorded_again.py."""

import re

import pytest

from tools.compiler import ROOT, compile_standard_json, standard_json

EXAMPLES = re.findall(r"```solidity\n(.*?)```", (ROOT / "docs" / "contracts.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("name", ["Licence", "Preregistered"])
def test_an_example_is_the_contract_that_is_tried(name):
    (example,) = (text for text in EXAMPLES if f"contract {name} " in text)
    assert example == (ROOT / "tests" / "contracts" / f"{name}.sol").read_text()


def test_the_other_examples_compile():
    request = standard_json("evm.bytecode.object")
    request["sources"] = {name: text for name, text in request["sources"].items() if name.startswith("interfaces/")}
    examples = {f"{at}.sol": text for at, text in enumerate(EXAMPLES) if "consumers/" not in text}
    request["sources"] |= {name: {"content": text} for name, text in examples.items()}
    compiled = compile_standard_json(request)["contracts"]
    assert len(examples) == 2
    for name in examples:
        assert all(contract["evm"]["bytecode"]["object"] for contract in compiled[name].values())


def test_there_are_examples():
    assert len(EXAMPLES) == 4
