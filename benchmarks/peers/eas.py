"""Ethereum Attestation Service 1.4.0 from the bytecode in @ethereum-attestation-service/eas-contracts, without a
resolver: nothing checks who may record what. Its timestamps keep no author either."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from web3 import Web3

from benchmarks.chain import CHAIN_ID, DEADLINE, Chain, Sent
from benchmarks.peers import Figures, batches, commitment, content, read_package, together

NOBODY = "0x" + "00" * 20
NONE = bytes(32)
CONTENT, COMMITMENT, REVIEWED = (
    "uint32 group,uint8 kind,bytes32 subject,bytes32 manifest",
    "bytes32 record",
    "uint8 verdict",
)
ATTEST = (
    "Attest(address attester,bytes32 schema,address recipient,uint64 expirationTime,bool revocable,bytes32 refUID,"
    "bytes data,uint256 value,uint256 nonce,uint64 deadline)"
)


def measure(chain: Chain) -> Figures:
    """Deploys EAS and puts it to the work that LabRegistry is measured by."""

    def deploy(name: str, *arguments: Any) -> Any:
        artifact = read_package(
            f"@ethereum-attestation-service/eas-contracts/artifacts/contracts/{name}.sol/{name}.json"
        )
        return chain.deploy(artifact["abi"], artifact["bytecode"], *arguments)[0]

    schemas = deploy("SchemaRegistry")
    eas = deploy("EAS", schemas.address)
    domain = {"name": "EAS", "version": "1.4.0", "chainId": CHAIN_ID, "verifyingContract": eas.address}

    def register(schema: str) -> bytes:
        chain.send(schemas.functions.register(schema, NOBODY, True))
        return bytes(Web3.solidity_keccak(["string", "address", "bool"], [schema, NOBODY, True]))

    def request(data: bytes, reference: bytes = NONE) -> tuple[Any, ...]:
        return (NOBODY, 0, True, reference, data, 0)

    def attest(schema: bytes, data: bytes, reference: bytes = NONE) -> tuple[bytes, Sent]:
        sent = chain.send(eas.functions.attest((schema, request(data, reference))))
        return bytes(sent.logs[0]["data"]), sent

    def attest_many(schema: bytes, data: Sequence[bytes]) -> Any:
        return eas.functions.multiAttest([(schema, [request(it) for it in data])])

    def relay(schema: bytes, data: bytes) -> int:
        attester = chain.accounts[0].address
        nonce = eas.functions.getNonce(attester).call()
        values = (attester, schema, NOBODY, 0, True, NONE, data, 0, nonce, DEADLINE)
        names = [field.split()[1] for field in ATTEST.rstrip(")").split("(")[1].split(",")]
        signed = chain.sign(0, domain, ATTEST, dict(zip(names, values, strict=True)))
        signature = (signed[64], signed[:32], signed[32:64])
        delegated = (schema, request(data), signature, attester, DEADLINE)
        return chain.send(eas.functions.attestByDelegation(delegated), 2).gas

    def revoke(schema: bytes, uid: bytes) -> int:
        return chain.send(eas.functions.revoke((schema, (uid, 0)))).gas

    whole, short, reviewed = register(CONTENT), register(COMMITMENT), register(REVIEWED)
    uid, record = attest(whole, content("strain"))
    short_uid, short_record = attest(short, commitment("strain"))
    _, child = attest(short, commitment("strain"), uid)
    _, review = attest(reviewed, (1).to_bytes(32), uid)
    _, reproduction = attest(short, short_uid, uid)

    relay(whole, content("the first nonce takes a slot of its own"))
    stored = together(
        batches(chain, "batch", content, partial(attest_many, whole)),
        batches(chain, "batch", commitment, partial(attest_many, short)),
    )
    timestamps = together(batches(chain, "leaves", commitment, eas.functions.multiTimestamp))
    return {
        **stored,
        **timestamps,
        "record": [record.gas, short_record.gas],
        "parent": [child.gas - short_record.gas],
        "by_sig": [relay(whole, content("relayed")), relay(short, commitment("relayed"))],
        "attest_reviewed": [review.gas],
        "attest_reproduced": [reproduction.gas],
        "retract": [revoke(whole, uid), revoke(short, short_uid)],
        "seal": [chain.send(eas.functions.timestamp(commitment("plan"))).gas],
    }
