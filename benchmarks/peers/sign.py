"""Sign Protocol 1.1.3 compiled from the sources in @ethsign/sign-protocol-evm, which ships no bytecode, with the
project's compiler and 200 optimiser runs, as its own build does; behind a proxy, as it is deployed. Attestations have
no schema hook: nothing checks who may record what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth_account.messages import encode_defunct

from benchmarks.chain import Chain
from benchmarks.peers import (
    MODULES,
    PROXY,
    Figures,
    batches,
    commitment,
    compile_source,
    content,
    read_package,
    together,
)
from benchmarks.registry import REASON, digest

SOURCE = MODULES / "@ethsign/sign-protocol-evm/src/core/SP.sol"
OPENZEPPELIN = "@openzeppelin=benchmarks/peers/node_modules/@openzeppelin"
NOBODY = "0x" + "00" * 20
ATTESTATION = "(uint64,uint64,uint64,uint64,address,uint64,uint8,bool,bytes[],bytes)"


def measure(chain: Chain) -> Figures:
    """Deploys Sign Protocol and puts it to the work that LabRegistry is measured by."""
    abi, bytecode = compile_source(SOURCE, "SP", [OPENZEPPELIN], via_ir=False, runs=200)
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

    def attest_batch(data: Sequence[bytes]) -> Any:
        return attest_many([attestation(it) for it in data], [""] * len(data), b"", b"")

    def attest_offchain(ids: Sequence[str]) -> Any:
        return sp.functions.attestOffchainBatch(ids, attester, b"")

    def relay(data: bytes) -> int:
        signed = sp.functions.getDelegatedAttestHash(attestation(data)).call()
        signature = chain.sign_message(0, encode_defunct(signed))
        return chain.send(attest_one(attestation(data), "", signature, b""), 2).gas

    record, short_record = attest(content("strain")), attest(commitment("strain"))
    child = attest(commitment("strain"), linked=1)
    stored = together(batches(chain, "batch", content, attest_batch), batches(chain, "batch", commitment, attest_batch))
    return {
        **stored,
        **together(batches(chain, "leaves", digest, attest_offchain)),
        "record": [record, short_record],
        "parent": [child - short_record],
        "by_sig": [relay(content("relayed")), relay(commitment("relayed"))],
        "attest_reviewed": [attest((1).to_bytes(32), linked=1)],
        "attest_reproduced": [attest(commitment("reproduction"), linked=1)],
        "retract": [chain.send(revoke(number, REASON, b"", b"")).gas for number in (1, 2)],
        "seal": [chain.send(sp.functions.attestOffchain(digest("plan"), attester, b"")).gas],
    }
