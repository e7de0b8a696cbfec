"""Sign Protocol 1.1.3 compiled from the sources in @ethsign/sign-protocol-evm, which ships no bytecode, with the
project's compiler and 200 optimiser runs, as its own build does; behind a proxy, as it is deployed. Attestations have
no schema hook: nothing checks who may record what."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from eth_account.messages import encode_defunct

from benchmarks.chain import ROOT, Chain, Sent
from benchmarks.peers import MODULES, PROXY, Figures, batch, commitment, content, node, read_package
from benchmarks.registry import REASON

SOURCE = "@ethsign/sign-protocol-evm/src/core/SP.sol"
NOBODY = "0x" + "00" * 20
ATTESTATION = "(uint64,uint64,uint64,uint64,address,uint64,uint8,bool,bytes[],bytes)"


def measure(chain: Chain) -> Figures:
    """Deploys Sign Protocol and puts it to the work that LabRegistry is measured by."""
    abi, bytecode = _compile()
    proxy = read_package(PROXY)
    implementation, _ = chain.deploy(abi, bytecode)
    initialize = implementation.functions.initialize(1, 1)._encode_transaction_data()
    behind, _ = chain.deploy(proxy["abi"], proxy["bytecode"], implementation.address, initialize)
    sp = chain.at(behind.address, abi)
    attest_one = sp.get_function_by_signature(f"attest({ATTESTATION},string,bytes,bytes)")
    attest_many = sp.get_function_by_signature(f"attestBatch({ATTESTATION}[],string[],bytes,bytes)")
    revoke = sp.get_function_by_signature("revoke(uint64,string,bytes,bytes)")
    attester = chain.accounts[0].address
    chain.send(sp.functions.register((attester, True, 0, 0, NOBODY, 0, "record"), b""))

    def attestation(data: bytes, linked: int = 0) -> tuple[Any, ...]:
        return (1, linked, 0, 0, attester, 0, 0, False, [], data)

    def attest(data: bytes, linked: int = 0) -> int:
        return chain.send(attest_one(attestation(data, linked), "", b"", b"")).gas

    def attest_batch(data: list[bytes]) -> Sent:
        return chain.send(attest_many([attestation(it) for it in data], [""] * len(data), b"", b""))

    def relay(data: bytes) -> int:
        signed = sp.functions.getDelegatedAttestHash(attestation(data)).call()
        signature = chain.sign_message(0, encode_defunct(signed))
        return chain.send(attest_one(attestation(data), "", signature, b""), 2).gas

    record, short_record = attest(content("strain")), attest(commitment("strain"))
    child = attest(commitment("strain"), linked=1)
    return {
        "record": [record, short_record],
        "parent": [child - short_record],
        "batch_100": [batch(content, attest_batch, transactions=2), batch(commitment, attest_batch)],
        "by_sig": [relay(content("relayed")), relay(commitment("relayed"))],
        "attest_reviewed": [attest((1).to_bytes(32), linked=1)],
        "attest_reproduced": [attest(commitment("reproduction"), linked=1)],
        "retract": [chain.send(revoke(number, REASON, b"", b"")).gas for number in (1, 2)],
    }


def _compile() -> tuple[list[Any], str]:
    task = {
        "language": "Solidity",
        "sources": {SOURCE: {"content": (MODULES / SOURCE).read_text()}},
        "settings": {
            "optimizer": {"enabled": True, "runs": 200},
            "evmVersion": "cancun",
            "outputSelection": {SOURCE: {"SP": ["abi", "evm.bytecode.object"]}},
        },
    }
    command = [str(node()), str(ROOT / "tools/solc.js"), "--standard-json", "--base-path", str(MODULES)]
    done = subprocess.run(command, input=json.dumps(task), check=True, capture_output=True, text=True)
    answer = json.loads(done.stdout)
    failures = [it["formattedMessage"] for it in answer.get("errors", []) if it["severity"] == "error"]
    if failures:
        raise RuntimeError(f"expected {SOURCE} to compile, got:\n" + "\n".join(failures))
    contract = answer["contracts"][SOURCE]["SP"]
    return contract["abi"], contract["evm"]["bytecode"]["object"]
