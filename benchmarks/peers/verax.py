"""Verax 9.0.0 from the bytecode in @verax-attestation-registry/verax-contracts: registries behind proxies, as they are
deployed, and its default portal without modules, so that nothing checks who may record what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from web3 import Web3

from benchmarks.chain import Chain, Sent
from benchmarks.peers import PROXY, Figures, batches, commitment, content, read_package, together

SCHEMA = "(uint32 group, uint8 kind, bytes32 manifest)"


def measure(chain: Chain) -> Figures:
    """Deploys Verax and puts it to the work that LabRegistry is measured by."""
    proxy = read_package(PROXY)

    def deploy(name: str, *arguments: Any, proxied: bool = True) -> Any:
        artifact = read_package(f"@verax-attestation-registry/verax-contracts/build/{name}.json")
        contract, _ = chain.deploy(artifact["abi"], artifact["bytecode"]["object"], *arguments)
        if not proxied:
            return contract
        initialize = contract.functions.initialize()._encode_transaction_data()
        behind, _ = chain.deploy(proxy["abi"], proxy["bytecode"], contract.address, initialize)
        return chain.at(behind.address, artifact["abi"])

    router = deploy("Router")
    attestations, schemas, modules = deploy("AttestationRegistry"), deploy("SchemaRegistry"), deploy("ModuleRegistry")
    portals = deploy("PortalRegistry", True)
    for name, registry in {
        "updateAttestationRegistry": attestations,
        "updateModuleRegistry": modules,
        "updatePortalRegistry": portals,
        "updateSchemaRegistry": schemas,
    }.items():
        chain.send(router.functions[name](registry.address))
        chain.send(registry.functions.updateRouter(router.address))
    chain.send(portals.functions.setIsTestnet(True))
    chain.send(schemas.functions.createSchema("record", "a record", "none", SCHEMA))
    schema = Web3.keccak(text=SCHEMA)
    portal = deploy("DefaultPortal", [], router.address, proxied=False)
    chain.send(portals.functions.register(portal.address, "lab", "a lab's portal", True, "lab"))

    def payload(label: str) -> tuple[bytes, int, bytes, bytes]:
        data = content(label)
        return schema, 0, data[64:96], data[:64] + data[96:]

    def short_payload(label: str) -> tuple[bytes, int, bytes, bytes]:
        return schema, 0, bytes.fromhex(chain.accounts[0].address[2:]), commitment(label)

    def attest(payload: tuple[bytes, int, bytes, bytes]) -> Sent:
        return chain.send(portal.functions.attest(payload, []))

    def attest_many(payloads: Sequence[Any]) -> Any:
        return portal.functions.bulkAttest(payloads, [[]] * len(payloads))

    def id_of(attested: Sent) -> bytes:
        [log] = [log for log in attested.logs if log["address"] == attestations.address]
        return bytes(log["topics"][1])

    def revoke(attested: Sent) -> int:
        return chain.send(portal.functions.revoke(id_of(attested))).gas

    record, short_record = attest(payload("strain")), attest(short_payload("strain"))
    # an attestation whose subject is another one
    reviewed = attest((schema, 0, id_of(record), (1).to_bytes(32)))
    reproduced = attest((schema, 0, id_of(record), id_of(short_record)))
    stored = together(
        batches(chain, "batch", payload, attest_many), batches(chain, "batch", short_payload, attest_many)
    )
    return {
        **stored,
        "record": [record.gas, short_record.gas],
        "attest_reviewed": [reviewed.gas],
        "attest_reproduced": [reproduced.gas],
        "retract": [revoke(record), revoke(short_record)],
    }
